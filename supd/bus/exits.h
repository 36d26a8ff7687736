/* SPDX-License-Identifier: ISC */
#ifndef BUS_EXITS_H
#define BUS_EXITS_H

#include "wire/wire.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Exit signals, rule P-7.  What one does to a worker that has joined, libmsg
 * decides there: it is a message, nothing, or the worker's end.  One that has
 * not joined, and perhaps never will, is sent SIGTERM by the engine ("normal":
 * nothing).  "kill" that is no link's ends any worker at once.
 *
 * A worker that is to end by an exit signal and has not after EXIT_OBEY_NS is
 * killed, for the same reason: it is doomed, and what it does instead does not
 * matter.
 */

#define EXIT_OBEY_S 5

struct bus;
struct peer;
struct exiting; /* what is to end a worker, and when it must have ended */

/* May `p` end that worker?  One of another user only as `allow` says. */
bool exits_may(const struct peer *p, const struct peer *to);

/*
 * Deliver an exit signal.  `from` may be a guest, or gone; `seq` is the last
 * frame that it sent to `to` before; `flags`: PROTO_VIA_LINK.  Silent when
 * `to` is nobody.
 */
void exits_send(struct bus *b, uint64_t from, uint64_t to, const char *reason,
    uint32_t seq, unsigned flags);

/* It traps exits from now on, or no longer. */
void exits_trap(struct peer *p, bool on);

/* The engine's order to stop a worker that traps exits. */
void exits_stop(struct bus *b, const struct wire_exit *w);

/* p's incarnation has ended. */
void exits_reset(struct peer *p);

/* It will end by an exit signal. */
bool exits_doomed(const struct peer *p);

#endif /* BUS_EXITS_H */
