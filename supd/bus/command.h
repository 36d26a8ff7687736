/* SPDX-License-Identifier: ISC */
#ifndef BUS_COMMAND_H
#define BUS_COMMAND_H

#include "bus/requests.h"
#include "proto/proto.h"

/*
 * CONTROL: a worker uses the control protocol by its lifeline, as far as its
 * `allow:` goes.  It is a client without a connection: requests belong to it
 * and end with it; results go out as ANSWERs.
 */

struct peer;

/* The worker asks.  False if the frame is malformed. */
bool command_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len);

/* One of its requests has ended.  `result`: JSON text. */
void command_done(const struct request *r, const char *result);
void command_fail(const struct request *r, int code, const char *text);

/* Its incarnation has ended: drop what it has asked. */
void command_ended(struct peer *p);

#endif /* BUS_COMMAND_H */
