/* SPDX-License-Identifier: ISC */
#ifndef BUS_SPAWN_H
#define BUS_SPAWN_H

#include "proto/proto.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/tree.h>

/*
 * SPAWN, rule P-1: a worker has a child added to a pool and gets its pid as
 * soon as it has one.  The engine marks the PROC of that child with the number
 * of the request, so the link and the monitor are there before the keeper is
 * asked for the process: nothing it does can be missed.
 */

#define SPAWNS_MAX 64u /* one worker's that are under way */

struct bus;
struct peer;
struct spawn;

RB_HEAD(spawn_tree, spawn);

/* False if it is malformed. */
bool spawn_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len);

/* `p` is what request `tag` has added; it is live, and does not run yet. */
void spawn_born(struct bus *b, uint64_t tag, struct peer *p);

/* The engine has ended this request.  False if it is none of these. */
bool spawn_end(struct bus *b, const struct wire_hdr *h);

void spawn_fini(struct bus *b);

#endif /* BUS_SPAWN_H */
