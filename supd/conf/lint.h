/* SPDX-License-Identifier: ISC */
#ifndef CONF_LINT_H
#define CONF_LINT_H

#include "conf/bind.h"

/*
 * Warnings: configurations that load, but hardly mean what they say.
 *
 * A rule only judges what somebody has written, never a default, and only what
 * is sure; each can be answered by writing what is meant.  A place in
 * `defaults` is warned of once and not for each worker that inherits it.
 */
struct lint {
	struct load *ld;
	struct strmap said;  /* rule and place */
	struct strmap names; /* registered: by which path */
	const struct conf_child *root;
};

/* The value given for a key, or NULL. */
const struct node *lint_given(const struct conf_child *c, enum key_id id);
/* The same, but not through `defaults`. */
const struct node *lint_own(const struct conf_child *c, enum key_id id);
/* A duration as text. */
const char *lint_span(struct lint *l, int64_t ns);
/* `rule` with `at` is said once. */
printf_(4, 5) void lint_warn(struct lint *l, const char *rule,
    const struct node *at, const char *fmt, ...);

/* It can be the cause of a restart: not temporary. */
static inline bool
lint_restarts(const struct conf_child *c)
{
	return (c->is_sup ? c->sup.spec.restart : c->worker.spec.restart) !=
	       TEMPORARY;
}

/* lintlimit.c: limits and times that do not go together */
void lint_limits_sup(struct lint *l, const struct conf_child *sup);
void lint_limits_worker(
    struct lint *l, const struct conf_child *sup, const struct conf_child *c);

/* lintonce.c: a permanent worker whose command ends at once */
void lint_once(
    struct lint *l, const struct conf_child *sup, const struct conf_child *c);

/* lintname.c: names, and what link, monitor and allow name */
void lint_names(
    struct lint *l, const struct conf_child *sup, const struct conf_child *c);

/* lintorder.c: children of rest_for_one that need a later one */
void lint_order(struct lint *l, const struct conf_child *sup);

#endif /* CONF_LINT_H */
