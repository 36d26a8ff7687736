/* SPDX-License-Identifier: ISC */
#include "conf/schema.h"

#include "base/mono.h"
#include "conf/bind.h"
#include "conf/value.h"

#include <string.h>

#define SUP(field)    .where = IN_SUPERVISOR, .at = offsetof(struct sbind, field)
#define WORKER(field) .where = IN_WORKER, .at = offsetof(struct wbind, field)
#define LOG(field)    .where = IN_LOG, .at = offsetof(struct wbind, w.log.field)
#define BACKOFF(field)                                                         \
	.where = IN_BACKOFF, .at = offsetof(struct wbind, backoff.field)
#define HEALTH(field)                                                          \
	.where = IN_HEALTH, .at = offsetof(struct wbind, health.field)
#define ASKED(field)                                                           \
	.where = IN_HEALTH, .at = offsetof(struct wbind, w.health.field)
#define MAILBOX(field)                                                         \
	.where = IN_MAILBOX, .at = offsetof(struct wbind, w.mailbox.field)
#define NEXT .at_next_start = true
#define V1   .since = "0.1"
#define LATER(text, what)                                                      \
	{                                                                      \
		.name = text, .where = IN_WORKER, .type = T_LATER, .doc = what \
	}

#define RESTARTS "permanent transient temporary"

/* clang-format off */
const struct key schema_keys[] = {
	[S_NAME] = { "supervisor", .where = IN_SUPERVISOR, .type = T_NAME, V1,
	    .doc = "name; makes this child a supervisor" },
	[S_STRATEGY] = { "strategy", SUP(s.spec.strategy), .type = T_CHOICE, V1,
	    .choices = "one_for_one rest_for_one one_for_all simple_one_for_one",
	    .def = "one_for_one",
	    .doc = "whom the end of one child restarts" },
	[S_INTENSITY] = { "intensity", SUP(s.spec.intensity), .type = T_INT, V1,
	    .min = 0, .max = 100000, .def = "3",
	    .doc = "restarts allowed within period" },
	[S_PERIOD] = { "period", SUP(s.spec.period_ns), .type = T_DURATION, V1,
	    .min = NS_PER_MS, .def = "5s",
	    .doc = "the sliding window of intensity" },
	[S_AUTO_SHUTDOWN] = { "auto_shutdown", SUP(s.spec.auto_shutdown), V1,
	    .type = T_CHOICE, .choices = "never any_significant all_significant",
	    .def = "never",
	    .doc = "shut down when significant children have ended" },
	[S_RESTART] = { "restart", SUP(s.spec.restart), .type = T_CHOICE, V1,
	    .choices = RESTARTS, .def = "permanent",
	    .doc = "when its parent restarts it" },
	[S_SIGNIFICANT] = { "significant", SUP(s.spec.significant), V1,
	    .type = T_BOOL, .def = "false",
	    .doc = "its end may shut its parent down" },
	[S_ON_GIVEUP] = { "on_giveup", SUP(s), .type = T_GIVEUP, V1,
	    .def = "escalate",
	    .doc = "what to do when intensity is exceeded" },
	[S_MAX_CHILDREN] = { "max_children", SUP(s.spec.max_children), V1,
	    .type = T_INT, .min = 1, .max = 1000000,
	    .doc = "most children at one time" },
	[S_START_RATE] = { "start_rate", SUP(s.start_rate), .type = T_INT, V1,
	    .min = 1, .max = 1000000,
	    .doc = "most starts a second in the whole tree; root only" },
	[S_SHUTDOWN_DEADLINE] = { "shutdown_deadline", V1,
	    SUP(s.spec.shutdown_deadline_ns), .type = T_TIMEOUT,
	    .def = "infinity",
	    .doc = "one budget for stopping the whole subtree" },
	[S_DEFAULTS] = { "defaults", .where = IN_SUPERVISOR, .type = T_TREE, V1,
	    .doc = "worker keys inherited by all workers below" },
	[S_INCLUDE] = { "include", .where = IN_SUPERVISOR, .type = T_TREE, V1,
	    .doc = "files of further children" },
	[S_CHILDREN] = { "children", .where = IN_SUPERVISOR, .type = T_TREE, V1,
	    .doc = "the children, in start order" },
	[S_TEMPLATE] = { "template", .where = IN_SUPERVISOR, .type = T_TREE, V1,
	    .doc = "the worker that simple_one_for_one starts" },

	[W_NAME] = { "worker", .where = IN_WORKER, .type = T_NAME, V1,
	    .doc = "name; makes this child a worker" },
	[W_DESCRIPTION] = { "description", WORKER(w.description), V1,
	    .type = T_TEXT, .doc = "for people" },
	[W_COMMAND] = { "command", WORKER(w.argv), .type = T_COMMAND, V1, NEXT,
	    .doc = "program and arguments; required" },
	[W_ENABLED] = { "enabled", WORKER(w.spec.enabled), .type = T_BOOL, V1, NEXT,
	    .def = "true", .doc = "false: never started, still shown" },
	[W_INSTANCES] = { "instances", WORKER(w.instances), .type = T_INT, V1,
	    .min = 1, .max = INSTANCES_MAX,
	    .doc = "start it as NAME.1 to NAME.N" },
	[W_RESTART] = { "restart", WORKER(w.spec.restart), .type = T_CHOICE, V1,
	    .choices = RESTARTS, .def = "permanent",
	    .doc = "when it is restarted" },
	[W_SUCCESS_EXIT] = { "success_exit", WORKER(w.spec.success), V1,
	    .type = T_EXITS, .def = "[0]",
	    .doc = "exit codes and signals that are a normal end" },
	[W_FATAL_EXIT] = { "fatal_exit", WORKER(w.spec.fatal), V1,
	    .type = T_EXITS, .def = "[]",
	    .doc = "exit codes and signals after which it is never restarted" },
	[W_SIGNIFICANT] = { "significant", WORKER(w.spec.significant), V1,
	    .type = T_BOOL, .def = "false",
	    .doc = "its end may shut its supervisor down" },
	[W_BACKOFF] = { "backoff", .where = IN_WORKER, .type = T_BACKOFF, V1,
	    .def = "off", .merge = true,
	    .doc = "growing pauses between restarts" },
	[W_MAX_ATTEMPTS] = { "max_attempts", WORKER(w.spec.max_attempts), V1,
	    .type = T_INT, .min = 1, .max = 1000000, .off = true, .def = "off",
	    .doc = "restarts in a row after which its supervisor gives up" },
	[W_READY] = { "ready", WORKER(w), .type = T_READY, .def = "exec", V1,
	    .doc = "what makes it ready, so that the next child starts" },
	[W_START_TIMEOUT] = { "start_timeout", V1,
	    WORKER(w.spec.start_timeout_ns), .type = T_TIMEOUT, .def = "60s",
	    .doc = "longest time from exec to ready" },
	[W_START_GRACE] = { "start_grace", WORKER(w.spec.start_grace_ns), V1,
	    .type = T_DURATION, .def = "0s",
	    .doc = "with ready exec: an end this early is a failed start" },
	[W_HEARTBEAT] = { "heartbeat", WORKER(w.spec.heartbeat_ns), V1,
	    .type = T_DURATION, .min = NS_PER_MS, .off = true, .def = "off", NEXT,
	    .doc = "longest silence between its signs of life" },
	[W_HEALTH] = { "health", .where = IN_WORKER, .type = T_HEALTH, V1,
	    .def = "off", .doc = "probes of the ready worker" },
	[W_MAX_LIFETIME] = { "max_lifetime", WORKER(w.spec.max_lifetime_ns), V1,
	    .type = T_DURATION, .min = NS_PER_MS, .off = true, .def = "off",
	    .doc = "after this time it is replaced" },
	[W_SHUTDOWN] = { "shutdown", WORKER(shutdown_ns), .type = T_SHUTDOWN, V1,
	    .def = "5s", .doc = "time to stop before it is killed" },
	[W_STOP_SIGNAL] = { "stop_signal", WORKER(stop_signal), V1,
	    .type = T_SIGNAL, .def = "TERM", .doc = "what asks it to stop" },
	[W_STOP_SEQUENCE] = { "stop_sequence", WORKER(w.spec), .type = T_STOPS,
	    V1, .doc = "signals and waits, instead of the two above" },
	[W_KILL_MODE] = { "kill_mode", WORKER(kill_mode), .type = T_CHOICE, V1, NEXT,
	    .choices = "group process", .def = "group",
	    .doc = "whom the signals reach" },
	[W_PRE_START] = { "pre_start", WORKER(w.pre_start), .type = T_HOOK, V1,
	    .def = "[]", .doc = "command before each start" },
	[W_POST_STOP] = { "post_stop", WORKER(w.post_stop), .type = T_HOOK, V1,
	    .def = "[]", .doc = "command after each end" },
	[W_HOOK_TIMEOUT] = { "hook_timeout", V1,
	    WORKER(w.spec.hook_timeout_ns), .type = T_TIMEOUT, .min = NS_PER_MS,
	    .def = "30s", .doc = "longest time for either of these" },
	[W_USER] = { "user", .where = IN_WORKER, .type = T_USER, V1, NEXT,
	    .doc = "run as this user" },
	[W_GROUP] = { "group", .where = IN_WORKER, .type = T_GROUP, V1, NEXT,
	    .doc = "run in this group; default: the user's" },
	[W_GROUPS] = { "groups", .where = IN_WORKER, .type = T_GROUPS, V1, NEXT,
	    .doc = "supplementary groups; default: the user's" },
	[W_UMASK] = { "umask", WORKER(w.umask), .type = T_UMASK, V1, NEXT,
	    .def = "022", .doc = "file mode creation mask" },
	[W_CWD] = { "cwd", WORKER(w.cwd), .type = T_DIR, .def = "/", V1, NEXT,
	    .doc = "working directory" },
	[W_ENV] = { "env", .where = IN_WORKER, .type = T_ENV, .merge = true, V1, NEXT,
	    .def = "{}", .doc = "environment variables" },
	[W_ENV_FILE] = { "env_file", .where = IN_WORKER, .type = T_FILE, V1, NEXT,
	    .doc = "file of KEY=VALUE lines, read at load" },
	[W_ENV_CLEAR] = { "env_clear", WORKER(w.env_clear), .type = T_BOOL, V1, NEXT,
	    .def = "false", .doc = "start from an empty environment" },
	[W_STDIN] = { "stdin", WORKER(w.in), .type = T_IO, .def = "null", V1, NEXT,
	    .choices = "null inherit", .doc = "standard input" },
	[W_STDOUT] = { "stdout", WORKER(w.out), .type = T_IO, .def = "log", V1, NEXT,
	    .choices = "log null inherit", .doc = "standard output" },
	[W_STDERR] = { "stderr", WORKER(w.err), .type = T_IO, .def = "log", V1, NEXT,
	    .choices = "log null inherit join", .doc = "standard error" },
	[W_LOG] = { "log", WORKER(w.log), .type = T_LOG, .merge = true, V1,
	    .def = "{}", .doc = "how its output is logged" },
	[W_MAILBOX] = { "mailbox", WORKER(w.mailbox), .type = T_MAILBOX, V1,
	    .merge = true, NEXT, .def = "{}",
	    .doc = "what waits for it when it talks by libmsg" },
	[W_RLIMIT] = { "rlimit", WORKER(w), .type = T_RLIMIT, .merge = true, V1, NEXT,
	    .def = "{}", .doc = "resource limits" },
	[W_NICE] = { "nice", WORKER(w.nice), .type = T_INT, V1, NEXT,
	    .min = -20, .max = 19, .has = offsetof(struct wbind, w.has_nice),
	    .doc = "scheduling priority" },
	[W_OOM_SCORE_ADJ] = { "oom_score_adj", WORKER(w.oom_score_adj), V1, NEXT,
	    .type = T_INT, .min = -1000, .max = 1000,
	    .has = offsetof(struct wbind, w.has_oom),
	    .doc = "how readily the kernel kills it when memory is short" },
	[W_REGISTER] = { "register", WORKER(w.names), .type = T_NAMES, V1, NEXT,
	    .def = "[]", .doc = "names that it has among the workers" },
	[W_LINK] = { "link", WORKER(w.links), .type = T_NAMES, V1, NEXT,
	    .def = "[]", .doc = "workers that it ends with, and they with it" },
	[W_MONITOR] = { "monitor", WORKER(w.monitors), .type = T_NAMES, V1, NEXT,
	    .def = "[]", .doc = "workers of whose every end it is told" },
	[W_ALLOW] = { "allow", WORKER(w.allow), .type = T_NAMES, V1, NEXT,
	    .def = "[]", .doc = "supervisors that it may command, or control" },

	[L_SIZE] = { "size", LOG(size_bytes), .type = T_SIZE, .def = "10M", V1,
	    .doc = "rotate the file beyond this size" },
	[L_KEEP] = { "keep", LOG(keep), .type = T_INT, .def = "5", V1,
	    .min = 0, .max = 1000, .doc = "old files kept" },
	[L_PREFIX] = { "prefix", LOG(prefix), .type = T_BOOL, .def = "true", V1,
	    .doc = "the worker's name on each line" },
	[L_TIME] = { "time", LOG(time), .type = T_BOOL, .def = "true", V1,
	    .doc = "the time on each line" },

	[B_MIN] = { "min", BACKOFF(pause.min_ns), .type = T_DURATION, V1,
	    .min = NS_PER_MS, .def = "1s", .doc = "the first pause" },
	[B_MAX] = { "max", BACKOFF(pause.max_ns), .type = T_DURATION, V1,
	    .min = NS_PER_MS, .def = "60s", .doc = "the longest pause" },
	[B_FACTOR] = { "factor", BACKOFF(pause.factor_milli), V1,
	    .type = T_FACTOR, .def = "2",
	    .doc = "each pause is so many times the last" },
	[B_JITTER] = { "jitter", BACKOFF(pause.jitter_milli), V1,
	    .type = T_PERCENT, .def = "10%",
	    .doc = "each is longer or shorter by up to this, at random" },
	[B_RESET_AFTER] = { "reset_after", BACKOFF(reset_after_ns), V1,
	    .type = T_DURATION, .min = NS_PER_MS, .def = "60s",
	    .doc = "ready for so long, it starts afresh" },

	[H_TCP] = { "tcp", ASKED(addr), .type = T_TCP, V1,
	    .doc = "an address that must accept a connection" },
	[H_UNIX] = { "unix", ASKED(addr), .type = T_UNIX, V1,
	    .doc = "a socket that must accept a connection" },
	[H_HTTP] = { "http", .where = IN_HEALTH, .type = T_URL, V1,
	    .doc = "a URL that must answer with 2xx or 3xx" },
	[H_PROBE] = { "probe", ASKED(argv), .type = T_COMMAND, V1,
	    .doc = "a command that must exit with 0" },
	[H_INTERVAL] = { "interval", HEALTH(interval_ns), .type = T_DURATION, V1,
	    .min = NS_PER_MS, .def = "10s",
	    .doc = "from an answer to the next probe" },
	[H_TIMEOUT] = { "timeout", HEALTH(timeout_ns), .type = T_DURATION, V1,
	    .min = NS_PER_MS, .def = "3s",
	    .doc = "a probe without an answer by then has failed" },
	[H_FAILURES] = { "failures", HEALTH(failures), .type = T_INT, V1,
	    .min = 1, .max = 1000, .def = "3",
	    .doc = "it is unhealthy after so many failed probes in a row" },
	[H_INITIAL_DELAY] = { "initial_delay", HEALTH(initial_delay_ns), V1,
	    .type = T_DURATION, .def = "0s",
	    .doc = "from ready to the first probe" },

	[M_MAX_BYTES] = { "max_bytes", MAILBOX(max_bytes), .type = T_SIZE, V1,
	    .min = 64 * 1024, NEXT, .def = "64M",
	    .doc = "bytes of messages that may wait to be received" },
	[M_ON_FULL] = { "on_full", MAILBOX(on_full), .type = T_CHOICE, V1, NEXT,
	    .choices = "block drop kill", .def = "block",
	    .doc = "what becomes of a message beyond that" },
	[M_ON_RESTART] = { "on_restart", MAILBOX(on_restart), V1, NEXT,
	    .type = T_CHOICE, .choices = "drop keep", .def = "drop",
	    .doc = "what becomes of messages to its names while it restarts" },

	[LATER_FIRST] = LATER("tags", "labels to select it by"),
	LATER("no_new_privs", "forbid it to gain privileges"),
	LATER("capabilities", "capabilities it keeps"),
	LATER("secret_env", "environment from protected files"),
	LATER("ionice", "I/O priority"),
	LATER("sched", "scheduling policy"),
	LATER("cpu_affinity", "processors it may use"),
	LATER("cgroup", "control group limits"),
	LATER("sockets", "listening sockets passed to it"),
	LATER("fd_store_max", "file descriptors kept over restarts"),
	{ .name = "rate", .where = IN_LOG, .type = T_LATER,
	    .doc = "most lines a second" },
};
/* clang-format on */

const size_t schema_n_keys = ARRAY_LEN(schema_keys);

_Static_assert(ARRAY_LEN(schema_keys) <= KEY_MAX, "KEY_MAX is too small");

const struct key *
schema_find(enum key_where where, const char *name)
{
	size_t i;

	for (i = 0; i < schema_n_keys; i++) {
		if (schema_keys[i].where == where &&
		    strcmp(schema_keys[i].name, name) == 0)
			return &schema_keys[i];
	}
	return NULL;
}

bool
schema_inside(enum value_type type, enum key_where *ret_where)
{
	if (type == T_LOG)
		*ret_where = IN_LOG;
	else if (type == T_BACKOFF)
		*ret_where = IN_BACKOFF;
	else if (type == T_HEALTH)
		*ret_where = IN_HEALTH;
	else if (type == T_MAILBOX)
		*ret_where = IN_MAILBOX;
	else
		return false;
	return true;
}

const char *
schema_suggest(enum key_where where, const char *name)
{
	const char *candidates[KEY_MAX];
	size_t i, n = 0;

	for (i = 0; i < schema_n_keys; i++) {
		if (schema_keys[i].where == where &&
		    schema_keys[i].type != T_LATER)
			candidates[n++] = schema_keys[i].name;
	}
	return value_suggest(name, candidates, n);
}
