/* SPDX-License-Identifier: ISC */
/*
 * tally: counter by a loop of its own.  What is the state of a server there is
 * a variable of the loop here; what it does not know it drops.
 *
 *   ["increment"], ["decrement"]   by send or call
 *   ["value"]                      by call
 */
#include <err.h>
#include <errno.h>
#include <msg/format.h>
#include <msg/msg.h>

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "tally";
	long value = 0;
	struct msg m;
	int r;

	if ((r = msg_open()) != 0 || (r = msg_register(name)) != 0 ||
	    (r = msg_ready()) != 0)
		errx(1, "%s", msg_strerror(r));
	while ((r = msg_receive(&m, -1)) == 1 || r == -EINTR) {
		if (r == -EINTR)
			continue;
		if (msg_match(&m, "increment"))
			value++;
		else if (msg_match(&m, "decrement"))
			value--;
		if (m.kind == MSG_CALL)
			msg_replyf(&m, "%ld", value);
		msg_free(&m);
	}
	errx(1, "%s", msg_strerror(r));
}
