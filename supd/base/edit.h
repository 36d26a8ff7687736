/* SPDX-License-Identifier: ISC */
#ifndef BASE_EDIT_H
#define BASE_EDIT_H

#include <limits.h>

/* For "did you mean": how alike two names are. */

#define EDIT_TEXT_MAX 127 /* bytes; what is longer is like nothing */
#define EDIT_FAR      UINT_MAX

/*
 * How many bytes have to be inserted, removed, replaced or swapped with their
 * neighbour to make b of a (optimal string alignment distance).  EDIT_FAR when
 * it is more than `max`.
 */
unsigned edit_distance(const char *a, const char *b, unsigned max);

#endif /* BASE_EDIT_H */
