/* SPDX-License-Identifier: ISC */
/*
 * cache [NAME [MS]]: texts that are forgotten after their time, MS (60000)
 * where none is given.
 *
 *   ["put", KEY, TEXT], ["put", KEY, TEXT, MS]   the time it has
 *   ["get", KEY]                                 the text, or nil
 *   ["size"]                                     how many there are
 */
#include "table.h"

#include <err.h>
#include <msg/server.h>
#include <stdlib.h>
#include <string.h>

struct cache {
	struct table table;
	long ttl_ms;
};

static struct msg_next
put(struct cache *c, const char *key, const char *text, long ms)
{
	struct entry *old = table_find(&c->table, key), *e;

	if (old != NULL)
		msg_cancel_timer(old->timer);
	e = table_put(&c->table, key, text, strlen(text) + 1);
	if (ms < 0 || e == NULL ||
	    msg_start_timer(ms, MSG_BYTES, NULL, 0, &e->timer) != 0) {
		table_remove(&c->table, e);
		return msg_next_refuse("cannot keep %s for %ld ms", key, ms);
	}
	return msg_next_reply();
}

static struct msg_next
handle_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	struct cache *c = state;
	char key[TABLE_KEY_MAX + 1], text[1024];
	struct entry *e;
	long ms = c->ttl_ms, n = 0;

	if (msg_match(call, "put %63s %1023s", key, text) ||
	    msg_match(call, "put %63s %1023s %ld", key, text, &ms)) {
		msg_packf(reply, "%ld", ms);
		return put(c, key, text, ms);
	}
	if (msg_match(call, "get %63s", key)) {
		e = table_find(&c->table, key);
		msg_packf(reply, "%s", e != NULL ? e->value : NULL);
		return msg_next_reply();
	}
	if (msg_match(call, "size")) {
		TAILQ_FOREACH (e, &c->table, entry)
			n++;
		msg_packf(reply, "%ld", n);
		return msg_next_reply();
	}
	return msg_next_refuse("cache understands [\"put\", KEY, TEXT, MS], "
			       "[\"get\", KEY] and [\"size\"]");
}

static struct msg_next
handle_info(void *state, const struct msg *m)
{
	struct cache *c = state;

	/* One that was cancelled too late is nobody's any more. */
	if (m->kind == MSG_TIMEOUT)
		table_remove(&c->table, table_find_timer(&c->table, m->ref));
	return msg_next_noreply();
}

int
main(int argc, char **argv)
{
	static const struct msg_server_ops ops = {
		.handle_call = handle_call,
		.handle_info = handle_info,
	};
	struct cache cache = { .ttl_ms = 60000 };

	TAILQ_INIT(&cache.table);
	if (argc > 2)
		cache.ttl_ms = strtol(argv[2], NULL, 10);
	if (cache.ttl_ms <= 0)
		errx(64, "not a time in ms: %s", argv[2]);
	msg_server_main(&ops, &cache, argc > 1 ? argv[1] : "cache");
}
