/* SPDX-License-Identifier: ISC */
#ifndef BUS_STATS_H
#define BUS_STATS_H

#include "proto/proto.h"
#include "wire/wire.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * What workers tell of their mailboxes, once a second at most.
 */

struct bus;
struct peer;

/* The worker tells.  False if the frame is malformed. */
bool stats_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len);

/* {"queued", "queued_bytes", "sent", "received", "dropped", "bad"}, or null. */
json_t *stats_json(const struct peer *p);

/* A node of `status`, with what its worker has told. */
json_t *stats_node(struct bus *b, const struct wire_row *row);

#endif /* BUS_STATS_H */
