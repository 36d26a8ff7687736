/* SPDX-License-Identifier: ISC */
/* supervisor_SUITE: how a supervisor and its children are started. */
#include "conform.h"
#include "rig_supd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
sup_start_normal(void)
{
	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h", NULL)), "ok");
	EXPECT_STATE("", "running");
	EXPECT_WHICH("", "");
	EXPECT(terminate_child(""), "ok");
	EXPECT_STATE("", "undefined");
	EXPECT_ENDED("", "shutdown");
}

static void
sup_start_ignore_init(void)
{
	EXPECT(start_child("/", worker("quiet", "enabled: false")),
	    "ok undefined");
	EXPECT_STATE("/quiet", "undefined");
	EXPECT_TIMES("starting", "/quiet", 0);
	EXPECT_ENDED("/quiet", "none");
}

static void
sup_start_ignore_child(void)
{
	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h", NULL)), "ok");
	EXPECT(start_child("", worker("child1", "enabled: false")),
	    "ok undefined");
	EXPECT(start_child("", worker("child2", "")), "ok");
	EXPECT_WHICH("", "child1=undefined child2=running");
	EXPECT_COUNTS("", "2 1 0 2");
}

static void
sup_start_ignore_temporary_child(void)
{
	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h",
		   worker("child1", "restart: temporary, enabled: false"),
		   worker("child2", "restart: temporary"), NULL)),
	    "ok");
	EXPECT_WHICH("", "child2=running");
	EXPECT_COUNTS("", "1 1 0 1");
}

static void
sup_start_ignore_temporary_child_start_child(void)
{
	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h", NULL)), "ok");
	EXPECT(start_child(
		   "", worker("child1", "restart: temporary, enabled: false")),
	    "ok undefined");
	EXPECT(start_child("", worker("child2", "restart: temporary")), "ok");
	EXPECT_WHICH("", "child2=running");
	EXPECT_COUNTS("", "1 1 0 1");
}

static void
ignored_in_pool(const char *keys)
{
	EXPECT(
	    start_link(pool(SUP, "intensity: 2, period: 1h", "", keys)), "ok");
	EXPECT(start_child("", "[]"), "ok undefined");
	EXPECT(start_child("", "[]"), "ok undefined");
	EXPECT_WHICH("", "");
	EXPECT_COUNTS("", "0 0 0 0");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
}

static void
sup_start_ignore_temporary_child_start_child_simple(void)
{
	ignored_in_pool("restart: temporary, enabled: false");
}

static void
sup_start_ignore_permanent_child_start_child_simple(void)
{
	ignored_in_pool("restart: permanent, enabled: false");
}

/* What init returns cannot be used: supd itself does not start. */
static void
sup_start_error_return(void)
{
	const char *argv[] = { getenv("SUPD"), "-f", "-c", NULL, NULL };
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/invalid.yaml", rig_dir());
	f = fopen(path, "w");
	EXPECT_TRUE(f != NULL);
	fputs("supervisor: root\nchildren: invalid\n", f);
	fclose(f);
	argv[3] = path;
	EXPECT_TRUE(run_program(argv) == 78);
	EXPECT_TRUE(strstr(said(), "invalid.yaml:2:11: error: ") != NULL);
	EXPECT(
	    start_link("{supervisor: sup_test, children: invalid}"), "invalid");
	EXPECT_STATE("", "none");
}

static void
sup_start_fail(void)
{
	gate("g", "of");
	EXPECT(start_link(tree(SUP, "", worker_as("child1", "gate=g", ""),
		   worker_as("child2", "gate=g", ""), NULL)),
	    "start_failed");
	EXPECT_STATE("", "none");
	EXPECT_TIMES("ended", "", 0);
	EXPECT_ENDED("child1", "shutdown");
}

static void
sup_start_child_returns_error(void)
{
	EXPECT(start_link(tree(SUP, "intensity: 0, period: 1h", NULL)), "ok");
	gate("g", "f");
	EXPECT(
	    start_child("", worker_as("child1", "gate=g", "")), "start_failed");
	EXPECT_WHICH("", "");
	if (!on_core())
		EXPECT(start_child("",
			   "{worker: child2, command: /nonexistent/program}"),
		    "start_failed");
	EXPECT_WHICH("", "");
	EXPECT_STATE("", "running");
}

static void
sup_start_restart_child_returns_error(void)
{
	gate("g", "of");
	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h",
		   worker_as("child1", "gate=g", ""), NULL)),
	    "ok");
	EXPECT(terminate_child("child1"), "ok");
	EXPECT(restart_child("child1"), "start_failed");
	EXPECT_WHICH("", "child1=undefined");
	EXPECT_TIMES("restart", "child1", 0);
}

static void
sup_start_child_returns_error_simple(void)
{
	EXPECT(start_link(pool(SUP, "intensity: 2, period: 1h", "", "")), "ok");
	gate("g", "ff");
	EXPECT(start_child("", "[gate=g]"), "start_failed");
	EXPECT(start_child("", "[gate=g]"), "start_failed");
	EXPECT_WHICH("", "");
}

static const struct conform_case cases[] = {
	{ "sup_start_normal", ON_BOTH, sup_start_normal, 0 },
	{ "sup_start_ignore_init", ON_BOTH, sup_start_ignore_init, 0 },
	{ "sup_start_ignore_child", ON_BOTH, sup_start_ignore_child, 0 },
	{ "sup_start_ignore_temporary_child", ON_BOTH,
	    sup_start_ignore_temporary_child, 0 },
	{ "sup_start_ignore_temporary_child_start_child", ON_BOTH,
	    sup_start_ignore_temporary_child_start_child, 0 },
	{ "sup_start_ignore_temporary_child_start_child_simple", ON_BOTH,
	    sup_start_ignore_temporary_child_start_child_simple, 0 },
	{ "sup_start_ignore_permanent_child_start_child_simple", ON_BOTH,
	    sup_start_ignore_permanent_child_start_child_simple, 0 },
	{ "sup_start_error_return", ON_SUPD, sup_start_error_return, 0 },
	{ "sup_start_fail", ON_BOTH, sup_start_fail, 0 },
	{ "sup_start_child_returns_error", ON_BOTH,
	    sup_start_child_returns_error, 0 },
	{ "sup_start_restart_child_returns_error", ON_BOTH,
	    sup_start_restart_child_returns_error, 0 },
	{ "sup_start_child_returns_error_simple", ON_BOTH,
	    sup_start_child_returns_error_simple, 0 },
};

const struct suite suite_otp_start = { "supervisor_SUITE", cases,
	ARRAY_LEN(cases) };
