/* SPDX-License-Identifier: ISC */
#ifndef GOLDEN_LIFE_H
#define GOLDEN_LIFE_H

#include "core/engine.h"

/*
 * The hooks and the health of a simulated worker.  Words of its line:
 *
 *   pre[=MS|hang] post[=MS|hang] hooks=MS     what runs, how long; its timeout
 *   health=INTERVAL:TIMEOUT:FAILURES[:DELAY]
 *   heartbeat=MS lifetime=MS
 *
 * Commands, "NAME" taken already:
 *
 *   bad NAME pre|post N     the next N runs of it end with exit 1
 *   well NAME | sick NAME | mute NAME         how it answers probes
 */
struct life {
	int64_t hook_ms[PROC_KIND_N]; /* < 0: it hangs */
	int bad[PROC_KIND_N];         /* this many runs will fail */
	bool sick, mute;
};

/* False: not a word of ours. */
bool life_word(struct life *l, struct worker_spec *s, const char *word);

/* False: not a command of ours; the rest of it is strtok()'s. */
bool life_command(struct life *l, const char *cmd);

/* The next run of this hook: its exit code; ret_ms < 0: it hangs. */
int life_hook(struct life *l, enum proc_kind proc, int64_t *ret_ms);

#endif /* GOLDEN_LIFE_H */
