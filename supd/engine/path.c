/* SPDX-License-Identifier: ISC */
#include "engine/path.h"

#include "base/edit.h"
#include "wire/wire.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

void
path_set_fini(struct path_set *set)
{
	free(set->node);
	*set = (struct path_set){ 0 };
}

static int
set_add(struct path_set *set, node_t n)
{
	uint32_t cap = set->cap != 0 ? set->cap * 2 : 16;
	node_t *p;

	if (set->n == set->cap) {
		p = reallocarray(set->node, cap, sizeof(*p));
		if (p == NULL)
			return -ENOMEM;
		set->node = p;
		set->cap = cap;
	}
	set->node[set->n++] = n;
	return 0;
}

bool
path_is_glob(const char *pattern)
{
	return strpbrk(pattern, "*?[\\") != NULL;
}

/* The first component into `part`; what follows it is returned. */
static const char *
cut(const char *pattern, char *part, size_t len)
{
	size_t n;

	pattern += strspn(pattern, "/");
	n = strcspn(pattern, "/");
	if (n >= len)
		n = len - 1;
	memcpy(part, pattern, n);
	part[n] = '\0';
	pattern += strcspn(pattern, "/");
	return pattern + strspn(pattern, "/");
}

/* The children of `sup` that match, and below them the rest. */
static int
find_below(const struct engine *e, node_t sup, const char *pattern,
    struct path_set *ret)
{
	char part[WIRE_PATH_MAX];
	const char *rest = cut(pattern, part, sizeof(part));
	int r = 0;

	for (node_t c = engine_first_child(e, sup); c != NODE_NONE && r == 0;
	     c = engine_next_child(e, c)) {
		if (fnmatch(part, engine_name(e, c), 0) != 0)
			continue;
		if (*rest == '\0')
			r = set_add(ret, c);
		else
			r = find_below(e, c, rest, ret);
	}
	return r;
}

int
path_find(const struct engine *e, const char *pattern, struct path_set *ret)
{
	char part[WIRE_PATH_MAX];
	const char *rest = cut(pattern, part, sizeof(part));
	int r = 0;

	*ret = (struct path_set){ 0 };
	if (*part == '\0')
		return 0;
	if (strcmp(part, engine_name(e, NODE_ROOT)) == 0) {
		r = *rest == '\0' ? set_add(ret, NODE_ROOT)
		                  : find_below(e, NODE_ROOT, rest, ret);
		if (r < 0 || ret->n > 0)
			return r;
	}
	return find_below(e, NODE_ROOT, pattern, ret);
}

/* The short path of n: "" for the root.  False: too long to compare. */
static bool
short_path(const struct engine *e, node_t n, char *buf, size_t len)
{
	node_t parent = engine_parent(e, n);

	buf[0] = '\0';
	if (n == NODE_ROOT || parent == NODE_NONE)
		return true;
	if (!short_path(e, parent, buf, len))
		return false;
	if (buf[0] != '\0' && strlcat(buf, "/", len) >= len)
		return false;
	return strlcat(buf, engine_name(e, n), len) < len;
}

static node_t
next_in_tree(const struct engine *e, node_t n)
{
	node_t next = engine_first_child(e, n);

	while (next == NODE_NONE && n != NODE_ROOT) {
		next = engine_next_child(e, n);
		n = engine_parent(e, n);
	}
	return next;
}

bool
path_suggest(
    const struct engine *e, const char *pattern, char *ret_path, size_t len)
{
	char path[EDIT_TEXT_MAX + 1];
	size_t asked = strlen(pattern);
	uint32_t best = (uint32_t)asked / 3 + 1, d;
	bool found = false;

	if (asked == 0 || asked > EDIT_TEXT_MAX || path_is_glob(pattern))
		return false;
	for (node_t n = next_in_tree(e, NODE_ROOT); n != NODE_NONE;
	     n = next_in_tree(e, n)) {
		if (!short_path(e, n, path, sizeof(path)))
			continue;
		/* "api" for "web/api": the right name without its place. */
		d = strcmp(pattern, engine_name(e, n)) == 0
		        ? 0
		        : edit_distance(pattern, path, best);
		if (d < best || (d == best && !found)) {
			best = d;
			found = true;
			strlcpy(ret_path, path, len);
		}
	}
	return found;
}
