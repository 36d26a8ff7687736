/* SPDX-License-Identifier: ISC */
/* The engine as it runs: a supervisor's calls as OTP has them (rules O). */
#include "engine_rig.h"

#include <signal.h>
#include <string.h>

/* Call a supervisor; the text of its answer, and how many rows there were. */
static int
child(uint64_t tag, enum child_call call, const char *sup, const char *tail,
    struct wire_row *ret_row)
{
	int rows = 0;

	ask(tag, OP_CHILD, sup, 0, call, tail);
	assert_int_equal(answer(tag, &rows, ret_row), CTL_OK);
	return rows;
}

#define ANSWERED(what) assert_string_equal(r.text, what)

static void
errors_are_those_of_otp(void **state)
{
	struct wire_row row;

	(void)state;
	begin(ONE);
	up(1);
	start("root/a");
	child(1, CHILD_CALL_DELETE, "root", "a", &row);
	ANSWERED("running");
	assert_string_equal(row.path, "root/a");
	child(2, CHILD_CALL_RESTART, "root", "a", NULL);
	ANSWERED("running");
	child(3, CHILD_CALL_TERMINATE, "root", "b", NULL);
	ANSWERED("not_found");
	child(4, CHILD_CALL_RESTART, "root", "b", NULL);
	ANSWERED("not_found");
	child(5, CHILD_CALL_DELETE, "root", "b", NULL);
	ANSWERED("not_found");
	child(6, CHILD_CALL_DELETE, "web", "b", NULL);
	ANSWERED("noproc");
	child(7, CHILD_CALL_WHICH, "a", NULL, NULL);
	ANSWERED("noproc");
	child(8, CHILD_CALL_START, "root", "{worker: a, command: [/bin/b]}",
	    &row);
	ANSWERED("already_started");
	assert_string_equal(row.path, "root/a");
}

static void
a_child_is_terminated_restarted_and_deleted(void **state)
{
	struct wire_row row;
	struct wire_id a;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_CHILD, "root", 0, CHILD_CALL_TERMINATE, "a");
	obey(a);
	assert_int_equal(answer(1, NULL, NULL), CTL_OK);
	ANSWERED("ok");
	/* Idempotent; and a name that is taken, though nobody runs. */
	child(2, CHILD_CALL_TERMINATE, "root", "a", NULL);
	ANSWERED("ok");
	child(3, CHILD_CALL_START, "root", "{worker: a, command: [/bin/a]}",
	    NULL);
	ANSWERED("already_present");
	ask(4, OP_CHILD, "root", 0, CHILD_CALL_RESTART, "a");
	a = start("root/a");
	assert_int_equal(answer(4, NULL, &row), CTL_OK);
	ANSWERED("ok");
	assert_string_equal(row.state, "ready");
	ask(5, OP_CHILD, "root", 0, CHILD_CALL_TERMINATE, "a");
	obey(a);
	assert_int_equal(answer(5, NULL, NULL), CTL_OK);
	ask(6, OP_CHILD, "root", 0, CHILD_CALL_DELETE, "a");
	assert_int_equal(answer(6, NULL, NULL), CTL_OK);
	ANSWERED("ok");
	child(7, CHILD_CALL_DELETE, "root", "a", NULL);
	ANSWERED("not_found");
}

static void
a_start_that_fails_tells_why(void **state)
{
	struct wire_failed m = { .step = STEP_EXEC, .error = ENOENT };
	struct wire_id b;

	(void)state;
	begin(ONE);
	up(1);
	start("root/a");
	ask(1, OP_CHILD, "root", 0, CHILD_CALL_START,
	    "{worker: b, command: [/bin/b]}");
	prepare(1);
	b = take_spawn("root/b");
	m.slot = b.slot;
	m.inc = b.inc;
	tell(KEEPER, WIRE_SPAWN_FAILED, 0, &m, NULL);
	expect(BUS, WIRE_DEAD);
	assert_int_equal(answer(1, NULL, NULL), CTL_OK);
	ANSWERED("start_failed\nb: exec /bin/b: No such file or directory");
	/* Nothing of it is stored. */
	child(2, CHILD_CALL_DELETE, "root", "b", NULL);
	ANSWERED("not_found");
	ask(3, OP_CHILD, "root", 0, CHILD_CALL_START, "{worker: b}");
	assert_int_equal(answer(3, NULL, NULL), CTL_CONFIG);
}

static void
children_are_listed_last_started_first_and_counted(void **state)
{
	struct wire_row row;
	struct wire_id b;

	(void)state;
	begin(TWO "  - {supervisor: s, children: []}\n");
	up(2);
	start("root/a");
	b = start("root/b");
	ask(1, OP_CHILD, "root", 0, CHILD_CALL_TERMINATE, "b");
	obey(b);
	assert_int_equal(answer(1, NULL, NULL), CTL_OK);
	assert_int_equal(child(2, CHILD_CALL_WHICH, "root", NULL, &row), 3);
	ANSWERED("ok");
	assert_string_equal(row.path, "root/a"); /* the last row */
	child(3, CHILD_CALL_COUNT, "root", NULL, NULL);
	ANSWERED("ok\n3 2 1 2");
	child(4, CHILD_CALL_COUNT, "root/s", NULL, NULL);
	ANSWERED("ok\n0 0 0 0");
}

static void
a_pool_refuses_what_needs_a_name(void **state)
{
	struct wire_row row;
	struct wire_id a;

	(void)state;
	begin(ROOT "strategy: simple_one_for_one\n"
		   "template: {command: [/bin/job], restart: temporary}\n");
	expect(KEEPER, WIRE_UP);
	child(1, CHILD_CALL_RESTART, "root", "1", NULL);
	ANSWERED("simple_one_for_one");
	child(2, CHILD_CALL_DELETE, "root", "1", NULL);
	ANSWERED("simple_one_for_one");
	ask(3, OP_CHILD, "root", 0, CHILD_CALL_START, "[\"x\"]");
	prepare(1);
	a = start("root/1");
	assert_int_equal(answer(3, NULL, &row), CTL_OK);
	ANSWERED("ok");
	assert_string_equal(row.path, "root/1");
	child(4, CHILD_CALL_DELETE, "root", "1", NULL);
	ANSWERED("simple_one_for_one");
	child(5, CHILD_CALL_COUNT, "root", NULL, NULL);
	ANSWERED("ok\n1 1 0 1");
	ask(6, OP_CHILD, "root", 0, CHILD_CALL_TERMINATE, "1");
	obey(a);
	assert_int_equal(answer(6, NULL, NULL), CTL_OK);
	ANSWERED("ok");
}

/* Its supervisor waits until it is ready, and would not hear it (O-5). */
static void
a_child_that_starts_cannot_call_its_supervisor(void **state)
{
	struct wire_request m = {
		.op = OP_CHILD, .n = CHILD_CALL_TERMINATE, .path = "root"
	};
	struct wire_id a;

	(void)state;
	begin(ROOT "children:\n"
		   "  - {worker: a, command: [/bin/a], ready: notify}\n"
		   "  - {worker: b, command: [/bin/b]}\n");
	up(2);
	a = start("root/a");
	m.asker = a.slot + 1;
	tell(BUS, WIRE_REQUEST, 1, &m, "b");
	assert_int_equal(answer(1, NULL, NULL), CTL_OK);
	ANSWERED("deadlock");
}

int
main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(errors_are_those_of_otp),
		T(a_child_is_terminated_restarted_and_deleted),
		T(a_start_that_fails_tells_why),
		T(children_are_listed_last_started_first_and_counted),
		T(a_pool_refuses_what_needs_a_name),
		T(a_child_that_starts_cannot_call_its_supervisor),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name(
	    "engine_childcall", tests, NULL, NULL);
}
