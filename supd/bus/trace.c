/* SPDX-License-Identifier: ISC */
#include "bus/trace.h"

#include "bus/bus.h"
#include "bus/jsonrpc.h"
#include "bus/methods.h"
#include "bus/pack.h"
#include "bus/stream.h"
#include "bus/sys.h"
#include "bus/target.h"

#include <string.h>

static bool
is_traced(const struct peer *p)
{
	const struct request *r;

	TAILQ_FOREACH (r, &p->bus->control.trace_followers, of_followers)
		if (r->slot == p->slot)
			return true;
	return false;
}

/* Tell the libmsg in the worker; a new incarnation is told at its join. */
static void
turn(struct peer *p, bool on)
{
	json_t *args = json_pack("[b]", on);

	if (peer_joined(p))
		sys_tell(p, "trace", args);
	json_decref(args);
}

/* A record for one follower; takes it. */
static void
put(struct request *r, json_t *take_record)
{
	json_t *params = json_pack("{s:o}", "trace", take_record);

	if (client_out_len(r->client) >= CLIENT_OUT_MAX - CLIENT_OUT_PAUSE) {
		r->lost++;
		json_decref(params);
		return;
	}
	if (r->lost != 0)
		json_object_set_new(
		    params, "lost", json_integer((json_int_t)r->lost));
	r->lost = 0;
	stream_put(r, "trace", params);
}

static void
put_all(struct peer *p, json_t *take_record)
{
	struct request *r, *next;

	for (r = TAILQ_FIRST(&p->bus->control.trace_followers); r != NULL;
	     r = next) {
		next = TAILQ_NEXT(r, of_followers);
		if (r->slot == p->slot)
			put(r, json_incref(take_record));
	}
	json_decref(take_record);
}

void
trace_trace(struct request *r, const json_t *params)
{
	struct bus *b = r->client->bus;
	struct target t;
	bool was;

	if (!target_param(r, params, &t))
		return;
	if (!target_talks(&t) || t.peer == NULL) {
		request_fail(r, CTL_NO_NAME,
		    t.peer == NULL ? "%s is a client, not a worker"
				   : "%s runs, but does not talk: it has not "
				     "opened libmsg",
		    target_name(&t));
		return;
	}
	was = is_traced(t.peer);
	r->slot = t.peer->slot;
	r->follow = true;
	r->tracing = true;
	TAILQ_INSERT_TAIL(&b->control.trace_followers, r, of_followers);
	if (!was)
		turn(t.peer, true);
}

void
trace_unfollow(struct request *r)
{
	struct bus *b = r->client->bus;
	struct peer *p = peers_get(b, r->slot);

	TAILQ_REMOVE(&b->control.trace_followers, r, of_followers);
	r->tracing = false;
	if (p != NULL && !is_traced(p))
		turn(p, false);
}

bool
trace_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	json_t *v;

	(void)h;
	if (!is_traced(p))
		return true; /* it has not heard yet that nobody listens */
	v = pack_to_json(body, len);
	if (!json_is_object(v)) {
		json_decref(v);
		return false;
	}
	put_all(p, v);
	return true;
}

void
trace_joined(struct peer *p)
{
	if (!is_traced(p))
		return;
	put_all(p, json_pack("{s:s,s:o}", "dir", "start", "pid",
		       pid_json(peer_pid(p))));
	turn(p, true);
}

void
trace_ended(struct peer *p, const char *reason)
{
	if (is_traced(p))
		put_all(p, json_pack("{s:s,s:o,s:o}", "dir", "end", "pid",
			       pid_json(peer_pid(p)), "reason",
			       text_json(reason, strlen(reason))));
}

void
trace_forget(struct peer *p)
{
	struct request *r, *next;

	for (r = TAILQ_FIRST(&p->bus->control.trace_followers); r != NULL;
	     r = next) {
		next = TAILQ_NEXT(r, of_followers);
		if (r->slot == p->slot)
			request_fail(
			    r, CTL_NO_NAME, "%s has been removed", p->path);
	}
}
