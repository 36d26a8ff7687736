/* SPDX-License-Identifier: ISC */
/* Random scripts: the same one for the same seed. */
#include "script.h"

#include <string.h>

#define DEPTH_MAX  4
#define LONG_S     1000 /* a period in which every restart counts */
#define WINDOW_GAP 2300 /* ms: more than P + 1 s for P = 1 s (D8) */

#define START_TIMEOUT 30 /* ms */
#define LIVE_TIMEOUT  400

struct gen {
	struct script *s;
	uint64_t rng;
	bool windows; /* one of the few seeds whose window slides */
	bool apart;   /* commands may befall several supervisors */
	bool live;    /* for real processes */
	bool reloads; /* configurations change */
	int n;
};

/* splitmix64 */
static uint32_t
draw(struct gen *g, uint32_t below)
{
	uint64_t z = (g->rng += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) >> 33) % below;
}

static bool
chance(struct gen *g, uint32_t percent)
{
	return draw(g, 100) < percent;
}

/* One of 0, 1, 2 ... by weight. */
static int
pick(struct gen *g, const int *weight, int n)
{
	int sum = 0, at;

	for (int i = 0; i < n; i++)
		sum += weight[i];
	at = (int)draw(g, (uint32_t)sum);
	for (int i = 0; i < n; i++)
		if ((at -= weight[i]) < 0)
			return i;
	return n - 1;
}

static int
depth(const struct script *s, int id)
{
	int d = 0;

	for (; id != 0; id = s->item[id].parent)
		d++;
	return d;
}

/* ---- the tree ------------------------------------------------------------ */

static void
draw_shutdown(struct gen *g, enum on_stop on_stop, int *ret_ms)
{
	static const int obey[] = { 5000, 60000, FOR_EVER, BRUTAL };
	static const int slow[] = { 60000, FOR_EVER, FOR_EVER, BRUTAL };
	static const int refuse[] = { 0, 10, 20, BRUTAL };
	static const int patient[] = { 0, 40, 50, BRUTAL };
	static const int live[] = { 100, 120, 0, BRUTAL };
	/* What is killed at once has ended before the rest of a command. */
	uint32_t n = g->live && g->apart ? 2 : 4;

	switch (on_stop) {
	case ON_STOP_OBEY:
		*ret_ms = obey[draw(g, n)];
		break;
	case ON_STOP_SLOW:
		*ret_ms = slow[draw(g, n)];
		break;
	case ON_STOP_REFUSE:
		*ret_ms = (g->live    ? live
			   : g->apart ? patient
				      : refuse)[draw(g, n)];
		break;
	}
}

static enum restart_type
draw_restart(struct gen *g, bool significant_wanted)
{
	static const int plain[] = { 60, 25, 15 }, bias[] = { 25, 45, 30 };

	return (enum restart_type)pick(g, significant_wanted ? bias : plain, 3);
}

static void
draw_child(struct gen *g, struct item *it)
{
	const struct item *p = &g->s->item[it->parent];
	bool wanted = p->auto_shutdown != AUTO_NEVER;

	it->restart = draw_restart(g, wanted);
	it->significant = wanted && it->restart != PERMANENT && chance(g, 70);
}

static void
draw_sup(struct gen *g, int id, int parent, bool is_static)
{
	static const int strategy[] = { 30, 27, 27, 16 };
	static const int intensity[] = { 15, 20, 25, 15, 10, 15 };
	static const int autos[] = { 65, 18, 17 };
	static const int on_stop[] = { 60, 20, 20 };
	struct item *it = &g->s->item[id];

	*it = (struct item){
		.used = true,
		.is_sup = true,
		.is_static = is_static,
		.enabled = true,
		.parent = parent,
		.strategy = (enum strategy)pick(g, strategy, id == 1 ? 3 : 4),
		.intensity = pick(g, intensity, 6),
		.period_s = g->windows ? 1 : LONG_S,
	};
	if (it->strategy != SIMPLE_ONE_FOR_ONE)
		it->auto_shutdown = (enum auto_shutdown)pick(g, autos, 3);
	it->pool_restart = draw_restart(g, false);
	draw_shutdown(g, (enum on_stop)pick(g, on_stop, 3), &it->shutdown_ms);
	if (it->shutdown_ms == 0) /* all at once: some would hear of it */
		it->shutdown_ms = g->live ? 100 : g->apart ? 40 : 10;
	it->pool_of_sups = !g->live && it->strategy == SIMPLE_ONE_FOR_ONE &&
	                   depth(g->s, parent) + 1 < DEPTH_MAX && chance(g, 25);
	if (parent != 0 && g->s->item[parent].strategy != SIMPLE_ONE_FOR_ONE)
		draw_child(g, it);
	else if (parent != 0)
		it->restart = g->s->item[parent].pool_restart;
}

/*
 * A process that is executed may be told to stop before it has come so far as
 * to refuse; and what is to be in time on a busy machine gets more of it.
 */
static void
make_live(struct item *it)
{
	if (it->ready_by != READY_BY_EVENT) {
		it->on_stop = ON_STOP_OBEY;
		it->answer = ANSWER_SHUTDOWN;
		it->timeout_ms = FOR_EVER;
	} else if (it->timeout_ms != FOR_EVER) {
		it->timeout_ms = LIVE_TIMEOUT;
	}
}

static void
draw_worker(struct gen *g, int id, int parent, bool is_static)
{
	static const int on_stop[] = { 65, 22, 13 };
	static const int answer[] = { 70, 15, 15 };
	static const int ready[] = { 50, 30, 10, 10 };
	const struct item *p = &g->s->item[parent];
	struct item *it = &g->s->item[id];

	*it = (struct item){
		.used = true,
		.is_static = is_static,
		.parent = parent,
		.on_stop = (enum on_stop)pick(g, on_stop, 3),
		.answer = (enum answer)pick(g, answer, 3),
		.enabled = chance(g, 96),
		.ready_by = (enum ready_by)pick(g, ready, 4),
		.timeout_ms = chance(g, 20) ? START_TIMEOUT : FOR_EVER,
	};
	if (g->live)
		make_live(it);
	if (p->strategy != SIMPLE_ONE_FOR_ONE) {
		draw_child(g, it);
		draw_shutdown(g, it->on_stop, &it->shutdown_ms);
		return;
	}
	if (g->live) {
		it->enabled = true;
		it->ready_by = READY_BY_EVENT;
		it->timeout_ms = FOR_EVER;
	}
	/* A pool's children share its template; they behave as it lets. */
	it->restart = p->pool_restart;
	it->shutdown_ms = p->shutdown_ms;
	if (p->shutdown_ms >= 0 && p->shutdown_ms < 5000)
		it->on_stop = ON_STOP_REFUSE;
	else if (p->shutdown_ms != BRUTAL)
		it->on_stop = p->shutdown_ms != 5000 && chance(g, 40)
		                  ? ON_STOP_SLOW
		                  : ON_STOP_OBEY;
}

static int
draw_parent(struct gen *g, int below, bool is_static)
{
	for (;;) {
		int p = 1 + (int)draw(g, (uint32_t)below);
		const struct item *it = &g->s->item[p];

		if (!it->is_sup || depth(g->s, p) >= DEPTH_MAX)
			continue;
		if (it->strategy == SIMPLE_ONE_FOR_ONE && is_static)
			continue;
		return p;
	}
}

/* A child for `start`; a supervisor has children of its own. */
static void
draw_extra(struct gen *g, int fixed)
{
	int p = draw_parent(g, fixed, false);
	const struct item *it = &g->s->item[p];
	bool pool = it->strategy == SIMPLE_ONE_FOR_ONE;
	int id = ++g->n;

	if (pool ? !it->pool_of_sups
		 : depth(g->s, p) >= DEPTH_MAX || !chance(g, 15)) {
		draw_worker(g, id, p, false);
		return;
	}
	draw_sup(g, id, p, false);
	if (g->s->item[id].strategy == SIMPLE_ONE_FOR_ONE)
		return;
	for (int n = (int)draw(g, 3); n > 0 && g->n < ITEMS_MAX; n--)
		draw_worker(g, ++g->n, id, true);
}

static void
draw_tree(struct gen *g)
{
	int fixed = 2 + (int)draw(g, 11), extra;
	bool pools = false;

	draw_sup(g, 1, 0, true);
	for (int id = 2; id <= fixed; id++) {
		int p = draw_parent(g, id - 1, true);

		if (chance(g, 30) && depth(g->s, p) < DEPTH_MAX - 1) {
			draw_sup(g, id, p, true);
			pools |= g->s->item[id].strategy == SIMPLE_ONE_FOR_ONE;
		} else {
			draw_worker(g, id, p, true);
		}
	}
	g->n = fixed;
	extra = (int)draw(g, pools ? 7 : 4) + (g->reloads ? 2 : 0);
	for (int k = 1; k <= extra && g->n < ITEMS_MAX; k++)
		draw_extra(g, fixed);
}

/* ---- what befalls it ----------------------------------------------------- */

static struct command *
add(struct gen *g, enum op_kind kind, int id, int arg)
{
	struct script *s = g->s;

	s->command[s->n_commands] = (struct command){
		.n = 1,
		.op = { { .kind = kind, .id = id, .arg = arg } },
	};
	return &s->command[s->n_commands++];
}

static int
draw_item(struct gen *g, bool worker)
{
	for (int k = 0; k < 50; k++) {
		int id = 2 + (int)draw(g, (uint32_t)(g->n - 1));

		if (!worker || !g->s->item[id].is_sup)
			return id;
	}
	return 0;
}

static bool
in_pool(const struct gen *g, int id)
{
	return g->s->item[g->s->item[id].parent].strategy == SIMPLE_ONE_FOR_ONE;
}

static bool
has_started(const struct gen *g, int id)
{
	for (int i = 0; i < g->s->n_commands; i++)
		for (int k = 0; k < g->s->command[i].n; k++)
			if (g->s->command[i].op[k].kind == OP_START &&
			    g->s->command[i].op[k].id == id)
				return true;
	return false;
}

static bool
has_pool(const struct gen *g, int id)
{
	for (int i = 2; i <= g->n; i++) {
		int at = i;

		if (g->s->item[i].strategy != SIMPLE_ONE_FOR_ONE)
			continue;
		while (at != 0 && at != id)
			at = g->s->item[at].parent;
		if (at == id)
			return true;
	}
	return false;
}

/* Of the operations that can be at once: 3 kinds of death, 4 of calls. */
static bool
draw_op(struct gen *g, int only_of, bool deaths, struct op *ret)
{
	static const enum op_kind kinds[] = { OP_DIE, OP_OK, OP_TERM, OP_START,
		OP_TERMINATE, OP_RESTART, OP_DELETE };
	static const int weight[] = { 40, 14, 9, 12, 11, 8, 8 };
	enum op_kind kind = kinds[pick(g, weight, deaths ? 3 : 7)];

	for (int k = 0; k < 20; k++) {
		int id = draw_item(g, kind <= OP_TERM);

		if (id == 0 ||
		    (only_of != 0 && g->s->item[id].parent != only_of))
			continue;
		/* A pool has no names: each of its children is born once. */
		if (kind == OP_START && in_pool(g, id) && has_started(g, id))
			continue;
		/* supd numbers a pool's children anew if it is made anew. */
		if (kind == OP_START && g->live && has_pool(g, id))
			continue;
		*ret = (struct op){ .kind = kind, .id = id };
		return true;
	}
	return false;
}

static void
draw_acts(struct gen *g, int n)
{
	bool deaths = g->live && n > 1;
	struct command *c;
	struct op op;

	if (!draw_op(g, 0, deaths, &op))
		return;
	c = add(g, op.kind, op.id, 0);
	c->apart = n > 1 && g->apart && chance(g, 70);
	while (c->n < n &&
	       draw_op(g, c->apart ? 0 : g->s->item[c->op[0].id].parent, deaths,
		   &op))
		c->op[c->n++] = op;
}

static void
draw_trouble(struct gen *g)
{
	int id = draw_item(g, true);

	if (id == 0 || (g->live && g->s->item[id].ready_by != READY_BY_EVENT))
		return;
	if (chance(g, 55))
		add(g, OP_FAIL, id, chance(g, 15) ? 99 : 1 + (int)draw(g, 4));
	else
		add(g, OP_HOLD, id, 1 + (int)draw(g, 3));
}

/* The children that it is configured with by now. */
static int
configured(const struct gen *g, int sup, struct reload_child *ret)
{
	const struct script *s = g->s;
	int n = 0;

	for (int i = s->n_reloads - 1; i >= 0; i--)
		if (s->reload[i].sup == sup) {
			memcpy(ret, s->reload[i].child,
			    sizeof(s->reload[i].child));
			return s->reload[i].n;
		}
	for (int id = 2; id <= g->n; id++) {
		const struct item *it = &s->item[id];

		if (it->is_static && it->parent == sup)
			ret[n++] = (struct reload_child){ id, it->restart,
				it->significant, it->shutdown_ms };
	}
	return n;
}

static bool
is_listed(const struct reload *r, int id)
{
	for (int i = 0; i < r->n; i++)
		if (r->child[i].id == id)
			return true;
	return false;
}

/* Some leave, some come, some change, and the order may. */
static void
draw_list(struct gen *g, struct reload *r)
{
	struct reload_child was[ITEMS_MAX];
	int n = configured(g, r->sup, was);

	for (int i = 0; i < n; i++)
		if (chance(g, 80))
			r->child[r->n++] = was[i];
	for (int id = 2; id <= g->n; id++) {
		const struct item *it = &g->s->item[id];

		if (it->parent == r->sup && !is_listed(r, id) && chance(g, 40))
			r->child[r->n++] = (struct reload_child){ id,
				it->restart, it->significant, it->shutdown_ms };
	}
	for (int i = r->n - 1; i > 0 && g->rng % 5 < 3; i--) {
		int k = (int)draw(g, (uint32_t)i + 1);
		struct reload_child c = r->child[i];

		r->child[i] = r->child[k];
		r->child[k] = c;
	}
}

/* C-4: a significant child is not permanent, and its supervisor looks. */
static void
draw_specs(struct gen *g, struct reload *r)
{
	bool must_look = false;

	/* Also those that are yet to be started. */
	for (int id = 2; id <= g->n; id++)
		must_look |= g->s->item[id].parent == r->sup &&
		             g->s->item[id].significant;
	if (must_look && r->auto_shutdown == AUTO_NEVER)
		r->auto_shutdown = AUTO_ALL_SIGNIFICANT;
	for (int i = 0; i < r->n; i++) {
		struct reload_child *c = &r->child[i];
		const struct item *it = &g->s->item[c->id];

		if (it->is_sup)
			continue;
		if (chance(g, 40)) {
			c->restart = draw_restart(g, r->auto_shutdown != 0);
			c->significant = chance(g, 60);
			draw_shutdown(g, it->on_stop, &c->shutdown_ms);
		}
		if (r->auto_shutdown == AUTO_NEVER || c->restart == PERMANENT)
			c->significant = false;
	}
}

static void
draw_reload(struct gen *g)
{
	static const int strategy[] = { 34, 33, 33 };
	static const int intensity[] = { 15, 20, 25, 15, 10, 15 };
	static const int autos[] = { 50, 25, 25 };
	struct script *s = g->s;
	struct reload r = { .sup = 1 + (int)draw(g, (uint32_t)g->n) };

	if (s->n_reloads == RELOADS_MAX || !s->item[r.sup].is_sup ||
	    s->item[r.sup].strategy == SIMPLE_ONE_FOR_ONE)
		return;
	/* So that there is one that no configuration knows. */
	for (int id = 2; id <= g->n && chance(g, 60); id++)
		if (s->item[id].parent == r.sup && !s->item[id].is_static) {
			add(g, OP_START, id, 0);
			break;
		}
	r.strategy = (enum strategy)pick(g, strategy, 3);
	r.intensity = pick(g, intensity, 6);
	r.auto_shutdown = (enum auto_shutdown)pick(g, autos, 3);
	/* Our window forgets what a lower intensity has no room for. */
	for (int i = 0; i < s->n_reloads; i++)
		if (s->reload[i].sup == r.sup &&
		    s->reload[i].intensity < r.intensity)
			r.intensity = s->reload[i].intensity;
	draw_list(g, &r);
	draw_specs(g, &r);
	add(g, OP_RELOAD, r.sup, s->n_reloads);
	s->reload[s->n_reloads++] = r;
}

static void
draw_command(struct gen *g)
{
	static const int weight[] = { 46, 14, 16, 14, 7, 3 };

	if (g->reloads && chance(g, 35)) {
		draw_reload(g);
		return;
	}
	switch (pick(g, weight, g->windows ? 6 : 5)) {
	case 0:
		draw_acts(g, 1);
		break;
	case 1:
		draw_acts(g, 2 + (int)draw(g, OPS_MAX - 1));
		break;
	case 2:
		draw_trouble(g);
		break;
	case 3:
		add(g, OP_GO, 0, (int)draw(g, 6));
		break;
	case 4:
		add(g, OP_DRAIN, 0, 0);
		break;
	default:
		add(g, OP_WAIT, 0, WINDOW_GAP);
		break;
	}
	if (chance(g, 25))
		add(g, OP_WHICH, 0, 0);
}

static void
generate(struct gen *g)
{
	struct script *s = g->s;
	int n;

	draw_tree(g);
	while (chance(g, 15) && s->n_commands < 3)
		draw_trouble(g);
	add(g, OP_BOOT, 0, 0);
	if (g->live || chance(g, 80))
		add(g, OP_DRAIN, 0, 0);
	/* Pools are born empty. */
	for (int id = 2; id <= g->n; id++)
		if (in_pool(g, id) && chance(g, 75) && s->n_commands < 12)
			add(g, OP_START, id, 0);
	n = 3 + (int)draw(g, 12);
	for (int i = 0; i < n && s->n_commands < COMMANDS_MAX - 6; i++)
		draw_command(g);
	/* A daemon's stop gives up what it has not started yet: daemon.c. */
	if (g->live || chance(g, 80)) {
		add(g, OP_DRAIN, 0, 0);
		add(g, OP_WHICH, 0, 0);
	}
	add(g, OP_SHUTDOWN, 0, 0);
	add(g, OP_DRAIN, 0, 0);
}

void
script_generate(struct script *ret, uint64_t seed)
{
	struct gen g = {
		.s = ret,
		.rng = seed * 0x100000001b3u,
		.windows = seed % 40 == 0,
		.apart = seed % 3 == 1,
		.reloads = seed % 5 < 2,
	};

	*ret = (struct script){ 0 };
	generate(&g);
}

void
script_generate_live(struct script *ret, uint64_t seed)
{
	struct gen g = {
		.s = ret,
		.rng = (seed + 1) * 0x9e3779b97f4a7c15u,
		.apart = seed % 3 == 1,
		.live = true,
	};

	*ret = (struct script){ 0 };
	generate(&g);
}
