/* SPDX-License-Identifier: ISC */
/*
 * mole told SOCKET ID HOW ANSWER: the worker that does what somebody tells it
 * over a SOCK_SEQPACKET socket, a word a message:
 *
 *   start ID PID  said at once
 *   stop          said when SIGTERM comes
 *
 *   go            say READY=1
 *   exit N        exit with N
 *   term          die of SIGTERM
 *
 * HOW it takes SIGTERM: obey: it does what ANSWER says, one of these words;
 * slow, refuse: nothing, until it is told or killed.  It ends when the other
 * end of the socket closes.
 */
#include "mole.h"

#include <err.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int
connect_to(const char *path)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(to.sun_path))
		errx(64, "%s: too long for a socket", path);
	strcpy(to.sun_path, path);
	if (fd == -1 || connect(fd, (struct sockaddr *)&to, sizeof(to)) == -1)
		err(71, "%s", path);
	return fd;
}

static void
say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) == -1)
		err(71, "who tells me what to do");
}

static void
die_of_term(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	signal(SIGTERM, SIG_DFL);
	raise(SIGTERM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
do_as_told(const char *text)
{
	int code;

	if (strcmp(text, "go") == 0)
		mole_notify("READY=1");
	else if (sscanf(text, "exit %d", &code) == 1)
		_exit(code);
	else if (strcmp(text, "term") == 0)
		die_of_term();
	else
		errx(64, "told what? %s", text);
}

static void
told(int fd)
{
	char text[64];
	ssize_t n = recv(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		exit(0);
	text[n] = '\0';
	do_as_told(text);
}

int
mole_told(char **args)
{
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct signalfd_siginfo info;
	char hello[96];
	sigset_t set;

	for (int i = 0; i < 4; i++)
		if (args[i] == NULL)
			errx(64, "told by whom, who am I, and what to do?");
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
	fds[0].fd = connect_to(args[0]);
	snprintf(hello, sizeof(hello), "start %s %d", args[1], (int)getpid());
	say(fds[0].fd, hello);
	for (;;) {
		if (poll(fds, 2, -1) == -1)
			continue;
		if (fds[0].revents != 0)
			told(fds[0].fd);
		if (fds[1].revents == 0 ||
		    read(fds[1].fd, &info, sizeof(info)) != sizeof(info))
			continue;
		say(fds[0].fd, "stop");
		if (strcmp(args[2], "obey") == 0)
			do_as_told(args[3]);
	}
}
