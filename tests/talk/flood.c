/* SPDX-License-Identifier: ISC */
/*
 * flood NAME: called with ["flood", N] it sends ["n", 0] ... ["n", N - 1] to
 * who has called, takes as many from it, in order, and sends ["in-order", N].
 * Any other call is replied to with what it was.
 */
#include <err.h>
#include <msg/format.h>
#include <msg/msg.h>
#include <msg/pack.h>
#include <stdlib.h>

static void
must(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, msg_strerror(r));
}

static void
flood(msg_pid to, long n)
{
	struct msg_pattern its = { .from = to, .tag = "n" };
	struct msg m;
	long i, got;

	for (i = 0; i < n; i++)
		must(msg_sendf(to, "n %ld", i), "send");
	for (i = 0; i < n; i++) {
		must(msg_receive_match(&m, &its, 1, -1), "receive");
		if (!msg_match(&m, "n %ld", &got) || got != i)
			errx(1, "not the %ldth", i);
		msg_free(&m);
	}
	must(msg_sendf(to, "in-order %ld", n), "send");
}

int
main(int argc, char **argv)
{
	struct msg m;
	long n;

	must(msg_open(), "open");
	must(msg_register(argc > 1 ? argv[1] : "flood"), "register");
	must(msg_ready(), "ready");
	for (;;) {
		struct msg_pattern call = { .kinds = MSG_IS(MSG_CALL) };

		must(msg_receive_match(&m, &call, 1, -1), "receive");
		must(msg_reply(&m, m.content, m.body, m.len), "reply");
		if (msg_match(&m, "flood %ld", &n))
			flood(m.from, n);
		msg_free(&m);
	}
}
