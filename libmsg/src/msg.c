/* SPDX-License-Identifier: ISC */
/*
 * Sending and replying.
 */
#include "internal.h"
#include "sys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(MSG_BODY_MAX == PROTO_MESSAGE_MAX - PROTO_HEADER_SIZE, "size");
_Static_assert(
    MSG_GUEST_BODY_MAX == PROTO_LIFELINE_MAX - PROTO_HEADER_SIZE, "size");
_Static_assert((int)MSG_BYTES == (int)PROTO_BYTES, "content");
_Static_assert((int)MSG_PACKED == (int)PROTO_MSGPACK, "content");

#define IS_GUEST(p) (PROTO_PID_SLOT(p) == PROTO_GUEST_SLOT)

MSG_API msg_pid
msg_self(void)
{
	return mailbox.open ? mailbox.self : 0;
}

MSG_API const char *
msg_path(void)
{
	return mailbox.open ? mailbox.path : "";
}

MSG_API int
msg_ready(void)
{
	struct proto_frame h = { .type = PROTO_READY };
	int r = mailbox_enter();

	if (r != 0)
		return r;
	h.from = mailbox.self;
	return mailbox_leave(lifeline_send(&h, NULL, 0));
}

/* --- sending --- */

enum way { ROUTED, RELAYED };

/*
 * Make sure that there is a way to `pid`; `where` if the caller has asked
 * already.  ROUTED; RELAYED, by supd, as it runs as another user; -ESRCH when
 * it has ended; -errno.
 */
static int
way_to(msg_pid pid, const struct proto_resolved *where)
{
	struct proto_resolved asked;
	int r;

	if (transport_reaches(pid, PROTO_DATA))
		return ROUTED;
	if (hash_find(&mailbox.relayed, pid) != NULL)
		return RELAYED;
	if (where == NULL) {
		r = resolve(pid, NULL, &asked);
		if (r != 0)
			return r;
		where = &asked;
	}
	if (where->pid != pid)
		return fail(-ESRCH, PID_FMT " has ended", PID_ARG(pid));
	if (where->error == EACCES) {
		if (!hash_add_key(&mailbox.relayed, pid))
			return fail(-ENOMEM, "no memory for one more worker");
		return RELAYED;
	}
	if (where->error != 0)
		return fail(where->error > 0 ? -where->error : -EPROTO,
		    PID_FMT " cannot be reached from here: %s", PID_ARG(pid),
		    strerror(where->error));
	if (where->endpoint[0] == '\0')
		return fail(-ENOTCONN,
		    PID_FMT " has no mailbox: it is no libmsg program, or has "
			    "not called msg_open()",
		    PID_ARG(pid));
	return transport_connect(pid, where->endpoint, where->proof);
}

static int
too_long(size_t len, size_t max)
{
	return fail(-EMSGSIZE, "a body of %zu bytes is too long: %zu at most",
	    len, max);
}

int
send_frame(struct proto_frame *h, enum msg_content content,
    const struct proto_resolved *where, const void *body, size_t len,
    int64_t deadline_ns)
{
	int r;

	h->from = mailbox.self;
	h->flags =
	    (uint16_t)(h->flags | ((unsigned)content & PROTO_CONTENT_MASK));
	if (len > MSG_BODY_MAX)
		return too_long(len, MSG_BODY_MAX);
	sys_trace("out", h, body, len);
	/* To oneself there is no way but the queue, and it is the shortest. */
	if (h->to == mailbox.self) {
		mailbox_deliver(h, body, len);
		mailbox.stats.sent++;
		return 0;
	}
	if (IS_GUEST(h->to))
		r = RELAYED;
	else if (transport_reaches(h->to, h->type))
		r = ROUTED;
	else
		r = way_to(h->to, where);
	if (r == ROUTED)
		return h->type == PROTO_REPLY
		           ? transport_reply(h, body, len)
		           : transport_send(h, body, len, deadline_ns);
	if (r != RELAYED)
		return r;
	if (len > MSG_GUEST_BODY_MAX)
		return too_long(len, MSG_GUEST_BODY_MAX);
	r = lifeline_send(h, body, len);
	mailbox.stats.sent += r == 0;
	return r;
}

/* Send a one-way message; that the receiver has ended is no failure (P-3). */
static int
post(enum proto_type type, msg_pid to, enum msg_content content,
    const struct proto_resolved *where, const void *body, size_t len)
{
	struct proto_frame h = { .type = (uint8_t)type, .to = to };
	int r = send_frame(&h, content, where, body, len, DEADLINE_NEVER);

	return r == -ESRCH ? 0 : r;
}

static int
post_pid(enum proto_type type, msg_pid to, enum msg_content content,
    const void *body, size_t len)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(post(type, to, content, NULL, body, len));
}

static int
post_name(enum proto_type type, const char *name, enum msg_content content,
    const void *body, size_t len)
{
	struct proto_resolved where;
	int r = mailbox_enter();

	if (r != 0)
		return r;
	r = resolve_name(name, &where);
	if (r == 0)
		r = post(type, where.pid, content, &where, body, len);
	else if (r == -ENOENT && type == PROTO_CAST)
		r = 0; /* G-5 */
	return mailbox_leave(r);
}

MSG_API int
msg_send(msg_pid to, enum msg_content content, const void *body, size_t len)
{
	return post_pid(PROTO_DATA, to, content, body, len);
}

MSG_API int
msg_send_name(
    const char *name, enum msg_content content, const void *body, size_t len)
{
	return post_name(PROTO_DATA, name, content, body, len);
}

MSG_API int
msg_cast(msg_pid to, enum msg_content content, const void *body, size_t len)
{
	return post_pid(PROTO_CAST, to, content, body, len);
}

MSG_API int
msg_cast_name(
    const char *name, enum msg_content content, const void *body, size_t len)
{
	return post_name(PROTO_CAST, name, content, body, len);
}

MSG_API int
msg_send_timeout(msg_pid to, enum msg_content content, const void *body,
    size_t len, int timeout_ms)
{
	struct proto_frame h = { .type = PROTO_DATA, .to = to };
	int r = mailbox_enter();

	if (r != 0)
		return r;
	r = send_frame(
	    &h, content, NULL, body, len, clock_deadline(timeout_ms));
	if (r == -ETIMEDOUT && timeout_ms == 0)
		r = fail(-EAGAIN, "the receiver takes no messages now");
	return mailbox_leave(r == -ESRCH ? 0 : r);
}

MSG_API int
msg_flush(int timeout_ms)
{
	int r = mailbox_enter();

	return r != 0
	           ? r
	           : mailbox_leave(transport_sync(clock_deadline(timeout_ms)));
}

static int
reply(const struct msg *to, unsigned flags, enum msg_content content,
    const void *body, size_t len)
{
	struct proto_frame h = { .type = PROTO_REPLY,
		.to = to->from,
		.ref = to->ref,
		.flags = (uint16_t)flags };
	int r = mailbox_enter();

	if (r != 0)
		return r;
	if (to->kind != MSG_CALL)
		r = fail(-EINVAL, "only a MSG_CALL can be replied to");
	else
		r = send_frame(&h, content, NULL, body, len, DEADLINE_NEVER);
	return mailbox_leave(r == -ESRCH ? 0 : r);
}

MSG_API int
msg_reply(const struct msg *to, enum msg_content content, const void *body,
    size_t len)
{
	return reply(to, 0, content, body, len);
}

MSG_API int
msg_reply_error(const struct msg *to, const char *text)
{
	return reply(to, PROTO_ERROR, MSG_BYTES, text, strlen(text));
}
