/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_TREE_H
#define ENGINE_TREE_H

#include "engine/shell.h"

/*
 * Nodes: the configuration's tree given to the core, and what the shell keeps
 * for each.
 */

/*
 * Make room for `cap` nodes and add the whole configured tree.  Returns 0,
 * -ENOMEM, or -ENOSPC when it has more nodes than `cap`.
 */
must_check int tree_build(struct shell *sh, uint32_t cap);
void tree_fini(struct shell *sh);

/*
 * Add a child, with all below it, detached from the tree: to be given to
 * EV_START_CHILD under `sup`, or to be named in its next plan.  `c` belongs to
 * `gen` or borrows from it.  Returns 0 and the node, or -errno with nothing
 * added.
 */
must_check int tree_add(struct shell *sh, node_t sup, struct gen *gen,
    const struct conf_child *c, node_t *ret_node);

/* Forget a detached subtree that was never given away. */
void tree_drop(struct shell *sh, node_t top);

/* The core has forgotten node n: so do we, and the bus, and the logger. */
void tree_freed(struct shell *sh, node_t n);

/* Ask logger and bus to prepare a worker (its first start waits for both). */
void tree_prepare(struct shell *sh, node_t n);

/* What its readiness or health is to connect to is no address: `why`. */
void tree_unresolved(struct node *nd, const char *addr, const char *why);

/* The logger's part of it, or how it keeps the log from now on. */
void tree_prepare_log(struct shell *sh, node_t n);

/* Is node n known to shell and core?  For numbers that came over a link. */
bool tree_has(const struct shell *sh, uint32_t n);

/* The next node in tree order below `top`, or NODE_NONE; starts with top. */
node_t tree_next(const struct shell *sh, node_t top, node_t n);

/* How deep n is (the root: 0), and its place among its siblings. */
uint32_t tree_depth(const struct shell *sh, node_t n);
uint32_t tree_order(const struct shell *sh, node_t n);

#endif /* ENGINE_TREE_H */
