/* SPDX-License-Identifier: ISC */
/*
 * pre_start and post_stop.  Each run is an incarnation of its own, in the
 * worker's slot, before or after that of the main program.
 *
 * pre_start is a part of the start: it fails as a start fails.  post_stop comes
 * between the main program's end and what its supervisor hears of it, so that
 * nothing else is started before what was left behind is cleaned up.  It
 * changes nothing about that end.
 */
#include "core/tree.h"

#include <assert.h>
#include <signal.h>

/* How a hook came to its end, when it was not by exit 0. */
static struct reason
hook_reason(
    const struct engine *e, const struct node *c, const struct event *ev)
{
	struct reason r = {
		.kind = REASON_HOOK,
		.hook = (uint8_t)c->w.proc,
		.under = REASON_EXIT,
		.code = ev->code,
		.core = ev->core,
	};

	if (ev->kind == EV_SPAWN_FAILED) {
		r.under = REASON_SPAWN;
		r.step = ev->step;
	} else if (c->w.killed) {
		r.under =
		    worker_must_die(e, c) ? REASON_KILLED : REASON_TIMEOUT;
		r.code = 0;
	} else if (ev->is_signal) {
		r.under = REASON_SIGNAL;
	}
	return r;
}

static bool
did_well(const struct event *ev)
{
	return ev->kind == EV_EXITED && !ev->is_signal && ev->code == 0;
}

void
hook_pre_ended(struct engine *e, struct node *c, const struct event *ev)
{
	struct reason why;

	assert(c->w.phase == PHASE_PRE);
	if (did_well(ev)) {
		c->inc++;
		worker_spawn_in_turn(
		    e, c, PROC_MAIN, c->w.spec->start_timeout_ns);
		return;
	}
	why = hook_reason(e, c, ev);
	worker_start_failed(e, c, &why);
}

static void
spawn_post(struct engine *e, struct node *c)
{
	c->inc++;
	c->w.phase = PHASE_POST;
	c->w.killed = false;
	c->w.for_ever = mono_is_never(c->w.start_deadline);
	deadline_set(e, c, c->w.start_deadline);
	emit_spawn(e, c);
}

/* What there was no time for. */
static void
report_skipped(struct engine *e, struct node *c)
{
	static const struct reason why = { .kind = REASON_HOOK,
		.hook = PROC_POST_STOP,
		.under = REASON_KILLED };

	emit_own(e, c, REPORT_HOOK_FAILED, &why, 0, 0);
}

bool
hook_post_start(struct engine *e, struct node *c)
{
	const struct worker_spec *spec = c->w.spec;

	if (!spec->post_stop || !c->w.executed)
		return false;
	if (worker_must_die(e, c)) {
		report_skipped(e, c);
		return false;
	}
	if (c->state == CHILD_READY)
		emit_state(e, c, CHILD_STOPPING);
	c->w.proc = PROC_POST_STOP;
	c->w.backoff_ns = 0;
	c->w.start_deadline = mono_add(e->now, spec->hook_timeout_ns);
	spawn_post(e, c);
	return true;
}

void
hook_post_ended(struct engine *e, struct node *c, const struct event *ev)
{
	struct reason why;
	mono_t again;

	assert(c->w.phase == PHASE_POST);
	if (ev->kind == EV_SPAWN_FAILED && !c->w.killed) {
		again = worker_fork_again(e, c, ev);
		if (!mono_is_never(again)) {
			c->w.phase = PHASE_POST_BACKOFF;
			deadline_set(e, c, again);
			return;
		}
	}
	if (!did_well(ev)) {
		why = hook_reason(e, c, ev);
		emit_own(e, c, REPORT_HOOK_FAILED, &why, 0, 0);
	}
	worker_over(e, c);
}

void
hook_due(struct engine *e, struct node *c)
{
	struct reason late = { .kind = REASON_HOOK,
		.hook = PROC_PRE_START,
		.under = REASON_TIMEOUT };

	if (c->w.phase == PHASE_PRE)
		worker_abort(e, c, &late);
	else if (c->w.phase == PHASE_POST)
		worker_sigkill(e, c);
	else
		spawn_post(e, c);
}

void
hook_respec(struct engine *e, struct node *c)
{
	if (!c->w.for_ever || c->w.killed)
		return;
	c->w.start_deadline = mono_add(e->now, c->w.spec->hook_timeout_ns);
	c->w.for_ever = mono_is_never(c->w.start_deadline);
	deadline_set(e, c, c->w.start_deadline);
}

void
hook_kill_now(struct engine *e, struct node *c)
{
	if (c->w.phase == PHASE_POST) {
		worker_sigkill(e, c);
		return;
	}
	report_skipped(e, c);
	worker_over(e, c);
}
