/* SPDX-License-Identifier: ISC */
/*
 * Reload and apply against their rules, written down once more and naively: who
 * is stopped, who is started, in which order, in each supervisor that an apply
 * comes to.  Random trees, random plans; processes do what they are told, in
 * any order among each other.  The seed that fails is printed.
 */
#include "core/engine.h"

#include <assert.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAP    128
#define SEEDS  20000
#define ROUNDS 6
#define QUEUE  1024
#define LIMIT  30 /* intensity: nobody gives up */

/* What the test itself knows of a node. */
struct known {
	bool alive;
	uint64_t inc;
	bool changed, removed, owed; /* by the rules, not by the engine */
	bool taken;                  /* has a place in the plan being made */
	bool hit;                    /* of the apply: stopped, or started */
};

struct move {
	node_t parent, node;
	bool start;
};

static struct world {
	uint64_t rng;
	struct engine *e;
	struct known k[CAP + 1];
	struct worker_spec w[1024];
	struct sup_spec s[256];
	mono_t window[256][LIMIT];
	struct plan plan[256];
	struct plan_child child[256][CAP];
	unsigned n_w, n_s, n_plans, n_names;
	struct event queue[QUEUE];
	unsigned n_queue;
	struct move move[QUEUE];
	unsigned n_moves;
	struct effect reply;
	uint64_t tag;
} w;

static unsigned long n_applies, n_moved;

static uint32_t
rnd(uint32_t below)
{
	w.rng ^= w.rng >> 12;
	w.rng ^= w.rng << 25;
	w.rng ^= w.rng >> 27;
	return (uint32_t)((w.rng * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % below;
}

/* ---- the machine -----------------------------------------------------------
 */

static void
push(enum event_kind kind, node_t n, int sig)
{
	assert_true(w.n_queue < QUEUE);
	w.queue[w.n_queue++] = (struct event){
		.kind = kind,
		.node = n,
		.inc = w.k[n].inc,
		.code = sig,
		.is_signal = sig != 0,
	};
}

static void
on_state(const struct effect *eff)
{
	struct known *k = &w.k[eff->node];

	if (eff->to != CHILD_STARTING && eff->to != CHILD_STOPPING)
		return;
	if (eff->to == CHILD_STARTING)
		k->changed = k->owed = false;
	assert_true(w.n_moves < QUEUE);
	w.move[w.n_moves++] = (struct move){
		.parent = engine_parent(w.e, eff->node),
		.node = eff->node,
		.start = eff->to == CHILD_STARTING,
	};
}

static void
on_effect(void *ctx, const struct effect *eff)
{
	struct known *k = &w.k[eff->node];

	(void)ctx;
	switch (eff->kind) {
	case EFF_SPAWN:
		assert_false(k->alive);
		k->alive = true;
		k->inc = eff->inc;
		push(EV_EXECED, eff->node, 0);
		break;
	case EFF_SIGNAL:
		push(EV_EXITED, eff->node, eff->sig);
		break;
	case EFF_STATE:
		on_state(eff);
		break;
	case EFF_REPLY:
		w.reply = *eff;
		break;
	case EFF_FREED:
		assert_false(k->alive);
		*k = (struct known){ .inc = k->inc };
		break;
	case EFF_REPORT:
	case EFF_PROBE:
	case EFF_DONE:
	case EFF_KIND_N:
		break;
	}
}

static void
step(struct event ev)
{
	struct effects todo = { on_effect, NULL };
	static uint64_t hour;

	if (ev.kind != EV_EXECED && ev.kind != EV_EXITED)
		hour++; /* no two restarts are ever in one period */
	ev.now.ns = (int64_t)hour * 3600 * NS_PER_S;
	engine_step(w.e, &ev, &todo);
	engine_check(w.e);
}

/* Until all is quiet; what one process does keeps its order. */
static void
pump(void)
{
	while (w.n_queue > 0) {
		node_t n = w.queue[rnd(w.n_queue)].node;
		struct event ev;
		unsigned i = 0;

		while (w.queue[i].node != n)
			i++;
		ev = w.queue[i];
		memmove(&w.queue[i], &w.queue[i + 1],
		    (--w.n_queue - i) * sizeof(ev));
		if (ev.kind == EV_EXITED) {
			if (!w.k[n].alive || w.k[n].inc != ev.inc)
				continue;
			w.k[n].alive = false;
		}
		step(ev);
	}
}

static enum result
call(enum event_kind kind, node_t n, node_t child)
{
	w.reply = (struct effect){ .result = RESULT_N };
	step((struct event){
	    .kind = kind, .node = n, .child = child, .tag = ++w.tag });
	pump();
	assert_int_equal(w.reply.tag, w.tag);
	return w.reply.result;
}

/* ---- the tree --------------------------------------------------------------
 */

static const struct worker_spec *
random_worker(void)
{
	struct worker_spec *s = &w.w[w.n_w++];

	assert_true(w.n_w <= ARRAY_LEN(w.w));
	*s = (struct worker_spec){
		.restart = (enum restart_type)rnd(3),
		.enabled = rnd(8) != 0,
		.start_timeout_ns = -1,
		.stop = { { SIGTERM, -1 } },
		.n_stop = 1,
		.success = { .code = { 1 } },
	};
	return s;
}

static const struct sup_spec *
random_spec(bool pool)
{
	struct sup_spec *s = &w.s[w.n_s++];

	assert_true(w.n_s <= ARRAY_LEN(w.s));
	*s = (struct sup_spec){
		.strategy = pool ? SIMPLE_ONE_FOR_ONE : (enum strategy)rnd(3),
		.intensity = 1 + rnd(LIMIT),
		.period_ns = NS_PER_S,
		.shutdown_deadline_ns = -1,
	};
	return s;
}

static node_t
new_worker(node_t parent)
{
	char name[16];

	snprintf(name, sizeof(name), "w%u", w.n_names++);
	return engine_add_worker(w.e, parent, name, random_worker());
}

static node_t
new_sup(node_t parent, int depth)
{
	bool pool = parent != NODE_NONE && rnd(5) == 0;
	const struct sup_spec *s = random_spec(pool);
	char name[16];
	node_t n;

	snprintf(name, sizeof(name), "s%u", w.n_names++);
	n = engine_add_sup(w.e, parent, name, s, w.window[w.n_s - 1]);
	assert_int_not_equal(n, NODE_NONE);
	for (uint32_t i = pool ? 0 : rnd(5); i > 0; i--) {
		if (depth > 0 && rnd(3) == 0)
			new_sup(n, depth - 1);
		else
			new_worker(n);
	}
	return n;
}

static node_t
any_node(void)
{
	node_t n = 1 + rnd(CAP);

	while (!engine_has(w.e, n))
		n = n % CAP + 1;
	return n;
}

/* People and programs at work. */
static void
live(void)
{
	node_t n = any_node();

	switch (rnd(5)) {
	case 0:
		call(EV_TERMINATE_CHILD, n, NODE_NONE);
		break;
	case 1:
		call(EV_RESTART_CHILD, n, NODE_NONE);
		break;
	case 2:
		call(EV_DELETE_CHILD, n, NODE_NONE);
		break;
	case 3:
		if (engine_is_sup(w.e, n) && w.n_names < CAP / 2)
			call(EV_START_CHILD, n, new_worker(NODE_NONE));
		break;
	default:
		if (!w.k[n].alive)
			break;
		push(EV_EXITED, n, 0);
		w.queue[w.n_queue - 1].code = (int)rnd(2);
		pump();
		break;
	}
}

/* ---- reload ----------------------------------------------------------------
 */

static bool
is_pool(node_t s)
{
	return engine_sup_spec(w.e, s)->strategy == SIMPLE_ONE_FOR_ONE;
}

static void
plan_known(struct plan_child *k, node_t n)
{
	struct known *c = &w.k[n];
	const struct worker_spec *was = engine_worker_spec(w.e, n);
	bool down = engine_state(w.e, n) == CHILD_STOPPED;

	*k = (struct plan_child){ .node = n };
	k->changed = rnd(4) == 0;
	k->adopt = rnd(2);
	if (was != NULL && rnd(2)) {
		k->worker = random_worker();
		if (down && engine_wanted(w.e, n) && !was->enabled &&
		    k->worker->enabled)
			c->owed = true;
	}
	c->changed |= k->changed && !down;
	c->removed &= engine_is_dynamic(w.e, n) && !k->adopt;
	c->taken = true;
}

static void
reload(node_t s)
{
	unsigned at = w.n_plans++;
	struct plan *p = &w.plan[at];
	struct plan_child *k = w.child[at];
	bool pool = is_pool(s), up = engine_state(w.e, s) == CHILD_READY;
	node_t order[CAP];
	uint32_t n = 0;

	assert_true(w.n_plans <= ARRAY_LEN(w.plan));
	for (node_t c = engine_first_child(w.e, s); c != NODE_NONE;
	     c = engine_next_child(w.e, c)) {
		uint32_t to = rnd(n + 1);

		w.k[c].taken = false;
		if (rnd(5) == 0)
			continue;
		order[n] = order[to];
		order[to] = c;
		n++;
	}
	*p = (struct plan){ .child = k };
	for (uint32_t i = 0; i < n; i++)
		plan_known(&k[p->n++], order[i]);
	for (uint32_t i = pool || w.n_names > CAP / 2 ? 0 : rnd(3); i > 0;
	     i--) {
		k[p->n] = (struct plan_child){ 0 };
		k[p->n].node =
		    rnd(4) != 0 ? new_worker(NODE_NONE) : new_sup(NODE_NONE, 0);
		w.k[k[p->n++].node].owed = true;
	}
	for (node_t c = engine_first_child(w.e, s); c != NODE_NONE;
	     c = engine_next_child(w.e, c))
		if (up && !w.k[c].taken && !engine_is_dynamic(w.e, c))
			w.k[c].removed = true;
	p->spec = random_spec(pool);
	p->window = w.window[w.n_s - 1];
	engine_set_plan(w.e, s, p);
	w.n_moves = 0;
	assert_int_equal(call(EV_RELOAD, s, NODE_NONE), RESULT_OK);
	assert_int_equal(w.n_moves, 0); /* U-1 */
}

/* ---- apply, naively
 * ---------------------------------------------------------- */

static bool
is_up(node_t n)
{
	return engine_state(w.e, n) != CHILD_STOPPED;
}

static bool
is_enabled(node_t n)
{
	return engine_is_sup(w.e, n) || engine_worker_spec(w.e, n)->enabled;
}

static bool
is_trigger(node_t n)
{
	return is_up(n) && w.k[n].changed && !w.k[n].removed;
}

/* Which of `kid` are stopped. */
static void
choose(node_t s, const node_t *kid, uint32_t n, bool *ret_stop)
{
	enum strategy st = engine_sup_spec(w.e, s)->strategy;
	uint32_t from = n;

	for (uint32_t i = n; i-- > 0;)
		if (is_trigger(kid[i]))
			from = i;
	if (st == ONE_FOR_ALL && from < n)
		from = 0;
	if (st != ONE_FOR_ALL && st != REST_FOR_ONE)
		from = n;
	for (uint32_t i = 0; i < n; i++)
		ret_stop[i] =
		    is_up(kid[i]) &&
		    (w.k[kid[i]].removed || is_trigger(kid[i]) || i >= from);
}

struct script {
	node_t sup;
	struct move move[2 * CAP];
	uint32_t n;
};

static struct script script[CAP];
static uint32_t n_scripts;

static void
expect(node_t s)
{
	struct script *sc = &script[n_scripts++];
	node_t kid[CAP];
	bool stop[CAP];
	uint32_t n = 0;

	sc->sup = s;
	sc->n = 0;
	for (node_t c = engine_first_child(w.e, s); c != NODE_NONE;
	     c = engine_next_child(w.e, c))
		kid[n++] = c;
	choose(s, kid, n, stop);
	for (uint32_t i = n; i-- > 0;)
		if (stop[i])
			sc->move[sc->n++] = (struct move){ s, kid[i], false };
	for (uint32_t i = 0; i < n; i++) {
		const struct known *k = &w.k[kid[i]];
		bool owed =
		    !is_up(kid[i]) && k->owed && engine_wanted(w.e, kid[i]);
		bool start =
		    !k->removed && is_enabled(kid[i]) && (stop[i] || owed);

		if (start)
			sc->move[sc->n++] = (struct move){ s, kid[i], true };
		w.k[kid[i]].hit = stop[i] || start || k->removed;
		/* Of an apply of the root, that is. */
		if (script[0].sup == NODE_ROOT &&
		    engine_is_stale(w.e, kid[i]) != w.k[kid[i]].hit)
			fail_msg(
			    "%s: stale is wrong", engine_name(w.e, kid[i]));
	}
	for (uint32_t i = 0; i < n; i++)
		if (engine_is_sup(w.e, kid[i]) && is_up(kid[i]) &&
		    !w.k[kid[i]].hit)
			expect(kid[i]);
}

static void
compare(const struct script *sc)
{
	uint32_t at = 0;

	for (unsigned i = 0; i < w.n_moves; i++) {
		const struct move *m = &w.move[i];

		if (m->parent != sc->sup)
			continue;
		assert_true(at < sc->n);
		assert_int_equal(m->node, sc->move[at].node);
		assert_int_equal(m->start, sc->move[at].start);
		at++;
	}
	assert_int_equal(at, sc->n);
	n_moved += at;
}

static void
nothing_is_stale(node_t s)
{
	for (node_t c = engine_first_child(w.e, s); c != NODE_NONE;
	     c = engine_next_child(w.e, c)) {
		assert_false(engine_is_stale(w.e, c));
		nothing_is_stale(c);
	}
}

static void
apply(node_t s)
{
	n_scripts = 0;
	expect(s);
	w.n_moves = 0;
	assert_int_equal(call(EV_APPLY, s, NODE_NONE), RESULT_OK);
	for (uint32_t i = 0; i < n_scripts; i++)
		compare(&script[i]);
	/* All that moved is told of above, or is below what was stopped. */
	if (s == NODE_ROOT)
		nothing_is_stale(s);
	n_applies++;
}

static void
one_history(uint64_t seed, void *mem)
{
	memset(mem, 0, engine_size(CAP));
	w = (struct world){ .rng = seed * 2 + 1, .e = engine_init(mem, CAP) };
	new_sup(NODE_NONE, 2);
	step((struct event){ .kind = EV_BOOT });
	pump();
	for (int i = 0; i < ROUNDS; i++) {
		node_t top;

		for (uint32_t k = rnd(6); k > 0; k--)
			live();
		for (node_t n = 1; n <= CAP; n++)
			if (engine_has(w.e, n) && engine_is_sup(w.e, n) &&
			    rnd(2) == 0)
				reload(n);
		for (uint32_t k = rnd(3); k > 0; k--)
			live();
		top = any_node();
		if (!engine_is_sup(w.e, top) || !is_up(top))
			top = NODE_ROOT;
		apply(top);
	}
	step((struct event){ .kind = EV_SHUTDOWN });
	pump();
	assert_false(is_up(NODE_ROOT));
}

static void
an_apply_does_what_the_rules_say(void **state)
{
	void *mem = malloc(engine_size(CAP));
	const char *only = getenv("SEED");
	uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;

	(void)state;
	assert_non_null(mem);
	for (uint64_t seed = first; seed <= SEEDS || only != NULL; seed++) {
		if (only != NULL || seed % 500 == 0)
			print_message(
			    "# seed %llu\n", (unsigned long long)seed);
		one_history(seed, mem);
		if (only != NULL)
			break;
	}
	print_message(
	    "# %lu applies, %lu stops and starts\n", n_applies, n_moved);
	free(mem);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_apply_does_what_the_rules_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
