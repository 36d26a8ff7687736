/* SPDX-License-Identifier: ISC */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

#include "core/engine.h"

/*
 * The whole engine, taken elsewhere: as a copy in this process, or as an image
 * (bytes) from which another process makes the engine again.
 *
 * A copy answers "what would happen": it has the state of the engine that it
 * was made of, borrows the same specs, and steps exactly as that one would;
 * nothing that is done to it reaches the original.  Its effects must go to a
 * sink that carries out none of them.
 *
 * An image is what a journal begins with (core/journal.h).  It holds all that
 * the core decides by, the specs' contents too, so the engine that is made of
 * it does not depend on a file that may have changed since.  Images of engines
 * in the same state are the same bytes.  They are read by the same build of
 * supd on the same kind of machine only; another one refuses them.
 */

/* How many nodes the engine has room for: `cap` of engine_init(). */
uint32_t engine_cap(const struct engine *e);

/*
 * How many instants the windows of all its supervisors hold together, and
 * those of the plans that wait for their turn, with these plans themselves.
 */
size_t engine_windows_len(const struct engine *e);

/*
 * Copy an engine that is not in the middle of a step.
 *
 * `mem` is engine_size(engine_cap(src)) zeroed bytes, `windows` has room for
 * engine_windows_len(src) instants (it may be NULL if that is 0); both are the
 * caller's and live as long as the copy.  Specs and the children of plans stay
 * borrowed, so they must live as long, too.  What the copy is given later
 * (engine_add_*) brings its own windows, as always.  Costs O(nodes in use).
 */
struct engine *engine_copy(
    const struct engine *src, void *mem, mono_t *windows);

/*
 * Tells apart builds of supd that lay out differently what an image, a journal
 * or a trace holds.
 */
uint32_t engine_layout(void);

/* How many bytes engine_save() writes now. */
size_t engine_save_size(const struct engine *e);

/*
 * Write the image of an engine that is not in the middle of a step to `buf`,
 * engine_save_size() bytes, which need not be aligned.
 */
void engine_save(const struct engine *e, void *buf);

/*
 * What an engine borrows, asked for by who makes it again.  Each function
 * returns memory that holds what is given and lives as long as the engine
 * asks of it in engine.h, or NULL: there is none.
 *
 *   worker, sup  the spec of node n, equal to *saved: the caller's own, or a
 *                copy of it.  A plan's specs come this way, too.
 *   window       room for max >= 1 instants, for supervisor n or its plan
 *   plan         for supervisor n: a plan whose `child` has room for n_children
 *                elements; the core fills in all of it
 */
struct lender {
	const struct worker_spec *(*worker)(
	    void *ctx, node_t n, const struct worker_spec *saved);
	const struct sup_spec *(*sup)(
	    void *ctx, node_t n, const struct sup_spec *saved);
	mono_t *(*window)(void *ctx, node_t n, uint32_t max);
	struct plan *(*plan)(void *ctx, node_t n, uint32_t n_children);
	void *ctx;
};

/*
 * The `cap` that engine_restore() needs memory for, from an image of `len`
 * bytes.  Returns 0, or as engine_restore() does; everything is checked.
 */
must_check int engine_image_cap(const void *image, size_t len, uint32_t *ret);

/*
 * Make the engine of an image in `mem`, engine_size(cap) zeroed bytes.
 *
 * Returns 0 or
 *   -EINVAL           this is not an image
 *   -EPROTONOSUPPORT  it was made by another build of supd
 *   -EBADMSG          it is damaged
 *   -ENOMEM           the lender had none; `mem` must not be used
 */
must_check int engine_restore(const void *image, size_t len, void *mem,
    const struct lender *lender, struct engine **ret);

#endif /* CORE_SNAPSHOT_H */
