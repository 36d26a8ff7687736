/* SPDX-License-Identifier: ISC */
#ifndef CORE_CHECKSUM_H
#define CORE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * A checksum against accidents: torn writes, flipped bits, other people's
 * bytes.  It is no defence against somebody who means it.
 *
 * Depends on every byte, on their order and on `len`.  Give the result as
 * `seed` to go on with more bytes.
 */
uint64_t checksum(uint64_t seed, const void *p, size_t len);

#endif /* CORE_CHECKSUM_H */
