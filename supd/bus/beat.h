/* SPDX-License-Identifier: ISC */
#ifndef BUS_BEAT_H
#define BUS_BEAT_H

#include <stdbool.h>

/*
 * Signs of life: WATCHDOG=1 of sd_notify(3), msg_alive() of libmsg.
 *
 * A worker may send as many as it likes.  The engine is told of the first at
 * once, and then once every beat_ns (of PREPARE) if there were more: late by at
 * most that, and never not at all.  Dropping the later ones instead would make
 * a worker that beats unevenly look silent.
 */

struct peer;

/*
 * p's incarnation lives; `unwell`: but says that it cannot go on (WATCHDOG=
 * trigger), which is told at once, and once.
 */
void beat_take(struct peer *p, bool unwell);

/* p's incarnation has ended. */
void beat_reset(struct peer *p);

void beat_free(struct peer *p);

#endif /* BUS_BEAT_H */
