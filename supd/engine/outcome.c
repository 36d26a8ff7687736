/* SPDX-License-Identifier: ISC */
#include "engine/outcome.h"

#include "engine/text.h"
#include "engine/tree.h"

#include <stdio.h>
#include <string.h>

struct seen {
	uint64_t uid; /* of the live node, or 0 */
	uint64_t inc;
};

/* A node by its path, for those that are new. */
struct entry {
	const char *path;
	node_t node;
	bool is_sup;
};

struct teller {
	struct shell *sh;
	struct entry *entry; /* sorted */
	uint32_t n;
};

int
outcome_begin(struct outcome *o, struct shell *sh, const struct prediction *p)
{
	*o = (struct outcome){ .sh = sh, .n = p->n };
	o->seen = calloc((size_t)p->n + 1, sizeof(*o->seen));
	if (o->seen == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < p->n; i++) {
		node_t n = p->deed[i].node;

		if (n == NODE_NONE)
			continue;
		o->seen[i].uid = sh->nodes[n].uid;
		o->seen[i].inc = engine_incarnation(sh->core, n);
	}
	return 0;
}

void
outcome_fini(struct outcome *o)
{
	free(o->seen);
	*o = (struct outcome){ 0 };
}

static int
entry_cmp(const void *va, const void *vb)
{
	const struct entry *a = va, *b = vb;
	int r = strcmp(a->path, b->path);

	return r != 0 ? r : (int)a->is_sup - (int)b->is_sup;
}

static void
make_entries(struct teller *t)
{
	struct shell *sh = t->sh;

	t->entry = calloc((size_t)sh->cap + 1, sizeof(*t->entry));
	for (node_t n = NODE_ROOT; t->entry != NULL && n <= sh->cap; n++)
		if (tree_has(sh, n))
			t->entry[t->n++] = (struct entry){ sh->nodes[n].path, n,
				engine_is_sup(sh->core, n) };
	if (t->entry != NULL)
		qsort(t->entry, t->n, sizeof(*t->entry), entry_cmp);
}

/* The node of a deed as it is now, or NODE_NONE. */
static node_t
find(const struct teller *t, const struct deed *d, const struct seen *seen)
{
	struct entry key = { d->path, NODE_NONE, d->is_sup };
	const struct entry *e;

	if (d->node != NODE_NONE)
		return tree_has(t->sh, d->node) &&
		               t->sh->nodes[d->node].uid == seen->uid
		           ? d->node
		           : NODE_NONE;
	if (t->entry == NULL)
		return NODE_NONE;
	e = bsearch(&key, t->entry, t->n, sizeof(*t->entry), entry_cmp);
	return e != NULL ? e->node : NODE_NONE;
}

/* It is down: was it to be? */
static bool
down_words(const struct teller *t, node_t n, bool was_started, struct buf *out)
{
	struct shell *sh = t->sh;
	struct reason last = engine_last_reason(sh->core, n);
	const struct worker_spec *w = engine_worker_spec(sh->core, n);

	if (!engine_wanted(sh->core, n)) {
		buf_puts(out, "stopped by an operator");
		return true;
	}
	if (w != NULL && !w->enabled) {
		buf_puts(out, "enabled: false");
		return true;
	}
	if (!was_started) {
		buf_puts(out, "not started, because one before it has failed");
		return false;
	}
	text_nested(sh, n, &last, out);
	return reason_is_clean(&last);
}

/* What has become of it; true: what was to be. */
static bool
judge(const struct teller *t, const struct deed *d, const struct seen *seen,
    struct buf *out)
{
	struct shell *sh = t->sh;
	node_t n = find(t, d, seen);
	enum child_state state =
	    n != NODE_NONE ? engine_state(sh->core, n) : CHILD_STOPPED;
	bool was_started =
	    n != NODE_NONE && engine_incarnation(sh->core, n) > seen->inc;

	if (d->what == CHANGE_STOP) {
		buf_puts(out, n == NODE_NONE           ? "removed"
			      : state == CHILD_STOPPED ? "stopped"
						       : "runs");
		return n == NODE_NONE || state == CHILD_STOPPED;
	}
	if (n == NODE_NONE) {
		buf_puts(out, "has ended already");
		return true;
	}
	if (state == CHILD_STOPPED)
		return down_words(t, n, was_started, out);
	if (!was_started) {
		buf_puts(out, "not restarted");
		return false;
	}
	if (sh->nodes[n].pid != 0)
		buf_printf(out, "pid %d", sh->nodes[n].pid);
	else
		buf_puts(out, d->is_sup ? "" : child_state_name(state));
	return true;
}

/* ---- in which order ------------------------------------------------------
 */

/* When a deed is told: what is gone by now first, then as the tree is. */
struct turn {
	uint32_t at; /* place of the node in the tree, from 1; 0: it is gone */
	uint32_t i;  /* of the deed */
};

static int
turn_cmp(const void *va, const void *vb)
{
	const struct turn *a = va, *b = vb;

	if (a->at != b->at)
		return a->at < b->at ? -1 : 1;
	return a->i < b->i ? -1 : a->i > b->i;
}

/* NULL: no memory; they can be told in the order of their beginnings, too. */
static struct turn *
make_turns(const struct teller *t, const struct outcome *o,
    const struct prediction *p, uint32_t n)
{
	struct shell *sh = t->sh;
	cleanup_(freep) uint32_t *at = calloc((size_t)sh->cap + 1, sizeof(*at));
	struct turn *turn = calloc((size_t)n + 1, sizeof(*turn));
	uint32_t place = 0;

	if (at == NULL || turn == NULL) {
		free(turn);
		return NULL;
	}
	for (node_t k = tree_next(sh, NODE_ROOT, NODE_NONE); k != NODE_NONE;
	     k = tree_next(sh, NODE_ROOT, k))
		at[k] = ++place;
	for (uint32_t i = 0; i < n; i++)
		turn[i] = (struct turn){
			.at = at[find(t, &p->deed[i], &o->seen[i])],
			.i = i,
		};
	qsort(turn, n, sizeof(*turn), turn_cmp);
	return turn;
}

void
outcome_tell(struct outcome *o, const struct prediction *p,
    struct change_out *out, struct buf *errors)
{
	struct teller t = { .sh = o->sh };
	cleanup_(freep) struct turn *turn = NULL;
	uint32_t n = p->n < o->n ? p->n : o->n;

	make_entries(&t);
	turn = make_turns(&t, o, p, n);
	for (uint32_t k = 0; k < n; k++) {
		uint32_t i = turn != NULL ? turn[k].i : k;
		const struct deed *d = &p->deed[i];
		cleanup_(buf_fini) struct buf text = { 0 };
		bool ok = judge(&t, d, &o->seen[i], &text);

		changes_send_deed(out, d, ok ? "ok" : "failed", buf_str(&text));
		if (ok)
			continue;
		buf_printf(errors, "%s%s: %s", errors->len > 0 ? "\n" : "",
		    text_short(d->path), buf_str(&text));
	}
	free(t.entry);
}
