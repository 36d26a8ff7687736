/* SPDX-License-Identifier: ISC */
#include "bus/info.h"

#include "base/mono.h"
#include "bus/bus.h"
#include "bus/jsonrpc.h"
#include "bus/lifeline.h"
#include "bus/methods.h"
#include "bus/pack.h"
#include "bus/stats.h"

#include <stdio.h>
#include <string.h>

/* A worker answers at once when it is inside libmsg; info goes on without. */
#define INFO_WAIT_NS   NS_PER_S
#define SYS_TIMEOUT_NS (5 * NS_PER_S)

void
pid_text(uint64_t pid, char out[PID_TEXT_MAX])
{
	snprintf(out, PID_TEXT_MAX, "<%u.%ju>", PROTO_PID_SLOT(pid),
	    (uintmax_t)PROTO_PID_INC(pid));
}

uint64_t
pid_parse(const char *text)
{
	uint32_t slot;
	uintmax_t inc;
	int end = 0;

	if (sscanf(text, "<%8u.%13ju>%n", &slot, &inc, &end) != 2 || end == 0 ||
	    text[end] != '\0' || slot > PROTO_GUEST_SLOT ||
	    inc > PROTO_PID_INC(UINT64_MAX))
		return 0;
	return PROTO_PID(slot, inc);
}

/* The live worker of a name, path or pid; or the request fails. */
static struct peer *
find_who(struct request *r, const json_t *params)
{
	struct bus *b = r->client->bus;
	const char *name;
	struct peer *p;
	uint64_t pid;

	if (!param_path(r, params, "name", true, &name))
		return NULL;
	pid = pid_parse(name);
	p = pid != 0 ? peers_by_pid(b, pid) : peers_find(b, name, false);
	if (p == NULL && pid != 0)
		request_fail(
		    r, CTL_NO_NAME, "%s does not live (any more)", name);
	else if (p == NULL)
		fail_no_name(r, "name", name);
	return p;
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
	struct bus *b = r->client->bus;
	char pid[PID_TEXT_MAX];
	const char *name;
	struct peer *p;

	if (!param_path(r, params, "name", true, &name))
		return;
	p = peers_find(b, name, false);
	if (p == NULL) {
		request_done(r, "null");
		return;
	}
	pid_text(peer_pid(p), pid);
	done_json(r, json_pack("{s:s,s:o,s:o}", "pid", pid, "path",
			 text_json(p->path, strlen(p->path)), "os_pid",
			 int_or_null(p->os_pid)));
}

/* ---- info ------------------------------------------------------------------
 */

static json_t *
bus_knows(const struct peer *p)
{
	char pid[PID_TEXT_MAX];

	pid_text(peer_pid(p), pid);
	return json_pack("{s:s,s:o,s:o,s:o,s:I,s:b,s:b,s:o,s:o}", "pid", pid,
	    "path", text_json(p->path, strlen(p->path)), "name",
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
