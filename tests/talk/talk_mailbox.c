/* SPDX-License-Identifier: ISC */
/* What the mailbox promises: names, calls, messages to oneself. */
#include "talk.h"

#include <errno.h>
#include <msg/msg.h>
#include <string.h>

static void
a_name_is_ones_own_until_it_is_given_up(void)
{
	msg_pid pid;

	check_ok(msg_register("talk-name"));
	check_ok(msg_whereis("talk-name", &pid));
	check(pid == msg_self());
	check_ok(msg_unregister("talk-name"));
	check_int(msg_whereis("talk-name", &pid), -ENOENT);
}

static void
messages_to_oneself_come_in_order(void)
{
	struct msg m;

	for (int i = 0; i < 1000; i++)
		check_ok(msg_send(msg_self(), MSG_BYTES, &i, sizeof(i)));
	for (int i = 0; i < 1000; i++) {
		check_int(msg_receive(&m, 0), 1);
		check(memcmp(m.body, &i, sizeof(i)) == 0);
		msg_free(&m);
	}
	check_int(msg_receive(&m, 0), 0);
}

static void
a_call_to_nobody_is_noproc(void)
{
	check_int(
	    msg_call_name("talk-nobody", MSG_BYTES, "x", 1, -1, NULL), -ESRCH);
	check_int(msg_send_name("talk-nobody", MSG_BYTES, "x", 1), -ENOENT);
}

static const struct talk_case cases[] = {
	{ "P-10 a name is one's own until it is given up",
	    a_name_is_ones_own_until_it_is_given_up },
	{ "P-4 messages to oneself come in order",
	    messages_to_oneself_come_in_order },
	{ "G-2 a call to nobody is noproc", a_call_to_nobody_is_noproc },
	{ NULL, NULL },
};

static const struct talk_role roles[] = {
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	return talk_main(argc, argv, cases, roles);
}
