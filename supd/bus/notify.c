/* SPDX-License-Identifier: ISC */
#include "bus/notify.h"

#include "base/log.h"
#include "bus/beat.h"
#include "bus/bus.h"
#include "bus/jsonrpc.h"
#include "bus/lifeline.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#define NOTIFY_TEXT_MAX    4096 /* one datagram; systemd's own limit */
#define NOTIFY_PER_TURN    16
#define NOTIFY_DRAIN_MAX   4096
#define STATUS_INTERVAL_MS 250

struct datagram {
	char text[NOTIFY_TEXT_MAX + 1];
	size_t len;
	struct ucred cred; /* pid 0: unknown */
	pid_t sid;         /* the sender's session then; -1: unknown */
	bool truncated;
};

struct notify {
	int fd;   /* the datagram socket, or -EBADF */
	int pipe; /* the read end of notify_fd, or -EBADF */
	bool has_timer;
	bool complained; /* about strangers, once an incarnation */
	struct event read, pipe_read;
	struct event status;    /* the next time its status may be told */
	struct datagram *early; /* what the next incarnation has said */
	struct sockaddr_un addr;
};

static struct notify *
notify_of(struct peer *p)
{
	if (p->notify != NULL)
		return p->notify;
	p->notify = calloc(1, sizeof(*p->notify));
	if (p->notify != NULL) {
		p->notify->fd = -EBADF;
		p->notify->pipe = -EBADF;
	}
	return p->notify;
}

/* Returns 1, 0 when there is none, or -errno.  Fds that come are closed: the
 * sender of an sd_notify barrier waits for just that. */
static int
notify_recv(int fd, struct datagram *ret)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(struct ucred)) +
			   CMSG_SPACE(16 * sizeof(int))];
	} ctl;
	struct iovec iov = { ret->text, NOTIFY_TEXT_MAX };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ctl.space,
		.msg_controllen = sizeof(ctl.space),
	};
	struct cmsghdr *c;
	ssize_t n;

	do {
		n = recvmsg(fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	ret->cred = (struct ucred){ 0, (uid_t)-1, (gid_t)-1 };
	for (c = CMSG_FIRSTHDR(&m); c != NULL; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level != SOL_SOCKET)
			continue;
		if (c->cmsg_type == SCM_CREDENTIALS)
			memcpy(&ret->cred, CMSG_DATA(c), sizeof(ret->cred));
		if (c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = CMSG_LEN(0); at < c->cmsg_len;
		     at += sizeof(int)) {
			int got;

			memcpy(&got, (char *)c + at, sizeof(got));
			close(got);
		}
	}
	ret->sid = ret->cred.pid > 0 ? getsid(ret->cred.pid) : -1;
	ret->len = (size_t)n;
	ret->text[n] = '\0';
	ret->truncated = (m.msg_flags & MSG_TRUNC) != 0;
	return 1;
}

static bool
in_session(const struct datagram *d, pid_t leader)
{
	return leader > 0 && (d->cred.pid == leader || d->sid == leader);
}

/*
 * Whom to believe: the worker's own uid, root, and any process of the worker's
 * session (the keeper gives each its own), so that a daemon that has dropped
 * its privileges by itself is heard too.
 */
static bool
notify_believed(const struct peer *p, const struct datagram *d)
{
	if (d->cred.pid == 0)
		return false;
	if (d->cred.uid == p->uid || d->cred.uid == 0)
		return true;
	return in_session(d, p->os_pid);
}

/*
 * The bus may not have been told yet who is speaking: the engine's link can be
 * so full that a worker runs, and is ready, before its PROC has come.  What it
 * says is kept, line after line, until the incarnation whose session it is
 * from takes it over (notify_attached) or another one speaks.
 */
static void
notify_keep(struct notify *n, const struct datagram *d)
{
	struct datagram *e = n->early;

	if (e == NULL)
		e = n->early = calloc(1, sizeof(*e));
	if (e == NULL)
		return;
	if (e->sid != d->sid || e->len + 1 + d->len > NOTIFY_TEXT_MAX) {
		*e = *d;
		return;
	}
	e->text[e->len++] = '\n';
	memcpy(e->text + e->len, d->text, d->len + 1);
	e->len += d->len;
}

/*
 * From the next incarnation, as far as can be known now?  `fresh`: it has just
 * begun, and a program can be faster than the keeper is to tell its pid.
 */
static bool
is_early(struct peer *p, const struct datagram *d, bool fresh)
{
	bus_pump(&p->bus->keeper);
	if (p->early != NULL && in_session(d, p->early->os_pid))
		return true;
	return (!p->live || (fresh && p->os_pid == 0)) && notify_believed(p, d);
}

static void
status_due(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;

	(void)fd;
	(void)what;
	if (p->dirty && p->ready_told)
		peer_ready(p);
	p->dirty = false;
}

/* A new STATUS goes out with the READY, or later at a bounded rate. */
static void
notify_status(struct peer *p, const char *text, size_t len)
{
	struct timeval tv = { 0, STATUS_INTERVAL_MS * 1000 };
	char *copy = text_clean(text, len);

	if (copy == NULL)
		return;
	free(p->status);
	p->status = copy;
	if (!p->ready_told || p->dirty)
		return;
	p->dirty = true;
	event_add(&p->notify->status, &tv);
}

static void
notify_lines(struct peer *p, const struct datagram *d)
{
	const char *line = d->text, *end = d->text + d->len;
	bool ready = false;

	while (line < end) {
		const char *nl = memchr(line, '\n', (size_t)(end - line));
		size_t len = (size_t)((nl != NULL ? nl : end) - line);

		if (len == 7 && memcmp(line, "READY=1", 7) == 0)
			ready = true;
		else if (len >= 7 && memcmp(line, "STATUS=", 7) == 0)
			notify_status(p, line + 7, len - 7);
		else if (len == 10 && memcmp(line, "WATCHDOG=1", 10) == 0)
			beat_take(p, false);
		else if (len == 16 && memcmp(line, "WATCHDOG=trigger", 16) == 0)
			beat_take(p, true);
		line += len + 1;
	}
	if (ready && !p->ready_told)
		peer_ready(p);
}

/*
 * The engine's frames and these datagrams come by two sockets, and the bus may
 * be late with either: so first take what the engine has said.  If that began
 * a new incarnation, only a sender of that one's session speaks for it.
 */
static void
notify_take(struct peer *p, const struct datagram *d)
{
	struct bus *b = p->bus;
	uint32_t slot = p->slot;
	uint64_t inc = p->live ? p->inc : 0;

	bus_pump(&b->engine);
	p = peers_get(b, slot);
	if (p == NULL || p->notify == NULL || d->truncated)
		return;
	if (is_early(p, d, p->inc != inc)) {
		notify_keep(p->notify, d);
		return;
	}
	if (!p->live || (p->inc != inc && !in_session(d, p->os_pid)))
		return;
	if (notify_believed(p, d)) {
		notify_lines(p, d);
		return;
	}
	if (!p->notify->complained)
		log_warnx("%s: a notification from pid %d of uid %u is not "
			  "from this worker; ignored",
		    p->path, (int)d->cred.pid, d->cred.uid);
	p->notify->complained = true;
}

static void
notify_readable(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	struct bus *b = p->bus;
	uint32_t slot = p->slot;
	struct datagram d;

	(void)what;
	for (unsigned i = 0; i < NOTIFY_PER_TURN; i++) {
		if (notify_recv(fd, &d) <= 0)
			return;
		notify_take(p, &d);
		/* Forgotten meanwhile, and perhaps made again? */
		if (peers_get(b, slot) != p || p->notify == NULL ||
		    p->notify->fd != fd)
			return;
	}
}

static int
notify_bind(const struct sockaddr_un *addr, int *ret_fd)
{
	cleanup_(closep) int fd =
	    socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	if (unlink(addr->sun_path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0)
		return -errno;
	if (chmod(addr->sun_path, 0666) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

int
notify_prepare(struct peer *p, char *ret_text, size_t len)
{
	struct bus *b = p->bus;
	struct notify *n = notify_of(p);
	char path[PATH_MAX];
	int k, e = 0;

	k = snprintf(
	    path, sizeof(path), "%s/notify/%u", b->args->run_dir, p->slot);
	if (n == NULL)
		e = -ENOMEM;
	else if (k < 0 || (size_t)k >= sizeof(n->addr.sun_path))
		e = -ENAMETOOLONG;
	if (e == 0) {
		n->addr.sun_family = AF_UNIX;
		memcpy(n->addr.sun_path, path, (size_t)k + 1);
		e = notify_bind(&n->addr, &n->fd);
	}
	if (e != 0) {
		snprintf(
		    ret_text, len, "notify socket %s: %s", path, strerror(-e));
		return e;
	}
	event_assign(
	    &n->read, b->base, n->fd, EV_READ | EV_PERSIST, notify_readable, p);
	evtimer_assign(&n->status, b->base, status_due, p);
	n->has_timer = true;
	event_add(&n->read, NULL);
	return 0;
}

static void
pipe_close(struct notify *n)
{
	if (n->pipe < 0)
		return;
	event_del(&n->pipe_read);
	close(n->pipe);
	n->pipe = -EBADF;
}

/* s6: a newline means ready, whatever came before it. */
static void
pipe_readable(evutil_socket_t fd, short what, void *arg)
{
	struct peer *p = arg;
	char buf[512];
	ssize_t r = read(fd, buf, sizeof(buf));

	(void)what;
	if (r < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (r > 0 && memchr(buf, '\n', (size_t)r) == NULL)
		return;
	pipe_close(p->notify);
	if (r > 0 && !p->ready_told)
		peer_ready(p);
}

void
notify_watch_pipe(struct peer *p, int fd)
{
	struct notify *n = notify_of(p);

	if (n == NULL) {
		close(fd);
		return;
	}
	pipe_close(n);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	n->pipe = fd;
	event_assign(&n->pipe_read, p->bus->base, fd, EV_READ | EV_PERSIST,
	    pipe_readable, p);
	event_add(&n->pipe_read, NULL);
}

/*
 * Empty the socket.  What the next incarnation has said already, when the bus
 * is late, is kept for it; and who it is may not be known yet.
 */
void
notify_reset(struct peer *p)
{
	struct notify *n = p->notify;
	struct datagram d;

	p->dirty = false;
	if (n == NULL)
		return;
	n->complained = false;
	if (n->early != NULL && in_session(n->early, p->os_pid))
		free(take_ptr(n->early));
	pipe_close(n);
	if (n->has_timer)
		event_del(&n->status);
	for (unsigned i = 0; n->fd >= 0 && i < NOTIFY_DRAIN_MAX; i++) {
		if (notify_recv(n->fd, &d) <= 0)
			break;
		if (!d.truncated && !in_session(&d, p->os_pid) &&
		    (p->early == NULL || in_session(&d, p->early->os_pid)))
			notify_keep(n, &d);
	}
}

void
notify_attached(struct peer *p)
{
	struct notify *n = p->notify;

	if (n == NULL || n->early == NULL)
		return;
	if (in_session(n->early, p->os_pid))
		notify_lines(p, n->early);
	free(take_ptr(n->early));
}

void
notify_free(struct peer *p)
{
	struct notify *n = p->notify;

	if (n == NULL)
		return;
	pipe_close(n);
	if (n->has_timer)
		event_del(&n->status);
	if (n->fd >= 0) {
		event_del(&n->read);
		close(n->fd);
		unlink(n->addr.sun_path);
	}
	free(n->early);
	free(n);
	p->notify = NULL;
}
