/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_PLANS_H
#define ENGINE_PLANS_H

#include "engine/match.h"

/*
 * What each supervisor is to take (struct plan of the core), laid out for the
 * live tree or for a copy of it.
 */

struct sup_plan {
	struct plan plan;
	struct plan_child *child;
	mono_t *window;
	bool owed; /* the core has not answered yet */
};

struct plans {
	struct match *match;
	struct sup_plan *sup; /* as match->sup */
	mono_t **window;      /* of new supervisors in a copy */
	uint32_t n_windows, windows_cap;
};

/*
 * Add the new nodes to `copy` and lay the plans out.  Nodes of the match that
 * the copy does not have any more are left out.  Returns 0 or -ENOMEM.
 */
must_check int plans_make_copy(
    struct plans *p, struct match *m, struct engine *copy);

/*
 * The same for the live tree.  Returns 0, or -errno with nothing added.
 */
must_check int plans_make_live(
    struct plans *p, struct match *m, struct shell *sh);

void plans_fini(struct plans *p);

#endif /* ENGINE_PLANS_H */
