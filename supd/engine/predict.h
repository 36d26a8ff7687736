/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_PREDICT_H
#define ENGINE_PREDICT_H

#include "engine/match.h"

/*
 * What applying a configuration would start, stop and restart: the core itself
 * is asked, on a copy of the live tree (whatif.h).
 */
struct deed {
	enum change_what what; /* START, STOP or RESTART */
	node_t node;           /* in the live tree; START: may be NODE_NONE */
	bool is_sup;
	char *path;
	/* RESTART: whose change does that, and by which strategy; NULL: its
	   own, or the supervisor's that it is below. */
	node_t because;
	char *because_path;
	enum strategy strategy;
};

struct prediction {
	struct deed *deed; /* in the order of their beginnings */
	uint32_t n, cap;
	bool cut; /* the copy was not asked to its end: too much happens */
};

/* Returns 0 or -ENOMEM; release it with prediction_fini() in both cases. */
must_check int predict(
    struct shell *sh, struct match *m, struct prediction *ret);
void prediction_fini(struct prediction *p);

#endif /* ENGINE_PREDICT_H */
