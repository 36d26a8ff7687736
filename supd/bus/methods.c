/* SPDX-License-Identifier: ISC */
#include "bus/methods.h"

#include "base/log.h"
#include "base/mono.h"
#include "bus/bus.h"
#include "bus/childcall.h"
#include "bus/guest.h"
#include "bus/inbox.h"
#include "bus/info.h"
#include "bus/jsonrpc.h"
#include "bus/stream.h"
#include "bus/target.h"
#include "bus/trace.h"

#include <stdio.h>
#include <string.h>

/* ---- params ----------------------------------------------------------------
 */

bool
param_int(struct request *r, const json_t *params, const char *key, int64_t min,
    int64_t max, int64_t *val)
{
	const json_t *v = json_object_get(params, key);

	if (v == NULL || json_is_null(v))
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < min ||
	    json_integer_value(v) > max) {
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"%s\" must be an integer from %jd to %jd", key,
		    (intmax_t)min, (intmax_t)max);
		return false;
	}
	*val = json_integer_value(v);
	return true;
}

bool
param_bool(struct request *r, const json_t *params, const char *key, bool *val)
{
	const json_t *v = json_object_get(params, key);

	if (v == NULL || json_is_null(v))
		return true;
	if (!json_is_boolean(v)) {
		request_fail(
		    r, RPC_INVALID_PARAMS, "\"%s\" must be true or false", key);
		return false;
	}
	*val = json_is_true(v);
	return true;
}

bool
param_text(struct request *r, const json_t *params, const char *key,
    bool needed, size_t max, const char **ret)
{
	const json_t *v = json_object_get(params, key);

	if (v == NULL || json_is_null(v)) {
		if (needed) {
			request_fail(
			    r, RPC_INVALID_PARAMS, "\"%s\" is needed", key);
			return false;
		}
		*ret = NULL;
		return true;
	}
	if (!json_is_string(v)) {
		request_fail(
		    r, RPC_INVALID_PARAMS, "\"%s\" must be a text", key);
		return false;
	}
	if (json_string_length(v) > max) {
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"%s\" is %zu bytes long, the most is %zu", key,
		    json_string_length(v), max);
		return false;
	}
	*ret = json_string_value(v);
	return true;
}

bool
param_path(struct request *r, const json_t *params, const char *key,
    bool needed, const char **ret)
{
	if (!param_text(r, params, key, needed, WIRE_PATH_MAX - 1, ret))
		return false;
	if (*ret == NULL)
		*ret = "";
	if (needed && **ret == '\0') {
		request_fail(
		    r, RPC_INVALID_PARAMS, "\"%s\" must not be empty", key);
		return false;
	}
	return true;
}

void
fail_no_name(struct request *r, const char *what, const char *name)
{
	char like[512];

	names_like(r->client->bus, name, like, sizeof(like));
	if (like[0] != '\0')
		request_fail(r, CTL_NO_NAME, "no such %s: %s (there is %s)",
		    what, name, like);
	else
		request_fail(r, CTL_NO_NAME, "no such %s: %s", what, name);
}

/* ---- methods that the engine answers ---------------------------------------
 */

void
request_to_engine(struct request *r, struct wire_request *w, const char *tail)
{
	struct bus *b = r->client->bus;
	size_t len = tail != NULL ? strlen(tail) + 1 : 0;
	int e;

	if (len > WIRE_TAIL_MAX) {
		request_fail(r, RPC_INVALID_PARAMS,
		    "the text is %zu bytes long, the most is %d", len - 1,
		    WIRE_TAIL_MAX - 1);
		return;
	}
	/* The other half is for what the bus itself has to say. */
	if (b->engine.link.queued_bytes > BUS_LINK_BYTES_MAX / 2) {
		request_fail(r, CTL_FAILED,
		    "the engine is behind with its requests; try again later");
		return;
	}
	w->uid = r->client->uid;
	request_tag(r);
	e = bus_send(&b->engine, WIRE_REQUEST, r->tag, w, tail, len);
	if (e < 0) {
		request_fail(r, CTL_FAILED, "the engine cannot be asked: %s",
		    strerror(-e));
		return;
	}
	r->at_engine = true;
}

/* The params that most methods share: path, wait, timeout_ns. */
static bool
fill_request(struct request *r, const json_t *params, bool path_needed,
    struct wire_request *ret)
{
	const char *path;
	bool wait = true;

	*ret = (struct wire_request){ .op = r->method->op };
	if (!param_path(r, params, "path", path_needed, &path) ||
	    !param_bool(r, params, "wait", &wait) ||
	    !param_int(r, params, "timeout_ns", 0, INT64_MAX, &ret->timeout_ns))
		return false;
	if (!wait)
		ret->flags |= REQUEST_NO_WAIT;
	memcpy(ret->path, path, strlen(path) + 1);
	r->path = strdup(path);
	if (r->path == NULL) {
		request_fail(r, CTL_FAILED, "out of memory");
		return false;
	}
	return true;
}

static void
run_status(struct request *r, const json_t *params)
{
	struct wire_request w;

	if (fill_request(r, params, false, &w))
		request_to_engine(r, &w, NULL);
}

static void
run_path(struct request *r, const json_t *params)
{
	struct wire_request w;

	if (fill_request(r, params, true, &w))
		request_to_engine(r, &w, NULL);
}

static void
run_shutdown(struct request *r, const json_t *params)
{
	struct wire_request w = { .op = OP_SHUTDOWN };

	(void)params;
	request_to_engine(r, &w, NULL);
}

static void
run_kill(struct request *r, const json_t *params)
{
	const json_t *sig = json_object_get(params, "signal");
	const char *name = "TERM";
	struct wire_request w;

	if (!fill_request(r, params, true, &w))
		return;
	if (json_is_integer(sig)) {
		if (!param_int(r, params, "signal", 1, 64, &w.n))
			return;
		request_to_engine(r, &w, NULL);
		return;
	}
	if (!param_text(r, params, "signal", false, 32, &name))
		return;
	w.n = signal_of_name(name != NULL ? name : "TERM");
	if (w.n == 0)
		request_fail(r, RPC_INVALID_PARAMS, "no such signal: %s", name);
	else
		request_to_engine(r, &w, NULL);
}

void
method_add(struct request *r, const json_t *params, struct wire_request *w)
{
	const json_t *args = json_object_get(params, "args");
	cleanup_(freep) char *list = NULL;
	const char *spec;

	if (!param_text(r, params, "spec", false, WIRE_TAIL_MAX - 1, &spec))
		return;
	if (args != NULL && !json_is_null(args) && !json_is_array(args)) {
		request_fail(r, RPC_INVALID_PARAMS, "\"args\" must be a list");
		return;
	}
	if (json_is_array(args))
		list = json_dumps(args, JSON_COMPACT);
	if (spec != NULL && spec[0] != '\0' && json_array_size(args) != 0)
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"spec\" is for a new child, \"args\" for a copy of a "
		    "simple_one_for_one's template: give one of them");
	else if (spec != NULL && spec[0] != '\0')
		request_to_engine(r, w, spec);
	else
		request_to_engine(r, w, list != NULL ? list : "[]");
}

static void
run_add(struct request *r, const json_t *params)
{
	struct wire_request w;

	if (fill_request(r, params, true, &w))
		method_add(r, params, &w);
}

static void
run_wait(struct request *r, const json_t *params)
{
	static const char *const states[WAIT_N] = {
		[WAIT_READY] = "ready",
		[WAIT_DOWN] = "down",
		[WAIT_RESTARTED] = "restarted",
	};
	struct wire_request w;
	const char *what;

	if (!fill_request(r, params, true, &w) ||
	    !param_text(r, params, "for", true, 32, &what))
		return;
	for (w.n = 0; w.n < WAIT_N; w.n++)
		if (strcmp(states[w.n], what) == 0)
			break;
	if (w.n == WAIT_N)
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"for\" must be ready, down or restarted, not \"%s\"",
		    what);
	else
		request_to_engine(r, &w, NULL);
}

/* A file, which the engine reads; without it, the one supd began with. */
static void
run_config(struct request *r, const json_t *params)
{
	struct wire_request w;
	const char *file;
	bool dry_run = false;

	if (!fill_request(r, params, false, &w) ||
	    !param_path(r, params, "file", false, &file) ||
	    !param_bool(r, params, "dry_run", &dry_run))
		return;
	if (*file != '\0' && *file != '/') {
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"file\" must be an absolute path: supd reads it");
		return;
	}
	memcpy(w.path, file, strlen(file) + 1);
	if (dry_run)
		w.flags |= REQUEST_DRY_RUN;
	request_to_engine(r, &w, NULL);
}

static void
run_simulate(struct request *r, const json_t *params)
{
	struct wire_request w;

	if (!fill_request(r, params, true, &w))
		return;
	w.n = 1;
	w.every_ns = NS_PER_S;
	if (param_int(r, params, "repeat", 1, INT32_MAX, &w.n) &&
	    param_int(r, params, "every_ns", 0, INT64_MAX, &w.every_ns))
		request_to_engine(r, &w, NULL);
}

/* ---- methods of the bus ----------------------------------------------------
 */

void
done_json(struct request *r, json_t *take)
{
	cleanup_(buf_fini) struct buf out = { 0 };

	json_to_buf(&out, take);
	if (out.failed)
		request_fail(r, CTL_FAILED, "out of memory");
	else
		request_done(r, buf_str(&out));
}

static void
run_ping(struct request *r, const json_t *params)
{
	(void)params;
	done_json(r, json_pack("{s:i,s:s}", "pid", r->client->bus->supd_pid,
			 "version", SUPD_VERSION));
}

static void
run_names(struct request *r, const json_t *params)
{
	struct bus *b = r->client->bus;
	json_t *list = json_array();
	struct name *n;

	(void)params;
	RB_FOREACH (n, name_tree, &b->names.tree) {
		const struct peer *p = n->peer;
		int32_t os_pid = p != NULL ? p->os_pid : n->client->os_pid;

		json_array_append_new(list,
		    json_pack("{s:s,s:o,s:o,s:o}", "name", n->text, "path",
			p != NULL ? text_json(p->path, strlen(p->path))
				  : json_null(),
			"pid",
			pid_json(p != NULL ? peer_pid(p) : n->client->guest),
			"os_pid",
			os_pid > 0 ? json_integer(os_pid) : json_null()));
	}
	done_json(r, list);
}

static const struct method methods[] = {
	{ "ping", run_ping, OP_N, RESULT_NOTHING, METHOD_FREE },
	{ "status", run_status, OP_STATUS, RESULT_ROWS, METHOD_ALLOW },
	{ "show", run_path, OP_SHOW, RESULT_ROWS, METHOD_ALLOW },
	{ "why", run_path, OP_WHY, RESULT_WHY, METHOD_ALLOW },
	{ "events", stream_events, OP_EVENTS, RESULT_EMPTY, METHOD_NO },
	{ "logs", stream_logs, OP_N, RESULT_EMPTY, METHOD_NO },
	{ "start", run_path, OP_START, RESULT_ROWS, METHOD_ALLOW },
	{ "stop", run_path, OP_STOP, RESULT_ROWS, METHOD_ALLOW },
	{ "restart", run_path, OP_RESTART, RESULT_ROWS, METHOD_ALLOW },
	{ "kill", run_kill, OP_KILL, RESULT_ROWS, METHOD_ALLOW },
	{ "add", run_add, OP_ADD, RESULT_ROWS, METHOD_ALLOW },
	{ "remove", run_path, OP_REMOVE, RESULT_EMPTY, METHOD_ALLOW },
	{ "diff", run_config, OP_DIFF, RESULT_CHANGES, METHOD_ALLOW },
	{ "apply", run_config, OP_APPLY, RESULT_CHANGES, METHOD_ALLOW },
	{ "reload", run_config, OP_RELOAD, RESULT_CHANGES, METHOD_ALLOW },
	{ "simulate", run_simulate, OP_SIMULATE, RESULT_STEPS, METHOD_ALLOW },
	{ "wait", run_wait, OP_WAIT, RESULT_ROWS, METHOD_ALLOW },
	{ "start_child", childcall_start, OP_CHILD, RESULT_CHILD,
	    METHOD_ALLOW },
	{ "terminate_child", childcall_terminate, OP_CHILD, RESULT_CHILD,
	    METHOD_ALLOW },
	{ "restart_child", childcall_restart, OP_CHILD, RESULT_CHILD,
	    METHOD_ALLOW },
	{ "delete_child", childcall_delete, OP_CHILD, RESULT_CHILD,
	    METHOD_ALLOW },
	{ "which_children", childcall_which, OP_CHILD, RESULT_CHILD,
	    METHOD_FREE },
	{ "count_children", childcall_count, OP_CHILD, RESULT_CHILD,
	    METHOD_FREE },
	{ "names", run_names, OP_N, RESULT_NOTHING, METHOD_FREE },
	{ "whereis", info_whereis, OP_N, RESULT_NOTHING, METHOD_FREE },
	{ "info", info_info, OP_N, RESULT_NOTHING, METHOD_FREE },
	{ "trace", trace_trace, OP_N, RESULT_NOTHING, METHOD_NO },
	{ "sys", info_sys, OP_N, RESULT_NOTHING, METHOD_NO },
	{ "call", guest_call, OP_N, RESULT_NOTHING, METHOD_NO },
	{ "send", guest_send, OP_N, RESULT_NOTHING, METHOD_NO },
	{ "cast", guest_cast, OP_N, RESULT_NOTHING, METHOD_NO },
	{ "register", inbox_register, OP_N, RESULT_NOTHING, METHOD_NO },
	{ "unregister", inbox_unregister, OP_N, RESULT_NOTHING, METHOD_NO },
	{ "receive", inbox_receive, OP_N, RESULT_EMPTY, METHOD_NO },
	{ "reply", inbox_reply, OP_N, RESULT_NOTHING, METHOD_NO },
	{ "monitor", guest_monitor, OP_N, RESULT_NOTHING, METHOD_NO },
	{ "exit", guest_exit, OP_N, RESULT_NOTHING, METHOD_NO },
	{ "shutdown", run_shutdown, OP_SHUTDOWN, RESULT_NOTHING, METHOD_ALLOW },
};

static const char *const known_params[] = { "path", "wait", "timeout_ns", "n",
	"follow", "signal", "spec", "args", "for", "name", "payload", "repeat",
	"every_ns", "file", "dry_run", "op", "to", "ref", "error", "reason" };

/* A mistyped key must not silently mean its default. */
static const char *
unknown_param(const json_t *params)
{
	void *it;

	/* jansson iterates without changing the object. */
	for (it = json_object_iter((json_t *)(uintptr_t)params); it != NULL;
	     it = json_object_iter_next((json_t *)(uintptr_t)params, it)) {
		const char *key = json_object_iter_key(it);
		bool known = false;

		for (size_t i = 0; i < ARRAY_LEN(known_params); i++)
			known |= strcmp(key, known_params[i]) == 0;
		if (!known)
			return key;
	}
	return NULL;
}

const struct method *
method_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
	return NULL;
}

void
method_run(struct request *r, const json_t *params)
{
	const char *bad = unknown_param(params);

	if (bad != NULL)
		request_fail(
		    r, RPC_INVALID_PARAMS, "no such parameter: %s", bad);
	else
		r->method->run(r, params);
}

static void
answer_error(struct client *c, const json_t *id, int code, const char *text)
{
	cleanup_(buf_fini) struct buf line = { 0 };

	if (id == NULL)
		return;
	rpc_put_error(&line, id, code, text, NULL);
	client_send(c, &line);
}

static void
dispatch(struct client *c, const struct rpc_request *q)
{
	const struct method *m = method_find(q->method);
	struct request *r;

	if (m == NULL) {
		answer_error(c, q->id, RPC_NO_METHOD, "no such method");
		return;
	}
	r = request_new(c, q->id, m);
	if (r == NULL) {
		answer_error(c, q->id, CTL_FAILED, "out of memory");
		return;
	}
	method_run(r, q->params);
}

void
client_line(struct client *c, const char *line, size_t len)
{
	struct rpc_request q;
	const char *text;
	int e = rpc_parse(line, len, &q, &text);

	if (!c->permitted)
		answer_error(c, q.id, CTL_NOT_PERMITTED,
		    "not permitted: only root and the user who runs supd");
	else if (e != 0)
		answer_error(c, q.id, e, text);
	else
		dispatch(c, &q);
	rpc_request_fini(&q);
}
