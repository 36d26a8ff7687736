/* SPDX-License-Identifier: ISC */
/* Elixir's dynamic_supervisor_test.exs: a simple_one_for_one supervisor. */
#include "conform.h"
#include "specs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define MANY "intensity: 100000, period: 5s"

static void
empty_pool(const char *sup_keys, const char *keys)
{
	EXPECT(start_link(pool(SUP, sup_keys, "", keys)), "ok");
}

static void
three_children(const char *args)
{
	for (int i = 0; i < 3; i++)
		EXPECT(start_child("", args), "ok");
	EXPECT_WHICH("", "1=running 2=running 3=running");
}

/* ---- as a child ----------------------------------------------------------
 */

static void
can_be_supervised_directly(void)
{
	EXPECT(start_link(tree(SUP, "", pool("dyn", "", "", ""), NULL)), "ok");
	EXPECT_WHICH("", "dyn=running");
	EXPECT_COUNTS("", "1 1 1 0");
	EXPECT_WHICH("dyn", "");
}

static void
several_are_told_apart(void)
{
	const char *one = pool("no_name", "", "", "");

	EXPECT(start_link(tree(SUP, "", pool("simple_name", "", "", ""),
		   pool("global_name", "", "", ""),
		   pool("via_name", "", "", ""), NULL)),
	    "ok");
	EXPECT(start_child("", one), "ok");
	EXPECT_WHICH("simple_name", "");
	EXPECT_WHICH("global_name", "");
	EXPECT_WHICH("via_name", "");
	EXPECT_WHICH("no_name", "");
	EXPECT_COUNTS("", "4 4 4 0");
	EXPECT(start_child("", one), "already_started");
}

static void
set_default_options(void)
{
	EXPECT(start_link("{supervisor: sup_test, restart: transient, "
			  "strategy: simple_one_for_one, template: {command: "
			  "mole sleep}}"),
	    "ok");
	expect_shown("", "strategy", "simple_one_for_one");
	expect_shown("", "intensity", "3");
	expect_shown("", "period", "5s");
	expect_not_shown("", "max_children");
}

static void
start_link_with_non_ok_init(void)
{
	refused_text("strategy: unknown\ntemplate: {command: m}",
	    "unknown strategy \"unknown\"");
#define POOL "strategy: simple_one_for_one\ntemplate: {command: m}\n"
	refused_text(POOL "intensity: -1", "intensity: \"-1\" is not between");
	refused_text(POOL "period: 0s", "period: \"0s\" is too short");
	refused_text(
	    POOL "max_children: -1", "max_children: \"-1\" is not between");
	refused_text(POOL "auto_shutdown: any_significant",
	    "simple_one_for_one cannot have auto_shutdown");
	refused_text("strategy: simple_one_for_one\n"
		     "template: {command: {extra: -1}}",
	    "command takes a list of words");
	refused_text("strategy: simple_one_for_one\ntemplate: unknown",
	    "is a map of worker keys");
	EXPECT(start_link(pool(SUP, "max_children: -1", "", "")), "invalid");
	EXPECT_STATE("", "none");
}

static void
with_registered_process(void)
{
	empty_pool("", "");
	EXPECT_TRUE(supctl("is-up", SUP, NULL) == 0);
	EXPECT_WHICH("/", "sup_test=running");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
	EXPECT_TRUE(supctl("is-up", SUP, NULL) == 3);
}

static void
with_spawn_opt(void)
{
	empty_pool("", "nice: 7");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT_TRUE(getpriority(PRIO_PROCESS, (id_t)os_pid("1")) == 7);
}

/* ---- start_child/2: what it takes and answers ----------------------------
 */

static void
supports_new_child_spec_as_tuple(void)
{
	empty_pool("", "restart: temporary, shutdown: 5s, significant: false");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT_WHICH("", "1=running");
}

static void
supports_new_child_spec(void)
{
	EXPECT(start_link("{supervisor: sup_test, restart: transient, "
			  "strategy: simple_one_for_one, template: {command: "
			  "mole sleep}}"),
	    "ok");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT_WHICH("", "1=running");
}

/* Its arguments, as the kernel knows them, with blanks between. */
static const char *
arguments(const char *path)
{
	static char text[256];
	char file[64];
	ssize_t n;
	int fd;

	snprintf(file, sizeof(file), "/proc/%d/cmdline", os_pid(path));
	fd = open(file, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : 0;
	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < n; i++)
		if (text[i] == '\0')
			text[i] = ' ';
	text[n > 0 ? n - 1 : 0] = '\0';
	return text;
}

static void
supports_extra_arguments(void)
{
	EXPECT(start_link(pool(SUP, "", "of_the_pool", "")), "ok");
	EXPECT(start_child("", "[of_its_own]"), "ok");
	EXPECT(arguments("1"), "mole serve of_the_pool of_its_own");
}

static void
restarting_with_extra_arguments(void)
{
	EXPECT(start_link(pool(SUP, "", "of_the_pool", "restart: transient")),
	    "ok");
	EXPECT(start_child("", "[of_its_own]"), "ok");
	EXPECT(arguments("1"), "mole serve of_the_pool of_its_own");
	EXPECT_COUNTS("", "1 1 0 1");
	die("1", ABNORMAL);
	EXPECT_STATE("1", "running");
	EXPECT(arguments("1"), "mole serve of_the_pool of_its_own");
	EXPECT_COUNTS("", "1 1 0 1");
}

static void
with_invalid_child_spec(void)
{
	refused_text(
	    "strategy: simple_one_for_one\ntemplate: {}", "has no command");
	refused_text("strategy: simple_one_for_one\ntemplate: {command: []}",
	    "command does not name a program");
	refused_text("strategy: simple_one_for_one\n"
		     "template: {command: m, shutdown: -1}",
	    "shutdown: \"-1\" is not a duration");
	refused_text("strategy: simple_one_for_one\n"
		     "template: {command: m, significant: true, restart: "
		     "transient}",
	    "auto_shutdown");
	empty_pool("", "");
	refused_child(
	    "{worker: a, command: m}", "takes arguments for its template");
	EXPECT_WHICH("", "");
}

static void
with_different_returns(void)
{
	empty_pool("", "");
	gate("g", "oof");
	EXPECT(start_child("", "[gate=g]"), "ok");
	EXPECT(start_child("", "[gate=g]"), "ok");
	EXPECT(start_child("", "[gate=g]"), "start_failed");
	EXPECT_WHICH("", "1=running 2=running");
	EXPECT(start_link(pool(SUP, "", "", "enabled: false")), "ok");
	EXPECT(start_child("", "[]"), "ok undefined");
	EXPECT_WHICH("", "");
}

/* A start that ends by an exit code, by a signal, or before it began. */
static void
with_throw_error_exit(void)
{
	static const struct {
		const char *command, *says;
	} bad[] = {
		{ "[mole, exit, '3']", "exit 3 before it was ready" },
		{ "[mole, signal, '11']", "SIGSEGV before it was ready" },
		{ "[/nonexistent/program]",
		    "exec /nonexistent/program: No such file" },
	};
	char text[256];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text),
		    "{supervisor: sup_test, restart: transient, strategy: "
		    "simple_one_for_one, template: {command: %s, ready: "
		    "notify}}",
		    bad[i].command);
		EXPECT(start_link(text), "ok");
		EXPECT(start_child("", "[]"), "start_failed");
		EXPECT_TRUE(strstr(said(), bad[i].says) != NULL);
		EXPECT_WHICH("", "");
	}
}

static void
with_max_children(void)
{
	empty_pool("max_children: 1", "");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT(start_child("", "[]"), "max_children");
	EXPECT_WHICH("", "1=running");
	EXPECT(terminate_child("1"), "ok");
	EXPECT(start_child("", "[]"), "ok");
}

static void
with_valid_shutdown(void)
{
	static const char *const keys[] = { "shutdown: 0ms", "shutdown: 1ms" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		empty_pool("", keys[i]);
		EXPECT(start_child("", "[]"), "ok");
		die("1", SHUTDOWN);
		EXPECT_STATE("1", "running");
	}
}

static void
with_invalid_valid_shutdown(void)
{
	EXPECT(start_link(pool(SUP, "", "", "shutdown: -1")), "invalid");
	EXPECT_TRUE(
	    strstr(said(), "shutdown: \"-1\" is not a duration") != NULL);
	EXPECT_STATE("", "none");
}

/* ---- who is restarted ----------------------------------------------------
 */

static void
temporary_child(void)
{
	static const enum how hows[] = { SHUTDOWN, ABNORMAL };
	char name[8];

	empty_pool("", "restart: temporary");
	for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
		EXPECT(start_child("", "[]"), "ok");
		snprintf(name, sizeof(name), "%zu", i + 1);
		die(name, hows[i]);
		EXPECT_COUNTS("", "0 0 0 0");
	}
}

static void
transient_child(void)
{
	empty_pool("", "restart: transient, " SUCCESS_EXITS);
	EXPECT(start_child("", "[]"), "ok");
	die("1", SHUTDOWN);
	EXPECT_STATE("1", "none");
	EXPECT_COUNTS("", "0 0 0 0");
	EXPECT(start_child("", "[]"), "ok");
	die("2", SHUTDOWN_TERM);
	EXPECT_COUNTS("", "0 0 0 0");
	EXPECT(start_child("", "[]"), "ok");
	die("3", ABNORMAL);
	EXPECT_COUNTS("", "1 1 0 1");
}

static void
permanent_child(void)
{
	empty_pool(MANY, SUCCESS_EXITS);
	EXPECT(start_child("", "[]"), "ok");
	die("1", SHUTDOWN);
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT(start_child("", "[]"), "ok");
	die("2", SHUTDOWN_TERM);
	EXPECT_COUNTS("", "2 2 0 2");
	EXPECT(start_child("", "[]"), "ok");
	die("3", ABNORMAL);
	EXPECT_COUNTS("", "3 3 0 3");
	EXPECT_TIMES("starting", "*", on_core() ? 7 : 7);
}

static void
restarted_with_different_values(void)
{
	uint64_t pid;

	empty_pool(MANY, "");
	EXPECT(start_child("", "[]"), "ok");
	pid = pid_of("1");
	die("1", SHUTDOWN);
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT_TRUE(pid_of("1") != pid);
	gate("g", "o");
	EXPECT(start_child("", "[gate=g]"), "ok");
	EXPECT_COUNTS("", "2 2 0 2");
	/* Its restart fails, again and again. */
	die("2", SHUTDOWN);
	gate("g", "f");
	EXPECT_TIMES("start_error", "2", 1);
	EXPECT_COUNTS("", "2 1 0 2");
	gate("g", "f");
	EXPECT_TIMES("start_error", "2", 2);
	EXPECT_COUNTS("", "2 1 0 2");
	gate("g", "o");
	EXPECT_COUNTS("", "2 2 0 2");
}

static void
restarting_on_init(void)
{
	empty_pool("max_children: 1, " MANY, "");
	gate("g", "o");
	EXPECT(start_child("", "[gate=g]"), "ok");
	remember();
	die("1", SHUTDOWN);
	gate("g", "f");
	EXPECT_TIMES("start_error", "1", 1);
	EXPECT_TIMES("starting", "1", 2);
	EXPECT_COUNTS("", "1 0 0 1");
	/* Asked while it tries again: answered between two attempts. */
	begin_start("");
	gate("g", "f");
	EXPECT_STARTED("max_children");
	EXPECT_COUNTS("", "1 0 0 1");
}

static void
restarting_on_exit(void)
{
	empty_pool("max_children: 1, " MANY, "");
	EXPECT(start_child("", "[]"), "ok");
	die("1", SHUTDOWN);
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT(start_child("", "[]"), "max_children");
}

static void
when_trying_again(void)
{
	empty_pool("intensity: 2, period: 5s", "");
	gate("g", "o");
	EXPECT(start_child("", "[gate=g]"), "ok");
	gate("g", "f");
	gate("g", "o");
	die("1", SHUTDOWN);
	EXPECT_TIMES("start_error", "1", 1);
	EXPECT_COUNTS("", "1 1 0 1");
	EXPECT_TIMES("starting", "1", 3);
}

static void
exhaust(int intensity)
{
	char keys[64];

	snprintf(keys, sizeof(keys), "intensity: %d, period: 1h", intensity);
	empty_pool(keys, "");
	gate("g", "o");
	EXPECT(start_child("", "[gate=g]"), "ok");
	gate("g", "ffffffffffffffff");
	die("1", SHUTDOWN);
	EXPECT_SUP_ENDED("gave_up");
	EXPECT_TIMES("start_error", "1", intensity);
}

static void
triggers_maximum_restarts(void)
{
	exhaust(1);
}

static void
triggers_maximum_intensity(void)
{
	exhaust(10);
}

/* ---- terminate/2: how its children end -----------------------------------
 */

static void
all_end(const char *keys, const char *args, const char *how)
{
	empty_pool("", keys);
	three_children(args);
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("", "shutdown");
	EXPECT_ENDED("1", how);
	EXPECT_ENDED("2", how);
	EXPECT_ENDED("3", how);
}

static void
with_brutal_kill(void)
{
	all_end("shutdown: brutal_kill", "[]", "killed");
}

static void
with_infinity_shutdown(void)
{
	all_end("shutdown: infinity", "[]", "shutdown");
}

static void
with_infinity_and_abnormal_reason(void)
{
	all_end("shutdown: infinity", "[answer=3]", "exit 3");
}

static void
with_integer_shutdown(void)
{
	all_end("shutdown: 20s", "[]", "shutdown");
}

static void
with_integer_and_abnormal_reason(void)
{
	all_end("shutdown: 20s", "[answer=3]", "exit 3");
}

static void
with_expired_integer_shutdown(void)
{
	empty_pool("", "shutdown: 1s");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT(start_child("", "[hang]"), "ok");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("1", "shutdown");
	EXPECT_ENDED("2", "killed");
	EXPECT_ENDED("3", "shutdown");
}

static void
with_permanent_and_normal_reason(void)
{
	all_end("shutdown: infinity, restart: permanent", "[answer=0]",
	    "shutdown"); /* D3 */
	EXPECT_TIMES("shutdown_error", "*", 0);
}

static void
with_mixed_children(void)
{
	EXPECT(start_link(tree(SUP, "", NULL)), "ok");
	EXPECT(start_child("", worker("child1", "shutdown: infinity")), "ok");
	EXPECT(
	    start_child("", worker("child2", "shutdown: brutal_kill")), "ok");
	EXPECT(terminate_child(""), "ok");
	EXPECT_ENDED("child1", "shutdown");
	EXPECT_ENDED("child2", "killed");
}

/* ---- terminate_child/2 ---------------------------------------------------
 */

static void
one_is_terminated(const char *keys, const char *how)
{
	empty_pool("", keys);
	EXPECT(start_child("", "[]"), "ok");
	EXPECT(terminate_child("1"), "ok");
	EXPECT_ENDED("1", how);
	EXPECT(terminate_child("1"), "not_found");
	EXPECT_COUNTS("", "0 0 0 0");
}

static void
terminates_with_brutal_kill(void)
{
	one_is_terminated("shutdown: brutal_kill", "killed");
}

static void
terminates_with_integer_shutdown(void)
{
	one_is_terminated("shutdown: 20s", "shutdown");
}

static void
terminates_restarting_child(void)
{
	empty_pool(MANY, "");
	gate("g", "o");
	EXPECT(start_child("", "[gate=g]"), "ok");
	die("1", SHUTDOWN);
	EXPECT_TIMES("starting", "1", 2);
	begin_terminate("1");
	EXPECT_TERMINATED("pending");
	gate("g", "f");
	EXPECT_TERMINATED("ok");
	EXPECT(terminate_child("1"), "not_found");
	EXPECT_COUNTS("", "0 0 0 0");
}

/* ---- code_change/3 -------------------------------------------------------
 */

static void
code_change_with_non_ok_init(void)
{
	static const char *const bad[] = { "intensity: -1", "period: 0s",
		"max_children: -1" };

	EXPECT(start_tree(pool(SUP, "intensity: 4, period: 1h", "", "")), "ok");
	EXPECT(reload("{supervisor: sup_test, restart: transient, strategy: "
		      "unknown, children: []}"),
	    "invalid");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		EXPECT(reload(pool(SUP, bad[i], "", "")), "invalid");
	EXPECT(reload("unknown"), "invalid");
	EXPECT_TRUE(rig->intensity("") == 4);
	EXPECT_STATE("", "running");
}

static void
code_change_with_ok_init(void)
{
	EXPECT(start_tree(pool(SUP, "", "", "")), "ok");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT(start_child("", "[]"), "ok");
	EXPECT_COUNTS("", "2 2 0 2");
	EXPECT(reload(pool(SUP, "max_children: 1", "", "")), "ok");
	EXPECT_COUNTS("", "2 2 0 2");
	EXPECT(start_child("", "[]"), "max_children");
	EXPECT_COUNTS("", "2 2 0 2");
}

#define S "start_child/2 "
#define T "terminate/2 terminates children with "
#define C "terminate_child/2 terminates "

static const struct conform_case cases[] = {
	{ "can be supervised directly", ON_BOTH, can_be_supervised_directly,
	    0 },
	{ "multiple supervisors can be supervised and identified with simple "
	  "child spec",
	    ON_BOTH, several_are_told_apart, 0 },
	{ "init/1 set default options", ON_SUPD, set_default_options, 0 },
	{ "start_link/3 with non-ok init", ON_SUPD, start_link_with_non_ok_init,
	    0 },
	{ "start_link/3 with registered process", ON_SUPD,
	    with_registered_process, 0 },
	{ "start_link/3 with spawn_opt", ON_SUPD, with_spawn_opt, 0 },
	{ "code_change/3 with non-ok init", ON_SUPD,
	    code_change_with_non_ok_init, 0 },
	{ "code_change/3 with ok init", ON_BOTH, code_change_with_ok_init, 0 },
	{ S "supports new child spec as tuple", ON_BOTH,
	    supports_new_child_spec_as_tuple, 0 },
	{ S "supports new child spec", ON_BOTH, supports_new_child_spec, 0 },
	{ S "supports extra arguments", ON_SUPD, supports_extra_arguments, 0 },
	{ S "with invalid child spec", ON_SUPD, with_invalid_child_spec, 0 },
	{ S "with different returns", ON_BOTH, with_different_returns, 0 },
	{ S "with throw/error/exit", ON_SUPD, with_throw_error_exit, 0 },
	{ S "with max_children", ON_BOTH, with_max_children, 0 },
	{ S "temporary child is not restarted regardless of reason", ON_BOTH,
	    temporary_child, 0 },
	{ S "transient child is restarted unless normal/shutdown/{shutdown, _}",
	    ON_BOTH, transient_child, 0 },
	{ S "permanent child is restarted regardless of reason", ON_BOTH,
	    permanent_child, 0 },
	{ S "child is restarted with different values", ON_BOTH,
	    restarted_with_different_values, 0 },
	{ S "restarting on init children counted in max_children", ON_BOTH,
	    restarting_on_init, 0 },
	{ S "restarting on exit children counted in max_children", ON_BOTH,
	    restarting_on_exit, 0 },
	{ S "restarting a child with extra_arguments successfully restarts "
	    "child",
	    ON_SUPD, restarting_with_extra_arguments, 0 },
	{ S "child is restarted when trying again", ON_BOTH, when_trying_again,
	    0 },
	{ S "child triggers maximum restarts", ON_BOTH,
	    triggers_maximum_restarts, 0 },
	{ S "child triggers maximum intensity when trying again", ON_BOTH,
	    triggers_maximum_intensity, 0 },
	{ S "with valid shutdown", ON_BOTH, with_valid_shutdown, 0 },
	{ S "with invalid valid shutdown", ON_SUPD, with_invalid_valid_shutdown,
	    0 },
	{ T "brutal kill", ON_BOTH, with_brutal_kill, 0 },
	{ T "infinity shutdown", ON_BOTH, with_infinity_shutdown, 0 },
	{ T "infinity shutdown and abnormal reason", ON_BOTH,
	    with_infinity_and_abnormal_reason, 0 },
	{ T "integer shutdown", ON_BOTH, with_integer_shutdown, 0 },
	{ T "integer shutdown and abnormal reason", ON_BOTH,
	    with_integer_and_abnormal_reason, 0 },
	{ T "expired integer shutdown", ON_BOTH, with_expired_integer_shutdown,
	    0 },
	{ T "permanent restart and normal reason", ON_BOTH,
	    with_permanent_and_normal_reason, 0 },
	{ "terminate/2 terminates with mixed children", ON_BOTH,
	    with_mixed_children, 0 },
	{ C "child with brutal kill", ON_BOTH, terminates_with_brutal_kill, 0 },
	{ C "child with integer shutdown", ON_BOTH,
	    terminates_with_integer_shutdown, 0 },
	{ C "restarting child", ON_BOTH, terminates_restarting_child, 0 },
};

const struct suite suite_elixir_dynamic = { "DynamicSupervisor", cases,
	ARRAY_LEN(cases) };
