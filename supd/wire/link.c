/* SPDX-License-Identifier: ISC */
#include "wire/link.h"

#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

void
link_init(struct link *l, int fd, size_t max_bytes)
{
	*l = (struct link){ .fd = fd, .max_bytes = max_bytes };
	TAILQ_INIT(&l->queue);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

void
link_fini(struct link *l)
{
	struct link_pending *p;

	while ((p = TAILQ_FIRST(&l->queue)) != NULL) {
		TAILQ_REMOVE(&l->queue, p, entry);
		free(p);
	}
	l->queued_bytes = 0;
}

bool
link_waiting(const struct link *l)
{
	return !TAILQ_EMPTY(&l->queue);
}

static int
link_write(struct link *l, struct iovec *iov, size_t n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t r;

	do {
		r = sendmsg(l->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	} while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* The socket is full for now: these are not failures. */
static bool
is_full(int r)
{
	return r == -EAGAIN || r == -ENOBUFS;
}

static int
link_queue(struct link *l, const struct iovec *iov, size_t n, size_t len)
{
	struct link_pending *p;
	size_t at = 0;

	if (l->queued_bytes + len > l->max_bytes)
		return -ENOBUFS;
	p = malloc(sizeof(*p) + len);
	if (p == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		if (iov[i].iov_len != 0)
			memcpy(p->data + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
	}
	p->len = len;
	TAILQ_INSERT_TAIL(&l->queue, p, entry);
	l->queued_bytes += len;
	return 0;
}

int
link_send(struct link *l, enum wire_type type, uint64_t tag, const void *body,
    const void *tail, size_t tail_len)
{
	size_t fixed = wire_fixed_size(type);
	struct wire_hdr h = {
		.type = (uint16_t)type,
		.len = (uint32_t)(sizeof(h) + fixed + tail_len),
		.tag = tag,
	};
	struct iovec iov[3] = {
		{ &h, sizeof(h) },
		{ (void *)(uintptr_t)body, fixed },
		{ (void *)(uintptr_t)tail, tail_len },
	};
	int r;

	assert(tail_len <= wire_tail_max(type));
	if (!link_waiting(l)) {
		r = link_write(l, iov, ARRAY_LEN(iov));
		if (!is_full(r))
			return r;
	}
	return link_queue(l, iov, ARRAY_LEN(iov), h.len);
}

int
link_flush(struct link *l)
{
	struct link_pending *p;

	while ((p = TAILQ_FIRST(&l->queue)) != NULL) {
		struct iovec iov = { p->data, p->len };
		int r = link_write(l, &iov, 1);

		if (is_full(r))
			return 0;
		if (r < 0)
			return r;
		TAILQ_REMOVE(&l->queue, p, entry);
		l->queued_bytes -= p->len;
		free(p);
	}
	return 0;
}

/* Take the fds of a message: up to *n_fds into fds, the rest are closed. */
static void
take_fds(struct msghdr *m, int *fds, unsigned *n_fds)
{
	unsigned room = n_fds != NULL ? *n_fds : 0, n = 0;
	struct cmsghdr *c;

	for (c = CMSG_FIRSTHDR(m); c != NULL; c = CMSG_NXTHDR(m, c)) {
		size_t k;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		k = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < k; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (n < room)
				fds[n++] = fd;
			else
				close(fd);
		}
	}
	if (n_fds != NULL)
		*n_fds = n;
}

int
link_recv(struct link *l, void *buf, const struct wire_hdr **ret_hdr, int *fds,
    unsigned *n_fds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(8 * sizeof(int))];
	} ctl;
	struct iovec iov = { buf, WIRE_FRAME_MAX };
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = ctl.space,
		.msg_controllen = sizeof(ctl.space),
	};
	int resets = 0;
	ssize_t n;

	/*
	 * ECONNRESET: the peer has closed with something of ours unread.  Linux
	 * says that once, before what the peer has said, which is still there.
	 */
	do {
		n = recvmsg(l->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	} while (n < 0 &&
		 (errno == EINTR || (errno == ECONNRESET && resets++ == 0)));
	if (n < 0) {
		if (n_fds != NULL)
			*n_fds = 0;
		if (errno == EAGAIN)
			return 0;
		return errno == ECONNRESET ? -EPIPE : -errno;
	}
	take_fds(&m, fds, n_fds);
	if (n == 0)
		return -EPIPE;
	if ((m.msg_flags & MSG_TRUNC) != 0 || !wire_check(buf, (size_t)n)) {
		for (unsigned i = 0; n_fds != NULL && i < *n_fds; i++)
			close(fds[i]);
		return -EBADMSG;
	}
	*ret_hdr = buf;
	return 1;
}
