/* SPDX-License-Identifier: ISC */
#include "core/checksum.h"

#include <string.h>

/*
 * FNV-1a over words instead of bytes, because checkpoints are megabytes; the
 * shift brings the high bits, which a multiplication does not move down, back
 * to where the next one spreads them.
 */
static uint64_t
mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

uint64_t
checksum(uint64_t seed, const void *p, size_t len)
{
	const unsigned char *at = p;
	uint64_t h = mix(seed ^ UINT64_C(0xcbf29ce484222325), len);
	uint64_t word;

	for (; len >= sizeof(word); len -= sizeof(word), at += sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		h = mix(h, word);
	}
	word = 0;
	memcpy(&word, at, len);
	return mix(h, word);
}
