/* SPDX-License-Identifier: ISC */
/*
 * Agents (K-3): a server whose requests are [how, operation, argument ...],
 * where "how" is get, update, get_and_update or, for a cast, update.
 */
#include "format.h"
#include "internal.h"

#include <errno.h>
#include <msg/agent.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct agent {
	const struct msg_agent_op *ops;
	void *state;
};

/* --- the agent --- */

static const struct msg_agent_op *
find_op(const struct agent *a, const char *name, size_t len)
{
	for (const struct msg_agent_op *op = a->ops; op->name != NULL; op++) {
		if (strlen(op->name) == len && memcmp(op->name, name, len) == 0)
			return op;
	}
	return NULL;
}

/* What an operation cannot do is a crash (K-3): the reason says why. */
static struct msg_next
crash(const char *op, size_t len, const char *why)
{
	char reason[128];

	(void)snprintf(reason, sizeof(reason), "%.*s: %s",
	    (int)(len < 40 ? len : 40), op, why);
	return msg_next_stop(reason);
}

static struct msg_next
run(struct agent *a, const struct msg *m, struct msg_pack *reply,
    struct msg_next then)
{
	char how[MSG_TAG_MAX + 1];
	const struct msg_agent_op *op;
	struct msg_unpack args;
	const char *name;
	size_t len;
	int r;

	if (msg_unpack_tag(m, &args, how) < 1 ||
	    msg_unpack_str(&args, &name, &len) != 0)
		return msg_next_unknown(m);
	op = find_op(a, name, len);
	if (op == NULL)
		return crash(name, len, "undefined operation");
	if (strcmp(how, "get") == 0 && op->get != NULL)
		r = op->get(a->state, &args, reply);
	else if (strcmp(how, "get") != 0 && op->update != NULL)
		r = op->update(a->state, &args, reply);
	else
		return crash(name, len, "it is not an operation of this kind");
	if (r < 0)
		return crash(name, len, msg_strerror(r));
	return then;
}

static struct msg_next
handle_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	return run(state, call, reply, msg_next_reply());
}

static struct msg_next
handle_cast(void *state, const struct msg *m)
{
	struct msg_pack nobody;
	struct msg_next next;

	msg_pack_init(&nobody);
	next = run(state, m, &nobody, msg_next_noreply());
	msg_pack_fini(&nobody);
	return next;
}

/* `supctl sys NAME get_state`: what its operation "state" shows, if any. */
static void
format_state(const void *state, struct msg_pack *out)
{
	const struct agent *a = state;
	const struct msg_agent_op *op = find_op(a, "state", 5);
	struct msg_unpack none = { NULL, NULL };

	if (op == NULL || op->get == NULL ||
	    op->get(a->state, &none, out) != 0) {
		msg_pack_fini(out);
		msg_pack_nil(out);
	}
}

MSG_API void
msg_agent_main(const struct msg_agent_op *ops, void *state, const char *name)
{
	static const struct msg_server_ops server = {
		.handle_call = handle_call,
		.handle_cast = handle_cast,
		.format_state = format_state,
	};
	struct agent a = { .ops = ops, .state = state };

	msg_server_main(&server, &a, name);
}

/* --- its clients --- */

static int
call(const char *name, int timeout_ms, struct msg *ret_reply, const char *how,
    const char *fmt, va_list ap)
{
	struct msg_pack p;
	int r;

	msg_pack_init(&p);
	format_array(&p, how, fmt, ap);
	if (!p.failed)
		r = msg_call_name(
		    name, MSG_PACKED, p.data, p.len, timeout_ms, ret_reply);
	else
		r = fail(-ENOMEM, "no memory for a body");
	msg_pack_fini(&p);
	return r;
}

MSG_API int
msg_agent_get(const char *name, int timeout_ms, struct msg *ret_reply,
    const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = call(name, timeout_ms, ret_reply, "get", fmt, ap);
	va_end(ap);
	return r;
}

MSG_API int
msg_agent_update(const char *name, int timeout_ms, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = call(name, timeout_ms, NULL, "update", fmt, ap);
	va_end(ap);
	return r;
}

MSG_API int
msg_agent_get_and_update(const char *name, int timeout_ms,
    struct msg *ret_reply, const char *fmt, ...)
{
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = call(name, timeout_ms, ret_reply, "get_and_update", fmt, ap);
	va_end(ap);
	return r;
}

MSG_API int
msg_agent_cast(const char *name, const char *fmt, ...)
{
	struct msg_pack p;
	va_list ap;
	int r;

	msg_pack_init(&p);
	va_start(ap, fmt);
	format_array(&p, "update", fmt, ap);
	if (!p.failed)
		r = msg_cast_name(name, MSG_PACKED, p.data, p.len);
	else
		r = fail(-ENOMEM, "no memory for a body");
	va_end(ap);
	msg_pack_fini(&p);
	return r;
}
