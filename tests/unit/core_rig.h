/* SPDX-License-Identifier: ISC */
#ifndef CORE_RIG_H
#define CORE_RIG_H

#include "../sim/lend.h"
#include "core/journal.h"
#include "core/snapshot.h"

/*
 * An engine with a life: a small tree, and random events that may happen to
 * it.  For tests of what is done to an engine as a whole.
 */

#define RIG_CAP     24
#define RIG_SUPS    4
#define RIG_WINDOW  3
#define RIG_EFFECTS 512

/* What an engine has said in one step. */
struct said {
	const struct engine *e;
	unsigned n;
	char text[RIG_EFFECTS][160];
};

extern struct rig {
	uint64_t rng;
	mono_t now;
	struct sup_spec sup[RIG_SUPS];
	struct worker_spec worker;
	mono_t window[RIG_SUPS][RIG_WINDOW];
	/* rig_plan() */
	struct plan plan;
	struct plan_child plan_child[4];
	struct sup_spec plan_sup;
	struct worker_spec plan_worker;
	mono_t plan_window[RIG_WINDOW + 2];
	struct engine *e;
	void *mem;
	struct journal *journal;
	struct lent lent; /* specs and windows, by the lender */
} rig;

extern struct said said;

/* cmocka's setup and teardown: an empty engine. */
int rig_setup(void **state);
int rig_teardown(void **state);

uint32_t rig_random(uint32_t below);

/*
 * root: one_for_one over two supervisors of four workers and a pool.  What is
 * done to it from here on is recorded in `journal`, if that is not NULL.
 */
void rig_build(struct journal *journal);

/* A sink for effects: ctx is a struct said. */
void rig_note(void *ctx, const struct effect *eff);

/* One step, checked; what was said is in *ret. */
void rig_step(struct engine *e, const struct event *ev, struct said *ret);

/*
 * Lay out a plan for s1 (node 2): its children in reverse, with another spec,
 * and a window of another size.
 */
void rig_plan(void);

/* Something that may happen; a node that it is about may not be there. */
struct event rig_event(void);

/* Boot until all children are up; some random steps; both into `said`. */
void rig_boot(void);
void rig_advance(int steps);

void rig_same(const struct said *a, const struct said *b);

/* Lends copies of all that is asked for, released by rig_teardown(). */
extern const struct lender rig_lender;

/* Two images are the same, as far as the compiler lets them be compared. */
void rig_same_image(const void *a, const void *b, size_t len);

#endif /* CORE_RIG_H */
