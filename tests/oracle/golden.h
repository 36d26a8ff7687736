/* SPDX-License-Identifier: ISC */
#ifndef ORACLE_GOLDEN_H
#define ORACLE_GOLDEN_H

#include "script.h"

/*
 * A script in the language of tests/golden/golden_core.c: to be put into
 * tests/golden/core, filled in by `golden_core --update` and read.  What that
 * language cannot say is said in a comment.
 *
 * Supervisors are s1, s2 ..., workers w1, w2 ...  When something in the script
 * waits for `go`, everything has its time: a slow start or stop takes as long
 * as it is until the next `go` or `drain`.
 */
void golden_print(const struct script *s, struct buf *out);

#endif /* ORACLE_GOLDEN_H */
