/* SPDX-License-Identifier: ISC */
/*
 * From the SIGKILL of a worker to the first statement of its replacement:
 * under supd, and under the least that restarts anything (vfork, exec, poll of
 * a pidfd).  Arguments: supd, restart_worker.
 */
#include "base/attr.h"
#include "base/clock.h"

#include <err.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS  200
#define WARM    20
#define WAIT_MS 10000

static char dir[] = "/tmp/bench.XXXXXX";

static const char *
in_dir(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void
write_config(const char *worker)
{
	FILE *f = fopen(in_dir("supd.yaml"), "we");

	if (f == NULL)
		err(1, "supd.yaml");
	fprintf(f,
	    "supervisor: root\nintensity: 100000\nperiod: 1s\nchildren:\n"
	    "  - {worker: w, command: [%s, %s/fifo]}\n",
	    worker, dir);
	if (fclose(f) == EOF)
		err(1, "supd.yaml");
}

static void
exec_supd(const char *supd)
{
	char conf[64], sock[64];
	int fd = open("/dev/null", O_WRONLY);

	snprintf(conf, sizeof(conf), "%s/supd.yaml", dir);
	snprintf(sock, sizeof(sock), "%s/r/control.sock", dir);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	dup2(fd, STDERR_FILENO);
	execl(supd, "supd", "-c", conf, "-s", sock, (char *)NULL);
	_exit(127);
}

/* The least: no readiness, no log, no limits, one child. */
static void
run_least(const char *worker)
{
	const char *fifo = in_dir("fifo");

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		pid_t pid = vfork();
		struct pollfd p;

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			execl(worker, worker, fifo, (char *)NULL);
			_exit(127);
		}
		p.fd = (int)syscall(SYS_pidfd_open, pid, 0);
		p.events = POLLIN;
		poll(&p, 1, -1);
		waitpid(pid, NULL, 0);
		close(p.fd);
	}
}

static pid_t
next_pid(int fifo)
{
	struct pollfd p = { fifo, POLLIN, 0 };
	int pid;

	if (poll(&p, 1, WAIT_MS) != 1 ||
	    read(fifo, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
		errx(1, "no worker said that it runs");
	return pid;
}

static int
compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* The median; the process that restarts is ended afterwards. */
static int64_t
measure(pid_t supervisor, int fifo)
{
	int64_t took_ns[ROUNDS];
	pid_t pid = next_pid(fifo);
	int status;

	for (int i = -WARM; i < ROUNDS; i++) {
		mono_t start = clock_mono();

		kill(pid, SIGKILL);
		pid = next_pid(fifo);
		if (i >= 0)
			took_ns[i] = clock_mono().ns - start.ns;
	}
	kill(supervisor, SIGTERM);
	if (waitpid(supervisor, &status, 0) < 0)
		err(1, "waitpid");
	qsort(took_ns, ROUNDS, sizeof(took_ns[0]), compare);
	return took_ns[ROUNDS / 2];
}

static void
clean_up(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	(void)!system(command);
}

int
main(int argc, char **argv)
{
	int64_t supd_ns, least_ns;
	char *worker; /* absolute: supd runs it elsewhere */
	int fifo;
	pid_t pid;

	if (argc != 3)
		errx(64, "usage: bench_restart SUPD WORKER");
	worker = realpath(argv[2], NULL);
	if (worker == NULL)
		err(1, "%s", argv[2]);
	if (mkdtemp(dir) == NULL || atexit(clean_up) != 0)
		err(1, "%s", dir);
	write_config(worker);
	if (mkfifo(in_dir("fifo"), 0600) < 0 ||
	    (fifo = open(in_dir("fifo"), O_RDWR | O_CLOEXEC)) < 0)
		err(1, "fifo");
	pid = fork();
	if (pid == 0)
		run_least(worker);
	least_ns = measure(pid, fifo);
	pid = fork();
	if (pid == 0)
		exec_supd(argv[1]);
	supd_ns = measure(pid, fifo);
	close(fifo);
	free(worker);
	printf("crash to restart, median of %d: supd %lld us, the least "
	       "possible %lld us, ratio %.2f\n",
	    ROUNDS, (long long)(supd_ns / 1000), (long long)(least_ns / 1000),
	    (double)supd_ns / (double)least_ns);
	return 0;
}
