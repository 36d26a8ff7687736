/* SPDX-License-Identifier: ISC */
#ifndef CTL_TABLE_H
#define CTL_TABLE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * A table of text for people: columns as wide as their widest cell, two spaces
 * apart, nothing after the last one.  Cells are escaped by text_escape() when
 * they are added, so whatever comes from a worker cannot reach the terminal.
 */

enum table_color { COLOR_NONE, COLOR_GREEN, COLOR_YELLOW, COLOR_RED, COLOR_N };

struct table;

/* Returns NULL when there is no memory; the others then do nothing. */
struct table *table_new(unsigned n_cols);
void table_free(struct table *t);
void table_freep(struct table **t);

/* The next cell, row by row. */
void table_cell(struct table *t, enum table_color color, const char *text);
printf_(3, 4) void table_cellf(
    struct table *t, enum table_color color, const char *fmt, ...);

/*
 * Print it.  Returns 0, or -ENOMEM if some cell could not be kept: then
 * nothing has been printed.
 */
must_check int table_print(const struct table *t, FILE *out, bool color);

/* The escape sequence that begins a colour, "" for none; COLOR_NONE ends. */
const char *table_sgr(enum table_color color);

#endif /* CTL_TABLE_H */
