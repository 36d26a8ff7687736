/* SPDX-License-Identifier: ISC */
#include "core/journal.h"

#include "core/checksum.h"
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

struct event_body {
	int64_t now_ns;
	uint64_t inc, tag;
	uint32_t kind;
	uint32_t node, child;
	int32_t code, step;
	uint8_t is_signal, core, zero[2];
};

struct add_body {
	uint32_t node, parent;
	char name[NAME_MAX_LEN + 8];
};

struct effect_body {
	uint64_t inc, tag, seq, cause;
	uint32_t kind, node, offender, from, to, report, proc, result;
	struct reason reason;
	int32_t sig;
	uint32_t group, used, limit;
};

struct worker_body {
	struct add_body add;
	struct worker_spec spec;
};

struct sup_body {
	struct add_body add;
	struct sup_spec spec;
};

static const size_t body_size[RECORD_KIND_N] = {
	[RECORD_EVENT] = sizeof(struct event_body),
	[RECORD_ADD_WORKER] = sizeof(struct worker_body),
	[RECORD_ADD_SUP] = sizeof(struct sup_body),
	[RECORD_DISCARD] = sizeof(uint64_t),
	[RECORD_SPAWN_INTERVAL] = sizeof(int64_t),
	[RECORD_EFFECT] = sizeof(struct effect_body),
};

_Static_assert(sizeof(struct event_body) == 48, "no holes");
_Static_assert(sizeof(struct add_body) % 8 == 0, "no holes");
_Static_assert(sizeof(struct effect_body) % 8 == 0, "no holes");
_Static_assert(
    sizeof(struct head) + sizeof(struct worker_body) <= JOURNAL_RECORD_MAX,
    "the largest record");

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
	struct event_body b = {
		.now_ns = ev->now.ns,
		.inc = ev->inc,
		.tag = ev->tag,
		.kind = ev->kind,
		.node = ev->node,
		.child = ev->child,
		.code = ev->code,
		.step = ev->step,
		.is_signal = ev->is_signal,
		.core = ev->core,
	};

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
	struct effect_body b = {
		.inc = eff->inc,
		.tag = eff->tag,
		.seq = eff->seq,
		.cause = eff->cause,
		.kind = eff->kind,
		.node = eff->node,
		.offender = eff->offender,
		.from = eff->from,
		.to = eff->to,
		.report = eff->report,
		.proc = eff->proc,
		.result = eff->result,
		.reason = eff->reason,
		.sig = eff->sig,
		.group = eff->group,
		.used = eff->used,
		.limit = eff->limit,
	};

	return append(j, RECORD_EFFECT, &b);
}

/* ---- reading ------------------------------------------------------------ */

static bool
get_event(const void *body, struct event *ret)
{
	struct event_body b;

	memcpy(&b, body, sizeof(b));
	*ret = (struct event){
		.now = { b.now_ns },
		.kind = (enum event_kind)b.kind,
		.node = b.node,
		.child = b.child,
		.inc = b.inc,
		.tag = b.tag,
		.code = b.code,
		.step = b.step,
		.is_signal = b.is_signal != 0,
		.core = b.core != 0,
	};
	return b.kind < EV_KIND_N;
}

static bool
get_effect(const void *body, struct effect *ret)
{
	struct effect_body b;

	memcpy(&b, body, sizeof(b));
	*ret = (struct effect){
		.kind = (enum effect_kind)b.kind,
		.node = b.node,
		.offender = b.offender,
		.inc = b.inc,
		.tag = b.tag,
		.seq = b.seq,
		.cause = b.cause,
		.from = (enum child_state)b.from,
		.to = (enum child_state)b.to,
		.report = (enum report_kind)b.report,
		.proc = (enum proc_kind)b.proc,
		.result = (enum result)b.result,
		.reason = b.reason,
		.sig = b.sig,
		.group = b.group != 0,
		.used = b.used,
		.limit = b.limit,
	};
	return b.kind < EFF_KIND_N && b.from < CHILD_STATE_N &&
	       b.to < CHILD_STATE_N && b.report < REPORT_KIND_N &&
	       b.result < RESULT_N;
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

/* engine_add_*() asserts what the configuration has checked. */
static bool
get_worker(const char *body, struct record *ret)
{
	if (!get_add(body, ret))
		return false;
	memcpy(&ret->worker, body + offsetof(struct worker_body, spec),
	    sizeof(ret->worker));
	return ret->worker.n_stop > 0 && ret->worker.n_stop <= STOP_STAGES_MAX;
}

static bool
get_sup(const char *body, struct record *ret)
{
	if (!get_add(body, ret))
		return false;
	memcpy(&ret->sup, body + offsetof(struct sup_body, spec),
	    sizeof(ret->sup));
	return ret->sup.period_ns > 0 && ret->sup.intensity <= WINDOW_MAX;
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

int
journal_apply(struct engine *e, const struct record *rec,
    const struct lender *lender, struct effects *todo)
{
	switch (rec->kind) {
	case RECORD_EVENT:
		engine_step(e, &rec->event, todo);
		return 0;
	case RECORD_ADD_WORKER:
		return apply_add_worker(e, rec, lender);
	case RECORD_ADD_SUP:
		return apply_add_sup(e, rec, lender);
	case RECORD_DISCARD:
		return apply_discard(e, rec->node);
	case RECORD_SPAWN_INTERVAL:
		engine_set_spawn_interval(e, rec->interval_ns);
		return 0;
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
	struct record rec;
	uint64_t last = UINT64_MAX;
	int code = find_last(r, &last, ret_next);

	if (code < 0)
		return code;
	while ((code = journal_read(&r, &rec)) > 0) {
		bool is_last = rec.seq == last && how->last != NULL;

		if (how->before != NULL && !how->before(how->ctx, rec.seq))
			continue;
		code = journal_apply(
		    e, &rec, how->lender, is_last ? how->last : &none);
		if (code < 0) {
			*ret_next = rec.seq;
			return code;
		}
	}
	return code;
}
