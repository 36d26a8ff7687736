/* SPDX-License-Identifier: ISC */
#include "ctl/verbs.h"

#include "base/edit.h"

#include <stdio.h>
#include <string.h>

/* clang-format off */
const struct verb verbs[] = {
	{ "status", GROUP_LOOK, "[-t] [PATH...]", VERB_TREE, 0, -1, look_status,
	    "the state of every node, or of those named; -t draws the tree" },
	{ "list", GROUP_LOOK, "[PATH...]", 0, 0, -1, look_list,
	    "the paths of all nodes, one a line" },
	{ "show", GROUP_LOOK, "PATH", 0, 1, 1, look_show,
	    "the configuration in force, and where each value comes from" },
	{ "why", GROUP_LOOK, "PATH", 0, 1, 1, look_why,
	    "what led to its present state, and its last output" },
	{ "events", GROUP_LOOK, "[-f] [-n N]", VERB_FOLLOW | VERB_COUNT, 0, 0,
	    look_events, "what has happened; -f goes on as it happens" },
	{ "logs", GROUP_LOOK, "[-f] [-n N] PATH", VERB_FOLLOW | VERB_COUNT, 1,
	    1, look_logs, "the last lines of a worker's output; -f goes on" },
	{ "names", GROUP_LOOK, "", 0, 0, 0, look_names,
	    "registered names and who holds them" },
	{ "ping", GROUP_LOOK, "", 0, 0, 0, look_ping,
	    "does supd answer?" },
	{ "version", GROUP_LOOK, "", 0, 0, 0, look_version,
	    "the versions of supctl and of the supd that runs" },

	{ "start", GROUP_ACT, "[--no-wait] [--timeout D] PATH...", VERB_WAIT, 1,
	    -1, act_start, "start, and wait until ready" },
	{ "stop", GROUP_ACT, "[--no-wait] [--timeout D] PATH...", VERB_WAIT, 1,
	    -1, act_stop, "stop and keep stopped, and wait until down" },
	{ "restart", GROUP_ACT, "[--no-wait] [--timeout D] PATH...", VERB_WAIT,
	    1, -1, act_restart, "stop, start, and wait until ready" },
	{ "kill", GROUP_ACT, "[-s SIG] PATH...", VERB_SIGNAL, 1, -1, act_kill,
	    "send a signal (TERM); what follows is the strategy's business" },
	{ "add", GROUP_ACT, "[--no-wait] SUP SPEC|@FILE|- | SUP [--] [ARG...]",
	    VERB_WAIT, 1, -1, act_add,
	    "add a child to a supervisor, and start it" },
	{ "remove", GROUP_ACT, "[--no-wait] [--timeout D] PATH...", VERB_WAIT,
	    1, -1, act_remove, "stop a child and forget it" },

	{ "is-up", GROUP_ASK, "PATH", 0, 1, 1, ask_is_up,
	    "does it run? exit 0 or 3" },
	{ "is-ready", GROUP_ASK, "PATH", 0, 1, 1, ask_is_ready,
	    "is it ready? exit 0 or 3" },
	{ "is-failed", GROUP_ASK, "PATH", 0, 1, 1, ask_is_failed,
	    "did it end abnormally, for good? exit 0 or 3" },
	{ "wait", GROUP_ASK, "PATH [--for ready|down|restarted] [--timeout D]",
	    VERB_FOR, 1, 1, ask_wait, "wait until it is so" },

	{ "check", GROUP_CONFIG, "[--strict] FILE", VERB_STRICT, 1, 1,
	    check_file, "is this configuration valid? asks no supd" },
	{ "diff", GROUP_CONFIG, "[FILE]", 0, 0, 1, config_diff,
	    "what applying a file would change; exit 0 or 10" },
	{ "apply", GROUP_CONFIG, "[--dry-run] [--no-wait] [--timeout D] [FILE]",
	    VERB_WAIT | VERB_DRY, 0, 1, config_apply,
	    "make the tree what the file says, touching only what changed" },
	{ "reload", GROUP_CONFIG, "[--apply] [--no-wait] [--timeout D] [FILE]",
	    VERB_WAIT | VERB_APPLY, 0, 1, config_reload,
	    "take the file for all starts to come; start and stop nothing" },
	{ "simulate", GROUP_CONFIG, "crash PATH [--repeat N] [--every D]",
	    VERB_REPEAT, 2, 2, config_simulate,
	    "what would follow if a worker crashed; nothing is touched" },

	{ "call", GROUP_TALK, "NAME MSG", 0, 2, 2, talk_call,
	    "send JSON to a worker and print its reply" },
	{ "cast", GROUP_TALK, "NAME MSG", 0, 2, 2, talk_cast,
	    "send a request that wants no reply" },
	{ "send", GROUP_TALK, "NAME MSG", 0, 2, 2, talk_send,
	    "send a message" },
	{ "info", GROUP_TALK, "NAME", 0, 1, 1, talk_info,
	    "what supd and a worker's libmsg know of it" },
	{ "sys", GROUP_TALK, "NAME OP [ARG...]", 0, 2, -1, talk_sys,
	    "look into a server: get_state, suspend, resume ..." },
	{ "trace", GROUP_TALK, "NAME", 0, 1, 1, talk_trace,
	    "print what a worker receives and sends, as it does" },

	{ "shutdown", GROUP_DAEMON, "[--wait] [--timeout D]",
	    VERB_WAIT | VERB_ASYNC, 0, 0, act_shutdown,
	    "stop all workers in order, then supd" },
	{ "help", GROUP_DAEMON, "[VERB]", 0, 0, 1, help_verb,
	    "this list, or the usage of one verb" },
};
/* clang-format on */
const size_t n_verbs = ARRAY_LEN(verbs);

static const char *const planned[] = { "clear", "completion", "graph", "log",
	"metrics", "pause", "ps", "resume", "scale", "top", "upgrade" };

static const char *const group_names[GROUP_N] = {
	[GROUP_LOOK] = "look",
	[GROUP_ACT] = "act",
	[GROUP_ASK] = "ask",
	[GROUP_CONFIG] = "config",
	[GROUP_TALK] = "talk",
	[GROUP_DAEMON] = "daemon",
};

const struct verb *
verb_find(const char *name)
{
	for (size_t i = 0; i < n_verbs; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

bool
verb_is_planned(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(planned); i++)
		if (strcmp(planned[i], name) == 0)
			return true;
	return false;
}

const char *
verb_guess(const char *name)
{
	const char *best = NULL;
	unsigned best_distance = 3; /* more slips make another word */

	for (size_t i = 0; i < n_verbs; i++) {
		unsigned d = edit_distance(name, verbs[i].name, 2);

		if (d < best_distance && d < strlen(verbs[i].name)) {
			best = verbs[i].name;
			best_distance = d;
		}
	}
	return best;
}

void
verb_print_usage(const struct verb *v, FILE *out)
{
	if (v == NULL)
		fprintf(out,
		    "usage: supctl [-s SOCKET] [--json] [-q] [--timeout D] "
		    "[--no-color] VERB ...\n"
		    "       supctl help\n");
	else
		fprintf(out, "usage: supctl %s%s%s\n", v->name,
		    v->args[0] != '\0' ? " " : "", v->args);
}

void
verb_print_all(FILE *out)
{
	verb_print_usage(NULL, out);
	fputc('\n', out);
	for (unsigned g = 0; g < GROUP_N; g++) {
		const char *group = group_names[g];

		for (size_t i = 0; i < n_verbs; i++) {
			if (verbs[i].group != g)
				continue;
			fprintf(out, "%-7s %-9s  %s\n", group, verbs[i].name,
			    verbs[i].doc);
			group = "";
		}
	}
	fputs(
	    "\n"
	    "PATH is web/api or root/web/api, and may be a glob.  NAME is "
	    "registered, a path or\n"
	    "a pid like \"<3.1>\"; MSG is JSON.  A duration D has a unit: "
	    "10s.\n"
	    "Exit: 0 ok, 1 failed for some target, 2 usage, 3 false, 4 no such "
	    "name, 5 not\n"
	    "permitted, 6 supd not running, 7 timeout, 8 config invalid.  "
	    "More: "
	    "supctl help VERB\n",
	    out);
}

void
verb_print_help(const struct verb *v, FILE *out)
{
	static const struct {
		unsigned bit;
		const char *text;
	} options[] = {
		{ VERB_TREE, "-t               draw the tree" },
		{ VERB_FOLLOW, "-f               go on as more comes" },
		{ VERB_COUNT, "-n N             at most the last N (20)" },
		{ VERB_SIGNAL, "-s SIG           TERM, SIGHUP, 10 ..." },
		{ VERB_FOR, "--for STATE      ready, down or restarted" },
		{ VERB_STRICT, "--strict         warnings are errors" },
		{ VERB_DRY, "--dry-run        only print what would be done" },
		{ VERB_APPLY, "--apply          and make it so: supctl apply" },
		{ VERB_REPEAT, "--repeat N       N crashes (1)" },
		{ VERB_REPEAT, "--every D        one every D (1s)" },
		{ VERB_WAIT, "--wait           return when it is done" },
		{ VERB_WAIT, "--no-wait        return when it is accepted" },
	};

	verb_print_usage(v, out);
	fprintf(out, "\n  %s\n\n", v->doc);
	for (size_t i = 0; i < ARRAY_LEN(options); i++)
		if ((v->options & options[i].bit) != 0)
			fprintf(out, "  %s\n", options[i].text);
	fprintf(out, "  --timeout D      give up after D (10s), exit 7\n"
		     "  --json           JSON on standard output\n"
		     "  -q               only errors\n"
		     "  -s SOCKET        before the verb: supd's socket\n");
}

int
help_verb(struct ctl *c, int argc, char **argv)
{
	const struct verb *v;

	if (argc == 0) {
		verb_print_all(c->out);
		return CTL_OK;
	}
	v = verb_find(argv[0]);
	if (v != NULL) {
		verb_print_help(v, c->out);
		return CTL_OK;
	}
	ctl_errx(c, "%s: %s", argv[0],
	    verb_is_planned(argv[0]) ? "not supported yet" : "no such verb");
	return CTL_USAGE;
}
