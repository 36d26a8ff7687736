/* SPDX-License-Identifier: ISC */
#ifndef CONF_EXPAND_H
#define CONF_EXPAND_H

#include "base/buf.h"
#include "conf/node.h"

/*
 * ${VAR}, ${VAR:-text} and $$ in scalars, after parsing, so that a value can
 * never change the structure.
 *
 * It is done in two steps.  expand_tree() replaces variables and leaves a text
 * in which only $$ and ${instance} are special: that is the form that is kept
 * and printed (a $ from a variable is doubled).  expand_final() makes the text
 * that is used, once the instance is known.
 */

struct load;

/* All values below n, not keys.  Errors go to ld->diag. */
void expand_tree(struct load *ld, struct node *n);

/* Replace $$ by $ and ${instance} by the number; text of a dollar node. */
void expand_final(struct buf *out, const char *text, uint32_t instance);

/* Replace only ${instance}. */
void expand_instance(struct buf *out, const char *text, uint32_t instance);

/* Whether ${instance} occurs. */
bool expand_has_instance(const char *text);

/* Double each $: the opposite of expand_final(). */
void expand_quote(struct buf *out, const char *text);

#endif /* CONF_EXPAND_H */
