/* SPDX-License-Identifier: ISC */
#include "engine/changes.h"

#include <stdio.h>
#include <string.h>

void
changes_count(const struct conf_diff *d, struct change_count *ret)
{
	*ret = (struct change_count){ 0 };
	for (uint32_t i = 0; i < d->n; i++) {
		const struct diff_child *c = &d->child[i];

		ret->added += c->kind == DIFF_ADDED;
		ret->removed += c->kind == DIFF_REMOVED;
		ret->changed += c->kind == DIFF_CHANGED;
		ret->moved += c->kind == DIFF_SAME && c->moved;
	}
}

void
changes_text(const struct change_count *n, struct buf *out)
{
	const struct {
		uint32_t n;
		const char *word;
	} all[] = {
		{ n->changed, "changed" },
		{ n->added, "added" },
		{ n->removed, "removed" },
		{ n->moved, "moved" },
	};
	const char *sep = "";

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (all[i].n == 0)
			continue;
		buf_printf(out, "%s%u %s", sep, all[i].n, all[i].word);
		sep = ", ";
	}
	if (*sep == '\0')
		buf_puts(out, "no changes");
}

/* The tail: two texts, of which the longer one is cut if need be. */
static void
put(struct change_out *out, const struct wire_change *m, const char *a,
    const char *b)
{
	cleanup_(buf_fini) struct buf tail = { 0 };
	struct shell *sh = out->sh;
	uint64_t tag = out->tag;
	int max = WIRE_TAIL_MAX / 2 - 1;

	if (tag == 0)
		return;
	if (out->n++ >= CHANGES_MAX && m->what != CHANGE_MORE) {
		out->left_out++;
		return;
	}
	buf_printf(&tail, "%.*s", max, a);
	buf_add(&tail, "", 1);
	buf_printf(&tail, "%.*s", max, b);
	buf_add(&tail, "", 1);
	if (tail.failed)
		run_send(sh, &sh->bus, WIRE_CHANGE, tag, m, "\0", 2);
	else
		run_send(
		    sh, &sh->bus, WIRE_CHANGE, tag, m, tail.data, tail.len);
}

static void
set_path(struct wire_change *m, const char *path)
{
	strlcpy(m->path, path, sizeof(m->path));
}

static void
send_whole(struct change_out *out, const struct diff_child *d)
{
	const struct conf_child *c = d->now != NULL ? d->now : d->old;
	struct wire_change m = {
		.what = d->now != NULL ? CHANGE_ADDED : CHANGE_REMOVED,
	};

	set_path(&m, d->path);
	strlcpy(m.kind, c->is_sup ? "supervisor" : "worker", sizeof(m.kind));
	snprintf(m.origin, sizeof(m.origin), "%s:%u", c->file, c->line);
	put(out, &m, "", "");
}

static void
send_moved(struct change_out *out, const struct diff_child *d)
{
	const struct conf_child *before =
	    TAILQ_PREV(d->now, conf_children, link);
	const char *slash = strrchr(d->path, '/');
	struct wire_change m = { .what = CHANGE_MOVED };

	set_path(&m, d->path);
	if (before != NULL && slash != NULL)
		snprintf(m.other, sizeof(m.other), "%.*s/%s",
		    (int)(slash - d->path), d->path, before->name);
	put(out, &m, "", "");
}

static void
send_key(struct change_out *out, const struct diff_child *d,
    const struct diff_key *k)
{
	struct wire_change m = { .what = CHANGE_KEY };

	/* What there is none of is told by a flag, not by an empty text. */
	if (k->old == NULL)
		m.flags |= CHANGE_NO_OLD;
	if (k->now == NULL)
		m.flags |= CHANGE_NO_NEW;
	if (k->restarts)
		m.flags |= CHANGE_AT_START;
	set_path(&m, d->path);
	strlcpy(m.key, k->name, sizeof(m.key));
	strlcpy(m.origin, k->origin, sizeof(m.origin));
	put(out, &m, k->old != NULL ? k->old : "",
	    k->now != NULL ? k->now : "");
}

void
changes_send_diff(struct change_out *out, const struct conf_diff *d)
{
	for (uint32_t i = 0; i < d->n; i++) {
		const struct diff_child *c = &d->child[i];

		if (c->kind == DIFF_ADDED || c->kind == DIFF_REMOVED)
			send_whole(out, c);
		for (uint32_t k = 0; c->kind == DIFF_CHANGED && k < c->n_keys;
		     k++)
			send_key(out, c, &c->key[k]);
		if (c->moved)
			send_moved(out, c);
	}
}

void
changes_send_deed(struct change_out *out, const struct deed *d,
    const char *result, const char *text)
{
	struct wire_change m = { .what = d->what };

	set_path(&m, d->path);
	if (d->is_sup)
		m.flags |= CHANGE_SUP;
	if (d->because != NODE_NONE) {
		strlcpy(m.other, d->because_path, sizeof(m.other));
		strlcpy(m.kind, strategy_name(d->strategy), sizeof(m.kind));
	}
	strlcpy(m.key, result, sizeof(m.key));
	put(out, &m, "", text);
}

void
changes_send_more(struct change_out *out)
{
	struct wire_change m = { .what = CHANGE_MORE, .n = out->left_out };

	if (out->left_out > 0)
		put(out, &m, "", "");
}
