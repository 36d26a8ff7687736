/* SPDX-License-Identifier: ISC */
#ifndef CTL_MANY_H
#define CTL_MANY_H

#include "ctl/ctl.h"

/*
 * The same call for several paths at once, under one deadline.  The answers
 * are given to `each` in the order of the paths, whatever order they come in:
 * the nodes of the result, or those that came with an error.  A path that
 * matches nothing is told and counts as CTL_NO_NAME.
 *
 * Takes `common`, the parameters besides "path".  Returns CTL_OK if all went
 * well, the code of those that did not if it is the same for all, else
 * CTL_FAILED.
 */
must_check int many_call(struct ctl *c, const char *method, int n,
    char *const *paths, json_t *common,
    void (*each)(
	struct ctl *c, const char *path, const json_t *nodes, void *ctx),
    void *ctx);

#endif /* CTL_MANY_H */
