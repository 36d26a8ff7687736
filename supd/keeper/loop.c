/* SPDX-License-Identifier: ISC */
#include "keeper/keeper.h"

#include "base/clock.h"
#include "base/log.h"

#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#define EVENTS_A_TURN 128
#define FRAMES_A_TURN 64
#define STOP_WAIT_NS  (5 * NS_PER_S)
#define SWEEP_NS      (5 * NS_PER_S)
#define BUS_RETRY_NS  (10 * NS_PER_MS)
/* How soon to look whether a child has exec'd: growing. */
#define POLL_FIRST_NS (50 * NS_PER_MS / 1000)
#define POLL_LAST_NS  (5 * NS_PER_MS)
#define POLL_STUCK_NS (100 * NS_PER_MS)

static const char *const role_names[ROLE_N] = {
	[ROLE_ENGINE] = "engine",
	[ROLE_BUS] = "bus",
	[ROLE_LOGGER] = "logger",
};

const char *
keeper_role_name(enum keeper_role r)
{
	return role_names[r];
}

void
keeper_stop(struct keeper *k, int code, bool gently, int64_t now_ns)
{
	enum keeper_phase want = gently ? PHASE_TERM : PHASE_KILL;

	if (k->phase == PHASE_RUN)
		k->code = code;
	if (k->phase >= want)
		return;
	k->phase = want;
	k->stop_ns = now_ns + STOP_WAIT_NS;
	workers_kill(k, gently ? SIGTERM : SIGKILL);
}

/* No more frames from or to this role. */
static void
link_close(struct keeper *k, struct role *r)
{
	if (r->link.fd < 0)
		return;
	epoll_ctl(k->epfd, EPOLL_CTL_DEL, r->link.fd, NULL);
	closep(&r->link.fd);
	r->link.fd = -EBADF;
}

static void
frame_swap(struct keeper *k, struct spawn_place *p)
{
	struct wire_hdr *f = p->frame;

	p->frame = k->frame;
	k->frame = f;
}

/* A spawn needs a place; while there is none, the engine is not read. */
static void
frame_spawn(struct keeper *k, int64_t now_ns)
{
	struct spawn_place *p = spawner_idle(&k->spawner);
	bool is_helper = k->frame->type == WIRE_EXEC;

	if (p == NULL) {
		if (!k->parked)
			k->parked_ns = now_ns;
		k->parked = true;
		if (now_ns - k->parked_ns < SPAWN_STUCK_NS)
			return;
		/* Every place is held by a child that hangs in exec. */
		k->parked = false;
		if (is_helper)
			log_warnx("cannot run a command: too many starts hang");
		else
			tell_refused(
			    k, wire_body(k->frame), STEP_CLONE, EAGAIN);
		return;
	}
	k->parked = false;
	frame_swap(k, p);
	if (is_helper)
		helper_spawn(k, p, now_ns);
	else
		worker_spawn(k, p, now_ns);
}

static void role_gone(struct keeper *k, enum keeper_role role, int64_t now_ns);

static void
engine_broken(struct keeper *k, const char *what, int64_t now_ns)
{
	log_warnx("the engine sent %s; ending it", what);
	if (k->role[ROLE_ENGINE].pid != 0)
		kill(k->role[ROLE_ENGINE].pid, SIGKILL);
	link_close(k, &k->role[ROLE_ENGINE]);
	if (k->role[ROLE_ENGINE].pid == 0)
		role_gone(k, ROLE_ENGINE, now_ns);
}

static void
frame_handle(struct keeper *k, int64_t now_ns)
{
	const void *body = wire_body(k->frame);

	/* wire.h numbers types of all links; only these are the engine's. */
	if (k->frame->type == WIRE_SPAWN || k->frame->type == WIRE_EXEC) {
		frame_spawn(k, now_ns);
	} else if (k->frame->type == WIRE_SIGNAL) {
		worker_signal(k, body);
	} else if (k->frame->type == WIRE_ACK) {
		worker_ack(k, body);
	} else if (k->frame->type == WIRE_UP) {
		k->up = true;
	} else if (k->frame->type == WIRE_DONE) {
		const struct wire_done *d = body;

		k->done = true;
		keeper_stop(k, d->code, false, now_ns);
	} else {
		engine_broken(k, "a frame that is not for the keeper", now_ns);
	}
}

static void
engine_read(struct keeper *k, int64_t now_ns)
{
	struct role *e = &k->role[ROLE_ENGINE];
	const struct wire_hdr *h;
	int r;

	for (int i = 0; i < FRAMES_A_TURN; i++) {
		if (e->link.fd < 0 || k->parked || k->has_refusal ||
		    k->phase != PHASE_RUN)
			return;
		r = link_recv(&e->link, k->frame, &h, NULL, NULL);
		if (r == 0)
			return;
		if (r == 1) {
			frame_handle(k, now_ns);
			continue;
		}
		if (r == -EBADMSG) {
			engine_broken(k, "a malformed frame", now_ns);
			return;
		}
		link_close(k, e);
		if (e->pid == 0)
			role_gone(k, ROLE_ENGINE, now_ns);
		return;
	}
}

/* The last words of a dead engine; it cannot have meant to start anything. */
static void
engine_drain(struct keeper *k, int64_t now_ns)
{
	struct role *e = &k->role[ROLE_ENGINE];
	const struct wire_hdr *h;

	k->parked = false;
	while (e->link.fd >= 0 && k->phase == PHASE_RUN &&
	       link_recv(&e->link, k->frame, &h, NULL, NULL) == 1)
		if (h->type == WIRE_UP || h->type == WIRE_DONE)
			frame_handle(k, now_ns);
	link_close(k, e);
}

/* An engine that never came up has said why: its code is supd's. */
static void
role_gone(struct keeper *k, enum keeper_role role, int64_t now_ns)
{
	struct role *r = &k->role[role];
	siginfo_t si = { 0 };
	int code = EXIT_ROLE_DIED;

	if (r->gone)
		return;
	if (r->pid != 0 &&
	    (waitid(P_PIDFD, (id_t)r->pidfd, &si, WEXITED | WNOHANG) < 0 ||
		si.si_pid == 0))
		return;
	if (role == ROLE_ENGINE)
		engine_drain(k, now_ns);
	link_close(k, r);
	if (r->pid != 0) {
		known_del(k, r->pid);
		epoll_ctl(k->epfd, EPOLL_CTL_DEL, r->pidfd, NULL);
		closep(&r->pidfd);
		r->pidfd = -EBADF;
	}
	r->gone = true;
	if (k->phase != PHASE_RUN)
		return;
	if (role == ROLE_ENGINE && !k->up && si.si_code == CLD_EXITED &&
	    si.si_status != 0)
		code = si.si_status;
	else if (si.si_code == CLD_EXITED || r->pid == 0)
		log_warnx("the %s has ended with %d; stopping all workers",
		    role_names[role], si.si_status);
	else
		log_warnx("the %s was killed by SIG%s; stopping all workers",
		    role_names[role], sigabbrev_np(si.si_status));
	keeper_stop(k, code, true, now_ns);
}

static void
end_signal(struct keeper *k, int sig, int64_t now_ns)
{
	bool heard = k->role[ROLE_ENGINE].link.fd >= 0 && k->phase == PHASE_RUN;

	k->n_signals++;
	if (heard && k->n_signals == 1) {
		log_info("SIG%s: stopping", sigabbrev_np(sig));
		k->say_shutdown = true;
		return;
	}
	log_warnx("SIG%s again: killing everything", sigabbrev_np(sig));
	keeper_stop(k, 128 + sig, false, now_ns);
}

static void
signals_read(struct keeper *k, int64_t now_ns)
{
	struct signalfd_siginfo si[16];
	ssize_t n;

	while ((n = read(k->sigfd, si, sizeof(si))) > 0) {
		for (size_t i = 0; i < (size_t)n / sizeof(si[0]); i++) {
			int sig = (int)si[i].ssi_signo;

			if (sig == SIGCHLD) {
				/* Several may have become one: sweep, too. */
				stray_hint(k, (pid_t)si[i].ssi_pid);
				if (k->sweep_ns == INT64_MAX)
					k->sweep_ns = now_ns + SWEEP_NS;
			} else if (sig == SIGHUP &&
				   si[i].ssi_code != SI_KERNEL) {
				k->say_reload = true;
			} else {
				/* A SIGHUP of the kernel: the terminal went. */
				end_signal(k, sig, now_ns);
			}
		}
	}
}

/* A link that hangs up says nothing more; the pidfd tells the rest. */
static void
link_event(
    struct keeper *k, enum keeper_role role, uint32_t events, int64_t now_ns)
{
	struct role *r = &k->role[role];

	if (r->link.fd < 0)
		return;
	if (role == ROLE_ENGINE && (events & EPOLLIN) != 0)
		engine_read(k, now_ns);
	if ((events & (EPOLLHUP | EPOLLERR)) == 0 || r->link.fd < 0)
		return;
	if (role == ROLE_ENGINE && k->phase == PHASE_RUN && !k->parked &&
	    !k->has_refusal)
		return; /* it has more to read; its end of file closes it */
	if (r->pid == 0 || role != ROLE_ENGINE) {
		link_close(k, r);
		if (r->pid == 0)
			role_gone(k, role, now_ns);
	} else if (k->phase != PHASE_RUN) {
		link_close(k, r);
	}
}

static void
event_handle(struct keeper *k, const struct epoll_event *ev, int64_t now_ns)
{
	uint32_t i = (uint32_t)ev->data.u64;
	struct worker *w;

	switch ((enum event_kind)(ev->data.u64 >> 56)) {
	case EV_SIGNAL:
		signals_read(k, now_ns);
		break;
	case EV_ROLE:
		role_gone(k, i, now_ns);
		break;
	case EV_LINK:
		link_event(k, i, ev->events, now_ns);
		break;
	case EV_WORKER:
		/* Of this incarnation, or of an fd closed in this turn? */
		w = &k->worker[i];
		if (w->pidfd >= 0 &&
		    event_data(EV_WORKER, i, w->inc) == ev->data.u64)
			worker_ended(k, w, now_ns);
		break;
	case EV_HELPER:
		helper_ended(k, &k->helper[i]);
		break;
	}
}

/* When a child in exec should be looked at again, INT64_MAX if there is none */
static int64_t
poll_deadline(struct keeper *k, int64_t now_ns)
{
	bool any = false, young = false;

	for (unsigned i = 0; i < SPAWN_PLACES; i++) {
		const struct spawn_place *p = &k->spawner.place[i];

		any |= p->used;
		young |= p->used && !p->reported;
	}
	if (!any)
		return INT64_MAX;
	if (!young)
		return now_ns + POLL_STUCK_NS;
	k->poll_wait_ns =
	    k->poll_wait_ns == 0 ? POLL_FIRST_NS : k->poll_wait_ns * 2;
	if (k->poll_wait_ns > POLL_LAST_NS)
		k->poll_wait_ns = POLL_LAST_NS;
	return now_ns + k->poll_wait_ns;
}

static void
phase_turn(struct keeper *k, int64_t now_ns)
{
	if (k->phase == PHASE_RUN)
		return;
	if (k->n_live == 0) {
		k->phase = PHASE_OVER;
	} else if (now_ns >= k->stop_ns && k->phase == PHASE_TERM) {
		log_warnx("%u workers still run; killing them", k->n_live);
		keeper_stop(k, k->code, false, now_ns);
	} else if (now_ns >= k->stop_ns) {
		log_warnx("%u workers would not die of SIGKILL", k->n_live);
		k->phase = PHASE_OVER;
	}
}

static void
set_interest(struct keeper *k, enum keeper_role role, uint32_t events)
{
	struct epoll_event ev = { .events = events,
		.data.u64 = event_data(EV_LINK, role, 0) };
	struct role *r = &k->role[role];

	if (r->link.fd < 0 || r->events == events)
		return;
	if (epoll_ctl(k->epfd, EPOLL_CTL_MOD, r->link.fd, &ev) == 0)
		r->events = events;
}

/* All that is not an event; returns when to come again. */
static int64_t
keeper_turn(struct keeper *k, int64_t now_ns)
{
	int64_t next, at;
	uint32_t engine = 0;

	spawns_poll(k, now_ns);
	if (k->parked && k->phase == PHASE_RUN)
		frame_spawn(k, now_ns);
	next = workers_probe(k, now_ns);
	if (k->sweep_ns <= now_ns) {
		strays_sweep(k);
		k->sweep_ns = INT64_MAX;
	}
	phase_turn(k, now_ns);
	tell_flush(k);
	if (k->phase == PHASE_RUN && !k->parked && !k->has_refusal)
		engine |= EPOLLIN;
	if (k->engine_full)
		engine |= EPOLLOUT;
	set_interest(k, ROLE_ENGINE, engine);
	set_interest(k, ROLE_BUS, k->bus_full ? EPOLLOUT : 0);

	at = poll_deadline(k, now_ns);
	next = at < next ? at : next;
	next = k->sweep_ns < next ? k->sweep_ns : next;
	if (k->bus_retry && now_ns + BUS_RETRY_NS < next)
		next = now_ns + BUS_RETRY_NS;
	if (k->phase != PHASE_RUN && k->stop_ns < next)
		next = k->stop_ns;
	return next;
}

static int
wait_events(struct keeper *k, struct epoll_event *ev, int64_t left_ns)
{
	struct timespec ts = { left_ns / NS_PER_S, left_ns % NS_PER_S };
	int n;

	n = epoll_pwait2(
	    k->epfd, ev, EVENTS_A_TURN, left_ns < 0 ? NULL : &ts, NULL);
	if (n < 0 && errno == ENOSYS) /* Linux before 5.11 */
		n = epoll_wait(k->epfd, ev, EVENTS_A_TURN,
		    left_ns < 0 ? -1 : (int)(left_ns / NS_PER_MS) + 1);
	return n;
}

int
keeper_run(struct keeper *k)
{
	struct epoll_event ev[EVENTS_A_TURN];
	int64_t now_ns = clock_mono().ns, next;

	for (;;) {
		int64_t left = -1;
		int n;

		next = keeper_turn(k, now_ns);
		if (k->phase == PHASE_OVER)
			break;
		if (next != INT64_MAX)
			left = next > now_ns ? next - now_ns : 0;
		n = wait_events(k, ev, left);
		now_ns = clock_mono().ns;
		for (int i = 0; i < n; i++)
			event_handle(k, &ev[i], now_ns);
	}
	strays_kill(k);
	return k->code;
}
