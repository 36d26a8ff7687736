/* SPDX-License-Identifier: ISC */
#ifndef BUS_SYS_H
#define BUS_SYS_H

#include "base/attr.h"
#include "base/buf.h"
#include "proto/proto.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>

/*
 * SYS: questions to the libmsg in a worker, which it answers whatever else it
 * does, as sys(3) does in OTP.  Asked by workers and by requests.
 *
 * Each gets a number of the bus's own, which returns in the ANSWER; only the
 * worker that was asked can answer it.  An answer of several frames is put
 * together here and passed on when it is whole.
 */

#define SYS_OPEN_MAX  64 /* questions of one worker; the oldest gives way */
#define SYS_BYTES_MAX ((size_t)64 * 1024 * 1024)

struct bus;
struct peer;
struct request;

struct sys_ask {
	RB_ENTRY(sys_ask) by_ref;
	TAILQ_ENTRY(sys_ask) of_target, of_asker;
	uint64_t ref;
	struct peer *target;
	struct peer *asker; /* or NULL: */
	struct request *request;
	uint64_t asker_ref;
	struct buf body; /* what has come of the answer */
	bool too_long;
};

RB_HEAD(sys_tree, sys_ask);
TAILQ_HEAD(sys_list, sys_ask);

struct sys {
	struct sys_tree asks;
	uint64_t last_ref;
	size_t bytes; /* of answers that are not whole yet */
};

/* Lifeline: a worker asks another; the other answers.  False: malformed. */
bool sys_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len);
bool sys_answer(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len);

/*
 * Ask for a request, which has set r->on_sys: that gets the answer.
 * Returns 0, -EAGAIN: the worker does not read its lifeline, or -ENOMEM.
 */
must_check int sys_request(
    struct request *r, struct peer *target, const char *op, const json_t *args);

/*
 * Ask a worker something that its libmsg answers at once; keep_passed() hears
 * of the answer.  False: it cannot be asked.
 */
bool sys_ask_passed(struct peer *target);

/* Say something that needs no answer. */
void sys_tell(struct peer *target, const char *op, const json_t *args);

/* Nobody waits for it any more. */
void sys_cancel(struct bus *b, struct sys_ask *a);

/* An incarnation has ended: what it was asked, and what it has asked. */
void sys_ended(struct bus *b, struct peer *p, const char *reason);

#endif /* BUS_SYS_H */
