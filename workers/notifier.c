/* SPDX-License-Identifier: ISC */
/*
 * notifier: a plain daemon that speaks sd_notify(3), without libsystemd.  Says
 * READY=1 to NOTIFY_SOCKET after MS milliseconds (default 100), then idles
 * until SIGTERM, and says STOPPING=1.
 */
#include <err.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void
notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t len = path != NULL ? strlen(path) : 0;
	int fd;

	if (len == 0)
		errx(78, "NOTIFY_SOCKET is not set: use `ready: notify`");
	if (len >= sizeof(to.sun_path))
		errx(78, "NOTIFY_SOCKET is too long: %s", path);
	memcpy(to.sun_path, path, len);
	if (path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1 ||
	    sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) ==
		-1)
		err(71, "notify %s", path);
	close(fd);
}

int
main(int argc, char **argv)
{
	long ms = argc > 1 ? strtol(argv[1], NULL, 10) : 100;
	struct timespec delay = { ms / 1000, ms % 1000 * 1000000 };
	sigset_t set;
	int sig;

	if (ms < 0)
		errx(64, "usage: notifier [MS]");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	nanosleep(&delay, NULL);
	notify("READY=1\nSTATUS=idling");
	printf("ready after %ld ms\n", ms);
	fflush(stdout);
	while (sigwait(&set, &sig) != 0)
		;
	notify("STOPPING=1");
	return 0;
}
