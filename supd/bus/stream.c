/* SPDX-License-Identifier: ISC */
#include "bus/stream.h"

#include "bus/bus.h"
#include "bus/jsonrpc.h"
#include "bus/methods.h"
#include "bus/requests.h"

#include <string.h>

#define EVENTS_DEFAULT 20
#define LINES_DEFAULT  10
#define PAST_MAX       100000

void
stream_put(struct request *r, const char *method, json_t *take_params)
{
	cleanup_(buf_fini) struct buf line = { 0 };

	if (r->id == NULL || take_params == NULL) {
		json_decref(take_params);
		return;
	}
	rpc_put_stream(&line, r->id, method, take_params);
	client_send(r->client, &line);
}

/* Is there room for a record?  One that finds none is counted. */
static bool
stream_room(struct request *r)
{
	if (client_out_len(r->client) < CLIENT_OUT_MAX - CLIENT_OUT_PAUSE)
		return true;
	r->lost++;
	return false;
}

/* ---- events ----------------------------------------------------------------
 */

static void
put_event(struct request *r, const struct wire_event *w)
{
	if (!stream_room(r))
		return;
	if (r->lost != 0)
		stream_put(r, "event",
		    json_pack("{s:I}", "lost", (json_int_t)r->lost));
	r->lost = 0;
	stream_put(r, "event", json_pack("{s:o}", "event", event_json(w)));
}

void
stream_events(struct request *r, const json_t *params)
{
	struct wire_request w = { .op = OP_EVENTS };
	int64_t n = EVENTS_DEFAULT;

	if (!param_int(r, params, "n", 0, PAST_MAX, &n) ||
	    !param_bool(r, params, "follow", &r->follow))
		return;
	w.n = n;
	request_to_engine(r, &w, NULL);
}

void
stream_event_past(struct request *r, const struct wire_event *w)
{
	r->last_seq = w->seq;
	put_event(r, w);
}

void
stream_events_past(struct request *r)
{
	if (!r->follow) {
		request_done(r, "[]");
		return;
	}
	r->following = true;
	TAILQ_INSERT_TAIL(
	    &r->client->bus->control.event_followers, r, of_followers);
}

void
stream_event(struct bus *b, const struct wire_event *w)
{
	struct request *r;

	TAILQ_FOREACH (r, &b->control.event_followers, of_followers) {
		if (w->seq > r->last_seq) {
			r->last_seq = w->seq;
			put_event(r, w);
		}
	}
}

/* ---- logs ------------------------------------------------------------------
 */

static void
put_line(struct request *r, const struct wire_hdr *h)
{
	const struct wire_log_line *w = wire_body(h);
	size_t len;
	const char *text = wire_tail(h, &len);
	char when[RFC3339_MAX];

	if (!stream_room(r))
		return;
	rfc3339(w->wall_ns, when);
	stream_put(r, "line",
	    json_pack("{s:o,s:o,s:o,s:I}", "path",
		text_json(r->path, strlen(r->path)), "time",
		w->wall_ns != 0 ? json_string(when) : json_null(), "text",
		text_json(text, len != 0 ? len - 1 : 0), "lost",
		(json_int_t)(r->lost + w->lost)));
	r->lost = 0;
}

static bool
slot_followed(struct bus *b, uint32_t slot)
{
	struct request *r;

	TAILQ_FOREACH (r, &b->control.log_followers, of_followers)
		if (r->slot == slot)
			return true;
	return false;
}

/* One LOG_FOLLOW for all followers of a slot: n 1 starts, 0 stops it. */
static void
ask_follow(struct bus *b, uint32_t slot, uint32_t n)
{
	struct wire_log_tail w = { .slot = slot, .n = n };

	bus_send(&b->logger, WIRE_LOG_FOLLOW, 0, &w, NULL, 0);
}

void
stream_logs(struct request *r, const json_t *params)
{
	struct bus *b = r->client->bus;
	struct wire_log_tail w = { 0 };
	int64_t n = LINES_DEFAULT;
	const char *path;
	struct peer *p;

	if (!param_path(r, params, "path", true, &path) ||
	    !param_int(r, params, "n", 0, PAST_MAX, &n) ||
	    !param_bool(r, params, "follow", &r->follow))
		return;
	p = peers_by_path(b, path);
	if (p == NULL) {
		fail_no_name(r, "worker", path);
		return;
	}
	r->path = strdup(p->path);
	if (r->path == NULL) {
		request_fail(r, CTL_FAILED, "out of memory");
		return;
	}
	r->slot = w.slot = p->slot;
	w.n = (uint32_t)n;
	request_tag(r);
	if (bus_send(&b->logger, WIRE_LOG_TAIL, r->tag, &w, NULL, 0) < 0) {
		request_fail(r, CTL_FAILED, "the logger does not answer");
		return;
	}
	r->at_logger = true;
	if (!r->follow)
		return;
	/* Right behind the TAIL, so that no line falls between the two. */
	if (!slot_followed(b, r->slot))
		ask_follow(b, r->slot, 1);
	r->following = true;
	TAILQ_INSERT_TAIL(&b->control.log_followers, r, of_followers);
}

void
stream_log_past(struct request *r, const struct wire_hdr *h)
{
	if (h->type == WIRE_LOG_LINE) {
		r->past_begun = true;
		put_line(r, h);
	} else if (!r->follow) {
		request_done(r, "[]");
	}
}

void
stream_log_line(struct bus *b, const struct wire_hdr *h)
{
	const struct wire_log_line *w = wire_body(h);
	struct request *r;

	/*
	 * The logger takes the tail as it is when it reads LOG_TAIL: a line
	 * before the tail's first is in the tail; one between its first and
	 * its LOG_END is not, and cannot be told in order.
	 */
	TAILQ_FOREACH (r, &b->control.log_followers, of_followers) {
		if (r->slot != w->slot)
			continue;
		if (!r->at_logger)
			put_line(r, h);
		else if (r->past_begun)
			r->lost++;
	}
}

void
stream_log_end(struct bus *b, const struct wire_id *w)
{
	struct request *r, *next;

	for (r = TAILQ_FIRST(&b->control.log_followers); r != NULL; r = next) {
		next = TAILQ_NEXT(r, of_followers);
		if (r->slot == w->slot)
			request_fail(r, CTL_FAILED,
			    "no log is kept of %s (any more)", r->path);
	}
}

/* ---- ends ------------------------------------------------------------------
 */

void
stream_unfollow(struct request *r)
{
	struct bus *b = r->client->bus;

	r->following = false;
	if (r->method->op == OP_EVENTS) {
		TAILQ_REMOVE(&b->control.event_followers, r, of_followers);
		return;
	}
	TAILQ_REMOVE(&b->control.log_followers, r, of_followers);
	if (!slot_followed(b, r->slot))
		ask_follow(b, r->slot, 0);
}

void
stream_drained(struct client *c)
{
	struct request *r;

	TAILQ_FOREACH (r, &c->requests, of_client) {
		if (r->lost == 0 || r->method->op != OP_EVENTS)
			continue; /* a log line carries its own count */
		stream_put(r, "event",
		    json_pack("{s:I}", "lost", (json_int_t)r->lost));
		r->lost = 0;
	}
}

void
stream_client_eof(struct client *c)
{
	struct request *r, *next;

	for (r = TAILQ_FIRST(&c->requests); r != NULL; r = next) {
		next = TAILQ_NEXT(r, of_client);
		if (r->follow)
			request_drop(r);
	}
}

void
stream_forget(struct bus *b, uint32_t slot, const char *path)
{
	struct request *r, *next;

	for (r = TAILQ_FIRST(&b->control.log_followers); r != NULL; r = next) {
		next = TAILQ_NEXT(r, of_followers);
		if (r->slot == slot)
			request_fail(
			    r, CTL_NO_NAME, "%s has been removed", path);
	}
}
