/* SPDX-License-Identifier: ISC */
/*
 * What a worker sent before it ended: the loss in nanomsg 1.1.5 that the shim
 * (libmsg/src/nnfix.c) is there for, and that there is none with it.
 */
#include "msg_bus.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <msg/msg.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define N         100
#define UNDISTURB 200 /* ms; how long a connection is seen to stay open */

/* The sender holds the write end: end of file is its end. */
static int life[2];

static int
count_sockets(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	char path[300], to[64];
	int n = 0;

	check(d != NULL);
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		n += readlink(path, to, sizeof(to)) > 7 &&
		     memcmp(to, "socket:", 7) == 0;
	}
	closedir(d);
	return n;
}

/* Wait until nanomsg has closed the dead sender's connection, at most ms. */
static bool
closed_within(int with_sender, int ms)
{
	const struct timespec tick = { .tv_nsec = 1000000 };

	while (ms-- > 0 && count_sockets() == with_sender)
		nanosleep(&tick, NULL);
	return count_sockets() < with_sender;
}

/*
 * Receives nothing until the sender has ended and nanomsg has had the time to
 * throw its messages away; returns how many there are then.
 */
static int
late_receiver(int ms, bool *ret_closed)
{
	int got = 0, sockets;
	uint64_t ref;
	struct msg m;
	char c;

	close(life[1]);
	check(msg_open() == 0 && msg_register("late") == 0);
	check(msg_ready() == 0);
	check(read(life[0], &c, 1) == 1); /* it is connected, all is sent */
	sockets = count_sockets();
	check(read(life[0], &c, 1) == 0);
	*ret_closed = closed_within(sockets, ms);
	check(msg_monitor(BUS_PID(2), &ref) == 0);
	for (;;) {
		check(msg_receive(&m, BUS_PATIENCE_S * 1000) == 1);
		if (m.kind == MSG_DOWN)
			break;
		check(*(const int *)m.body == got);
		got++;
		msg_free(&m);
	}
	msg_free(&m);
	fprintf(stderr, "# %d of %d arrived\n", got, N);
	return got;
}

static int
without_the_shim(void)
{
	struct msg_stats st;
	bool closed;

	setenv("MSG_NNFIX_OFF", "1", 1);
	/* Seen to close or closed before we looked: what counts is the loss. */
	check(late_receiver(2000, &closed) < N);
	msg_stats(&st);
	check(!st.lossless);
	return 0;
}

/* The thread sanitizer's runtime is called in place of the shim. */
#ifndef __SANITIZE_THREAD__
static int
with_the_shim(void)
{
	struct msg_stats st;
	bool closed;

	check(late_receiver(UNDISTURB, &closed) == N);
	check(!closed);
	msg_stats(&st);
	check(st.lossless);
	return 0;
}
#endif

static void
send_all(void)
{
	close(life[0]);
	check(msg_open() == 0);
	for (int i = 0; i < N; i++)
		check(msg_send_name("late", MSG_BYTES, &i, sizeof(i)) == 0);
	check(msg_flush(-1) == 0);
}

/* Ends as a crash would: no libmsg code runs at _exit(2). */
static int
sends_and_crashes(void)
{
	send_all();
	check(write(life[1], "", 1) == 1);
	_exit(0);
}

static void
run(int (*receiver)(void), int (*sender)(void))
{
	int a, b;

	assert_int_equal(pipe2(life, O_CLOEXEC), 0);
	a = bus_start(receiver);
	assert_true(bus_until_ready(a));
	b = bus_start(sender);
	close(life[0]);
	close(life[1]);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

static void
without_the_shim_nanomsg_loses_what_the_dead_sent(void **state)
{
	(void)state;
	run(without_the_shim, sends_and_crashes);
}

#ifndef __SANITIZE_THREAD__
static void
with_the_shim_nothing_is_lost(void **state)
{
	(void)state;
	run(with_the_shim, sends_and_crashes);
}
#endif

/* Both sides without the shim: exit waits until all is acknowledged. */
static int
receives_without(void)
{
	int got = 0;
	uint64_t ref;
	struct msg m;

	setenv("MSG_NNFIX_OFF", "1", 1);
	check(msg_open() == 0 && msg_register("late") == 0);
	check(msg_ready() == 0);
	do {
		check(msg_receive(&m, BUS_PATIENCE_S * 1000) == 1);
		if (got == 0)
			check(msg_monitor(m.from, &ref) == 0);
		if (m.kind == MSG_DATA)
			check(*(const int *)m.body == got++);
		msg_free(&m);
	} while (m.kind != MSG_DOWN && got < N);
	check(got == N);
	return 0;
}

static int
exits_without(void)
{
	setenv("MSG_NNFIX_OFF", "1", 1);
	send_all();
	return 0;
}

static void
without_the_shim_exit_waits_for_acknowledgements(void **state)
{
	(void)state;
	run(receives_without, exits_without);
}

static int
stuck(void)
{
	char c;

	close(life[1]);
	check(msg_open() == 0 && msg_register("late") == 0);
	check(msg_ready() == 0);
	check(read(life[0], &c, 1) == 0);
	return 0;
}

/* It finds no room in the kernel, and a stopped process does not make any. */
static int
gives_up(void)
{
	static char body[MSG_BODY_MAX];
	struct timespec t0, t1;

	close(life[0]);
	check(msg_open() == 0);
	check(msg_send_name("late", MSG_BYTES, "", 0) == 0);
	check(msg_flush(-1) == 0); /* it is connected */
	check(kill(bus_os_pid(1), SIGSTOP) == 0);
	check(msg_send_name("late", MSG_BYTES, body, sizeof(body)) == 0);
	check(msg_flush(50) == -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	check(msg_close() == -ETIMEDOUT);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	check(t1.tv_sec - t0.tv_sec <= 10);
	check(kill(bus_os_pid(1), SIGCONT) == 0);
	return 0;
}

static void
leaving_gives_up_on_one_who_takes_nothing(void **state)
{
	(void)state;
	run(stuck, gives_up);
}

#define T(name) cmocka_unit_test_setup_teardown(name, bus_setup, bus_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(without_the_shim_nanomsg_loses_what_the_dead_sent),
#ifndef __SANITIZE_THREAD__
		T(with_the_shim_nothing_is_lost),
#endif
		T(without_the_shim_exit_waits_for_acknowledgements),
		T(leaving_gives_up_on_one_who_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
