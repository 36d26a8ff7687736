/* SPDX-License-Identifier: ISC */
#ifndef WIRE_SLOTS_H
#define WIRE_SLOTS_H

#include <stdint.h>

/*
 * The keeper's slot table: a memfd, written by the keeper and the kernel, read
 * by the engine (mapped read-only).  It holds for every worker {incarnation,
 * pid, exit status not yet acknowledged}, so that a new engine can learn what
 * happened while there was none.
 *
 * Order of writes: inc, then SPAWNING, then clone3 (the kernel writes pid
 * through CLONE_PARENT_SETTID before the child can run), then RUNNING.  At the
 * end: status, then EXITED, then the reaping.  WIRE_ACK makes it EMPTY.
 */

enum slot_state {
	SLOT_EMPTY,
	SLOT_SPAWNING, /* clone is being called */
	SLOT_RUNNING,
	SLOT_DYING,  /* the leader has ended; its group is not empty yet */
	SLOT_EXITED, /* status is true and not acknowledged yet */
	SLOT_FAILED, /* a spawn step failed: step, error */
	SLOT_STATE_N
};

struct slot {
	uint64_t inc;
	uint32_t state; /* enum slot_state */
	int32_t pid;    /* written by the kernel */
	int32_t status; /* exit code or signal */
	uint8_t is_signal;
	uint8_t core;
	uint8_t kill_group;
	uint8_t execed;
	int32_t step;  /* enum spawn_step */
	int32_t error; /* errno */
	int64_t exited_ns;
	uint64_t zero[3];
};

_Static_assert(sizeof(struct slot) == 64, "one cache line");

#define SLOTS_MAGIC UINT64_C(0x3174736475707300)

/* At the start of the memfd; slot[0] is not used: node 0 is no node. */
struct slot_table {
	uint64_t magic;
	uint32_t n; /* slots that follow */
	uint32_t zero[13];
	struct slot slot[];
};

#endif /* WIRE_SLOTS_H */
