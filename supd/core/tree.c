/* SPDX-License-Identifier: ISC */
/*
 * The arena and what is threaded through it.  Nothing allocates: engine_init()
 * lays nodes, messages and heap into one block that the caller gave.
 */
#include "core/tree.h"

#include <assert.h>
#include <string.h>

/* Messages a node can have waiting at once; the last one is a stop. */
#define MSGS_PER_NODE (EXITS_MAX + RETRIES_MAX + APPLIES_MAX + 1)

static size_t
round_up(size_t n)
{
	return (n + 63) & ~(size_t)63;
}

static uint32_t
msg_cap_of(uint32_t cap)
{
	/* A call may free a node and another use its slot, with exits left. */
	return cap * MSGS_PER_NODE + (1 + EXITS_MAX) * ENGINE_CALLS_MAX;
}

size_t
engine_size(uint32_t cap)
{
	return round_up(sizeof(struct engine)) +
	       round_up(sizeof(struct node) * ((size_t)cap + 1)) +
	       round_up(sizeof(struct msg) * ((size_t)msg_cap_of(cap) + 1)) +
	       round_up(sizeof(node_t) * ((size_t)cap + 1));
}

struct engine *
engine_init(void *mem, uint32_t cap)
{
	struct engine *e = mem;
	char *at = mem;

	e->cap = cap;
	e->msg_cap = msg_cap_of(cap);
	at += round_up(sizeof(struct engine));
	e->nodes = (struct node *)(void *)at;
	at += round_up(sizeof(struct node) * ((size_t)cap + 1));
	e->msgs = (struct msg *)(void *)at;
	at += round_up(sizeof(struct msg) * ((size_t)e->msg_cap + 1));
	e->heap = (node_t *)(void *)at;
	return e;
}

/* FNV-1a: to skip most names without comparing them. */
static uint32_t
hash_name(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	return h;
}

static struct node *
node_alloc(struct engine *e, node_t parent, const char *name)
{
	struct node *c;
	uint64_t inc;
	uint32_t gen;
	size_t len = strlen(name);

	assert(len <= NAME_MAX_LEN);
	if (e->free_node != NODE_NONE) {
		c = node_of(e, e->free_node);
		e->free_node = c->next;
	} else {
		if (e->high == e->cap)
			return NULL;
		c = node_of(e, ++e->high);
	}
	inc = c->inc;
	gen = c->gen;
	memset(c, 0, sizeof(*c));
	c->inc = inc;
	c->gen = gen + 1;
	c->used = true;
	c->wanted = true;
	c->parent = parent;
	c->since = e->now;
	c->deadline = MONO_NEVER;
	c->hash = hash_name(name);
	memcpy(c->name, name, len + 1);
	return c;
}

/* A configured child: into the list that every boot starts from. */
static void
add_static(struct engine *e, struct node *c)
{
	struct node *p = node_of(e, c->parent);
	node_t id = node_id(e, c);

	assert(p->used && p->is_sup);
	if (p->s.static_last != NODE_NONE)
		node_of(e, p->s.static_last)->static_next = id;
	else
		p->s.static_first = id;
	p->s.static_last = id;
	tree_attach(e, c);
}

node_t
engine_add_worker(struct engine *e, node_t parent, const char *name,
    const struct worker_spec *spec)
{
	struct node *c = node_alloc(e, parent, name);

	if (c == NULL)
		return NODE_NONE;
	assert(spec->n_stop > 0 && spec->n_stop <= STOP_STAGES_MAX);
	c->w.spec = spec;
	if (parent != NODE_NONE)
		add_static(e, c);
	return node_id(e, c);
}

node_t
engine_add_sup(struct engine *e, node_t parent, const char *name,
    const struct sup_spec *spec, mono_t *window)
{
	struct node *c = node_alloc(e, parent, name);

	if (c == NULL)
		return NODE_NONE;
	c->is_sup = true;
	c->s.spec = spec;
	window_init(&c->s.window, spec->intensity, spec->period_ns, window);
	if (parent != NODE_NONE)
		add_static(e, c);
	return node_id(e, c);
}

void
tree_attach(struct engine *e, struct node *c)
{
	struct node *p = node_of(e, c->parent);
	node_t id = node_id(e, c);

	assert(!c->attached);
	c->attached = true;
	c->prev = p->s.last;
	c->next = NODE_NONE;
	if (p->s.last != NODE_NONE)
		node_of(e, p->s.last)->next = id;
	else
		p->s.first = id;
	p->s.last = id;
	p->s.n_children++;
}

void
tree_detach(struct engine *e, struct node *c)
{
	struct node *p = node_of(e, c->parent);

	assert(c->attached);
	c->attached = false;
	if (c->prev != NODE_NONE)
		node_of(e, c->prev)->next = c->next;
	else
		p->s.first = c->next;
	if (c->next != NODE_NONE)
		node_of(e, c->next)->prev = c->prev;
	else
		p->s.last = c->prev;
	c->next = c->prev = NODE_NONE;
	p->s.n_children--;
}

static void
release_slot(struct engine *e, struct node *c)
{
	c->next = e->free_node;
	e->free_node = node_id(e, c);
}

void
tree_pin(struct engine *e, node_t n)
{
	node_of(e, n)->calls++;
}

void
tree_unpin(struct engine *e, node_t n)
{
	struct node *c = node_of(e, n);

	assert(c->calls > 0);
	if (--c->calls == 0 && !c->used)
		release_slot(e, c);
}

/* Not in the list that a boot starts from. */
static bool
is_mortal(const struct node *c)
{
	return c->dynamic || c->removed;
}

void
tree_free(struct engine *e, struct node *c)
{
	node_t id = node_id(e, c);

	assert(c->used);
	if (c->is_sup) {
		node_t n;

		for (n = c->s.first; n != NODE_NONE;) {
			struct node *k = node_of(e, n);

			n = k->next;
			if (is_mortal(k))
				tree_free(e, k);
		}
		for (n = c->s.static_first; n != NODE_NONE;) {
			struct node *k = node_of(e, n);

			n = k->static_next;
			tree_free(e, k);
		}
		if (c->s.plan != NULL)
			reload_drop(e, c->s.plan);
		c->s.plan = NULL;
	}
	deadline_clear(e, c);
	c->used = false;
	c->kept = false;
	if (c->calls == 0)
		release_slot(e, c);
	emit_freed(e, id);
}

void
tree_plan_pin(struct engine *e, node_t n)
{
	node_of(e, n)->plans++;
	tree_pin(e, n);
}

void
tree_plan_unpin(struct engine *e, node_t n)
{
	struct node *c = node_of(e, n);

	assert(c->plans > 0);
	if (--c->plans == 0 && c->kept)
		tree_free(e, c);
	tree_unpin(e, n);
}

void
tree_forget(struct engine *e, struct node *c)
{
	const struct node *s = node_of(e, c->parent);

	/* A pool's children have no places. */
	if (c->plans > 0 && s->s.spec->strategy != SIMPLE_ONE_FOR_ONE)
		c->kept = true;
	else
		tree_free(e, c);
}

void
engine_discard(struct engine *e, node_t n)
{
	struct effects *todo = e->todo;

	e->todo = NULL;
	tree_free(e, node_of(e, n));
	e->todo = todo;
}

void
tree_reset_children(struct engine *e, struct node *s)
{
	node_t n;

	for (n = s->s.first; n != NODE_NONE;) {
		struct node *c = node_of(e, n);

		n = c->next;
		tree_detach(e, c);
		if (is_mortal(c))
			tree_forget(e, c);
	}
	for (n = s->s.static_first; n != NODE_NONE;) {
		struct node *c = node_of(e, n);

		n = c->static_next;
		tree_attach(e, c);
	}
}

void
tree_remove(struct engine *e, struct node *c)
{
	assert(c->state == CHILD_STOPPED);
	c->batch = false;
	tree_detach(e, c);
	if (is_mortal(c))
		tree_forget(e, c);
}

bool
tree_same_name(const struct node *a, const struct node *b)
{
	return a->hash == b->hash && strcmp(a->name, b->name) == 0;
}

struct node *
tree_find_like(
    const struct engine *e, const struct node *s, const struct node *c)
{
	for (node_t n = s->s.first; n != NODE_NONE; n = node_of(e, n)->next)
		if (tree_same_name(node_of(e, n), c))
			return node_of(e, n);
	return NULL;
}

/* Where such messages about the same use of the same node are counted. */
static uint32_t *
count_of(struct engine *e, const struct msg *m)
{
	struct node *c = node_of(e, m->node);

	if (c->gen == m->gen && m->kind == MSG_EXIT)
		return &c->exits;
	if (c->gen == m->gen && m->kind == MSG_RETRY)
		return &c->retries;
	return NULL;
}

static void
release_msg(struct engine *e, uint32_t i)
{
	uint32_t *count = count_of(e, &e->msgs[i]);

	if (count != NULL)
		(*count)--;
	e->msgs[i] = (struct msg){ .next = e->free_msg };
	e->free_msg = i;
}

/* A child ends, and its older exits in the mailbox have been swallowed: R-7. */
static void
drop_oldest_exit(struct engine *e, struct node *s, const struct node *c)
{
	uint32_t i = s->s.mail_head, before = 0;
	node_t id = node_id(e, c);

	while (e->msgs[i].kind != MSG_EXIT || e->msgs[i].node != id ||
	       e->msgs[i].gen != c->gen) {
		before = i;
		i = e->msgs[i].next;
		assert(i != 0);
	}
	if (before != 0)
		e->msgs[before].next = e->msgs[i].next;
	else
		s->s.mail_head = e->msgs[i].next;
	if (s->s.mail_tail == i)
		s->s.mail_tail = before;
	release_msg(e, i);
}

void
mail_post(struct engine *e, struct node *s, const struct msg *m)
{
	uint32_t *count = count_of(e, m), i;

	if (count != NULL && m->kind == MSG_EXIT && *count == EXITS_MAX)
		drop_oldest_exit(e, s, node_of(e, m->node));
	if (count != NULL)
		(*count)++;
	i = e->free_msg;

	if (i != 0) {
		e->free_msg = e->msgs[i].next;
	} else {
		assert(e->msg_high < e->msg_cap);
		i = ++e->msg_high;
	}
	e->msgs[i] = *m;
	e->msgs[i].next = 0;
	if (s->s.mail_tail != 0)
		e->msgs[s->s.mail_tail].next = i;
	else
		s->s.mail_head = i;
	s->s.mail_tail = i;
	if (m->kind == MSG_CALL) {
		e->n_calls++;
		tree_pin(e, m->node);
	}
	run_queue(e, s);
}

bool
mail_take(struct engine *e, struct node *s, struct msg *ret)
{
	uint32_t i = s->s.mail_head;

	if (i == 0)
		return false;
	*ret = e->msgs[i];
	s->s.mail_head = ret->next;
	if (ret->next == 0)
		s->s.mail_tail = 0;
	release_msg(e, i);
	if (ret->kind == MSG_CALL)
		e->n_calls--;
	return true;
}

void
mail_call_done(struct engine *e, const struct msg *m)
{
	tree_unpin(e, m->node);
}

void
run_queue(struct engine *e, struct node *s)
{
	node_t id = node_id(e, s);

	assert(s->is_sup);
	if (s->s.run_queued)
		return;
	s->s.run_queued = true;
	s->s.run_next = NODE_NONE;
	if (e->run_tail != NODE_NONE)
		node_of(e, e->run_tail)->s.run_next = id;
	else
		e->run_head = id;
	e->run_tail = id;
}

struct node *
run_take(struct engine *e)
{
	struct node *s;

	if (e->run_head == NODE_NONE)
		return NULL;
	s = node_of(e, e->run_head);
	e->run_head = s->s.run_next;
	if (e->run_head == NODE_NONE)
		e->run_tail = NODE_NONE;
	s->s.run_queued = false;
	return s;
}

/* ---- a binary heap of node ids, the earliest deadline at 1 ------------- */

static void
heap_put(struct engine *e, uint32_t pos, node_t n)
{
	e->heap[pos] = n;
	node_of(e, n)->heap_pos = pos;
}

static bool
heap_before(const struct engine *e, node_t a, node_t b)
{
	const struct node *x = node_of(e, a), *y = node_of(e, b);

	if (x->deadline.ns != y->deadline.ns)
		return x->deadline.ns < y->deadline.ns;
	return a < b; /* replay must not depend on the heap's history */
}

static void
heap_up(struct engine *e, uint32_t pos, node_t n)
{
	while (pos > 1 && heap_before(e, n, e->heap[pos / 2])) {
		heap_put(e, pos, e->heap[pos / 2]);
		pos /= 2;
	}
	heap_put(e, pos, n);
}

static void
heap_down(struct engine *e, uint32_t pos, node_t n)
{
	for (;;) {
		uint32_t k = pos * 2;

		if (k > e->n_heap)
			break;
		if (k < e->n_heap && heap_before(e, e->heap[k + 1], e->heap[k]))
			k++;
		if (!heap_before(e, e->heap[k], n))
			break;
		heap_put(e, pos, e->heap[k]);
		pos = k;
	}
	heap_put(e, pos, n);
}

void
deadline_clear(struct engine *e, struct node *c)
{
	uint32_t pos = c->heap_pos;
	node_t moved;

	c->deadline = MONO_NEVER;
	if (pos == 0)
		return;
	c->heap_pos = 0;
	moved = e->heap[e->n_heap--];
	if (pos > e->n_heap)
		return;
	heap_up(e, pos, moved);
	heap_down(e, node_of(e, moved)->heap_pos, moved);
}

void
deadline_set(struct engine *e, struct node *c, mono_t at)
{
	deadline_clear(e, c);
	if (mono_is_never(at))
		return;
	c->deadline = at;
	heap_up(e, ++e->n_heap, node_id(e, c));
}
