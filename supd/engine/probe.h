/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_PROBE_H
#define ENGINE_PROBE_H

#include "engine/shell.h"

/*
 * Probes of a ready worker: `health: {tcp|unix|http|probe: ...}`.
 *
 * The core says when (EFF_PROBE) and judges; here one probe is made, and its
 * answer becomes EV_PROBED.  An address has to accept a connection, a URL has
 * to answer with a status of 200 to 399, a command has to exit with 0; within
 * the timeout, which begins when the core asks.
 */

/*
 * Get what node n's probes connect to; nothing without `health`.  A failure
 * becomes the node's prep_error: its start will fail with these words.  May be
 * called again, for another configuration; a probe under way is dropped.
 */
void probe_prepare(struct shell *sh, node_t n);

/* EFF_PROBE: in place of one that has not ended. */
void probe_begin(struct shell *sh, node_t n, uint64_t inc, uint64_t tag);

/* The worker is not ready any more: nobody wants an answer. */
void probe_stop(struct node *nd);
void probe_free(struct node *nd);

/*
 * What the last probe that failed has found: "connect 127.0.0.1:80: Connection
 * refused".  "" when none has.
 */
void probe_last(const struct shell *sh, node_t n, char *buf, size_t len);

/* "2 of 3 probes failed: connect ...", while it is not well. */
bool probe_is_failing(const struct shell *sh, node_t n);
void probe_detail(const struct shell *sh, node_t n, char *buf, size_t len);

#endif /* ENGINE_PROBE_H */
