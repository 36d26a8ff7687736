/* SPDX-License-Identifier: ISC */
/*
 * The loop of a server (rules G-1, G-6 to G-11).
 *
 * Between two messages it serves what is more urgent: a continue, then system
 * requests, then messages in their order.  A message that a function of the
 * user's receives by itself is its own; the loop never sees it.
 */
#include "server.h"

#include <err.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static struct server *current;

struct server *
server_current(void)
{
	return current;
}

/* --- the end --- */

void
server_end(struct server *s, const char *reason)
{
	(void)snprintf(s->reason, sizeof(s->reason), "%s", reason);
	if (!s->ending && s->ops->terminate != NULL) {
		s->ending = true;
		s->inside = true;
		s->ops->terminate(s->state, s->reason);
		s->inside = false;
	}
	s->ending = true;
	s->ended = true;
	if (!reason_is_clean(s->reason))
		report_crash(s, s->reason);
}

/*
 * Inside a function of ours, exit(R) is a crash with reason R.  In terminate it
 * replaces the reason (G-11); there is nothing more to run then.
 */
void
server_exiting(const char *reason)
{
	struct server *s = current;

	if (s == NULL || s->ended || !s->inside ||
	    !pthread_equal(s->thread, pthread_self()))
		return;
	server_end(s, reason);
	current = NULL;
}

/* --- what a function wants next --- */

enum origin { FROM_INIT, FROM_CALL, FROM_CAST, FROM_INFO, FROM_CONTINUE };

/* Which answers belong where: everything else is a bad_return_value. */
#define CAN(kind) (1u << NEXT_##kind)
static const unsigned allowed[] = {
	[FROM_INIT] = CAN(OK) | CAN(IGNORE) | CAN(ERROR) | CAN(STOP),
	[FROM_CALL] = CAN(REPLY) | CAN(REFUSE) | CAN(NOREPLY) | CAN(STOP) |
	              CAN(STOP_REPLY),
	[FROM_CAST] = CAN(NOREPLY) | CAN(STOP),
	[FROM_INFO] = CAN(NOREPLY) | CAN(STOP),
	[FROM_CONTINUE] = CAN(NOREPLY) | CAN(STOP),
};

static bool
may(enum origin origin, const struct msg_next *n)
{
	return n->kind > NEXT_NONE && n->kind < NEXT_N &&
	       (allowed[origin] & 1u << n->kind) != 0;
}

/* What was packed is a reply: one value, or nothing, which is nil. */
static bool
is_reply(struct msg_pack *p)
{
	if (p->len == 0 && !p->failed)
		msg_pack_nil(p);
	return !p->failed && msg_unpack_check(p->data, p->len) == 0;
}

static void
out_event(struct server *s, const struct msg *call, const struct msg_pack *p)
{
	struct msg m = { .kind = MSG_REPLY,
		.content = MSG_PACKED,
		.from = call->from,
		.ref = call->ref,
		.body = p->data,
		.len = p->len };

	s->n_out++;
	report_event(s, "out", &m);
}

/* Timeout, continue, hibernate. */
static void
take_extra(struct server *s, const struct msg_next *n)
{
	s->timeout_ms = -1;
	s->hibernate = false;
	switch (n->extra) {
	case EXTRA_TIMEOUT:
		s->timeout_ms = n->timeout_ms;
		break;
	case EXTRA_CONTINUE:
		memcpy(s->tag, n->tag, sizeof(s->tag));
		break;
	case EXTRA_HIBERNATE:
		s->hibernate = true;
		break;
	default:
		break;
	}
}

/* Do what the function that handled s->message wants. */
static void
settle(struct server *s, enum origin origin, const struct msg_next *n,
    struct msg_pack *reply)
{
	const struct msg *call = s->message;

	if (!may(origin, n)) {
		server_end(s, "bad_return_value");
		return;
	}
	switch ((enum next_kind)n->kind) {
	case NEXT_REPLY:
	case NEXT_STOP_REPLY:
		if (!is_reply(reply)) {
			server_end(s, "bad_return_value");
			return;
		}
		/* The caller hears of it when all is cleaned up (G-7). */
		if (n->kind == NEXT_STOP_REPLY)
			server_end(s, n->text);
		(void)msg_reply(call, MSG_PACKED, reply->data, reply->len);
		out_event(s, call, reply);
		break;
	case NEXT_REFUSE:
		(void)msg_reply_error(call, n->text);
		s->n_out++;
		break;
	case NEXT_STOP:
		server_end(s, n->text);
		break;
	case NEXT_OK:
	case NEXT_IGNORE:
	case NEXT_ERROR:
	case NEXT_NOREPLY:
	case NEXT_NONE:
	case NEXT_N:
		break;
	}
	take_extra(s, n);
}

/* --- messages --- */

static void
handle_call(struct server *s, const struct msg *m)
{
	struct msg_next n;
	struct msg_pack reply;

	msg_pack_init(&reply);
	if (s->ops->handle_call != NULL) {
		s->inside = true;
		n = s->ops->handle_call(s->state, m, &reply);
		s->inside = false;
	} else {
		n = msg_next_unknown(m);
	}
	settle(s, FROM_CALL, &n, &reply);
	msg_pack_fini(&reply);
}

static void
handle_cast(struct server *s, const struct msg *m)
{
	struct msg_next n;

	if (s->ops->handle_cast != NULL) {
		s->inside = true;
		n = s->ops->handle_cast(s->state, m);
		s->inside = false;
	} else {
		n = msg_next_unknown(m);
	}
	settle(s, FROM_CAST, &n, NULL);
}

/* Nobody wants it: that is told, and nothing more (G-6). */
static void
unexpected(struct server *s, const struct msg *m)
{
	char body[EVENT_MAX];

	(void)report_body(body, sizeof(body), m->content, m->body, m->len);
	warnx("server %s: unexpected message from " PID_FMT " dropped: %s",
	    s->name != NULL ? s->name : msg_path(), PID_ARG(m->from), body);
}

static void
handle_info(struct server *s, const struct msg *m)
{
	struct msg_next n;

	if (s->ops->handle_info != NULL) {
		s->inside = true;
		n = s->ops->handle_info(s->state, m);
		s->inside = false;
	} else {
		unexpected(s, m);
		n = msg_next_noreply();
	}
	settle(s, FROM_INFO, &n, NULL);
}

static void
handle_message(struct server *s, const struct msg *m)
{
	s->n_in++;
	s->message = m;
	report_event(s, "in", m);
	switch (m->kind) {
	case MSG_CALL:
		handle_call(s, m);
		break;
	case MSG_CAST:
		handle_cast(s, m);
		break;
	case MSG_EXIT:
		/* Only a server that traps exits gets it (G-11). */
		if (m->from == MSG_SUPERVISOR) {
			server_end(s, m->body);
			break;
		}
		handle_info(s, m);
		break;
	case MSG_DATA:
	case MSG_DOWN:
	case MSG_REPLY:
	case MSG_TIMEOUT:
		handle_info(s, m);
		break;
	}
	s->message = NULL;
}

static void
handle_timeout(struct server *s)
{
	struct msg m = { .kind = MSG_TIMEOUT, .from = msg_self(), .body = "" };

	s->message = &m;
	report_event(s, "timeout", &m);
	handle_info(s, &m);
	s->message = NULL;
}

static void
handle_continue(struct server *s)
{
	char tag[MSG_TAG_MAX + 1];
	struct msg_next n = { .kind = NEXT_NONE };

	memcpy(tag, s->tag, sizeof(tag));
	s->tag[0] = '\0';
	if (s->ops->handle_continue != NULL) {
		s->inside = true;
		n = s->ops->handle_continue(s->state, tag);
		s->inside = false;
	}
	settle(s, FROM_CONTINUE, &n, NULL);
}

/* --- the loop --- */

/* A hint (G-10): what malloc holds without need goes back to the kernel. */
static void
hibernate(void)
{
#ifdef __GLIBC__
	(void)malloc_trim(0);
#endif
}

/*
 * Wait for the next thing to do: a system request, a message, or the timeout.
 * Returns as sys_receive().
 */
static int
wait_next(struct server *s, struct sys_request *ret_req, struct msg *ret_msg)
{
	int64_t ms = s->suspended ? -1 : s->timeout_ms;
	int64_t idle = s->ops->hibernate_after_ms;
	int64_t deadline = clock_deadline(ms);
	int r;

	if (s->hibernate)
		hibernate();
	else if (idle > 0 && (ms < 0 || idle < ms)) {
		r = sys_receive(
		    s->suspended, clock_deadline(idle), ret_req, ret_msg);
		if (r != 0)
			return r;
		hibernate();
	}
	return sys_receive(s->suspended, deadline, ret_req, ret_msg);
}

static void
turn(struct server *s)
{
	struct sys_request req;
	struct msg m;

	if (s->tag[0] != '\0') {
		handle_continue(s);
		return;
	}
	switch (wait_next(s, &req, &m)) {
	case SYS_REQUEST:
		server_sys(s, &req);
		sys_request_fini(&req);
		break;
	case SYS_MESSAGE:
		handle_message(s, &m);
		msg_free(&m);
		break;
	case 0:
		handle_timeout(s);
		break;
	case -EINTR:
		break;
	default:
		/* supd has gone, and with it our supervisor (D9, G-11). */
		s->ending = !mailbox.trap;
		server_end(s, "noconnection");
	}
}

static void
run(struct server *s)
{
	while (!s->ended)
		turn(s);
	sys_serve(SYS_NONE);
	server_log_fini(s);
	current = NULL;
}

static void
begin(struct server *s, const struct msg_server_ops *ops, void *state,
    const char *name)
{
	*s = (struct server){ .ops = ops,
		.state = state,
		.name = name,
		.timeout_ms = -1,
		.thread = pthread_self(),
		.began_ns = clock_now() };
	current = s;
}

MSG_API int
msg_server_loop(const struct msg_server_ops *ops, void *state,
    struct msg_next n, char ret_reason[MSG_REASON_MAX + 1])
{
	struct server s;
	int r = mailbox_enter();

	if (r != 0)
		return r;
	(void)mailbox_leave(0);
	begin(&s, ops, state, NULL);
	sys_serve(SYS_SERVING);
	if (n.kind == NEXT_OK || n.kind == NEXT_NOREPLY)
		take_extra(&s, &n);
	else
		server_end(&s, "bad_return_value");
	run(&s);
	memcpy(ret_reason, s.reason, sizeof(s.reason));
	return 0;
}

/* --- a server that is the whole process --- */

/* The name is somebody else's: say whose (G-1). */
static void
cannot_register(const char *name, int r)
{
	char reason[MSG_REASON_MAX + 1];
	msg_pid pid;

	warnx("%s", msg_strerror(r));
	if (r == -EEXIST && msg_whereis(name, &pid) == 0)
		(void)snprintf(reason, sizeof(reason),
		    "already_started: " PID_FMT, PID_ARG(pid));
	else
		(void)snprintf(reason, sizeof(reason), "%.*s", MSG_REASON_MAX,
		    r == -EINVAL ? "bad_name" : msg_strerror(r));
	msg_exit(reason);
}

/* Returns when init wants the server to run. */
static void
init(struct server *s)
{
	struct msg_next n = msg_next_ok();

	if (s->ops->init != NULL)
		n = s->ops->init(s->state);
	if (!may(FROM_INIT, &n))
		n = msg_next_stop("bad_return_value");
	if (n.kind == NEXT_IGNORE)
		msg_exit("ignore");
	if (n.kind == NEXT_ERROR)
		msg_exit(n.text);
	if (n.kind == NEXT_STOP) {
		n.text[MSG_REASON_MAX] = '\0';
		if (!reason_is_clean(n.text))
			report_crash(s, n.text);
		msg_exit(n.text);
	}
	take_extra(s, &n);
}

MSG_API void
msg_server_main(const struct msg_server_ops *ops, void *state, const char *name)
{
	struct server s;
	int r;

	begin(&s, ops, state, name);
	sys_serve(SYS_STARTING);
	r = msg_open();
	if (r != 0)
		errx(1, "%s", msg_strerror(r));
	r = name != NULL ? msg_register(name) : 0;
	if (r != 0)
		cannot_register(name, r);
	init(&s);
	sys_serve(SYS_SERVING);
	r = msg_ready();
	if (r != 0)
		server_end(&s, "noconnection");
	run(&s);
	msg_exit(s.reason);
}
