/* SPDX-License-Identifier: ISC */
/*
 * EV_APPLY: what runs is made to be what the file says.
 *
 * Each supervisor does its part in one operation, in its turn: it stops, last
 * started first, and then starts in order.  Then it passes the apply on to the
 * supervisors below it that it has left alone; nobody waits for anybody, and
 * the last one to be through answers.
 *
 * An apply is not a crash: a temporary child that is stopped in it is started
 * again, since the file still wants it (R-4(a) is about failures), and nothing
 * is counted.
 */
#include "core/tree.h"

#include <assert.h>

static struct apply *
apply_of(struct engine *e, uint64_t i)
{
	return &e->apply[i];
}

/* Its stop waits in the mailbox, or will: nothing more is to be begun. */
static bool
must_end(const struct engine *e, const struct node *s)
{
	return s->state == CHILD_STOPPING || e->shutting_down || s->s.kill_now;
}

/* It cannot have come to what it was to come to: all of it is to stop. */
static bool
top_goes_down(const struct engine *e, const struct apply *a)
{
	const struct node *s = node_of(e, a->top);

	return !s->used || must_end(e, s) || s->s.mode == MODE_DOWN ||
	       s->s.mode == MODE_SHUTDOWN || s->s.mode == MODE_ROLLBACK;
}

/* One supervisor is through with it; the last one answers. */
static void
settle(struct engine *e, uint64_t i)
{
	struct apply *a = apply_of(e, i);
	bool failed = a->result == RESULT_START_FAILED;

	assert(a->left > 0);
	if (--a->left > 0)
		return;
	/* One below that goes down will be rebuilt as the file says. */
	if (a->result == RESULT_OK && top_goes_down(e, a))
		a->result = RESULT_NOPROC;
	emit_reply(e, a->tag, a->result, a->node, failed ? &a->reason : NULL);
	tree_unpin(e, a->node);
	tree_unpin(e, a->top);
	a->top = NODE_NONE;
}

static void
post(struct engine *e, struct node *s, uint64_t i)
{
	struct msg m = {
		.kind = MSG_APPLY,
		.node = node_id(e, s),
		.tag = i,
	};

	apply_of(e, i)->left++;
	mail_post(e, s, &m);
}

void
apply_event(struct engine *e, const struct event *ev)
{
	enum result r = RESULT_BUSY;

	if (!engine_has(e, ev->node) || !node_of(e, ev->node)->is_sup) {
		emit_reply(e, ev->tag, RESULT_NOT_FOUND, ev->node, NULL);
		return;
	}
	if (node_of(e, ev->node)->s.mode == MODE_DOWN)
		r = RESULT_OK; /* who is down stays down */
	for (uint64_t i = 0; i < APPLIES_MAX && r == RESULT_BUSY; i++) {
		if (apply_of(e, i)->top != NODE_NONE)
			continue;
		*apply_of(e, i) = (struct apply){
			.top = ev->node,
			.tag = ev->tag,
			.node = ev->node,
		};
		tree_pin(e, ev->node); /* as the top, and as `node` */
		tree_pin(e, ev->node);
		post(e, node_of(e, ev->node), i);
		return;
	}
	emit_reply(e, ev->tag, r, ev->node, NULL);
}

void
apply_refuse(struct engine *e, const struct msg *m)
{
	settle(e, m->tag);
}

/* ---- one supervisor's part ---------------------------------------------- */

/* A running child that the last reload wants otherwise. */
static bool
is_trigger(const struct node *c)
{
	return c->changed && !c->removed && c->state != CHILD_STOPPED;
}

/* The first child that the strategy restarts with a changed one. */
static node_t
group_start(const struct engine *e, const struct node *s)
{
	enum strategy st = s->s.spec->strategy;

	if (!s->s.stale || (st != REST_FOR_ONE && st != ONE_FOR_ALL))
		return NODE_NONE;
	for (node_t n = s->s.first; n != NODE_NONE; n = node_of(e, n)->next)
		if (is_trigger(node_of(e, n)))
			return st == ONE_FOR_ALL ? s->s.first : n;
	return NODE_NONE;
}

void
apply_run(struct engine *e, struct node *s, const struct msg *m)
{
	node_t group = group_start(e, s);
	bool in_group = false;

	if (must_end(e, s)) {
		apply_refuse(e, m);
		return;
	}
	s->s.apply = (uint32_t)m->tag;
	s->s.mode = MODE_APPLY_STOP;
	s->s.cursor = s->s.last;
	s->s.issued = false;
	for (node_t n = s->s.first; n != NODE_NONE; n = node_of(e, n)->next) {
		struct node *c = node_of(e, n);

		in_group |= n == group;
		c->batch = c->removed || is_trigger(c) ||
		           (in_group && c->state != CHILD_STOPPED);
	}
}

/* It is over here; those below that have been left alone come next. */
static void
end_part(struct engine *e, struct node *s)
{
	s->s.mode = MODE_IDLE;
	s->s.stale = false;
	for (node_t n = s->s.first; n != NODE_NONE; n = node_of(e, n)->next) {
		struct node *c = node_of(e, n);

		if (c->is_sup && !c->batch && c->state == CHILD_READY &&
		    !must_end(e, s))
			post(e, c, s->s.apply);
		c->batch = false;
	}
	settle(e, s->s.apply);
}

static void
stop_one(struct engine *e, struct node *c)
{
	child_stop(e, c, c->removed || c->changed ? WHY_RELOAD : WHY_GROUP);
}

/* T-5: a pool's children are all told at once. */
static void
stop_pool(struct engine *e, struct node *s)
{
	for (node_t n = s->s.last; n != NODE_NONE; n = node_of(e, n)->prev)
		if (node_of(e, n)->batch)
			stop_one(e, node_of(e, n));
}

static void
begin_start(struct node *s)
{
	s->s.mode = MODE_APPLY_START;
	s->s.cursor = s->s.first;
	s->s.issued = false;
}

static bool
stop_advance(struct engine *e, struct node *s)
{
	bool pool = s->s.spec->strategy == SIMPLE_ONE_FOR_ONE;
	struct node *c;

	if (s->s.cursor == NODE_NONE) {
		begin_start(s);
		return true;
	}
	if (pool && !s->s.issued) {
		s->s.issued = true;
		stop_pool(e, s);
	}
	c = node_of(e, s->s.cursor);
	if (c->batch && c->state != CHILD_STOPPED) {
		if (c->state == CHILD_STARTING)
			return false;
		if (c->state == CHILD_STOPPING) {
			stop_one(e, c); /* perhaps of its own accord */
			return false;
		}
		if (pool || !must_end(e, s)) /* a pool's are told already */
			stop_one(e, c);
		else
			end_part(e, s);
		return true;
	}
	s->s.cursor = c->prev;
	if (c->batch && c->removed)
		tree_remove(e, c);
	else if (c->batch)
		c->owed = true;
	return true;
}

/* Down, and an apply is to start it. */
static bool
is_due(const struct node *c)
{
	return c->owed && c->wanted && !c->removed && c->state == CHILD_STOPPED;
}

static void
start_failed(struct engine *e, struct node *s, struct node *c)
{
	struct apply *a = apply_of(e, s->s.apply);

	c->owed = true;
	if (!child_given_up(e, c))
		emit_report(e, c, REPORT_START_ERROR, NODE_NONE, &c->last);
	if (a->result == RESULT_OK && !must_end(e, s)) {
		a->result = RESULT_START_FAILED;
		a->reason = c->last;
		tree_unpin(e, a->node);
		a->node = node_id(e, c);
		tree_pin(e, a->node);
	}
	end_part(e, s);
}

static bool
start_advance(struct engine *e, struct node *s)
{
	struct node *c;

	if (s->s.cursor == NODE_NONE || (!s->s.issued && must_end(e, s))) {
		end_part(e, s);
		return true;
	}
	c = node_of(e, s->s.cursor);
	if (!s->s.issued && is_due(c)) {
		s->s.issued = true;
		c->batch = true;
		child_start(e, c);
		return true;
	}
	if (s->s.issued && c->outcome == OUTCOME_NONE)
		return false;
	if (s->s.issued && c->outcome == OUTCOME_FAILED) {
		start_failed(e, s, c);
		return true;
	}
	s->s.cursor = c->next;
	if (s->s.issued && c->outcome == OUTCOME_IGNORED)
		child_ignored(e, s, c);
	s->s.issued = false;
	return true;
}

bool
apply_advance(struct engine *e, struct node *s)
{
	return s->s.mode == MODE_APPLY_STOP ? stop_advance(e, s)
	                                    : start_advance(e, s);
}

/* ---- what would it do? --------------------------------------------------- */

static bool
is_in_group(const struct engine *e, const struct node *s, node_t n)
{
	node_t at = group_start(e, s);

	while (at != NODE_NONE && at != n)
		at = node_of(e, at)->next;
	return at != NODE_NONE;
}

bool
engine_is_stale(const struct engine *e, node_t n)
{
	const struct node *c = node_of(e, n);
	const struct node *s = node_of(e, c->parent);

	if (c->parent == NODE_NONE || s->s.mode == MODE_DOWN || !c->attached)
		return false;
	if (c->state == CHILD_STOPPED)
		return c->removed ||
		       (is_due(c) && (c->is_sup || c->w.spec->enabled));
	return c->removed || c->changed || is_in_group(e, s, n) ||
	       engine_is_stale(e, c->parent);
}
