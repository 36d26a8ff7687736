/* SPDX-License-Identifier: ISC */
/* Taking messages out of the mailbox (P-5), and waiting for other things. */
#include "internal.h"
#include "sys.h"

#include <errno.h>
#include <stdlib.h>

/* However many messages wait, look so often what else has come. */
#define GLANCE_NS (1 * NS_PER_MS)

void
item_give(struct item *it, struct msg *ret_msg)
{
	*ret_msg = (struct msg){
		.kind = (enum msg_kind)it->kind,
		.content = (it->h.flags & PROTO_CONTENT_MASK) == PROTO_MSGPACK
		               ? MSG_PACKED
		               : MSG_BYTES,
		.from = it->h.from,
		.ref = it->h.ref,
		.error = it->kind == MSG_REPLY && (it->h.flags & PROTO_ERROR)
		             ? -EREMOTEIO
		             : 0,
		.len = it->len,
		.body = it->body,
		.owner = it,
	};
}

MSG_API void
msg_free(struct msg *m)
{
	if (m == NULL)
		return;
	free(m->owner);
	*m = (struct msg){ 0 };
}

/* Exit signals and supd's questions must not wait for a long queue. */
void
mailbox_glance(void)
{
	static int64_t next_ns;
	int64_t now = clock_now();

	if (now < next_ns)
		return;
	next_ns = now + GLANCE_NS;
	(void)mailbox_wait(-1, 0, 0);
}

int
mailbox_more(int64_t deadline_ns, bool *last)
{
	int r;

	if (mailbox.cut)
		return fail(-EPIPE, "supd has gone");
	if (*last)
		return 0;
	*last = clock_now() >= deadline_ns;
	r = mailbox_wait(-1, 0, deadline_ns);
	return r != 0 ? r : 1;
}

static int
receive(struct msg *ret_msg, const struct msg_pattern *patterns, size_t n,
    int64_t deadline_ns)
{
	/* What is the server's stays for it, if a function of it receives. */
	static const struct msg_pattern any = { 0 };
	struct item *it;
	uint64_t scanned = 0;
	size_t which = 0;
	bool last = false;
	int r;

	if (patterns == NULL && sys_is_served()) {
		patterns = &any;
		n = 1;
	}

	mailbox_glance();
	for (;;) {
		it = patterns == NULL ? queue_take_first(&mailbox.queue)
		                      : queue_match(&mailbox.queue, patterns, n,
					    &scanned, &which);
		if (it != NULL)
			break;
		r = mailbox_more(deadline_ns, &last);
		if (r <= 0)
			return r;
	}
	item_give(it, ret_msg);
	return (int)which + 1;
}

MSG_API int
msg_receive(struct msg *ret_msg, int timeout_ms)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(
	    receive(ret_msg, NULL, 0, clock_deadline(timeout_ms)));
}

MSG_API int
msg_receive_match(struct msg *ret_msg, const struct msg_pattern *patterns,
    size_t n, int timeout_ms)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	if (patterns == NULL || n > INT32_MAX)
		r = fail(-EINVAL, "no patterns to match");
	else
		r = receive(ret_msg, patterns, n, clock_deadline(timeout_ms));
	return mailbox_leave(r);
}

static int
sleep_until(int64_t deadline_ns)
{
	int r;

	while (clock_now() < deadline_ns) {
		r = mailbox_wait(-1, 0, deadline_ns);
		if (r != 0)
			return r;
		if (!mailbox.open)
			return fail(-ENOTCONN, "msg_close() was called");
	}
	return 0;
}

MSG_API int
msg_sleep(int timeout_ms)
{
	int64_t deadline = clock_deadline(timeout_ms);
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(sleep_until(deadline));
}

/* --- for foreign event loops --- */

MSG_API int
msg_fd(void)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(wait_epoll_fd());
}

static int
dispatch(void)
{
	uint64_t n;

	(void)mailbox_wait(-1, 0, 0);
	n = mailbox.queue.n;
	if (n == 0 && mailbox.cut)
		return fail(-EPIPE, "supd has gone");
	return n < INT32_MAX ? (int)n : INT32_MAX;
}

MSG_API int
msg_dispatch(void)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(dispatch());
}
