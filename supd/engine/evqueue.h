/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_EVQUEUE_H
#define ENGINE_EVQUEUE_H

#include "core/engine.h"

/*
 * Events that wait for the core, first in, first out: a ring that grows.  All
 * zero is an empty one; its owner releases it by evqueue_fini().
 */
struct evqueue {
	struct event *ring;
	uint32_t cap, head, len;
};

/* False: no memory; the queue is as it was. */
must_check bool evqueue_put(struct evqueue *q, const struct event *ev);

/* False: it is empty. */
must_check bool evqueue_take(struct evqueue *q, struct event *ret);

void evqueue_fini(struct evqueue *q);

#endif /* ENGINE_EVQUEUE_H */
