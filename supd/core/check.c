/* SPDX-License-Identifier: ISC */
/*
 * The invariants of the tree, asserted one by one.  Run after every step in
 * tests: what they cannot break, production cannot either.
 */
#include "core/tree.h"

#include <assert.h>

static void
check_deadline(const struct engine *e, const struct node *c)
{
	if (c->heap_pos == 0) {
		assert(mono_is_never(c->deadline));
		return;
	}
	assert(c->heap_pos <= e->n_heap);
	assert(e->heap[c->heap_pos] == node_id(e, c));
	if (c->heap_pos > 1)
		assert(!mono_before(c->deadline,
		    node_of(e, e->heap[c->heap_pos / 2])->deadline));
}

/* A ready worker's deadline is the earliest of its timers. */
static void
check_timers(const struct node *c)
{
	const struct worker *w = &c->w;

	assert(!mono_before(w->old_at, c->deadline));
	assert(!mono_before(w->beat_by, c->deadline));
	assert(!mono_before(w->probe_at, c->deadline));
	assert(c->deadline.ns == w->old_at.ns ||
	       c->deadline.ns == w->beat_by.ns ||
	       c->deadline.ns == w->probe_at.ns);
	assert(w->probing <= (w->probe > 0));
}

static bool
in_post_stop(const struct worker *w)
{
	return w->phase == PHASE_POST || w->phase == PHASE_POST_BACKOFF;
}

/* The public state and the private phase never contradict each other. */
static void
check_worker(const struct node *c)
{
	const struct worker *w = &c->w;

	switch (c->state) {
	case CHILD_STOPPED:
	case CHILD_ENDED:
		assert(w->phase == PHASE_NONE);
		assert(c->heap_pos == 0);
		break;
	case CHILD_WAITING:
		assert(w->phase == PHASE_NONE);
		break;
	case CHILD_STARTING:
		assert((w->phase >= PHASE_TOKEN && w->phase <= PHASE_ABORT) ||
		       in_post_stop(w));
		break;
	case CHILD_READY:
		assert(w->phase == PHASE_RUN);
		check_timers(c);
		break;
	case CHILD_STOPPING:
		assert(w->phase == PHASE_STOP || in_post_stop(w));
		break;
	case CHILD_STATE_N:
		assert(false);
	}
	if (w->own)
		assert(c->state == CHILD_STOPPING);
	/* Whatever happens to it next, something will. */
	if (w->phase != PHASE_NONE && w->phase != PHASE_RUN)
		assert(w->killed || c->heap_pos != 0 || w->for_ever);
}

/* Its pause will end, or its retry is queued (or void: a stop is coming). */
static void
check_waiting(const struct engine *e, const struct node *c)
{
	const struct node *s = node_of(e, c->parent);
	uint32_t i;

	if (c->heap_pos != 0 || e->shutting_down)
		return;
	for (i = s->s.mail_head; i != 0; i = e->msgs[i].next)
		if (e->msgs[i].kind == MSG_RETRY &&
		    e->msgs[i].node == node_id(e, c) &&
		    e->msgs[i].gen == c->gen)
			return;
	assert(false);
}

static void
check_children(const struct engine *e, const struct node *s)
{
	uint32_t n = 0;
	node_t prev = NODE_NONE;

	for (node_t i = s->s.first; i != NODE_NONE; i = node_of(e, i)->next) {
		const struct node *c = node_of(e, i);

		assert(c->used && c->attached);
		assert(c->parent == node_id(e, s));
		assert(c->prev == prev);
		prev = i;
		n++;
		/* No child runs under a supervisor that is down. */
		if (s->s.mode == MODE_DOWN)
			assert(c->state == CHILD_STOPPED && !c->removed);
		assert(!c->removed || !c->dynamic);
		assert(!c->planned);
		/* An idle supervisor has seen to everybody (D1). */
		if (s->s.mode == MODE_IDLE) {
			assert(c->state != CHILD_STARTING);
			assert(c->state != CHILD_STOPPING ||
			       (!c->is_sup && c->w.own));
			assert(c->state != CHILD_ENDED);
		}
	}
	assert(s->s.last == prev);
	assert(s->s.n_children == n);
	prev = NODE_NONE;
	for (node_t i = s->s.static_first; i != NODE_NONE;
	     i = node_of(e, i)->static_next) {
		const struct node *c = node_of(e, i);

		assert(c->used && c->parent == node_id(e, s));
		assert(!c->dynamic && !c->removed);
		prev = i;
	}
	assert(s->s.static_last == prev);
}

/*
 * An apply stops in reverse and starts in order: what it stops is down behind
 * the cursor, and is not up again before the cursor has come to it.
 */
static void
check_apply_order(const struct engine *e, const struct node *s)
{
	bool stop = s->s.mode == MODE_APPLY_STOP, behind = false;

	for (node_t n = s->s.first; n != NODE_NONE; n = node_of(e, n)->next) {
		const struct node *c = node_of(e, n);

		if (!stop && s->s.mode != MODE_APPLY_START)
			assert(!c->batch);
		else if (behind && c->batch)
			assert(c->state == CHILD_STOPPED);
		behind |= n == s->s.cursor;
	}
}

/* Every apply is waited for by as many supervisors as it says. */
static void
check_applies(const struct engine *e)
{
	uint32_t left[APPLIES_MAX] = { 0 };

	for (node_t n = 1; n <= e->high; n++) {
		const struct node *s = node_of(e, n);

		if (!s->used || !s->is_sup)
			continue;
		if (s->s.mode == MODE_APPLY_STOP ||
		    s->s.mode == MODE_APPLY_START)
			left[s->s.apply]++;
		for (uint32_t i = s->s.mail_head; i != 0; i = e->msgs[i].next)
			if (e->msgs[i].kind == MSG_APPLY)
				left[e->msgs[i].tag]++;
	}
	for (uint32_t i = 0; i < APPLIES_MAX; i++)
		assert(left[i] ==
		       (e->apply[i].top != NODE_NONE ? e->apply[i].left : 0));
}

/* Start order forward: behind the cursor nobody has been started yet. */
static void
check_boot_order(const struct engine *e, const struct node *s)
{
	node_t n;

	if (s->s.mode != MODE_BOOT || s->s.cursor == NODE_NONE)
		return;
	for (n = node_of(e, s->s.cursor)->next; n != NODE_NONE;
	     n = node_of(e, n)->next)
		assert(node_of(e, n)->state == CHILD_STOPPED);
}

/* Stop order reverse: behind the cursor everybody is down already. */
static void
check_stop_order(const struct engine *e, const struct node *s)
{
	node_t n;

	if (s->s.mode != MODE_SHUTDOWN && s->s.mode != MODE_RESTART_STOP &&
	    s->s.mode != MODE_ROLLBACK)
		return;
	n = s->s.cursor != NODE_NONE ? node_of(e, s->s.cursor)->next
	                             : NODE_NONE;
	for (; n != NODE_NONE; n = node_of(e, n)->next)
		assert(node_of(e, n)->state == CHILD_STOPPED);
}

static void
check_sup(const struct engine *e, const struct node *s)
{
	assert((s->s.mail_head == 0) == (s->s.mail_tail == 0));
	assert(!s->s.run_queued);
	assert(s->s.window.len <= s->s.window.max);
	switch (s->state) {
	case CHILD_STOPPED:
	case CHILD_ENDED:
	case CHILD_WAITING:
		assert(s->s.mode == MODE_DOWN);
		break;
	case CHILD_STARTING:
		assert(s->s.mode == MODE_BOOT || s->s.mode == MODE_ROLLBACK);
		break;
	case CHILD_READY:
		assert(s->s.mode != MODE_DOWN && s->s.mode != MODE_BOOT);
		break;
	case CHILD_STOPPING:
		assert(s->s.mode != MODE_DOWN);
		break;
	case CHILD_STATE_N:
		assert(false);
	}
	/* A mailbox waits only while its supervisor is busy. */
	if (s->s.mode == MODE_IDLE)
		assert(s->s.mail_head == 0);
	check_children(e, s);
	check_boot_order(e, s);
	check_stop_order(e, s);
	check_apply_order(e, s);
}

void
engine_check(const struct engine *e)
{
	assert(e->run_head == NODE_NONE);
	assert(e->n_calls <= ENGINE_CALLS_MAX);
	check_applies(e);
	for (node_t n = 1; n <= e->high; n++) {
		const struct node *c = node_of(e, n);

		if (!c->used)
			continue;
		check_deadline(e, c);
		assert(!c->kept || (!c->attached && c->plans > 0));
		assert(c->exits <= EXITS_MAX && c->retries <= RETRIES_MAX);
		if (c->is_sup)
			check_sup(e, c);
		else
			check_worker(c);
		if (c->state == CHILD_WAITING)
			check_waiting(e, c);
	}
	if (e->done)
		assert(node_of(e, NODE_ROOT)->s.mode == MODE_DOWN);
}
