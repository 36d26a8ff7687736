/* SPDX-License-Identifier: ISC */
#include "bus/guest.h"

#include "base/mono.h"
#include "bus/bus.h"
#include "bus/jsonrpc.h"
#include "bus/lifeline.h"
#include "bus/methods.h"
#include "bus/pack.h"
#include "bus/requests.h"

#include <limits.h>
#include <string.h>

#define CALL_TIMEOUT_NS (5 * NS_PER_S) /* as gen_server:call/2 */

/* The live worker of the `name` param that can receive; or the request fails.
 */
static struct peer *
find_target(struct request *r, const json_t *params)
{
	struct bus *b = r->client->bus;
	const char *name;
	struct peer *p;

	if (!param_path(r, params, "name", true, &name))
		return NULL;
	p = peers_find(b, name, true);
	if (p == NULL && (p = peers_find(b, name, false)) != NULL) {
		request_fail(r, CTL_NO_NAME,
		    "%s runs, but does not talk: it has not opened libmsg",
		    p->path);
		return NULL;
	}
	if (p == NULL) {
		fail_no_name(r, "name", name);
		return NULL;
	}
	r->path = strdup(p->path);
	if (r->path == NULL) {
		request_fail(r, CTL_FAILED, "out of memory");
		return NULL;
	}
	return p;
}

/* Send the payload; false when the request has failed. */
static bool
send_payload(struct request *r, const json_t *params, struct peer *p,
    enum proto_type type)
{
	const json_t *v = json_object_get(params, "payload");
	cleanup_(buf_fini) struct buf body = { 0 };
	struct proto_frame h = {
		.type = (uint8_t)type,
		.flags = PROTO_MSGPACK,
		.to = peer_pid(p),
		.from = r->client->guest,
		.ref = type == PROTO_CALL ? r->tag : 0,
	};

	if (v == NULL) {
		request_fail(r, RPC_INVALID_PARAMS, "\"payload\" is needed");
		return false;
	}
	if (!pack_from_json(&body, v)) {
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"payload\" is nested more than %d deep", PACK_DEPTH_MAX);
		return false;
	}
	if (body.len > PROTO_LIFELINE_MAX - PROTO_HEADER_SIZE) {
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"payload\" takes %zu bytes, the most is %d", body.len,
		    PROTO_LIFELINE_MAX - PROTO_HEADER_SIZE);
		return false;
	}
	if (!lifeline_relay(p->line, &h, body.data, body.len)) {
		request_fail(r, CTL_FAILED,
		    "%s is busy: it does not read its messages", p->path);
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
	struct timeval tv;
	struct peer *p;
	uint64_t ref;

	if (!param_int(r, params, "timeout_ns", 0, INT64_MAX, &timeout_ns))
		return;
	p = find_target(r, params);
	if (p == NULL)
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
	if (!send_payload(r, params, p, PROTO_CALL))
		return;
	r->target = peer_pid(p);
	if (timeout_ns > INT64_C(1000000) * NS_PER_S)
		timeout_ns = INT64_C(1000000) * NS_PER_S;
	tv.tv_sec = timeout_ns / NS_PER_S;
	tv.tv_usec = (timeout_ns % NS_PER_S + 999) / 1000;
	evtimer_add(r->timer, &tv);
}

static void
guest_oneway(struct request *r, const json_t *params, enum proto_type type)
{
	struct peer *p = find_target(r, params);

	if (p != NULL && send_payload(r, params, p, type))
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
	if ((h->flags & PROTO_CONTENT_MASK) == PROTO_MSGPACK)
		v = pack_to_json(body, len);
	else
		v = text_json(body, len);
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

void
guest_ended(struct bus *b, struct peer *p, const char *reason)
{
	uint64_t pid = peer_pid(p);
	struct client *c, *after;

	/* An answer may be a client's last: then it leaves this list. */
	for (c = TAILQ_FIRST(&b->control.clients); c != NULL; c = after) {
		struct request *r, *next;

		after = TAILQ_NEXT(c, entry);
		for (r = TAILQ_FIRST(&c->requests); r != NULL; r = next) {
			next = TAILQ_NEXT(r, of_client);
			if (r->target == pid)
				request_fail(r, CTL_FAILED,
				    "%s ended before it answered: %s", p->path,
				    reason);
		}
	}
}
