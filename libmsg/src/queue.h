/* SPDX-License-Identifier: ISC */
#ifndef SRC_QUEUE_H
#define SRC_QUEUE_H

/*
 * The save queue (P-5): what has come in and waits, in the order in which it
 * came.  Replies, news of ends and timeouts are found by their ref as well, so
 * that waiting for one of them costs the same with half a million messages
 * before it.
 */

#include "hash.h"

#include <msg/msg.h>

#include "proto/proto.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/* A system request (sys.h), of which the user never hears. */
#define KIND_SYSTEM 15
#define KINDS_USER  (~MSG_IS(KIND_SYSTEM))

/* A message. */
struct item {
	TAILQ_ENTRY(item) entry;
	struct hash_node by_ref;
	uint64_t number; /* of its arrival */
	uint8_t kind;    /* enum msg_kind */
	bool indexed;    /* found by ref */
	bool response;   /* to a request, also when it is a MSG_DOWN */
	bool relayed;    /* by supd: whoever sent it knows no credit */
	struct proto_frame h;
	size_t len;
	char body[]; /* and a NUL */
};
TAILQ_HEAD(items, item);

struct queue {
	struct items items;
	struct hash by_ref;
	uint64_t arrivals;
	uint64_t first_ref, last_ref; /* the refs that we have given out */
	uint64_t n, bytes;            /* with a header for each */
	uint64_t relayed_bytes;       /* of those, relayed */
	uint64_t steps;               /* items that matching has looked at */
};

/*
 * Refs begin after `first_ref`.  It is random, so that the ref of somebody
 * else's call is never taken for one of ours.
 */
void queue_init(struct queue *q, uint64_t first_ref);
void queue_fini(struct queue *q);

/* A new ref. */
uint64_t queue_ref(struct queue *q);

/* A message with a copy of the body; free(3) it.  NULL: no memory. */
struct item *item_new(enum msg_kind kind, const struct proto_frame *h,
    const void *body, size_t len);

/* Append.  indexed: its ref is one of queue_ref(). */
void queue_put(struct queue *q, struct item *it, bool indexed);

/* Take out: the oldest; the one with this ref of ours.  NULL: none. */
struct item *queue_take_first(struct queue *q);
struct item *queue_take_ref(struct queue *q, uint64_t ref);

/* Is there one with this ref of ours? */
struct item *queue_find_ref(const struct queue *q, uint64_t ref);

/*
 * Take out the oldest that one of n patterns fits, and tell which (from 0).
 * *scanned is 0 at first; with what it was left at, the next call with the
 * same patterns looks only at what has come since.
 */
struct item *queue_match(struct queue *q, const struct msg_pattern *patterns,
    size_t n, uint64_t *scanned, size_t *ret_which);

#endif /* SRC_QUEUE_H */
