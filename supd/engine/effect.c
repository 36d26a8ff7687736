/* SPDX-License-Identifier: ISC */
/*
 * Effects.  What people should know is recorded while the effect is emitted;
 * what other roles must do waits until the step is over, because the keeper
 * wants the acknowledgement of an exit before the next spawn in that slot, and
 * because answers to requests tell the state that the step has led to.
 */
#include "base/log.h"
#include "core/trace.h"
#include "engine/ends.h"
#include "engine/gate.h"
#include "engine/hook.h"
#include "engine/probe.h"
#include "engine/ready.h"
#include "engine/record.h"
#include "engine/reload.h"
#include "engine/request.h"
#include "engine/respec.h"
#include "engine/spawn.h"
#include "engine/text.h"
#include "engine/tree.h"

#include <stdio.h>
#include <string.h>

#define EXIT_SHUTDOWN 0
#define EXIT_GAVE_UP                                                           \
	70 /* EX_SOFTWARE: so that the outer init can act (E-4)                \
	    */

extern char **environ;

static void
state_changed(struct shell *sh, const struct effect *eff)
{
	struct node *nd = &sh->nodes[eff->node];

	sh->changed = true;
	record_state(sh, eff);
	if (eff->to != CHILD_STARTING)
		ready_stop(nd);
	if (eff->to != CHILD_READY)
		probe_stop(nd);
	if (eff->to == CHILD_STARTING) {
		nd->start_seq = eff->seq;
		nd->start_cause = eff->cause;
	}
	if (eff->to == CHILD_STOPPED || eff->to == CHILD_ENDED) {
		nd->pid = nd->hook_pid = 0;
		nd->pid_gone = false;
		free(nd->status);
		nd->status = NULL;
	}
}

/* on_giveup: {exec: [...]} runs a command outside the tree. */
static void
run_giveup(struct shell *sh, node_t sup, const struct reason *why)
{
	const struct node *nd = &sh->nodes[sup];
	cleanup_(buf_fini) struct buf tail = { 0 };
	struct wire_spawn m;
	char text[128];
	const struct spawn_ctx ctx = {
		.environ = (const char *const *)environ,
		.socket = sh->args->socket,
		.run_dir = sh->args->run_dir,
		.path = nd->path,
		.name = nd->conf->name,
	};
	int r;

	if (nd->conf->sup.giveup_argv == NULL)
		return;
	r = spawn_build_exec(&ctx, nd->conf->sup.giveup_argv,
	    text_reason(sh, sup, why, text, sizeof(text)), &m, &tail);
	if (r < 0) {
		errno = -r;
		log_warn("%s: on_giveup: exec %s", text_short(nd->path),
		    nd->conf->sup.giveup_argv[0]);
		return;
	}
	run_send(sh, &sh->keeper, WIRE_EXEC, 0, &m, tail.data, tail.len);
}

static void
keep_for_later(struct shell *sh, const struct effect *eff)
{
	if (!run_grow(&sh->after, &sh->after_cap, sh->after_len,
		sizeof(*sh->after))) {
		run_broken(sh, "effects", ENOMEM);
		return;
	}
	sh->after[sh->after_len++] = *eff;
}

void
effect_emit(void *ctx, const struct effect *eff)
{
	struct shell *sh = ctx;
	char text[TRACE_LEN];

	gate_effect(sh, eff);
	if (sh->args->verbose)
		trace_line(sh, trace_effect(sh->core, eff, text, sizeof(text)));
	switch (eff->kind) {
	case EFF_STATE:
		state_changed(sh, eff);
		break;
	case EFF_REPORT:
		record_report(sh, eff);
		if (eff->report == REPORT_GAVE_UP)
			run_giveup(sh, eff->node, &eff->reason);
		break;
	case EFF_DONE:
		record_done(sh, &eff->reason);
		keep_for_later(sh, eff);
		break;
	case EFF_REPLY:
		if ((eff->tag & RELOAD_TAG) == 0)
			request_note(sh, eff);
		keep_for_later(sh, eff);
		break;
	case EFF_SPAWN:
	case EFF_SIGNAL:
	case EFF_FREED:
	case EFF_PROBE:
		keep_for_later(sh, eff);
		break;
	case EFF_KIND_N:
		break;
	}
}

/* ---- after the step ------------------------------------------------------ */

static void
spawn_failed(struct shell *sh, node_t n, uint64_t inc, int step, int error)
{
	struct event ev = {
		.kind = EV_SPAWN_FAILED,
		.node = n,
		.inc = inc,
		.step = step,
		.code = error,
	};

	run_post(sh, &ev);
}

static void
send_hook(struct shell *sh, node_t n, uint64_t inc, enum proc_kind proc,
    const struct reason *why)
{
	struct node *nd = &sh->nodes[n];
	cleanup_(buf_fini) struct buf tail = { 0 };
	struct wire_spawn m;
	int r = hook_build(sh, n, inc, proc, why, &m, &tail);

	nd->sent_proc = proc;
	if (r < 0) {
		nd->sent_inc = inc;
		spawn_failed(sh, n, inc, STEP_EXEC, -r);
		return;
	}
	nd->sent_inc = inc;
	nd->n_signals = 0;
	run_send(sh, &sh->keeper, WIRE_SPAWN, 0, &m, tail.data, tail.len);
}

static void
send_spawn(struct shell *sh, node_t n, uint64_t inc)
{
	struct node *nd = &sh->nodes[n];
	const struct conf_worker *w = &nd->conf->worker;
	cleanup_(buf_fini) struct buf tail = { 0 };
	struct wire_spawn m;
	struct wire_proc proc = {
		.slot = n,
		.uid = w->has_user ? w->uid : sh->supd_uid,
		.inc = inc,
		.request = nd->added_by,
	};
	const struct spawn_ctx ctx = {
		.environ = (const char *const *)environ,
		.socket = sh->args->socket,
		.run_dir = sh->args->run_dir,
		.path = nd->path,
		.name = nd->conf->name,
		.slot = n,
		.inc = inc,
	};
	int r = spawn_build(&ctx, w, &m, &tail);

	nd->main_inc = inc;
	nd->unwell = nd->end_told = false;
	ends_reset(nd);
	nd->exited = (struct wire_exited){ 0 };
	nd->sent_proc = PROC_MAIN;
	if (r < 0) {
		spawn_failed(sh, n, inc, STEP_EXEC, -r);
		return;
	}
	nd->sent_inc = inc;
	nd->n_signals = 0;
	strlcpy(proc.path, nd->path, sizeof(proc.path));
	nd->added_by = 0;
	run_send(sh, &sh->bus, WIRE_PROC, 0, &proc, NULL, 0);
	run_send(sh, &sh->keeper, WIRE_SPAWN, 0, &m, tail.data, tail.len);
}

static void
spawn(struct shell *sh, node_t n, uint64_t inc, enum proc_kind proc,
    const struct reason *why)
{
	struct node *nd = &sh->nodes[n];

	respec_prepare(sh, n);
	if (nd->log_owed > 0 || nd->bus_owed > 0) {
		nd->held_inc = inc;
		nd->held_proc = proc;
		nd->held_reason = *why;
	} else if (nd->prep_error != 0) {
		spawn_failed(sh, n, inc, nd->prep_step, nd->prep_error);
	} else if (proc == PROC_MAIN) {
		send_spawn(sh, n, inc);
	} else {
		send_hook(sh, n, inc, proc, why);
	}
}

void
effect_prepared(struct shell *sh, node_t n)
{
	struct node *nd = &sh->nodes[n];
	uint64_t inc = nd->held_inc;

	if (inc == 0 || nd->log_owed > 0 || nd->bus_owed > 0)
		return;
	nd->held_inc = 0;
	spawn(sh, n, inc, nd->held_proc, &nd->held_reason);
}

static void
send_signal(struct shell *sh, const struct effect *eff)
{
	struct node *nd = &sh->nodes[eff->node];
	struct wire_signal m = {
		.slot = eff->node,
		.sig = eff->sig,
		.inc = eff->inc,
		.scope = eff->group ? SIGNAL_GROUP : SIGNAL_PROCESS,
	};

	if (nd->held_inc == eff->inc) {
		/* It was never started, and now it need not be. */
		nd->held_inc = 0;
		spawn_failed(sh, eff->node, eff->inc, STEP_NONE, ECANCELED);
		return;
	}
	if (nd->sent_inc != eff->inc)
		return;
	if (nd->n_signals++ > 0)
		record_signal(
		    sh, eff->node, eff->sig, "because it has not stopped yet");
	if (!ends_stop(sh, eff))
		run_send(sh, &sh->keeper, WIRE_SIGNAL, 0, &m, NULL, 0);
}

static void
freed(struct shell *sh, node_t n)
{
	if (sh->nodes[n].conf == NULL)
		return;
	if (sh->nodes[n].announced)
		record_removed(sh, n);
	tree_freed(sh, n);
}

/* How long the end of supd waits for the last words of who caused it. */
#define LAST_WORDS_NS NS_PER_S

static void
all_done(struct shell *sh, const struct effect *eff)
{
	bool failed =
	    eff->reason.kind == REASON_CHILD || eff->reason.why == WHY_GAVE_UP;

	sh->ending = true;
	sh->done_code = failed ? EXIT_GAVE_UP : EXIT_SHUTDOWN;
	sh->done_by = mono_add(sh->now, LAST_WORDS_NS);
	effect_end(sh);
}

/*
 * Who made supd end has often said why on its last line; the logger is asked
 * for that when the worker ends, and is given a moment to answer.
 */
void
effect_end(struct shell *sh)
{
	struct wire_done m = { .code = sh->done_code };

	if (!sh->ending || sh->done)
		return;
	if (sh->tails_owed > 0 && mono_before(sh->now, sh->done_by))
		return;
	request_end_all(sh);
	sh->done = true;
	run_send(sh, &sh->keeper, WIRE_DONE, 0, &m, NULL, 0);
}

void
effect_finish(struct shell *sh)
{
	/* Nothing here gives the core an event: run_post() only queues. */
	for (uint32_t i = 0; i < sh->after_len; i++) {
		const struct effect *eff = &sh->after[i];

		switch (eff->kind) {
		case EFF_SPAWN:
			spawn(sh, eff->node, eff->inc, eff->proc, &eff->reason);
			break;
		case EFF_SIGNAL:
			send_signal(sh, eff);
			break;
		case EFF_REPLY:
			if ((eff->tag & RELOAD_TAG) != 0)
				reload_reply(sh, eff);
			else
				request_reply(sh, eff);
			break;
		case EFF_FREED:
			freed(sh, eff->node);
			break;
		case EFF_DONE:
			all_done(sh, eff);
			break;
		case EFF_PROBE:
			probe_begin(sh, eff->node, eff->inc, eff->tag);
			break;
		case EFF_STATE:
		case EFF_REPORT:
		case EFF_KIND_N:
			break;
		}
	}
	sh->after_len = 0;
}
