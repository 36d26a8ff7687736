/* SPDX-License-Identifier: ISC */
#include "bus/relay.h"

#include "bus/bus.h"
#include "bus/guest.h"
#include "bus/keep.h"
#include "bus/lifeline.h"
#include "bus/target.h"

#include <string.h>

/* A call that cannot be delivered is answered; anything else is at most once
 * and goes silently (P-3). */
static void
relay_failed(struct peer *from, const struct proto_frame *h, const char *reason)
{
	struct proto_frame r = {
		.type = PROTO_REPLY,
		.flags = PROTO_ERROR,
		.to = peer_pid(from),
		.from = h->to,
		.ref = h->ref,
	};

	if (h->type == PROTO_CALL)
		lifeline_send(from->line, &r, reason, strlen(reason));
}

static void
relay_guest(struct peer *from, const struct proto_frame *f, const void *body,
    size_t len)
{
	struct target t;

	if (f->type == PROTO_REPLY)
		guest_reply(from->bus, f, body, len);
	else if (!target_of(from->bus, f->to, &t) || !target_talks(&t))
		relay_failed(from, f, "noproc");
	else if (!target_put(&t, f, body, len))
		relay_failed(from, f, "busy: it does not read its messages");
}

bool
relay_frame(struct peer *from, const struct proto_frame *h, const void *body,
    size_t len)
{
	struct bus *b = from->bus;
	struct proto_frame f = *h;
	struct peer *to;

	if (h->to == 0)
		return false;
	f.from = peer_pid(from);
	if (PROTO_PID_SLOT(h->to) == PROTO_GUEST_SLOT) {
		relay_guest(from, &f, body, len);
		return true;
	}
	to = keep_peer(b, h->to);
	if (to != NULL) {
		if (!keep_put(to, &f, body, len))
			relay_failed(from, h, "busy: too much waits for it");
		return true;
	}
	to = peers_by_pid(b, h->to);
	if (to == NULL || !peer_joined(to))
		relay_failed(from, h, "noproc");
	else if (!lifeline_relay(to->line, &f, body, len))
		relay_failed(from, h, "busy: it does not read its messages");
	return true;
}
