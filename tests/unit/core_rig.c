/* SPDX-License-Identifier: ISC */
#include "core_rig.h"

#include "core/plain.h"
#include "core/trace.h"

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

struct rig rig;
struct said said;

uint32_t
rig_random(uint32_t below)
{
	rig.rng ^= rig.rng >> 12;
	rig.rng ^= rig.rng << 25;
	rig.rng ^= rig.rng >> 27;
	return (uint32_t)((rig.rng * UINT64_C(0x2545f4914f6cdd1d)) >> 33) %
	       below;
}

void
rig_note(void *ctx, const struct effect *eff)
{
	struct said *s = ctx;

	assert_true(s->n < RIG_EFFECTS);
	trace_effect(s->e, eff, s->text[s->n++], sizeof(s->text[0]));
}

void
rig_step(struct engine *e, const struct event *ev, struct said *ret)
{
	struct effects todo = { rig_note, ret };

	ret->e = e;
	ret->n = 0;
	if (e == rig.e && rig.journal != NULL)
		assert_int_equal(journal_event(rig.journal, ev), 0);
	engine_step(e, ev, &todo);
	engine_check(e);
}

int
rig_setup(void **state)
{
	(void)state;
	rig = (struct rig){ .rng = 42, .mem = calloc(1, engine_size(RIG_CAP)) };
	assert_non_null(rig.mem);
	rig.e = engine_init(rig.mem, RIG_CAP);
	rig.worker = (struct worker_spec){
		.enabled = true,
		.start_timeout_ns = NS_PER_S,
		.start_grace_ns = 20 * NS_PER_MS,
		.stop = { { SIGTERM, 100 * NS_PER_MS }, { SIGKILL, 0 } },
		.n_stop = 2,
	};
	return 0;
}

int
rig_teardown(void **state)
{
	(void)state;
	lend_release(&rig.lent);
	free(rig.mem);
	return 0;
}

static node_t
build_sup(int i, node_t parent)
{
	static const enum strategy strategies[RIG_SUPS] = { ONE_FOR_ONE,
		ONE_FOR_ALL, REST_FOR_ONE, SIMPLE_ONE_FOR_ONE };
	char name[16];
	node_t n;

	rig.sup[i] = (struct sup_spec){
		.strategy = strategies[i],
		.intensity = RIG_WINDOW,
		.period_ns = i == 0 ? 1 : 20 * NS_PER_MS,
		.shutdown_deadline_ns = -1,
	};
	snprintf(name, sizeof(name), "s%d", i);
	n = engine_add_sup(rig.e, parent, name, &rig.sup[i], rig.window[i]);
	if (rig.journal != NULL)
		assert_int_equal(
		    journal_add_sup(rig.journal, n, parent, name, &rig.sup[i]),
		    0);
	return n;
}

static void
build_worker(int k, node_t parent)
{
	char name[16];
	node_t n;

	snprintf(name, sizeof(name), "w%d", k);
	n = engine_add_worker(rig.e, parent, name, &rig.worker);
	if (rig.journal != NULL)
		assert_int_equal(journal_add_worker(
				     rig.journal, n, parent, name, &rig.worker),
		    0);
}

void
rig_build(struct journal *journal)
{
	rig.journal = journal;
	for (int i = 0; i < RIG_SUPS; i++) {
		node_t n = build_sup(i, i == 0 ? NODE_NONE : NODE_ROOT);

		for (int k = 0; k < 4 && i != 0 && i != 3; k++)
			build_worker(k, n);
	}
}

void
rig_plan(void)
{
	node_t n = engine_first_child(rig.e, 2);

	rig.plan_sup = rig.sup[1];
	rig.plan_sup.intensity = ARRAY_LEN(rig.plan_window);
	rig.plan_worker = rig.worker;
	rig.plan_worker.start_grace_ns = 0;
	for (int i = 3; i >= 0; i--) {
		rig.plan_child[i] = (struct plan_child){
			.node = n,
			.worker = i != 2 ? &rig.plan_worker : NULL,
			.changed = i != 1,
		};
		n = engine_next_child(rig.e, n);
	}
	rig.plan = (struct plan){
		.spec = &rig.plan_sup,
		.window = rig.plan_window,
		.child = rig.plan_child,
		.n = 4,
	};
	if (rig.journal != NULL)
		assert_int_equal(journal_plan(rig.journal, 2, &rig.plan), 0);
	engine_set_plan(rig.e, 2, &rig.plan);
}

struct event
rig_event(void)
{
	static const enum event_kind kinds[] = { EV_EXECED, EV_EXECED,
		EV_EXECED, EV_EXITED, EV_SPAWN_FAILED, EV_TERMINATE_CHILD,
		EV_RESTART_CHILD, EV_RESTART_CHILD };
	struct event ev = { .node = 1 + rig_random(RIG_CAP) };

	rig.now.ns += rig_random(4) * 10 * NS_PER_MS;
	ev.now = rig.now;
	if (rig_random(4) == 0)
		return ev; /* a tick */
	ev.kind = kinds[rig_random(ARRAY_LEN(kinds))];
	ev.code = ev.kind == EV_SPAWN_FAILED ? EAGAIN : (int)rig_random(3);
	ev.step = 1;
	if (engine_has(rig.e, ev.node))
		ev.inc = engine_incarnation(rig.e, ev.node);
	return ev;
}

void
rig_boot(void)
{
	struct event boot = { .kind = EV_BOOT };

	rig_step(rig.e, &boot, &said);
	while (engine_state(rig.e, NODE_ROOT) != CHILD_READY)
		for (node_t n = 1; n <= RIG_CAP; n++) {
			struct event ev = { .now = rig.now,
				.kind = EV_EXECED,
				.node = n,
				.inc = 1 };

			rig_step(rig.e, &ev, &said);
			rig.now.ns += 10 * NS_PER_MS;
		}
}

void
rig_advance(int steps)
{
	for (int i = 0; i < steps; i++) {
		struct event ev = rig_event();

		rig_step(rig.e, &ev, &said);
	}
}

void
rig_same(const struct said *a, const struct said *b)
{
	assert_int_equal(a->n, b->n);
	for (unsigned i = 0; i < a->n; i++)
		assert_string_equal(a->text[i], b->text[i]);
}

void
rig_same_image(const void *a, const void *b, size_t len)
{
	if (PLAIN_IS_EXACT)
		assert_memory_equal(a, b, len);
}

const struct lender rig_lender = LENDER(&rig.lent);
