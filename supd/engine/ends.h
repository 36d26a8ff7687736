/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_ENDS_H
#define ENGINE_ENDS_H

#include "engine/shell.h"

/*
 * Exit signals, and what an end is called among workers: the reasons that DOWN
 * and EXIT carry (otp-semantics, P-7 and table 0.1).
 */

/* The bus says that a worker has trapped exits, or wants it signalled. */
void ends_traps(struct shell *sh, const struct wire_id *m);
void ends_signal(struct shell *sh, const struct wire_exit *m);

/*
 * A signal of the core's is about to be sent.  True: the worker may trap exits,
 * so the bus will tell it to stop, or have it signalled.
 */
bool ends_stop(struct shell *sh, const struct effect *eff);

/* It says why it is going to end. */
void ends_declared(
    struct shell *sh, uint64_t tag, const struct wire_declared *m);

/*
 * The program of m->slot has ended: tell the bus, with its reason.  Returns
 * what it had declared, as far as that counts: D10, a signal's end is that
 * signal's, unless an exit signal has sent it.
 */
enum declared ends_tell(struct shell *sh, const struct wire_exited *m);

/* A new incarnation of its program begins. */
void ends_reset(struct node *nd);

#endif /* ENGINE_ENDS_H */
