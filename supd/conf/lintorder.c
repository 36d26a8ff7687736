/* SPDX-License-Identifier: ISC */
/*
 * rest_for_one means that later children depend on earlier ones.  One that
 * names, in what it is given, the address at which a later sibling gets ready
 * depends the wrong way round: it is started before that sibling, and not
 * restarted with it.
 *
 * What an environment shares with others (defaults, env_file) is not judged,
 * nor is an address that an earlier sibling, or the child itself, declares.
 */
#include "conf/lint.h"

#include <string.h>

/* Who gets ready at an address. */
struct declared {
	const struct conf_child *child; /* of the supervisor */
	const struct conf_child *worker;
	uint32_t place;
};

struct order {
	struct lint *l;
	const struct conf_child *sup;
	struct strmap at; /* struct declared by address */
	/* The child of sup that is being looked at, and the worker in it. */
	const struct conf_child *child, *worker;
	uint32_t place;
};

static void
declare(struct order *o, const struct conf_child *c)
{
	const struct conf_child *below;
	struct declared *d;

	if (c->is_sup) {
		TAILQ_FOREACH (below, &c->sup.children, link)
			declare(o, below);
		return;
	}
	if ((c->worker.ready != READY_MODE_TCP &&
		c->worker.ready != READY_MODE_UNIX) ||
	    strmap_get(&o->at, c->worker.ready_addr) != NULL)
		return;
	d = arena_zalloc(o->l->ld->arena, sizeof(*d));
	*d = (struct declared){ o->child, c, o->place };
	strmap_put(&o->at, c->worker.ready_addr, d);
}

static void
mention(struct order *o, const char *address, const struct node *at)
{
	const struct declared *d = strmap_get(&o->at, address);

	if (d == NULL || d->place <= o->place)
		return;
	lint_warn(o->l, "order", at,
	    "\"%s\" depends on its later sibling \"%s\", which gets ready at "
	    "%s: in rest_for_one it is started before that one and not "
	    "restarted with it; put \"%s\" before \"%s\"",
	    o->child->name, d->child->name, address, d->child->name,
	    o->child->name);
}

/* A run of characters that could be an address: host:port, or a path. */
static void
scan_token(struct order *o, const char *p, size_t len, const struct node *at)
{
	/* unix:///run/x */
	while (len > 1 && p[0] == '/' && p[1] == '/') {
		p++;
		len--;
	}
	if (len > 0 && (p[0] == '/' || memchr(p, ':', len) != NULL))
		mention(o, arena_strndup(o->l->ld->arena, p, len), at);
}

static void
scan_text(struct order *o, const char *text, const struct node *at)
{
#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"
	static const char *const sets[] = { WORD ":[]", WORD "/@+%" };
	const char *p;
	size_t i, len;

	for (i = 0; i < ARRAY_LEN(sets); i++) {
		for (p = text + strcspn(text, sets[i]); *p != '\0';
		     p += len + strcspn(p + len, sets[i])) {
			len = strspn(p, sets[i]);
			scan_token(o, p, len, at);
		}
	}
}

/* Words of a command, each at its place where the command is a list. */
static void
scan_words(struct order *o, const char *const *argv, const struct node *n)
{
	const struct node *w;

	if (argv == NULL || n == NULL || n->in_defaults)
		return;
	w = n->kind == NODE_LIST ? n->first : NULL;
	for (; *argv != NULL; argv++) {
		scan_text(o, *argv, w != NULL ? w : n);
		w = w == NULL ? NULL : w->next;
	}
}

/* "NAME=value" of the environment that is used, by name. */
static void
scan_env(struct order *o, const struct node *map)
{
	const struct conf_worker *w = &o->worker->worker;
	struct strmap env = { .arena = o->l->ld->arena };
	const char *const *e, *value;
	const struct node *n;

	if (map == NULL)
		return;
	for (e = w->env; *e != NULL; e++)
		strmap_put(&env, arena_strndup(env.arena, *e, strcspn(*e, "=")),
		    (void *)(uintptr_t)(strchr(*e, '=') + 1));
	for (n = map->first; n != NULL; n = n->next) {
		value = strmap_get(&env, n->key->text);
		if (value != NULL && !n->in_defaults)
			scan_text(o, value, n);
	}
}

static const struct node *
inside(const struct node *map, const char *key)
{
	return map == NULL || map->kind != NODE_MAP ? NULL : node_get(map, key);
}

static void
scan_worker(struct order *o, const struct conf_child *c)
{
	static const char *const asked[] = { "tcp", "unix", "http" };
	const struct conf_worker *w = &c->worker;
	const struct node *health = lint_given(c, W_HEALTH), *n;
	size_t i;

	if (w->instance > 1)
		return;
	o->worker = c;
	scan_words(o, w->argv, lint_given(c, W_COMMAND));
	scan_words(o, w->pre_start, lint_given(c, W_PRE_START));
	scan_words(o, w->ready_argv, inside(lint_given(c, W_READY), "probe"));
	scan_words(o, w->health.argv, inside(health, "probe"));
	for (i = 0; w->health.addr != NULL && i < ARRAY_LEN(asked); i++) {
		n = inside(health, asked[i]);
		if (n != NULL && !n->in_defaults)
			mention(o, w->health.addr, n);
	}
	scan_env(o, lint_given(c, W_ENV));
}

static void
scan(struct order *o, const struct conf_child *c)
{
	const struct conf_child *below;

	if (!c->is_sup) {
		scan_worker(o, c);
		return;
	}
	if (c->sup.template != NULL)
		scan_worker(o, c->sup.template);
	TAILQ_FOREACH (below, &c->sup.children, link)
		scan(o, below);
}

void
lint_order(struct lint *l, const struct conf_child *sup)
{
	struct order o = {
		.l = l, .sup = sup, .at = { .arena = l->ld->arena }
	};

	TAILQ_FOREACH (o.child, &sup->sup.children, link) {
		declare(&o, o.child);
		o.place++;
	}
	if (o.at.n == 0)
		return;
	o.place = 0;
	TAILQ_FOREACH (o.child, &sup->sup.children, link) {
		scan(&o, o.child);
		o.place++;
	}
}
