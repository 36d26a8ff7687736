/* SPDX-License-Identifier: ISC */
/*
 * One process's life: stopped -> starting -> ready -> stopping -> stopped.
 *
 * A start ends in exactly one outcome (ready, ignored, failed) and a stop in
 * exactly one end; child_settled() tells the supervisor of each.  The only
 * other thing that can happen to a supervisor's child is that it ends by
 * itself: child_ended().
 */
#include "core/tree.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>

/* A fork that fails for want of resources is tried again (mechanisms, 8). */
#define BACKOFF_MIN_NS (100 * NS_PER_MS)
#define BACKOFF_MAX_NS (5 * NS_PER_S)

static void
start_failed(struct engine *e, struct node *c, const struct reason *why)
{
	c->w.phase = PHASE_NONE;
	deadline_clear(e, c);
	c->last = *why;
	c->last_end = e->now;
	c->outcome = OUTCOME_FAILED;
	emit_state(e, c, CHILD_STOPPED);
	child_settled(e, c);
}

static void
became_ready(struct engine *e, struct node *c)
{
	c->w.phase = PHASE_RUN;
	c->w.backoff_ns = 0;
	deadline_clear(e, c);
	c->outcome = OUTCOME_OK;
	emit_state(e, c, CHILD_READY);
	child_settled(e, c);
}

static void
spawn_now(struct engine *e, struct node *c)
{
	c->w.phase = PHASE_SPAWN;
	deadline_set(e, c, c->w.start_deadline);
	emit_spawn(e, c);
}

/* start_rate: one spawn an interval, in the order they were asked for. */
static void
spawn_in_turn(struct engine *e, struct node *c)
{
	mono_t at = e->now;

	if (e->spawn_interval_ns > 0) {
		if (mono_before(at, e->next_spawn))
			at = e->next_spawn;
		e->next_spawn = mono_add(at, e->spawn_interval_ns);
	}
	c->w.start_deadline = mono_add(at, c->w.spec->start_timeout_ns);
	if (!mono_before(e->now, at)) {
		spawn_now(e, c);
		return;
	}
	c->w.phase = PHASE_TOKEN;
	deadline_set(e, c, at);
}

void
worker_start(struct engine *e, struct node *c)
{
	static const struct reason refused = { .kind = REASON_SHUTDOWN,
		.why = WHY_ASKED };

	assert(c->w.phase == PHASE_NONE);
	c->w.killed = false;
	c->w.stage = 0;
	c->w.backoff_ns = 0;
	if (!c->w.spec->enabled) {
		c->outcome = OUTCOME_IGNORED;
		c->last = (struct reason){ .kind = REASON_IGNORE };
		child_settled(e, c);
		return;
	}
	c->inc++;
	emit_state(e, c, CHILD_STARTING);
	if (e->shutting_down) {
		start_failed(e, c, &refused);
		return;
	}
	spawn_in_turn(e, c);
}

static void
executed(struct engine *e, struct node *c)
{
	const struct worker_spec *spec = c->w.spec;
	int64_t settle_ns = 0;

	if (c->w.phase != PHASE_SPAWN)
		return;
	switch (spec->ready) {
	case READY_EVENT:
		c->w.phase = PHASE_WAIT;
		return;
	case READY_DELAY:
		settle_ns = spec->ready_delay_ns;
		break;
	case READY_EXEC:
	case READY_KIND_N:
		settle_ns = spec->start_grace_ns;
		break;
	}
	if (settle_ns <= 0) {
		became_ready(e, c);
		return;
	}
	c->w.phase = PHASE_SETTLE;
	deadline_set(e, c, mono_add(e->now, settle_ns));
}

/* The fork failed, but not because of this program: try again. */
static bool
is_resource_error(const struct event *ev)
{
	return ev->code == EAGAIN || ev->code == ENOMEM || ev->code == EMFILE ||
	       ev->code == ENFILE;
}

/* A process that was ready is no more. */
static void
over(struct engine *e, struct node *c, const struct reason *why)
{
	bool asked = c->w.phase == PHASE_STOP;

	if (!asked)
		retry_was_ready(e, c);
	c->w.phase = PHASE_NONE;
	c->last = *why;
	c->last_end = e->now;
	deadline_clear(e, c);
	emit_state(e, c, asked ? CHILD_STOPPED : CHILD_ENDED);
	if (asked)
		child_settled(e, c);
	else
		child_ended(e, c);
}

static void
spawn_failed(struct engine *e, struct node *c, const struct event *ev)
{
	struct reason why = {
		.kind = REASON_SPAWN,
		.step = ev->step,
		.code = ev->code,
	};
	mono_t again;

	if (c->w.phase == PHASE_ABORT) {
		start_failed(e, c, &c->w.failure);
		return;
	}
	if (c->w.phase == PHASE_RUN || c->w.phase == PHASE_STOP) {
		/* Ready overtook a step that failed late: it has ended. */
		over(e, c, &why);
		return;
	}
	if (c->w.phase != PHASE_SPAWN)
		return;
	c->w.backoff_ns =
	    c->w.backoff_ns == 0 ? BACKOFF_MIN_NS : c->w.backoff_ns * 2;
	if (c->w.backoff_ns > BACKOFF_MAX_NS)
		c->w.backoff_ns = BACKOFF_MAX_NS;
	again = mono_add(e->now, c->w.backoff_ns);
	if (is_resource_error(ev) && mono_before(again, c->w.start_deadline)) {
		c->w.phase = PHASE_BACKOFF;
		deadline_set(e, c, again);
		return;
	}
	start_failed(e, c, &why);
}

/* What an end means, when nobody asked for it (table 0.1). */
static struct reason
plain_reason(const struct worker_spec *spec, const struct event *ev)
{
	struct reason r = { .code = ev->code, .core = ev->core };

	if (ev->is_signal) {
		if (exit_set_has_signal(&spec->fatal, ev->code))
			r.kind = REASON_FATAL;
		else if (exit_set_has_signal(&spec->success, ev->code))
			r.kind = REASON_NORMAL;
		else if (ev->code == SIGTERM) /* D4 */
			r.kind = REASON_SHUTDOWN;
		else
			r.kind = REASON_SIGNAL;
		return r;
	}
	if (exit_set_has_code(&spec->fatal, ev->code))
		r.kind = REASON_FATAL;
	else if (exit_set_has_code(&spec->success, ev->code))
		r.kind = REASON_NORMAL;
	else
		r.kind = REASON_EXIT;
	return r;
}

/* The same end after a stop was ordered: D3 widens what counts as obeying. */
static struct reason
stopped_reason(const struct node *c, const struct event *ev)
{
	struct reason r = plain_reason(c->w.spec, ev);
	bool obeyed = r.kind == REASON_NORMAL || r.kind == REASON_SHUTDOWN;

	if (ev->is_signal && ev->code == SIGKILL && c->w.killed)
		return (
		    struct reason){ .kind = REASON_KILLED, .code = SIGKILL };
	for (uint32_t i = 0; i <= c->w.stage && i < c->w.spec->n_stop; i++) {
		int sig = c->w.spec->stop[i].sig;

		if (sig != SIGKILL && !ev->core)
			obeyed |= ev->code == (ev->is_signal ? sig : 128 + sig);
	}
	if (obeyed)
		return (struct reason){ .kind = REASON_SHUTDOWN,
			.why = (uint8_t)c->why };
	return r;
}

static void
ended(struct engine *e, struct node *c, const struct event *ev)
{
	struct reason r = plain_reason(c->w.spec, ev);

	switch (c->w.phase) {
	case PHASE_SPAWN:
	case PHASE_SETTLE:
	case PHASE_WAIT:
		r.under = r.kind;
		r.kind = REASON_EARLY;
		start_failed(e, c, &r);
		return;
	case PHASE_ABORT:
		start_failed(e, c, &c->w.failure);
		return;
	case PHASE_RUN:
		over(e, c, &r);
		return;
	case PHASE_STOP:
		r = stopped_reason(c, ev);
		over(e, c, &r);
		return;
	case PHASE_NONE:
	case PHASE_TOKEN:
	case PHASE_BACKOFF:
	case PHASE_N:
		return; /* no process that could have ended */
	}
}

void
worker_event(struct engine *e, struct node *c, const struct event *ev)
{
	if (ev->inc != c->inc)
		return; /* an incarnation that is over: X-1 */
	switch (ev->kind) {
	case EV_EXECED:
		executed(e, c);
		break;
	case EV_SPAWN_FAILED:
		spawn_failed(e, c, ev);
		break;
	case EV_READY:
		/* May overtake EV_EXECED: it comes by another way. */
		if (c->w.spec->ready == READY_EVENT &&
		    (c->w.phase == PHASE_SPAWN || c->w.phase == PHASE_WAIT))
			became_ready(e, c);
		break;
	case EV_EXITED:
		ended(e, c, ev);
		break;
	case EV_SPAWNED:
	case EV_TICK:
	case EV_BOOT:
	case EV_SHUTDOWN:
	case EV_START_CHILD:
	case EV_RESTART_CHILD:
	case EV_TERMINATE_CHILD:
	case EV_DELETE_CHILD:
	case EV_CLEAR:
	case EV_RETRY:
	case EV_BEAT:
	case EV_PROBED:
	case EV_RELOAD:
	case EV_APPLY:
	case EV_KIND_N:
		break;
	}
}

void
worker_respec(struct engine *e, struct node *c, const struct worker_spec *spec)
{
	c->w.spec = spec;
	(void)e;
}

static bool
must_kill_now(const struct engine *e, const struct node *c)
{
	for (node_t n = c->parent; n != NODE_NONE; n = node_of(e, n)->parent)
		if (node_of(e, n)->s.kill_now)
			return true;
	return false;
}

/* Send the present stage's signal, and the next ones while waits are zero. */
static void
run_stage(struct engine *e, struct node *c)
{
	const struct worker_spec *spec = c->w.spec;

	deadline_clear(e, c);
	for (;;) {
		const struct stop_stage *st = &spec->stop[c->w.stage];

		emit_signal(e, c, st->sig);
		if (st->sig == SIGKILL) {
			c->w.killed = true;
			return; /* nothing more can be done; wait (T-1) */
		}
		if (st->wait_ns != 0 || c->w.stage + 1 == spec->n_stop) {
			if (c->w.stage + 1 < spec->n_stop)
				deadline_set(
				    e, c, mono_add(e->now, st->wait_ns));
			return;
		}
		c->w.stage++;
	}
}

static void
kill_it(struct engine *e, struct node *c)
{
	if (c->w.killed)
		return;
	deadline_clear(e, c);
	c->w.killed = true;
	emit_signal(e, c, SIGKILL);
}

static void
begin_stop(struct engine *e, struct node *c)
{
	c->w.stage = 0;
	if (must_kill_now(e, c))
		kill_it(e, c);
	else
		run_stage(e, c);
}

void
worker_stop(struct engine *e, struct node *c)
{
	assert(c->w.phase == PHASE_RUN);
	c->w.phase = PHASE_STOP;
	retry_was_ready(e, c);
	emit_state(e, c, CHILD_STOPPING);
	begin_stop(e, c);
}

void
worker_abort(struct engine *e, struct node *c, const struct reason *why)
{
	assert(c->state == CHILD_STARTING);
	if (c->w.phase == PHASE_ABORT)
		return;
	if (c->w.phase == PHASE_TOKEN || c->w.phase == PHASE_BACKOFF) {
		start_failed(e, c, why);
		return;
	}
	c->w.phase = PHASE_ABORT;
	c->w.failure = *why;
	if (why->kind == REASON_TIMEOUT) {
		kill_it(e, c); /* D5: as start_link with a timeout does */
		return;
	}
	begin_stop(e, c);
}

void
worker_kill_now(struct engine *e, struct node *c)
{
	if (c->w.phase == PHASE_STOP || c->w.phase == PHASE_ABORT)
		kill_it(e, c);
}

void
worker_due(struct engine *e, struct node *c)
{
	static const struct reason timeout = { .kind = REASON_TIMEOUT };

	if (c->w.phase == PHASE_NONE) {
		retry_now(e, c);
		return;
	}
	deadline_clear(e, c);
	switch (c->w.phase) {
	case PHASE_BACKOFF:
		c->inc++;
		spawn_now(e, c);
		return;
	case PHASE_TOKEN:
		spawn_now(e, c);
		return;
	case PHASE_SPAWN:
	case PHASE_WAIT:
		worker_abort(e, c, &timeout);
		return;
	case PHASE_SETTLE:
		became_ready(e, c);
		return;
	case PHASE_ABORT:
	case PHASE_STOP:
		assert(c->w.stage + 1 < c->w.spec->n_stop);
		c->w.stage++;
		run_stage(e, c);
		return;
	case PHASE_NONE:
	case PHASE_RUN:
	case PHASE_N:
		return;
	}
}
