/* SPDX-License-Identifier: ISC */
/*
 * ratelimiter [NAME [N [MS]]]: N requests (10) of each client in any MS (60000)
 * that begin with one of them.
 *
 *   ["request", CLIENT]   true: go on; false: too many
 */
#include "table.h"

#include <err.h>
#include <msg/server.h>
#include <stdlib.h>
#include <string.h>

struct limiter {
	struct table clients; /* the value of each: long, how many so far */
	long max, period_ms;
};

static bool
admit(struct limiter *l, const char *client)
{
	struct entry *e = table_find(&l->clients, client);
	long n = 0;

	if (e == NULL) {
		e = table_put(&l->clients, client, &n, sizeof(n));
		if (e == NULL || msg_start_timer(l->period_ms, MSG_BYTES, NULL,
				     0, &e->timer) != 0) {
			table_remove(&l->clients, e);
			return false;
		}
	}
	memcpy(&n, e->value, sizeof(n));
	if (n == l->max)
		return false;
	n++;
	memcpy(e->value, &n, sizeof(n));
	return true;
}

static struct msg_next
handle_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	char client[TABLE_KEY_MAX + 1];

	if (!msg_match(call, "request %63s", client))
		return msg_next_refuse(
		    "ratelimiter understands [\"request\", CLIENT]");
	msg_pack_bool(reply, admit(state, client));
	return msg_next_reply();
}

/* A client's time is over: it begins anew. */
static struct msg_next
handle_info(void *state, const struct msg *m)
{
	struct limiter *l = state;

	if (m->kind == MSG_TIMEOUT)
		table_remove(
		    &l->clients, table_find_timer(&l->clients, m->ref));
	return msg_next_noreply();
}

int
main(int argc, char **argv)
{
	static const struct msg_server_ops ops = {
		.handle_call = handle_call,
		.handle_info = handle_info,
	};
	struct limiter l = { .max = 10, .period_ms = 60000 };

	TAILQ_INIT(&l.clients);
	if (argc > 2)
		l.max = strtol(argv[2], NULL, 10);
	if (argc > 3)
		l.period_ms = strtol(argv[3], NULL, 10);
	if (l.max <= 0 || l.period_ms <= 0)
		errx(64, "usage: ratelimiter [NAME [N [MS]]]");
	msg_server_main(&ops, &l, argc > 1 ? argv[1] : "ratelimiter");
}
