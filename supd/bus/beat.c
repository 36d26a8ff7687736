/* SPDX-License-Identifier: ISC */
#include "bus/beat.h"

#include "base/mono.h"
#include "bus/bus.h"

#include <stdlib.h>

struct beat {
	struct event timer; /* pending: one was told less than beat_ns ago */
	bool again;         /* and another one has come since */
	bool unwell;        /* that was told */
};

static void
tell(struct peer *p, bool unwell)
{
	struct wire_beat m = {
		.slot = p->slot,
		.inc = p->inc,
		.unwell = unwell,
	};

	bus_send(&p->bus->engine, WIRE_BEAT, 0, &m, NULL, 0);
}

static void
tell_and_wait(struct peer *p)
{
	struct timeval tv = {
		.tv_sec = p->beat_ns / NS_PER_S,
		.tv_usec = p->beat_ns % NS_PER_S / 1000,
	};

	p->beat->again = false;
	tell(p, false);
	event_add(&p->beat->timer, &tv);
}

static void
beat_due(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	if (p->beat->again && p->live && p->beat_ns > 0)
		tell_and_wait(p);
}

static struct beat *
beat_of(struct peer *p)
{
	if (p->beat != NULL)
		return p->beat;
	p->beat = calloc(1, sizeof(*p->beat));
	if (p->beat != NULL)
		evtimer_assign(&p->beat->timer, p->bus->base, beat_due, p);
	return p->beat;
}

void
beat_take(struct peer *p, bool unwell)
{
	struct beat *b;

	if (!p->live || p->beat_ns <= 0)
		return;
	b = beat_of(p);
	if (b == NULL) {
		tell(p, unwell); /* too often is better than not at all */
	} else if (unwell) {
		if (!b->unwell)
			tell(p, true);
		b->unwell = true;
	} else if (evtimer_pending(&b->timer, NULL)) {
		b->again = true;
	} else {
		tell_and_wait(p);
	}
}

void
beat_reset(struct peer *p)
{
	if (p->beat == NULL)
		return;
	event_del(&p->beat->timer);
	p->beat->again = p->beat->unwell = false;
}

void
beat_free(struct peer *p)
{
	beat_reset(p);
	free(p->beat);
	p->beat = NULL;
}
