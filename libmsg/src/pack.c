/* SPDX-License-Identifier: ISC */
/* Building msgpack: msgpack-c's packer, writing into a growing buffer. */
#include "internal.h"

#include <errno.h>
#include <msg/pack.h>
#include <msgpack/pack.h>
#include <stdlib.h>
#include <string.h>

/* msgpack-c's write callback. */
static int
put(void *arg, const char *bytes, size_t len)
{
	struct msg_pack *p = arg;
	size_t cap = p->cap != 0 ? p->cap : 64;
	char *data;

	if (p->failed)
		return 0;
	while (cap - p->len < len && cap <= SIZE_MAX / 2)
		cap *= 2;
	if (cap - p->len < len) {
		p->failed = true;
		return 0;
	}
	if (cap != p->cap) {
		data = realloc(p->data, cap);
		if (data == NULL) {
			p->failed = true;
			return 0;
		}
		p->data = data;
		p->cap = cap;
	}
	if (len > 0)
		memcpy(p->data + p->len, bytes, len);
	p->len += len;
	return 0;
}

static msgpack_packer
packer(struct msg_pack *p)
{
	return (msgpack_packer){ .data = p, .callback = put };
}

MSG_API void
msg_pack_init(struct msg_pack *p)
{
	*p = (struct msg_pack){ 0 };
}

MSG_API void
msg_pack_fini(struct msg_pack *p)
{
	free(p->data);
	*p = (struct msg_pack){ 0 };
}

MSG_API void
msg_pack_array(struct msg_pack *p, uint32_t n)
{
	msgpack_packer k = packer(p);

	msgpack_pack_array(&k, n);
}

MSG_API void
msg_pack_map(struct msg_pack *p, uint32_t n)
{
	msgpack_packer k = packer(p);

	msgpack_pack_map(&k, n);
}

MSG_API void
msg_pack_nil(struct msg_pack *p)
{
	msgpack_packer k = packer(p);

	msgpack_pack_nil(&k);
}

MSG_API void
msg_pack_bool(struct msg_pack *p, bool v)
{
	msgpack_packer k = packer(p);

	if (v)
		msgpack_pack_true(&k);
	else
		msgpack_pack_false(&k);
}

MSG_API void
msg_pack_int(struct msg_pack *p, int64_t v)
{
	msgpack_packer k = packer(p);

	msgpack_pack_int64(&k, v);
}

MSG_API void
msg_pack_uint(struct msg_pack *p, uint64_t v)
{
	msgpack_packer k = packer(p);

	msgpack_pack_uint64(&k, v);
}

MSG_API void
msg_pack_double(struct msg_pack *p, double v)
{
	msgpack_packer k = packer(p);

	msgpack_pack_double(&k, v);
}

MSG_API void
msg_pack_str(struct msg_pack *p, const char *text)
{
	msg_pack_str_len(p, text, strlen(text));
}

MSG_API void
msg_pack_str_len(struct msg_pack *p, const char *text, size_t len)
{
	msgpack_packer k = packer(p);

	if (len > UINT32_MAX) {
		p->failed = true;
		return;
	}
	msgpack_pack_str(&k, len);
	msgpack_pack_str_body(&k, text, len);
}

MSG_API void
msg_pack_bin(struct msg_pack *p, const void *data, size_t len)
{
	msgpack_packer k = packer(p);

	if (len > UINT32_MAX) {
		p->failed = true;
		return;
	}
	msgpack_pack_bin(&k, len);
	msgpack_pack_bin_body(&k, data, len);
}

MSG_API void
msg_pack_raw(struct msg_pack *p, const void *data, size_t len)
{
	if (msg_unpack_check(data, len) == 0)
		(void)put(p, data, len);
	else
		p->failed = true;
}

static int
built(const struct msg_pack *p)
{
	return p->failed ? fail(-ENOMEM, "no memory for a body") : 0;
}

MSG_API int
msg_pack_send(msg_pid to, const struct msg_pack *p)
{
	int r = built(p);

	return r != 0 ? r : msg_send(to, MSG_PACKED, p->data, p->len);
}

MSG_API int
msg_pack_send_name(const char *name, const struct msg_pack *p)
{
	int r = built(p);

	return r != 0 ? r : msg_send_name(name, MSG_PACKED, p->data, p->len);
}

MSG_API int
msg_pack_call(
    msg_pid to, const struct msg_pack *p, int timeout_ms, struct msg *ret_reply)
{
	int r = built(p);

	if (r != 0)
		return r;
	return msg_call(to, MSG_PACKED, p->data, p->len, timeout_ms, ret_reply);
}

MSG_API int
msg_pack_call_name(const char *name, const struct msg_pack *p, int timeout_ms,
    struct msg *ret_reply)
{
	int r = built(p);

	if (r != 0)
		return r;
	return msg_call_name(
	    name, MSG_PACKED, p->data, p->len, timeout_ms, ret_reply);
}

MSG_API int
msg_pack_reply(const struct msg *call, const struct msg_pack *p)
{
	int r = built(p);

	return r != 0 ? r : msg_reply(call, MSG_PACKED, p->data, p->len);
}
