/* SPDX-License-Identifier: ISC */
/*
 * The mailbox: joining and leaving supd, and the queue of what has come in.
 *
 * Everything that arrives, on either plane, is taken into memory here in the
 * order of its arrival and leaves through msg_receive(), except the one answer
 * that is being waited for.  So a wait for a reply costs the same with half a
 * million messages in the queue, and keeps their order.
 */
#include "internal.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* supd answers from memory; longer than this and it is not there. */
#define ASK_TIMEOUT_MS   10000
#define CLOSE_TIMEOUT_MS 5000

struct mailbox mailbox = { .lifeline = -1 };

/* Set in a child made by fork(2). */
static bool forked;

static void
on_fork(void)
{
	forked = mailbox.open;
}

int
mailbox_enter(void)
{
	fail_clear();
	/* It has no nanomsg thread either, and would wait for ever. */
	if (forked)
		return fail(-ECHILD, "a forked child has no mailbox");
	mailbox_lock();
	if (mailbox.open)
		return 0;
	mailbox_unlock();
	return fail(-ENOTCONN, "msg_open() has not been called");
}

int
mailbox_leave(int r)
{
	mailbox_unlock();
	return r;
}

uint64_t
mailbox_ref(void)
{
	return ++mailbox.next_ref;
}

static struct item *
item_new(const struct proto_frame *h, const void *body, size_t len)
{
	struct item *it = malloc(sizeof(*it) + len + 1);

	if (it == NULL)
		return NULL;
	it->h = *h;
	it->len = len;
	if (len > 0)
		memcpy(it->body, body, len);
	it->body[len] = '\0';
	return it;
}

/* Put a frame into the queue; without memory it is a lost message: counted. */
static void
queue_put(const struct proto_frame *h, const void *body, size_t len)
{
	struct item *it = item_new(h, body, len);

	if (it == NULL) {
		mailbox.stats.bad++;
		return;
	}
	TAILQ_INSERT_TAIL(&mailbox.queue, it, entry);
	mailbox.stats.queued++;
}

/* Is this what mailbox_ask() or msg_call() waits for?  Then give it to them. */
static bool
answer(const struct proto_frame *h, const void *body, size_t len)
{
	struct waiting *w = &mailbox.waiting;

	if (w->ref == 0 || h->ref != w->ref || w->answer != NULL)
		return false;
	w->answer = item_new(h, body, len);
	return w->answer != NULL;
}

void
mailbox_deliver(const struct proto_frame *h, const void *body, size_t len)
{
	if (h->to != mailbox.self || h->from == 0) {
		mailbox.stats.bad++;
		return;
	}
	switch (h->type) {
	case PROTO_DATA:
	case PROTO_CALL:
	case PROTO_CAST:
		queue_put(h, body, len);
		break;
	case PROTO_REPLY:
		/* Nobody waits for it any more: that is how it disappears. */
		if (!answer(h, body, len))
			mailbox.stats.late++;
		break;
	default:
		mailbox.stats.bad++;
	}
}

static struct callee *
callee_find(struct callees *l, msg_pid pid)
{
	struct callee *c;

	TAILQ_FOREACH (c, l, entry) {
		if (c->pid == pid)
			break;
	}
	return c;
}

int
callee_add(struct callees *l, msg_pid pid)
{
	struct callee *c = malloc(sizeof(*c));

	if (c == NULL)
		return fail(-ENOMEM, "no memory for one more worker");
	c->pid = pid;
	TAILQ_INSERT_HEAD(l, c, entry);
	return 0;
}

bool
callee_known(struct callees *l, msg_pid pid)
{
	struct callee *c = callee_find(l, pid);

	if (c == NULL)
		return false;
	TAILQ_REMOVE(l, c, entry);
	TAILQ_INSERT_HEAD(l, c, entry);
	return true;
}

void
callee_forget(struct callees *l, msg_pid pid)
{
	struct callee *c = callee_find(l, pid);

	if (c != NULL) {
		TAILQ_REMOVE(l, c, entry);
		free(c);
	}
}

/* A monitor has fired.  What the dead left behind goes into the queue first. */
static void
down(const struct proto_frame *h, const void *body, size_t len)
{
	struct waiting *w = &mailbox.waiting;
	struct monitor *m;

	if (h->from != 0)
		transport_gone(h->from);
	if (h->ref & REF_CALLEE) {
		callee_forget(&mailbox.callees, h->from);
		if (w->pid != 0 && w->pid == h->from && w->down[0] == '\0')
			snprintf(w->down, sizeof(w->down), "%.*s", (int)len,
			    len > 0 ? (const char *)body : "");
		return;
	}
	TAILQ_FOREACH (m, &mailbox.monitors, entry) {
		if (m->ref != h->ref)
			continue;
		TAILQ_REMOVE(&mailbox.monitors, m, entry);
		free(m);
		queue_put(h, body, len);
		return;
	}
}

void
mailbox_control(const struct proto_frame *h, const void *body, size_t len)
{
	size_t text = len > 0 ? strnlen(body, len) : 0;

	switch (h->type) {
	case PROTO_WELCOME:
	case PROTO_RESULT:
	case PROTO_RESOLVED:
		if (!answer(h, body, len))
			mailbox.stats.late++;
		break;
	case PROTO_DOWN:
		down(h, body, text);
		break;
	case PROTO_GONE:
		callee_forget(&mailbox.relayed, h->from);
		transport_gone(h->from);
		break;
	case PROTO_EXIT:
		queue_put(h, body, text);
		break;
	default:
		mailbox.stats.bad++;
	}
}

int
mailbox_ask(struct proto_frame *h, const void *body, size_t len,
    struct item **ret_answer)
{
	int64_t deadline = clock_deadline(ASK_TIMEOUT_MS);
	struct waiting *w = &mailbox.waiting;
	int r;

	h->ref = mailbox_ref();
	h->from = mailbox.self;
	*w = (struct waiting){ .ref = h->ref };
	r = lifeline_send(h, body, len);
	while (r == 0 && w->answer == NULL) {
		if (mailbox.cut)
			r = fail(-EPIPE, "supd has gone");
		else if (clock_now() >= deadline)
			r = fail(-ETIMEDOUT, "supd did not answer within %d s",
			    ASK_TIMEOUT_MS / 1000);
		else
			(void)mailbox_wait(-1, 0, deadline);
	}
	if (w->answer != NULL)
		r = 0;
	*ret_answer = w->answer;
	*w = (struct waiting){ 0 };
	return r;
}

static int
welcome(const struct item *it)
{
	struct proto_welcome w;

	if (it->h.type != PROTO_WELCOME || it->len != sizeof(w))
		return fail(-EPROTO, "supd sent a malformed welcome");
	memcpy(&w, it->body, sizeof(w));
	if (w.self == 0 || memchr(w.path, '\0', sizeof(w.path)) == NULL ||
	    memchr(w.endpoint, '\0', sizeof(w.endpoint)) == NULL)
		return fail(-EPROTO, "supd sent a malformed welcome");
	mailbox.self = w.self;
	memcpy(mailbox.path, w.path, sizeof(w.path));
	return transport_open(w.endpoint);
}

/* At exit(3).  A forked child owns no mailbox and must not touch it. */
static void
close_at_exit(void)
{
	if (mailbox.open && !forked)
		(void)msg_close();
}

/* Join by the lifeline.  With the lock. */
static int
join(int fd)
{
	struct proto_join join = { .os_pid = getpid() };
	struct proto_frame h = { .type = PROTO_JOIN };
	struct item *it = NULL;
	int r;

	mailbox = (struct mailbox){ .lifeline = fd };
	TAILQ_INIT(&mailbox.queue);
	TAILQ_INIT(&mailbox.monitors);
	TAILQ_INIT(&mailbox.callees);
	TAILQ_INIT(&mailbox.relayed);
	r = wait_open();
	if (r == 0)
		r = lifeline_open();
	if (r == 0)
		r = mailbox_ask(&h, &join, sizeof(join), &it);
	if (r == 0)
		r = welcome(it);
	free(it);
	if (r != 0)
		wait_close();
	return r;
}

MSG_API int
msg_open(void)
{
	static bool hooked;
	int fd, r;

	fail_clear();
	if (mailbox.open)
		return fail(-EALREADY, "msg_open() was called before");
	fd = lifeline_take();
	if (fd < 0)
		return fd;
	mailbox_lock();
	r = join(fd);
	if (r == 0) {
		alive_open();
		mailbox.stats.lossless = nnfix_active();
		mailbox.open = true;
	}
	mailbox_unlock();
	if (r != 0 || hooked)
		return r;
	hooked = true;
	(void)atexit(close_at_exit);
	(void)pthread_atfork(NULL, NULL, on_fork);
	return 0;
}

static void
forget_all(void)
{
	struct monitor *m;
	struct item *it;

	while ((it = TAILQ_FIRST(&mailbox.queue)) != NULL) {
		TAILQ_REMOVE(&mailbox.queue, it, entry);
		free(it);
	}
	while ((m = TAILQ_FIRST(&mailbox.monitors)) != NULL) {
		TAILQ_REMOVE(&mailbox.monitors, m, entry);
		free(m);
	}
	while (!TAILQ_EMPTY(&mailbox.callees))
		callee_forget(
		    &mailbox.callees, TAILQ_FIRST(&mailbox.callees)->pid);
	while (!TAILQ_EMPTY(&mailbox.relayed))
		callee_forget(
		    &mailbox.relayed, TAILQ_FIRST(&mailbox.relayed)->pid);
}

MSG_API int
msg_close(void)
{
	int r;

	if (!mailbox.open || mailbox_enter() != 0)
		return 0;
	r = transport_close(clock_deadline(CLOSE_TIMEOUT_MS));
	mailbox.open = false;
	/* For threads that wait: they find that supd has gone. */
	mailbox.cut = true;
	wait_close();
	close(mailbox.lifeline);
	mailbox.lifeline = -1;
	forget_all();
	return mailbox_leave(r);
}
