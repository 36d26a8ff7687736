/* SPDX-License-Identifier: ISC */
/* What the loop of a server does, seen from outside: rules G-6 to G-11. */
#include "probe.h"
#include "talk.h"

#include <errno.h>
#include <msg/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One that joins by itself, serves, and then says how it went (enter_loop). */
static struct msg_next
loop_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	(void)state;
	(void)call;
	msg_packf(reply, "looping");
	return msg_next_reply();
}

static int
looper(char **args)
{
	static const struct msg_server_ops ops = { .handle_call = loop_call };
	char reason[MSG_REASON_MAX + 1];

	check_ok(msg_open());
	check_ok(msg_register(args[0]));
	check_ok(msg_ready());
	check_ok(msg_server_loop(&ops, NULL, msg_next_ok(), reason));
	check_ok(msg_sendf(strtoull(args[1], NULL, 10), "looped %s", reason));
	return 0;
}

/* --- G-6 -------------------------------------------------------------------
 */

static void
a_call_or_cast_that_is_not_known_is_a_crash(void)
{
	msg_pid pid = probe_start("probe-6a", NULL, NULL);
	uint64_t ref;

	check_ends(pid, "unknown", "bad_call: unknown");
	check_told("terminate", "bad_call: unknown");
	pid = probe_start("probe-6b", NULL, NULL);
	check_ok(msg_monitor(pid, &ref));
	check_ok(msg_castf(pid, "what %d", 1));
	check_down(ref, "bad_cast: what");
	pid = probe_start("probe-6c", "bare", NULL);
	check_ends(pid, "anything", "bad_call: anything");
	pid = probe_start("probe-6d", "bare", NULL);
	check_ok(msg_monitor(pid, &ref));
	check_ok(msg_cast(pid, MSG_BYTES, "\0", 1));
	check_down(ref, "bad_cast");
}

static void
any_other_message_is_info(void)
{
	msg_pid pid = probe_start("probe-6e", NULL, NULL);

	check_ok(msg_sendf(pid, "hello"));
	check_story(pid, "info:hello");
}

static void
info_that_nobody_handles_is_reported_and_dropped(void)
{
	msg_pid pid = probe_start("probe-6f", "bare", NULL);

	check_ok(msg_sendf(pid, "hello"));
	check_ok(msg_sys(pid, "get_status", NULL, TALK_PATIENCE_MS, NULL));
	check(strstr(probe_errors(), "unexpected message from ") != NULL);
	check(strstr(probe_errors(), "[\"hello\"]") != NULL);
}

/* --- G-7 -------------------------------------------------------------------
 */

static void
terminate_runs_before_the_last_reply_and_the_end_after_it(void)
{
	msg_pid pid = probe_start("probe-7a", NULL, NULL);
	struct msg_pack p;
	uint64_t call, ref;
	struct msg m;
	char text[64];

	check_ok(msg_monitor(pid, &ref));
	msg_pack_init(&p);
	msg_packf(&p, "[stop_reply done]");
	check_ok(msg_request(pid, MSG_PACKED, p.data, p.len, &call));
	msg_pack_fini(&p);
	check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
	check(msg_match(&m, "terminate done"));
	msg_free(&m);
	check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
	check_int(m.kind, MSG_REPLY);
	check(m.ref == call);
	check(msg_value(&m, "%63s", text));
	check_text(text, "last");
	msg_free(&m);
	check_down(ref, "done");
}

static void
a_refusal_is_an_error_of_the_caller(void)
{
	msg_pid pid = probe_start("probe-7b", NULL, NULL);
	struct msg reply;

	check_int(msg_callf(pid, TALK_PATIENCE_MS, NULL, "refuse"), -EREMOTEIO);
	check_text(msg_strerror(-EREMOTEIO), "not today");
	check_ok(msg_callf(pid, TALK_PATIENCE_MS, &reply, "nothing"));
	check_int(reply.len, 1);
	check(memcmp(reply.body, "\xc0", 1) == 0);
	msg_free(&reply);
}

static void
what_does_not_belong_there_is_a_bad_return_value(void)
{
	uint64_t ref;
	msg_pid pid;

	check_ends(probe_start("probe-7c", NULL, NULL), "bad_kind",
	    "bad_return_value");
	check_ends(probe_start("probe-7d", NULL, NULL), "bad_place",
	    "bad_return_value");
	check_ends(probe_start("probe-7e", NULL, NULL), "bad_reply",
	    "bad_return_value");
	pid = probe_start("probe-7f", NULL, NULL);
	check_ok(msg_monitor(pid, &ref));
	check_ok(msg_castf(pid, "reply"));
	check_down(ref, "bad_return_value");
}

/* --- G-8 -------------------------------------------------------------------
 */

static void
a_timeout_comes_once_when_nothing_comes(void)
{
	msg_pid pid = probe_start("probe-8a", NULL, NULL);

	check_ok(msg_callf(pid, TALK_PATIENCE_MS, NULL, "timeout 1"));
	check_told("timed_out", "yes");
	msg_sleep(20);
	check_story(pid, "timeout");
	check_nothing_told();
}

/* Have it busy while others send: then their messages wait together. */
static uint64_t
keep_busy(msg_pid pid)
{
	struct msg_pack p;
	uint64_t ref = 0;

	msg_pack_init(&p);
	msg_packf(&p, "[sleep 200]");
	check_ok(msg_request(pid, MSG_PACKED, p.data, p.len, &ref));
	msg_pack_fini(&p);
	return ref;
}

static void
any_message_cancels_a_timeout(void)
{
	msg_pid pid = probe_start("probe-8b", NULL, NULL);
	uint64_t busy = keep_busy(pid);

	check_ok(msg_castf(pid, "timeout 0"));
	check_ok(msg_castf(pid, "note first"));
	check_ok(msg_castf(pid, "note second"));
	check_ok(msg_wait_response(busy, TALK_PATIENCE_MS, NULL));
	check_story(pid, "cast cast:first cast:second");
	check_nothing_told();
}

static void
a_timeout_of_0_waits_for_nothing(void)
{
	msg_pid pid = probe_start("probe-8c", "timeout", NULL);

	check_told("timed_out", "yes");
	check_ok(msg_callf(pid, TALK_PATIENCE_MS, NULL, "timeout 0"));
	check_told("timed_out", "yes");
	check_story(pid, "timeout timeout");
}

/* --- G-9 -------------------------------------------------------------------
 */

static void
continue_runs_before_any_message(void)
{
	const char *args[] = { "probe", "probe-9a", "0", "/dev/null",
		"continue", NULL };
	msg_pid pid;

	check_ok(msg_spawn("peers", args, &pid));
	while (msg_whereis("probe-9a", &pid) != 0)
		msg_sleep(5);
	check_ok(msg_castf(pid, "note early"));
	wait_story(pid, "continue:begin cast:early");
}

static void
continue_runs_after_the_reply_and_may_go_on(void)
{
	msg_pid pid = probe_start("probe-9b", NULL, NULL);
	struct msg_pack p;
	uint64_t busy, ref;

	msg_pack_init(&p);
	msg_packf(&p, "[continue more]");
	busy = keep_busy(pid);
	check_ok(msg_request(pid, MSG_PACKED, p.data, p.len, &ref));
	msg_pack_fini(&p);
	check_ok(msg_castf(pid, "note queued"));
	check_ok(msg_wait_response(busy, TALK_PATIENCE_MS, NULL));
	check_ok(msg_wait_response(ref, TALK_PATIENCE_MS, NULL));
	check_story(pid, "continue:more continue:last cast:queued");
}

/* --- G-10 ------------------------------------------------------------------
 */

static void
check_given_back(msg_pid pid)
{
	struct msg reply;
	long before = 0, after = 0;

	check_ok(msg_callf(pid, TALK_PATIENCE_MS, &reply, "hibernate"));
	check(msg_value(&reply, "%ld", &before));
	msg_free(&reply);
	check_ok(msg_callf(pid, TALK_PATIENCE_MS, &reply, "rss"));
	check(msg_value(&reply, "%ld", &after));
	msg_free(&reply);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	check(after < before - 32 * 1024);
#else
	(void)before;
	(void)after;
#endif
}

static void
a_server_that_hibernates_gives_memory_back_and_goes_on(void)
{
	msg_pid pid = probe_start("probe-10a", NULL, NULL);

	check_given_back(pid);
	check_ok(msg_castf(pid, "note awake"));
	check_story(pid, "cast:awake");
	pid = probe_start("probe-10b", "idle", NULL);
	check_ok(msg_castf(pid, "note awake"));
	msg_sleep(20);
	check_story(pid, "cast:awake");
}

/* --- G-11 ------------------------------------------------------------------
 */

static void
terminate_runs_at_stop_and_at_a_crash_inside(void)
{
	msg_pid pid = probe_start("probe-11a", NULL, NULL);
	uint64_t ref;

	check_int(msg_callf(pid, TALK_PATIENCE_MS, NULL, "stop because"),
	    -ECONNRESET);
	check_told("terminate", "because");
	pid = probe_start("probe-11b", NULL, NULL);
	check_ok(msg_monitor(pid, &ref));
	check_int(
	    msg_callf(pid, TALK_PATIENCE_MS, NULL, "exit boom"), -ECONNRESET);
	check_told("terminate", "boom");
	check_down(ref, "boom");
	pid = probe_start("probe-11c", NULL, NULL);
	check_ok(msg_stop(pid, "shutdown", TALK_PATIENCE_MS));
	check_told("terminate", "shutdown");
}

static void
a_crash_in_terminate_replaces_the_reason(void)
{
	msg_pid pid = probe_start("probe-11d", NULL, NULL);
	uint64_t ref;

	check_ok(msg_monitor(pid, &ref));
	check_int(
	    msg_callf(pid, TALK_PATIENCE_MS, NULL, "stop twice"), -ECONNRESET);
	check_told("terminate", "twice");
	check_down(ref, "crashed_in_terminate");
}

static void
terminate_runs_at_the_supervisors_order_only_if_exits_are_trapped(void)
{
	msg_pid pid = probe_start("probe-11e", "trap", NULL);
	uint64_t ref;

	check_ok(msg_monitor(pid, &ref));
	stop_by_supervisor(pid, ref);
	check_told("terminate", "shutdown");
	pid = probe_start("probe-11f", NULL, NULL);
	check_ok(msg_monitor(pid, &ref));
	stop_by_supervisor(pid, ref);
	check_nothing_told();
}

static void
terminate_does_not_run_for_kill_or_an_untrapped_exit(void)
{
	msg_pid pid = probe_start("probe-11g", "trap", NULL);
	uint64_t ref;

	check_ok(msg_monitor(pid, &ref));
	check_ok(msg_exit_to(pid, "kill"));
	check_down(ref, "killed");
	pid = probe_start("probe-11h", NULL, NULL);
	check_ok(msg_monitor(pid, &ref));
	check_ok(msg_exit_to(pid, "go"));
	check_down(ref, "go");
	check_nothing_told();
}

static void
an_exit_of_somebody_else_is_info(void)
{
	msg_pid pid = probe_start("probe-11i", "trap", NULL);
	msg_pid other = probe_start("probe-11j", NULL, NULL);

	check_ok(msg_castf(pid, "link probe-11j"));
	check_story(pid, "");
	check_ok(msg_stop(other, "over", TALK_PATIENCE_MS));
	check_told("terminate", "over");
	wait_story(pid, "exit:over");
	check_ok(msg_exit_to(pid, "please"));
	wait_story(pid, "exit:please");
	check_nothing_told();
}

static void
a_loop_of_ones_own_returns_the_reason(void)
{
	char watcher[32];
	const char *args[] = { "looper", "probe-loop", watcher, NULL };
	msg_pid pid;
	struct msg reply;
	char text[16];

	snprintf(
	    watcher, sizeof(watcher), "%llu", (unsigned long long)msg_self());
	check_ok(msg_spawn("peers", args, &pid));
	while (msg_whereis("probe-loop", &pid) != 0)
		msg_sleep(5);
	check_ok(msg_callf(pid, TALK_PATIENCE_MS, &reply, "x"));
	check(msg_value(&reply, "%15s", text));
	check_text(text, "looping");
	msg_free(&reply);
	/* The process goes on, and ends as it likes. */
	check_int(msg_stop(pid, "enough", TALK_PATIENCE_MS), -ECONNRESET);
	check_text(msg_strerror(-ECONNRESET), "normal");
	check_told("looped", "enough");
}

static const struct talk_case cases[] = {
	{ "G-6 a call or cast that is not known is a crash",
	    a_call_or_cast_that_is_not_known_is_a_crash },
	{ "G-6 any other message is info", any_other_message_is_info },
	{ "G-6 info that nobody handles is reported and dropped",
	    info_that_nobody_handles_is_reported_and_dropped },
	{ "G-7 terminate runs before the last reply, and the end after it",
	    terminate_runs_before_the_last_reply_and_the_end_after_it },
	{ "G-7 a refusal is an error of the caller",
	    a_refusal_is_an_error_of_the_caller },
	{ "G-7 what does not belong there is a bad_return_value",
	    what_does_not_belong_there_is_a_bad_return_value },
	{ "G-8 a timeout comes once, when nothing comes",
	    a_timeout_comes_once_when_nothing_comes },
	{ "G-8 any message cancels a timeout", any_message_cancels_a_timeout },
	{ "G-8 a timeout of 0 waits for nothing",
	    a_timeout_of_0_waits_for_nothing },
	{ "G-9 continue runs before any message",
	    continue_runs_before_any_message },
	{ "G-9 continue runs after the reply, and may go on",
	    continue_runs_after_the_reply_and_may_go_on },
	{ "G-10 a server that hibernates gives memory back, and goes on",
	    a_server_that_hibernates_gives_memory_back_and_goes_on },
	{ "G-11 terminate runs at stop and at a crash inside",
	    terminate_runs_at_stop_and_at_a_crash_inside },
	{ "G-11 a crash in terminate replaces the reason",
	    a_crash_in_terminate_replaces_the_reason },
	{ "G-11 terminate runs at the supervisor's order only if trapped",
	    terminate_runs_at_the_supervisors_order_only_if_exits_are_trapped },
	{ "G-11 terminate does not run for kill or an untrapped exit",
	    terminate_does_not_run_for_kill_or_an_untrapped_exit },
	{ "G-11 an exit of somebody else is info",
	    an_exit_of_somebody_else_is_info },
	{ "G-11 a loop of one's own returns the reason",
	    a_loop_of_ones_own_returns_the_reason },
	{ NULL, NULL },
};

static const struct talk_role roles[] = {
	{ "probe", probe },
	{ "looper", looper },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	return talk_main(argc, argv, cases, roles);
}
