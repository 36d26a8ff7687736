/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_ROW_H
#define ENGINE_ROW_H

#include "engine/shell.h"

/* One node as `supctl status` shows it. */
void row_fill(const struct shell *sh, node_t n, uint32_t depth, uint32_t order,
    struct wire_row *ret_row);

/* Send it to the bus as part of the answer to request `tag`. */
void row_send(struct shell *sh, uint64_t tag, node_t n);

/* Send a node and all below it, in tree order. */
void row_send_tree(struct shell *sh, uint64_t tag, node_t top);

#endif /* ENGINE_ROW_H */
