/* SPDX-License-Identifier: ISC */
#ifndef CTL_PRINT_STATUS_H
#define CTL_PRINT_STATUS_H

#include "base/attr.h"
#include "ctl/table.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * Nodes (HACKING, 3) as people want to see them.  Pure: what is printed
 * depends on the arguments alone.  A member that is missing prints as "-".
 * The int ones return 0 or -ENOMEM.
 */

/* The table of `status`; nodes in tree order, drawn as one when `tree`. */
must_check int print_status(
    FILE *out, const json_t *nodes, bool tree, bool color);

/* One line about one node: "web/api: ready, pid 9120". */
void print_node(FILE *out, const json_t *node, bool color);

/* `show`: the fields, one a line, with where each value comes from. */
must_check int print_fields(FILE *out, const json_t *fields);

/* `names`. */
must_check int print_names(FILE *out, const json_t *names);

/*
 * The state in one word: as supd says it, but "failed" for what is stopped
 * though it should be up and ended abnormally, and "disabled".
 */
const char *print_state_word(const json_t *node);
enum table_color print_state_color(const char *word);

bool print_is_sup(const json_t *node);
/* Is `path` below `above`? */
bool print_is_below(const char *path, const char *above);

#endif /* CTL_PRINT_STATUS_H */
