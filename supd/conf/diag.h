/* SPDX-License-Identifier: ISC */
#ifndef CONF_DIAG_H
#define CONF_DIAG_H

#include "base/buf.h"
#include "conf/arena.h"
#include "conf/node.h"

/*
 * Errors and warnings, collected during a load and shown at its end in the
 * order of the files:
 *
 *	supd.yaml:7:15: error: unknown strategy "one_for_al"; did you mean ...
 *	    7 |     strategy: one_for_al
 *	      |               ^~~~~~~~~~
 *
 * CONF_ERRORS_MAX are shown, the rest are counted.  Text from the files is
 * made harmless for a terminal.
 */

#define DIAG_KEPT_MAX 4096 /* beyond, only counted */

struct diag_entry;

struct diag {
	struct arena *arena;
	struct diag_entry *entries;
	uint32_t n, cap;
	uint32_t n_errors;
	uint32_t n_warnings;
};

/* A place: a whole node, or its parts. */
struct place {
	const struct source *src;
	uint32_t line, col, end_col; /* line 0: the file as such */
};

struct place place_of(const struct node *n);

printf_(3, 4) void diag_error(
    struct diag *d, const struct node *at, const char *fmt, ...);
printf_(3, 4) void diag_error_at(
    struct diag *d, struct place at, const char *fmt, ...);
printf_(3, 4) void diag_warn(
    struct diag *d, const struct node *at, const char *fmt, ...);

/* `text` in quotes, cut when it is long; in the arena. */
const char *diag_quote(struct diag *d, const char *text);

/* Write the errors, or the warnings when there is no error. */
void diag_render(struct diag *d, struct buf *out);

#endif /* CONF_DIAG_H */
