/* SPDX-License-Identifier: ISC */
/* What a program has declared decides how its end is judged: D10. */
#include "core/trace.h"
#include "core/tree.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAP 2

static struct rig {
	struct engine *e;
	struct worker_spec spec;
	struct sup_spec sup;
	mono_t window[8];
	node_t child;
	unsigned n_spawns;
	enum result answer;
} r;

static void
hear(void *ctx, const struct effect *eff)
{
	(void)ctx;
	r.n_spawns += eff->kind == EFF_SPAWN;
	if (eff->kind == EFF_REPLY)
		r.answer = eff->result;
}

static void
step(struct event ev)
{
	struct effects todo = { hear, NULL };

	ev.now = (mono_t){ NS_PER_S };
	engine_step(r.e, &ev, &todo);
	engine_check(r.e);
}

static void
say(enum event_kind kind, int code, enum declared declared)
{
	step((struct event){ .kind = kind,
	    .node = r.child,
	    .inc = engine_incarnation(r.e, r.child),
	    .code = code,
	    .declared = declared });
}

/* A root with one worker that is about to be executed. */
static void
boot(enum restart_type restart, enum ready_kind ready)
{
	struct engine *mem = r.e;

	r = (struct rig){ .e = mem };
	r.spec = (struct worker_spec){ .restart = restart,
		.enabled = true,
		.ready = ready,
		.start_timeout_ns = NS_PER_S,
		.n_stop = 1,
		.stop[0] = { SIGTERM, -1 } };
	r.spec.success.code[0] = 1u << 0 | 1u << 7;
	r.spec.fatal.code[0] = 1u << 9;
	r.sup = (struct sup_spec){ .intensity = 5,
		.period_ns = NS_PER_S,
		.shutdown_deadline_ns = -1 };
	memset(r.e, 0, engine_size(CAP));
	engine_init(r.e, CAP);
	engine_add_sup(r.e, NODE_NONE, "root", &r.sup, r.window);
	r.child = engine_add_worker(r.e, NODE_ROOT, "w", &r.spec);
	step((struct event){ .kind = EV_BOOT });
	r.n_spawns = 0;
}

/* It runs, and ends so. */
static struct reason
end(enum restart_type restart, int code, enum declared declared)
{
	boot(restart, READY_EXEC);
	say(EV_EXECED, 0, 0);
	say(EV_EXITED, code, declared);
	return engine_last_reason(r.e, r.child);
}

static void
a_declared_clean_end_is_no_crash_of_a_transient(void **state)
{
	(void)state;
	assert_int_equal(
	    end(TRANSIENT, 1, DECLARED_NORMAL).kind, REASON_NORMAL);
	assert_int_equal(r.n_spawns, 0);
	assert_int_equal(
	    end(TRANSIENT, 1, DECLARED_SHUTDOWN).kind, REASON_SHUTDOWN);
	assert_int_equal(r.n_spawns, 0);
	end(PERMANENT, 0, DECLARED_NORMAL);
	assert_int_equal(r.n_spawns, 1);
}

static void
a_declared_crash_is_one_whatever_the_code(void **state)
{
	(void)state;
	assert_int_equal(end(TRANSIENT, 0, DECLARED_OTHER).kind, REASON_EXIT);
	assert_int_equal(r.n_spawns, 1);
	assert_true(end(TRANSIENT, 7, DECLARED_OTHER).declared);
	assert_int_equal(r.n_spawns, 1);
	end(TEMPORARY, 0, DECLARED_OTHER);
	assert_int_equal(r.n_spawns, 0);
}

static void
without_a_declaration_the_code_counts(void **state)
{
	(void)state;
	assert_false(end(TRANSIENT, 7, DECLARED_NOTHING).declared);
	assert_int_equal(r.n_spawns, 0);
	end(TRANSIENT, 1, DECLARED_NOTHING);
	assert_int_equal(r.n_spawns, 1);
}

static void
what_is_fatal_stays_fatal(void **state)
{
	(void)state;
	for (int d = 0; d < DECLARED_N; d++) {
		assert_int_equal(
		    end(PERMANENT, 9, (enum declared)d).kind, REASON_FATAL);
		assert_int_equal(r.n_spawns, 0);
	}
}

static void
before_it_is_ready_it_is_a_failed_start(void **state)
{
	struct reason why;

	(void)state;
	boot(PERMANENT, READY_EVENT);
	say(EV_EXECED, 0, 0);
	say(EV_EXITED, 0, DECLARED_SHUTDOWN);
	why = engine_last_reason(r.e, r.child);
	assert_int_equal(why.kind, REASON_EARLY);
	assert_int_equal(why.under, REASON_SHUTDOWN);
	assert_true(why.declared);
}

/* It is started, and says that it does not want to run. */
static void
start_and_ignore(enum restart_type restart, int code)
{
	boot(restart, READY_EVENT);
	say(EV_EXECED, 0, 0);
	say(EV_EXITED, code, DECLARED_IGNORE);
}

static void
ignore_before_it_is_ready_is_no_failed_start(void **state)
{
	(void)state;
	for (int code = 0; code < 2; code++) {
		struct reason why;

		start_and_ignore(PERMANENT, code);
		why = engine_last_reason(r.e, r.child);
		assert_int_equal(why.kind, REASON_IGNORE);
		assert_true(why.declared);
		assert_int_equal(engine_state(r.e, r.child), CHILD_STOPPED);
		assert_true(engine_wanted(r.e, r.child));
		assert_int_equal(engine_state(r.e, NODE_ROOT), CHILD_READY);
		assert_int_equal(r.n_spawns, 0);
	}
	start_and_ignore(PERMANENT, 9);
	assert_int_not_equal(engine_state(r.e, NODE_ROOT), CHILD_READY);
}

static void
ignore_forgets_a_temporary_child(void **state)
{
	(void)state;
	start_and_ignore(TEMPORARY, 0);
	assert_int_equal(engine_find_child(r.e, NODE_ROOT, "w"), NODE_NONE);
	assert_int_equal(engine_state(r.e, NODE_ROOT), CHILD_READY);
}

static void
ignore_answers_a_start_and_ends_a_restart(void **state)
{
	(void)state;
	start_and_ignore(PERMANENT, 0);
	say(EV_RESTART_CHILD, 0, 0);
	say(EV_EXECED, 0, 0);
	say(EV_EXITED, 0, DECLARED_IGNORE);
	assert_int_equal(r.answer, RESULT_IGNORED);
	say(EV_RESTART_CHILD, 0, 0);
	say(EV_EXECED, 0, 0);
	say(EV_READY, 0, 0);
	assert_int_equal(r.answer, RESULT_OK);
	say(EV_EXITED, 1, DECLARED_NOTHING);
	assert_int_equal(engine_state(r.e, r.child), CHILD_STARTING);
	say(EV_EXITED, 0, DECLARED_IGNORE);
	assert_int_equal(engine_state(r.e, r.child), CHILD_STOPPED);
	assert_int_equal(engine_state(r.e, NODE_ROOT), CHILD_READY);
	assert_int_equal(r.n_spawns, 3);
}

static void
ignore_is_a_crash_when_it_was_ready(void **state)
{
	(void)state;
	assert_int_equal(end(TRANSIENT, 0, DECLARED_IGNORE).kind, REASON_EXIT);
	assert_int_equal(r.n_spawns, 1);
}

static void
an_ordered_stop_is_one_unless_it_declares_a_crash(void **state)
{
	static const enum reason_kind want[DECLARED_N] = {
		[DECLARED_NOTHING] = REASON_SHUTDOWN,
		[DECLARED_NORMAL] = REASON_SHUTDOWN,
		[DECLARED_SHUTDOWN] = REASON_SHUTDOWN,
		[DECLARED_OTHER] = REASON_EXIT,
		[DECLARED_IGNORE] = REASON_EXIT,
	};

	(void)state;
	for (int d = 0; d < DECLARED_N; d++) {
		boot(PERMANENT, READY_EXEC);
		say(EV_EXECED, 0, 0);
		say(EV_TERMINATE_CHILD, 0, 0);
		say(EV_EXITED, 0, (enum declared)d);
		assert_int_equal(
		    engine_last_reason(r.e, r.child).kind, want[d]);
		assert_int_equal(r.n_spawns, 0);
	}
}

static void
the_trace_says_what_was_declared(void **state)
{
	struct event ev = { .kind = EV_EXITED,
		.inc = 1,
		.code = 1,
		.declared = DECLARED_SHUTDOWN };
	char text[128];

	(void)state;
	boot(PERMANENT, READY_EXEC);
	ev.node = r.child;
	assert_string_equal(trace_event(r.e, &ev, text, sizeof(text)),
	    "root/w 1 exited exit 1, declared shutdown");
}

static int
setup(void **state)
{
	(void)state;
	r.e = calloc(1, engine_size(CAP));
	return r.e == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(r.e);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    a_declared_clean_end_is_no_crash_of_a_transient),
		cmocka_unit_test(a_declared_crash_is_one_whatever_the_code),
		cmocka_unit_test(without_a_declaration_the_code_counts),
		cmocka_unit_test(what_is_fatal_stays_fatal),
		cmocka_unit_test(before_it_is_ready_it_is_a_failed_start),
		cmocka_unit_test(ignore_before_it_is_ready_is_no_failed_start),
		cmocka_unit_test(ignore_forgets_a_temporary_child),
		cmocka_unit_test(ignore_answers_a_start_and_ends_a_restart),
		cmocka_unit_test(ignore_is_a_crash_when_it_was_ready),
		cmocka_unit_test(
		    an_ordered_stop_is_one_unless_it_declares_a_crash),
		cmocka_unit_test(the_trace_says_what_was_declared),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
