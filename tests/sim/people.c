/* SPDX-License-Identifier: ISC */
/* Those who write configurations and give orders, at random. */
#include "machine.h"

#include <signal.h>
#include <stdio.h>

/* ---- specs -------------------------------------------------------------- */

static void
draw_stop(struct worker_spec *s)
{
	s->stop[0] = (struct stop_stage){ SIGTERM, rnd(5) * 200 * NS_PER_MS };
	s->stop[1] = (struct stop_stage){ SIGKILL, 0 };
	s->n_stop = 2;
	switch (rnd(8)) {
	case 0: /* brutal_kill */
		s->stop[0] = s->stop[1];
		s->n_stop = 1;
		break;
	case 1: /* infinity */
		s->stop[0].wait_ns = -1;
		s->n_stop = 1;
		break;
	case 2: /* several stages */
		s->stop[2] = s->stop[1];
		s->stop[1] =
		    (struct stop_stage){ SIGINT, rnd(3) * 100 * NS_PER_MS };
		s->n_stop = 3;
		break;
	default:
		break;
	}
}

/* What is off by default (D13). */
static void
draw_extensions(struct worker_spec *s)
{
	if (chance(3)) {
		s->backoff = (struct backoff){
			.min_ns = (1 + rnd(5)) * 50 * NS_PER_MS,
			.max_ns = (1 + rnd(5)) * NS_PER_S,
			.factor_milli = 1000 + rnd(2000),
			.jitter_milli = rnd(200),
		};
		s->reset_after_ns = rnd(2) * 5 * NS_PER_S;
	}
	if (chance(16))
		s->max_attempts = 1 + rnd(5);
	s->pre_start = chance(6);
	s->post_stop = chance(6);
	s->hook_timeout_ns = chance(4) ? -1 : (1 + rnd(10)) * 50 * NS_PER_MS;
	if (chance(6))
		s->heartbeat_ns = (1 + rnd(5)) * NS_PER_S;
	if (chance(5))
		s->health = (struct health){
			.interval_ns = (1 + rnd(5)) * 500 * NS_PER_MS,
			.timeout_ns = (1 + rnd(5)) * 200 * NS_PER_MS,
			.initial_delay_ns = rnd(3) * NS_PER_S,
			.failures = 1 + rnd(3),
		};
	if (chance(8))
		s->max_lifetime_ns = (1 + rnd(5)) * 3 * NS_PER_S;
}

static const struct worker_spec *
draw_worker(bool may_be_significant)
{
	struct worker_spec s = {
		.restart = (enum restart_type)(chance(2) ? 0 : rnd(3)),
		.enabled = !chance(16),
		.kill_group = chance(2),
		.ready = (enum ready_kind)rnd(3),
		.ready_delay_ns = rnd(3) * 100 * NS_PER_MS,
		.start_timeout_ns = chance(4) ? -1 : (1 + rnd(5)) * NS_PER_S,
		.start_grace_ns = rnd(2) * 50 * NS_PER_MS,
		.success = { .code = { 1 } },
		.fatal = { .code = { chance(4) ? 1 << 4 : 0 } },
	};

	s.significant =
	    may_be_significant && s.restart != PERMANENT && chance(2);
	draw_stop(&s);
	if (chance(2))
		draw_extensions(&s);
	return own(&s, sizeof(s));
}

static const struct sup_spec *
draw_sup(bool root, bool may_be_pool)
{
	struct sup_spec s = {
		.strategy = (enum strategy)rnd(may_be_pool ? 4 : 3),
		.restart = (enum restart_type)(chance(2) ? 0 : rnd(3)),
		.on_giveup = (enum on_giveup)rnd(GIVEUP_N),
		.intensity = chance(8) ? 0 : 1 + rnd(6),
		.period_ns = (1 + rnd(10)) * NS_PER_S,
		.max_children = chance(4) ? 3 : 0,
		.shutdown_deadline_ns = chance(3) ? NS_PER_S : -1,
	};

	if (root) {
		s.strategy = (enum strategy)rnd(3);
		s.intensity = 20;
		s.period_ns = NS_PER_S;
	} else if (s.strategy != SIMPLE_ONE_FOR_ONE && chance(3)) {
		s.auto_shutdown = (enum auto_shutdown)(1 + rnd(2));
	}
	return own(&s, sizeof(s));
}

/* ---- trees -------------------------------------------------------------- */

static void
add_sup(node_t parent, int depth)
{
	const struct sup_spec *s = draw_sup(parent == NODE_NONE, true);
	bool pool = s->strategy == SIMPLE_ONE_FOR_ONE;
	uint32_t kids = pool ? 0 : rnd(5) + (parent == NODE_NONE ? 2 : 0);
	char name[24];
	node_t n;

	snprintf(name, sizeof(name), "s%u", m.n_names++);
	n = shell_add_sup(parent, name, s);
	for (uint32_t i = 0; i < kids && n != NODE_NONE; i++) {
		if (depth > 0 && chance(3)) {
			add_sup(n, depth - 1);
			continue;
		}
		snprintf(name, sizeof(name), "w%u", m.n_names++);
		shell_add_worker(
		    n, name, draw_worker(s->auto_shutdown != AUTO_NEVER));
	}
}

void
people_build_tree(void)
{
	add_sup(NODE_NONE, 3);
	if (chance(4))
		shell_set_spawn_interval((1 + rnd(4)) * 20 * NS_PER_MS);
}

/* A detached child: a worker, or a supervisor with one. */
static node_t
new_child(void)
{
	char name[24];
	node_t n;

	snprintf(name, sizeof(name), "d%u", rnd(9));
	if (!chance(5))
		return shell_add_worker(NODE_NONE, name, draw_worker(false));
	n = shell_add_sup(NODE_NONE, name, draw_sup(false, false));
	if (n != NODE_NONE)
		shell_add_worker(n, "w", draw_worker(false));
	return n;
}

/* ---- calls -------------------------------------------------------------- */

static void
ask(struct event ev)
{
	struct call *c;

	if (m.n_calls == CALLS_MAX)
		return;
	c = &m.call[m.n_calls++];
	ev.tag = m.n_calls;
	c->state = CALL_WAITS;
	c->ev = ev;
	c->reloads = ev.node <= CAP ? m.seen[ev.node].reloads : 0;
	shell_event(ev);
}

/* Nobody has given its new nodes away: who made them takes them back. */
void
people_lost(const struct event *ev)
{
	struct call *c;

	if (ev->tag == 0 || ev->kind == EV_PROBED)
		return;
	c = &m.call[ev->tag - 1];
	c->state = CALL_LOST;
	if (ev->kind == EV_START_CHILD && engine_has(m.e, ev->child))
		shell_discard(ev->child);
}

static node_t
random_node(bool sup)
{
	node_t n = 1 + rnd(CAP);

	for (uint32_t i = 0; i < CAP; i++, n = n % CAP + 1)
		if (m.seen[n].used && engine_is_sup(m.e, n) == sup &&
		    (n == NODE_ROOT || engine_parent(m.e, n) != NODE_NONE))
			return n;
	return NODE_ROOT;
}

static void
call_about_a_child(void)
{
	static const enum event_kind kinds[] = { EV_RESTART_CHILD,
		EV_RESTART_CHILD, EV_RESTART_CHILD, EV_TERMINATE_CHILD,
		EV_TERMINATE_CHILD, EV_DELETE_CHILD };

	ask((struct event){
	    .kind = kinds[rnd(6)],
	    .node = chance(12) ? 1 + rnd(CAP + 5) : random_node(chance(4)),
	});
}

static void
call_start_child(void)
{
	struct event ev = {
		.kind = EV_START_CHILD,
		.node = random_node(!chance(20)),
	};

	if (m.n_calls == CALLS_MAX)
		return;
	ev.child = new_child();
	if (ev.child != NODE_NONE)
		ask(ev);
}

static uint32_t
draw_plan_children(node_t sup, struct plan_child *child)
{
	uint32_t n = 0;

	for (node_t c = engine_first_child(m.e, sup); c != NODE_NONE;
	     c = engine_next_child(m.e, c)) {
		if (chance(4))
			continue;
		child[n] = (struct plan_child){
			.node = c,
			.changed = chance(3),
			.adopt = chance(2),
		};
		if (!engine_is_sup(m.e, c) && chance(2))
			child[n].worker = draw_worker(true);
		n++;
	}
	for (uint32_t i = 1; i < n; i++) { /* another order */
		uint32_t k = rnd(i + 1);
		struct plan_child t = child[i];

		child[i] = child[k];
		child[k] = t;
	}
	return n;
}

static void
call_reload(void)
{
	node_t sup = random_node(true);
	bool pool = engine_sup_spec(m.e, sup)->strategy == SIMPLE_ONE_FOR_ONE;
	struct plan_child *child = own(NULL, sizeof(*child) * (CAP + 4));
	struct sup_spec *spec =
	    own(draw_sup(sup == NODE_ROOT, false), sizeof(*spec));
	struct plan plan = { .child = child, .spec = spec };

	if (pool)
		spec->strategy = SIMPLE_ONE_FOR_ONE;
	plan.window = own(NULL, sizeof(mono_t) * spec->intensity);
	plan.n = draw_plan_children(sup, child);
	for (uint32_t k = rnd(3); k > 0 && !pool; k--) {
		node_t n = new_child();

		if (n != NODE_NONE)
			child[plan.n++] = (struct plan_child){ .node = n };
	}
	shell_set_plan(sup, own(&plan, sizeof(plan)));
	/* A plan for which the order is lost gets another one. */
	do
		ask((struct event){ .kind = EV_RELOAD, .node = sup });
	while (m.n_calls < CALLS_MAX &&
	       m.call[m.n_calls - 1].state == CALL_LOST && m.seen[sup].used);
}

/* Old incarnations, nodes that are not: all legal. */
static void
talk_nonsense(void)
{
	struct event ev = {
		.kind = (enum event_kind)(EV_SPAWNED + rnd(5)),
		.node = rnd(CAP + 20),
		.inc = rnd(3),
		.code = (int)rnd(200),
	};

	if (chance(4)) {
		ev.kind = chance(2) ? EV_BEAT : EV_PROBED;
		ev.tag = ev.kind == EV_PROBED ? rnd(5) : 0;
	}
	if (ev.node <= CAP && m.slot[ev.node].inc <= ev.inc)
		return; /* that might not be nonsense */
	shell_event(ev);
}

void
people_do_something(void)
{
	switch (rnd(24)) {
	case 0:
		shell_event((struct event){
		    .kind = EV_CLEAR, .node = random_node(true) });
		break;
	case 1:
		shell_event((struct event){
		    .kind = EV_RETRY, .node = random_node(false) });
		break;
	case 2:
		call_reload();
		break;
	case 3:
		ask((struct event){
		    .kind = EV_APPLY, .node = random_node(true) });
		break;
	case 4:
		talk_nonsense();
		break;
	case 5:
	case 6:
	case 7:
		call_start_child();
		break;
	case 8:
	case 9:
	case 10:
	case 11:
		call_about_a_child();
		break;
	default:
		keeper_hurt();
		break;
	}
}
