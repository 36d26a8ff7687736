/* SPDX-License-Identifier: ISC */
#ifndef BUS_ALLOW_H
#define BUS_ALLOW_H

#include <stdbool.h>

/*
 * What a worker may have supd do: the key `allow`, a list of supervisors (and
 * with them all that is below), or `control` for everything.
 */

struct peer;

/*
 * May p call this method of the control protocol for this path?  To look is
 * free to all: ping, status, names, whereis, info.  A method that is about no
 * path (shutdown, apply ...) needs `control`: path NULL or "".  A pattern is
 * allowed when its first components name an allowed supervisor literally.
 */
bool allow_may(const struct peer *p, const char *method, const char *path);

#endif /* BUS_ALLOW_H */
