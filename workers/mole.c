/* SPDX-License-Identifier: ISC */
/*
 * mole: the worker that misbehaves on request, for system tests.
 *
 *   exit CODE [MS]            exit with CODE (after MS)
 *   signal N [MS]             die of signal N (after MS)
 *   sleep                     until killed
 *   ignore-term               until SIGKILL
 *   clean-after-term MS       on SIGTERM, exit 0 after MS
 *   fork-grandchildren N [F]  leave N children that ignore SIGTERM, and exit;
 *                             their pids go to the file F
 *   flood [MB]                write MB megabytes of lines (default: for ever)
 *   slow-start MS [FD]        after MS say ready: newline on FD, or sd_notify
 *   serve [WORD ...]          do as mole_serve.c says
 *   beat MS [N [TEXT]]        WATCHDOG=1 every MS, for ever, or N times; then
 *                             it hangs, after telling TEXT if there is one
 *   alive MS [N]              the same by libmsg
 *   told SOCKET ID HOW ANSWER do what comes over SOCKET: see mole_told.c
 *   list-fds | print-env | print-ids
 */
#include "mole.h"

#include <err.h>
#include <msg/msg.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long
number(const char *text, long otherwise)
{
	char *end;
	long v = otherwise;

	if (text != NULL) {
		v = strtol(text, &end, 10);
		if (*text == '\0' || *end != '\0' || v < 0)
			errx(64, "not a number: %s", text);
	}
	return v;
}

static void
pause_ms(long ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) == -1)
		;
}

static int
idle(void)
{
	while (pause() == -1)
		;
	return 0;
}

static int
do_exit(char **args)
{
	pause_ms(number(args[0] != NULL ? args[1] : NULL, 0));
	return (int)number(args[0], 0);
}

static int
do_signal(char **args)
{
	int sig = (int)number(args[0], SIGKILL);

	pause_ms(number(args[0] != NULL ? args[1] : NULL, 0));
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	signal(sig, SIG_DFL);
	raise(sig);
	return 1;
}

static int
do_sleep(char **args)
{
	(void)args;
	return idle();
}

static int
do_ignore_term(char **args)
{
	(void)args;
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	puts("ignoring SIGTERM");
	fflush(stdout);
	return idle();
}

static int
do_clean_after_term(char **args)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	puts("waiting for SIGTERM");
	fflush(stdout);
	while (sigwait(&set, &sig) != 0)
		;
	puts("cleaning up");
	fflush(stdout);
	pause_ms(number(args[0], 0));
	puts("clean");
	return 0;
}

static int
do_fork_grandchildren(char **args)
{
	const char *path = args[0] != NULL ? args[1] : NULL;
	FILE *f = path != NULL ? fopen(path, "w") : stdout;
	int ready[2];
	char c;

	if (f == NULL || pipe(ready) == -1)
		err(71, "%s", path != NULL ? path : "pipe");
	for (long n = number(args[0], 1); n > 0; n--) {
		pid_t pid = fork();

		if (pid == -1)
			err(71, "fork");
		if (pid == 0) {
			signal(SIGTERM, SIG_IGN);
			(void)!write(ready[1], "", 1);
			idle();
		}
		/* Only when it ignores SIGTERM does it count as left behind. */
		(void)!read(ready[0], &c, 1);
		fprintf(f, "%d\n", (int)pid);
	}
	fflush(f);
	return 0;
}

static int
do_flood(char **args)
{
	long mb = number(args[0], -1);
	static char block[64 * 1024];

	/* Lines of 64 bytes, so that each is one worth capturing. */
	memset(block, 'x', sizeof(block));
	for (size_t at = 63; at < sizeof(block); at += 64)
		block[at] = '\n';
	for (long n = 0; mb < 0 || n < mb * 16; n++) {
		if (fwrite(block, sizeof(block), 1, stdout) != 1)
			err(74, "stdout");
	}
	return 0;
}

static int
do_slow_start(char **args)
{
	pause_ms(number(args[0], 1000));
	if (args[0] != NULL && args[1] != NULL) {
		int fd = (int)number(args[1], 0);

		if (write(fd, "\n", 1) != 1)
			err(71, "newline on fd %d", fd);
		close(fd);
	} else {
		mole_notify("READY=1");
	}
	puts("started");
	fflush(stdout);
	return idle();
}

static int
do_beat(char **args)
{
	long ms = number(args[0], 100);
	long n = number(args[0] != NULL ? args[1] : NULL, -1);

	mole_notify("READY=1");
	for (; n != 0; n -= n > 0) {
		mole_notify("WATCHDOG=1");
		pause_ms(ms);
	}
	if (args[0] != NULL && args[1] != NULL && args[2] != NULL)
		mole_notify(args[2]);
	return idle();
}

static int
do_alive(char **args)
{
	long ms = number(args[0], 100);
	long n = number(args[0] != NULL ? args[1] : NULL, -1);
	int r = msg_open();

	if (r == 0)
		r = msg_ready();
	for (; r == 0 && n != 0; n -= n > 0) {
		r = msg_alive();
		pause_ms(ms);
	}
	if (r != 0)
		errx(71, "%s", msg_strerror(r));
	return idle();
}

static const struct {
	const char *name;
	int (*run)(char **args);
} verbs[] = {
	{ "exit", do_exit },
	{ "signal", do_signal },
	{ "sleep", do_sleep },
	{ "ignore-term", do_ignore_term },
	{ "clean-after-term", do_clean_after_term },
	{ "fork-grandchildren", do_fork_grandchildren },
	{ "flood", do_flood },
	{ "slow-start", do_slow_start },
	{ "serve", mole_serve },
	{ "beat", do_beat },
	{ "alive", do_alive },
	{ "told", mole_told },
	{ "list-fds", mole_list_fds },
	{ "print-env", mole_print_env },
	{ "print-ids", mole_print_ids },
};

int
main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (argc > 1 && strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argv + 2);
	}
	fprintf(stderr, "usage: mole VERB [ARG ...], where VERB is one of");
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		fprintf(stderr, " %s", verbs[i].name);
	fprintf(stderr, "\n");
	return 64;
}
