/* SPDX-License-Identifier: ISC */
#include "bus/lifeline.h"

#include "base/log.h"
#include "bus/beat.h"
#include "bus/bus.h"
#include "bus/command.h"
#include "bus/exits.h"
#include "bus/guest.h"
#include "bus/jsonrpc.h"
#include "bus/relay.h"
#include "bus/resolve.h"
#include "bus/standing.h"
#include "bus/stats.h"
#include "bus/sys.h"
#include "bus/target.h"
#include "bus/trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define FRAMES_PER_TURN 32
#define DECLARED_MAX    16   /* it may think again, but not for ever */
#define DRAIN_FRAMES    8192 /* more than a socket buffer can hold */

static void lifeline_readable(evutil_socket_t fd, short what, void *arg);
static void lifeline_writable(evutil_socket_t fd, short what, void *arg);

struct lifeline *
lifeline_new(struct bus *b, struct peer *p, uint64_t inc, int32_t os_pid,
    int fd, int notify_fd)
{
	struct lifeline *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		close(fd);
		closep(&notify_fd);
		return NULL;
	}
	*l = (struct lifeline){
		.bus = b,
		.peer = p,
		.inc = inc,
		.fd = fd,
		.notify_fd = notify_fd,
		.os_pid = os_pid,
	};
	TAILQ_INIT(&l->out);
	TAILQ_INIT(&l->answers);
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	return l;
}

static void
drop_out(struct lifeline *l)
{
	struct lifeline_out *o;

	while ((o = TAILQ_FIRST(&l->out)) != NULL) {
		TAILQ_REMOVE(&l->out, o, entry);
		free(o);
	}
	l->out_bytes = 0;
	l->out_relayed = 0;
	answers_drop(l);
}

/* The worker sees EOF; the struct stays until its DEAD. */
static void
lifeline_close(struct lifeline *l)
{
	if (l->started) {
		event_del(&l->read);
		event_del(&l->write);
		l->started = false;
	}
	closep(&l->fd);
	l->fd = -EBADF;
	closep(&l->notify_fd);
	l->notify_fd = -EBADF;
	drop_out(l);
}

void
lifeline_free(struct lifeline *l)
{
	if (l == NULL)
		return;
	if (l->n_bad > 1 || l->n_refused != 0)
		log_info("%s: pid %d sent %u malformed frames; %u messages for "
			 "it found no room",
		    l->peer->path, l->os_pid, l->n_bad, l->n_refused);
	lifeline_close(l);
	free(l);
}

void
lifeline_start(struct lifeline *l)
{
	struct event_base *base = l->bus->base;

	event_assign(
	    &l->read, base, l->fd, EV_READ | EV_PERSIST, lifeline_readable, l);
	event_assign(&l->write, base, l->fd, EV_WRITE, lifeline_writable, l);
	event_add(&l->read, NULL);
	l->started = true;
}

/* ---- out --------------------------------------------------------------- */

static int
out_write(struct lifeline *l, struct iovec *iov, size_t n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
	ssize_t r;

	do {
		r = sendmsg(l->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (r < 0 && errno == EINTR);
	if (r < 0 && errno == ENOBUFS)
		return -EAGAIN;
	return r < 0 ? -errno : 0;
}

/* It cannot be told anything more, but what it said may still be unread. */
static void
lifeline_deafen(struct lifeline *l)
{
	l->deaf = true;
	event_del(&l->write);
	drop_out(l);
}

static void
lifeline_writable(evutil_socket_t fd, short what, void *arg)
{
	struct lifeline *l = arg;
	struct lifeline_out *o;

	(void)fd;
	(void)what;
	while ((o = TAILQ_FIRST(&l->out)) != NULL) {
		struct iovec iov = { o->data, o->len };
		int e = out_write(l, &iov, 1);

		if (e == -EAGAIN) {
			event_add(&l->write, NULL);
			return;
		}
		if (e < 0) {
			lifeline_deafen(l);
			return;
		}
		TAILQ_REMOVE(&l->out, o, entry);
		l->out_bytes -= o->len;
		l->out_relayed -= o->relayed;
		free(o);
	}
	answers_flush(l);
	keep_flow(l->peer);
}

static bool
out_queue(struct lifeline *l, const struct proto_frame *h, const void *body,
    size_t len, bool relayed)
{
	struct lifeline_out *o = malloc(sizeof(*o) + PROTO_HEADER_SIZE + len);

	if (o == NULL)
		return false;
	o->len = PROTO_HEADER_SIZE + len;
	o->relayed = relayed;
	memcpy(o->data, h, PROTO_HEADER_SIZE);
	if (len != 0)
		memcpy(o->data + PROTO_HEADER_SIZE, body, len);
	TAILQ_INSERT_TAIL(&l->out, o, entry);
	l->out_bytes += o->len;
	l->out_relayed += relayed;
	event_add(&l->write, NULL);
	return true;
}

/* Returns false when there is no room or the worker has closed its end. */
static bool
out_put(struct lifeline *l, const struct proto_frame *frame, const void *body,
    size_t len, bool relayed)
{
	struct proto_frame h = *frame;
	struct iovec iov[2] = {
		{ &h, sizeof(h) },
		{ (void *)(uintptr_t)body, len },
	};

	h.version = PROTO_VERSION;
	h.length = (uint32_t)(PROTO_HEADER_SIZE + len);
	if (TAILQ_EMPTY(&l->out)) {
		int e = out_write(l, iov, 2);

		if (e == 0)
			return true;
		if (e != -EAGAIN) {
			lifeline_deafen(l);
			return true; /* it has gone: nobody to miss it */
		}
	}
	if (relayed && (l->out_relayed >= LIFELINE_RELAY_FRAMES ||
			   l->out_bytes + h.length > LIFELINE_RELAY_BYTES))
		return false;
	if (l->out_bytes + h.length > LIFELINE_OUT_BYTES)
		return false;
	return out_queue(l, &h, body, len, relayed);
}

static bool
can_send(const struct lifeline *l)
{
	return l != NULL && l->fd >= 0 && l->started && l->joined && !l->deaf;
}

void
lifeline_send(struct lifeline *l, const struct proto_frame *h, const void *body,
    size_t len)
{
	if (!can_send(l) || out_put(l, h, body, len, false))
		return;
	log_warnx("%s: pid %d does not read its lifeline (%zu bytes wait); "
		  "closed it, so it cannot talk until it is restarted",
	    l->peer->path, l->os_pid, l->out_bytes);
	lifeline_close(l);
}

bool
lifeline_relay(struct lifeline *l, const struct proto_frame *h,
    const void *body, size_t len)
{
	if (!can_send(l))
		return true; /* as to a dead pid: silently (P-3) */
	if (out_put(l, h, body, len, true))
		return true;
	if (l->n_refused++ == 0)
		log_warnx("%s: pid %d does not read its lifeline; messages "
			  "relayed to it are refused",
		    l->peer->path, l->os_pid);
	return false;
}

void
lifeline_result(struct lifeline *l, uint64_t ref, int error)
{
	struct proto_frame h = {
		.type = PROTO_RESULT,
		.to = peer_pid(l->peer),
		.ref = ref,
	};
	struct proto_result r = { .error = error };

	lifeline_send(l, &h, &r, sizeof(r));
}

/* ---- in: each handler returns false for a malformed frame --------------- */

bool
lifeline_text(const void *body, size_t len, size_t max, char *out)
{
	const char *s = body;

	if (len != 0 && s[len - 1] == '\0')
		len--;
	if (len == 0 || len > max || memchr(s, '\0', len) != NULL)
		return false;
	memcpy(out, s, len);
	out[len] = '\0';
	return true;
}

static bool
on_join(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct proto_welcome w = {
		.self = peer_pid(p),
		.max_bytes = p->max_bytes,
		.on_full = p->on_full,
	};
	struct proto_frame r = {
		.type = PROTO_WELCOME,
		.to = w.self,
		.ref = h->ref,
	};
	size_t n = strlen(p->path);

	(void)body;
	if (len != sizeof(struct proto_join))
		return false;
	p->line->joined = true;
	if (n >= sizeof(w.path) ||
	    mailbox_endpoint(p->bus, p, w.endpoint, sizeof(w.endpoint)) < 0) {
		lifeline_result(p->line, h->ref, ENAMETOOLONG);
		p->line->joined = false;
		log_warnx("%s: the mailbox path under %s is longer than %d "
			  "bytes, so it cannot join; use a shorter run "
			  "directory",
		    p->path, p->bus->args->run_dir, PROTO_ENDPOINT_MAX - 1);
		return true;
	}
	memcpy(w.path, p->path, n);
	memcpy(w.secret, p->secret, sizeof(w.secret));
	lifeline_send(p->line, &r, &w, sizeof(w));
	links_tell(p->bus, p);
	standing_joined(p);
	trace_joined(p);
	resolve_expect(p);
	return true;
}

static bool
on_opened(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	(void)p;
	(void)h;
	(void)body;
	return len == 0;
}

static bool
on_ready(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	(void)h;
	(void)body;
	if (len != 0)
		return false;
	if (!p->ready_told)
		peer_ready(p);
	return true;
}

static bool
on_alive(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	(void)body;
	if (len != 0)
		return false;
	beat_take(p, h->type == PROTO_UNWELL);
	return true;
}

/* The engine judges the end by it, so who waits is answered by the engine. */
static bool
on_reason(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct wire_declared w = { .slot = p->slot, .inc = p->inc };
	char *copy;

	if (len == 0 || len > PROTO_REASON_MAX || !text_is_utf8(body, len) ||
	    p->n_declared >= DECLARED_MAX)
		return false;
	p->n_declared++;
	copy = text_clean(body, len);
	if (copy == NULL) {
		lifeline_result(p->line, h->ref, ENOMEM);
		return true;
	}
	free(p->declared);
	p->declared = copy;
	strlcpy(w.reason, copy, sizeof(w.reason));
	bus_send(&p->bus->engine, WIRE_DECLARED, h->ref, &w, NULL, 0);
	return true;
}

static bool
on_register(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	char text[PROTO_PATH_MAX];
	int e = -EINVAL;

	if (lifeline_text(body, len, sizeof(text) - 1, text))
		e = names_register(p->bus, p, text, strlen(text));
	if (e == 0)
		standing_named(p);
	lifeline_result(p->line, h->ref, -e);
	return true;
}

static bool
on_unregister(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	char text[PROTO_NAME_MAX + 1];
	int e = -ENOENT;

	if (lifeline_text(body, len, PROTO_NAME_MAX, text))
		e = names_unregister(p->bus, p, text);
	lifeline_result(p->line, h->ref, -e);
	return true;
}

static bool
on_monitor(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	uint64_t target = h->to;
	char text[PROTO_PATH_MAX];

	if (len != 0) {
		struct target t;

		target = 0;
		if (lifeline_text(body, len, sizeof(text) - 1, text) &&
		    target_find(p->bus, text, &t))
			target = t.pid;
	}
	return monitors_add(p->bus, p, h->ref, target);
}

static bool
on_demonitor(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	(void)body;
	if (len != 0)
		return false;
	monitors_remove(p->bus, p, h->ref);
	return true;
}

static bool
on_link(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct peer *other = peers_by_pid(p->bus, h->to);
	int e;

	(void)body;
	if (len != 0 || h->to == 0)
		return false;
	if (other != NULL && !exits_may(p, other))
		e = -EPERM;
	else
		e = links_add(p->bus, p, h->to);
	lifeline_result(p->line, h->ref, -e);
	return true;
}

static bool
on_unlink(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	(void)body;
	if (len != 0)
		return false;
	links_remove(p->bus, p, h->to);
	return true;
}

static bool
on_trap(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	(void)body;
	if (len != 0 || h->ref > 1)
		return false;
	exits_trap(p, h->ref == 1);
	return true;
}

static bool
on_exit_signal(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct peer *to = peers_by_pid(p->bus, h->to);
	char reason[PROTO_REASON_MAX + 1];

	if (h->to == 0 || !lifeline_text(body, len, PROTO_REASON_MAX, reason) ||
	    !text_is_utf8(reason, strlen(reason)))
		return false;
	if (to == NULL) {
		guest_exit_signal(p, h, reason);
		return true;
	}
	if (!exits_may(p, to)) {
		if (!p->line->forbidden)
			log_warnx("%s: may not end %s, which runs as another "
				  "user: its `allow` does not name it",
			    p->path, to->path);
		p->line->forbidden = true;
		return true;
	}
	exits_send(p->bus, peer_pid(p), h->to, reason, h->seq, 0);
	return true;
}

/* Another has sent it what it should not.  Told once; more is counted there. */
static bool
on_report(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct peer *t = peers_by_pid(p->bus, h->to);

	(void)body;
	if (len != 0)
		return false;
	if (t == NULL || t->line == NULL || t->line->reported)
		return true;
	t->line->reported = true;
	log_warnx(
	    "%s: pid %d sent a malformed message to %s; dropped (more are "
	    "only counted)",
	    t->path, t->os_pid, p->path);
	return true;
}

static const struct {
	bool (*fn)(struct peer *p, const struct proto_frame *h,
	    const void *body, size_t len);
	bool before_join;
} handlers[] = {
	[PROTO_DATA] = { relay_frame, false },
	[PROTO_CALL] = { relay_frame, false },
	[PROTO_REPLY] = { relay_frame, false },
	[PROTO_CAST] = { relay_frame, false },
	[PROTO_JOIN] = { on_join, true },
	[PROTO_OPENED] = { on_opened, false },
	[PROTO_READY] = { on_ready, true },
	[PROTO_REGISTER] = { on_register, false },
	[PROTO_UNREGISTER] = { on_unregister, false },
	[PROTO_RESOLVE] = { resolve_frame, false },
	[PROTO_MONITOR] = { on_monitor, false },
	[PROTO_DEMONITOR] = { on_demonitor, false },
	[PROTO_REASON] = { on_reason, true },
	[PROTO_ALIVE] = { on_alive, true },
	[PROTO_UNWELL] = { on_alive, true },
	[PROTO_CONTROL] = { command_frame, false },
	[PROTO_TRACE] = { trace_frame, false },
	[PROTO_STATS] = { stats_frame, false },
	[PROTO_SYS] = { sys_frame, false },
	[PROTO_ANSWER] = { sys_answer, false },
	[PROTO_SPAWN] = { spawn_frame, false },
	[PROTO_LINK] = { on_link, false },
	[PROTO_UNLINK] = { on_unlink, false },
	[PROTO_TRAP] = { on_trap, false },
	[PROTO_REPORT] = { on_report, false },
	[PROTO_EXIT] = { on_exit_signal, false },
};

static bool
handle_packet(struct lifeline *l, const char *buf, size_t len)
{
	struct proto_frame h;
	const void *body;
	size_t pos = 0, body_len;

	if (!proto_next(
		buf, len, &pos, PROTO_LIFELINE_MAX, &h, &body, &body_len) ||
	    pos != len)
		return false;
	if (h.type >= ARRAY_LEN(handlers) || handlers[h.type].fn == NULL ||
	    (!l->joined && !handlers[h.type].before_join))
		return false;
	/* Any word after JOIN says that it has bound its mailbox. */
	if (l->joined && !l->opened) {
		l->opened = true;
		keep_flow(l->peer);
		resolve_answer(l->peer);
	}
	return handlers[h.type].fn(l->peer, &h, body, body_len);
}

/* Returns false when there is nothing more to read for now, or ever. */
static bool
read_one(struct lifeline *l)
{
	char *buf = l->bus->frame;
	ssize_t n;

	/* ECONNRESET says once that it closed without reading all; what it
	 * wrote before comes after that (net/unix/af_unix.c). */
	do {
		n = recv(
		    l->fd, buf, PROTO_LIFELINE_MAX, MSG_DONTWAIT | MSG_TRUNC);
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		lifeline_close(l);
		return false;
	}
	if ((size_t)n <= PROTO_LIFELINE_MAX && handle_packet(l, buf, (size_t)n))
		return l->fd >= 0;
	l->n_bad++;
	if (!l->complained)
		log_warnx("%s: pid %d sent a malformed frame of %zd bytes on "
			  "its lifeline; dropped (more are only counted)",
		    l->peer->path, l->os_pid, n);
	l->complained = true;
	return l->fd >= 0;
}

static void
lifeline_readable(evutil_socket_t fd, short what, void *arg)
{
	struct lifeline *l = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < FRAMES_PER_TURN; i++)
		if (!read_one(l))
			return;
}

void
lifeline_drain(struct lifeline *l)
{
	if (l->fd < 0)
		return;
	for (unsigned i = 0; i < DRAIN_FRAMES; i++)
		if (!read_one(l))
			return;
}
