/* SPDX-License-Identifier: ISC */
/* supervisor_SUITE: significant children and auto_shutdown. */
#include "conform.h"

#include <stdio.h>
#include <string.h>

static const char *const modes[] = { "never", "any_significant",
	"all_significant" };

/* sup_test with that mode and without children. */
static void
empty(const char *mode)
{
	char flags[96];

	snprintf(flags, sizeof(flags),
	    "intensity: 5, period: 1h, auto_shutdown: %s", mode);
	EXPECT(start_link(tree(SUP, flags, NULL)), "ok");
}

/* What ends, and the supervisor does not. */
static void
dies_alone(const char *child, enum how how)
{
	die(child, how);
	EXPECT_STATE("", "running");
	EXPECT_TIMES("auto_shutdown", "*", 0);
}

static void
nonsignificant_temporary(void)
{
	const char *child1 = worker("child1", "restart: temporary");
	static const enum how hows[] = { KILL, ABNORMAL, NORMAL };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		empty(modes[i]);
		EXPECT(start_child("", child1), "ok");
		EXPECT(terminate_child("child1"), "ok");
		EXPECT_STATE("", "running");
		for (size_t k = 0; k < ARRAY_LEN(hows); k++) {
			EXPECT(start_child("", child1), "ok");
			dies_alone("child1", hows[k]);
			EXPECT_WHICH("", "");
		}
		EXPECT(terminate_child(""), "ok");
		EXPECT_ENDED("", "shutdown");
	}
}

static void
nonsignificant_transient(void)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		empty(modes[i]);
		EXPECT(start_child("", worker("child1", "restart: transient")),
		    "ok");
		EXPECT(terminate_child("child1"), "ok");
		EXPECT_STATE("", "running");
		EXPECT(restart_child("child1"), "ok");
		dies_alone("child1", KILL);
		EXPECT_WHICH("", "child1=running");
		dies_alone("child1", ABNORMAL);
		EXPECT_WHICH("", "child1=running");
		dies_alone("child1", NORMAL);
		EXPECT_WHICH("", "child1=undefined");
		EXPECT(terminate_child(""), "ok");
		EXPECT_ENDED("", "shutdown");
	}
}

/* child1 and child2 are significant, child3 is not. */
static void
three(const char *mode, const char *type)
{
	char keys[64], significant[96];

	snprintf(keys, sizeof(keys), "restart: %s", type);
	snprintf(
	    significant, sizeof(significant), "%s, significant: true", keys);
	empty(mode);
	EXPECT(start_child("", worker("child1", significant)), "ok");
	EXPECT(start_child("", worker("child2", significant)), "ok");
	EXPECT(start_child("", worker("child3", keys)), "ok");
	EXPECT_WHICH("", "child1=running child2=running child3=running");
}

static void
shuts_down_after(const char *child, enum how how)
{
	remember();
	die(child, how);
	EXPECT_SUP_ENDED("auto_shutdown");
	EXPECT_ENDED("child3", "shutdown");
}

/* Only the last of the two makes the supervisor end. */
static void
all_must_end(const char *type)
{
	uint64_t pid2, pid3;

	three("all_significant", type);
	pid2 = pid_of("child2");
	pid3 = pid_of("child3");
	remember();
	dies_alone("child1", NORMAL);
	EXPECT_TRUE(runs_as("child2", pid2) && runs_as("child3", pid3));
	shuts_down_after("child2", NORMAL);
}

static void
significant_temporary(void)
{
	static const enum how hows[] = { ABNORMAL, NORMAL };
	uint64_t pid2, pid3;

	three("any_significant", "temporary");
	pid2 = pid_of("child2");
	pid3 = pid_of("child3");
	EXPECT(terminate_child("child1"), "ok");
	EXPECT_WHICH("", "child2=running child3=running");
	EXPECT_TRUE(runs_as("child2", pid2) && runs_as("child3", pid3));
	EXPECT_STATE("", "running");
	EXPECT(start_child("",
		   worker("child1", "restart: temporary, significant: true")),
	    "ok");
	EXPECT_WHICH("", "child2=running child3=running child1=running");
	shuts_down_after("child1", KILL);
	EXPECT_ENDED("child2", "shutdown");
	for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
		three("any_significant", "temporary");
		shuts_down_after("child1", hows[i]);
		EXPECT_ENDED("child2", "shutdown");
	}
	all_must_end("temporary");
}

static void
significant_transient(void)
{
	uint64_t pid2, pid3;

	three("any_significant", "transient");
	pid2 = pid_of("child2");
	pid3 = pid_of("child3");
	EXPECT(terminate_child("child1"), "ok");
	EXPECT_STATE("", "running");
	EXPECT(restart_child("child1"), "ok");
	dies_alone("child1", KILL);
	EXPECT_STATE("child1", "running");
	dies_alone("child1", ABNORMAL);
	EXPECT_STATE("child1", "running");
	EXPECT_TRUE(runs_as("child2", pid2) && runs_as("child3", pid3));
	shuts_down_after("child1", NORMAL);
	EXPECT_ENDED("child2", "shutdown");
	all_must_end("transient");
}

static void
bystander(const char *strategy, const char *mode, const char *want)
{
	char flags[128];

	snprintf(flags, sizeof(flags),
	    "strategy: %s, intensity: 5, period: 1h, auto_shutdown: %s",
	    strategy, mode);
	EXPECT(start_link(tree(SUP, flags, NULL)), "ok");
	EXPECT(start_child("",
		   worker("child1", "restart: transient, significant: true")),
	    "ok");
	EXPECT(start_child("", worker("child2", "restart: transient")), "ok");
	EXPECT(start_child("",
		   worker("child3", "restart: transient, significant: true")),
	    "ok");
	remember();
	dies_alone("child2", KILL);
	EXPECT_STORY(want);
	EXPECT_WHICH("", "child1=running child2=running child3=running");
	EXPECT_STATE("", "running");
	EXPECT_TIMES("auto_shutdown", "*", 0);
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
}

static void
significant_bystander(void)
{
	for (size_t i = 1; i < ARRAY_LEN(modes); i++) {
		bystander("one_for_one", modes[i], "start child2");
		bystander("one_for_all", modes[i],
		    "stop child3, stop child1, start child1, start child2, "
		    "start child3");
		bystander("rest_for_one", modes[i],
		    "stop child3, start child2, start child3");
	}
}

static void
nested(const char *keys)
{
	empty("any_significant");
	EXPECT(start_child("", tree("sup1", keys, NULL)), "ok");
	EXPECT(start_child("sup1", worker("child1", "restart: transient, "
						    "significant: true")),
	    "ok");
	die("sup1/child1", NORMAL);
	EXPECT_ENDED("sup1", "auto_shutdown");
}

static void
significant_escalation(void)
{
	nested("auto_shutdown: any_significant, restart: transient, "
	       "significant: true");
	EXPECT_SUP_ENDED("auto_shutdown");
	nested("auto_shutdown: any_significant, restart: transient");
	EXPECT_WHICH("", "sup1=undefined");
	EXPECT_STATE("", "running");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
}

static const struct conform_case cases[] = {
	{ "nonsignificant_temporary", ON_BOTH, nonsignificant_temporary, 0 },
	{ "nonsignificant_transient", ON_BOTH, nonsignificant_transient, 0 },
	{ "significant_temporary", ON_BOTH, significant_temporary, 0 },
	{ "significant_transient", ON_BOTH, significant_transient, 0 },
	{ "significant_bystander", ON_BOTH, significant_bystander, 0 },
	{ "significant_escalation", ON_BOTH, significant_escalation, 0 },
};

const struct suite suite_otp_significant = { "supervisor_SUITE", cases,
	ARRAY_LEN(cases) };
