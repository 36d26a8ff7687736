/* SPDX-License-Identifier: ISC */
#include "bus/inbox.h"

#include "bus/bus.h"
#include "bus/guest.h"
#include "bus/jsonrpc.h"
#include "bus/methods.h"
#include "bus/pack.h"
#include "bus/stream.h"
#include "bus/target.h"

#include <stdio.h>
#include <string.h>

struct letter {
	TAILQ_ENTRY(letter) entry;
	size_t len;
	json_t *message;
};

struct inbox {
	TAILQ_HEAD(, letter) letters;
	size_t bytes;
	uint32_t n;
	uint64_t lost;        /* refused, and not told yet */
	struct request *open; /* who receives, or NULL */
	int64_t left;         /* so many more; < 0: without end */
};

static struct inbox *
inbox_make(struct client *c)
{
	if (c->inbox != NULL)
		return c->inbox;
	c->inbox = calloc(1, sizeof(*c->inbox));
	if (c->inbox != NULL)
		TAILQ_INIT(&c->inbox->letters);
	return c->inbox;
}

static void
letter_free(struct inbox *in, struct letter *l)
{
	TAILQ_REMOVE(&in->letters, l, entry);
	in->n--;
	in->bytes -= l->len;
	json_decref(l->message);
	free(l);
}

/* Give the receiver what is there, as fast as it reads. */
static void
inbox_flow(struct client *c)
{
	struct inbox *in = c->inbox;
	struct letter *l;

	while (in->open != NULL && in->left != 0 && !c->closing &&
	       client_out_len(c) < CLIENT_OUT_PAUSE &&
	       (l = TAILQ_FIRST(&in->letters)) != NULL) {
		json_t *record = json_pack("{s:O}", "message", l->message);

		if (in->lost != 0)
			json_object_set_new(
			    record, "lost", json_integer((json_int_t)in->lost));
		in->lost = 0;
		letter_free(in, l);
		if (in->left > 0)
			in->left--;
		stream_put(in->open, "message", record);
	}
	if (in->open != NULL && in->left == 0)
		request_done(in->open, "[]");
}

void
inbox_drained(struct client *c)
{
	if (c->inbox != NULL)
		inbox_flow(c);
}

void
inbox_unfollow(struct request *r)
{
	struct inbox *in = r->client->inbox;

	if (in != NULL && in->open == r)
		in->open = NULL;
}

json_t *
body_json(unsigned flags, const void *body, size_t len)
{
	if ((flags & PROTO_CONTENT_MASK) == PROTO_MSGPACK)
		return pack_to_json(body, len);
	return pack_bytes_json(body, len);
}

static const char *
kind_name(unsigned type)
{
	switch (type) {
	case PROTO_CALL:
		return "call";
	case PROTO_CAST:
		return "cast";
	case PROTO_EXIT:
		return "exit";
	default:
		return "data";
	}
}

static json_t *
message_json(const struct proto_frame *h, const void *body, size_t len)
{
	char ref[32];

	snprintf(ref, sizeof(ref), "%ju", (uintmax_t)h->ref);
	return json_pack("{s:s,s:o,s:o,s:o}", "kind", kind_name(h->type),
	    "from", pid_json(h->from), "ref",
	    h->type == PROTO_CALL ? json_string(ref) : json_null(), "payload",
	    body_json(h->flags, body, len));
}

bool
inbox_put(
    struct client *c, const struct proto_frame *h, const void *body, size_t len)
{
	struct inbox *in = c->inbox;
	struct letter *l;

	if (in == NULL || c->closing)
		return true;
	if (in->n >= INBOX_MAX || in->bytes + len > INBOX_BYTES_MAX ||
	    (l = calloc(1, sizeof(*l))) == NULL) {
		in->lost++;
		return false;
	}
	l->message = message_json(h, body, len);
	if (l->message == NULL) {
		/* It is not the msgpack that it says it is. */
		free(l);
		return true;
	}
	l->len = len;
	TAILQ_INSERT_TAIL(&in->letters, l, entry);
	in->n++;
	in->bytes += len;
	inbox_flow(c);
	return true;
}

void
inbox_ended(struct client *c)
{
	struct inbox *in = c->inbox;
	struct letter *l;

	names_purge_guest(c->bus, c);
	guest_ended(c->bus, c->guest, NULL, "normal");
	monitors_ended(c->bus, c->guest, "normal");
	if (in == NULL)
		return;
	while ((l = TAILQ_FIRST(&in->letters)) != NULL)
		letter_free(in, l);
	c->inbox = NULL;
	free(in);
}

/* ---- methods ---------------------------------------------------------------
 */

void
inbox_register(struct request *r, const json_t *params)
{
	struct client *c = r->client;
	const char *name;
	int e;

	if (!param_text(r, params, "name", true, WIRE_PATH_MAX, &name))
		return;
	if (inbox_make(c) == NULL) {
		request_fail(r, CTL_FAILED, "out of memory");
		return;
	}
	e = names_register_guest(c->bus, c, name, strlen(name));
	if (e == -EEXIST)
		request_fail(
		    r, CTL_FAILED, "%s: somebody has that name already", name);
	else if (e == -EALREADY)
		request_fail(r, CTL_FAILED,
		    "this client has the name %s already; unregister it first",
		    c->name->text);
	else if (e < 0)
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"name\" must have 1 to %d bytes of UTF-8, without "
		    "spaces, control characters and /",
		    PROTO_NAME_MAX);
	else
		request_done(r, "null");
}

void
inbox_unregister(struct request *r, const json_t *params)
{
	struct client *c = r->client;
	const char *name;

	if (!param_text(r, params, "name", true, WIRE_PATH_MAX, &name))
		return;
	if (names_unregister_guest(c->bus, c, name) == 0)
		request_done(r, "null");
	else
		request_fail(r, CTL_NO_NAME,
		    "%s is no name that this client has registered", name);
}

void
inbox_receive(struct request *r, const json_t *params)
{
	struct client *c = r->client;
	struct inbox *in;
	int64_t n = -1;

	if (!param_int(r, params, "n", 1, INT32_MAX, &n))
		return;
	in = inbox_make(c);
	if (in == NULL) {
		request_fail(r, CTL_FAILED, "out of memory");
		return;
	}
	if (in->open != NULL) {
		request_fail(r, CTL_FAILED,
		    "this client receives already: one \"receive\" at a time");
		return;
	}
	in->open = r;
	in->left = n;
	r->follow = true;
	inbox_flow(c);
}

/* {"to": PID, "ref": TEXT} */
static bool
param_whom(struct request *r, const json_t *params, uint64_t *ret_pid,
    uint64_t *ret_ref)
{
	const char *to, *ref;
	char *end;

	if (!param_text(r, params, "to", true, PID_TEXT_MAX, &to) ||
	    !param_text(r, params, "ref", true, 20, &ref))
		return false;
	*ret_pid = pid_parse(to);
	errno = 0;
	*ret_ref = strtoull(ref, &end, 10);
	if (*ret_pid != 0 && *ref >= '0' && *ref <= '9' && *end == '\0' &&
	    errno == 0)
		return true;
	request_fail(r, RPC_INVALID_PARAMS,
	    "\"to\" and \"ref\" must be the \"from\" and \"ref\" of a message "
	    "of kind call");
	return false;
}

void
inbox_reply(struct request *r, const json_t *params)
{
	const json_t *payload = json_object_get(params, "payload");
	cleanup_(buf_fini) struct buf body = { 0 };
	struct proto_frame h = {
		.type = PROTO_REPLY,
		.flags = PROTO_MSGPACK,
		.from = r->client->guest,
	};
	const char *error;
	struct target t;

	if (!param_whom(r, params, &h.to, &h.ref) ||
	    !param_text(r, params, "error", false, WIRE_PATH_MAX, &error))
		return;
	if ((payload == NULL) == (error == NULL)) {
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"payload\" or \"error\" is needed, and not both");
		return;
	}
	if (error != NULL) {
		h.flags = PROTO_ERROR;
		buf_puts(&body, error);
	} else if (!guest_pack(r, payload, &body))
		return;
	/* A caller that has ended is no error, as in msg_reply(). */
	if (target_of(r->client->bus, h.to, &t) && t.guest != NULL)
		guest_reply(r->client->bus, &h, body.data, body.len);
	else if (t.peer != NULL && !target_put(&t, &h, body.data, body.len)) {
		request_fail(r, CTL_FAILED,
		    "%s is busy: it does not read its messages",
		    target_name(&t));
		return;
	}
	request_done(r, "null");
}
