/* SPDX-License-Identifier: ISC */
#ifndef TESTS_KEEPER_RIG_H
#define TESTS_KEEPER_RIG_H

/*
 * The keeper's loop in a process of its own, with real workers; the test plays
 * the engine and the bus at the other ends of its links.
 */

#include "keeper_kit.h"

#include "keeper/keeper.h"
#include "wire/link.h"

#define N_SLOTS 256

struct rig {
	pid_t pid; /* 0: it has ended */
	struct link engine, bus;
	char dir[64];
	union {
		struct wire_hdr hdr;
		char bytes[WIRE_FRAME_MAX];
	} frame;
};

extern struct rig t;

/* clang-format off */
#define BY(m, f)                                                               \
	{                                                                      \
#f "_by_" #m, f, setup, teardown, (void *)(uintptr_t)SPAWN_##m \
	}
#define ONE(f)    BY(CLONE3, f)
#define BY_ALL(f) BY(CLONE3, f), BY(CLONE, f), BY(FORK, f)
/* clang-format on */

/* The setup and teardown of a test; *state is the spawn method. */
int setup(void **state);

/* Wait for its end: its exit status, or minus the signal. */
int keeper_code(void);

/* Send a frame to the keeper, as its engine. */
void send_engine(enum wire_type type, const void *body);

int teardown(void **state);

void send_spawn(const struct kit_spawn *s, enum wire_type type);

/* The next frame on a link; it is gone with the next call. */
const struct wire_hdr *next_frame(struct link *l, int *fds, unsigned *n_fds);

/* The next frame to the engine must be of this type; its struct. */
const void *expect(enum wire_type type);

/* SPAWNED and EXECED have come: the pid. */
pid_t expect_start(void);

void ack(uint32_t slot, uint64_t inc);

/* Signal slot 1, incarnation 1. */
void send_signal(int sig, enum signal_scope scope);

bool alive(pid_t pid);

/* A pid that a worker has written to a file; 0 while it has not. */
pid_t pid_in(const char *name);

/* A shell in the test's directory whose group is killed with it. */
struct kit_spawn sh_here(const char *script);

#endif /* TESTS_KEEPER_RIG_H */
