/* SPDX-License-Identifier: ISC */
/* supervisor_SUITE: the calls of table 1.9, nested trees, many children. */
#include "conform.h"

#include <stdio.h>
#include <string.h>

#define TWO_AN_HOUR "intensity: 2, period: 1h"

/* supctl's verbs are idempotent: only the core tells these errors apart. */
#define EXPECT_ON_CORE(call, want)                                             \
	do {                                                                   \
		if (on_core())                                                 \
			EXPECT(call, want);                                    \
	} while (0)

static void
no_such_child(void)
{
	EXPECT(terminate_child("hej"), "not_found");
	EXPECT(delete_child("hej"), "not_found");
	EXPECT(restart_child("hej"), "not_found");
}

static void
child_adm(void)
{
	const char *child1 = worker("child1", "");
	uint64_t pid;

	EXPECT(start_link(tree(SUP, TWO_AN_HOUR, child1, NULL)), "ok");
	EXPECT_WHICH("", "child1=running");
	EXPECT_COUNTS("", "1 1 0 1");
	pid = pid_of("child1");
	EXPECT(start_child("", child1), "already_started");
	EXPECT_TRUE(runs_as("child1", pid));

	EXPECT(terminate_child("hej"), "not_found");
	EXPECT(terminate_child("/foo/child1"), "not_found");
	EXPECT(terminate_child("child1"), "ok");
	EXPECT_ENDED("child1", "shutdown");
	EXPECT_WHICH("", "child1=undefined");
	EXPECT_COUNTS("", "1 0 0 1");
	EXPECT(terminate_child("child1"), "ok");
	EXPECT(start_child("", child1), "already_present");

	EXPECT(restart_child("child1"), "ok");
	EXPECT_WHICH("", "child1=running");
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT_ON_CORE(restart_child("child1"), "running");
	EXPECT(restart_child("child2"), "not_found");

	EXPECT_ON_CORE(delete_child("child1"), "running");
	EXPECT(delete_child("hej"), "not_found");
	EXPECT(delete_child("/foo/child1"), "not_found");
	EXPECT(terminate_child("child1"), "ok");
	EXPECT(delete_child("child1"), "ok");
	EXPECT(restart_child("child1"), "not_found");
	EXPECT_WHICH("", "");
	EXPECT_COUNTS("", "0 0 0 0");

	EXPECT(start_child("/foo", child1), "noproc");
	EXPECT(start_child("", child1), "ok");
	EXPECT_WHICH("", "child1=running");
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT_WHICH("/foo", "");
}

static void
child_adm_simple(void)
{
	uint64_t pid2;

	EXPECT(start_link(pool(SUP, TWO_AN_HOUR, "", "")), "ok");
	EXPECT_WHICH("", "");
	EXPECT_COUNTS("", "0 0 0 0");
	EXPECT(start_child("/foo", "[]"), "noproc");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT_WHICH("", "1=running");
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT_WHICH("", "1=running 2=running");
	EXPECT_COUNTS("", "2 2 0 2");
	pid2 = pid_of("2");

	EXPECT(restart_child("hej"), "not_found");
	EXPECT_ON_CORE(restart_child("1"), "simple_one_for_one");
	EXPECT_ON_CORE(delete_child("1"), "simple_one_for_one");
	EXPECT_COUNTS("", "2 2 0 2");
	EXPECT(terminate_child("1"), "ok");
	EXPECT_ENDED("1", "shutdown");
	EXPECT_WHICH("", "2=running");
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT(terminate_child("hej"), "not_found");
	EXPECT_TRUE(runs_as("2", pid2));
}

static void
extra_return(void)
{
	const char *child1 = worker("child1", "");
	uint64_t pid;

	EXPECT(start_link(tree(SUP, TWO_AN_HOUR, child1, NULL)), "ok");
	no_such_child();
	EXPECT_ON_CORE(delete_child("child1"), "running");
	EXPECT_ON_CORE(restart_child("child1"), "running");
	EXPECT_WHICH("", "child1=running");
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT(terminate_child("child1"), "ok");
	EXPECT_ENDED("child1", "shutdown");
	EXPECT_WHICH("", "child1=undefined");
	EXPECT_COUNTS("", "1 0 0 1");
	EXPECT(restart_child("child1"), "ok");
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT(terminate_child("child1"), "ok");
	EXPECT(terminate_child("child1"), "ok");
	EXPECT(delete_child("child1"), "ok");
	EXPECT(restart_child("child1"), "not_found");
	EXPECT_WHICH("", "");
	EXPECT_COUNTS("", "0 0 0 0");
	EXPECT(start_child("", child1), "ok");
	EXPECT_COUNTS("", "1 1 0 1");
	pid = pid_of("child1");
	die("child1", ABNORMAL);
	EXPECT_WHICH("", "child1=running");
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT_TRUE(pid_of("child1") != pid);
}

/* ---- nested --------------------------------------------------------------
 */

static void
tree_case(void)
{
	uint64_t pid1, pid2, pid3, pid4;

	EXPECT(start_link(tree(SUP,
		   "strategy: one_for_all, intensity: 4, period: 1h", NULL)),
	    "ok");
	EXPECT(start_child(
		   "", tree("supchild1", "intensity: 4, period: 1h",
			   worker("child1", ""), worker("child2", ""), NULL)),
	    "ok");
	EXPECT(start_child(
		   "", tree("supchild2", "intensity: 4, period: 1h", NULL)),
	    "ok");
	EXPECT(start_child("", tree("supchild3",
				   "intensity: 4, period: 1h, restart: "
				   "transient",
				   NULL)),
	    "ok");
	EXPECT(terminate_child("supchild3"), "ok");
	EXPECT_COUNTS("", "3 2 3 0");
	EXPECT_WHICH("supchild1", "child1=running child2=running");
	EXPECT_COUNTS("supchild1", "2 2 0 2");
	EXPECT_COUNTS("supchild2", "0 0 0 0");
	pid1 = pid_of("supchild1/child1");
	pid2 = pid_of("supchild1/child2");

	gate("g", "o");
	EXPECT(
	    start_child("supchild2", worker_as("child3", "gate=g", "")), "ok");
	EXPECT(start_child("supchild2", worker("child4", "")), "ok");
	EXPECT_COUNTS("supchild1", "2 2 0 2");
	EXPECT_COUNTS("supchild2", "2 2 0 2");
	pid3 = pid_of("supchild2/child3");
	pid4 = pid_of("supchild2/child4");

	/* Only the one that dies is restarted. */
	die("supchild2/child4", ABNORMAL);
	EXPECT_WHICH("supchild2", "child3=running child4=running");
	EXPECT_TRUE(pid_of("supchild2/child4") != pid4);
	EXPECT_TRUE(runs_as("supchild2/child3", pid3));
	EXPECT_TRUE(runs_as("supchild1/child1", pid1));
	EXPECT_TRUE(runs_as("supchild1/child2", pid2));

	/* Its supervisor gives up: all are rebuilt as they were configured. */
	gate("g", "ffffffff");
	die("supchild2/child3", ABNORMAL);
	EXPECT_ENDED("supchild2", "gave_up");
	EXPECT_WHICH(
	    "", "supchild1=running supchild2=running supchild3=running");
	EXPECT_COUNTS("", "3 3 3 0");
	EXPECT_WHICH("supchild1", "child1=running child2=running");
	EXPECT_TRUE(pid_of("supchild1/child1") != pid1);
	EXPECT_TRUE(pid_of("supchild1/child2") != pid2);
	EXPECT_WHICH("supchild2", "");
	EXPECT_COUNTS("supchild2", "0 0 0 0");
	EXPECT_WHICH("supchild3", "");
}

static uint64_t server, middle;

/* sup_test / sup2 / server */
static void
start_three_levels(const char *intensity)
{
	char flags[64];

	snprintf(flags, sizeof(flags),
	    "strategy: one_for_all, intensity: %s, period: 60s", intensity);
	EXPECT(start_link(
		   tree(SUP, "strategy: one_for_all, intensity: 3, period: 60s",
		       tree("sup2", flags, worker("server", ""), NULL), NULL)),
	    "ok");
	middle = pid_of("sup2");
	server = pid_of("sup2/server");
}

static void
stop_three_levels(void)
{
	EXPECT_STATE("sup2/server", "running");
	EXPECT_TRUE(pid_of("sup2/server") != server);
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
}

static void
simple_global_supervisor(void)
{
	start_three_levels("0");
	die("sup2/server", KILL);
	EXPECT_ENDED("sup2", "gave_up");
	EXPECT_STATE("sup2", "running");
	EXPECT_TRUE(pid_of("sup2") != middle);
	stop_three_levels();

	start_three_levels("3");
	die("sup2/server", KILL);
	EXPECT_TRUE(runs_as("sup2", middle));
	stop_three_levels();

	start_three_levels("3");
	die("sup2/server", NORMAL);
	EXPECT_TRUE(runs_as("sup2", middle));
	stop_three_levels();

	start_three_levels("3");
	EXPECT(terminate_child("sup2/server"), "ok");
	EXPECT(restart_child("sup2/server"), "ok");
	EXPECT_TRUE(runs_as("sup2", middle));
	stop_three_levels();
}

static const struct conform_case cases[] = {
	{ "child_adm", ON_BOTH, child_adm, 0 },
	{ "child_adm_simple", ON_BOTH, child_adm_simple, 0 },
	{ "extra_return", ON_BOTH, extra_return, 0 },
	{ "tree", ON_BOTH, tree_case, 0 },
	{ "simple_global_supervisor", ON_BOTH, simple_global_supervisor, 0 },
};

const struct suite suite_otp_tree = { "supervisor_SUITE", cases,
	ARRAY_LEN(cases) };
