/* SPDX-License-Identifier: ISC */
#include "engine/match.h"

#include "engine/gen.h"
#include "engine/text.h"
#include "engine/tree.h"

#include <string.h>

/* A child by its name; configured ones that were removed by hand, too. */
struct place {
	node_t parent, node;
	bool is_sup;
	const char *name;
};

struct matcher {
	struct shell *sh;
	struct match *m;
	struct buf *errors;
	struct place *place; /* sorted */
	uint32_t n_places;
	const struct diff_child **changed; /* that must restart, by `now` */
	uint32_t n_changed;
	int error;
};

static int
place_cmp(const void *va, const void *vb)
{
	const struct place *a = va, *b = vb;

	if (a->parent != b->parent)
		return a->parent < b->parent ? -1 : 1;
	if (a->is_sup != b->is_sup)
		return a->is_sup ? 1 : -1;
	return strcmp(a->name, b->name);
}

static int
changed_cmp(const void *va, const void *vb)
{
	const struct diff_child *const *a = va, *const *b = vb;
	uintptr_t x = (uintptr_t)(*a)->now, y = (uintptr_t)(*b)->now;

	return x < y ? -1 : x > y;
}

/* All that can be looked up, sorted: siblings may be thousands. */
static int
make_indexes(struct matcher *x)
{
	struct shell *sh = x->sh;
	const struct conf_diff *d = x->m->diff;

	x->place = calloc((size_t)sh->cap + 1, sizeof(*x->place));
	x->changed = calloc((size_t)d->n + 1, sizeof(*x->changed));
	if (x->place == NULL || x->changed == NULL)
		return -ENOMEM;
	for (node_t n = NODE_ROOT; n <= sh->cap; n++)
		if (tree_has(sh, n))
			x->place[x->n_places++] = (struct place){
				.parent = engine_parent(sh->core, n),
				.node = n,
				.is_sup = engine_is_sup(sh->core, n),
				.name = engine_name(sh->core, n),
			};
	qsort(x->place, x->n_places, sizeof(*x->place), place_cmp);
	for (uint32_t i = 0; i < d->n; i++)
		if (d->child[i].restarts)
			x->changed[x->n_changed++] = &d->child[i];
	qsort(x->changed, x->n_changed, sizeof(*x->changed), changed_cmp);
	return 0;
}

static node_t
find_node(const struct matcher *x, node_t sup, const struct conf_child *c)
{
	struct place key = { sup, NODE_NONE, c->is_sup, c->name };
	const struct place *p =
	    bsearch(&key, x->place, x->n_places, sizeof(*x->place), place_cmp);

	return p != NULL ? p->node : NODE_NONE;
}

static bool
must_restart(const struct matcher *x, const struct conf_child *now)
{
	struct diff_child d = { .now = now };
	const struct diff_child *key = &d;

	return bsearch(&key, x->changed, x->n_changed, sizeof(*x->changed),
		   changed_cmp) != NULL;
}

static uint32_t
count_nodes(const struct conf_child *c)
{
	const struct conf_child *child;
	uint32_t n = 1;

	if (!c->is_sup)
		return n;
	TAILQ_FOREACH (child, &c->sup.children, link)
		n += count_nodes(child);
	return n;
}

static struct match_child *
add_child(struct matcher *x, struct match_sup *s, const struct conf_child *c,
    node_t n)
{
	struct match_child *k;

	if (!run_grow(&s->child, &s->cap, s->n, sizeof(*s->child))) {
		x->error = -ENOMEM;
		return NULL;
	}
	k = &s->child[s->n++];
	*k = (struct match_child){ .conf = c, .node = n };
	return k;
}

static void
match_one(struct matcher *x, struct match_sup *s, const struct conf_child *c)
{
	node_t n = find_node(x, s->sup, c);
	struct match_child *k = add_child(x, s, c, n);

	if (k == NULL)
		return;
	if (n == NODE_NONE) {
		x->m->n_new += count_nodes(c);
		return;
	}
	k->adopt = engine_is_dynamic(x->sh->core, n);
	k->changed = !c->is_sup && (k->adopt || must_restart(x, c));
}

/* A pool's children are made of the new template, each with its arguments. */
static void
match_pool(struct matcher *x, struct match_sup *s)
{
	struct shell *sh = x->sh;
	static const char *const none[] = { NULL };
	bool changed = must_restart(x, s->conf);

	for (node_t n = engine_first_child(sh->core, s->sup); n != NODE_NONE;
	     n = engine_next_child(sh->core, n)) {
		char **args = sh->nodes[n].args;
		struct match_child *k;
		struct conf_child *c;
		struct gen *own;
		int r = conf_instantiate(s->conf, engine_name(sh->core, n),
		    args != NULL ? (const char *const *)args : none, &c,
		    x->errors);

		if (r < 0) {
			x->error = r;
			return;
		}
		own = gen_new_child(sh, c, x->m->gen);
		k = own != NULL ? add_child(x, s, c, n) : NULL;
		if (k == NULL) {
			gen_unref(own);
			x->error = -ENOMEM;
			return;
		}
		k->own = own;
		k->changed = changed;
	}
}

/* Their depth is bounded by the configuration. */
static void
match_sup(struct matcher *x, node_t n, const struct conf_child *conf)
{
	struct match *m = x->m;
	const struct conf_child *c;
	uint32_t at = m->n;

	if (!run_grow(&m->sup, &m->cap, m->n, sizeof(*m->sup))) {
		x->error = -ENOMEM;
		return;
	}
	m->sup[m->n++] = (struct match_sup){ .sup = n, .conf = conf };
	if (conf->sup.spec.strategy == SIMPLE_ONE_FOR_ONE)
		match_pool(x, &m->sup[at]);
	TAILQ_FOREACH (c, &conf->sup.children, link)
		match_one(x, &m->sup[at], c);
	for (uint32_t i = 0; x->error == 0 && i < m->sup[at].n; i++) {
		struct match_child k = m->sup[at].child[i];

		if (k.conf->is_sup && k.node != NODE_NONE)
			match_sup(x, k.node, k.conf);
	}
}

/* ---- what cannot be ------------------------------------------------------ */

/* The core would take the old one for the new: both are supervisors. */
static void
refuse_pools(struct matcher *x)
{
	const struct conf_diff *d = x->m->diff;

	for (uint32_t i = 0; i < d->n; i++) {
		const struct diff_child *c = &d->child[i];

		if (c->kind != DIFF_ADDED || !c->replaced || !c->now->is_sup ||
		    i == 0 || !d->child[i - 1].old->is_sup)
			continue;
		buf_printf(x->errors,
		    "%s:%u: error: %s cannot change between "
		    "simple_one_for_one and another strategy while supd runs; "
		    "give the new one another name\n",
		    c->now->file, c->now->line, text_short(c->path));
		x->error = -EINVAL;
	}
}

static void
refuse_size(struct matcher *x)
{
	const struct match *m = x->m;
	uint32_t used = x->n_places, free = x->sh->cap - used;

	if (m->n_new <= free)
		return;
	buf_printf(x->errors,
	    "%s: error: %u nodes are new, but only %u of the %u that fit are "
	    "free (what it removes is given back only after that); raise "
	    "RLIMIT_NOFILE (ulimit -Hn) and restart supd, or use a smaller "
	    "tree\n",
	    m->gen->conf->root->file, m->n_new, free, x->sh->cap);
	x->error = -EINVAL;
}

int
match_make(struct shell *sh, struct gen *gen, struct match *ret,
    struct buf *ret_errors)
{
	struct matcher x = { .sh = sh, .m = ret, .errors = ret_errors };

	*ret = (struct match){
		.gen = gen_ref(gen),
		.was = gen_ref(sh->gen),
	};
	x.error =
	    conf_diff_make(sh->gen->conf, gen->conf, &ret->diff, ret_errors);
	if (x.error == 0)
		x.error = make_indexes(&x);
	if (x.error == 0)
		refuse_pools(&x);
	if (x.error == 0)
		match_sup(&x, NODE_ROOT, gen->conf->root);
	if (x.error == 0)
		refuse_size(&x);
	free(x.place);
	free(x.changed);
	return x.error;
}

void
match_fini(struct match *m)
{
	for (uint32_t i = 0; i < m->n; i++) {
		for (uint32_t k = 0; k < m->sup[i].n; k++)
			gen_unref(m->sup[i].child[k].own);
		free(m->sup[i].child);
	}
	free(m->sup);
	conf_diff_free(m->diff);
	gen_unref(m->gen);
	gen_unref(m->was);
	*m = (struct match){ 0 };
}
