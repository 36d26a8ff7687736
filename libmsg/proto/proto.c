/* SPDX-License-Identifier: ISC */
#include "proto/proto.h"

#include <assert.h>
#include <sha2.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the wire format is little endian and this host is not"
#endif

#define ALIGN8(n) (((n) + 7) & ~(size_t)7)

bool
proto_next(const void *p, size_t len, size_t *pos, size_t max,
    struct proto_frame *ret_h, const void **ret_body, size_t *ret_body_len)
{
	const char *at = (const char *)p + *pos;
	size_t left = len - *pos;
	struct proto_frame h;

	assert(*pos <= len);
	if (left < PROTO_HEADER_SIZE)
		return false;
	memcpy(&h, at, PROTO_HEADER_SIZE);
	if (h.version != PROTO_VERSION || h.length < PROTO_HEADER_SIZE ||
	    h.length > max || h.length > left)
		return false;
	*ret_h = h;
	*ret_body = at + PROTO_HEADER_SIZE;
	*ret_body_len = h.length - PROTO_HEADER_SIZE;
	/* The last frame of a batch may go without its padding. */
	*pos += ALIGN8(h.length) < left ? ALIGN8(h.length) : left;
	return true;
}

size_t
proto_put(void *out, size_t cap, const struct proto_frame *h, const void *body,
    size_t body_len)
{
	size_t len = PROTO_HEADER_SIZE + body_len;
	struct proto_frame w = *h;

	if (body_len > UINT32_MAX - 2 * PROTO_HEADER_SIZE)
		return 0;
	if (out == NULL)
		return ALIGN8(len);
	if (ALIGN8(len) > cap)
		return 0;
	w.version = PROTO_VERSION;
	w.length = (uint32_t)len;
	memcpy(out, &w, PROTO_HEADER_SIZE);
	if (body_len != 0)
		memcpy((char *)out + PROTO_HEADER_SIZE, body, body_len);
	memset((char *)out + len, 0, ALIGN8(len) - len);
	return ALIGN8(len);
}

uint64_t
proto_proof(const uint8_t secret[PROTO_SECRET_SIZE], uint64_t from, uint64_t to)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	uint64_t proof;
	SHA2_CTX ctx;

	SHA256Init(&ctx);
	SHA256Update(&ctx, secret, PROTO_SECRET_SIZE);
	SHA256Update(&ctx, (const uint8_t *)&from, sizeof(from));
	SHA256Update(&ctx, (const uint8_t *)&to, sizeof(to));
	SHA256Final(digest, &ctx);
	memcpy(&proof, digest, sizeof(proof));
	return proof != 0 ? proof : 1;
}
