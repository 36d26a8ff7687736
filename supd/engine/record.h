/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include "engine/shell.h"

/*
 * What happens is written down: into the history, to the bus for whoever
 * follows the events, and the part an operator wants to see into supd's log.
 * Called while the effect is emitted, when the core's answers are of that
 * moment.
 */

void record_state(struct shell *sh, const struct effect *eff);
void record_report(struct shell *sh, const struct effect *eff);
void record_done(struct shell *sh, const struct reason *why);

/* A worker has a process: the `starting` event, with its pid. */
void record_spawned(struct shell *sh, node_t n);

/* A hook of it has a process: the `hook` event. */
void record_hook(struct shell *sh, node_t n);

/* A signal beyond the first of a stop, or from an operator: text says why. */
void record_signal(struct shell *sh, node_t n, int sig, const char *text);

/* The configuration becomes another one: text says what is different. */
void record_reload(struct shell *sh, const char *text);

/* By whom: the path of a worker, or NULL: an operator. */
void record_added(struct shell *sh, node_t n, const char *by);
void record_removed(struct shell *sh, node_t n);

/* The logger's answer to the WIRE_LOG_TAIL that a bad end asked for. */
void record_last_line(
    struct shell *sh, uint64_t seq, uint32_t slot, const char *line);

#endif /* ENGINE_RECORD_H */
