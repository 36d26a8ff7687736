/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_ENDS_H
#define ENGINE_ENDS_H

#include "engine/shell.h"

/*
 * Exit signals, and what an end is called among workers: the reasons that DOWN
 * and EXIT carry (otp-semantics, P-7 and table 0.1).
 */

/* The bus says whether a worker traps exits, or wants it signalled. */
void ends_traps(struct shell *sh, const struct wire_traps *m);
void ends_signal(struct shell *sh, const struct wire_exit *m);

/*
 * A signal of the core's is about to be sent.  True: the worker traps exits,
 * and the bus will tell it to stop instead.
 */
bool ends_stop(struct shell *sh, const struct effect *eff);

/* The program of m->slot has ended: tell the bus, with its reason. */
void ends_tell(struct shell *sh, const struct wire_exited *m);

/* A new incarnation of its program begins. */
void ends_reset(struct node *nd);

#endif /* ENGINE_ENDS_H */
