/* SPDX-License-Identifier: ISC */
/* supervisor_SUITE: restart types, and who is forgotten when it ends. */
#include "conform.h"

#include <stdio.h>
#include <string.h>

/* A supervisor with one child of that type. */
static void
one(const char *type)
{
	char keys[64];

	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h", NULL)), "ok");
	snprintf(keys, sizeof(keys), "restart: %s, " SUCCESS_EXITS, type);
	EXPECT(start_child("", worker("child1", keys)), "ok");
	EXPECT_WHICH("", "child1=running");
}

static void
restarts_after(enum how how)
{
	uint64_t pid = pid_of("child1");

	die("child1", how);
	EXPECT_WHICH("", "child1=running");
	EXPECT_TRUE(pid_of("child1") != pid);
	EXPECT_COUNTS("", "1 1 0 1");
}

static void
stays_stopped_after(enum how how)
{
	die("child1", how);
	EXPECT_WHICH("", "child1=undefined");
	EXPECT_COUNTS("", "1 0 0 1");
}

static void
is_forgotten_after(enum how how)
{
	die("child1", how);
	EXPECT_WHICH("", "");
	EXPECT_COUNTS("", "0 0 0 0");
}

static void
permanent_normal(void)
{
	one("permanent");
	restarts_after(NORMAL);
	EXPECT_ENDED("child1", "normal");
}

static void
permanent_shutdown(void)
{
	one("permanent");
	restarts_after(SHUTDOWN);
	EXPECT_ENDED("child1", "shutdown");
	restarts_after(SHUTDOWN_TERM);
}

static void
permanent_abnormal(void)
{
	one("permanent");
	restarts_after(ABNORMAL);
	EXPECT_ENDED("child1", "exit 1");
}

static void
transient_normal(void)
{
	one("transient");
	stays_stopped_after(NORMAL);
	EXPECT_TIMES("starting", "child1", 1);
}

static void
transient_shutdown(void)
{
	one("transient");
	stays_stopped_after(SHUTDOWN);
	EXPECT(restart_child("child1"), "ok");
	stays_stopped_after(SHUTDOWN_TERM);
}

static void
transient_abnormal(void)
{
	one("transient");
	restarts_after(ABNORMAL);
}

static void
temporary_normal(void)
{
	one("temporary");
	is_forgotten_after(NORMAL);
}

static void
temporary_shutdown(void)
{
	one("temporary");
	is_forgotten_after(SHUTDOWN);
	EXPECT(start_child(
		   "", worker("child1", "restart: temporary, " SUCCESS_EXITS)),
	    "ok");
	is_forgotten_after(SHUTDOWN_TERM);
}

static void
temporary_abnormal(void)
{
	one("temporary");
	is_forgotten_after(ABNORMAL);
}

static void
bystander(const char *flags)
{
	uint64_t pid;

	remember();
	EXPECT(start_link(tree(SUP, flags, NULL)), "ok");
	EXPECT(start_child("", worker("child1", "")), "ok");
	EXPECT(start_child("", worker("child2", "restart: temporary")), "ok");
	pid = pid_of("child1");
	die("child1", NORMAL);
	EXPECT_WHICH("", "child1=running");
	EXPECT_TRUE(pid_of("child1") != pid);
	EXPECT_ENDED("child2", "shutdown");
	EXPECT_TIMES("starting", "child2", 1);
	EXPECT_STATE("", "running");
}

static void
temporary_bystander(void)
{
	bystander("strategy: one_for_all, intensity: 2, period: 5m");
	bystander("strategy: rest_for_one, intensity: 2, period: 5m");
}

/* An end: of itself, or (terminate) ordered. */
struct end {
	bool terminate;
	enum how how;
};

static void
end_child(const char *name, const struct end *e)
{
	if (e->terminate)
		EXPECT(terminate_child(name), "ok");
	else
		die(name, e->how);
}

static void
spec_is_kept(
    const char *name, const char *spec, const struct end *e, bool restarts)
{
	EXPECT(start_child("", spec), "ok");
	end_child(name, e);
	if (restarts) {
		EXPECT_STATE(name, "running");
		EXPECT(start_child("", spec), "already_started");
		return;
	}
	EXPECT_STATE(name, "undefined");
	EXPECT(start_child("", spec), "already_present");
	EXPECT(restart_child(name), "ok");
}

static void
child_specs_after(const char *strategy, const struct end *e)
{
	const char *temporary = worker("child3", "restart: temporary");
	char flags[64];

	snprintf(flags, sizeof(flags), "strategy: %s, intensity: 2, period: 1h",
	    strategy);
	EXPECT(start_link(tree(SUP, flags, NULL)), "ok");
	spec_is_kept("child1", worker("child1", ""), e, !e->terminate);
	spec_is_kept("child2", worker("child2", "restart: transient"), e,
	    !e->terminate && e->how != NORMAL);
	EXPECT(start_child("", temporary), "ok");
	end_child("child3", e);
	EXPECT_STATE("child3", "none");
	EXPECT(start_child("", temporary), "ok");
	EXPECT(terminate_child(""), "ok");
}

static void
do_not_save_child_specs_for_temporary_children(void)
{
	static const struct end ends[] = {
		{ false, KILL },
		{ false, NORMAL },
		{ false, ABNORMAL },
		{ true, NORMAL },
	};
	static const char *const strategies[] = { "one_for_all", "one_for_one",
		"rest_for_one" };

	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		for (size_t k = 0; k < ARRAY_LEN(strategies); k++)
			child_specs_after(strategies[k], &ends[i]);
}

static const struct conform_case cases[] = {
	{ "permanent_normal", ON_BOTH, permanent_normal, 0 },
	{ "permanent_shutdown", ON_BOTH, permanent_shutdown, 0 },
	{ "permanent_abnormal", ON_BOTH, permanent_abnormal, 0 },
	{ "transient_normal", ON_BOTH, transient_normal, 0 },
	{ "transient_shutdown", ON_BOTH, transient_shutdown, 0 },
	{ "transient_abnormal", ON_BOTH, transient_abnormal, 0 },
	{ "temporary_normal", ON_BOTH, temporary_normal, 0 },
	{ "temporary_shutdown", ON_BOTH, temporary_shutdown, 0 },
	{ "temporary_abnormal", ON_BOTH, temporary_abnormal, 0 },
	{ "temporary_bystander", ON_BOTH, temporary_bystander, 0 },
	{ "do_not_save_child_specs_for_temporary_children", ON_BOTH,
	    do_not_save_child_specs_for_temporary_children, 0 },
};

const struct suite suite_otp_types = { "supervisor_SUITE", cases,
	ARRAY_LEN(cases) };
