/* SPDX-License-Identifier: ISC */
#include "bus/command.h"

#include "bus/allow.h"
#include "bus/answers.h"
#include "bus/bus.h"
#include "bus/jsonrpc.h"
#include "bus/methods.h"
#include "bus/pack.h"

#include <stdio.h>
#include <string.h>

/* Made when it first asks.  NULL without memory. */
static struct client *
command_client(struct peer *p)
{
	struct client *c = p->client;

	if (c != NULL)
		return c;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return NULL;
	c->bus = p->bus;
	c->peer = p;
	c->fd = -EBADF;
	c->uid = p->uid;
	c->guest = peer_pid(p);
	c->permitted = true;
	TAILQ_INIT(&c->requests);
	p->client = c;
	return c;
}

void
command_ended(struct peer *p)
{
	struct client *c = p->client;
	struct request *r;

	if (c == NULL)
		return;
	while ((r = TAILQ_FIRST(&c->requests)) != NULL)
		request_drop(r);
	p->client = NULL;
	free(c);
}

/* What a program can tell apart; the text is for people. */
static int
errno_of(int code)
{
	switch (code) {
	case CTL_NO_NAME:
		return ENOENT;
	case CTL_NOT_PERMITTED:
		return EPERM;
	case CTL_TIMEOUT:
		return ETIMEDOUT;
	case CTL_USAGE:
	case CTL_CONFIG:
	case RPC_INVALID_PARAMS:
		return EINVAL;
	case RPC_NO_METHOD:
		return ENOSYS;
	default:
		return EREMOTEIO;
	}
}

void
command_fail(const struct request *r, int code, const char *text)
{
	answers_fail(r->client->peer, r->ref, 0, errno_of(code), text);
}

void
command_done(const struct request *r, const char *result)
{
	cleanup_(buf_fini) struct buf out = { 0 };
	json_t *v = json_loads(result, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	bool ok = v != NULL && pack_from_json(&out, v);

	json_decref(v);
	if (ok)
		answers_put(r->client->peer, r->ref, 0, out.data, out.len);
	else
		answers_fail(r->client->peer, r->ref, 0, EMSGSIZE,
		    "the answer cannot be written in msgpack");
}

/*
 * May this worker ask that?  With the method's path, as far as it has one;
 * what is about no child in particular needs all of the tree.
 */
static bool
may(const struct peer *p, const struct method *m, const json_t *params)
{
	const json_t *path = json_object_get(params, "path");

	return m->worker == METHOD_FREE ||
	       allow_may(p, m->name, json_string_value(path));
}

static void
command_run(
    struct peer *p, uint64_t ref, const struct method *m, const json_t *params)
{
	struct client *c = command_client(p);
	struct request *r;

	if (c != NULL && c->n_requests >= CLIENT_REQUESTS_MAX) {
		answers_fail(p, ref, 0, EAGAIN,
		    "64 requests wait for their answers already");
		return;
	}
	r = c != NULL ? request_new(c, NULL, m) : NULL;
	if (r == NULL) {
		answers_fail(p, ref, 0, ENOMEM, "supd is out of memory");
		return;
	}
	r->ref = ref;
	method_run(r, params);
}

static void
command_check(
    struct peer *p, uint64_t ref, const char *name, const json_t *params)
{
	const struct method *m = method_find(name);
	char text[256];

	if (m != NULL && m->worker != METHOD_NO && may(p, m, params)) {
		command_run(p, ref, m, params);
		return;
	}
	if (m == NULL)
		snprintf(
		    text, sizeof(text), "supd has no method \"%.64s\"", name);
	else if (m->worker == METHOD_NO)
		snprintf(text, sizeof(text),
		    "\"%s\" is for clients of the control socket", m->name);
	else
		snprintf(text, sizeof(text),
		    "%.128s may not %s that: its \"allow:\" does not say so",
		    p->path, m->name);
	answers_fail(p, ref, 0,
	    m == NULL                ? ENOSYS
	    : m->worker == METHOD_NO ? EOPNOTSUPP
				     : EPERM,
	    text);
}

bool
command_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	json_t *v = pack_to_json(body, len), *params;
	const char *name = json_string_value(json_array_get(v, 0));

	if (v == NULL)
		return false;
	params = json_array_get(v, 1);
	if (params == NULL || json_is_null(params)) {
		json_array_set_new(v, 1, json_object());
		json_array_append_new(v, json_object());
		params = json_array_get(v, 1);
	}
	if (name == NULL || !json_is_object(params))
		answers_fail(p, h->ref, 0, EINVAL,
		    "[method, {parameter: value}] is wanted");
	else
		command_check(p, h->ref, name, params);
	json_decref(v);
	return true;
}
