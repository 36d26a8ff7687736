/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_RELOAD_H
#define ENGINE_RELOAD_H

#include "engine/shell.h"

/*
 * diff, reload, apply, and SIGHUP: U-1.
 *
 * The file is read and checked as a whole, matched with the live tree, and the
 * core is asked on a copy what applying it would do.  Only then is anything
 * changed: every supervisor is given its plan (EV_RELOAD) and takes it in its
 * turn; when all have, the new configuration is the one in force, and an apply
 * goes on with EV_APPLY.  There is one at a time.
 *
 * SIGHUP is an apply of the file that supd was started with: whoever sends it
 * cannot be asked whether the file is meant.
 */

/* What EFF_REPLY has in its tag for us and not for a request. */
#define RELOAD_TAG (UINT64_C(1) << 63)

/* OP_DIFF, OP_APPLY, OP_RELOAD. */
void reload_request(
    struct shell *sh, uint64_t tag, const struct wire_request *m);

void reload_signal(struct shell *sh);

/* EFF_REPLY with RELOAD_TAG. */
void reload_reply(struct shell *sh, const struct effect *eff);

/* Its caller has left; what was begun goes on. */
void reload_cancel(struct shell *sh, uint64_t tag);

/* Has this supervisor a plan that it has not taken yet? */
bool reload_waits_for(const struct shell *sh, node_t sup);

/* supd ends. */
void reload_end(struct shell *sh);

#endif /* ENGINE_RELOAD_H */
