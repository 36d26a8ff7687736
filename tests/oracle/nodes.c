/* SPDX-License-Identifier: ISC */
#include "nodes.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define WINDOWS 1024 /* of all nodes there ever were */

/* A reload, as the core borrows it. */
struct laid_out {
	const struct reload *r;
	struct sup_spec sup;
	struct worker_spec worker[ITEMS_MAX];
	struct plan_child child[ITEMS_MAX];
	struct plan plan;
};

static struct {
	struct engine *e;
	const struct script *s;
	struct worker_spec worker[ITEMS_MAX + 1];
	struct sup_spec sup[ITEMS_MAX + 1];
	const struct laid_out
	    *now[ITEMS_MAX + 1]; /* NULL: as the script says */
	node_t made[ITEMS_MAX + 1][NODES_EACH];
	int n_made[ITEMS_MAX + 1];
	int n_windows, n_laid_out;
	mono_t window[WINDOWS][8];
	struct laid_out laid_out[RELOADS_MAX * NODES_EACH];
} t;

/* ---- specs -----------------------------------------------------------------
 */

static void
fill_worker(struct worker_spec *w, const struct item *it,
    enum restart_type restart, bool significant, int shutdown_ms)
{
	static const enum ready_kind readies[] = {
		[READY_BY_EVENT] = READY_EVENT,
		[READY_BY_EXEC] = READY_EXEC,
		[READY_BY_GRACE] = READY_EXEC,
		[READY_BY_DELAY] = READY_DELAY,
	};

	*w = (struct worker_spec){
		.restart = restart,
		.significant = significant,
		.enabled = it->enabled,
		.ready = readies[it->ready_by],
		.ready_delay_ns = NS_PER_MS,
		.start_grace_ns =
		    it->ready_by == READY_BY_GRACE ? NS_PER_MS : 0,
		.start_timeout_ns =
		    it->timeout_ms < 0 ? -1 : it->timeout_ms * NS_PER_MS,
		.stop = { { SIGTERM,
			      shutdown_ms < 0 ? -1 : shutdown_ms * NS_PER_MS },
		    { SIGKILL, 0 } },
		.n_stop = shutdown_ms == FOR_EVER ? 1 : 2,
		.success = { .code = { 1 } },
	};
	if (shutdown_ms == BRUTAL) {
		w->stop[0] = w->stop[1];
		w->n_stop = 1;
	}
}

static void
fill_sup(struct sup_spec *s, const struct item *it, enum strategy strategy,
    int intensity, enum auto_shutdown autos)
{
	*s = (struct sup_spec){
		.strategy = strategy,
		.auto_shutdown = autos,
		.restart = it->parent != 0 ? it->restart : TEMPORARY,
		.significant = it->significant,
		.intensity = (uint32_t)intensity,
		.period_ns = it->period_s * NS_PER_S,
		.shutdown_deadline_ns = -1,
	};
}

/* ---- nodes -----------------------------------------------------------------
 */

static mono_t *
new_window(void)
{
	assert(t.n_windows < WINDOWS);
	return t.window[t.n_windows++];
}

static node_t
add_worker(node_t parent, int id, const struct worker_spec *spec)
{
	char name[16];
	node_t n;

	snprintf(name, sizeof(name), "%d", id);
	n = engine_add_worker(t.e, parent, name, spec);
	assert(n != NODE_NONE);
	return n;
}

static void
remember(int id, node_t n)
{
	int i;

	for (i = 0; i < t.n_made[id]; i++)
		if (t.made[id][i] == n)
			return;
	/* The oldest are gone by now, most likely. */
	if (i == NODES_EACH)
		memmove(&t.made[id][0], &t.made[id][1],
		    (size_t)--i * sizeof(t.made[id][0]));
	t.made[id][i] = n;
	t.n_made[id] = i + 1;
}

static void
add_children(node_t n, int id)
{
	const struct laid_out *now = t.now[id];

	for (int i = id + 1; now == NULL && i <= ITEMS_MAX; i++)
		if (t.s->item[i].used && t.s->item[i].is_static &&
		    t.s->item[i].parent == id)
			nodes_add(n, i);
	for (int i = 0; now != NULL && i < now->r->n; i++) {
		int child = now->r->child[i].id;

		if (t.s->item[child].is_sup)
			nodes_add(n, child);
		else
			add_worker(n, child, &now->worker[i]);
	}
}

node_t
nodes_add(node_t parent, int id)
{
	char name[16];
	node_t n;

	if (!t.s->item[id].is_sup)
		return add_worker(parent, id, &t.worker[id]);
	snprintf(name, sizeof(name), "%d", id);
	n = engine_add_sup(t.e, parent, name,
	    t.now[id] != NULL ? &t.now[id]->sup : &t.sup[id], new_window());
	assert(n != NODE_NONE);
	remember(id, n);
	add_children(n, id);
	return n;
}

void
nodes_init(struct engine *e, const struct script *s)
{
	static const struct sup_spec above = { .shutdown_deadline_ns = -1,
		.period_ns = NS_PER_S };
	node_t top;

	memset(&t, 0, offsetof(typeof(t), window));
	t.e = e;
	t.s = s;
	for (int id = 1; id <= ITEMS_MAX; id++) {
		const struct item *it = &s->item[id];

		if (!it->used)
			continue;
		fill_sup(&t.sup[id], it, it->strategy, it->intensity,
		    it->auto_shutdown);
		fill_worker(&t.worker[id], it, it->restart, it->significant,
		    it->shutdown_ms);
	}
	top = engine_add_sup(e, NODE_NONE, "0", &above, new_window());
	assert(top == NODE_ROOT);
	nodes_add(top, 1);
}

node_t
nodes_name(int id)
{
	return add_worker(NODE_NONE, id, &t.worker[id]);
}

node_t
nodes_find(int id)
{
	char name[16];
	node_t p;

	if (id == 1)
		return t.made[1][0];
	p = nodes_find(t.s->item[id].parent);
	snprintf(name, sizeof(name), "%d", id);
	return p != NODE_NONE ? engine_find_child(t.e, p, name) : NODE_NONE;
}

int
nodes_item(node_t n)
{
	return atoi(engine_name(t.e, n));
}

/* ---- reload ----------------------------------------------------------------
 */

static struct laid_out *
lay_out(const struct reload *r)
{
	struct laid_out *l = &t.laid_out[t.n_laid_out++];

	assert((size_t)t.n_laid_out <= ARRAY_LEN(t.laid_out));
	*l = (struct laid_out){ .r = r };
	fill_sup(&l->sup, &t.s->item[r->sup], r->strategy, r->intensity,
	    r->auto_shutdown);
	for (int i = 0; i < r->n; i++)
		fill_worker(&l->worker[i], &t.s->item[r->child[i].id],
		    r->child[i].restart, r->child[i].significant,
		    r->child[i].shutdown_ms);
	return l;
}

static void
plan_for(struct laid_out *l, node_t sup)
{
	char name[16];

	for (int i = 0; i < l->r->n; i++) {
		int id = l->r->child[i].id;
		struct plan_child *k = &l->child[i];

		snprintf(name, sizeof(name), "%d", id);
		k->node = engine_find_child(t.e, sup, name);
		k->adopt = true;
		k->changed = id % 2 == 0; /* nothing is restarted by that */
		if (!t.s->item[id].is_sup)
			k->worker = &l->worker[i];
		if (k->node != NODE_NONE)
			continue;
		k->node = t.s->item[id].is_sup
		              ? nodes_add(NODE_NONE, id)
		              : add_worker(NODE_NONE, id, k->worker);
		k->changed = false;
	}
	l->plan = (struct plan){
		.spec = &l->sup,
		.window = new_window(),
		.child = l->child,
		.n = (uint32_t)l->r->n,
	};
	engine_set_plan(t.e, sup, &l->plan);
}

int
nodes_reload(const struct reload *r, node_t *ret_nodes)
{
	int n = 0;

	/* A new node of it, in a plan of its supervisor, is made as it is. */
	t.now[r->sup] = lay_out(r);
	for (int i = 0; i < t.n_made[r->sup] && n < NODES_EACH - 1; i++) {
		node_t s = t.made[r->sup][i];

		if (!engine_has(t.e, s) || !engine_is_sup(t.e, s) ||
		    nodes_item(s) != r->sup)
			continue;
		plan_for(lay_out(r), s);
		ret_nodes[n++] = s;
	}
	return n;
}
