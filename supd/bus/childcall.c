/* SPDX-License-Identifier: ISC */
#include "bus/childcall.h"

#include "bus/bus.h"
#include "bus/jsonrpc.h"
#include "bus/methods.h"
#include "bus/target.h"

#include <stdio.h>
#include <string.h>

static bool
fill(struct request *r, const json_t *params, enum child_call call,
    struct wire_request *ret)
{
	const struct peer *asker = r->client->peer;
	const char *path;

	*ret = (struct wire_request){
		.op = OP_CHILD,
		.n = call,
		.asker = asker != NULL ? asker->slot + 1 : 0,
	};
	if (!param_path(r, params, "path", true, &path) ||
	    !param_int(r, params, "timeout_ns", 0, INT64_MAX, &ret->timeout_ns))
		return false;
	memcpy(ret->path, path, strlen(path) + 1);
	return true;
}

void
childcall_start(struct request *r, const json_t *params)
{
	struct wire_request w;

	if (fill(r, params, CHILD_CALL_START, &w))
		method_add(r, params, &w);
}

static void
about_one(struct request *r, const json_t *params, enum child_call call)
{
	struct wire_request w;
	const char *name;

	if (fill(r, params, call, &w) &&
	    param_text(r, params, "name", true, WIRE_PATH_MAX - 1, &name))
		request_to_engine(r, &w, name);
}

void
childcall_terminate(struct request *r, const json_t *params)
{
	about_one(r, params, CHILD_CALL_TERMINATE);
}

void
childcall_restart(struct request *r, const json_t *params)
{
	about_one(r, params, CHILD_CALL_RESTART);
}

void
childcall_delete(struct request *r, const json_t *params)
{
	about_one(r, params, CHILD_CALL_DELETE);
}

static void
about_all(struct request *r, const json_t *params, enum child_call call)
{
	struct wire_request w;

	if (fill(r, params, call, &w))
		request_to_engine(r, &w, NULL);
}

void
childcall_which(struct request *r, const json_t *params)
{
	about_all(r, params, CHILD_CALL_WHICH);
}

void
childcall_count(struct request *r, const json_t *params)
{
	about_all(r, params, CHILD_CALL_COUNT);
}

json_t *
childcall_json(const struct wire_row *row)
{
	const char *slash = strrchr(row->path, '/');
	const char *name = slash != NULL ? slash + 1 : row->path;
	bool is_sup = (row->flags & ROW_SUP) != 0;
	char pid[PID_TEXT_MAX];

	pid_text(PROTO_PID(row->slot, row->inc), pid);
	return json_pack("{s:o,s:o,s:s,s:s,s:o,s:o}", "name",
	    text_json(name, strlen(name)), "path",
	    text_json(row->path, strlen(row->path)), "type",
	    is_sup ? "supervisor" : "worker", "state", row->state, "pid",
	    row->pid > 0 ? json_string(pid) : json_null(), "os_pid",
	    row->pid > 0 ? json_integer(row->pid) : json_null());
}

static json_t *
counts_json(const char *text)
{
	unsigned specs, active, supervisors, workers;

	if (sscanf(text, "%u %u %u %u", &specs, &active, &supervisors,
		&workers) != 4)
		return json_null();
	return json_pack("{s:I,s:I,s:I,s:I}", "specs", (json_int_t)specs,
	    "active", (json_int_t)active, "supervisors",
	    (json_int_t)supervisors, "workers", (json_int_t)workers);
}

/* {"result", "reason", "children", "counts"}; takes the counts. */
static void
done(struct request *r, const char *result, size_t len, const char *reason,
    json_t *counts)
{
	cleanup_(buf_fini) struct buf out = { 0 };

	buf_puts(&out, "{\"result\":");
	json_to_buf(&out, text_json(result, len));
	buf_puts(&out, ",\"reason\":");
	json_to_buf(&out,
	    reason != NULL ? text_json(reason, strlen(reason)) : json_null());
	buf_printf(&out, ",\"children\":[%s],\"counts\":", buf_str(&r->rows));
	json_to_buf(&out, counts);
	buf_puts(&out, "}");
	r->rows.failed |= out.failed;
	request_done(r, buf_str(&out));
}

void
childcall_done(struct request *r, const char *text)
{
	bool counts = r->method->run == childcall_count;
	size_t len = strcspn(text, "\n");
	const char *more = text[len] == '\n' ? text + len + 1 : NULL;

	if (more != NULL && counts)
		done(r, text, len, NULL, counts_json(more));
	else
		done(r, text, len, more, json_null());
}

void
childcall_invalid(struct request *r, const char *why)
{
	done(r, "invalid", strlen("invalid"), why, json_null());
}
