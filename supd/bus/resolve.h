/* SPDX-License-Identifier: ISC */
#ifndef BUS_RESOLVE_H
#define BUS_RESOLVE_H

#include "proto/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

/*
 * RESOLVE: where a pid, name or path can be reached.
 *
 * A worker that has just been spawned, or has joined, will have a mailbox in a
 * moment: the answer waits for that, at most RESOLVE_HOLD_S.  Without it a
 * message to a pid that msg_spawn() has just given would find nobody.
 */

#define RESOLVE_HOLD_S   5
#define RESOLVE_HELD_MAX 1024u /* for one worker; more are not held */

struct held;
struct peer;

TAILQ_HEAD(held_list, held);

/* False if it is malformed. */
bool resolve_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len);

/* p may have a mailbox soon: from now on for RESOLVE_HOLD_S. */
void resolve_expect(struct peer *p);

/* p has its mailbox, or has ended, or takes too long: answer who waits. */
void resolve_answer(struct peer *p);

#endif /* BUS_RESOLVE_H */
