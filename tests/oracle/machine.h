/* SPDX-License-Identifier: ISC */
#ifndef ORACLE_MACHINE_H
#define ORACLE_MACHINE_H

#include "script.h"

/*
 * Run a script on supd's core and a simulated machine, in virtual time.  The
 * script's root is a child of the engine's, and `shutdown` is that one's
 * terminate_child: T-6 without what EV_SHUTDOWN adds to it, which OTP has not.
 *
 * What happens is written to `out`, one line each, "=" before each command:
 *
 *   start ID | fail ID | stop ID | kill ID     a worker, or a sup is started
 *   up SUP | failed SUP | end SUP              its boot, its end
 *   end SUP self                               nobody told it to
 *   gave_up SUP ID | terminated ID | start_error ID
 *   shutdown_error ID REASON
 *   reply ID OP RESULT
 *   which SUP ID=STATE ...
 *
 * Returns false if the machine would not come to rest.
 */
bool machine_run(const struct script *s, struct buf *out);

/*
 * The same, but what several processes do at the same time is in another order,
 * which the number says.
 */
bool machine_run_in_order(
    const struct script *s, uint32_t order, struct buf *out);

/*
 * Can the script's calls be made by supctl, and do they come to the same?  It
 * looks names up when it is asked, not when the supervisor's turn comes; its
 * `remove` is two calls; its `start` empties the supervisor's window.
 */
bool machine_suits_daemon(const struct script *s);

#endif /* ORACLE_MACHINE_H */
