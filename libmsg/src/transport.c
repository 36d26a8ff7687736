/* SPDX-License-Identifier: ISC */
/*
 * The data plane: what comes in and what goes out, and what becomes of it when
 * a worker ends.
 *
 * To each worker we send to there is a route.  A reply to one that has come to
 * us, and to whom we have no route, goes back by its connection, so a server
 * with thousands of clients makes no connection to them.
 *
 * Who somebody is, HELLO proves: supd gives the proof to whoever asks it for
 * the way.  Every frame of a connection must come from that worker.  What is
 * malformed or forged is dropped, counted, and reported to supd.
 */
#include "pipe.h"
#include "sys.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define DEAD_MAX      64   /* ended workers whose late frames are dropped */
#define GONE_WAIT_MS  1000 /* for what an ended worker left behind */
#define LOOK_AGAIN_MS 20   /* whether somebody who takes nothing has gone */
#define ASK_AFTER_MS  20   /* without credit, ask whether it was lost */
/* Messages taken in at a time: enough to be cheap, few enough to go on. */
#define DRAIN_MAX 256

struct carrier carrier = { .rep = -1, .rep_fd = -1 };

static msg_pid dead[DEAD_MAX];
static unsigned n_dead;
static bool to_report;
static unsigned n_fences; /* who have one */

static void
fence_down(struct peer *p)
{
	n_fences -= p->fence != 0;
	p->fence = 0;
}

/* Close the way to a worker, and forget it. */
static void
forget(struct peer *p)
{
	route_close(p);
	batch_drop(p);
	backlog_drop(p);
	fence_down(p);
	peer_free(p);
}

/* --- receiving --- */

static bool
is_dead(msg_pid pid)
{
	unsigned n = n_dead < DEAD_MAX ? n_dead : DEAD_MAX;

	for (unsigned i = 0; i < n; i++) {
		if (dead[i] == pid)
			return true;
	}
	return false;
}

/* Somebody, if it is known who, has sent what it should not. */
static void
blame(struct peer *p)
{
	mailbox.stats.bad++;
	if (p != NULL) {
		p->n_bad++;
		to_report = true;
	}
}

/* How a message came. */
struct origin {
	struct peer *p; /* NULL: it has not said who it is */
	enum path path; /* ours to it, BY_KEY, or its to us, BY_ROUTE */
	uint32_t key;   /* BY_ROUTE: of its connection */
	char control[CONTROL_SIZE];
};

/* Who has come?  It must say so first, and only once. */
static void
on_hello(struct origin *o, const struct proto_frame *h)
{
	struct peer *p;

	if (o->path != BY_ROUTE || o->p != NULL || o->key == 0 ||
	    h->to != mailbox.self ||
	    h->ref != proto_proof(carrier.secret, h->from, h->to)) {
		blame(o->p);
		return;
	}
	if (is_dead(h->from)) {
		mailbox.stats.late++;
		return;
	}
	p = peer_get(h->from);
	if (p == NULL) {
		mailbox.stats.bad++;
		return;
	}
	/* What went back by an earlier connection, has arrived or is lost. */
	if (p->bound && p->path == BY_KEY)
		credit_lost(p);
	/* A signal may have come before all that it is to follow. */
	p->signals_wait = true;
	peer_bind(p, o->key, o->control);
	o->p = p;
}

/* A BARRIER, and all before it on this connection is in our memory. */
static void
on_barrier(const struct origin *o, const struct proto_frame *h)
{
	struct proto_frame ack = { .type = PROTO_BARRIER,
		.flags = PROTO_ACK,
		.to = h->from,
		.from = mailbox.self,
		.ref = h->ref };
	struct peer *p = o->p;

	if ((h->flags & PROTO_ACK) == 0) {
		credit_give(p);
		(void)batch_tell(
		    p, o->path == BY_KEY ? BY_ROUTE : BY_KEY, &ack, NULL, 0);
		return;
	}
	if (h->ref != p->barrier || p->barrier == 0)
		return; /* about what was sent before something else */
	p->barrier = 0;
	p->settled_seq = p->seq;
	if (p->path == BY_KEY)
		credit_reset(p);
	backlog_flush(p);
}

static void
on_bye(struct origin *o, const struct proto_frame *h)
{
	struct peer *p = o->p;

	if (o->path != BY_ROUTE) {
		blame(p);
		return;
	}
	if (h->seq != p->taken_seq)
		mailbox.stats.bad++; /* something was lost */
	if (p->path == BY_KEY) {
		batch_drop(p);
		credit_lost(p);
	}
	peer_unbind(p);
	o->p = NULL;
}

/* A frame was taken: has the time of signals behind it come? */
static void
run_signals(struct peer *p)
{
	if (!p->signals_wait)
		return;
	p->signals_wait = false;
	exits_run(0);
	sys_ordered(0);
}

static void
take_frame(
    struct origin *o, const struct proto_frame *h, const void *body, size_t len)
{
	struct peer *p = o->p;

	if (h->type == PROTO_HELLO) {
		on_hello(o, h);
		return;
	}
	if (p == NULL || h->from != p->pid || h->to != mailbox.self) {
		if (p == NULL && is_dead(h->from))
			mailbox.stats.late++;
		else
			blame(p);
		return;
	}
	switch (h->type) {
	case PROTO_DATA:
	case PROTO_CALL:
	case PROTO_CAST:
	case PROTO_REPLY:
		if ((h->flags & PROTO_BEHIND) != 0)
			lifeline_signals(h->from);
		if (!credit_taken(
			p, o->path, h->seq, proto_put(NULL, 0, h, NULL, len))) {
			blame(p);
			break;
		}
		mailbox_deliver(h, body, len);
		run_signals(p);
		break;
	case PROTO_CREDIT:
		if (!credit_take(p, body, len))
			blame(p);
		backlog_flush(p);
		break;
	case PROTO_BARRIER:
		on_barrier(o, h);
		break;
	case PROTO_BYE:
		on_bye(o, h);
		break;
	default:
		blame(p);
	}
}

/* Take a batch apart.  A malformed rest is dropped, and counted. */
static void
take_batch(struct origin *o, char *m, size_t len)
{
	struct proto_frame h;
	const void *body;
	size_t pos = 0, body_len;

	while (
	    proto_next(m, len, &pos, PROTO_MESSAGE_MAX, &h, &body, &body_len))
		take_frame(o, &h, body, body_len);
	if (pos != len)
		blame(o->p);
	sock_free(m);
}

static unsigned
drain_mailbox(unsigned max)
{
	struct origin o = { .path = BY_ROUTE };
	unsigned n;
	char *m;
	int len;

	for (n = 0; n < max && carrier.rep != -1; n++) {
		len = sock_recv_key(carrier.rep, &m, o.control, &o.key);
		if (len < 0)
			break;
		o.p = peer_by_key(o.key);
		take_batch(&o, m, (size_t)len);
	}
	return n;
}

unsigned
transport_take_route(msg_pid pid)
{
	struct origin o = { .path = BY_KEY };
	unsigned n;
	char *m;
	int len;

	for (n = 0; (o.p = peer_find(pid)) != NULL && o.p->sock != -1; n++) {
		len = sock_recv(o.p->sock, &m);
		if (len < 0)
			break;
		take_batch(&o, m, (size_t)len);
	}
	return n;
}

/* Take in all that is there. */
static unsigned
drain_all(void)
{
	unsigned n = drain_mailbox(UINT32_MAX);
	struct peer *p;

	TAILQ_FOREACH (p, &routes.used, used)
		n += transport_take_route(p->pid);
	return n;
}

static void
take_in(void *arg)
{
	(void)arg;
	(void)drain_mailbox(DRAIN_MAX);
}

int
transport_open(const char *endpoint, const uint8_t secret[PROTO_SECRET_SIZE])
{
	int r;

	if (endpoint[0] == '\0')
		return 0;
	nnfix_init();
	flusher_open();
	peers_init();
	route_init();
	memcpy(carrier.secret, secret, PROTO_SECRET_SIZE);
	r = sock_bind(endpoint, &carrier.rep, &carrier.rep_fd);
	return r != 0 ? r : wait_add_fd(carrier.rep_fd, POLLIN, take_in, NULL);
}

void
transport_room(void)
{
	struct peer *p;

	TAILQ_FOREACH (p, &peers, entry) {
		if (p->unpaid)
			credit_give(p);
	}
}

/* Tell supd at 1, 2, 4, ... bad frames of a worker. */
static void
report(void)
{
	struct proto_frame h = { .type = PROTO_REPORT, .from = mailbox.self };
	struct peer *p;

	to_report = false;
	TAILQ_FOREACH (p, &peers, entry) {
		if (p->n_bad == 0 || p->n_bad < 2 * p->n_reported)
			continue;
		h.to = p->pid;
		h.ref = p->n_bad;
		if (lifeline_try(&h, NULL, 0) == 0)
			p->n_reported = p->n_bad;
		else
			to_report = true;
	}
}

void
transport_flush(void)
{
	backlog_flush_all();
	batch_flush_all();
	if (to_report)
		report();
}

/* --- sending --- */

/* Which way a frame of this type goes to it now. */
static enum path
path_to(const struct peer *p, enum proto_type type)
{
	if (p == NULL)
		return NO_PATH;
	if (p->sock != -1)
		return BY_ROUTE;
	return type == PROTO_REPLY && p->bound ? BY_KEY : NO_PATH;
}

bool
transport_reaches(msg_pid pid, enum proto_type type)
{
	return path_to(peer_find(pid), type) != NO_PATH;
}

/*
 * Messages that follow an EXIT must not overtake it (P-4), and it goes another
 * way.  So they wait until supd, asked anything after it, answers: then it is
 * in the receiver's lifeline, and the first of them, which is marked, has the
 * receiver look there first.
 */
static bool
fence_stands(struct peer *p)
{
	/* About nobody: no incarnation is 0. */
	struct proto_frame h = { .type = PROTO_RESOLVE,
		.to = PROTO_PID(PROTO_PID_SLOT(mailbox.self), 0),
		.from = mailbox.self,
		.ref = p->fence };
	int r;

	if (p->fence == 0 || p->fence_asked)
		return p->fence != 0;
	r = lifeline_try(&h, NULL, 0);
	p->fence_asked = r == 0;
	if (r != 0 && r != -EAGAIN)
		fence_down(p);
	return p->fence != 0;
}

static void
fence_raise(struct peer *p)
{
	n_fences += p->fence == 0;
	p->fence = mailbox_ref();
	p->fence_asked = false;
	p->behind = true;
	(void)fence_stands(p);
}

bool
transport_resolved(uint64_t ref)
{
	struct peer *p;

	if (n_fences == 0)
		return false;
	TAILQ_FOREACH (p, &peers, entry) {
		if (p->fence != ref)
			continue;
		fence_down(p);
		backlog_flush(p);
		return true;
	}
	return false;
}

/* Send it now, if credit and the pipe allow.  0, -EAGAIN, -errno. */
static int
try_send(struct peer *p, enum path path, const struct proto_frame *frame,
    const void *body, size_t len)
{
	size_t size = proto_put(NULL, 0, frame, NULL, len);
	struct proto_frame h = *frame;
	bool alone = size > ALONE_MIN, first;
	int r;

	if (fence_stands(p) || !credit_allows(p, path, size) ||
	    ((alone || !batch_room(p, path, size)) && !batch_flush(p)))
		return -EAGAIN;
	h.seq = p->seq + 1;
	if (p->behind)
		h.flags |= PROTO_BEHIND;
	first = p->batch == NULL;
	if (alone) {
		r = batch_alone(p, path, &h, body, len);
		if (r != 0)
			return r;
	} else if (!batch_put(p, path, &h, body, len)) {
		return fail(-ENOMEM, "no memory for a message");
	}
	p->behind = false;
	(void)credit_spend(p, path, size);
	if (first && !alone)
		batch_settle(p);
	return 0;
}

/* It could not be sent: what to do about it, and until when to wait. */
static int64_t
ask_for_credit(struct peer *p, enum path path, size_t size, int64_t *ask_ns)
{
	int64_t now = clock_now();
	bool short_of_it = !credit_allows(p, path, size);

	if (*ask_ns == 0 || now >= *ask_ns) {
		/* To change paths, all must have arrived: it has to be asked.
		 */
		if (short_of_it && (*ask_ns != 0 || path != p->path))
			batch_barrier(p);
		*ask_ns = now + ASK_AFTER_MS * NS_PER_MS;
	}
	return *ask_ns;
}

int
transport_send(const struct proto_frame *h, const void *body, size_t len,
    int64_t deadline_ns)
{
	size_t size = proto_put(NULL, 0, h, NULL, len);
	int64_t until, ask = 0;
	bool looked = false;
	struct peer *p;
	enum path path;
	int r;

	for (;;) {
		/* While we waited, news of its end may have come. */
		p = peer_find(h->to);
		path = path_to(p, h->type);
		if (path == NO_PATH ||
		    (ask != 0 && path == BY_ROUTE && route_lost(p)))
			return fail(-ESRCH, "the receiver has ended");
		r = backlog_none(p) ? try_send(p, path, h, body, len) : -EAGAIN;
		if (r == 0)
			mailbox.stats.sent++;
		if (r != -EAGAIN)
			return r;
		if (looked && clock_now() >= deadline_ns)
			return fail(
			    -ETIMEDOUT, "the receiver takes no messages");
		looked = true;
		until = ask_for_credit(p, path, size, &ask);
		(void)mailbox_wait(
		    -1, 0, until < deadline_ns ? until : deadline_ns);
	}
}

int
transport_now(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	enum path path = path_to(p, h->type);
	int r;

	if (path == NO_PATH)
		return -ESRCH;
	r = try_send(p, path, h, body, len);
	mailbox.stats.sent += r == 0;
	if (r != -EAGAIN || p->fence != 0)
		return r;
	if (path == BY_ROUTE && route_lost(p))
		return -ESRCH;
	/* What wakes us: credit, which may have been lost, or room. */
	if (credit_allows(p, path, proto_put(NULL, 0, h, NULL, len))) {
		if (path == BY_ROUTE)
			route_watch(p);
	} else if (path != p->path || backlog_stuck(p)) {
		batch_barrier(p);
	}
	return r;
}

int
transport_reply(const struct proto_frame *h, const void *body, size_t len)
{
	struct peer *p = peer_find(h->to);
	int r = -EAGAIN;

	if (p == NULL)
		return fail(-ESRCH, "the caller has ended");
	if (backlog_none(p))
		r = transport_now(p, h, body, len);
	if (r == -EAGAIN) {
		r = 0;
		if (!backlog_add(p, h, body, len))
			mailbox.stats.dropped++;
	}
	return r;
}

/* Has the kernel all that was sent to it? */
static bool
in_kernel(struct peer *p)
{
	struct pollfd room = { .fd = p->snd_fd, .events = POLLIN };

	return backlog_none(p) && batch_flush(p) &&
	       (p->sock == -1 || !p->greeted || poll(&room, 1, 0) == 1);
}

int
transport_sync(int64_t deadline_ns)
{
	struct peer *p, *next;
	int64_t again;

	for (p = TAILQ_FIRST(&peers); p != NULL; p = next) {
		next = TAILQ_NEXT(p, entry);
		if (in_kernel(p) || (p->sock != -1 && route_lost(p)))
			continue;
		if (clock_now() >= deadline_ns)
			return fail(-ETIMEDOUT, "a receiver takes no messages");
		if (p->sock != -1)
			route_watch(p);
		again = clock_deadline(LOOK_AGAIN_MS);
		(void)mailbox_wait(
		    -1, 0, again < deadline_ns ? again : deadline_ns);
		next = TAILQ_FIRST(
		    &peers); /* while we waited, some may have gone */
	}
	return 0;
}

/* What was lost with a connection is not waited for. */
static uint32_t
behind(const struct peer *p)
{
	return p->seq != p->lost_seq ? p->seq : 0;
}

int
transport_signal(const struct proto_frame *frame, const void *body, size_t len)
{
	struct peer *p = peer_find(frame->to);
	struct proto_frame h = *frame;
	int r;

	if (p != NULL && !backlog_none(p))
		return backlog_add(p, &h, body, len)
		           ? 0
		           : fail(-ENOMEM, "no memory for a signal");
	h.seq = p != NULL ? behind(p) : 0;
	r = lifeline_send(&h, body, len);
	p = peer_find(h.to);
	if (r == 0 && p != NULL && h.type == PROTO_EXIT)
		fence_raise(p);
	return r;
}

int
transport_signal_now(struct peer *p, const struct proto_frame *frame,
    const void *body, size_t len)
{
	struct proto_frame h = *frame;
	int r;

	h.seq = behind(p);
	r = lifeline_try(&h, body, len);
	if (r == 0 && h.type == PROTO_EXIT)
		fence_raise(p);
	return r;
}

bool
transport_has_taken(msg_pid pid, uint32_t seq)
{
	struct peer *p = peer_find(pid);

	if (seq == 0 || (p != NULL && (int32_t)(p->taken_seq - seq) >= 0))
		return true;
	if (p != NULL)
		p->signals_wait = true;
	return false;
}

/* --- the end of others, and ours --- */

/*
 * The rule that DOWN comes after the data.  When supd tells of an end, what
 * that worker sent may still be in the kernel or between nanomsg and us: its
 * connection counts as hung up until nanomsg has read it to its end.  So take
 * in until none is left of those that are hung up now, and only then go on: who
 * hangs up later is somebody else, and may do so for ever.  Without the shim
 * that cannot be seen; one more look after a millisecond must do.
 */
void
transport_gone(msg_pid pid)
{
	int64_t deadline = clock_deadline(GONE_WAIT_MS);
	bool again = !nnfix_active();
	struct peer *p;

	if (is_dead(pid))
		return;
	nnfix_mark();
	for (;;) {
		while (drain_all() > 0)
			;
		if (!nnfix_hungup() && !again)
			break;
		if (clock_now() >= deadline)
			break;
		again = false;
		(void)poll(NULL, 0, 1);
	}
	p = peer_find(pid);
	if (p != NULL)
		forget(p);
	dead[n_dead++ % DEAD_MAX] = pid;
}

/*
 * Is all that was sent to it beyond our own death?  SNDFD is readable when
 * nanomsg has handed the last message to the kernel, and with the shim the
 * receiver will read it from there; by a key, a window is always in the kernel.
 * Without the shim only an answer tells.
 */
static bool
is_left(struct peer *p)
{
	struct pollfd room = { .fd = p->snd_fd, .events = POLLIN };

	backlog_flush(p);
	if (!backlog_none(p) || !batch_flush(p))
		return false;
	if (credit_settled(p))
		return true;
	if (nnfix_active() && p->path == BY_ROUTE)
		return poll(&room, 1, 0) == 1;
	if (nnfix_active() && credit_used(p) <= PROTO_KEY_WINDOW)
		return true;
	batch_barrier(p);
	return false;
}

int
transport_close(int64_t deadline_ns)
{
	struct peer *p;
	int64_t next;
	int ret = 0;

	transport_flush();
	TAILQ_FOREACH (p, &peers, entry)
		(void)is_left(p);
	while ((p = TAILQ_FIRST(&peers)) != NULL) {
		if (is_left(p)) {
			if (p->sock != -1)
				(void)route_bye(p);
			forget(p);
		} else if (p->sock != -1 && route_lost(p)) {
			forget(p);
		} else if (clock_now() >= deadline_ns) {
			ret = fail(-ETIMEDOUT, "not all messages were taken by "
					       "their receivers");
			forget(p);
		} else {
			/* They may be waiting for us to take theirs. */
			next = clock_deadline(1);
			(void)mailbox_wait(
			    -1, 0, next < deadline_ns ? next : deadline_ns);
		}
	}
	flusher_stop();
	if (carrier.rep != -1) {
		wait_del_fd(carrier.rep_fd);
		sock_close(carrier.rep);
	}
	carrier.rep = carrier.rep_fd = -1;
	peers_fini();
	batch_fini();
	n_dead = 0;
	return ret;
}
