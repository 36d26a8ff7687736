/* SPDX-License-Identifier: ISC */
/*
 * counter: a worker that counts.  Registers "counter" (or the name given) and
 * answers calls of ["increment"], ["decrement"] and ["value"] with the new
 * value.  Its state dies with it: a new incarnation begins with 0.
 */
#include <err.h>
#include <errno.h>
#include <msg/msg.h>
#include <msg/pack.h>
#include <stdint.h>
#include <string.h>

static int64_t value;

static void
answer(const struct msg *call)
{
	struct msg_unpack args;
	struct msg_pack p;
	char tag[MSG_TAG_MAX + 1];
	int r;

	if (msg_unpack_tag(call, &args, tag) < 0)
		tag[0] = '\0';
	if (strcmp(tag, "increment") == 0)
		value++;
	else if (strcmp(tag, "decrement") == 0)
		value--;
	else if (strcmp(tag, "value") != 0) {
		msg_reply_error(call, "counter understands [\"increment\"], "
				      "[\"decrement\"] and [\"value\"]");
		return;
	}
	msg_pack_init(&p);
	msg_pack_int(&p, value);
	r = msg_pack_reply(call, &p);
	if (r != 0)
		warnx("reply: %s", msg_strerror(r));
	msg_pack_fini(&p);
}

int
main(int argc, char **argv)
{
	const char *name = argc > 1 ? argv[1] : "counter";
	struct msg m;
	int r;

	r = msg_open();
	if (r == 0)
		r = msg_register(name);
	if (r == 0)
		r = msg_ready();
	if (r != 0)
		errx(1, "%s", msg_strerror(r));
	for (;;) {
		r = msg_receive(&m, -1);
		if (r == -EINTR)
			continue;
		if (r < 0)
			errx(1, "%s", msg_strerror(r));
		if (m.kind == MSG_CALL)
			answer(&m);
		msg_free(&m);
	}
}
