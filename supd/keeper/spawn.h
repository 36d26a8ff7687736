/* SPDX-License-Identifier: ISC */
#ifndef KEEPER_SPAWN_H
#define KEEPER_SPAWN_H

#include "base/attr.h"
#include "base/mono.h"
#include "wire/slots.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

/*
 * Make a process of a WIRE_SPAWN, at a cost that does not depend on how many
 * fds or children the keeper has or how big it is, and without ever waiting
 * for it: a child that hangs in exec (a stopped one, a dead NFS server) holds
 * one of a few places, nothing else.
 *
 * The way: a low region of fd numbers is kept filled, so that all other fds of
 * the keeper are above it.  A child gets its fds put into its place's low
 * numbers, starts by clone3 with the keeper's memory and fd table, and first
 * of all takes a private copy of the low region only (close_range UNSHARE).
 * It leaves {step, error} in the shared slot table if a step fails; the word
 * the kernel clears at exec or exit (CLONE_CHILD_CLEARTID) says that it has
 * left the keeper's memory.  See mechanisms in supd/HACKING, section 4.
 *
 * A child that sets oom_score_adj starts in memory of its own, because the
 * kernel applies that value to all processes of one memory: to the keeper.
 * Such a child, and any child of SPAWN_FORK, is known to have exec'd by the
 * end of file on a CLOEXEC pipe.
 */

#define SPAWN_PLACES   16
#define SPAWN_LOW_BASE 8 /* 3..7 are reserved, too: role fds */
#define SPAWN_LOW_PER  6 /* stdin, stdout, stderr, lifeline, notify, pipe */
#define SPAWN_LOW_END  (SPAWN_LOW_BASE + SPAWN_PLACES * SPAWN_LOW_PER)
#define SPAWN_STUCK_NS (5 * NS_PER_S) /* an exec this old is called stuck */

enum spawn_method {
	SPAWN_CLONE3, /* all as above */
	SPAWN_CLONE,  /* clone() and pidfd_open: no clone3 (seccomp profiles) */
	SPAWN_FORK,   /* fork and a pipe: O(fds) (valgrind, gVisor) */
	SPAWN_METHOD_N
};

/* The fds a child starts with, the caller's; -EBADF where it has none. */
struct spawn_fds {
	int log; /* for SPAWN_IO_LOG; none: the keeper's own */
	int lifeline;
	int notify;
};

/* A place for one child between clone and exec. */
struct spawn_place {
	volatile int tid; /* not 0: a child uses the stack and the strings */
	unsigned index;
	bool used;
	bool reported; /* as stuck */
	bool own_mm;   /* the pipe, not tid, tells */
	bool switch_user;
	bool unshare; /* it shares the fd table until it has unshared it */
	volatile int *unshared; /* in shared memory */
	unsigned low_set;       /* low numbers that hold a child's fd: bits */
	int pipe_fd;            /* the keeper's end, -EBADF when none */
	int low;                /* first fd number of the place */
	mono_t since;
	struct wire_hdr *frame; /* WIRE_FRAME_MAX bytes; swapped, not copied */
	const struct wire_spawn *want;
	const char *path, *cwd, *file[3];
	char **vec; /* argv, NULL, env, NULL */
	char **argv, **envp;
	struct slot *record; /* in the shared table */
	char *stack;
	pid_t parent;
	uint64_t ignored;     /* signals the keeper ignores: bit sig - 1 */
	struct rlimit nofile; /* what the keeper was started with */
	char oom[12];
};

struct spawner {
	enum spawn_method method;
	int null_fd;
	volatile int *shared; /* one word a place */
	uint64_t ignored;
	struct rlimit nofile;
	struct spawn_place place[SPAWN_PLACES];
};

/*
 * Fill the low region, allocate the places, and choose the first method from
 * `first` on that works here.  Call it before other fds are opened: what is in
 * the low region already is replaced.  `nofile` is the limit workers get back.
 * Returns 0 or -errno.
 */
must_check int spawner_init(
    struct spawner *sp, enum spawn_method first, const struct rlimit *nofile);
void spawner_fini(struct spawner *sp);

/*
 * Memory for one frame.  A place's frame may be exchanged for another that
 * came from here, so that what has been received need not be copied.
 */
struct wire_hdr *spawn_frame_new(void);
void spawn_frame_free(struct wire_hdr *f);

/* A place without a child, or NULL. */
struct spawn_place *spawner_idle(struct spawner *sp);

/*
 * Start the child that p->frame (a checked WIRE_SPAWN or WIRE_EXEC) describes.
 * `record` is in shared memory; its pid is written by the kernel before the
 * child can run, its step and error by a child that fails.  Returns 0 with the
 * pid and a CLOEXEC pidfd, the caller's, and the place is used until
 * spawn_settled(); or -errno, with *ret_step.
 */
must_check int spawn_start(struct spawner *sp, struct spawn_place *p,
    const struct spawn_fds *fds, struct slot *record, mono_t now,
    pid_t *ret_pid, int *ret_pidfd, enum spawn_step *ret_step);

/*
 * Has the child of a used place become its program, or failed (record->step
 * says) or died?  If so the place is idle again.  Never waits.
 */
must_check bool spawn_settled(struct spawner *sp, struct spawn_place *p);

/* The child is dead: its place is idle again, whatever it was doing. */
void spawn_ended(struct spawner *sp, struct spawn_place *p);

const char *spawn_method_name(enum spawn_method m);

/* The child's side (child.c); the results are exit statuses. */
int spawn_child(void *place);
int spawn_probe_child(void *place);

#endif /* KEEPER_SPAWN_H */
