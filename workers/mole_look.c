/* SPDX-License-Identifier: ISC */
/*
 * The eyes of mole: what did supd give this process?  One fact a line,
 * "key value", so that a test can grep for it; then it exits 0.
 */
#include "mole.h"

#include <dirent.h>
#include <err.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

extern char **environ;

void
mole_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd;

	if (path == NULL || strlen(path) >= sizeof(to.sun_path))
		errx(78, "NOTIFY_SOCKET is not set: use `ready: notify`");
	strcpy(to.sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1 ||
	    send(fd, text, strlen(text), MSG_NOSIGNAL) == -1)
		err(71, "notify %s", path);
	close(fd);
}

int
mole_list_fds(char **args)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;

	(void)args;
	if (d == NULL)
		err(71, "/proc/self/fd");
	while ((e = readdir(d)) != NULL) {
		char path[NAME_MAX + 32], to[PATH_MAX];
		ssize_t n;

		if (e->d_name[0] == '.' || atoi(e->d_name) == dirfd(d))
			continue;
		snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		printf("%s %.*s\n", e->d_name, n > 0 ? (int)n : 0, to);
	}
	closedir(d);
	return 0;
}

int
mole_print_env(char **args)
{
	(void)args;
	for (char **e = environ; *e != NULL; e++)
		puts(*e);
	return 0;
}

static void
print_limits(void)
{
	static const struct {
		const char *name;
		int resource;
	} lims[] = {
		{ "as", RLIMIT_AS },
		{ "core", RLIMIT_CORE },
		{ "cpu", RLIMIT_CPU },
		{ "data", RLIMIT_DATA },
		{ "fsize", RLIMIT_FSIZE },
		{ "memlock", RLIMIT_MEMLOCK },
		{ "nofile", RLIMIT_NOFILE },
		{ "nproc", RLIMIT_NPROC },
		{ "stack", RLIMIT_STACK },
	};

	for (size_t i = 0; i < sizeof(lims) / sizeof(lims[0]); i++) {
		struct rlimit r;

		if (getrlimit((__rlimit_resource_t)lims[i].resource, &r) == 0)
			printf("rlimit.%s %lld:%lld\n", lims[i].name,
			    r.rlim_cur == RLIM_INFINITY ? -1LL
							: (long long)r.rlim_cur,
			    r.rlim_max == RLIM_INFINITY
				? -1LL
				: (long long)r.rlim_max);
	}
}

static void
print_signals(void)
{
	struct sigaction sa;
	sigset_t set;

	sigprocmask(SIG_BLOCK, NULL, &set);
	printf("sigmask");
	for (int s = 1; s < NSIG; s++)
		if (sigismember(&set, s) == 1)
			printf(" %d", s);
	printf("\nsigignored");
	for (int s = 1; s < NSIG; s++)
		if (sigaction(s, NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			printf(" %d", s);
	printf("\n");
}

int
mole_print_ids(char **args)
{
	gid_t groups[NGROUPS_MAX];
	int n = getgroups(NGROUPS_MAX, groups);
	char oom[32] = "", cwd[PATH_MAX] = "";
	mode_t mask = umask(0);
	FILE *f = fopen("/proc/self/oom_score_adj", "r");

	(void)args;
	umask(mask);
	if (f != NULL) {
		if (fgets(oom, sizeof(oom), f) != NULL)
			oom[strcspn(oom, "\n")] = '\0';
		fclose(f);
	}
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		warn("getcwd");
	printf("pid %d\nppid %d\nsid %d\npgid %d\n", (int)getpid(),
	    (int)getppid(), (int)getsid(0), (int)getpgrp());
	printf("uid %u\neuid %u\ngid %u\negid %u\ngroups", getuid(), geteuid(),
	    getgid(), getegid());
	for (int i = 0; i < n; i++)
		printf(" %u", groups[i]);
	printf("\numask %03o\nnice %d\noom_score_adj %s\ncwd %s\n",
	    (unsigned)mask, getpriority(PRIO_PROCESS, 0), oom, cwd);
	print_limits();
	print_signals();
	return 0;
}
