/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_HOOK_H
#define ENGINE_HOOK_H

#include "base/buf.h"
#include "engine/shell.h"

/*
 * pre_start and post_stop: commands in the worker's slot, each an incarnation
 * of its own.  The bus never hears of them: a worker's names end with its
 * program, before its post_stop runs (D7).
 */

/* "pre_start", "post_stop"; "" for the program itself. */
const char *hook_name(enum proc_kind proc);

/*
 * What the keeper is to start for a hook of node n.  post_stop learns of the
 * end before it:
 *
 *   EXIT_REASON  a word for `why`, see hook_reason()
 *   EXIT_CODE    what the program exited with, if it did
 *   EXIT_SIGNAL  the signal that ended it, if one did: "TERM", "KILL"
 *
 * Errors as spawn_build().
 */
must_check int hook_build(struct shell *sh, node_t n, uint64_t inc,
    enum proc_kind proc, const struct reason *why, struct wire_spawn *ret_spawn,
    struct buf *ret_tail);

/* The word in EXIT_REASON: "normal", "shutdown", "exit", "signal", ... */
const char *hook_reason(const struct reason *why);

/* "pre_start running, 12s left", while one does. */
void hook_detail(const struct shell *sh, node_t n, char *buf, size_t len);

/* Does a hook run now, or is it being started?  PROC_MAIN: none. */
enum proc_kind hook_running(const struct shell *sh, node_t n);

#endif /* ENGINE_HOOK_H */
