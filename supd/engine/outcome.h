/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_OUTCOME_H
#define ENGINE_OUTCOME_H

#include "engine/changes.h"

/*
 * What has become of what an apply was to do, told when it is over.  A child
 * that was started and has crashed since is its supervisor's business again
 * and no failure of the apply, unless it is down now.
 */
struct outcome {
	struct shell *sh;
	struct seen *seen; /* of each deed, before it was begun */
	uint32_t n;
};

/* Returns 0 or -ENOMEM. */
must_check int outcome_begin(
    struct outcome *o, struct shell *sh, const struct prediction *p);

/*
 * Send each deed with its result, those whose node is gone first, then in the
 * order of the tree; a line of `errors` for each that failed.
 */
void outcome_tell(struct outcome *o, const struct prediction *p,
    struct change_out *out, struct buf *errors);

void outcome_fini(struct outcome *o);

#endif /* ENGINE_OUTCOME_H */
