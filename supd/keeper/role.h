/* SPDX-License-Identifier: ISC */
#ifndef KEEPER_ROLE_H
#define KEEPER_ROLE_H

#include "base/role.h"
#include "keeper/keeper.h"

/*
 * Start engine, bus and logger: this binary, executed again in its roles, with
 * the fds of wire.h.  `control` is the bus's.  Returns 0 or -errno (said); then
 * those that run are ended by roles_end().
 */
must_check int roles_start(
    struct keeper *k, const struct role_args *args, int control);

/*
 * End the roles by closing their links: engine, bus and, when there is nothing
 * more to log, the logger.  Each has a few seconds, then it is killed.
 */
void roles_end(struct keeper *k);

#endif /* KEEPER_ROLE_H */
