/* SPDX-License-Identifier: ISC */
#ifndef ORACLE_COMPARE_H
#define ORACLE_COMPARE_H

#include "script.h"

/*
 * Do supd (`ours`) and OTP (`theirs`) tell the same of a script?
 *
 * Supervisors are concurrent, so only what each supervisor does, in order, and
 * to which command it belongs is compared; a supervisor's own start and end
 * belong to its parent too, which ties the sequences together (not an end that
 * the parent did not ask for: it may be busy elsewhere).  A pool tells its
 * children to stop in no order, and so do they end (T-5).
 *
 * Where we differ on purpose:
 *   D3  a stopped child that ends `normal` or `shutdown` has obeyed; OTP
 *       reports it when it is permanent.
 * And one thing is not drawn (generate.c): an intensity that is lowered and
 * raised again, since our window forgets what a lower one has no room for.
 *
 * What befalls several supervisors at a time may reach them in another order
 * here than there; that is for the caller to try (oracle.c).
 *
 * On a difference writes the first one to `ret_text` and returns false.
 */
bool compare(const struct script *s, const char *ours, const char *theirs,
    struct buf *ret_text);

#endif /* ORACLE_COMPARE_H */
