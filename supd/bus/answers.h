/* SPDX-License-Identifier: ISC */
#ifndef BUS_ANSWERS_H
#define BUS_ANSWERS_H

#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * ANSWERs to a worker.  One that is longer than a frame goes out in several,
 * each but the last with PROTO_MORE: the worker joins their bodies.  Long ones
 * leave as fast as the worker reads, so an answer that it has asked for never
 * costs it its lifeline.
 */

/* All that waits for one worker, and the most that one answer may be. */
#define ANSWERS_BYTES_MAX ((size_t)8 * 1024 * 1024)

struct answer;
struct lifeline;
struct peer;

TAILQ_HEAD(answer_list, answer);

/* A msgpack value for who asked with `ref`; `from`: who answers, 0: supd. */
void answers_put(
    struct peer *to, uint64_t ref, uint64_t from, const void *body, size_t len);

/* A failure: an errno and a text. */
void answers_fail(
    struct peer *to, uint64_t ref, uint64_t from, int error, const char *text);

/* There is room in the lifeline; it has closed. */
void answers_flush(struct lifeline *l);
void answers_drop(struct lifeline *l);

#endif /* BUS_ANSWERS_H */
