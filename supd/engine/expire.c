/* SPDX-License-Identifier: ISC */
/*
 * A request runs out of time: say what it waits for.  The answer is held a
 * moment for the worker's last line of output; no decision is.
 */
#include "engine/ready.h"
#include "engine/request.h"
#include "engine/text.h"
#include "engine/tree.h"

#include <string.h>

/* How long the answer waits for a last line of output. */
#define EXPLAIN_NS (250 * NS_PER_MS)

/* ---- out of time -----------------------------------------------------------
 */

static const char *
undone_words(const struct request *r)
{
	switch (r->op) {
	case OP_STOP:
	case OP_REMOVE:
		return "did not stop";
	case OP_WAIT:
		if (r->what == WAIT_DOWN)
			return "did not go down";
		if (r->what == WAIT_RESTARTED)
			return "was not restarted";
		break;
	case OP_STATUS:
	case OP_SHOW:
	case OP_WHY:
	case OP_EVENTS:
	case OP_START:
	case OP_RESTART:
	case OP_KILL:
	case OP_ADD:
	case OP_SHUTDOWN:
	case OP_DIFF:
	case OP_APPLY:
	case OP_RELOAD:
	case OP_SIMULATE:
	case OP_CHILD:
	case OP_N:
		break;
	}
	return "did not become ready";
}

const struct target *
expire_undone(const struct request *r)
{
	for (uint32_t i = 0; i < r->n_targets; i++)
		if (r->target[i].stage != TARGET_DONE)
			return &r->target[i];
	return NULL;
}

/* "app/api did not become ready within 10s (starting, pid 9311 alive)" */
static void
timeout_text(const struct request *r, const struct target *t, struct buf *out)
{
	struct shell *sh = r->sh;
	char limit[TEXT_DURATION_LEN], what[256];

	buf_printf(out, "%s %s within %s", t->path, undone_words(r),
	    text_duration(r->timeout_ns, limit, sizeof(limit)));
	if (!request_target_there(r, t))
		return;
	buf_printf(out, " (%s", child_state_name(engine_state(sh->core, t->n)));
	if (node_pid(&sh->nodes[t->n]) != 0)
		buf_printf(out, ", pid %d alive", sh->nodes[t->n].pid);
	buf_puts(out, ")");
	if (!engine_is_sup(sh->core, t->n) &&
	    engine_state(sh->core, t->n) == CHILD_STARTING) {
		ready_awaited(sh, t->n, what, sizeof(what));
		buf_printf(out, "\n  waiting for: %s", what);
	}
	if (r->last_line != NULL)
		buf_printf(out, "\n  last output: %s", r->last_line);
	if (r->n_targets - r->n_done > 1)
		buf_printf(out, "\n  and %u more are not done",
		    r->n_targets - r->n_done - 1);
}

/* What was begun goes on; only nobody is told any more. */
static void
give_up_waiting(struct request *r)
{
	const struct target *t = expire_undone(r);
	cleanup_(buf_fini) struct buf text = { 0 };

	buf_add(&text, buf_str(&r->errors), r->errors.len);
	if (t != NULL)
		timeout_text(r, t, &text);
	request_answer(r, CTL_TIMEOUT, buf_str(&text));
	if (r->op == OP_WAIT)
		request_forget(r);
}

void
expire_request(void *arg)
{
	struct request *r = arg;
	struct shell *sh = r->sh;
	const struct target *t = expire_undone(r);
	struct wire_log_tail m = { .n = 1 };

	run_enter(sh);
	if (r->explaining || t == NULL || !request_target_there(r, t) ||
	    !sh->nodes[t->n].log_open) {
		give_up_waiting(r);
	} else {
		r->explaining = true;
		m.slot = t->n;
		run_send(sh, &sh->logger, WIRE_LOG_TAIL, r->id << 1 | 1, &m,
		    NULL, 0);
		if (timer_set(r->timer, EXPLAIN_NS) < 0)
			run_broken(sh, "request timer", ENOMEM);
	}
	run_leave(sh);
}

void
request_line(struct shell *sh, uint64_t id, const char *line)
{
	struct request *r = request_by_id(sh, id);

	if (r == NULL || !r->explaining)
		return;
	free(r->last_line);
	r->last_line = strdup(line);
}

void
request_line_end(struct shell *sh, uint64_t id)
{
	struct request *r = request_by_id(sh, id);

	if (r != NULL && r->explaining && !r->answered)
		give_up_waiting(r);
}
