/* SPDX-License-Identifier: ISC */
/* What the engine waits for, told by its state: for one that was rebuilt. */
#include "core/journal.h"
#include "core/tree.h"

#include <assert.h>
#include <signal.h>

/*
 * The signal of the stage that the stop is in, after those that were sent
 * together with it because there is no time between them.
 */
static void
emit_stop(struct engine *e, struct node *c)
{
	const struct stop_stage *stop = c->w.spec->stop;
	uint32_t i = c->w.stage;

	if (c->w.killed) {
		emit_signal(e, c, SIGKILL);
		return;
	}
	while (i > 0 && stop[i - 1].wait_ns == 0)
		i--;
	for (; i <= c->w.stage; i++)
		emit_signal(e, c, stop[i].sig);
}

static void
emit_worker(struct engine *e, struct node *c)
{
	switch (c->w.phase) {
	case PHASE_PRE:
	case PHASE_SPAWN:
		emit_spawn(e, c);
		break;
	case PHASE_POST:
		emit_spawn(e, c);
		if (c->w.killed)
			emit_signal(e, c, SIGKILL);
		break;
	case PHASE_RUN:
		if (c->w.probing)
			emit_probe(e, c);
		break;
	case PHASE_ABORT:
	case PHASE_STOP:
		emit_stop(e, c);
		break;
	case PHASE_NONE:
	case PHASE_TOKEN:
	case PHASE_BACKOFF:
	case PHASE_SETTLE:
	case PHASE_WAIT:
	case PHASE_POST_BACKOFF:
	case PHASE_N:
		break;
	}
}

void
engine_outstanding(struct engine *e, struct effects *todo)
{
	struct effect done = { .kind = EFF_DONE };

	assert(e->todo == NULL);
	e->todo = todo;
	for (node_t n = 1; n <= e->high; n++) {
		struct node *c = node_of(e, n);

		if (c->used && !c->is_sup)
			emit_worker(e, c);
	}
	e->todo = NULL;
	if (!e->done)
		return;
	done.reason = node_of(e, NODE_ROOT)->last;
	todo->emit(todo->ctx, &done);
}
