/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_RESPEC_H
#define ENGINE_RESPEC_H

#include "engine/shell.h"

/*
 * The core has taken a new configuration for node n, `conf` of `gen`: so does
 * the shell.  What runs goes on as it is; its log and its health are kept by
 * the new settings from now on, and all else is prepared anew before its next
 * start.
 */
void respec_node(
    struct shell *sh, node_t n, struct gen *gen, const struct conf_child *conf);

/* Before a start: prepare again what has changed. */
void respec_prepare(struct shell *sh, node_t n);

#endif /* ENGINE_RESPEC_H */
