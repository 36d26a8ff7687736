/* SPDX-License-Identifier: ISC */
/* A server as its clients see it: rules G-1 to G-5 and G-12. */
#include "stack.h"
#include "talk.h"

#include <errno.h>
#include <msg/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- G-1: start ------------------------------------------------------------
 */

static void
start_returns_when_init_has_returned(void)
{
	char file[512];
	msg_pid pid;

	snprintf(file, sizeof(file), "%s/init-done", getenv("TALK_DIR"));
	check_ok(stack_start(NAMELESS, "slow", file, TALK_PATIENCE_MS, &pid));
	check(access(file, F_OK) == 0);
}

static void
an_init_that_does_not_want_to_run_is_ignored(void)
{
	msg_pid pid = 7;

	check_int(
	    stack_start("stack-ignore", "ignore", NULL, TALK_PATIENCE_MS, &pid),
	    1);
	check(pid == 7);
	check_int(msg_whereis("stack-ignore", &pid), -ENOENT);
}

static void
an_init_that_fails_tells_its_reason(void)
{
	static const char *const ends[][2] = {
		{ "error", "no_licence" },
		{ "stop", "no_disk" },
		{ "bad", "bad_return_value" },
	};
	msg_pid pid;

	for (size_t i = 0; i < 3; i++) {
		check_int(stack_start("stack-fails", ends[i][0], NULL,
			      TALK_PATIENCE_MS, &pid),
		    -ECONNRESET);
		check_text(msg_strerror(-ECONNRESET), ends[i][1]);
		/* It is gone, and its name is free. */
		check_int(msg_whereis("stack-fails", &pid), -ENOENT);
	}
	(void)stack_started("stack-fails", NULL);
}

static void
an_init_that_takes_too_long_is_killed(void)
{
	msg_pid pid;

	check_int(
	    stack_start("stack-hangs", "hang", NULL, 300, &pid), -ETIMEDOUT);
	check_int(msg_whereis("stack-hangs", &pid), -ENOENT);
}

/* --- G-2: call -------------------------------------------------------------
 */

static void
a_late_request_is_carried_out_and_its_reply_dropped(void)
{
	msg_pid pid = stack_started(NAMELESS, "hello");
	struct msg m;

	check_ok(msg_castf(pid, "push world"));
	check_int(msg_callf(pid, 20, NULL, "pop_in 100"), -ETIMEDOUT);
	check_pop(pid, "hello");
	check_int(msg_receive(&m, 0), 0);
}

static void
a_reply_that_is_there_at_the_deadline_counts(void)
{
	msg_pid pid = stack_started(NAMELESS, "hello");
	struct msg_pack p;
	struct msg reply;
	uint64_t ref;

	msg_pack_init(&p);
	msg_packf(&p, "[pop]");
	check_ok(msg_request(pid, MSG_PACKED, p.data, p.len, &ref));
	msg_pack_fini(&p);
	/* The next call's reply comes behind it. */
	check_pop(pid, "");
	check_ok(msg_wait_response(ref, 0, &reply));
	msg_free(&reply);
}

static void
a_server_that_ends_in_a_call_tells_how(void)
{
	static const char *const reasons[] = { "normal", "shutdown",
		"shutdown: moved", "broken" };

	for (size_t i = 0; i < 4; i++) {
		msg_pid pid = stack_started(NAMELESS, NULL);
		struct msg_pack p;

		msg_pack_init(&p);
		msg_packf(&p, "[stop %s]", reasons[i]);
		check_int(msg_pack_call(pid, &p, TALK_PATIENCE_MS, NULL),
		    -ECONNRESET);
		msg_pack_fini(&p);
		check(strstr(msg_strerror(-ECONNRESET), reasons[i]) != NULL);
	}
}

/* --- G-3: replies ----------------------------------------------------------
 */

static void
a_reply_comes_later_and_once(void)
{
	msg_pid pid = stack_started(NAMELESS, NULL);
	struct msg_pack p;
	struct msg reply, m;
	char text[64];
	uint64_t ref;

	msg_pack_init(&p);
	msg_packf(&p, "[later]");
	check_ok(msg_request(pid, MSG_PACKED, p.data, p.len, &ref));
	msg_pack_fini(&p);
	check_int(msg_wait_response(ref, 0, &reply), -ETIMEDOUT);
	check_ok(msg_castf(pid, "reply first"));
	check_ok(msg_castf(pid, "reply second"));
	check_ok(msg_wait_response(ref, TALK_PATIENCE_MS, &reply));
	check(msg_value(&reply, "%63s", text));
	check_text(text, "first");
	msg_free(&reply);
	check_pop(pid, "");
	check_int(msg_receive(&m, 0), 0);
}

static void
another_worker_may_reply(void)
{
	msg_pid pid = stack_started(NAMELESS, NULL);
	struct msg reply;
	char text[64];

	(void)stack_started("stack-other", NULL);
	check_ok(
	    msg_callf(pid, TALK_PATIENCE_MS, &reply, "delegate stack-other"));
	check(msg_value(&reply, "%63s", text));
	check_text(text, "from_another");
	msg_free(&reply);
}

static void
a_name_is_looked_up_once_at_the_call(void)
{
	msg_pid pid = stack_started("stack-moves", "old");
	struct msg_pack p;
	uint64_t ref;

	msg_pack_init(&p);
	msg_packf(&p, "[later]");
	check_ok(
	    msg_request_name("stack-moves", MSG_PACKED, p.data, p.len, &ref));
	msg_pack_fini(&p);
	check_ok(msg_stop(pid, "moved", TALK_PATIENCE_MS));
	(void)stack_started("stack-moves", "new");
	/* It was the old one's, and went with it. */
	check_int(msg_wait_response(ref, TALK_PATIENCE_MS, NULL), -ECONNRESET);
	check_pop_name("stack-moves", "new");
}

/* --- G-4: requests ---------------------------------------------------------
 */

static uint64_t
request(msg_pid pid, const char *what)
{
	struct msg_pack p;
	uint64_t ref = 0;

	msg_pack_init(&p);
	msg_packf(&p, "[%s]", what);
	check_ok(msg_request(pid, MSG_PACKED, p.data, p.len, &ref));
	msg_pack_fini(&p);
	return ref;
}

static void
a_request_outlives_a_wait_and_not_its_cancelling(void)
{
	msg_pid pid = stack_started(NAMELESS, NULL);
	uint64_t ref = request(pid, "later");
	struct msg m;

	check_int(msg_wait_response(ref, 1, NULL), -ETIMEDOUT);
	check_int(msg_wait_response(ref, 1, NULL), -ETIMEDOUT);
	check_ok(msg_castf(pid, "reply at_last"));
	check_ok(msg_wait_response(ref, TALK_PATIENCE_MS, NULL));
	check_int(msg_wait_response(ref, 0, NULL), -EINVAL);

	ref = request(pid, "later");
	check_int(msg_cancel_request(ref), 1);
	check_int(msg_cancel_request(ref), 0);
	check_ok(msg_castf(pid, "reply too_late"));
	check_pop(pid, "");
	check_int(msg_receive(&m, 0), 0);
}

static void
a_response_is_a_message_when_nobody_waits(void)
{
	msg_pid pid = stack_started(NAMELESS, "hello");
	uint64_t ref = request(pid, "pop");
	struct msg m;

	check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
	check_int(m.kind, MSG_REPLY);
	check(m.ref == ref);
	msg_free(&m);
	ref = request(pid, "never");
	check_ok(msg_castf(pid, "stop gone"));
	check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
	check_int(m.kind, MSG_DOWN);
	check(m.ref == ref);
	check_text(m.body, "gone");
	msg_free(&m);
}

static void
a_set_gives_one_response_at_a_time_with_its_label(void)
{
	static char labels[3][8] = { "pop", "later", "stop" };
	struct msg_requests set = { 0 };
	msg_pid a = stack_started(NAMELESS, "hello"),
		b = stack_started(NAMELESS, NULL);
	unsigned seen = 0;
	void *label;
	struct msg m;

	check_ok(msg_requests_add(&set, request(a, "pop"), labels[0]));
	check_ok(msg_requests_add(&set, request(a, "later"), labels[1]));
	check_ok(msg_requests_add(&set, request(b, "never"), labels[2]));
	check_ok(msg_castf(b, "stop gone"));
	for (int i = 0; i < 2; i++) {
		check_int(
		    msg_requests_wait(&set, TALK_PATIENCE_MS, &m, &label), 1);
		check_int(m.kind, label == labels[0] ? MSG_REPLY : MSG_DOWN);
		seen |= 1u << ((char(*)[8])label - labels);
		msg_free(&m);
	}
	check_int(seen, 1 | 4);
	check_int(msg_requests_wait(&set, 1, &m, &label), 0);
	check_ok(msg_castf(a, "reply done"));
	check_int(msg_requests_wait(&set, TALK_PATIENCE_MS, &m, &label), 1);
	check(label == labels[1]);
	msg_free(&m);
	check_int(msg_requests_wait(&set, 0, &m, &label), -ENOENT);
	msg_requests_fini(&set);
}

/* --- G-5: casts, many calls ------------------------------------------------
 */

static void
late_replies_of_a_multi_call_are_dropped(void)
{
	const char *all[] = { "stack-fast", "stack-late" };
	msg_pid late = stack_started("stack-late", NULL);
	struct msg_answer a[2];
	struct msg_pack p;
	struct msg m;

	(void)stack_started("stack-fast", NULL);
	check_ok(msg_castf_name("stack-fast", "push x"));
	msg_pack_init(&p);
	msg_packf(&p, "[later]");
	check_int(msg_multi_call(all, 2, &p, 50, a), 0);
	msg_pack_fini(&p);
	check_int(a[0].error, -ETIMEDOUT);
	check_int(a[1].error, -ETIMEDOUT);
	check_ok(msg_castf(late, "reply too_late"));
	check_pop(late, "");
	check_int(msg_receive(&m, 0), 0);
}

/* --- G-12: stop ------------------------------------------------------------
 */

static void
stop_comes_after_what_was_sent_before(void)
{
	msg_pid pid = stack_started(NAMELESS, NULL);
	uint64_t ref;

	for (int i = 0; i < 10; i++)
		check_ok(msg_castf(pid, "push hello"));
	ref = request(pid, "pop");
	check_ok(msg_stop(pid, "shutdown", TALK_PATIENCE_MS));
	check_ok(msg_wait_response(ref, 0, NULL));
}

static void
stop_tells_when_the_end_was_another(void)
{
	msg_pid pid;
	uint64_t ref;

	check_ok(
	    stack_start(NAMELESS, "other_end", NULL, TALK_PATIENCE_MS, &pid));
	check_int(msg_stop(pid, "normal", TALK_PATIENCE_MS), -ECONNRESET);
	check_text(msg_strerror(-ECONNRESET), "other_end");
	check_ok(
	    stack_start(NAMELESS, "slow_end", NULL, TALK_PATIENCE_MS, &pid));
	check_ok(msg_monitor(pid, &ref));
	check_int(msg_stop(pid, "normal", 50), -ETIMEDOUT);
	check_ok(msg_exit_to(pid, "kill"));
	check_down(ref, "killed");
}

static const struct talk_case cases[] = {
	{ "G-1 start returns when init has returned",
	    start_returns_when_init_has_returned },
	{ "G-1 an init that does not want to run is ignored",
	    an_init_that_does_not_want_to_run_is_ignored },
	{ "G-1 an init that fails tells its reason, and its name is free",
	    an_init_that_fails_tells_its_reason },
	{ "G-1 an init that takes too long is killed",
	    an_init_that_takes_too_long_is_killed },
	{ "G-2 a late request is carried out, and its reply dropped",
	    a_late_request_is_carried_out_and_its_reply_dropped },
	{ "G-2 a reply that is there at the deadline counts",
	    a_reply_that_is_there_at_the_deadline_counts },
	{ "G-2 a server that ends in a call tells how",
	    a_server_that_ends_in_a_call_tells_how },
	{ "G-3 a reply comes later, and once", a_reply_comes_later_and_once },
	{ "G-3 another worker may reply", another_worker_may_reply },
	{ "G-3 a name is looked up once, at the call",
	    a_name_is_looked_up_once_at_the_call },
	{ "G-4 a request outlives a wait, and not its cancelling",
	    a_request_outlives_a_wait_and_not_its_cancelling },
	{ "G-4 a response is a message when nobody waits",
	    a_response_is_a_message_when_nobody_waits },
	{ "G-4 a set gives one response at a time, with its label",
	    a_set_gives_one_response_at_a_time_with_its_label },
	{ "G-5 late replies of a multi_call are dropped",
	    late_replies_of_a_multi_call_are_dropped },
	{ "G-12 stop comes after what was sent before",
	    stop_comes_after_what_was_sent_before },
	{ "G-12 stop tells when the end was another",
	    stop_tells_when_the_end_was_another },
	{ NULL, NULL },
};

static const struct talk_role roles[] = {
	{ "stack", stack },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	return talk_main(argc, argv, cases, roles);
}
