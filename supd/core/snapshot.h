/* SPDX-License-Identifier: ISC */
#ifndef CORE_SNAPSHOT_H
#define CORE_SNAPSHOT_H

#include "core/engine.h"

/*
 * The whole engine, taken elsewhere.
 *
 * A copy answers "what would happen": it has the state of the engine that it
 * was made of, borrows the same specs, and steps exactly as that one would;
 * nothing that is done to it reaches the original.  Its effects must go to a
 * sink that carries out none of them.
 */

/* How many nodes the engine has room for: `cap` of engine_init(). */
uint32_t engine_cap(const struct engine *e);

/* How many instants the windows of all its supervisors hold together. */
size_t engine_windows_len(const struct engine *e);

/*
 * Copy an engine that is not in the middle of a step.
 *
 * `mem` is engine_size(engine_cap(src)) zeroed bytes, `windows` has room for
 * engine_windows_len(src) instants (it may be NULL if that is 0); both are the
 * caller's and live as long as the copy.  Specs stay borrowed, so they must
 * live as long, too.  What the copy is given later (engine_add_*) brings its
 * own windows, as always.  Costs O(nodes in use).
 */
struct engine *engine_copy(
    const struct engine *src, void *mem, mono_t *windows);

#endif /* CORE_SNAPSHOT_H */
