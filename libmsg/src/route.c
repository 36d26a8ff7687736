/* SPDX-License-Identifier: ISC */
/*
 * Routes: the connections that we have made.  nanomsg has 512 sockets a
 * process, so there is a budget, and beyond it those that were not used for
 * long are closed.  Connections that others have made to us do not count.
 */
#include "pipe.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define ROUTES_BUDGET 400 /* beyond, the least recently used are closed */
#define ROUTES_MORE   100 /* how many more while those cannot be closed */
#define EVICT_AT_ONCE 16
#define BYE_WAIT_MS   10

struct routes routes = { .used = TAILQ_HEAD_INITIALIZER(routes.used) };

/* MSG_ROUTES lowers the budget, for tests and for workers short of fds. */
void
route_init(void)
{
	const char *text = getenv("MSG_ROUTES");
	long n = text != NULL ? strtol(text, NULL, 10) : 0;

	routes.budget =
	    n > 0 && n < ROUTES_BUDGET ? (unsigned)n : ROUTES_BUDGET;
}

unsigned
transport_count(void)
{
	return routes.n;
}

void
route_close(struct peer *p)
{
	if (p->sock == -1)
		return;
	if (p->batch_path == BY_ROUTE)
		batch_drop(p);
	wait_del_fd(p->rcv_fd);
	if (p->watched)
		wait_del_fd(p->snd_fd);
	p->watched = false;
	sock_close(p->sock);
	p->sock = p->snd_fd = p->rcv_fd = -1;
	p->greeted = false;
	p->gap = true; /* replies that nobody waits for any more */
	TAILQ_REMOVE(&routes.used, p, used);
	routes.n--;
	credit_reset(p);
}

bool
route_lost(struct peer *p)
{
	if (!sock_lost(p->sock, p->endpoint))
		return false;
	route_close(p);
	return true;
}

/* The fds of a route come with its worker's pid: it may have gone since. */
static void
on_readable(void *arg)
{
	(void)transport_take_route((msg_pid)(uintptr_t)arg);
}

static void
on_room(void *arg)
{
	struct peer *p = peer_find((msg_pid)(uintptr_t)arg);

	if (p == NULL || !p->watched)
		return;
	wait_del_fd(p->snd_fd);
	p->watched = false;
	(void)batch_flush(p);
}

void
route_watch(struct peer *p)
{
	if (!p->watched)
		p->watched = wait_add_fd(p->snd_fd, POLLIN, on_room,
				 (void *)(uintptr_t)p->pid) == 0;
}

/*
 * Say good-bye, so that the other knows that this connection leads to us no
 * longer.
 */
bool
route_bye(struct peer *p)
{
	struct proto_frame h = { .type = PROTO_BYE,
		.to = p->pid,
		.from = mailbox.self,
		.seq = p->seq };
	struct pollfd room = { .fd = p->snd_fd, .events = POLLIN };

	if (!p->greeted)
		return true;
	return batch_flush(p) && batch_tell(p, BY_ROUTE, &h, NULL, 0) &&
	       batch_flush(p) && poll(&room, 1, BYE_WAIT_MS) == 1;
}

/*
 * A new route to the same worker could overtake what is still under way on the
 * old one (measured: 1842 of 2000 out of order), so an old one is closed only
 * when all on it has arrived.  A worker that does not receive now is passed
 * over, and so is one whose reply we wait for: it comes by that connection.
 */
static void
evict(void)
{
	struct peer *p, *before;
	unsigned n = 0;

	for (p = TAILQ_LAST(&routes.used, peer_list);
	     p != NULL && n < EVICT_AT_ONCE; p = before, n++) {
		before = TAILQ_PREV(p, peer_list, used);
		if (route_lost(p) || mailbox_awaits(p->pid))
			continue;
		if (!credit_settled(p))
			batch_barrier(p);
		else if (route_bye(p))
			route_close(p);
	}
}

/* Have room for one more route.  0, or -EMFILE. */
static int
make_room(void)
{
	int64_t deadline = clock_deadline(5000);

	while (routes.n >= routes.budget) {
		evict();
		if (routes.n < routes.budget + ROUTES_MORE)
			return 0;
		if (clock_now() >= deadline)
			return fail(-EMFILE,
			    "%u workers are being sent to and none of the "
			    "oldest takes its messages",
			    routes.n);
		(void)mailbox_wait(-1, 0, clock_deadline(1));
	}
	return 0;
}

int
transport_connect(msg_pid pid, const char *endpoint, uint64_t proof)
{
	struct peer *p;
	int sock, snd_fd, rcv_fd, r = make_room();

	if (r == 0)
		r = sock_connect(endpoint, &sock, &snd_fd, &rcv_fd);
	if (r != 0)
		return r;
	/* An ipc connect fails at once when nobody listens. */
	if (sock_lost(sock, endpoint)) {
		sock_close(sock);
		return fail(-ESRCH, "nobody listens at %s any more", endpoint);
	}
	p = peer_get(pid);
	if (p == NULL || p->sock != -1) {
		sock_close(sock);
		return p != NULL ? 0 : fail(-ENOMEM, "no memory for a route");
	}
	p->sock = sock;
	p->snd_fd = snd_fd;
	p->rcv_fd = rcv_fd;
	p->proof = proof;
	strcpy(p->endpoint, endpoint);
	TAILQ_INSERT_HEAD(&routes.used, p, used);
	routes.n++;
	return wait_add_fd(rcv_fd, POLLIN, on_readable, (void *)(uintptr_t)pid);
}
