/* SPDX-License-Identifier: ISC */
#include "engine/whatif.h"

#include "core/snapshot.h"

#include <signal.h>
#include <string.h>

/* Any pid: nothing is done with it. */
#define SOME_PID 1

static void
post(struct whatif *w, struct event ev)
{
	if (!evqueue_put(&w->queue, &ev))
		w->exhausted = true;
}

static void
post_about(struct whatif *w, enum event_kind kind, node_t n, uint64_t inc)
{
	struct event ev = { .kind = kind, .node = n, .inc = inc };

	if (kind == EV_SPAWNED)
		ev.code = SOME_PID;
	post(w, ev);
}

static void
post_exit(struct whatif *w, node_t n, uint64_t inc, int code, bool is_signal)
{
	struct event ev = {
		.kind = EV_EXITED,
		.node = n,
		.inc = inc,
		.code = code,
		.is_signal = is_signal,
	};

	post(w, ev);
}

/* A process comes to be: a program that serves, or a hook that is done. */
static void
started(struct whatif *w, node_t n, uint64_t inc, enum proc_kind proc)
{
	post_about(w, EV_SPAWNED, n, inc);
	post_about(w, EV_EXECED, n, inc);
	if (proc == PROC_MAIN)
		post_about(w, EV_READY, n, inc);
	else
		post_exit(w, n, inc, 0, false);
}

static void
emit(void *ctx, const struct effect *eff)
{
	struct whatif *w = ctx;
	struct event probed = {
		.kind = EV_PROBED,
		.node = eff->node,
		.inc = eff->inc,
		.tag = eff->tag,
	};

	if (w->tell != NULL)
		w->tell(w->ctx, eff);
	switch (eff->kind) {
	case EFF_SPAWN:
		started(w, eff->node, eff->inc, eff->proc);
		break;
	case EFF_SIGNAL:
		post_exit(w, eff->node, eff->inc, eff->sig, true);
		break;
	case EFF_PROBE:
		post(w, probed);
		break;
	case EFF_DONE:
		w->done = true;
		break;
	case EFF_REPLY:
	case EFF_STATE:
	case EFF_REPORT:
	case EFF_FREED:
	case EFF_KIND_N:
		break;
	}
}

static void
give(struct whatif *w, struct event ev)
{
	struct effects todo = { .emit = emit, .ctx = w };

	if (w->n_steps++ >= WHATIF_STEPS_MAX)
		w->exhausted = true;
	if (w->exhausted)
		return;
	ev.now = w->now;
	engine_step(w->e, &ev, &todo);
}

static void
answer_all(struct whatif *w)
{
	struct event ev;

	while (!w->exhausted && evqueue_take(&w->queue, &ev))
		give(w, ev);
}

void
whatif_step(struct whatif *w, struct event ev)
{
	give(w, ev);
	answer_all(w);
}

/* Whoever must show signs of life does. */
static void
beat(struct whatif *w)
{
	for (node_t n = NODE_ROOT; n <= engine_cap(w->e); n++) {
		const struct worker_spec *s;

		if (!engine_has(w->e, n) || engine_is_sup(w->e, n))
			continue;
		s = engine_worker_spec(w->e, n);
		if (s->heartbeat_ns > 0 && engine_state(w->e, n) == CHILD_READY)
			post_about(w, EV_BEAT, n, engine_incarnation(w->e, n));
	}
	answer_all(w);
}

static bool
has_heartbeats(const struct whatif *w)
{
	for (node_t n = NODE_ROOT; n <= engine_cap(w->e); n++)
		if (engine_has(w->e, n) && !engine_is_sup(w->e, n) &&
		    engine_worker_spec(w->e, n)->heartbeat_ns > 0)
			return true;
	return false;
}

void
whatif_pass(struct whatif *w, mono_t until)
{
	bool beats = has_heartbeats(w);

	while (!w->exhausted && !w->done) {
		struct event tick = { .kind = EV_TICK };
		mono_t at = engine_deadline(w->e);

		if (mono_is_never(at) || mono_before(until, at))
			break;
		if (mono_before(w->now, at))
			w->now = at;
		if (beats)
			beat(w);
		whatif_step(w, tick);
	}
	if (mono_before(w->now, until))
		w->now = until;
}

/*
 * What the live tree waits for comes true: of what has been asked already no
 * effect will tell again.  What does not fit the state changes nothing.
 */
static void
settle(struct whatif *w)
{
	for (node_t n = NODE_ROOT; n <= engine_cap(w->e); n++) {
		uint64_t inc;

		if (!engine_has(w->e, n) || engine_is_sup(w->e, n))
			continue;
		inc = engine_incarnation(w->e, n);
		if (engine_state(w->e, n) == CHILD_STARTING)
			started(w, n, inc, PROC_MAIN);
		else if (engine_state(w->e, n) == CHILD_STOPPING)
			post_exit(w, n, inc, SIGTERM, true);
	}
	answer_all(w);
}

int
whatif_init(struct whatif *w, const struct shell *sh)
{
	size_t n = engine_windows_len(sh->core);

	*w = (struct whatif){ .sh = sh, .now = sh->now };
	w->mem = calloc(1, engine_size(engine_cap(sh->core)));
	w->windows = calloc(n + 1, sizeof(*w->windows));
	if (w->mem == NULL || w->windows == NULL) {
		whatif_fini(w);
		return -ENOMEM;
	}
	w->e = engine_copy(sh->core, w->mem, w->windows);
	settle(w);
	return 0;
}

void
whatif_fini(struct whatif *w)
{
	evqueue_fini(&w->queue);
	free(w->windows);
	free(w->mem);
	*w = (struct whatif){ 0 };
}
