/* SPDX-License-Identifier: ISC */
/*
 * Warnings: each rule speaks where it should, and is silent on the same file
 * once that says what was meant.
 */
#include "conf_kit.h"

static void
silent(void **state, const char *text)
{
	struct kit *k = *state;

	kit_ok(k, text);
	if (k->errors.len > 0)
		print_message("# %s\n", buf_str(&k->errors));
	assert_int_equal(k->errors.len, 0);
}

/* It warns, of this and of nothing else. */
static void
warns(void **state, const char *text, const char *message)
{
	struct kit *k = *state;
	const char *first;

	kit_ok(k, text);
	kit_expect(k, message);
	first = strstr(buf_str(&k->errors), "warning: ");
	assert_non_null(first);
	if (strstr(first + 1, "warning: ") != NULL)
		print_message("# %s\n", buf_str(&k->errors));
	assert_null(strstr(first + 1, "warning: "));
}

#define LIST ROOT "children:\n"
#define SUP(keys, children)                                                    \
	LIST "- supervisor: s\n" keys "  children:\n" children
#define A(keys) "  - {worker: a, command: [a], " keys "}\n"
#define B(keys) "  - {worker: b, command: [b], " keys "}\n"
#define C(keys) "  - {worker: c, command: [c], " keys "}\n"

static void
the_root_must_choose_its_limits(void **state)
{
	warns(state, "supervisor: root\n",
	    "the root leaves intensity and period at the default");
	warns(state, "supervisor: root\nperiod: 5s\n",
	    "the root leaves intensity at the default");
	silent(state, ROOT);
	silent(state, SUP("", A("enabled: true")));
}

static void
a_shell_that_is_killed_alone(void **state)
{
#define SHELL(cmd, mode)                                                       \
	LIST "- {worker: w, command: " cmd ", kill_mode: " mode "}\n"
	warns(state, SHELL("[sh, -c, \"a; b\"]", "process"),
	    "t.yaml:5:53: warning: with kill_mode process only the shell");
	silent(state, SHELL("[sh, -c, \"a; b\"]", "group"));
	silent(state, SHELL("[sh, run.sh]", "process"));
	silent(state, SHELL("[mysh, -c, x]", "process"));
}

static void
a_place_in_defaults_is_warned_of_once(void **state)
{
	warns(state,
	    ROOT "defaults: {kill_mode: process}\nchildren:\n"
		 "- {worker: v, command: [sh, -c, v], instances: 3}\n"
		 "- {worker: w, command: [sh, -c, w]}\n",
	    "t.yaml:4:23: warning: with kill_mode process");
}

/* ---- I-5 ---------------------------------------------------------------- */

static void
a_start_that_takes_longer_than_a_restart_counts(void **state)
{
	warns(state, WORKER("ready: notify\n    start_timeout: 2s"),
	    "t.yaml:8:20: warning: if \"w\" never gets ready, supervisor "
	    "\"root\" never gives up: start_timeout 2s is longer than its "
	    "period / intensity; give \"w\" max_attempts, or the supervisor a "
	    "period of 6s or more");
	silent(state, WORKER("ready: notify\n    start_timeout: 1s"));
	silent(state, WORKER("ready: notify"));
	silent(state,
	    WORKER(
		"ready: notify\n    start_timeout: 2s\n    max_attempts: 3"));
	silent(state, WORKER("ready: notify\n    start_timeout: 2s\n"
			     "    max_attempts: off"));
	silent(state, WORKER("ready: notify\n    start_timeout: 2s\n"
			     "    restart: temporary"));
	silent(state, WORKER("ready: notify\n    start_timeout: infinity"));
	silent(state,
	    "supervisor: root\nintensity: 3\nperiod: 6s\nchildren:\n"
	    "- {worker: w, command: [w], ready: notify, start_timeout: 2s}\n");
	silent(state,
	    "supervisor: root\nintensity: 0\nperiod: 1s\nchildren:\n"
	    "- {worker: w, command: [w], ready: notify, start_timeout: 2s}\n");
}

static void
pauses_that_keep_restarts_below_intensity(void **state)
{
	warns(state, WORKER("backoff: {}"),
	    "t.yaml:7:5: warning: however often \"w\" fails, supervisor "
	    "\"root\" never gives up: its pauses leave time for 3 restarts in "
	    "period 5s, and intensity allows 3; bound them with max_attempts, "
	    "or write max_attempts: off if they shall never end");
	warns(state, WORKER("backoff: {min: 6s}"), "time for 1 restart in");
	silent(state, WORKER("backoff: {}\n    max_attempts: 10"));
	silent(state, WORKER("backoff: {}\n    max_attempts: off"));
	silent(state, WORKER("backoff: {min: 100ms, max: 1s}"));
}

/* 1 + 2 + 2 = 5 s: the fourth restart is made just within the period. */
static void
pauses_are_added_up_exactly(void **state)
{
	silent(state, WORKER("backoff: {min: 1s, max: 2s, jitter: 0%}"));
	warns(state, WORKER("backoff: {min: 1001ms, max: 2s, jitter: 0%}"),
	    "time for 3 restarts");
	silent(state, WORKER("backoff: {min: 1001ms, max: 2s, jitter: 1%}"));
}

static void
a_slow_stop_stretches_the_restart_of_a_group(void **state)
{
	warns(state,
	    SUP("  strategy: one_for_all\n",
		A("shutdown: 10s") B("enabled: true")),
	    "t.yaml:8:41: warning: if \"a\" takes its 10s to stop, supervisor "
	    "\"s\" never gives up: each restart of the group waits for that, "
	    "longer than its period / intensity; give the other children "
	    "max_attempts, or the supervisor a period of 30s or more");
	warns(state,
	    SUP("  strategy: rest_for_one\n",
		A("enabled: true") B("stop_sequence: [INT 1s, TERM 1s, KILL]")),
	    "if \"b\" takes its 2s to stop");
	/* Nobody before it makes it stop. */
	silent(state, SUP("  strategy: rest_for_one\n",
			  A("shutdown: 10s") B("enabled: true")));
	silent(state, SUP("  strategy: one_for_one\n",
			  A("shutdown: 10s") B("enabled: true")));
	silent(state, SUP("  strategy: one_for_all\n",
			  A("shutdown: 10s") B("max_attempts: 4")));
	silent(state, SUP("  strategy: one_for_all\n",
			  A("shutdown: 10s") B("restart: temporary")));
	silent(state, SUP("  strategy: one_for_all\n  period: 30s\n",
			  A("shutdown: 10s") B("enabled: true")));
	silent(state, SUP("  strategy: one_for_all\n",
			  A("shutdown: infinity") B("enabled: true")));
	silent(state, SUP("  strategy: one_for_all\n", A("shutdown: 10s")));
}

/* ---- max_lifetime ------------------------------------------------------- */

static void
what_comes_too_late_for_a_short_life(void **state)
{
	warns(state, WORKER("max_lifetime: 1m\n    heartbeat: 1m"),
	    "before heartbeat 60s can miss anything");
	silent(state, WORKER("max_lifetime: 1m\n    heartbeat: 59s"));
	warns(state,
	    WORKER(
		"max_lifetime: 1m\n    health: {tcp: \"a:1\", interval: 30s}"),
	    "before health can have failed 3 times");
	silent(state,
	    WORKER(
		"max_lifetime: 1m\n    health: {tcp: \"a:1\", interval: 29s}"));
	warns(state, WORKER("max_lifetime: 30s\n    max_attempts: 3"),
	    "before reset_after 60s: each replacement counts like one more "
	    "failure in a row");
	silent(state, WORKER("max_lifetime: 1m\n    max_attempts: 3"));
	silent(state, WORKER("max_lifetime: 30s"));
}

/* ---- shutdown_deadline -------------------------------------------------- */

static void
stops_that_do_not_fit_into_the_deadline(void **state)
{
	warns(state,
	    SUP("  shutdown_deadline: 15s\n",
		A("shutdown: 10s") B("shutdown: 10s")),
	    "t.yaml:6:22: warning: the workers below may take 20s to stop, one "
	    "after another, but shutdown_deadline is 15s");
	warns(state, SUP("  shutdown_deadline: 15s\n", A("shutdown: infinity")),
	    "may take for ever to stop");
	silent(state, SUP("  shutdown_deadline: 20s\n",
			  A("shutdown: 10s") B("shutdown: 10s")));
	/* The default of 5 s is a bound and nobody's plan. */
	silent(
	    state, SUP("  shutdown_deadline: 1s\n", A("nice: 1") B("nice: 1")));
	silent(state, SUP("  shutdown_deadline: 15s\n",
			  "  - supervisor: t\n    shutdown_deadline: infinity\n"
			  "    children:\n    - {worker: w, command: [w], "
			  "shutdown: 10s}\n" A("shutdown: brutal_kill")));
	silent(state, LIST "- {supervisor: s, strategy: simple_one_for_one, "
			   "shutdown_deadline: 15s, template: {command: [a], "
			   "shutdown: 15s}}\n");
}

static void
a_deadline_further_down_bounds_what_is_below(void **state)
{
	silent(state, "supervisor: root\nintensity: 3\nperiod: 5s\n"
		      "shutdown_deadline: 30s\nchildren:\n- supervisor: s\n"
		      "  shutdown_deadline: 20s\n  children:\n"
		      "  - {worker: a, command: [a], shutdown: 10s}\n"
		      "  - {worker: b, command: [b], shutdown: 10s}\n");
}

/* ---- commands that end -------------------------------------------------- */

static void
expect_once(void **state, const char *command, bool once)
{
	char text[512];

	snprintf(
	    text, sizeof(text), LIST "- {worker: w, command: %s}\n", command);
	if (once)
		warns(state, text,
		    "ends by itself, and a permanent worker is restarted each "
		    "time, until supervisor \"root\" gives up");
	else
		silent(state, text);
	snprintf(text, sizeof(text),
	    LIST "- {worker: w, command: %s, restart: transient}\n", command);
	silent(state, text);
}

static void
a_permanent_command_that_ends_at_once(void **state)
{
	static const char *const once[] = { "[\"true\"]", "echo hello",
		"/bin/date", "[/usr/bin/touch, x]", "[sh, -c, \"echo x\"]",
		"[/bin/sh, -c, \"mkdir -p /a && touch /a/b; date\"]",
		"[bash, -c, \"echo a\\necho b >/tmp/x\\n\"]",
		"[sh, -c, \"exit 1\"]", "[sh, -c, \"cd / || exit 1; rm x\"]" };
	static const char *const runs[] = { "[a]", "[./echo]", "[/opt/x/date]",
		"[sleep, \"5\"]", "[cat]", "[sh, -c, \"date; sleep 60\"]",
		"[sh, -c, \"while :; do date; done\"]",
		"[sh, -c, \"echo x; exec server\"]",
		"[sh, -c, \"echo x & wait\"]", "[sh, -c, \"echo x | server\"]",
		"[sh, -c, \"echo `server`\"]", "[sh, -c, \"echo $$(server)\"]",
		"[sh, -c, \"date &&\"]", "[sh, script]", "[sh]",
		"[sh, -c, \"echo 'a; server'\"]", "[python3, -c, \"print(1)\"]",
		"[echoes]", "[sh, -c, server]" };
	size_t i;

	for (i = 0; i < ARRAY_LEN(once); i++)
		expect_once(state, once[i], true);
	for (i = 0; i < ARRAY_LEN(runs); i++)
		expect_once(state, runs[i], false);
}

/* ---- rest_for_one ------------------------------------------------------- */

#define RFO(children) SUP("  strategy: rest_for_one\n", children)
#define DB            "  - {worker: db, command: [db], ready: {tcp: \"127.0.0.1:7\"}}\n"
#define SOCK          "  - {worker: so, command: [so], ready: {unix: /run/so}}\n"

static void
a_child_that_needs_a_later_one(void **state)
{
	static const char *const needs[] = { A("env: {DB: \"127.0.0.1:7\"}"),
		A("env: {DB: \"tcp://u:p@127.0.0.1:7/x\"}"),
		A("pre_start: [wait, \"127.0.0.1:7\"]"),
		A("ready: {probe: \"nc -z 127.0.0.1:7\"}"),
		A("health: {tcp: \"127.0.0.1:7\"}"),
		A("health: {http: \"http://127.0.0.1:7/x\"}"),
		A("health: {probe: [x, \"127.0.0.1:7\"]}"),
		"  - {worker: a, command: [a, \"--db=127.0.0.1:7\"]}\n",
		"  - {worker: a, command: \"a 127.0.0.1:7,other\"}\n",
		"  - {worker: a, command: [a], instances: 2, "
		"env: {DB: \"127.0.0.1:7\"}}\n",
		"  - supervisor: a\n    children:\n"
		"    - {worker: x, command: [x, \"127.0.0.1:7\"]}\n" };
	char text[512];
	size_t i;

	for (i = 0; i < ARRAY_LEN(needs); i++) {
		snprintf(text, sizeof(text), RFO("%s" DB), needs[i]);
		/* a.1 where it has instances */
		warns(state, text,
		    "depends on its later sibling \"db\", which "
		    "gets ready at 127.0.0.1:7: in rest_for_one "
		    "it is started before that one");
		snprintf(text, sizeof(text), RFO(DB "%s"), needs[i]);
		silent(state, text);
		snprintf(text, sizeof(text), SUP("", "%s" DB), needs[i]);
		silent(state, text);
	}
}

static void
a_socket_of_a_later_one(void **state)
{
	warns(state, RFO(A("env: {S: \"unix:///run/so\"}") SOCK),
	    "t.yaml:8:40: warning: \"a\" depends on its later sibling \"so\", "
	    "which gets ready at /run/so: in rest_for_one it is started before "
	    "that one and not restarted with it; put \"so\" before \"a\"");
	silent(state, RFO(A("env: {S: \"unix:///run/so2\"}") SOCK));
	silent(state, RFO(A("env: {S: \"/run/so/x\"}") SOCK));
}

static void
what_only_looks_like_depending(void **state)
{
	/* Another address, one's own, or an earlier one's too. */
	silent(state, RFO(A("env: {DB: \"127.0.0.1:70\"}") DB));
	silent(state, RFO(A("env: {DB: \"1127.0.0.1:7\"}") DB));
	silent(state, RFO(A("ready: {tcp: \"127.0.0.1:7\"}") DB));
	silent(state,
	    RFO(A("ready: {tcp: \"127.0.0.1:7\"}, env: {X: \"127.0.0.1:7\"}")
		    DB));
	/* What all children share. */
	silent(state, SUP("  strategy: rest_for_one\n"
			  "  defaults: {env: {DB: \"127.0.0.1:7\"}}\n",
			  A("nice: 1") DB));
}

/* ---- names -------------------------------------------------------------- */

static void
names_that_two_want(void **state)
{
	warns(state,
	    SUP("", A("register: db") "  - {worker: b, command: [b], "
				      "register: [x, db]}\n"),
	    "\"db\" is also a name of root/s/a; only the first of the two to "
	    "run has it");
	warns(state, SUP("", A("instances: 2, register: db")),
	    "\"db\" is also a name of root/s/a.1");
	silent(state, SUP("", A("instances: 2, register: \"db.${instance}\"")));
	warns(state,
	    LIST "- supervisor: s\n  strategy: simple_one_for_one\n"
		 "  template: {command: [x], register: db}\n",
	    "all children of supervisor \"s\" would be \"db\"");
}

static void
workers_and_supervisors_that_are_none(void **state)
{
	warns(state, SUP("", A("link: s/a")), "worker \"s/a\" is itself");
	warns(state, SUP("", A("monitor: root/s")),
	    "\"root/s\" is a supervisor; name the worker");
	warns(state, SUP("", A("allow: s/a")),
	    "\"s/a\" is a worker; `allow` takes supervisors, or control");
	warns(state, SUP("", A("allow: [s, t]")),
	    "there is no supervisor \"t\" in this configuration");
	silent(state, SUP("", A("allow: [s, control], link: anybody")));
}

/* ---- supervisors -------------------------------------------------------- */

static void
a_supervisor_that_gives_up_silently(void **state)
{
	warns(state, SUP("  restart: transient\n", A("nice: 1")),
	    "t.yaml:6:12: warning: when supervisor \"s\" gives up, that counts "
	    "as a clean end, so a transient one silently stays down");
	warns(state, SUP("  restart: temporary\n", A("nice: 1")),
	    "a temporary one silently stays down");
	silent(state, SUP("  restart: permanent\n", A("nice: 1")));
	silent(state,
	    SUP("  restart: transient\n  on_giveup: stop\n", A("nice: 1")));
	silent(state,
	    SUP("  restart: transient\n  on_giveup: {exec: [mail, me]}\n",
		A("nice: 1")));
	silent(state, SUP("  restart: transient\n", A("restart: temporary")));
	silent(state, ROOT "auto_shutdown: any_significant\nchildren:\n"
			   "- supervisor: s\n  restart: transient\n"
			   "  significant: true\n  children:\n" A("nice: 1"));
}

static void
an_auto_shutdown_that_is_undone(void **state)
{
#define DONE A("significant: true, restart: transient")
	warns(state, SUP("  auto_shutdown: any_significant\n", DONE),
	    "t.yaml:6:18: warning: when auto_shutdown has ended supervisor "
	    "\"s\", its parent restarts it, because it is permanent; write "
	    "restart: transient, and on_giveup for the other way it may "
	    "end");
	silent(state,
	    SUP("  auto_shutdown: any_significant\n  restart: transient\n"
		"  on_giveup: stop\n",
		DONE));
	silent(state, ROOT "auto_shutdown: any_significant\nchildren:\n" DONE);
}

static void
an_auto_shutdown_that_nobody_brings_about(void **state)
{
	warns(state,
	    ROOT "auto_shutdown: all_significant\nchildren:\n" A("nice: 1"),
	    "t.yaml:4:16: warning: no child of supervisor \"root\" that is "
	    "enabled is significant");
	warns(state,
	    ROOT "auto_shutdown: all_significant\nchildren:\n" A(
		"significant: true, restart: transient, enabled: false"),
	    "no child of supervisor \"root\" that is enabled");
}

static void
a_pool_at_one_address(void **state)
{
#define POOL(keys, tkeys)                                                      \
	LIST "- {supervisor: s, strategy: simple_one_for_one, " keys           \
	     "template: {command: [a], " tkeys "}}\n"
	warns(state, POOL("", "ready: {tcp: \"a:1\"}"),
	    "all children of supervisor \"s\" are asked at this one address");
	warns(state, POOL("", "ready: {unix: /a}"), "are asked at this one");
	silent(state, POOL("", "ready: notify"));
	warns(state, POOL("intensity: 5, ", "restart: temporary"),
	    "intensity has no effect: the children of supervisor \"s\" are "
	    "temporary");
	warns(state, POOL("period: 5s, ", "restart: temporary"),
	    "period has no effect");
	silent(state, POOL("", "restart: temporary"));
	silent(state, POOL("intensity: 5, ", "restart: transient"));
	warns(state,
	    LIST "- {supervisor: s, strategy: simple_one_for_one, "
		 "template: {command: \"true\"}}\n",
	    "\"true\" ends by itself");
}

/* ---- keys without effect ------------------------------------------------ */

static void
a_key_without_effect(void **state)
{
	warns(state, WORKER("start_timeout: 1s"),
	    "t.yaml:7:5: warning: start_timeout has no effect: with ready "
	    "exec it is ready once it has been executed; leave it out");
	warns(state, WORKER("ready: {delay: 1s}\n    start_timeout: 1s"),
	    "start_timeout has no effect");
	warns(state, WORKER("ready: notify\n    start_grace: 1s"),
	    "start_grace has no effect");
	warns(state, WORKER("restart: temporary\n    backoff: {}"),
	    "backoff has no effect");
	warns(state, WORKER("restart: temporary\n    max_attempts: 5"),
	    "max_attempts has no effect");
	warns(state, WORKER("hook_timeout: 5s"), "hook_timeout has no effect");
	warns(state, WORKER("shutdown: brutal_kill\n    stop_signal: INT"),
	    "stop_signal has no effect");
	silent(state, WORKER("start_grace: 1s"));
	silent(state, WORKER("pre_start: [x]\n    hook_timeout: 5s"));
	/* Defaults are for those whom they concern. */
	silent(state,
	    ROOT "defaults: {start_timeout: 1s, start_grace: 1s, "
		 "hook_timeout: 1s, max_attempts: 3, stop_signal: INT}\n"
		 "children:\n"
		 "- {worker: v, command: [v], restart: temporary}\n"
		 "- {worker: w, command: [w], ready: notify, "
		 "shutdown: brutal_kill}\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_open, kit_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_root_must_choose_its_limits),
		TEST(a_shell_that_is_killed_alone),
		TEST(a_place_in_defaults_is_warned_of_once),
		TEST(a_start_that_takes_longer_than_a_restart_counts),
		TEST(pauses_that_keep_restarts_below_intensity),
		TEST(pauses_are_added_up_exactly),
		TEST(a_slow_stop_stretches_the_restart_of_a_group),
		TEST(what_comes_too_late_for_a_short_life),
		TEST(stops_that_do_not_fit_into_the_deadline),
		TEST(a_deadline_further_down_bounds_what_is_below),
		TEST(a_permanent_command_that_ends_at_once),
		TEST(a_child_that_needs_a_later_one),
		TEST(a_socket_of_a_later_one),
		TEST(names_that_two_want),
		TEST(workers_and_supervisors_that_are_none),
		TEST(what_only_looks_like_depending),
		TEST(a_supervisor_that_gives_up_silently),
		TEST(an_auto_shutdown_that_is_undone),
		TEST(an_auto_shutdown_that_nobody_brings_about),
		TEST(a_pool_at_one_address),
		TEST(a_key_without_effect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
