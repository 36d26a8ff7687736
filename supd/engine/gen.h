/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_GEN_H
#define ENGINE_GEN_H

#include "engine/shell.h"

/*
 * Configurations in use.
 *
 * A supervisor takes a new configuration in its turn, so that two or more are
 * in use for a while; and a child added at run time has its own, which borrows
 * from the one that its supervisor had then.  Each node therefore holds a
 * reference to the configuration that it comes from.  One without references
 * is released, but not before the end of the turn of the loop.
 */
struct gen {
	TAILQ_ENTRY(gen) entry; /* in sh->dead_gens, when refs is 0 */
	struct shell *sh;
	uint32_t refs;
	struct conf *conf;        /* a whole tree, or NULL */
	struct conf_child *child; /* else one child, with all below it */
	struct gen *under;        /* what `child` borrows from */
};

/*
 * Take `conf`, or `child`, over, with one reference for the caller; NULL: no
 * memory, and it is released.
 */
struct gen *gen_new(struct shell *sh, struct conf *conf);
struct gen *gen_new_child(
    struct shell *sh, struct conf_child *child, struct gen *under);

struct gen *gen_ref(struct gen *g);

/* Give a reference back; NULL is none. */
void gen_unref(struct gen *g);

/* Release what nobody refers to. */
void gen_sweep(struct shell *sh);

#endif /* ENGINE_GEN_H */
