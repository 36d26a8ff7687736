/* SPDX-License-Identifier: ISC */
#ifndef KEEPER_RUNDIR_H
#define KEEPER_RUNDIR_H

#include "base/attr.h"
#include "base/role.h"

#include <libutil.h>

/*
 * The places supd works in.  Everything here is done before the loop starts or
 * after it ends, says on stderr what failed and on what path, and returns 0 or
 * -errno.
 */

/* The run directory with log, notify and m in it, and the log directory. */
must_check int rundir_make(const struct role_args *args);

/*
 * Lock RUNDIR/supd.pid; -EEXIST (said with the other's pid) if another supd
 * holds it.  The lock lasts until pidfile_remove() or the end of the process.
 */
must_check int rundir_lock(
    const struct role_args *args, struct pidfh **ret_pidfile);

/* Bind control.sock, replacing a stale one: only for who holds the lock. */
must_check int rundir_bind(const struct role_args *args, int *ret_fd);

/*
 * Remove the FIFOs, sockets and mailbox directories of supd and its workers
 * below log, notify and m, and nothing else.  Only for who holds the lock: at
 * the start (a supd that was killed leaves them, and its workers' orphans may
 * still have them open) and at the end.
 */
void rundir_clean(const struct role_args *args);

#endif /* KEEPER_RUNDIR_H */
