/* SPDX-License-Identifier: ISC */
#include "bus/requests.h"

#include "base/log.h"
#include "bus/bus.h"
#include "bus/childcall.h"
#include "bus/command.h"
#include "bus/inbox.h"
#include "bus/jsonrpc.h"
#include "bus/stats.h"
#include "bus/stream.h"
#include "bus/sys.h"
#include "bus/trace.h"

#include <assert.h>
#include <string.h>

#define LAST_OUTPUT_LINES 10

static int
request_cmp(const struct request *a, const struct request *b)
{
	return a->tag < b->tag ? -1 : a->tag > b->tag;
}

RB_PROTOTYPE(request_tree, request, by_tag, request_cmp);
RB_GENERATE(request_tree, request, by_tag, request_cmp)

struct request *
request_new(struct client *c, const json_t *id, const struct method *m)
{
	struct request *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->client = c;
	r->method = m;
	r->id = id != NULL ? json_deep_copy(id) : NULL;
	TAILQ_INSERT_TAIL(&c->requests, r, of_client);
	c->n_requests++;
	return r;
}

bool
request_tag_as(struct request *r, uint64_t tag)
{
	assert(!r->has_tag);
	r->tag = tag;
	r->has_tag =
	    tag != 0 && RB_INSERT(request_tree,
			    &r->client->bus->control.requests, r) == NULL;
	return r->has_tag;
}

void
request_tag(struct request *r)
{
	if (r->has_tag)
		return;
	while (!request_tag_as(r, ++r->client->bus->control.last_tag))
		continue;
}

struct request *
request_find(struct bus *b, uint64_t tag)
{
	struct request key = { .tag = tag };

	return RB_FIND(request_tree, &b->control.requests, &key);
}

/* Undo everything that knows of it. */
static void
request_free(struct request *r)
{
	struct client *c = r->client;
	struct bus *b = c->bus;

	if (r->following)
		stream_unfollow(r);
	if (r->tracing)
		trace_unfollow(r);
	inbox_unfollow(r);
	if (r->at_engine)
		bus_send(&b->engine, WIRE_CANCEL, r->tag, NULL, NULL, 0);
	if (r->has_tag)
		RB_REMOVE(request_tree, &b->control.requests, r);
	if (r->timer != NULL)
		event_free(r->timer);
	if (r->sys != NULL)
		sys_cancel(b, r->sys);
	json_decref(r->known);
	TAILQ_REMOVE(&c->requests, r, of_client);
	c->n_requests--;
	json_decref(r->id);
	free(r->path);
	free(r->headline);
	buf_fini(&r->rows);
	buf_fini(&r->text);
	free(r);
}

void
request_drop(struct request *r)
{
	request_free(r);
}

/* The request ends with its answer. */
static void
request_answer(struct request *r, const struct buf *line)
{
	struct client *c = r->client;

	if (r->id != NULL)
		client_send(c, line);
	request_free(r);
	client_resume(c);
}

void
request_done(struct request *r, const char *result)
{
	cleanup_(buf_fini) struct buf line = { 0 };

	line.failed = r->rows.failed || r->text.failed;
	if (r->client->peer != NULL)
		command_done(r, line.failed ? "" : result);
	if (r->id != NULL)
		rpc_put_result(&line, r->id, result);
	request_answer(r, &line);
}

void
request_fail_data(
    struct request *r, int code, const char *text, const char *data)
{
	cleanup_(buf_fini) struct buf line = { 0 };

	if (r->client->peer != NULL)
		command_fail(r, code, text);
	if (r->id != NULL)
		rpc_put_error(&line, r->id, code, text, data);
	request_answer(r, &line);
}

void
request_fail(struct request *r, int code, const char *fmt, ...)
{
	cleanup_(buf_fini) struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	request_fail_data(r, code, buf_str(&text), NULL);
}

void
rows_add(struct buf *rows, json_t *take)
{
	if (rows->len != 0)
		buf_puts(rows, ",");
	json_to_buf(rows, take);
}

/* ---- the engine's answers ------------------------------------------------ */

static void
done_rows(struct request *r)
{
	cleanup_(buf_fini) struct buf out = { 0 };

	out.failed = r->rows.failed;
	buf_printf(&out, "[%s]", buf_str(&r->rows));
	r->rows.failed |= out.failed;
	request_done(r, buf_str(&out));
}

static void
done_why(struct request *r)
{
	cleanup_(buf_fini) struct buf out = { 0 };

	buf_puts(&out, "{\"path\":");
	json_to_buf(&out, text_json(r->path, strlen(r->path)));
	buf_puts(&out, ",\"headline\":");
	json_to_buf(&out, r->headline != NULL
			      ? text_json(r->headline, strlen(r->headline))
			      : json_null());
	buf_printf(&out, ",\"story\":[%s],\"last_output\":[%s]}",
	    buf_str(&r->rows), buf_str(&r->text));
	r->rows.failed |= out.failed;
	request_done(r, buf_str(&out));
}

/* {"path", "steps": [...], "summary"} */
static void
done_steps(struct request *r, const char *summary)
{
	cleanup_(buf_fini) struct buf out = { 0 };

	buf_puts(&out, "{\"path\":");
	json_to_buf(&out, text_json(r->path, strlen(r->path)));
	buf_printf(&out, ",\"steps\":[%s],\"summary\":", buf_str(&r->rows));
	json_to_buf(&out, text_json(summary, strlen(summary)));
	buf_puts(&out, "}");
	r->rows.failed |= out.failed;
	request_done(r, buf_str(&out));
}

/* The file that supd was started with. */
static void
on_own_file(struct request *r, const struct wire_hdr *h)
{
	size_t len;
	const char *value = wire_tail(h, &len);

	free(r->headline);
	r->headline = len != 0 ? strdup(value) : NULL;
}

/* {"file", "own_file", "changes": [...]} */
static void
put_changes(struct request *r, const char *file, struct buf *out)
{
	buf_puts(out, "{\"file\":");
	json_to_buf(
	    out, file != NULL ? text_json(file, strlen(file)) : json_null());
	buf_puts(out, ",\"own_file\":");
	json_to_buf(out, r->headline != NULL
			     ? text_json(r->headline, strlen(r->headline))
			     : json_null());
	buf_printf(out, ",\"changes\":[%s]}", buf_str(&r->rows));
	r->rows.failed |= out->failed;
}

static void
done_changes(struct request *r, const char *file)
{
	cleanup_(buf_fini) struct buf out = { 0 };

	put_changes(r, file, &out);
	request_done(r, buf_str(&out));
}

static json_t *
step_json(const struct wire_step *w)
{
	return json_pack("{s:I,s:s,s:o,s:o}", "at_ns", (json_int_t)w->at_ns,
	    "kind", w->kind, "path", text_json(w->path, strlen(w->path)),
	    "text", text_json(w->text, strlen(w->text)));
}

static void
on_field(struct request *r, const struct wire_hdr *h)
{
	const struct wire_field *w = wire_body(h);
	size_t len;
	const char *value = wire_tail(h, &len);

	rows_add(&r->rows,
	    json_pack("{s:o,s:o,s:o}", "key", text_json(w->key, strlen(w->key)),
		"value", text_json(value, len != 0 ? len - 1 : 0), "origin",
		w->origin[0] != '\0' ? text_json(w->origin, strlen(w->origin))
				     : json_null()));
}

static void
end_failed(struct request *r, int code, const char *text)
{
	cleanup_(buf_fini) struct buf data = { 0 };

	if (r->method->shape == RESULT_ROWS && r->rows.len != 0)
		buf_printf(&data, "{\"nodes\":[%s]}", buf_str(&r->rows));
	if (r->method->shape == RESULT_CHANGES && r->rows.len != 0)
		put_changes(r, NULL, &data);
	if (text[0] == '\0')
		text = "it failed, and supd does not say why";
	request_fail_data(
	    r, code, text, data.len != 0 && !data.failed ? data.data : NULL);
}

/* `why` goes on: the last lines of output, when it is a worker. */
static bool
why_ask_logger(struct request *r)
{
	struct bus *b = r->client->bus;
	struct peer *p = peers_by_path(b, r->path);
	struct wire_log_tail w = { .n = LAST_OUTPUT_LINES };

	if (p == NULL || r->text.len != 0)
		return false;
	w.slot = p->slot;
	r->slot = p->slot;
	r->at_logger =
	    bus_send(&b->logger, WIRE_LOG_TAIL, r->tag, &w, NULL, 0) == 0;
	return r->at_logger;
}

static void
on_end(struct request *r, const struct wire_hdr *h)
{
	const struct wire_end *w = wire_body(h);
	size_t len;
	const char *text = wire_tail(h, &len);

	r->at_engine = false;
	if (w->code == CTL_CONFIG && r->method->shape == RESULT_CHILD) {
		childcall_invalid(r, len != 0 ? text : "");
		return;
	}
	if (w->code != CTL_OK) {
		end_failed(r, w->code, len != 0 ? text : "");
		return;
	}
	if (r->method->op == OP_EVENTS) {
		stream_events_past(r);
		return;
	}
	switch (r->method->shape) {
	case RESULT_ROWS:
		done_rows(r);
		break;
	case RESULT_WHY:
		if (len > 1)
			r->headline = strdup(text);
		if (!why_ask_logger(r))
			done_why(r);
		break;
	case RESULT_STEPS:
		done_steps(r, len != 0 ? text : "");
		break;
	case RESULT_CHANGES:
		done_changes(r, len != 0 ? text : "");
		break;
	case RESULT_NOTHING:
		request_done(r, "null");
		break;
	case RESULT_EMPTY:
		request_done(r, "[]");
		break;
	case RESULT_CHILD:
		childcall_done(r, len != 0 ? text : "");
		break;
	}
}

/* The logger's part of `why`. */
static void
on_why_log(struct request *r, const struct wire_hdr *h)
{
	size_t len;
	const char *text = wire_tail(h, &len);

	if (h->type == WIRE_LOG_END)
		done_why(r);
	else
		rows_add(&r->text, text_json(text, len != 0 ? len - 1 : 0));
}

void
requests_frame(struct bus *b, const struct wire_hdr *h)
{
	struct request *r = request_find(b, h->tag);

	if (h->type == WIRE_EVENT && h->tag == 0) {
		stream_event(b, wire_body(h));
		return;
	}
	if (h->tag == 0 && h->type == WIRE_LOG_LINE) {
		stream_log_line(b, h);
		return;
	}
	if (h->tag == 0 && h->type == WIRE_LOG_END) {
		stream_log_end(b, wire_body(h));
		return;
	}
	if (r == NULL) {
		(void)spawn_end(b, h);
		return; /* or cancelled meanwhile */
	}
	if (h->type == WIRE_LOG_LINE || h->type == WIRE_LOG_END) {
		if (!r->at_logger)
			return;
		r->at_logger = h->type != WIRE_LOG_END;
		if (r->method->shape == RESULT_WHY)
			on_why_log(r, h);
		else
			stream_log_past(r, h);
		return;
	}
	if (!r->at_engine)
		return;
	if (h->type == WIRE_ROW && r->method->shape == RESULT_CHILD)
		rows_add(&r->rows, childcall_json(wire_body(h)));
	else if (h->type == WIRE_ROW)
		rows_add(&r->rows, stats_node(b, wire_body(h)));
	else if (h->type == WIRE_CHANGE)
		rows_add(&r->rows, change_json(h));
	else if (h->type == WIRE_STEP)
		rows_add(&r->rows, step_json(wire_body(h)));
	else if (h->type == WIRE_FIELD && r->method->shape == RESULT_CHANGES)
		on_own_file(r, h);
	else if (h->type == WIRE_FIELD)
		on_field(r, h);
	else if (h->type == WIRE_EVENT && r->method->op == OP_EVENTS)
		stream_event_past(r, wire_body(h));
	else if (h->type == WIRE_EVENT)
		rows_add(&r->rows, event_json(wire_body(h)));
	else if (h->type == WIRE_END)
		on_end(r, h);
}

void
control_engine_gone(struct bus *b)
{
	struct request *r, *next;

	for (r = RB_MIN(request_tree, &b->control.requests); r != NULL;
	     r = next) {
		next = RB_NEXT(request_tree, &b->control.requests, r);
		if (!r->at_engine)
			continue;
		r->at_engine = false;
		request_fail(r, CTL_FAILED, "supd is ending");
	}
}
