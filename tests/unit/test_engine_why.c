/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/why.h"

#define AT(s) ((mono_t){ (s)*NS_PER_S })

static struct history h;
static uint64_t core_seq;
static char told[512];

static int
setup(void **state)
{
	(void)state;
	core_seq = 0;
	return history_init(&h, 64);
}

static int
teardown(void **state)
{
	(void)state;
	history_fini(&h);
	return 0;
}

/* Record an event; returns the core's number for it, to be a cause. */
static uint64_t
happen(int64_t at_s, const char *path, enum hist_kind kind, uint64_t cause,
    struct reason reason, const char *text)
{
	struct hist_event ev = {
		.core_seq = ++core_seq,
		.cause = cause,
		.at = AT(at_s),
		.kind = kind,
		.reason = reason,
		.path = path,
		.text = text,
	};

	history_add(&h, &ev);
	return core_seq;
}

static void
tell(void *ctx, const struct hist_event *ev)
{
	size_t at = strlen(told);

	(void)ctx;
	snprintf(told + at, sizeof(told) - at, "%s %s|",
	    strrchr(ev->path, '/') != NULL ? strrchr(ev->path, '/') + 1
					   : ev->path,
	    hist_kind_name(ev->kind));
}

static void
expect(const char *path, enum child_state st, int64_t since_s, bool wanted,
    const char *headline, const char *story)
{
	struct why_subject s = {
		.path = path,
		.state = st,
		.now = AT(100),
		.since = AT(since_s),
		.wanted = wanted,
		.enabled = true,
	};
	struct buf out = { 0 };

	told[0] = '\0';
	why_tell(&h, &s, tell, NULL, &out);
	assert_string_equal(buf_str(&out), headline);
	assert_string_equal(told, story);
	buf_fini(&out);
}

static const struct reason none = { 0 };
static const struct reason exit70 = { .kind = REASON_EXIT, .code = 70 };
static const struct reason asked = { .kind = REASON_SHUTDOWN,
	.why = WHY_ASKED };
static const struct reason group = { .kind = REASON_SHUTDOWN,
	.why = WHY_GROUP };

static void
a_siblings_failure_is_told_first(void **state)
{
	uint64_t c;

	(void)state;
	happen(1, "root/app/queue", HIST_STARTING, 0, none, "pid 1");
	happen(1, "root/app/queue", HIST_READY, 0, none, "pid 1");
	c = happen(86, "root/app/api", HIST_EXITED, 0, exit70, "exit 70");
	happen(86, "root/app", HIST_RESTART, c, none, "rest_for_one: ...");
	happen(86, "root/app/queue", HIST_STOPPING, c, none, "SIGTERM");
	happen(87, "root/app/queue", HIST_STOPPED, c, group, "stopped by app");
	happen(87, "root/app/api", HIST_STARTING, c, none, "pid 2");
	happen(88, "root/app/queue", HIST_STARTING, c, none, "pid 3");
	happen(89, "root/other", HIST_EXITED, 0, exit70, "exit 70");
	expect("root/app/queue", CHILD_STARTING, 88, true,
	    "queue restarted 12s ago, not through its own failure: app/api "
	    "failed",
	    "api exited|app restart|queue stopping|queue stopped|"
	    "queue starting|");
}

static void
own_failures_are_counted(void **state)
{
	uint64_t c;

	(void)state;
	for (int64_t i = 0; i < 3; i++) {
		c = happen(10 * i, "root/api", HIST_EXITED, 0, exit70,
		    "exit 70, pid 9, up 4s");
		happen(10 * i, "root", HIST_RESTART, c, none, "one_for_one");
		happen(10 * i, "root/api", HIST_STARTING, c, none, "pid 2");
	}
	expect("root/api", CHILD_READY, 20, true,
	    "api failed 3 times; last, 80s ago: exit 70, pid 9, up 4s; running "
	    "again since 80s",
	    "api exited|root restart|api starting|"
	    "api exited|root restart|api starting|"
	    "api exited|root restart|api starting|");
}

static void
an_operators_stop_is_named(void **state)
{
	(void)state;
	happen(10, "root/api", HIST_STARTING, 0, none, "pid 1");
	happen(40, "root/api", HIST_STOPPING, 0, none, "SIGTERM");
	happen(40, "root/api", HIST_STOPPED, 0, asked, "stopped");
	expect("root/api", CHILD_STOPPED, 40, false,
	    "api was stopped by an operator 60s ago", "api stopped|");
}

static void
who_never_ended_says_so(void **state)
{
	(void)state;
	happen(10, "root/api", HIST_STARTING, 0, none, "pid 1");
	happen(10, "root/api", HIST_READY, 0, none, "pid 1");
	expect("root/api", CHILD_READY, 10, true,
	    "api is running since 90s; it has never ended",
	    "api starting|api ready|");
}

static void
a_clean_end_is_not_a_failure(void **state)
{
	static const struct reason normal = { .kind = REASON_NORMAL };

	(void)state;
	happen(90, "root/job", HIST_EXITED, 0, normal, "exit 0, pid 7, up 3s");
	expect("root/job", CHILD_STOPPED, 90, true,
	    "job ended by itself 10s ago: exit 0, pid 7, up 3s; not restarted",
	    "job exited|");
}

static void
a_supervisor_that_gave_up_names_the_child(void **state)
{
	static const struct reason gave_up = { .kind = REASON_SHUTDOWN,
		.why = WHY_GAVE_UP };
	uint64_t c;

	(void)state;
	c = happen(90, "root/app/api", HIST_EXITED, 0, exit70, "exit 70");
	happen(90, "root/app", HIST_GAVE_UP, c, none, "more than 3");
	happen(90, "root/app/db", HIST_STOPPED, c, gave_up, "gave up");
	happen(90, "root/app", HIST_ENDED, c, gave_up, "gave up");
	expect("root/app", CHILD_STOPPED, 90, true,
	    "app ended 10s ago, because of app/api (exit 70)",
	    "api exited|app gave_up|app ended|");
	expect("root/app/db", CHILD_STOPPED, 90, true,
	    "db was stopped 10s ago, not through its own failure: app/api "
	    "failed",
	    "api exited|app gave_up|db stopped|app ended|");
}

/* ---- the ring
 * ---------------------------------------------------------------- */

static void
the_oldest_event_falls_out(void **state)
{
	(void)state;
	for (int64_t i = 0; i < 100; i++)
		happen(i, "root/a", HIST_READY, 0, none, "x");
	assert_int_equal(history_first(&h), 37);
	assert_null(history_get(&h, 36));
	assert_non_null(history_get(&h, 37));
	assert_non_null(history_get(&h, 100));
	assert_null(history_get(&h, 101));
}

static void
a_cause_that_fell_out_is_none(void **state)
{
	uint64_t c = happen(0, "root/a", HIST_EXITED, 0, exit70, "x");

	(void)state;
	happen(0, "root/a", HIST_READY, c, none, "x");
	assert_int_equal(history_get(&h, 2)->cause, 1);
	for (int64_t i = 0; i < 100; i++)
		happen(i, "root/a", HIST_READY, 0, none, "x");
	happen(0, "root/a", HIST_READY, c, none, "x");
	assert_int_equal(history_get(&h, h.next - 1)->cause, 0);
}

static void
a_text_can_be_amended_while_it_is_there(void **state)
{
	(void)state;
	happen(0, "root/a", HIST_EXITED, 0, exit70, "exit 70");
	history_amend(&h, 1, ", last output: \"x\"");
	assert_string_equal(
	    history_get(&h, 1)->text, "exit 70, last output: \"x\"");
	history_amend(&h, 9, "nobody");
}

static void
a_worker_put_down_by_its_probes_tells_of_them(void **state)
{
	struct reason unwell = { .kind = REASON_UNHEALTHY, .why = WHY_HEALTH };
	uint64_t third;

	(void)state;
	happen(10, "root/w", HIST_STARTING, 0, none, "pid 1");
	happen(11, "root/w", HIST_READY, 0, none, "pid 1");
	happen(20, "root/v", HIST_UNHEALTHY, 0, none, "probe 1 of 9 failed");
	happen(21, "root/w", HIST_UNHEALTHY, 0, none, "probe 1 of 2 failed");
	third = happen(22, "root/w", HIST_UNHEALTHY, 0, none, "2 failed");
	happen(22, "root/w", HIST_STOPPING, third, none, "SIGTERM");
	happen(23, "root/w", HIST_EXITED, third, unwell, "2 probes failed");
	happen(23, "root", HIST_RESTART, third, none, "start w");
	happen(23, "root/w", HIST_STARTING, third, none, "pid 2");
	expect("root/w", CHILD_READY, 40, true,
	    "w failed 1 time; last, 77s ago: 2 probes failed; running again "
	    "since 60s",
	    "w unhealthy|w unhealthy|w stopping|w exited|root restart|"
	    "w starting|");
}

static void
a_planned_replacement_is_no_failure(void **state)
{
	struct reason old = { .kind = REASON_UNHEALTHY, .why = WHY_LIFETIME };
	uint64_t due;

	(void)state;
	happen(10, "root/w", HIST_STARTING, 0, none, "pid 1");
	due = happen(20, "root/w", HIST_LIFETIME, 0, none, "1h reached");
	happen(20, "root/w", HIST_STOPPING, due, none, "SIGTERM");
	happen(21, "root/w", HIST_EXITED, due, old, "max_lifetime of 1h");
	happen(21, "root/w", HIST_STARTING, due, none, "pid 2");
	expect("root/w", CHILD_READY, 40, true,
	    "w was replaced 79s ago: max_lifetime of 1h; running again since "
	    "60s",
	    "w lifetime|w stopping|w exited|w starting|");
}

static void
a_pause_is_told_with_its_end(void **state)
{
	struct why_subject s = {
		.path = "root/w",
		.state = CHILD_WAITING,
		.now = AT(100),
		.since = AT(99),
		.next_try = AT(104),
		.wanted = true,
		.enabled = true,
	};
	struct buf out = { 0 };
	uint64_t end;

	(void)state;
	end = happen(99, "root/w", HIST_EXITED, 0, exit70, "exit 70");
	happen(99, "root/w", HIST_WAITING, end, none, "5s");
	told[0] = '\0';
	why_tell(&h, &s, tell, NULL, &out);
	assert_string_equal(buf_str(&out),
	    "w failed 1 time; last, 1s ago: exit 70; next try in 4s");
	assert_string_equal(told, "w exited|w waiting|");
	buf_fini(&out);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_siblings_failure_is_told_first),
		T(own_failures_are_counted),
		T(an_operators_stop_is_named),
		T(who_never_ended_says_so),
		T(a_clean_end_is_not_a_failure),
		T(a_supervisor_that_gave_up_names_the_child),
		T(the_oldest_event_falls_out),
		T(a_cause_that_fell_out_is_none),
		T(a_text_can_be_amended_while_it_is_there),
		T(a_worker_put_down_by_its_probes_tells_of_them),
		T(a_planned_replacement_is_no_failure),
		T(a_pause_is_told_with_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
