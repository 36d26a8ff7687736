/* SPDX-License-Identifier: ISC */
/*
 * Many threads in one worker: all of libmsg at once.  What each does is checked
 * as if it were alone, but for who receives what.  Under the thread sanitizer
 * this is what there is to see.
 */
#include "msg_bus.h"

#include <errno.h>
#include <msg/msg.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ROUNDS   300
#define CALLERS  3
#define SENDERS  2
#define N_OTHERS 3

static atomic_uint n_received, n_working;

/* ---- the other worker: answers calls, in two threads --------------------- */

static void *
serve(void *arg)
{
	struct msg m;
	int r;

	while ((r = msg_receive(&m, -1)) == 1) {
		bool last = m.kind == MSG_DATA;

		if (m.kind == MSG_CALL)
			check(msg_reply(&m, MSG_BYTES, m.body, m.len) == 0);
		msg_free(&m);
		if (last)
			break;
	}
	check(r == 1);
	return arg;
}

static int
server(void)
{
	pthread_t other;

	check(msg_open() == 0);
	check(msg_register("server") == 0);
	check(msg_ready() == 0);
	check(pthread_create(&other, NULL, serve, NULL) == 0);
	serve(NULL);
	check(pthread_join(other, NULL) == 0);
	return 0;
}

/* ---- what the threads of one worker do ----------------------------------- */

static void *
calls(void *arg)
{
	struct msg reply;
	uint64_t ref;

	for (int i = 0; i < ROUNDS; i++) {
		int mine[2] = { (int)(intptr_t)arg, i };

		check(msg_call_name("server", MSG_BYTES, mine, sizeof(mine),
			  20000, &reply) == 0);
		check(reply.len == sizeof(mine) &&
		      memcmp(reply.body, mine, sizeof(mine)) == 0);
		msg_free(&reply);
		check(msg_request_name(
			  "server", MSG_BYTES, mine, sizeof(mine), &ref) == 0);
		if (i % 4 == 0) {
			(void)msg_cancel_request(ref);
			continue;
		}
		check(msg_wait_response(ref, 20000, &reply) == 0);
		check(memcmp(reply.body, mine, sizeof(mine)) == 0);
		msg_free(&reply);
	}
	n_working--;
	return NULL;
}

static void *
sends(void *arg)
{
	for (int i = 0; i < ROUNDS; i++)
		check(msg_send(msg_self(), MSG_BYTES, &i, sizeof(i)) == 0);
	n_working--;
	return arg;
}

/* Names and monitors, each asked of supd. */
static void *
asks(void *arg)
{
	msg_pid server_pid, pid;
	uint64_t ref;

	check(msg_whereis("server", &server_pid) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		check(msg_register("client") == 0);
		check(msg_whereis("client", &pid) == 0 && pid == msg_self());
		check(msg_monitor(server_pid, &ref) == 0);
		check(msg_demonitor(ref, true) == 1);
		check(msg_unregister("client") == 0);
		/* Another thread's failures are not ours. */
		check(msg_whereis("nobody", &pid) == -ENOENT);
		check(strstr(msg_strerror(-ENOENT), "nobody") != NULL);
	}
	n_working--;
	return arg;
}

static void *
looks(void *arg)
{
	struct msg_stats stats;

	for (int i = 0; i < ROUNDS; i++) {
		msg_stats(&stats);
		check(msg_self() == BUS_PID(2));
		(void)msg_path();
		check(msg_alive() == 0);
	}
	n_working--;
	return arg;
}

/*
 * By kind or by sender.  One who took anything would also take the replies to
 * requests of others.
 */
static void *
receives(void *by_kind)
{
	struct msg_pattern p = { 0 };
	struct msg m;
	int r;

	if (by_kind != NULL)
		p.kinds = MSG_IS(MSG_DATA);
	else
		p.from = msg_self();
	while (n_received < SENDERS * ROUNDS || n_working > 0) {
		r = msg_receive_match(&m, &p, 1, 20);
		check(r == 0 || r == 1);
		if (r == 0)
			continue;
		check(m.kind == MSG_DATA && m.from == msg_self());
		n_received++;
		msg_free(&m);
	}
	return by_kind;
}

static int
client(void)
{
	pthread_t t[CALLERS + SENDERS + N_OTHERS + 1];
	msg_pid server_pid;
	size_t n = 0;

	check(msg_open() == 0);
	n_working = CALLERS + SENDERS + 2;
	for (intptr_t i = 0; i < CALLERS; i++)
		check(pthread_create(&t[n++], NULL, calls, (void *)i) == 0);
	for (int i = 0; i < SENDERS; i++)
		check(pthread_create(&t[n++], NULL, sends, NULL) == 0);
	check(pthread_create(&t[n++], NULL, asks, NULL) == 0);
	check(pthread_create(&t[n++], NULL, looks, NULL) == 0);
	check(pthread_create(&t[n++], NULL, receives, NULL) == 0);
	check(pthread_create(&t[n++], NULL, receives, &n) == 0);
	while (n > 0)
		check(pthread_join(t[--n], NULL) == 0);
	check(n_received == SENDERS * ROUNDS);
	check(msg_whereis("server", &server_pid) == 0);
	for (int i = 0; i < 2; i++)
		check(msg_send(server_pid, MSG_BYTES, "end", 3) == 0);
	return 0;
}

static void
any_thread_may_call_any_function(void **state)
{
	int a, b;

	(void)state;
	a = bus_start(server);
	assert_true(bus_until_ready(a));
	b = bus_start(client);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    any_thread_may_call_any_function, bus_setup, bus_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
