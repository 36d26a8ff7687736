/* SPDX-License-Identifier: ISC */
#include "base/log.h"
#include "bus/bus.h"
#include "bus/exits.h"
#include "bus/main.h"
#include "bus/requests.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define FRAMES_PER_TURN 128
#define LAST_CALL_S     5 /* the keeper ends supd after its engine; if not: */
#define EXIT_SOFTWARE   70

int
bus_send(struct bus_link *l, enum wire_type type, uint64_t tag,
    const void *body, const void *tail, size_t tail_len)
{
	int e;

	if (!l->open)
		return -EPIPE;
	e = link_send(&l->link, type, tag, body, tail, tail_len);
	if (e == -ENOBUFS || e == -ENOMEM)
		log_warnx("%s does not read (%zu bytes wait): a %s is lost",
		    l->name, l->link.queued_bytes, wire_type_name(type));
	if (link_waiting(&l->link))
		event_add(&l->write, NULL);
	return e;
}

void
bus_end(struct bus *b, int code)
{
	b->exit_code = code;
	event_base_loopbreak(b->base);
}

static void
link_close(struct bus_link *l)
{
	struct bus *b = l->bus;

	event_del(&l->read);
	event_del(&l->write);
	l->open = false;
	if (l == &b->keeper) {
		/* The engine's last events may still be in its link. */
		bus_pump(&b->engine);
		bus_end(b, 0);
	} else if (l == &b->engine) {
		struct timeval tv = { LAST_CALL_S, 0 };

		log_debug("the engine is gone; waiting for the keeper to end");
		control_engine_gone(b);
		event_add(&b->last_call, &tv);
	} else {
		log_warnx("the logger is gone: no logs until supd restarts");
	}
}

static void
last_call(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	log_warnx("the engine has ended and supd goes on without it; ending");
	bus_end(arg, EXIT_SOFTWARE);
}

/* Take one frame; false when there is none. */
static bool
link_take(struct bus_link *l)
{
	const struct wire_hdr *h;
	int fds[2];
	unsigned n_fds = ARRAY_LEN(fds);
	int r;

	if (!l->open)
		return false;
	r = link_recv(&l->link, l->buf, &h, fds, &n_fds);
	if (r == 0)
		return false;
	if (r == -EBADMSG) {
		log_warnx("the %s sent a frame that is none; ending", l->name);
		bus_end(l->bus, EXIT_SOFTWARE);
		return false;
	}
	if (r < 0) {
		link_close(l);
		return false;
	}
	l->handle(l->bus, h, fds, n_fds);
	return l->open;
}

void
bus_pump(struct bus_link *l)
{
	while (link_take(l))
		continue;
}

static void
link_readable(evutil_socket_t fd, short what, void *arg)
{
	struct bus_link *l = arg;

	(void)fd;
	(void)what;
	for (unsigned i = 0; i < FRAMES_PER_TURN; i++)
		if (!link_take(l))
			return;
}

static void
link_writable(evutil_socket_t fd, short what, void *arg)
{
	struct bus_link *l = arg;

	(void)fd;
	(void)what;
	/* A failure is the peer's end: its read side tells. */
	if (link_flush(&l->link) == 0 && link_waiting(&l->link))
		event_add(&l->write, NULL);
}

static void
close_fds(int *fds, unsigned n_fds)
{
	for (unsigned i = 0; i < n_fds; i++)
		close(fds[i]);
}

static void
from_keeper(struct bus *b, const struct wire_hdr *h, int *fds, unsigned n_fds)
{
	if (h->type == WIRE_LIFELINE)
		peers_lifeline(b, wire_body(h), fds, n_fds);
	else
		close_fds(fds, n_fds);
}

static void
from_engine(struct bus *b, const struct wire_hdr *h, int *fds, unsigned n_fds)
{
	close_fds(fds, n_fds);
	if (h->type == WIRE_PREPARE)
		peers_prepare(b, h);
	else if (h->type == WIRE_PROC)
		peers_proc(b, wire_body(h));
	else if (h->type == WIRE_DEAD)
		peers_dead(b, wire_body(h));
	else if (h->type == WIRE_FORGET)
		peers_forget(b, wire_body(h));
	else if (h->type == WIRE_HEARD)
		peers_heard(b, h);
	else if (h->type == WIRE_STOP)
		exits_stop(b, wire_body(h));
	else
		requests_frame(b, h);
}

static void
from_logger(struct bus *b, const struct wire_hdr *h, int *fds, unsigned n_fds)
{
	close_fds(fds, n_fds);
	if (h->type == WIRE_LOG_LINE || h->type == WIRE_LOG_END)
		requests_frame(b, h);
}

static int
bus_link_init(struct bus *b, struct bus_link *l, int fd, const char *name,
    void (*handle)(
	struct bus *b, const struct wire_hdr *h, int *fds, unsigned n_fds))
{
	l->buf = aligned_alloc(8, WIRE_FRAME_MAX);
	if (l->buf == NULL)
		return -ENOMEM;
	link_init(&l->link, fd, BUS_LINK_BYTES_MAX);
	l->bus = b;
	l->name = name;
	l->handle = handle;
	l->open = true;
	event_assign(
	    &l->read, b->base, fd, EV_READ | EV_PERSIST, link_readable, l);
	event_assign(&l->write, b->base, fd, EV_WRITE, link_writable, l);
	return event_add(&l->read, NULL) < 0 ? -ENOMEM : 0;
}

static void
bus_link_fini(struct bus_link *l)
{
	if (l->buf == NULL)
		return;
	if (l->open) {
		event_del(&l->read);
		event_del(&l->write);
	}
	link_fini(&l->link);
	free(l->buf);
}

static int
bus_init(struct bus *b)
{
	int e;

	RB_INIT(&b->peers.by_path);
	TAILQ_INIT(&b->peers.wishers);
	RB_INIT(&b->names.tree);
	RB_INIT(&b->links);
	RB_INIT(&b->spawns);
	RB_INIT(&b->monitors.by_owner);
	RB_INIT(&b->monitors.by_target);
	RB_INIT(&b->control.requests);
	RB_INIT(&b->sys.asks);
	TAILQ_INIT(&b->mailboxes.dirs);
	TAILQ_INIT(&b->keepers);
	TAILQ_INIT(&b->control.clients);
	TAILQ_INIT(&b->control.graves);
	TAILQ_INIT(&b->control.event_followers);
	TAILQ_INIT(&b->control.log_followers);
	TAILQ_INIT(&b->control.trace_followers);
	b->base = event_base_new();
	if (b->base == NULL)
		return -ENOMEM;
	evtimer_assign(&b->last_call, b->base, last_call, b);
	e = bus_link_init(b, &b->keeper, ROLE_FD_KEEPER, "keeper", from_keeper);
	if (e == 0)
		e = bus_link_init(
		    b, &b->engine, BUS_FD_ENGINE, "engine", from_engine);
	if (e == 0)
		e = bus_link_init(
		    b, &b->logger, BUS_FD_LOGGER, "logger", from_logger);
	if (e == 0)
		e = control_init(b, BUS_FD_CONTROL);
	return e;
}

/* What the kernel will take without blocking goes out before the end. */
static void
bus_fini(struct bus *b)
{
	if (b->base == NULL)
		return;
	control_fini(b);
	peers_fini(b);
	monitors_fini(b);
	links_fini(b);
	spawn_fini(b);
	if (event_initialized(&b->last_call))
		event_del(&b->last_call);
	bus_link_fini(&b->keeper);
	bus_link_fini(&b->engine);
	bus_link_fini(&b->logger);
	event_base_free(b->base);
}

/*
 * The keeper decides when the bus ends: a terminal's ^C or a service manager's
 * TERM to the whole group must not take it from the engine, which still stops
 * workers then.
 */
static void
bus_signals(void)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

/* A lifeline and a notify socket a worker. */
static void
bus_limits(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
		l.rlim_cur = l.rlim_max;
		setrlimit(RLIMIT_NOFILE, &l);
	}
}

int
bus_main(const struct role_args *args)
{
	struct bus *b = calloc(1, sizeof(*b));
	int e, code;

	log_init("bus", args->verbose);
	bus_signals();
	bus_limits();
	if (b == NULL)
		return EXIT_SOFTWARE;
	b->args = args;
	b->supd_pid = getppid();
	e = bus_init(b);
	if (e < 0) {
		log_warnx("cannot start: %s", strerror(-e));
		code = EXIT_SOFTWARE;
	} else {
		if (event_base_dispatch(b->base) < 0)
			b->exit_code = EXIT_SOFTWARE;
		code = b->exit_code;
	}
	bus_fini(b);
	free(b);
	return code;
}
