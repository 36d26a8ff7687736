/* SPDX-License-Identifier: ISC */
/*
 * links: what becomes of one when another ends.  POOL makes `boom`s.
 *
 *   links crash POOL [MS]   linked to one that crashes after MS (500): so does
 *                           it, and the reverse
 *   links watch POOL        monitors: it hears of each end, and why
 *   links trap POOL         linked, but traps exits: they become messages
 */
#include <err.h>
#include <errno.h>
#include <msg/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
must(int r, const char *what)
{
	if (r < 0 && r != -EINTR)
		errx(1, "%s: %s", what, msg_strerror(r));
}

static void
crash(const char *pool, const char *ms)
{
	const char *const args[] = { "boom", ms, NULL };
	struct msg m;
	msg_pid pid;
	int r;

	must(msg_spawn_link(pool, args, &pid), "spawn");
	printf("linked to a child; when it goes, so do I\n");
	while ((r = msg_receive(&m, -1)) != -EPIPE)
		if (r == 1)
			msg_free(&m);
}

static void
watch(const char *pool)
{
	const char *const reasons[] = { "normal", "shutdown", "boom" };
	struct msg m;
	msg_pid pid;
	uint64_t ref;

	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const char *const args[] = { reasons[i], NULL };

		must(msg_spawn_monitor(pool, args, &pid, &ref), "spawn");
		must(msg_receive(&m, -1), "receive");
		if (m.kind == MSG_DOWN && m.ref == ref)
			printf("DOWN: %s\n", (const char *)m.body);
		msg_free(&m);
	}
	printf("and I still run\n");
	must(msg_receive(&m, -1), "receive");
}

static void
trap(const char *pool)
{
	const char *const normal[] = { "normal", NULL };
	const char *const boom[] = { "boom", NULL };
	struct msg m;
	msg_pid pid;

	must(msg_trap_exit(true), "trap");
	must(msg_spawn_link(pool, normal, &pid), "spawn");
	must(msg_spawn_link(pool, boom, &pid), "spawn");
	for (;;) {
		must(msg_receive(&m, -1), "receive");
		if (m.kind == MSG_EXIT)
			printf("EXIT from %s: %s\n",
			    m.from == MSG_SUPERVISOR ? "my supervisor"
						     : "a child",
			    (const char *)m.body);
		/* As a process of OTP should, when its parent says so. */
		if (m.kind == MSG_EXIT && m.from == MSG_SUPERVISOR)
			msg_exit(m.body);
		msg_free(&m);
	}
}

int
main(int argc, char **argv)
{
	const char *lesson = argc > 2 ? argv[1] : "";

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (strcmp(lesson, "crash") != 0 && strcmp(lesson, "watch") != 0 &&
	    strcmp(lesson, "trap") != 0)
		errx(64,
		    "usage: links crash POOL [MS] | watch POOL | trap POOL");
	must(msg_open(), "open");
	if (strcmp(lesson, "crash") == 0)
		crash(argv[2], argc > 3 ? argv[3] : "500");
	else if (strcmp(lesson, "watch") == 0)
		watch(argv[2]);
	else
		trap(argv[2]);
	return 0;
}
