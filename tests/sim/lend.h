/* SPDX-License-Identifier: ISC */
#ifndef TESTS_LEND_H
#define TESTS_LEND_H

/*
 * A lender (core/snapshot.h) for tests: what it lends is kept until all of it
 * is released at once.
 */
#include "core/snapshot.h"

/* Zeroed to begin with. */
struct lent {
	void **mem;
	size_t n, cap;
};

/*
 * Zeroed memory, a copy of *p unless that is NULL; ends the process with 2 when
 * there is none.
 */
void *lend(struct lent *l, const void *p, size_t len);
void lend_release(struct lent *l);

/* Specs are copied; windows and plans have as much room as was asked for. */
const struct worker_spec *lend_worker(
    void *ctx, node_t n, const struct worker_spec *saved);
const struct sup_spec *lend_sup(
    void *ctx, node_t n, const struct sup_spec *saved);
mono_t *lend_window(void *ctx, node_t n, uint32_t max);
struct plan *lend_plan(void *ctx, node_t n, uint32_t n_children);

/* Initializes a struct lender that lends from this struct lent. */
#define LENDER(l)                                                              \
	{                                                                      \
		.worker = lend_worker, .sup = lend_sup, .window = lend_window, \
		.plan = lend_plan, .ctx = (l)                                  \
	}

#endif /* TESTS_LEND_H */
