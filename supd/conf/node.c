/* SPDX-License-Identifier: ISC */
#include "conf/node.h"

#include "conf/arena.h"

#include <assert.h>
#include <string.h>

void
node_append(struct node *parent, struct node *child)
{
	assert(parent->kind != NODE_SCALAR);
	child->next = NULL;
	if (parent->last == NULL)
		parent->first = child;
	else
		parent->last->next = child;
	parent->last = child;
	parent->n++;
}

struct node *
node_get(const struct node *map, const char *key)
{
	struct node *n;

	assert(map->kind == NODE_MAP);
	for (n = map->first; n != NULL; n = n->next) {
		if (strcmp(n->key->text, key) == 0)
			return n;
	}
	return NULL;
}

const char *
node_kind_text(const struct node *n)
{
	switch (n->kind) {
	case NODE_LIST:
		return "a list";
	case NODE_MAP:
		return "a map";
	case NODE_SCALAR:
		break;
	}
	return "a single value";
}

/* Only what messages and relative paths need; the text itself is not kept. */
static const struct source *
source_dup(struct arena *a, const struct source *s)
{
	struct source *d = arena_zalloc(a, sizeof(*d));

	d->path = arena_strdup(a, s->path);
	d->dir = arena_strdup(a, s->dir);
	d->abs_dir = s->abs_dir == NULL ? NULL : arena_strdup(a, s->abs_dir);
	d->text = "";
	d->seq = s->seq;
	d->depth = s->depth;
	return d;
}

static struct node *
dup_under(struct arena *a, const struct node *n, const struct node *from,
    const struct source *src)
{
	struct node *d = arena_zalloc(a, sizeof(*d)), *c;

	if (n->src != from->src)
		src = source_dup(a, n->src);
	*d = *n;
	d->src = src;
	d->first = d->last = d->next = NULL;
	d->n = 0;
	if (n->text != NULL)
		d->text = arena_strdup(a, n->text);
	if (n->key != NULL)
		d->key = dup_under(a, n->key, n, src);
	for (c = n->first; c != NULL; c = c->next)
		node_append(d, dup_under(a, c, n, src));
	return d;
}

struct node *
node_dup(struct arena *a, const struct node *n)
{
	return dup_under(a, n, n, source_dup(a, n->src));
}
