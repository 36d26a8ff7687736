/* SPDX-License-Identifier: ISC */
/*
 * A ready worker that is not well, or has lived for long enough: probes,
 * heartbeat, max_lifetime.
 *
 * Whichever finds fault, the worker is stopped by the ordinary stages, of its
 * own accord as far as its supervisor is concerned: that goes on with its work
 * and learns of the end as of a crash (table 1.3), with REASON_UNHEALTHY.
 *
 * Three instants, one deadline in the heap: the earliest of them.
 */
#include "core/tree.h"

#include <assert.h>

static void
arm(struct engine *e, struct node *c)
{
	mono_t at = c->w.old_at;

	if (mono_before(c->w.beat_by, at))
		at = c->w.beat_by;
	if (mono_before(c->w.probe_at, at))
		at = c->w.probe_at;
	deadline_set(e, c, at);
}

/* `d_ns` from now; of what is off (D13), never. */
static mono_t
in_time(const struct engine *e, int64_t d_ns)
{
	return d_ns > 0 ? mono_add(e->now, d_ns) : MONO_NEVER;
}

static void
begin_probes(struct engine *e, struct node *c)
{
	const struct health *h = &c->w.spec->health;

	c->w.probing = false;
	c->w.n_bad = 0;
	c->w.probe_at = h->interval_ns > 0
	                    ? mono_add(e->now, h->initial_delay_ns)
	                    : MONO_NEVER;
}

void
health_begin(struct engine *e, struct node *c)
{
	assert(c->w.phase == PHASE_RUN);
	begin_probes(e, c);
	c->w.old_at = in_time(e, c->w.spec->max_lifetime_ns);
	c->w.beat_by = in_time(e, c->w.beat_ns);
	arm(e, c);
}

/*
 * What has changed begins now, as if it had just become ready: a reload itself
 * stops nobody (U-1), though he be older than is allowed from now on.  But the
 * process was told by its start how often to give a sign of life, so that may
 * only become longer, or nothing.
 */
void
health_respec(struct engine *e, struct node *c, const struct worker_spec *old)
{
	const struct worker_spec *spec = c->w.spec;
	const struct health *h = &spec->health, *was = &old->health;

	if (h->interval_ns != was->interval_ns ||
	    h->timeout_ns != was->timeout_ns ||
	    h->initial_delay_ns != was->initial_delay_ns ||
	    h->failures != was->failures)
		begin_probes(e, c);
	if (spec->max_lifetime_ns != old->max_lifetime_ns)
		c->w.old_at = in_time(e, spec->max_lifetime_ns);
	if (spec->heartbeat_ns <= 0 ||
	    (c->w.beat_ns > 0 && c->w.beat_ns < spec->heartbeat_ns)) {
		c->w.beat_ns = spec->heartbeat_ns;
		c->w.beat_by = in_time(e, c->w.beat_ns);
	}
	arm(e, c);
}

static uint64_t
report(struct engine *e, struct node *c, enum reason_why why, uint32_t used,
    uint32_t limit)
{
	struct reason r = { .kind = REASON_UNHEALTHY, .why = (uint8_t)why };

	return emit_own(e, c, REPORT_UNHEALTHY, &r, used, limit);
}

/* Stop it; `seq` is the report that says why. */
static void
put_down(struct engine *e, struct node *c, enum reason_why why, uint64_t seq)
{
	c->w.own = true;
	c->w.probing = false;
	c->end_cause = seq;
	c->why = why;
	worker_stop(e, c);
}

static void
probe_failed(struct engine *e, struct node *c)
{
	const struct health *h = &c->w.spec->health;
	uint64_t seq;

	c->w.n_bad++;
	seq = report(e, c, WHY_HEALTH, c->w.n_bad, h->failures);
	if (c->w.n_bad >= h->failures) {
		put_down(e, c, WHY_HEALTH, seq);
		return;
	}
	c->w.probe_at = in_time(e, h->interval_ns);
	arm(e, c);
}

void
health_probed(struct engine *e, struct node *c, const struct event *ev)
{
	if (c->w.phase != PHASE_RUN || !c->w.probing || ev->tag != c->w.probe)
		return;
	c->w.probing = false;
	if (ev->code != 0) {
		probe_failed(e, c);
		return;
	}
	c->w.n_bad = 0;
	c->w.probe_at = in_time(e, c->w.spec->health.interval_ns);
	arm(e, c);
}

static void
silent(struct engine *e, struct node *c)
{
	put_down(e, c, WHY_HEARTBEAT, report(e, c, WHY_HEARTBEAT, 0, 0));
}

void
health_beat(struct engine *e, struct node *c, const struct event *ev)
{
	if (c->w.phase != PHASE_RUN || c->w.beat_ns <= 0)
		return;
	if (ev->code != 0) {
		silent(e, c);
		return;
	}
	c->w.beat_by = in_time(e, c->w.beat_ns);
	arm(e, c);
}

static void
probe_due(struct engine *e, struct node *c)
{
	const struct health *h = &c->w.spec->health;

	if (c->w.probing) { /* no answer in time */
		c->w.probing = false;
		probe_failed(e, c);
		return;
	}
	c->w.probing = true;
	c->w.probe++;
	c->w.probe_at = in_time(e, h->timeout_ns);
	arm(e, c);
	emit_probe(e, c);
}

void
health_due(struct engine *e, struct node *c)
{
	assert(c->w.phase == PHASE_RUN);
	if (!mono_before(e->now, c->w.beat_by))
		silent(e, c);
	else if (!mono_before(e->now, c->w.old_at))
		put_down(e, c, WHY_LIFETIME, report(e, c, WHY_LIFETIME, 0, 0));
	else
		probe_due(e, c);
}
