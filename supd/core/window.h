/* SPDX-License-Identifier: ISC */
#ifndef CORE_WINDOW_H
#define CORE_WINDOW_H

#include "base/attr.h"
#include "base/mono.h"

/*
 * Restart intensity: when is a supervisor restarting too often?  Rule I-1.
 *
 * More than `max` restarts within any `period` mean that the supervisor cannot
 * cure the fault and must hand it to its parent.  The window slides: a counter
 * cleared every period would let 2 * max through across the edge.
 *
 * Pure.  `now` must never go backwards.
 */

#define WINDOW_MAX 100000 /* largest `max` the configuration accepts */

struct window {
	int64_t period_ns; /* > 0 */
	uint32_t max;      /* 0..WINDOW_MAX; 0: the first restart trips */
	uint32_t next;     /* slot of the oldest restart once len == max */
	uint32_t len;      /* restarts remembered, 0..max */
	mono_t *at;        /* max instants, borrowed from the owner */
};

/* Start an empty window over `at`, room for max instants that outlives it. */
void window_init(struct window *w, uint32_t max, int64_t period_ns, mono_t *at);

/*
 * Reload: judge by new values from now on, in `at`, room for `max` instants
 * (it may be the room it has).  As in OTP's code_change, the restarts that the
 * window remembers still count; of more than `max` the latest are kept.
 */
void window_move(struct window *w, uint32_t max, int64_t period_ns, mono_t *at);

/* Forget all restarts: a fresh supervisor has a fresh history (I-2). */
void window_clear(struct window *w);

/*
 * Record a restart that is about to be attempted at `now`.
 *
 * Returns true if it is within the limit, false if it trips it.  A restart
 * exactly period_ns old still counts, as in OTP (supervisor.erl, add_restart).
 */
must_check bool window_admit(struct window *w, mono_t now);

/* How many restarts lie within the period before `now`: for people. */
uint32_t window_used(const struct window *w, mono_t now);

#endif /* CORE_WINDOW_H */
