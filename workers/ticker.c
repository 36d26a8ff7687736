/* SPDX-License-Identifier: ISC */
/*
 * ticker: a plain program that knows nothing of supd.  Prints a line every MS
 * milliseconds (default 1000), for ever.
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int
main(int argc, char **argv)
{
	long ms = argc > 1 ? strtol(argv[1], NULL, 10) : 1000;
	struct timespec pause = { ms / 1000, ms % 1000 * 1000000 };

	if (ms <= 0)
		errx(64, "usage: ticker [MS]");
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (unsigned long n = 1;; n++) {
		printf("tick %lu\n", n);
		nanosleep(&pause, NULL);
	}
}
