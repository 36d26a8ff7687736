/* SPDX-License-Identifier: ISC */
#include "engine/evqueue.h"

#include <stdlib.h>

/* The ring is full: lay it out from the start of a larger one. */
static bool
grow(struct evqueue *q)
{
	uint32_t cap = q->cap != 0 ? q->cap * 2 : 64;
	struct event *p = reallocarray(NULL, cap, sizeof(*p));

	if (p == NULL)
		return false;
	for (uint32_t i = 0; i < q->len; i++)
		p[i] = q->ring[(q->head + i) % q->cap];
	free(q->ring);
	q->ring = p;
	q->cap = cap;
	q->head = 0;
	return true;
}

bool
evqueue_put(struct evqueue *q, const struct event *ev)
{
	if (q->len == q->cap && !grow(q))
		return false;
	q->ring[(q->head + q->len++) % q->cap] = *ev;
	return true;
}

bool
evqueue_take(struct evqueue *q, struct event *ret)
{
	if (q->len == 0)
		return false;
	*ret = q->ring[q->head];
	q->head = (q->head + 1) % q->cap;
	q->len--;
	return true;
}

void
evqueue_fini(struct evqueue *q)
{
	free(q->ring);
	*q = (struct evqueue){ 0 };
}
