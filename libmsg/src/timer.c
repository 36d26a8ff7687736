/* SPDX-License-Identifier: ISC */
/*
 * Timers (P-11): messages to be sent later.  A binary heap by time, and one
 * timerfd in the epoll set for the next that is due, so that they fire in
 * whatever wait is going on, also in that of a foreign event loop.
 */
#include "internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

/*
 * A receiver is given a moment (its connection may have to be made), and one
 * that takes nothing is tried again: nobody's wait is held up by another.
 */
#define MOMENT_MS 5
#define AGAIN_NS  (50 * NS_PER_MS)
#define MS_MAX    (INT64_MAX / NS_PER_MS / 2)

struct timer {
	struct hash_node by_ref;
	LIST_ENTRY(timer) of_callee;
	struct callee *callee; /* it ends with this worker; NULL */
	int64_t due_ns;
	size_t at; /* in the heap */
	msg_pid to;
	char *name;   /* instead of `to`: whose it is then */
	bool timeout; /* ours: MSG_TIMEOUT */
	enum msg_content content;
	size_t len;
	char body[];
};

static struct {
	struct timer **heap;
	size_t n, cap;
	struct hash by_ref;
	int fd;
	int64_t armed_ns; /* 0: not */
} t = { .fd = -1 };

/* --- the heap: by time, then in the order in which they were set --- */

static bool
before(const struct timer *a, const struct timer *b)
{
	if (a->due_ns != b->due_ns)
		return a->due_ns < b->due_ns;
	return a->by_ref.key < b->by_ref.key;
}

static void
place(struct timer *x, size_t at)
{
	t.heap[at] = x;
	x->at = at;
}

static void
sift(struct timer *x, size_t at)
{
	size_t child;

	for (; at > 0 && before(x, t.heap[(at - 1) / 2]); at = (at - 1) / 2)
		place(t.heap[(at - 1) / 2], at);
	for (; (child = 2 * at + 1) < t.n; at = child) {
		if (child + 1 < t.n && before(t.heap[child + 1], t.heap[child]))
			child++;
		if (!before(t.heap[child], x))
			break;
		place(t.heap[child], at);
	}
	place(x, at);
}

static bool
heap_put(struct timer *x)
{
	struct timer **more;
	size_t cap = t.cap == 0 ? 16 : 2 * t.cap;

	if (t.n == t.cap) {
		more = realloc(t.heap, cap * sizeof(struct timer *));
		if (more == NULL)
			return false;
		t.heap = more;
		t.cap = cap;
	}
	t.n++;
	sift(x, t.n - 1);
	return true;
}

/* Nothing finds it any more. */
static void
take(struct timer *x)
{
	struct timer *last = t.heap[--t.n];

	if (last != x)
		sift(last, x->at);
	(void)hash_take(&t.by_ref, x->by_ref.key);
	if (x->callee != NULL)
		LIST_REMOVE(x, of_callee);
	x->callee = NULL;
}

static void
timer_free(struct timer *x)
{
	free(x->name);
	free(x);
}

/* --- the fd --- */

static void
expired(void *arg)
{
	uint64_t n;

	(void)arg;
	(void)!read(t.fd, &n, sizeof(n));
	t.armed_ns = 0;
}

void
timers_arm(void)
{
	int64_t due = stats_due();
	struct itimerspec at = { 0 };

	if (t.n > 0 && t.heap[0]->due_ns < due)
		due = t.heap[0]->due_ns;
	if (due == DEADLINE_NEVER)
		due = 0;
	at.it_value.tv_sec = due / 1000000000;
	at.it_value.tv_nsec = due % 1000000000;
	if (due == t.armed_ns || t.fd == -1)
		return;
	(void)timerfd_settime(t.fd, TFD_TIMER_ABSTIME, &at, NULL);
	t.armed_ns = due;
}

int
timers_open(void)
{
	int r;

	hash_init(&t.by_ref);
	t.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (t.fd == -1)
		return fail(
		    -errno, "cannot open a timerfd: %s", strerror(errno));
	r = wait_add_fd(t.fd, POLLIN, expired, NULL);
	if (r != 0) {
		close(t.fd);
		t.fd = -1;
	}
	return r;
}

void
timers_fini(void)
{
	while (t.n > 0) {
		struct timer *x = t.heap[0];

		take(x);
		timer_free(x);
	}
	if (t.fd != -1)
		close(t.fd);
	free(t.heap);
	hash_fini(&t.by_ref);
	t.heap = NULL;
	t.cap = 0;
	t.fd = -1;
	t.armed_ns = 0;
}

/* --- setting and stopping --- */

static int
start(int64_t ms, struct timer *x, uint64_t *ret_ref)
{
	struct callee *c = NULL;
	int r = 0;

	/* A timer for a pid ends with it. */
	if (x->to != 0)
		r = callee_get(x->to, &c);
	if (r != 0)
		return r;
	x->due_ns = clock_now() + (ms < MS_MAX ? ms : MS_MAX) * NS_PER_MS;
	x->by_ref.key = mailbox_ref();
	if (!heap_put(x))
		return fail(-ENOMEM, "no memory for a timer");
	hash_put(&t.by_ref, &x->by_ref, x->by_ref.key);
	x->callee = c;
	if (c != NULL)
		LIST_INSERT_HEAD(&c->timers, x, of_callee);
	*ret_ref = x->by_ref.key;
	timers_arm();
	return 0;
}

static int
timer_new(int64_t ms, msg_pid to, const char *name, enum msg_content content,
    const void *body, size_t len, uint64_t *ret_ref)
{
	struct timer *x;
	int r;

	if (ms < 0)
		return fail(
		    -EINVAL, "a timer cannot fire %lld ms ago", (long long)-ms);
	if (len > MSG_BODY_MAX)
		return fail(-EMSGSIZE,
		    "a body of %zu bytes is too long: %zu at most", len,
		    MSG_BODY_MAX);
	x = calloc(1, sizeof(*x) + len);
	if (x == NULL)
		return fail(-ENOMEM, "no memory for a timer");
	x->to = to;
	x->timeout = to == 0 && name == NULL;
	x->content = content;
	x->len = len;
	if (len > 0)
		memcpy(x->body, body, len);
	if (name != NULL)
		x->name = strdup(name);
	if (name != NULL && x->name == NULL)
		r = fail(-ENOMEM, "no memory for a timer");
	else
		r = start(ms, x, ret_ref);
	if (r != 0)
		timer_free(x);
	return r;
}

MSG_API int
msg_send_after(int64_t ms, msg_pid to, enum msg_content content,
    const void *body, size_t len, uint64_t *ret_ref)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	if (to == 0)
		r = fail(-EINVAL, "a timer for nobody");
	else
		r = timer_new(ms, to, NULL, content, body, len, ret_ref);
	return mailbox_leave(r);
}

MSG_API int
msg_send_after_name(int64_t ms, const char *name, enum msg_content content,
    const void *body, size_t len, uint64_t *ret_ref)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(
	    timer_new(ms, 0, name, content, body, len, ret_ref));
}

MSG_API int
msg_start_timer(int64_t ms, enum msg_content content, const void *body,
    size_t len, uint64_t *ret_ref)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(
	    timer_new(ms, 0, NULL, content, body, len, ret_ref));
}

static int64_t
cancel(uint64_t ref)
{
	struct timer *x =
	    hash_entry(hash_find(&t.by_ref, ref), struct timer, by_ref);
	int64_t left;

	if (x == NULL)
		return fail(-ENOENT, "no such timer, or it has fired");
	left = x->due_ns - clock_now();
	take(x);
	timer_free(x);
	timers_arm();
	return left <= 0 ? 0 : (left + NS_PER_MS - 1) / NS_PER_MS;
}

MSG_API int64_t
msg_cancel_timer(uint64_t ref)
{
	int64_t left;
	int r = mailbox_enter();

	if (r != 0)
		return r;
	left = cancel(ref);
	r = mailbox_leave(0);
	return r != 0 ? r : left;
}

size_t
timers_count(void)
{
	return t.n;
}

void
timers_callee_down(struct callee *c)
{
	struct timer *x;

	while ((x = LIST_FIRST(&c->timers)) != NULL) {
		take(x);
		timer_free(x);
	}
}

/* --- firing --- */

/* Send what it was set for.  -ETIMEDOUT: the receiver takes nothing now. */
static int
fire(const struct timer *x)
{
	struct proto_frame h = { .type = PROTO_DATA,
		.from = mailbox.self,
		.to = x->to,
		.ref = x->timeout ? x->by_ref.key : 0,
		.flags = (uint16_t)x->content };
	int64_t moment = clock_deadline(MOMENT_MS);
	struct proto_resolved where;
	int r;

	if (x->timeout) {
		h.to = mailbox.self;
		mailbox_store(MSG_TIMEOUT, &h, x->body, x->len, true);
		return 0;
	}
	if (x->name == NULL)
		return send_frame(
		    &h, x->content, NULL, x->body, x->len, moment);
	r = resolve_name(x->name, &where);
	if (r != 0)
		return r == -ETIMEDOUT ? -ENOENT : r;
	h.to = where.pid;
	return send_frame(&h, x->content, &where, x->body, x->len, moment);
}

void
timers_run(void)
{
	struct timer *x;
	int64_t now = t.n > 0 ? clock_now() : 0;

	if (t.n == 0 || t.heap[0]->due_ns > now)
		return;
	while (t.n > 0 && t.heap[0]->due_ns <= now && !mailbox.cut) {
		x = t.heap[0];
		take(x);
		if (fire(x) != -ETIMEDOUT || mailbox.cut) {
			timer_free(x);
			continue;
		}
		x->due_ns = now + AGAIN_NS;
		if (heap_put(x))
			hash_put(&t.by_ref, &x->by_ref, x->by_ref.key);
		else
			timer_free(x);
	}
}
