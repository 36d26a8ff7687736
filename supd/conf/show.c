/* SPDX-License-Identifier: ISC */
/* What a child's keys are in effect, and where each value comes from. */
#include "conf/bind.h"
#include "conf/conf.h"

#include <stdio.h>

struct show {
	void (*emit)(
	    void *ctx, const char *key, const char *value, const char *origin);
	void *ctx;
	uint32_t instance;
};

void
show_origin(struct buf *out, const struct node *n)
{
	buf_printf(out, "%s%s:%u", n->in_defaults ? "defaults at " : "",
	    n->src->path, n->line);
}

static void
show_key(const struct show *s, const char *name, const struct key *k,
    const struct node *n)
{
	cleanup_(buf_fini) struct buf value = { 0 };
	cleanup_(buf_fini) struct buf origin = { 0 };

	if (n == NULL && k->def == NULL)
		return;
	if (n == NULL) {
		s->emit(s->ctx, name, k->def, "default");
		return;
	}
	canon_value(&value, k, n, s->instance);
	show_origin(&origin, n);
	s->emit(s->ctx, name, buf_str(&value), buf_str(&origin));
}

/* Each key inside `log` and the like, as log.size. */
static void
show_inside(
    const struct show *s, const struct key *outer, const struct node *map)
{
	enum key_where where = IN_LOG;
	size_t id;

	schema_inside(outer->type, &where);
	for (id = 0; id < LATER_FIRST; id++) {
		const struct key *k = &schema_keys[id];
		char name[32];

		if (k->where != where)
			continue;
		snprintf(name, sizeof(name), "%s.%s", outer->name, k->name);
		show_key(
		    s, name, k, map == NULL ? NULL : node_get(map, k->name));
	}
}

void
conf_show(const struct conf_child *c,
    void (*emit)(
	void *ctx, const char *key, const char *value, const char *origin),
    void *ctx)
{
	const struct origin *o = c->priv;
	const struct show s = { emit, ctx, c->is_sup ? 0 : c->worker.instance };
	cleanup_(buf_fini) struct buf place = { 0 };
	size_t first = c->is_sup ? S_NAME : W_NAME;
	size_t end = c->is_sup ? S_DEFAULTS : W_END, id;
	enum key_where where;

	buf_printf(&place, "%s:%u", c->file, c->line);
	emit(ctx, schema_keys[first].name, c->name, buf_str(&place));
	for (id = first + 1; id < end; id++) {
		const struct key *k = &schema_keys[id];
		const struct node *n = o->val[id - first];

		if (schema_is_map(k->type) ||
		    (n != NULL && n->kind == NODE_MAP &&
			schema_inside(k->type, &where)))
			show_inside(&s, k, n);
		else
			show_key(&s, k->name, k, n);
	}
}
