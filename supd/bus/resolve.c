/* SPDX-License-Identifier: ISC */
#include "bus/resolve.h"

#include "base/clock.h"
#include "bus/bus.h"
#include "bus/keep.h"
#include "bus/lifeline.h"
#include "bus/target.h"

#include <string.h>

/* One who waits for the answer. */
struct held {
	TAILQ_ENTRY(held) entry;
	uint64_t owner, ref;
};

static void
answer(struct peer *p, uint64_t ref, const struct proto_resolved *r)
{
	struct proto_frame f = {
		.type = PROTO_RESOLVED,
		.to = peer_pid(p),
		.ref = ref,
	};

	if (r->pid != 0 && !keep_is(r->pid))
		monitors_subscribe(p->bus, p, r->pid);
	lifeline_send(p->line, &f, r, sizeof(*r));
}

/* What p is told of t, which lives. */
static struct proto_resolved
way(const struct peer *p, const struct peer *t)
{
	struct proto_resolved r = { .pid = peer_pid(t) };

	if (!peer_joined(t) || !t->line->opened)
		r.error = ENOTCONN;
	else if (t->uid != p->uid)
		r.error = EACCES;
	else if (mailbox_endpoint(p->bus, t, r.endpoint, sizeof(r.endpoint)) <
		 0)
		r.error = ENAMETOOLONG;
	else
		r.proof = proto_proof(t->secret, peer_pid(p), r.pid);
	return r;
}

/* ---- waiting for a mailbox ---------------------------------------------- */

static void
too_late(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	resolve_answer(arg);
}

void
resolve_expect(struct peer *p)
{
	static const struct timeval hold = { RESOLVE_HOLD_S, 0 };

	if (p->expecting == NULL)
		p->expecting = evtimer_new(p->bus->base, too_late, p);
	if (p->expecting != NULL)
		evtimer_add(p->expecting, &hold);
}

void
resolve_answer(struct peer *p)
{
	struct held *h;

	if (p->expecting != NULL)
		event_free(p->expecting);
	p->expecting = NULL;
	while ((h = TAILQ_FIRST(&p->held)) != NULL) {
		struct peer *owner = peers_by_pid(p->bus, h->owner);
		struct proto_resolved r = { 0 };

		TAILQ_REMOVE(&p->held, h, entry);
		if (owner != NULL) {
			if (p->live)
				r = way(owner, p);
			answer(owner, h->ref, &r);
		}
		free(h);
	}
	p->n_held = 0;
}

/* False: there is nothing to wait for. */
static bool
hold(struct peer *t, const struct peer *p, uint64_t ref)
{
	struct held *h;

	if (t->expecting == NULL || t->n_held >= RESOLVE_HELD_MAX)
		return false;
	h = malloc(sizeof(*h));
	if (h == NULL)
		return false;
	*h = (struct held){ .owner = peer_pid(p), .ref = ref };
	TAILQ_INSERT_TAIL(&t->held, h, entry);
	t->n_held++;
	return true;
}

bool
resolve_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct bus *b = p->bus;
	struct proto_resolved r = { 0 };
	struct peer *kept = NULL;
	struct target t = { 0 };
	char text[PROTO_PATH_MAX];

	if (h->to != 0 && len == 0)
		(void)target_of(b, h->to, &t);
	else if (lifeline_text(body, len, sizeof(text) - 1, text)) {
		kept = keep_find(b, text);
		if (kept == NULL)
			(void)target_find(b, text, &t);
	}
	if (kept != NULL && !kept->keep_full) {
		r.pid = keep_pid(kept);
		r.error = EACCES;
	} else if (t.peer != NULL) {
		r = way(p, t.peer);
		if (r.error == ENOTCONN && hold(t.peer, p, h->ref))
			return true;
	} else if (t.guest != NULL) {
		r.pid = t.pid;
		r.error = EACCES;
	}
	answer(p, h->ref, &r);
	return true;
}
