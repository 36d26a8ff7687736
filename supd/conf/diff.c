/* SPDX-License-Identifier: ISC */
/* Two trees, matched child by child; and the differences as text. */
#include "conf/diff.h"

#include "conf/differ.h"
#include "core/engine.h"

#include <assert.h>
#include <string.h>

static uint32_t
count_workers(const struct conf_child *c)
{
	const struct conf_child *child;
	uint32_t n = 0;

	if (!c->is_sup)
		return 1;
	TAILQ_FOREACH (child, &c->sup.children, link)
		n += count_workers(child);
	return n;
}

/* A child of the result; the pointer is good until the next one is added. */
static struct diff_child *
add_child(struct differ *f, enum diff_kind kind, const struct conf_child *old,
    const struct conf_child *now)
{
	const struct conf_child *c = now != NULL ? now : old;
	struct diff_child *bigger, *ret;

	if (f->d->n == f->cap) {
		f->cap = f->cap == 0 ? 64 : f->cap * 2;
		bigger = arena_array(f->arena, f->cap, sizeof(*bigger));
		if (f->d->n > 0)
			memcpy(bigger, f->d->child, f->d->n * sizeof(*bigger));
		f->d->child = bigger;
	}
	ret = &f->d->child[f->d->n++];
	*ret = (struct diff_child){
		.kind = kind,
		.path = diff_origin(c)->path,
		.old = old,
		.now = now,
	};
	if (kind == DIFF_ADDED || kind == DIFF_REMOVED)
		ret->n_workers = count_workers(c);
	return ret;
}

static bool
is_pool(const struct conf_child *c)
{
	return c->is_sup && c->sup.spec.strategy == SIMPLE_ONE_FOR_ONE;
}

/* Whether what runs as `old` can go on as `now`. */
static bool
can_become(const struct conf_child *old, const struct conf_child *now)
{
	return old->is_sup == now->is_sup && is_pool(old) == is_pool(now);
}

static void
compare_pair(struct differ *f, const struct conf_child *old,
    const struct conf_child *now, bool moved)
{
	struct diff_child *c;
	uint32_t i;

	diff_keys(f, old, now);
	c = add_child(f, f->n_keys > 0 ? DIFF_CHANGED : DIFF_SAME, old, now);
	c->moved = moved;
	c->key = f->key;
	c->n_keys = f->n_keys;
	for (i = 0; i < f->n_keys; i++)
		c->restarts = c->restarts || f->key[i].restarts;
}

/* ---- the order of siblings ---------------------------------------------- */

/* A child that both have. */
struct sibling {
	const struct conf_child *now;
	uint32_t was;  /* its place among the old ones */
	uint32_t prev; /* 1 + the sibling before it in a run that ends here */
	bool stays;
};

/*
 * Mark a longest run of siblings whose old order is also the new one; the
 * others have moved.  Patience sorting: tail[l] ends the best run of l + 1.
 */
static void
mark_staying(struct differ *f, struct sibling *s, uint32_t n)
{
	uint32_t *tail = arena_array(f->arena, (size_t)n + 1, sizeof(*tail));
	uint32_t len = 0, lo, hi, mid, i;

	for (i = 0; i < n; i++) {
		for (lo = 0, hi = len; lo < hi;) {
			mid = lo + (hi - lo) / 2;
			if (s[tail[mid]].was < s[i].was)
				lo = mid + 1;
			else
				hi = mid;
		}
		s[i].prev = lo == 0 ? 0 : tail[lo - 1] + 1;
		tail[lo] = i;
		if (lo == len)
			len++;
	}
	for (i = len == 0 ? 0 : tail[len - 1] + 1; i != 0; i = s[i - 1].prev)
		s[i - 1].stays = true;
}

/* The children of two supervisors, by name. */
struct family {
	struct strmap old; /* struct old_child */
	struct strmap now;
	struct sibling *both;
	uint32_t n_both;
};

struct old_child {
	const struct conf_child *c;
	uint32_t place;
};

static void
match_children(struct differ *f, const struct conf_child *old,
    const struct conf_child *now, struct family *fam)
{
	const struct conf_child *c;
	struct old_child *o;
	uint32_t n = 0;

	fam->old.arena = fam->now.arena = f->arena;
	TAILQ_FOREACH (c, &old->sup.children, link) {
		o = arena_zalloc(f->arena, sizeof(*o));
		*o = (struct old_child){ c, n++ };
		strmap_put(&fam->old, c->name, o);
	}
	fam->both = arena_array(f->arena, (size_t)n + 1, sizeof(*fam->both));
	TAILQ_FOREACH (c, &now->sup.children, link) {
		strmap_put(&fam->now, c->name, (void *)(uintptr_t)c);
		o = strmap_get(&fam->old, c->name);
		if (o != NULL && can_become(o->c, c))
			fam->both[fam->n_both++] =
			    (struct sibling){ .now = c, .was = o->place };
	}
	mark_staying(f, fam->both, fam->n_both);
}

static void
compare_children(struct differ *f, const struct conf_child *old,
    const struct conf_child *now)
{
	struct family fam = { .n_both = 0 };
	const struct conf_child *c;
	const struct old_child *o;
	uint32_t i = 0;

	match_children(f, old, now, &fam);
	TAILQ_FOREACH (c, &now->sup.children, link) {
		o = strmap_get(&fam.old, c->name);
		if (o == NULL) {
			add_child(f, DIFF_ADDED, NULL, c);
		} else if (!can_become(o->c, c)) {
			add_child(f, DIFF_REMOVED, o->c, NULL)->replaced = true;
			add_child(f, DIFF_ADDED, NULL, c)->replaced = true;
		} else {
			assert(fam.both[i].now == c);
			compare_pair(f, o->c, c, !fam.both[i++].stays);
			if (c->is_sup)
				compare_children(f, o->c, c);
		}
	}
	TAILQ_FOREACH (c, &old->sup.children, link) {
		if (strmap_get(&fam.now, c->name) == NULL)
			add_child(f, DIFF_REMOVED, c, NULL);
	}
}

/* ---- all of it ---------------------------------------------------------- */

static int
check_root(const struct conf_child *old, const struct conf_child *now,
    struct buf *ret_errors)
{
	const char *what = NULL, *from = old->name, *to = now->name;

	if (strcmp(from, to) != 0) {
		what = "name";
	} else if (is_pool(old) != is_pool(now)) {
		what = "strategy";
		from = strategy_name(old->sup.spec.strategy);
		to = strategy_name(now->sup.spec.strategy);
	}
	if (what == NULL)
		return 0;
	buf_printf(ret_errors,
	    "%s:%u: error: the root's %s cannot change from \"%s\" to \"%s\" "
	    "while supd runs; take the old one, or restart supd\n",
	    now->file, now->line, what, from, to);
	return -EINVAL;
}

int
conf_diff_make(const struct conf *old, const struct conf *now,
    struct conf_diff **ret_diff, struct buf *ret_errors)
{
	cleanup_(freep) struct differ *f = calloc(1, sizeof(*f));
	cleanup_(buf_fini) struct buf text = { 0 };
	uint32_t i;
	int rc;

	rc = check_root(old->root, now->root, ret_errors);
	if (rc < 0)
		return rc;
	if (f == NULL || (f->arena = arena_new()) == NULL)
		return -ENOMEM;
	f->text = &text;
	f->arena->oom = &f->oom;
	if (setjmp(f->oom) != 0) {
		arena_free(f->arena);
		return -ENOMEM;
	}
	f->d = arena_zalloc(f->arena, sizeof(*f->d));
	f->d->priv = f->arena;
	compare_pair(f, old->root, now->root, false);
	compare_children(f, old->root, now->root);
	for (i = 0; i < f->d->n; i++)
		f->d->n_changes +=
		    f->d->child[i].kind != DIFF_SAME || f->d->child[i].moved;
	f->arena->oom = NULL;
	*ret_diff = f->d;
	return 0;
}

void
conf_diff_free(struct conf_diff *d)
{
	if (d != NULL)
		arena_free(d->priv);
}

/* ---- text --------------------------------------------------------------- */

/* As supctl writes paths: without the root's name. */
static const char *
short_path(const char *path)
{
	const char *slash = strchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

static void
print_whole(const struct diff_child *d, struct buf *out)
{
	const struct conf_child *c = d->now != NULL ? d->now : d->old;

	buf_printf(
	    out, "%c %s: ", d->now != NULL ? '+' : '-', short_path(d->path));
	if (!c->is_sup)
		buf_puts(out, "worker");
	else
		buf_printf(out, "supervisor with %u worker%s", d->n_workers,
		    d->n_workers == 1 ? "" : "s");
	if (d->now == NULL)
		buf_puts(out, d->replaced ? ", replaced" : ", removed");
	else
		buf_printf(out, ", added at %s:%u", c->file, c->line);
	buf_puts(out, "\n");
}

static void
print_place(const struct diff_child *d, struct buf *out)
{
	const struct conf_child *before =
	    TAILQ_PREV(d->now, conf_children, link);

	if (before == NULL)
		buf_puts(out, "    moved to the front\n");
	else
		buf_printf(out, "    moved behind %s\n", before->name);
}

void
conf_diff_print_child(const struct diff_child *d, struct buf *out)
{
	const struct diff_key *k;
	uint32_t i;

	if (d->kind == DIFF_ADDED || d->kind == DIFF_REMOVED) {
		print_whole(d, out);
		return;
	}
	if (d->kind == DIFF_SAME && !d->moved)
		return;
	buf_printf(out, "%c %s%s\n", d->restarts ? '!' : '~',
	    short_path(d->path),
	    !d->restarts     ? ""
	    : d->now->is_sup ? ": its children restart"
			     : ": restart");
	if (d->moved)
		print_place(d, out);
	for (i = 0; i < d->n_keys; i++) {
		k = &d->key[i];
		buf_printf(out, "    %s: %s -> %s", k->name,
		    k->old == NULL ? "none" : k->old,
		    k->now == NULL ? "none" : k->now);
		if (k->origin[0] != '\0')
			buf_printf(out, " (%s)", k->origin);
		buf_puts(out, "\n");
	}
}

void
conf_diff_print(const struct conf_diff *d, struct buf *out)
{
	uint32_t i;

	for (i = 0; i < d->n; i++)
		conf_diff_print_child(&d->child[i], out);
}
