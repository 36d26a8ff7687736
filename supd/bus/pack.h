/* SPDX-License-Identifier: ISC */
#ifndef BUS_PACK_H
#define BUS_PACK_H

#include "base/attr.h"
#include "base/buf.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * JSON <-> msgpack.  What msgpack has and JSON has not:
 *   bin        text if it is UTF-8, else {"bin": "hex digits"}
 *   ext        {"ext": type, "bin": "hex digits"}
 *   NaN, inf   null
 *   map keys   that are no texts: their JSON text
 */

#define PACK_DEPTH_MAX 32

/*
 * Is this exactly one msgpack value?  Every count and length is held against
 * the bytes that are left before anything is allocated for it: O(len), no
 * recursion.
 */
must_check bool pack_check(const void *p, size_t len);

/* A new value, or NULL if pack_check() says no, or without memory. */
must_check json_t *pack_to_json(const void *p, size_t len);

/* Bytes, as the JSON of a msgpack bin. */
json_t *pack_bytes_json(const char *p, size_t len);

/* Append v.  False if it is too deep, or without memory. */
must_check bool pack_from_json(struct buf *out, const json_t *v);

#endif /* BUS_PACK_H */
