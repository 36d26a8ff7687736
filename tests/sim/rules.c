/* SPDX-License-Identifier: ISC */
/*
 * What must hold, written without a look into the core: told from its effects,
 * from its public questions and from what the keeper has in its slots.
 */
#include "machine.h"

#include <signal.h>

static const char *
name_of(node_t n)
{
	return engine_has(m.e, n) ? engine_name(m.e, n) : "?";
}

void
rules_added(node_t n)
{
	struct seen *s = &m.seen[n];

	RULE(!s->used, "node %u is given twice", n);
	*s = (struct seen){
		.used = true,
		.stop_by = MONO_NEVER,
		.inc = engine_incarnation(m.e, n),
		.exited = s->exited,
	};
}

/*
 * A worker that may be STOPPING without an order of its supervisor: it is
 * unhealthy, or has ended and its post_stop runs.
 */
static node_t by_itself;

/* ---- states ------------------------------------------------------------- */

static bool
may_become(enum child_state from, enum child_state to)
{
	static const bool may[CHILD_STATE_N][CHILD_STATE_N] = {
		[CHILD_STOPPED] = { [CHILD_STARTING] = true,
		    [CHILD_WAITING] = true },
		[CHILD_STARTING] = { [CHILD_READY] = true,
		    [CHILD_STOPPED] = true },
		[CHILD_READY] = { [CHILD_STOPPING] = true,
		    [CHILD_ENDED] = true },
		[CHILD_STOPPING] = { [CHILD_STOPPED] = true,
		    [CHILD_ENDED] = true /* of its own: unhealthy */ },
		[CHILD_WAITING] = { [CHILD_STOPPED] = true },
		[CHILD_ENDED] = { [CHILD_STOPPED] = true,
		    [CHILD_WAITING] = true },
	};

	return may[from][to];
}

/* S-1: one start at a time; in a boot nobody behind it has been started. */
static void
check_start_order(node_t n)
{
	node_t s = engine_parent(m.e, n);
	bool behind = false;

	if (s == NODE_NONE)
		return;
	for (node_t k = engine_first_child(m.e, s); k != NODE_NONE;
	     k = engine_next_child(m.e, k)) {
		if (k == n) {
			behind = true;
			continue;
		}
		RULE(m.seen[k].state != CHILD_STARTING,
		    "%s is started while %s is starting", name_of(n),
		    name_of(k));
		RULE(!behind || m.seen[s].state != CHILD_STARTING ||
			 m.seen[k].state == CHILD_STOPPED,
		    "%s is started at boot after %s, which is behind it",
		    name_of(n), name_of(k));
	}
}

/* A call that stops somebody, too, may be served before a stop is. */
static bool
somebody_asked(void)
{
	for (uint32_t i = m.n_calls; i > 0; i--)
		if (m.call[i - 1].state == CALL_WAITS &&
		    (m.call[i - 1].ev.kind == EV_TERMINATE_CHILD ||
			m.call[i - 1].ev.kind == EV_APPLY))
			return true;
	return false;
}

/* T-4, R-2, R-3: everybody behind it is down before it is stopped. */
static void
check_stop_order(node_t n)
{
	node_t s = engine_parent(m.e, n);

	if (s == NODE_NONE || !(m.seen[s].going_down || m.seen[s].in_group) ||
	    engine_sup_spec(m.e, s)->strategy == SIMPLE_ONE_FOR_ONE ||
	    somebody_asked())
		return;
	for (node_t k = engine_next_child(m.e, n); k != NODE_NONE;
	     k = engine_next_child(m.e, k))
		RULE(m.seen[k].state == CHILD_STOPPED,
		    "%s is stopped before %s, which is behind it", name_of(n),
		    name_of(k));
}

static void
saw_state(const struct effect *eff)
{
	struct seen *s = &m.seen[eff->node];
	node_t parent = engine_parent(m.e, eff->node);

	RULE(s->used, "node %u is not in use", eff->node);
	RULE(eff->from == s->state, "%s was %s", name_of(eff->node),
	    child_state_name(s->state));
	/* Nobody waits for the root to be down but who started supd. */
	RULE(may_become(eff->from, eff->to) ||
		 (eff->node == NODE_ROOT && eff->from == CHILD_READY &&
		     eff->to == CHILD_STOPPED),
	    "%s: %s becomes %s", name_of(eff->node),
	    child_state_name(eff->from), child_state_name(eff->to));
	if (eff->to == CHILD_STARTING) {
		check_start_order(eff->node);
		RULE(eff->inc > s->inc, "%s: incarnation %lu again",
		    name_of(eff->node), (unsigned long)eff->inc);
		s->n_restarts = 0;
		s->stop_by = MONO_NEVER;
		if (parent != NODE_NONE)
			m.seen[parent].in_group = false;
	}
	if (eff->to == CHILD_READY && !engine_is_sup(m.e, eff->node))
		RULE(s->given_up != eff->inc,
		    "%s is ready, but its start was given up",
		    name_of(eff->node));
	if (eff->to == CHILD_ENDED)
		s->ended = eff->seq;
	if (eff->to == CHILD_STOPPING && eff->node != by_itself)
		check_stop_order(eff->node);
	s->inc = eff->inc;
	s->state = eff->to;
	s->going_down = eff->to == CHILD_STOPPING ||
	                (s->going_down && eff->to == CHILD_READY);
	s->in_group = false;
}

/* ---- intensity ---------------------------------------------------------- */

/*
 * OTP, supervisor.erl, add_restart: [now] ++ takewhile(t >= now - P), more than
 * I of which are too many.
 */
static uint32_t
add_restart(node_t sup)
{
	const struct sup_spec *spec = engine_sup_spec(m.e, sup);
	struct seen *s = &m.seen[sup];
	uint32_t k = 0;

	while (
	    k < s->n_restarts && m.now.ns - s->restart[k].ns <= spec->period_ns)
		k++;
	if (k == ARRAY_LEN(s->restart))
		k--;
	for (uint32_t i = k; i > 0; i--)
		s->restart[i] = s->restart[i - 1];
	s->restart[0] = m.now;
	s->n_restarts = k + 1;
	return s->n_restarts;
}

/* D1: a supervisor's mailbox is served in order. */
static void
check_turn(node_t n)
{
	node_t sup = engine_parent(m.e, n);

	if (m.seen[n].state != CHILD_ENDED)
		return; /* a retry */
	for (node_t k = engine_first_child(m.e, sup); k != NODE_NONE;
	     k = engine_next_child(m.e, k))
		RULE(m.seen[k].state != CHILD_ENDED ||
			 m.seen[k].ended >= m.seen[n].ended,
		    "%s is restarted before %s, which ended before it",
		    name_of(n), name_of(k));
}

static void
saw_restart(node_t n)
{
	node_t sup = engine_parent(m.e, n);
	const struct sup_spec *spec = engine_sup_spec(m.e, sup);
	struct reason last = engine_last_reason(m.e, n);
	bool old = last.kind == REASON_UNHEALTHY && last.why == WHY_LIFETIME;
	uint32_t used = old ? 0 : add_restart(sup);

	check_turn(n);
	RULE(used <= spec->intensity, "%s restarts for the %uth time of %u",
	    name_of(sup), used, spec->intensity);
	m.seen[sup].in_group =
	    spec->strategy == REST_FOR_ONE || spec->strategy == ONE_FOR_ALL;
}

static void
saw_gave_up(const struct effect *eff)
{
	const struct sup_spec *spec = engine_sup_spec(m.e, eff->node);

	m.seen[eff->node].going_down = true;
	m.seen[eff->node].in_group = false;
	if (eff->attempts)
		return;
	RULE(add_restart(eff->node) > spec->intensity, "%s gives up too early",
	    name_of(eff->node));
}

static void
saw_report(const struct effect *eff)
{
	node_t parent = engine_parent(m.e, eff->node);

	switch (eff->report) {
	case REPORT_RESTART:
		saw_restart(eff->node);
		break;
	case REPORT_GAVE_UP:
		saw_gave_up(eff);
		break;
	case REPORT_AUTO_SHUTDOWN:
		m.seen[eff->node].going_down = true;
		break;
	case REPORT_START_ERROR: /* S-3: at boot all is rolled back */
		if (parent != NODE_NONE &&
		    m.seen[parent].state == CHILD_STARTING)
			m.seen[parent].going_down = true;
		break;
	case REPORT_UNHEALTHY:
		by_itself = eff->node;
		break;
	case REPORT_CHILD_TERMINATED:
	case REPORT_SHUTDOWN_ERROR:
	case REPORT_HOOK_FAILED:
	case REPORT_KIND_N:
		break;
	}
}

/* ---- effects ------------------------------------------------------------ */

/* Nothing that it was to change is as it was. */
static void
check_applied(const struct call *c)
{
	node_t sup = c->ev.node;

	if (m.seen[sup].reloads != c->reloads ||
	    (sup != NODE_ROOT && engine_is_stale(m.e, sup)))
		return;
	for (node_t k = engine_first_child(m.e, sup); k != NODE_NONE;
	     k = engine_next_child(m.e, k))
		RULE(!engine_is_stale(m.e, k), "%s has not been applied",
		    name_of(k));
}

static void
saw_reply(const struct effect *eff)
{
	struct call *c;

	RULE(eff->tag > 0 && eff->tag <= m.n_calls, "nobody has asked %lu",
	    (unsigned long)eff->tag);
	c = &m.call[eff->tag - 1];
	RULE(c->state == CALL_WAITS || (m.again && c->state == CALL_ANSWERED),
	    "call %lu is answered twice", (unsigned long)eff->tag);
	c->state = CALL_ANSWERED;
	if (m.again || eff->result != RESULT_OK)
		return;
	if (c->ev.kind == EV_RELOAD)
		m.seen[c->ev.node].reloads++;
	if (c->ev.kind == EV_APPLY)
		check_applied(c);
}

static void
saw_done(void)
{
	RULE(!m.done || m.again, "the root is down twice");
	m.done = true;
	for (node_t n = 1; n <= CAP; n++)
		RULE(!slot_is_live(n), "%u is alive after the end", n);
}

static bool
saw_seq(const struct effect *eff)
{
	if (m.again && eff->seq <= m.seq)
		return false;
	RULE(eff->seq == m.seq + 1, "seq %lu after %lu",
	    (unsigned long)eff->seq, (unsigned long)m.seq);
	m.seq = eff->seq;
	return true;
}

void
rules_effect(const struct effect *eff)
{
	struct seen *s = &m.seen[eff->node <= CAP ? eff->node : 0];

	switch (eff->kind) {
	case EFF_STATE:
		if (saw_seq(eff))
			saw_state(eff);
		break;
	case EFF_REPORT:
		if (saw_seq(eff))
			saw_report(eff);
		break;
	case EFF_REPLY:
		saw_reply(eff);
		break;
	case EFF_FREED:
		if (m.again)
			break; /* it may be in use again */
		RULE(s->used, "node %u is freed twice", eff->node);
		RULE(!slot_is_live(eff->node), "%u is freed alive", eff->node);
		s->used = false;
		break;
	case EFF_DONE:
		saw_done();
		break;
	case EFF_SIGNAL:
		if (eff->sig == SIGKILL)
			s->killed = eff->inc;
		if (s->state == CHILD_STARTING)
			s->given_up = eff->inc;
		break;
	case EFF_SPAWN:
		s->spawned = eff->inc;
		break;
	case EFF_PROBE:
	case EFF_KIND_N:
		break;
	}
}

/* ---- steps -------------------------------------------------------------- */

static bool is_new_end; /* an end that the core has not been told of yet */

void
rules_before(const struct event *ev)
{
	struct seen *s = &m.seen[ev->node <= CAP ? ev->node : 0];

	is_new_end = ev->kind == EV_EXITED && engine_has(m.e, ev->node) &&
	             engine_incarnation(m.e, ev->node) == ev->inc &&
	             s->exited < ev->inc;
	if (is_new_end)
		s->exited = ev->inc;
	by_itself = ev->kind == EV_EXITED || ev->kind == EV_SPAWN_FAILED
	                ? ev->node
	                : NODE_NONE;
	if (ev->kind == EV_CLEAR && s->used)
		s->n_restarts = 0;
	if (ev->kind == EV_SHUTDOWN)
		m.seen[NODE_ROOT].going_down = true;
}

static bool
waits_for_ever(const struct worker_spec *spec)
{
	for (uint32_t i = 0; i < spec->n_stop; i++)
		if (spec->stop[i].wait_ns < 0)
			return true;
	return spec->hook_timeout_ns < 0; /* it may be its post_stop */
}

/* shutdown_deadline of one above has passed: nobody below is waited for. */
static void
check_late(node_t n)
{
	const struct seen *w = &m.seen[n];

	for (node_t s = engine_parent(m.e, n); s != NODE_NONE;
	     s = engine_parent(m.e, s))
		RULE(mono_before(m.now, m.seen[s].stop_by) ||
			 w->killed == engine_incarnation(m.e, n),
		    "%s should be killed: %s is to be down", name_of(n),
		    name_of(s));
}

static void
check_node(node_t n)
{
	const struct seen *s = &m.seen[n];

	RULE(engine_has(m.e, n), "node %u has gone silently", n);
	RULE(engine_state(m.e, n) == s->state, "%s is %s, but has not said so",
	    name_of(n), child_state_name(engine_state(m.e, n)));
	if (engine_is_sup(m.e, n) &&
	    !mono_is_never(engine_node_deadline(m.e, n)))
		m.seen[n].stop_by = engine_node_deadline(m.e, n);
	if (s->state != CHILD_STOPPING || engine_is_sup(m.e, n))
		return;
	check_late(n);
	RULE(!mono_is_never(engine_node_deadline(m.e, n)) ||
		 s->killed == engine_incarnation(m.e, n) ||
		 waits_for_ever(engine_worker_spec(m.e, n)),
	    "the stop of %s may never end", name_of(n));
}

void
rules_after(const struct event *ev, uint32_t n_effects)
{
	bool moved = n_effects > 0;

	/* A hook's end may lead to a start that has to wait its turn. */
	if (is_new_end && engine_has(m.e, ev->node))
		moved |= engine_incarnation(m.e, ev->node) > ev->inc;
	if (ev->kind == EV_EXITED)
		RULE(moved == is_new_end, "%u.%lu: %s", ev->node,
		    (unsigned long)ev->inc,
		    is_new_end ? "its end has no effect"
			       : "its end has an effect again");
	for (node_t n = 1; n <= CAP; n++)
		if (m.seen[n].used)
			check_node(n);
}

/* A living process is one that the engine knows, under supervisors that run. */
static void
check_live(node_t n)
{
	RULE(m.seen[n].used, "nobody knows %u.%lu", n,
	    (unsigned long)m.slot[n].inc);
	RULE(engine_incarnation(m.e, n) == m.slot[n].inc,
	    "%s: %lu lives, but the engine is at %lu", name_of(n),
	    (unsigned long)m.slot[n].inc,
	    (unsigned long)engine_incarnation(m.e, n));
	RULE(m.process[n].proc != PROC_MAIN ||
		 m.seen[n].state == CHILD_STARTING ||
		 m.seen[n].state == CHILD_READY ||
		 m.seen[n].state == CHILD_STOPPING,
	    "%s is alive and %s", name_of(n),
	    child_state_name(m.seen[n].state));
	for (node_t s = engine_parent(m.e, n); s != NODE_NONE;
	     s = engine_parent(m.e, s))
		RULE(m.seen[s].state != CHILD_STOPPED,
		    "%s is alive under %s, which is down", name_of(n),
		    name_of(s));
}

/* What was ordered has reached the keeper, also after a death in between. */
static void
check_orders(node_t n)
{
	const struct seen *s = &m.seen[n];

	RULE(s->spawned <= m.slot[n].inc || s->given_up == s->spawned,
	    "the spawn of %s %lu is lost", name_of(n),
	    (unsigned long)s->spawned);
	RULE(!slot_is_live(n) || s->killed != m.slot[n].inc ||
		 !mono_is_never(m.process[n].end_at),
	    "the SIGKILL of %s %lu is lost", name_of(n),
	    (unsigned long)s->killed);
}

void
rules_carried_out(void)
{
	for (node_t n = 1; n <= CAP; n++) {
		if (slot_is_live(n))
			check_live(n);
		if (m.seen[n].used && m.recovering == 0)
			check_orders(n);
	}
}

void
rules_end(void)
{
	RULE(m.done, "the root does not come down");
	for (node_t n = 1; n <= CAP; n++) {
		RULE(!m.process[n].alive, "%u is alive after the end", n);
		RULE(m.slot[n].state != SLOT_EXITED,
		    "the end of %u.%lu was never acknowledged", n,
		    (unsigned long)m.slot[n].inc);
	}
	for (uint32_t i = 0; i < m.n_calls; i++)
		RULE(m.call[i].state != CALL_WAITS,
		    "call %u was never answered", i + 1);
}
