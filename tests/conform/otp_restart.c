/* SPDX-License-Identifier: ISC */
/* supervisor_SUITE: the strategies and the limit of restarts. */
#include "conform.h"

#include <stdio.h>
#include <string.h>

#define TWO_AN_HOUR  "intensity: 2, period: 1h"
#define FOUR_AN_HOUR "intensity: 4, period: 1h"

static void
multiple_restarts(void)
{
	EXPECT(start_link(tree(SUP, "intensity: 1, period: 1s", NULL)), "ok");
	EXPECT(
	    start_child("", worker("child1", "shutdown: brutal_kill")), "ok");
	die("child1", ABNORMAL);
	for (int i = 0; i < 3; i++) {
		rig->outlive_period("");
		die("child1", ABNORMAL);
	}
	EXPECT_STATE("child1", "running");
	EXPECT_STATE("", "running");
	EXPECT_TIMES("starting", "child1", 5);
	EXPECT(terminate_child("child1"), "ok");
	EXPECT(delete_child("child1"), "ok");
	EXPECT_WHICH("", "");
}

static void
one_for_one(void)
{
	uint64_t pid;

	EXPECT(start_link(tree(SUP, TWO_AN_HOUR, NULL)), "ok");
	EXPECT(start_child("", worker("child1", "")), "ok");
	EXPECT(start_child("", worker("child2", "")), "ok");
	pid = pid_of("child2");
	die("child1", ABNORMAL);
	EXPECT_WHICH("", "child1=running child2=running");
	EXPECT_TRUE(runs_as("child2", pid));
	EXPECT_COUNTS("", "2 2 0 2");
	die("child2", ABNORMAL);
	EXPECT_STATE("child2", "running");
	die("child2", ABNORMAL);
	EXPECT_SUP_ENDED("gave_up");
	EXPECT_ENDED("child1", "shutdown");
}

static void
one_for_one_escalation(void)
{
	EXPECT(start_link(tree(SUP, FOUR_AN_HOUR, NULL)), "ok");
	gate("g", "o");
	EXPECT(start_child("", worker_as("child1", "gate=g", "")), "ok");
	EXPECT(start_child("", worker("child2", "")), "ok");
	gate("g", "ffffffff");
	die("child1", ABNORMAL);
	EXPECT_SUP_ENDED("gave_up");
	EXPECT_ENDED("child2", "shutdown");
	/* I-6: with an intensity of n, exactly n attempts. */
	EXPECT_TIMES("start_error", "child1", 4);
}

static void
one_for_all(void)
{
	uint64_t pid1, pid2;

	EXPECT(
	    start_link(tree(SUP, "strategy: one_for_all, " TWO_AN_HOUR, NULL)),
	    "ok");
	EXPECT(start_child("", worker("child1", "")), "ok");
	EXPECT(start_child("", worker("child2", "")), "ok");
	pid1 = pid_of("child1");
	pid2 = pid_of("child2");
	die("child1", ABNORMAL);
	EXPECT_ENDED("child2", "shutdown");
	EXPECT_WHICH("", "child1=running child2=running");
	EXPECT_TRUE(pid_of("child1") != pid1 && pid_of("child2") != pid2);
	EXPECT_COUNTS("", "2 2 0 2");
	pid1 = pid_of("child1");
	die("child2", ABNORMAL);
	EXPECT_WHICH("", "child1=running child2=running");
	EXPECT_TRUE(pid_of("child1") != pid1);
	die("child2", ABNORMAL);
	EXPECT_SUP_ENDED("gave_up");
}

static void
group_escalation(const char *strategy)
{
	char flags[64];

	snprintf(flags, sizeof(flags), "strategy: %s, " FOUR_AN_HOUR, strategy);
	EXPECT(start_link(tree(SUP, flags, NULL)), "ok");
	gate("g", "o");
	EXPECT(start_child("", worker("child1", "")), "ok");
	EXPECT(start_child("", worker_as("child2", "gate=g", "")), "ok");
	gate("g", "ffffffff");
	die("child1", ABNORMAL);
	EXPECT_SUP_ENDED("gave_up");
	EXPECT_TIMES("start_error", "child2", 4);
	EXPECT_ENDED("child1", "shutdown");
}

static void
one_for_all_escalation(void)
{
	group_escalation("one_for_all");
}

static void
rest_for_one_escalation(void)
{
	group_escalation("rest_for_one");
}

static void
other_child_fails(const char *strategy, const char *want)
{
	char flags[64];

	snprintf(flags, sizeof(flags), "strategy: %s, intensity: 3, period: 1h",
	    strategy);
	gate("g", "o");
	EXPECT(start_link(tree(SUP, flags, worker("child1", ""),
		   worker_as("child2", "gate=g", ""), NULL)),
	    "ok");
	remember();
	gate("g", "f");
	gate("g", "o");
	die("child1", ABNORMAL);
	EXPECT_STORY(want);
	EXPECT_WHICH("", "child1=running child2=running");
	EXPECT_TIMES("start_error", "child2", 1);
}

static void
one_for_all_other_child_fails_restart(void)
{
	other_child_fails("one_for_all",
	    "stop child2, start child1, start child2, stop child1, "
	    "start child1, start child2");
	/* Its last end is that stop. */
	EXPECT_ENDED("child1", "shutdown");
}

static void
rest_for_one_other_child_fails_restart(void)
{
	other_child_fails("rest_for_one",
	    "stop child2, start child1, start child2, start child2");
	EXPECT_ENDED("child1", "exit 1");
}

static void
rest_for_one(void)
{
	uint64_t pid1, pid2, pid3;

	EXPECT(
	    start_link(tree(SUP, "strategy: rest_for_one, " TWO_AN_HOUR, NULL)),
	    "ok");
	EXPECT(start_child("", worker("child1", "")), "ok");
	EXPECT(start_child("", worker("child2", "")), "ok");
	EXPECT(start_child("", worker("child3", "")), "ok");
	EXPECT_COUNTS("", "3 3 0 3");
	pid1 = pid_of("child1");
	pid2 = pid_of("child2");
	pid3 = pid_of("child3");
	die("child2", ABNORMAL);
	EXPECT_ENDED("child3", "shutdown");
	EXPECT_WHICH("", "child1=running child2=running child3=running");
	EXPECT_COUNTS("", "3 3 0 3");
	EXPECT_TRUE(runs_as("child1", pid1));
	EXPECT_TRUE(pid_of("child2") != pid2 && pid_of("child3") != pid3);
	die("child3", ABNORMAL);
	EXPECT_WHICH("", "child1=running child2=running child3=running");
	die("child2", ABNORMAL);
	EXPECT_SUP_ENDED("gave_up");
	EXPECT_ENDED("child1", "shutdown");
}

static void
pool_of_two(const char *args)
{
	uint64_t pid;

	EXPECT(start_link(pool(SUP, TWO_AN_HOUR, "", "")), "ok");
	EXPECT(start_child("", args), "ok");
	EXPECT(start_child("", args), "ok");
	pid = pid_of("2");
	die("1", ABNORMAL);
	EXPECT_WHICH("", "1=running 2=running");
	EXPECT_TRUE(runs_as("2", pid));
	EXPECT_COUNTS("", "2 2 0 2");
	die("2", ABNORMAL);
	EXPECT_STATE("2", "running");
}

static void
simple_one_for_one(void)
{
	pool_of_two("[]");
	die("1", ABNORMAL);
	EXPECT_SUP_ENDED("gave_up");
	EXPECT_ENDED("2", "shutdown");
}

/* Only started with the same arguments can it pass the same gate. */
static void
simple_one_for_one_extra(void)
{
	gate("extra_info", "oooo");
	pool_of_two("[gate=extra_info]");
	/* Two starts and two restarts have taken all that it gave. */
	EXPECT(terminate_child("2"), "ok");
	begin_terminate("1");
	EXPECT_TERMINATED("ok");
	gate("extra_info", "f");
	EXPECT(start_child("", "[gate=extra_info]"), "start_failed");
}

static void
simple_one_for_one_escalation(void)
{
	EXPECT(start_link(pool(SUP, FOUR_AN_HOUR, "", "")), "ok");
	gate("g", "o");
	EXPECT(start_child("", "[gate=g]"), "ok");
	EXPECT(start_child("", "[]"), "ok");
	gate("g", "ffffffff");
	die("1", ABNORMAL);
	EXPECT_SUP_ENDED("gave_up");
	EXPECT_ENDED("2", "shutdown");
	EXPECT_TIMES("start_error", "1", 4);
}

static const struct conform_case cases[] = {
	{ "multiple_restarts", ON_BOTH, multiple_restarts, 0 },
	{ "one_for_one", ON_BOTH, one_for_one, 0 },
	{ "one_for_one_escalation", ON_BOTH, one_for_one_escalation, 0 },
	{ "one_for_all", ON_BOTH, one_for_all, 0 },
	{ "one_for_all_escalation", ON_BOTH, one_for_all_escalation, 0 },
	{ "one_for_all_other_child_fails_restart", ON_BOTH,
	    one_for_all_other_child_fails_restart, 0 },
	{ "simple_one_for_one", ON_BOTH, simple_one_for_one, 0 },
	{ "simple_one_for_one_extra", ON_BOTH, simple_one_for_one_extra, 0 },
	{ "simple_one_for_one_escalation", ON_BOTH,
	    simple_one_for_one_escalation, 0 },
	{ "rest_for_one", ON_BOTH, rest_for_one, 0 },
	{ "rest_for_one_escalation", ON_BOTH, rest_for_one_escalation, 0 },
	{ "rest_for_one_other_child_fails_restart", ON_BOTH,
	    rest_for_one_other_child_fails_restart, 0 },
};

const struct suite suite_otp_restart = { "supervisor_SUITE", cases,
	ARRAY_LEN(cases) };
