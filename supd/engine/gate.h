/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_GATE_H
#define ENGINE_GATE_H

#include "engine/shell.h"

/*
 * The only way from the shell into the core: whatever changes it goes through
 * here and is recorded (engine/tracefile.h).  A lint test sees to it.  The
 * functions are those of core/engine.h.
 */

/*
 * Begin the trace of an engine of `cap` nodes, if there is to be one.  Returns
 * 0 or -errno, which has been logged.
 */
must_check int gate_open(struct shell *sh, uint32_t cap);
/* Write what is left of it. */
void gate_close(struct shell *sh);

/* Make the engine in sh->core_mem. */
void gate_init(struct shell *sh, uint32_t cap);

void gate_step(
    struct shell *sh, const struct event *ev, struct effects *ret_todo);
node_t gate_add_worker(struct shell *sh, node_t parent, const char *name,
    const struct worker_spec *spec);
node_t gate_add_sup(struct shell *sh, node_t parent, const char *name,
    const struct sup_spec *spec, mono_t *window);
void gate_discard(struct shell *sh, node_t n);
void gate_set_spawn_interval(struct shell *sh, int64_t interval_ns);
void gate_set_plan(struct shell *sh, node_t sup, const struct plan *plan);

/* For the sink of effects: record one. */
void gate_effect(struct shell *sh, const struct effect *eff);

#endif /* ENGINE_GATE_H */
