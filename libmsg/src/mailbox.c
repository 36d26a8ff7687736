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
#include "sys.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

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

bool
mailbox_full(void)
{
	if (mailbox.max_bytes == 0 || mailbox.on_full != PROTO_BLOCK ||
	    mailbox.queue.bytes < mailbox.max_bytes)
		return false;
	mailbox.blocks = true;
	return true;
}

/* Somebody was refused credit: is there enough room now to be worth it? */
static void
make_room(void)
{
	if (!mailbox.blocks ||
	    mailbox.queue.bytes > mailbox.max_bytes - mailbox.max_bytes / 4)
		return;
	mailbox.blocks = false;
	transport_room();
}

int
mailbox_leave(int r)
{
	sys_run();
	make_room();
	exit_obey();
	mailbox_unlock();
	return r;
}

uint64_t
mailbox_ref(void)
{
	return queue_ref(&mailbox.queue);
}

void
mailbox_put(struct item *it, bool indexed)
{
	queue_put(&mailbox.queue, it, indexed);
	mailbox.stats.received++;
}

void
mailbox_store(enum msg_kind kind, const struct proto_frame *h, const void *body,
    size_t len, bool indexed)
{
	struct item *it = item_new(kind, h, body, len);

	if (it != NULL)
		mailbox_put(it, indexed);
	else
		mailbox.stats.bad++;
}

struct item *
mailbox_take(struct item *it)
{
	return queue_take_ref(&mailbox.queue, it->h.ref);
}

/* Is there no room for so much more?  One message has always room. */
static bool
beyond(uint64_t has, size_t more)
{
	return mailbox.max_bytes != 0 && has > 0 &&
	       has + more > mailbox.max_bytes;
}

/*
 * A message of a worker or guest; news and answers, which we have asked for,
 * are not bounded.  Where senders are to block they get no credit, and what
 * they had is taken; but guests and other users know no credit, so what supd
 * relays has a room of its own, of the same size.
 */
static void
store_bounded(enum msg_kind kind, const struct proto_frame *h, const void *body,
    size_t len)
{
	static const char full[] = "mailbox full";
	size_t more = PROTO_HEADER_SIZE + len;
	bool relayed = h->seq == 0 && h->from != mailbox.self, drop = false;
	struct item *it;

	if (mailbox.on_full == PROTO_BLOCK)
		drop = relayed && beyond(mailbox.queue.relayed_bytes, more);
	else if (h->from != mailbox.self && beyond(mailbox.queue.bytes, more)) {
		drop = mailbox.on_full == PROTO_DROP;
		if (!drop)
			exit_doom(full, strlen(full), false);
	}
	it = drop ? NULL : item_new(kind, h, body, len);
	if (it != NULL) {
		it->relayed = relayed;
		mailbox_put(it, false);
	} else if (drop)
		mailbox.stats.dropped++;
	else
		mailbox.stats.bad++;
}

void
mailbox_deliver(const struct proto_frame *h, const void *body, size_t len)
{
	/* Behind the WELCOME, messages may come before it was looked at. */
	if ((h->to != mailbox.self && mailbox.self != 0) || h->from == 0) {
		mailbox.stats.bad++;
		return;
	}
	sys_trace("in", h, body, len);
	switch (h->type) {
	case PROTO_DATA:
		store_bounded(MSG_DATA, h, body, len);
		break;
	case PROTO_CALL:
		store_bounded(MSG_CALL, h, body, len);
		break;
	case PROTO_CAST:
		store_bounded(MSG_CAST, h, body, len);
		break;
	case PROTO_REPLY:
		/* Nobody waits for it any more: that is how it disappears. */
		if (!request_take(h, body, len))
			mailbox.stats.late++;
		break;
	default:
		mailbox.stats.bad++;
	}
}

void
mailbox_control(const struct proto_frame *h, const void *body, size_t len)
{
	size_t text = len > 0 ? strnlen(body, len) : 0;

	switch (h->type) {
	case PROTO_RESOLVED:
		if (transport_resolved(h->ref))
			break;
		/* fallthrough */
	case PROTO_WELCOME:
	case PROTO_RESULT:
	case PROTO_ANSWER:
		if (!request_take(h, body, len))
			mailbox.stats.late++;
		break;
	case PROTO_DOWN:
		monitor_down(h, body, text);
		break;
	case PROTO_GONE:
		(void)hash_drop_key(&mailbox.relayed, h->from);
		transport_gone(h->from);
		exits_run(h->from);
		sys_ordered(h->from);
		break;
	case PROTO_LINKED:
	case PROTO_UNLINKED:
		link_told(h);
		break;
	case PROTO_EXIT:
		exit_signal(h, body, text);
		break;
	case PROTO_SYS:
		sys_deliver(h, body, len);
		break;
	default:
		mailbox.stats.bad++;
	}
}

void
mailbox_chores(void)
{
	static bool busy;

	/* They wait in turn, and must not be begun again then. */
	if (busy || !mailbox.open)
		return;
	busy = true;
	exits_run(0);
	sys_ordered(0);
	timers_run();
	stats_run();
	timers_arm();
	busy = false;
}

static int
welcome(const struct item *it)
{
	struct proto_frame opened = { .type = PROTO_OPENED };
	struct proto_welcome w;
	int r;

	if (it->h.type != PROTO_WELCOME || it->len != sizeof(w))
		return fail(-EPROTO, "supd sent a malformed welcome");
	memcpy(&w, it->body, sizeof(w));
	if (w.self == 0 || memchr(w.path, '\0', sizeof(w.path)) == NULL ||
	    memchr(w.endpoint, '\0', sizeof(w.endpoint)) == NULL)
		return fail(-EPROTO, "supd sent a malformed welcome");
	mailbox.self = opened.from = w.self;
	memcpy(mailbox.path, w.path, sizeof(w.path));
	mailbox.max_bytes = w.max_bytes;
	mailbox.on_full = w.on_full;
	r = transport_open(w.endpoint, w.secret);
	return r != 0 ? r : lifeline_send(&opened, NULL, 0);
}

/* At exit(3).  A forked child owns no mailbox and must not touch it. */
static void
close_at_exit(void)
{
	if (mailbox.open && !forked)
		(void)msg_close();
}

/* Where our refs begin: below PROTO_REF_OWN, and with room for all of them. */
static uint64_t
random_ref(void)
{
	uint64_t ref = 0;

	if (getrandom(&ref, sizeof(ref), GRND_NONBLOCK) != sizeof(ref))
		ref = (uint64_t)clock_now() ^ (uint64_t)getpid() << 40;
	return ref >> 2;
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
	queue_init(&mailbox.queue, random_ref());
	hash_init(&mailbox.monitors);
	hash_init(&mailbox.requests);
	hash_init(&mailbox.callees);
	hash_init(&mailbox.relayed);
	hash_init(&mailbox.links);
	stats_init();
	r = wait_open();
	if (r == 0)
		r = timers_open();
	if (r == 0)
		r = lifeline_open();
	if (r == 0)
		r = mailbox_ask(&h, &join, sizeof(join), ASK_TIMEOUT_MS, &it);
	if (r == 0)
		r = welcome(it);
	free(it);
	if (r != 0) {
		timers_fini();
		wait_close();
	}
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
	lifeline_fini();
	sys_fini();
	queue_fini(&mailbox.queue);
	timers_fini();
	requests_fini();
	hash_fini_keys(&mailbox.monitors);
	hash_fini_keys(&mailbox.relayed);
	hash_fini_keys(&mailbox.links);
	exits_fini();
}

MSG_API int
msg_close(void)
{
	int r;

	if (!mailbox.open || mailbox_enter() != 0)
		return 0;
	mailbox.closing = true;
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
