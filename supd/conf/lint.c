/* SPDX-License-Identifier: ISC */
/* The walk over the tree, and the rules about its shape. */
#include "conf/lint.h"

#include "conf/value.h"

#include <string.h>

const struct node *
lint_given(const struct conf_child *c, enum key_id id)
{
	const struct origin *o = c->priv;

	return o->val[c->is_sup ? id : id - W_FIRST];
}

const struct node *
lint_own(const struct conf_child *c, enum key_id id)
{
	const struct node *n = lint_given(c, id);

	return n == NULL || n->in_defaults ? NULL : n;
}

const char *
lint_span(struct lint *l, int64_t ns)
{
	struct buf *b = &l->ld->scratch;

	buf_drain(b, b->len);
	value_put_duration(b, ns);
	return load_take(l->ld);
}

void
lint_warn(struct lint *l, const char *rule, const struct node *at,
    const char *fmt, ...)
{
	struct arena *a = l->ld->arena;
	const char *text, *key;
	va_list ap;

	key = arena_printf(
	    a, "%s %s:%u:%u", rule, at->src->path, at->line, at->col);
	if (strmap_get(&l->said, key) != NULL)
		return;
	strmap_put(&l->said, key, l);
	va_start(ap, fmt);
	text = arena_vprintf(a, fmt, ap);
	va_end(ap);
	diag_warn(&l->ld->diag, at, "%s", text);
}

static void
lint_root(struct lint *l, const struct conf_child *root)
{
	bool intensity = lint_given(root, S_INTENSITY) != NULL;
	bool period = lint_given(root, S_PERIOD) != NULL;

	if (intensity && period)
		return;
	lint_warn(l, "root", lint_given(root, S_NAME),
	    "the root leaves %s at the default; when it gives up, supd ends, "
	    "so choose (the defaults are intensity 3, period 5s)",
	    !intensity && !period ? "intensity and period"
	    : !intensity          ? "intensity"
				  : "period");
}

static void
lint_shell(struct lint *l, const struct conf_child *c)
{
	static const char *const shells[] = { "sh", "ash", "bash", "dash",
		"ksh", "zsh" };
	const char *const *argv = c->worker.argv, *base;
	size_t i;

	if (c->worker.spec.kill_group || argv[1] == NULL ||
	    strcmp(argv[1], "-c") != 0)
		return;
	base = strrchr(argv[0], '/');
	base = base == NULL ? argv[0] : base + 1;
	for (i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(base, shells[i]) == 0)
			lint_warn(l, "shell", lint_given(c, W_KILL_MODE),
			    "with kill_mode process only the shell is "
			    "signalled, not what it runs; use group, or "
			    "`exec` in the shell");
	}
}

/* Whether a child may ever make it count a restart. */
static bool
may_give_up(const struct conf_child *sup)
{
	const struct conf_child *c;

	if (sup->sup.template != NULL)
		return lint_restarts(sup->sup.template);
	TAILQ_FOREACH (c, &sup->sup.children, link) {
		if (lint_restarts(c))
			return true;
	}
	return false;
}

/* E-2: the parent of one that gives up sees `shutdown`, a clean end. */
static void
lint_silent_end(struct lint *l, const struct conf_child *sup)
{
	const struct sup_spec *s = &sup->sup.spec;
	const struct node *at = lint_given(sup, S_RESTART);

	if (at == NULL || s->restart == PERMANENT || s->significant ||
	    s->on_giveup != GIVEUP_ESCALATE || !may_give_up(sup))
		return;
	lint_warn(l, "silent", at,
	    "when supervisor \"%s\" gives up, that counts as a clean end, so "
	    "a %s one silently stays down and nothing escalates; make it "
	    "permanent, or say what is meant: on_giveup: stop, or {exec: "
	    "[...]} to be told",
	    sup->name, s->restart == TRANSIENT ? "transient" : "temporary");
}

/* A-3, and an auto_shutdown that nobody can bring about. */
static void
lint_auto_shutdown(struct lint *l, const struct conf_child *sup, bool is_root)
{
	const struct sup_spec *s = &sup->sup.spec;
	const struct node *at = lint_given(sup, S_AUTO_SHUTDOWN);
	const struct conf_child *c;

	if (s->auto_shutdown == AUTO_NEVER || at == NULL)
		return;
	TAILQ_FOREACH (c, &sup->sup.children, link) {
		if (c->is_sup
			? c->sup.spec.significant
			: c->worker.spec.significant && c->worker.spec.enabled)
			break;
	}
	if (c == NULL)
		lint_warn(l, "significant", at,
		    "no child of supervisor \"%s\" that is enabled is "
		    "significant, so it never shuts down by itself; add "
		    "significant: true to the child whose end matters",
		    sup->name);
	else if (!is_root && s->restart == PERMANENT)
		lint_warn(l, "auto_shutdown", at,
		    "when auto_shutdown has ended supervisor \"%s\", its "
		    "parent restarts it, because it is permanent; write "
		    "restart: transient, and on_giveup for the other way it "
		    "may end",
		    sup->name);
}

static void
lint_pool(struct lint *l, const struct conf_child *sup)
{
	const struct conf_child *t = sup->sup.template;
	const struct node *at = lint_given(t, W_READY);

	if (at != NULL && (t->worker.ready == READY_MODE_TCP ||
			      t->worker.ready == READY_MODE_UNIX))
		lint_warn(l, "pool-ready", at,
		    "all children of supervisor \"%s\" are asked at this one "
		    "address, so the first of them answers for the others; "
		    "use ready: notify",
		    sup->name);
	at = lint_given(sup, S_INTENSITY);
	if (at == NULL)
		at = lint_given(sup, S_PERIOD);
	if (at != NULL && !lint_restarts(t))
		lint_warn(l, "pool-limit", at->key,
		    "%s has no effect: the children of supervisor \"%s\" are "
		    "temporary and never restarted; leave it out",
		    at->key->text, sup->name);
}

static void
lint_worker(
    struct lint *l, const struct conf_child *sup, const struct conf_child *c)
{
	lint_names(l, sup, c);
	if (c->worker.instance > 1)
		return;
	lint_shell(l, c);
	lint_once(l, sup, c);
	lint_limits_worker(l, sup, c);
}

static void
lint_sup(struct lint *l, const struct conf_child *sup, bool is_root)
{
	const struct conf_child *c;

	if (!is_root)
		lint_silent_end(l, sup);
	lint_auto_shutdown(l, sup, is_root);
	lint_limits_sup(l, sup);
	if (sup->sup.template != NULL) {
		lint_pool(l, sup);
		lint_worker(l, sup, sup->sup.template);
	}
	if (sup->sup.spec.strategy == REST_FOR_ONE)
		lint_order(l, sup);
	TAILQ_FOREACH (c, &sup->sup.children, link) {
		if (c->is_sup)
			lint_sup(l, c, false);
		else
			lint_worker(l, sup, c);
	}
}

void
lint_tree(struct load *ld, const struct conf_child *root)
{
	struct lint l = {
		.ld = ld,
		.said.arena = ld->arena,
		.names.arena = ld->arena,
		.root = root,
	};

	lint_root(&l, root);
	lint_sup(&l, root, true);
}
