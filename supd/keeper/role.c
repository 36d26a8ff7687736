/* SPDX-License-Identifier: ISC */
#include "keeper/role.h"

#include "base/clock.h"
#include "base/log.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define ROLE_FDS 4
#define ARGS_MAX 16

/* What each role has at its end of the program. */
static const int64_t end_wait_ns[ROLE_N] = {
	[ROLE_ENGINE] = 2 * NS_PER_S,
	[ROLE_BUS] = 2 * NS_PER_S,
	[ROLE_LOGGER] = 5 * NS_PER_S,
};

struct start {
	int fd[ROLE_FDS]; /* to become 3, 4, 5, 6 */
	const char *argv[ARGS_MAX];
};

/* All socketpairs of the roles, [0] and [1] as the names say. */
struct links {
	int keeper_engine[2], keeper_bus[2], keeper_logger[2];
	int engine_bus[2], engine_logger[2], bus_logger[2];
};

static void
links_close(struct links *l)
{
	int *fd = (int *)l;

	for (size_t i = 0; i < sizeof(*l) / sizeof(int); i++)
		closep(&fd[i]);
}

static int
links_open(struct links *l)
{
	int *fd = (int *)l;

	for (size_t i = 0; i < sizeof(*l) / sizeof(int); i++)
		fd[i] = -EBADF;
	for (size_t i = 0; i < sizeof(*l) / sizeof(int); i += 2)
		if (socketpair(
			AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd + i) < 0)
			return -errno;
	return 0;
}

/*
 * In the child.  A session of its own: what the terminal sends, Ctrl-C, is for
 * the keeper alone.  The logger may still write what it has when the keeper is
 * killed, the others have nothing left to do.
 */
static void
role_exec(enum keeper_role role, const struct start *s, pid_t keeper)
{
	sigset_t none;
	int n = 0, null_fd;

	setsid();
	prctl(PR_SET_PDEATHSIG, role == ROLE_LOGGER ? SIGTERM : SIGKILL);
	if (getppid() != keeper)
		_exit(EXIT_ROLE_DIED);
	null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	dup2(null_fd, STDIN_FILENO);
	while (n < ROLE_FDS && s->fd[n] >= 0) {
		/* All of the keeper's fds are above the low region. */
		if (dup2(s->fd[n], ROLE_FD_KEEPER + n) < 0)
			goto fail;
		n++;
	}
	syscall(SYS_close_range, ROLE_FD_KEEPER + n, ~0u, 0);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", (char *const *)(uintptr_t)s->argv);
fail:
	log_warn("cannot start the %s", keeper_role_name(role));
	_exit(EXIT_ROLE_DIED);
}

static int
role_start(
    struct keeper *k, enum keeper_role role, const struct start *s, int *link)
{
	pid_t keeper = getpid(), pid;
	int pidfd, r;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		role_exec(role, s, keeper);
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0) {
		r = -errno;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		return r;
	}
	r = keeper_add_role(k, role, pid, pidfd, *link);
	take_fd(link);
	return r;
}

static void
set_argv(const char **argv, const char *role, const struct role_args *args,
    bool with_conf)
{
	int n = 0;

	argv[n++] = "supd";
	argv[n++] = "--role";
	argv[n++] = role;
	if (with_conf) {
		argv[n++] = "-c";
		argv[n++] = args->conf_path;
		if (args->trace_path != NULL) {
			argv[n++] = "--trace";
			argv[n++] = args->trace_path;
		}
	}
	argv[n++] = "-R";
	argv[n++] = args->run_dir;
	argv[n++] = "-L";
	argv[n++] = args->log_dir;
	argv[n++] = "-s"; /* what workers are told */
	argv[n++] = args->socket;
	if (args->verbose)
		argv[n++] = "-v";
	argv[n] = NULL;
}

/* Its own open file description, so that the mapping cannot be writable. */
static int
open_slots(const struct keeper *k, int *ret_fd)
{
	char path[32];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", k->table_fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

static int
start_all(struct keeper *k, const struct role_args *args, int control,
    struct links *l, int slots)
{
	struct start logger = { { l->keeper_logger[1], l->engine_logger[1],
				    l->bus_logger[1], -1 },
		{ 0 } };
	struct start bus = { { l->keeper_bus[1], l->engine_bus[1],
				 l->bus_logger[0], control },
		{ 0 } };
	struct start engine = { { l->keeper_engine[1], l->engine_bus[0],
				    l->engine_logger[0], slots },
		{ 0 } };
	int r;

	set_argv(logger.argv, "logger", args, false);
	set_argv(bus.argv, "bus", args, false);
	set_argv(engine.argv, "engine", args, true);
	r = role_start(k, ROLE_LOGGER, &logger, &l->keeper_logger[0]);
	if (r == 0)
		r = role_start(k, ROLE_BUS, &bus, &l->keeper_bus[0]);
	if (r == 0)
		r = role_start(k, ROLE_ENGINE, &engine, &l->keeper_engine[0]);
	return r;
}

int
roles_start(struct keeper *k, const struct role_args *args, int control)
{
	cleanup_(links_close) struct links l;
	cleanup_(closep) int slots = -EBADF;
	int r = links_open(&l);

	if (r == 0)
		r = open_slots(k, &slots);
	if (r == 0)
		r = start_all(k, args, control, &l, slots);
	if (r < 0)
		log_warnx("cannot start the roles: %s", strerror(-r));
	return r;
}

static void
role_end(struct keeper *k, enum keeper_role role)
{
	struct role *r = &k->role[role];
	struct pollfd p = { r->pidfd, POLLIN, 0 };
	int64_t until = clock_mono().ns + end_wait_ns[role], left;

	closep(&r->link.fd);
	r->link.fd = -EBADF;
	if (r->gone || r->pid == 0)
		return;
	while ((left = until - clock_mono().ns) > 0)
		if (poll(&p, 1, (int)(left / NS_PER_MS) + 1) == 1)
			break;
	if ((p.revents & POLLIN) == 0) {
		log_warnx(
		    "the %s does not end; killing it", keeper_role_name(role));
		kill(r->pid, SIGKILL);
	}
	waitpid(r->pid, NULL, 0);
	r->gone = true;
}

void
roles_end(struct keeper *k)
{
	for (enum keeper_role r = 0; r < ROLE_N; r++)
		role_end(k, r);
}
