/* SPDX-License-Identifier: ISC */
/*
 * greet POOL NAME...   for each NAME spawn a child in POOL, which says hello
 *                      and dies
 * greet child          one of those
 */
#include <err.h>
#include <msg/format.h>
#include <msg/msg.h>
#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 10000

static void
must(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, msg_strerror(r));
}

static void
child(void)
{
	char name[64];
	struct msg m;

	while (msg_receive(&m, PATIENCE_MS) == 1) {
		if (msg_match(&m, "greet %63s", name)) {
			printf("hello %s\n", name);
			msg_replyf(&m, "%s", name);
			msg_exit("normal");
		}
		msg_free(&m);
	}
	msg_exit("nobody_to_greet");
}

static void
greet(const char *pool, const char *name)
{
	struct msg_pattern end = { .kinds = MSG_IS(MSG_DOWN) };
	struct msg m;
	msg_pid pid;

	must(msg_spawn_monitor(pool, NULL, &pid, &end.ref), "spawn");
	must(msg_callf(pid, PATIENCE_MS, NULL, "greet %s", name), "greet");
	must(msg_receive_match(&m, &end, 1, PATIENCE_MS), "receive");
	printf("%s was greeted; the child ended: %s\n", name,
	    (const char *)m.body);
	msg_free(&m);
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		errx(64, "usage: greet POOL NAME... | child");
	must(msg_open(), "open");
	if (argc == 2 && strcmp(argv[1], "child") == 0)
		child();
	for (int i = 2; i < argc; i++)
		greet(argv[1], argv[i]);
	return 0;
}
