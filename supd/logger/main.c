/* SPDX-License-Identifier: ISC */
/*
 * The logger's loop: three links and a FIFO for every worker in one epoll set,
 * level-triggered.  Each ready FIFO is read once a turn, so that a flood takes
 * its share and no more, and the kernel's ready list goes round.  Nothing here
 * has a timer: with nothing to read it sleeps.
 */
#include "logger/main.h"

#include "base/log.h"
#include "logger/readers.h"
#include "wire/link.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>

#define SLOTS_MAX  (1u << 20)
#define EVENTS_MAX 256
#define FRAMES_MAX 64 /* taken from one link a turn */
#define LINK_MAX   (64 * 1024 * 1024)

enum peer_id { PEER_KEEPER, PEER_ENGINE, PEER_BUS, PEER_N };

struct peer {
	struct link link;
	bool open;
	bool wants_out; /* EPOLLOUT is asked for */
};

struct logger {
	const char *run_dir;
	int epoll_fd;
	struct logfiles files;
	struct readers readers;
	struct source **sources; /* by slot; NULL where there is none */
	uint32_t n_sources;      /* length of that array */
	struct peer peers[PEER_N];
	struct now now;
	union {
		struct wire_hdr align;
		char bytes[WIRE_FRAME_MAX];
	} frame;
};

/* epoll's word: a source's slot, or a peer beyond all slots. */
#define KEY_PEER UINT64_C(0x100000000)

static int
watch(struct logger *lg, int op, int fd, uint32_t events, uint64_t key)
{
	struct epoll_event ev = { .events = events, .data.u64 = key };

	return epoll_ctl(lg->epoll_fd, op, fd, &ev) < 0 ? -errno : 0;
}

static struct source *
source_at(const struct logger *lg, uint32_t slot)
{
	return slot < lg->n_sources ? lg->sources[slot] : NULL;
}

static int
slots_reserve(struct logger *lg, uint32_t slot)
{
	uint32_t n = lg->n_sources != 0 ? lg->n_sources : 64;
	struct source **p;

	if (slot >= SLOTS_MAX)
		return -EINVAL;
	while (n <= slot)
		n *= 2;
	if (n == lg->n_sources)
		return 0;
	p = reallocarray(lg->sources, n, sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	memset(p + lg->n_sources, 0, (n - lg->n_sources) * sizeof(*p));
	lg->sources = p;
	lg->n_sources = n;
	return 0;
}

/* The incarnation that wrote has ended: so has its last line. */
static void
source_end_line(struct logger *lg, uint32_t slot)
{
	struct source *s = source_at(lg, slot);

	if (s == NULL)
		return;
	source_drain(s, &lg->now);
	source_flush(s, &lg->now);
}

/* Take what has been written so far, and let go. */
static void
source_close(struct logger *lg, uint32_t slot)
{
	struct source *s = source_at(lg, slot);

	if (s == NULL)
		return;
	source_end_line(lg, slot);
	readers_drop_slot(&lg->readers, slot);
	lg->sources[slot] = NULL;
	source_free(s);
}

static int
source_add(
    struct logger *lg, const struct wire_log_open *m, const char **ret_what)
{
	const struct source_spec spec = {
		.slot = m->slot,
		.name = m->path,
		.limit_bytes = m->size_bytes,
		.keep = m->keep,
		.prefix = m->prefix != 0,
		.time = m->time != 0,
	};
	struct source *s;
	int r;

	*ret_what = "slot";
	r = slots_reserve(lg, m->slot);
	if (r < 0)
		return r;
	r = source_new(&spec, lg->run_dir, &lg->files, &s, ret_what);
	if (r < 0)
		return r;
	*ret_what = "epoll";
	r = watch(lg, EPOLL_CTL_ADD, s->fd, EPOLLIN, m->slot);
	if (r < 0) {
		source_free(s);
		return r;
	}
	lg->sources[m->slot] = s;
	return 0;
}

/* The same worker again may have other settings; another one starts anew. */
static int
on_log_open(struct logger *lg, struct peer *p, uint64_t tag,
    const struct wire_log_open *m)
{
	struct wire_result res = { .slot = m->slot };
	struct source *s = source_at(lg, m->slot);
	const char *what = "";
	int r = 0;

	if (s != NULL && strcmp(s->name, m->path) == 0) {
		source_end_line(lg, m->slot);
		s->prefix = m->prefix != 0;
		s->time = m->time != 0;
		s->file.keep = m->keep;
		s->file.limit_bytes = m->size_bytes;
	} else {
		source_close(lg, m->slot);
		r = source_add(lg, m, &what);
	}
	if (r < 0) {
		res.error = -r;
		snprintf(res.text, sizeof(res.text), "log FIFO %s/log/%u: %s",
		    lg->run_dir, m->slot, what);
		errno = -r;
		log_warn("%s: %s; it will not be started", m->path, res.text);
	}
	return link_send(&p->link, WIRE_LOG_OPENED, tag, &res, NULL, 0);
}

static int
on_log_tail(struct logger *lg, struct peer *p, uint64_t tag,
    const struct wire_log_tail *m)
{
	struct source *s = source_at(lg, m->slot);

	if (s != NULL)
		source_drain(s, &lg->now);
	return readers_tail(
	    &lg->readers, &p->link, tag, m->slot, s, m->n, &lg->now);
}

static int
on_log_follow(struct logger *lg, struct peer *p, uint64_t tag,
    const struct wire_log_tail *m)
{
	struct source *s = source_at(lg, m->slot);

	if (m->n == 0) {
		readers_stop(&lg->readers, &p->link, tag, s);
		return 0;
	}
	return readers_follow(&lg->readers, &p->link, tag, m->slot, s);
}

/* Returns 0, or -errno when the link is of no use any more. */
static int
on_frame(struct logger *lg, struct peer *p, const struct wire_hdr *h)
{
	const void *body = wire_body(h);

	/* The links carry more types than a logger is ever sent. */
	if (h->type == WIRE_LOG_OPEN)
		return on_log_open(lg, p, h->tag, body);
	if (h->type == WIRE_LOG_TAIL)
		return on_log_tail(lg, p, h->tag, body);
	if (h->type == WIRE_LOG_FOLLOW)
		return on_log_follow(lg, p, h->tag, body);
	if (h->type == WIRE_LOG_FLUSH)
		source_end_line(lg, ((const struct wire_id *)body)->slot);
	else if (h->type == WIRE_LOG_CLOSE)
		source_close(lg, ((const struct wire_id *)body)->slot);
	else
		log_warnx(
		    "unexpected frame %s ignored", wire_type_name(h->type));
	return 0;
}

static void
peer_close(struct logger *lg, struct peer *p)
{
	readers_drop_link(&lg->readers, &p->link);
	link_fini(&p->link);
	close(p->link.fd);
	p->open = false;
}

static void
peer_read(struct logger *lg, struct peer *p)
{
	const struct wire_hdr *h;
	int r = 1;

	for (int i = 0; r > 0 && i < FRAMES_MAX; i++) {
		r = link_recv(&p->link, lg->frame.bytes, &h, NULL, NULL);
		if (r > 0) {
			int sent = on_frame(lg, p, h);

			r = sent < 0 ? sent : 1;
		}
	}
	if (r >= 0)
		return;
	if (r != -EPIPE) {
		errno = -r;
		log_warn("link to the %s is broken; closing it",
		    p == &lg->peers[PEER_KEEPER]   ? "keeper"
		    : p == &lg->peers[PEER_ENGINE] ? "engine"
						   : "bus");
	}
	peer_close(lg, p);
}

/* Ask for writability exactly while something waits. */
static void
peer_settle(struct logger *lg, struct peer *p)
{
	uint64_t key = KEY_PEER + (uint64_t)(p - lg->peers);
	bool waits = link_waiting(&p->link);

	if (waits == p->wants_out)
		return;
	p->wants_out = waits;
	if (watch(lg, EPOLL_CTL_MOD, p->link.fd,
		EPOLLIN | (waits ? EPOLLOUT : 0), key) < 0)
		log_warn("epoll: a reader may wait");
}

static void
peer_event(struct logger *lg, struct peer *p, uint32_t events)
{
	if (p->open && (events & EPOLLOUT) != 0 && link_flush(&p->link) < 0)
		peer_close(lg, p);
	if (p->open && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		peer_read(lg, p);
}

static void
turn(struct logger *lg, const struct epoll_event *ev, int n)
{
	for (int i = 0; i < n; i++) {
		uint64_t key = ev[i].data.u64;
		struct source *s;

		if (key >= KEY_PEER) {
			peer_event(
			    lg, &lg->peers[key - KEY_PEER], ev[i].events);
			continue;
		}
		/* It may have been closed by an event before this one. */
		s = source_at(lg, (uint32_t)key);
		if (s != NULL)
			source_read(s, &lg->now);
	}
	readers_run(&lg->readers);
	for (int i = 0; i < PEER_N; i++)
		if (lg->peers[i].open)
			peer_settle(lg, &lg->peers[i]);
}

static int
loop(struct logger *lg)
{
	struct epoll_event ev[EVENTS_MAX];

	while (lg->peers[PEER_KEEPER].open) {
		int n = epoll_wait(lg->epoll_fd, ev, EVENTS_MAX,
		    readers_runnable(&lg->readers) ? 0 : -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		now_sample(&lg->now);
		turn(lg, ev, n < 0 ? 0 : n);
	}
	return 0;
}

static int
logger_init(struct logger *lg, const struct role_args *args)
{
	static const int fds[PEER_N] = { ROLE_FD_KEEPER, LOGGER_FD_ENGINE,
		LOGGER_FD_BUS };
	struct rlimit lim;
	int r;

	lg->run_dir = args->run_dir;
	logfiles_init(&lg->files, args->log_dir);
	readers_init(&lg->readers);
	now_sample(&lg->now);
	/* One fd a worker. */
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0 &&
	    lim.rlim_cur < lim.rlim_max) {
		lim.rlim_cur = lim.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
			log_warn("setrlimit nofile; going on with the old one");
	}
	lg->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (lg->epoll_fd < 0)
		return -errno;
	for (unsigned i = 0; i < PEER_N; i++) {
		link_init(&lg->peers[i].link, fds[i], LINK_MAX);
		r = watch(lg, EPOLL_CTL_ADD, fds[i], EPOLLIN, KEY_PEER + i);
		if (r < 0)
			return r;
		lg->peers[i].open = true;
	}
	return 0;
}

static void
logger_fini(struct logger *lg)
{
	now_sample(&lg->now);
	for (uint32_t i = 0; i < lg->n_sources; i++)
		source_close(lg, i);
	free(lg->sources);
	for (unsigned i = 0; i < PEER_N; i++)
		if (lg->peers[i].open)
			peer_close(lg, &lg->peers[i]);
	readers_fini(&lg->readers);
	close(lg->epoll_fd);
}

int
logger_main(const struct role_args *args)
{
	struct logger *lg cleanup_(freep) = calloc(1, sizeof(*lg));
	int r;

	if (lg == NULL) {
		log_warn("cannot begin");
		return 1;
	}
	/* What ends a logger is the keeper's link, nothing that ^C reaches. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	umask(S_IWGRP | S_IRWXO);
	r = logger_init(lg, args);
	if (r < 0) {
		errno = -r;
		log_warn("cannot begin");
		return 1;
	}
	r = loop(lg);
	if (r < 0) {
		errno = -r;
		log_warn("epoll_wait; ending");
	}
	logger_fini(lg);
	return r < 0;
}
