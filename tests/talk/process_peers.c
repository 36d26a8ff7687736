/* SPDX-License-Identifier: ISC */
#include "process_peers.h"

#include <errno.h>
#include <msg/msg.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Ends at once, in the way that is asked for. */
static int
ends(char **args)
{
	const char *how = args[0] != NULL ? args[0] : "return";

	if (strcmp(how, "segv") == 0)
		raise(SIGSEGV);
	if (strcmp(how, "kill") == 0)
		raise(SIGKILL);
	if (strcmp(how, "3") == 0)
		_exit(3);
	if (strncmp(how, "reason=", 7) == 0) {
		check_ok(msg_open());
		msg_exit(how + 7);
	}
	return 0;
}

/* What a peer does when it is called. */
static const char *
obey(const struct msg *call, const char *what)
{
	char n[16];

	if (strcmp(what, "trap") == 0)
		check_ok(msg_trap_exit(true));
	else if (strcmp(what, "link") == 0)
		check_ok(msg_link(call->from));
	else if (strcmp(what, "unlink") == 0)
		check_ok(msg_unlink(call->from));
	else if (strncmp(what, "register ", 9) == 0)
		check_ok(msg_register(what + 9));
	else if (strncmp(what, "signal ", 7) == 0)
		check_ok(msg_exit_to(call->from, what + 7));
	else if (strcmp(what, "numbers") == 0) {
		for (int i = 0; i < 1000; i++) {
			snprintf(n, sizeof(n), "%d", i);
			check_ok(msg_send(call->from, MSG_BYTES, n, strlen(n)));
		}
	} else if (strncmp(what, "numbers, signal ", 16) == 0) {
		(void)obey(call, "numbers");
		check_ok(msg_exit_to(call->from, what + 16));
	} else if (strcmp(what, "numbers, end") == 0) {
		(void)obey(call, "numbers");
		exit(0);
	} else if (strncmp(what, "end ", 4) == 0)
		msg_exit(what + 4);
	else if (strcmp(what, "kill") == 0)
		raise(SIGKILL);
	else if (strcmp(what, "ping") != 0)
		return "does not understand";
	return "ok";
}

/*
 * Obeys calls; "later" is answered together with the next one.  What it traps
 * it tells its caller: "EXIT reason".
 */
static int
peer(char **args)
{
	struct msg m, later = { 0 };
	char text[128];
	msg_pid owner = 0;

	check_ok(msg_open());
	if (args[0] != NULL)
		check_ok(msg_register(args[0]));
	check_ok(msg_ready());
	while (msg_receive(&m, -1) == 1) {
		if (m.kind == MSG_EXIT) {
			snprintf(text, sizeof(text), "EXIT %s",
			    (const char *)m.body);
			if (m.from == MSG_SUPERVISOR)
				msg_exit("shutdown");
			check_ok(
			    msg_send(owner, MSG_BYTES, text, strlen(text)));
		} else if (m.kind == MSG_CALL) {
			owner = m.from;
			if (strcmp(m.body, "later") == 0) {
				later = m;
				continue;
			}
			snprintf(text, sizeof(text), "%s", obey(&m, m.body));
			check_ok(msg_reply(&m, MSG_BYTES, text, strlen(text)));
			if (later.owner != NULL)
				check_ok(
				    msg_reply(&later, MSG_BYTES, "late", 4));
			msg_free(&later);
		}
		msg_free(&m);
	}
	return 0;
}

/* A program that knows nothing of libmsg. */
static int
plain(char **args)
{
	(void)args;
	while (pause() == -1)
		;
	return 0;
}

const struct talk_role process_peers[] = {
	{ "ends", ends },
	{ "peer", peer },
	{ "plain", plain },
	{ NULL, NULL },
};
