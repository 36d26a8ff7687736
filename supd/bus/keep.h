/* SPDX-License-Identifier: ISC */
#ifndef BUS_KEEP_H
#define BUS_KEEP_H

#include "base/attr.h"
#include "proto/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/queue.h>

/*
 * mailbox: {on_restart: keep}: what is sent to the name or path of a worker
 * between two of its incarnations waits here for the next one.
 *
 * Who asks for the way then is told a pid that stands for the next incarnation,
 * and sends to it by the lifeline.  So it goes on until the worker has read all
 * that was kept; then it is told the direct way.  That keeps the order of what
 * one sends to the other.
 */

/* The bit of an incarnation that marks such a pid; the rest is the last one. */
#define KEEP_INC (UINT64_C(1) << 39)
/* Of one worker, besides its max_bytes. */
#define KEEP_MAX 100000u

struct bus;
struct kept;
struct peer;

TAILQ_HEAD(kept_list, kept);

/* Whose messages to this name or path are kept now; NULL: nobody's. */
struct peer *keep_find(struct bus *b, const char *text);
uint64_t keep_pid(const struct peer *p);
bool keep_is(uint64_t pid);
/* The worker of such a pid, or NULL. */
struct peer *keep_peer(struct bus *b, uint64_t pid);

/* Keep a frame, or pass it on.  False: there is no room for it. */
must_check bool keep_put(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len);

/* It has a mailbox now, or has read its lifeline: pass on what was kept. */
void keep_flow(struct peer *p);
/* It has read what was passed on before the question. */
void keep_passed(struct peer *p);

/* Its incarnation has ended; the worker is no more. */
void keep_ended(struct peer *p);
void keep_free(struct peer *p);

#endif /* BUS_KEEP_H */
