/* SPDX-License-Identifier: ISC */
/*
 * crasher: a plain program that now and then ends badly.  Works for a random
 * time up to MAX_MS (default 10000), then exits 1, exits 3, or dies of
 * SIGSEGV.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int
main(int argc, char **argv)
{
	long max_ms = argc > 1 ? strtol(argv[1], NULL, 10) : 10000;
	struct timespec now, work;
	long ms;

	if (max_ms <= 0)
		errx(64, "usage: crasher [MAX_MS]");
	clock_gettime(CLOCK_MONOTONIC, &now);
	srandom((unsigned)now.tv_nsec ^ (unsigned)getpid());
	ms = random() % max_ms + 1;
	work = (struct timespec){ ms / 1000, ms % 1000 * 1000000 };
	printf("working; will crash in %ld ms\n", ms);
	fflush(stdout);
	nanosleep(&work, NULL);
	switch (random() % 3) {
	case 0:
		errx(1, "out of luck: exit 1");
	case 1:
		errx(3, "out of ideas: exit 3");
	default:
		warnx("out of bounds: SIGSEGV");
		setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
		signal(SIGSEGV, SIG_DFL);
		raise(SIGSEGV);
		return 1;
	}
}
