/* SPDX-License-Identifier: ISC */
/*
 * Nothing is lost: a worker sends K messages and returns from main, or is
 * killed, and the other takes them fast or slowly.
 */
#include "msg_bus.h"

#include <msg/msg.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* All of one history together, so that the test ends soon. */
#define TOTAL_MAX (64u * 1024 * 1024)

enum end { RETURNS, KILLED };

static struct {
	uint32_t k;
	size_t size;
	bool slow, without_shim;
	enum end end;
} now;

static void
begin(void)
{
	if (now.without_shim)
		setenv("MSG_NNFIX_OFF", "1", 1);
	check(msg_open() == 0);
}

/* Each message is its number, and of every later word too. */
static void
fill(uint32_t *body, size_t size, uint32_t n)
{
	for (size_t i = 0; i < size / sizeof(n); i++)
		body[i] = n + (uint32_t)i;
}

static void
check_whole(const struct msg *m, uint32_t n)
{
	uint32_t word;

	check(m->len == now.size);
	for (size_t i = 0; i < m->len / sizeof(word); i++) {
		memcpy(&word, (const char *)m->body + i * sizeof(word),
		    sizeof(word));
		check(word == n + (uint32_t)i);
	}
}

/* 1 ms a message, or for each 100 of many. */
static void
dawdle(uint32_t n)
{
	const struct timespec ms = { .tv_nsec = 1000000 };

	if (now.slow && (now.k <= 100 || n % 100 == 0))
		nanosleep(&ms, NULL);
}

static int
reader(void)
{
	struct msg_stats st;
	uint64_t ref = 0;
	uint32_t n = 0;
	struct msg m;

	begin();
	check(msg_register("reader") == 0 && msg_ready() == 0);
	for (;;) {
		check(msg_receive(&m, BUS_PATIENCE_S * 1000) == 1);
		if (m.kind == MSG_DOWN)
			break;
		check(m.kind == MSG_DATA && m.from == BUS_PID(2));
		if (ref == 0)
			check(msg_monitor(m.from, &ref) == 0);
		check_whole(&m, ++n);
		msg_free(&m);
		dawdle(n);
	}
	check(m.ref == ref);
	msg_free(&m);
	if (now.end == RETURNS && n != now.k)
		fprintf(stderr, "# %u of %u arrived\n", n, now.k);
	check(now.end == KILLED ? n >= 1 && n <= now.k : n == now.k);
	check(msg_receive(&m, 20) == 0);
	msg_stats(&st);
	check(st.bad == 0 && st.late == 0);
	return 0;
}

static int
sender(void)
{
	uint32_t *body = malloc(now.size);
	msg_pid to;

	begin();
	check(body != NULL && msg_whereis("reader", &to) == 0);
	for (uint32_t i = 1; i <= now.k; i++) {
		fill(body, now.size, i);
		check(msg_send(to, MSG_BYTES, body, now.size) == 0);
		/* So that there is somebody to be told of. */
		if (i == 1 && now.end == KILLED)
			check(msg_flush(-1) == 0);
	}
	free(body);
	if (now.end == KILLED)
		raise(SIGKILL);
	return 0;
}

static void
history(uint32_t k, size_t size, bool slow, enum end end)
{
	void *state = NULL;
	int a, b;

	now.k = k;
	now.size = size;
	now.slow = slow;
	now.end = end;
	assert_int_equal(bus_setup(&state), 0);
	a = bus_start(reader);
	assert_true(bus_until_ready(a));
	b = bus_start(sender);
	assert_true(bus_until_ended(b));
	if (end == RETURNS)
		assert_int_equal(bus_status(b), 0);
	if (!bus_succeeded(a))
		fail_msg("%u messages of %zu bytes%s%s", k, size,
		    slow ? ", slowly" : "", end == KILLED ? ", killed" : "");
	assert_int_equal(bus_teardown(&state), 0);
}

static void
matrix(enum end end)
{
	static const uint32_t counts[] = { 1, 100, 10000 };
	static const size_t sizes[] = { 64, 1024, 64 * 1024, 1024 * 1024,
		8 * 1024 * 1024 };

	for (unsigned i = 0; i < 3; i++) {
		for (unsigned j = 0; j < 5; j++) {
			size_t k = counts[i];

			if (k * sizes[j] > TOTAL_MAX)
				k = TOTAL_MAX / sizes[j];
			if (i > 0 && k <= counts[i - 1])
				continue;
			history((uint32_t)k, sizes[j], false, end);
			history((uint32_t)k, sizes[j], true, end);
		}
	}
}

static void
what_was_sent_before_main_returned_arrives(void **state)
{
	(void)state;
	matrix(RETURNS);
}

/* TSan's own epoll stands before the shim: what the killed sent may be lost. */
#ifndef __SANITIZE_THREAD__
static void
of_one_that_is_killed_whole_messages_arrive_then_down(void **state)
{
	(void)state;
	matrix(KILLED);
}
#endif

static void
without_the_shim_too_when_it_returns(void **state)
{
	(void)state;
	now.without_shim = true;
	history(1, 64, true, RETURNS);
	history(100, 1024, true, RETURNS);
	history(10000, 64, true, RETURNS);
	history(4, 8 * 1024 * 1024, true, RETURNS);
	now.without_shim = false;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_sent_before_main_returned_arrives),
#ifndef __SANITIZE_THREAD__
		cmocka_unit_test(
		    of_one_that_is_killed_whole_messages_arrive_then_down),
#endif
		cmocka_unit_test(without_the_shim_too_when_it_returns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
