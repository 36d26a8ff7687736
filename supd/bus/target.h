/* SPDX-License-Identifier: ISC */
#ifndef BUS_TARGET_H
#define BUS_TARGET_H

#include "base/attr.h"
#include "bus/requests.h"
#include "proto/proto.h"

/*
 * Whom a message is for: a worker, or a guest.
 */

struct client;
struct peer;

struct target {
	uint64_t pid;
	struct peer *peer;    /* one of the two; or NULL: */
	struct client *guest; /* neither, it does not live */
	bool kept;            /* peer: for its next incarnation, see keep.h */
};

/* By pid; by name, path or "<slot.inc>".  False: nobody, and so says *ret. */
bool target_of(struct bus *b, uint64_t pid, struct target *ret);
bool target_find(struct bus *b, const char *text, struct target *ret);

/* By the `name` of a request; false: the request has failed. */
must_check bool target_param(
    struct request *r, const json_t *params, struct target *ret);

/* The same for a message, which may be kept until the worker is back. */
must_check bool target_message(
    struct request *r, const json_t *params, struct target *ret);

/* Can it take messages? */
bool target_talks(const struct target *t);

/* "root/web", or "client 4711"; static until the next call. */
const char *target_name(const struct target *t);

/* Give it a frame of somebody else's.  False if it has no room for it. */
must_check bool target_put(const struct target *t, const struct proto_frame *h,
    const void *body, size_t len);

/* The pid as clients see it: "<slot.inc>", and back; 0 if it is none. */
#define PID_TEXT_MAX 48
void pid_text(uint64_t pid, char out[PID_TEXT_MAX]);
json_t *pid_json(uint64_t pid);
uint64_t pid_parse(const char *text);

#endif /* BUS_TARGET_H */
