/* SPDX-License-Identifier: ISC */
#include "engine/predict.h"

#include "core/snapshot.h"
#include "core/trace.h"
#include "engine/plans.h"
#include "engine/tree.h"
#include "engine/whatif.h"

#include <string.h>

struct predictor {
	struct shell *sh;
	struct match *m;
	struct prediction *ret;
	struct whatif w;
	uint32_t *touched; /* by node: 1 + its deed's index, or 0 */
	/* By node of a supervisor: 1 + its index in the match, or 0. */
	uint32_t *of_sup;
	int error;
};

static struct deed *
deed_of(struct predictor *x, node_t n)
{
	struct prediction *p = x->ret;
	char path[WIRE_PATH_MAX];
	struct deed *d;

	if (x->touched[n] != 0)
		return &p->deed[x->touched[n] - 1];
	if (!run_grow(&p->deed, &p->cap, p->n, sizeof(*p->deed))) {
		x->error = -ENOMEM;
		return NULL;
	}
	d = &p->deed[p->n++];
	*d = (struct deed){
		.what = CHANGE_WHAT_N,
		.node = n,
		.is_sup = engine_is_sup(x->w.e, n),
		.path = strdup(trace_path(x->w.e, n, path, sizeof(path))),
	};
	if (d->path == NULL)
		x->error = -ENOMEM;
	x->touched[n] = p->n;
	return d;
}

static void
on_effect(void *ctx, const struct effect *eff)
{
	struct predictor *x = ctx;
	bool starts = eff->to == CHILD_STARTING;
	struct deed *d;

	if (eff->kind == EFF_FREED) /* the slot may become another's */
		x->touched[eff->node] = 0;
	if (eff->kind != EFF_STATE || (!starts && eff->to != CHILD_STOPPING))
		return;
	d = deed_of(x, eff->node);
	if (d == NULL)
		return;
	if (!starts)
		d->what = CHANGE_STOP;
	else if (d->what == CHANGE_STOP)
		d->what = CHANGE_RESTART;
	else if (d->what == CHANGE_WHAT_N)
		d->what = CHANGE_START;
}

/* What the match says, done to the copy. */
static int
run(struct predictor *x)
{
	struct event ev = { .kind = EV_RELOAD };
	struct plans p;
	int r = plans_make_copy(&p, x->m, x->w.e);

	for (uint32_t i = 0; r == 0 && i < x->m->n; i++) {
		ev.node = x->m->sup[i].sup;
		if (!engine_has(x->w.e, ev.node))
			continue;
		engine_set_plan(x->w.e, ev.node, &p.sup[i].plan);
		whatif_step(&x->w, ev);
	}
	ev = (struct event){ .kind = EV_APPLY, .node = NODE_ROOT };
	x->w.tell = on_effect;
	x->w.ctx = x;
	if (r == 0)
		whatif_step(&x->w, ev);
	x->ret->cut = x->w.exhausted;
	plans_fini(&p);
	return r < 0 ? r : x->error;
}

/* ---- why ----------------------------------------------------------------- */

/* The first child of `sup` that must restart. */
static node_t
trigger_of(const struct predictor *x, node_t sup)
{
	const struct match_sup *s;

	if (sup == NODE_NONE || x->of_sup[sup] == 0)
		return NODE_NONE;
	s = &x->m->sup[x->of_sup[sup] - 1];
	for (uint32_t k = 0; k < s->n; k++) {
		const struct match_child *c = &s->child[k];

		if (c->changed && c->node != NODE_NONE &&
		    engine_state(x->sh->core, c->node) != CHILD_STOPPED)
			return c->node;
	}
	return NODE_NONE;
}

/* Whose change restarts it: the nearest above that has a changed sibling. */
static void
explain(struct predictor *x, struct deed *d)
{
	const struct engine *e = x->sh->core;

	for (node_t at = d->node, sup; at != NODE_NONE; at = sup) {
		node_t t;
		enum strategy st;

		sup = engine_parent(e, at);
		t = trigger_of(x, sup);
		if (t == NODE_NONE || t == at)
			continue;
		st = x->m->sup[x->of_sup[sup] - 1].conf->sup.spec.strategy;
		if (st != REST_FOR_ONE && st != ONE_FOR_ALL)
			continue;
		d->because_path = strdup(x->sh->nodes[t].path);
		if (d->because_path == NULL) {
			x->error = -ENOMEM;
			return;
		}
		d->because = t;
		d->strategy = st;
		return;
	}
}

static void
explain_all(struct predictor *x)
{
	bool *own = calloc((size_t)x->sh->cap + 1, sizeof(*own));

	if (own == NULL) {
		x->error = -ENOMEM;
		return;
	}
	for (uint32_t i = 0; i < x->m->n; i++)
		for (uint32_t k = 0; k < x->m->sup[i].n; k++)
			if (x->m->sup[i].child[k].changed)
				own[x->m->sup[i].child[k].node] = true;
	for (uint32_t i = 0; i < x->m->n; i++)
		x->of_sup[x->m->sup[i].sup] = i + 1;
	for (uint32_t i = 0; i < x->ret->n; i++) {
		struct deed *d = &x->ret->deed[i];

		if (!tree_has(x->sh, d->node))
			d->node = NODE_NONE;
		else if (d->what == CHANGE_RESTART && !own[d->node])
			explain(x, d);
	}
	free(own);
}

/* ---- all of it ------------------------------------------------------------
 */

int
predict(struct shell *sh, struct match *m, struct prediction *ret)
{
	struct predictor x = { .sh = sh, .m = m, .ret = ret };
	size_t n = (size_t)sh->cap + 1;

	*ret = (struct prediction){ 0 };
	x.touched = calloc(n, sizeof(*x.touched));
	x.of_sup = calloc(n, sizeof(*x.of_sup));
	if (x.touched == NULL || x.of_sup == NULL)
		x.error = -ENOMEM;
	if (x.error == 0)
		x.error = whatif_init(&x.w, sh);
	if (x.error == 0) {
		x.error = run(&x);
		whatif_fini(&x.w);
	}
	if (x.error == 0)
		explain_all(&x);
	free(x.touched);
	free(x.of_sup);
	return x.error;
}

void
prediction_fini(struct prediction *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		free(p->deed[i].path);
		free(p->deed[i].because_path);
	}
	free(p->deed);
	*p = (struct prediction){ 0 };
}
