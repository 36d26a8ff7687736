/* SPDX-License-Identifier: ISC */
/*
 * boom REASON [MS]: a worker that ends with that reason, after MS (0).
 * What "normal", "shutdown" and any other do, `links` shows.
 */
#include <err.h>
#include <msg/msg.h>
#include <stdlib.h>

int
main(int argc, char **argv)
{
	int ms = argc > 2 ? atoi(argv[2]) : 0, r;

	if (argc < 2 || ms < 0)
		errx(64, "usage: boom REASON [MS]");
	if ((r = msg_open()) != 0 || (r = msg_sleep(ms)) != 0)
		errx(1, "%s", msg_strerror(r));
	msg_exit(argv[1]);
}
