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
wait_until(struct engine *e, struct node *c, mono_t at)
{
	deadline_set(e, c, at);
	c->w.for_ever = mono_is_never(at);
}

void
worker_start_failed(struct engine *e, struct node *c, const struct reason *why)
{
	c->last = *why;
	c->last_end = e->now;
	worker_over(e, c);
}

void
worker_over(struct engine *e, struct node *c)
{
	bool own = c->w.own;

	c->w.phase = PHASE_NONE;
	deadline_clear(e, c);
	if (c->state == CHILD_STARTING)
		c->outcome = c->last.kind == REASON_IGNORE ? OUTCOME_IGNORED
		                                           : OUTCOME_FAILED;
	emit_state(e, c, own ? CHILD_ENDED : CHILD_STOPPED);
	c->w.own = false;
	if (own)
		child_ended(e, c);
	else
		child_settled(e, c);
}

/*
 * The main program is no more.  If it had been executed its post_stop runs
 * before anybody hears of it.
 */
static void
main_over(struct engine *e, struct node *c, const struct reason *why)
{
	deadline_clear(e, c);
	c->last = *why;
	c->last_end = e->now;
	if (c->w.phase == PHASE_RUN) {
		retry_was_ready(e, c);
		c->w.own = true;
		c->end_cause = 0; /* it begins a chain */
	}
	if (!hook_post_start(e, c))
		worker_over(e, c);
}

static void
became_ready(struct engine *e, struct node *c)
{
	c->w.phase = PHASE_RUN;
	c->w.backoff_ns = 0;
	deadline_clear(e, c);
	c->outcome = OUTCOME_OK;
	emit_state(e, c, CHILD_READY);
	health_begin(e, c);
	child_settled(e, c);
}

static void
spawn_now(struct engine *e, struct node *c)
{
	c->w.phase = c->w.proc == PROC_PRE_START ? PHASE_PRE : PHASE_SPAWN;
	c->w.beat_ns = c->w.spec->heartbeat_ns;
	wait_until(e, c, c->w.start_deadline);
	emit_spawn(e, c);
}

/* start_rate: one spawn an interval, in the order they were asked for. */
void
worker_spawn_in_turn(
    struct engine *e, struct node *c, enum proc_kind proc, int64_t limit_ns)
{
	mono_t at = e->now;

	if (e->spawn_interval_ns > 0) {
		if (mono_before(at, e->next_spawn))
			at = e->next_spawn;
		e->next_spawn = mono_add(at, e->spawn_interval_ns);
	}
	c->w.proc = proc;
	c->w.backoff_ns = 0;
	c->w.start_deadline = mono_add(at, limit_ns);
	if (!mono_before(e->now, at)) {
		spawn_now(e, c);
		return;
	}
	c->w.phase = PHASE_TOKEN;
	wait_until(e, c, at);
}

static const struct reason refused = { .kind = REASON_SHUTDOWN,
	.why = WHY_ASKED };

void
worker_start(struct engine *e, struct node *c)
{
	const struct worker_spec *spec = c->w.spec;

	assert(c->w.phase == PHASE_NONE);
	assert(!c->w.own);
	c->w.killed = false;
	c->w.executed = false;
	c->w.stage = 0;
	if (!spec->enabled) {
		c->outcome = OUTCOME_IGNORED;
		c->last = (struct reason){ .kind = REASON_IGNORE };
		child_settled(e, c);
		return;
	}
	c->inc++;
	emit_state(e, c, CHILD_STARTING);
	if (e->shutting_down || worker_must_die(e, c))
		worker_start_failed(e, c, &refused);
	else if (spec->pre_start)
		worker_spawn_in_turn(
		    e, c, PROC_PRE_START, spec->hook_timeout_ns);
	else
		worker_spawn_in_turn(e, c, PROC_MAIN, spec->start_timeout_ns);
}

static void
executed(struct engine *e, struct node *c)
{
	const struct worker_spec *spec = c->w.spec;
	int64_t settle_ns = 0;

	c->w.executed |= c->w.proc == PROC_MAIN;
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
	wait_until(e, c, mono_add(e->now, settle_ns));
}

/* The fork failed, but not because of this program: try again. */
static bool
is_resource_error(const struct event *ev)
{
	return ev->code == EAGAIN || ev->code == ENOMEM || ev->code == EMFILE ||
	       ev->code == ENFILE;
}

mono_t
worker_fork_again(struct engine *e, struct node *c, const struct event *ev)
{
	mono_t again;

	c->w.backoff_ns =
	    c->w.backoff_ns == 0 ? BACKOFF_MIN_NS : c->w.backoff_ns * 2;
	if (c->w.backoff_ns > BACKOFF_MAX_NS)
		c->w.backoff_ns = BACKOFF_MAX_NS;
	again = mono_add(e->now, c->w.backoff_ns);
	if (is_resource_error(ev) && mono_before(again, c->w.start_deadline))
		return again;
	return MONO_NEVER;
}

static void
start_spawn_failed(struct engine *e, struct node *c, const struct event *ev,
    const struct reason *why)
{
	mono_t again = worker_fork_again(e, c, ev);

	if (!mono_is_never(again)) {
		c->w.phase = PHASE_BACKOFF;
		wait_until(e, c, again);
	} else if (c->w.phase == PHASE_PRE) {
		hook_pre_ended(e, c, ev);
	} else {
		worker_start_failed(e, c, why);
	}
}

static void
spawn_failed(struct engine *e, struct node *c, const struct event *ev)
{
	struct reason why = {
		.kind = REASON_SPAWN,
		.step = ev->step,
		.code = ev->code,
	};

	switch (c->w.phase) {
	case PHASE_PRE:
	case PHASE_SPAWN:
		start_spawn_failed(e, c, ev, &why);
		return;
	case PHASE_ABORT:
		worker_start_failed(e, c, &c->w.failure);
		return;
	case PHASE_RUN:
	case PHASE_STOP:
		/* Ready overtook a step that failed late: it has ended. */
		c->w.executed = false;
		main_over(e, c, &why);
		return;
	case PHASE_POST:
		hook_post_ended(e, c, ev);
		return;
	case PHASE_NONE:
	case PHASE_TOKEN:
	case PHASE_BACKOFF:
	case PHASE_SETTLE:
	case PHASE_WAIT:
	case PHASE_POST_BACKOFF:
	case PHASE_N:
		return;
	}
}

/* What an end means, when nobody asked for it (table 0.1). */
static struct reason
raw_reason(const struct worker_spec *spec, const struct event *ev)
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

/* What it has declared counts, but for what the operator has ruled out. */
static struct reason
plain_reason(const struct worker_spec *spec, const struct event *ev)
{
	struct reason r = raw_reason(spec, ev);

	if (r.kind == REASON_FATAL)
		return r;
	switch (ev->declared) {
	case DECLARED_NOTHING:
	case DECLARED_N:
		return r;
	case DECLARED_NORMAL:
		r = (struct reason){ .kind = REASON_NORMAL };
		break;
	case DECLARED_SHUTDOWN:
		r = (struct reason){ .kind = REASON_SHUTDOWN };
		break;
	case DECLARED_OTHER:
	case DECLARED_IGNORE:
		r.kind = ev->is_signal ? REASON_SIGNAL : REASON_EXIT;
		break;
	}
	r.declared = true;
	return r;
}

/* Has this stop sent it that signal? */
static bool
was_told(const struct node *c, int sig)
{
	return sig > 0 && sig < 64 && sig != SIGKILL &&
	       (c->w.told >> sig & 1) != 0;
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
	if (!ev->core)
		obeyed |=
		    was_told(c, ev->is_signal ? ev->code : ev->code - 128);
	if (obeyed)
		return (struct reason){ .kind = REASON_SHUTDOWN,
			.why = (uint8_t)c->why };
	return r;
}

/* And after we have stopped it because it was not well. */
static struct reason
unhealthy_reason(const struct node *c, const struct event *ev)
{
	struct reason r = plain_reason(c->w.spec, ev);

	r.under = r.kind;
	r.kind = REASON_UNHEALTHY;
	r.declared = false;
	r.why = (uint8_t)c->why;
	return r;
}

/* And before it was ready. */
static struct reason
early_reason(const struct worker_spec *spec, const struct event *ev)
{
	struct reason r = plain_reason(spec, ev);

	r.under = r.kind;
	r.kind = REASON_EARLY;
	if (ev->declared == DECLARED_IGNORE && !ev->is_signal &&
	    r.under != REASON_FATAL)
		r = (struct reason){ .kind = REASON_IGNORE, .declared = true };
	return r;
}

static void
ended(struct engine *e, struct node *c, const struct event *ev)
{
	struct reason r = plain_reason(c->w.spec, ev);

	switch (c->w.phase) {
	case PHASE_PRE:
		hook_pre_ended(e, c, ev);
		return;
	case PHASE_SPAWN:
	case PHASE_SETTLE:
	case PHASE_WAIT:
		r = early_reason(c->w.spec, ev);
		main_over(e, c, &r);
		return;
	case PHASE_ABORT:
		main_over(e, c, &c->w.failure);
		return;
	case PHASE_RUN:
		main_over(e, c, &r);
		return;
	case PHASE_STOP:
		r = c->w.own ? unhealthy_reason(c, ev) : stopped_reason(c, ev);
		main_over(e, c, &r);
		return;
	case PHASE_POST:
		hook_post_ended(e, c, ev);
		return;
	case PHASE_NONE:
	case PHASE_TOKEN:
	case PHASE_BACKOFF:
	case PHASE_POST_BACKOFF:
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
		    (c->w.phase == PHASE_SPAWN || c->w.phase == PHASE_WAIT)) {
			c->w.executed = true;
			became_ready(e, c);
		}
		break;
	case EV_EXITED:
		ended(e, c, ev);
		break;
	case EV_BEAT:
		health_beat(e, c, ev);
		break;
	case EV_PROBED:
		health_probed(e, c, ev);
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
	case EV_RELOAD:
	case EV_APPLY:
	case EV_KIND_N:
		break;
	}
}

bool
worker_must_die(const struct engine *e, const struct node *c)
{
	for (node_t n = c->parent; n != NODE_NONE; n = node_of(e, n)->parent)
		if (node_of(e, n)->s.kill_now)
			return true;
	return false;
}

/* A stop that was to wait for ever goes on as the new stages say. */
static void
respec_stop(struct engine *e, struct node *c)
{
	const struct worker_spec *spec = c->w.spec;
	const struct stop_stage *st;

	if (!c->w.for_ever || c->w.killed)
		return;
	if (c->w.stage >= spec->n_stop)
		c->w.stage = spec->n_stop - 1;
	st = &spec->stop[c->w.stage];
	if (st->sig == SIGKILL)
		worker_sigkill(e, c);
	else if (c->w.stage + 1 < spec->n_stop)
		wait_until(e, c, mono_add(e->now, st->wait_ns));
}

/*
 * What it is doing goes on, with the deadline that it has; whatever is armed
 * next is armed with the new values (health.c knows better).  What could not
 * come to an end before can now, if the new spec says so.
 */
void
worker_respec(struct engine *e, struct node *c, const struct worker_spec *spec)
{
	const struct worker_spec *old = c->w.spec;

	c->w.spec = spec;
	if (c->w.phase == PHASE_STOP || c->w.phase == PHASE_ABORT)
		respec_stop(e, c);
	else if (c->w.phase == PHASE_POST)
		hook_respec(e, c);
	else if (c->w.phase == PHASE_RUN)
		health_respec(e, c, old);
}

/* Send the present stage's signal, and the next ones while waits are zero. */
static void
run_stage(struct engine *e, struct node *c)
{
	const struct worker_spec *spec = c->w.spec;

	wait_until(e, c, MONO_NEVER);
	for (;;) {
		const struct stop_stage *st = &spec->stop[c->w.stage];

		emit_signal(e, c, st->sig);
		if (st->sig < 64)
			c->w.told |= UINT64_C(1) << st->sig;
		if (st->sig == SIGKILL) {
			c->w.killed = true;
			return; /* nothing more can be done; wait (T-1) */
		}
		if (st->wait_ns != 0 || c->w.stage + 1 == spec->n_stop) {
			if (c->w.stage + 1 < spec->n_stop)
				wait_until(e, c, mono_add(e->now, st->wait_ns));
			return;
		}
		c->w.stage++;
	}
}

static void
next_stage(struct engine *e, struct node *c)
{
	c->w.stage++;
	if (c->w.stage < c->w.spec->n_stop)
		run_stage(e, c);
	else /* a reload has made it shorter meanwhile */
		worker_sigkill(e, c);
}

void
worker_sigkill(struct engine *e, struct node *c)
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
	c->w.told = 0;
	if (worker_must_die(e, c))
		worker_sigkill(e, c);
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
worker_take_over(struct node *c, enum reason_why why)
{
	if (c->w.phase == PHASE_STOP && c->w.own) {
		c->w.own = false;
		c->why = why;
	}
}

void
worker_abort(struct engine *e, struct node *c, const struct reason *why)
{
	assert(c->state == CHILD_STARTING);
	switch (c->w.phase) {
	case PHASE_TOKEN:
	case PHASE_BACKOFF:
		worker_start_failed(e, c, why);
		return;
	case PHASE_PRE:
	case PHASE_SPAWN:
	case PHASE_SETTLE:
	case PHASE_WAIT:
		c->w.phase = PHASE_ABORT;
		c->w.failure = *why;
		if (why->kind == REASON_TIMEOUT || why->kind == REASON_HOOK)
			worker_sigkill(e, c); /* D5: as start_link's timeout */
		else
			begin_stop(e, c);
		return;
	case PHASE_NONE:
	case PHASE_ABORT:
	case PHASE_RUN:
	case PHASE_STOP:
	case PHASE_POST:
	case PHASE_POST_BACKOFF:
	case PHASE_N:
		return; /* it has failed already */
	}
}

void
worker_kill_now(struct engine *e, struct node *c)
{
	if (c->w.phase == PHASE_POST || c->w.phase == PHASE_POST_BACKOFF)
		hook_kill_now(e, c);
	else if (c->w.phase == PHASE_STOP || c->w.phase == PHASE_ABORT)
		worker_sigkill(e, c);
	else if (c->state == CHILD_STARTING)
		worker_abort(e, c, &refused);
}

void
worker_due(struct engine *e, struct node *c)
{
	static const struct reason timeout = { .kind = REASON_TIMEOUT };

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
		next_stage(e, c);
		return;
	case PHASE_PRE:
	case PHASE_POST:
	case PHASE_POST_BACKOFF:
		hook_due(e, c);
		return;
	case PHASE_RUN:
		health_due(e, c);
		return;
	case PHASE_NONE: /* WAITING */
		retry_now(e, c);
		return;
	case PHASE_N:
		return;
	}
}
