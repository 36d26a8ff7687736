/* SPDX-License-Identifier: ISC */
#ifndef KEEPER_MAIN_H
#define KEEPER_MAIN_H

#include "base/role.h"

/*
 * The keeper: the one parent of all workers and of the other roles.  Returns
 * supd's exit code: what the engine asked for, 70 when a role died, 75 when
 * another supd holds the run directory, 71 when the system refused something
 * needed, 73 when a directory or the socket could not be made.
 */
int keeper_main(const struct role_args *args);

#endif /* KEEPER_MAIN_H */
