/* SPDX-License-Identifier: ISC */
/*
 * U-1: a supervisor takes a new configuration, as OTP's code_change does in
 * supervisor.erl, update_childspec.  Nothing is started or stopped here.
 *
 * All nodes that a plan names are pinned from engine_set_plan() on: a child
 * that leaves before the supervisor has come to the plan is kept for its place
 * in it, since OTP's new list has a spec for that name whatever became of the
 * old one.  The slot of one that is freed all the same (its supervisor is) is
 * nobody else's until then.
 */
#include "core/tree.h"

#include <assert.h>

void
engine_set_plan(struct engine *e, node_t sup, const struct plan *plan)
{
	struct node *s = node_of(e, sup);

	assert(engine_has(e, sup) && s->is_sup);
	if (s->s.plan != NULL)
		for (uint32_t i = 0; i < s->s.plan->n; i++)
			tree_plan_unpin(e, s->s.plan->child[i].node);
	s->s.plan = plan;
	for (uint32_t i = 0; plan != NULL && i < plan->n; i++)
		tree_plan_pin(e, plan->child[i].node);
}

/* A new node that no supervisor has. */
static bool
is_new(const struct node *c)
{
	return c->used && c->parent == NODE_NONE;
}

static void
unpin_all(struct engine *e, const struct plan *p)
{
	for (uint32_t i = 0; i < p->n; i++)
		tree_plan_unpin(e, p->child[i].node);
}

void
reload_drop(struct engine *e, const struct plan *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		struct node *c = node_of(e, p->child[i].node);

		if (is_new(c))
			tree_free(e, c);
	}
	unpin_all(e, p);
}

void
reload_event(struct engine *e, const struct event *ev)
{
	struct node *s;
	struct msg m = {
		.kind = MSG_CALL,
		.op = EV_RELOAD,
		.node = ev->node,
		.tag = ev->tag,
	};

	if (!engine_has(e, ev->node) || !node_of(e, ev->node)->is_sup) {
		emit_reply(e, ev->tag, RESULT_NOT_FOUND, ev->node, NULL);
		return;
	}
	s = node_of(e, ev->node);
	m.gen = s->gen;
	m.plan = s->s.plan;
	s->s.plan = NULL;
	if (s->s.mode == MODE_DOWN) {
		reload_run(e, s, &m);
	} else if (e->n_calls < ENGINE_CALLS_MAX) {
		mail_post(e, s, &m);
	} else {
		emit_reply(e, ev->tag, RESULT_BUSY, ev->node, NULL);
		if (m.plan != NULL)
			reload_drop(e, m.plan);
	}
}

/* ---- children ----------------------------------------------------------- */

static void
respec(struct engine *e, struct node *s, struct node *c,
    const struct plan_child *k)
{
	if (!c->is_sup && k->worker != NULL) {
		/* Down because the file said so, and it says so no more. */
		if (c->state == CHILD_STOPPED && c->wanted &&
		    !c->w.spec->enabled && k->worker->enabled)
			c->owed = true;
		worker_respec(e, c, k->worker);
	}
	if (k->changed && c->state != CHILD_STOPPED)
		c->changed = s->s.stale = true;
}

/*
 * The children that are there already: those with a place in the plan leave
 * the list, in which the others keep their order.
 */
static void
take_known(struct engine *e, struct node *s, const struct plan *p)
{
	for (uint32_t i = 0; i < p->n; i++) {
		const struct plan_child *k = &p->child[i];
		struct node *c = node_of(e, k->node);

		if (!c->used || is_new(c))
			continue;
		assert(c->parent == node_id(e, s));
		respec(e, s, c, k);
		if (!c->attached || (c->dynamic && !k->adopt))
			continue;
		tree_detach(e, c);
		c->planned = true;
	}
}

/*
 * The names of those without a place in the plan, more or less: most new ones
 * are not among them, and need not be looked for one by one.
 */
struct names {
	uint64_t bit[1 << 10]; /* for 16 bits of a hash */
};

static void
names_add(struct names *ns, const struct node *c)
{
	uint32_t a = c->hash * 2654435761u >> 16;
	uint32_t b = c->hash * 2246822519u >> 16;

	ns->bit[a / 64] |= UINT64_C(1) << a % 64;
	ns->bit[b / 64] |= UINT64_C(1) << b % 64;
}

/* False: certainly not. */
static bool
names_may_have(const struct names *ns, const struct node *c)
{
	uint32_t a = c->hash * 2654435761u >> 16;
	uint32_t b = c->hash * 2246822519u >> 16;

	return (ns->bit[a / 64] >> a % 64 & 1) != 0 &&
	       (ns->bit[b / 64] >> b % 64 & 1) != 0;
}

static void
collect_names(const struct engine *e, const struct node *s, struct names *ns)
{
	const struct node *c;

	for (node_t n = s->s.first; n != NODE_NONE; n = c->next) {
		c = node_of(e, n);
		names_add(ns, c);
	}
	for (node_t n = s->s.static_first; n != NODE_NONE; n = c->static_next) {
		c = node_of(e, n);
		if (!c->planned)
			names_add(ns, c);
	}
}

/* A child that is there without a place in the plan, of the same name. */
static struct node *
find_rival(const struct engine *e, const struct node *s, const struct node *c)
{
	struct node *like = tree_find_like(e, s, c);

	return like != NULL && like->is_sup == c->is_sup ? like : NULL;
}

/* The configured child of this name that has left: temporary, or deleted. */
static const struct node *
find_departed(
    const struct engine *e, const struct node *s, const struct node *c)
{
	const struct node *k;

	for (node_t n = s->s.static_first; n != NODE_NONE; n = k->static_next) {
		k = node_of(e, n);
		if (!k->attached && !k->planned && tree_same_name(k, c))
			return k;
	}
	return NULL;
}

/*
 * Who gets the place that the plan has for `c`, which is new, or has left: as
 * in OTP, the child that has taken the name in the meantime.  One that was to
 * be forgotten is like a new one.
 */
static struct node *
fill_place(
    struct engine *e, struct node *s, struct node *c, const struct names *ns)
{
	bool maybe = names_may_have(ns, c);
	struct node *rival = maybe ? find_rival(e, s, c) : NULL;
	const struct node *was = NULL;
	bool fresh = is_new(c) || c->kept;

	if (rival != NULL) {
		if (is_new(c))
			tree_free(e, c);
		else
			c->kept = true; /* another plan may name it, too */
		tree_detach(e, rival);
		return rival;
	}
	c->kept = false;
	if (fresh && maybe)
		was = find_departed(e, s, c);
	if (was != NULL) { /* who is down stays down */
		c->wanted = was->wanted;
		c->last = was->last;
		c->last_end = was->last_end;
	} else if (fresh) {
		c->wanted = true;
		c->owed = true;
	}
	c->parent = node_id(e, s);
	return c;
}

struct chain {
	node_t first, last;
	uint32_t n;
};

static void
chain_add(struct engine *e, struct chain *ch, struct node *c)
{
	c->attached = true;
	c->prev = ch->last;
	c->next = NODE_NONE;
	if (ch->last != NODE_NONE)
		node_of(e, ch->last)->next = node_id(e, c);
	else
		ch->first = node_id(e, c);
	ch->last = node_id(e, c);
	ch->n++;
}

static void
chain_join(struct engine *e, struct chain *ch, const struct chain *tail)
{
	if (tail->first == NODE_NONE)
		return;
	node_of(e, tail->first)->prev = ch->last;
	if (ch->last != NODE_NONE)
		node_of(e, ch->last)->next = tail->first;
	else
		ch->first = tail->first;
	ch->last = tail->last;
	ch->n += tail->n;
}

/* The configured children, in the order of the plan. */
static void
take_places(
    struct engine *e, struct node *s, const struct plan *p, struct chain *ch)
{
	struct names ns = { 0 };

	collect_names(e, s, &ns);
	for (uint32_t i = 0; i < p->n; i++) {
		const struct plan_child *k = &p->child[i];
		struct node *c = node_of(e, k->node);
		const struct node *was = c;

		if (!c->used)
			continue;
		if (!c->planned) {
			if (c->attached || (c->dynamic && !k->adopt))
				continue; /* dynamic: it has its place */
			c = fill_place(e, s, c, &ns);
			if (c != was)
				respec(e, s, c, k);
		}
		c->planned = true;
		c->dynamic = false;
		c->removed = false;
		chain_add(e, ch, c);
	}
}

/* Configured children that the plan leaves out. */
static void
take_missing(struct engine *e, struct node *s)
{
	node_t next;

	for (node_t n = s->s.static_first; n != NODE_NONE; n = next) {
		struct node *c = node_of(e, n);

		next = c->static_next;
		c->static_next = NODE_NONE;
		if (!c->used || c->planned)
			continue;
		if (c->attached)
			c->removed = true;
		else
			tree_forget(e, c); /* deleted, or temporary and over */
	}
}

/* The list that every boot starts from is now what the plan says. */
static void
set_static(struct engine *e, struct node *s, const struct chain *ch)
{
	s->s.static_first = ch->first;
	s->s.static_last = ch->last;
	for (node_t n = ch->first; n != NODE_NONE; n = node_of(e, n)->next) {
		node_of(e, n)->static_next = node_of(e, n)->next;
		node_of(e, n)->planned = false;
	}
}

static void
take_children(struct engine *e, struct node *s, const struct plan *p)
{
	struct chain all = { 0 }, missing = { 0 }, dynamic = { 0 };
	node_t next;

	take_known(e, s, p);
	take_places(e, s, p, &all);
	take_missing(e, s);
	set_static(e, s, &all);
	for (node_t n = s->s.first; n != NODE_NONE; n = next) {
		struct node *c = node_of(e, n);

		next = c->next;
		chain_add(e, c->removed ? &missing : &dynamic, c);
	}
	chain_join(e, &all, &missing);
	chain_join(e, &all, &dynamic);
	s->s.first = all.first;
	s->s.last = all.last;
	s->s.n_children = all.n;
}

void
reload_run(struct engine *e, struct node *s, const struct msg *m)
{
	const struct plan *p = m->plan;

	if (p != NULL) {
		s->s.spec = p->spec;
		window_move(&s->s.window, p->spec->intensity,
		    p->spec->period_ns, p->window);
		take_children(e, s, p);
		/* Nothing is kept of what is missing: E-5. */
		if (s->s.mode == MODE_DOWN)
			tree_reset_children(e, s);
		unpin_all(e, p);
	}
	emit_reply(e, m->tag, RESULT_OK, node_id(e, s), NULL);
}
