/* SPDX-License-Identifier: ISC */
/* libmsg: what a mailbox does that is full, as its configuration says. */
#include "msg_bus.h"

#include <errno.h>
#include <msg/msg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define PATIENCE_MS (BUS_PATIENCE_S * 1000)
#define MAX         (64 * 1024)
#define SIZE        1000
#define N           2000

/* Takes nothing in from the mailbox but "go", from a guest; then all of it. */
static void
wait_for_go(void)
{
	const struct msg_pattern go = { .from = BUS_GUEST };
	struct msg m;

	check(msg_receive_match(&m, &go, 1, PATIENCE_MS) == 1);
	check(strcmp(m.body, "go") == 0);
	msg_free(&m);
}

static int
slow(void)
{
	struct msg_stats st;
	struct msg m;

	check(msg_open() == 0 && msg_register("slow") == 0);
	check(msg_ready() == 0);
	wait_for_go();
	msg_stats(&st);
	/* The bound, and what its one sender was allowed already. */
	check(st.queued_bytes >= MAX);
	check(st.queued_bytes <= MAX + PROTO_WINDOW + 2 * SIZE);
	/* It can still talk to others. */
	check(msg_call_name("other", MSG_BYTES, "hi", 2, -1, NULL) == 0);
	for (int i = 0; i < N; i++) {
		check(msg_receive(&m, PATIENCE_MS) == 1);
		check(m.len == SIZE && memcmp(m.body, &i, sizeof(i)) == 0);
		msg_free(&m);
	}
	msg_stats(&st);
	check(st.dropped == 0);
	return 0;
}

static int
other(void)
{
	struct msg m;

	check(msg_open() == 0 && msg_register("other") == 0);
	check(msg_ready() == 0);
	check(msg_receive(&m, PATIENCE_MS) == 1);
	check(msg_reply(&m, MSG_BYTES, "", 0) == 0);
	msg_free(&m);
	return 0;
}

/* Says ready when it stands still for want of room. */
static int
floods_until_full(void)
{
	char body[SIZE] = "";
	msg_pid to;
	int i = 0, r;

	check(msg_open() == 0 && msg_whereis("slow", &to) == 0);
	for (; i < N; i++) {
		memcpy(body, &i, sizeof(i));
		r = msg_send_timeout(to, MSG_BYTES, body, sizeof(body), 3000);
		if (r != 0)
			break;
	}
	check(i < N && r == -ETIMEDOUT);
	check(msg_ready() == 0);
	for (; i < N; i++) {
		memcpy(body, &i, sizeof(i));
		check(msg_send(to, MSG_BYTES, body, sizeof(body)) == 0);
	}
	return 0;
}

static void
go(int slot)
{
	struct proto_frame h = {
		.type = PROTO_DATA, .to = BUS_PID(slot), .from = BUS_GUEST
	};

	bus_send(slot, &h, "go", 2);
}

static void
block_holds_back_its_senders_and_nobody_else(void **state)
{
	int a, b, c;

	(void)state;
	bus_bounds(MAX, PROTO_BLOCK);
	a = bus_start(slow);
	assert_true(bus_until_ready(a));
	b = bus_start(other);
	c = bus_start(floods_until_full);
	assert_true(bus_until_ready(b));
	assert_true(bus_until_ready(c));
	go(a);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(c));
	assert_true(bus_succeeded(a));
}

static int
forgetful(void)
{
	struct msg_stats st;
	struct msg m;
	int n = 0;

	check(msg_open() == 0 && msg_register("slow") == 0);
	check(msg_ready() == 0);
	for (;;) {
		check(msg_sleep(5) == 0);
		msg_stats(&st);
		check(st.queued_bytes <= MAX);
		if (st.received + st.dropped >= N)
			break;
	}
	check(st.dropped > 0);
	while (msg_receive(&m, 0) == 1) {
		check(memcmp(m.body, &n, sizeof(n)) == 0);
		n++;
		msg_free(&m);
	}
	check((uint64_t)n + st.dropped == N);
	return 0;
}

static int
floods(void)
{
	char body[SIZE] = "";
	msg_pid to;

	check(msg_open() == 0 && msg_whereis("slow", &to) == 0);
	for (int i = 0; i < N; i++) {
		memcpy(body, &i, sizeof(i));
		check(msg_send(to, MSG_BYTES, body, sizeof(body)) == 0);
	}
	return 0;
}

static void
drop_keeps_the_first_and_counts_the_rest(void **state)
{
	int a, b;

	(void)state;
	bus_bounds(MAX, PROTO_DROP);
	a = bus_start(forgetful);
	assert_true(bus_until_ready(a));
	b = bus_start(floods);
	assert_true(bus_succeeded(a));
	assert_true(bus_succeeded(b));
}

static int
overwhelmed(void)
{
	check(msg_open() == 0 && msg_register("slow") == 0);
	check(msg_ready() == 0);
	(void)msg_sleep(PATIENCE_MS);
	return 77;
}

static void
kill_ends_it_with_that_reason(void **state)
{
	int a, b;

	(void)state;
	bus_bounds(MAX, PROTO_KILL);
	a = bus_start(overwhelmed);
	assert_true(bus_until_ready(a));
	b = bus_start(floods);
	assert_true(bus_until_ended(a));
	assert_string_equal(bus_reason(a), "mailbox full");
	assert_true(WIFEXITED(bus_status(a)));
	assert_int_equal(WEXITSTATUS(bus_status(a)), 1);
	assert_true(bus_succeeded(b));
}

#define T(name) cmocka_unit_test_setup_teardown(name, bus_setup, bus_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(block_holds_back_its_senders_and_nobody_else),
		T(drop_keeps_the_first_and_counts_the_rest),
		T(kill_ends_it_with_that_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
