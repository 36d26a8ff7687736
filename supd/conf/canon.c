/* SPDX-License-Identifier: ISC */
/*
 * Values as canonical YAML.  They have been bound before, so the parsers of
 * value.h cannot fail on them; where a text holds ${instance} it is printed as
 * it is.
 */
#include "conf/bind.h"
#include "conf/expand.h"
#include "conf/value.h"

#include <assert.h>
#include <string.h>

struct canon {
	struct buf *out;
	const struct key *k;
	uint32_t instance;
};

/* Text that is still subject to expansion, as a string. */
static void
put_half(const struct canon *c, const char *half)
{
	cleanup_(buf_fini) struct buf b = { 0 };

	if (c->instance == 0 || strchr(half, '$') == NULL) {
		value_put_string(c->out, half);
		return;
	}
	expand_instance(&b, half, c->instance);
	if (b.failed)
		c->out->failed = true;
	value_put_string(c->out, buf_str(&b));
}

static void
put_string(const struct canon *c, const struct node *n)
{
	put_half(c, n->text);
}

/* The final text, for types that parse it; false if it is not known yet. */
static bool
final_text(const struct canon *c, const struct node *n, struct buf *b)
{
	if (n->dollar && c->instance == 0 && expand_has_instance(n->text))
		return false;
	expand_final(b, n->text, c->instance);
	if (b->failed)
		c->out->failed = true;
	return !b->failed;
}

static void
put_words(const struct canon *c, const struct node *n)
{
	cleanup_(buf_fini) struct buf word = { 0 };
	const char *p = n->text, *sep = "";
	const struct node *w;

	buf_puts(c->out, "[");
	if (n->kind == NODE_LIST) {
		for (w = n->first; w != NULL; w = w->next) {
			buf_puts(c->out, sep);
			put_string(c, w);
			sep = ", ";
		}
	} else {
		while (value_split(&p, &word) == 1) {
			buf_puts(c->out, sep);
			put_half(c, buf_str(&word));
			sep = ", ";
		}
	}
	buf_puts(c->out, "]");
}

static void
put_exits(const struct canon *c, const struct node *n)
{
	const struct node *e = n->kind == NODE_LIST ? n->first : n;
	struct exit_set set = { 0 };

	for (; e != NULL; e = n->kind == NODE_LIST ? e->next : NULL) {
		cleanup_(buf_fini) struct buf b = { 0 };

		if (!final_text(c, e, &b)) {
			put_words(c, n);
			return;
		}
		if (value_exits(buf_str(&b), &set) != NULL)
			assert(!"a bound exit set is valid");
	}
	value_put_exits(c->out, &set);
}

static void
put_stops(const struct canon *c, const struct node *n)
{
	const struct node *e;
	const char *sep = "";

	buf_puts(c->out, "[");
	for (e = n->first; e != NULL; e = e->next, sep = ", ") {
		cleanup_(buf_fini) struct buf b = { 0 };
		struct stop_stage st;

		buf_puts(c->out, sep);
		if (final_text(c, e, &b) &&
		    value_stage(buf_str(&b), &st) == NULL)
			value_put_stage(c->out, &st);
		else
			put_string(c, e);
	}
	buf_puts(c->out, "]");
}

/* A duration, a size, a signal, ...: parsed and printed again. */
static bool
put_typed(struct buf *out, enum value_type type, const char *s)
{
	int64_t v = 0;
	uint32_t milli = 0;
	mode_t mask = 0;
	int sig = 0;

	if (type == T_DURATION || type == T_TIMEOUT || type == T_SHUTDOWN) {
		if (value_timeout(s, &v) != NULL)
			return false;
		value_put_duration(out, v);
	} else if (type == T_SIZE) {
		if (value_size(s, &v) != NULL)
			return false;
		value_put_size(out, v);
	} else if (type == T_FACTOR) {
		if (value_factor(s, &milli) != NULL)
			return false;
		value_put_factor(out, milli);
	} else if (type == T_PERCENT) {
		if (value_percent(s, &milli) != NULL)
			return false;
		value_put_percent(out, milli);
	} else if (type == T_INT) {
		if (value_int(s, &v) != NULL)
			return false;
		buf_printf(out, "%lld", (long long)v);
	} else if (type == T_UMASK) {
		if (value_umask(s, &mask) != NULL)
			return false;
		buf_printf(out, "%03o", (unsigned)mask);
	} else if (type == T_SIGNAL) {
		if (value_signal(s, &sig) != NULL)
			return false;
		value_put_signal(out, sig);
	} else {
		return false;
	}
	return true;
}

static void
put_scalar(const struct canon *c, enum value_type type, const struct node *n)
{
	cleanup_(buf_fini) struct buf b = { 0 };

	if (!final_text(c, n, &b)) {
		put_string(c, n);
		return;
	}
	if (put_typed(c->out, type, buf_str(&b)))
		return;
	/* Words of the schema are printed as they are: null, true, exec. */
	if (type == T_BOOL || type == T_DURATION || type == T_INT ||
	    type == T_BACKOFF || type == T_HEALTH || type == T_CHOICE ||
	    type == T_SHUTDOWN || type == T_READY || type == T_IO ||
	    type == T_GIVEUP)
		buf_puts(c->out, buf_str(&b));
	else
		put_string(c, n);
}

static void
put_file(const struct canon *c, const struct node *n)
{
	cleanup_(buf_fini) struct buf b = { 0 };

	if (n->text[0] != '/' && n->src->abs_dir != NULL)
		expand_quote(&b, n->src->abs_dir);
	buf_puts(&b, n->text);
	if (b.failed)
		c->out->failed = true;
	put_half(c, buf_str(&b));
}

static void
put_rlimit(const struct canon *c, const struct node *n)
{
	cleanup_(buf_fini) struct buf b = { 0 };
	struct rlimit lim;
	int resource;

	if (final_text(c, n, &b) &&
	    value_rlimit(n->key->text, buf_str(&b), &resource, &lim) == NULL)
		value_put_rlimit(c->out, &lim);
	else
		put_string(c, n);
}

/* {tcp: A}, {file: P}, {exec: [...]}, env, rlimit. */
static void
put_map(const struct canon *c, const struct node *map)
{
	const struct node *n;
	const char *sep = "";

	buf_puts(c->out, "{");
	for (n = map->first; n != NULL; n = n->next, sep = ", ") {
		buf_puts(c->out, sep);
		value_put_string(c->out, n->key->text);
		buf_puts(c->out, ": ");
		if (c->k->type == T_RLIMIT)
			put_rlimit(c, n);
		else if (c->k->type == T_GIVEUP ||
			 (c->k->type == T_READY &&
			     strcmp(n->key->text, "probe") == 0))
			put_words(c, n);
		else if (strcmp(n->key->text, "delay") == 0 &&
			 c->k->type == T_READY)
			put_scalar(c, T_DURATION, n);
		else if (strcmp(n->key->text, "notify_fd") == 0 &&
			 c->k->type == T_READY)
			put_scalar(c, T_INT, n);
		else
			put_string(c, n);
	}
	buf_puts(c->out, "}");
}

static void canon_node(const struct canon *c, const struct node *n);

/* The keys inside `log` and the like, but for defaults; as the schema goes. */
static void
put_inside(const struct canon *c, const struct node *map)
{
	enum key_where where = IN_LOG;
	const char *sep = "";
	const struct node *n;
	size_t i;

	schema_inside(c->k->type, &where);
	buf_puts(c->out, "{");
	for (i = 0; i < LATER_FIRST; i++) {
		struct canon in = { c->out, &schema_keys[i], c->instance };

		if (in.k->where != where)
			continue;
		n = node_get(map, in.k->name);
		if (n == NULL || canon_is_default(in.k, n))
			continue;
		buf_printf(c->out, "%s%s: ", sep, in.k->name);
		canon_node(&in, n);
		sep = ", ";
	}
	buf_puts(c->out, "}");
}

static void
canon_node(const struct canon *c, const struct node *n)
{
	switch (c->k->type) {
	case T_EXITS:
		put_exits(c, n);
		return;
	case T_STOPS:
		put_stops(c, n);
		return;
	case T_COMMAND:
	case T_HOOK:
	case T_GROUPS:
	case T_NAMES:
		put_words(c, n);
		return;
	case T_FILE:
		put_file(c, n);
		return;
	case T_LOG:
	case T_MAILBOX:
	case T_BACKOFF:
	case T_HEALTH:
		if (n->kind == NODE_MAP) {
			put_inside(c, n);
			return;
		}
		break;
	case T_NAME:
	case T_TEXT:
	case T_BOOL:
	case T_INT:
	case T_CHOICE:
	case T_DURATION:
	case T_TIMEOUT:
	case T_FACTOR:
	case T_PERCENT:
	case T_SIZE:
	case T_SHUTDOWN:
	case T_SIGNAL:
	case T_READY:
	case T_TCP:
	case T_UNIX:
	case T_URL:
	case T_GIVEUP:
	case T_DIR:
	case T_UMASK:
	case T_USER:
	case T_GROUP:
	case T_ENV:
	case T_RLIMIT:
	case T_IO:
	case T_TREE:
	case T_LATER:
		break;
	}
	if (n->kind == NODE_SCALAR)
		put_scalar(c, c->k->type, n);
	else
		put_map(c, n);
}

void
canon_value(struct buf *out, const struct key *k, const struct node *n,
    uint32_t instance)
{
	const struct canon c = { out, k, instance };

	canon_node(&c, n);
}

void
canon_entry(struct buf *out, const struct key *k, const struct node *n,
    uint32_t instance)
{
	const struct canon c = { out, k, instance };

	if (k->type == T_RLIMIT)
		put_rlimit(&c, n);
	else
		put_string(&c, n);
}

bool
canon_is_default(const struct key *k, const struct node *n)
{
	cleanup_(buf_fini) struct buf b = { 0 };

	if (k->def == NULL)
		return false;
	canon_value(&b, k, n, 0);
	return strcmp(buf_str(&b), k->def) == 0;
}
