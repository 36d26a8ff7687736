/* SPDX-License-Identifier: ISC */
/* Frames from the other roles become events. */
#include "base/log.h"
#include "engine/ends.h"
#include "engine/ready.h"
#include "engine/record.h"
#include "engine/reload.h"
#include "engine/request.h"
#include "engine/text.h"
#include "engine/tree.h"

#include <string.h>

/* ---- keeper -------------------------------------------------------------- */

/* Its word came by another way, and earlier, than the keeper's of its birth. */
static void
early_ready(struct shell *sh, struct node *nd, const struct wire_spawned *m)
{
	struct event ev = {
		.kind = EV_READY,
		.node = m->slot,
		.inc = m->inc,
	};

	if (nd->early_inc == m->inc)
		run_post(sh, &ev);
}

static void
on_spawned(struct shell *sh, const struct wire_spawned *m)
{
	struct event ev = {
		.kind = EV_SPAWNED,
		.node = m->slot,
		.inc = m->inc,
		.code = m->pid,
	};
	struct node *nd;

	if (!tree_has(sh, m->slot))
		return;
	nd = &sh->nodes[m->slot];
	if (nd->sent_inc != m->inc)
		return;
	if (nd->sent_proc == PROC_MAIN) {
		nd->pid = m->pid;
		nd->pid_gone = false;
		nd->spawned_at = sh->now;
		record_spawned(sh, m->slot);
	} else {
		nd->hook_pid = m->pid;
		record_hook(sh, m->slot);
	}
	run_post(sh, &ev);
	early_ready(sh, nd, m);
}

/* Is this about the program itself, rather than about a hook? */
static bool
is_main(const struct shell *sh, uint32_t slot, uint64_t inc)
{
	const struct node *nd = &sh->nodes[slot];

	return nd->sent_proc == PROC_MAIN || nd->sent_inc != inc;
}

static void
on_execed(struct shell *sh, const struct wire_id *m)
{
	struct event ev = {
		.kind = EV_EXECED,
		.node = m->slot,
		.inc = m->inc,
	};

	if (!tree_has(sh, m->slot))
		return;
	run_post(sh, &ev);
	if (engine_state(sh->core, m->slot) == CHILD_STARTING &&
	    is_main(sh, m->slot, m->inc) &&
	    engine_incarnation(sh->core, m->slot) == m->inc)
		ready_start(sh, m->slot, m->inc);
}

/* An incarnation has ended: its names are to be free before what follows. */
static void
send_dead(struct shell *sh, node_t n, uint64_t inc, const char *reason)
{
	struct wire_dead dead = { .slot = n, .inc = inc };

	strlcpy(dead.reason, reason, sizeof(dead.reason));
	run_send(sh, &sh->bus, WIRE_DEAD, 0, &dead, NULL, 0);
}

static void
on_spawn_failed(struct shell *sh, const struct wire_failed *m)
{
	struct event ev = {
		.kind = EV_SPAWN_FAILED,
		.node = m->slot,
		.inc = m->inc,
		.step = m->step,
		.code = m->error,
	};

	if (!tree_has(sh, m->slot))
		return;
	/* The bus has been told of a program by PROC, and of no hook. */
	if (is_main(sh, m->slot, m->inc))
		send_dead(sh, m->slot, m->inc, spawn_step_name(m->step));
	run_post(sh, &ev);
}

/* The program has ended; its state may wait for post_stop. */
static void
note_end(struct shell *sh, const struct wire_exited *m)
{
	struct node *nd = &sh->nodes[m->slot];

	if (nd->sent_inc != m->inc)
		return;
	nd->pid_gone = true;
	nd->ended_at = sh->now;
	nd->exited = *m;
}

static void
on_exited(struct shell *sh, const struct wire_exited *m)
{
	struct event ev = {
		.kind = EV_EXITED,
		.node = m->slot,
		.inc = m->inc,
		.code = m->status,
		.is_signal = m->is_signal != 0,
		.core = m->core != 0,
	};
	struct wire_id ended = { .slot = m->slot, .inc = m->inc };

	if (!tree_has(sh, m->slot)) {
		ends_tell(sh, m);
	} else if (is_main(sh, m->slot, m->inc)) {
		/* Before anything that could follow from it: D7. */
		ev.declared = ends_tell(sh, m);
		note_end(sh, m);
	} else {
		sh->nodes[m->slot].hook_pid = 0;
	}
	if (tree_has(sh, m->slot) && sh->nodes[m->slot].log_open)
		run_send(sh, &sh->logger, WIRE_LOG_FLUSH, 0, &ended, NULL, 0);
	if (m->leftover && tree_has(sh, m->slot))
		log_warnx("%s: some of its process group would not end; going "
			  "on without them",
		    text_short(sh->nodes[m->slot].path));
	run_post(sh, &ev);
}

static void
on_shutdown(struct shell *sh)
{
	struct event ev = { .kind = EV_SHUTDOWN };

	if (!sh->stopping)
		log_info("stopping: a signal asked for it");
	sh->stopping = true;
	run_post(sh, &ev);
}

/* A command in a slot that no worker has. */
static void
on_aux(struct shell *sh, const struct wire_hdr *h)
{
	if (h->type == WIRE_SPAWN_FAILED)
		aux_failed(sh, wire_body(h));
	else if (h->type == WIRE_EXITED)
		aux_exited(sh, wire_body(h));
}

/* The slot that a frame of the keeper's is about, or 0. */
static uint32_t
slot_of(const struct wire_hdr *h)
{
	switch (h->type) {
	case WIRE_SPAWNED:
		return ((const struct wire_spawned *)wire_body(h))->slot;
	case WIRE_EXECED:
		return ((const struct wire_id *)wire_body(h))->slot;
	case WIRE_SPAWN_FAILED:
		return ((const struct wire_failed *)wire_body(h))->slot;
	case WIRE_EXITED:
		return ((const struct wire_exited *)wire_body(h))->slot;
	default:
		return 0;
	}
}

void
input_keeper(struct shell *sh, const struct wire_hdr *h)
{
	const void *m = wire_body(h);

	if (aux_has(sh, slot_of(h))) {
		on_aux(sh, h);
		return;
	}
	switch (h->type) {
	case WIRE_SPAWNED:
		on_spawned(sh, m);
		break;
	case WIRE_EXECED:
		on_execed(sh, m);
		break;
	case WIRE_SPAWN_FAILED:
		on_spawn_failed(sh, m);
		break;
	case WIRE_EXITED:
		on_exited(sh, m);
		break;
	case WIRE_SHUTDOWN:
		on_shutdown(sh);
		break;
	case WIRE_RELOAD:
		reload_signal(sh);
		break;
	default:
		log_warnx("unexpected %s frame from the keeper: ignored",
		    wire_type_name(h->type));
		break;
	}
}

/* ---- bus and logger ------------------------------------------------------ */

/*
 * An answer to LOG_OPEN or PREPARE.  Answers come in the order of asking, so
 * only the last one owed is about the present user of the slot.
 */
static void
on_prepared(struct shell *sh, const struct wire_result *m, bool from_bus)
{
	struct node *nd;
	uint32_t *owed;

	if (m->slot == NODE_NONE || m->slot > sh->cap)
		return;
	nd = &sh->nodes[m->slot];
	owed = from_bus ? &nd->bus_owed : &nd->log_owed;
	if (*owed == 0 || --*owed > 0 || !tree_has(sh, m->slot))
		return;
	if (m->error != 0) {
		nd->prep_error = m->error;
		nd->prep_step = from_bus ? STEP_NONE : STEP_LOG;
		free(nd->prep_text);
		nd->prep_text = *m->text != '\0' ? strdup(m->text) : NULL;
		log_warnx("%s: cannot prepare %s: %s", text_short(nd->path),
		    from_bus ? "its sockets" : "its log",
		    *m->text != '\0' ? m->text : strerror(m->error));
	}
	effect_prepared(sh, m->slot);
}

static void
on_ready(struct shell *sh, const struct wire_ready *m)
{
	struct event ev = {
		.kind = EV_READY,
		.node = m->slot,
		.inc = m->inc,
	};
	struct node *nd;
	enum ready_mode mode;

	if (!tree_has(sh, m->slot) || engine_is_sup(sh->core, m->slot) ||
	    engine_incarnation(sh->core, m->slot) != m->inc)
		return;
	nd = &sh->nodes[m->slot];
	if (*m->status != '\0') {
		free(nd->status);
		nd->status = strdup(m->status);
	}
	mode = nd->conf->worker.ready;
	if (mode != READY_MODE_NOTIFY && mode != READY_MODE_NOTIFY_FD)
		return;
	if (nd->pid == 0)
		nd->early_inc = m->inc;
	else
		run_post(sh, &ev);
}

static void
on_beat(struct shell *sh, const struct wire_beat *m)
{
	struct event ev = {
		.kind = EV_BEAT,
		.node = m->slot,
		.inc = m->inc,
		.code = m->unwell != 0,
	};

	if (!tree_has(sh, m->slot))
		return;
	if (m->unwell && sh->nodes[m->slot].sent_inc == m->inc)
		sh->nodes[m->slot].unwell = true;
	run_post(sh, &ev);
}

void
input_bus(struct shell *sh, const struct wire_hdr *h)
{
	const void *m = wire_body(h);
	const char *tail;
	size_t len;

	switch (h->type) {
	case WIRE_PREPARED:
		on_prepared(sh, m, true);
		break;
	case WIRE_READY:
		on_ready(sh, m);
		break;
	case WIRE_BEAT:
		on_beat(sh, m);
		break;
	case WIRE_TRAPS:
		ends_traps(sh, m);
		break;
	case WIRE_DECLARED:
		ends_declared(sh, h->tag, m);
		break;
	case WIRE_EXIT:
		ends_signal(sh, m);
		break;
	case WIRE_REQUEST:
		tail = wire_tail(h, &len);
		request_open(sh, h->tag, m, len > 0 ? tail : "");
		break;
	case WIRE_CANCEL:
		request_cancel(sh, h->tag);
		break;
	default:
		log_warnx("unexpected %s frame from the bus: ignored",
		    wire_type_name(h->type));
		break;
	}
}

void
input_logger(struct shell *sh, const struct wire_hdr *h)
{
	const struct wire_log_line *line;
	const char *text;
	size_t len;

	switch (h->type) {
	case WIRE_LOG_OPENED:
		on_prepared(sh, wire_body(h), false);
		break;
	case WIRE_LOG_LINE:
		line = wire_body(h);
		text = wire_tail(h, &len);
		if (len == 0)
			break;
		if (h->tag & 1)
			request_line(sh, h->tag >> 1, text);
		else
			record_last_line(sh, h->tag >> 1, line->slot, text);
		break;
	case WIRE_LOG_END:
		if (h->tag & 1) {
			request_line_end(sh, h->tag >> 1);
		} else if (sh->tails_owed > 0) {
			sh->tails_owed--;
			effect_end(sh);
		}
		break;
	default:
		log_warnx("unexpected %s frame from the logger: ignored",
		    wire_type_name(h->type));
		break;
	}
}
