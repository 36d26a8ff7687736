/* SPDX-License-Identifier: ISC */
/*
 * Requests: to supd (mailbox_ask) and to other workers (msg_call, msg_request).
 *
 * A request is found by its ref until its answer, or the end of the callee,
 * has come; what comes later is dropped (P-9).  While somebody waits for it the
 * answer is his; else it goes into the mailbox like any message.  Either way
 * no message that waits is looked at.
 *
 * The end of a callee is known by a standing monitor, which the first request
 * to it sets; later ones cost supd nothing.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct request {
	struct hash_node by_ref;
	LIST_ENTRY(request) of_callee;
	struct callee *callee; /* until it is answered; NULL: supd will */
	msg_pid pid;
	bool awaited;  /* somebody waits, and will free it */
	bool given_up; /* by another thread than that */
	bool done;
	struct item *answer; /* all of it when done */
};

static struct request *
request_find(uint64_t ref)
{
	return hash_entry(
	    hash_find(&mailbox.requests, ref), struct request, by_ref);
}

static struct request *
request_new(uint64_t ref, struct callee *callee)
{
	struct request *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	hash_put(&mailbox.requests, &q->by_ref, ref);
	q->callee = callee;
	if (callee != NULL) {
		q->pid = callee->by_pid.key;
		LIST_INSERT_HEAD(&callee->requests, q, of_callee);
	}
	return q;
}

/* It is answered, or given up: nothing finds it any more. */
static void
request_detach(struct request *q)
{
	if (!q->done)
		(void)hash_take(&mailbox.requests, q->by_ref.key);
	q->done = true;
	if (q->callee != NULL)
		LIST_REMOVE(q, of_callee);
	q->callee = NULL;
}

static void
request_free(struct request *q)
{
	request_detach(q);
	free(q->answer);
	free(q);
}

/* The answer is there: to the one who waits, or into the mailbox. */
static void
request_answer(struct request *q, struct item *it)
{
	it->response = true;
	request_detach(q);
	q->answer = it;
	if (q->awaited)
		return;
	mailbox_put(it, true);
	q->answer = NULL;
	request_free(q);
}

/* One part of an answer in several.  False without memory. */
static bool
join_parts(struct request *q, const struct proto_frame *h, const void *body,
    size_t len)
{
	struct item *old = q->answer, *it;
	size_t had = old != NULL ? old->len : 0;

	if (had + len > PROTO_MESSAGE_MAX)
		return false;
	it = item_new(MSG_REPLY, h, NULL, 0);
	it = it != NULL ? realloc(it, sizeof(*it) + had + len + 1) : NULL;
	if (it == NULL)
		return false;
	if (had > 0)
		memcpy(it->body, old->body, had);
	if (len > 0)
		memcpy(it->body + had, body, len);
	it->len = had + len;
	it->body[it->len] = '\0';
	free(old);
	q->answer = it;
	return true;
}

bool
request_take(const struct proto_frame *h, const void *body, size_t len)
{
	struct request *q = request_find(h->ref);
	struct item *it;

	/* Workers do not answer for supd, nor supd for workers. */
	if (q == NULL || (q->callee != NULL) != (h->type == PROTO_REPLY))
		return false;
	if (!join_parts(q, h, body, len)) {
		mailbox.stats.bad++;
		return true;
	}
	if (h->type == PROTO_ANSWER && (h->flags & PROTO_MORE) != 0)
		return true;
	it = q->answer;
	q->answer = NULL;
	request_answer(q, it);
	return true;
}

/* --- callees --- */

static struct callee *
callee_find(msg_pid pid)
{
	return hash_entry(
	    hash_find(&mailbox.callees, pid), struct callee, by_pid);
}

int
callee_get(msg_pid pid, struct callee **ret_callee)
{
	struct proto_frame h = {
		.type = PROTO_MONITOR, .to = pid, .from = mailbox.self
	};
	struct callee *c;
	int r = 0;

	/* While this waits for the lifeline, it may end already. */
	while (r == 0 && (*ret_callee = callee_find(pid)) == NULL) {
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			return fail(-ENOMEM, "no memory for one more worker");
		hash_put(&mailbox.callees, &c->by_pid, pid);
		h.ref = mailbox_ref() | PROTO_REF_OWN;
		/* Of our own end there is nothing to be told. */
		if (pid != mailbox.self)
			r = lifeline_send(&h, NULL, 0);
	}
	return r;
}

static void
request_down(struct request *q, msg_pid pid, const char *why, size_t len)
{
	struct proto_frame h = { .type = PROTO_DOWN,
		.to = mailbox.self,
		.from = pid,
		.ref = q->by_ref.key };
	struct item *it = item_new(MSG_DOWN, &h, why, len);

	if (it != NULL)
		request_answer(q, it);
	else
		mailbox.stats.bad++;
}

bool
mailbox_awaits(msg_pid pid)
{
	struct callee *c =
	    hash_entry(hash_find(&mailbox.callees, pid), struct callee, by_pid);

	return c != NULL && !LIST_EMPTY(&c->requests);
}

void
callee_down(msg_pid pid, const char *why, size_t len)
{
	struct callee *c =
	    hash_entry(hash_take(&mailbox.callees, pid), struct callee, by_pid);
	struct request *q;

	if (c == NULL)
		return;
	while ((q = LIST_FIRST(&c->requests)) != NULL) {
		LIST_REMOVE(q, of_callee);
		q->callee = NULL;
		request_down(q, pid, why, len);
	}
	timers_callee_down(c);
	free(c);
}

void
requests_fini(void)
{
	struct hash_node *node;
	struct request *q;

	while ((node = hash_take_any(&mailbox.requests)) != NULL) {
		q = hash_entry(node, struct request, by_ref);
		if (q->callee != NULL)
			LIST_REMOVE(q, of_callee);
		q->callee = NULL;
		/* Whoever waits for it finds that libmsg is closed. */
		q->done = true;
		q->given_up = true;
		if (!q->awaited)
			request_free(q);
	}
	hash_fini(&mailbox.requests);
	while ((node = hash_take_any(&mailbox.callees)) != NULL)
		free(hash_entry(node, struct callee, by_pid));
	hash_fini(&mailbox.callees);
}

/* --- waiting --- */

/* Wait for the answer; one that is there at the deadline counts (G-2). */
static int
await(struct request *q, int64_t deadline_ns)
{
	bool last = false;

	while (!q->done || q->answer == NULL) {
		if (mailbox.cut)
			return fail(-EPIPE, "supd has gone");
		if (q->given_up)
			return fail(-EINVAL,
			    "another thread has given up this request");
		if (last && q->pid == 0)
			return fail(-ETIMEDOUT, "supd did not answer in time");
		if (last)
			return fail(-ETIMEDOUT,
			    PID_FMT " did not reply in time", PID_ARG(q->pid));
		last = clock_now() >= deadline_ns;
		(void)mailbox_wait(-1, 0, deadline_ns);
	}
	return 0;
}

int
mailbox_ask(struct proto_frame *h, const void *body, size_t len, int timeout_ms,
    struct item **ret_answer)
{
	struct request *q;
	int r;

	if (h->ref == 0)
		h->ref = mailbox_ref();
	h->from = mailbox.self;
	q = request_new(h->ref, NULL);
	if (q == NULL)
		return fail(-ENOMEM, "no memory for a request");
	q->awaited = true;
	/* What we have sent before a SYS is to be handled before. */
	r = h->type == PROTO_SYS ? transport_signal(h, body, len)
	                         : lifeline_send(h, body, len);
	if (r == 0)
		r = await(q, clock_deadline(timeout_ms));
	if (r == 0) {
		*ret_answer = q->answer;
		q->answer = NULL;
	}
	request_free(q);
	return r;
}

int
mailbox_ask_result(struct proto_frame *h, const void *body, size_t len)
{
	struct proto_result res;
	struct item *it = NULL;
	int r = mailbox_ask(h, body, len, ASK_TIMEOUT_MS, &it);

	if (r != 0)
		return r;
	if (it->h.type == PROTO_RESULT && it->len == sizeof(res))
		memcpy(&res, it->body, sizeof(res));
	else
		res.error = -1;
	free(it);
	if (res.error < 0)
		return fail(-EPROTO, "supd sent a malformed result");
	return res.error == 0
	           ? 0
	           : fail(-res.error, "supd says: %s", strerror(res.error));
}

int
mailbox_ask_answer(struct proto_frame *h, const void *body, size_t len,
    int timeout_ms, struct item **ret_answer)
{
	struct item *it = NULL;
	int r = mailbox_ask(h, body, len, timeout_ms, &it);
	uint32_t tag;

	if (r != 0)
		return r;
	tag = it->h.tag;
	if (it->h.type != PROTO_ANSWER)
		r = fail(-EPROTO, "supd sent a malformed answer");
	else if (it->h.flags & PROTO_ERROR)
		r = fail(tag > 0 && tag < 4096 ? -(int)tag : -EREMOTEIO, "%s",
		    it->body);
	if (r != 0)
		free(it);
	else
		*ret_answer = it;
	return r;
}

/* --- requests to workers --- */

/* Send one, as one that somebody waits for.  0 and the request, or -errno. */
static int
request_send(msg_pid to, const struct proto_resolved *where,
    enum msg_content content, const void *body, size_t len, int64_t deadline_ns,
    struct request **ret_request)
{
	struct proto_frame h = {
		.type = PROTO_CALL, .to = to, .ref = mailbox_ref()
	};
	struct request *q = NULL;
	struct callee *c;
	int r;

	if (to == 0 || to == PROTO_SUPERVISOR)
		return fail(-ESRCH, PID_FMT " takes no calls", PID_ARG(to));
	r = callee_get(to, &c);
	if (r != 0)
		return r;
	q = request_new(h.ref, c);
	if (q == NULL)
		return fail(-ENOMEM, "no memory for a request");
	q->awaited = true;
	r = send_frame(&h, content, where, body, len, deadline_ns);
	/* It has ended: the monitor tells, and says how. */
	if (r != 0 && r != -ESRCH) {
		request_free(q);
		return r;
	}
	*ret_request = q;
	return 0;
}

/* What the answer means to the caller; takes it. */
static int
outcome(struct item *it, struct msg *ret_reply)
{
	int r = 0;

	if (it->kind == MSG_DOWN && strcmp(it->body, "noproc") == 0)
		r = fail(-ESRCH, PID_FMT " has ended", PID_ARG(it->h.from));
	else if (it->kind == MSG_DOWN)
		r = fail(-ECONNRESET, PID_FMT " ended before it replied: %s",
		    PID_ARG(it->h.from), it->body);
	else if (it->h.flags & PROTO_ERROR)
		r = fail(-EREMOTEIO, "%s", it->body);
	if (r == 0 && ret_reply != NULL)
		item_give(it, ret_reply);
	else
		free(it);
	return r;
}

/* It is done. */
static int
finish(struct request *q, struct msg *ret_reply)
{
	struct item *it = q->answer;

	q->answer = NULL;
	request_free(q);
	return outcome(it, ret_reply);
}

static int
call(msg_pid to, const struct proto_resolved *where, enum msg_content content,
    const void *body, size_t len, int64_t deadline_ns, struct msg *ret_reply)
{
	struct request *q;
	int r;

	if (to == mailbox.self)
		return fail(-EDEADLK, "a worker cannot call itself");
	r = request_send(to, where, content, body, len, deadline_ns, &q);
	if (r != 0)
		return r;
	r = await(q, deadline_ns);
	if (r == 0)
		return finish(q, ret_reply);
	request_free(q);
	return r;
}

static int64_t
call_deadline(int timeout_ms)
{
	return clock_deadline(
	    timeout_ms < 0 ? MSG_CALL_TIMEOUT_MS : timeout_ms);
}

MSG_API int
msg_call(msg_pid to, enum msg_content content, const void *body, size_t len,
    int timeout_ms, struct msg *ret_reply)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(call(to, NULL, content, body, len,
	    call_deadline(timeout_ms), ret_reply));
}

MSG_API int
msg_call_name(const char *name, enum msg_content content, const void *body,
    size_t len, int timeout_ms, struct msg *ret_reply)
{
	int64_t deadline = call_deadline(timeout_ms);
	struct proto_resolved where;
	int r = mailbox_enter();

	if (r != 0)
		return r;
	r = resolve_name(name, &where);
	if (r == 0)
		r = call(
		    where.pid, &where, content, body, len, deadline, ret_reply);
	else if (r == -ENOENT)
		r = fail(-ESRCH, "no worker is registered as \"%s\"", name);
	return mailbox_leave(r);
}

/* Send one that nobody waits for yet. */
static int
request(msg_pid to, const struct proto_resolved *where,
    enum msg_content content, const void *body, size_t len, uint64_t *ret_ref)
{
	struct request *q;
	struct item *it;
	int r = request_send(to, where, content, body, len, DEADLINE_NEVER, &q);

	if (r != 0)
		return r;
	*ret_ref = q->by_ref.key;
	q->awaited = false;
	if (!q->done)
		return 0;
	/* Answered while it was being sent. */
	it = q->answer;
	q->answer = NULL;
	if (it != NULL)
		mailbox_put(it, true);
	request_free(q);
	return 0;
}

MSG_API int
msg_request(msg_pid to, enum msg_content content, const void *body, size_t len,
    uint64_t *ret_ref)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(request(to, NULL, content, body, len, ret_ref));
}

/* A request to nobody: its answer is that. */
static int
request_nobody(uint64_t *ret_ref)
{
	struct request *q = request_new(mailbox_ref(), NULL);

	if (q == NULL)
		return fail(-ENOMEM, "no memory for a request");
	*ret_ref = q->by_ref.key;
	request_down(q, 0, "noproc", strlen("noproc"));
	return 0;
}

MSG_API int
msg_request_name(const char *name, enum msg_content content, const void *body,
    size_t len, uint64_t *ret_ref)
{
	struct proto_resolved where;
	int r = mailbox_enter();

	if (r != 0)
		return r;
	r = resolve_name(name, &where);
	if (r == 0)
		r = request(where.pid, &where, content, body, len, ret_ref);
	else if (r == -ENOENT)
		r = request_nobody(ret_ref);
	return mailbox_leave(r);
}

/* The answer of a request that is in the mailbox, or NULL. */
static struct item *
in_mailbox(uint64_t ref)
{
	struct item *it = queue_find_ref(&mailbox.queue, ref);

	return it != NULL && it->response ? mailbox_take(it) : NULL;
}

static int
wait_response(uint64_t ref, int64_t deadline_ns, struct msg *ret_reply)
{
	struct item *it = in_mailbox(ref);
	struct request *q = request_find(ref);
	int r;

	if (it != NULL)
		return outcome(it, ret_reply);
	if (q == NULL || q->pid == 0 || q->awaited)
		return fail(-EINVAL, "there is no such request%s",
		    q != NULL ? " that nobody waits for" : "");
	q->awaited = true;
	r = await(q, deadline_ns);
	if (r == 0)
		return finish(q, ret_reply);
	q->awaited = false;
	if (q->given_up)
		request_free(q);
	return r;
}

MSG_API int
msg_wait_response(uint64_t ref, int timeout_ms, struct msg *ret_reply)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(
	    wait_response(ref, clock_deadline(timeout_ms), ret_reply));
}

static int
cancel(uint64_t ref)
{
	struct item *it = in_mailbox(ref);
	struct request *q = request_find(ref);

	free(it);
	if (q == NULL || q->pid == 0)
		return it != NULL;
	q->given_up = true;
	if (q->awaited)
		wait_wake();
	else
		request_free(q);
	return 1;
}

MSG_API int
msg_cancel_request(uint64_t ref)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(cancel(ref));
}
