/* SPDX-License-Identifier: ISC */
/* supervisor_SUITE: how children end when their supervisor is stopped. */
#include "conform.h"

#include <stdio.h>
#include <string.h>

#define TWO_AN_HOUR "intensity: 2, period: 1h"

static void
sup_stop_infinity(void)
{
	EXPECT(start_link(tree(SUP, TWO_AN_HOUR, NULL)), "ok");
	EXPECT(start_child("", tree("child1", "", NULL)), "ok");
	EXPECT(start_child("", worker("child2", "shutdown: infinity")), "ok");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
	EXPECT_ENDED("child1", "shutdown");
	EXPECT_ENDED("child2", "shutdown");
}

static void
sup_stop_timeout(void)
{
	EXPECT(start_link(tree(SUP, TWO_AN_HOUR, NULL)), "ok");
	EXPECT(start_child("", worker("child1", "shutdown: 20s")), "ok");
	EXPECT(start_child("", worker_as("child2", "hang", "shutdown: 300ms")),
	    "ok");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
	EXPECT_ENDED("child1", "shutdown");
	EXPECT_ENDED("child2", "killed");
	EXPECT_TIMES("shutdown_error", "child2", 1);
	EXPECT_TIMES("shutdown_error", "*", 1);
}

/* All children of the pool have been told to stop before one had ended. */
static bool
stopped_together(void)
{
	const struct happening *h;
	bool ended = false;
	size_t n;

	rig->pull();
	h = happenings(&n);
	for (size_t i = 0; i < n; i++) {
		if (strchr("0123456789", h[i].path[0]) == NULL ||
		    h[i].path[0] == '\0')
			continue;
		if (strcmp(h[i].kind, "stopped") == 0)
			ended = true;
		if (strcmp(h[i].kind, "stopping") == 0 && ended)
			return false;
	}
	return ended;
}

static void
sup_stop_timeout_dynamic(void)
{
	EXPECT(start_link(pool(SUP, TWO_AN_HOUR, "",
		   "restart: temporary, shutdown: 300ms")),
	    "ok");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT(start_child("", "[hang]"), "ok");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
	EXPECT_ENDED("1", "shutdown");
	EXPECT_ENDED("2", "killed");
}

static void
sup_stop_brutal_kill(void)
{
	EXPECT(start_link(tree(SUP, TWO_AN_HOUR, NULL)), "ok");
	EXPECT(start_child("", worker("child1", "shutdown: 20s")), "ok");
	EXPECT(
	    start_child("", worker("child2", "shutdown: brutal_kill")), "ok");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("child1", "shutdown");
	EXPECT_ENDED("child2", "killed");
	EXPECT_TIMES("shutdown_error", "*", 0);
}

static void
sup_stop_brutal_kill_dynamic(void)
{
	char name[8];

	EXPECT(start_link(pool(SUP, TWO_AN_HOUR, "",
		   "restart: temporary, shutdown: brutal_kill")),
	    "ok");
	for (int i = 0; i < 10; i++)
		EXPECT(start_child("", "[]"), "ok");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
	for (int i = 1; i <= 10; i++) {
		snprintf(name, sizeof(name), "%d", i);
		EXPECT_ENDED(name, "killed");
	}
}

static const char *const types[] = { "temporary", "transient", "permanent" };

static const struct {
	enum how how;
	const char *reason;
} ends[] = {
	{ NORMAL, "normal" },
	{ SHUTDOWN, "shutdown" },
	{ SHUTDOWN_TERM, "normal (9)" },
	{ ABNORMAL, "exit 1" },
};

static void
sup_stop_race(void)
{
	char name[16], keys[64];

	EXPECT(start_link(tree(SUP, TWO_AN_HOUR,
		   worker("child_a", "restart: temporary"), NULL)),
	    "ok");
	for (size_t i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "child%zu", i);
		snprintf(keys, sizeof(keys), "restart: %s, " SUCCESS_EXITS,
		    types[i / 4]);
		EXPECT(start_child("", worker(name, keys)), "ok");
	}
	/* The first to be stopped, and it takes its time. */
	EXPECT(start_child("", worker_as("child_z", "hang",
				   "restart: temporary, shutdown: infinity")),
	    "ok");
	begin_terminate("");
	EXPECT_TERMINATED("pending");
	for (size_t i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "child%zu", i);
		die(name, ends[i % 4].how);
	}
	EXPECT_TERMINATED("pending");
	rig->kill("child_z", NORMAL);
	EXPECT_TERMINATED("ok");
	EXPECT_ENDED("", "shutdown");
	EXPECT_ENDED("child_z", "shutdown"); /* D3 */
	EXPECT_ENDED("child_a", "shutdown");
	for (size_t i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "child%zu", i);
		EXPECT_ENDED(name, ends[i % 4].reason);
	}
	EXPECT_TIMES("starting", "*", 15);
}

static void
sup_stop_non_shutdown_exit_dynamic(void)
{
	char keys[64];

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		snprintf(keys, sizeof(keys), "restart: %s, " SUCCESS_EXITS,
		    types[i]);
		EXPECT(start_link(pool(SUP, TWO_AN_HOUR, "", keys)), "ok");
		EXPECT(start_child("", "[answer=0]"), "ok");
		EXPECT(start_child("", "[]"), "ok");
		EXPECT(start_child("", "[answer=9]"), "ok");
		EXPECT(start_child("", "[answer=1]"), "ok");
		EXPECT(terminate_child(""), "ok");
		EXPECT_STATE("", "undefined");
		EXPECT_ENDED("", "shutdown");
		/* D3: what is clean in answer to a stop is shutdown. */
		EXPECT_ENDED("1", "shutdown");
		EXPECT_ENDED("2", "shutdown");
		EXPECT_ENDED("3", "shutdown");
		EXPECT_ENDED("4", "exit 1");
	}
}

static void
simple_one_for_one_shutdown(void)
{
	EXPECT(start_link(pool(SUP, TWO_AN_HOUR, "", "shutdown: 2s")), "ok");
	EXPECT(start_child("", "[stop=200]"), "ok");
	EXPECT(start_child("", "[stop=200]"), "ok");
	EXPECT(start_child("", "[hang]"), "ok");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
	EXPECT_ENDED("1", "shutdown");
	EXPECT_ENDED("2", "shutdown");
	EXPECT_ENDED("3", "killed");
	EXPECT_TRUE(stopped_together());
}

static void
order_of_children(void)
{
	EXPECT(start_link(tree(SUP, "strategy: rest_for_one, " TWO_AN_HOUR,
		   worker("ch7", ""), worker("ch3", ""), worker("ch10", ""),
		   worker("ch2", ""), worker("ch5", ""), NULL)),
	    "ok");
	EXPECT_STORY("start ch7, start ch3, start ch10, start ch2, start ch5");
	remember();
	die("ch10", ABNORMAL);
	EXPECT_STORY("stop ch5, stop ch2, start ch10, start ch2, start ch5");
	EXPECT_WHICH("", "ch7=running ch3=running ch10=running ch2=running "
			 "ch5=running");
	remember();
	EXPECT(terminate_child(""), "ok");
	EXPECT_STORY("stop ch5, stop ch2, stop ch10, stop ch3, stop ch7");
}

static void
child_unlink(void)
{
	EXPECT(start_link(tree(SUP, TWO_AN_HOUR,
		   worker_as("naughty_child", "hang shut", "shutdown: 300ms"),
		   NULL)),
	    "ok");
	begin_terminate("naughty_child");
	if (!on_core())
		EXPECT_STATE("naughty_child", "stopping");
	EXPECT_TERMINATED("ok");
	EXPECT_ENDED("naughty_child", "killed");
	EXPECT(start_child("", worker("another", "")), "ok");
	EXPECT_WHICH("", "naughty_child=undefined another=running");
}

static const struct conform_case cases[] = {
	{ "sup_stop_infinity", ON_BOTH, sup_stop_infinity, 0 },
	{ "sup_stop_timeout", ON_BOTH, sup_stop_timeout, 0 },
	{ "sup_stop_timeout_dynamic", ON_BOTH, sup_stop_timeout_dynamic, 0 },
	{ "sup_stop_brutal_kill", ON_BOTH, sup_stop_brutal_kill, 0 },
	{ "sup_stop_brutal_kill_dynamic", ON_BOTH, sup_stop_brutal_kill_dynamic,
	    0 },
	{ "sup_stop_race", ON_BOTH, sup_stop_race, 0 },
	{ "sup_stop_non_shutdown_exit_dynamic", ON_BOTH,
	    sup_stop_non_shutdown_exit_dynamic, 0 },
	{ "simple_one_for_one_shutdown", ON_BOTH, simple_one_for_one_shutdown,
	    0 },
	{ "order_of_children", ON_BOTH, order_of_children, 0 },
	{ "child_unlink", ON_BOTH, child_unlink, 0 },
};

const struct suite suite_otp_stop = { "supervisor_SUITE", cases,
	ARRAY_LEN(cases) };
