/* SPDX-License-Identifier: ISC */
#include "engine/row.h"

#include "engine/hook.h"
#include "engine/probe.h"
#include "engine/ready.h"
#include "engine/text.h"
#include "engine/tree.h"

#include <stdio.h>
#include <string.h>

static void
stopped_detail(const struct shell *sh, node_t n, char *buf, size_t len)
{
	struct reason last = engine_last_reason(sh->core, n);
	const struct worker_spec *w = engine_worker_spec(sh->core, n);
	char text[96];

	if (w != NULL && !w->enabled)
		strlcpy(buf, "enabled: false", len);
	else if (!engine_wanted(sh->core, n))
		strlcpy(buf, "stopped by operator", len);
	else if (last.kind == REASON_NONE && engine_is_stale(sh->core, n))
		strlcpy(buf, "new; supctl apply starts it", len);
	else if (last.kind == REASON_NONE)
		strlcpy(buf, "not started yet", len);
	else if (last.kind == REASON_FATAL)
		strlcpy(buf, "fatal exit: not restarted", len);
	else
		strlcpy(
		    buf, text_reason(sh, n, &last, text, sizeof(text)), len);
}

/* "next try in 3.6s, attempt 4 of 5": backoff and max_attempts. */
static void
waiting_detail(const struct shell *sh, node_t n, char *buf, size_t len)
{
	const struct worker_spec *w = engine_worker_spec(sh->core, n);
	mono_t at = engine_node_deadline(sh->core, n);
	char left[TEXT_DURATION_LEN], count[64] = "";

	if (mono_is_never(at)) {
		strlcpy(buf, "its restart failed; trying again", len);
		return;
	}
	if (w != NULL && w->max_attempts != 0)
		snprintf(count, sizeof(count), ", attempt %u of %u",
		    engine_attempts(sh->core, n) + 1, w->max_attempts);
	snprintf(buf, len, "next try in %s%s",
	    text_duration(at.ns - sh->now.ns, left, sizeof(left)), count);
}

static void
detail(const struct shell *sh, node_t n, char *buf, size_t len)
{
	const struct node *nd = &sh->nodes[n];
	bool is_sup = engine_is_sup(sh->core, n);
	mono_t deadline = engine_node_deadline(sh->core, n);
	char left[TEXT_DURATION_LEN];

	switch (engine_state(sh->core, n)) {
	case CHILD_STARTING:
		if (!is_sup)
			ready_detail(sh, n, buf, len);
		break;
	case CHILD_READY:
		if (!is_sup && probe_is_failing(sh, n))
			probe_detail(sh, n, buf, len);
		else if (nd->status != NULL)
			strlcpy(buf, nd->status, len);
		else if (engine_is_stale(sh->core, n))
			strlcpy(
			    buf, "changed by a reload; see supctl diff", len);
		break;
	case CHILD_STOPPING:
		if (hook_running(sh, n) != PROC_MAIN)
			hook_detail(sh, n, buf, len);
		else if (!is_sup && !mono_is_never(deadline))
			snprintf(buf, len, "next signal in %s",
			    text_duration(
				deadline.ns - sh->now.ns, left, sizeof(left)));
		break;
	case CHILD_WAITING:
		waiting_detail(sh, n, buf, len);
		break;
	case CHILD_ENDED:
		strlcpy(buf, "ended; its supervisor is busy", len);
		break;
	case CHILD_STOPPED:
		stopped_detail(sh, n, buf, len);
		break;
	case CHILD_STATE_N:
		break;
	}
}

static void
fill_sup(const struct shell *sh, node_t n, struct wire_row *row)
{
	const struct sup_spec *spec = engine_sup_spec(sh->core, n);

	row->flags |= ROW_SUP | ROW_ENABLED;
	if (engine_busy(sh->core, n))
		row->flags |= ROW_BUSY;
	row->used = engine_window_used(sh->core, n, sh->now);
	row->limit = spec->intensity;
	row->period_ns = spec->period_ns;
	strlcpy(row->kind, strategy_name(spec->strategy), sizeof(row->kind));
	if (engine_state(sh->core, n) == CHILD_READY)
		strlcpy(row->state, "up", sizeof(row->state));
}

static void
fill_worker(const struct shell *sh, node_t n, struct wire_row *row)
{
	const struct worker_spec *spec = engine_worker_spec(sh->core, n);

	if (spec->enabled)
		row->flags |= ROW_ENABLED;
	row->pid = node_pid(&sh->nodes[n]);
	/* A hook is an incarnation of its own, but not one of the program. */
	if (sh->nodes[n].sent_proc != PROC_MAIN &&
	    sh->nodes[n].sent_inc == row->inc)
		row->inc = sh->nodes[n].main_inc;
	strlcpy(row->kind, restart_type_name(spec->restart), sizeof(row->kind));
}

void
row_fill(const struct shell *sh, node_t n, uint32_t depth, uint32_t order,
    struct wire_row *ret_row)
{
	const struct engine *e = sh->core;
	struct reason last = engine_last_reason(e, n);
	struct wire_row *row = ret_row;

	*row = (struct wire_row){
		.slot = n,
		.inc = engine_incarnation(e, n),
		.depth = depth,
		.order = order,
		.restarts = engine_restarts(e, n),
		.since_ns = sh->now.ns - engine_since(e, n).ns,
	};
	if (engine_wanted(e, n))
		row->flags |= ROW_WANTED;
	if (engine_is_dynamic(e, n))
		row->flags |= ROW_DYNAMIC;
	strlcpy(row->state, child_state_name(engine_state(e, n)),
	    sizeof(row->state));
	if (engine_is_sup(e, n))
		fill_sup(sh, n, row);
	else
		fill_worker(sh, n, row);
	if (last.kind != REASON_NONE && last.kind != REASON_IGNORE) {
		row->flags |= ROW_HAS_EXIT;
		row->last_exit_ns = sh->now.ns - engine_last_end(e, n).ns;
		text_reason(
		    sh, n, &last, row->last_exit, sizeof(row->last_exit));
	}
	detail(sh, n, row->detail, sizeof(row->detail));
	strlcpy(row->path, sh->nodes[n].path, sizeof(row->path));
}

static void
send_one(
    struct shell *sh, uint64_t tag, node_t n, uint32_t depth, uint32_t order)
{
	struct wire_row row;

	row_fill(sh, n, depth, order, &row);
	run_send(sh, &sh->bus, WIRE_ROW, tag, &row, NULL, 0);
}

void
row_send(struct shell *sh, uint64_t tag, node_t n)
{
	send_one(sh, tag, n, tree_depth(sh, n), tree_order(sh, n));
}

/* The depth of the tree is bounded by the configuration. */
static void
send_below(struct shell *sh, uint64_t tag, node_t sup, uint32_t depth)
{
	uint32_t order = 0;

	for (node_t c = engine_first_child(sh->core, sup); c != NODE_NONE;
	     c = engine_next_child(sh->core, c)) {
		send_one(sh, tag, c, depth, order++);
		send_below(sh, tag, c, depth + 1);
	}
}

void
row_send_tree(struct shell *sh, uint64_t tag, node_t top)
{
	row_send(sh, tag, top);
	send_below(sh, tag, top, tree_depth(sh, top) + 1);
}
