/* SPDX-License-Identifier: ISC */
/*
 * Replies that could not be sent, in order, for one who does not take them; and
 * the signals by the lifeline that are to follow them (P-4).
 *
 * A server must not wait for a client: one that is stopped, busy, hostile or
 * full would keep all others waiting.  So a reply waits here, in memory, and
 * leaves when the client gives credit.  What is beyond the bound is dropped and
 * counted, and its call times out: who asks so much and takes nothing has asked
 * for it.
 */
#include "pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A peer's, in bytes; one reply may be longer. */
#define BACKLOG_MAX ((size_t)16 * 1024 * 1024)

struct late_reply {
	struct late_reply *next;
	struct proto_frame h;
	size_t len;
	char body[];
};

#define STUCK_NS (20 * NS_PER_MS)

static unsigned n_peers; /* who have any */

bool
transport_owes(void)
{
	return n_peers != 0;
}

bool
backlog_none(const struct peer *p)
{
	return p->backlog_first == NULL;
}

bool
backlog_stuck(const struct peer *p)
{
	return !backlog_none(p) && clock_now() - p->backlog_ns >= STUCK_NS;
}

static void
pop(struct peer *p)
{
	struct late_reply *l = p->backlog_first;

	p->backlog_first = l->next;
	p->backlog_bytes -= sizeof(*l) + l->len;
	if (p->backlog_first == NULL) {
		p->backlog_last = NULL;
		n_peers--;
	}
	p->backlog_ns = clock_now();
	free(l);
}

/* It goes by the lifeline, and is never dropped for want of room. */
static bool
is_signal(const struct proto_frame *h)
{
	return h->type >= PROTO_JOIN;
}

bool
backlog_add(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct late_reply *l;

	if (!is_signal(h) && p->backlog_bytes != 0 &&
	    p->backlog_bytes + sizeof(*l) + len > BACKLOG_MAX)
		return false;
	l = calloc(1, sizeof(*l) + len);
	if (l == NULL)
		return false;
	l->h = *h;
	l->len = len;
	if (len != 0)
		memcpy(l->body, body, len);
	if (p->backlog_last != NULL)
		p->backlog_last->next = l;
	else {
		p->backlog_first = l;
		p->backlog_ns = clock_now();
		n_peers++;
	}
	p->backlog_last = l;
	p->backlog_bytes += sizeof(*l) + len;
	return true;
}

void
backlog_flush(struct peer *p)
{
	int r = 0;

	while (r != -EAGAIN && p->backlog_first != NULL) {
		const struct late_reply *l = p->backlog_first;

		r = is_signal(&l->h)
		        ? transport_signal_now(p, &l->h, l->body, l->len)
		        : transport_now(p, &l->h, l->body, l->len);
		if (r != -EAGAIN)
			pop(p);
	}
}

void
backlog_flush_all(void)
{
	struct peer *p;

	if (n_peers == 0)
		return;
	TAILQ_FOREACH (p, &peers, entry)
		backlog_flush(p);
}

void
backlog_drop(struct peer *p)
{
	const struct late_reply *l;

	/* The replies are lost, which is no reason to lose a signal. */
	while ((l = p->backlog_first) != NULL) {
		if (is_signal(&l->h))
			(void)!transport_signal_now(p, &l->h, l->body, l->len);
		pop(p);
	}
}
