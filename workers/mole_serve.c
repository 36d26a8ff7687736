/* SPDX-License-Identifier: ISC */
/*
 * mole serve [WORD ...]: ready by sd_notify, then there until it is told
 * otherwise.  SIGRTMIN + n makes it exit with n.  The words:
 *
 *   gate=NAME    before it is ready, take a byte from the FIFO NAME in the
 *                directory MOLE_GATES: "o" is go on, any other is exit 1
 *   stop=MS      SIGTERM ends it after MS
 *   answer=CODE  SIGTERM makes it exit with CODE
 *   hang         SIGTERM does nothing
 *   shut         when it is ready it closes all that supd has opened for it
 *
 * Other words mean nothing to it.
 */
#include "mole.h"

#include <err.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct manners {
	const char *gate;
	long stop_ms;
	int answer; /* < 0: dies of the SIGTERM */
	bool hang;
	bool shut;
};

static struct manners
read_words(char **args)
{
	struct manners m = { .answer = -1 };

	for (; *args != NULL; args++) {
		if (strncmp(*args, "gate=", 5) == 0)
			m.gate = *args + 5;
		else if (strncmp(*args, "stop=", 5) == 0)
			m.stop_ms = strtol(*args + 5, NULL, 10);
		else if (strncmp(*args, "answer=", 7) == 0)
			m.answer = (int)strtol(*args + 7, NULL, 10);
		else if (strcmp(*args, "hang") == 0)
			m.hang = true;
		else if (strcmp(*args, "shut") == 0)
			m.shut = true;
	}
	return m;
}

/* May it start?  Waits for the answer, one byte a start. */
static bool
pass_gate(const char *name)
{
	const char *dir = getenv("MOLE_GATES");
	char path[256], c = '\0';
	int fd;

	if (dir == NULL)
		errx(78, "MOLE_GATES is not set");
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd == -1)
		err(71, "%s", path);
	if (read(fd, &c, 1) != 1)
		err(71, "read %s", path);
	close(fd);
	return c == 'o';
}

/* Only what dies of the signal itself looks so to its parent. */
static void
die_of(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	raise(sig);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static int
obey_term(const struct manners *m)
{
	struct timespec t = { m->stop_ms / 1000, m->stop_ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) == -1)
		;
	if (m->answer < 0)
		die_of(SIGTERM);
	return m->answer;
}

int
mole_serve(char **args)
{
	struct manners m = read_words(args);
	sigset_t set;
	int sig;

	if (m.gate != NULL && !pass_gate(m.gate))
		return 1;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	for (sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
		sigaddset(&set, sig);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (getenv("NOTIFY_SOCKET") != NULL)
		mole_notify("READY=1");
	if (m.shut)
		close_range(0, ~0U, 0);
	for (;;) {
		if (sigwait(&set, &sig) != 0)
			continue;
		if (sig != SIGTERM)
			return sig - SIGRTMIN;
		if (!m.hang)
			return obey_term(&m);
	}
}
