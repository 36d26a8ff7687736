/* SPDX-License-Identifier: ISC */
#ifndef BUS_INBOX_H
#define BUS_INBOX_H

#include "bus/requests.h"
#include "proto/proto.h"

/*
 * Guests as processes: a client of the control socket that has a name or
 * receives is one, until it closes.  What is sent to it waits here, for the
 * method `receive`.
 */

/* What waits for one client at most; more is refused. */
#define INBOX_BYTES_MAX ((size_t)4 * 1024 * 1024)
#define INBOX_MAX       10000u

struct inbox;

/* Methods. */
void inbox_register(struct request *r, const json_t *params);
void inbox_unregister(struct request *r, const json_t *params);
void inbox_receive(struct request *r, const json_t *params);
void inbox_reply(struct request *r, const json_t *params);

/*
 * A DATA, CALL, CAST or EXIT for this client.  False: it has no room for it;
 * what is for a client that is no process disappears.
 */
bool inbox_put(struct client *c, const struct proto_frame *h, const void *body,
    size_t len);

/* Its output has been read. */
void inbox_drained(struct client *c);

/* It receives no more. */
void inbox_unfollow(struct request *r);

/* The client closes: its name is free, then those who watch it hear of it. */
void inbox_ended(struct client *c);

/* What a body says, in JSON; NULL if it is not the msgpack that it should be.
 */
json_t *body_json(unsigned flags, const void *body, size_t len);

#endif /* BUS_INBOX_H */
