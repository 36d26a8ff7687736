/* SPDX-License-Identifier: ISC */
/* libmsg: links (P-6), exit signals (P-7), ending with a reason, bounds. */
#include "msg_bus.h"

#include <errno.h>
#include <msg/msg.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#define PATIENCE_MS (BUS_PATIENCE_S * 1000)

static void
begin(const char *name)
{
	check(msg_open() == 0);
	if (name != NULL)
		check(msg_register(name) == 0);
	check(msg_ready() == 0);
}

static void
expect(enum msg_kind kind, msg_pid from, const char *body)
{
	struct msg m;

	check(msg_receive(&m, PATIENCE_MS) == 1);
	if (m.kind != kind || m.from != from || strcmp(m.body, body) != 0)
		fprintf(stderr, "# kind %d from %llx: %s\n", (int)m.kind,
		    (unsigned long long)m.from, (const char *)m.body);
	check(m.kind == kind && m.from == from);
	check(strcmp(m.body, body) == 0);
	msg_free(&m);
}

static void
send_exit(int slot, msg_pid from, unsigned flags, const char *reason)
{
	struct proto_frame h = { .type = PROTO_EXIT,
		.to = BUS_PID(slot),
		.from = from,
		.flags = (uint16_t)flags };

	bus_send(slot, &h, reason, strlen(reason));
}

/* --- what a signal does --- */

static int
waits(void)
{
	struct msg m;

	begin(NULL);
	(void)msg_receive(&m, PATIENCE_MS);
	return 77; /* it should not come to this */
}

static void
ends_with(const char *signal, msg_pid from, const char *reason, int status)
{
	int a = bus_start(waits);

	assert_true(bus_until_ready(a));
	send_exit(a, BUS_PID(9), 0, "normal"); /* from another: nothing */
	send_exit(a, BUS_PID(9), PROTO_VIA_LINK, "no such link");
	send_exit(a, from, 0, signal);
	assert_true(bus_until_ended(a));
	assert_string_equal(bus_reason(a), reason);
	assert_true(WIFEXITED(bus_status(a)));
	assert_int_equal(WEXITSTATUS(bus_status(a)), status);
}

static void
an_exit_signal_ends_who_does_not_trap(void **state)
{
	(void)state;
	ends_with("out of luck", BUS_PID(9), "out of luck", 1);
}

static void
a_clean_reason_ends_it_cleanly(void **state)
{
	(void)state;
	ends_with("shutdown", BUS_PID(9), "shutdown", 0);
	bus_teardown(state);
	bus_setup(state);
	ends_with("shutdown: tired", BUS_PID(9), "shutdown: tired", 0);
}

static void
kill_becomes_killed(void **state)
{
	(void)state;
	ends_with("kill", BUS_PID(9), "killed", 1);
}

static int
traps(void)
{
	check(msg_open() == 0 && msg_trap_exit(true) == 0);
	check(msg_ready() == 0);
	expect(MSG_EXIT, BUS_PID(9), "normal");
	expect(MSG_EXIT, BUS_PID(9), "anything");
	expect(MSG_EXIT, MSG_SUPERVISOR, "shutdown");
	msg_exit("shutdown: done");
}

static void
who_traps_gets_messages(void **state)
{
	int a = bus_start(traps);

	(void)state;
	assert_true(bus_until_ready(a));
	send_exit(a, BUS_PID(9), 0, "normal");
	send_exit(a, BUS_PID(9), PROTO_VIA_LINK, "no such link");
	send_exit(a, BUS_PID(9), 0, "anything");
	send_exit(a, MSG_SUPERVISOR, 0, "shutdown");
	assert_true(bus_succeeded(a));
	assert_true(bus_traps(a));
	assert_string_equal(bus_reason(a), "shutdown: done");
}

static int
traps_in_vain(void)
{
	struct msg m;

	begin(NULL);
	check(msg_trap_exit(true) == 0);
	check(msg_send(msg_self(), MSG_BYTES, "x", 1) == 0);
	check(msg_exit_to(msg_self(), "kill") == 0);
	(void)msg_receive(&m, 0);
	return 77;
}

static void
kill_cannot_be_trapped(void **state)
{
	int a = bus_start(traps_in_vain);

	(void)state;
	assert_true(bus_until_ended(a));
	assert_string_equal(bus_reason(a), "killed");
	assert_int_equal(WEXITSTATUS(bus_status(a)), 1);
}

/* --- to oneself, and msg_exit --- */

static int
ends_itself(void)
{
	begin(NULL);
	check(msg_exit_to(msg_self(), "") == -EINVAL);
	(void)msg_exit_to(msg_self(), "normal");
	return 77;
}

static void
normal_to_oneself_ends_it(void **state)
{
	int a = bus_start(ends_itself);

	(void)state;
	assert_true(bus_until_ended(a));
	assert_int_equal(bus_status(a), 0);
	assert_string_equal(bus_reason(a), "normal");
}

static void
at_exit(void)
{
	check(msg_send_name("hears", MSG_BYTES, "last words", 10) == 0);
}

static int
hears(void)
{
	struct msg m;
	uint64_t ref;

	begin("hears");
	check(msg_receive(&m, PATIENCE_MS) == 1);
	check(strcmp(m.body, "begin") == 0);
	check(msg_monitor(m.from, &ref) == 0);
	check(msg_send(m.from, MSG_BYTES, "go", 2) == 0);
	msg_free(&m);
	expect(MSG_DATA, BUS_PID(2), "last words");
	expect(MSG_DOWN, BUS_PID(2), "a reason of its own");
	return 0;
}

static int
leaves_with_a_reason(void)
{
	begin(NULL);
	check(atexit(at_exit) == 0);
	check(msg_send_name("hears", MSG_BYTES, "begin", 5) == 0);
	expect(MSG_DATA, BUS_PID(1), "go");
	msg_exit("a reason of its own");
}

static void
msg_exit_runs_atexit_functions_and_declares(void **state)
{
	int a = bus_start(hears), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(leaves_with_a_reason);
	assert_true(bus_until_ended(b));
	assert_int_equal(WEXITSTATUS(bus_status(b)), 1);
	assert_true(bus_succeeded(a));
}

/* --- links --- */

static int
linked(void)
{
	struct msg m;

	begin("linked");
	check(msg_receive(&m, PATIENCE_MS) == 1);
	check(strcmp(m.body, "die") == 0);
	msg_free(&m);
	msg_exit("boom");
}

static int
links_and_dies(void)
{
	begin(NULL);
	check(msg_link(msg_self()) == 0);
	check(msg_link(BUS_PID(50)) == -ESRCH);
	check(msg_link(BUS_PID(1)) == 0);
	check(msg_link(BUS_PID(1)) == 0);
	check(msg_send(BUS_PID(1), MSG_BYTES, "die", 3) == 0);
	check(msg_sleep(PATIENCE_MS) == 0);
	return 77;
}

static void
linked_workers_end_together(void **state)
{
	int a = bus_start(linked), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(links_and_dies);
	assert_true(bus_until_ended(a));
	assert_true(bus_until_ended(b));
	assert_string_equal(bus_reason(b), "boom");
	assert_int_equal(WEXITSTATUS(bus_status(b)), 1);
}

static int
links_and_traps(void)
{
	begin(NULL);
	check(msg_trap_exit(true) == 0);
	check(msg_link(BUS_PID(50)) == 0);
	expect(MSG_EXIT, BUS_PID(50), "noproc");
	check(msg_link(BUS_PID(1)) == 0);
	check(msg_send(BUS_PID(1), MSG_BYTES, "die", 3) == 0);
	expect(MSG_EXIT, BUS_PID(1), "boom");
	return 0;
}

static void
who_traps_hears_of_the_end_of_its_link(void **state)
{
	int a = bus_start(linked), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(links_and_traps);
	assert_true(bus_succeeded(b));
}

static int
unlinks(void)
{
	uint64_t ref;
	struct msg m;

	begin(NULL);
	check(msg_link(BUS_PID(1)) == 0);
	check(msg_unlink(BUS_PID(1)) == 0);
	check(msg_monitor(BUS_PID(1), &ref) == 0);
	check(msg_send(BUS_PID(1), MSG_BYTES, "die", 3) == 0);
	expect(MSG_DOWN, BUS_PID(1), "boom");
	check(msg_receive(&m, 50) == 0);
	return 0;
}

static void
after_an_unlink_nothing_comes_by_the_link(void **state)
{
	int a = bus_start(linked), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(unlinks);
	assert_true(bus_succeeded(b));
}

/* --- order --- */

#define N 2000

static int
takes_until_exit(void)
{
	struct msg m;
	int n = 0;

	check(msg_open() == 0 && msg_trap_exit(true) == 0);
	check(msg_register("victim") == 0 && msg_ready() == 0);
	for (;;) {
		check(msg_receive(&m, PATIENCE_MS) == 1);
		if (m.kind == MSG_EXIT)
			break;
		check(*(const int *)m.body == n++);
		msg_free(&m);
	}
	check(n == N && strcmp(m.body, "enough") == 0);
	msg_free(&m);
	return 0;
}

static int
sends_and_signals(void)
{
	msg_pid to;

	begin(NULL);
	check(msg_whereis("victim", &to) == 0);
	for (int i = 0; i < N; i++)
		check(msg_send(to, MSG_BYTES, &i, sizeof(i)) == 0);
	check(msg_exit_to(to, "enough") == 0);
	return 0;
}

static void
an_exit_signal_comes_after_the_messages_before_it(void **state)
{
	int a = bus_start(takes_until_exit), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(sends_and_signals);
	assert_true(bus_succeeded(a));
	assert_true(bus_succeeded(b));
}

/* --- counts --- */

static int
counts(void)
{
	struct msg m;

	begin(NULL);
	for (int i = 0; i < 5; i++)
		check(msg_send(msg_self(), MSG_BYTES, "x", 1) == 0);
	while (msg_receive(&m, PATIENCE_MS) == 1 && m.kind == MSG_DATA &&
	       m.from == msg_self())
		msg_free(&m);
	msg_free(&m);
	return 0;
}

static void
supd_is_told_how_many_messages_came(void **state)
{
	struct proto_frame h = {
		.type = PROTO_DATA, .to = BUS_PID(1), .from = BUS_GUEST
	};
	int a = bus_start(counts);

	(void)state;
	assert_true(bus_until_ready(a));
	assert_true(bus_until_received(a, 5));
	bus_send(a, &h, "end", 3);
	assert_true(bus_succeeded(a));
}

#define T(name) cmocka_unit_test_setup_teardown(name, bus_setup, bus_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(an_exit_signal_ends_who_does_not_trap),
		T(a_clean_reason_ends_it_cleanly),
		T(kill_becomes_killed),
		T(who_traps_gets_messages),
		T(kill_cannot_be_trapped),
		T(normal_to_oneself_ends_it),
		T(msg_exit_runs_atexit_functions_and_declares),
		T(linked_workers_end_together),
		T(who_traps_hears_of_the_end_of_its_link),
		T(after_an_unlink_nothing_comes_by_the_link),
		T(an_exit_signal_comes_after_the_messages_before_it),
		T(supd_is_told_how_many_messages_came),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
