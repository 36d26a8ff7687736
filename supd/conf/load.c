/* SPDX-License-Identifier: ISC */
#include "conf/bind.h"
#include "conf/expand.h"

#include <assert.h>
#include <string.h>

int
load_open(struct load *ld)
{
	*ld = (struct load){ .fd = -EBADF };
	ld->arena = arena_new();
	if (ld->arena == NULL)
		return -ENOMEM;
	ld->arena->oom = &ld->oom;
	ld->diag.arena = ld->arena;
	ld->users.arena = ld->groups.arena = ld->env_files.arena = ld->arena;
	ld->as_root = geteuid() == 0;
	return 0;
}

void
load_close(struct load *ld)
{
	if (ld->has_event)
		yaml_event_delete(&ld->event);
	if (ld->has_parser)
		yaml_parser_delete(&ld->parser);
	if (ld->has_glob)
		globfree(&ld->glob);
	closep(&ld->fd);
	buf_fini(&ld->scratch);
	if (ld->arena != NULL)
		ld->arena->oom = NULL;
}

const struct key *
load_find_key(struct load *ld, enum key_where where, const char *name)
{
	struct strmap *m = &ld->keys[where];
	size_t i;

	/* The map holds the rows as mutable void *; nobody writes there. */
	if (m->cap == 0) {
		m->arena = ld->arena;
		for (i = 0; i < schema_n_keys; i++) {
			const struct key **row;

			if (schema_keys[i].where != where)
				continue;
			row = arena_zalloc(ld->arena, sizeof(*row));
			*row = &schema_keys[i];
			strmap_put(m, schema_keys[i].name, row);
		}
	}
	const struct key **row = strmap_get(m, name);

	return row == NULL ? NULL : *row;
}

const char *
load_take(struct load *ld)
{
	char *s;

	if (ld->scratch.failed)
		arena_oom(ld->arena);
	s = arena_strndup(ld->arena, buf_str(&ld->scratch), ld->scratch.len);
	buf_drain(&ld->scratch, ld->scratch.len);
	return s;
}

const char *
load_text(struct load *ld, const struct node *n, const char *what)
{
	if (n->bad)
		return NULL;
	if (n->kind != NODE_SCALAR) {
		diag_error(&ld->diag, n, "%s takes a single value, not %s",
		    what, node_kind_text(n));
		return NULL;
	}
	if (!n->dollar)
		return n->text;
	if (ld->instance == 0 && expand_has_instance(n->text)) {
		diag_error(&ld->diag, n,
		    "${instance} has no value in %s; add `instances: N` to it",
		    ld->who);
		return NULL;
	}
	buf_drain(&ld->scratch, ld->scratch.len);
	expand_final(&ld->scratch, n->text, ld->instance);
	return load_take(ld);
}
