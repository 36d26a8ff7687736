/* SPDX-License-Identifier: ISC */
/* engine_step() and the read-only questions. */
#include "core/engine.h"
#include "core/tree.h"

#include <assert.h>
#include <string.h>

void
engine_set_spawn_interval(struct engine *e, int64_t interval_ns)
{
	e->spawn_interval_ns = interval_ns;
}

static void
boot(struct engine *e)
{
	struct node *root = node_of(e, NODE_ROOT);

	if (root->used && root->state == CHILD_STOPPED && root->inc == 0)
		sup_start(e, root);
}

/*
 * The root's parent wants it down.  OTP would let a start in progress finish
 * first; an operator who stops supd does not want to wait for a start_timeout,
 * so starts are given up and the stop finds every supervisor between two
 * operations.
 */
static void
shut_down(struct engine *e)
{
	static const struct reason asked = { .kind = REASON_SHUTDOWN,
		.why = WHY_ASKED };
	struct node *root = node_of(e, NODE_ROOT);
	struct msg m = { .kind = MSG_STOP, .node = NODE_ROOT };

	if (e->shutting_down || e->done)
		return;
	e->shutting_down = true;
	if (root->s.mode == MODE_DOWN) {
		emit_done(e, &asked);
		return;
	}
	m.gen = root->gen;
	m.inc = root->inc;
	mail_post(e, root, &m);
	for (node_t n = NODE_ROOT; n <= e->high; n++) {
		struct node *c = node_of(e, n);

		if (c->used && !c->is_sup && c->state == CHILD_STARTING) {
			c->why = WHY_ASKED;
			worker_abort(e, c, &asked);
		}
	}
}

static void
clear_window(struct engine *e, node_t n)
{
	if (!engine_has(e, n) || !node_of(e, n)->is_sup)
		return;
	window_clear(&node_of(e, n)->s.window);
	for (node_t k = node_of(e, n)->s.first; k != NODE_NONE;
	     k = node_of(e, k)->next)
		retry_forget(node_of(e, k));
}

static void
dispatch(struct engine *e, const struct event *ev)
{
	switch (ev->kind) {
	case EV_TICK:
	case EV_KIND_N:
		return;
	case EV_BOOT:
		boot(e);
		return;
	case EV_SHUTDOWN:
		shut_down(e);
		return;
	case EV_SPAWNED:
	case EV_EXECED:
	case EV_SPAWN_FAILED:
	case EV_READY:
	case EV_EXITED:
	case EV_BEAT:
	case EV_PROBED:
		if (engine_has(e, ev->node) && !node_of(e, ev->node)->is_sup)
			worker_event(e, node_of(e, ev->node), ev);
		return;
	case EV_START_CHILD:
	case EV_RESTART_CHILD:
	case EV_TERMINATE_CHILD:
	case EV_DELETE_CHILD:
		call_event(e, ev);
		return;
	case EV_RELOAD:
		reload_event(e, ev);
		return;
	case EV_APPLY:
		apply_event(e, ev);
		return;
	case EV_CLEAR:
		clear_window(e, ev->node);
		return;
	case EV_RETRY:
		if (engine_has(e, ev->node))
			retry_now(e, node_of(e, ev->node));
		return;
	}
}

static bool
fire_one(struct engine *e)
{
	struct node *c;

	if (e->n_heap == 0)
		return false;
	c = node_of(e, e->heap[1]);
	if (mono_before(e->now, c->deadline))
		return false;
	if (c->is_sup)
		sup_due(e, c);
	else
		worker_due(e, c);
	return true;
}

void
engine_step(struct engine *e, const struct event *ev, struct effects *ret_todo)
{
	struct node *s;

	if (mono_before(e->now, ev->now))
		e->now = ev->now;
	e->todo = ret_todo;
	dispatch(e, ev);
	for (;;) {
		while ((s = run_take(e)) != NULL)
			sup_run(e, s);
		if (!fire_one(e))
			break;
	}
	e->todo = NULL;
}

mono_t
engine_deadline(const struct engine *e)
{
	return e->n_heap != 0 ? node_of(e, e->heap[1])->deadline : MONO_NEVER;
}

bool
engine_has(const struct engine *e, node_t n)
{
	return n != NODE_NONE && n <= e->high && node_of(e, n)->used;
}

bool
engine_is_sup(const struct engine *e, node_t n)
{
	return node_of(e, n)->is_sup;
}

const char *
engine_name(const struct engine *e, node_t n)
{
	return node_of(e, n)->name;
}

node_t
engine_parent(const struct engine *e, node_t n)
{
	return node_of(e, n)->parent;
}

node_t
engine_first_child(const struct engine *e, node_t n)
{
	return node_of(e, n)->is_sup ? node_of(e, n)->s.first : NODE_NONE;
}

node_t
engine_next_child(const struct engine *e, node_t n)
{
	return node_of(e, n)->next;
}

node_t
engine_find_child(const struct engine *e, node_t sup, const char *name)
{
	node_t n;

	for (n = engine_first_child(e, sup); n != NODE_NONE;
	     n = node_of(e, n)->next)
		if (strcmp(node_of(e, n)->name, name) == 0)
			break;
	return n;
}

enum child_state
engine_state(const struct engine *e, node_t n)
{
	return node_of(e, n)->state;
}

uint64_t
engine_incarnation(const struct engine *e, node_t n)
{
	return node_of(e, n)->inc;
}

bool
engine_wanted(const struct engine *e, node_t n)
{
	return node_of(e, n)->wanted;
}

bool
engine_is_dynamic(const struct engine *e, node_t n)
{
	return node_of(e, n)->dynamic;
}

uint64_t
engine_restarts(const struct engine *e, node_t n)
{
	return node_of(e, n)->restarts;
}

uint32_t
engine_attempts(const struct engine *e, node_t n)
{
	return node_of(e, n)->is_sup ? 0 : node_of(e, n)->w.attempts;
}

struct reason
engine_last_reason(const struct engine *e, node_t n)
{
	return node_of(e, n)->last;
}

mono_t
engine_since(const struct engine *e, node_t n)
{
	return node_of(e, n)->since;
}

mono_t
engine_last_end(const struct engine *e, node_t n)
{
	return node_of(e, n)->last_end;
}

mono_t
engine_node_deadline(const struct engine *e, node_t n)
{
	return node_of(e, n)->deadline;
}

const struct worker_spec *
engine_worker_spec(const struct engine *e, node_t n)
{
	return node_of(e, n)->is_sup ? NULL : node_of(e, n)->w.spec;
}

const struct sup_spec *
engine_sup_spec(const struct engine *e, node_t n)
{
	return node_of(e, n)->is_sup ? node_of(e, n)->s.spec : NULL;
}

uint32_t
engine_window_used(const struct engine *e, node_t sup, mono_t now)
{
	return window_used(&node_of(e, sup)->s.window, now);
}

bool
engine_busy(const struct engine *e, node_t sup)
{
	enum mode m = node_of(e, sup)->s.mode;

	return m != MODE_IDLE && m != MODE_DOWN;
}
