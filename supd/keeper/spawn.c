/* SPDX-License-Identifier: ISC */
#include "keeper/spawn.h"

#include "keeper/raw.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define STACK_BYTES 32768 /* the lowest page is a guard */
#define GUARD_BYTES 4096
/* Every string of a tail takes a byte, and there are two NULLs. */
#define VEC_MAX (WIRE_TAIL_MAX + 2)

enum low { LOW_STD, LOW_LIFELINE = 3, LOW_NOTIFY, LOW_PIPE };

static const char *const method_names[SPAWN_METHOD_N] = {
	[SPAWN_CLONE3] = "clone3",
	[SPAWN_CLONE] = "clone",
	[SPAWN_FORK] = "fork",
};

const char *
spawn_method_name(enum spawn_method m)
{
	return method_names[m];
}

static void *
map(size_t len, int kind)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE,
	    kind | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p != MAP_FAILED ? p : NULL;
}

struct wire_hdr *
spawn_frame_new(void)
{
	return map(WIRE_FRAME_MAX, MAP_PRIVATE);
}

void
spawn_frame_free(struct wire_hdr *f)
{
	if (f != NULL)
		munmap(f, WIRE_FRAME_MAX);
}

static int
place_init(struct spawner *sp, struct spawn_place *p, unsigned index)
{
	p->index = index;
	p->low = (int)(SPAWN_LOW_BASE + index * SPAWN_LOW_PER);
	p->pipe_fd = -EBADF;
	p->unshared = &sp->shared[index];
	p->parent = getpid();
	p->ignored = sp->ignored;
	p->nofile = sp->nofile;
	p->stack = map(STACK_BYTES, MAP_PRIVATE);
	p->vec = map(VEC_MAX * sizeof(*p->vec), MAP_PRIVATE);
	p->frame = spawn_frame_new();
	if (p->stack == NULL || p->vec == NULL || p->frame == NULL)
		return -ENOMEM;
	if (mprotect(p->stack, GUARD_BYTES, PROT_NONE) < 0)
		return -errno;
	return 0;
}

static uint64_t
ignored_signals(void)
{
	uint64_t set = 0;
	struct sigaction sa;

	for (int sig = 1; sig <= 64; sig++)
		if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			set |= UINT64_C(1) << (sig - 1);
	return set;
}

/* Occupy fds 3..SPAWN_LOW_END-1, so that all later ones are above. */
static int
fill_low(struct spawner *sp)
{
	cleanup_(closep) int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	sp->null_fd = fcntl(fd, F_DUPFD_CLOEXEC, SPAWN_LOW_END);
	if (sp->null_fd < 0)
		return -errno;
	for (int i = 3; i < SPAWN_LOW_END; i++)
		if (dup3(sp->null_fd, i, O_CLOEXEC) < 0)
			return -errno;
	if (fd < SPAWN_LOW_END)
		fd = -EBADF; /* its number is in use now */
	return 0;
}

/*
 * clone() of the chosen kind.  CLONE_CHILD_SETTID happens in the child, when
 * it first runs; the place must look used before that.
 */
static pid_t
clone_child(enum spawn_method m, struct spawn_place *p, int (*fn)(void *),
    int32_t *pid_word, int *ret_pidfd)
{
	unsigned long flags = CLONE_FILES | CLONE_PARENT_SETTID;
	struct raw_clone_args a = {
		.parent_tid = (uintptr_t)pid_word,
		.child_tid = (uintptr_t)&p->tid,
		.pidfd = (uintptr_t)ret_pidfd,
		.exit_signal = SIGCHLD,
		.stack = (uintptr_t)p->stack,
		.stack_size = STACK_BYTES,
	};
	long pid;

	if (!p->own_mm)
		flags |= CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
	p->tid = p->own_mm ? 0 : -1;
	switch (m) {
	case SPAWN_CLONE3:
		a.flags = flags | CLONE_PIDFD | UINT64_C(0x100000000);
		pid = raw_clone3(&a, sizeof(a), fn, p);
		break;
	case SPAWN_CLONE:
		pid = clone(fn, p->stack + STACK_BYTES, (int)flags | SIGCHLD, p,
		    pid_word, NULL, (void *)(uintptr_t)&p->tid);
		break;
	case SPAWN_FORK:
		pid = fork();
		if (pid == 0)
			_exit(fn(p));
		break;
	case SPAWN_METHOD_N:
	default:
		return -EINVAL;
	}
	if (pid < 0) {
		p->tid = 0;
		return m == SPAWN_CLONE3 ? (pid_t)pid : -errno;
	}
	if (m == SPAWN_CLONE3)
		return (pid_t)pid;
	*pid_word = (int32_t)pid;
	*ret_pidfd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	if (*ret_pidfd < 0) {
		int r = -errno;

		/* Nobody could watch it. */
		kill((pid_t)pid, SIGKILL);
		waitpid((pid_t)pid, NULL, 0);
		p->tid = 0;
		return r;
	}
	return (pid_t)pid;
}

/* Does a child of this method start, unshare its fds, and clear its word? */
static bool
method_try(struct spawner *sp, enum spawn_method m)
{
	struct spawn_place *p = &sp->place[0];
	cleanup_(closep) int pidfd = -EBADF;
	int32_t word = 0;
	siginfo_t si = { 0 };
	pid_t pid;
	int r;

	p->own_mm = m == SPAWN_FORK;
	p->unshare = m != SPAWN_FORK;
	pid = clone_child(m, p, spawn_probe_child, &word, &pidfd);
	if (pid < 0)
		return false;
	do {
		r = waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED);
	} while (r < 0 && errno == EINTR);
	return r == 0 && si.si_code == CLD_EXITED && si.si_status == 0 &&
	       word == pid && p->tid == 0;
}

/*
 * Valgrind ends a process that calls clone() with flags it does not know, so
 * that is found out in a process of its own.
 */
static bool
method_works(struct spawner *sp, enum spawn_method m)
{
	int status = -1;
	pid_t pid;

	if (m != SPAWN_CLONE)
		return method_try(sp, m);
	pid = fork();
	if (pid == 0)
		_exit(method_try(sp, m) ? 0 : 1);
	if (pid < 0)
		return false;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return status == 0;
}

int
spawner_init(
    struct spawner *sp, enum spawn_method first, const struct rlimit *nofile)
{
	int r;

	memset(sp, 0, sizeof(*sp));
	sp->nofile = *nofile;
	sp->ignored = ignored_signals();
	r = fill_low(sp);
	if (r < 0)
		return r;
	sp->shared = map(SPAWN_PLACES * sizeof(int), MAP_SHARED);
	if (sp->shared == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < SPAWN_PLACES; i++) {
		r = place_init(sp, &sp->place[i], i);
		if (r < 0)
			return r;
	}
	for (enum spawn_method m = first; m < SPAWN_METHOD_N; m++) {
		if (!method_works(sp, m))
			continue;
		sp->method = m;
		return 0;
	}
	return -ENOSYS;
}

void
spawner_fini(struct spawner *sp)
{
	for (unsigned i = 0; i < SPAWN_PLACES; i++) {
		struct spawn_place *p = &sp->place[i];

		/* A child may still run on it; it ends with the process. */
		if (p->used)
			continue;
		if (p->stack != NULL)
			munmap(p->stack, STACK_BYTES);
		if (p->vec != NULL)
			munmap(p->vec, VEC_MAX * sizeof(*p->vec));
		spawn_frame_free(p->frame);
	}
}

struct spawn_place *
spawner_idle(struct spawner *sp)
{
	for (unsigned i = 0; i < SPAWN_PLACES; i++)
		if (!sp->place[i].used)
			return &sp->place[i];
	return NULL;
}

/* Borrow the strings of the frame's tail; wire_check() has counted them. */
static void
place_parse(struct spawn_place *p)
{
	size_t len, n = 0;
	const char *s = wire_tail(p->frame, &len);
	const char **head[5] = { &p->path, &p->cwd, &p->file[0], &p->file[1],
		&p->file[2] };

	p->want = wire_body(p->frame);
	for (size_t i = 0; i < ARRAY_LEN(head); i++) {
		*head[i] = s;
		s += strlen(s) + 1;
	}
	p->argv = p->vec;
	for (uint32_t i = 0; i < p->want->argc; i++) {
		p->vec[n++] = (char *)(uintptr_t)s;
		s += strlen(s) + 1;
	}
	p->vec[n++] = NULL;
	p->envp = p->vec + n;
	for (uint32_t i = 0; i < p->want->envc; i++) {
		p->vec[n++] = (char *)(uintptr_t)s;
		s += strlen(s) + 1;
	}
	p->vec[n] = NULL;
}

/*
 * Without privilege only the change that changes nothing is possible, and
 * setgroups would refuse even that.
 */
static bool
is_own_user(const struct wire_spawn *w)
{
	gid_t have[SPAWN_GROUPS_MAX];
	int n;

	if (geteuid() == 0 || w->uid != getuid() || w->gid != getgid() ||
	    w->uid != geteuid() || w->gid != getegid())
		return false;
	n = getgroups(ARRAY_LEN(have), have);
	if (n < 0)
		return false;
	for (uint32_t i = 0; i < w->n_groups; i++) {
		int j = 0;

		while (j < n && have[j] != w->groups[i])
			j++;
		if (j == n && w->groups[i] != w->gid)
			return false;
	}
	return true;
}

static int
place_check(const struct wire_spawn *w, enum spawn_step *ret_step)
{
	*ret_step = STEP_STDIN;
	if (w->io[0] == SPAWN_IO_JOIN || w->io[0] == SPAWN_IO_LOG)
		return -EINVAL;
	*ret_step = STEP_STDOUT;
	if (w->io[1] == SPAWN_IO_JOIN)
		return -EINVAL;
	*ret_step = STEP_NOTIFY_FD;
	if ((w->flags & SPAWN_NOTIFY_FD) != 0 &&
	    (w->notify_fd < 3 || (w->notify_fd == SPAWN_LIFELINE_FD &&
				     (w->flags & SPAWN_LIFELINE) != 0)))
		return -EINVAL;
	return 0;
}

static int
set_low(struct spawn_place *p, enum low at, int fd)
{
	if (dup3(fd, p->low + (int)at, O_CLOEXEC) < 0)
		return -errno;
	p->low_set |= 1u << at;
	return 0;
}

/* Put /dev/null back: nobody but the child may hold the child's fds. */
static void
clear_low(struct spawner *sp, struct spawn_place *p)
{
	for (int i = 0; i < SPAWN_LOW_PER; i++)
		if ((p->low_set >> i & 1) != 0)
			dup3(sp->null_fd, p->low + i, O_CLOEXEC);
	p->low_set = 0;
}

static int
place_fds(
    struct spawner *sp, struct spawn_place *p, const struct spawn_fds *fds)
{
	const struct wire_spawn *w = p->want;
	int r = 0;

	for (int i = 0; i < 3 && r == 0; i++) {
		int fd = sp->null_fd;

		if (w->io[i] == SPAWN_IO_INHERIT)
			fd = i;
		else if (w->io[i] == SPAWN_IO_LOG)
			fd = fds->log >= 0 ? fds->log : i;
		r = set_low(p, LOW_STD + (enum low)i, fd);
	}
	if (r == 0 && (w->flags & SPAWN_LIFELINE) != 0)
		r = set_low(p, LOW_LIFELINE, fds->lifeline);
	if (r == 0 && (w->flags & SPAWN_NOTIFY_FD) != 0)
		r = set_low(p, LOW_NOTIFY, fds->notify);
	if (r == 0 && p->own_mm) {
		int end[2];

		if (pipe2(end, O_CLOEXEC | O_NONBLOCK) < 0)
			return -errno;
		p->pipe_fd = end[0];
		r = set_low(p, LOW_PIPE, end[1]);
		close(end[1]);
	}
	return r;
}

static void
place_release(struct spawner *sp, struct spawn_place *p)
{
	clear_low(sp, p);
	closep(&p->pipe_fd);
	p->pipe_fd = -EBADF;
	p->tid = 0;
	p->used = false;
}

int
spawn_start(struct spawner *sp, struct spawn_place *p,
    const struct spawn_fds *fds, struct slot *record, mono_t now,
    pid_t *ret_pid, int *ret_pidfd, enum spawn_step *ret_step)
{
	int r, pidfd = -EBADF;
	pid_t pid;

	place_parse(p);
	r = place_check(p->want, ret_step);
	if (r < 0)
		return r;
	p->own_mm =
	    sp->method == SPAWN_FORK || (p->want->flags & SPAWN_HAS_OOM) != 0;
	p->unshare = sp->method != SPAWN_FORK;
	p->switch_user =
	    (p->want->flags & SPAWN_HAS_USER) != 0 && !is_own_user(p->want);
	snprintf(p->oom, sizeof(p->oom), "%d", p->want->oom_score_adj);
	p->record = record;
	p->since = now;
	p->used = true;
	p->reported = false;
	*p->unshared = 0;
	record->step = STEP_NONE;
	record->error = 0;

	*ret_step = STEP_FDS;
	r = place_fds(sp, p, fds);
	if (r == 0) {
		*ret_step = STEP_CLONE;
		pid = clone_child(
		    sp->method, p, spawn_child, &record->pid, &pidfd);
		if (pid > 0) {
			*ret_pid = pid;
			*ret_pidfd = pidfd;
			return 0;
		}
		r = pid;
	}
	place_release(sp, p);
	return r;
}

bool
spawn_settled(struct spawner *sp, struct spawn_place *p)
{
	char c;

	if (!p->own_mm) {
		/* Cleared by the kernel when the child leaves our memory. */
		if (p->tid != 0)
			return false;
		place_release(sp, p);
		return true;
	}
	/* While the fds are shared, to close one closes the child's. */
	if (p->unshare && *p->unshared == 0)
		return false;
	if (p->low_set != 0)
		clear_low(sp, p);
	/* The child's end is CLOEXEC: its end of file means exec, or death. */
	if (read(p->pipe_fd, &c, 1) < 0 && errno == EAGAIN)
		return false;
	place_release(sp, p);
	return true;
}

void
spawn_ended(struct spawner *sp, struct spawn_place *p)
{
	place_release(sp, p);
}
