/* SPDX-License-Identifier: ISC */
/* The other workers of talk_registry. */
#include "registry_rig.h"

#include <inttypes.h>
#include <msg/format.h>
#include <msg/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A server with a via name, as Agent.start_link(fn -> 0 end, name: via). */
static char **agent_args;

int
holder(char **args)
{
	struct msg m;
	int r;

	check_ok(msg_open());
	r = msg_registry_register(args[0], args[1], text(args[2]), NULL);
	check_ok(msg_ready());
	while (msg_receive(&m, -1) == 1) {
		if (m.kind == MSG_CALL)
			(void)msg_replyf(&m, "%d", r);
		msg_free(&m);
	}
	return 1;
}

static struct msg_next
agent_init(void *state)
{
	const char *value = agent_args[2];
	msg_pid pid = 0;
	char reason[MSG_REASON_MAX + 1];
	int r = msg_via_register(agent_args[0], agent_args[1],
	    strcmp(value, "nil") != 0 ? text(value) : NULL, &pid);

	(void)state;
	if (r == 0)
		return msg_next_ok();
	snprintf(reason, sizeof(reason), "already_started: <%u.%" PRIu64 ">",
	    (unsigned)(pid >> 40), pid & 0xffffffffff);
	return msg_next_error(reason);
}

static struct msg_next
agent_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	int *value = state;

	*value += msg_match(call, "increment");
	msg_packf(reply, "%d", *value);
	return msg_next_reply();
}

static struct msg_next
agent_other(void *state, const struct msg *m)
{
	int *value = state;

	*value += msg_match(m, "increment");
	return msg_next_noreply();
}

int
agent(char **args)
{
	static const struct msg_server_ops ops = {
		.init = agent_init,
		.handle_call = agent_call,
		.handle_cast = agent_other,
		.handle_info = agent_other,
	};
	int value = 0;

	agent_args = args;
	msg_server_main(&ops, &value, NULL);
}

int
locker(char **args)
{
	msg_pid parent = strtoull(args[2], NULL, 10);
	struct msg_registry_lock lock;
	struct msg m;

	check_ok(msg_open());
	check_ok(msg_ready());
	if (msg_registry_lock(args[0], args[1], 0, &lock) != 0) {
		struct msg_pack p;
		uint64_t ref;

		/* The same in two steps, to say so in between. */
		msg_pack_init(&p);
		msg_packf(&p, "[lock %s]", args[1]);
		check_ok(
		    msg_request_name(args[0], MSG_PACKED, p.data, p.len, &ref));
		msg_pack_fini(&p);
		/* Its answer to this comes after it has the request. */
		check(msg_registry_count(args[0]) >= 0);
		check_ok(msg_sendf(parent, "waiting"));
		check_ok(msg_wait_response(ref, -1, NULL));
		check_ok(msg_whereis(args[0], &lock.registry));
		lock.ref = ref;
	}
	check_ok(msg_sendf(parent, "locked"));
	check_int(msg_receive(&m, -1), 1);
	if (msg_match(&m, "raise"))
		msg_exit("oops");
	msg_free(&m);
	check_ok(msg_registry_unlock(&lock));
	return 0;
}
