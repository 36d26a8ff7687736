/* SPDX-License-Identifier: ISC */
/*
 * supervisor_SUITE: code_change, which is a reload of the configuration; and
 * those of Elixir's cases that are about it.
 */
#include "conform.h"

#include <stdio.h>
#include <string.h>

/* ---- flags and children --------------------------------------------------
 */

static void
change_flags(const char *child1, const char *child2, const char *child11,
    const char *child3)
{
	const char *now = tree(SUP, "intensity: 1, period: 3s", NULL);
	uint64_t pid1, pid2;

	EXPECT(start_tree(tree(SUP, "intensity: 0, period: 1s", NULL)), "ok");
	EXPECT_WHICH("", "");
	EXPECT(reload(now), "ok");
	EXPECT_TRUE(rig->intensity("") == 1);

	/* One that is faulty is refused and changes nothing. */
	EXPECT(reload(tree(SUP, "intensity: 7, period: 3s",
		   "{worker: child1, restart: permanent}", NULL)),
	    "invalid");
	EXPECT_TRUE(rig->intensity("") == 1);
	EXPECT_WHICH("", "");

	/* New children are not started by themselves. */
	EXPECT(
	    reload(tree(SUP, "intensity: 1, period: 3s", child1, child2, NULL)),
	    "ok");
	EXPECT_WHICH("", "child1=undefined child2=undefined");
	EXPECT(restart_child("child1"), "ok");
	EXPECT(restart_child("child2"), "ok");
	EXPECT_WHICH("", "child1=running child2=running");
	EXPECT(rig->shutdown_of("child1"), "2s");
	pid1 = pid_of("child1");
	pid2 = pid_of("child2");

	/* What is missing is not stopped; it is listed behind the others. */
	now = tree(SUP, "intensity: 1, period: 3s", child11, child3, NULL);
	EXPECT(reload(now), "ok");
	EXPECT_WHICH("", "child1=running child3=undefined child2=running");
	EXPECT_TRUE(runs_as("child1", pid1) && runs_as("child2", pid2));
	EXPECT(rig->shutdown_of("child1"), "1s");

	EXPECT(reload(now), "ok");
	EXPECT(reload("{supervisor: sup_test, children: faulty_return}"),
	    "invalid");
	EXPECT(
	    reload(tree(SUP, "intensity: faulty_intensity", NULL)), "invalid");
	EXPECT(reload("faulty_flags"), "invalid");
	EXPECT_WHICH("", "child1=running child3=undefined child2=running");
	EXPECT_TRUE(rig->intensity("") == 1);
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
	EXPECT_ENDED("child2", "killed");
}

static void
code_change(void)
{
	change_flags(worker("child1", "shutdown: 2s"),
	    worker("child2", "shutdown: brutal_kill"),
	    worker("child1", "shutdown: 1s"),
	    worker("child3", "shutdown: brutal_kill"));
}

/* The same in JSON. */
#define JSON(name, shutdown)                                                   \
	"{\"worker\": \"" name "\", \"command\": [\"mole\", \"serve\"], "      \
	"\"ready\": \"notify\", \"shutdown\": \"" shutdown "\"}"

static void
code_change_map(void)
{
	change_flags(JSON("child1", "2s"), JSON("child2", "brutal_kill"),
	    JSON("child1", "1s"), JSON("child3", "5s"));
}

static void
change_template(const char *before, const char *after, const char *two)
{
	uint64_t pid;

	EXPECT(start_tree(before), "ok");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT(rig->shutdown_of("1"), "brutal_kill");
	pid = pid_of("1");
	EXPECT(reload(after), "ok");
	EXPECT_TRUE(runs_as("1", pid));
	EXPECT(start_child("", "[]"), "ok");
	EXPECT(rig->shutdown_of("2"), "1s");
	EXPECT(reload(two), "invalid");
	EXPECT(reload("{supervisor: sup_test, restart: transient, strategy: "
		      "simple_one_for_one}"),
	    "invalid");
	EXPECT_WHICH("", "1=running 2=running");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
	EXPECT_ENDED("2", "shutdown");
}

#define SIMPLE                                                                 \
	"{supervisor: sup_test, restart: transient, strategy: "                \
	"simple_one_for_one, "

static void
code_change_simple(void)
{
	change_template(
	    pool(SUP, "intensity: 0, period: 1s", "", "shutdown: brutal_kill"),
	    pool(SUP, "intensity: 0, period: 1s", "", "shutdown: 1s"),
	    SIMPLE "template: [{command: mole serve}, {command: mole serve}]}");
}

static void
code_change_simple_map(void)
{
	change_template(SIMPLE "\"template\": {\"command\": [\"mole\", "
			       "\"serve\"], \"shutdown\": \"brutal_kill\"}}",
	    SIMPLE "\"template\": {\"command\": [\"mole\", \"serve\"], "
		   "\"ready\": \"notify\", \"shutdown\": \"1s\"}}",
	    SIMPLE "\"template\": [{\"command\": [\"mole\"]}]}");
}

static void
simple_one_for_one_restart_ignore(void)
{
	uint64_t pid;

	EXPECT(start_tree(pool(SUP, "intensity: 2, period: 1h", "", "")), "ok");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT(start_child("", "[]"), "ok");
	pid = pid_of("2");
	EXPECT(
	    reload(pool(SUP, "intensity: 2, period: 1h", "", "enabled: false")),
	    "ok");
	EXPECT_WHICH("", "1=running 2=running");
	die("1", ABNORMAL);
	EXPECT_WHICH("", "2=running");
	EXPECT_TRUE(runs_as("2", pid));
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
}

/* ---- auto_shutdown -------------------------------------------------------
 */

#define SIGNIFICANT "restart: transient, significant: true"

static const char *
with_mode(const char *mode)
{
	char flags[64];

	snprintf(flags, sizeof(flags), "auto_shutdown: %s", mode);
	return tree(SUP, flags, NULL);
}

static void
add_significant(const char *name, const char *want)
{
	EXPECT(start_child("", worker(name, SIGNIFICANT)), want);
}

/* The first of the two ends; who is left, and does the supervisor live? */
static void
first_ends_alone(void)
{
	uint64_t pid2 = pid_of("child2");

	die("child1", NORMAL);
	EXPECT_WHICH("", "child1=undefined child2=running");
	EXPECT_TRUE(runs_as("child2", pid2));
	EXPECT_STATE("", "running");
}

static void
all_end_with(const char *child)
{
	die(child, NORMAL);
	EXPECT_SUP_ENDED("auto_shutdown");
}

static void
from_never(const char *mode)
{
	EXPECT(start_tree(with_mode("never")), "ok");
	add_significant("child1", "invalid");
	EXPECT(reload(with_mode(mode)), "ok");
	add_significant("child1", "ok");
	add_significant("child2", "ok");
}

static void
to_never(const char *mode)
{
	uint64_t pid;

	EXPECT(start_tree(with_mode(mode)), "ok");
	add_significant("child1", "ok");
	pid = pid_of("child1");
	EXPECT(reload(with_mode("never")), "ok");
	EXPECT_TRUE(runs_as("child1", pid));
	EXPECT_STATE("", "running");
	add_significant("child2", "invalid");
	die("child1", NORMAL);
	EXPECT_WHICH("", "child1=undefined");
	EXPECT_STATE("", "running");
	EXPECT(restart_child("child1"), "ok");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("child1", "shutdown");
	EXPECT_ENDED("", "shutdown");
}

static void
between(const char *before, const char *after)
{
	uint64_t pid1, pid2;

	EXPECT(start_tree(with_mode(before)), "ok");
	add_significant("child1", "ok");
	add_significant("child2", "ok");
	pid1 = pid_of("child1");
	pid2 = pid_of("child2");
	EXPECT(reload(with_mode(after)), "ok");
	EXPECT_TRUE(runs_as("child1", pid1) && runs_as("child2", pid2));
	EXPECT_STATE("", "running");
}

static void
significant_upgrade_never_any(void)
{
	from_never("any_significant");
	all_end_with("child1");
	EXPECT_ENDED("child2", "shutdown");
}

static void
significant_upgrade_any_never(void)
{
	to_never("any_significant");
}

static void
significant_upgrade_never_all(void)
{
	from_never("all_significant");
	first_ends_alone();
	all_end_with("child2");
}

static void
significant_upgrade_all_never(void)
{
	to_never("all_significant");
}

static void
significant_upgrade_any_all(void)
{
	between("any_significant", "all_significant");
	first_ends_alone();
	all_end_with("child2");
}

static void
significant_upgrade_all_any(void)
{
	between("all_significant", "any_significant");
	all_end_with("child1");
	EXPECT_ENDED("child2", "shutdown");
}

static void
significant_upgrade_child(void)
{
	const char *plain = worker("child", "restart: transient");
	const char *significant = worker("child", SIGNIFICANT);
	const char *any = "auto_shutdown: any_significant";
	uint64_t pid;

	EXPECT(
	    start_tree(tree(SUP, "auto_shutdown: never", plain, NULL)), "ok");
	pid = pid_of("child");
	EXPECT(reload(tree(SUP, "auto_shutdown: never", significant, NULL)),
	    "invalid");
	EXPECT_TRUE(runs_as("child", pid));
	EXPECT_STATE("", "running");
	EXPECT(terminate_child(""), "ok");

	EXPECT(start_tree(tree(SUP, any, plain, NULL)), "ok");
	pid = pid_of("child");
	EXPECT(reload(tree(SUP, any, significant, NULL)), "ok");
	EXPECT_TRUE(runs_as("child", pid));
	EXPECT_STATE("", "running");
	all_end_with("child");

	EXPECT(start_tree(tree(SUP, any, significant, NULL)), "ok");
	pid = pid_of("child");
	EXPECT(reload(tree(SUP, any, plain, NULL)), "ok");
	EXPECT_TRUE(runs_as("child", pid));
	die("child", NORMAL);
	EXPECT_WHICH("", "child=undefined");
	EXPECT_STATE("", "running");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
}

static const struct conform_case cases[] = {
	{ "code_change", ON_BOTH, code_change, 0 },
	{ "code_change_map", ON_BOTH, code_change_map, 0 },
	{ "code_change_simple", ON_BOTH, code_change_simple, 0 },
	{ "code_change_simple_map", ON_BOTH, code_change_simple_map, 0 },
	{ "simple_one_for_one_restart_ignore", ON_BOTH,
	    simple_one_for_one_restart_ignore, 0 },
	{ "significant_upgrade_never_any", ON_BOTH,
	    significant_upgrade_never_any, 0 },
	{ "significant_upgrade_any_never", ON_BOTH,
	    significant_upgrade_any_never, 0 },
	{ "significant_upgrade_never_all", ON_BOTH,
	    significant_upgrade_never_all, 0 },
	{ "significant_upgrade_all_never", ON_BOTH,
	    significant_upgrade_all_never, 0 },
	{ "significant_upgrade_any_all", ON_BOTH, significant_upgrade_any_all,
	    0 },
	{ "significant_upgrade_all_any", ON_BOTH, significant_upgrade_all_any,
	    0 },
	{ "significant_upgrade_child", ON_BOTH, significant_upgrade_child, 0 },
};

const struct suite suite_otp_reload = { "supervisor_SUITE", cases,
	ARRAY_LEN(cases) };
