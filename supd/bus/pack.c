/* SPDX-License-Identifier: ISC */
#include "bus/pack.h"

#include "bus/jsonrpc.h"

#include <math.h>
#include <msgpack.h>
#include <stdint.h>
#include <string.h>

/* ---- the check -------------------------------------------------------------
 */

struct cursor {
	const unsigned char *p;
	size_t left;
};

static bool
take(struct cursor *c, uint64_t n)
{
	if (n > c->left)
		return false;
	c->p += n;
	c->left -= (size_t)n;
	return true;
}

/* A big-endian number of `size` bytes. */
static bool
take_uint(struct cursor *c, unsigned size, uint64_t *ret)
{
	const unsigned char *p = c->p;

	if (!take(c, size))
		return false;
	*ret = 0;
	for (unsigned i = 0; i < size; i++)
		*ret = *ret << 8 | p[i];
	return true;
}

/* Skip a payload whose length is a number of `size` bytes, plus `more`. */
static bool
take_sized(struct cursor *c, unsigned size, unsigned more)
{
	uint64_t n;

	return take_uint(c, size, &n) && take(c, n + more);
}

/* The rest of a value whose format byte `f` is from 0xc0 to 0xdf. */
static bool
take_long(struct cursor *c, unsigned char f, uint64_t *ret_n)
{
	uint64_t n;

	switch (f) {
	case 0xc0: /* nil */
	case 0xc2: /* false */
	case 0xc3: /* true */
		return true;
	case 0xc4: /* bin 8, 16, 32 */
	case 0xc5:
	case 0xc6:
		return take_sized(c, 1u << (f - 0xc4), 0);
	case 0xc7: /* ext 8, 16, 32: a type byte too */
	case 0xc8:
	case 0xc9:
		return take_sized(c, 1u << (f - 0xc7), 1);
	case 0xca: /* float 32, 64 */
		return take(c, 4);
	case 0xcb:
		return take(c, 8);
	case 0xcc: /* uint 8, 16, 32, 64 */
	case 0xcd:
	case 0xce:
	case 0xcf:
		return take(c, 1u << (f - 0xcc));
	case 0xd0: /* int 8, 16, 32, 64 */
	case 0xd1:
	case 0xd2:
	case 0xd3:
		return take(c, 1u << (f - 0xd0));
	case 0xd4: /* fixext 1, 2, 4, 8, 16 */
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8:
		return take(c, (1u << (f - 0xd4)) + 1);
	case 0xd9: /* str 8, 16, 32 */
	case 0xda:
	case 0xdb:
		return take_sized(c, 1u << (f - 0xd9), 0);
	case 0xdc: /* array 16, 32 */
	case 0xdd:
		return take_uint(c, 2u << (f - 0xdc), ret_n);
	case 0xde: /* map 16, 32 */
	case 0xdf:
		if (!take_uint(c, 2u << (f - 0xde), &n))
			return false;
		*ret_n = 2 * n;
		return true;
	default:
		return false; /* 0xc1 is never used */
	}
}

/*
 * Take one value without its elements; *ret_n says how many follow.  The
 * format bytes are those of the msgpack specification.
 */
static bool
take_value(struct cursor *c, uint64_t *ret_n)
{
	unsigned char f;

	*ret_n = 0;
	if (c->left == 0)
		return false;
	f = *c->p;
	take(c, 1);
	if (f <= 0x7f || f >= 0xe0)
		return true; /* fixint */
	if (f <= 0x8f)
		*ret_n = 2 * (uint64_t)(f & 0x0f); /* fixmap */
	else if (f <= 0x9f)
		*ret_n = f & 0x0f; /* fixarray */
	else if (f <= 0xbf)
		return take(c, f & 0x1f); /* fixstr */
	else
		return take_long(c, f, ret_n);
	return true;
}

bool
pack_check(const void *p, size_t len)
{
	struct cursor c = { p, len };
	uint64_t open[PACK_DEPTH_MAX + 1]; /* elements still to come */
	unsigned depth = 0;

	open[0] = 1;
	for (;;) {
		uint64_t n;

		while (open[depth] == 0) {
			if (depth == 0)
				return c.left == 0;
			depth--;
		}
		open[depth]--;
		if (!take_value(&c, &n) || n > c.left)
			return false;
		if (n == 0)
			continue;
		if (depth == PACK_DEPTH_MAX)
			return false;
		open[++depth] = n;
	}
}

/* ---- msgpack -> JSON -------------------------------------------------------
 */

static json_t *value_json(const msgpack_object *o);

static json_t *
hex_json(const char *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	cleanup_(freep) char *hex = malloc(2 * len + 1);

	if (hex == NULL)
		return NULL;
	for (size_t i = 0; i < len; i++) {
		hex[2 * i] = digits[(unsigned char)p[i] >> 4];
		hex[2 * i + 1] = digits[(unsigned char)p[i] & 15];
	}
	return json_stringn(hex, 2 * len);
}

json_t *
pack_bytes_json(const char *p, size_t len)
{
	if (text_is_utf8(p, len))
		return text_json(p, len);
	return json_pack("{s:o}", "bin", hex_json(p, len));
}

static json_t *
array_json(const msgpack_object_array *a)
{
	json_t *list = json_array();

	for (uint32_t i = 0; i < a->size; i++)
		if (json_array_append_new(list, value_json(&a->ptr[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	return list;
}

/* jansson ends keys at a NUL, so one inside becomes part of no key. */
static char *
key_text(const msgpack_object *k)
{
	cleanup_(buf_fini) struct buf b = { 0 };
	json_t *v;

	if (k->type == MSGPACK_OBJECT_STR)
		return text_clean(k->via.str.ptr, k->via.str.size);
	v = value_json(k);
	json_to_buf(&b, v);
	return b.failed ? NULL : strdup(buf_str(&b));
}

static json_t *
map_json(const msgpack_object_map *m)
{
	json_t *map = json_object();

	for (uint32_t i = 0; i < m->size; i++) {
		cleanup_(freep) char *key = key_text(&m->ptr[i].key);

		if (key == NULL || json_object_set_new(map, key,
				       value_json(&m->ptr[i].val)) != 0) {
			json_decref(map);
			return NULL;
		}
	}
	return map;
}

/* The depth was checked, so this recursion is bounded. */
static json_t *
value_json(const msgpack_object *o)
{
	switch (o->type) {
	case MSGPACK_OBJECT_NIL:
		return json_null();
	case MSGPACK_OBJECT_BOOLEAN:
		return json_boolean(o->via.boolean);
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		if (o->via.u64 > INT64_MAX)
			return json_real((double)o->via.u64);
		return json_integer((json_int_t)o->via.u64);
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return json_integer(o->via.i64);
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return isfinite(o->via.f64) ? json_real(o->via.f64)
		                            : json_null();
	case MSGPACK_OBJECT_STR:
		return text_json(o->via.str.ptr, o->via.str.size);
	case MSGPACK_OBJECT_BIN:
		return pack_bytes_json(o->via.bin.ptr, o->via.bin.size);
	case MSGPACK_OBJECT_EXT:
		return json_pack("{s:i,s:o}", "ext", (int)o->via.ext.type,
		    "bin", hex_json(o->via.ext.ptr, o->via.ext.size));
	case MSGPACK_OBJECT_ARRAY:
		return array_json(&o->via.array);
	case MSGPACK_OBJECT_MAP:
		return map_json(&o->via.map);
	}
	return NULL;
}

json_t *
pack_to_json(const void *p, size_t len)
{
	msgpack_unpacked u;
	json_t *v = NULL;
	size_t at = 0;

	if (!pack_check(p, len))
		return NULL;
	msgpack_unpacked_init(&u);
	if (msgpack_unpack_next(&u, p, len, &at) == MSGPACK_UNPACK_SUCCESS)
		v = value_json(&u.data);
	msgpack_unpacked_destroy(&u);
	return v;
}

/* ---- JSON -> msgpack -------------------------------------------------------
 */

static int
write_buf(void *arg, const char *p, size_t len)
{
	struct buf *out = arg;

	buf_add(out, p, len);
	return out->failed ? -1 : 0;
}

static void
put_text(msgpack_packer *pk, const char *s, size_t len)
{
	msgpack_pack_str(pk, len);
	msgpack_pack_str_body(pk, s, len);
}

static bool
put_value(msgpack_packer *pk, const json_t *v, unsigned depth)
{
	json_t *any = (json_t *)(uintptr_t)v; /* jansson's iterators want it */
	const char *key;
	size_t i;
	json_t *e;

	switch (json_typeof(v)) {
	case JSON_NULL:
		msgpack_pack_nil(pk);
		return true;
	case JSON_TRUE:
		msgpack_pack_true(pk);
		return true;
	case JSON_FALSE:
		msgpack_pack_false(pk);
		return true;
	case JSON_INTEGER:
		msgpack_pack_int64(pk, json_integer_value(v));
		return true;
	case JSON_REAL:
		msgpack_pack_double(pk, json_real_value(v));
		return true;
	case JSON_STRING:
		put_text(pk, json_string_value(v), json_string_length(v));
		return true;
	case JSON_ARRAY:
		if (depth == PACK_DEPTH_MAX)
			return false;
		msgpack_pack_array(pk, json_array_size(v));
		json_array_foreach(
		    any, i, e) if (!put_value(pk, e, depth + 1)) return false;
		return true;
	case JSON_OBJECT:
		if (depth == PACK_DEPTH_MAX)
			return false;
		msgpack_pack_map(pk, json_object_size(v));
		json_object_foreach(any, key, e)
		{
			put_text(pk, key, strlen(key));
			if (!put_value(pk, e, depth + 1))
				return false;
		}
		return true;
	}
	return false;
}

bool
pack_from_json(struct buf *out, const json_t *v)
{
	msgpack_packer pk;

	msgpack_packer_init(&pk, out, write_buf);
	return put_value(&pk, v, 0) && !out->failed;
}
