/* SPDX-License-Identifier: ISC */
#include "engine/plans.h"

#include "engine/gen.h"
#include "engine/tree.h"

/* Room for one supervisor's plan. */
static int
lay_out(struct sup_plan *p, const struct match_sup *s)
{
	const struct sup_spec *spec = &s->conf->sup.spec;

	p->child = calloc((size_t)s->n + 1, sizeof(*p->child));
	p->window = calloc((size_t)spec->intensity + 1, sizeof(*p->window));
	if (p->child == NULL || p->window == NULL)
		return -ENOMEM;
	p->plan = (struct plan){
		.spec = spec,
		.window = p->window,
		.child = p->child,
	};
	return 0;
}

/* What is said of a new worker is for who may have taken its name by then. */
static void
put(struct sup_plan *p, const struct match_child *k, node_t n)
{
	bool is_sup = k->conf->is_sup;

	p->child[p->plan.n++] = (struct plan_child){
		.node = n,
		.worker = is_sup ? NULL : &k->conf->worker.spec,
		.changed = k->changed || (k->node == NODE_NONE && !is_sup),
		.adopt = k->adopt,
	};
}

static int
begin(struct plans *p, struct match *m)
{
	int r = 0;

	*p = (struct plans){ .match = m };
	p->sup = calloc((size_t)m->n + 1, sizeof(*p->sup));
	if (p->sup == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < m->n && r == 0; i++)
		r = lay_out(&p->sup[i], &m->sup[i]);
	return r;
}

/* ---- a copy -------------------------------------------------------------- */

/* A new child and all below it; its specs are borrowed. */
static int
add_to_copy(struct plans *p, struct engine *e, node_t parent,
    const struct conf_child *c, node_t *ret_node)
{
	const struct conf_child *k;
	mono_t *window;
	node_t child;
	int r = 0;

	if (!c->is_sup) {
		*ret_node =
		    engine_add_worker(e, parent, c->name, &c->worker.spec);
		return *ret_node != NODE_NONE ? 0 : -ENOMEM;
	}
	window = calloc((size_t)c->sup.spec.intensity + 1, sizeof(*window));
	if (window == NULL || !run_grow(&p->window, &p->windows_cap,
				  p->n_windows, sizeof(*p->window))) {
		free(window);
		return -ENOMEM;
	}
	p->window[p->n_windows++] = window;
	*ret_node = engine_add_sup(e, parent, c->name, &c->sup.spec, window);
	if (*ret_node == NODE_NONE)
		return -ENOMEM;
	TAILQ_FOREACH (k, &c->sup.children, link)
		if (r == 0)
			r = add_to_copy(p, e, *ret_node, k, &child);
	return r;
}

/* It is still that child: nothing has been added to the copy yet. */
static bool
is_there(const struct engine *e, node_t sup, const struct match_child *k)
{
	return k->node == NODE_NONE ||
	       (engine_has(e, k->node) && engine_parent(e, k->node) == sup);
}

int
plans_make_copy(struct plans *p, struct match *m, struct engine *copy)
{
	int r = begin(p, m);

	/* First all that is there, since a new node may take a freed slot. */
	for (uint32_t i = 0; i < m->n && r == 0; i++)
		for (uint32_t k = 0; k < m->sup[i].n; k++)
			if (is_there(copy, m->sup[i].sup, &m->sup[i].child[k]))
				put(&p->sup[i], &m->sup[i].child[k],
				    m->sup[i].child[k].node);
	for (uint32_t i = 0; i < m->n && r == 0; i++) {
		struct sup_plan *s = &p->sup[i];
		uint32_t at = 0;

		for (uint32_t k = 0; k < m->sup[i].n && r == 0; k++) {
			const struct match_child *c = &m->sup[i].child[k];

			if (at == s->plan.n ||
			    (c->node != NODE_NONE &&
				s->child[at].node != c->node))
				continue; /* left out above */
			if (c->node == NODE_NONE)
				r = add_to_copy(p, copy, NODE_NONE, c->conf,
				    &s->child[at].node);
			at++;
		}
	}
	return r;
}

/* ---- the live tree ------------------------------------------------------- */

int
plans_make_live(struct plans *p, struct match *m, struct shell *sh)
{
	int r = begin(p, m);

	for (uint32_t i = 0; i < m->n && r == 0; i++) {
		const struct match_sup *s = &m->sup[i];

		for (uint32_t k = 0; k < s->n && r == 0; k++) {
			const struct match_child *c = &s->child[k];
			node_t n = c->node;

			if (n == NODE_NONE)
				r = tree_add(sh, s->sup, m->gen, c->conf, &n);
			if (r == 0)
				put(&p->sup[i], c, n);
		}
	}
	if (r == 0)
		return 0;
	for (uint32_t i = 0; p->sup != NULL && i < m->n; i++)
		for (uint32_t k = 0; k < p->sup[i].plan.n; k++)
			if (m->sup[i].child[k].node == NODE_NONE)
				tree_drop(sh, p->sup[i].child[k].node);
	return r;
}

void
plans_fini(struct plans *p)
{
	for (uint32_t i = 0; p->sup != NULL && i < p->match->n; i++) {
		free(p->sup[i].child);
		free(p->sup[i].window);
	}
	for (uint32_t i = 0; i < p->n_windows; i++)
		free(p->window[i]);
	free(p->window);
	free(p->sup);
	*p = (struct plans){ 0 };
}
