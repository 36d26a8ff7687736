/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_HISTORY_H
#define ENGINE_HISTORY_H

#include "base/attr.h"
#include "base/mono.h"
#include "core/reason.h"
#include "wire/wire.h"

/*
 * The last things that happened, in order: what `supctl events` and
 * `supctl why` tell.  A ring; the oldest falls out.
 *
 * Sequence numbers are the ring's own and count up by one from 1, so that a
 * subscriber sees a gap.  The core numbers what it emits too; `core_seq`
 * keeps that number, for finding the event that a later one names as cause.
 */

enum hist_kind {
	HIST_STARTING,
	HIST_READY,
	HIST_STOPPING,
	HIST_STOPPED, /* it was told to, and has */
	HIST_EXITED,  /* a process ended by itself */
	HIST_ENDED,   /* a supervisor ended by itself */
	HIST_START_ERROR,
	HIST_WAITING, /* a pause before the next try */
	HIST_RESTART, /* a supervisor acts: path is the supervisor's */
	HIST_GAVE_UP,
	HIST_AUTO_SHUTDOWN,
	HIST_SHUTDOWN_ERROR,
	HIST_SIGNAL,
	HIST_HOOK,        /* pre_start or post_stop runs */
	HIST_HOOK_FAILED, /* post_stop has failed */
	HIST_UNHEALTHY,   /* a probe has failed, or worse */
	HIST_LIFETIME,    /* it is to be replaced: max_lifetime */
	HIST_ADDED,
	HIST_REMOVED,
	HIST_RELOAD,
	HIST_KIND_N
};

struct hist_event {
	uint64_t seq;   /* set by history_add() */
	uint64_t cause; /* seq of the first failure of the chain, or 0 */
	uint64_t core_seq;
	mono_t at;
	int64_t wall_ns;
	uint64_t inc;
	int32_t pid;
	enum hist_kind kind;
	struct reason reason; /* of an end or a start error */
	const char *path;
	const char *text; /* what the kind does not say yet, for people */
};

struct history {
	struct hist_event *ring; /* ring[seq % cap]; its texts are owned */
	uint32_t cap;
	uint64_t next;                /* the seq that comes next; from 1 */
	uint64_t memo_core, memo_seq; /* the last cause looked up */
};

/* Returns 0 or -ENOMEM. */
must_check int history_init(struct history *h, uint32_t cap);
void history_fini(struct history *h);

/*
 * Append a copy of `ev` with the next seq; its `cause` is one of the core's
 * numbers and becomes ours.  Returns the copy, borrowed until the next call.
 * A text that no memory was left for is "".
 */
const struct hist_event *history_add(
    struct history *h, const struct hist_event *ev);

/* The event with that number, or NULL if it is gone or not yet there. */
const struct hist_event *history_get(const struct history *h, uint64_t seq);

/* The oldest number still kept; equals h->next when nothing is. */
uint64_t history_first(const struct history *h);

/* Append words to an event that is still there; nothing otherwise. */
void history_amend(struct history *h, uint64_t seq, const char *more);

const char *hist_kind_name(enum hist_kind k);

/* As it goes over the wire. */
void history_frame(const struct hist_event *ev, struct wire_event *ret_frame);

#endif /* ENGINE_HISTORY_H */
