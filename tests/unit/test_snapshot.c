/* SPDX-License-Identifier: ISC */
/* A copy of the engine: the same from here on, and apart. */
#include "core/snapshot.h"
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

#define CAP     24
#define SUPS    4
#define WINDOW  3
#define EFFECTS 512

/* What an engine has said in one step. */
struct said {
	const struct engine *e;
	unsigned n;
	char text[EFFECTS][160];
};

static struct rig {
	uint64_t rng;
	mono_t now;
	struct sup_spec sup[SUPS];
	struct worker_spec worker;
	mono_t window[SUPS][WINDOW];
	struct engine *e;
	void *mem;
} r;

static struct said said, said_again;

static uint32_t
rnd(uint32_t below)
{
	r.rng ^= r.rng >> 12;
	r.rng ^= r.rng << 25;
	r.rng ^= r.rng >> 27;
	return (uint32_t)((r.rng * UINT64_C(0x2545f4914f6cdd1d)) >> 33) % below;
}

static void
note(void *ctx, const struct effect *eff)
{
	struct said *s = ctx;

	assert_true(s->n < EFFECTS);
	trace_effect(s->e, eff, s->text[s->n++], sizeof(s->text[0]));
}

static void
step(struct engine *e, const struct event *ev, struct said *ret)
{
	struct effects todo = { note, ret };

	ret->e = e;
	ret->n = 0;
	engine_step(e, ev, &todo);
	engine_check(e);
}

/* root: one_for_one over two supervisors of four workers and a pool. */
static int
setup(void **state)
{
	static const enum strategy strategies[SUPS] = { ONE_FOR_ONE,
		ONE_FOR_ALL, REST_FOR_ONE, SIMPLE_ONE_FOR_ONE };
	char name[16];

	(void)state;
	r = (struct rig){ .rng = 42, .mem = calloc(1, engine_size(CAP)) };
	assert_non_null(r.mem);
	r.e = engine_init(r.mem, CAP);
	r.worker = (struct worker_spec){
		.enabled = true,
		.start_timeout_ns = NS_PER_S,
		.start_grace_ns = 20 * NS_PER_MS,
		.stop = { { SIGTERM, 100 * NS_PER_MS }, { SIGKILL, 0 } },
		.n_stop = 2,
	};
	for (int i = 0; i < SUPS; i++) {
		node_t n;

		r.sup[i] = (struct sup_spec){
			.strategy = strategies[i],
			.intensity = WINDOW,
			.period_ns = i == 0 ? 1 : 20 * NS_PER_MS,
			.shutdown_deadline_ns = -1,
		};
		snprintf(name, sizeof(name), "s%d", i);
		n = engine_add_sup(r.e, i == 0 ? NODE_NONE : NODE_ROOT, name,
		    &r.sup[i], r.window[i]);
		for (int k = 0; k < 4 && i != 0 && i != 3; k++) {
			snprintf(name, sizeof(name), "w%d", k);
			engine_add_worker(r.e, n, name, &r.worker);
		}
	}
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(r.mem);
	return 0;
}

/* Something that may happen; a node that it is about may not be there. */
static struct event
random_event(void)
{
	static const enum event_kind kinds[] = { EV_EXECED, EV_EXECED,
		EV_EXECED, EV_EXITED, EV_SPAWN_FAILED, EV_TERMINATE_CHILD,
		EV_RESTART_CHILD, EV_RESTART_CHILD };
	struct event ev = { .node = 1 + rnd(CAP) };

	r.now.ns += rnd(4) * 10 * NS_PER_MS;
	ev.now = r.now;
	if (rnd(4) == 0)
		return ev; /* a tick */
	ev.kind = kinds[rnd(ARRAY_LEN(kinds))];
	ev.code = ev.kind == EV_SPAWN_FAILED ? EAGAIN : (int)rnd(3);
	ev.step = 1;
	if (engine_has(r.e, ev.node))
		ev.inc = engine_incarnation(r.e, ev.node);
	return ev;
}

static void
advance(int steps)
{
	struct event boot = { .kind = EV_BOOT };

	step(r.e, &boot, &said);
	while (engine_state(r.e, NODE_ROOT) != CHILD_READY)
		for (node_t n = 1; n <= CAP; n++) {
			struct event ev = { .now = r.now,
				.kind = EV_EXECED,
				.node = n,
				.inc = 1 };

			step(r.e, &ev, &said);
			r.now.ns += 10 * NS_PER_MS;
		}
	for (int i = 0; i < steps; i++) {
		struct event ev = random_event();

		step(r.e, &ev, &said);
	}
}

static void
same(const struct said *a, const struct said *b)
{
	assert_int_equal(a->n, b->n);
	for (unsigned i = 0; i < a->n; i++)
		assert_string_equal(a->text[i], b->text[i]);
}

static void
a_copy_steps_as_the_original(void **state)
{
	unsigned n_said = 0;

	(void)state;
	advance(40);
	for (int k = 0; k < 200; k++) {
		void *mem = calloc(1, engine_size(engine_cap(r.e)));
		mono_t *windows =
		    calloc(engine_windows_len(r.e), sizeof(*windows));
		struct engine *copy;

		assert_non_null(mem);
		assert_non_null(windows);
		copy = engine_copy(r.e, mem, windows);
		engine_check(copy);
		for (int i = 0; i < 30; i++) {
			struct event ev = random_event();

			step(copy, &ev, &said_again);
			step(r.e, &ev, &said);
			same(&said, &said_again);
			n_said += said.n;
			assert_true(engine_deadline(copy).ns ==
				    engine_deadline(r.e).ns);
		}
		free(mem);
		free(windows);
	}
	print_message("# %u effects\n", n_said);
	assert_true(n_said > 2000); /* it was no quiet life */
}

static void
a_copy_leaves_the_original_alone(void **state)
{
	size_t size = engine_size(CAP);
	void *before = malloc(size), *mem = calloc(1, size);
	mono_t windows[SUPS * WINDOW], instants[SUPS][WINDOW];
	struct engine *copy;

	(void)state;
	assert_non_null(before);
	assert_non_null(mem);
	advance(60);
	memcpy(before, r.mem, size);
	memcpy(instants, r.window, sizeof(instants));
	assert_int_equal(engine_windows_len(r.e), SUPS * WINDOW);
	copy = engine_copy(r.e, mem, windows);
	for (int i = 0; i < 500; i++) {
		struct event ev = random_event();

		step(copy, &ev, &said_again);
	}
	engine_add_worker(copy, NODE_NONE, "new", &r.worker);
	assert_memory_equal(before, r.mem, size);
	assert_memory_equal(instants, r.window, sizeof(instants));
	free(before);
	free(mem);
}

static void
a_copy_of_an_empty_engine_is_empty(void **state)
{
	void *mem = calloc(1, engine_size(2)),
	     *more = calloc(1, engine_size(2));
	struct engine *e, *copy;

	(void)state;
	assert_non_null(mem);
	assert_non_null(more);
	e = engine_init(mem, 2);
	assert_int_equal(engine_windows_len(e), 0);
	copy = engine_copy(e, more, NULL);
	engine_check(copy);
	assert_int_equal(engine_cap(copy), 2);
	assert_false(engine_has(copy, NODE_ROOT));
	assert_int_equal(
	    engine_add_worker(copy, NODE_NONE, "w", &r.worker), NODE_ROOT);
	free(mem);
	free(more);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_copy_steps_as_the_original, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_copy_leaves_the_original_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_copy_of_an_empty_engine_is_empty, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
