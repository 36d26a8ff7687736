/* SPDX-License-Identifier: ISC */
/* supervisor_SUITE: restarts that go on failing, and what can be done then. */
#include "conform.h"

#define DEADLOCK "intensity: 8, period: 1h"
#define BRUTAL   "shutdown: brutal_kill"

/*
 * child hangs in its third attempt to restart, behind the gate g.  What is
 * asked meanwhile is answered when that has failed.
 */
static void
crash_into_loop(const char *child)
{
	remember();
	die(child, ABNORMAL);
	for (int i = 1; i <= 2; i++) {
		gate("g", "f");
		EXPECT_TIMES("start_error", child, i);
		EXPECT_TIMES("starting", child, i + 1);
	}
	EXPECT_STATE(child, "starting");
}

/* The answers of a supervisor whose `child` is between two attempts. */
static void
calls_meanwhile(const char *child, const char *spec, const char *start,
    const char *restart, const char *delete, const char *which)
{
	int s, r, d;

	if (!on_core())
		return; /* supctl's verbs are idempotent and would wait */
	s = spec != NULL ? rig->begin_call(START_CHILD, "", spec) : -1;
	r = rig->begin_call(RESTART_CHILD, child, NULL);
	d = rig->begin_call(DELETE_CHILD, child, NULL);
	EXPECT(rig->end_call(r), "pending");
	gate("g", "f");
	if (spec != NULL)
		EXPECT(rig->end_call(s), start);
	EXPECT(rig->end_call(r), restart);
	EXPECT(rig->end_call(d), delete);
	EXPECT(rig->seen_by(d), which);
	EXPECT_STATE(child, "starting");
}

/* It is answered before the next attempt, which never comes. */
static void
terminate_meanwhile(const char *path)
{
	int starts = times("starting", "*");

	begin_terminate(path);
	EXPECT_TERMINATED("pending");
	gate("g", "f");
	EXPECT_TERMINATED("ok");
	EXPECT_TIMES("starting", "*", starts);
}

static void
hanging_restart_loop(void)
{
	const char *child1 = worker_as("child1", "gate=g", BRUTAL);

	EXPECT(start_link(tree(SUP, DEADLOCK, NULL)), "ok");
	gate("g", "o");
	EXPECT(start_child("", child1), "ok");
	crash_into_loop("child1");
	calls_meanwhile("child1", child1, "already_present", "restarting",
	    "restarting", "child1=restarting");
	EXPECT_COUNTS("", "1 0 0 1");
	terminate_meanwhile("child1");
	EXPECT_WHICH("", "child1=undefined");
	gate("g", "o");
	EXPECT(restart_child("child1"), "ok");
	crash_into_loop("child1");
	terminate_meanwhile("");
	EXPECT_ENDED("", "shutdown");
	EXPECT_STATE("", "undefined");
}

static void
hanging_restart_loop_rest_for_one(void)
{
	const char *child2 = worker_as("child2", "gate=g", BRUTAL);
	uint64_t pid1;

	EXPECT(start_link(tree(SUP, "strategy: rest_for_one, " DEADLOCK, NULL)),
	    "ok");
	gate("g", "o");
	EXPECT(start_child("", worker("child1", BRUTAL)), "ok");
	EXPECT(start_child("", child2), "ok");
	EXPECT(start_child("", worker("child3", BRUTAL)), "ok");
	pid1 = pid_of("child1");
	crash_into_loop("child2");
	calls_meanwhile("child2", child2, "already_present", "restarting",
	    "restarting", "child1=running child2=restarting child3=undefined");
	EXPECT_COUNTS("", "3 1 0 3");
	terminate_meanwhile("child2");
	EXPECT_WHICH("", "child1=running child2=undefined child3=undefined");
	EXPECT_TRUE(runs_as("child1", pid1));
	gate("g", "o");
	EXPECT(restart_child("child2"), "ok");
	EXPECT_WHICH("", "child1=running child2=running child3=undefined");
	crash_into_loop("child2");
	terminate_meanwhile("");
	EXPECT_ENDED("", "shutdown");
	EXPECT_ENDED("child1", "killed");
}

static void
hanging_restart_loop_simple(void)
{
	EXPECT(start_link(pool(SUP, DEADLOCK, "gate=g", BRUTAL)), "ok");
	gate("g", "o");
	EXPECT(start_child("", "[]"), "ok");
	crash_into_loop("1");
	calls_meanwhile("1", NULL, NULL, "simple_one_for_one",
	    "simple_one_for_one", "1=restarting");
	EXPECT_COUNTS("", "1 0 0 1");
	terminate_meanwhile("1");
	EXPECT_WHICH("", "");
	gate("g", "o");
	EXPECT(start_child("", "[]"), "ok");
	crash_into_loop("2");
	terminate_meanwhile("");
	EXPECT_ENDED("", "shutdown");
	EXPECT_STATE("", "undefined");
}

static void
count_restarting_children(void)
{
	EXPECT(start_link(
		   pool(SUP, "intensity: 20, period: 1h", "gate=g", BRUTAL)),
	    "ok");
	EXPECT_COUNTS("", "0 0 0 0");
	gate("g", "ooo");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT_COUNTS("", "2 2 0 2");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT_COUNTS("", "3 3 0 3");
	gate("g", "ooo");
	die("1", ABNORMAL);
	die("2", ABNORMAL);
	die("3", ABNORMAL);
	EXPECT_COUNTS("", "3 3 0 3");
	die("1", ABNORMAL);
	die("2", ABNORMAL);
	gate("g", "ffff");
	EXPECT_COUNTS("", "3 1 0 3");
	EXPECT_STATE("3", "running");
	gate("g", "oo");
	EXPECT_COUNTS("", "3 3 0 3");
	EXPECT(terminate_child("3"), "ok");
	EXPECT_COUNTS("", "2 2 0 2");
	EXPECT(terminate_child("1"), "ok");
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT(terminate_child("2"), "ok");
	EXPECT_COUNTS("", "0 0 0 0");
}

static const struct conform_case cases[] = {
	{ "hanging_restart_loop", ON_BOTH, hanging_restart_loop, 0 },
	{ "hanging_restart_loop_rest_for_one", ON_BOTH,
	    hanging_restart_loop_rest_for_one, 0 },
	{ "hanging_restart_loop_simple", ON_BOTH, hanging_restart_loop_simple,
	    0 },
	{ "count_restarting_children", ON_BOTH, count_restarting_children, 0 },
};

const struct suite suite_otp_hanging = { "supervisor_SUITE", cases,
	ARRAY_LEN(cases) };
