/* SPDX-License-Identifier: ISC */
/* Elixir's supervisor_test.exs. */
#include "conform.h"
#include "specs.h"

#include <stdio.h>
#include <string.h>

/* A worker that holds the name `stack` of libmsg and a state. */
#define STACK "{worker: stack, command: [counter, stack], ready: notify}"

static void
init_2(void)
{
	EXPECT(start_link(
		   tree(SUP, "", worker("task", "restart: temporary"), NULL)),
	    "ok");
	expect_shown("", "strategy", "one_for_one");
	expect_shown("", "intensity", "3");
	expect_shown("", "period", "5s");
	expect_shown("", "auto_shutdown", "never");
	expect_shown("task", "restart", "temporary");
	EXPECT(start_link(
		   tree(SUP, "strategy: one_for_all, intensity: 1, period: 2s",
		       worker("task", "restart: temporary"), NULL)),
	    "ok");
	expect_shown("", "strategy", "one_for_all");
	expect_shown("", "intensity", "1");
	expect_shown("", "period", "2s");
	refused_text("strategy:\nchildren: []", "strategy");
}

static void
named(const char *path)
{
	EXPECT(start_link(tree(SUP, "", NULL)), "ok");
	EXPECT_TRUE(supctl("is-up", path, NULL) == 0);
	EXPECT_TRUE(supctl("status", path, NULL) == 0);
	EXPECT_TRUE(strstr(said(), "\"path\":\"root/sup_test\"") != NULL);
	EXPECT_WHICH("", "");
}

static void
start_link_with_via(void)
{
	named("root/sup_te*");
}

static void
start_link_with_global(void)
{
	named("root/" SUP);
}

static void
start_link_with_local(void)
{
	named(SUP);
}

static void
call_stack(const char *message, const char *want)
{
	EXPECT_TRUE(supctl("call", "stack", message) == 0);
	EXPECT_TRUE(strncmp(said(), want, strlen(want)) == 0);
}

static void
start_link_2(void)
{
	uint64_t pid;

	EXPECT(start_link(tree(SUP, "", STACK, NULL)), "ok");
	call_stack("[\"increment\"]", "1\n");
	call_stack("[\"increment\"]", "2\n");
	pid = pid_of("stack");
	/* counter does not serve the signals of mole. */
	rig->kill("stack", SHUTDOWN);
	EXPECT_TIMES("exited", "stack", 1);
	EXPECT_STATE("stack", "running");
	EXPECT_TRUE(pid_of("stack") != pid);
	call_stack("[\"value\"]", "0\n");
	EXPECT(terminate_child(""), "ok");
	EXPECT_TRUE(supctl("call", "stack", "[\"value\"]") == 4);
	EXPECT(start_link("{supervisor: \"My Supervisor\"}"), "invalid");
	EXPECT(start_link("{supervisor: {tuple: name}}"), "invalid");
	EXPECT(start_link(tree(SUP, "",
		   "{worker: stack, command: [counter, \"a b\"], ready: "
		   "notify}",
		   NULL)),
	    "start_failed");
}

/* A supervisor that a file of its own describes. */
static void
start_link_3(void)
{
	char path[64], arg[80];
	FILE *f;

	snprintf(path, sizeof(path), "%s/stack_sup.yaml", rig_dir());
	f = fopen(path, "w");
	EXPECT_TRUE(f != NULL);
	fputs("supervisor: sup_test\nrestart: transient\nchildren:\n  - " STACK
	      "\n",
	    f);
	fclose(f);
	snprintf(arg, sizeof(arg), "@%s", path);
	EXPECT(start_link(arg), "ok");
	call_stack("[\"value\"]", "0\n");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("stack", "shutdown");
}

static void
supports_new_child_spec_as_tuple(void)
{
	EXPECT(start_link(tree(SUP, "", NULL)), "ok");
	EXPECT(start_child("",
		   "{worker: task, restart: temporary, command: [mole, serve], "
		   "ready: notify, shutdown: 5s, significant: false}"),
	    "ok");
	EXPECT_WHICH("", "task=running");
}

static void
supports_new_child_spec(void)
{
	EXPECT(start_link(tree(SUP, "", NULL)), "ok");
	EXPECT(start_child("", "{worker: task, command: mole sleep}"), "ok");
	EXPECT_WHICH("", "task=running");
}

static void
with_invalid_child_spec(void)
{
	EXPECT(start_link(tree(SUP, "", NULL)), "ok");
	refused_child("{}", "a child begins with `worker: NAME`");
	refused_child("{worker: a, command: [[m, f]]}", "command");
	refused_child("{worker: a, command: {task: foo}}",
	    "command takes a list of words");
	refused_child("{worker: a, command: m, shutdown: -1}",
	    "shutdown: \"-1\" is not a duration");
	EXPECT_WHICH("", "");
}

static void
with_valid_child_spec(void)
{
	EXPECT(start_link(tree(SUP, "", NULL)), "ok");
	EXPECT(start_child("", worker("a", "shutdown: 0ms")), "ok");
	EXPECT(start_child("", worker("b", "shutdown: 1ms")), "ok");
	EXPECT_WHICH("", "a=running b=running");
	EXPECT(terminate_child("a"), "ok");
	EXPECT(terminate_child("b"), "ok");
	EXPECT_WHICH("", "a=undefined b=undefined");
}

static void
child_life_cycle(void)
{
	EXPECT(start_link(tree(SUP, "", NULL)), "ok");
	EXPECT_WHICH("", "");
	EXPECT_COUNTS("", "0 0 0 0");
	EXPECT(start_child("", worker("stack", "")), "ok");
	EXPECT_WHICH("", "stack=running");
	EXPECT_COUNTS("", "1 1 0 1");
	if (on_core()) /* supctl remove stops it first */
		EXPECT(delete_child("stack"), "running");
	EXPECT(terminate_child("stack"), "ok");
	EXPECT(restart_child("stack"), "ok");
	EXPECT_WHICH("", "stack=running");
	EXPECT(terminate_child("stack"), "ok");
	EXPECT(delete_child("stack"), "ok");
	EXPECT_WHICH("", "");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
}

static const struct conform_case cases[] = {
	{ "init/2", ON_SUPD, init_2, 0 },
	{ "start_link/2 with via", ON_SUPD, start_link_with_via, 0 },
	{ "start_link/3 with global", ON_SUPD, start_link_with_global, 0 },
	{ "start_link/3 with local", ON_SUPD, start_link_with_local, 0 },
	{ "start_link/2", ON_SUPD, start_link_2, 0 },
	{ "start_link/3", ON_SUPD, start_link_3, 0 },
	{ "start_child/2 supports new child spec as tuple", ON_BOTH,
	    supports_new_child_spec_as_tuple, 0 },
	{ "start_child/2 supports new child spec", ON_BOTH,
	    supports_new_child_spec, 0 },
	{ "start_child/2 with invalid child spec", ON_SUPD,
	    with_invalid_child_spec, 0 },
	{ "start_child/2 with valid child spec", ON_BOTH, with_valid_child_spec,
	    0 },
	{ "child life cycle", ON_BOTH, child_life_cycle, 0 },
};

const struct suite suite_elixir_supervisor = { "Supervisor", cases,
	ARRAY_LEN(cases) };
