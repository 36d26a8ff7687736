/* SPDX-License-Identifier: ISC */
#include "engine/why.h"

#include "engine/text.h"

#include <string.h>

/* Own failures whose story is told; older ones are only counted. */
#define FAILURES_TOLD 5

static bool
is_end(const struct hist_event *ev)
{
	return ev->kind == HIST_STOPPED || ev->kind == HIST_EXITED ||
	       ev->kind == HIST_ENDED || ev->kind == HIST_START_ERROR;
}

static bool
is_own_failure(const struct hist_event *ev)
{
	return ev->kind == HIST_START_ERROR ||
	       (ev->kind == HIST_EXITED && !reason_is_clean(&ev->reason) &&
		   !reason_is_planned(&ev->reason)) ||
	       (ev->kind == HIST_ENDED && ev->reason.why == WHY_GAVE_UP);
}

static bool
is_action(const struct hist_event *ev)
{
	return ev->kind == HIST_RESTART || ev->kind == HIST_GAVE_UP ||
	       ev->kind == HIST_AUTO_SHUTDOWN;
}

static bool
is_about(const struct hist_event *ev, const char *path)
{
	return strcmp(ev->path, path) == 0;
}

static bool
is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return strncmp(path, above, len) == 0 && path[len] == '/';
}

static const struct hist_event *
last_end(const struct history *h, const char *path)
{
	for (uint64_t s = h->next; s-- > history_first(h);) {
		const struct hist_event *ev = history_get(h, s);

		if (is_about(ev, path) && is_end(ev))
			return ev;
	}
	return NULL;
}

static const char *
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool
is_running(const struct why_subject *s)
{
	return s->state == CHILD_READY || s->state == CHILD_STARTING;
}

static const char *
ago(const struct why_subject *s, mono_t at, char *buf, size_t len)
{
	return text_duration(s->now.ns - at.ns, buf, len);
}

/* ---- it never ended -------------------------------------------------------
 */

static void
tell_starts(const struct history *h, const struct why_subject *s,
    void (*emit)(void *ctx, const struct hist_event *ev), void *ctx)
{
	for (uint64_t q = history_first(h); q < h->next; q++)
		if (is_about(history_get(h, q), s->path))
			emit(ctx, history_get(h, q));
}

static void
headline_quiet(const struct why_subject *s, struct buf *out)
{
	const char *name = last_name(s->path);
	char t[TEXT_DURATION_LEN];

	ago(s, s->since, t, sizeof(t));
	if (!s->enabled)
		buf_printf(out, "%s is disabled by its configuration", name);
	else if (s->ended_before)
		buf_printf(out,
		    "%s is %s since %s; its last end is older than the events "
		    "that are kept",
		    name, child_state_name(s->state), t);
	else if (s->state == CHILD_READY)
		buf_printf(
		    out, "%s is running since %s; it has never ended", name, t);
	else if (s->state == CHILD_STARTING)
		buf_printf(out, "%s is starting since %s, for the first time",
		    name, t);
	else
		buf_printf(out, "%s has not been started yet", name);
}

/* ---- somebody else was the cause ------------------------------------------
 */

static void
tell_chain(const struct history *h, const struct why_subject *s, uint64_t first,
    uint64_t last, void (*emit)(void *ctx, const struct hist_event *ev),
    void *ctx)
{
	for (uint64_t q = first; q < h->next; q++) {
		const struct hist_event *ev = history_get(h, q);
		bool of_chain = ev->cause == first;
		bool mine = is_about(ev, s->path);

		if (q == first || (of_chain && (is_action(ev) || mine)) ||
		    (of_chain && is_own_failure(ev)) || (mine && q > last))
			emit(ctx, ev);
	}
}

static void
headline_other(const struct history *h, const struct why_subject *s,
    const struct hist_event *first, const struct hist_event *last,
    struct buf *out)
{
	const char *name = last_name(s->path);
	mono_t at = last->at;
	char t[TEXT_DURATION_LEN];

	for (uint64_t q = last->seq; q < h->next; q++) {
		const struct hist_event *ev = history_get(h, q);

		if (is_about(ev, s->path) && ev->kind == HIST_STARTING)
			at = ev->at;
	}
	ago(s, at, t, sizeof(t));
	if (is_below(first->path, s->path))
		buf_printf(out, "%s %s %s ago, because of %s (%s)", name,
		    last->kind == HIST_START_ERROR ? "failed to start"
		    : last->kind == HIST_ENDED     ? "ended"
						   : "was stopped",
		    t, text_short(first->path), first->text);
	else
		buf_printf(out,
		    "%s %s %s ago, not through its own failure: %s %s", name,
		    is_running(s) ? "restarted" : "was stopped", t,
		    text_short(first->path),
		    is_own_failure(first) || first->kind == HIST_UNHEALTHY
			? "failed"
			: "ended");
}

/* ---- its own end -----------------------------------------------------------
 */

/* Is `seq` a failure of the subject's own? */
static bool
is_mine(const struct history *h, const struct why_subject *s, uint64_t seq)
{
	const struct hist_event *ev = history_get(h, seq);

	return ev != NULL && is_about(ev, s->path);
}

/*
 * What led to the failure at `seq`: the report that put it down and the probes
 * that had failed in a row before that.
 */
static uint64_t
failure_start(
    const struct history *h, const struct why_subject *s, uint64_t seq)
{
	uint64_t cause = history_get(h, seq)->cause;

	if (!is_mine(h, s, cause))
		return seq;
	seq = cause;
	for (uint64_t q = cause; q-- > history_first(h);) {
		const struct hist_event *ev = history_get(h, q);

		if (!is_about(ev, s->path))
			continue;
		if (ev->kind != HIST_UNHEALTHY)
			break;
		seq = q;
	}
	return seq;
}

/* Where the story begins: the FAILURES_TOLD-th failure from the end. */
static uint64_t
story_start(const struct history *h, const struct why_subject *s,
    const struct hist_event *last, uint32_t *ret_failures)
{
	uint64_t start = failure_start(h, s, last->seq);
	uint32_t n = 0;

	for (uint64_t q = last->seq + 1; q-- > history_first(h);) {
		const struct hist_event *ev = history_get(h, q);

		if (!is_about(ev, s->path) || !is_own_failure(ev))
			continue;
		if (n++ < FAILURES_TOLD)
			start = failure_start(h, s, q);
	}
	*ret_failures = n;
	return start;
}

static void
tell_own(const struct history *h, const struct why_subject *s, uint64_t start,
    void (*emit)(void *ctx, const struct hist_event *ev), void *ctx)
{
	for (uint64_t q = start; q < h->next; q++) {
		const struct hist_event *ev = history_get(h, q);

		if (is_about(ev, s->path) || (is_action(ev) && ev->cause != 0 &&
						 is_mine(h, s, ev->cause)))
			emit(ctx, ev);
	}
}

static void
headline_stopped(
    const struct why_subject *s, const struct hist_event *last, struct buf *out)
{
	const char *name = last_name(s->path);
	char t[TEXT_DURATION_LEN];

	ago(s, last->at, t, sizeof(t));
	if (!s->wanted)
		buf_printf(
		    out, "%s was stopped by an operator %s ago", name, t);
	else if (is_running(s))
		buf_printf(out,
		    "%s was stopped %s ago and started again by "
		    "an operator",
		    name, t);
	else
		buf_printf(
		    out, "%s was stopped with its supervisor %s ago", name, t);
}

static void
headline_own(const struct why_subject *s, const struct hist_event *last,
    uint32_t failures, struct buf *out)
{
	const char *name = last_name(s->path);
	char t[TEXT_DURATION_LEN];

	ago(s, last->at, t, sizeof(t));
	if (last->kind == HIST_STOPPED && last->reason.kind == REASON_IGNORE) {
		buf_printf(out,
		    "%s has ended itself %s ago, before it was ready: it does "
		    "not want to run",
		    name, t);
		return;
	}
	if (last->kind == HIST_STOPPED) {
		headline_stopped(s, last, out);
		return;
	}
	if (reason_is_planned(&last->reason))
		buf_printf(
		    out, "%s was replaced %s ago: %s", name, t, last->text);
	else if (!is_own_failure(last))
		buf_printf(
		    out, "%s ended by itself %s ago: %s", name, t, last->text);
	else
		buf_printf(out, "%s failed %u time%s; last, %s ago: %s", name,
		    failures, failures == 1 ? "" : "s", t, last->text);
	if (s->state == CHILD_READY)
		buf_printf(out, "; running again since %s",
		    ago(s, s->since, t, sizeof(t)));
	else if (s->state == CHILD_STARTING)
		buf_printf(out, "; starting again since %s",
		    ago(s, s->since, t, sizeof(t)));
	else if (s->state == CHILD_STOPPED)
		buf_printf(out, "; not restarted");
	else if (s->state == CHILD_WAITING && s->next_try.ns > s->now.ns)
		buf_printf(out, "; next try in %s",
		    text_duration(s->next_try.ns - s->now.ns, t, sizeof(t)));
}

void
why_tell(const struct history *h, const struct why_subject *s,
    void (*emit)(void *ctx, const struct hist_event *ev), void *ctx,
    struct buf *ret_headline)
{
	const struct hist_event *last = last_end(h, s->path), *first;
	uint32_t failures;
	uint64_t start;

	if (last == NULL) {
		tell_starts(h, s, emit, ctx);
		headline_quiet(s, ret_headline);
		return;
	}
	first = history_get(h, last->cause);
	if (first != NULL && !is_about(first, s->path)) {
		tell_chain(h, s, first->seq, last->seq, emit, ctx);
		headline_other(h, s, first, last, ret_headline);
		return;
	}
	start = story_start(h, s, last, &failures);
	tell_own(h, s, start, emit, ctx);
	headline_own(s, last, failures, ret_headline);
}
