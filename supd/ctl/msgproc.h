/* SPDX-License-Identifier: ISC */
#ifndef CTL_MSGPROC_H
#define CTL_MSGPROC_H

#include "ctl/ctl.h"

/*
 * A process of supd's for a program that speaks JSON lines: what comes for it
 * is a line on `out`, what it wants is a line on `in`; msg(1) says which.
 */

/*
 * Go on until `in` ends and all that was asked is answered, or supd has gone.
 * The connection has begun to receive.  Returns an exit code; takes both fds,
 * pipes, files or a terminal.  needs_out: it ends when nobody reads `out`.
 */
must_check int msgproc_run(struct ctl *c, int in, int out, bool needs_out);

#endif /* CTL_MSGPROC_H */
