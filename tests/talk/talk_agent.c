/* SPDX-License-Identifier: ISC */
/* Agents: what rule K-3 says of them, sentence by sentence. */
#include "talk.h"

#include <errno.h>
#include <msg/agent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the agent: a number ---------------------------------------------------
 */

static int
value(const void *state, struct msg_unpack *args, struct msg_pack *reply)
{
	(void)args;
	msg_packf(reply, "%ld", *(const long *)state);
	return 0;
}

/* Where it runs. */
static int
whose(const void *state, struct msg_unpack *args, struct msg_pack *reply)
{
	(void)state;
	(void)args;
	msg_packf(reply, "%s", msg_path());
	return 0;
}

static int
add(void *state, struct msg_unpack *args, struct msg_pack *reply)
{
	int64_t n;
	int r = msg_unpack_int(args, &n);

	(void)reply;
	if (r == 0)
		*(long *)state += (long)n;
	return r;
}

/* Another that ran between its two halves would be undone. */
static int
slow_add(void *state, struct msg_unpack *args, struct msg_pack *reply)
{
	long before = *(long *)state;
	int r = add(state, args, reply);
	long after = *(long *)state;

	*(long *)state = before;
	msg_sleep(5);
	*(long *)state = after;
	return r;
}

/* The old value, and a new one. */
static int
swap(void *state, struct msg_unpack *args, struct msg_pack *reply)
{
	long *at = state;
	int64_t n;
	int r = msg_unpack_int(args, &n);

	if (r == 0) {
		msg_packf(reply, "%ld", *at);
		*at = (long)n;
	}
	return r;
}

static int
refuse(void *state, struct msg_unpack *args, struct msg_pack *reply)
{
	(void)state;
	(void)args;
	(void)reply;
	return -EDOM;
}

static int
fall(void *state, struct msg_unpack *args, struct msg_pack *reply)
{
	(void)state;
	(void)args;
	(void)reply;
	_exit(3);
}

static int
agent(char **args)
{
	static const struct msg_agent_op ops[] = {
		{ .name = "state", .get = value },
		{ .name = "whose", .get = whose },
		{ .name = "add", .update = add },
		{ .name = "slow_add", .update = slow_add },
		{ .name = "swap", .update = swap },
		{ .name = "refuse", .update = refuse },
		{ .name = "fall", .update = fall },
		{ .name = NULL },
	};
	static long number;

	msg_agent_main(ops, &number, args[0]);
}

static msg_pid
agent_start(const char *name)
{
	const char *args[] = { "agent", name, NULL };
	msg_pid pid = 0;

	check_ok(msg_server_start("peers", args, TALK_PATIENCE_MS, &pid));
	return pid;
}

static void
check_value(const char *name, long want)
{
	struct msg reply;
	long is = -1;

	check_ok(msg_agent_get(name, TALK_PATIENCE_MS, &reply, "state"));
	check(msg_value(&reply, "%ld", &is));
	check_int(is, want);
	msg_free(&reply);
}

/* The next end is this one, and it has this reason. */
static void
check_down(uint64_t ref, const char *reason)
{
	const struct msg_pattern is = { .kinds = MSG_IS(MSG_DOWN), .ref = ref };
	struct msg m;

	check_int(msg_receive_match(&m, &is, 1, TALK_PATIENCE_MS), 1);
	check_text(m.body, reason);
	msg_free(&m);
}

/* --- the rule --------------------------------------------------------------
 */

static void
it_keeps_a_state_that_is_looked_at_and_changed(void)
{
	msg_pid pid = agent_start("k3-a");
	struct msg reply;
	long old;

	check_value("k3-a", 0);
	check_ok(msg_agent_update("k3-a", -1, "add %d", 3));
	check_value("k3-a", 3);
	check_ok(msg_agent_get_and_update("k3-a", -1, &reply, "swap %d", 10));
	check(msg_value(&reply, "%ld", &old));
	check_int(old, 3);
	msg_free(&reply);
	/* A cast is not waited for, but keeps its place. */
	check_ok(msg_agent_cast("k3-a", "add %d", 5));
	check_value("k3-a", 15);
	check_ok(msg_stop(pid, "normal", TALK_PATIENCE_MS));
}

static void
functions_run_in_the_agent(void)
{
	msg_pid pid = agent_start("k3-b");
	struct msg reply;
	char path[256];
	msg_pid there;

	check_ok(msg_agent_get("k3-b", -1, &reply, "whose"));
	check(msg_value(&reply, "%255s", path));
	check(strcmp(path, msg_path()) != 0);
	check_ok(msg_whereis(path, &there));
	check(there == pid);
	msg_free(&reply);
	check_ok(msg_stop(pid, "normal", TALK_PATIENCE_MS));
}

#define CLIENTS 4
#define ADDS    25

static void
functions_run_one_after_the_other(void)
{
	const char *args[] = { "adder", "k3-c", NULL };
	msg_pid pid = agent_start("k3-c"), client;
	uint64_t ref[CLIENTS];

	for (int i = 0; i < CLIENTS; i++)
		check_ok(msg_spawn_monitor("peers", args, &client, &ref[i]));
	for (int i = 0; i < CLIENTS; i++)
		check_down(ref[i], "normal");
	check_value("k3-c", CLIENTS * ADDS);
	check_ok(msg_stop(pid, "normal", TALK_PATIENCE_MS));
}

/* A crash ends the agent and the call; what it is told by a cast ends only it.
 */
static void
a_crash_ends_the_agent_and_its_caller(void)
{
	static const struct {
		const char *op, *reason;
	} t[] = {
		{ "refuse", "refuse: " }, { "fall", "exit 3" },
		{ "nothing_like_it", "nothing_like_it: undefined operation" },
		{ "state", "state: it is not an operation of this kind" },
		{ "add", "add: " }, /* without its argument */
	};
	struct msg m;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		msg_pid pid = agent_start("k3-d");
		int r =
		    msg_agent_update("k3-d", TALK_PATIENCE_MS, "%s", t[i].op);
		uint64_t ref;

		check_int(r, -ECONNRESET);
		check(strstr(msg_strerror(r), t[i].reason) != NULL);
		check(!msg_is_alive(pid));
		pid = agent_start("k3-d");
		check_ok(msg_monitor(pid, &ref));
		check_ok(msg_agent_cast("k3-d", "%s", t[i].op));
		check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
		check_int(m.kind, MSG_DOWN);
		check(strncmp(m.body, t[i].reason, strlen(t[i].reason)) == 0);
		msg_free(&m);
	}
}

static void
a_call_to_none_is_noproc_and_one_may_take_too_long(void)
{
	msg_pid pid = agent_start("k3-e");

	check_int(msg_agent_update("k3-nobody", -1, "add %d", 1), -ESRCH);
	check_ok(msg_agent_cast("k3-nobody", "add %d", 1));
	for (int i = 0; i < 40; i++)
		check_ok(msg_agent_cast("k3-e", "slow_add %d", 1));
	check_int(msg_agent_update("k3-e", 1, "slow_add %d", 1), -ETIMEDOUT);
	/* It is done all the same. */
	check_value("k3-e", 41);
	check_ok(msg_stop(pid, "normal", TALK_PATIENCE_MS));
}

static void
its_state_is_shown_by_sys(void)
{
	msg_pid pid = agent_start("k3-f");
	struct msg m;
	long is = -1;

	check_ok(msg_agent_update("k3-f", -1, "add %d", 7));
	check_ok(msg_sys(pid, "get_state", NULL, TALK_PATIENCE_MS, &m));
	check(msg_value(&m, "%ld", &is));
	check_int(is, 7);
	msg_free(&m);
	check_ok(msg_stop(pid, "normal", TALK_PATIENCE_MS));
}

/* --- roles -----------------------------------------------------------------
 */

static int
adder(char **args)
{
	check_ok(msg_open());
	check_ok(msg_ready());
	for (int i = 0; i < ADDS; i++)
		check_ok(msg_agent_update(
		    args[0], TALK_PATIENCE_MS, "slow_add %d", 1));
	return 0;
}

static const struct talk_case cases[] = {
	{ "K-3 it keeps a state: get, update, get_and_update, cast",
	    it_keeps_a_state_that_is_looked_at_and_changed },
	{ "K-3 functions run in the agent", functions_run_in_the_agent },
	{ "K-3 functions run one after the other",
	    functions_run_one_after_the_other },
	{ "K-3 a crash in a function ends the agent and the caller's call",
	    a_crash_ends_the_agent_and_its_caller },
	{ "K-3 no agent is noproc; what takes too long is done all the same",
	    a_call_to_none_is_noproc_and_one_may_take_too_long },
	{ "K-3 sys shows what its operation \"state\" gives",
	    its_state_is_shown_by_sys },
	{ NULL, NULL },
};

static const struct talk_role roles[] = {
	{ "adder", adder },
	{ "agent", agent },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	return talk_main(argc, argv, cases, roles);
}
