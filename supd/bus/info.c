/* SPDX-License-Identifier: ISC */
#include "bus/info.h"

#include "base/mono.h"
#include "bus/bus.h"
#include "bus/jsonrpc.h"
#include "bus/lifeline.h"
#include "bus/methods.h"
#include "bus/pack.h"
#include "bus/stats.h"
#include "bus/target.h"

#include <stdio.h>
#include <string.h>

/* A worker answers at once when it is inside libmsg; info goes on without. */
#define INFO_WAIT_NS   NS_PER_S
#define SYS_TIMEOUT_NS (5 * NS_PER_S)

/* The live worker of a name, path or pid; or the request fails. */
static struct peer *
find_who(struct request *r, const json_t *params)
{
	struct target t;

	if (!target_param(r, params, &t))
		return NULL;
	if (t.peer == NULL)
		request_fail(r, CTL_NO_NAME,
		    "%s is a client of the control socket, not a worker",
		    target_name(&t));
	return t.peer;
}

/* ---- whereis ---------------------------------------------------------------
 */

static json_t *
int_or_null(int64_t n)
{
	return n > 0 ? json_integer(n) : json_null();
}

void
info_whereis(struct request *r, const json_t *params)
{
	const char *name, *path;
	struct target t;

	if (!param_path(r, params, "name", true, &name))
		return;
	if (!target_find(r->client->bus, name, &t)) {
		request_done(r, "null");
		return;
	}
	path = t.peer != NULL ? t.peer->path : NULL;
	done_json(
	    r, json_pack("{s:o,s:o,s:o}", "pid", pid_json(t.pid), "path",
		   path != NULL ? text_json(path, strlen(path)) : json_null(),
		   "os_pid",
		   int_or_null(
		       t.peer != NULL ? t.peer->os_pid : t.guest->os_pid)));
}

/* ---- info ------------------------------------------------------------------
 */

static json_t *
links_json(struct bus *b, uint64_t pid)
{
	json_t *list = json_array();
	uint64_t other = 0;

	while ((other = links_next(b, pid, other)) != 0)
		json_array_append_new(list, pid_json(other));
	return list;
}

static json_t *
bus_knows(const struct peer *p)
{
	uint64_t pid = peer_pid(p);

	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:I,s:b,s:b,s:o,s:o}",
	    "links", links_json(p->bus, pid), "monitors",
	    monitors_json(p->bus, pid), "monitored_by",
	    monitors_by_json(p->bus, pid), "pid", pid_json(peer_pid(p)), "path",
	    text_json(p->path, strlen(p->path)), "name",
	    p->name != NULL ? json_string(p->name->text) : json_null(),
	    "os_pid", int_or_null(p->os_pid), "uid", (json_int_t)p->uid,
	    "joined", peer_joined(p), "trap_exit", p->traps, "said",
	    p->status != NULL ? text_json(p->status, strlen(p->status))
			      : json_null(),
	    "mailbox", stats_json(p));
}

/* What the worker says comes behind what supd knows, and never instead. */
static void
info_end(struct request *r, json_t *said)
{
	bool answered = json_is_object(said);

	if (answered)
		json_object_update_missing(r->known, said);
	json_object_set_new(r->known, "answered", json_boolean(answered));
	json_decref(said);
	done_json(r, json_incref(r->known));
}

static void
info_answered(
    struct request *r, int error, const char *text, const struct buf *body)
{
	(void)text;
	info_end(r, error == 0 ? pack_to_json(body->data, body->len) : NULL);
}

static void
info_timeout(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	info_end(arg, NULL);
}

/* Have `fn` called after so long.  False, and the request failed: no memory. */
static bool
arm(struct request *r, int64_t ns, event_callback_fn fn)
{
	struct timeval tv;

	if (ns > INT64_C(1000000) * NS_PER_S)
		ns = INT64_C(1000000) * NS_PER_S;
	tv.tv_sec = ns / NS_PER_S;
	tv.tv_usec = (ns % NS_PER_S + 999) / 1000;
	r->timer = evtimer_new(r->client->bus->base, fn, r);
	if (r->timer != NULL && evtimer_add(r->timer, &tv) == 0)
		return true;
	request_fail(r, CTL_FAILED, "out of memory");
	return false;
}

void
info_info(struct request *r, const json_t *params)
{
	struct peer *p = find_who(r, params);

	if (p == NULL)
		return;
	r->known = bus_knows(p);
	if (r->known == NULL) {
		request_fail(r, CTL_FAILED, "out of memory");
		return;
	}
	r->on_sys = info_answered;
	if (!peer_joined(p) || sys_request(r, p, "info", NULL) < 0)
		info_end(r, NULL);
	else
		(void)arm(r, INFO_WAIT_NS, info_timeout);
}

/* ---- sys -------------------------------------------------------------------
 */

static int
code_of(int error)
{
	return error == ETIMEDOUT ? CTL_TIMEOUT
	       : error == EPERM   ? CTL_NOT_PERMITTED
	                          : CTL_FAILED;
}

static void
sys_answered(
    struct request *r, int error, const char *text, const struct buf *body)
{
	if (error != 0)
		request_fail(r, code_of(error), "%s: %s", r->path, text);
	else
		done_json(r, pack_to_json(body->data, body->len));
}

static void
sys_timeout(evutil_socket_t fd, short what, void *arg)
{
	struct request *r = arg;

	(void)fd;
	(void)what;
	request_fail(r, CTL_TIMEOUT,
	    "%s did not answer in time: it is not inside libmsg", r->path);
}

void
info_sys(struct request *r, const json_t *params)
{
	const json_t *args = json_object_get(params, "args");
	int64_t timeout_ns = SYS_TIMEOUT_NS;
	const char *op;
	struct peer *p;
	int e;

	if (!param_text(r, params, "op", true, PROTO_NAME_MAX, &op) ||
	    !param_int(r, params, "timeout_ns", 0, INT64_MAX, &timeout_ns))
		return;
	if (args != NULL && !json_is_null(args) && !json_is_array(args)) {
		request_fail(r, RPC_INVALID_PARAMS, "\"args\" must be a list");
		return;
	}
	p = find_who(r, params);
	if (p == NULL)
		return;
	r->path = strdup(p->path);
	if (r->path == NULL) {
		request_fail(r, CTL_FAILED, "out of memory");
		return;
	}
	if (!peer_joined(p)) {
		request_fail(r, CTL_NO_NAME,
		    "%s runs, but does not talk: it has not opened libmsg",
		    p->path);
		return;
	}
	r->on_sys = sys_answered;
	e = sys_request(r, p, op, args);
	if (e == -EMSGSIZE)
		request_fail(r, RPC_INVALID_PARAMS,
		    "\"args\" are longer than %d bytes, or nested more than "
		    "%d deep",
		    PROTO_LIFELINE_MAX - PROTO_HEADER_SIZE, PACK_DEPTH_MAX);
	else if (e < 0)
		request_fail(r, CTL_FAILED,
		    "%s is busy: it does not read its lifeline", p->path);
	else
		(void)arm(r, timeout_ns, sys_timeout);
}
