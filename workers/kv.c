/* SPDX-License-Identifier: ISC */
/*
 * kv: a store of keys and values, each any msgpack.
 *
 *   ["put", KEY, VALUE]   nil
 *   ["get", KEY]          its value, or nil
 *   ["delete", KEY]       nil
 *   ["get_state"]         a map of all
 *   ["set_state", MAP]    in place of all
 */
#include "table.h"

#include <errno.h>
#include <msg/server.h>
#include <string.h>

static void
format_state(const void *state, struct msg_pack *out)
{
	const struct table *t = state;
	const struct entry *e;
	uint32_t n = 0;

	TAILQ_FOREACH (e, t, entry)
		n++;
	msg_pack_map(out, n);
	TAILQ_FOREACH (e, t, entry) {
		msg_pack_str(out, e->key);
		msg_pack_raw(out, e->value, e->len);
	}
}

/* Take a key and, where there is to be one, a value. */
static int
take_pair(struct msg_unpack *u, char key[TABLE_KEY_MAX + 1],
    const void **ret_value, size_t *ret_len)
{
	const char *text;
	size_t len;

	if (msg_unpack_str(u, &text, &len) != 0 || len > TABLE_KEY_MAX)
		return -EINVAL;
	memcpy(key, text, len);
	key[len] = '\0';
	return ret_value == NULL ? 0 : msg_unpack_raw(u, ret_value, ret_len);
}

/* All or nothing. */
static int
replace_state(void *state, struct msg_unpack *u)
{
	struct table *t = state, new = TAILQ_HEAD_INITIALIZER(new);
	char key[TABLE_KEY_MAX + 1];
	const void *value;
	uint32_t n;
	size_t len;
	int r = msg_unpack_map(u, &n);

	while (r == 0 && n-- > 0) {
		r = take_pair(u, key, &value, &len);
		if (r == 0 && table_put(&new, key, value, len) == NULL)
			r = -ENOMEM;
	}
	table_clear(r == 0 ? t : &new);
	TAILQ_CONCAT(t, &new, entry);
	return r;
}

static struct msg_next
handle_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	char tag[MSG_TAG_MAX + 1] = "", key[TABLE_KEY_MAX + 1];
	struct entry *e;
	struct msg_unpack u;
	const void *value;
	size_t len;
	int n = msg_unpack_tag(call, &u, tag);

	if (n == 0 && strcmp(tag, "get_state") == 0)
		format_state(state, reply);
	else if (n == 1 && strcmp(tag, "set_state") == 0 &&
		 replace_state(state, &u) == 0)
		return msg_next_reply();
	else if (n == 2 && strcmp(tag, "put") == 0 &&
		 take_pair(&u, key, &value, &len) == 0 &&
		 table_put(state, key, value, len) != NULL)
		return msg_next_reply();
	else if (n == 1 && strcmp(tag, "get") == 0 &&
		 take_pair(&u, key, NULL, NULL) == 0) {
		if ((e = table_find(state, key)) != NULL)
			msg_pack_raw(reply, e->value, e->len);
	} else if (n == 1 && strcmp(tag, "delete") == 0 &&
		   take_pair(&u, key, NULL, NULL) == 0)
		table_remove(state, table_find(state, key));
	else
		return msg_next_refuse("kv understands [\"put\", KEY, VALUE], "
				       "[\"get\", KEY], [\"delete\", KEY], "
				       "[\"get_state\"], [\"set_state\", MAP]");
	return msg_next_reply();
}

int
main(int argc, char **argv)
{
	static const struct msg_server_ops ops = {
		.handle_call = handle_call,
		.format_state = format_state,
		.replace_state = replace_state,
	};
	struct table table = TAILQ_HEAD_INITIALIZER(table);

	msg_server_main(&ops, &table, argc > 1 ? argv[1] : "kv");
}
