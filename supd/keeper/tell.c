/* SPDX-License-Identifier: ISC */

/*
 * What the keeper says to the engine and the bus.  A worker that has something
 * to say is in a list, as a set of bits; the frames are made when the socket
 * takes them.  So there is no queue to grow, whatever the peers do.
 */

#include "keeper/keeper.h"

#include "base/log.h"

#include <string.h>
#include <sys/socket.h>

static bool
link_open(const struct role *r)
{
	return r->link.fd >= 0;
}

/* 0, -EAGAIN, or why the link is of no use any more. */
static int
send_frame(int fd, enum wire_type type, const void *body, const int *fds,
    unsigned n_fds)
{
	struct wire_hdr h = { .type = (uint16_t)type };
	struct iovec iov[2] = { { &h, sizeof(h) },
		{ (void *)(uintptr_t)body, wire_fixed_size(type) } };
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} ctl;
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	h.len = (uint32_t)(iov[0].iov_len + iov[1].iov_len);
	if (n_fds != 0) {
		struct cmsghdr *c;

		memset(&ctl, 0, sizeof(ctl));
		m.msg_control = ctl.space;
		m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
	}
	do {
		n = sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ENOBUFS || errno == ENOMEM ? -EAGAIN : -errno;
}

static int
say_one(struct keeper *k, const struct worker *w, uint32_t what)
{
	int fd = k->role[ROLE_ENGINE].link.fd;
	uint32_t slot = worker_slot(k, w);
	const struct slot *rec = &k->table->slot[slot];

	if (what == SAY_SPAWNED) {
		struct wire_spawned m = { slot, w->pid, w->inc, w->spawned_ns };

		return send_frame(fd, WIRE_SPAWNED, &m, NULL, 0);
	}
	if (what == SAY_EXECED) {
		struct wire_id m = { slot, 0, w->inc };

		return send_frame(fd, WIRE_EXECED, &m, NULL, 0);
	}
	if (what == SAY_FAILED) {
		struct wire_failed m = { slot, rec->step, w->inc, rec->error,
			0 };

		return send_frame(fd, WIRE_SPAWN_FAILED, &m, NULL, 0);
	}
	struct wire_exited m = {
		.slot = slot,
		.pid = w->pid,
		.inc = w->inc,
		.at_ns = w->exited_ns,
		.status = rec->status,
		.is_signal = rec->is_signal,
		.core = rec->core,
		.leftover = w->leftover,
		.user_us = w->user_us,
		.sys_us = w->sys_us,
		.maxrss_kb = w->maxrss_kb,
	};
	return send_frame(fd, WIRE_EXITED, &m, NULL, 0);
}

static void
leave_engine(struct keeper *k, struct worker *w)
{
	if (w->in_engine)
		TAILQ_REMOVE(&k->to_engine, w, engine);
	w->in_engine = false;
	w->say = 0;
}

static void
leave_bus(struct keeper *k, struct worker *w)
{
	if (w->in_bus)
		TAILQ_REMOVE(&k->to_bus, w, bus);
	w->in_bus = false;
	closep(&w->life_fd);
	closep(&w->notify_fd);
	w->life_fd = w->notify_fd = -EBADF;
}

void
untell(struct keeper *k, struct worker *w)
{
	leave_engine(k, w);
	leave_bus(k, w);
}

/* Nobody listens once the engine is gone or supd is ending. */
void
tell_engine(struct keeper *k, struct worker *w, uint32_t say)
{
	if (!link_open(&k->role[ROLE_ENGINE]) || k->phase != PHASE_RUN)
		return;
	w->say |= say;
	if (!w->in_engine)
		TAILQ_INSERT_TAIL(&k->to_engine, w, engine);
	w->in_engine = true;
}

/* The slot may be another incarnation's, so this is kept apart from it. */
void
tell_refused(struct keeper *k, const struct wire_spawn *w, enum spawn_step step,
    int error)
{
	k->refusal = (struct wire_failed){ w->slot, step, w->inc, error, 0 };
	k->has_refusal = true;
}

void
tell_bus(struct keeper *k, struct worker *w)
{
	if (w->life_fd < 0 && w->notify_fd < 0)
		return;
	if (!link_open(&k->role[ROLE_BUS])) {
		leave_bus(k, w);
		return;
	}
	TAILQ_INSERT_TAIL(&k->to_bus, w, bus);
	w->in_bus = true;
}

static int
flush_plain(struct keeper *k)
{
	int r, fd = k->role[ROLE_ENGINE].link.fd;

	if (k->has_refusal) {
		r = send_frame(fd, WIRE_SPAWN_FAILED, &k->refusal, NULL, 0);
		if (r < 0)
			return r;
		k->has_refusal = false;
	}
	if (k->say_shutdown) {
		r = send_frame(fd, WIRE_SHUTDOWN, NULL, NULL, 0);
		if (r < 0)
			return r;
		k->say_shutdown = false;
	}
	if (k->say_reload) {
		r = send_frame(fd, WIRE_RELOAD, NULL, NULL, 0);
		if (r < 0)
			return r;
		k->say_reload = false;
	}
	return 0;
}

static int
flush_engine(struct keeper *k)
{
	struct worker *w;
	int r = flush_plain(k);

	while (r == 0 && (w = TAILQ_FIRST(&k->to_engine)) != NULL) {
		while (w->say != 0) {
			uint32_t first = w->say & -w->say;

			r = say_one(k, w, first);
			if (r < 0)
				return r;
			w->say &= ~first;
		}
		leave_engine(k, w);
	}
	return r;
}

static int
flush_bus(struct keeper *k)
{
	struct worker *w;

	while ((w = TAILQ_FIRST(&k->to_bus)) != NULL) {
		struct wire_lifeline m = {
			.slot = worker_slot(k, w),
			.pid = w->pid,
			.inc = w->inc,
			.has_notify_fd = w->notify_fd >= 0,
		};
		int fds[2], r;
		unsigned n = 0;

		if (w->life_fd >= 0)
			fds[n++] = w->life_fd;
		if (w->notify_fd >= 0)
			fds[n++] = w->notify_fd;
		r = send_frame(
		    k->role[ROLE_BUS].link.fd, WIRE_LIFELINE, &m, fds, n);
		if (r < 0)
			return r;
		leave_bus(k, w);
	}
	return 0;
}

void
tell_flush(struct keeper *k)
{
	struct worker *w;
	int r;

	k->engine_full = k->bus_full = false;
	k->bus_retry = false;
	if (link_open(&k->role[ROLE_ENGINE]) && k->phase == PHASE_RUN) {
		r = flush_engine(k);
		if (r == -EAGAIN)
			k->engine_full = true;
		else if (r < 0)
			log_debug("engine link: %s", strerror(-r));
	}
	if (!link_open(&k->role[ROLE_BUS]))
		return;
	r = flush_bus(k);
	if (r == -ETOOMANYREFS)
		k->bus_retry = true;
	else if (r == -EAGAIN)
		k->bus_full = true;
	else if (r < 0) /* the bus is dead; its pidfd will say so */
		while ((w = TAILQ_FIRST(&k->to_bus)) != NULL)
			leave_bus(k, w);
}
