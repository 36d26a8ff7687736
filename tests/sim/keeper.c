/* SPDX-License-Identifier: ISC */
/*
 * The keeper and the processes that it keeps.  An exit stays in its slot until
 * it is acknowledged; reports take their time and may come twice, but those of
 * one way come in order.
 */
#include "machine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

static mono_t
in_ms(uint32_t below)
{
	return mono_add(m.now, rnd(below) * NS_PER_MS);
}

/* ---- reports ------------------------------------------------------------ */

static void
send(struct reports *way, mono_t at, const struct event *ev)
{
	struct report *r = calloc(1, sizeof(*r));
	struct report *last = TAILQ_LAST(way, reports);

	if (r == NULL)
		abort();
	r->ev = *ev;
	r->at = last != NULL && mono_before(at, last->at) ? last->at : at;
	TAILQ_INSERT_TAIL(way, r, link);
}

static void
report(struct reports *way, const struct event *ev)
{
	mono_t at = chance(4) ? in_ms(400) : m.now;

	send(way, at, ev);
	if (chance(12)) /* a double, by another way */
		send(&m.from_others, in_ms(2000), ev);
}

static struct event
event_of(node_t n, enum event_kind kind)
{
	return (struct event){ .kind = kind, .node = n, .inc = m.slot[n].inc };
}

static struct event
end_event(node_t n)
{
	struct event ev = event_of(n, EV_EXITED);

	ev.code = m.slot[n].status;
	ev.is_signal = m.slot[n].is_signal;
	ev.core = m.slot[n].core;
	/* A signal's end is that signal's (D10). */
	if (!ev.is_signal)
		ev.declared = m.process[n].declared;
	return ev;
}

static struct event
failed_event(node_t n)
{
	struct event ev = event_of(n, EV_SPAWN_FAILED);

	ev.step = m.slot[n].step;
	ev.code = m.slot[n].error;
	return ev;
}

static void
drop_all(struct reports *way)
{
	struct report *r;

	while ((r = TAILQ_FIRST(way)) != NULL) {
		TAILQ_REMOVE(way, r, link);
		free(r);
	}
}

void
keeper_cut(void)
{
	drop_all(&m.from_keeper);
	drop_all(&m.from_others);
}

void
keeper_fini(void)
{
	keeper_cut();
}

static bool
take_from(struct reports *way, struct event *ret)
{
	struct report *r = TAILQ_FIRST(way);

	if (r == NULL || mono_before(m.now, r->at))
		return false;
	*ret = r->ev;
	TAILQ_REMOVE(way, r, link);
	free(r);
	return true;
}

bool
keeper_take(struct event *ret)
{
	bool others_first = chance(2);

	return (others_first && take_from(&m.from_others, ret)) ||
	       take_from(&m.from_keeper, ret) ||
	       (!others_first && take_from(&m.from_others, ret));
}

uint32_t
keeper_slot_events(node_t n, struct event ret[2])
{
	const struct slot *s = &m.slot[n];
	uint32_t k = 0;

	switch ((enum slot_state)s->state) {
	case SLOT_RUNNING:
	case SLOT_DYING:
		ret[k++] = event_of(n, EV_SPAWNED);
		if (s->execed)
			ret[k++] = event_of(n, EV_EXECED);
		break;
	case SLOT_EXITED:
		if (s->execed)
			ret[k++] = event_of(n, EV_EXECED);
		ret[k++] = end_event(n);
		break;
	case SLOT_FAILED:
		ret[k++] = failed_event(n);
		break;
	case SLOT_EMPTY:
	case SLOT_SPAWNING:
	case SLOT_STATE_N:
		break;
	}
	return k;
}

void
keeper_tell_again(void)
{
	for (node_t n = 1; n <= CAP; n++) {
		struct event ev = event_of(n, EV_READY);

		if (m.process[n].alive && m.process[n].said_ready)
			report(&m.from_others, &ev);
	}
}

/* ---- processes ---------------------------------------------------------- */

bool
slot_is_live(node_t n)
{
	return m.slot[n].state == SLOT_RUNNING || m.slot[n].state == SLOT_DYING;
}

/* A boot that fails is the end of all (S-3): most get through theirs. */
static bool
is_boot(void)
{
	return m.seen[NODE_ROOT].state == CHILD_STARTING && m.seed % 8 != 0;
}

static void
draw_end(struct process *p)
{
	static const int signals[] = { SIGSEGV, SIGTERM, SIGKILL, SIGABRT,
		SIGHUP };

	p->is_signal = chance(3);
	if (p->is_signal) {
		p->code = signals[rnd(ARRAY_LEN(signals))];
		p->core = p->code == SIGSEGV && chance(2);
	} else {
		p->code = chance(2) ? 0 : 1 + (int)rnd(4);
	}
}

static void
draw_process(struct process *p, enum proc_kind proc)
{
	*p = (struct process){
		.alive = true,
		.execs = !chance(25),
		.proc = proc,
		.exec_at = chance(3) ? in_ms(500) : m.now,
		.end_at = MONO_NEVER,
		.ready_at = MONO_NEVER,
		.beat_at = MONO_NEVER,
		.obeys = !chance(6),
		.stop_ns = chance(2) ? 0 : rnd(1500) * NS_PER_MS,
		.stop_code = chance(3) ? (int)rnd(3) : -1,
		.wedged = chance(40),
	};
	/* Some never say so, some before the exec is told. */
	if (is_boot() || !chance(8))
		p->ready_at = chance(2) ? p->exec_at : in_ms(3000);
	if (chance(4)) /* the others never say that they live */
		p->beat_at = in_ms(1000);
	draw_end(p);
	if (proc == PROC_MAIN && chance(4))
		p->declared = rnd(DECLARED_N);
	if (proc != PROC_MAIN)
		p->end_at = chance(10) ? MONO_NEVER : in_ms(300);
	else if (chance(2))
		p->end_at = in_ms(!is_boot() && chance(3) ? 50 : 20000);
	if (proc != PROC_MAIN && (is_boot() || !chance(5))) {
		p->code = 0;
		p->is_signal = p->core = false;
	}
	if (m.calm || is_boot()) {
		p->execs = p->obeys = true;
		p->wedged = false;
		if (proc != PROC_MAIN)
			p->end_at = in_ms(300);
		else if (is_boot() && p->ready_at.ns > m.now.ns)
			p->ready_at = in_ms(500);
	}
}

static bool
fork_fails(struct slot *s)
{
	static const int errors[] = { EAGAIN, ENOMEM, EMFILE, ENFILE, EPERM,
		EACCES, ENOENT, ENOTDIR, E2BIG, ECANCELED };

	if (is_boot() || !chance(m.calm ? 50 : 9))
		return false;
	s->state = SLOT_FAILED;
	s->step = (int)rnd(8);
	s->error = errors[rnd(ARRAY_LEN(errors))];
	return true;
}

void
keeper_spawn(node_t n, uint64_t inc, enum proc_kind proc)
{
	struct slot *s = &m.slot[n];
	struct event ev;

	if (inc <= s->inc)
		return; /* asked again: it has happened */
	RULE(s->state == SLOT_EMPTY || s->state == SLOT_FAILED,
	    "spawn of %u.%lu beside incarnation %lu", n, (unsigned long)inc,
	    (unsigned long)s->inc);
	RULE(!m.process[n].alive, "two live incarnations of %u", n);
	*s = (struct slot){ .inc = inc, .state = SLOT_SPAWNING };
	m.n_spawns++;
	if (fork_fails(s)) {
		ev = failed_event(n);
		report(&m.from_keeper, &ev);
		return;
	}
	draw_process(&m.process[n], proc);
	s->state = SLOT_RUNNING;
	s->pid = 1000 + (int)(m.n_spawns % 30000);
	ev = event_of(n, EV_SPAWNED);
	ev.code = s->pid;
	report(&m.from_keeper, &ev);
}

void
keeper_signal(node_t n, uint64_t inc, int sig)
{
	struct process *p = &m.process[n];
	mono_t at = mono_add(m.now, p->stop_ns);

	RULE(inc >= m.slot[n].inc, "signal %d for %u.%lu, which is over", sig,
	    n, (unsigned long)inc);
	if (inc > m.slot[n].inc) {
		/* A new shell sees that this never reached the keeper. */
		struct event ev = {
			.kind = EV_SPAWN_FAILED,
			.node = n,
			.inc = inc,
			.code = ECANCELED,
		};

		report(&m.from_others, &ev);
		return;
	}
	if (!p->alive || m.slot[n].state != SLOT_RUNNING)
		return;
	if (sig == SIGKILL) {
		at = p->wedged ? in_ms(60000) : m.now;
	} else if (!p->obeys && m.slot[n].execed) {
		return;
	} else if (p->stop_code >= 0 && m.slot[n].execed) {
		p->code = p->stop_code;
		p->is_signal = p->core = false;
		if (mono_before(at, p->end_at))
			p->end_at = at;
		return;
	}
	if (mono_before(at, p->end_at)) {
		p->end_at = at;
		p->code = sig;
		p->is_signal = true;
		p->core = false;
	}
}

void
keeper_ack(node_t n, uint64_t inc)
{
	if (n <= CAP && m.slot[n].inc == inc && m.slot[n].state == SLOT_EXITED)
		m.slot[n].state = SLOT_EMPTY;
}

void
keeper_probe(node_t n, uint64_t inc, uint64_t tag)
{
	struct event ev = {
		.kind = EV_PROBED,
		.node = n,
		.inc = inc,
		.tag = tag,
		.code = chance(4),
	};

	if (!chance(8))
		send(&m.from_others, in_ms(1500), &ev);
}

void
keeper_calm(void)
{
	m.calm = true;
	for (node_t n = 1; n <= CAP; n++) {
		struct process *p = &m.process[n];

		p->obeys = true;
		if (p->alive && mono_before(in_ms(3600 * 1000), p->end_at))
			p->end_at = in_ms(3600 * 1000);
	}
}

void
keeper_hurt(void)
{
	uint32_t n = 1 + rnd(CAP), hits = chance(3) ? 5 : 1;

	for (uint32_t i = 0; i < CAP && hits > 0; i++, n = n % CAP + 1) {
		if (!m.process[n].alive)
			continue;
		draw_end(&m.process[n]);
		m.process[n].end_at =
		    mono_add(m.now, chance(3) ? rnd(6) * NS_PER_S : 0);
		hits--;
	}
}

/* The leader has ended; its group may take a while longer (D6). */
static void
ends(node_t n)
{
	struct process *p = &m.process[n];
	struct slot *s = &m.slot[n];
	struct event ev;

	if (s->state == SLOT_RUNNING && chance(6)) {
		s->state = SLOT_DYING;
		p->end_at = in_ms(800);
		return;
	}
	p->alive = false;
	s->state = SLOT_EXITED;
	s->status = p->code;
	s->is_signal = p->is_signal;
	s->core = p->core;
	m.n_exits++;
	ev = end_event(n);
	report(&m.from_keeper, &ev);
}

static void
execs(node_t n)
{
	struct slot *s = &m.slot[n];
	struct event ev;

	if (!is_boot() && chance(30)) { /* it cannot */
		m.process[n].alive = false;
		s->state = SLOT_FAILED;
		s->step = 9;
		s->error = chance(2) ? ENOENT : EACCES;
		ev = failed_event(n);
	} else {
		s->execed = true;
		ev = event_of(n, EV_EXECED);
	}
	report(&m.from_keeper, &ev);
}

static bool
is_due(mono_t at)
{
	return !mono_before(m.now, at);
}

static void
run_process(node_t n)
{
	struct process *p = &m.process[n];
	struct slot *s = &m.slot[n];
	struct event ev;

	if (p->alive && p->execs && !s->execed && is_due(p->exec_at) &&
	    s->state == SLOT_RUNNING)
		execs(n);
	if (p->alive && s->execed && is_due(p->ready_at)) {
		p->ready_at = MONO_NEVER;
		p->said_ready = true;
		ev = event_of(n, EV_READY);
		report(&m.from_others, &ev);
	}
	if (p->alive && s->execed && is_due(p->beat_at)) {
		p->beat_at = chance(10) ? MONO_NEVER : in_ms(1500);
		ev = event_of(n, EV_BEAT);
		ev.code = chance(30);
		report(&m.from_others, &ev);
	}
	if (p->alive && is_due(p->end_at))
		ends(n);
}

void
keeper_run(void)
{
	for (node_t n = 1; n <= CAP; n++)
		if (m.process[n].alive)
			run_process(n);
}

static mono_t
earlier(mono_t a, mono_t b)
{
	return mono_before(b, a) ? b : a;
}

mono_t
keeper_next(void)
{
	const struct report *r;
	mono_t at = MONO_NEVER;

	if ((r = TAILQ_FIRST(&m.from_keeper)) != NULL)
		at = earlier(at, r->at);
	if ((r = TAILQ_FIRST(&m.from_others)) != NULL)
		at = earlier(at, r->at);
	for (node_t n = 1; n <= CAP; n++) {
		const struct process *p = &m.process[n];

		if (!p->alive)
			continue;
		at = earlier(at, p->end_at);
		if (m.slot[n].execed)
			at = earlier(at, earlier(p->ready_at, p->beat_at));
		else if (p->execs && m.slot[n].state == SLOT_RUNNING)
			at = earlier(at, p->exec_at);
	}
	return at;
}
