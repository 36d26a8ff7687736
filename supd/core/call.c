/* SPDX-License-Identifier: ISC */
/*
 * start_child, restart_child, terminate_child, delete_child: table 1.9 and
 * O-1.  A call waits in its supervisor's mailbox like everything else, so what
 * it finds is what is true when its turn comes.
 */
#include "core/tree.h"

#include <assert.h>

static uint32_t
active_children(const struct engine *e, const struct node *s)
{
	uint32_t k = 0;

	for (node_t n = s->s.first; n != NODE_NONE; n = node_of(e, n)->next)
		k += node_of(e, n)->state != CHILD_STOPPED;
	return k;
}

/* A call came to nothing: its detached node is forgotten. */
static void
refuse_new(struct engine *e, struct node *c, uint64_t tag, enum result r)
{
	emit_reply(e, tag, r, node_id(e, c), NULL);
	tree_free(e, c);
}

static void
refuse(struct engine *e, const struct msg *m, enum result r)
{
	if (m->op == EV_START_CHILD || m->by_name)
		refuse_new(e, node_of(e, m->node), m->tag, r);
	else
		emit_reply(e, m->tag, r, m->node, NULL);
}

void
call_refuse(struct engine *e, struct node *s, const struct msg *m)
{
	if (m->op == EV_RELOAD)
		reload_run(e, s, m); /* it goes down with what it will be */
	else
		refuse(e, m, RESULT_NOPROC);
}

void
call_event(struct engine *e, const struct event *ev)
{
	bool to_sup = ev->kind == EV_START_CHILD || ev->child != NODE_NONE;
	struct msg m = {
		.kind = MSG_CALL,
		.op = ev->kind,
		.node = to_sup ? ev->child : ev->node,
		.by_name = to_sup && ev->kind != EV_START_CHILD,
		.inc = ev->inc,
		.tag = ev->tag,
	};
	node_t sup = ev->node;

	if (!engine_has(e, m.node)) {
		emit_reply(e, ev->tag, RESULT_NOT_FOUND, m.node, NULL);
		return;
	}
	m.gen = node_of(e, m.node)->gen;
	if (!to_sup)
		sup = node_of(e, m.node)->parent;
	if (sup == NODE_NONE || !engine_has(e, sup) || !node_of(e, sup)->is_sup)
		refuse(e, &m, RESULT_NOT_FOUND);
	else if (node_of(e, sup)->s.mode == MODE_DOWN)
		refuse(e, &m, RESULT_NOPROC);
	else if (e->n_calls == ENGINE_CALLS_MAX)
		refuse(e, &m, RESULT_BUSY);
	else
		mail_post(e, node_of(e, sup), &m);
}

static void
run_start(struct engine *e, struct node *s, struct node *c, uint64_t tag)
{
	const struct sup_spec *spec = s->s.spec;
	struct node *like = tree_find_like(e, s, c);

	if (like != NULL) {
		bool idle = like->state == CHILD_STOPPED ||
		            like->state == CHILD_WAITING;

		refuse_new(e, c, tag,
		    idle ? RESULT_ALREADY_PRESENT : RESULT_ALREADY_STARTED);
		return;
	}
	if (spec->max_children != 0 &&
	    active_children(e, s) >= spec->max_children) {
		refuse_new(e, c, tag, RESULT_MAX_CHILDREN);
		return;
	}
	c->parent = node_id(e, s);
	c->dynamic = true;
	tree_attach(e, c);
	s->s.mode = MODE_CALL_START;
	s->s.cursor = node_id(e, c);
	s->s.tag = tag;
	s->s.fresh = true;
	child_start(e, c);
}

static void
run_restart(struct engine *e, struct node *s, struct node *c, uint64_t tag)
{
	node_t id = node_id(e, c);

	if (s->s.spec->strategy == SIMPLE_ONE_FOR_ONE) {
		emit_reply(e, tag, RESULT_SIMPLE, id, NULL);
		return;
	}
	if (c->state != CHILD_STOPPED) {
		emit_reply(e, tag,
		    c->state == CHILD_WAITING ? RESULT_RESTARTING
					      : RESULT_RUNNING,
		    id, NULL);
		return;
	}
	s->s.mode = MODE_CALL_START;
	s->s.cursor = id;
	s->s.tag = tag;
	s->s.fresh = false;
	child_start(e, c);
}

static void
run_terminate(struct engine *e, struct node *s, struct node *c, uint64_t tag)
{
	s->s.mode = MODE_CALL_STOP;
	s->s.cursor = node_id(e, c);
	s->s.tag = tag;
	c->wanted = false;
	child_stop(e, c, WHY_ASKED);
}

static void
run_delete(struct engine *e, struct node *s, struct node *c, uint64_t tag)
{
	enum result r = RESULT_OK;

	if (s->s.spec->strategy == SIMPLE_ONE_FOR_ONE)
		r = RESULT_SIMPLE;
	else if (c->state == CHILD_WAITING)
		r = RESULT_RESTARTING;
	else if (c->state != CHILD_STOPPED)
		r = RESULT_RUNNING;
	emit_reply(e, tag, r, node_id(e, c), NULL);
	if (r == RESULT_OK)
		tree_remove(e, c);
}

/*
 * The child of a call has gone while the call waited.  OTP looks for its id
 * now, and finds one that was added again; a pool's children have no ids, and
 * one that is dead already is no error (O-1).
 */
static struct node *
find_again(
    struct engine *e, struct node *s, struct node *c, const struct msg *m)
{
	bool pool = s->s.spec->strategy == SIMPLE_ONE_FOR_ONE;
	enum result r = RESULT_NOT_FOUND;
	struct node *like = pool ? NULL : tree_find_like(e, s, c);

	if (pool)
		r = m->op == EV_TERMINATE_CHILD ? RESULT_OK : RESULT_SIMPLE;
	if (like == NULL)
		emit_reply(e, m->tag, r, m->node, NULL);
	return like;
}

/*
 * A pool's child is known by its incarnation only, which another may have
 * taken the place of.  One that waits to be restarted has not been: OTP keeps
 * its old pid until then.
 */
static bool
is_replaced(const struct node *s, const struct node *c, const struct msg *m)
{
	return s->s.spec->strategy == SIMPLE_ONE_FOR_ONE &&
	       m->op == EV_TERMINATE_CHILD && m->inc != 0 && m->inc != c->inc &&
	       c->state != CHILD_WAITING;
}

static void
run_on_child(
    struct engine *e, struct node *s, struct node *c, const struct msg *m)
{
	if (!c->used || !c->attached)
		c = find_again(e, s, c, m);
	if (c == NULL)
		return;
	if (is_replaced(s, c, m))
		emit_reply(e, m->tag, RESULT_OK, node_id(e, c), NULL);
	else if (m->op == EV_RESTART_CHILD)
		run_restart(e, s, c, m->tag);
	else if (m->op == EV_TERMINATE_CHILD)
		run_terminate(e, s, c, m->tag);
	else
		run_delete(e, s, c, m->tag);
}

void
call_run(struct engine *e, struct node *s, const struct msg *m)
{
	struct node *c = node_of(e, m->node);

	if (m->op == EV_RELOAD) {
		reload_run(e, s, m);
		return;
	}
	if (m->op == EV_START_CHILD) {
		run_start(e, s, c, m->tag);
		return;
	}
	run_on_child(e, s, c, m);
	if (m->by_name)
		tree_free(e, c);
}

/* Does the supervisor keep the spec of a child that is down? */
static bool
is_kept(const struct node *s, const struct node *c)
{
	enum restart_type type =
	    c->is_sup ? c->s.spec->restart : c->w.spec->restart;

	return type != TEMPORARY && s->s.spec->strategy != SIMPLE_ONE_FOR_ONE;
}

static void
start_settled(struct engine *e, struct node *s, struct node *c)
{
	node_t id = node_id(e, c);
	uint64_t tag = s->s.tag;

	s->s.mode = MODE_IDLE;
	if (c->outcome == OUTCOME_OK) {
		emit_reply(e, tag, RESULT_OK, id, NULL);
		return;
	}
	if (c->outcome == OUTCOME_IGNORED) {
		emit_reply(e, tag, RESULT_IGNORED, id, NULL);
		if (s->s.fresh && !is_kept(s, c))
			tree_remove(e, c);
		return;
	}
	emit_reply(e, tag, RESULT_START_FAILED, id, &c->last);
	if (s->s.fresh)
		tree_remove(e, c);
}

bool
call_advance(struct engine *e, struct node *s)
{
	struct node *c = node_of(e, s->s.cursor);

	if (s->s.mode == MODE_CALL_START) {
		if (c->outcome == OUTCOME_NONE)
			return false;
		start_settled(e, s, c);
		return true;
	}
	if (c->state == CHILD_ENDED) /* it was ending of its own accord: R-7 */
		child_stop(e, c, WHY_ASKED);
	if (c->state != CHILD_STOPPED)
		return false;
	s->s.mode = MODE_IDLE;
	emit_reply(e, s->s.tag, RESULT_OK, s->s.cursor, NULL);
	if (!is_kept(s, c))
		tree_remove(e, c);
	return true;
}
