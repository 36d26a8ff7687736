/* SPDX-License-Identifier: ISC */
/*
 * The data plane, and the only file that knows nanomsg.
 *
 * Our mailbox is one raw REP socket bound at the endpoint that supd named; to
 * each worker we send to there is a route, a raw REQ socket connected to its
 * mailbox.  Raw, because cooked REQ resends after 60 s (a call done twice) and
 * cooked REP holds one request at a time.  On the wire raw REP moves the words
 * of the body up to the first with the top bit set into the header, so a
 * message begins with exactly one word with that bit.
 *
 * Replies travel on a route of our own to the caller, not back by the key of
 * the connection that brought the request.  nn_sendmsg by key reports success
 * and drops silently when that pipe is busy, so it would need credit; and it
 * would be a second path to the same worker, where messages could overtake
 * each other.  One path a direction is lossless (EAGAIN when full) and in
 * order.  The one thing sent by key is the acknowledgement of a BARRIER, which
 * is asked for again if it is lost.
 *
 * Nothing blocks in nanomsg.  The mailbox directory is 0700 and belongs to our
 * user, who could kill or trace us anyway: that is who is trusted with `from`.
 */
#include "internal.h"

#include <errno.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* nanomsg has 512 sockets a process. */
#define ROUTES_BUDGET 400 /* beyond, the least recently used are closed */
#define ROUTES_MORE   100 /* how many more while those cannot be closed */
#define EVICT_AT_ONCE 16
#define BARRIER_AGAIN (1000 * NS_PER_MS)

#define RECONNECT_MS 200 /* shorter ones turn a storm into a livelock */
#define RCVMAXSIZE   (PROTO_MESSAGE_MAX + 1024 * 1024)
/* ipc paths longer than sun_path abort nanomsg. */
#define IPC          "ipc://"
#define IPC_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

/* Messages taken in at a time: enough to be cheap, few enough to go on. */
#define DRAIN_MAX    256
#define DEAD_MAX     64   /* ended workers whose late frames are dropped */
#define GONE_WAIT_MS 1000 /* for what an ended worker left behind */

struct route {
	TAILQ_ENTRY(route) entry; /* most recently used first */
	msg_pid pid;
	int sock;
	int snd_fd, rcv_fd;
	uint32_t seq;
	bool greeted;
	uint64_t barrier; /* ref of the BARRIER sent, 0 none */
	int64_t barrier_at_ns;
	bool passed; /* the BARRIER was acknowledged: nothing is under way */
	char endpoint[PROTO_ENDPOINT_MAX];
};

static struct {
	int rep; /* -1: none */
	int rep_fd;
	TAILQ_HEAD(routes_head, route) routes;
	unsigned n_routes, budget;
	msg_pid dead[DEAD_MAX];
	unsigned n_dead;
} t = { .rep = -1, .rep_fd = -1, .routes = TAILQ_HEAD_INITIALIZER(t.routes) };

/* The first word of every message, big endian: the top bit and flags. */
static const unsigned char first_word[4] = { 0x80, 0, 0, 0 };

static int
sock_fd(int sock, int option)
{
	int fd = -1;
	size_t size = sizeof(fd);

	if (nn_getsockopt(sock, NN_SOL_SOCKET, option, &fd, &size) == -1)
		return -1;
	return fd;
}

static int
sock_open(int protocol, int *ret_sock)
{
	int max = RCVMAXSIZE, ivl = RECONNECT_MS;
	int s = nn_socket(AF_SP_RAW, protocol);

	if (s == -1)
		return -errno;
	if (nn_setsockopt(s, NN_SOL_SOCKET, NN_RCVMAXSIZE, &max, sizeof(max)) ==
		-1 ||
	    nn_setsockopt(
		s, NN_SOL_SOCKET, NN_RECONNECT_IVL, &ivl, sizeof(ivl)) == -1) {
		int r = -errno;

		nn_close(s);
		return r;
	}
	*ret_sock = s;
	return 0;
}

/* The path of an endpoint that is safe to give to nanomsg, or NULL. */
static const char *
endpoint_path(const char *endpoint)
{
	const char *path = endpoint + strlen(IPC);

	if (strncmp(endpoint, IPC, strlen(IPC)) != 0 || path[0] == '\0' ||
	    strlen(path) > IPC_PATH_MAX)
		return NULL;
	return path;
}

/* MSG_ROUTES lowers the budget, for tests and for workers short of fds. */
static void
set_budget(void)
{
	const char *text = getenv("MSG_ROUTES");
	long n = text != NULL ? strtol(text, NULL, 10) : 0;

	t.budget = n > 0 && n < ROUTES_BUDGET ? (unsigned)n : ROUTES_BUDGET;
}

static void
take_in(void *arg)
{
	(void)arg;
	(void)transport_drain(DRAIN_MAX);
}

int
transport_open(const char *endpoint)
{
	mode_t mask;
	int r, bound;

	if (endpoint[0] == '\0')
		return 0;
	if (endpoint_path(endpoint) == NULL)
		return fail(-EINVAL,
		    "supd named a mailbox at \"%s\", which is "
		    "no ipc:// path that fits",
		    endpoint);
	nnfix_init();
	set_budget();
	r = sock_open(NN_REP, &t.rep);
	if (r != 0)
		return fail(
		    r, "cannot open a nanomsg socket: %s", nn_strerror(-r));
	/* The socket file is made inside nn_bind, in this thread. */
	mask = umask(077);
	bound = nn_bind(t.rep, endpoint);
	r = bound == -1 ? -errno : 0;
	umask(mask);
	if (r != 0) {
		nn_close(t.rep);
		t.rep = -1;
		return fail(r, "cannot bind the mailbox at %s: %s", endpoint,
		    nn_strerror(-r));
	}
	t.rep_fd = sock_fd(t.rep, NN_RCVFD);
	return wait_add_fd(t.rep_fd, POLLIN, take_in, NULL);
}

unsigned
transport_count(void)
{
	return t.n_routes;
}

/* --- receiving --- */

static bool
is_dead(msg_pid pid)
{
	unsigned n = t.n_dead < DEAD_MAX ? t.n_dead : DEAD_MAX;

	for (unsigned i = 0; i < n; i++) {
		if (t.dead[i] == pid)
			return true;
	}
	return false;
}

/* Answer a BARRIER: all that its sender sent before it is in our memory. */
static void
acknowledge(const struct proto_frame *h, void *control, size_t control_len)
{
	char frame[PROTO_HEADER_SIZE] __attribute__((aligned(8)));
	struct proto_frame ack = { .type = PROTO_BARRIER,
		.to = h->from,
		.from = mailbox.self,
		.ref = h->ref };
	struct nn_iovec iov = { .iov_base = frame, .iov_len = sizeof(frame) };
	struct nn_msghdr m = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = control_len };

	(void)proto_put(frame, sizeof(frame), &ack, NULL, 0);
	(void)nn_sendmsg(t.rep, &m, NN_DONTWAIT);
}

static void
take_frame(const struct proto_frame *h, const void *body, size_t len,
    void *control, size_t control_len)
{
	/* Guests come by the lifeline only, and supd's own frames too. */
	if (h->from == 0 || h->to != mailbox.self || h->type >= PROTO_JOIN ||
	    PROTO_PID_SLOT(h->from) == PROTO_GUEST_SLOT)
		mailbox.stats.bad++;
	else if (is_dead(h->from))
		mailbox.stats.late++;
	else if (h->type == PROTO_BARRIER)
		acknowledge(h, control, control_len);
	else if (h->type != PROTO_HELLO)
		mailbox_deliver(h, body, len);
}

/* Take a batch apart.  A malformed rest is dropped, and counted. */
static void
take_batch(const char *p, size_t len, void *control, size_t control_len)
{
	struct proto_frame h;
	const void *body;
	size_t pos = 0, body_len;

	while (
	    proto_next(p, len, &pos, PROTO_MESSAGE_MAX, &h, &body, &body_len)) {
		take_frame(&h, body, body_len, control, control_len);
	}
	if (pos != len)
		mailbox.stats.bad++;
}

unsigned
transport_drain(unsigned max)
{
	char control[64] __attribute__((aligned(8)));
	unsigned n = 0;
	void *p;

	while (t.rep != -1 && n < max) {
		struct nn_iovec iov = { .iov_base = &p, .iov_len = NN_MSG };
		struct nn_msghdr m = { .msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control) };
		int len = nn_recvmsg(t.rep, &m, NN_DONTWAIT);

		if (len == -1 && errno == EINTR)
			continue;
		if (len == -1)
			break;
		n++;
		take_batch(p, (size_t)len, control, m.msg_controllen);
		nn_freemsg(p);
	}
	return n;
}

/* --- routes --- */

struct route *
transport_find(msg_pid pid)
{
	struct route *r;

	TAILQ_FOREACH (r, &t.routes, entry) {
		if (r->pid != pid)
			continue;
		TAILQ_REMOVE(&t.routes, r, entry);
		TAILQ_INSERT_HEAD(&t.routes, r, entry);
		return r;
	}
	return NULL;
}

static void
route_close(struct route *r)
{
	TAILQ_REMOVE(&t.routes, r, entry);
	t.n_routes--;
	nn_close(r->sock);
	free(r);
}

/* Does nobody listen at an endpoint?  connect(2) says it in 10 us. */
static bool
nobody_listens(const char *endpoint)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const char *path = endpoint_path(endpoint);
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool nobody;

	if (s == -1 || path == NULL)
		return path == NULL;
	strcpy(to.sun_path, path);
	nobody = connect(s, (struct sockaddr *)&to, sizeof(to)) == -1 &&
	         (errno == ECONNREFUSED || errno == ENOENT);
	close(s);
	return nobody;
}

/*
 * Has the mailbox at the other end gone?  nanomsg would go on trying to
 * connect; but an endpoint belongs to one incarnation and never comes back.
 */
static bool
route_lost(const struct route *r)
{
	if (nn_get_statistic(r->sock, NN_STAT_CURRENT_CONNECTIONS) != 0)
		return false;
	/*
	 * Nothing is wrong with a connection that is still being made.  And a
	 * full backlog is a connect error as well, so look closer.
	 */
	return (nn_get_statistic(r->sock, NN_STAT_CONNECT_ERRORS) > 0 ||
		   nn_get_statistic(r->sock, NN_STAT_BROKEN_CONNECTIONS) > 0) &&
	       nobody_listens(r->endpoint);
}

/* Send a frame without a body on a route; false when its pipe is full. */
static bool
send_bare(struct route *r, enum proto_type type, uint64_t ref)
{
	char out[sizeof(first_word) + PROTO_HEADER_SIZE];
	struct proto_frame h = { .type = (uint8_t)type,
		.to = r->pid,
		.from = mailbox.self,
		.ref = ref };

	memcpy(out, first_word, sizeof(first_word));
	(void)proto_put(
	    out + sizeof(first_word), PROTO_HEADER_SIZE, &h, NULL, 0);
	return nn_send(r->sock, out, sizeof(out), NN_DONTWAIT) != -1;
}

/* Take in what comes back on a route: acknowledgements of BARRIERs. */
static void
route_drain(struct route *r)
{
	struct proto_frame h;
	const void *body;
	size_t pos, body_len;
	char *p;
	int len;

	while ((len = nn_recv(r->sock, &p, NN_MSG, NN_DONTWAIT)) != -1) {
		pos = 0;
		if (proto_next(p, (size_t)len, &pos, PROTO_MESSAGE_MAX, &h,
			&body, &body_len) &&
		    h.type == PROTO_BARRIER && h.from == r->pid &&
		    h.ref == r->barrier && r->barrier != 0)
			r->passed = true;
		else
			mailbox.stats.bad++;
		nn_freemsg(p);
	}
}

/* Ask for a BARRIER to be acknowledged, unless it was a moment ago. */
static void
route_barrier(struct route *r)
{
	int64_t now = clock_now();

	if (r->passed ||
	    (r->barrier != 0 && now - r->barrier_at_ns < BARRIER_AGAIN))
		return;
	if (r->barrier == 0)
		r->barrier = mailbox_ref();
	if (send_bare(r, PROTO_BARRIER, r->barrier))
		r->barrier_at_ns = now;
	else
		r->barrier = 0;
}

/*
 * Close routes that have not been used for long.  A new route to the same
 * worker could overtake what is still under way on the old one (measured: 1842
 * of 2000 out of order), so an old one is closed only when its BARRIER was
 * acknowledged.  A worker that does not receive now is passed over.
 */
static void
evict(void)
{
	struct route *r, *before;
	unsigned n = 0;

	for (r = TAILQ_LAST(&t.routes, routes_head);
	     r != NULL && n < EVICT_AT_ONCE; r = before, n++) {
		before = TAILQ_PREV(r, routes_head, entry);
		route_drain(r);
		route_barrier(r);
		if (r->passed || route_lost(r))
			route_close(r);
	}
}

/* Have room for one more route.  0, or -EMFILE. */
static int
make_room(void)
{
	int64_t deadline = clock_deadline(5000);

	while (t.n_routes >= t.budget) {
		evict();
		if (t.n_routes < t.budget + ROUTES_MORE)
			return 0;
		if (clock_now() >= deadline)
			return fail(-EMFILE,
			    "%u workers are being sent to and none of the "
			    "oldest takes its messages",
			    t.n_routes);
		(void)mailbox_wait(-1, 0, clock_deadline(1));
	}
	return 0;
}

int
transport_connect(msg_pid pid, const char *endpoint, struct route **ret_route)
{
	struct route *r;
	int e;

	if (endpoint_path(endpoint) == NULL)
		return fail(-EINVAL,
		    "supd named an endpoint \"%s\", which is "
		    "no ipc:// path that fits",
		    endpoint);
	e = make_room();
	if (e != 0)
		return e;
	/* Another thread may have been faster. */
	*ret_route = transport_find(pid);
	if (*ret_route != NULL)
		return 0;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return fail(-ENOMEM, "no memory for a route");
	r->pid = pid;
	strcpy(r->endpoint, endpoint);
	e = sock_open(NN_REQ, &r->sock);
	if (e != 0) {
		free(r);
		return fail(
		    e, "cannot open a nanomsg socket: %s", nn_strerror(-e));
	}
	TAILQ_INSERT_HEAD(&t.routes, r, entry);
	t.n_routes++;
	if (nn_connect(r->sock, endpoint) == -1) {
		e = fail(-errno, "cannot connect to %s: %s", endpoint,
		    nn_strerror(errno));
		route_close(r);
		return e;
	}
	/* An ipc connect fails at once when nobody listens. */
	if (route_lost(r)) {
		route_close(r);
		return fail(-ESRCH, "nobody listens at %s any more", endpoint);
	}
	r->snd_fd = sock_fd(r->sock, NN_SNDFD);
	r->rcv_fd = sock_fd(r->sock, NN_RCVFD);
	*ret_route = r;
	return 0;
}

/* --- sending --- */

/* A message: the first word, HELLO on a new connection, the frame. */
static void *
build(const struct route *r, const struct proto_frame *h, const void *body,
    size_t len)
{
	struct proto_frame hello = {
		.type = PROTO_HELLO, .to = h->to, .from = h->from
	};
	size_t hello_len = r->greeted ? 0 : PROTO_HEADER_SIZE;
	size_t frame_len = proto_put(NULL, 0, h, NULL, len);
	char *p = nn_allocmsg(sizeof(first_word) + hello_len + frame_len, 0);
	size_t at = sizeof(first_word);

	if (p == NULL)
		return NULL;
	memcpy(p, first_word, sizeof(first_word));
	if (hello_len != 0)
		at += proto_put(p + at, hello_len, &hello, NULL, 0);
	at += proto_put(p + at, frame_len, h, body, len);
	return p;
}

int
transport_send(const struct proto_frame *h, const void *body, size_t len,
    int64_t deadline_ns)
{
	struct route *r = transport_find(h->to);
	struct proto_frame out = *h;
	void *p;

	if (r == NULL)
		return -ESRCH;
	/* Used again: a BARRIER under way no longer tells about all of it. */
	r->barrier = 0;
	r->passed = false;
	out.seq = ++r->seq;
	p = build(r, &out, body, len);
	if (p == NULL)
		return fail(-ENOMEM, "no memory for a message");
	for (;;) {
		if (nn_send(r->sock, &p, NN_MSG, NN_DONTWAIT) != -1) {
			r->greeted = true;
			mailbox.stats.sent++;
			return 0;
		}
		if (errno != EAGAIN && errno != EINTR) {
			int e = fail(-errno, "send: %s", nn_strerror(errno));

			nn_freemsg(p);
			return e;
		}
		if (!route_lost(r)) {
			(void)mailbox_wait(r->snd_fd, POLLIN, deadline_ns);
			/* News of its end may have closed it meanwhile. */
			r = transport_find(h->to);
		} else {
			route_close(r);
			r = NULL;
		}
		if (r == NULL || clock_now() >= deadline_ns) {
			nn_freemsg(p);
			return fail(r == NULL ? -ESRCH : -ETIMEDOUT,
			    "the receiver %s",
			    r == NULL ? "has ended" : "takes no messages");
		}
	}
}

/* --- the end of others, and ours --- */

/*
 * The rule that DOWN comes after the data.  When supd tells of an end, what
 * that worker sent may still be in the kernel or between nanomsg and us: its
 * connection counts as hung up until nanomsg has read it to its end.  So take
 * in until there is no hung-up connection left, and only then go on.  Without
 * the shim that cannot be seen; one more look after a millisecond must do.
 */
void
transport_gone(msg_pid pid)
{
	int64_t deadline = clock_deadline(GONE_WAIT_MS);
	struct pollfd p = { .fd = t.rep_fd, .events = POLLIN };
	bool again = !nnfix_active();
	struct route *r;

	if (is_dead(pid))
		return;
	r = transport_find(pid);
	if (r != NULL)
		route_close(r);
	for (;;) {
		while (transport_drain(UINT32_MAX) > 0)
			;
		if (!nnfix_hungup() && !again)
			break;
		if (clock_now() >= deadline)
			break;
		again = false;
		(void)poll(&p, 1, 1);
	}
	t.dead[t.n_dead++ % DEAD_MAX] = pid;
}

/*
 * Is all that was sent on a route beyond our own death?  SNDFD is readable
 * when nanomsg has handed the last message to the kernel, and with the shim the
 * receiver will read it from there.  Without it only an acknowledgement tells.
 */
static bool
route_flushed(struct route *r)
{
	struct pollfd p = { .fd = r->snd_fd, .events = POLLIN };

	if (!r->greeted)
		return true;
	if (nnfix_active())
		return poll(&p, 1, 0) == 1;
	route_drain(r);
	route_barrier(r);
	return r->passed;
}

int
transport_close(int64_t deadline_ns)
{
	struct route *r;
	int ret = 0;

	while ((r = TAILQ_FIRST(&t.routes)) != NULL) {
		if (route_flushed(r) || route_lost(r)) {
			route_close(r);
		} else if (clock_now() >= deadline_ns) {
			ret = fail(-ETIMEDOUT, "not all messages were taken by "
					       "their receivers");
			route_close(r);
		} else {
			/* They may be waiting for us to take theirs. */
			(void)mailbox_wait(
			    nnfix_active() ? r->snd_fd : r->rcv_fd, POLLIN,
			    deadline_ns);
		}
	}
	wait_del_fd(t.rep_fd);
	if (t.rep != -1)
		nn_close(t.rep);
	t.rep = t.rep_fd = -1;
	t.n_dead = 0;
	return ret;
}
