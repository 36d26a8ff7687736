/* SPDX-License-Identifier: ISC */
/*
 * The core under random trees and random histories: processes that crash, hang,
 * ignore TERM, fail to start, answer late; calls at any time; events that make
 * no sense.  engine_check() after every step; at the end a shutdown must bring
 * everything down.  The seed that fails is printed.
 */
#include "core/engine.h"

#include <assert.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAP   96
#define SEEDS 20000
#define STEPS 300

#define RELOADS 8 /* at the same time */

struct proc {
	bool alive; /* at most one incarnation: promise 1 */
	bool execed;
	uint64_t inc;
	uint64_t ended; /* the last incarnation whose end was told */
	enum proc_kind kind;
	enum child_state state; /* as the effects have told it */
	bool prepared;          /* pre_start went well, in this start */
	bool dirty;             /* ran, and its post_stop has not run yet */
	uint64_t probe;         /* the last one asked for */
};

/* A reload that is under way, and what it replaces. */
struct reload {
	bool used;
	uint64_t tag;
	struct plan plan;
	struct plan_child child[CAP];
	const struct worker_spec *was[CAP];
};

static struct world {
	uint64_t rng;
	struct engine *e;
	mono_t now;
	struct proc proc[CAP + 1];
	struct worker_spec w[4096];
	struct sup_spec s[512];
	mono_t window[512][8];
	unsigned long n_steps;
	unsigned n_w, n_s, n_calls, n_replies, n_names;
	bool done;
	struct reload reload[RELOADS];
} w;

static unsigned long total_steps;

/* xorshift64*: the same sequence everywhere. */
static uint32_t
rnd(uint32_t below)
{
	w.rng ^= w.rng >> 12;
	w.rng ^= w.rng << 25;
	w.rng ^= w.rng >> 27;
	return (uint32_t)((w.rng * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % below;
}

/* One at a time, each a new incarnation, the hooks around the program. */
static void
on_spawn(const struct effect *eff)
{
	const struct worker_spec *s = engine_worker_spec(w.e, eff->node);
	struct proc *p = &w.proc[eff->node];

	assert_false(p->alive);
	assert_true(eff->inc > p->inc);
	if (eff->proc == PROC_POST_STOP) {
		assert_true(p->dirty);
		assert_int_not_equal(eff->reason.kind, REASON_NONE);
	} else {
		assert_int_equal(p->state, CHILD_STARTING);
		assert_false(p->dirty);
		assert_int_equal(eff->proc,
		    s->pre_start && !p->prepared ? PROC_PRE_START : PROC_MAIN);
	}
	p->alive = true;
	p->execed = false;
	p->inc = eff->inc;
	p->kind = eff->proc;
}

static void
on_state(const struct effect *eff)
{
	struct proc *p = &w.proc[eff->node];

	p->state = eff->to;
	if (eff->to == CHILD_STARTING)
		p->prepared = false;
	if (eff->to == CHILD_STOPPED || eff->to == CHILD_ENDED) {
		assert_false(p->alive);
		assert_false(p->dirty);
	}
}

/* What a reload has replaced is unused from its answer on: spoil it. */
static void
reload_answered(uint64_t tag)
{
	struct reload *r = w.reload;

	while (r < w.reload + RELOADS && !(r->used && r->tag == tag))
		r++;
	if (r == w.reload + RELOADS)
		return;
	for (uint32_t i = 0; i < r->plan.n; i++) {
		node_t n = r->child[i].node;
		struct worker_spec *was = NULL;

		if (r->was[i] != NULL)
			was = &w.w[r->was[i] - w.w];
		if (was != NULL &&
		    (!engine_has(w.e, n) || engine_worker_spec(w.e, n) != was))
			memset(was, 0xa5, sizeof(*was));
	}
	r->used = false;
}

static void
on_effect(void *ctx, const struct effect *eff)
{
	struct proc *p = &w.proc[eff->node];

	(void)ctx;
	switch (eff->kind) {
	case EFF_SPAWN:
		on_spawn(eff);
		break;
	case EFF_SIGNAL:
		/* Only what is believed alive is signalled. */
		assert_int_equal(eff->inc, p->inc);
		break;
	case EFF_REPLY:
		w.n_replies++;
		reload_answered(eff->tag);
		break;
	case EFF_FREED:
		assert_false(p->alive);
		p->probe = 0; /* whoever gets the slot counts afresh */
		break;
	case EFF_DONE:
		assert_false(w.done);
		w.done = true;
		for (node_t n = 1; n <= CAP; n++)
			assert_false(w.proc[n].alive);
		break;
	case EFF_STATE:
		on_state(eff);
		break;
	case EFF_REPORT:
		if (eff->report == REPORT_HOOK_FAILED)
			p->dirty = false; /* it may have had no time at all */
		break;
	case EFF_PROBE:
		assert_int_equal(p->state, CHILD_READY);
		assert_int_equal(eff->inc, p->inc);
		assert_true(eff->tag > p->probe);
		p->probe = eff->tag;
		break;
	case EFF_KIND_N:
		break;
	}
}

/* A node that is in use, mostly; a supervisor, if that is wanted. */
static node_t
any_node(bool sup)
{
	node_t n = 1 + rnd(CAP);

	for (int i = 0; i < CAP && rnd(64) != 0; i++, n = n % CAP + 1)
		if (engine_has(w.e, n) && (!sup || engine_is_sup(w.e, n)))
			break;
	return n;
}

static void
step(struct event ev)
{
	struct effects todo = { on_effect, NULL };

	ev.now = w.now;
	engine_step(w.e, &ev, &todo);
	engine_check(w.e);
}

/* Backoff and max_attempts, or not. */
static void
random_retry(struct worker_spec *s)
{
	if (rnd(3) == 0)
		s->backoff = (struct backoff){
			.min_ns = (1 + rnd(5)) * 50 * NS_PER_MS,
			.max_ns = (5 + rnd(20)) * 100 * NS_PER_MS,
			.factor_milli = 1000 + rnd(3) * 500,
			.jitter_milli = rnd(3) * 500,
		};
	s->max_attempts = rnd(3) == 0 ? 1 + rnd(4) : 0;
	s->reset_after_ns = (1 + rnd(10)) * 200 * NS_PER_MS;
}

/* Hooks, probes, heartbeat, max_lifetime, or not. */
static void
random_life(struct worker_spec *s)
{
	s->pre_start = rnd(4) == 0;
	s->post_stop = rnd(4) == 0;
	s->hook_timeout_ns = rnd(4) == 0 ? -1 : (1 + rnd(4)) * 500 * NS_PER_MS;
	if (rnd(4) == 0)
		s->health = (struct health){
			.interval_ns = (1 + rnd(4)) * 100 * NS_PER_MS,
			.timeout_ns = (1 + rnd(3)) * 100 * NS_PER_MS,
			.initial_delay_ns = rnd(3) * 100 * NS_PER_MS,
			.failures = 1 + rnd(3),
		};
	if (rnd(4) == 0)
		s->heartbeat_ns = (1 + rnd(10)) * 100 * NS_PER_MS;
	if (rnd(6) == 0)
		s->max_lifetime_ns = (1 + rnd(10)) * 200 * NS_PER_MS;
}

static const struct worker_spec *
random_worker(bool may_be_significant)
{
	struct worker_spec *s = &w.w[w.n_w++];

	*s = (struct worker_spec){
		.restart = (enum restart_type)rnd(3),
		.enabled = rnd(12) != 0,
		.kill_group = rnd(2),
		.ready = (enum ready_kind)rnd(3),
		.ready_delay_ns = rnd(3) * 100 * NS_PER_MS,
		.start_timeout_ns = rnd(4) == 0 ? -1 : (1 + rnd(5)) * NS_PER_S,
		.start_grace_ns = rnd(2) * 50 * NS_PER_MS,
		.stop = { { SIGTERM, rnd(5) * 200 * NS_PER_MS },
		    { SIGKILL, 0 } },
		.n_stop = 2,
		.success = { .code = { 1 } },
	};
	random_retry(s);
	random_life(s);
	s->significant = may_be_significant && s->restart != PERMANENT;
	if (rnd(6) == 0) {
		s->stop[0] = (struct stop_stage){ SIGKILL, 0 };
		s->n_stop = 1;
	} else if (rnd(6) == 0) {
		s->stop[0].wait_ns = -1;
		s->n_stop = 1;
	}
	return s;
}

static struct sup_spec *
random_sup_spec(void)
{
	struct sup_spec *s = &w.s[w.n_s];

	*s = (struct sup_spec){
		.strategy = (enum strategy)rnd(4),
		.auto_shutdown = (enum auto_shutdown)rnd(3),
		.restart = (enum restart_type)rnd(3),
		.on_giveup = (enum on_giveup)rnd(2),
		.intensity = rnd(3) == 0 ? 8 : rnd(5),
		.period_ns = (1 + rnd(5)) * NS_PER_S,
		.max_children = rnd(4) == 0 ? 3 : 0,
		.shutdown_deadline_ns = rnd(3) == 0 ? NS_PER_S : -1,
	};
	if (s->strategy == SIMPLE_ONE_FOR_ONE)
		s->auto_shutdown = AUTO_NEVER;
	return s;
}

static node_t
random_sup(node_t parent, int depth)
{
	struct sup_spec *s = random_sup_spec();
	char name[16];
	uint32_t kids = s->strategy != SIMPLE_ONE_FOR_ONE ? rnd(4) : 0;
	node_t n;

	snprintf(name, sizeof(name), "s%u", w.n_s);
	n = engine_add_sup(w.e, parent, name, s, w.window[w.n_s++]);
	assert_int_not_equal(n, NODE_NONE);
	for (uint32_t i = 0; i < kids; i++) {
		if (depth > 0 && rnd(3) == 0) {
			random_sup(n, depth - 1);
			continue;
		}
		snprintf(name, sizeof(name), "w%u", w.n_w);
		engine_add_worker(w.e, n, name,
		    random_worker(s->auto_shutdown != AUTO_NEVER));
	}
	return n;
}

/* It says something, or answers a probe. */
static struct event
word_of(node_t n)
{
	struct event ev = { .kind = EV_READY, .node = n };
	const struct proc *p = &w.proc[n];

	ev.inc = p->inc;
	if (rnd(3) == 0) {
		ev.kind = EV_BEAT;
		ev.code = rnd(8) == 0;
	} else if (rnd(3) == 0) {
		ev.kind = EV_PROBED;
		ev.code = (int)rnd(2);
		ev.tag = p->probe - (rnd(8) == 0);
	}
	return ev;
}

static struct event
end_of(node_t n)
{
	struct event ev = { .kind = EV_EXITED, .node = n };
	struct proc *p = &w.proc[n];

	ev.inc = p->inc;
	ev.is_signal = rnd(2);
	ev.code = ev.is_signal ? (rnd(2) ? SIGTERM : SIGKILL) : (int)rnd(3);
	if (p->kind != PROC_MAIN && rnd(2)) { /* hooks mostly do well */
		ev.is_signal = false;
		ev.code = 0;
	}
	if (p->kind == PROC_MAIN && rnd(3) == 0)
		ev.declared = rnd(DECLARED_N);
	return ev;
}

/* D10: what it has declared says whether it was clean. */
static void
check_declared(const struct event *ev)
{
	struct reason why;

	if (!engine_has(w.e, ev->node) || engine_is_sup(w.e, ev->node))
		return;
	why = engine_last_reason(w.e, ev->node);
	if (!why.declared || why.kind == REASON_EARLY ||
	    ev->declared == DECLARED_NOTHING)
		return;
	if (why.kind == REASON_IGNORE)
		assert_int_equal(ev->declared, DECLARED_IGNORE);
	else
		assert_true(
		    reason_is_clean(&why) == (ev->declared < DECLARED_OTHER));
}

/* Its last: what must come of it is noted before the core hears of it. */
static void
tell_end(const struct event *ev)
{
	struct proc *p = &w.proc[ev->node];

	assert_true(p->inc > p->ended);
	p->ended = p->inc;
	p->alive = false;
	if (p->kind == PROC_PRE_START)
		p->prepared = !ev->is_signal && ev->code == 0;
	else if (p->kind == PROC_MAIN && p->execed)
		p->dirty = engine_worker_spec(w.e, ev->node)->post_stop;
	else if (p->kind == PROC_POST_STOP)
		p->dirty = false;
	step(*ev);
	check_declared(ev);
}

/* Something that the world does to one process, or tells about it. */
static void
process_event(node_t n)
{
	struct proc *p = &w.proc[n];
	struct event ev = { .kind = EV_TICK };

	/* The next living one from here on. */
	for (int i = 0; i < CAP && !p->alive; i++) {
		n = n % CAP + 1;
		p = &w.proc[n];
	}
	ev.node = n;
	ev.inc = p->inc;
	if (!p->alive)
		return;
	if (!p->execed && rnd(8) == 0) {
		ev.kind = EV_SPAWN_FAILED;
		ev.step = 1;
		ev.code = rnd(2) ? EAGAIN : ENOENT;
		p->alive = false;
	} else if (!p->execed) {
		ev.kind = EV_EXECED;
		p->execed = true;
	} else if (rnd(2) == 0) {
		ev = word_of(n);
	} else {
		ev = end_of(n);
		tell_end(&ev);
		return;
	}
	step(ev);
}

static void
random_call(void)
{
	static const enum event_kind kinds[] = { EV_START_CHILD,
		EV_RESTART_CHILD, EV_TERMINATE_CHILD, EV_DELETE_CHILD, EV_RETRY,
		EV_CLEAR };
	struct event ev = {
		.kind = kinds[rnd(6)],
	};
	char name[24];

	if (ev.kind != EV_RETRY && ev.kind != EV_CLEAR)
		ev.tag = ++w.n_calls;
	ev.node = any_node(ev.kind == EV_START_CHILD);
	if (ev.kind == EV_START_CHILD) {
		snprintf(name, sizeof(name), "d%u", w.n_names++ % 9);
		ev.child = engine_add_worker(
		    w.e, NODE_NONE, name, random_worker(false));
	}
	step(ev);
}

/* ---- reload and apply ---------------------------------------------------- */

static struct plan_child *
add_place(struct reload *r, node_t n)
{
	struct plan_child *k = &r->child[r->plan.n];

	r->was[r->plan.n] = NULL;
	r->plan.n++;
	*k = (struct plan_child){ .node = n };
	return k;
}

static void
add_known(struct reload *r, node_t n)
{
	struct plan_child *k = add_place(r, n);
	const struct worker_spec *was = engine_worker_spec(w.e, n);

	k->changed = rnd(3) == 0;
	k->adopt = rnd(2);
	if (was == NULL || rnd(2) == 0)
		return;
	r->was[r->plan.n - 1] = was;
	k->worker = random_worker(true);
}

/* A new child: a worker, or a supervisor with one. */
static void
add_new(struct reload *r)
{
	char name[16];
	node_t n;

	if (rnd(3) != 0) {
		/* At times a name that start_child uses, too. */
		snprintf(name, sizeof(name), "d%u", rnd(20));
		n = engine_add_worker(
		    w.e, NODE_NONE, name, random_worker(true));
	} else {
		const struct sup_spec *s = random_sup_spec();

		snprintf(name, sizeof(name), "s%u", w.n_s);
		n = engine_add_sup(w.e, NODE_NONE, name, s, w.window[w.n_s++]);
		if (n != NODE_NONE && s->strategy != SIMPLE_ONE_FOR_ONE)
			engine_add_worker(w.e, n, "w", random_worker(true));
	}
	if (n != NODE_NONE)
		add_place(r, n);
}

static bool
has_room(void)
{
	return w.n_w + 2 * CAP < ARRAY_LEN(w.w) && w.n_s + 4 < ARRAY_LEN(w.s);
}

static void
random_plan(struct reload *r, node_t sup)
{
	const struct sup_spec *s = random_sup_spec();
	uint32_t n;

	r->plan = (struct plan){
		.spec = s, .window = w.window[w.n_s++], .child = r->child
	};
	for (node_t c = engine_first_child(w.e, sup); c != NODE_NONE;
	     c = engine_next_child(w.e, c))
		if (rnd(4) != 0 && r->plan.n < CAP - 2)
			add_known(r, c);
	/* Another order, but no place twice. */
	n = r->plan.n;
	for (uint32_t i = 1; i < n; i++) {
		uint32_t k = rnd(i + 1);
		struct plan_child t = r->child[i];
		const struct worker_spec *was = r->was[i];

		r->child[i] = r->child[k];
		r->was[i] = r->was[k];
		r->child[k] = t;
		r->was[k] = was;
	}
	for (uint32_t k = rnd(3); k > 0; k--)
		if (s->strategy != SIMPLE_ONE_FOR_ONE)
			add_new(r);
}

static void
random_reload(void)
{
	struct event ev = { .kind = EV_RELOAD, .node = any_node(true) };
	struct reload *r = &w.reload[rnd(RELOADS)];
	bool is_sup = engine_has(w.e, ev.node) && engine_is_sup(w.e, ev.node);

	if (r->used || !has_room())
		return;
	ev.tag = ++w.n_calls;
	if (is_sup && rnd(16) != 0) {
		r->used = true;
		r->tag = ev.tag;
		random_plan(r, ev.node);
		engine_set_plan(w.e, ev.node, &r->plan);
	}
	step(ev);
}

static void
random_apply(void)
{
	struct event ev = { .kind = EV_APPLY, .node = any_node(true) };

	ev.tag = ++w.n_calls;
	for (node_t n = 1; n <= CAP; n++)
		if (engine_has(w.e, n))
			engine_is_stale(w.e, n);
	step(ev);
}

/* Old incarnations, nodes that are not, ends told of nobody: all legal. */
static void
nonsense(void)
{
	static const enum event_kind kinds[] = { EV_SPAWNED, EV_EXECED,
		EV_SPAWN_FAILED, EV_READY, EV_EXITED, EV_BEAT, EV_PROBED };
	struct event ev = {
		.kind = kinds[rnd(7)],
		.node = rnd(CAP + 20),
		.inc = rnd(3),
		.code = (int)rnd(200),
	};

	if (ev.node <= CAP && w.proc[ev.node].inc == ev.inc)
		return; /* that would not be nonsense */
	step(ev);
}

static void
pass_time(void)
{
	mono_t dl = engine_deadline(w.e);

	if (rnd(2) == 0 && !mono_is_never(dl) && mono_before(w.now, dl))
		w.now = dl;
	else
		w.now.ns += rnd(300) * NS_PER_MS;
	step((struct event){ .kind = EV_TICK });
}

/* Everything answers from here on: a stop must come to its end. */
static void
bring_down(void)
{
	step((struct event){ .kind = EV_SHUTDOWN });
	for (int i = 0; i < 20000 && !w.done; i++) {
		for (node_t n = 1; n <= CAP; n++) {
			if (!w.proc[n].alive || w.done)
				continue;
			tell_end(&(struct event){ .kind = EV_EXITED,
			    .node = n,
			    .inc = w.proc[n].inc,
			    .code = SIGTERM,
			    .is_signal = true });
		}
		w.now.ns += 100 * NS_PER_MS;
		step((struct event){ .kind = EV_TICK });
	}
	assert_true(w.done);
}

static void
one_history(uint64_t seed, void *mem)
{
	memset(mem, 0, engine_size(CAP));
	w = (struct world){ .rng = seed * 2 + 1, .e = engine_init(mem, CAP) };
	random_sup(NODE_NONE, 3);
	if (rnd(4) == 0)
		engine_set_spawn_interval(w.e, 30 * NS_PER_MS);
	step((struct event){ .kind = EV_BOOT });
	for (int i = 0; i < STEPS && !w.done; i++) {
		w.n_steps++;
		switch (rnd(8)) {
		case 0:
			pass_time();
			break;
		case 1:
			random_call();
			break;
		case 2:
			nonsense();
			break;
		case 3:
			if (seed % 2 == 0 && rnd(3) == 0)
				random_reload();
			else if (seed % 2 == 0 && rnd(3) == 0)
				random_apply();
			else
				process_event(1 + rnd(CAP));
			break;
		default:
			process_event(1 + rnd(CAP));
			break;
		}
	}
	total_steps += w.n_steps;
	if (!w.done)
		bring_down();
	assert_int_equal(w.n_calls, w.n_replies);
}

static void
invariants_hold_under_random_histories(void **state)
{
	void *mem = malloc(engine_size(CAP));

	(void)state;
	assert_non_null(mem);
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		const char *only = getenv("SEED");

		if (only != NULL)
			seed = strtoull(only, NULL, 10);
		if (only != NULL || seed % 500 == 0)
			print_message(
			    "# seed %llu\n", (unsigned long long)seed);
		one_history(seed, mem);
		if (only != NULL)
			break;
	}
	print_message("# %lu steps\n", total_steps);
	free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(invariants_hold_under_random_histories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
