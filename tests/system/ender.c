/* SPDX-License-Identifier: ISC */
/*
 * ender [-i | -t]: say what ends it hears of, and end by msg_exit() when told
 * to by ["exit", REASON].  -t: it traps exits, and ends with its supervisor's
 * reason.  -i: it does not want to run.
 */
#include <err.h>
#include <msg/msg.h>
#include <msg/pack.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void
obey(const struct msg *m)
{
	char tag[MSG_TAG_MAX + 1], reason[MSG_REASON_MAX + 1];
	struct msg_unpack u;
	const char *text;
	size_t len;

	if (msg_unpack_tag(m, &u, tag) != 1 || strcmp(tag, "exit") != 0 ||
	    msg_unpack_str(&u, &text, &len) != 0 || len > MSG_REASON_MAX)
		return;
	memcpy(reason, text, len);
	reason[len] = '\0';
	msg_exit(reason);
}

int
main(int argc, char **argv)
{
	bool traps = argc > 1 && strcmp(argv[1], "-t") == 0;
	bool ignores = argc > 1 && strcmp(argv[1], "-i") == 0;
	struct msg m;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (ignores && msg_open() == 0)
		msg_exit("ignore");
	if (msg_open() != 0 || (traps && msg_trap_exit(true) != 0) ||
	    msg_ready() != 0)
		errx(1, "cannot join");
	while (msg_receive(&m, -1) == 1) {
		if (m.kind == MSG_EXIT)
			printf("EXIT %s\n", (const char *)m.body);
		else if (m.kind == MSG_DOWN)
			printf("DOWN %s\n", (const char *)m.body);
		else
			obey(&m);
		if (m.kind == MSG_EXIT && m.from == MSG_SUPERVISOR)
			msg_exit(m.body);
		msg_free(&m);
	}
	return 1;
}
