/* SPDX-License-Identifier: ISC */

/*
 * Between clone and exec.  All of this runs in the child, on a stack of its
 * own, mostly in the keeper's memory: system calls only, no libc, no errno, no
 * writes but to its place and its record.
 */

#include "keeper/raw.h"
#include "keeper/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#define CALL1(n, a)    raw_sys(SYS_##n, (long)(a), 0, 0, 0, 0)
#define CALL2(n, a, b) raw_sys(SYS_##n, (long)(a), (long)(b), 0, 0, 0)
#define CALL3(n, a, b, c)                                                      \
	raw_sys(SYS_##n, (long)(a), (long)(b), (long)(c), 0, 0)
#define CALL4(n, a, b, c, d)                                                   \
	raw_sys(SYS_##n, (long)(a), (long)(b), (long)(c), (long)(d), 0)
#define CALL5(n, a, b, c, d, e)                                                \
	raw_sys(SYS_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e))

/* The kernel's struct sigaction: two words more or less by architecture. */
struct child_sigaction {
	void *handler;
	unsigned long word[3];
};

/* Close all from `first` on but two, of which either may be -1. */
in_child static long
close_all_from(int first, int keep_a, int keep_b)
{
	int keep[2] = { keep_a < keep_b ? keep_a : keep_b,
		keep_a < keep_b ? keep_b : keep_a };
	long r = 0;

	for (int i = 0; i < 2; i++) {
		if (keep[i] < first)
			continue;
		if (keep[i] > first)
			r = CALL3(close_range, first, keep[i] - 1, 0);
		if (r < 0)
			return r;
		first = keep[i] + 1;
	}
	return CALL3(close_range, first, ~0u, 0);
}

/*
 * Leave exactly the worker's fds.  The place's numbers are above 2 and 3, so
 * no source is overwritten before its turn, but the notify fd may be anywhere.
 */
in_child static long
child_fds(struct spawn_place *p)
{
	const struct wire_spawn *w = p->want;
	int notify = -1, pipe_end = p->own_mm ? p->low + 5 : -1;
	int first = 3;
	long r;

	if (p->unshare) {
		r = CALL3(close_range, SPAWN_LOW_END, ~0u, CLOSE_RANGE_UNSHARE);
		if (r < 0)
			return r;
		*p->unshared = 1;
	}
	for (int i = 0; i < 3; i++)
		if ((r = CALL3(dup3, p->low + i, i, 0)) < 0)
			return r;
	if ((w->flags & SPAWN_LIFELINE) != 0) {
		if ((r = CALL3(dup3, p->low + 3, SPAWN_LIFELINE_FD, 0)) < 0)
			return r;
		first = SPAWN_LIFELINE_FD + 1;
	}
	if ((w->flags & SPAWN_NOTIFY_FD) != 0) {
		notify = w->notify_fd;
		if (pipe_end == notify) {
			pipe_end = (int)CALL3(
			    fcntl, pipe_end, F_DUPFD_CLOEXEC, SPAWN_LOW_END);
			if (pipe_end < 0)
				return pipe_end;
		}
		if (notify == p->low + 4)
			r = CALL3(fcntl, notify, F_SETFD, 0);
		else
			r = CALL3(dup3, p->low + 4, notify, 0);
		if (r < 0)
			return r;
	}
	r = close_all_from(first, notify, pipe_end);
	/* Without close_range (gVisor) every fd of the keeper is CLOEXEC. */
	return r == -ENOSYS && !p->unshare ? 0 : r;
}

in_child static long
child_oom(const struct spawn_place *p)
{
	long fd, r;
	size_t len = 0;

	while (p->oom[len] != '\0')
		len++;
	fd = CALL4(openat, AT_FDCWD, "/proc/self/oom_score_adj",
	    O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return fd;
	r = CALL3(write, fd, p->oom, len);
	CALL1(close, fd);
	return r < 0 ? r : 0;
}

in_child static long
child_rlimits(const struct spawn_place *p)
{
	const struct wire_spawn *w = p->want;
	long r;

	/* The keeper raised its own soft limit; that is not for workers. */
	r = CALL4(prlimit64, 0, RLIMIT_NOFILE, &p->nofile, 0);
	for (uint32_t i = 0; r >= 0 && i < w->n_rlimits; i++) {
		uint64_t lim[2] = { w->rlimit[i].soft, w->rlimit[i].hard };

		r = CALL4(prlimit64, 0, w->rlimit[i].resource, lim, 0);
	}
	return r;
}

/*
 * Open as the worker's user onto number `fd`, which is closed first so that
 * the lowest free number is it: no other is needed, whatever RLIMIT_NOFILE.
 * O_NONBLOCK until it is open: a FIFO without a peer or a leased file is an
 * error here rather than a start that hangs.
 */
in_child static long
child_file(const char *path, int fd)
{
	int flags = fd == 0 ? O_RDONLY : O_WRONLY | O_APPEND | O_CREAT;
	long r, fl;

	CALL1(close, fd);
	r = CALL4(openat, AT_FDCWD, path, flags | O_NOCTTY | O_NONBLOCK, 0640);
	if (r < 0)
		return r;
	if (r != fd)
		return -EBADF;
	fl = CALL3(fcntl, fd, F_GETFL, 0);
	if (fl < 0)
		return fl;
	return CALL3(fcntl, fd, F_SETFL, fl & ~O_NONBLOCK);
}

in_child static long
child_signals(const struct spawn_place *p)
{
	struct child_sigaction dfl = { SIG_DFL, { 0, 0, 0 } };
	uint64_t none = 0;
	long r;

	/* CLONE_CLEAR_SIGHAND and exec both leave what is ignored ignored. */
	for (int sig = 1; sig <= 64; sig++) {
		if ((p->ignored >> (sig - 1) & 1) == 0)
			continue;
		r = CALL4(rt_sigaction, sig, &dfl, 0, sizeof(none));
		if (r < 0)
			return r;
	}
	return CALL4(rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof(none));
}

in_child static long
child_pdeathsig(const struct spawn_place *p)
{
	long r = CALL5(prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);

	/* If the keeper died before that, nothing will kill us any more. */
	if (r >= 0 && raw_sys(SYS_getppid, 0, 0, 0, 0, 0) != p->parent)
		return -ESRCH;
	return r;
}

in_child static int
child_failed(struct spawn_place *p, enum spawn_step step, long r)
{
	/* The keeper reads both after the child has ended: no order needed. */
	p->record->error = (int32_t)-r;
	p->record->step = step;
	return 127;
}

#define STEP(step, call)                                                       \
	do {                                                                   \
		long step_r_ = (call);                                         \
		if (step_r_ < 0)                                               \
			return child_failed(p, step, step_r_);                 \
	} while (0)

in_child static int
child_io(struct spawn_place *p)
{
	const struct wire_spawn *w = p->want;

	for (int i = 0; i < 3; i++) {
		if (w->io[i] == SPAWN_IO_FILE)
			STEP(STEP_STDIN + i, child_file(p->file[i], i));
		else if (w->io[i] == SPAWN_IO_JOIN)
			STEP(STEP_STDIN + i, CALL3(dup3, i - 1, i, 0));
	}
	return 0;
}

/* What the chosen method needs of the kernel, and nothing else. */
in_child int
spawn_probe_child(void *place)
{
	struct spawn_place *p = place;

	if (!p->unshare)
		return 0;
	return CALL3(close_range, SPAWN_LOW_END, ~0u, CLOSE_RANGE_UNSHARE) < 0;
}

/*
 * The last entry of the environment is to end in our pid: digits in the room
 * that wire_check() has found there, and a NUL.  The strings are the place's.
 */
in_child static void
child_pid_env(struct spawn_place *p)
{
	long pid = raw_sys(SYS_getpid, 0, 0, 0, 0, 0), scale = 1;
	char *at = p->envp[p->want->envc - 1];

	while (*at != '\0')
		at++;
	at -= SPAWN_PID_ROOM;
	while (pid / scale >= 10)
		scale *= 10;
	for (; scale > 0; scale /= 10)
		*at++ = (char)('0' + pid / scale % 10);
	*at = '\0';
}

in_child int
spawn_child(void *place)
{
	struct spawn_place *p = place;
	const struct wire_spawn *w = p->want;
	int code;

	STEP(STEP_FDS, child_fds(p));
	STEP(STEP_SETSID, raw_sys(SYS_setsid, 0, 0, 0, 0, 0));
	CALL1(umask, w->umask & 07777u);
	if ((w->flags & SPAWN_HAS_NICE) != 0)
		STEP(STEP_NICE, CALL3(setpriority, PRIO_PROCESS, 0, w->nice));
	if ((w->flags & SPAWN_HAS_OOM) != 0)
		STEP(STEP_OOM, child_oom(p));
	STEP(STEP_RLIMIT, child_rlimits(p));
	if (p->switch_user) {
		STEP(STEP_GROUPS, CALL2(setgroups, w->n_groups, w->groups));
		STEP(STEP_GID, CALL3(setresgid, w->gid, w->gid, w->gid));
		STEP(STEP_UID, CALL3(setresuid, w->uid, w->uid, w->uid));
	}
	/* After the change of user, which clears it. */
	STEP(STEP_PDEATHSIG, child_pdeathsig(p));
	if (p->cwd[0] != '\0')
		STEP(STEP_CWD, CALL1(chdir, p->cwd));
	if ((code = child_io(p)) != 0)
		return code;
	if ((w->flags & SPAWN_PID_ENV) != 0)
		child_pid_env(p);
	STEP(STEP_SIGNALS, child_signals(p));
	STEP(STEP_EXEC, CALL3(execve, p->path, p->argv, p->envp));
	return 127;
}
