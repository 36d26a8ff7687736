/* SPDX-License-Identifier: ISC */
#include "engine/record.h"

#include "base/log.h"
#include "engine/hook.h"
#include "engine/probe.h"
#include "engine/text.h"
#include "engine/tree.h"
#include "engine/words.h"

#include <stdio.h>
#include <string.h>

#define LAST_LINE_MAX 160

static const struct hist_event *
add(struct shell *sh, node_t n, enum hist_kind kind, const struct effect *eff,
    const char *text)
{
	const struct node *nd = &sh->nodes[n];
	struct hist_event ev = {
		.at = sh->now,
		.wall_ns = sh->wall_ns,
		.inc = engine_has(sh->core, n) ? engine_incarnation(sh->core, n)
		                               : 0,
		.pid = nd->pid,
		.kind = kind,
		.path = nd->path,
		.text = text,
	};
	const struct hist_event *kept;
	struct wire_event frame;

	if (eff != NULL) {
		ev.core_seq = eff->seq;
		ev.cause = eff->cause == eff->seq ? 0 : eff->cause;
		ev.reason = eff->reason;
	}
	kept = history_add(&sh->history, &ev);
	history_frame(kept, &frame);
	run_send(sh, &sh->bus, WIRE_EVENT, 0, &frame, NULL, 0);
	return kept;
}

/* What start_child starts is told to who asked, not to the log: S-6. */
#define log_progress(sh, n, ...)                                               \
	(engine_is_dynamic((sh)->core, n) && !(sh)->nodes[n].announced         \
		? log_debug(__VA_ARGS__)                                       \
		: log_info(__VA_ARGS__))

/* ---- workers ------------------------------------------------------------ */

void
record_spawned(struct shell *sh, node_t n)
{
	const struct node *nd = &sh->nodes[n];
	const struct conf_worker *w = &nd->conf->worker;
	struct effect eff = {
		.seq = nd->start_seq,
		.cause = nd->start_cause,
	};
	char what[256], text[WIRE_TEXT_MAX];

	if (w->ready == READY_MODE_EXEC && w->spec.start_grace_ns <= 0)
		snprintf(text, sizeof(text), "pid %d", nd->pid);
	else
		snprintf(text, sizeof(text), "pid %d, waiting for %s", nd->pid,
		    text_awaited(w, what, sizeof(what)));
	add(sh, n, HIST_STARTING, &eff, text);
	log_progress(sh, n, "%s: started, %s", text_short(nd->path), text);
}

void
record_hook(struct shell *sh, node_t n)
{
	const struct node *nd = &sh->nodes[n];
	struct effect eff = {
		.seq = nd->start_seq,
		.cause = nd->start_cause,
	};
	char text[WIRE_TEXT_MAX];

	snprintf(text, sizeof(text), "%s, pid %d", hook_name(nd->sent_proc),
	    nd->hook_pid);
	add(sh, n, HIST_HOOK, nd->sent_proc == PROC_PRE_START ? &eff : NULL,
	    text);
	log_info("%s: %s", text_short(nd->path), text);
}

static void
worker_ready(struct shell *sh, node_t n, const struct effect *eff)
{
	const struct node *nd = &sh->nodes[n];
	char took[TEXT_DURATION_LEN], text[WIRE_TEXT_MAX];

	snprintf(text, sizeof(text), "pid %d, after %s", nd->pid,
	    text_duration(sh->now.ns - nd->spawned_at.ns, took, sizeof(took)));
	add(sh, n, HIST_READY, eff, text);
	if (nd->conf->worker.ready != READY_MODE_EXEC)
		log_progress(
		    sh, n, "%s: ready, %s", text_short(nd->path), text);
}

static bool
is_bad_end(const struct reason *r)
{
	return !reason_is_clean(r) && r->kind != REASON_SPAWN;
}

/* Ask for the last words; the event has them when they come. */
static void
ask_last_line(struct shell *sh, node_t n, uint64_t seq)
{
	struct wire_log_tail m = { .slot = n, .n = 1 };

	if (!sh->nodes[n].log_open)
		return;
	sh->tails_owed++;
	run_send(sh, &sh->logger, WIRE_LOG_TAIL, seq << 1, &m, NULL, 0);
}

static void
worker_ended(struct shell *sh, node_t n, const struct effect *eff)
{
	struct node *nd = &sh->nodes[n];
	mono_t end = nd->pid_gone ? nd->ended_at : sh->now;
	char why[256], up[TEXT_DURATION_LEN], text[WIRE_TEXT_MAX];
	const struct hist_event *kept;

	if (nd->end_told)
		return; /* before its post_stop */
	nd->end_told = true;
	text_reason(sh, n, &eff->reason, why, sizeof(why));
	snprintf(text, sizeof(text), "%s, pid %d, up %s", why, nd->pid,
	    text_duration(end.ns - nd->spawned_at.ns, up, sizeof(up)));
	kept = add(sh, n, HIST_EXITED, eff, text);
	if (eff->reason.kind == REASON_UNHEALTHY) {
		/* It has been warned of when it was put down. */
		log_info("%s: %s", text_short(nd->path), text);
		if (!reason_is_planned(&eff->reason))
			ask_last_line(sh, n, kept->seq);
	} else if (is_bad_end(&eff->reason)) {
		log_warnx("%s: %s", text_short(nd->path), text);
		ask_last_line(sh, n, kept->seq);
	} else {
		log_info("%s: %s", text_short(nd->path), text);
	}
}

static void
start_failed(struct shell *sh, node_t n, const struct effect *eff)
{
	const struct node *nd = &sh->nodes[n];
	char text[WIRE_TEXT_MAX];
	const struct hist_event *kept;

	text_reason(sh, n, &eff->reason, text, sizeof(text));
	kept = add(sh, n, HIST_START_ERROR, eff, text);
	log_warnx("%s: failed to start: %s", text_short(nd->path), text);
	if (!nd->conf->is_sup && is_bad_end(&eff->reason))
		ask_last_line(sh, n, kept->seq);
}

/*
 * A group's or supervisor's stop is told in one line by the supervisor; a
 * worker's own line is for the operator who stopped just that worker.
 */
static void
stopped(struct shell *sh, node_t n, const struct effect *eff)
{
	const struct node *nd = &sh->nodes[n];
	char text[WIRE_TEXT_MAX];
	bool by_hand = !engine_wanted(sh->core, n);
	bool is_sup = nd->conf->is_sup;

	if (by_hand && eff->reason.kind == REASON_SHUTDOWN &&
	    eff->reason.why == WHY_ASKED)
		strlcpy(text, "stopped by an operator", sizeof(text));
	else
		text_reason(sh, n, &eff->reason, text, sizeof(text));
	add(sh, n, HIST_STOPPED, eff, text);
	if (is_sup || by_hand || eff->reason.kind == REASON_IGNORE)
		log_info("%s: %s", text_short(nd->path), text);
	else
		log_debug("%s: %s", text_short(nd->path), text);
}

static void
stopping(struct shell *sh, node_t n, const struct effect *eff)
{
	const struct node *nd = &sh->nodes[n];
	/* The reason in `eff` is still that of the end before this one. */
	struct effect plain = { .seq = eff->seq, .cause = eff->cause };
	char name[24], text[WIRE_TEXT_MAX] = "";

	if (!nd->conf->is_sup)
		snprintf(text, sizeof(text), "%s, pid %d",
		    signal_name(
			nd->conf->worker.spec.stop[0].sig, name, sizeof(name)),
		    nd->pid);
	add(sh, n, HIST_STOPPING, &plain, text);
}

/* Backoff: it is not tried again at once. */
static void
waiting(struct shell *sh, node_t n, const struct effect *eff)
{
	mono_t at = engine_node_deadline(sh->core, n);
	char pause[TEXT_DURATION_LEN], text[WIRE_TEXT_MAX];

	if (mono_is_never(at))
		return;
	snprintf(text, sizeof(text), "%s before it is tried again",
	    text_duration(at.ns - sh->now.ns, pause, sizeof(pause)));
	add(sh, n, HIST_WAITING, eff, text);
	log_info("%s: waiting %s", text_short(sh->nodes[n].path), text);
}

static void
forget_last_words(struct node *nd)
{
	free(nd->last_words);
	nd->last_words = NULL;
}

void
record_state(struct shell *sh, const struct effect *eff)
{
	node_t n = eff->node;
	bool is_sup = sh->nodes[n].conf->is_sup;
	char text[WIRE_TEXT_MAX];

	/* It has ended anew, or is about to. */
	if (eff->to != CHILD_STARTING && eff->to != CHILD_READY &&
	    eff->from != CHILD_STOPPED && eff->from != CHILD_WAITING &&
	    eff->from != CHILD_ENDED)
		forget_last_words(&sh->nodes[n]);
	switch (eff->to) {
	case CHILD_STARTING:
		if (is_sup)
			add(sh, n, HIST_STARTING, eff, "");
		break;
	case CHILD_READY:
		if (is_sup)
			add(sh, n, HIST_READY, eff, "");
		else
			worker_ready(sh, n, eff);
		break;
	case CHILD_STOPPING:
		/* It may have ended by itself, and its post_stop runs now. */
		if (!is_sup && sh->nodes[n].pid_gone)
			worker_ended(sh, n, eff);
		else
			stopping(sh, n, eff);
		break;
	case CHILD_ENDED:
		if (!is_sup)
			worker_ended(sh, n, eff);
		else
			add(sh, n, HIST_ENDED, eff,
			    text_reason(
				sh, n, &eff->reason, text, sizeof(text)));
		break;
	case CHILD_STOPPED:
		if (eff->from == CHILD_STARTING &&
		    reason_is_start_error(&eff->reason))
			start_failed(sh, n, eff);
		else if (eff->from == CHILD_STOPPING ||
			 eff->from == CHILD_STARTING)
			stopped(sh, n, eff);
		break;
	case CHILD_WAITING:
		waiting(sh, n, eff);
		break;
	case CHILD_STATE_N:
		break;
	}
}

/* ---- supervisors --------------------------------------------------------- */

static void
gave_up(struct shell *sh, const struct effect *eff)
{
	char why[128], text[WIRE_TEXT_MAX];

	text_reason(sh, eff->offender, &eff->reason, why, sizeof(why));
	words_gave_up(sh->core, eff, why, text, sizeof(text));
	add(sh, eff->node, HIST_GAVE_UP, eff, text);
	log_warnx("%s: %s", text_short(sh->nodes[eff->node].path), text);
}

static void
auto_shutdown(struct shell *sh, const struct effect *eff)
{
	char why[128], text[WIRE_TEXT_MAX];

	text_reason(sh, eff->offender, &eff->reason, why, sizeof(why));
	words_auto_shutdown(sh->core, eff, why, text, sizeof(text));
	add(sh, eff->node, HIST_AUTO_SHUTDOWN, eff, text);
	log_info("%s: %s", text_short(sh->nodes[eff->node].path), text);
}

/* Why it is put down; false: it is not, or not yet. */
static bool
complaint(
    const struct shell *sh, const struct effect *eff, char *buf, size_t len)
{
	const struct node *nd = &sh->nodes[eff->node];
	const struct worker_spec *spec = &nd->conf->worker.spec;
	char limit[TEXT_DURATION_LEN], last[256];

	switch ((enum reason_why)eff->reason.why) {
	case WHY_HEARTBEAT:
		if (nd->unwell)
			strlcpy(buf, "it says itself that it is unwell", len);
		else
			snprintf(buf, len, "no sign of life for %s",
			    text_duration(
				spec->heartbeat_ns, limit, sizeof(limit)));
		return true;
	case WHY_LIFETIME:
		snprintf(buf, len, "max_lifetime of %s reached",
		    text_duration(spec->max_lifetime_ns, limit, sizeof(limit)));
		return true;
	case WHY_HEALTH:
	case WHY_NONE:
	case WHY_ASKED:
	case WHY_GROUP:
	case WHY_GAVE_UP:
	case WHY_AUTO_SHUTDOWN:
	case WHY_ROLLBACK:
	case WHY_RELOAD:
	case WHY_N:
		break;
	}
	probe_last(sh, eff->node, last, sizeof(last));
	if (eff->used < eff->limit)
		snprintf(buf, len, "probe %u of %u failed: %s", eff->used,
		    eff->limit, last);
	else
		snprintf(buf, len, "%u probe%s failed: %s", eff->used,
		    eff->used == 1 ? "" : "s", last);
	return eff->used >= eff->limit;
}

static void
unhealthy(struct shell *sh, const struct effect *eff)
{
	struct node *nd = &sh->nodes[eff->node];
	char text[WIRE_TEXT_MAX];

	if (!complaint(sh, eff, text, sizeof(text))) {
		add(sh, eff->node, HIST_UNHEALTHY, eff, text);
		log_info("%s: %s", text_short(nd->path), text);
		return;
	}
	free(nd->complaint);
	nd->complaint = strdup(text);
	strlcat(text, "; stopping it", sizeof(text));
	if (reason_is_planned(&eff->reason)) {
		add(sh, eff->node, HIST_LIFETIME, eff, text);
		log_info("%s: %s", text_short(nd->path), text);
	} else {
		add(sh, eff->node, HIST_UNHEALTHY, eff, text);
		log_warnx("%s: %s", text_short(nd->path), text);
	}
}

static void
hook_failed(struct shell *sh, const struct effect *eff)
{
	const struct hist_event *kept;
	char text[WIRE_TEXT_MAX];

	text_reason(sh, eff->node, &eff->reason, text, sizeof(text));
	kept = add(sh, eff->node, HIST_HOOK_FAILED, eff, text);
	log_warnx("%s: %s", text_short(sh->nodes[eff->node].path), text);
	ask_last_line(sh, eff->node, kept->seq);
}

void
record_report(struct shell *sh, const struct effect *eff)
{
	const char *path = sh->nodes[eff->node].path;
	node_t sup = engine_parent(sh->core, eff->node);
	char text[WIRE_TEXT_MAX];

	switch (eff->report) {
	case REPORT_RESTART:
		words_restart(sh->core, eff, text, sizeof(text));
		add(sh, sup, HIST_RESTART, eff, text);
		log_info("%s: %s", text_short(sh->nodes[sup].path), text);
		break;
	case REPORT_SHUTDOWN_ERROR:
		text_reason(sh, eff->node, &eff->reason, text, sizeof(text));
		add(sh, eff->node, HIST_SHUTDOWN_ERROR, eff, text);
		log_warnx(
		    "%s: did not stop as told: %s", text_short(path), text);
		break;
	case REPORT_GAVE_UP:
		gave_up(sh, eff);
		break;
	case REPORT_AUTO_SHUTDOWN:
		auto_shutdown(sh, eff);
		break;
	case REPORT_UNHEALTHY:
		unhealthy(sh, eff);
		break;
	case REPORT_HOOK_FAILED:
		hook_failed(sh, eff);
		break;
	case REPORT_CHILD_TERMINATED: /* the state before it has told it */
	case REPORT_START_ERROR:
	case REPORT_KIND_N:
		break;
	}
}

void
record_done(struct shell *sh, const struct reason *why)
{
	cleanup_(buf_fini) struct buf text = { 0 };
	const char *root = sh->nodes[NODE_ROOT].path;

	if (why->kind == REASON_CHILD) {
		text_nested(sh, NODE_ROOT, why, &text);
		log_warnx("%s: failed to start: %s", root, buf_str(&text));
	} else if (why->why == WHY_GAVE_UP) {
		log_warnx("%s: gave up; supd ends", root);
	} else {
		log_info("%s: all stopped", root);
	}
}

/* ---- the rest ------------------------------------------------------------ */

void
record_signal(struct shell *sh, node_t n, int sig, const char *text)
{
	char name[24], line[WIRE_TEXT_MAX];

	snprintf(line, sizeof(line), "%s %s, pid %d",
	    signal_name(sig, name, sizeof(name)), text, sh->nodes[n].pid);
	add(sh, n, HIST_SIGNAL, NULL, line);
	log_info("%s: %s", text_short(sh->nodes[n].path), line);
}

void
record_reload(struct shell *sh, const char *text)
{
	add(sh, NODE_ROOT, HIST_RELOAD, NULL, text);
}

void
record_added(struct shell *sh, node_t n, const char *by)
{
	char text[WIRE_TEXT_MAX];

	snprintf(text, sizeof(text), "by %s", by != NULL ? by : "an operator");
	add(sh, n, HIST_ADDED, NULL, text);
}

void
record_removed(struct shell *sh, node_t n)
{
	add(sh, n, HIST_REMOVED, NULL, "");
}

void
record_last_line(
    struct shell *sh, uint64_t seq, uint32_t slot, const char *line)
{
	const struct hist_event *ev = history_get(&sh->history, seq);
	char more[LAST_LINE_MAX + 32];

	if (ev == NULL)
		return;
	snprintf(
	    more, sizeof(more), ", last output: \"%.*s\"", LAST_LINE_MAX, line);
	if (tree_has(sh, slot) && strcmp(sh->nodes[slot].path, ev->path) == 0) {
		free(sh->nodes[slot].last_line);
		sh->nodes[slot].last_line = strdup(line);
	}
	history_amend(&sh->history, seq, more);
	log_warnx("%s: %s", text_short(ev->path), more + 2);
}
