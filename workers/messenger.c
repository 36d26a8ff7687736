/* SPDX-License-Identifier: ISC */
/*
 * messenger server         knows who is logged on, as "messenger"
 *   ["logon", NAME], ["logoff"], ["message", TO, TEXT] from a user
 *
 * messenger user NAME      a user: logs on, prints what others tell it
 *   ["tell", TO, TEXT]     supctl call NAME '["tell", "bob", "hello"]'
 *
 * A user whose server ends does too, and logs on again when both were
 * restarted.  A server forgets a user that ends.
 */
#include "table.h"

#include <err.h>
#include <msg/server.h>
#include <stdio.h>
#include <string.h>

/* ---- the server: the value of each user is its pid, in `timer` its monitor */

static struct entry *
user_of(struct table *users, msg_pid pid)
{
	struct entry *e;

	TAILQ_FOREACH (e, users, entry)
		if (memcmp(e->value, &pid, sizeof(pid)) == 0)
			return e;
	return NULL;
}

static struct msg_next
pass_on(struct table *users, const struct msg *call, const char *name,
    const char *text, struct msg_pack *reply)
{
	const struct entry *from = user_of(users, call->from);
	const struct entry *to = table_find(users, name);
	msg_pid pid;

	if (from == NULL)
		return msg_next_refuse("you_are_not_logged_on");
	if (to == NULL)
		return msg_next_refuse("receiver_not_found");
	memcpy(&pid, to->value, sizeof(pid));
	msg_castf(pid, "message_from %s %s", from->key, text);
	msg_packf(reply, "sent");
	return msg_next_reply();
}

static struct msg_next
server_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	char name[TABLE_KEY_MAX + 1], text[1024];
	struct entry *e;

	if (msg_match(call, "message %63s %1023s", name, text))
		return pass_on(state, call, name, text, reply);
	if (msg_match(call, "logoff")) {
		e = user_of(state, call->from);
		if (e != NULL)
			msg_demonitor(e->timer, true);
		table_remove(state, e);
		return msg_next_reply();
	}
	if (!msg_match(call, "logon %63s", name))
		return msg_next_unknown(call);
	if (table_find(state, name) != NULL)
		return msg_next_refuse("user_exists: %s", name);
	e = table_put(state, name, &call->from, sizeof(call->from));
	if (e == NULL || msg_monitor(call->from, &e->timer) != 0)
		return msg_next_stop("out_of_memory");
	msg_packf(reply, "logged_on");
	return msg_next_reply();
}

static struct msg_next
server_info(void *state, const struct msg *m)
{
	if (m->kind == MSG_DOWN)
		table_remove(state, table_find_timer(state, m->ref));
	return msg_next_noreply();
}

/* ---- a user -------------------------------------------------------------- */

static struct msg_next
user_init(void *state)
{
	const char *name = state;
	uint64_t ref;
	int r = msg_monitor_name("messenger", &ref);

	if (r == 0)
		r = msg_callf_name("messenger", -1, NULL, "logon %s", name);
	return r == 0 ? msg_next_ok() : msg_next_stop(msg_strerror(r));
}

static struct msg_next
user_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	char to[TABLE_KEY_MAX + 1], text[1024];
	int r;

	(void)state;
	if (!msg_match(call, "tell %63s %1023s", to, text))
		return msg_next_refuse("try [\"tell\", TO, TEXT]");
	r = msg_callf_name("messenger", -1, NULL, "message %s %s", to, text);
	if (r != 0)
		return msg_next_refuse("%s", msg_strerror(r));
	msg_packf(reply, "sent");
	return msg_next_reply();
}

static struct msg_next
user_cast(void *state, const struct msg *m)
{
	char from[TABLE_KEY_MAX + 1], text[1024];

	(void)state;
	if (msg_match(m, "message_from %63s %1023s", from, text))
		printf("Message from %s: %s\n", from, text);
	return msg_next_noreply();
}

static struct msg_next
user_info(void *state, const struct msg *m)
{
	(void)state;
	if (m->kind == MSG_DOWN)
		return msg_next_stop("messenger_ended");
	return msg_next_noreply();
}

int
main(int argc, char **argv)
{
	static const struct msg_server_ops server = {
		.handle_call = server_call,
		.handle_info = server_info,
	};
	static const struct msg_server_ops user = {
		.init = user_init,
		.handle_call = user_call,
		.handle_cast = user_cast,
		.handle_info = user_info,
	};
	struct table users = TAILQ_HEAD_INITIALIZER(users);

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && strcmp(argv[1], "server") == 0)
		msg_server_main(&server, &users, "messenger");
	if (argc == 3 && strcmp(argv[1], "user") == 0)
		msg_server_main(&user, argv[2], argv[2]);
	errx(64, "usage: messenger server | user NAME");
}
