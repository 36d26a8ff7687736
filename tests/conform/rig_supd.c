/* SPDX-License-Identifier: ISC */
/*
 * The real thing: one supd for all cases, supctl for the calls, its control
 * socket to see what has happened, and `mole serve` for the children.
 *
 * From the environment: SUPD, SUPCTL (programs), WORKERS (a directory).
 */
#include "rig_supd.h"

#include "conform.h"
#include "daemon.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* ---- what there is to see ------------------------------------------------
 */

/* The nodes that match; to be released. */
static json_t *
status(const char *pattern)
{
	json_t *msg = daemon_ask("status", json_pack("{s:s}", "path", pattern));
	json_t *nodes = json_incref(json_object_get(msg, "result"));

	json_decref(msg);
	return nodes;
}

static const char *
state_word(const json_t *node)
{
	const char *s = json_string_value(json_object_get(node, "state"));

	if (s == NULL)
		return "none";
	if (strcmp(s, "ready") == 0 || strcmp(s, "up") == 0)
		return "running";
	if (strcmp(s, "waiting") == 0)
		return "restarting";
	if (strcmp(s, "starting") == 0)
		return "starting";
	if (strcmp(s, "stopping") == 0)
		return "stopping";
	if (strcmp(s, "ended") == 0)
		return "ended";
	return "undefined"; /* stopped, failed, disabled */
}

static json_t *
node_of(const char *path)
{
	char full[256];
	json_t *nodes, *node;

	full_path(path, full, sizeof(full));
	nodes = status(full);
	node = json_incref(json_array_get(nodes, 0));
	json_decref(nodes);
	return node;
}

const char *
supd_state(const char *path)
{
	json_t *node = node_of(path);
	const char *word = state_word(node);

	json_decref(node);
	return word;
}

static json_t *
children_of(const char *path)
{
	char full[256];

	full_path(path, full, sizeof(full));
	strcat(full, "/*");
	return status(full);
}

static void
supd_children(const char *path,
    void (*each)(void *ctx, const char *name, const char *state), void *ctx)
{
	json_t *nodes = children_of(path), *node;
	size_t i;

	json_array_foreach(nodes, i, node) each(ctx,
	    json_string_value(json_object_get(node, "name")), state_word(node));
	json_decref(nodes);
}

static struct counts
supd_counts(const char *path)
{
	json_t *nodes = children_of(path), *node;
	struct counts k = { 0 };
	size_t i;

	json_array_foreach(nodes, i, node)
	{
		bool sup =
		    strcmp(json_string_value(json_object_get(node, "type")),
			"supervisor") == 0;

		k.specs++;
		k.active += strcmp(state_word(node), "running") == 0;
		k.supervisors += sup;
		k.workers += !sup;
	}
	json_decref(nodes);
	return k;
}

static int64_t
number_of(const char *path, const char *key)
{
	json_t *node = node_of(path);
	int64_t v = json_integer_value(json_object_get(node, key));

	json_decref(node);
	return v;
}

static uint64_t
supd_incarnation(const char *path)
{
	return (uint64_t)number_of(path, "incarnation");
}

static uint32_t
supd_restarts_used(const char *path)
{
	return (uint32_t)number_of(path, "used");
}

static void
supd_kill(const char *path, enum how how)
{
	pid_t pid = (pid_t)number_of(path, "pid");
	int sig = 0;

	switch (how) {
	case NORMAL:
		sig = SIGRTMIN;
		break;
	case SHUTDOWN:
		sig = SIGTERM;
		break;
	case SHUTDOWN_TERM:
		sig = SIGRTMIN + TERM_CODE;
		break;
	case ABNORMAL:
		sig = SIGRTMIN + 1;
		break;
	case KILL:
		sig = SIGKILL;
		break;
	}
	if (pid <= 1 || kill(pid, sig) < 0)
		conform_fail(__FILE__, __LINE__, "%s does not run", path);
}

pid_t
os_pid(const char *path)
{
	return (pid_t)number_of(path, "pid");
}

static void
supd_outlive_period(const char *path)
{
	while (supd_restarts_used(path) > 0)
		daemon_pause();
}

/* ---- the calls -----------------------------------------------------------
 */

/* What supctl said, as a term of table 1.9. */
static const char *
term_of(int code)
{
	static char text[sizeof(d.said) + 32];

	d.said[strcspn(d.said, "\n")] = '\0';
	if (code == 0)
		return "ok";
	if (code == 8)
		return "invalid";
	if (code == 4)
		return "not_found";
	if (strstr(d.said, "(ready)") || strstr(d.said, "(up)"))
		return "already_started";
	if (strstr(d.said, "of that name is there already"))
		return "already_present";
	if (strstr(d.said, "max_children"))
		return "max_children";
	if (strstr(d.said, "start that first"))
		return "noproc";
	if (strstr(d.said, "simple_one_for_one supervisor"))
		return "simple_one_for_one";
	if (strstr(d.said, "enabled: false"))
		return "ok undefined";
	if (strstr(d.said, "before it was ready") ||
	    strstr(d.said, "failed to start") || strstr(d.said, "exec "))
		return "start_failed";
	snprintf(text, sizeof(text), "exit %d: %s", code, d.said);
	return text;
}

static const char *
act(const char *verb, const char *path, const char *spec)
{
	char full[256];

	full_path(path, full, sizeof(full));
	return term_of(supctl(verb, full, spec));
}

/* The state of the child that was added, or "none" when it is not kept. */
static const char *
added_state(void)
{
	json_t *nodes = json_loads(d.said, 0, NULL);
	const char *word = state_word(json_array_get(nodes, 0));

	json_decref(nodes);
	return word;
}

static const char *
supd_start_child(const char *path, const char *spec)
{
	char full[256], arg[64];
	const char *term;
	int code;

	/* A pool takes its arguments as words: "[gate=x]". */
	snprintf(arg, sizeof(arg), "%s", spec[0] == '[' ? spec + 1 : "");
	arg[strcspn(arg, "]")] = '\0';
	if (spec[0] == '[')
		spec = arg[0] != '\0' ? arg : NULL;
	full_path(path, full, sizeof(full));
	code = supctl("add", full, spec);
	if (code == 0 && strcmp(added_state(), "running") != 0)
		return "ok undefined";
	term = term_of(code);
	return strcmp(term, "not_found") == 0 ? "noproc" : term;
}

static const char *
supd_terminate_child(const char *path)
{
	return act("stop", path, NULL);
}

static const char *
supd_restart_child(const char *path)
{
	return act("start", path, NULL);
}

static const char *
supd_delete_child(const char *path)
{
	return act("remove", path, NULL);
}

/* Send one request of many; what it answers is for await_answers(). */
static void
send_one(const char *method, json_t *params)
{
	int64_t id;

	d.client.deadline = daemon_in_ns(ANSWER_NS);
	if (client_send(&d.client, method, params, &id) < 0)
		conform_fail(__FILE__, __LINE__, "%s: supd is gone", method);
}

/* Each must have a result and no error. */
static void
await_answers(int n)
{
	json_t *msg;
	bool ok;

	while (n-- > 0) {
		d.client.deadline = daemon_in_ns(ANSWER_NS);
		if (client_recv(&d.client, &msg) < 0)
			conform_fail(__FILE__, __LINE__, "no answer");
		ok = json_object_get(msg, "result") != NULL;
		if (!ok)
			snprintf(d.said, sizeof(d.said), "%s",
			    json_string_value(json_object_get(
				json_object_get(msg, "error"), "message")));
		json_decref(msg);
		if (!ok)
			conform_fail(__FILE__, __LINE__, "%s", d.said);
	}
}

static void
supd_start_many(const char *path, const char *(*spec)(int i), int n)
{
	char full[256];
	int open = 0;

	full_path(path, full, sizeof(full));
	for (int i = 1; i <= n; i++) {
		send_one("add", json_pack("{s:s, s:s, s:b, s:I}", "path", full,
				    "spec", spec(i), "wait", 1, "timeout_ns",
				    (json_int_t)ANSWER_NS));
		if (++open == AT_A_TIME) {
			await_answers(open);
			daemon_pull();
			open = 0;
		}
	}
	await_answers(open);
}

static void
supd_terminate_each(const char *path)
{
	json_t *nodes = children_of(path), *node;
	int open = 0;
	size_t i;

	json_array_foreach(nodes, i, node)
	{
		send_one("stop", json_pack("{s:O, s:b, s:I}", "path",
				     json_object_get(node, "path"), "wait", 1,
				     "timeout_ns", (json_int_t)ANSWER_NS));
		if (++open == AT_A_TIME) {
			await_answers(open);
			daemon_pull();
			open = 0;
		}
	}
	await_answers(open);
	json_decref(nodes);
}

static void
supd_kill_each(const char *path)
{
	json_t *nodes = children_of(path), *node;
	size_t i;

	json_array_foreach(nodes, i, node)
	{
		pid_t pid =
		    (pid_t)json_integer_value(json_object_get(node, "pid"));

		if (pid > 1)
			kill(pid, SIGKILL);
	}
	json_decref(nodes);
}

/* When a later question is answered, supd has this one in its mailbox. */
static int
supd_begin_call(enum call call, const char *path, const char *spec)
{
	char full[256];
	json_t *params;

	full_path(path, full, sizeof(full));
	params = json_pack("{s:s, s:b, s:I}", "path", full, "wait", 1,
	    "timeout_ns", (json_int_t)ANSWER_NS);
	if (call == START_CHILD)
		json_object_set_new(params, "spec", json_string(spec));
	else if (call != TERMINATE_CHILD)
		abort();
	d.client.deadline = daemon_in_ns(ANSWER_NS);
	if (client_send(&d.client, call == START_CHILD ? "add" : "stop", params,
		&d.bg_id) < 0)
		conform_fail(__FILE__, __LINE__, "stop: supd is gone");
	json_decref(status("root"));
	return 0;
}

static const char *
supd_end_call(int handle)
{
	const json_t *error;

	(void)handle;
	json_decref(status("root"));
	if (d.bg_answer == NULL)
		return "pending";
	error = json_object_get(d.bg_answer, "error");
	if (error != NULL)
		snprintf(d.said, sizeof(d.said), "%s",
		    json_string_value(json_object_get(error, "message")));
	json_decref(d.bg_answer);
	d.bg_answer = NULL;
	d.bg_id = 0;
	return term_of(error != NULL);
}

static const char *
supd_seen_by(int handle)
{
	(void)handle;
	abort();
}

/* ---- gates ---------------------------------------------------------------
 */

static void
supd_gate(const char *name, const char *tokens)
{
	char path[128];
	size_t i;

	for (i = 0; i < d.n_gates; i++)
		if (strcmp(d.gate[i].name, name) == 0)
			break;
	if (i == d.n_gates) {
		if (i == GATES_MAX)
			abort();
		snprintf(path, sizeof(path), "%s/gates/%s", d.dir, name);
		if (mkfifo(path, 0600) < 0)
			conform_fail(__FILE__, __LINE__, "%s: mkfifo", path);
		snprintf(d.gate[i].name, sizeof(d.gate[0].name), "%s", name);
		d.gate[i].fd = open(path, O_RDWR | O_CLOEXEC);
		d.n_gates++;
	}
	if (write(d.gate[i].fd, tokens, strlen(tokens)) < 0)
		conform_fail(__FILE__, __LINE__, "%s: write", name);
}

static void
close_gates(void)
{
	char path[128];

	for (size_t i = 0; i < d.n_gates; i++) {
		close(d.gate[i].fd);
		snprintf(
		    path, sizeof(path), "%s/gates/%s", d.dir, d.gate[i].name);
		unlink(path);
	}
	d.n_gates = 0;
}

static void
supd_begin(uint32_t n_nodes)
{
	(void)n_nodes;
	if (d.pid == 0 && !daemon_start()) {
		printf("Bail out! supd does not start\n");
		exit(1);
	}
}

static void
supd_end(bool failed)
{
	/* Whoever waits at a gate goes on. */
	for (size_t i = 0; i < d.n_gates; i++)
		(void)!write(d.gate[i].fd, "oooooooooooooooo", 16);
	if (failed || d.configured || supctl("remove", "root/*", NULL) > 0) {
		daemon_stop();
		daemon_write_conf("");
		d.configured = false;
	}
	if (d.bg_answer != NULL)
		json_decref(d.bg_answer);
	d.bg_answer = NULL;
	d.bg_id = 0;
	close_gates();
}

/* ---- reload --------------------------------------------------------------
 */

static const char *
take_conf(const char *verb, const char *text)
{
	if (!daemon_write_conf(text))
		conform_fail(__FILE__, __LINE__, "%s: write", d.conf);
	return term_of(supctl(verb, d.conf, NULL));
}

/* From then on supd has another configuration: it lives for this case. */
static const char *
supd_start_tree(const char *text)
{
	if (d.configured) {
		daemon_stop();
		daemon_write_conf("");
		if (!daemon_start())
			conform_fail(__FILE__, __LINE__, "supd does not start");
	}
	d.configured = true;
	return take_conf("apply", text);
}

static const char *
supd_reload(const char *text)
{
	return take_conf("reload", text);
}

static const char *
supd_shutdown_of(const char *path)
{
	static const char key[] = "\"key\":\"shutdown\",\"value\":\"";
	static char text[32];
	char full[256];
	const char *at;

	full_path(path, full, sizeof(full));
	supctl("show", full, NULL);
	at = strstr(d.said, key);
	if (at == NULL)
		return "not shown";
	snprintf(text, sizeof(text), "%s", at + strlen(key));
	text[strcspn(text, "\"")] = '\0';
	return text;
}

static int
supd_intensity(const char *path)
{
	return (int)number_of(path, "intensity");
}

const struct rig rig_supd = {
	.name = "supd",
	.open = daemon_open,
	.close = daemon_close,
	.begin = supd_begin,
	.end = supd_end,
	.start_child = supd_start_child,
	.terminate_child = supd_terminate_child,
	.restart_child = supd_restart_child,
	.delete_child = supd_delete_child,
	.begin_call = supd_begin_call,
	.end_call = supd_end_call,
	.seen_by = supd_seen_by,
	.start_tree = supd_start_tree,
	.reload = supd_reload,
	.shutdown_of = supd_shutdown_of,
	.intensity = supd_intensity,
	.start_many = supd_start_many,
	.terminate_each = supd_terminate_each,
	.kill_each = supd_kill_each,
	.state = supd_state,
	.children = supd_children,
	.counts = supd_counts,
	.incarnation = supd_incarnation,
	.restarts_used = supd_restarts_used,
	.kill = supd_kill,
	.gate = supd_gate,
	.pull = daemon_pull,
	.pause = daemon_pause,
	.outlive_period = supd_outlive_period,
};
