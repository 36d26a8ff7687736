/* SPDX-License-Identifier: ISC */
/*
 * The whole tree as one canonical file: defaults merged, includes in their
 * place, only what differs from the built-in defaults.
 */
#include "conf/bind.h"
#include "conf/conf.h"
#include "conf/value.h"

static void
put_indent(struct buf *out, uint32_t indent)
{
	while (indent-- > 0)
		buf_puts(out, " ");
}

static void
put_key(
    struct buf *out, uint32_t indent, const struct key *k, const struct node *n)
{
	put_indent(out, indent);
	buf_printf(out, "%s: ", k->name);
	canon_value(out, k, n, 0);
	buf_puts(out, "\n");
}

static void
put_worker_keys(struct buf *out, uint32_t indent, const struct conf_child *c)
{
	const struct origin *o = c->priv;
	size_t id;

	for (id = W_DESCRIPTION; id < W_END; id++) {
		const struct node *n = o->val[id - W_FIRST];

		if (n != NULL && !canon_is_default(&schema_keys[id], n))
			put_key(out, indent, &schema_keys[id], n);
	}
}

static void put_sup(
    struct buf *out, uint32_t indent, const struct conf_child *c);

static void
put_child(struct buf *out, uint32_t indent, const struct conf_child *c)
{
	const struct origin *o = c->priv;

	/* NAME.1 stands for all of its instances. */
	if (!c->is_sup && c->worker.instance > 1)
		return;
	put_indent(out, indent);
	if (c->is_sup) {
		buf_puts(out, "- supervisor: ");
		value_put_string(out, c->name);
		buf_puts(out, "\n");
		put_sup(out, indent + 2, c);
	} else {
		buf_puts(out, "- worker: ");
		value_put_string(out, o->base_name);
		buf_puts(out, "\n");
		put_worker_keys(out, indent + 2, c);
	}
}

/* What follows the name. */
static void
put_sup(struct buf *out, uint32_t indent, const struct conf_child *c)
{
	const struct origin *o = c->priv;
	const struct conf_child *child;
	size_t id;

	for (id = S_STRATEGY; id < S_DEFAULTS; id++) {
		const struct node *n = o->val[id];

		if (n != NULL && !canon_is_default(&schema_keys[id], n))
			put_key(out, indent, &schema_keys[id], n);
	}
	if (c->sup.template != NULL) {
		put_indent(out, indent);
		buf_puts(out, "template:\n");
		put_worker_keys(out, indent + 2, c->sup.template);
	}
	if (TAILQ_EMPTY(&c->sup.children))
		return;
	put_indent(out, indent);
	buf_puts(out, "children:\n");
	TAILQ_FOREACH (child, &c->sup.children, link)
		put_child(out, indent + 2, child);
}

void
conf_print(const struct conf *c, struct buf *out)
{
	buf_puts(out, "supervisor: ");
	value_put_string(out, c->root->name);
	buf_puts(out, "\n");
	put_sup(out, 0, c->root);
}
