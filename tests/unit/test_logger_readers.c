/* SPDX-License-Identifier: ISC */
/* The logger and who reads along: tails, follows, stamps. */
#include "logger_rig.h"

#include "logger/stamp.h"

#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
a_tail_goes_back_across_rotations(void **state)
{
	struct world *w = *state;
	struct wire_log_line line;
	char text[64];
	int fd;

	assert_int_equal(log_open(w, 3, "root/a", 1000, 5, true), 0);
	fd = worker_stdout(w, 3);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		say(fd, text);
	}
	/* What is still in the FIFO belongs to it. */
	ask(w, WIRE_LOG_TAIL, TAG + 1, 3, 60);
	for (int i = 40; i < 100; i++) {
		char *p = next_line(w, TAG + 1, &line);

		snprintf(text, sizeof(text), "line %d", i);
		assert_non_null(p);
		assert_string_equal(p, text);
		assert_int_equal(line.slot, 3);
		assert_int_equal(line.lost, 0);
		assert_true(line.wall_ns > 0);
		free(p);
	}
	assert_end(w, TAG + 1);
	close(fd);
}

static void
a_tail_has_the_line_not_ended_yet(void **state)
{
	struct world *w = *state;
	int fd;

	assert_int_equal(log_open(w, 3, "root/a", 1000, 5, false), 0);
	fd = worker_stdout(w, 3);
	say(fd, "one\ntwo\nthree");
	ask(w, WIRE_LOG_TAIL, TAG, 3, 2);
	assert_next_line(w, TAG, "two");
	assert_next_line(w, TAG, "three");
	assert_end(w, TAG);
	/* It is not cut for that. */
	say(fd, " more\n");
	ask(w, WIRE_LOG_TAIL, TAG, 3, 1);
	assert_next_line(w, TAG, "three more");
	assert_end(w, TAG);
	close(fd);
}

static void
a_tail_of_nothing_just_ends(void **state)
{
	struct world *w = *state;
	int fd;

	ask(w, WIRE_LOG_TAIL, TAG, 99, 10);
	assert_end(w, TAG);
	assert_int_equal(log_open(w, 3, "root/a", 1000, 5, false), 0);
	ask(w, WIRE_LOG_TAIL, TAG, 3, 10);
	assert_end(w, TAG);
	fd = worker_stdout(w, 3);
	say(fd, "x\n");
	ask(w, WIRE_LOG_TAIL, TAG, 3, 0);
	assert_end(w, TAG);
	ask(w, WIRE_LOG_TAIL, TAG, 3, UINT32_MAX);
	assert_next_line(w, TAG, "x");
	assert_end(w, TAG);
	close(fd);
}

static void
a_long_tail_waits_for_its_reader(void **state)
{
	struct world *w = *state;
	char text[64];
	int fd;

	assert_int_equal(log_open(w, 3, "root/a", 1 << 30, 0, true), 0);
	fd = worker_stdout(w, 3);
	for (int i = 0; i < 50000; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		say(fd, text);
	}
	ask(w, WIRE_LOG_TAIL, TAG, 3, 50000);
	assert_next_line(w, TAG, "line 0");
	/* Meanwhile the drain goes on. */
	say(fd, "beyond\n");
	free(slurp_until(w, "root/a.log", "beyond\n"));
	for (int i = 1; i < 50000; i++) {
		snprintf(text, sizeof(text), "line %d", i);
		assert_next_line(w, TAG, text);
	}
	/* And nobody who follows from here has missed that line. */
	assert_next_line(w, TAG, "beyond");
	assert_end(w, TAG);
	close(fd);
}

static void
a_follow_tells_lines_as_they_come(void **state)
{
	struct world *w = *state;
	struct wire_log_line line;
	int64_t before = clock_wall_ns();
	int fd;
	char *p;

	assert_int_equal(log_open(w, 3, "root/a", 1000, 5, true), 0);
	assert_int_equal(log_open(w, 4, "root/b", 1000, 5, true), 0);
	fd = worker_stdout(w, 3);
	say(fd, "old\n");
	ask(w, WIRE_LOG_TAIL, TAG, 3, 5);
	ask(w, WIRE_LOG_FOLLOW, TAG, 3, 1);
	assert_next_line(w, TAG, "old");
	assert_end(w, TAG);
	say(fd, "new\n");
	p = next_line(w, TAG, &line);
	assert_non_null(p);
	assert_string_equal(p, "new");
	assert_true(line.wall_ns >= before - NS_PER_MS);
	assert_int_equal(line.slot, 3);
	free(p);
	/* Stopped: the next answer is to something else. */
	ask(w, WIRE_LOG_FOLLOW, TAG, 3, 0);
	ask(w, WIRE_LOG_TAIL, TAG + 1, 4, 5);
	assert_end(w, TAG + 1);
	say(fd, "unheard\n");
	free(slurp_until(w, "root/a.log", "unheard\n"));
	ask(w, WIRE_LOG_TAIL, TAG + 2, 4, 5);
	assert_end(w, TAG + 2);
	close(fd);
}

static void
a_follow_of_nobody_ends(void **state)
{
	struct world *w = *state;

	ask(w, WIRE_LOG_FOLLOW, TAG, 5, 1);
	assert_end(w, TAG);
}

static void
a_reader_that_sleeps_loses_counted_lines(void **state)
{
	struct world *w = *state;
	struct wire_log_line line;
	uint64_t got = 0, lost = 0;
	char text[64], *p;
	int fd;

	assert_int_equal(log_open(w, 3, "root/a", 1 << 20, 1, true), 0);
	fd = worker_stdout(w, 3);
	ask(w, WIRE_LOG_FOLLOW, TAG, 3, 1);
	ask(w, WIRE_LOG_TAIL, TAG + 1, 9, 0);
	assert_end(w, TAG + 1); /* the follow has been taken, too */
	for (int i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		say(fd, text);
	}
	say(fd, "wake up\n");
	free(slurp_until(w, "root/a.log", "wake up\n"));
	/* Read what was kept for us, and see one more come. */
	for (bool told = false; !told;) {
		/* As long as it is all full this line is lost as well. */
		say(fd, "after\n");
		p = next_line(w, TAG, &line);
		assert_non_null(p);
		got++;
		lost += line.lost;
		told = strcmp(p, "after") == 0;
		free(p);
	}
	assert_true(got > 100);
	assert_true(lost > 1000);
	close(fd);
}

static void
stamps_are_read_as_they_are_written(void **state)
{
	static const int64_t times[] = { 0, 412 * NS_PER_MS,
		INT64_C(1795183331412000000), INT64_C(951782399999000000) };
	char text[STAMP_LEN + 1];
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		stamp_format(times[i], text);
		assert_true(stamp_parse(text, &ns));
		assert_int_equal(ns, times[i]);
	}
	stamp_format(INT64_C(1795183331412999999), text);
	assert_string_equal(text, "2026-11-20T14:02:11.412Z");
	assert_false(stamp_parse("2026-11-20 14:02:11.412Z", &ns));
	assert_false(stamp_parse("hello, this is no stamp.", &ns));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_tail_goes_back_across_rotations),
		IN_WORLD(a_tail_has_the_line_not_ended_yet),
		IN_WORLD(a_tail_of_nothing_just_ends),
		IN_WORLD(a_long_tail_waits_for_its_reader),
		IN_WORLD(a_follow_tells_lines_as_they_come),
		IN_WORLD(a_follow_of_nobody_ends),
		IN_WORLD(a_reader_that_sleeps_loses_counted_lines),
		cmocka_unit_test(stamps_are_read_as_they_are_written),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("logger_readers", tests, NULL, NULL);
}
