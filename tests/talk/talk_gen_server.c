/* SPDX-License-Identifier: ISC */
/* Elixir's gen_server_test.exs, under its own names; see CONFORMANCE.md. */
#include "stack.h"
#include "talk.h"

#include <errno.h>
#include <msg/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Are we linked with it?  Its end tells: we would get an exit signal. */
static bool
ends_with(msg_pid pid)
{
	struct msg_pattern is = { .kinds = MSG_IS(MSG_EXIT), .from = pid };
	uint64_t ref;
	struct msg m;
	int n;

	check_ok(msg_trap_exit(true));
	check_ok(msg_monitor(pid, &ref));
	check_ok(msg_exit_to(pid, "kill"));
	check_down(ref, "killed");
	n = msg_receive_match(&m, &is, 1, 200);
	if (n == 1)
		msg_free(&m);
	return n == 1;
}

static void
start_link_3(void)
{
	static const char long_name[] = "a-name-of-more-than-sixty-three-bytes-"
					"is-not-one-that-supd-takes-here";
	msg_pid pid;

	check_int(stack_start(long_name, "ok", NULL, TALK_PATIENCE_MS, &pid),
	    -ECONNRESET);
	check_text(msg_strerror(-ECONNRESET), "bad_name");
	check_int(
	    stack_start("", "ok", NULL, TALK_PATIENCE_MS, &pid), -ECONNRESET);
	check_text(msg_strerror(-ECONNRESET), "bad_name");
}

/* A path is a name that supd gives: a second way to the same server. */
static void
start_link_3_with_via(void)
{
	msg_pid pid = stack_started(NAMELESS, "hello"), found;
	char path[256], text[64];
	struct msg reply;

	info_text(pid_text(pid), "path", path, sizeof(path));
	check_ok(msg_whereis(path, &found));
	check(found == pid);
	check_ok(msg_callf_name(path, -1, &reply, "pop"));
	check(msg_value(&reply, "%63s", text));
	check_text(text, "hello");
	msg_free(&reply);
}

/* All names are known in the whole tree. */
static void
start_link_3_with_global(void)
{
	(void)stack_started("stack.global", "hello");
	check_pop_name("stack.global", "hello");
}

static void
start_link_3_with_local(void)
{
	msg_pid pid = stack_started("stack-local", "hello"), other;
	char taken[64];

	check_pop_name("stack-local", "hello");
	snprintf(taken, sizeof(taken), "already_started: %s", pid_text(pid));
	check_int(
	    stack_start("stack-local", "ok", NULL, TALK_PATIENCE_MS, &other),
	    -ECONNRESET);
	check_text(msg_strerror(-ECONNRESET), taken);
	check_pop_name("stack-local", "");
}

static void
start_link_2_call_2_and_cast_2(void)
{
	const char *args[] = { "stack", NAMELESS, "ok", "hello", NULL };
	msg_pid pid;

	check_ok(msg_server_start_link("peers", args, TALK_PATIENCE_MS, &pid));
	check_pop(pid, "hello");
	check_ok(msg_castf(pid, "push world"));
	check_pop(pid, "world");
	check_ok(msg_stop(pid, "normal", TALK_PATIENCE_MS));
	/* Casts to nobody are fine, whatever the form of address. */
	check_ok(msg_castf_name("stack-nobody", "push world"));
	check_ok(msg_castf_name("root/peers/nobody", "push world"));
	check_ok(msg_castf(pid, "push world"));
	check_ok(msg_server_start_link("peers", args, TALK_PATIENCE_MS, &pid));
	check(ends_with(pid));
}

static void
start_2(void)
{
	msg_pid pid = stack_started(NAMELESS, "hello");

	check_pop(pid, "hello");
	check(!ends_with(pid));
}

static void
call_3_exit_messages(void)
{
	msg_pid pid = stack_started("stack-exit", "hello");
	struct msg m = { 0 };

	check_ok(msg_register("stack-caller"));
	check_int(msg_callf(msg_self(), 5000, &m, "pop"), -EDEADLK);
	check_int(msg_callf_name("stack-caller", 5000, &m, "pop"), -EDEADLK);
	check_int(msg_callf_name(msg_path(), 5000, &m, "pop"), -EDEADLK);

	check_int(msg_callf(pid, 0, &m, "never"), -ETIMEDOUT);
	check(
	    strstr(msg_strerror(-ETIMEDOUT), "did not reply in time") != NULL);
	check_int(msg_callf_name("stack-exit", 1, &m, "never"), -ETIMEDOUT);

	check_int(msg_callf_name("stack-nobody", 5000, &m, "pop"), -ESRCH);
	check(strstr(msg_strerror(-ESRCH), "stack-nobody") != NULL);
	check_ok(msg_stop(pid, "normal", TALK_PATIENCE_MS));
	check_int(msg_callf(pid, 5000, &m, "pop"), -ESRCH);
	check_int(msg_callf_name("stack-exit", 5000, &m, "pop"), -ESRCH);

	pid = stack_started("stack-exit", "hello");
	check_int(msg_callf(pid, 5000, &m, "stop because"), -ECONNRESET);
	check(strstr(msg_strerror(-ECONNRESET), "because") != NULL);
	check(m.owner == NULL);
}

static void
nil_name(void)
{
	msg_pid pid = stack_started(NAMELESS, "hello");
	char name[64];

	info_text(pid_text(pid), "name", name, sizeof(name));
	check_text(name, "");
	check_pop(pid, "hello");
}

static void
abcast_3(void)
{
	const char *all[] = { "stack-a", "stack-nobody", "stack-b" };
	struct msg_pack p;

	(void)stack_started("stack-a", NULL);
	(void)stack_started("stack-b", NULL);
	msg_pack_init(&p);
	msg_packf(&p, "[push hello]");
	check_ok(msg_abcast(all, 3, &p));
	msg_pack_fini(&p);
	check_pop_name("stack-a", "hello");
	check_pop_name("stack-b", "hello");
}

static void
multi_call_4(void)
{
	const char *all[] = { "stack-m", "stack-nobody", "stack-n" };
	struct msg_answer a[3];
	struct msg_pack p;
	char text[64];

	(void)stack_started("stack-m", "hello");
	(void)stack_started("stack-n", "world");
	msg_pack_init(&p);
	msg_packf(&p, "[pop]");
	check_int(msg_multi_call(all, 3, &p, TALK_PATIENCE_MS, a), 2);
	check_ok(a[0].error);
	check_int(a[1].error, -ESRCH);
	check_ok(a[2].error);
	check(msg_value(&a[0].reply, "%63s", text));
	check_text(text, "hello");
	check(msg_value(&a[2].reply, "%63s", text));
	check_text(text, "world");
	for (int i = 0; i < 3; i++)
		msg_free(&a[i].reply);
	check_int(msg_multi_call(all, 0, &p, 0, a), 0);
	msg_pack_fini(&p);
}

static void
whereis_1(void)
{
	msg_pid pid = stack_started("stack-whereis", "hello"), found = 0;
	char path[256];

	check_ok(msg_whereis("stack-whereis", &found));
	check(found == pid);
	info_text("stack-whereis", "path", path, sizeof(path));
	found = 0;
	check_ok(msg_whereis(path, &found));
	check(found == pid);
	check_int(msg_whereis("stack-nobody", &found), -ENOENT);
}

static void
stop_3(void)
{
	msg_pid pid = stack_started(NAMELESS, "hello");

	check_ok(msg_stop(pid, "normal", TALK_PATIENCE_MS));
	check_int(msg_stop(pid, "normal", TALK_PATIENCE_MS), -ESRCH);
	check_int(
	    msg_stop_name("stack-nobody", "normal", TALK_PATIENCE_MS), -ESRCH);
	(void)stack_started("stack-stop", "hello");
	check_ok(msg_stop_name("stack-stop", "normal", TALK_PATIENCE_MS));
	check_int(
	    msg_stop_name("stack-stop", "normal", TALK_PATIENCE_MS), -ESRCH);
	check_int(msg_stop(msg_self(), "normal", -1), -EDEADLK);
}

static const struct talk_case cases[] = {
	{ "start_link/3", start_link_3 },
	{ "start_link/3 with via", start_link_3_with_via },
	{ "start_link/3 with global", start_link_3_with_global },
	{ "start_link/3 with local", start_link_3_with_local },
	{ "start_link/2, call/2 and cast/2", start_link_2_call_2_and_cast_2 },
	{ "start/2", start_2 },
	{ "call/3 exit messages", call_3_exit_messages },
	{ "nil name", nil_name },
	{ "abcast/3", abcast_3 },
	{ "multi_call/4", multi_call_4 },
	{ "whereis/1", whereis_1 },
	{ "stop/3", stop_3 },
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
