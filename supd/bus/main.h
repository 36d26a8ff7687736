/* SPDX-License-Identifier: ISC */
#ifndef BUS_MAIN_H
#define BUS_MAIN_H

#include "base/role.h"

/*
 * The bus role: everything that parses bytes from outside.  Takes over the fds
 * BUS_FD_* and ROLE_FD_KEEPER and runs until the keeper or the engine goes.
 * Returns the exit code: 0 when the keeper ended it, 70 when it cannot go on.
 */
int bus_main(const struct role_args *args);

#endif /* BUS_MAIN_H */
