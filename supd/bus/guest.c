/* SPDX-License-Identifier: ISC */
#include "bus/guest.h"

#include "base/mono.h"
#include "bus/bus.h"
#include "bus/exits.h"
#include "bus/inbox.h"
#include "bus/jsonrpc.h"
#include "bus/methods.h"
#include "bus/pack.h"
#include "bus/requests.h"
#include "bus/target.h"

#include <limits.h>
#include <string.h>

#define CALL_TIMEOUT_NS (5 * NS_PER_S) /* as gen_server:call/2 */

/* Whom the `name` param means, able to receive; or the request fails. */
static bool
find_target(struct request *r, const json_t *params, struct target *ret)
{
	if (!target_message(r, params, ret))
		return false;
	if (!target_talks(ret)) {
		request_fail(r, CTL_NO_NAME,
		    "%s runs, but does not talk: it has not opened libmsg",
		    target_name(ret));
		return false;
	}
	r->path = strdup(target_name(ret));
	if (r->path == NULL) {
		request_fail(r, CTL_FAILED, "out of memory");
		return false;
	}
	return true;
}

bool
guest_pack(struct request *r, const json_t *payload, struct buf *ret_body)
{
	if (!pack_from_json(ret_body, payload)) {
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"payload\" is nested more than %d deep", PACK_DEPTH_MAX);
		return false;
	}
	if (ret_body->len > PROTO_LIFELINE_MAX - PROTO_HEADER_SIZE) {
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"payload\" takes %zu bytes, the most is %d",
		    ret_body->len, PROTO_LIFELINE_MAX - PROTO_HEADER_SIZE);
		return false;
	}
	return true;
}

/* Send the payload; false when the request has failed. */
static bool
send_payload(struct request *r, const json_t *params, const struct target *t,
    enum proto_type type)
{
	const json_t *v = json_object_get(params, "payload");
	cleanup_(buf_fini) struct buf body = { 0 };
	struct proto_frame h = {
		.type = (uint8_t)type,
		.flags = PROTO_MSGPACK,
		.to = t->pid,
		.from = r->client->guest,
		.ref = type == PROTO_CALL ? r->tag : 0,
	};

	if (v == NULL) {
		request_fail(r, RPC_INVALID_PARAMS, "\"payload\" is needed");
		return false;
	}
	if (!guest_pack(r, v, &body))
		return false;
	if (!target_put(t, &h, body.data, body.len)) {
		request_fail(r, CTL_FAILED,
		    "%s is busy: it does not read its messages",
		    target_name(t));
		return false;
	}
	return true;
}

static void
call_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct request *r = arg;

	(void)fd;
	(void)what;
	request_fail(r, CTL_TIMEOUT, "%s did not answer in time", r->path);
}

void
guest_call(struct request *r, const json_t *params)
{
	struct bus *b = r->client->bus;
	int64_t timeout_ns = CALL_TIMEOUT_NS;
	struct target t;
	struct timeval tv;
	uint64_t ref;

	if (!param_int(r, params, "timeout_ns", 0, INT64_MAX, &timeout_ns))
		return;
	if (!find_target(r, params, &t))
		return;
	/* Whoever knows the ref may answer (G-3), so it cannot be guessed. */
	do {
		arc4random_buf(&ref, sizeof(ref));
	} while (!request_tag_as(r, ref));
	r->timer = evtimer_new(b->base, call_timeout, r);
	if (r->timer == NULL) {
		request_fail(r, CTL_FAILED, "out of memory");
		return;
	}
	r->target = t.pid;
	if (timeout_ns > INT64_C(1000000) * NS_PER_S)
		timeout_ns = INT64_C(1000000) * NS_PER_S;
	tv.tv_sec = timeout_ns / NS_PER_S;
	tv.tv_usec = (timeout_ns % NS_PER_S + 999) / 1000;
	evtimer_add(r->timer, &tv);
	(void)send_payload(r, params, &t, PROTO_CALL);
}

static void
guest_oneway(struct request *r, const json_t *params, enum proto_type type)
{
	struct target t;

	if (find_target(r, params, &t) && send_payload(r, params, &t, type))
		request_done(r, "null");
}

void
guest_send(struct request *r, const json_t *params)
{
	guest_oneway(r, params, PROTO_DATA);
}

void
guest_cast(struct request *r, const json_t *params)
{
	guest_oneway(r, params, PROTO_CAST);
}

void
guest_reply(
    struct bus *b, const struct proto_frame *h, const void *body, size_t len)
{
	struct request *r = request_find(b, h->ref);
	cleanup_(buf_fini) struct buf out = { 0 };
	cleanup_(buf_fini) struct buf text = { 0 };
	json_t *v;

	if (r == NULL || r->target == 0 || r->client->guest != h->to)
		return;
	v = body_json(h->flags, body, len);
	if (v == NULL) {
		request_fail(r, CTL_FAILED,
		    "%s answered with something that is not msgpack", r->path);
		return;
	}
	if ((h->flags & PROTO_ERROR) == 0) {
		json_to_buf(&out, v);
		request_done(r, buf_str(&out));
		return;
	}
	if (json_is_string(v)) {
		buf_puts(&text, json_string_value(v));
		json_decref(v);
	} else
		json_to_buf(&text, v);
	request_fail(r, CTL_FAILED, "%s", buf_str(&text));
}

/* ---- ends ------------------------------------------------------------------
 */

static void
monitor_done(
    struct request *r, json_t *take_pid, const char *path, const char *reason)
{
	done_json(
	    r, json_pack("{s:o,s:o,s:o}", "pid", take_pid, "path",
		   path != NULL ? text_json(path, strlen(path)) : json_null(),
		   "reason", text_json(reason, strlen(reason))));
}

/* As msg_monitor_name(): who is nobody has ended. */
void
guest_monitor(struct request *r, const json_t *params)
{
	struct target t;
	const char *name;

	if (!param_path(r, params, "name", true, &name))
		return;
	if (!target_find(r->client->bus, name, &t)) {
		monitor_done(r, json_null(), NULL, "noproc");
		return;
	}
	r->target = t.pid;
	r->follow = true;
	r->on_down = monitor_done;
}

void
guest_exit(struct request *r, const json_t *params)
{
	struct bus *b = r->client->bus;
	struct proto_frame h = { .type = PROTO_EXIT };
	const char *reason;
	struct target t;

	if (!param_text(r, params, "reason", true, PROTO_REASON_MAX, &reason) ||
	    !target_param(r, params, &t))
		return;
	if (reason[0] == '\0') {
		request_fail(
		    r, RPC_INVALID_PARAMS, "\"reason\" must not be empty");
		return;
	}
	h.to = t.pid;
	h.from = r->client->guest;
	if (t.peer != NULL)
		exits_send(b, h.from, h.to, reason, 0, 0);
	else if (!target_put(&t, &h, reason, strlen(reason))) {
		request_fail(r, CTL_FAILED, "%s is busy", target_name(&t));
		return;
	}
	request_done(r, "null");
}

void
guest_exit_signal(
    struct peer *from, const struct proto_frame *h, const char *reason)
{
	struct proto_frame f = {
		.type = PROTO_EXIT,
		.to = h->to,
		.from = peer_pid(from),
	};
	struct target t;

	if (target_of(from->bus, h->to, &t) &&
	    !target_put(&t, &f, reason, strlen(reason)))
		return; /* counted there */
}

void
guest_ended(struct bus *b, uint64_t pid, const char *path, const char *reason)
{
	struct client *c, *after;

	/* An answer may be a client's last: then it leaves this list. */
	for (c = TAILQ_FIRST(&b->control.clients); c != NULL; c = after) {
		struct request *r, *next;

		after = TAILQ_NEXT(c, entry);
		for (r = TAILQ_FIRST(&c->requests); r != NULL; r = next) {
			next = TAILQ_NEXT(r, of_client);
			if (r->target != pid)
				continue;
			if (r->on_down != NULL)
				r->on_down(r, pid_json(pid), path, reason);
			else
				request_fail(r, CTL_FAILED,
				    "%s ended before it answered: %s",
				    path != NULL ? path : r->path, reason);
		}
	}
}
