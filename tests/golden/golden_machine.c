/* SPDX-License-Identifier: ISC */
/* What the effects of the core do to processes, and what those do then. */
#include "golden.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct machine m;

_Noreturn void
die(const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", m.file, m.lineno, what);
	exit(2);
}

void
tell(const char *fmt, ...)
{
	va_list ap;

	if (m.line.len != 0)
		buf_puts(&m.line, ", ");
	if (m.timed)
		buf_printf(&m.line, "%lld ", (long long)m.now_ms);
	va_start(ap, fmt);
	buf_vprintf(&m.line, fmt, ap);
	va_end(ap);
}

struct due *
push(int64_t in_ms)
{
	struct due *d;

	if (m.n_queue == QUEUE_MAX)
		die("too many pending events");
	d = &m.queue[m.n_queue++];
	*d = (struct due){ .at_ms = m.now_ms + in_ms, .seq = m.seq++ };
	return d;
}

static struct event *
push_event(int64_t in_ms, enum event_kind kind, node_t n)
{
	struct due *d = push(in_ms);

	d->ev.kind = kind;
	d->ev.node = n;
	d->ev.inc = m.proc[n].inc;
	return &d->ev;
}

void
push_exit(int64_t in_ms, node_t n, int code, bool is_signal)
{
	struct event *ev = push_event(in_ms, EV_EXITED, n);

	ev->code = code;
	ev->is_signal = is_signal;
}

/* ---- what the machine does with effects --------------------------------- */

static void
run_hook(node_t n, enum proc_kind proc, const struct reason *why)
{
	struct proc *p = &m.proc[n];
	char text[96];
	int64_t ms;
	int code = life_hook(&p->life, proc, &ms);

	p->alive = true;
	push_event(0, EV_EXECED, n);
	if (proc == PROC_PRE_START)
		tell("pre_start %s", engine_name(m.e, n));
	else
		tell("post_stop %s (%s)", engine_name(m.e, n),
		    reason_text(why, text, sizeof(text)));
	if (ms >= 0)
		push_exit(ms, n, code, false);
}

static void
spawn(const struct effect *eff)
{
	node_t n = eff->node;
	struct proc *p = &m.proc[n];

	p->inc = eff->inc;
	p->proc = eff->proc;
	if (p->nofork > 0) {
		struct event *ev = push_event(1, EV_SPAWN_FAILED, n);

		ev->code = EAGAIN;
		p->nofork--;
		tell("nofork %s", engine_name(m.e, n));
		return;
	}
	if (eff->proc != PROC_MAIN) {
		run_hook(n, eff->proc, &eff->reason);
		return;
	}
	if (p->fail != 0) {
		/* Takes a moment, so that calls can come in between. */
		struct event *ev = push_event(1, EV_SPAWN_FAILED, n);

		ev->step = 1;
		ev->code = ENOENT;
		p->fail -= p->fail > 0;
		tell("fail %s", engine_name(m.e, n));
		return;
	}
	tell("start %s", engine_name(m.e, n));
	p->alive = true;
	p->runs = p->version;
	push_event(0, EV_EXECED, n);
	if (p->w.ready == READY_EVENT)
		push_event(p->start_ms, EV_READY, n);
	if (p->life_ms != 0)
		push_exit(p->life_ms, n, 1, false);
}

static void
on_signal(const struct effect *eff)
{
	struct proc *p = &m.proc[eff->node];

	if (eff->sig == SIGKILL && p->w.stop[0].sig != SIGKILL)
		tell("kill %s", engine_name(m.e, eff->node));
	if (!p->alive || p->inc != eff->inc)
		return;
	if (eff->sig == SIGKILL)
		push_exit(0, eff->node, SIGKILL, true);
	else if (p->stop_ms >= 0)
		push_exit(p->stop_ms, eff->node, eff->sig, true);
}

static void
probe(const struct effect *eff)
{
	struct proc *p = &m.proc[eff->node];
	struct event *ev;

	tell("probe %s", engine_name(m.e, eff->node));
	if (p->life.mute)
		return;
	ev = push_event(0, EV_PROBED, eff->node);
	ev->tag = eff->tag;
	ev->code = p->life.sick;
}

static const char *
why_word(int why)
{
	return why == WHY_RELOAD  ? "reload"
	       : why == WHY_GROUP ? "group"
	                          : "asked";
}

static void
on_state(const struct effect *eff)
{
	const char *name = engine_name(m.e, eff->node);

	if (engine_is_sup(m.e, eff->node)) {
		if (eff->to == CHILD_READY)
			tell("up %s", name);
		if (eff->to == CHILD_ENDED)
			tell("SUP! %s", name);
	} else if (eff->to == CHILD_STOPPING) {
		if (m.proc[eff->node].alive) /* else it has ended itself */
			tell("stop %s", name);
	} else if (m.whys && eff->to == CHILD_STOPPED &&
		   eff->reason.kind == REASON_SHUTDOWN) {
		tell("%s: %s", name, why_word(eff->reason.why));
	}
}

static void
on_effect(void *ctx, const struct effect *eff)
{
	char text[96];

	(void)ctx;
	switch (eff->kind) {
	case EFF_SPAWN:
		spawn(eff);
		break;
	case EFF_SIGNAL:
		on_signal(eff);
		break;
	case EFF_STATE:
		on_state(eff);
		break;
	case EFF_REPLY:
		if (eff->result == RESULT_START_FAILED &&
		    (m.applies >> eff->tag & 1) != 0)
			tell("-> start_failed by %s (%s)",
			    engine_name(m.e, eff->node),
			    reason_text(&eff->reason, text, sizeof(text)));
		else
			tell("-> %s", result_name(eff->result));
		break;
	case EFF_REPORT:
		if (eff->report == REPORT_SHUTDOWN_ERROR)
			tell("shutdown_error %s (%s)",
			    engine_name(m.e, eff->node),
			    reason_text(&eff->reason, text, sizeof(text)));
		if (eff->report == REPORT_UNHEALTHY ||
		    eff->report == REPORT_HOOK_FAILED)
			tell("%s %s (%s) %u/%u", report_name(eff->report),
			    engine_name(m.e, eff->node),
			    reason_text(&eff->reason, text, sizeof(text)),
			    eff->used, eff->limit);
		if (m.reports && eff->report == REPORT_START_ERROR)
			tell("start_error %s", engine_name(m.e, eff->node));
		if (m.reports && eff->report == REPORT_GAVE_UP)
			tell("gave_up %s by %s of %s %u/%u",
			    engine_name(m.e, eff->node),
			    eff->attempts ? "max_attempts" : "intensity",
			    engine_name(m.e, eff->offender), eff->used,
			    eff->limit);
		break;
	case EFF_DONE:
		if (m.asked)
			tell("down");
		else if (eff->reason.kind == REASON_CHILD)
			tell("failed: %s", engine_name(m.e, eff->reason.child));
		else
			tell("SUP!");
		break;
	case EFF_FREED:
		if (m.frees)
			tell("freed %s", engine_name(m.e, eff->node));
		break;
	case EFF_PROBE:
		probe(eff);
		break;
	case EFF_KIND_N:
		break;
	}
}

/* ---- time ---------------------------------------------------------------- */

void
step(struct event *ev)
{
	struct effects todo = { on_effect, NULL };

	ev->now = (mono_t){ m.now_ms * NS_PER_MS };
	engine_step(m.e, ev, &todo);
	engine_check(m.e);
}

static struct due *
earliest(void)
{
	struct due *best = NULL;

	for (size_t i = 0; i < m.n_queue; i++) {
		struct due *d = &m.queue[i];

		if (best == NULL || d->at_ms < best->at_ms ||
		    (d->at_ms == best->at_ms && d->seq < best->seq))
			best = d;
	}
	return best;
}

static void
take_due(struct due *d)
{
	struct due was = *d;
	struct proc *p = &m.proc[was.ev.node];

	*d = m.queue[--m.n_queue];
	if (was.command) {
		run_command(was.text);
		return;
	}
	if (was.ev.kind == EV_EXITED) {
		if (!p->alive || p->inc != was.ev.inc)
			return; /* it has died already */
		p->alive = false;
		if (p->life_ms != 0 && p->proc == PROC_MAIN &&
		    !was.ev.is_signal)
			tell("die %s", engine_name(m.e, was.ev.node));
	}
	step(&was.ev);
}

void
run_until(int64_t until_ms)
{
	for (int guard = 0; guard < 100000; guard++) {
		struct due *d = earliest();
		mono_t dl = engine_deadline(m.e);
		int64_t dl_ms =
		    mono_is_never(dl) ? INT64_MAX : dl.ns / NS_PER_MS;
		int64_t at = d != NULL ? d->at_ms : INT64_MAX;

		if ((at < dl_ms ? at : dl_ms) > until_ms ||
		    (d == NULL && dl_ms == INT64_MAX)) {
			if (until_ms != INT64_MAX && until_ms > m.now_ms)
				m.now_ms = until_ms;
			return;
		}
		if (at <= dl_ms) {
			m.now_ms = at > m.now_ms ? at : m.now_ms;
			take_due(d);
		} else {
			struct event tick = { .kind = EV_TICK };

			m.now_ms = dl_ms > m.now_ms ? dl_ms : m.now_ms;
			step(&tick);
		}
	}
	die("it never comes to rest");
}

void
call(enum event_kind kind, node_t n, node_t child)
{
	struct event ev = { .kind = kind, .node = n, .child = child };

	ev.tag = ++m.tag;
	step(&ev);
}
