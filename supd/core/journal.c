/* SPDX-License-Identifier: ISC */
#include "core/journal.h"

#include "core/checksum.h"
#include "core/plain.h"
#include "core/tree.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/*
 * A record: head, then a body of a size that follows from the kind, without
 * holes.  The sum covers both, so a record that another has overwritten, or
 * that stands in the wrong place (seq), is none.
 */
struct head {
	uint64_t sum; /* of all that follows */
	uint64_t seq;
	uint32_t kind;
	uint32_t len; /* with this head */
};

struct add_body {
	uint32_t node, parent;
	char name[NAME_MAX_LEN + 8];
};

struct worker_body {
	struct add_body add;
	struct worker_spec spec;
};

struct sup_body {
	struct add_body add;
	struct sup_spec spec;
};

struct plan_body {
	uint32_t sup, n, has_plan, zero;
	struct sup_spec spec;
};

struct child_body {
	struct plan_child child;
	struct worker_spec spec;
};

static const size_t body_size[RECORD_KIND_N] = {
	[RECORD_EVENT] = sizeof(struct event),
	[RECORD_ADD_WORKER] = sizeof(struct worker_body),
	[RECORD_ADD_SUP] = sizeof(struct sup_body),
	[RECORD_DISCARD] = sizeof(uint64_t),
	[RECORD_SPAWN_INTERVAL] = sizeof(int64_t),
	[RECORD_PLAN] = sizeof(struct plan_body),
	[RECORD_PLAN_CHILD] = sizeof(struct child_body),
	[RECORD_EFFECT] = sizeof(struct effect),
};

#define RECORD_FITS(type)                                                      \
	_Static_assert(                                                        \
	    sizeof(type) % 8 == 0 &&                                           \
		sizeof(struct head) + sizeof(type) <= JOURNAL_RECORD_MAX,      \
	    "a record")
RECORD_FITS(struct event);
RECORD_FITS(struct effect);
RECORD_FITS(struct worker_body);
RECORD_FITS(struct sup_body);
RECORD_FITS(struct plan_body);
RECORD_FITS(struct child_body);

/* ---- writing ------------------------------------------------------------ */

static uint64_t
sum_of(const char *record, size_t len)
{
	size_t skip = sizeof(uint64_t);

	return checksum(0, record + skip, len - skip);
}

static int
append(struct journal *j, enum record_kind kind, const void *body)
{
	struct head h = {
		.seq = j->seq,
		.kind = kind,
		.len = (uint32_t)(sizeof(h) + body_size[kind]),
	};
	char *at = (char *)j->buf + j->len;

	if (h.len > j->cap - j->len)
		return -ENOSPC;
	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), body, body_size[kind]);
	h.sum = sum_of(at, h.len);
	memcpy(at, &h.sum, sizeof(h.sum));
	j->len += h.len;
	j->seq++;
	return 0;
}

int
journal_event(struct journal *j, const struct event *ev)
{
	struct event b = *ev;

	CLEAR_PADDING(&b);
	return append(j, RECORD_EVENT, &b);
}

static void
set_add(struct add_body *b, node_t n, node_t parent, const char *name)
{
	size_t len = strlen(name);

	assert(len <= NAME_MAX_LEN);
	b->node = n;
	b->parent = parent;
	memcpy(b->name, name, len + 1);
}

int
journal_add_worker(struct journal *j, node_t n, node_t parent, const char *name,
    const struct worker_spec *spec)
{
	struct worker_body b;

	memset(&b, 0, sizeof(b));
	set_add(&b.add, n, parent, name);
	b.spec = *spec;
	CLEAR_PADDING(&b);
	return append(j, RECORD_ADD_WORKER, &b);
}

int
journal_add_sup(struct journal *j, node_t n, node_t parent, const char *name,
    const struct sup_spec *spec)
{
	struct sup_body b;

	memset(&b, 0, sizeof(b));
	set_add(&b.add, n, parent, name);
	b.spec = *spec;
	CLEAR_PADDING(&b);
	return append(j, RECORD_ADD_SUP, &b);
}

int
journal_discard(struct journal *j, node_t n)
{
	uint64_t b = n;

	return append(j, RECORD_DISCARD, &b);
}

int
journal_spawn_interval(struct journal *j, int64_t interval_ns)
{
	return append(j, RECORD_SPAWN_INTERVAL, &interval_ns);
}

int
journal_effect(struct journal *j, const struct effect *eff)
{
	struct effect b = *eff;

	CLEAR_PADDING(&b);
	return append(j, RECORD_EFFECT, &b);
}

static int
append_child(struct journal *j, const struct plan_child *child)
{
	struct child_body b;

	memset(&b, 0, sizeof(b));
	b.child = *child;
	if (child->worker != NULL) {
		b.spec = *child->worker;
		b.child.worker = (const void *)1; /* no address, but a mark */
	}
	CLEAR_PADDING(&b);
	return append(j, RECORD_PLAN_CHILD, &b);
}

int
journal_plan(struct journal *j, node_t sup, const struct plan *plan)
{
	struct journal was = *j;
	struct plan_body b;
	int r;

	memset(&b, 0, sizeof(b));
	b.sup = sup;
	if (plan != NULL) {
		b.has_plan = 1;
		b.n = plan->n;
		b.spec = *plan->spec;
	}
	CLEAR_PADDING(&b);
	r = append(j, RECORD_PLAN, &b);
	for (uint32_t i = 0; i < b.n && r == 0; i++)
		r = append_child(j, &plan->child[i]);
	if (r < 0)
		*j = was; /* all or nothing */
	return r;
}

/* ---- reading ------------------------------------------------------------ */

static bool
get_event(const void *body, struct event *ret)
{
	memcpy(ret, body, sizeof(*ret));
	return ret->kind < EV_KIND_N && ret->declared < DECLARED_N;
}

static bool
get_effect(const void *body, struct effect *ret)
{
	memcpy(ret, body, sizeof(*ret));
	return ret->kind < EFF_KIND_N && ret->from < CHILD_STATE_N &&
	       ret->to < CHILD_STATE_N && ret->report < REPORT_KIND_N &&
	       ret->result < RESULT_N;
}

static bool
get_add(const char *body, struct record *ret)
{
	struct add_body b;

	memcpy(&b, body, sizeof(b));
	if (memchr(b.name, '\0', NAME_MAX_LEN + 1) == NULL)
		return false;
	ret->node = b.node;
	ret->parent = b.parent;
	memcpy(ret->name, b.name, sizeof(ret->name));
	return true;
}

/* What engine.h asserts, because the configuration has checked it. */
static bool
worker_fits(const struct worker_spec *spec)
{
	return spec->n_stop > 0 && spec->n_stop <= STOP_STAGES_MAX;
}

static bool
sup_fits(const struct sup_spec *spec)
{
	return spec->period_ns > 0 && spec->intensity <= WINDOW_MAX;
}

static bool
get_worker(const char *body, struct record *ret)
{
	if (!get_add(body, ret))
		return false;
	memcpy(&ret->worker, body + offsetof(struct worker_body, spec),
	    sizeof(ret->worker));
	return worker_fits(&ret->worker);
}

static bool
get_sup(const char *body, struct record *ret)
{
	if (!get_add(body, ret))
		return false;
	memcpy(&ret->sup, body + offsetof(struct sup_body, spec),
	    sizeof(ret->sup));
	return sup_fits(&ret->sup);
}

static bool
get_plan(const char *body, struct record *ret)
{
	struct plan_body b;

	memcpy(&b, body, sizeof(b));
	ret->node = b.sup;
	ret->has_plan = b.has_plan != 0;
	ret->n_children = b.n;
	ret->sup = b.spec;
	return !ret->has_plan || sup_fits(&ret->sup);
}

static bool
get_plan_child(const char *body, struct record *ret)
{
	struct child_body b;

	memcpy(&b, body, sizeof(b));
	ret->child = b.child;
	ret->worker = b.spec;
	return b.child.worker == NULL || worker_fits(&ret->worker);
}

static bool
get_body(const char *body, struct record *ret)
{
	uint64_t node;

	switch (ret->kind) {
	case RECORD_EVENT:
		return get_event(body, &ret->event);
	case RECORD_EFFECT:
		return get_effect(body, &ret->effect);
	case RECORD_ADD_WORKER:
		return get_worker(body, ret);
	case RECORD_ADD_SUP:
		return get_sup(body, ret);
	case RECORD_DISCARD:
		memcpy(&node, body, sizeof(node));
		ret->node = (node_t)node;
		return node <= UINT32_MAX;
	case RECORD_SPAWN_INTERVAL:
		memcpy(&ret->interval_ns, body, sizeof(ret->interval_ns));
		return true;
	case RECORD_PLAN:
		return get_plan(body, ret);
	case RECORD_PLAN_CHILD:
		return get_plan_child(body, ret);
	case RECORD_KIND_N:
		break;
	}
	return false;
}

/* A whole record of that seq or, with `later`, of a later one. */
static bool
is_record(const char *at, size_t left, uint64_t seq, bool later)
{
	struct head h;

	if (left < sizeof(h))
		return false;
	memcpy(&h, at, sizeof(h));
	return h.kind > 0 && h.kind < RECORD_KIND_N &&
	       h.len == sizeof(h) + body_size[h.kind] && h.len <= left &&
	       (later ? h.seq > seq : h.seq == seq) &&
	       h.sum == sum_of(at, h.len);
}

/*
 * What is left begins with no record.  Is it one that was being written when
 * its writer died?  Then it is the last one, so no other follows, and there is
 * not more than its length, or nothing but zeros: memory not yet used.
 */
static bool
is_torn(const struct journal_reader *r)
{
	size_t i;

	for (i = 8; i < r->left; i += 8)
		if (is_record(r->at + i, r->left - i, r->seq, true))
			return false;
	if (r->left <= JOURNAL_RECORD_MAX)
		return true;
	for (i = JOURNAL_RECORD_MAX; i < r->left; i++)
		if (r->at[i] != 0)
			return false;
	return true;
}

int
journal_read(struct journal_reader *r, struct record *ret)
{
	struct head h;

	if (!is_record(r->at, r->left, r->seq, false))
		return is_torn(r) ? 0 : -EBADMSG;
	memcpy(&h, r->at, sizeof(h));
	memset(ret, 0, sizeof(*ret));
	ret->kind = (enum record_kind)h.kind;
	ret->seq = h.seq;
	if (!get_body(r->at + sizeof(h), ret))
		return -EBADMSG;
	r->at += h.len;
	r->left -= h.len;
	r->seq++;
	return 1;
}

/* ---- applying ----------------------------------------------------------- */

static bool
may_be_parent(const struct engine *e, node_t n)
{
	return n == NODE_NONE || (engine_has(e, n) && engine_is_sup(e, n));
}

static int
apply_add_worker(
    struct engine *e, const struct record *rec, const struct lender *l)
{
	const struct worker_spec *spec;

	if (!may_be_parent(e, rec->parent))
		return -EBADMSG;
	spec = l->worker(l->ctx, rec->node, &rec->worker);
	if (spec == NULL)
		return -ENOMEM;
	if (engine_add_worker(e, rec->parent, rec->name, spec) != rec->node)
		return -EBADMSG;
	return 0;
}

static int
apply_add_sup(
    struct engine *e, const struct record *rec, const struct lender *l)
{
	const struct sup_spec *spec;
	mono_t *window = NULL;

	if (!may_be_parent(e, rec->parent))
		return -EBADMSG;
	spec = l->sup(l->ctx, rec->node, &rec->sup);
	if (spec == NULL)
		return -ENOMEM;
	if (rec->sup.intensity > 0)
		window = l->window(l->ctx, rec->node, rec->sup.intensity);
	if (rec->sup.intensity > 0 && window == NULL)
		return -ENOMEM;
	if (engine_add_sup(e, rec->parent, rec->name, spec, window) !=
	    rec->node)
		return -EBADMSG;
	return 0;
}

static int
apply_discard(struct engine *e, node_t n)
{
	if (!engine_has(e, n) || node_of(e, n)->attached || n == NODE_ROOT)
		return -EBADMSG;
	engine_discard(e, n);
	return 0;
}

/* The last child of the plan has been read, or there is none. */
static int
set_plan_when_whole(struct journal_target *t)
{
	if (t->plan_got == t->plan->n)
		engine_set_plan(t->e, t->plan_sup, take_ptr(t->plan));
	return 0;
}

static int
apply_plan(struct journal_target *t, const struct record *rec)
{
	const struct lender *l = t->lender;
	struct plan *p;

	if (!engine_has(t->e, rec->node) || !engine_is_sup(t->e, rec->node))
		return -EBADMSG;
	if (!rec->has_plan) {
		engine_set_plan(t->e, rec->node, NULL);
		return 0;
	}
	p = l->plan(l->ctx, rec->node, rec->n_children);
	if (p == NULL)
		return -ENOMEM;
	p->n = rec->n_children;
	p->spec = l->sup(l->ctx, rec->node, &rec->sup);
	p->window = NULL;
	if (rec->sup.intensity > 0)
		p->window = l->window(l->ctx, rec->node, rec->sup.intensity);
	if (p->spec == NULL || (rec->sup.intensity > 0 && p->window == NULL))
		return -ENOMEM;
	t->plan = p;
	t->plan_sup = rec->node;
	t->plan_got = 0;
	return set_plan_when_whole(t);
}

static int
apply_plan_child(struct journal_target *t, const struct record *rec)
{
	const struct lender *l = t->lender;
	struct plan_child *to;
	node_t n = rec->child.node;

	if (t->plan == NULL || n == NODE_NONE || n > engine_cap(t->e))
		return -EBADMSG;
	to = (struct plan_child *)(uintptr_t)&t->plan->child[t->plan_got++];
	*to = rec->child;
	if (rec->child.worker != NULL) {
		to->worker = l->worker(l->ctx, n, &rec->worker);
		if (to->worker == NULL)
			return -ENOMEM;
	}
	return set_plan_when_whole(t);
}

int
journal_apply(
    struct journal_target *t, const struct record *rec, struct effects *todo)
{
	/* A plan's children follow it at once. */
	if (t->plan != NULL && rec->kind != RECORD_PLAN_CHILD)
		return -EBADMSG;
	switch (rec->kind) {
	case RECORD_EVENT:
		engine_step(t->e, &rec->event, todo);
		return 0;
	case RECORD_ADD_WORKER:
		return apply_add_worker(t->e, rec, t->lender);
	case RECORD_ADD_SUP:
		return apply_add_sup(t->e, rec, t->lender);
	case RECORD_DISCARD:
		return apply_discard(t->e, rec->node);
	case RECORD_SPAWN_INTERVAL:
		engine_set_spawn_interval(t->e, rec->interval_ns);
		return 0;
	case RECORD_PLAN:
		return apply_plan(t, rec);
	case RECORD_PLAN_CHILD:
		return apply_plan_child(t, rec);
	case RECORD_EFFECT:
		return 0;
	case RECORD_KIND_N:
		break;
	}
	return -EBADMSG;
}

static void
drop(void *ctx, const struct effect *eff)
{
	(void)ctx;
	(void)eff;
}

/* The seq of the last event, or 0 with no event; finds damage, too. */
static int
find_last(struct journal_reader r, uint64_t *ret_last, uint64_t *ret_next)
{
	struct record rec;
	int code;

	while ((code = journal_read(&r, &rec)) > 0)
		if (rec.kind == RECORD_EVENT)
			*ret_last = rec.seq;
	*ret_next = r.seq;
	return code;
}

int
journal_fold(struct engine *e, const void *bytes, size_t len, uint64_t seq,
    const struct fold *how, uint64_t *ret_next)
{
	struct effects none = { drop, NULL };
	struct journal_reader r = { bytes, len, seq };
	struct journal_target t = { .e = e, .lender = how->lender };
	struct record rec;
	uint64_t last = UINT64_MAX;
	int code = find_last(r, &last, ret_next);

	if (code < 0)
		return code;
	while ((code = journal_read(&r, &rec)) > 0) {
		bool is_last = rec.seq == last && how->last != NULL;

		if (how->before != NULL && !how->before(how->ctx, &rec))
			continue;
		code = journal_apply(&t, &rec, is_last ? how->last : &none);
		if (code < 0) {
			*ret_next = rec.seq;
			return code;
		}
	}
	return code;
}
