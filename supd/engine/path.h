/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_PATH_H
#define ENGINE_PATH_H

#include "base/buf.h"
#include "core/engine.h"

/*
 * Paths as operators write them: "root/web/api", or "web/api" without the
 * root.  Each component may be a glob (fnmatch(3)); a glob never matches the
 * root, so that `stop '*'` means its children.  Slashes too many are ignored.
 */

struct path_set {
	node_t *node; /* in tree order, each once; owned */
	uint32_t n, cap;
};

/*
 * All nodes that `pattern` names.  Returns 0 (ret->n may be 0: nobody has that
 * name) or -ENOMEM.  Release with path_set_fini() in either case.
 */
must_check int path_find(
    const struct engine *e, const char *pattern, struct path_set *ret);
void path_set_fini(struct path_set *set);

/* Does it contain a glob character, so that it may mean several? */
bool path_is_glob(const char *pattern);

/*
 * The name that `pattern` was perhaps meant to be, short form ("web/api"), or
 * false when nothing is near.
 */
bool path_suggest(
    const struct engine *e, const char *pattern, char *ret_path, size_t len);

#endif /* ENGINE_PATH_H */
