/* SPDX-License-Identifier: ISC */
/*
 * Mailboxes under storms: what OTP keeps in one for as long as it takes is
 * bounded here, and nothing that counts is lost.
 */
#include "core/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define INTENSITY 100000

static struct rig {
	struct engine *e;
	struct worker_spec spec;
	struct sup_spec sup;
	mono_t window[INTENSITY];
	uint32_t n;
	unsigned restarts;
	bool done;
} r;

static void
hear(void *ctx, const struct effect *eff)
{
	(void)ctx;
	r.restarts += eff->kind == EFF_REPORT && eff->report == REPORT_RESTART;
	r.done |= eff->kind == EFF_DONE;
}

static void
tell(node_t n, enum event_kind kind, int code)
{
	struct effects todo = { hear, NULL };
	struct event ev = {
		.now = { NS_PER_S },
		.kind = kind,
		.node = n,
		.inc = n != NODE_NONE ? engine_incarnation(r.e, n) : 0,
		.code = code,
	};

	engine_step(r.e, &ev, &todo);
}

static void
set_up(uint32_t n)
{
	char name[16];

	r.n = n;
	r.restarts = 0;
	r.done = false;
	r.e = calloc(1, engine_size(n + 1));
	assert_non_null(r.e);
	engine_init(r.e, n + 1);
	r.spec = (struct worker_spec){
		.enabled = true,
		.start_timeout_ns = -1,
		.stop = { { SIGTERM, -1 } },
		.n_stop = 1,
	};
	r.sup = (struct sup_spec){ .strategy = REST_FOR_ONE,
		.intensity = INTENSITY,
		.period_ns = NS_PER_S,
		.shutdown_deadline_ns = -1 };
	engine_add_sup(r.e, NODE_NONE, "root", &r.sup, r.window);
	for (uint32_t i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		engine_add_worker(r.e, NODE_ROOT, name, &r.spec);
	}
	tell(NODE_NONE, EV_BOOT, 0);
	for (node_t k = 2; k <= n + 1; k++)
		tell(k, EV_EXECED, 0);
}

static void
come_down(void)
{
	tell(NODE_NONE, EV_SHUTDOWN, 0);
	for (node_t k = r.n + 1; k >= 2; k--)
		tell(k, EV_EXITED, 143);
	engine_check(r.e);
	assert_true(r.done);
	free(r.e);
}

/*
 * rest_for_one whose members die as soon as they are ready, the last one
 * first: each restart starts all behind it, which die again before it is over.
 */
static void
a_storm_of_exits_is_kept_in_bounds(void **state)
{
	enum { N = 150 };

	(void)state;
	set_up(N);
	/* The last one is being restarted while the others die. */
	tell(N + 1, EV_EXITED, 1);
	for (node_t k = N; k >= 2; k--)
		tell(k, EV_EXITED, 1);
	for (node_t from = N + 1; from >= 2; from--) {
		for (node_t k = from; k <= N + 1; k++) {
			tell(k, EV_EXECED, 0);
			if (k > from)
				tell(k - 1, EV_EXITED, 1);
		}
		/* It alone was ready when its supervisor came to the next. */
		tell(N + 1, EV_EXITED, 143);
		engine_check(r.e);
	}
	/* One restart for each, and one more has begun. */
	assert_in_range(r.restarts, N, N + 1);
	come_down();
}

/* A retry is queued for each restart of the group in which b failed again. */
static void
retries_of_one_that_never_starts_are_kept_in_bounds(void **state)
{
	node_t a = 2, b = 3;

	(void)state;
	set_up(2);
	tell(a, EV_EXITED, 1);
	for (int i = 0; i < 20000 && !r.done; i++) {
		if (engine_state(r.e, a) == CHILD_STARTING)
			tell(a, EV_EXECED, 0);
		tell(a, EV_EXITED, 1);
		tell(b, EV_SPAWN_FAILED, ENOENT);
	}
	engine_check(r.e);
	assert_false(r.done);
	assert_true(r.e->msg_high < 20);
	/* In the end b may start, and that ends all its retries. */
	for (int i = 0; i < 10; i++) {
		if (engine_state(r.e, b) == CHILD_STOPPING)
			tell(b, EV_EXITED, 143);
		tell(a, EV_EXECED, 0);
		tell(b, EV_EXECED, 0);
	}
	assert_int_equal(engine_state(r.e, a), CHILD_READY);
	assert_int_equal(engine_state(r.e, b), CHILD_READY);
	assert_false(engine_busy(r.e, NODE_ROOT));
	come_down();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_storm_of_exits_is_kept_in_bounds),
		cmocka_unit_test(
		    retries_of_one_that_never_starts_are_kept_in_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
