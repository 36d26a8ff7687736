/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_MATCH_H
#define ENGINE_MATCH_H

#include "base/buf.h"
#include "conf/diff.h"
#include "engine/shell.h"

/*
 * The live tree against a new configuration: which node each child of the file
 * is.  Nothing is changed here, and what cannot be done at all is refused here,
 * before anything is.
 */

struct match_child {
	const struct conf_child *conf; /* what it is to be */
	struct gen *own; /* of a pool's child: `conf` is its own; or NULL */
	node_t node;     /* NODE_NONE: it is new */
	bool changed;    /* what runs would have to run otherwise */
	bool adopt;      /* it was added at run time, and the file has it now */
};

struct match_sup {
	node_t sup;
	const struct conf_child *conf;
	struct match_child *child; /* in the file's order; of a pool, as is */
	uint32_t n, cap;
};

struct match {
	struct gen *gen;        /* of the new configuration */
	struct gen *was;        /* what `diff` compares it with */
	struct conf_diff *diff; /* from the one in force */
	struct match_sup *sup;  /* those that stay, parents first */
	uint32_t n, cap;
	uint32_t n_new; /* nodes to be added */
};

/*
 * Match.  `gen` holds the new configuration, and gets one more reference.
 * Returns 0; -EINVAL when it is refused, with the reason in ret_errors; or
 * -ENOMEM.  Release it with match_fini() in all cases.
 */
must_check int match_make(struct shell *sh, struct gen *gen, struct match *ret,
    struct buf *ret_errors);
void match_fini(struct match *m);

#endif /* ENGINE_MATCH_H */
