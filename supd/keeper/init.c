/* SPDX-License-Identifier: ISC */
#include "keeper/keeper.h"

#include "base/log.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>

#define PID_MAX (4 * 1024 * 1024) /* of a 64-bit kernel */

uint64_t
event_data(enum event_kind kind, uint32_t index, uint64_t inc)
{
	return (uint64_t)kind << 56 | (inc & 0xffffff) << 32 | index;
}

int
keeper_watch(struct keeper *k, int fd, uint64_t data)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = data };

	return epoll_ctl(k->epfd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

static size_t
table_bytes(uint32_t n)
{
	return sizeof(struct slot_table) + (n + 1) * sizeof(struct slot);
}

/*
 * The slot table: shared memory that is allocated now, since a hole in a full
 * tmpfs would be a SIGBUS later, and that can be neither cut nor grown.
 */
static int
table_init(struct keeper *k, uint32_t n)
{
	int r;
	void *p;

	k->table_fd =
	    memfd_create("supd-slots", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (k->table_fd < 0)
		return -errno;
	r = posix_fallocate(k->table_fd, 0, (off_t)table_bytes(n));
	if (r != 0)
		return -r;
	if (fcntl(k->table_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
		return -errno;
	p = mmap(NULL, table_bytes(n), PROT_READ | PROT_WRITE, MAP_SHARED,
	    k->table_fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	k->table = p;
	k->table->magic = SLOTS_MAGIC;
	k->table->n = n;
	k->n = n;
	return 0;
}

/* Every worker holds one pidfd here for its life. */
static uint32_t
slots_for_limit(void)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0 ||
	    lim.rlim_cur >= KEEPER_WORKERS_MAX + KEEPER_FDS_SPARE)
		return KEEPER_WORKERS_MAX;
	if (lim.rlim_cur <= KEEPER_FDS_SPARE)
		return 1;
	return (uint32_t)lim.rlim_cur - KEEPER_FDS_SPARE;
}

/* Records of helpers are shared with their children, like the slot table. */
static int
helpers_init(struct keeper *k)
{
	struct slot *rec = mmap(NULL, KEEPER_HELPERS * sizeof(*rec),
	    PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (rec == MAP_FAILED)
		return -errno;
	for (unsigned i = 0; i < KEEPER_HELPERS; i++) {
		k->helper[i].record = &rec[i];
		k->helper[i].pidfd = -EBADF;
	}
	return 0;
}

static int
memory_init(struct keeper *k)
{
	k->worker = calloc(k->n + 1, sizeof(*k->worker));
	k->known_n = PID_MAX;
	k->known = calloc(k->known_n / 64, sizeof(*k->known));
	k->frame = spawn_frame_new();
	if (k->worker == NULL || k->known == NULL || k->frame == NULL)
		return -ENOMEM;
	return helpers_init(k);
}

static void
loop_signals(sigset_t *ret_set)
{
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGTERM);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGHUP);
	sigaddset(ret_set, SIGCHLD);
}

/*
 * Signals come by fd.  An inherited "ignore SIGCHLD" would make the kernel
 * reap our children and lose their statuses.
 */
static int
signals_block(void)
{
	struct sigaction ign = { .sa_handler = SIG_IGN };
	struct sigaction chld = { .sa_handler = SIG_DFL,
		.sa_flags = SA_NOCLDSTOP };
	sigset_t set;

	loop_signals(&set);
	if (sigaction(SIGPIPE, &ign, NULL) < 0 ||
	    sigaction(SIGCHLD, &chld, NULL) < 0 ||
	    sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	return 0;
}

static int
signals_open(struct keeper *k)
{
	sigset_t set;

	loop_signals(&set);
	k->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (k->sigfd < 0)
		return -errno;
	return keeper_watch(k, k->sigfd, event_data(EV_SIGNAL, 0, 0));
}

static int
open_log_dir(struct keeper *k, const char *run_dir)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/log", run_dir);
	k->log_dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return k->log_dir < 0 ? -errno : 0;
}

int
keeper_init(struct keeper *k, const struct keeper_options *opt)
{
	int r;

	memset(k, 0, sizeof(*k));
	k->epfd = k->sigfd = k->log_dir = k->table_fd = -EBADF;
	TAILQ_INIT(&k->live);
	TAILQ_INIT(&k->dying);
	TAILQ_INIT(&k->to_engine);
	TAILQ_INIT(&k->to_bus);
	k->sweep_ns = INT64_MAX;
	for (unsigned i = 0; i < ROLE_N; i++) {
		k->role[i].pidfd = -EBADF;
		k->role[i].gone = true;
		link_init(&k->role[i].link, -EBADF, 0);
	}
	/* Before the spawner notes what its children must not inherit. */
	r = signals_block();
	if (r < 0)
		return r;
	/* Before any other fd, so that those are above the low ones. */
	r = spawner_init(&k->spawner, opt->method, &opt->nofile);
	if (r < 0)
		return r;
	k->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (k->epfd < 0)
		return -errno;
	r = signals_open(k);
	if (r == 0)
		r = open_log_dir(k, opt->run_dir);
	if (r == 0)
		r = table_init(
		    k, opt->n_slots != 0 ? opt->n_slots : slots_for_limit());
	if (r == 0)
		r = memory_init(k);
	if (r == 0 && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		r = -errno;
	return r;
}

void
keeper_fini(struct keeper *k)
{
	for (unsigned i = 0; i < ROLE_N; i++) {
		closep(&k->role[i].pidfd);
		closep(&k->role[i].link.fd);
	}
	if (k->helper[0].record != NULL)
		munmap(
		    k->helper[0].record, KEEPER_HELPERS * sizeof(struct slot));
	if (k->table != NULL)
		munmap(k->table, table_bytes(k->n));
	closep(&k->table_fd);
	closep(&k->log_dir);
	closep(&k->sigfd);
	closep(&k->epfd);
	spawner_fini(&k->spawner);
	free(k->worker);
	free(k->known);
	spawn_frame_free(k->frame);
}

int
keeper_add_role(
    struct keeper *k, enum keeper_role role, pid_t pid, int pidfd, int link_fd)
{
	struct role *r = &k->role[role];
	struct epoll_event ev = { .data.u64 = event_data(EV_LINK, role, 0) };

	r->pid = pid;
	r->pidfd = pidfd;
	r->gone = false;
	link_init(&r->link, link_fd, 0);
	if (pid != 0) {
		int e;

		known_add(k, pid);
		e = keeper_watch(k, pidfd, event_data(EV_ROLE, role, 0));
		if (e < 0)
			return e;
	}
	/* Interest is set by each turn of the loop. */
	return epoll_ctl(k->epfd, EPOLL_CTL_ADD, link_fd, &ev) < 0 ? -errno : 0;
}
