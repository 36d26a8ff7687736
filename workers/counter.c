/* SPDX-License-Identifier: ISC */
/*
 * counter: a server that counts.  Its name is "counter" or the one given; it
 * answers ["increment"], ["decrement"] and ["value"] with the new value.  Its
 * state dies with it: a new incarnation begins with 0.
 */
#include <msg/server.h>

static struct msg_next
handle_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	long *value = state;

	if (msg_match(call, "increment"))
		++*value;
	else if (msg_match(call, "decrement"))
		--*value;
	else if (!msg_match(call, "value"))
		return msg_next_refuse("counter understands [\"increment\"], "
				       "[\"decrement\"] and [\"value\"]");
	msg_packf(reply, "%ld", *value);
	return msg_next_reply();
}

static void
format_state(const void *state, struct msg_pack *out)
{
	msg_packf(out, "%ld", *(const long *)state);
}

int
main(int argc, char **argv)
{
	static const struct msg_server_ops ops = {
		.handle_call = handle_call,
		.format_state = format_state,
	};
	long value = 0;

	msg_server_main(&ops, &value, argc > 1 ? argv[1] : "counter");
}
