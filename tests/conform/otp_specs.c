/* SPDX-License-Identifier: ISC */
/*
 * supervisor_SUITE: what of flags and child specifications is accepted, and
 * what can be read of them.  Said by supctl, supd and what they print.
 */
#include "conform.h"
#include "specs.h"

#include <stdio.h>
#include <string.h>

static void
sup_start_map(void)
{
	EXPECT(start_link(tree(SUP, "intensity: 1, period: 5s",
		   "{worker: child1, command: [mole, sleep]}",
		   "{worker: child2, command: [mole, sleep], "
		   "shutdown: brutal_kill}",
		   "{supervisor: child3}", NULL)),
	    "ok");
	expect_shown("child1", "worker", "child1");
	expect_shown("child1", "command", "[mole, sleep]");
	expect_shown("child1", "restart", "permanent");
	expect_shown("child1", "shutdown", "5s");
	expect_shown("child1", "significant", "false");
	expect_shown("child2", "restart", "permanent");
	expect_shown("child2", "shutdown", "brutal_kill");
	expect_shown("child3", "supervisor", "child3");
	expect_shown("child3", "restart", "permanent");
	expect_shown("child3", "shutdown_deadline", "infinity");
	EXPECT_TRUE(supctl("show", "root/sup_test/child4", NULL) == 4);
	EXPECT(terminate_child(""), "ok");
}

static void
sup_start_map_simple(void)
{
	char name[8];

	EXPECT(start_link(pool(SUP, "", "", "restart: temporary")), "ok");
	for (int i = 1; i <= 3; i++)
		EXPECT(start_child("", "[]"), "ok");
	for (int i = 1; i <= 3; i++) {
		snprintf(name, sizeof(name), "%d", i);
		expect_shown(name, "command", "[mole, serve]");
		expect_shown(name, "restart", "temporary");
		expect_shown(name, "shutdown", "5s");
		expect_shown(name, "significant", "false");
	}
	EXPECT_TRUE(supctl("show", "root/sup_test/4", NULL) == 4);
}

static void
sup_start_map_faulty_specs(void)
{
	refused_sup("", "{command: [mole, sleep]}",
	    "a child begins with `worker: NAME`");
	refused_sup("", "{worker: child2}", "worker \"child2\" has no command");
	refused_sup("",
	    "{worker: child3, command: [mole, sleep], silly_flag: true}",
	    "unknown key \"silly_flag\""); /* D12 */
	refused_sup("", "child4", "a child is a map");
}

/* Keys that no child can have, and what supd says of each. */
static const struct {
	const char *keys, *says;
} bad_keys[] = {
	{ "command: {m: f}", "command takes a list of words" },
	{ "command: []", "command does not name a program" },
	{ "command: m, restart: prmanent", "unknown restart \"prmanent\"" },
	{ "command: m, shutdown: -10", "shutdown: \"-10\" is not a duration" },
	{ "command: m, shutdown: 10", "shutdown: \"10\" needs a unit" },
	{ "command: m, significant: maybe",
	    "significant: \"maybe\" is neither true nor false" },
	{ "command: m, dummy: dummy", "unknown key \"dummy\"" }, /* D12 */
};

/*
 * In both notations: a flow map, and a key a line as `block` asks.  The list
 * of keys has no comma but those between them.
 */
static void
write_child(const char *keys, bool block, char *buf, size_t len)
{
	size_t n;

	if (!block) {
		snprintf(buf, len, "{worker: child, %s}", keys);
		return;
	}
	n = (size_t)snprintf(buf, len, "worker: child\n%s\n", keys);
	for (size_t i = 0; i < n && i < len; i++)
		if (buf[i] == ',')
			buf[i] = '\n';
	for (char *p; (p = strstr(buf, "\n ")) != NULL;)
		memmove(p + 1, p + 2, strlen(p + 1));
}

static void
bad_specs(bool block)
{
	char spec[256];

	EXPECT(start_link(tree(SUP, "", NULL)), "ok");
	refused_child("hej", "a child is a map");
	for (size_t i = 0; i < ARRAY_LEN(bad_keys); i++) {
		write_child(bad_keys[i].keys, block, spec, sizeof(spec));
		refused_child(spec, bad_keys[i].says);
	}
	EXPECT_WHICH("", "");
	EXPECT(terminate_child(""), "ok");
	EXPECT(delete_child(""), "ok");
	for (size_t i = 0; i < 3; i++) {
		write_child(bad_keys[i].keys, false, spec, sizeof(spec));
		refused_sup("", spec, bad_keys[i].says);
	}
	refused_sup("", "{wrker: child, command: m}", "unknown key \"wrker\"");
	refused_sup("",
	    "{worker: child, command: m}, {worker: child, command: m}",
	    "duplicate child \"child\"");
	refused_text("strategy: simple_one_for_one", "needs a `template`");
	refused_text("strategy: simple_one_for_one\n"
		     "template: [{command: m}, {command: m}]",
	    "a map of worker keys, not a list");
}

static const char *const restarts[] = { NULL, "permanent", "transient",
	"temporary" };
static const char *const shutdowns[] = { NULL, "0ms", "1s", "infinity",
	"brutal_kill" };

/* All combinations of valid values, many children a file. */
static void
child_specs(void)
{
	char child[128], text[8192] = "children:\n";
	int n = 0;

	bad_specs(false);
	for (size_t r = 1; r < ARRAY_LEN(restarts); r++) {
		for (size_t s = 1; s < ARRAY_LEN(shutdowns); s++) {
			snprintf(child, sizeof(child),
			    "  - {worker: c%d, command: m, restart: %s, "
			    "shutdown: %s}\n",
			    ++n, restarts[r], shutdowns[s]);
			strcat(text, child);
		}
		snprintf(child, sizeof(child),
		    "  - {supervisor: s%d, restart: %s}\n", ++n, restarts[r]);
		strcat(text, child);
	}
	accepted_text(text);
}

/* One child with those keys, each on a line of its own. */
static void
one_combination(const char *mode, const char *restart, const char *shutdown,
    const char *significant, bool sup)
{
	char text[512];
	int n = 0;

	if (mode != NULL)
		n = snprintf(text, sizeof(text), "auto_shutdown: %s\n", mode);
	n += snprintf(text + n, sizeof(text) - (size_t)n, "children:\n  - %s",
	    sup ? "supervisor: child\n" : "worker: child\n    command: m\n");
	if (restart != NULL)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
		    "    restart: %s\n", restart);
	if (shutdown != NULL && !sup)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
		    "    shutdown: %s\n", shutdown);
	if (significant != NULL)
		snprintf(text + n, sizeof(text) - (size_t)n,
		    "    significant: %s\n", significant);
	if (significant == NULL || strcmp(significant, "true") != 0)
		accepted_text(text);
	else if (restart == NULL || strcmp(restart, "permanent") == 0)
		refused_text(text, "must be transient or temporary");
	else if (mode == NULL || strcmp(mode, "never") == 0)
		refused_text(text, "its supervisor's auto_shutdown is never");
	else
		accepted_text(text);
}

static void
child_specs_map(void)
{
	static const char *const modes[] = { NULL, "never", "any_significant",
		"all_significant" };
	static const char *const significants[] = { NULL, "true", "false" };

	bad_specs(true);
	for (size_t m = 0; m < ARRAY_LEN(modes); m++)
		for (size_t r = 0; r < ARRAY_LEN(restarts); r++)
			for (size_t s = 0; s < ARRAY_LEN(shutdowns); s++)
				for (size_t g = 0; g < ARRAY_LEN(significants);
				     g++) {
					one_combination(modes[m], restarts[r],
					    shutdowns[s], significants[g],
					    false);
					one_combination(modes[m], restarts[r],
					    shutdowns[s], significants[g],
					    true);
				}
}

static void
sup_flags(void)
{
	refused_text("strategy: none_for_one\nchildren: []",
	    "unknown strategy \"none_for_one\"");
	refused_text("intensity: infinity\nchildren: []",
	    "intensity: \"infinity\" is not a number");
	refused_text(
	    "intensity: -1\nchildren: []", "intensity: \"-1\" is not between");
	refused_text("period: 0s\nchildren: []", "period: \"0s\" is too short");
	refused_text("period: infinity\nchildren: []",
	    "period: \"infinity\" is not a duration");
	refused_text("auto_shutdown: sometimes\nchildren: []",
	    "unknown auto_shutdown \"sometimes\"");
	refused_text("silly_flag: true\nchildren: []",
	    "unknown key \"silly_flag\""); /* D12 */
	/* And by a supd that runs. */
	EXPECT(
	    start_link(tree(SUP, "strategy: none_for_one", NULL)), "invalid");
	EXPECT(start_link(tree(SUP, "intensity: infinity", NULL)), "invalid");
	EXPECT(start_link(tree(SUP, "period: 0s", NULL)), "invalid");
	EXPECT_STATE("", "none");
}

static void
significant_simple(void)
{
	static const char *const modes[] = { "any_significant",
		"all_significant" };
	char keys[64];

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		snprintf(keys, sizeof(keys), "auto_shutdown: %s", modes[i]);
		EXPECT(start_link(pool(SUP, keys, "", "restart: temporary")),
		    "invalid");
		EXPECT_TRUE(strstr(said(), "simple_one_for_one cannot have "
					   "auto_shutdown") != NULL);
		EXPECT(start_link(pool(SUP, keys, "",
			   "restart: temporary, significant: true")),
		    "invalid");
	}
	EXPECT_STATE("", "none");
}

/* The leaf of a tree cannot be started, and nobody hides it. */
static void
faulty_application_shutdown(void)
{
	static const char leaf[] =
	    "children:\n"
	    "  - supervisor: app_faulty\n"
	    "    children:\n"
	    "      - {worker: server, command: [/an/undefined/module]}\n";

	EXPECT_TRUE(run_supd(leaf) == 70);
	EXPECT_TRUE(
	    strstr(said(), "root: failed to start: app_faulty: server: "
			   "exec /an/undefined/module: No such file") != NULL);
}

static void
external_start_no_progress_log(void)
{
	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h", NULL)), "ok");
	EXPECT(start_child("", worker("external", "")), "ok");
	EXPECT_TRUE(times("starting", "external") == 1);
	EXPECT_TRUE(times("ready", "external") == 1);
	die("external", ABNORMAL);
	EXPECT_STATE("external", "running");
	/* Its restart is told; that it was added is not news. */
	expect_log("sup_test/external: started, pid", 1);
	expect_log("sup_test/external: ready, pid", 1);
}

/* A name of libmsg that another worker holds. */
static void
already_started_outside_supervisor(void)
{
	uint64_t pid;

	EXPECT(start_child("/", "{worker: outside, command: [counter, "
				"global_name], ready: notify}"),
	    "ok");
	pid = pid_of("/outside");
	EXPECT(start_link(tree(SUP, "intensity: 2, period: 1h", NULL)), "ok");
	EXPECT(start_child("", "{worker: child1, command: [counter, "
			       "global_name], ready: notify}"),
	    "start_failed");
	EXPECT_WHICH("", "");
	EXPECT_TRUE(runs_as("/outside", pid));
	expect_log("register \"global_name\": another worker has", 1);
	EXPECT_TRUE(supctl("call", "global_name", "[\"value\"]") == 0);
}

static const struct conform_case cases[] = {
	{ "sup_start_map", ON_SUPD, sup_start_map, 0 },
	{ "sup_start_map_simple", ON_SUPD, sup_start_map_simple, 0 },
	{ "sup_start_map_faulty_specs", ON_SUPD, sup_start_map_faulty_specs,
	    0 },
	{ "child_specs", ON_SUPD, child_specs, 0 },
	{ "child_specs_map", ON_SUPD, child_specs_map, 0 },
	{ "sup_flags", ON_SUPD, sup_flags, 0 },
	{ "significant_simple", ON_SUPD, significant_simple, 0 },
	{ "faulty_application_shutdown", ON_SUPD, faulty_application_shutdown,
	    0 },
	{ "external_start_no_progress_log", ON_SUPD,
	    external_start_no_progress_log, 0 },
	{ "already_started_outside_supervisor", ON_SUPD,
	    already_started_outside_supervisor, 0 },
};

const struct suite suite_otp_specs = { "supervisor_SUITE", cases,
	ARRAY_LEN(cases) };
