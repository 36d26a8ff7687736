/* SPDX-License-Identifier: ISC */
/*
 * Effects.  Every STATE and REPORT gets the next seq, and the seq of the
 * failure that its supervisor's present operation follows from: that chain is
 * what `supctl why` tells.
 */
#include "core/tree.h"

#include <assert.h>
#include <string.h>

static void
emit(struct engine *e, struct effect *eff)
{
	if (e->todo != NULL)
		e->todo->emit(e->todo->ctx, eff);
}

static uint64_t
cause_of(const struct engine *e, const struct node *c)
{
	return c->parent != NODE_NONE ? node_of(e, c->parent)->s.cause : 0;
}

void
emit_state(struct engine *e, struct node *c, enum child_state to)
{
	struct effect eff = {
		.kind = EFF_STATE,
		.node = node_id(e, c),
		.inc = c->inc,
		.from = c->state,
		.to = to,
		.reason = c->last,
		.seq = ++e->seq,
		.cause = cause_of(e, c),
	};

	/*
	 * An end of its own begins a chain, or goes on with what it began; a
	 * supervisor's goes on with its own.
	 */
	if (to == CHILD_ENDED || (!c->is_sup && c->w.own)) {
		eff.cause = c->is_sup ? c->s.cause : c->end_cause;
		c->end_cause = eff.cause != 0 ? eff.cause : eff.seq;
	}
	c->state = to;
	c->since = e->now;
	emit(e, &eff);
}

void
emit_report(struct engine *e, struct node *c, enum report_kind r,
    node_t offender, const struct reason *why)
{
	struct effect eff = {
		.kind = EFF_REPORT,
		.node = node_id(e, c),
		.offender = offender,
		.inc = c->inc,
		.report = r,
		.reason = *why,
		.seq = ++e->seq,
		.cause = c->is_sup && offender != NODE_NONE ? c->s.cause
		                                            : cause_of(e, c),
	};

	emit(e, &eff);
}

void
emit_restart(struct engine *e, struct node *c)
{
	const struct node *s = node_of(e, c->parent);
	struct effect eff = {
		.kind = EFF_REPORT,
		.node = node_id(e, c),
		.inc = c->inc,
		.report = REPORT_RESTART,
		.reason = c->last,
		.seq = ++e->seq,
		.cause = s->s.cause,
		.used = window_used(&s->s.window, e->now),
		.limit = s->s.spec->intensity,
	};

	emit(e, &eff);
}

void
emit_gave_up(struct engine *e, struct node *s, struct node *c, bool attempts)
{
	struct effect eff = {
		.kind = EFF_REPORT,
		.node = node_id(e, s),
		.offender = node_id(e, c),
		.inc = s->inc,
		.report = REPORT_GAVE_UP,
		.reason = c->last,
		.seq = ++e->seq,
		.cause = s->s.cause,
		.attempts = attempts,
		.used = window_used(&s->s.window, e->now),
		.limit = s->s.spec->intensity,
	};

	if (attempts) {
		eff.used = c->w.attempts;
		eff.limit = c->w.spec->max_attempts;
	}
	emit(e, &eff);
}

void
emit_reply(struct engine *e, uint64_t tag, enum result r, node_t n,
    const struct reason *why)
{
	struct effect eff = {
		.kind = EFF_REPLY,
		.tag = tag,
		.result = r,
		.node = n,
	};

	if (why != NULL)
		eff.reason = *why;
	emit(e, &eff);
}

uint64_t
emit_own(struct engine *e, struct node *c, enum report_kind r,
    const struct reason *why, uint32_t used, uint32_t limit)
{
	struct effect eff = {
		.kind = EFF_REPORT,
		.node = node_id(e, c),
		.inc = c->inc,
		.report = r,
		.reason = *why,
		.seq = ++e->seq,
		.used = used,
		.limit = limit,
	};

	if (c->w.own)
		eff.cause = c->end_cause;
	else if (c->state != CHILD_READY)
		eff.cause = cause_of(e, c);
	emit(e, &eff);
	return eff.seq;
}

void
emit_spawn(struct engine *e, struct node *c)
{
	struct effect eff = {
		.kind = EFF_SPAWN,
		.node = node_id(e, c),
		.inc = c->inc,
		.proc = c->w.proc,
	};

	if (c->w.proc == PROC_POST_STOP)
		eff.reason = c->last;
	emit(e, &eff);
}

void
emit_probe(struct engine *e, struct node *c)
{
	struct effect eff = {
		.kind = EFF_PROBE,
		.node = node_id(e, c),
		.inc = c->inc,
		.tag = c->w.probe,
	};

	emit(e, &eff);
}

void
emit_signal(struct engine *e, struct node *c, int sig)
{
	struct effect eff = {
		.kind = EFF_SIGNAL,
		.node = node_id(e, c),
		.inc = c->inc,
		.sig = sig,
		.group = c->w.spec->kill_group,
	};

	emit(e, &eff);
}

void
emit_freed(struct engine *e, node_t n)
{
	struct effect eff = { .kind = EFF_FREED, .node = n };

	emit(e, &eff);
}

void
emit_done(struct engine *e, const struct reason *why)
{
	struct effect eff = { .kind = EFF_DONE, .reason = *why };

	assert(!e->done);
	e->done = true;
	emit(e, &eff);
}
