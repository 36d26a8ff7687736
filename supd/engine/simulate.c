/* SPDX-License-Identifier: ISC */
/*
 * OP_SIMULATE: what would follow if a worker crashed, once or again and again.
 * The core itself is asked, on a copy (whatif.h).
 */
#include "engine/request.h"
#include "engine/text.h"
#include "engine/tree.h"
#include "engine/whatif.h"
#include "engine/words.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define REPEAT_MAX  1000
#define EVERY_MAX   (366 * 24 * 3600 * NS_PER_S)
#define CRASH_SIG   SIGSEGV
#define STEPS_MAX   2000 /* told; the rest is counted */
#define LAST_PASS   (NS_PER_S)
#define EXIT_NORMAL 0
#define EXIT_GAVEUP 70

struct story {
	struct shell *sh;
	uint64_t tag;
	struct whatif w;
	mono_t begin;
	node_t victim;
	uint32_t n_told, n_crashes, n_restarts, n_gave_up, n_starts, n_stops;
};

static void
tell(struct story *s, const char *kind, node_t n, const char *text)
{
	struct wire_step m = { .at_ns = s->w.now.ns - s->begin.ns };

	if (s->n_told++ >= STEPS_MAX)
		return;
	strlcpy(m.kind, kind, sizeof(m.kind));
	strlcpy(m.path, s->sh->nodes[n].path, sizeof(m.path));
	strlcpy(m.text, text, sizeof(m.text));
	run_send(s->sh, &s->sh->bus, WIRE_STEP, s->tag, &m, NULL, 0);
}

static void
on_report(struct story *s, const struct effect *eff)
{
	const struct engine *e = s->w.e;
	char why[128], text[WIRE_TEXT_MAX];

	reason_text(&eff->reason, why, sizeof(why));
	switch (eff->report) {
	case REPORT_RESTART:
		s->n_restarts++;
		words_restart(e, eff, text, sizeof(text));
		tell(s, "restart", engine_parent(e, eff->node), text);
		break;
	case REPORT_GAVE_UP:
		s->n_gave_up++;
		words_gave_up(e, eff, why, text, sizeof(text));
		tell(s, "gave_up", eff->node, text);
		break;
	case REPORT_AUTO_SHUTDOWN:
		words_auto_shutdown(e, eff, why, text, sizeof(text));
		tell(s, "auto_shutdown", eff->node, text);
		break;
	case REPORT_UNHEALTHY:
		snprintf(text, sizeof(text), "is stopped: %s", why);
		tell(s, "unhealthy", eff->node, text);
		break;
	case REPORT_CHILD_TERMINATED:
	case REPORT_SHUTDOWN_ERROR:
	case REPORT_START_ERROR:
	case REPORT_HOOK_FAILED:
	case REPORT_KIND_N:
		break;
	}
}

static void
waits(struct story *s, node_t n)
{
	mono_t at = engine_node_deadline(s->w.e, n);
	char pause[TEXT_DURATION_LEN], text[WIRE_TEXT_MAX];

	if (mono_is_never(at))
		return;
	snprintf(text, sizeof(text), "is tried again in %s",
	    text_duration(at.ns - s->w.now.ns, pause, sizeof(pause)));
	tell(s, "waiting", n, text);
}

static void
on_state(struct story *s, const struct effect *eff)
{
	const struct engine *e = s->w.e;
	bool is_sup = engine_is_sup(e, eff->node);
	char why[128];

	if (eff->to == CHILD_READY && !is_sup)
		s->n_starts++;
	if (eff->to == CHILD_STOPPED && eff->from == CHILD_STOPPING && !is_sup)
		s->n_stops++;
	if (eff->to == CHILD_WAITING)
		waits(s, eff->node);
	if (eff->to == CHILD_READY && eff->from == CHILD_STARTING && !is_sup &&
	    engine_restarts(e, eff->node) > 0 && s->w.now.ns > s->begin.ns &&
	    mono_before(engine_last_end(e, eff->node), s->w.now))
		tell(s, "ready", eff->node, "runs again");
	/* That it gave up has been told, in more words. */
	if (eff->to == CHILD_ENDED && is_sup &&
	    eff->reason.why != WHY_GAVE_UP) {
		reason_text(&eff->reason, why, sizeof(why));
		tell(s, "ended", eff->node, why);
	}
}

static void
on_done(struct story *s, const struct effect *eff)
{
	bool failed =
	    eff->reason.kind == REASON_CHILD || eff->reason.why == WHY_GAVE_UP;
	char text[64];

	snprintf(text, sizeof(text), "supd would end with %d",
	    failed ? EXIT_GAVEUP : EXIT_NORMAL);
	tell(s, "end", NODE_ROOT, text);
}

static void
on_effect(void *ctx, const struct effect *eff)
{
	struct story *s = ctx;

	if (eff->kind == EFF_REPORT)
		on_report(s, eff);
	else if (eff->kind == EFF_STATE)
		on_state(s, eff);
	else if (eff->kind == EFF_DONE)
		on_done(s, eff);
}

/* False: there is nothing left that could crash. */
static bool
crash(struct story *s)
{
	const struct engine *e = s->w.e;
	struct event ev = {
		.kind = EV_EXITED,
		.node = s->victim,
		.code = CRASH_SIG,
		.is_signal = true,
	};
	char name[24], text[WIRE_TEXT_MAX];

	if (s->w.done || s->w.exhausted)
		return false;
	if (!engine_has(e, s->victim))
		return false;
	if (engine_state(e, s->victim) != CHILD_READY) {
		snprintf(text, sizeof(text), "is %s: it cannot crash",
		    child_state_name(engine_state(e, s->victim)));
		tell(s, "down", s->victim, text);
		return false;
	}
	snprintf(text, sizeof(text), "crashes (%s)",
	    signal_name(CRASH_SIG, name, sizeof(name)));
	tell(s, "crash", s->victim, text);
	s->n_crashes++;
	ev.inc = engine_incarnation(e, s->victim);
	whatif_step(&s->w, ev);
	if (!engine_has(e, s->victim))
		tell(s, "gone", s->victim, "is forgotten");
	else if (engine_state(e, s->victim) == CHILD_STOPPED && !s->w.done &&
		 s->n_gave_up == 0)
		tell(s, "down", s->victim, "stays down");
	return true;
}

static void
summary(const struct story *s, int64_t every_ns, struct buf *out)
{
	char every[TEXT_DURATION_LEN];

	buf_printf(out, "%u crash%s of %s", s->n_crashes,
	    s->n_crashes == 1 ? "" : "es",
	    text_short(s->sh->nodes[s->victim].path));
	if (s->n_crashes > 1)
		buf_printf(out, ", one every %s",
		    text_duration(every_ns, every, sizeof(every)));
	buf_printf(out, ": %u restart%s, %u start%s and %u stop%s of workers, ",
	    s->n_restarts, s->n_restarts == 1 ? "" : "s", s->n_starts,
	    s->n_starts == 1 ? "" : "s", s->n_stops,
	    s->n_stops == 1 ? "" : "s");
	if (s->w.done)
		buf_puts(out, "and supd would end");
	else if (s->n_gave_up > 0)
		buf_printf(out, "supervisors would give up %u time%s",
		    s->n_gave_up, s->n_gave_up == 1 ? "" : "s");
	else
		buf_puts(out, "nobody would give up");
	if (s->w.exhausted)
		buf_printf(
		    out, "; ended early, after %d events", WHATIF_STEPS_MAX);
	if (s->n_told > STEPS_MAX)
		buf_printf(
		    out, "; %u lines were left out", s->n_told - STEPS_MAX);
}

/* What it asks for makes sense; else it is answered. */
static bool
is_valid(struct shell *sh, const struct wire_request *m, uint64_t tag, node_t n)
{
	char text[WIRE_PATH_MAX + 160];

	if (m->n < 1 || m->n > REPEAT_MAX) {
		snprintf(text, sizeof(text),
		    "how often it crashes is from 1 to %d", REPEAT_MAX);
	} else if (m->every_ns < 0 || m->every_ns > EVERY_MAX) {
		snprintf(text, sizeof(text),
		    "the time from one crash to the next is at most 366 days");
	} else if (engine_is_sup(sh->core, n)) {
		node_t c = engine_first_child(sh->core, n);

		snprintf(text, sizeof(text),
		    "%s is a supervisor: it has no process that could crash; "
		    "name a worker below it%s%s",
		    text_short(sh->nodes[n].path), c != NODE_NONE ? ", " : "",
		    c != NODE_NONE ? text_short(sh->nodes[c].path) : "");
	} else {
		return true;
	}
	request_end(sh, tag, CTL_USAGE, text);
	return false;
}

void
simulate_crash(struct shell *sh, uint64_t tag, const struct wire_request *m)
{
	cleanup_(buf_fini) struct buf text = { 0 };
	struct story s = { .sh = sh, .tag = tag };
	node_t n = request_find_one(sh, tag, m->path);

	if (n == NODE_NONE || !is_valid(sh, m, tag, n))
		return;
	if (whatif_init(&s.w, sh) < 0) {
		request_end(sh, tag, CTL_FAILED, strerror(ENOMEM));
		return;
	}
	s.begin = s.w.now;
	s.victim = n;
	s.w.tell = on_effect;
	s.w.ctx = &s;
	for (int64_t i = 0; i < m->n; i++) {
		if (i > 0)
			whatif_pass(&s.w, mono_add(s.w.now, m->every_ns));
		if (!crash(&s))
			break;
	}
	/* What is still to come of the last one, as a pause in `backoff`. */
	whatif_pass(&s.w, mono_add(s.w.now, LAST_PASS));
	if (s.n_crashes == 0) {
		request_end(sh, tag, CTL_FAILED,
		    "it does not run: nothing could crash");
	} else {
		summary(&s, m->every_ns, &text);
		request_end(sh, tag, CTL_OK, buf_str(&text));
	}
	whatif_fini(&s.w);
}
