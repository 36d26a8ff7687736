/* SPDX-License-Identifier: ISC */
#include "bus/names.h"

#include "base/edit.h"
#include "bus/bus.h"
#include "bus/jsonrpc.h"

#include <stdio.h>
#include <string.h>

static int
name_cmp(const struct name *a, const struct name *b)
{
	return strcmp(a->text, b->text);
}

RB_GENERATE(name_tree, name, entry, name_cmp)

static struct name *
names_get(struct bus *b, const char *text)
{
	struct name key = { .text = text };

	return RB_FIND(name_tree, &b->names.tree, &key);
}

/* Nothing that would confuse a terminal, a path or JSON. */
static int
name_check(const char *text, size_t len)
{
	if (len > PROTO_NAME_MAX)
		return -ENAMETOOLONG;
	if (len == 0 || !text_is_utf8(text, len))
		return -EINVAL;
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] <= ' ' || text[i] == '/' ||
		    text[i] == 0x7f)
			return -EINVAL;
	return 0;
}

/* *at: where the owner has its one name. */
static int
name_new(struct bus *b, struct name **at, const char *text, size_t len)
{
	int e = name_check(text, len);
	struct name *n;

	if (e < 0)
		return e;
	n = calloc(1, sizeof(*n) + len + 1);
	if (n == NULL)
		return -ENOMEM;
	memcpy(n->data, text, len);
	n->text = n->data;
	if (RB_FIND(name_tree, &b->names.tree, n) != NULL) {
		free(n);
		return -EEXIST;
	}
	if (*at != NULL) {
		free(n);
		return -EALREADY;
	}
	RB_INSERT(name_tree, &b->names.tree, n);
	*at = n;
	return 0;
}

static void
name_free(struct bus *b, struct name **at)
{
	if (*at == NULL)
		return;
	RB_REMOVE(name_tree, &b->names.tree, *at);
	free(*at);
	*at = NULL;
}

static int
name_give_up(struct bus *b, struct name **at, const char *text)
{
	struct name *n = names_get(b, text);

	if (n == NULL)
		return -ENOENT;
	if (n != *at)
		return -EPERM;
	name_free(b, at);
	return 0;
}

int
names_register(struct bus *b, struct peer *p, const char *text, size_t len)
{
	int e = name_new(b, &p->name, text, len);

	if (e == 0)
		p->name->peer = p;
	return e;
}

int
names_unregister(struct bus *b, struct peer *p, const char *text)
{
	return name_give_up(b, &p->name, text);
}

void
names_purge(struct bus *b, struct peer *p)
{
	struct name *next;

	name_free(b, &p->name);
	for (; p->names != NULL; p->names = next) {
		next = p->names->next;
		name_free(b, &p->names);
	}
}

int
names_stand(struct bus *b, struct peer *p, const char *text)
{
	struct name *n = NULL;
	int e = name_new(b, &n, text, strlen(text));

	if (e < 0)
		return e;
	n->peer = p;
	n->next = p->names;
	p->names = n;
	return 0;
}

int
names_register_guest(
    struct bus *b, struct client *c, const char *text, size_t len)
{
	int e = name_new(b, &c->name, text, len);

	if (e == 0)
		c->name->client = c;
	return e;
}

int
names_unregister_guest(struct bus *b, struct client *c, const char *text)
{
	return name_give_up(b, &c->name, text);
}

void
names_purge_guest(struct bus *b, struct client *c)
{
	name_free(b, &c->name);
}

struct client *
names_find_guest(struct bus *b, const char *text)
{
	struct name *n = names_get(b, text);

	return n != NULL ? n->client : NULL;
}

struct peer *
names_find(struct bus *b, const char *text)
{
	struct name *n = names_get(b, text);

	return n != NULL ? n->peer : NULL;
}

static bool
is_like(const char *text, const char *other)
{
	size_t len = strlen(text);

	if (len == 0)
		return false;
	return edit_distance(text, other, 1 + (unsigned)len / 4) != EDIT_FAR ||
	       (len >= 3 && strstr(other, text) != NULL);
}

void
names_like(struct bus *b, const char *text, char *out, size_t len)
{
	size_t at = 0;
	unsigned n = 0;
	struct name *m;

	out[0] = '\0';
	RB_FOREACH (m, name_tree, &b->names.tree) {
		int k;

		if (!is_like(text, m->text))
			continue;
		k = snprintf(
		    out + at, len - at, "%s%s", n != 0 ? ", " : "", m->text);
		if (k < 0 || (size_t)k >= len - at || ++n == 3) {
			out[len - 1] = '\0';
			return;
		}
		at += (size_t)k;
	}
	for (uint32_t i = 0; i < b->peers.n; i++) {
		const struct peer *p = b->peers.slot[i];
		const char *last = p != NULL ? strrchr(p->path, '/') : NULL;
		int k;

		if (last == NULL || !peer_joined(p) ||
		    !is_like(text, last + 1) ||
		    (p->name != NULL && is_like(text, p->name->text)))
			continue;
		k = snprintf(
		    out + at, len - at, "%s%s", n != 0 ? ", " : "", p->path);
		if (k < 0 || (size_t)k >= len - at || ++n >= 3)
			return;
		at += (size_t)k;
	}
}
