/* SPDX-License-Identifier: ISC */
#ifndef BUS_GUEST_H
#define BUS_GUEST_H

#include "bus/control.h"
#include "proto/proto.h"

/*
 * Guests: clients of the control socket who talk to workers.  Their messages
 * travel over the worker's lifeline, from a guest pid, in msgpack.
 */

struct peer;

/* Methods. */
void guest_call(struct request *r, const json_t *params);
void guest_send(struct request *r, const json_t *params);
void guest_cast(struct request *r, const json_t *params);

/* A REPLY for a guest; one that nobody waits for any more is dropped. */
void guest_reply(
    struct bus *b, const struct proto_frame *h, const void *body, size_t len);

/* Its calls will not be answered any more. */
void guest_ended(struct bus *b, struct peer *p, const char *reason);

#endif /* BUS_GUEST_H */
