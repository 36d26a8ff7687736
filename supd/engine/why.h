/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_WHY_H
#define ENGINE_WHY_H

#include "base/buf.h"
#include "core/engine.h"
#include "engine/history.h"

/*
 * Why is a child in the state it is in?  The answer is a chain of recorded
 * events: the first failure, what its supervisor did, what came of it for this
 * child; and one line that says it.
 */

struct why_subject {
	const char *path; /* "root/web/api" */
	enum child_state state;
	mono_t now;
	mono_t since;    /* of this state */
	mono_t next_try; /* WAITING: when its pause is over; 0: not known */
	bool wanted;     /* false: an operator stopped it */
	bool enabled;
	bool ended_before; /* it has ended at least once, recorded or not */
};

/*
 * Tell the story: each event of it through `emit`, in order of time, and the
 * headline into `ret_headline`.
 */
void why_tell(const struct history *h, const struct why_subject *s,
    void (*emit)(void *ctx, const struct hist_event *ev), void *ctx,
    struct buf *ret_headline);

#endif /* ENGINE_WHY_H */
