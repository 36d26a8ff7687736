/* SPDX-License-Identifier: ISC */
/*
 * supervisor_SUITE: thousands of children.  Upstream measures time; here the
 * work is counted: so many starts and stops and no more, in the right order,
 * all within the patience of the rig.
 */
#include "conform.h"

#include <stdio.h>
#include <string.h>

static void
expect_many(int n)
{
	char want[48];

	snprintf(want, sizeof(want), "%d %d 0 %d", n, n, n);
	EXPECT_COUNTS("", want);
}

/* Starts and ends since remember(), of children with pids. */
static void
expect_work(int starts, int stops)
{
	EXPECT_TIMES("starting", "*", starts);
	EXPECT_TIMES("stopping", "*", stops);
	EXPECT_TIMES("restart", "*", 0);
}

/*
 * As little as a worker can cost: supd holds one descriptor for each, and two
 * more for its socket and its output unless told otherwise.
 */
#define THIN "command: [mole, sleep], stdout: null, stderr: null"

/* A pool of such. */
static void
start_thin_pool(void)
{
	EXPECT(
	    start_link("{supervisor: sup_test, restart: transient, "
		       "strategy: simple_one_for_one, intensity: 2, "
		       "period: 1h, template: {" THIN ", restart: temporary}}"),
	    "ok");
}

static const char *
pooled(int i)
{
	(void)i;
	return "[]";
}

static const char *
plain(int i)
{
	static char text[160];

	snprintf(text, sizeof(text), "{worker: w%d, " THIN "}", i);
	return text;
}

static const char *
empty_sup(int i)
{
	char name[16];

	snprintf(name, sizeof(name), "sup%d", i);
	return tree(name, "restart: temporary", NULL);
}

struct list {
	int n, wrong;
};

/* Pools name their children 1, 2, 3 ... */
static void
each_in_order(void *ctx, const char *name, const char *state)
{
	struct list *l = ctx;
	char want[16];

	snprintf(want, sizeof(want), "%d", ++l->n);
	l->wrong += strcmp(name, want) != 0 || strcmp(state, "running") != 0;
}

static void
expect_list(int n)
{
	struct list l = { 0 };

	rig->children("", each_in_order, &l);
	EXPECT_TRUE(l.n == n && l.wrong == 0);
}

static void
count_children(void)
{
	start_thin_pool();
	remember();
	rig->start_many("", pooled, 1000);
	expect_list(1000);
	expect_many(1000);
	rig->start_many("", pooled, 1000);
	expect_many(2000);
	expect_list(2000);
	expect_many(2000);
	expect_list(2000);
	rig->kill_each("");
	expect_many(0);
	EXPECT_WHICH("", "");
	expect_work(2000, 0);
	EXPECT_TIMES("exited", "*", 2000);
	EXPECT_STATE("", "running");
}

static void
expect_supervisors(int n)
{
	char want[48];

	snprintf(want, sizeof(want), "%d %d %d 0", n, n, n);
	EXPECT_COUNTS("", want);
}

static void
count_children_supervisor(void)
{
	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h", NULL)), "ok");
	rig->start_many("", empty_sup, 2000);
	expect_supervisors(2000);
	expect_supervisors(2000);
	rig->terminate_each("");
	EXPECT_COUNTS("", "0 0 0 0");
	EXPECT_STATE("", "running");
}

/* n are started, one after the other, and terminated so. */
static void
up_and_down(const char *(*spec)(int i), int n)
{
	remember();
	rig->start_many("", spec, n);
	expect_many(n);
	rig->terminate_each("");
	expect_work(n, n);
	EXPECT_TIMES("stopped", "*", n);
}

static void
simple_one_for_one_scale_many_temporary_children(void)
{
	start_thin_pool();
	up_and_down(pooled, 1000);
	EXPECT_WHICH("", "");
	up_and_down(pooled, 10000);
	EXPECT_WHICH("", "");
}

static void
delete_all(int n)
{
	char want[48];

	snprintf(want, sizeof(want), "%d 0 0 %d", n, n);
	EXPECT_COUNTS("", want);
	EXPECT(terminate_child(""), "ok");
	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h", NULL)), "ok");
}

static void
scale_start_stop_many_children(void)
{
	int many = on_core() ? 10000 : 2000;

	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h", NULL)), "ok");
	up_and_down(plain, 1000);
	delete_all(1000);
	up_and_down(plain, many);
	delete_all(many);
}

static const struct conform_case cases[] = {
	{ "count_children", ON_BOTH, count_children, 2100 },
	{ "count_children_supervisor", ON_BOTH, count_children_supervisor,
	    2100 },
	{ "simple_one_for_one_scale_many_temporary_children", ON_BOTH,
	    simple_one_for_one_scale_many_temporary_children, 10100 },
	{ "scale_start_stop_many_children", ON_BOTH,
	    scale_start_stop_many_children, 10100 },
};

const struct suite suite_otp_scale = { "supervisor_SUITE", cases,
	ARRAY_LEN(cases) };
