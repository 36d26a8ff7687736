/* SPDX-License-Identifier: ISC */
#include "core/snapshot.h"

#include "core/checksum.h"
#include "core/plain.h"
#include "core/tree.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/*
 * The structs are copied whole, so that a new field of plain data is carried
 * without a line here.  Pointers are set one by one; the lint test `pointers`
 * fails when the core gets one that this file does not know.
 *
 * An image: head, engine, nodes 1..high, messages 1..msg_high, heap 1..n_heap,
 * then what each node in use has borrowed: its spec and, of a supervisor, the
 * instants in its window; then the plans, in the order of each_plan().
 */

#define IMAGE_MAGIC   UINT64_C(0x0a676d6964707573) /* "supdimg\n" */
#define IMAGE_VERSION 1

struct head {
	uint64_t magic;
	uint32_t version;
	uint32_t layout; /* of the structs of this build */
	uint64_t len;    /* of the whole image */
	uint64_t sum;    /* of all that follows the head */
};

uint32_t
engine_cap(const struct engine *e)
{
	return e->cap;
}

/* ---- copies ------------------------------------------------------------- */

static bool
is_sup(const struct node *c)
{
	return c->used && c->is_sup;
}

/*
 * All plans that supervisors have been given and not taken yet: for the next
 * EV_RELOAD, and in the mailbox.  Each is given with the place where the engine
 * keeps it, until `fn` returns other than 0; that is the result.
 */
typedef int plan_fn(void *ctx, node_t n, const struct plan **place);

static int
each_plan(const struct engine *e, plan_fn *fn, void *ctx)
{
	int r = 0;

	for (node_t n = 1; n <= e->high && r == 0; n++) {
		struct node *s = node_of(e, n);

		if (!is_sup(s))
			continue;
		if (s->s.plan != NULL)
			r = fn(ctx, n, &s->s.plan);
		for (uint32_t i = s->s.mail_head; i != 0 && r == 0;
		     i = e->msgs[i].next)
			if (e->msgs[i].plan != NULL)
				r = fn(ctx, n, &e->msgs[i].plan);
	}
	return r;
}

/* A plan stands among windows in memory for instants. */
#define PLAN_LEN (sizeof(struct plan) / sizeof(mono_t))
_Static_assert(sizeof(struct plan) % sizeof(mono_t) == 0, "PLAN_LEN");
_Static_assert(
    _Alignof(struct plan) <= _Alignof(mono_t), "a plan among instants");

static int
add_plan_len(void *ctx, node_t n, const struct plan **place)
{
	size_t *len = ctx;

	(void)n;
	*len += PLAN_LEN + (*place)->spec->intensity;
	return 0;
}

size_t
engine_windows_len(const struct engine *e)
{
	size_t len = 0;

	for (node_t n = 1; n <= e->high; n++)
		if (is_sup(node_of(e, n)))
			len += node_of(e, n)->s.window.max;
	each_plan(e, add_plan_len, &len);
	return len;
}

/* A copy's plan must not lead into the original's window. */
static int
copy_plan(void *ctx, node_t n, const struct plan **place)
{
	mono_t **at = ctx;
	struct plan *p = (struct plan *)(void *)*at;

	(void)n;
	*p = **place;
	*at += PLAN_LEN;
	p->window = *at;
	*at += p->spec->intensity;
	*place = p;
	return 0;
}

/* The scalars of an engine, between the pointers of the one it now is. */
static void
copy_scalars(struct engine *to, const struct engine *from)
{
	struct node *nodes = to->nodes;
	struct msg *msgs = to->msgs;
	node_t *heap = to->heap;

	*to = *from;
	to->todo = NULL;
	to->nodes = nodes;
	to->msgs = msgs;
	to->heap = heap;
}

struct engine *
engine_copy(const struct engine *src, void *mem, mono_t *windows)
{
	struct engine *e = engine_init(mem, src->cap);

	assert(src->todo == NULL);
	copy_scalars(e, src);
	memcpy(
	    e->nodes, src->nodes, sizeof(*e->nodes) * ((size_t)src->high + 1));
	memcpy(
	    e->msgs, src->msgs, sizeof(*e->msgs) * ((size_t)src->msg_high + 1));
	memcpy(
	    e->heap, src->heap, sizeof(*e->heap) * ((size_t)src->n_heap + 1));
	for (node_t n = 1; n <= e->high; n++) {
		struct window *w = &node_of(e, n)->s.window;

		if (!is_sup(node_of(e, n)))
			continue;
		if (w->len > 0)
			memcpy(windows, w->at, sizeof(*windows) * w->len);
		w->at = windows;
		if (w->max > 0)
			windows += w->max;
	}
	each_plan(e, copy_plan, &windows);
	return e;
}

/* ---- writing an image --------------------------------------------------- */

/* Where bytes go; with `at` NULL they are only counted. */
struct out {
	char *at;
	size_t len;
};

static void
put(struct out *o, const void *p, size_t len)
{
	if (o->at != NULL && len > 0)
		memcpy(o->at + o->len, p, len);
	o->len += len;
}

static void
put_engine(struct out *o, const struct engine *e)
{
	struct engine c = *e;

	c.todo = NULL;
	c.nodes = NULL;
	c.msgs = NULL;
	c.heap = NULL;
	CLEAR_PADDING(&c);
	put(o, &c, sizeof(c));
}

/* That there is one, without its address. */
static const void *
mark(const void *p)
{
	return p != NULL ? (const void *)1 : NULL;
}

static void
put_node(struct out *o, const struct node *n)
{
	struct node c = *n;

	if (c.is_sup) {
		c.s.spec = NULL;
		c.s.window.at = NULL;
		c.s.plan = mark(c.used ? c.s.plan : NULL);
		CLEAR_PADDING(&c.s);
	} else {
		c.w.spec = NULL;
		CLEAR_PADDING(&c.w);
	}
	CLEAR_PADDING(&c);
	put(o, &c, sizeof(c));
}

static void
put_msg(struct out *o, const struct msg *m)
{
	struct msg c = *m;

	c.plan = mark(c.plan);
	CLEAR_PADDING(&c);
	put(o, &c, sizeof(c));
}

static void
put_worker_spec(struct out *o, const struct worker_spec *spec)
{
	struct worker_spec c = *spec;

	CLEAR_PADDING(&c);
	put(o, &c, sizeof(c));
}

static void
put_sup_spec(struct out *o, const struct sup_spec *spec)
{
	struct sup_spec c = *spec;

	CLEAR_PADDING(&c);
	put(o, &c, sizeof(c));
}

static void
put_borrowed(struct out *o, const struct node *n)
{
	const struct window *w = &n->s.window;

	if (!n->is_sup) {
		put_worker_spec(o, n->w.spec);
		return;
	}
	put_sup_spec(o, n->s.spec);
	put(o, w->at, sizeof(*w->at) * w->len);
}

static int
put_plan(void *ctx, node_t n, const struct plan **place)
{
	static const struct worker_spec none;
	const struct plan *p = *place;
	struct plan c = *p;
	struct out *o = ctx;

	(void)n;
	c.spec = NULL;
	c.window = NULL;
	c.child = NULL;
	CLEAR_PADDING(&c);
	put(o, &c, sizeof(c));
	put_sup_spec(o, p->spec);
	for (uint32_t i = 0; i < p->n; i++) {
		struct plan_child k = p->child[i];

		k.worker = mark(k.worker);
		CLEAR_PADDING(&k);
		put(o, &k, sizeof(k));
		put_worker_spec(
		    o, p->child[i].worker != NULL ? p->child[i].worker : &none);
	}
	return 0;
}

static void
put_all(struct out *o, const struct engine *e)
{
	struct head head = { 0 }; /* filled in when all is there */

	assert(e->todo == NULL && e->run_head == NODE_NONE);
	put(o, &head, sizeof(head));
	put_engine(o, e);
	for (node_t n = 1; n <= e->high; n++)
		put_node(o, node_of(e, n));
	for (uint32_t i = 1; i <= e->msg_high; i++)
		put_msg(o, &e->msgs[i]);
	put(o, e->heap + 1, sizeof(*e->heap) * e->n_heap);
	for (node_t n = 1; n <= e->high; n++)
		if (node_of(e, n)->used)
			put_borrowed(o, node_of(e, n));
	each_plan(e, put_plan, o);
}

uint32_t
engine_layout(void)
{
	static const uint32_t is[] = { sizeof(struct engine),
		sizeof(struct node), sizeof(struct msg), sizeof(struct sup),
		sizeof(struct worker), sizeof(struct worker_spec),
		sizeof(struct sup_spec), sizeof(struct plan),
		sizeof(struct plan_child), sizeof(struct event),
		sizeof(struct effect), offsetof(struct node, w),
		offsetof(struct node, name), offsetof(struct sup, cursor),
		offsetof(struct worker, failure), PHASE_N, MODE_N, OUTCOME_N,
		MSG_KIND_N, EV_KIND_N, CHILD_STATE_N, EFF_KIND_N, REPORT_KIND_N,
		RESULT_N, REASON_N, WHY_N, STRATEGY_N, READY_KIND_N, GIVEUP_N,
		DECLARED_N };

	return (uint32_t)checksum(0, is, sizeof(is));
}

size_t
engine_save_size(const struct engine *e)
{
	struct out o = { 0 };

	put_all(&o, e);
	return o.len;
}

void
engine_save(const struct engine *e, void *buf)
{
	struct out o = { .at = buf };
	struct head head = {
		.magic = IMAGE_MAGIC,
		.version = IMAGE_VERSION,
		.layout = engine_layout(),
	};

	put_all(&o, e);
	head.len = o.len;
	head.sum =
	    checksum(0, (const char *)buf + sizeof(head), o.len - sizeof(head));
	memcpy(buf, &head, sizeof(head));
}

/* ---- reading an image --------------------------------------------------- */

struct in {
	const char *at;
	size_t left;
};

static bool
get(struct in *in, void *ret, size_t len)
{
	if (len > in->left)
		return false;
	if (len > 0)
		memcpy(ret, in->at, len);
	in->at += len;
	in->left -= len;
	return true;
}

/* The head, and that what follows it is whole; then the engine's scalars. */
static int
get_head(struct in *in, struct engine *ret)
{
	struct head head;
	size_t len = in->left;

	if (!get(in, &head, sizeof(head)) || head.magic != IMAGE_MAGIC)
		return -EINVAL;
	if (head.version != IMAGE_VERSION || head.layout != engine_layout())
		return -EPROTONOSUPPORT;
	if (head.len != len || head.sum != checksum(0, in->at, in->left) ||
	    !get(in, ret, sizeof(*ret)))
		return -EBADMSG;
	if (ret->high > ret->cap || ret->n_heap > ret->high ||
	    ret->msg_high > ret->msg_cap || ret->free_node > ret->high ||
	    ret->free_msg > ret->msg_high || ret->cap > UINT32_MAX / 8 ||
	    ret->run_head != NODE_NONE)
		return -EBADMSG;
	return 0;
}

int
engine_image_cap(const void *image, size_t len, uint32_t *ret)
{
	struct in in = { image, len };
	struct engine e;
	int r = get_head(&in, &e);

	if (r == 0)
		*ret = e.cap;
	return r;
}

static bool
sup_fits(const struct engine *e, const struct sup *s)
{
	const uint32_t ids[] = { s->first, s->last, s->static_first,
		s->static_last, s->cursor, s->range_end, s->from, s->failed };

	for (size_t i = 0; i < ARRAY_LEN(ids); i++)
		if (ids[i] > e->high)
			return false;
	return s->mode < MODE_N && s->mail_head <= e->msg_high &&
	       s->mail_tail <= e->msg_high && s->window.max <= WINDOW_MAX &&
	       s->window.len <= s->window.max && s->window.period_ns > 0;
}

/*
 * The checksum has said that these are the bytes that were written; what could
 * lead out of the arena is looked at all the same.
 */
static bool
node_fits(const struct engine *e, const struct node *c)
{
	if (c->parent > e->high || c->next > e->high || c->prev > e->high ||
	    c->static_next > e->high || c->heap_pos > e->n_heap ||
	    c->state >= CHILD_STATE_N || c->outcome >= OUTCOME_N ||
	    c->name[NAME_MAX_LEN] != '\0')
		return false;
	if (c->is_sup)
		return sup_fits(e, &c->s);
	return c->w.phase < PHASE_N && c->w.stage <= STOP_STAGES_MAX;
}

static bool
get_arena(struct in *in, struct engine *e)
{
	if (!get(in, e->nodes + 1, sizeof(*e->nodes) * e->high) ||
	    !get(in, e->msgs + 1, sizeof(*e->msgs) * e->msg_high) ||
	    !get(in, e->heap + 1, sizeof(*e->heap) * e->n_heap))
		return false;
	for (node_t n = 1; n <= e->high; n++)
		if (!node_fits(e, node_of(e, n)))
			return false;
	for (uint32_t i = 1; i <= e->msg_high; i++)
		if (e->msgs[i].next > e->msg_high ||
		    e->msgs[i].node > e->high || e->msgs[i].kind >= MSG_KIND_N)
			return false;
	for (uint32_t i = 1; i <= e->n_heap; i++)
		if (e->heap[i] == NODE_NONE || e->heap[i] > e->high)
			return false;
	return true;
}

static int
get_worker_spec(struct in *in, node_t n, const struct lender *l,
    const struct worker_spec **ret)
{
	struct worker_spec spec;

	if (!get(in, &spec, sizeof(spec)) || spec.n_stop == 0 ||
	    spec.n_stop > STOP_STAGES_MAX)
		return -EBADMSG;
	*ret = l->worker(l->ctx, n, &spec);
	return *ret != NULL ? 0 : -ENOMEM;
}

static int
get_sup_spec(struct in *in, node_t n, const struct lender *l,
    const struct sup_spec **ret)
{
	struct sup_spec spec;

	if (!get(in, &spec, sizeof(spec)) || spec.period_ns <= 0 ||
	    spec.intensity > WINDOW_MAX)
		return -EBADMSG;
	*ret = l->sup(l->ctx, n, &spec);
	return *ret != NULL ? 0 : -ENOMEM;
}

static int
get_window(node_t n, uint32_t max, const struct lender *l, mono_t **ret)
{
	*ret = max > 0 ? l->window(l->ctx, n, max) : NULL;
	return max == 0 || *ret != NULL ? 0 : -ENOMEM;
}

static int
get_borrowed(struct in *in, struct node *c, node_t n, const struct lender *l)
{
	struct window *w = &c->s.window;
	int r;

	if (!c->is_sup)
		return get_worker_spec(in, n, l, &c->w.spec);
	r = get_sup_spec(in, n, l, &c->s.spec);
	if (r == 0)
		r = get_window(n, w->max, l, &w->at);
	if (r == 0 && !get(in, w->at, sizeof(*w->at) * w->len))
		r = -EBADMSG;
	return r;
}

struct plans {
	struct in *in;
	const struct engine *e;
	const struct lender *lender;
};

static int
get_plan_child(struct plans *ps, struct plan_child *ret)
{
	struct worker_spec none;

	if (!get(ps->in, ret, sizeof(*ret)) || ret->node == NODE_NONE ||
	    ret->node > ps->e->high)
		return -EBADMSG;
	if (ret->worker != NULL)
		return get_worker_spec(
		    ps->in, ret->node, ps->lender, &ret->worker);
	return get(ps->in, &none, sizeof(none)) ? 0 : -EBADMSG;
}

/* The place has a mark only; a plan is made for it. */
static int
get_plan(void *ctx, node_t n, const struct plan **place)
{
	struct plans *ps = ctx;
	const struct lender *l = ps->lender;
	struct plan saved, *p;
	struct plan_child *child;
	int r;

	if (!get(ps->in, &saved, sizeof(saved)) || saved.n > ps->in->left)
		return -EBADMSG;
	p = l->plan(l->ctx, n, saved.n);
	if (p == NULL)
		return -ENOMEM;
	child = (struct plan_child *)(uintptr_t)p->child;
	*p = saved;
	p->child = child;
	*place = p;
	r = get_sup_spec(ps->in, n, l, &p->spec);
	if (r == 0)
		r = get_window(n, p->spec->intensity, l, &p->window);
	for (uint32_t i = 0; i < p->n && r == 0; i++)
		r = get_plan_child(ps, &child[i]);
	return r;
}

int
engine_restore(const void *image, size_t len, void *mem,
    const struct lender *lender, struct engine **ret)
{
	struct in in = { image, len };
	struct engine scalars, *e;
	struct plans plans = { .in = &in, .lender = lender };
	int r = get_head(&in, &scalars);

	if (r < 0)
		return r;
	e = engine_init(mem, scalars.cap);
	if (scalars.msg_cap != e->msg_cap)
		return -EBADMSG;
	copy_scalars(e, &scalars);
	plans.e = e;
	if (!get_arena(&in, e))
		return -EBADMSG;
	for (node_t n = 1; n <= e->high && r == 0; n++) {
		struct node *c = node_of(e, n);

		if (c->used)
			r = get_borrowed(&in, c, n, lender);
	}
	if (r == 0)
		r = each_plan(e, get_plan, &plans);
	if (r == 0 && in.left != 0)
		r = -EBADMSG;
	if (r == 0)
		*ret = e;
	return r;
}
