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
void guest_monitor(struct request *r, const json_t *params);
void guest_exit(struct request *r, const json_t *params);

/* A payload in msgpack; false: the request has failed. */
must_check bool guest_pack(
    struct request *r, const json_t *payload, struct buf *ret_body);

/* A REPLY for a guest; one that nobody waits for any more is dropped. */
void guest_reply(
    struct bus *b, const struct proto_frame *h, const void *body, size_t len);

/* An exit signal to a guest: a message of its kind, if it is one's at all. */
void guest_exit_signal(
    struct peer *from, const struct proto_frame *h, const char *reason);

/* This worker, or guest (path NULL), has ended: it answers no calls; tell its
 * monitors. */
void guest_ended(
    struct bus *b, uint64_t pid, const char *path, const char *reason);

#endif /* BUS_GUEST_H */
