/* SPDX-License-Identifier: ISC */

/*
 * The life of a worker's process: clone, exec, end, empty group.
 *
 * Invariants.  A pid is signalled only while its process has not been reaped.
 * An exit is reported once, after exec or failure, and after the group is
 * empty (or would not become so within GROUP_WAIT_NS).  The slot table is
 * written before the kernel can forget: the status before the reaping.
 */

#include "keeper/keeper.h"

#include "base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define GROUP_WAIT_NS  (5 * NS_PER_S)
#define GROUP_PROBE_NS (1 * NS_PER_MS)
#define GROUP_SLOW_NS  (20 * NS_PER_MS)

static struct slot *
record_of(struct keeper *k, const struct worker *w)
{
	return &k->table->slot[worker_slot(k, w)];
}

/* Everything else of the record is true before its state says so. */
static void
set_state(struct slot *rec, enum slot_state s)
{
	__atomic_store_n(&rec->state, (uint32_t)s, __ATOMIC_RELEASE);
}

static struct worker *
worker_find(struct keeper *k, uint32_t slot, uint64_t inc)
{
	if (slot == 0 || slot > k->n || inc == 0 || k->worker[slot].inc != inc)
		return NULL;
	return &k->worker[slot];
}

/* The keeper's fds for one start; closed unless they are taken. */
struct start_fds {
	int log, life[2], notify[2]; /* [0] the bus's, [1] the worker's */
};

static void
start_fds_close(struct start_fds *f)
{
	closep(&f->log);
	closep(&f->life[0]);
	closep(&f->life[1]);
	closep(&f->notify[0]);
	closep(&f->notify[1]);
}

/*
 * O_RDWR: the worker is a reader of its own output, so the death of the logger
 * never sends it SIGPIPE; and opening a FIFO so never waits.  It belongs to
 * the worker's user, who may then open /dev/stdout, as many programs do.
 */
static int
open_log(struct keeper *k, const struct wire_spawn *want, int *ret_fd)
{
	cleanup_(closep) int fd = -EBADF;
	struct stat st;
	char name[16];

	snprintf(name, sizeof(name), "%u",
	    want->log_slot != 0 ? want->log_slot : want->slot);
	fd = openat(
	    k->log_dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISFIFO(st.st_mode))
		return -EINVAL;
	/* Who may not give it away may not switch users: that step tells. */
	if ((want->flags & SPAWN_HAS_USER) != 0 && st.st_uid != want->uid &&
	    fchown(fd, want->uid, (gid_t)-1) < 0 && errno != EPERM)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int
start_fds_open(struct keeper *k, const struct wire_spawn *want,
    struct start_fds *f, enum spawn_step *ret_step)
{
	int r;

	*ret_step = STEP_LOG;
	if (want->io[1] == SPAWN_IO_LOG || want->io[2] == SPAWN_IO_LOG) {
		r = open_log(k, want, &f->log);
		if (r < 0)
			return r;
	}
	*ret_step = STEP_LIFELINE;
	if ((want->flags & SPAWN_LIFELINE) != 0 &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, f->life) < 0)
		return -errno;
	*ret_step = STEP_NOTIFY_FD;
	if ((want->flags & SPAWN_NOTIFY_FD) != 0 &&
	    pipe2(f->notify, O_CLOEXEC) < 0)
		return -errno;
	return 0;
}

static void
worker_begin(struct keeper *k, struct worker *w, const struct wire_spawn *want)
{
	struct slot *rec = record_of(k, w);

	/* Slots that no worker ever had stay untouched, zero pages. */
	if (w->inc == 0)
		w->pidfd = w->life_fd = w->notify_fd = -EBADF;
	untell(k, w);
	w->inc = want->inc;
	w->flags = want->flags;
	w->failed = w->leftover = false;
	w->user_us = w->sys_us = w->maxrss_kb = 0;
	*rec = (struct slot){
		.inc = want->inc,
		.state = SLOT_SPAWNING,
		.kill_group = (want->flags & SPAWN_KILL_GROUP) != 0,
	};
}

static void
worker_started(struct keeper *k, struct worker *w, struct spawn_place *p,
    struct start_fds *f, int64_t now_ns)
{
	set_state(record_of(k, w), SLOT_RUNNING);
	known_add(k, w->pid);
	w->place = p;
	w->spawned_ns = now_ns;
	w->life_fd = take_fd(&f->life[0]);
	w->notify_fd = take_fd(&f->notify[0]);
	w->is_live = true;
	TAILQ_INSERT_TAIL(&k->live, w, live);
	k->n_live++;
	tell_engine(k, w, SAY_SPAWNED);
	tell_bus(k, w);
}

static int
worker_start(struct keeper *k, struct worker *w, struct spawn_place *p,
    struct start_fds *f, int64_t now_ns, enum spawn_step *ret_step)
{
	uint32_t slot = worker_slot(k, w);
	struct spawn_fds fds;
	int r = start_fds_open(k, wire_body(p->frame), f, ret_step);

	if (r < 0)
		return r;
	fds = (struct spawn_fds){ f->log, f->life[1], f->notify[1] };
	r = spawn_start(&k->spawner, p, &fds, record_of(k, w),
	    (mono_t){ now_ns }, &w->pid, &w->pidfd, ret_step);
	if (r < 0)
		return r;
	r = keeper_watch(k, w->pidfd, event_data(EV_WORKER, slot, w->inc));
	if (r == 0)
		return 0;

	/* Its end could not be seen: it must not live. */
	kill(w->pid, SIGKILL);
	waitpid(w->pid, NULL, 0);
	spawn_ended(&k->spawner, p);
	closep(&w->pidfd);
	w->pidfd = -EBADF;
	*ret_step = STEP_CLONE;
	return r;
}

void
worker_spawn(struct keeper *k, struct spawn_place *p, int64_t now_ns)
{
	const struct wire_spawn *want = wire_body(p->frame);
	cleanup_(start_fds_close) struct start_fds f = { -EBADF,
		{ -EBADF, -EBADF }, { -EBADF, -EBADF } };
	enum spawn_step step = STEP_NONE;
	struct worker *w;
	struct slot *rec;
	int r;

	if (want->slot == 0 || want->slot > k->n || want->inc == 0) {
		tell_refused(k, want, STEP_SLOT, ERANGE);
		return;
	}
	w = &k->worker[want->slot];
	rec = record_of(k, w);
	if ((rec->state != SLOT_EMPTY && rec->state != SLOT_FAILED) ||
	    w->is_live || w->say != 0) {
		tell_refused(k, want, STEP_SLOT, EBUSY);
		return;
	}
	worker_begin(k, w, want);
	r = worker_start(k, w, p, &f, now_ns, &step);
	if (r == 0) {
		worker_started(k, w, p, &f, now_ns);
		k->poll_wait_ns = 0;
		return;
	}
	rec->step = step;
	rec->error = -r;
	set_state(rec, SLOT_FAILED);
	tell_engine(k, w, SAY_FAILED);
}

/* The child has left our memory: it is the program now, or has failed. */
static void
worker_settled(struct keeper *k, struct worker *w)
{
	struct slot *rec = record_of(k, w);

	w->place = NULL;
	if (rec->step != STEP_NONE) {
		w->failed = true; /* said when it has been reaped */
		return;
	}
	rec->execed = 1;
	tell_engine(k, w, SAY_EXECED);
}

static struct worker *
place_worker(struct keeper *k, const struct spawn_place *p)
{
	uint32_t slot = p->want->slot;

	return slot != 0 && k->worker[slot].place == p ? &k->worker[slot]
	                                               : NULL;
}

static void
place_report_stuck(struct spawn_place *p, int64_t now_ns)
{
	if (p->reported || now_ns - p->since.ns < SPAWN_STUCK_NS)
		return;
	p->reported = true;
	log_warnx("pid %d: exec of %s has not returned for %d s; "
		  "waiting for it costs one of %d places",
	    (int)p->record->pid, p->path, (int)(SPAWN_STUCK_NS / NS_PER_S),
	    SPAWN_PLACES);
}

void
spawns_poll(struct keeper *k, int64_t now_ns)
{
	for (unsigned i = 0; i < SPAWN_PLACES; i++) {
		struct spawn_place *p = &k->spawner.place[i];
		struct worker *w;

		if (!p->used)
			continue;
		if (!spawn_settled(&k->spawner, p)) {
			place_report_stuck(p, now_ns);
			continue;
		}
		w = place_worker(k, p);
		if (w != NULL) {
			worker_settled(k, w);
			continue;
		}
		for (unsigned j = 0; j < KEEPER_HELPERS; j++)
			if (k->helper[j].place == p)
				helper_settled(k, &k->helper[j]);
	}
}

static void
worker_gone(struct keeper *k, struct worker *w)
{
	struct slot *rec = record_of(k, w);

	TAILQ_REMOVE(&k->live, w, live);
	w->is_live = false;
	k->n_live--;
	if (k->phase != PHASE_RUN) {
		untell(k, w);
		set_state(rec, SLOT_EMPTY);
		return;
	}
	set_state(rec, w->failed ? SLOT_FAILED : SLOT_EXITED);
	tell_engine(k, w, w->failed ? SAY_FAILED : SAY_EXITED);
}

/*
 * Is the group empty?  The number stays allocated while any process is in it,
 * so it is still this group that signal 0 asks about.
 */
static bool
group_probe(struct keeper *k, struct worker *w, int64_t now_ns)
{
	siginfo_t si = { 0 };

	if (kill(-w->pid, 0) < 0 && errno == ESRCH)
		return true;
	if (now_ns - w->dying_ns >= GROUP_WAIT_NS) {
		log_warnx("slot %u: its process group %d still has members "
			  "%d s after SIGKILL; going on without them",
		    worker_slot(k, w), (int)w->pid,
		    (int)(GROUP_WAIT_NS / NS_PER_S));
		w->leftover = true;
		return true;
	}
	/* Its dead members have become our children: only reaped are they gone.
	 */
	while (waitid(P_PGID, (id_t)w->pid, &si, WEXITED | WNOHANG) == 0 &&
	       si.si_pid != 0)
		si.si_pid = 0;
	w->probe_wait_ns *= 2;
	if (w->probe_wait_ns > GROUP_SLOW_NS)
		w->probe_wait_ns = GROUP_SLOW_NS;
	w->probe_ns = now_ns + w->probe_wait_ns;
	return false;
}

int64_t
workers_probe(struct keeper *k, int64_t now_ns)
{
	int64_t next = INT64_MAX;
	struct worker *w, *after;

	for (w = TAILQ_FIRST(&k->dying); w != NULL; w = after) {
		after = TAILQ_NEXT(w, dying);
		if (w->probe_ns <= now_ns && group_probe(k, w, now_ns)) {
			TAILQ_REMOVE(&k->dying, w, dying);
			w->is_dying = false;
			worker_gone(k, w);
			continue;
		}
		if (w->probe_ns < next)
			next = w->probe_ns;
	}
	return next;
}

/* Reap, with the usage that only the system call (not libc) returns. */
static void
worker_reap(struct keeper *k, struct worker *w)
{
	struct rusage ru = { 0 };
	siginfo_t si;

	if (syscall(SYS_waitid, P_PIDFD, w->pidfd, &si, WEXITED, &ru) == 0) {
		w->user_us = ru.ru_utime.tv_sec * 1000000 + ru.ru_utime.tv_usec;
		w->sys_us = ru.ru_stime.tv_sec * 1000000 + ru.ru_stime.tv_usec;
		w->maxrss_kb = ru.ru_maxrss;
	}
	known_del(k, w->pid);
	/* First out of the set: another holder would keep it registered. */
	epoll_ctl(k->epfd, EPOLL_CTL_DEL, w->pidfd, NULL);
	close(w->pidfd);
	w->pidfd = -EBADF;
}

void
worker_ended(struct keeper *k, struct worker *w, int64_t now_ns)
{
	struct slot *rec = record_of(k, w);
	siginfo_t si = { 0 };

	if (waitid(P_PIDFD, (id_t)w->pidfd, &si, WEXITED | WNOWAIT | WNOHANG) <
		0 ||
	    si.si_pid == 0)
		return;
	if (w->place != NULL) {
		spawn_ended(&k->spawner, w->place);
		worker_settled(k, w);
	}
	w->exited_ns = rec->exited_ns = now_ns;
	rec->status = si.si_status;
	rec->is_signal = si.si_code != CLD_EXITED;
	rec->core = si.si_code == CLD_DUMPED;
	set_state(rec, SLOT_DYING);
	/* While the zombie holds the number, it can be nobody else's group. */
	if (!w->failed && (w->flags & SPAWN_KILL_GROUP) != 0)
		kill(-w->pid, SIGKILL);
	worker_reap(k, w);
	if (w->failed || (w->flags & SPAWN_KILL_GROUP) == 0) {
		worker_gone(k, w);
		return;
	}
	w->dying_ns = w->probe_ns = now_ns;
	w->probe_wait_ns = GROUP_PROBE_NS / 2;
	w->is_dying = true;
	TAILQ_INSERT_TAIL(&k->dying, w, dying);
}

static void
signal_pidfd(int pidfd, int sig)
{
	(void)syscall(SYS_pidfd_send_signal, pidfd, sig, NULL, 0);
}

/* A child that has not come to setsid yet has no group of its own. */
static void
signal_group(const struct worker *w, int sig)
{
	if (kill(-w->pid, sig) < 0)
		signal_pidfd(w->pidfd, sig);
}

/* A stopped process takes a signal when it is continued, not before. */
static bool
wants_cont(int sig)
{
	return sig != 0 && sig != SIGKILL && sig != SIGSTOP && sig != SIGTSTP &&
	       sig != SIGTTIN && sig != SIGTTOU && sig != SIGCONT;
}

void
worker_kill(struct worker *w, int sig)
{
	if (w->pidfd < 0)
		return;
	signal_group(w, sig);
	if (wants_cont(sig))
		signal_group(w, SIGCONT);
}

void
workers_kill(struct keeper *k, int sig)
{
	struct worker *w;

	TAILQ_FOREACH (w, &k->live, live)
		worker_kill(w, sig);
}

void
worker_signal(struct keeper *k, const struct wire_signal *s)
{
	struct worker *w = worker_find(k, s->slot, s->inc);

	if (w == NULL || w->pidfd < 0)
		return; /* it has ended meanwhile; its EXITED is on the way */
	if (s->scope == SIGNAL_GROUP) {
		worker_kill(w, s->sig);
		return;
	}
	signal_pidfd(w->pidfd, s->sig);
	if (wants_cont(s->sig))
		signal_pidfd(w->pidfd, SIGCONT);
}

void
worker_ack(struct keeper *k, const struct wire_id *id)
{
	struct worker *w = worker_find(k, id->slot, id->inc);
	struct slot *rec;

	if (w == NULL || w->is_live)
		return;
	rec = record_of(k, w);
	if (rec->state == SLOT_EXITED || rec->state == SLOT_FAILED)
		set_state(rec, SLOT_EMPTY);
}
