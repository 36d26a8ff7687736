/* SPDX-License-Identifier: ISC */
/* What a function of a server returns, and callers that are kept. */
#include "server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct msg_next
next(enum next_kind kind, const char *text)
{
	struct msg_next n = { .kind = (int)kind, .timeout_ms = -1 };

	(void)snprintf(n.text, sizeof(n.text), "%s", text);
	return n;
}

MSG_API struct msg_next
msg_next_ok(void)
{
	return next(NEXT_OK, "");
}

MSG_API struct msg_next
msg_next_ignore(void)
{
	return next(NEXT_IGNORE, "");
}

MSG_API struct msg_next
msg_next_error(const char *reason)
{
	return next(NEXT_ERROR, reason);
}

MSG_API struct msg_next
msg_next_reply(void)
{
	return next(NEXT_REPLY, "");
}

MSG_API struct msg_next
msg_next_refuse(const char *fmt, ...)
{
	struct msg_next n = next(NEXT_REFUSE, "");
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(n.text, sizeof(n.text), fmt, ap);
	va_end(ap);
	return n;
}

MSG_API struct msg_next
msg_next_noreply(void)
{
	return next(NEXT_NOREPLY, "");
}

MSG_API struct msg_next
msg_next_stop(const char *reason)
{
	return next(NEXT_STOP, reason);
}

MSG_API struct msg_next
msg_next_stop_reply(const char *reason)
{
	return next(NEXT_STOP_REPLY, reason);
}

MSG_API struct msg_next
msg_next_unknown(const struct msg *m)
{
	struct msg_next n = next(NEXT_STOP, "");
	char tag[MSG_TAG_MAX + 1];
	struct msg_unpack u;

	if (msg_unpack_tag(m, &u, tag) < 0)
		tag[0] = '\0';
	(void)snprintf(n.text, sizeof(n.text), "%s%s%s",
	    m->kind == MSG_CALL   ? "bad_call"
	    : m->kind == MSG_CAST ? "bad_cast"
				  : "bad_info",
	    tag[0] != '\0' ? ": " : "", tag);
	return n;
}

MSG_API struct msg_next
msg_next_timeout(struct msg_next n, int64_t ms)
{
	n.extra = EXTRA_TIMEOUT;
	n.timeout_ms = ms < 0 ? -1 : ms;
	return n;
}

MSG_API struct msg_next
msg_next_continue(struct msg_next n, const char *tag)
{
	n.extra = EXTRA_CONTINUE;
	(void)snprintf(n.tag, sizeof(n.tag), "%s", tag);
	return n;
}

MSG_API struct msg_next
msg_next_hibernate(struct msg_next n)
{
	n.extra = EXTRA_HIBERNATE;
	return n;
}

/* --- callers --- */

MSG_API struct msg
msg_caller(const struct msg *call)
{
	return (struct msg){
		.kind = call->kind, .from = call->from, .ref = call->ref
	};
}

MSG_API void
msg_pack_caller(struct msg_pack *p, const struct msg *call)
{
	msg_pack_array(p, 2);
	msg_pack_uint(p, call->from);
	msg_pack_uint(p, call->ref);
}

MSG_API int
msg_unpack_caller(struct msg_unpack *u, struct msg *ret_call)
{
	struct msg call = { .kind = MSG_CALL };
	struct msg_unpack at = *u;
	uint32_t n;
	int r = msg_unpack_array(&at, &n);

	if (r == 0)
		r = n == 2 ? msg_unpack_uint(&at, &call.from) : -EBADMSG;
	if (r == 0)
		r = msg_unpack_uint(&at, &call.ref);
	if (r != 0)
		return fail(r, "that is no caller");
	*u = at;
	*ret_call = call;
	return 0;
}
