/* SPDX-License-Identifier: ISC */
/*
 * pingpong: two workers that talk over a pipe of their own.
 *
 *   pingpong pong [NAME]        register NAME (pong), answer every call
 *   pingpong ping [NAME] [MS]   call NAME every MS (1000), print the time a
 *                               round trip took; when it ends say so, and go
 *                               on with its next incarnation
 */
#include <err.h>
#include <errno.h>
#include <msg/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_AGAIN_MS 100

static void
must(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, msg_strerror(r));
}

static double
now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void
pong(const char *name)
{
	struct msg m;
	int r;

	must(msg_register(name), "register");
	must(msg_ready(), "ready");
	for (;;) {
		r = msg_receive(&m, -1);
		if (r == -EINTR)
			continue;
		must(r, "receive");
		if (m.kind == MSG_CALL)
			must(msg_reply(&m, m.content, m.body, m.len), "reply");
		msg_free(&m);
	}
}

/* Wait for the peer's end, at most ms.  True, and how, if it has come. */
static bool
ended(uint64_t ref, int ms)
{
	struct msg m;
	bool down = false;

	while (!down && msg_receive(&m, ms) == 1) {
		down = m.kind == MSG_DOWN && m.ref == ref;
		if (down)
			printf("DOWN: %s\n", (const char *)m.body);
		msg_free(&m);
	}
	return down;
}

/* Play with one incarnation until it ends. */
static void
play(msg_pid peer, int ms)
{
	struct msg reply;
	uint64_t ref;
	double t;
	int r;

	must(msg_monitor(peer, &ref), "monitor");
	do {
		t = now_us();
		r = msg_call(peer, MSG_BYTES, "ping", 4, -1, &reply);
		if (r == 0) {
			printf("pong in %.0f us\n", now_us() - t);
			msg_free(&reply);
		} else {
			printf("no pong: %s\n", msg_strerror(r));
			if (r == -EPIPE)
				exit(1);
		}
	} while (!ended(ref, ms));
}

static void
ping(const char *name, int ms)
{
	msg_pid peer;
	struct msg m;
	int r;

	must(msg_ready(), "ready");
	for (;;) {
		r = msg_whereis(name, &peer);
		if (r == 0) {
			printf("found %s\n", name);
			play(peer, ms);
		} else if (r != -ENOENT) {
			must(r, "whereis");
		} else if (msg_receive(&m, LOOK_AGAIN_MS) == 1) {
			msg_free(&m);
		}
	}
}

int
main(int argc, char **argv)
{
	const char *role = argc > 1 ? argv[1] : "";
	const char *name = argc > 2 ? argv[2] : "pong";
	long ms = argc > 3 ? strtol(argv[3], NULL, 10) : 1000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (ms < 0 || ms > 3600000)
		errx(64, "not a time in ms: %s", argv[3]);
	if (strcmp(role, "ping") != 0 && strcmp(role, "pong") != 0)
		errx(64, "usage: pingpong pong [NAME] | ping [NAME] [MS]");
	must(msg_open(), "open");
	if (strcmp(role, "pong") == 0)
		pong(name);
	ping(name, (int)ms);
}
