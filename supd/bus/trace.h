/* SPDX-License-Identifier: ISC */
#ifndef BUS_TRACE_H
#define BUS_TRACE_H

#include "bus/requests.h"
#include "proto/proto.h"

/*
 * trace: what a worker receives and sends, told by the libmsg in it while
 * somebody follows.  Follows the worker over its restarts.
 */

struct peer;

/* Method. */
void trace_trace(struct request *r, const json_t *params);

/* The worker tells of a message.  False if the frame is malformed. */
bool trace_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len);

/* An incarnation has joined; has ended; the worker is no more. */
void trace_joined(struct peer *p);
void trace_ended(struct peer *p, const char *reason);
void trace_forget(struct peer *p);

/* r follows no more. */
void trace_unfollow(struct request *r);

#endif /* BUS_TRACE_H */
