/* SPDX-License-Identifier: ISC */
/*
 * start, stop, restart, remove, wait and add: what each does to one target,
 * and what the core's results mean to the operator.
 */
#include "engine/record.h"
#include "engine/request.h"
#include "engine/text.h"
#include "engine/tree.h"

#include "base/log.h"

#include <stdio.h>
#include <string.h>

static void
call(struct request *r, struct target *t, enum event_kind kind)
{
	struct event ev = {
		.kind = kind,
		.node = t->n,
		.tag = request_core_tag(r, t),
	};

	run_post(r->sh, &ev);
}

/* A manual start or restart begins with a fresh history (cli.md). */
static void
clear_window(struct request *r, const struct target *t)
{
	struct event ev = {
		.kind = EV_CLEAR,
		.node = engine_parent(r->sh->core, t->n),
	};

	if (ev.node != NODE_NONE)
		run_post(r->sh, &ev);
}

/* Why the node could not come back once it is terminated, or NULL. */
static const char *
not_restartable(const struct shell *sh, node_t n)
{
	node_t parent = engine_parent(sh->core, n);
	const struct worker_spec *w = engine_worker_spec(sh->core, n);
	const struct sup_spec *s = engine_sup_spec(sh->core, n);

	if (parent != NODE_NONE &&
	    engine_sup_spec(sh->core, parent)->strategy == SIMPLE_ONE_FOR_ONE)
		return "a child of a simple_one_for_one supervisor is "
		       "forgotten "
		       "when it is stopped; use stop and add, or kill";
	if ((w != NULL ? w->restart : s->restart) == TEMPORARY)
		return "a temporary child is forgotten when it is stopped; use "
		       "stop and add";
	return NULL;
}

static void
watch(struct request *r, struct target *t)
{
	r->n_called--;
	t->stage = TARGET_WATCH;
	act_look(r, t);
}

/*
 * Nor does a manual start wait for backoff: the pause is over, and its whole
 * group is restarted, as it would have been.  A manual start does not count
 * (I-3), so the history is cleared again.
 */
static void
end_pause(struct request *r, const struct target *t)
{
	struct event ev = { .kind = EV_RETRY, .node = t->n };

	if (engine_state(r->sh->core, t->n) != CHILD_WAITING)
		return;
	run_post(r->sh, &ev);
	clear_window(r, t);
}

static void
begin_start(struct request *r, struct target *t)
{
	if (t->n == NODE_ROOT) {
		request_target_done(r, t);
		return;
	}
	clear_window(r, t);
	end_pause(r, t);
	call(r, t, EV_RESTART_CHILD);
}

/* Its supervisor is down, and it with that. */
static bool
is_down_with_all(const struct request *r, const struct target *t)
{
	const struct engine *core = r->sh->core;

	return engine_state(core, engine_parent(core, t->n)) == CHILD_STOPPED;
}

static void
begin_stop(struct request *r, struct target *t)
{
	if (t->n == NODE_ROOT)
		request_target_failed(r, t, "is the root: use supctl shutdown");
	else if (is_down_with_all(r, t))
		request_target_done(r, t);
	else
		call(r, t, EV_TERMINATE_CHILD);
}

static void
begin_restart(struct request *r, struct target *t)
{
	const char *why = not_restartable(r->sh, t->n);

	if (t->n == NODE_ROOT) {
		request_target_failed(r, t,
		    "is the root: restart its children, or use supctl "
		    "shutdown and start supd again");
	} else if (why != NULL) {
		request_target_failed(r, t, "%s", why);
	} else {
		clear_window(r, t);
		call(r, t, EV_TERMINATE_CHILD);
	}
}

void
act_begin(struct request *r, struct target *t)
{
	if (!request_target_there(r, t)) {
		if (r->op == OP_STOP || r->op == OP_REMOVE)
			request_target_done(r, t);
		else
			request_target_failed(r, t, "is gone");
		return;
	}
	switch (r->op) {
	case OP_START:
		begin_start(r, t);
		break;
	case OP_STOP:
	case OP_REMOVE:
		begin_stop(r, t);
		break;
	case OP_RESTART:
		begin_restart(r, t);
		break;
	case OP_WAIT:
		watch(r, t);
		break;
	case OP_CHILD:
		childcall_begin(r, t);
		break;
	case OP_STATUS:
	case OP_SHOW:
	case OP_WHY:
	case OP_EVENTS:
	case OP_KILL:
	case OP_ADD: /* begun by act_add() */
	case OP_SHUTDOWN:
	case OP_DIFF:
	case OP_APPLY:
	case OP_RELOAD:
	case OP_SIMULATE:
	case OP_N:
		break;
	}
}

/* ---- what the core's results mean -----------------------------------------
 */

/* A result that is a failure whatever was asked for. */
static void
refused(struct request *r, struct target *t, enum result result)
{
	node_t sup = engine_has(r->sh->core, t->n)
	                 ? engine_parent(r->sh->core, t->n)
	                 : NODE_NONE;
	const char *above =
	    sup != NODE_NONE ? text_short(r->sh->nodes[sup].path) : "?";

	switch (result) {
	case RESULT_NOT_FOUND:
		request_target_failed(r, t, "is gone");
		break;
	case RESULT_RUNNING:
		request_target_failed(r, t, "is running");
		break;
	case RESULT_RESTARTING:
		request_target_failed(r, t, "is being restarted");
		break;
	case RESULT_ALREADY_STARTED:
		request_target_failed(
		    r, t, "a child of that name is running already");
		break;
	case RESULT_ALREADY_PRESENT:
		request_target_failed(r, t,
		    "a child of that name is there already, stopped; use start "
		    "or remove");
		break;
	case RESULT_MAX_CHILDREN:
		request_target_failed(
		    r, t, "its supervisor has max_children already");
		break;
	case RESULT_SIMPLE:
		request_target_failed(
		    r, t, "not possible under a simple_one_for_one supervisor");
		break;
	case RESULT_NOPROC:
		request_target_failed(r, t,
		    "its supervisor %s is not running; start that first",
		    above);
		break;
	case RESULT_BUSY:
		request_target_failed(
		    r, t, "too many calls are waiting; try again later");
		break;
	case RESULT_OK:
	case RESULT_IGNORED:
	case RESULT_START_FAILED:
	case RESULT_N:
		request_target_failed(r, t, "%s", result_name(result));
		break;
	}
}

static const char *
why_ignored(const struct shell *sh, node_t n)
{
	const struct worker_spec *w =
	    engine_has(sh->core, n) ? engine_worker_spec(sh->core, n) : NULL;

	if (w != NULL && w->enabled)
		return "does not want to run: it has ended itself as `ignore`";
	return "is disabled by its configuration (enabled: false)";
}

static void
start_reply(struct request *r, struct target *t, const struct effect *eff)
{
	if (eff->result == RESULT_OK)
		request_target_done(r, t);
	else if (eff->result == RESULT_IGNORED)
		request_target_failed(r, t, "%s", why_ignored(r->sh, t->n));
	else if (eff->result == RESULT_RUNNING ||
		 eff->result == RESULT_RESTARTING)
		watch(r, t);
	else
		refused(r, t, eff->result);
}

static void
stop_reply(struct request *r, struct target *t, const struct effect *eff)
{
	if (eff->result == RESULT_OK || eff->result == RESULT_NOT_FOUND)
		request_target_done(r, t);
	else
		refused(r, t, eff->result);
}

static void
restart_reply(struct request *r, struct target *t, const struct effect *eff)
{
	if (t->second) {
		start_reply(r, t, eff);
	} else if (eff->result == RESULT_OK) {
		t->second = true;
		call(r, t, EV_RESTART_CHILD);
	} else {
		refused(r, t, eff->result);
	}
}

static void
remove_reply(struct request *r, struct target *t, const struct effect *eff)
{
	bool gone =
	    eff->result == RESULT_NOT_FOUND || !request_target_there(r, t);

	if (gone || (t->second && eff->result == RESULT_OK)) {
		request_target_done(r, t);
	} else if (!t->second && eff->result == RESULT_OK) {
		t->second = true;
		call(r, t, EV_DELETE_CHILD);
	} else {
		refused(r, t, eff->result);
	}
}

static void
add_reply(struct request *r, struct target *t, const struct effect *eff)
{
	struct shell *sh = r->sh;

	if (eff->result != RESULT_OK && eff->result != RESULT_IGNORED) {
		refused(r, t, eff->result);
		return;
	}
	if (request_target_there(r, t)) {
		sh->nodes[t->n].announced = true;
		record_added(sh, t->n, r->asker);
	}
	request_target_done(r, t);
}

void
act_reply(struct request *r, struct target *t, const struct effect *eff)
{
	switch (r->op) {
	case OP_START:
		start_reply(r, t, eff);
		break;
	case OP_STOP:
		stop_reply(r, t, eff);
		break;
	case OP_RESTART:
		restart_reply(r, t, eff);
		break;
	case OP_REMOVE:
		remove_reply(r, t, eff);
		break;
	case OP_ADD:
		add_reply(r, t, eff);
		break;
	case OP_CHILD:
		childcall_reply(r, t, eff);
		break;
	case OP_STATUS:
	case OP_SHOW:
	case OP_WHY:
	case OP_EVENTS:
	case OP_KILL:
	case OP_WAIT:
	case OP_SHUTDOWN:
	case OP_DIFF:
	case OP_APPLY:
	case OP_RELOAD:
	case OP_SIMULATE:
	case OP_N:
		break;
	}
}

/* ---- waiting for a state ----------------------------------------------------
 */

static void
look_started(struct request *r, struct target *t, enum child_state state)
{
	struct reason last = engine_last_reason(r->sh->core, t->n);
	mono_t at = engine_node_deadline(r->sh->core, t->n);
	char text[WIRE_TEXT_MAX], pause[TEXT_DURATION_LEN];

	if (state == CHILD_READY)
		request_target_done(r, t);
	else if (state == CHILD_STOPPED)
		request_target_failed(r, t, "%s",
		    text_reason(r->sh, t->n, &last, text, sizeof(text)));
	else if (state == CHILD_WAITING &&
		 engine_incarnation(r->sh->core, t->n) > t->inc0 &&
		 !mono_is_never(at))
		/* Tried, failed, and now there is a pause. */
		request_target_failed(r, t, "%s; next try in %s",
		    text_reason(r->sh, t->n, &last, text, sizeof(text)),
		    text_duration(at.ns - r->sh->now.ns, pause, sizeof(pause)));
}

void
act_look(struct request *r, struct target *t)
{
	bool there = request_target_there(r, t);
	enum child_state state =
	    there ? engine_state(r->sh->core, t->n) : CHILD_STOPPED;

	if (r->op == OP_WAIT && r->what == WAIT_DOWN) {
		if (!there || state == CHILD_STOPPED)
			request_target_done(r, t);
	} else if (!there) {
		request_target_failed(r, t, "is gone");
	} else if (r->op != OP_WAIT) {
		look_started(r, t, state);
	} else if (state == CHILD_READY &&
		   (r->what == WAIT_READY ||
		       engine_incarnation(r->sh->core, t->n) > t->inc0)) {
		request_target_done(r, t);
	}
}
