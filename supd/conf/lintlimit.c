/* SPDX-License-Identifier: ISC */
/*
 * Limits and times that do not go together: above all I-5, the intensity that
 * can never be exceeded, because restarts take so long, or are so far apart,
 * that no window of period holds one too many of them.
 */
#include "conf/lint.h"

#include "base/mono.h"
#include "conf/value.h"

/* One restart more often than this, for ever, and it gives up. */
static int64_t
longest_gap(const struct sup_spec *s)
{
	return s->period_ns / (s->intensity > 0 ? s->intensity : 1);
}

/* Nothing bounds its restarts but the supervisor's intensity. */
static bool
is_unbounded(const struct conf_child *c)
{
	return lint_restarts(c) && c->worker.spec.max_attempts == 0 &&
	       lint_given(c, W_MAX_ATTEMPTS) == NULL; /* off: meant so */
}

/* A period in which intensity restarts with these gaps do count. */
static const char *
long_enough(struct lint *l, const struct sup_spec *s, int64_t gap_ns)
{
	int64_t ns;

	if (__builtin_mul_overflow(gap_ns, s->intensity, &ns))
		ns = INT64_MAX / 2;
	return lint_span(l, ns);
}

static void
lint_start_timeout(
    struct lint *l, const struct conf_child *sup, const struct conf_child *c)
{
	const struct worker_spec *w = &c->worker.spec;
	const struct sup_spec *s = &sup->sup.spec;
	const struct node *at = lint_given(c, W_START_TIMEOUT);

	if (at == NULL || w->ready != READY_EVENT || !is_unbounded(c) ||
	    s->intensity == 0 || w->start_timeout_ns <= longest_gap(s))
		return;
	lint_warn(l, "start_timeout", at,
	    "if \"%s\" never gets ready, supervisor \"%s\" never gives up: "
	    "start_timeout %s is longer than its period / intensity; give "
	    "\"%s\" max_attempts, or the supervisor a period of %s or more",
	    c->name, sup->name, lint_span(l, w->start_timeout_ns), c->name,
	    long_enough(l, s, w->start_timeout_ns));
}

/* Most restarts that a worker which always fails at once can make in period. */
static uint32_t
restarts_in_period(const struct worker_spec *w, const struct sup_spec *s)
{
	double pause = (double)w->backoff.min_ns, at = 0;
	double least = (1000 - w->backoff.jitter_milli) / 1000.0;
	uint32_t n = 1;

	while (n <= s->intensity) {
		at += pause * least;
		if (at > (double)s->period_ns)
			break;
		n++;
		pause = pause * w->backoff.factor_milli / 1000;
		if (pause > (double)w->backoff.max_ns)
			pause = (double)w->backoff.max_ns;
	}
	return n;
}

static void
lint_backoff(
    struct lint *l, const struct conf_child *sup, const struct conf_child *c)
{
	const struct worker_spec *w = &c->worker.spec;
	const struct sup_spec *s = &sup->sup.spec;
	uint32_t n;

	if (w->backoff.min_ns == 0 || !is_unbounded(c) || s->intensity == 0)
		return;
	n = restarts_in_period(w, s);
	if (n > s->intensity)
		return;
	lint_warn(l, "backoff", lint_given(c, W_BACKOFF)->key,
	    "however often \"%s\" fails, supervisor \"%s\" never gives up: "
	    "its pauses leave time for %u restart%s in period %s, and "
	    "intensity allows %u; bound them with max_attempts, or write "
	    "max_attempts: off if they shall never end",
	    c->name, sup->name, n, n == 1 ? "" : "s",
	    lint_span(l, s->period_ns), s->intensity);
}

/* What comes too late in a life that is cut short. */
static void
lint_lifetime(struct lint *l, const struct conf_child *c)
{
	const struct worker_spec *w = &c->worker.spec;
	const struct node *at = lint_given(c, W_MAX_LIFETIME);
	int64_t seen;

	if (w->max_lifetime_ns == 0)
		return;
	if (lint_restarts(c) && w->reset_after_ns > w->max_lifetime_ns)
		lint_warn(l, "lifetime-reset", at,
		    "\"%s\" is replaced every %s, before reset_after %s: each "
		    "replacement counts like one more failure in a row; give "
		    "a reset_after below max_lifetime",
		    c->name, lint_span(l, w->max_lifetime_ns),
		    lint_span(l, w->reset_after_ns));
	if (w->heartbeat_ns >= w->max_lifetime_ns)
		lint_warn(l, "lifetime-heartbeat", lint_given(c, W_HEARTBEAT),
		    "\"%s\" is replaced every %s, before heartbeat %s can "
		    "miss anything; give a shorter heartbeat",
		    c->name, lint_span(l, w->max_lifetime_ns),
		    lint_span(l, w->heartbeat_ns));
	if (c->worker.health.mode == HEALTH_NONE)
		return;
	if (__builtin_mul_overflow(w->health.interval_ns,
		(int64_t)w->health.failures - 1, &seen) ||
	    __builtin_add_overflow(seen, w->health.initial_delay_ns, &seen))
		seen = INT64_MAX;
	if (seen >= w->max_lifetime_ns)
		lint_warn(l, "lifetime-health", lint_given(c, W_HEALTH)->key,
		    "\"%s\" is replaced every %s, before health can have "
		    "failed %u times; give a shorter interval or initial_delay",
		    c->name, lint_span(l, w->max_lifetime_ns),
		    w->health.failures);
}

/* A key of the worker itself that says nothing, given another one. */
static void
no_effect(
    struct lint *l, const struct conf_child *c, enum key_id id, const char *why)
{
	const struct node *n = lint_own(c, id);

	if (n != NULL)
		lint_warn(l, "effect", n->key,
		    "%s has no effect: %s; leave it out", n->key->text, why);
}

static void
lint_effects(struct lint *l, const struct conf_child *c)
{
	const struct worker_spec *w = &c->worker.spec;

	if (w->ready == READY_EXEC)
		no_effect(l, c, W_START_TIMEOUT,
		    "with ready exec it is ready once it has been executed");
	else if (w->ready == READY_DELAY)
		no_effect(l, c, W_START_TIMEOUT,
		    "with a delay it is ready when that is over");
	if (w->ready != READY_EXEC && w->start_grace_ns > 0)
		no_effect(l, c, W_START_GRACE,
		    "it is for ready exec; otherwise an end before ready is "
		    "a failed start anyway");
	if (w->restart == TEMPORARY && w->backoff.min_ns > 0)
		no_effect(l, c, W_BACKOFF,
		    "a temporary worker is never "
		    "restarted");
	if (w->restart == TEMPORARY && w->max_attempts > 0)
		no_effect(l, c, W_MAX_ATTEMPTS,
		    "a temporary worker is never restarted");
	if (!w->pre_start && !w->post_stop)
		no_effect(l, c, W_HOOK_TIMEOUT,
		    "there is neither pre_start nor post_stop");
	if (w->n_stop == 1 && w->stop[0].sig == 9 &&
	    lint_given(c, W_STOP_SEQUENCE) == NULL &&
	    lint_given(c, W_SHUTDOWN) != NULL)
		no_effect(l, c, W_STOP_SIGNAL,
		    "with shutdown brutal_kill it is killed");
}

void
lint_limits_worker(
    struct lint *l, const struct conf_child *sup, const struct conf_child *c)
{
	lint_start_timeout(l, sup, c);
	lint_backoff(l, sup, c);
	lint_lifetime(l, c);
	lint_effects(l, c);
}

/* ---- of all children together ------------------------------------------- */

/* What is written that it may take to stop; 0: nothing is; -1: for ever. */
static int64_t
stop_time(const struct conf_child *c, const struct node **ret_at)
{
	const struct worker_spec *w = &c->worker.spec;
	const struct node *at = lint_given(c, W_STOP_SEQUENCE);
	int64_t sum = 0;
	uint32_t i;

	if (at == NULL)
		at = lint_given(c, W_SHUTDOWN);
	*ret_at = at;
	for (i = 0; at != NULL && i < w->n_stop; i++) {
		if (w->stop[i].sig == 9)
			break;
		if (w->stop[i].wait_ns < 0)
			return -1;
		if (__builtin_add_overflow(sum, w->stop[i].wait_ns, &sum))
			return -1;
	}
	return sum;
}

/*
 * In a group, the restart of one child waits until others have stopped.  Those
 * who may cause it are before the slow one, in one_for_all also behind it.
 */
static void
lint_group(struct lint *l, const struct conf_child *sup)
{
	const struct sup_spec *s = &sup->sup.spec;
	const struct conf_child *c;
	const struct node *at;
	uint32_t n_causes = 0, n_before = 0, n_others;
	int64_t ns;

	if (s->intensity == 0 ||
	    (s->strategy != REST_FOR_ONE && s->strategy != ONE_FOR_ALL))
		return;
	TAILQ_FOREACH (c, &sup->sup.children, link)
		n_causes += !c->is_sup && is_unbounded(c);
	TAILQ_FOREACH (c, &sup->sup.children, link) {
		bool cause;

		if (c->is_sup)
			continue;
		cause = is_unbounded(c);
		n_others = s->strategy == REST_FOR_ONE
		               ? n_before
		               : n_causes - (cause ? 1 : 0);
		n_before += cause;
		ns = stop_time(c, &at);
		if (n_others == 0 || ns <= longest_gap(s))
			continue;
		lint_warn(l, "group", at,
		    "if \"%s\" takes its %s to stop, supervisor \"%s\" never "
		    "gives up: each restart of the group waits for that, "
		    "longer than its period / intensity; give the other "
		    "children max_attempts, or the supervisor a period of %s "
		    "or more",
		    c->name, lint_span(l, ns), sup->name,
		    long_enough(l, s, ns));
	}
}

/*
 * What the workers below need to stop, as far as it is written; -1: for ever.
 * One after another, but for those of a pool.
 */
static int64_t
stop_sum(const struct conf_child *sup)
{
	const struct conf_child *c;
	const struct node *at;
	int64_t sum = 0, ns;

	if (sup->sup.template != NULL)
		return stop_time(sup->sup.template, &at);
	TAILQ_FOREACH (c, &sup->sup.children, link) {
		ns = c->is_sup ? stop_sum(c) : stop_time(c, &at);
		if (c->is_sup && c->sup.spec.shutdown_deadline_ns >= 0 &&
		    (ns < 0 || ns > c->sup.spec.shutdown_deadline_ns))
			ns = c->sup.spec.shutdown_deadline_ns;
		if (ns < 0 || __builtin_add_overflow(sum, ns, &sum))
			return -1;
	}
	return sum;
}

static void
lint_deadline(struct lint *l, const struct conf_child *sup)
{
	const struct node *at = lint_given(sup, S_SHUTDOWN_DEADLINE);
	int64_t deadline = sup->sup.spec.shutdown_deadline_ns, sum;

	if (at == NULL || deadline < 0)
		return;
	sum = stop_sum(sup);
	if (sum >= 0 && sum <= deadline)
		return;
	lint_warn(l, "deadline", at,
	    "the workers below may take %s%s to stop, one after another, but "
	    "shutdown_deadline is %s: those that are stopped last get no "
	    "time; shorten their shutdown, or allow more",
	    sum < 0 ? "for ever" : "", sum < 0 ? "" : lint_span(l, sum),
	    lint_span(l, deadline));
}

void
lint_limits_sup(struct lint *l, const struct conf_child *sup)
{
	lint_group(l, sup);
	lint_deadline(l, sup);
}
