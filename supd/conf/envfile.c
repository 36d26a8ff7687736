/* SPDX-License-Identifier: ISC */
/*
 * env_file: KEY=VALUE a line, the value to the end of the line as it stands;
 * blank lines and lines that begin with # say nothing.
 */
#include "conf/bind.h"
#include "conf/value.h"

#include <string.h>

struct reader {
	struct load *ld;
	const struct source *src;
	struct node *map;
	struct strmap seen;
	bool failed;
};

static void
take_line(struct reader *r, uint32_t line, const char *text, size_t len)
{
	struct arena *a = r->ld->arena;
	const char *eq = memchr(text, '=', len);
	struct place at = { r->src, line, 1, 0 };
	struct node *n, *old;
	char *name;

	if (len == 0 || text[0] == '#')
		return;
	if (memchr(text, '\0', len) != NULL) {
		r->failed = true;
		diag_error_at(
		    &r->ld->diag, at, "a NUL character is not allowed");
		return;
	}
	if (eq == NULL || eq == text ||
	    strcspn(text, " \t") < (size_t)(eq - text)) {
		r->failed = true;
		diag_error_at(&r->ld->diag, at,
		    "an env_file has lines of KEY=VALUE, and # comments");
		return;
	}
	name = arena_strndup(a, text, (size_t)(eq - text));
	old = strmap_get(&r->seen, name);
	n = old != NULL ? old : arena_zalloc(a, sizeof(*n));
	n->kind = NODE_SCALAR;
	n->src = r->src;
	n->line = line;
	n->col = 1;
	n->text = arena_strndup(a, eq + 1, len - (size_t)(eq - text) - 1);
	if (old != NULL)
		return; /* the later line wins, as in a shell */
	n->key = arena_zalloc(a, sizeof(*n));
	n->key->text = name;
	n->key->src = r->src;
	n->key->line = line;
	n->key->col = 1;
	node_append(r->map, n);
	strmap_put(&r->seen, name, n);
}

const struct node *
envfile_read(struct load *ld, const char *path, const struct node *at)
{
	struct node *map = strmap_get(&ld->env_files, path);
	struct reader r = { .ld = ld, .seen = { .arena = ld->arena } };
	const char *p, *end, *nl;
	uint32_t line;

	if (map != NULL)
		return map->bad ? NULL : map;
	map = arena_zalloc(ld->arena, sizeof(*map));
	map->kind = NODE_MAP;
	map->bad = true;
	strmap_put(&ld->env_files, path, map);
	if (include_read(ld, path, NULL, at, &r.src) < 0)
		return NULL;
	r.map = map;
	end = r.src->text + r.src->len;
	for (p = r.src->text, line = 1; p < end; p = nl + 1, line++) {
		size_t len;

		nl = memchr(p, '\n', (size_t)(end - p));
		if (nl == NULL)
			nl = end;
		len = (size_t)(nl - p);
		if (len > 0 && p[len - 1] == '\r')
			len--;
		take_line(&r, line, p, len);
	}
	map->bad = r.failed;
	return r.failed ? NULL : map;
}
