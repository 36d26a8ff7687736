/* SPDX-License-Identifier: ISC */
#include "bus/exits.h"

#include "base/log.h"
#include "bus/allow.h"
#include "bus/bus.h"
#include "bus/lifeline.h"

#include <signal.h>
#include <string.h>

struct exiting {
	struct event *timer; /* NULL: it has been killed already */
	bool by_frame;       /* libmsg was told, else it was signalled */
	char reason[PROTO_REASON_MAX + 1];
};

bool
exits_may(const struct peer *p, const struct peer *to)
{
	return p->uid == to->uid || p->uid == 0 || p->uid == getuid() ||
	       allow_may(p, "exit", to->path);
}

bool
exits_doomed(const struct peer *p)
{
	return p->exiting != NULL;
}

void
exits_reset(struct peer *p)
{
	if (p->exiting == NULL)
		return;
	if (p->exiting->timer != NULL)
		event_free(p->exiting->timer);
	free(p->exiting);
	p->exiting = NULL;
}

/* Have the engine signal it; an end that follows is for this reason. */
static void
ask_engine(struct peer *p, int sig, const char *reason)
{
	struct wire_exit w = { .slot = p->slot, .sig = sig, .inc = p->inc };

	strlcpy(w.reason, reason, sizeof(w.reason));
	bus_send(&p->bus->engine, WIRE_EXIT, 0, &w, NULL, 0);
}

static void
not_obeyed(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	log_info("%s: has not obeyed an exit signal (%s) within %d s: killing "
		 "it",
	    p->path, p->exiting->reason, EXIT_OBEY_S);
	event_free(p->exiting->timer);
	p->exiting->timer = NULL;
	ask_engine(p, SIGKILL, p->exiting->reason);
}

/* It is to end; the first signal's reason is the one that counts. */
static void
doom(struct peer *p, const char *reason, bool by_frame)
{
	static const struct timeval obey = { EXIT_OBEY_S, 0 };
	struct exiting *x = p->exiting;

	if (x != NULL)
		return;
	x = calloc(1, sizeof(*x));
	if (x == NULL)
		return;
	strlcpy(x->reason, reason, sizeof(x->reason));
	x->by_frame = by_frame;
	x->timer = evtimer_new(p->bus->base, not_obeyed, p);
	if (x->timer != NULL)
		evtimer_add(x->timer, &obey);
	p->exiting = x;
}

/* "kill": nobody can trap it, and what it ends with is "killed". */
static void
kill_now(struct peer *p)
{
	if (p->exiting != NULL && p->exiting->timer == NULL)
		return; /* it is being killed */
	doom(p, "killed", false);
	if (p->exiting != NULL && p->exiting->timer != NULL) {
		event_free(p->exiting->timer);
		p->exiting->timer = NULL;
	}
	ask_engine(p, SIGKILL, "killed");
}

/*
 * By the lifeline; false: it cannot hear.  A link's reason must arrive, and
 * nobody has more links than it wanted; what anybody may send has the share of
 * relayed messages, and beyond that a worker that traps exits loses it like
 * these, and another is as good as deaf.
 */
static bool
send_frame(struct peer *p, uint64_t from, const char *reason, uint32_t seq,
    unsigned flags)
{
	struct proto_frame h = {
		.type = PROTO_EXIT,
		.flags = (uint16_t)flags,
		.to = peer_pid(p),
		.from = from,
		.seq = seq,
	};

	if (!peer_joined(p))
		return false;
	if ((flags & PROTO_VIA_LINK) != 0 || from == PROTO_SUPERVISOR)
		lifeline_send(p->line, &h, reason, strlen(reason));
	else if (!lifeline_relay(p->line, &h, reason, strlen(reason)))
		return p->traps;
	return peer_joined(p);
}

void
exits_send(struct bus *b, uint64_t from, uint64_t to, const char *reason,
    uint32_t seq, unsigned flags)
{
	struct peer *p = peers_by_pid(b, to);
	bool normal = strcmp(reason, "normal") == 0;

	if (p == NULL)
		return;
	flags &= PROTO_VIA_LINK;
	if (flags == 0 && strcmp(reason, "kill") == 0) {
		kill_now(p);
	} else if (send_frame(p, from, reason, seq, flags)) {
		/* It knows itself whether it traps; we know it later. */
		if (!p->traps && !normal)
			doom(p, reason, true);
	} else if (!normal && !exits_doomed(p)) {
		doom(p, reason, false);
		ask_engine(p, SIGTERM, reason);
	}
}

void
exits_trap(struct peer *p, bool on)
{
	struct wire_id w = { .slot = p->slot, .inc = p->inc };

	if (on && p->exiting != NULL && p->exiting->by_frame)
		exits_reset(p); /* it was a message */
	p->traps = on;
	if (!on || p->traps_told)
		return;
	p->traps_told = true;
	bus_send(&p->bus->engine, WIRE_TRAPS, 0, &w, NULL, 0);
}

void
exits_stop(struct bus *b, const struct wire_exit *w)
{
	struct peer *p = peers_get(b, w->slot);

	if (p == NULL || !p->live || p->inc != w->inc)
		return;
	if (!p->traps || !send_frame(p, PROTO_SUPERVISOR, w->reason, 0, 0))
		ask_engine(p, w->sig, "");
}
