/* SPDX-License-Identifier: ISC */
/*
 * One supervisor: OTP's supervisor.erl as a machine that never blocks.
 *
 * sup_run() works until the supervisor waits: for a child to settle (any mode
 * but IDLE) or for a message (IDLE).  Messages are taken one at a time, only
 * in IDLE: that is D1's FIFO mailbox, and it is what makes an exit that comes
 * during a restart wait for its turn.
 */
#include "core/tree.h"

#include <assert.h>
#include <signal.h>

void
child_start(struct engine *e, struct node *c)
{
	assert(c->state == CHILD_STOPPED);
	c->outcome = OUTCOME_NONE;
	c->wanted = true;
	if (node_of(e, c->parent)->s.mode != MODE_RESTART_START)
		retry_forget(c);
	c->changed = false;
	c->owed = false;
	if (c->is_sup)
		sup_start(e, c);
	else
		worker_start(e, c);
}

/* T-3: what a stopped child may answer without being reported. */
static bool
expected_end(const struct node *c)
{
	const struct worker_spec *spec = c->w.spec;

	switch ((enum reason_kind)c->last.kind) {
	case REASON_SHUTDOWN:
	case REASON_NORMAL:
		return true;
	case REASON_KILLED: /* brutal_kill; else it was the timeout */
		return spec->stop[0].sig == SIGKILL;
	case REASON_NONE:
	case REASON_EXIT:
	case REASON_FATAL:
	case REASON_SIGNAL:
	case REASON_SPAWN:
	case REASON_EARLY:
	case REASON_TIMEOUT:
	case REASON_CHILD:
	case REASON_IGNORE:
	case REASON_UNHEALTHY:
	case REASON_HOOK:
	case REASON_N:
		break;
	}
	return false;
}

static void
report_unexpected(struct engine *e, struct node *c)
{
	if (!c->is_sup && !expected_end(c))
		emit_report(e, c, REPORT_SHUTDOWN_ERROR, NODE_NONE, &c->last);
}

void
child_stop(struct engine *e, struct node *c, enum reason_why why)
{
	switch (c->state) {
	case CHILD_READY:
		c->why = why;
		if (c->is_sup)
			sup_stop(e, c);
		else
			worker_stop(e, c);
		return;
	case CHILD_ENDED: /* its exit is swallowed, an odd one is told */
		emit_state(e, c, CHILD_STOPPED);
		report_unexpected(e, c);
		return;
	case CHILD_WAITING: /* the retry in the mailbox becomes a no-op: R-6 */
		deadline_clear(e, c);
		emit_state(e, c, CHILD_STOPPED);
		return;
	case CHILD_STOPPING:
		if (!c->is_sup)
			worker_take_over(c, why);
		return;
	case CHILD_STOPPED:
	case CHILD_STARTING:
	case CHILD_STATE_N:
		return;
	}
}

void
child_settled(struct engine *e, struct node *c)
{
	if (c->parent == NODE_NONE)
		return; /* the root: sup_down() has said EFF_DONE */
	if (c->state == CHILD_STOPPED && c->outcome == OUTCOME_OK)
		report_unexpected(e, c);
	run_queue(e, node_of(e, c->parent));
}

void
child_ended(struct engine *e, struct node *c)
{
	struct msg m = {
		.kind = MSG_EXIT,
		.node = node_id(e, c),
		.gen = c->gen,
		.inc = c->inc,
	};

	mail_post(e, node_of(e, c->parent), &m);
}

/* ---- beginnings -------------------------------------------------------- */

static void
begin_range_start(struct node *s, enum mode mode, node_t from, node_t end)
{
	s->s.mode = mode;
	s->s.cursor = from;
	s->s.range_end = end;
	s->s.issued = false;
}

void
sup_start(struct engine *e, struct node *s)
{
	assert(s->s.mode == MODE_DOWN);
	s->inc++;
	s->s.cause =
	    s->parent != NODE_NONE ? node_of(e, s->parent)->s.cause : 0;
	s->s.kill_now = false;
	s->s.why = WHY_NONE;
	window_clear(&s->s.window);
	emit_state(e, s, CHILD_STARTING);
	begin_range_start(s, MODE_BOOT, s->s.first, NODE_NONE);
	run_queue(e, s);
}

void
sup_stop(struct engine *e, struct node *s)
{
	struct msg m = {
		.kind = MSG_STOP,
		.node = node_id(e, s),
		.gen = s->gen,
		.inc = s->inc,
	};

	emit_state(e, s, CHILD_STOPPING);
	mail_post(e, s, &m);
}

static void
begin_shutdown(struct engine *e, struct node *s, enum reason_why why)
{
	s->s.mode = MODE_SHUTDOWN;
	s->s.why = why;
	s->s.issued = false;
	s->s.cursor = s->s.last;
	s->s.range_end = NODE_NONE;
	deadline_set(e, s, mono_add(e->now, s->s.spec->shutdown_deadline_ns));
}

/* stop from the last started back to `from`, then start again. */
static void
begin_group_restart(struct node *s, node_t from)
{
	s->s.mode = MODE_RESTART_STOP;
	s->s.cursor = s->s.last;
	s->s.range_end = from;
	s->s.from = from;
}

/*
 * OTP supervisor.erl, restart/2: the attempt is counted before it is made.  A
 * planned replacement is not counted: nothing has failed.
 */
static void
restart(struct engine *e, struct node *s, struct node *c)
{
	node_t id = node_id(e, c);
	bool planned = reason_is_planned(&c->last);
	bool exhausted = !planned && retry_exhausted(c);

	if (exhausted || (!planned && !window_admit(&s->s.window, e->now))) {
		emit_state(e, c, CHILD_STOPPED);
		emit_gave_up(e, s, c, exhausted);
		begin_shutdown(e, s, WHY_GAVE_UP);
		return;
	}
	if (!planned)
		retry_made(c);
	emit_restart(e, c);
	emit_state(e, c, CHILD_STOPPED);
	switch (s->s.spec->strategy) {
	case REST_FOR_ONE:
		begin_group_restart(s, id);
		return;
	case ONE_FOR_ALL:
		begin_group_restart(s, s->s.first);
		return;
	case ONE_FOR_ONE:
	case SIMPLE_ONE_FOR_ONE:
	case STRATEGY_N:
		begin_range_start(s, MODE_RESTART_START, id, id);
		return;
	}
}

/* It is to be restarted, but not at once; its siblings are left as they are. */
static void
wait_for_retry(struct engine *e, struct node *s, struct node *c)
{
	int64_t pause_ns = retry_pause_ns(e, c);

	assert(!reason_is_planned(&c->last));
	c->end_cause = s->s.cause;
	if (pause_ns > 0)
		deadline_set(e, c, mono_add(e->now, pause_ns));
	emit_state(e, c, CHILD_WAITING);
	if (pause_ns == 0)
		retry_post(e, c);
	s->s.cause = 0;
}

/* ---- exits (table 1.3) -------------------------------------------------- */

static enum restart_type
restart_type_of(const struct node *c)
{
	return c->is_sup ? c->s.spec->restart : c->w.spec->restart;
}

static bool
is_significant(const struct node *c)
{
	return c->is_sup ? c->s.spec->significant : c->w.spec->significant;
}

static bool
is_temporary(const struct node *c)
{
	return restart_type_of(c) == TEMPORARY;
}

/* is there another significant child that runs or restarts? */
static bool
significant_left(const struct engine *e, const struct node *s)
{
	for (node_t n = s->s.first; n != NODE_NONE; n = node_of(e, n)->next) {
		const struct node *c = node_of(e, n);

		if (is_significant(c) && c->state != CHILD_STOPPED)
			return true;
	}
	return false;
}

/* `c` has ended and stays down: what OTP's del_child and auto-shutdown do. */
static void
stay_down(struct engine *e, struct node *s, struct node *c)
{
	enum auto_shutdown rule = s->s.spec->auto_shutdown;
	bool significant = is_significant(c), shutdown;
	struct reason why = c->last;
	node_t id = node_id(e, c);

	emit_state(e, c, CHILD_STOPPED);
	shutdown = significant && rule != AUTO_NEVER &&
	           (rule == AUTO_ANY_SIGNIFICANT || !significant_left(e, s));
	if (shutdown)
		emit_report(e, s, REPORT_AUTO_SHUTDOWN, id, &why);
	if (is_temporary(c) || s->s.spec->strategy == SIMPLE_ONE_FOR_ONE)
		tree_remove(e, c);
	if (shutdown)
		begin_shutdown(e, s, WHY_AUTO_SHUTDOWN);
	else
		s->s.cause = 0;
}

/* Some ends are final whatever the restart type says: our extensions. */
static bool
is_final(const struct node *c)
{
	if (c->is_sup)
		return c->s.spec->on_giveup == GIVEUP_STOP &&
		       c->last.why == WHY_GAVE_UP;
	return c->last.kind == REASON_FATAL;
}

static void
handle_exit(struct engine *e, struct node *s, struct node *c)
{
	enum restart_type type = restart_type_of(c);
	bool clean = reason_is_clean(&c->last);

	s->s.cause = c->end_cause;
	if (type == PERMANENT || !clean)
		emit_report(e, c, REPORT_CHILD_TERMINATED, NODE_NONE, &c->last);
	if (is_final(c) || type == TEMPORARY || (type == TRANSIENT && clean))
		stay_down(e, s, c);
	else if (!reason_is_planned(&c->last) && retry_pause_ns(e, c) > 0)
		wait_for_retry(e, s, c);
	else
		restart(e, s, c);
}

/* ---- ranges ------------------------------------------------------------- */

static void
sup_down(struct engine *e, struct node *s)
{
	struct msg m;
	bool root = s->parent == NODE_NONE;

	while (mail_take(e, s, &m)) {
		if (m.kind == MSG_CALL) {
			call_refuse(e, s, &m);
			mail_call_done(e, &m);
		}
		if (m.kind == MSG_APPLY)
			apply_refuse(e, &m);
	}
	deadline_clear(e, s);
	s->last_end = e->now;
	if (s->s.mode == MODE_ROLLBACK)
		s->last = (struct reason){ .kind = REASON_CHILD,
			.why = WHY_ROLLBACK,
			.child = s->s.failed };
	else
		s->last = (struct reason){ .kind = REASON_SHUTDOWN,
			.why = (uint8_t)s->s.why };
	s->outcome = s->s.mode == MODE_ROLLBACK ? OUTCOME_FAILED : OUTCOME_OK;
	s->s.mode = MODE_DOWN;
	tree_reset_children(e, s);
	if (root) {
		if (e->shutting_down)
			s->last = (struct reason){ .kind = REASON_SHUTDOWN,
				.why = WHY_ASKED };
		emit_state(e, s, CHILD_STOPPED);
		emit_done(e, &s->last);
	} else if (s->state == CHILD_READY) {
		emit_state(e, s, CHILD_ENDED);
		child_ended(e, s);
	} else {
		if (s->outcome == OUTCOME_FAILED)
			s->end_cause = s->s.cause;
		emit_state(e, s, CHILD_STOPPED);
		child_settled(e, s);
	}
}

bool
child_given_up(const struct engine *e, const struct node *c)
{
	while (c->used && c->last.kind == REASON_CHILD)
		c = node_of(e, c->last.child);
	return c->last.kind == REASON_SHUTDOWN;
}

/* The child under the cursor would not start. */
static void
range_start_failed(struct engine *e, struct node *s, struct node *c)
{
	if (!child_given_up(e, c))
		emit_report(e, c, REPORT_START_ERROR, NODE_NONE, &c->last);
	if (s->s.mode == MODE_BOOT) {
		s->s.failed = node_id(e, c);
		s->s.mode = MODE_ROLLBACK;
		s->s.why = WHY_ROLLBACK;
		s->s.cursor = s->s.last;
		s->s.range_end = NODE_NONE;
		return;
	}
	s->s.mode = MODE_IDLE;
	wait_for_retry(e, s, c); /* */
}

static void
range_started(struct engine *e, struct node *s)
{
	enum mode mode = s->s.mode;

	s->s.mode = MODE_IDLE;
	if (mode == MODE_BOOT) {
		s->outcome = OUTCOME_OK;
		emit_state(e, s, CHILD_READY);
		child_settled(e, s);
	}
	s->s.cause = 0;
}

/* S-9: an ignored temporary or dynamic-pool child is not kept. */
void
child_ignored(struct engine *e, struct node *s, struct node *c)
{
	if (is_temporary(c) || s->s.spec->strategy == SIMPLE_ONE_FOR_ONE)
		tree_remove(e, c);
}

static bool
start_advance(struct engine *e, struct node *s)
{
	node_t id = s->s.cursor;
	struct node *c;

	if (id == NODE_NONE) {
		range_started(e, s);
		return true;
	}
	c = node_of(e, id);
	if (!s->s.issued) {
		s->s.issued = true;
		c->restarts += s->s.mode == MODE_RESTART_START;
		child_start(e, c);
		return true;
	}
	if (c->outcome == OUTCOME_NONE)
		return false;
	if (c->outcome == OUTCOME_FAILED) {
		range_start_failed(e, s, c);
		return true;
	}
	s->s.cursor = id == s->s.range_end ? NODE_NONE : c->next;
	s->s.issued = false;
	if (c->outcome == OUTCOME_IGNORED)
		child_ignored(e, s, c);
	return true;
}

static void
range_stopped(struct engine *e, struct node *s)
{
	switch (s->s.mode) {
	case MODE_RESTART_STOP:
		begin_range_start(s, MODE_RESTART_START, s->s.from, NODE_NONE);
		return;
	case MODE_ROLLBACK:
	case MODE_SHUTDOWN:
		sup_down(e, s);
		return;
	case MODE_DOWN:
	case MODE_BOOT:
	case MODE_IDLE:
	case MODE_RESTART_START:
	case MODE_CALL_START:
	case MODE_CALL_STOP:
	case MODE_APPLY_STOP:
	case MODE_APPLY_START:
	case MODE_N:
		return;
	}
}

static enum reason_why
stop_why(const struct node *s)
{
	switch (s->s.mode) {
	case MODE_RESTART_STOP:
		return WHY_GROUP;
	case MODE_ROLLBACK:
		return WHY_ROLLBACK;
	case MODE_SHUTDOWN: /* it gave up; its children are only stopped */
		return s->s.why == WHY_GAVE_UP || s->s.why == WHY_AUTO_SHUTDOWN
		           ? WHY_GROUP
		           : s->s.why;
	case MODE_DOWN:
	case MODE_BOOT:
	case MODE_IDLE:
	case MODE_RESTART_START:
	case MODE_CALL_START:
	case MODE_CALL_STOP:
	case MODE_APPLY_STOP:
	case MODE_APPLY_START:
	case MODE_N:
		break;
	}
	return WHY_ASKED;
}

/* T-5: a pool's children are all told at once. */
static void
stop_all(struct engine *e, struct node *s)
{
	for (node_t n = s->s.last; n != NODE_NONE; n = node_of(e, n)->prev)
		child_stop(e, node_of(e, n), stop_why(s));
}

/* The child under the cursor is down; the next one back. */
static void
stop_next(struct engine *e, struct node *s)
{
	struct node *c = node_of(e, s->s.cursor);
	bool last = s->s.cursor == s->s.range_end;

	s->s.cursor = last ? NODE_NONE : c->prev;
	/* R-4(a): a temporary sibling is stopped and its spec dropped. */
	if (s->s.mode == MODE_RESTART_STOP && is_temporary(c)) {
		if (s->s.from == node_id(e, c))
			s->s.from = c->next;
		tree_remove(e, c);
	}
}

static bool
stop_advance(struct engine *e, struct node *s)
{
	struct node *c;

	if (s->s.cursor == NODE_NONE) {
		range_stopped(e, s);
		return true;
	}
	if (s->s.spec->strategy == SIMPLE_ONE_FOR_ONE && !s->s.issued) {
		s->s.issued = true;
		stop_all(e, s);
	}
	c = node_of(e, s->s.cursor);
	switch (c->state) {
	case CHILD_STOPPED:
		stop_next(e, s);
		return true;
	case CHILD_READY:
	case CHILD_ENDED:
	case CHILD_WAITING:
		child_stop(e, c, stop_why(s));
		return true;
	case CHILD_STOPPING: /* perhaps of its own accord */
		child_stop(e, c, stop_why(s));
		return false;
	case CHILD_STARTING:
	case CHILD_STATE_N:
		return false;
	}
	return false;
}

/* ---- the mailbox -------------------------------------------------------- */

static bool
is_here(const struct engine *e, const struct msg *m)
{
	const struct node *c = node_of(e, m->node);

	return c->used && c->gen == m->gen && c->attached;
}

static void
handle(struct engine *e, struct node *s, const struct msg *m)
{
	struct node *c = node_of(e, m->node);

	switch (m->kind) {
	case MSG_EXIT:
		if (is_here(e, m) && c->inc == m->inc &&
		    c->state == CHILD_ENDED)
			handle_exit(e, s, c);
		return;
	case MSG_RETRY:
		/*
		 * About the child, whichever failed start left it behind, but
		 * for one that has begun to pause since.
		 */
		if (is_here(e, m) && c->state == CHILD_WAITING &&
		    c->heap_pos == 0 && !e->shutting_down) {
			s->s.cause = c->end_cause;
			restart(e, s, c);
		}
		return;
	case MSG_STOP:
		if (s->parent != NODE_NONE)
			s->s.cause = node_of(e, s->parent)->s.cause;
		begin_shutdown(e, s, s->why != WHY_NONE ? s->why : WHY_ASKED);
		return;
	case MSG_CALL:
		call_run(e, s, m);
		mail_call_done(e, m);
		return;
	case MSG_APPLY:
		apply_run(e, s, m);
		return;
	case MSG_KIND_N:
		return;
	}
}

static bool
sup_advance(struct engine *e, struct node *s)
{
	struct msg m;

	switch (s->s.mode) {
	case MODE_DOWN:
		return false;
	case MODE_IDLE:
		if (!mail_take(e, s, &m))
			return false;
		handle(e, s, &m);
		return true;
	case MODE_BOOT:
	case MODE_RESTART_START:
		return start_advance(e, s);
	case MODE_RESTART_STOP:
	case MODE_ROLLBACK:
	case MODE_SHUTDOWN:
		return stop_advance(e, s);
	case MODE_CALL_START:
	case MODE_CALL_STOP:
		return call_advance(e, s);
	case MODE_APPLY_STOP:
	case MODE_APPLY_START:
		return apply_advance(e, s);
	case MODE_N:
		break;
	}
	return false;
}

void
sup_run(struct engine *e, struct node *s)
{
	while (s->used && sup_advance(e, s))
		;
}

/* shutdown_deadline has passed: what is left of the subtree is killed. */
static void
kill_subtree(struct engine *e, struct node *s)
{
	s->s.kill_now = true;
	for (node_t n = s->s.first; n != NODE_NONE; n = node_of(e, n)->next) {
		struct node *c = node_of(e, n);

		if (c->is_sup)
			kill_subtree(e, c);
		else
			worker_kill_now(e, c);
	}
}

void
sup_due(struct engine *e, struct node *s)
{
	deadline_clear(e, s);
	kill_subtree(e, s);
}
