/* SPDX-License-Identifier: ISC */
/*
 * pingpong: two workers that play.
 *
 *   pingpong pong [NAME]                 register NAME (pong), return each ball
 *   pingpong ping [NAME [MS [ROUNDS]]]   serve a ball to NAME every MS (1000),
 *                                        ROUNDS times (0: for ever), and print
 *                                        how long it took to come back
 *
 * Neither waits for ever for the other: ping learns of the other's end by a
 * monitor, of its silence by a timeout, and plays on with its next incarnation;
 * pong goes back to its beginning when no ball comes any more.
 */
#include <err.h>
#include <errno.h>
#include <msg/format.h>
#include <msg/msg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_AGAIN_MS 100
#define PATIENCE_MS   5000

static void
must(int r, const char *what)
{
	if (r < 0 && r != -EINTR)
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
	long n, balls = 0;
	int r;

	must(msg_register(name), "register");
	must(msg_ready(), "ready");
	for (;;) {
		r = msg_receive(&m, balls != 0 ? PATIENCE_MS : -1);
		must(r, "receive");
		if (r == 0) {
			printf("no ball for %d ms, after %ld\n", PATIENCE_MS,
			    balls);
			balls = 0;
		}
		if (r != 1)
			continue;
		if (msg_match(&m, "ping %ld", &n)) {
			must(msg_sendf(m.from, "pong %ld", n), "send");
			balls++;
		}
		msg_free(&m);
	}
}

/*
 * Wait at most ms for ball n to come back, or any other if n is 0.  False when
 * the other player has ended.
 */
static bool
wait_for(msg_pid peer, uint64_t monitor, long n, int ms)
{
	const struct msg_pattern patterns[] = {
		{ .kinds = MSG_IS(MSG_DOWN), .ref = monitor },
		{ .kinds = MSG_IS(MSG_DATA), .from = peer, .tag = "pong" },
	};
	double t = now_us();
	struct msg m;
	long got;
	int r;

	while ((r = msg_receive_match(&m, patterns, 2, ms)) > 0) {
		if (r == 1)
			printf("DOWN: %s\n", (const char *)m.body);
		else if (msg_match(&m, "pong %ld", &got) && got == n)
			printf("pong in %.0f us\n", now_us() - t);
		else
			r = 3; /* one that was late */
		msg_free(&m);
		if (r != 3)
			return r != 1;
	}
	must(r, "receive");
	if (n != 0)
		printf("no pong in %d ms\n", ms);
	return true;
}

/* Play with one incarnation until it ends, or all rounds are played. */
static long
play(msg_pid peer, int ms, long rounds)
{
	uint64_t ref;
	long n = 0;
	int r;

	must(msg_monitor(peer, &ref), "monitor");
	do {
		r = msg_sendf(peer, "ping %ld", n + 1);
		if (r == -ENOTCONN) /* it is there, but does not listen yet */
			break;
		must(r, "send");
		n++;
	} while (wait_for(peer, ref, n, PATIENCE_MS) && n != rounds &&
		 wait_for(peer, ref, 0, ms));
	(void)msg_demonitor(ref, true);
	return n;
}

static void
ping(const char *name, int ms, long rounds)
{
	long played = 0;
	msg_pid peer;
	int r;

	must(msg_ready(), "ready");
	while (rounds == 0 || played < rounds) {
		r = msg_whereis(name, &peer);
		if (r == 0) {
			printf("found %s\n", name);
			played +=
			    play(peer, ms, rounds != 0 ? rounds - played : 0);
		} else if (r != -ENOENT)
			must(r, "whereis");
		else
			must(msg_sleep(LOOK_AGAIN_MS), "sleep");
	}
	printf("%ld rounds played\n", played);
}

int
main(int argc, char **argv)
{
	const char *role = argc > 1 ? argv[1] : "";
	const char *name = argc > 2 ? argv[2] : "pong";
	long ms = argc > 3 ? strtol(argv[3], NULL, 10) : 1000;
	long rounds = argc > 4 ? strtol(argv[4], NULL, 10) : 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if ((strcmp(role, "ping") != 0 && strcmp(role, "pong") != 0) ||
	    ms < 0 || ms > 3600000 || rounds < 0)
		errx(64, "usage: pingpong pong [NAME] | "
			 "ping [NAME [MS [ROUNDS]]]");
	must(msg_open(), "open");
	if (strcmp(role, "pong") == 0)
		pong(name);
	ping(name, (int)ms, rounds);
	return 0;
}
