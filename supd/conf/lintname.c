/* SPDX-License-Identifier: ISC */
/* Names that two workers want, and workers and supervisors that are not. */
#include "conf/lint.h"

#include <string.h>

static void
check_names(struct lint *l, const struct conf_child *sup,
    const struct conf_child *c, const char *path)
{
	const struct node *at = lint_given(c, W_REGISTER);
	const char *const *n = c->worker.names;

	if (n == NULL || at == NULL)
		return;
	if (sup->sup.template == c) {
		lint_warn(l, "pool-name", at,
		    "all children of supervisor \"%s\" would be \"%s\", and "
		    "only the first of them is; have them register themselves",
		    sup->name, *n);
		return;
	}
	for (; *n != NULL; n++) {
		const char *other = strmap_get(&l->names, *n);

		if (other == NULL)
			strmap_put(&l->names, *n, (void *)(uintptr_t)path);
		else if (strcmp(other, path) != 0)
			lint_warn(l, "name", at,
			    "\"%s\" is also a name of %s; only the first of "
			    "the two to run has it",
			    *n, other);
	}
}

/* The child of that path below `sup`, whose first component comes next. */
static const struct conf_child *
find(const struct conf_child *sup, const char *path)
{
	const struct conf_child *c;
	size_t n = strcspn(path, "/");

	if (!sup->is_sup)
		return NULL;
	TAILQ_FOREACH (c, &sup->sup.children, link) {
		if (strlen(c->name) != n || strncmp(c->name, path, n) != 0)
			continue;
		path += n + strspn(path + n, "/");
		return *path == '\0' ? c : find(c, path);
	}
	return NULL;
}

static const struct conf_child *
find_path(const struct lint *l, const char *path)
{
	size_t n;

	path += strspn(path, "/");
	n = strcspn(path, "/");
	if (strlen(l->root->name) == n &&
	    strncmp(l->root->name, path, n) == 0) {
		path += n + strspn(path + n, "/");
		if (*path == '\0')
			return l->root;
	}
	return find(l->root, path);
}

/* A path can be checked; a name may be anybody's at run time. */
static void
check_others(struct lint *l, const struct conf_child *c, enum key_id id,
    const char *const *list)
{
	const struct node *at = lint_given(c, id);

	for (; at != NULL && list != NULL && *list != NULL; list++) {
		const struct conf_child *other = find_path(l, *list);

		if (other == c && lint_own(c, id) == at)
			lint_warn(
			    l, "self", at, "worker \"%s\" is itself", *list);
		else if (other != NULL && other != c && other->is_sup &&
			 other->sup.template == NULL)
			lint_warn(l, "no-worker", at,
			    "\"%s\" is a supervisor; name the worker", *list);
	}
}

static void
check_allow(struct lint *l, const struct conf_child *c)
{
	const struct node *at = lint_given(c, W_ALLOW);
	const char *const *n = c->worker.allow;

	for (; at != NULL && n != NULL && *n != NULL; n++) {
		const struct conf_child *sup = find_path(l, *n);

		if (sup != NULL && !sup->is_sup)
			lint_warn(l, "allow", at,
			    "\"%s\" is a worker; `allow` takes supervisors, "
			    "or control",
			    *n);
		else if (sup == NULL && strcmp(*n, "control") != 0)
			lint_warn(l, "allow", at,
			    "there is no supervisor \"%s\" in this "
			    "configuration",
			    *n);
	}
}

void
lint_names(
    struct lint *l, const struct conf_child *sup, const struct conf_child *c)
{
	const struct origin *o = c->priv;

	check_names(l, sup, c, o->path != NULL ? o->path : c->name);
	if (c->worker.instance > 1)
		return;
	check_others(l, c, W_LINK, c->worker.links);
	check_others(l, c, W_MONITOR, c->worker.monitors);
	check_allow(l, c);
}
