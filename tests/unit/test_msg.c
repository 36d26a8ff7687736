/* SPDX-License-Identifier: ISC */
/* libmsg on the lifeline: joining, names, monitors, guests. */
#include "msg_bus.h"

#include <errno.h>
#include <fcntl.h>
#include <msg/msg.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

static void
outside_supd_open_fails_and_says_why(void **state)
{
	int r;

	(void)state;
	unsetenv("SUPD_FD");
	r = msg_open();
	assert_int_equal(r, -ENXIO);
	assert_string_equal(
	    msg_strerror(r), "not started by supd: SUPD_FD is not set");
	assert_int_equal(msg_self(), 0);
	assert_int_equal(msg_ready(), -ENOTCONN);
	assert_int_equal(msg_close(), 0);
}

static void
open_refuses_an_fd_that_is_no_lifeline(void **state)
{
	(void)state;
	setenv("SUPD_FD", "three", 1);
	assert_int_equal(msg_open(), -EBADF);
	setenv("SUPD_FD", "999999", 1);
	assert_int_equal(msg_open(), -EBADF);
	setenv("SUPD_FD", "0", 1);
	assert_int_equal(msg_open(), -EBADF);
	unsetenv("SUPD_FD");
}

static int
joins(void)
{
	int fd = atoi(getenv("SUPD_FD"));

	check(fcntl(fd, F_GETFD) == 0);
	check(msg_open() == 0);
	check(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	check(getenv("SUPD_FD") != NULL);
	check(msg_self() == BUS_PID(1));
	check(strcmp(msg_path(), "root/w1") == 0);
	check(msg_open() == -EALREADY);
	check(msg_ready() == 0);
	return 0;
}

static void
open_joins_and_keeps_the_lifeline_from_children(void **state)
{
	int a = bus_start(joins);

	(void)state;
	assert_true(bus_until_ready(a));
	assert_true(bus_succeeded(a));
}

static int
beats(void)
{
	check(msg_alive() == -ENOTCONN);
	check(msg_heartbeat_ms() == 0);
	check(setenv("WATCHDOG_USEC", "3600000000", 1) == 0);
	check(msg_open() == 0);
	check(msg_heartbeat_ms() == 3600000);
	for (int i = 0; i < 1000; i++)
		check(msg_alive() == 0);
	check(msg_unwell() == 0);
	check(msg_ready() == 0);
	return 0;
}

static void
signs_of_life_are_bounded_and_by_hand(void **state)
{
	int a = bus_start(beats);
	bool unwell;

	(void)state;
	assert_true(bus_until_ready(a));
	assert_int_equal(bus_alive(a, &unwell), 1);
	assert_true(unwell);
	assert_true(bus_succeeded(a));
}

static int
is_not_watched(void)
{
	check(unsetenv("WATCHDOG_USEC") == 0);
	check(msg_open() == 0);
	check(msg_heartbeat_ms() == 0);
	check(msg_alive() == 0 && msg_unwell() == 0);
	check(msg_ready() == 0);
	return 0;
}

static void
without_a_heartbeat_no_sign_is_sent(void **state)
{
	int a = bus_start(is_not_watched);
	bool unwell;

	(void)state;
	assert_true(bus_until_ready(a));
	assert_int_equal(bus_alive(a, &unwell), 0);
	assert_false(unwell);
	assert_true(bus_succeeded(a));
}

static int
registers(void)
{
	msg_pid who = 0;
	char long_name[MSG_NAME_MAX + 2];
	int r;

	check(msg_open() == 0);
	check(msg_register("alpha") == 0);
	r = msg_register("alpha");
	check(r == -EEXIST);
	check(strstr(msg_strerror(r), "alpha") != NULL);
	check(msg_whereis("alpha", &who) == 0 && who == msg_self());
	check(msg_unregister("alpha") == 0);
	check(msg_unregister("alpha") == -ENOENT);
	check(msg_whereis("alpha", &who) == -ENOENT);
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	check(msg_register(long_name) == -EINVAL);
	long_name[MSG_NAME_MAX] = '\0';
	check(msg_register(long_name) == 0);
	check(msg_register("") == -EINVAL);
	return 0;
}

static void
a_name_has_one_owner_and_can_be_given_up(void **state)
{
	(void)state;
	assert_true(bus_succeeded(bus_start(registers)));
}

static int
answers_guests(void)
{
	struct msg m;

	check(msg_open() == 0 && msg_ready() == 0);
	for (int i = 0; i < 2; i++) {
		check(msg_receive(&m, -1) == 1);
		check(m.kind == MSG_CALL && m.from == BUS_GUEST);
		check(m.content == MSG_PACKED);
		if (strcmp(m.body, "good") == 0)
			check(msg_reply(&m, MSG_BYTES, "well", 4) == 0);
		else
			check(msg_reply_error(&m, "never") == 0);
		msg_free(&m);
	}
	return 0;
}

static void
a_guest_is_answered_on_the_lifeline(void **state)
{
	struct proto_frame h = { .type = PROTO_CALL,
		.to = BUS_PID(1),
		.from = BUS_GUEST,
		.ref = 42,
		.flags = PROTO_MSGPACK };
	struct proto_frame got;
	int a = bus_start(answers_guests);
	char text[64];

	(void)state;
	assert_true(bus_until_ready(a));
	bus_send(a, &h, "good", 4);
	assert_true(bus_until_reply(&got, text, sizeof(text)));
	assert_string_equal(text, "well");
	assert_int_equal(got.type, PROTO_REPLY);
	assert_int_equal(got.ref, 42);
	assert_int_equal(got.to, BUS_GUEST);
	assert_int_equal(got.flags & PROTO_ERROR, 0);
	bus_send(a, &h, "bad", 3);
	assert_true(bus_succeeded(a));
	assert_true(bus_until_reply(&got, text, sizeof(text)));
	assert_string_equal(text, "never");
	assert_int_equal(got.flags & PROTO_ERROR, PROTO_ERROR);
}

static int
refuses_too_much(void)
{
	static char big[MSG_GUEST_BODY_MAX + 1];
	struct msg m;

	check(msg_open() == 0 && msg_ready() == 0);
	check(msg_receive(&m, -1) == 1);
	check(msg_reply(&m, MSG_BYTES, big, sizeof(big)) == -EMSGSIZE);
	check(msg_reply(&m, MSG_BYTES, big, sizeof(big) - 1) == 0);
	m.kind = MSG_CAST;
	check(msg_reply(&m, MSG_BYTES, "", 0) == -EINVAL);
	msg_free(&m);
	return 0;
}

static void
a_reply_to_a_guest_has_its_limit(void **state)
{
	struct proto_frame h = { .type = PROTO_CALL,
		.to = BUS_PID(1),
		.from = BUS_GUEST,
		.ref = 1 };
	int a = bus_start(refuses_too_much);

	(void)state;
	assert_true(bus_until_ready(a));
	bus_send(a, &h, "", 0);
	assert_true(bus_succeeded(a));
}

static int
monitors_nobody(void)
{
	uint64_t a, b, c;
	struct msg m;

	check(msg_open() == 0);
	check(msg_monitor(BUS_PID(60), &a) == 0);
	check(msg_monitor_name("nobody", &b) == 0);
	check(a != b);
	check(msg_receive(&m, -1) == 1);
	check(m.kind == MSG_DOWN && m.ref == a && m.from == BUS_PID(60));
	check(strcmp(m.body, "noproc") == 0);
	msg_free(&m);
	check(msg_receive(&m, -1) == 1);
	check(m.kind == MSG_DOWN && m.ref == b);
	msg_free(&m);
	/* One of oneself stays active, until it is stopped, once. */
	check(msg_monitor(msg_self(), &c) == 0);
	check(msg_demonitor(c, false) == 1);
	check(msg_demonitor(c, false) == 0);
	/* What had come already goes with flush. */
	check(msg_monitor_name("nobody", &b) == 0);
	check(msg_whereis("nobody", &m.from) == -ENOENT);
	check(msg_demonitor(b, true) == 0);
	check(msg_receive(&m, 0) == 0);
	return 0;
}

static void
a_monitor_of_nobody_fires_at_once(void **state)
{
	(void)state;
	assert_true(bus_succeeded(bus_start(monitors_nobody)));
}

static int
survives(void)
{
	struct msg_stats st;
	struct msg m;

	check(msg_open() == 0 && msg_ready() == 0);
	check(msg_receive(&m, -1) == 1);
	check(m.kind == MSG_DATA && strcmp(m.body, "end") == 0);
	msg_free(&m);
	msg_stats(&st);
	check(st.bad == 6);
	check(st.late == 2);
	return 0;
}

static void
hostile_frames_are_dropped_and_counted(void **state)
{
	struct proto_frame h = {
		.type = PROTO_DATA, .to = BUS_PID(1), .from = BUS_GUEST
	};
	char packet[PROTO_HEADER_SIZE + 8] = { 0 };
	int a = bus_start(survives);

	(void)state;
	assert_true(bus_until_ready(a));
	bus_send_raw(a, "x", 1);
	bus_send_raw(a, packet, sizeof(packet));
	proto_put(packet, sizeof(packet), &h, "1234567", 7);
	bus_send_raw(a, packet, sizeof(packet) - 8); /* shorter than it says */
	h.to = BUS_PID(2);
	bus_send(a, &h, "not for you", 11);
	h = (struct proto_frame){
		.type = 31, .to = BUS_PID(1), .from = BUS_GUEST
	};
	bus_send(a, &h, "no such type", 12);
	h.type = 200;
	bus_send(a, &h, "no such type", 12);
	/* Answers that nobody waits for. */
	h.type = PROTO_RESULT;
	bus_send(a, &h, "x", 1);
	h.type = PROTO_REPLY;
	bus_send(a, &h, "x", 1);
	/* News of monitors that were never set. */
	h.type = PROTO_DOWN;
	h.ref = 12345;
	bus_send(a, &h, "gone", 4);
	h.ref = 0;
	h.type = PROTO_DATA;
	bus_send(a, &h, "end", 3);
	assert_true(bus_succeeded(a));
}

static int
outlives_supd(void)
{
	struct msg m;

	check(msg_open() == 0 && msg_ready() == 0);
	check(msg_receive(&m, -1) == 1 && strcmp(m.body, "last") == 0);
	msg_free(&m);
	check(msg_receive(&m, -1) == -EPIPE);
	check(msg_register("late") == -EPIPE);
	check(msg_send(BUS_PID(3), MSG_BYTES, "", 0) == -EPIPE);
	return 0;
}

static void
the_end_of_supd_shows_after_the_last_message(void **state)
{
	struct proto_frame h = {
		.type = PROTO_DATA, .to = BUS_PID(1), .from = BUS_GUEST
	};
	int a = bus_start(outlives_supd);

	(void)state;
	assert_true(bus_until_ready(a));
	bus_send(a, &h, "last", 4);
	bus_hang_up(a);
	assert_true(bus_succeeded(a));
}

static int
times_out(void)
{
	struct msg m;

	check(msg_open() == 0);
	check(msg_receive(&m, 0) == 0);
	check(msg_receive(&m, 20) == 0);
	check(msg_send(msg_self(), MSG_BYTES, "me", 2) == 0);
	check(msg_receive(&m, 0) == 1);
	check(m.from == msg_self() && m.len == 2);
	msg_free(&m);
	msg_free(&m);
	check(msg_call(msg_self(), MSG_BYTES, "", 0, -1, NULL) == -EDEADLK);
	return 0;
}

static void
receive_polls_waits_and_takes_from_oneself(void **state)
{
	(void)state;
	assert_true(bus_succeeded(bus_start(times_out)));
}

static int
forks(void)
{
	struct msg m;
	int status;
	pid_t pid;

	check(msg_open() == 0);
	pid = fork();
	check(pid != -1);
	if (pid == 0) {
		check(msg_receive(&m, -1) == -ECHILD);
		exit(0); /* closes nothing of the parent's */
	}
	check(waitpid(pid, &status, 0) == pid && status == 0);
	check(msg_register("parent") == 0);
	return 0;
}

static void
a_forked_child_has_no_mailbox_and_harms_none(void **state)
{
	(void)state;
	assert_true(bus_succeeded(bus_start(forks)));
}

#define T(name) cmocka_unit_test_setup_teardown(name, bus_setup, bus_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outside_supd_open_fails_and_says_why),
		cmocka_unit_test(open_refuses_an_fd_that_is_no_lifeline),
		T(open_joins_and_keeps_the_lifeline_from_children),
		T(signs_of_life_are_bounded_and_by_hand),
		T(without_a_heartbeat_no_sign_is_sent),
		T(a_name_has_one_owner_and_can_be_given_up),
		T(a_guest_is_answered_on_the_lifeline),
		T(a_reply_to_a_guest_has_its_limit),
		T(a_monitor_of_nobody_fires_at_once),
		T(hostile_frames_are_dropped_and_counted),
		T(the_end_of_supd_shows_after_the_last_message),
		T(a_forked_child_has_no_mailbox_and_harms_none),
		T(receive_polls_waits_and_takes_from_oneself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
