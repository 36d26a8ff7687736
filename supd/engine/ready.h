/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_READY_H
#define ENGINE_READY_H

#include "engine/shell.h"

/*
 * Readiness that supd finds out by itself: `ready: {tcp: A}`, `{unix: P}`,
 * `{probe: argv}`.
 *
 * From the exec on, a connect is tried every 20 ms, growing to 250 ms, or the
 * command is run every 250 ms, growing to 1 s (and killed after 10 s), until
 * one succeeds: then EV_READY is queued for that incarnation.
 */

/*
 * Get what node n's readiness asks; nothing for other modes.  A failure
 * becomes the node's prep_error: its start will fail with these words.  May be
 * called again, for another configuration; what was begun goes on with it.
 */
void ready_prepare(struct shell *sh, node_t n);

/* Begin asking for an incarnation; end it.  Both are idempotent. */
void ready_start(struct shell *sh, node_t n, uint64_t inc);
void ready_stop(struct node *nd);
void ready_free(struct node *nd);

/*
 * What a starting worker waits for: "waiting for tcp 127.0.0.1:8080 (7
 * failures, last: connection refused), 28s left".
 */
void ready_detail(const struct shell *sh, node_t n, char *buf, size_t len);

/* The same without the frame: "tcp 127.0.0.1:8080 (7 failures, ...)". */
void ready_awaited(const struct shell *sh, node_t n, char *buf, size_t len);

#endif /* ENGINE_READY_H */
