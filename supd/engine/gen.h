/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_GEN_H
#define ENGINE_GEN_H

#include "engine/shell.h"

/*
 * Configurations in use.
 *
 * A supervisor takes a new configuration in its turn, so that two or more are
 * in use for a while; and a child added at run time borrows from the one that
 * its supervisor had then.  Each node therefore holds a reference to the
 * configuration it comes from, and one without references is released, but not
 * before the end of the turn of the loop.
 */
struct gen {
	TAILQ_ENTRY(gen) entry;
	struct conf *conf;
	uint32_t refs;
};

/*
 * Take `conf` over, with one reference for the caller; NULL: no memory, and
 * `conf` is released.
 */
struct gen *gen_new(struct shell *sh, struct conf *conf);

struct gen *gen_ref(struct gen *g);

/* Give a reference back; NULL is none. */
void gen_unref(struct gen *g);

/* Release what nobody refers to. */
void gen_sweep(struct shell *sh);

#endif /* ENGINE_GEN_H */
