/* SPDX-License-Identifier: ISC */

/*
 * Children of the keeper that are nobody's worker: helpers it was asked to
 * run, and strays: orphans that come to it as the subreaper (or as pid 1), or
 * that a process made a child of the keeper by CLONE_PARENT.
 */

#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <time.h>

#define HELPER_WAIT_NS (5 * NS_PER_S) /* for helpers, at the end of supd */
#define STRAY_WAIT_NS  (5 * NS_PER_S)

void
known_add(struct keeper *k, pid_t pid)
{
	if ((size_t)pid < k->known_n)
		k->known[pid / 64] |= UINT64_C(1) << (pid % 64);
}

void
known_del(struct keeper *k, pid_t pid)
{
	if ((size_t)pid < k->known_n)
		k->known[pid / 64] &= ~(UINT64_C(1) << (pid % 64));
}

bool
known_has(const struct keeper *k, pid_t pid)
{
	if (pid <= 0 || (size_t)pid >= k->known_n)
		return true;
	return (k->known[pid / 64] >> (pid % 64) & 1) != 0;
}

void
helper_spawn(struct keeper *k, struct spawn_place *p, int64_t now_ns)
{
	struct spawn_fds none = { -EBADF, -EBADF, -EBADF };
	struct wire_spawn *want = (struct wire_spawn *)(p->frame + 1);
	enum spawn_step step = STEP_NONE;
	struct helper *h = NULL;
	uint32_t i;
	int r;

	for (i = 0; i < KEEPER_HELPERS && h == NULL; i++)
		if (k->helper[i].pid == 0)
			h = &k->helper[i];
	/* It has no slot, so nobody is at the other end of these. */
	want->slot = 0;
	want->flags &= ~(SPAWN_LIFELINE | SPAWN_NOTIFY_FD);
	if (h == NULL) {
		log_warnx("cannot run one more command: %d are running",
		    KEEPER_HELPERS);
		return;
	}
	r = spawn_start(&k->spawner, p, &none, h->record, (mono_t){ now_ns },
	    &h->pid, &h->pidfd, &step);
	if (r < 0) {
		log_warnx("cannot run %s: %s: %s", p->path,
		    spawn_step_name(step), strerror(-r));
		h->pid = 0;
		return;
	}
	h->place = p;
	snprintf(h->name, sizeof(h->name), "%s", p->path);
	known_add(k, h->pid);
	k->poll_wait_ns = 0;
	log_info("running %s, pid %d", h->name, (int)h->pid);
	if (keeper_watch(k, h->pidfd, event_data(EV_HELPER, i - 1, 0)) < 0)
		known_del(k, h->pid); /* reaped as a stray */
}

void
helper_settled(struct keeper *k, struct helper *h)
{
	(void)k;
	h->place = NULL;
	if (h->record->step != STEP_NONE)
		log_warnx("cannot run %s: %s: %s", h->name,
		    spawn_step_name(h->record->step),
		    strerror(h->record->error));
}

void
helper_ended(struct keeper *k, struct helper *h)
{
	siginfo_t si = { 0 };

	if (h->pid == 0 ||
	    waitid(P_PIDFD, (id_t)h->pidfd, &si, WEXITED | WNOHANG) < 0 ||
	    si.si_pid == 0)
		return;
	if (h->place != NULL) {
		spawn_ended(&k->spawner, h->place);
		helper_settled(k, h);
	}
	if (si.si_code != CLD_EXITED)
		log_warnx("%s, pid %d, was killed by SIG%s", h->name,
		    (int)h->pid, sigabbrev_np(si.si_status));
	else if (h->record->step == STEP_NONE)
		log_info("%s, pid %d, has exited with %d", h->name, (int)h->pid,
		    si.si_status);
	known_del(k, h->pid);
	epoll_ctl(k->epfd, EPOLL_CTL_DEL, h->pidfd, NULL);
	closep(&h->pidfd);
	h->pidfd = -EBADF;
	h->pid = 0;
}

/* Reap `pid` if it has ended and is nobody we know. */
void
stray_hint(struct keeper *k, pid_t pid)
{
	siginfo_t si = { 0 };

	if (known_has(k, pid))
		return;
	if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG) == 0 &&
	    si.si_pid != 0)
		log_debug("reaped orphan %d", (int)pid);
}

/*
 * Call fn for every child of this process.  The kernel's list is read in
 * pieces: a child that ends meanwhile may hide a later one, so callers that
 * need all of them come again.  Returns how many there were, or -errno.
 */
static int
each_child(struct keeper *k, void (*fn)(struct keeper *k, pid_t pid))
{
	cleanup_(closep) int fd = -EBADF;
	char path[64], text[4096];
	long pid = 0;
	int n_children = 0;
	ssize_t n;

	snprintf(
	    path, sizeof(path), "/proc/self/task/%d/children", (int)gettid());
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while ((n = read(fd, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (pid > 0) {
				fn(k, (pid_t)pid);
				n_children++;
			}
			pid = 0;
		}
	}
	return n < 0 ? -errno : n_children;
}

void
strays_sweep(struct keeper *k)
{
	(void)each_child(k, stray_hint);
}

static void
stray_kill(struct keeper *k, pid_t pid)
{
	for (unsigned i = 0; i < ROLE_N; i++)
		if (k->role[i].pid == pid)
			return;
	/*
	 * First the signal, then look again for what it has left us: a process
	 * with a fatal signal pending cannot complete a fork.
	 */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, WNOHANG);
	k->n_strays++;
}

static void
helpers_wait(struct keeper *k)
{
	int64_t until = clock_mono().ns + HELPER_WAIT_NS;

	for (unsigned i = 0; i < KEEPER_HELPERS; i++) {
		struct helper *h = &k->helper[i];

		while (h->pid != 0) {
			struct pollfd p = { h->pidfd, POLLIN, 0 };
			int64_t left = until - clock_mono().ns;

			if (left <= 0)
				break;
			(void)poll(&p, 1, (int)(left / NS_PER_MS) + 1);
			helper_ended(k, h);
		}
		if (h->pid == 0)
			continue;
		log_warnx("%s, pid %d, is still running; killing it", h->name,
		    (int)h->pid);
		kill(-h->pid, SIGKILL);
	}
}

void
strays_kill(struct keeper *k)
{
	int64_t until;
	struct timespec ts = { 0, NS_PER_MS };

	helpers_wait(k);
	until = clock_mono().ns + STRAY_WAIT_NS;
	do {
		k->n_strays = 0;
		if (each_child(k, stray_kill) < 0 || k->n_strays == 0)
			return;
		nanosleep(&ts, NULL);
	} while (clock_mono().ns < until);
	log_warnx(
	    "%u processes would not die of SIGKILL; leaving them", k->n_strays);
}
