/* SPDX-License-Identifier: ISC */
#include "sys.h"

#include "internal.h"

#include <errno.h>
#include <msg/format.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Requests that wait: more are refused.  Traces: more are lost, and counted. */
#define WAITING_MAX 256
/* A traced body: longer ones are told by their length. */
#define TRACED_MAX ((size_t)4096)

static struct {
	enum sys_state state;
	struct items urgent; /* for the server, ahead of its messages */
	struct items own;    /* for libmsg, or to be refused */
	struct items early;  /* a worker's, behind messages on their way */
	struct items traces; /* to be sent */
	unsigned n_urgent, n_own, n_early, n_traces;
	uint64_t n_lost; /* traces */
	bool tracing;
	bool running;
} sys = { .urgent = TAILQ_HEAD_INITIALIZER(sys.urgent),
	.own = TAILQ_HEAD_INITIALIZER(sys.own),
	.early = TAILQ_HEAD_INITIALIZER(sys.early),
	.traces = TAILQ_HEAD_INITIALIZER(sys.traces) };

static struct item *
take_first(struct items *l, unsigned *n)
{
	struct item *it = TAILQ_FIRST(l);

	if (it != NULL) {
		TAILQ_REMOVE(l, it, entry);
		(*n)--;
	}
	return it;
}

void
sys_fini(void)
{
	struct item *it;

	while ((it = take_first(&sys.urgent, &sys.n_urgent)) != NULL ||
	       (it = take_first(&sys.own, &sys.n_own)) != NULL ||
	       (it = take_first(&sys.early, &sys.n_early)) != NULL ||
	       (it = take_first(&sys.traces, &sys.n_traces)) != NULL)
		free(it);
	sys.tracing = false;
}

/* --- answering, with the lock --- */

/* An answer of any length, in frames that the lifeline takes. */
static void
send_answer(msg_pid to, uint64_t ref, unsigned flags, int error,
    const char *body, size_t len)
{
	const size_t most = PROTO_LIFELINE_MAX - PROTO_HEADER_SIZE;
	struct proto_frame h = { .type = PROTO_ANSWER,
		.to = to,
		.from = mailbox.self,
		.ref = ref,
		.tag = (uint32_t)error };
	size_t n;
	int r;

	if (ref == 0)
		return;
	do {
		n = len < most ? len : most;
		h.flags =
		    (uint16_t)(flags | (n < len ? (unsigned)PROTO_MORE : 0));
		r = lifeline_send(&h, body, n);
		body += n;
		len -= n;
	} while (r == 0 && len > 0);
}

static void
answer(msg_pid to, uint64_t ref, const struct msg_pack *value)
{
	static const char text[] = "no memory for the answer";

	if (value->failed)
		send_answer(
		    to, ref, PROTO_ERROR, ENOMEM, text, sizeof(text) - 1);
	else
		send_answer(to, ref, PROTO_MSGPACK, 0, value->data, value->len);
}

static void
refuse(msg_pid to, uint64_t ref, int error, const char *text)
{
	send_answer(to, ref, PROTO_ERROR, error, text, strlen(text));
}

void
sys_answer(const struct sys_request *req, const struct msg_pack *value)
{
	if (mailbox_enter() != 0)
		return;
	answer(req->from, req->ref, value);
	(void)mailbox_leave(0);
}

void
sys_refuse(const struct sys_request *req, int error, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (mailbox_enter() != 0)
		return;
	refuse(req->from, req->ref, error, text);
	(void)mailbox_leave(0);
}

/* --- reading a request --- */

static bool
read_request(struct item *it, struct sys_request *ret)
{
	struct msg m = {
		.content = MSG_PACKED, .body = it->body, .len = it->len
	};

	*ret = (struct sys_request){
		.from = it->h.from, .ref = it->h.ref, .item = it
	};
	ret->n_args = msg_unpack_tag(&m, &ret->args, ret->op);
	return ret->n_args >= 0;
}

void
sys_request_fini(struct sys_request *req)
{
	free(req->item);
	req->item = NULL;
}

/* --- what libmsg answers by itself --- */

static void
own_info(const struct sys_request *req, struct msg_pack *p)
{
	(void)req;
	info_pack(p);
}

static void
own_trace(const struct sys_request *req, struct msg_pack *p)
{
	struct msg_unpack args = req->args;
	bool on;

	if (req->n_args == 1 && msg_unpack_bool(&args, &on) == 0)
		sys.tracing = on;
	msg_pack_bool(p, sys.tracing);
}

static const struct {
	const char *op;
	void (*fn)(const struct sys_request *req, struct msg_pack *p);
} own_ops[] = {
	{ "info", own_info },
	{ "trace", own_trace },
};

static bool
is_own(const struct item *it)
{
	struct msg m = {
		.content = MSG_PACKED, .body = it->body, .len = it->len
	};
	char tag[MSG_TAG_MAX + 1];
	struct msg_unpack u;

	if (msg_unpack_tag(&m, &u, tag) < 0)
		return true; /* to be refused */
	for (size_t i = 0; i < sizeof(own_ops) / sizeof(own_ops[0]); i++) {
		if (strcmp(own_ops[i].op, tag) == 0)
			return true;
	}
	return false;
}

static void
serve_own(struct item *it)
{
	struct sys_request req;
	struct msg_pack p;

	if (!read_request(it, &req)) {
		refuse(req.from, req.ref, EBADMSG,
		    "a system request is [operation, argument ...]");
		return;
	}
	for (size_t i = 0; i < sizeof(own_ops) / sizeof(own_ops[0]); i++) {
		if (strcmp(own_ops[i].op, req.op) != 0)
			continue;
		msg_pack_init(&p);
		own_ops[i].fn(&req, &p);
		answer(req.from, req.ref, &p);
		msg_pack_fini(&p);
		return;
	}
	refuse(req.from, req.ref, ENOTSUP,
	    "this worker is no server: it only knows info and trace");
}

void
sys_run(void)
{
	struct item *it;

	/* Sending may wait, and every wait ends here. */
	if (sys.running)
		return;
	sys.running = true;
	while ((it = take_first(&sys.own, &sys.n_own)) != NULL) {
		serve_own(it);
		free(it);
	}
	while ((it = take_first(&sys.traces, &sys.n_traces)) != NULL) {
		if (sys.tracing &&
		    lifeline_send(&it->h, it->body, it->len) != 0)
			sys.n_lost++;
		free(it);
	}
	sys.running = false;
}

/* --- taking in --- */

static void
put_last(struct items *l, unsigned *n, struct item *it)
{
	TAILQ_INSERT_TAIL(l, it, entry);
	(*n)++;
}

/* Those that are behind nothing any more take their place in the queue. */
void
sys_ordered(msg_pid ended)
{
	struct item *it, *next;

	for (it = TAILQ_FIRST(&sys.early); it != NULL; it = next) {
		next = TAILQ_NEXT(it, entry);
		if (it->h.from != ended &&
		    !transport_has_taken(it->h.from, it->h.seq))
			continue;
		TAILQ_REMOVE(&sys.early, it, entry);
		sys.n_early--;
		mailbox_put(it, false);
	}
}

void
sys_deliver(const struct proto_frame *h, const void *body, size_t len)
{
	struct item *it = item_new((enum msg_kind)KIND_SYSTEM, h, body, len);
	bool by_worker = PROTO_PID_SLOT(h->from) != PROTO_GUEST_SLOT;

	if (it == NULL ||
	    sys.n_own + sys.n_urgent + sys.n_early >= WAITING_MAX) {
		free(it);
		mailbox.stats.bad++;
	} else if (sys.state == SYS_NONE || is_own(it)) {
		put_last(&sys.own, &sys.n_own, it);
	} else if (by_worker) {
		put_last(&sys.early, &sys.n_early, it);
		sys_ordered(0);
	} else {
		put_last(&sys.urgent, &sys.n_urgent, it);
	}
}

void
sys_serve(enum sys_state state)
{
	struct item *it;

	mailbox_lock();
	sys.state = state;
	/* The server has ended, the process goes on. */
	while (state == SYS_NONE &&
	       ((it = take_first(&sys.urgent, &sys.n_urgent)) != NULL ||
		   (it = take_first(&sys.early, &sys.n_early)) != NULL))
		put_last(&sys.own, &sys.n_own, it);
	mailbox_unlock();
}

bool
sys_is_served(void)
{
	return sys.state != SYS_NONE;
}

/* The next thing that is there, or NULL. */
static struct item *
next_item(bool suspended)
{
	static const struct msg_pattern all[] = { { .kinds = ~0u } };
	static const struct msg_pattern some[] = {
		{ .kinds = MSG_IS(KIND_SYSTEM) },
		{ .kinds = MSG_IS(MSG_EXIT), .from = MSG_SUPERVISOR },
	};
	struct item *it = take_first(&sys.urgent, &sys.n_urgent);
	uint64_t scanned = 0;
	size_t which;

	if (it != NULL)
		return it;
	return suspended
	           ? queue_match(&mailbox.queue, some, 2, &scanned, &which)
	           : queue_match(&mailbox.queue, all, 1, &scanned, &which);
}

static int
receive(bool suspended, int64_t deadline_ns, struct sys_request *ret_req,
    struct msg *ret_msg)
{
	struct item *it;
	bool last = false;
	int r;

	mailbox_glance();
	while ((it = next_item(suspended)) == NULL) {
		r = mailbox_more(deadline_ns, &last);
		if (r <= 0)
			return r;
	}
	if (it->kind != KIND_SYSTEM) {
		item_give(it, ret_msg);
		return SYS_MESSAGE;
	}
	/* Those that cannot be read were refused when they came. */
	(void)read_request(it, ret_req);
	return SYS_REQUEST;
}

int
sys_receive(bool suspended, int64_t deadline_ns, struct sys_request *ret_req,
    struct msg *ret_msg)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(receive(suspended, deadline_ns, ret_req, ret_msg));
}

/* --- tracing --- */

void
sys_trace(
    const char *way, const struct proto_frame *h, const void *body, size_t len)
{
	static const char *const kinds[] = {
		[PROTO_DATA] = "data",
		[PROTO_CALL] = "call",
		[PROTO_REPLY] = "reply",
		[PROTO_CAST] = "cast",
	};
	struct proto_frame out = { .type = PROTO_TRACE,
		.flags = PROTO_MSGPACK,
		.from = mailbox.self };
	bool whole = (h->flags & PROTO_CONTENT_MASK) == PROTO_MSGPACK &&
	             len <= TRACED_MAX;
	char from[32], to[32];
	struct msg_pack p;
	struct item *it = NULL;

	if (!sys.tracing || h->type >= sizeof(kinds) / sizeof(kinds[0]) ||
	    kinds[h->type] == NULL)
		return;
	if (sys.n_traces >= WAITING_MAX) {
		sys.n_lost++;
		return;
	}
	(void)snprintf(from, sizeof(from), PID_FMT, PID_ARG(h->from));
	(void)snprintf(to, sizeof(to), PID_FMT, PID_ARG(h->to));
	msg_pack_init(&p);
	msg_packf(&p, "{dir %s kind %s from %s to %s len %zu lost %llu}", way,
	    kinds[h->type], from, to, len, (unsigned long long)sys.n_lost);
	if (!p.failed && whole && msg_unpack_check(body, len) == 0) {
		/* One pair more, at the end. */
		p.data[0]++;
		msg_pack_str(&p, "body");
		msg_pack_raw(&p, body, len);
	}
	if (!p.failed)
		it = item_new((enum msg_kind)KIND_SYSTEM, &out, p.data, p.len);
	msg_pack_fini(&p);
	if (it == NULL) {
		sys.n_lost++;
		return;
	}
	sys.n_lost = 0;
	put_last(&sys.traces, &sys.n_traces, it);
}
