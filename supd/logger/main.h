/* SPDX-License-Identifier: ISC */
#ifndef LOGGER_MAIN_H
#define LOGGER_MAIN_H

#include "base/role.h"

/*
 * The logger role: one FIFO a worker (RUNDIR/log/<slot>), read into
 * LOGDIR/<path>.log, so that no worker ever waits for a disk.
 *
 * Expects the links of ROLE_FD_KEEPER, LOGGER_FD_ENGINE and LOGGER_FD_BUS.
 * Serves until the keeper's closes; then reads what the FIFOs still hold,
 * writes it, removes them, and returns 0.  Returns 1, with a message, when it
 * could not begin.  The other two links may close at any time.
 */
int logger_main(const struct role_args *args);

#endif /* LOGGER_MAIN_H */
