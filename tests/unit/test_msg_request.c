/* SPDX-License-Identifier: ISC */
/* libmsg: requests and selective receive, between real workers. */
#include "msg_bus.h"

#include <errno.h>
#include <msg/msg.h>
#include <msg/pack.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATIENCE_MS (BUS_PATIENCE_S * 1000)

/*
 * Echoes; "die" kills it, "slow" is answered when the next has come, "error"
 * with one; ends at "end".
 */
static int
server(void)
{
	struct msg m, late = { 0 };
	bool end = false;

	check(msg_open() == 0 && msg_register("server") == 0);
	check(msg_ready() == 0);
	while (!end) {
		check(msg_receive(&m, PATIENCE_MS) == 1);
		end = strcmp(m.body, "end") == 0;
		if (late.owner != NULL)
			check(msg_reply(&late, MSG_BYTES, "late", 4) == 0);
		msg_free(&late);
		if (strcmp(m.body, "slow") == 0) {
			late = m;
			continue;
		}
		if (strcmp(m.body, "die") == 0)
			kill(getpid(), SIGKILL);
		if (strcmp(m.body, "error") == 0)
			check(msg_reply_error(&m, "no good") == 0);
		else if (m.kind == MSG_CALL)
			check(msg_reply(&m, m.content, m.body, m.len) == 0);
		msg_free(&m);
	}
	return 0;
}

static void
serve(int (*client)(void))
{
	int a = bus_start(server), b;

	assert_true(bus_until_ready(a));
	b = bus_start(client);
	assert_true(bus_succeeded(b));
}

static uint64_t
ask(const char *text)
{
	uint64_t ref = 0;

	check(msg_request_name("server", MSG_BYTES, text, strlen(text), &ref) ==
	      0);
	check(ref != 0);
	return ref;
}

static int
waits_for_responses(void)
{
	struct msg m;
	uint64_t a, b, c;

	check(msg_open() == 0);
	a = ask("slow");
	check(msg_wait_response(a, 20, &m) == -ETIMEDOUT);
	check(msg_wait_response(a, 0, &m) == -ETIMEDOUT);
	b = ask("b");
	c = ask("error");
	/* In any order, and a's has come before. */
	check(msg_wait_response(b, -1, &m) == 0);
	check(m.kind == MSG_REPLY && m.ref == b && m.error == 0);
	check(strcmp(m.body, "b") == 0);
	msg_free(&m);
	check(msg_wait_response(a, -1, &m) == 0);
	check(strcmp(m.body, "late") == 0 && m.from == BUS_PID(1));
	msg_free(&m);
	check(msg_wait_response(c, -1, NULL) == -EREMOTEIO);
	check(strcmp(msg_strerror(-EREMOTEIO), "no good") == 0);
	/* Each once. */
	check(msg_wait_response(a, 0, &m) == -EINVAL);
	check(msg_wait_response(12345, 0, &m) == -EINVAL);
	check(msg_receive(&m, 0) == 0);
	return 0;
}

static void
a_request_is_waited_for_again_and_answered_once(void **state)
{
	(void)state;
	serve(waits_for_responses);
}

static int
receives_responses(void)
{
	struct msg m;
	uint64_t a, b, c;

	check(msg_open() == 0);
	a = ask("error");
	check(msg_receive(&m, PATIENCE_MS) == 1);
	check(m.kind == MSG_REPLY && m.ref == a && m.error == -EREMOTEIO);
	check(strcmp(m.body, "no good") == 0);
	msg_free(&m);
	check(msg_wait_response(a, 0, &m) == -EINVAL);
	b = ask("slow");
	c = ask("next");
	check(msg_receive(&m, PATIENCE_MS) == 1);
	check(m.kind == MSG_REPLY && m.ref == b);
	msg_free(&m);
	check(msg_receive(&m, PATIENCE_MS) == 1);
	check(m.kind == MSG_REPLY && m.ref == c);
	msg_free(&m);
	c = ask("die");
	check(msg_receive(&m, PATIENCE_MS) == 1);
	check(m.kind == MSG_DOWN && m.ref == c && m.from == BUS_PID(1));
	check(strcmp(m.body, "SIGKILL") == 0);
	msg_free(&m);
	/* To one that has ended, by pid and by name. */
	check(msg_request(BUS_PID(1), MSG_BYTES, "", 0, &a) == 0);
	check(msg_wait_response(a, -1, &m) == -ESRCH);
	b = ask("x");
	check(msg_receive(&m, PATIENCE_MS) == 1);
	check(m.kind == MSG_DOWN && m.ref == b);
	check(strcmp(m.body, "noproc") == 0);
	msg_free(&m);
	return 0;
}

static void
a_response_or_the_end_of_the_callee_is_received(void **state)
{
	(void)state;
	serve(receives_responses);
}

static int
cancels(void)
{
	struct msg_stats st;
	struct msg m;
	uint64_t a, b;

	check(msg_open() == 0);
	a = ask("slow");
	check(msg_cancel_request(a) == 1);
	check(msg_cancel_request(a) == 0);
	b = ask("b"); /* and a's answer, which nobody wants now */
	check(msg_call_name("server", MSG_BYTES, "c", 1, -1, NULL) == 0);
	/* b's is in the mailbox. */
	check(msg_cancel_request(b) == 1);
	check(msg_wait_response(b, 0, &m) == -EINVAL);
	check(msg_receive(&m, 0) == 0);
	msg_stats(&st);
	check(st.late == 1 && st.queued == 0 && st.queued_bytes == 0);
	return 0;
}

static void
what_answers_a_cancelled_request_is_dropped(void **state)
{
	(void)state;
	serve(cancels);
}

static void
send_tagged(const char *tag, int64_t n)
{
	struct msg_pack p;

	msg_pack_init(&p);
	msg_pack_array(&p, 2);
	msg_pack_str(&p, tag);
	msg_pack_int(&p, n);
	check(msg_pack_send(msg_self(), &p) == 0);
	msg_pack_fini(&p);
}

static int
matches(void)
{
	const struct msg_pattern p[] = {
		{ .tag = "two" },
		{ .kinds = MSG_IS(MSG_CAST) | MSG_IS(MSG_DOWN) },
	};
	struct msg m;
	uint64_t ref;

	check(msg_open() == 0);
	send_tagged("one", 1);
	send_tagged("two", 2);
	check(msg_cast(msg_self(), MSG_BYTES, "three", 5) == 0);
	send_tagged("two", 4);
	check(msg_receive_match(&m, p, 2, 0) == 1);
	check(((const unsigned char *)m.body)[m.len - 1] == 2);
	msg_free(&m);
	check(msg_receive_match(&m, p, 2, 0) == 2);
	check(strcmp(m.body, "three") == 0);
	msg_free(&m);
	check(msg_receive_match(&m, p, 2, 0) == 1);
	msg_free(&m);
	check(msg_receive_match(&m, p, 2, 20) == 0);
	/* It waits for what has not come yet, past what does not fit. */
	check(msg_monitor(BUS_PID(40), &ref) == 0);
	check(msg_receive_match(&m, p, 2, PATIENCE_MS) == 2);
	check(m.kind == MSG_DOWN && m.ref == ref);
	msg_free(&m);
	check(msg_receive_match(&m, NULL, 1, 0) == -EINVAL);
	check(msg_receive(&m, 0) == 1);
	check(((const unsigned char *)m.body)[m.len - 1] == 1);
	msg_free(&m);
	return 0;
}

static void
the_oldest_of_any_pattern_is_received(void **state)
{
	(void)state;
	assert_true(bus_succeeded(bus_start(matches)));
}

#define T(name) cmocka_unit_test_setup_teardown(name, bus_setup, bus_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_request_is_waited_for_again_and_answered_once),
		T(a_response_or_the_end_of_the_callee_is_received),
		T(what_answers_a_cancelled_request_is_dropped),
		T(the_oldest_of_any_pattern_is_received),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
