/* SPDX-License-Identifier: ISC */
#ifndef ORACLE_NODES_H
#define ORACLE_NODES_H

#include "script.h"

#include "core/engine.h"

/* The core's nodes for the items of a script: named by their numbers. */

#define NODES_CAP  256
#define NODES_EACH 8 /* of one item: attached, deleted, about to be started */

/*
 * The script's root, with what is configured below it, is the only child of
 * the engine's: a temporary one, so that what becomes of it is its own affair,
 * as it is in OTP, where its parent is no supervisor.
 */
void nodes_init(struct engine *e, const struct script *s);

/* An item, with its configured children, as it is configured by now. */
node_t nodes_add(node_t parent, int id);

/* One that bears its name. */
node_t nodes_name(int id);

/* Where it is in the tree, or NODE_NONE. */
node_t nodes_find(int id);
int nodes_item(node_t n);

/*
 * The supervisor's configuration is this from now on: lays it out for all the
 * nodes there are of it, which are to be sent EV_RELOAD.  Returns how many.
 */
int nodes_reload(const struct reload *r, node_t *ret_nodes);

#endif /* ORACLE_NODES_H */
