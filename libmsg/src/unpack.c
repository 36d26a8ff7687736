/* SPDX-License-Identifier: ISC */
/*
 * Reading msgpack without building a tree: a cursor over a body that was
 * checked as a whole first.  msgpack-c's reader allocates what a message
 * claims to hold before it has seen it; this allocates nothing.
 */
#include "internal.h"

#include <errno.h>
#include <msg/pack.h>
#include <string.h>

/* One value's head: its type, and what follows it. */
struct head {
	enum msg_type type;
	size_t size;    /* bytes of the head itself */
	uint64_t bytes; /* bytes of data after it */
	uint64_t items; /* values after it */
	union {
		int64_t i;
		uint64_t u;
		double d;
		bool b;
	} v;
};

static uint64_t
big_endian(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static bool
head_uint(struct head *h, size_t size, uint64_t v)
{
	h->size = size;
	h->type = v > INT64_MAX ? MSG_TYPE_UINT : MSG_TYPE_INT;
	h->v.u = v;
	return true;
}

static bool
head_int(struct head *h, size_t size, int64_t v)
{
	h->size = size;
	h->type = MSG_TYPE_INT;
	h->v.i = v;
	return true;
}

static bool
head_sized(struct head *h, enum msg_type type, size_t size, uint64_t n)
{
	h->type = type;
	h->size = size;
	if (type == MSG_TYPE_ARRAY)
		h->items = n;
	else if (type == MSG_TYPE_MAP)
		h->items = 2 * n;
	else
		h->bytes = n;
	return true;
}

static bool
head_float(struct head *h, const unsigned char *p, size_t size)
{
	float f;
	uint32_t u32 = (uint32_t)big_endian(p, 4);
	uint64_t u64 = size == 9 ? big_endian(p, 8) : 0;

	h->type = MSG_TYPE_DOUBLE;
	h->size = size;
	if (size == 9) {
		memcpy(&h->v.d, &u64, sizeof(u64));
	} else {
		memcpy(&f, &u32, sizeof(f));
		h->v.d = (double)f;
	}
	return true;
}

/* Heads with a fixed first byte, 0xc0 to 0xdf; `left` counts from it. */
static bool
head_coded(const unsigned char *p, size_t left, struct head *h)
{
	/* Bytes that follow the first in the head. */
	static const unsigned char more[32] = { 0, 0, 0, 0, 1, 2, 4, 2, 3, 5, 4,
		8, 1, 2, 4, 8, 1, 2, 4, 8, 1, 1, 1, 1, 1, 1, 2, 4, 2, 4, 2, 4 };
	unsigned n = more[p[0] - 0xc0];
	uint64_t v;

	if (left < 1 + n)
		return false;
	v = big_endian(p + 1, n);
	switch (p[0]) {
	case 0xc0:
		return head_sized(h, MSG_TYPE_NIL, 1, 0);
	case 0xc2:
	case 0xc3:
		h->v.b = p[0] == 0xc3;
		return head_sized(h, MSG_TYPE_BOOL, 1, 0);
	case 0xc4:
	case 0xc5:
	case 0xc6:
		return head_sized(h, MSG_TYPE_BIN, 1 + n, v);
	case 0xc7:
	case 0xc8:
	case 0xc9: /* the last byte of the head is the ext's type */
		return head_sized(h, MSG_TYPE_EXT, 1 + n, v >> 8);
	case 0xca:
	case 0xcb:
		return head_float(h, p + 1, 1 + n);
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		return head_uint(h, 1 + n, v);
	case 0xd0:
		return head_int(h, 2, (int8_t)v);
	case 0xd1:
		return head_int(h, 3, (int16_t)v);
	case 0xd2:
		return head_int(h, 5, (int32_t)v);
	case 0xd3:
		return head_int(h, 9, (int64_t)v);
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8:
		return head_sized(
		    h, MSG_TYPE_EXT, 2, UINT64_C(1) << (p[0] - 0xd4));
	case 0xd9:
	case 0xda:
	case 0xdb:
		return head_sized(h, MSG_TYPE_STR, 1 + n, v);
	case 0xdc:
	case 0xdd:
		return head_sized(h, MSG_TYPE_ARRAY, 1 + n, v);
	case 0xde:
	case 0xdf:
		return head_sized(h, MSG_TYPE_MAP, 1 + n, v);
	default: /* 0xc1 is never used */
		return false;
	}
}

/* The head at `p`, with `left` bytes there.  False: cut off, or no msgpack. */
static bool
head_read(const unsigned char *p, size_t left, struct head *h)
{
	*h = (struct head){ .size = 1 };
	if (left == 0)
		return false;
	if (p[0] <= 0x7f)
		return head_int(h, 1, p[0]);
	if (p[0] >= 0xe0)
		return head_int(h, 1, (int8_t)p[0]);
	if (p[0] <= 0x8f)
		return head_sized(h, MSG_TYPE_MAP, 1, p[0] & 0x0f);
	if (p[0] <= 0x9f)
		return head_sized(h, MSG_TYPE_ARRAY, 1, p[0] & 0x0f);
	if (p[0] <= 0xbf)
		return head_sized(h, MSG_TYPE_STR, 1, p[0] & 0x1f);
	return head_coded(p, left, h);
}

/* Walk over one value.  Returns its end, or NULL if it is malformed. */
static const unsigned char *
walk(const unsigned char *p, const unsigned char *end)
{
	uint64_t
	    open[MSG_PACK_DEPTH_MAX + 1]; /* values missing at each depth */
	unsigned depth = 0;
	struct head h;

	open[0] = 1;
	for (;;) {
		while (open[depth] == 0) {
			if (depth-- == 0)
				return p;
		}
		open[depth]--;
		if (!head_read(p, (size_t)(end - p), &h))
			return NULL;
		p += h.size;
		/* Each value has a byte at least. */
		if (h.bytes > (size_t)(end - p) || h.items > (size_t)(end - p))
			return NULL;
		p += h.bytes;
		if (h.items != 0 || h.type == MSG_TYPE_ARRAY ||
		    h.type == MSG_TYPE_MAP) {
			if (depth == MSG_PACK_DEPTH_MAX)
				return NULL;
			open[++depth] = h.items;
		}
	}
}

MSG_API int
msg_unpack_check(const void *body, size_t len)
{
	const unsigned char *p = body;

	if (len == 0 || walk(p, p + len) != p + len)
		return fail(-EBADMSG, "the body is no msgpack value");
	return 0;
}

MSG_API int
msg_unpack_init(struct msg_unpack *u, const void *body, size_t len)
{
	int r = msg_unpack_check(body, len);

	if (r != 0)
		return r;
	u->at = body;
	u->end = u->at + len;
	return 0;
}

MSG_API enum msg_type
msg_unpack_type(const struct msg_unpack *u)
{
	struct head h;

	if (!head_read(u->at, (size_t)(u->end - u->at), &h))
		return MSG_TYPE_END;
	return h.type;
}

/* Take the head and data of a value of this type. */
static int
take(struct msg_unpack *u, enum msg_type type, struct head *ret_h,
    const unsigned char **ret_data)
{
	struct head h;

	if (!head_read(u->at, (size_t)(u->end - u->at), &h) || h.type != type ||
	    h.bytes > (size_t)(u->end - u->at) - h.size)
		return fail(-EBADMSG, "the body holds another type here");
	*ret_data = u->at + h.size;
	u->at += h.size + h.bytes;
	*ret_h = h;
	return 0;
}

MSG_API int
msg_unpack_array(struct msg_unpack *u, uint32_t *ret_n)
{
	const unsigned char *data;
	struct head h;
	int r = take(u, MSG_TYPE_ARRAY, &h, &data);

	if (r == 0)
		*ret_n = (uint32_t)h.items;
	return r;
}

MSG_API int
msg_unpack_map(struct msg_unpack *u, uint32_t *ret_n)
{
	const unsigned char *data;
	struct head h;
	int r = take(u, MSG_TYPE_MAP, &h, &data);

	if (r == 0)
		*ret_n = (uint32_t)(h.items / 2);
	return r;
}

MSG_API int
msg_unpack_nil(struct msg_unpack *u)
{
	const unsigned char *data;
	struct head h;

	return take(u, MSG_TYPE_NIL, &h, &data);
}

MSG_API int
msg_unpack_bool(struct msg_unpack *u, bool *ret_v)
{
	const unsigned char *data;
	struct head h;
	int r = take(u, MSG_TYPE_BOOL, &h, &data);

	if (r == 0)
		*ret_v = h.v.b;
	return r;
}

MSG_API int
msg_unpack_int(struct msg_unpack *u, int64_t *ret_v)
{
	const unsigned char *data;
	struct head h;
	int r = take(u, MSG_TYPE_INT, &h, &data);

	if (r == 0)
		*ret_v = h.v.i;
	return r;
}

MSG_API int
msg_unpack_uint(struct msg_unpack *u, uint64_t *ret_v)
{
	const unsigned char *data;
	struct msg_unpack was = *u;
	struct head h;

	if (msg_unpack_type(u) == MSG_TYPE_UINT) {
		if (take(u, MSG_TYPE_UINT, &h, &data) == 0) {
			*ret_v = h.v.u;
			return 0;
		}
	} else if (take(u, MSG_TYPE_INT, &h, &data) == 0 && h.v.i >= 0) {
		*ret_v = (uint64_t)h.v.i;
		return 0;
	}
	*u = was;
	return fail(-EBADMSG, "the body holds another type here");
}

MSG_API int
msg_unpack_double(struct msg_unpack *u, double *ret_v)
{
	const unsigned char *data;
	struct head h;
	int r = take(u, MSG_TYPE_DOUBLE, &h, &data);

	if (r == 0)
		*ret_v = h.v.d;
	return r;
}

MSG_API int
msg_unpack_str(struct msg_unpack *u, const char **ret_text, size_t *ret_len)
{
	const unsigned char *data;
	struct head h;
	int r = take(u, MSG_TYPE_STR, &h, &data);

	if (r == 0) {
		*ret_text = (const char *)data;
		*ret_len = h.bytes;
	}
	return r;
}

MSG_API int
msg_unpack_bin(struct msg_unpack *u, const void **ret_data, size_t *ret_len)
{
	const unsigned char *data;
	struct head h;
	int r = take(u, MSG_TYPE_BIN, &h, &data);

	if (r == 0) {
		*ret_data = data;
		*ret_len = h.bytes;
	}
	return r;
}

MSG_API int
msg_unpack_skip(struct msg_unpack *u)
{
	const unsigned char *end = walk(u->at, u->end);

	if (end == NULL)
		return fail(-EBADMSG, "nothing is left to skip");
	u->at = end;
	return 0;
}

MSG_API int
msg_unpack_raw(struct msg_unpack *u, const void **ret_data, size_t *ret_len)
{
	const unsigned char *start = u->at;
	int r = msg_unpack_skip(u);

	if (r == 0) {
		*ret_data = start;
		*ret_len = (size_t)(u->at - start);
	}
	return r;
}

MSG_API int
msg_unpack_tag(
    const struct msg *m, struct msg_unpack *u, char ret_tag[MSG_TAG_MAX + 1])
{
	const char *text;
	size_t len;
	uint32_t n;

	if (m->content != MSG_PACKED ||
	    msg_unpack_init(u, m->body, m->len) != 0 ||
	    msg_unpack_array(u, &n) != 0 || n == 0 || n > INT32_MAX ||
	    msg_unpack_str(u, &text, &len) != 0 || len > MSG_TAG_MAX ||
	    memchr(text, '\0', len) != NULL)
		return fail(-EBADMSG, "the body is no [tag, argument ...]");
	memcpy(ret_tag, text, len);
	ret_tag[len] = '\0';
	return (int)n - 1;
}
