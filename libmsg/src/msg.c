/* SPDX-License-Identifier: ISC */
/*
 * What the user calls: sending, calling, replying, receiving, names and
 * monitors.
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(MSG_BODY_MAX == PROTO_MESSAGE_MAX - PROTO_HEADER_SIZE, "size");
_Static_assert(
    MSG_GUEST_BODY_MAX == PROTO_LIFELINE_MAX - PROTO_HEADER_SIZE, "size");
_Static_assert((int)MSG_BYTES == (int)PROTO_BYTES, "content");
_Static_assert((int)MSG_PACKED == (int)PROTO_MSGPACK, "content");

/* "<slot.incarnation>", as supctl prints pids. */
#define PID_FMT     "<%u.%llu>"
#define PID_ARG(p)  PROTO_PID_SLOT(p), (unsigned long long)PROTO_PID_INC(p)
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

/* --- names --- */

/* REGISTER, UNREGISTER: ask and take the errno of the answer. */
static int
ask_name(enum proto_type type, const char *what, const char *name)
{
	struct proto_frame h = { .type = (uint8_t)type };
	struct proto_result res;
	struct item *it = NULL;
	int r;

	if (name[0] == '\0' || strlen(name) > MSG_NAME_MAX)
		return fail(-EINVAL, "%s \"%s\": a name has 1 to %d bytes",
		    what, name, MSG_NAME_MAX);
	r = mailbox_ask(&h, name, strlen(name), &it);
	if (r != 0)
		return r;
	if (it->h.type != PROTO_RESULT || it->len != sizeof(res)) {
		free(it);
		return fail(-EPROTO, "supd sent a malformed result");
	}
	memcpy(&res, it->body, sizeof(res));
	free(it);
	if (res.error == 0)
		return 0;
	return fail(res.error > 0 ? -res.error : -EPROTO, "%s \"%s\": %s", what,
	    name,
	    res.error == EEXIST ? "another worker has that name"
				: strerror(res.error));
}

MSG_API int
msg_register(const char *name)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(ask_name(PROTO_REGISTER, "register", name));
}

MSG_API int
msg_unregister(const char *name)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(ask_name(PROTO_UNREGISTER, "unregister", name));
}

/* Ask where a pid, or else a name or path, can be reached. */
static int
resolve(msg_pid pid, const char *name, struct proto_resolved *ret_where)
{
	struct proto_frame h = { .type = PROTO_RESOLVE, .to = pid };
	struct item *it = NULL;
	size_t len = name != NULL ? strlen(name) : 0;
	int r;

	if (name != NULL && (len == 0 || len >= PROTO_PATH_MAX))
		return fail(-EINVAL, "a name or path has 1 to %d bytes",
		    PROTO_PATH_MAX - 1);
	r = mailbox_ask(&h, name, len, &it);
	if (r != 0)
		return r;
	if (it->h.type != PROTO_RESOLVED || it->len != sizeof(*ret_where)) {
		free(it);
		return fail(-EPROTO, "supd sent a malformed answer");
	}
	memcpy(ret_where, it->body, sizeof(*ret_where));
	free(it);
	ret_where->endpoint[sizeof(ret_where->endpoint) - 1] = '\0';
	return 0;
}

/* A name's owner and the way there.  -ENOENT when there is none (P-3). */
static int
resolve_name(const char *name, struct proto_resolved *ret_where)
{
	int r = resolve(0, name, ret_where);

	if (r == 0 && ret_where->pid == 0)
		r = fail(-ENOENT,
		    "no worker is registered as \"%s\" or has that path", name);
	return r;
}

MSG_API int
msg_whereis(const char *name, msg_pid *ret_pid)
{
	struct proto_resolved where;
	int r = mailbox_enter();

	if (r != 0)
		return r;
	r = resolve_name(name, &where);
	if (r == 0)
		*ret_pid = where.pid;
	return mailbox_leave(r);
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
	struct route *route = transport_find(pid);
	int r;

	if (route != NULL)
		return ROUTED;
	if (callee_known(&mailbox.relayed, pid))
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
		r = callee_add(&mailbox.relayed, pid);
		return r != 0 ? r : RELAYED;
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
	return transport_connect(pid, where->endpoint, &route);
}

static int
too_long(size_t len, size_t max)
{
	return fail(-EMSGSIZE, "a body of %zu bytes is too long: %zu at most",
	    len, max);
}

static int
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
	/* To oneself there is no way but the queue, and it is the shortest. */
	if (h->to == mailbox.self) {
		mailbox_deliver(h, body, len);
		mailbox.stats.sent++;
		return 0;
	}
	r = IS_GUEST(h->to) ? RELAYED : way_to(h->to, where);
	if (r == ROUTED)
		return transport_send(h, body, len, deadline_ns);
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

/* --- calls --- */

/* Hand an item to the user. */
static void
give(struct item *it, struct msg *ret_msg)
{
	static const enum msg_kind kinds[] = {
		[PROTO_DATA] = MSG_DATA,
		[PROTO_CALL] = MSG_CALL,
		[PROTO_CAST] = MSG_CAST,
		[PROTO_REPLY] = MSG_DATA,
		[PROTO_DOWN] = MSG_DOWN,
		[PROTO_EXIT] = MSG_EXIT,
	};

	*ret_msg = (struct msg){
		.kind = kinds[it->h.type],
		.content = (it->h.flags & PROTO_CONTENT_MASK) == PROTO_MSGPACK
		               ? MSG_PACKED
		               : MSG_BYTES,
		.from = it->h.from,
		.ref = it->h.ref,
		.len = it->len,
		.body = it->body,
		.owner = it,
	};
}

/*
 * Before the first call to a worker: a standing monitor, so that its end is
 * known.  Later calls to it cost supd nothing.
 */
static int
standing_monitor(msg_pid pid)
{
	struct proto_frame h = { .type = PROTO_MONITOR,
		.to = pid,
		.from = mailbox.self,
		.ref = mailbox_ref() | REF_CALLEE };
	int r;

	if (callee_known(&mailbox.callees, pid))
		return 0;
	r = callee_add(&mailbox.callees, pid);
	return r != 0 ? r : lifeline_send(&h, NULL, 0);
}

/* Wait for the reply; one that is there at the deadline counts (G-2). */
static int
await(struct waiting *w, int64_t deadline_ns)
{
	while (w->answer == NULL) {
		if (strcmp(w->down, "noproc") == 0)
			return fail(
			    -ESRCH, PID_FMT " has ended", PID_ARG(w->pid));
		if (w->down[0] != '\0')
			return fail(-ECONNRESET,
			    PID_FMT " ended before it replied: %s",
			    PID_ARG(w->pid), w->down);
		if (mailbox.cut)
			return fail(-EPIPE, "supd has gone");
		if (clock_now() >= deadline_ns) {
			(void)mailbox_wait(-1, 0, 0);
			if (w->answer == NULL && w->down[0] == '\0')
				return fail(-ETIMEDOUT,
				    PID_FMT " did not reply in time",
				    PID_ARG(w->pid));
			continue;
		}
		(void)mailbox_wait(-1, 0, deadline_ns);
	}
	return 0;
}

static int
call(msg_pid to, const struct proto_resolved *where, enum msg_content content,
    const void *body, size_t len, int timeout_ms, struct msg *ret_reply)
{
	struct proto_frame h = {
		.type = PROTO_CALL, .to = to, .ref = mailbox_ref()
	};
	struct waiting *w = &mailbox.waiting;
	struct item *it;
	int64_t deadline;
	int r;

	deadline =
	    clock_deadline(timeout_ms < 0 ? MSG_CALL_TIMEOUT_MS : timeout_ms);
	if (to == mailbox.self)
		return fail(-EDEADLK, "a worker cannot call itself");
	if (IS_GUEST(to) || to == 0)
		return fail(-ESRCH, PID_FMT " takes no calls", PID_ARG(to));
	r = way_to(to, where);
	if (r >= 0)
		r = standing_monitor(to);
	if (r != 0)
		return r;
	*w = (struct waiting){ .ref = h.ref, .pid = to };
	r = send_frame(&h, content, where, body, len, deadline);
	/* The route closed under our hands: DOWN is near and says why. */
	if (r == 0 || r == -ESRCH)
		r = await(w, deadline);
	it = w->answer;
	*w = (struct waiting){ 0 };
	if (it == NULL)
		return r;
	if (it->h.flags & PROTO_ERROR) {
		r = fail(-EREMOTEIO, "%s", it->body);
		free(it);
		return r;
	}
	if (ret_reply != NULL)
		give(it, ret_reply);
	else
		free(it);
	return 0;
}

MSG_API int
msg_call(msg_pid to, enum msg_content content, const void *body, size_t len,
    int timeout_ms, struct msg *ret_reply)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(
	    call(to, NULL, content, body, len, timeout_ms, ret_reply));
}

MSG_API int
msg_call_name(const char *name, enum msg_content content, const void *body,
    size_t len, int timeout_ms, struct msg *ret_reply)
{
	struct proto_resolved where;
	int r = mailbox_enter();

	if (r != 0)
		return r;
	r = resolve_name(name, &where);
	if (r == 0)
		r = call(where.pid, &where, content, body, len, timeout_ms,
		    ret_reply);
	else if (r == -ENOENT)
		r = fail(-ESRCH, "no worker is registered as \"%s\"", name);
	return mailbox_leave(r);
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

/* --- receiving --- */

static int
receive(struct msg *ret_msg, int64_t deadline)
{
	bool looked = false;
	struct item *it;
	int r;

	while ((it = TAILQ_FIRST(&mailbox.queue)) == NULL) {
		if (mailbox.cut)
			return fail(-EPIPE, "supd has gone");
		if (looked && clock_now() >= deadline)
			return 0;
		r = mailbox_wait(-1, 0, deadline);
		if (r != 0)
			return r;
		looked = true;
	}
	TAILQ_REMOVE(&mailbox.queue, it, entry);
	mailbox.stats.queued--;
	give(it, ret_msg);
	return 1;
}

MSG_API int
msg_receive(struct msg *ret_msg, int timeout_ms)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(receive(ret_msg, clock_deadline(timeout_ms)));
}

MSG_API void
msg_free(struct msg *m)
{
	if (m == NULL)
		return;
	free(m->owner);
	*m = (struct msg){ 0 };
}

/* --- monitors --- */

static struct monitor *
monitor_find(uint64_t ref)
{
	struct monitor *m;

	TAILQ_FOREACH (m, &mailbox.monitors, entry) {
		if (m->ref == ref)
			break;
	}
	return m;
}

static void
monitor_forget(struct monitor *m)
{
	TAILQ_REMOVE(&mailbox.monitors, m, entry);
	free(m);
}

static int
monitor(msg_pid pid, const char *name, uint64_t *ret_ref)
{
	struct proto_frame h = {
		.type = PROTO_MONITOR, .to = pid, .from = mailbox.self
	};
	size_t len = name != NULL ? strlen(name) : 0;
	struct monitor *m;
	int r;

	if (name != NULL && (len == 0 || len >= PROTO_PATH_MAX))
		return fail(-EINVAL, "a name or path has 1 to %d bytes",
		    PROTO_PATH_MAX - 1);
	m = malloc(sizeof(*m));
	if (m == NULL)
		return fail(-ENOMEM, "no memory for a monitor");
	m->ref = h.ref = mailbox_ref();
	/* Known before it is asked for: the answer may be there at once. */
	TAILQ_INSERT_TAIL(&mailbox.monitors, m, entry);
	*ret_ref = h.ref;
	r = lifeline_send(&h, name, len);
	m = r != 0 ? monitor_find(h.ref) : NULL;
	if (m != NULL)
		monitor_forget(m);
	return r;
}

MSG_API int
msg_monitor(msg_pid pid, uint64_t *ret_ref)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(monitor(pid, NULL, ret_ref));
}

MSG_API int
msg_monitor_name(const char *name, uint64_t *ret_ref)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(monitor(0, name, ret_ref));
}

static void
flush_down(uint64_t ref)
{
	struct item *it;

	TAILQ_FOREACH (it, &mailbox.queue, entry) {
		if (it->h.type != PROTO_DOWN || it->h.ref != ref)
			continue;
		TAILQ_REMOVE(&mailbox.queue, it, entry);
		mailbox.stats.queued--;
		free(it);
		return;
	}
}

static int
demonitor(uint64_t ref, bool flush)
{
	struct proto_frame h = {
		.type = PROTO_DEMONITOR, .ref = ref, .from = mailbox.self
	};
	struct monitor *m = monitor_find(ref);
	int r;

	if (m == NULL) {
		if (flush)
			flush_down(ref);
		return 0;
	}
	monitor_forget(m);
	r = lifeline_send(&h, NULL, 0);
	return r != 0 ? r : 1;
}

MSG_API int
msg_demonitor(uint64_t ref, bool flush)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(demonitor(ref, flush));
}

MSG_API void
msg_stats(struct msg_stats *ret_stats)
{
	mailbox_lock();
	*ret_stats = mailbox.stats;
	ret_stats->routes = transport_count();
	mailbox_unlock();
}
