/* SPDX-License-Identifier: ISC */
/*
 * auditor COUNT [NAME [end]]: call counter NAME ("counter") COUNT times, and
 * stay, or end.  Nobody else calls it, so each answer is one more than the
 * last: a call that is lost, or done twice, or answered by somebody else shows.
 */
#include <err.h>
#include <msg/msg.h>
#include <msg/pack.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int64_t
increment(const char *name)
{
	struct msg_unpack u;
	struct msg_pack p;
	struct msg reply;
	int64_t value;
	int r;

	msg_pack_init(&p);
	msg_pack_array(&p, 1);
	msg_pack_str(&p, "increment");
	r = msg_pack_call_name(name, &p, 20000, &reply);
	msg_pack_fini(&p);
	if (r != 0)
		errx(1, "%s", msg_strerror(r));
	if (msg_unpack_init(&u, reply.body, reply.len) != 0 ||
	    msg_unpack_int(&u, &value) != 0)
		errx(1, "no number");
	msg_free(&reply);
	return value;
}

int
main(int argc, char **argv)
{
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
	const char *name = argc > 2 ? argv[2] : "counter";
	int64_t first, value = 0;
	int r = msg_open();

	if (r != 0)
		errx(1, "%s", msg_strerror(r));
	first = increment(name);
	for (long i = 1; i < count; i++) {
		value = increment(name);
		if (value != first + i)
			errx(1, "call %ld was answered by %jd, not %jd", i,
			    (intmax_t)value, (intmax_t)(first + i));
	}
	printf("%ld calls, none missed\n", count);
	fflush(stdout);
	if (argc > 3)
		return 0;
	pause();
}
