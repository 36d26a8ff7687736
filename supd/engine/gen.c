/* SPDX-License-Identifier: ISC */
#include "engine/gen.h"

#include <assert.h>

static struct gen *
make(struct shell *sh)
{
	struct gen *g = calloc(1, sizeof(*g));

	if (g != NULL) {
		g->sh = sh;
		g->refs = 1;
	}
	return g;
}

struct gen *
gen_new(struct shell *sh, struct conf *conf)
{
	struct gen *g = make(sh);

	if (g == NULL)
		conf_free(conf);
	else
		g->conf = conf;
	return g;
}

struct gen *
gen_new_child(struct shell *sh, struct conf_child *child, struct gen *under)
{
	struct gen *g = make(sh);

	if (g == NULL) {
		conf_child_free(child);
		return NULL;
	}
	g->child = child;
	g->under = gen_ref(under);
	return g;
}

struct gen *
gen_ref(struct gen *g)
{
	assert(g->refs > 0);
	g->refs++;
	return g;
}

void
gen_unref(struct gen *g)
{
	if (g == NULL)
		return;
	assert(g->refs > 0);
	if (--g->refs == 0)
		TAILQ_INSERT_TAIL(&g->sh->dead_gens, g, entry);
}

void
gen_sweep(struct shell *sh)
{
	struct gen *g;

	while ((g = TAILQ_FIRST(&sh->dead_gens)) != NULL) {
		TAILQ_REMOVE(&sh->dead_gens, g, entry);
		gen_unref(g->under);
		if (g->conf != NULL)
			conf_free(g->conf);
		else
			conf_child_free(g->child);
		free(g);
	}
}
