/* SPDX-License-Identifier: ISC */
/* The engine as it runs: what operators ask for. */
#include "engine_rig.h"

#include <signal.h>
#include <string.h>

static void
stop_and_start_answer_when_it_is_done(void **state)
{
	struct wire_row row;
	struct wire_id a;
	int rows;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_STOP, "a", 0, 0, NULL);
	obey(a);
	assert_int_equal(answer(1, &rows, &row), CTL_OK);
	assert_int_equal(rows, 1);
	assert_string_equal(row.state, "stopped");
	assert_false(row.flags & ROW_WANTED);
	ask(2, OP_STOP, "root/a", 0, 0, NULL);
	assert_int_equal(answer(2, NULL, NULL), CTL_OK);
	ask(3, OP_START, "a", 0, 0, NULL);
	a = start("root/a");
	assert_int_equal(answer(3, NULL, &row), CTL_OK);
	assert_string_equal(row.state, "ready");
	assert_int_equal(row.inc, 2);
	ask(4, OP_START, "*", 0, 0, NULL);
	assert_int_equal(answer(4, NULL, &row), CTL_OK);
}

static void
a_failed_start_says_step_command_and_error(void **state)
{
	struct wire_failed m = { .step = STEP_EXEC, .error = ENOENT };
	struct wire_id a;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_RESTART, "a", 0, 0, NULL);
	obey(a);
	expect(BUS, WIRE_DEAD);
	a = take_spawn("root/a");
	m.slot = a.slot;
	m.inc = a.inc;
	tell(KEEPER, WIRE_SPAWN_FAILED, 0, &m, NULL);
	/* The bus, which had its PROC, learns that it never was. */
	expect(BUS, WIRE_DEAD);
	assert_int_equal(answer(1, NULL, NULL), CTL_FAILED);
	assert_string_equal(
	    r.text, "a: exec /bin/a: No such file or directory");
}

static void
a_timeout_says_what_it_waits_for(void **state)
{
	const struct wire_hdr *h;
	struct wire_log_line line = { 0 };
	struct wire_id a, done = { 0 };
	uint64_t tag;

	(void)state;
	begin(ROOT "children:\n"
		   "  - {worker: a, command: [/bin/a], ready: notify}\n");
	up(1);
	a = start("root/a");
	ask(1, OP_WAIT, "a", 100 * NS_PER_MS, WAIT_READY, NULL);
	h = next_frame(LOGGER);
	assert_int_equal(h->type, WIRE_LOG_TAIL);
	tag = h->tag;
	line.slot = done.slot = a.slot;
	tell(LOGGER, WIRE_LOG_LINE, tag, &line, "bind: in use");
	tell(LOGGER, WIRE_LOG_END, tag, &done, NULL);
	assert_int_equal(answer(1, NULL, NULL), CTL_TIMEOUT);
	assert_string_equal(r.text,
	    "a did not become ready within 0.1s (starting, pid 1001 alive)\n"
	    "  waiting for: notify\n"
	    "  last output: bind: in use");
}

static void
wait_for_restarted_ends_with_the_next_incarnation(void **state)
{
	struct wire_row row;
	struct wire_id a;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_WAIT, "a", 10 * NS_PER_S, WAIT_RESTARTED, NULL);
	ask(2, OP_STATUS, "a", 0, 0, NULL);
	assert_int_equal(answer(2, NULL, NULL), CTL_OK);
	exited(a, 1, false);
	expect_acked(a);
	expect(BUS, WIRE_DEAD);
	start("root/a");
	assert_int_equal(answer(1, NULL, &row), CTL_OK);
	assert_int_equal(row.inc, 2);
}

static void
unknown_names_are_refused_with_a_suggestion(void **state)
{
	(void)state;
	begin(ROOT "children:\n"
		   "  - {worker: mailer, command: [/bin/a]}\n");
	up(1);
	ask(1, OP_START, "mailre", 0, 0, NULL);
	assert_int_equal(answer(1, NULL, NULL), CTL_NO_NAME);
	assert_string_equal(
	    r.text, "no child named \"mailre\"; did you mean \"mailer\"?");
	ask(2, OP_STOP, "x*", 0, 0, NULL);
	assert_int_equal(answer(2, NULL, NULL), CTL_NO_NAME);
	ask(3, OP_STOP, "root", 0, 0, NULL);
	assert_int_equal(answer(3, NULL, NULL), CTL_FAILED);
	assert_non_null(strstr(r.text, "use supctl shutdown"));
	ask(4, OP_KILL, "root", 0, SIGTERM, NULL);
	assert_int_equal(answer(4, NULL, NULL), CTL_FAILED);
	ask(5, OP_N, "", 0, 0, NULL);
	assert_int_equal(answer(5, NULL, NULL), CTL_USAGE);
}

static void
a_cancelled_request_is_carried_out_in_silence(void **state)
{
	struct wire_id a;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_RESTART, "a", 0, 0, NULL);
	expect(KEEPER, WIRE_SIGNAL);
	tell(BUS, WIRE_CANCEL, 1, NULL, NULL);
	ask(3, OP_STATUS, "a", 0, 0, NULL); /* the cancel has been read */
	assert_int_equal(answer(3, NULL, NULL), CTL_OK);
	exited(a, SIGTERM, true);
	expect_acked(a);
	expect(BUS, WIRE_DEAD);
	start("root/a");
	ask(2, OP_STATUS, "a", 0, 0, NULL);
	for (;;) {
		const struct wire_hdr *h = next_frame(BUS);

		assert_int_not_equal(h->tag, 1);
		if (h->tag == 2 && h->type == WIRE_END)
			break;
	}
}

static void
a_child_is_added_and_removed(void **state)
{
	struct wire_row row;
	struct wire_id a, b;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_ADD, "root", 0, 0, "{worker: b, command: [/bin/b]}");
	prepare(1);
	b = start("root/b");
	assert_int_not_equal(a.slot, b.slot);
	assert_int_equal(answer(1, NULL, &row), CTL_OK);
	assert_string_equal(row.path, "root/b");
	assert_true(row.flags & ROW_DYNAMIC);
	ask(2, OP_ADD, "root", 0, 0, "{worker: b, command: [/bin/b]}");
	assert_int_equal(answer(2, NULL, NULL), CTL_FAILED);
	ask(3, OP_ADD, "root", 0, 0, "{worker: c, comand: [/bin/b]}");
	assert_int_equal(answer(3, NULL, NULL), CTL_CONFIG);
	ask(4, OP_ADD, "a", 0, 0, "{worker: c, command: [/bin/b]}");
	assert_int_equal(answer(4, NULL, NULL), CTL_USAGE);
	ask(5, OP_REMOVE, "b", 0, 0, NULL);
	obey(b);
	expect(LOGGER, WIRE_LOG_FLUSH);
	expect(LOGGER, WIRE_LOG_CLOSE);
	assert_int_equal(answer(5, NULL, NULL), CTL_OK);
	ask(6, OP_STATUS, "b", 0, 0, NULL);
	assert_int_equal(answer(6, NULL, NULL), CTL_NO_NAME);
}

static void
a_pool_numbers_its_children(void **state)
{
	const struct wire_spawn *s;
	struct wire_row row;
	const char *at;
	size_t len;

	(void)state;
	begin(ROOT "strategy: simple_one_for_one\n"
		   "template: {command: [/bin/job, x], restart: temporary}\n");
	expect(KEEPER, WIRE_UP);
	ask(1, OP_ADD, "root", 0, 0, "[\"y z\"]");
	prepare(1);
	expect(BUS, WIRE_PROC);
	s = expect(KEEPER, WIRE_SPAWN);
	assert_int_equal(s->argc, 3);
	at = wire_tail((const struct wire_hdr *)(const void *)r.frame, &len);
	assert_non_null(memmem(at, len, "/bin/job\0x\0y z", 14));
	spawned((struct wire_id){ .slot = s->slot, .inc = s->inc });
	assert_int_equal(answer(1, NULL, &row), CTL_OK);
	assert_string_equal(row.path, "root/1");
	ask(2, OP_ADD, "root", 0, 0, "{oops");
	assert_int_equal(answer(2, NULL, NULL), CTL_CONFIG);
	ask(3, OP_RESTART, "1", 0, 0, NULL);
	assert_int_equal(answer(3, NULL, NULL), CTL_FAILED);
}

/* The second and third wait for the first to start, and are not there yet. */
static void
a_pool_gives_no_number_twice(void **state)
{
	struct wire_row row;

	(void)state;
	begin(ROOT "strategy: simple_one_for_one\n"
		   "template: {command: [/bin/job], restart: temporary}\n");
	expect(KEEPER, WIRE_UP);
	for (uint64_t tag = 1; tag <= 3; tag++)
		ask(tag, OP_ADD, "root", 0, 0, "[]");
	prepare(3);
	for (uint64_t tag = 1; tag <= 3; tag++) {
		char path[16];

		snprintf(path, sizeof(path), "root/%u", (unsigned)tag);
		start(path);
		assert_int_equal(answer(tag, NULL, &row), CTL_OK);
		assert_string_equal(row.path, path);
	}
}

static void
status_show_why_and_events_tell(void **state)
{
	int rows;

	(void)state;
	begin(TWO);
	up(2);
	start("root/a");
	start("root/b");
	ask(1, OP_WAIT, "b", 5 * NS_PER_S, WAIT_READY, NULL);
	assert_int_equal(answer(1, NULL, NULL), CTL_OK);
	ask(2, OP_STATUS, "", 0, 0, NULL);
	assert_int_equal(answer(2, &rows, NULL), CTL_OK);
	assert_int_equal(rows, 3);
	ask(3, OP_SHOW, "a", 0, 0, NULL);
	assert_int_equal(answer(3, &rows, NULL), CTL_OK);
	assert_true(rows > 5);
	ask(4, OP_WHY, "a", 0, 0, NULL);
	assert_int_equal(answer(4, &rows, NULL), CTL_OK);
	assert_int_equal(rows, 2);
	assert_non_null(strstr(r.text, "it has never ended"));
	ask(5, OP_EVENTS, "", 0, 2, NULL);
	assert_int_equal(answer(5, &rows, NULL), CTL_OK);
	assert_int_equal(rows, 2);
	ask(6, OP_WHY, "*", 0, 0, NULL);
	assert_int_equal(answer(6, NULL, NULL), CTL_USAGE);
}

/* The answers are several times what a link may hold. */
static void
many_requests_for_a_large_tree_are_all_answered(void **state)
{
	enum { REQUESTS = 100 };
	int rows;

	(void)state;
	begin("supervisor: root\nchildren:\n  - {worker: a, command: [/bin/a], "
	      "enabled: false, instances: 1000}\n");
	expect(KEEPER, WIRE_UP);
	for (uint64_t tag = 1; tag <= REQUESTS; tag++)
		ask(tag, OP_STATUS, "", 0, 0, NULL);
	assert_int_equal(link_flush(&r.link[BUS]), 0);
	for (uint64_t tag = 1; tag <= REQUESTS; tag++) {
		assert_int_equal(answer(tag, &rows, NULL), CTL_OK);
		assert_int_equal(rows, 1001);
		assert_int_equal(link_flush(&r.link[BUS]), 0);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(stop_and_start_answer_when_it_is_done),
		T(a_failed_start_says_step_command_and_error),
		T(a_timeout_says_what_it_waits_for),
		T(wait_for_restarted_ends_with_the_next_incarnation),
		T(unknown_names_are_refused_with_a_suggestion),
		T(a_cancelled_request_is_carried_out_in_silence),
		T(a_child_is_added_and_removed),
		T(a_pool_numbers_its_children),
		T(a_pool_gives_no_number_twice),
		T(status_show_why_and_events_tell),
		T(many_requests_for_a_large_tree_are_all_answered),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("engine_request", tests, NULL, NULL);
}
