/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_WHATIF_H
#define ENGINE_WHATIF_H

#include "engine/shell.h"

/*
 * What would happen: the core itself, on a copy of the live tree, in a world
 * where nothing fails.  Starts succeed at once, stops are obeyed at once,
 * probes find everybody well; time passes only when it is told to.  Nothing of
 * the live tree is touched.
 *
 * What is under way in the live tree comes to its end first, by the same
 * rules, before the first question is asked.
 */
struct whatif {
	const struct shell *sh;
	struct engine *e;
	mono_t now;
	/* Told of every effect while it is emitted; may ask `e`. */
	void (*tell)(void *ctx, const struct effect *eff);
	void *ctx;
	void *mem;
	mono_t *windows;
	struct evqueue queue; /* what the world answers */
	uint32_t n_steps;
	bool exhausted; /* WHATIF_STEPS_MAX reached, or memory ran out */
	bool done;      /* the root has ended */
};

/* The engine's role waits meanwhile: about a second. */
#define WHATIF_STEPS_MAX 1000000

/* Returns 0 or -ENOMEM.  `tell` may be NULL, and set later. */
must_check int whatif_init(struct whatif *w, const struct shell *sh);
void whatif_fini(struct whatif *w);

/* Give it an event at w->now, and let the world answer until all is quiet. */
void whatif_step(struct whatif *w, struct event ev);

/* Let time pass up to `until`, with what becomes due meanwhile. */
void whatif_pass(struct whatif *w, mono_t until);

#endif /* ENGINE_WHATIF_H */
