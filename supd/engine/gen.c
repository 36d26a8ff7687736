/* SPDX-License-Identifier: ISC */
#include "engine/gen.h"

#include <assert.h>

struct gen *
gen_new(struct shell *sh, struct conf *conf)
{
	struct gen *g = calloc(1, sizeof(*g));

	if (g == NULL) {
		conf_free(conf);
		return NULL;
	}
	g->conf = conf;
	g->refs = 1;
	TAILQ_INSERT_TAIL(&sh->gens, g, entry);
	return g;
}

struct gen *
gen_ref(struct gen *g)
{
	g->refs++;
	return g;
}

void
gen_unref(struct gen *g)
{
	if (g == NULL)
		return;
	assert(g->refs > 0);
	g->refs--;
}

void
gen_sweep(struct shell *sh)
{
	struct gen *g, *next;

	for (g = TAILQ_FIRST(&sh->gens); g != NULL; g = next) {
		next = TAILQ_NEXT(g, entry);
		if (g->refs > 0)
			continue;
		TAILQ_REMOVE(&sh->gens, g, entry);
		conf_free(g->conf);
		free(g);
	}
}
