/* SPDX-License-Identifier: ISC */
#ifndef KEEPER_KEEPER_H
#define KEEPER_KEEPER_H

#include "keeper/spawn.h"
#include "wire/link.h"

#include <sys/queue.h>

/*
 * The keeper's state and its parts: worker.c (lives of workers), tell.c (what
 * is said to engine and bus), stray.c (children that are nobody's worker) and
 * loop.c (events).  All memory is taken by keeper_init(); nothing is allocated
 * later, and nothing waits: not for a child, not for a peer.
 */

#define KEEPER_WORKERS_MAX 16384
#define KEEPER_HELPERS     4
#define KEEPER_FDS_SPARE   256 /* fds that are not a worker's */

#define EXIT_ROLE_DIED 70 /* EX_SOFTWARE */

enum keeper_role { ROLE_ENGINE, ROLE_BUS, ROLE_LOGGER, ROLE_N };

/* Shutting down goes forward only. */
enum keeper_phase {
	PHASE_RUN,
	PHASE_TERM, /* every group got SIGTERM; until stop_at */
	PHASE_KILL, /* and SIGKILL; until stop_at */
	PHASE_OVER,
	PHASE_N
};

/* What the engine has not been told of a worker, in this order. */
#define SAY_SPAWNED 0x1u
#define SAY_EXECED  0x2u
#define SAY_FAILED  0x4u
#define SAY_EXITED  0x8u

/*
 * One slot.  It is live from clone until its group is empty; dying when the
 * leader has been reaped and the group is not known to be empty.
 */
struct worker {
	TAILQ_ENTRY(worker) live, dying, engine, bus;
	uint64_t inc;
	uint32_t say;
	uint32_t flags; /* of struct wire_spawn */
	pid_t pid;
	int pidfd;   /* -EBADF: the leader has been reaped */
	int life_fd; /* for the bus, with notify_fd */
	int notify_fd;
	bool is_live, is_dying, in_engine, in_bus, failed, leftover;
	struct spawn_place *place; /* until exec */
	int64_t spawned_ns, exited_ns;
	int64_t probe_ns, probe_wait_ns, dying_ns;
	int64_t user_us, sys_us, maxrss_kb;
};

TAILQ_HEAD(worker_list, worker);

/* A command the engine wants run; nobody waits for it. */
struct helper {
	pid_t pid;
	int pidfd;
	struct spawn_place *place;
	struct slot *record;
	char name[64];
};

struct role {
	pid_t pid; /* 0: there is only its link (tests) */
	int pidfd;
	struct link link; /* fd -EBADF: closed */
	uint32_t events;  /* epoll interest in the link */
	bool gone;
};

struct keeper {
	int epfd, sigfd, log_dir;
	struct spawner spawner;
	struct slot_table *table;
	int table_fd; /* memfd */
	uint32_t n;   /* slots 1..n */
	struct worker *worker;
	struct worker_list live, dying, to_engine, to_bus;
	uint32_t n_live;
	struct helper helper[KEEPER_HELPERS];
	struct role role[ROLE_N];

	struct wire_hdr *frame; /* WIRE_FRAME_MAX bytes */
	bool parked;            /* frame is a spawn without a place */
	int64_t parked_ns;
	bool has_refusal, say_shutdown, say_reload;
	struct wire_failed refusal;
	bool engine_full, bus_full; /* until EPOLLOUT */
	bool bus_retry; /* the kernel holds too many fds in flight */

	bool up;            /* the engine runs its tree */
	bool done;          /* the engine has said how to end */
	unsigned n_signals; /* SIGTERM and SIGINT so far */
	enum keeper_phase phase;
	int64_t stop_ns;
	int code;

	int64_t poll_wait_ns; /* how soon to look at children in exec */
	int64_t sweep_ns;     /* when to look for strays; INT64_MAX: never */
	uint64_t *known;      /* bit pid: a worker, helper or role */
	size_t known_n;
	unsigned n_strays; /* seen by strays_kill() */
};

struct keeper_options {
	const char *run_dir;
	uint32_t n_slots;         /* 0: as RLIMIT_NOFILE allows */
	enum spawn_method method; /* the first one to try */
	struct rlimit nofile;     /* what workers get */
};

/*
 * Take every resource: low fds, epoll, signalfd (signals are blocked), slot
 * table.  The process becomes a subreaper.  Returns 0 or -errno.
 */
must_check int keeper_init(struct keeper *k, const struct keeper_options *opt);
void keeper_fini(struct keeper *k);

/* Give a role its pid (0: none), pidfd and link, which become the keeper's. */
must_check int keeper_add_role(
    struct keeper *k, enum keeper_role r, pid_t pid, int pidfd, int link_fd);

/* Run until everything that is not a role has ended; the exit code. */
int keeper_run(struct keeper *k);

/* Begin to end, with `code`, by SIGTERM or at once; later calls only hasten. */
void keeper_stop(struct keeper *k, int code, bool gently, int64_t now_ns);

const char *keeper_role_name(enum keeper_role r);
must_check int keeper_watch(struct keeper *k, int fd, uint64_t data);

/* Which pids are ours: only those that are not may be reaped as strays. */
void known_add(struct keeper *k, pid_t pid);
void known_del(struct keeper *k, pid_t pid);
must_check bool known_has(const struct keeper *k, pid_t pid);

/* What epoll hands back: a kind, an index, and for workers some of the inc. */
enum event_kind { EV_SIGNAL, EV_ROLE, EV_LINK, EV_WORKER, EV_HELPER };
uint64_t event_data(enum event_kind kind, uint32_t index, uint64_t inc);

/* worker.c */
void worker_spawn(struct keeper *k, struct spawn_place *p, int64_t now_ns);
void worker_signal(struct keeper *k, const struct wire_signal *s);
void worker_ack(struct keeper *k, const struct wire_id *id);
void worker_ended(struct keeper *k, struct worker *w, int64_t now_ns);
void worker_kill(struct worker *w, int sig);
void workers_kill(struct keeper *k, int sig);
/* Look at dying groups that are due; when to look again, or INT64_MAX. */
int64_t workers_probe(struct keeper *k, int64_t now_ns);
/* Look at children in exec. */
void spawns_poll(struct keeper *k, int64_t now_ns);
static inline uint32_t
worker_slot(const struct keeper *k, const struct worker *w)
{
	return (uint32_t)(w - k->worker);
}

/* stray.c */
void helper_spawn(struct keeper *k, struct spawn_place *p, int64_t now_ns);
void helper_settled(struct keeper *k, struct helper *h);
void helper_ended(struct keeper *k, struct helper *h);
void stray_hint(struct keeper *k, pid_t pid);
void strays_sweep(struct keeper *k);
/* Kill every child that is not a role, until there is none, or in vain. */
void strays_kill(struct keeper *k);

/* tell.c */
void tell_engine(struct keeper *k, struct worker *w, uint32_t say);
void tell_refused(struct keeper *k, const struct wire_spawn *w,
    enum spawn_step step, int error);
void tell_bus(struct keeper *k, struct worker *w);
void untell(struct keeper *k, struct worker *w);
void tell_flush(struct keeper *k);

#endif /* KEEPER_KEEPER_H */
