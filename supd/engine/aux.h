/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_AUX_H
#define ENGINE_AUX_H

#include "base/attr.h"
#include "core/engine.h"

#include <stdint.h>
#include <sys/queue.h>

/*
 * Commands that run beside a worker for a short while: probes of readiness and
 * health.
 *
 * They are ordinary processes of the keeper, in slots at the end of its table
 * that no worker has.  At most one runs for a worker, and as many at once as
 * there are such slots; others wait for their turn, and their time runs.  One
 * that is cancelled or out of time is killed with its whole process group, and
 * its slot is free when the keeper has said that nothing is left of it.
 */

#define AUX_SLOTS_MAX 64

struct shell;
struct aux_job;
struct wire_spawned;
struct wire_failed;
struct wire_exited;
TAILQ_HEAD(aux_queue, aux_job);

struct aux {
	uint32_t first, n; /* slots first..first+n-1 */
	struct aux_job *job[AUX_SLOTS_MAX];
	uint64_t inc[AUX_SLOTS_MAX]; /* the last one used */
	struct aux_queue queue;
};

/* How many of a keeper's slots are kept for these commands. */
uint32_t aux_reserve(uint32_t n_slots);

/* Use the slots after the `cap` of workers. */
void aux_init(struct shell *sh, uint32_t n_slots, uint32_t cap);
void aux_fini(struct shell *sh);

/*
 * Run `argv` (borrowed) for worker n.  done() is called once, from the loop and
 * not before this returns, unless aux_cancel() comes first: with NULL if it
 * has exited with 0, else with what it did instead: "exit 1", "SIGSEGV",
 * "exec x: No such file or directory", "no answer within 3s".  NULL: no memory.
 */
must_check struct aux_job *aux_run(struct shell *sh, node_t n,
    const char *const *argv, int64_t timeout_ns,
    void (*done)(void *arg, const char *error), void *arg);

/* Nobody wants to know any more; done() is not called.  NULL is none. */
void aux_cancel(struct aux_job *job);

/* Frames of the keeper about such a slot. */
bool aux_has(const struct shell *sh, uint32_t slot);
void aux_failed(struct shell *sh, const struct wire_failed *m);
void aux_exited(struct shell *sh, const struct wire_exited *m);

#endif /* ENGINE_AUX_H */
