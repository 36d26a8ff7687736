/* SPDX-License-Identifier: ISC */
/* libmsg: timers (P-11), sleeping, and foreign event loops. */
#include "msg_bus.h"

#include <errno.h>
#include <msg/msg.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define PATIENCE_MS (BUS_PATIENCE_S * 1000)
#define HOUR_MS     3600000

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
expect(enum msg_kind kind, uint64_t ref, const char *body)
{
	struct msg m;

	check(msg_receive(&m, PATIENCE_MS) == 1);
	check(m.kind == kind && m.from == msg_self());
	check(ref == 0 || m.ref == ref);
	check(strcmp(m.body, body) == 0);
	msg_free(&m);
}

static int
sets_timers(void)
{
	int64_t before;
	uint64_t a, b, c, d;
	struct msg m;

	check(msg_open() == 0);
	before = now_ms();
	/* By time, and those of one time in the order they were set. */
	check(msg_start_timer(40, MSG_BYTES, "last", 4, &a) == 0);
	check(msg_send_after(30, msg_self(), MSG_BYTES, "third", 5, &b) == 0);
	check(msg_start_timer(0, MSG_BYTES, "first", 5, &c) == 0);
	check(msg_start_timer(0, MSG_BYTES, "second", 6, &d) == 0);
	expect(MSG_TIMEOUT, c, "first");
	expect(MSG_TIMEOUT, d, "second");
	expect(MSG_DATA, 0, "third");
	check(now_ms() >= before + 30);
	expect(MSG_TIMEOUT, a, "last");
	check(now_ms() >= before + 40);
	check(msg_receive(&m, 0) == 0);
	check(msg_start_timer(-1, MSG_BYTES, "", 0, &a) == -EINVAL);
	check(msg_send_after(1, 0, MSG_BYTES, "", 0, &a) == -EINVAL);
	return 0;
}

static void
timers_fire_by_time_and_never_early(void **state)
{
	(void)state;
	assert_true(bus_succeeded(bus_start(sets_timers)));
}

static int
cancels_timers(void)
{
	uint64_t a, b, c;
	int64_t left;
	struct msg m;

	check(msg_open() == 0);
	check(msg_start_timer(HOUR_MS, MSG_BYTES, "a", 1, &a) == 0);
	check(msg_start_timer(INT64_MAX, MSG_BYTES, "b", 1, &b) == 0);
	check(msg_start_timer(0, MSG_BYTES, "c", 1, &c) == 0);
	left = msg_cancel_timer(a);
	check(left > HOUR_MS - PATIENCE_MS && left <= HOUR_MS);
	check(msg_cancel_timer(a) == -ENOENT);
	check(msg_cancel_timer(b) > HOUR_MS);
	check(msg_cancel_timer(77) == -ENOENT);
	/* It fires, and then there is nothing to cancel. */
	check(msg_sleep(1) == 0);
	check(msg_cancel_timer(c) == -ENOENT);
	expect(MSG_TIMEOUT, c, "c");
	check(msg_receive(&m, 0) == 0);
	return 0;
}

static void
a_cancelled_timer_tells_what_was_left(void **state)
{
	(void)state;
	assert_true(bus_succeeded(bus_start(cancels_timers)));
}

static int
waits_by_ref(void)
{
	struct msg_pattern p = { .kinds = MSG_IS(MSG_TIMEOUT) };
	struct msg m;

	check(msg_open() == 0);
	check(msg_send(msg_self(), MSG_BYTES, "before", 6) == 0);
	check(msg_start_timer(10, MSG_BYTES, "it", 2, &p.ref) == 0);
	check(msg_receive_match(&m, &p, 1, PATIENCE_MS) == 1);
	check(strcmp(m.body, "it") == 0);
	msg_free(&m);
	expect(MSG_DATA, 0, "before");
	return 0;
}

static void
a_timeout_is_received_by_its_ref(void **state)
{
	(void)state;
	assert_true(bus_succeeded(bus_start(waits_by_ref)));
}

static int
timed_receiver(void)
{
	bool by_pid = false, by_name = false;
	struct msg m;

	check(msg_open() == 0 && msg_register("late") == 0);
	check(msg_ready() == 0);
	while (!by_pid || !by_name) { /* timers are not one sender (P-4) */
		check(msg_receive(&m, PATIENCE_MS) == 1);
		by_pid = by_pid || strcmp(m.body, "by pid") == 0;
		by_name = by_name || strcmp(m.body, "by name") == 0;
		check(strcmp(m.body, "x") != 0);
		msg_free(&m);
	}
	return 0;
}

static int
timed_sender(void)
{
	uint64_t ref, down, old;
	struct msg m;

	check(msg_open() == 0);
	check(msg_monitor(BUS_PID(1), &down) == 0);
	check(
	    msg_send_after(HOUR_MS, BUS_PID(1), MSG_BYTES, "x", 1, &old) == 0);
	check(msg_send_after_name(0, "nobody", MSG_BYTES, "x", 1, &ref) == 0);
	check(msg_send_after(5, BUS_PID(1), MSG_BYTES, "by pid", 6, &ref) == 0);
	check(msg_send_after_name(10, "late", MSG_BYTES, "by name", 7, &ref) ==
	      0);
	check(msg_receive(&m, PATIENCE_MS) == 1);
	check(m.kind == MSG_DOWN && m.ref == down);
	msg_free(&m);
	/* Its timer has ended with it. */
	while (msg_is_alive(BUS_PID(1)) != 0)
		;
	check(msg_cancel_timer(old) == -ENOENT);
	return 0;
}

static void
a_timer_is_for_a_pid_or_a_name_of_then(void **state)
{
	int a = bus_start(timed_receiver), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(timed_sender);
	assert_true(bus_succeeded(a));
	assert_true(bus_succeeded(b));
}

static int
sleeps(void)
{
	int64_t before = now_ms();
	uint64_t ref;

	check(msg_open() == 0);
	check(msg_start_timer(1, MSG_BYTES, "meanwhile", 9, &ref) == 0);
	check(msg_sleep(20) == 0);
	check(now_ms() >= before + 20);
	expect(MSG_TIMEOUT, ref, "meanwhile");
	return 0;
}

static void
what_comes_during_a_sleep_is_kept(void **state)
{
	(void)state;
	assert_true(bus_succeeded(bus_start(sleeps)));
}

/* An event loop of its own: poll and nothing else. */
static int
polls(void)
{
	struct pollfd p = { .events = POLLIN };
	unsigned got = 0;
	uint64_t ref;
	struct msg m;

	check(msg_open() == 0 && msg_register("loop") == 0);
	check(msg_ready() == 0);
	check(msg_start_timer(20, MSG_BYTES, "tick", 4, &ref) == 0);
	p.fd = msg_fd();
	check(p.fd >= 0);
	while (got < 1001) {
		int n = msg_dispatch();

		check(n >= 0);
		for (; n > 0; n--, got++) {
			check(msg_receive(&m, 0) == 1);
			msg_free(&m);
		}
		if (got < 1001 && msg_dispatch() == 0)
			check(poll(&p, 1, PATIENCE_MS) == 1);
	}
	check(msg_dispatch() == 0);
	check(poll(&p, 1, 0) == 0);
	return 0;
}

static int
floods_the_loop(void)
{
	msg_pid to;

	check(msg_open() == 0 && msg_whereis("loop", &to) == 0);
	for (int i = 0; i < 1000; i++)
		check(msg_send(to, MSG_BYTES, &i, sizeof(i)) == 0);
	return 0;
}

static void
a_foreign_event_loop_needs_one_fd(void **state)
{
	int a = bus_start(polls), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(floods_the_loop);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

#define T(name) cmocka_unit_test_setup_teardown(name, bus_setup, bus_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(timers_fire_by_time_and_never_early),
		T(a_cancelled_timer_tells_what_was_left),
		T(a_timeout_is_received_by_its_ref),
		T(a_timer_is_for_a_pid_or_a_name_of_then),
		T(what_comes_during_a_sleep_is_kept),
		T(a_foreign_event_loop_needs_one_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
