/* SPDX-License-Identifier: ISC */
/*
 * Replies to one who does not take them: they wait for it, and nobody else
 * waits with them.
 */
#include "msg_bus.h"

#include <errno.h>
#include <msg/msg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MANY 2000

/* Answers at once what has one byte; until then keeps the others. */
static int
server(void)
{
	static struct msg kept[MANY];
	struct msg m;
	int r, n = 0;

	check(msg_open() == 0);
	check(msg_register("server") == 0);
	check(msg_ready() == 0);
	while ((r = msg_receive(&m, -1)) == 1) {
		bool last = m.kind == MSG_DATA;

		if (m.kind == MSG_CALL && m.len > 1) {
			check(n < MANY);
			kept[n++] = m;
			continue;
		}
		for (int i = 0; i < n; i++) {
			check(msg_reply(&kept[i], MSG_BYTES, kept[i].body,
				  kept[i].len) == 0);
			msg_free(&kept[i]);
		}
		n = 0;
		if (m.kind == MSG_CALL)
			check(msg_reply(&m, MSG_BYTES, m.body, m.len) == 0);
		msg_free(&m);
		if (last)
			return 0;
	}
	return 1;
}

/* Asks much, and for as long as the other needs looks at none of it. */
static int
asks_and_sleeps(void)
{
	char body[200] = "";
	static uint64_t refs[MANY];
	struct msg m;
	msg_pid pid;

	check(msg_open() == 0);
	for (int i = 0; i < MANY; i++) {
		memcpy(body, &i, sizeof(i));
		check(msg_request_name("server", MSG_BYTES, body, sizeof(body),
			  &refs[i]) == 0);
	}
	check(msg_flush(1000) == 0);
	check(msg_ready() == 0);
	/* Outside libmsg, which therefore takes nothing in. */
	check(read(STDIN_FILENO, body, 1) == 1);
	for (int i = 0; i < MANY; i++) {
		check(msg_wait_response(refs[i], 20000, &m) == 0);
		check(memcmp(m.body, &i, sizeof(i)) == 0);
		msg_free(&m);
	}
	/* The way is free again. */
	check(msg_call_name("server", MSG_BYTES, "x", 1, 20000, NULL) == 0);
	check(msg_whereis("server", &pid) == 0);
	check(msg_send(pid, MSG_BYTES, "end", 3) == 0);
	return 0;
}

static int
calls(void)
{
	check(msg_open() == 0);
	for (int i = 0; i < 100; i++)
		check(msg_call_name("server", MSG_BYTES, "x", 1, 20000, NULL) ==
		      0);
	return 0;
}

static void
who_takes_no_replies_keeps_nobody_else_from_theirs(void **state)
{
	int stdin_is = dup(STDIN_FILENO), go[2], a, b;

	(void)state;
	assert_return_code(pipe(go), errno);
	assert_return_code(dup2(go[0], STDIN_FILENO), errno);
	a = bus_start(server);
	assert_true(bus_until_ready(a));
	b = bus_start(asks_and_sleeps);
	assert_true(bus_until_ready(b));
	assert_true(bus_succeeded(bus_start(calls)));
	assert_int_equal(write(go[1], "g", 1), 1);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
	dup2(stdin_is, STDIN_FILENO);
	close(stdin_is);
	close(go[0]);
	close(go[1]);
}

/* --- P-4 --- */

/* The first has come, and nothing is between it and its exit signal. */
static int
replies_signals_sends(void)
{
	static struct msg kept[MANY];
	msg_pid pid;

	check(msg_open() == 0 && msg_register("server") == 0);
	check(msg_ready() == 0);
	for (int i = 0; i < MANY; i++)
		check(msg_receive(&kept[i], -1) == 1);
	pid = kept[0].from;
	for (int i = 0; i < MANY; i++) {
		check(msg_reply(
			  &kept[i], MSG_BYTES, kept[i].body, kept[i].len) == 0);
		msg_free(&kept[i]);
	}
	check(msg_exit_to(pid, "enough") == 0);
	/* What the other reads, when the signal has been sent. */
	check(write(STDOUT_FILENO, "g", 1) == 1);
	check(msg_send(pid, MSG_BYTES, "after", 5) == 0);
	return 0;
}

static int
expects_it_in_order(void)
{
	char body[200] = "";
	struct msg m;
	uint64_t ref;

	check(msg_open() == 0 && msg_trap_exit(true) == 0);
	for (int i = 0; i < MANY; i++) {
		memcpy(body, &i, sizeof(i));
		check(msg_request_name(
			  "server", MSG_BYTES, body, sizeof(body), &ref) == 0);
	}
	check(msg_flush(BUS_PATIENCE_S * 1000) == 0);
	check(read(STDIN_FILENO, body, 1) == 1);
	for (int i = 0; i < MANY; i++) {
		check(msg_receive(&m, BUS_PATIENCE_S * 1000) == 1);
		check(m.kind == MSG_REPLY);
		check(memcmp(m.body, &i, sizeof(i)) == 0);
		msg_free(&m);
	}
	check(msg_receive(&m, BUS_PATIENCE_S * 1000) == 1);
	check(m.kind == MSG_EXIT);
	msg_free(&m);
	check(msg_receive(&m, BUS_PATIENCE_S * 1000) == 1);
	check(m.kind == MSG_DATA);
	msg_free(&m);
	return 0;
}

static void
a_signal_does_not_overtake_replies_that_wait(void **state)
{
	int in = dup(STDIN_FILENO), out = dup(STDOUT_FILENO), go[2], a, b;

	(void)state;
	fflush(stdout);
	assert_return_code(pipe(go), errno);
	assert_return_code(dup2(go[0], STDIN_FILENO), errno);
	assert_return_code(dup2(go[1], STDOUT_FILENO), errno);
	a = bus_start(replies_signals_sends);
	dup2(out, STDOUT_FILENO);
	assert_true(bus_until_ready(a));
	b = bus_start(expects_it_in_order);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
	dup2(in, STDIN_FILENO);
	close(in);
	close(out);
	close(go[0]);
	close(go[1]);
}

static int
signals_between_messages(void)
{
	char c = 0;

	check(msg_open() == 0);
	for (int i = 0; i < MANY; i++) {
		c = (char)i;
		check(msg_send(BUS_PID(1), MSG_BYTES, &c, 1) == 0);
		if (i % 4 == 3)
			check(msg_exit_to(BUS_PID(1), "on") == 0);
	}
	return 0;
}

static int
expects_them_between(void)
{
	struct msg m;

	check(msg_open() == 0 && msg_trap_exit(true) == 0);
	check(msg_ready() == 0);
	for (int i = 0; i < MANY; i++) {
		check(msg_receive(&m, BUS_PATIENCE_S * 1000) == 1);
		check(m.kind == MSG_DATA && *(const char *)m.body == (char)i);
		msg_free(&m);
		if (i % 4 != 3)
			continue;
		check(msg_receive(&m, BUS_PATIENCE_S * 1000) == 1);
		check(m.kind == MSG_EXIT);
		msg_free(&m);
	}
	return 0;
}

static void
a_signal_is_not_overtaken_by_messages(void **state)
{
	int a, b;

	(void)state;
	a = bus_start(expects_them_between);
	assert_int_equal(a, 1);
	assert_true(bus_until_ready(a));
	b = bus_start(signals_between_messages);
	assert_true(bus_succeeded(a));
	assert_true(bus_succeeded(b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    who_takes_no_replies_keeps_nobody_else_from_theirs,
		    bus_setup, bus_teardown),
		cmocka_unit_test_setup_teardown(
		    a_signal_does_not_overtake_replies_that_wait, bus_setup,
		    bus_teardown),
		cmocka_unit_test_setup_teardown(
		    a_signal_is_not_overtaken_by_messages, bus_setup,
		    bus_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
