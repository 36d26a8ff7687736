/* SPDX-License-Identifier: ISC */
#include "golden.h"

#include <string.h>

#define SLOW_MS 2000 /* a start or a stop that waits for `go` */
#define TURN_MS 100  /* from one command to the next: kills are over by then */

static const char *const strategies[] = { "ofo", "rfo", "ofa", "sofo" };
static const char *const autos[] = { "", " any", " all" };
static const char *const restarts[] = { "", " t", " x" };

struct writer {
	const struct script *s;
	struct buf *out;
	const struct reload *now[ITEMS_MAX + 1];
	bool timed;
	int at_ms;
};

static void
name(const struct writer *w, int id)
{
	buf_printf(w->out, "%c%d", w->s->item[id].is_sup ? 's' : 'w', id);
}

/* ---- the tree --------------------------------------------------------------
 */

static bool
is_slow_to_start(const struct writer *w, int id)
{
	for (int i = 0; i < w->s->n_commands; i++) {
		const struct op *o = &w->s->command[i].op[0];

		if (o->kind == OP_HOLD && o->id == id)
			return true;
	}
	return false;
}

static void
worker_words(const struct writer *w, const struct item *it, int id)
{
	if (it->significant)
		buf_puts(w->out, " !");
	if (!it->enabled)
		buf_puts(w->out, " off");
	if (it->on_stop == ON_STOP_REFUSE)
		buf_puts(w->out, " hang");
	else if (it->on_stop == ON_STOP_SLOW)
		buf_printf(w->out, " stop=%d", SLOW_MS);
	if (it->shutdown_ms == BRUTAL)
		buf_puts(w->out, " shutdown=brutal");
	else if (it->shutdown_ms == FOR_EVER)
		buf_puts(w->out, " shutdown=inf");
	else if (it->shutdown_ms != 5000)
		buf_printf(w->out, " shutdown=%d", it->shutdown_ms);
	if (it->ready_by == READY_BY_GRACE)
		buf_puts(w->out, " grace=1");
	else if (is_slow_to_start(w, id))
		buf_printf(w->out, " start=%d", SLOW_MS);
	else if (it->ready_by != READY_BY_EXEC)
		buf_printf(w->out, " start=%d", it->ready_by == READY_BY_DELAY);
	if (it->timeout_ms != FOR_EVER)
		buf_printf(w->out, " timeout=%d", it->timeout_ms);
}

static void
worker(const struct writer *w, const struct item *it, int id)
{
	name(w, id);
	buf_puts(w->out, restarts[it->restart]);
	worker_words(w, it, id);
	buf_puts(w->out, "\n");
}

static void sup(const struct writer *w, int id, int depth);

static void
child(const struct writer *w, const struct item *it, int id, int depth)
{
	if (it->is_sup) {
		sup(w, id, depth);
		return;
	}
	buf_printf(w->out, "%*s", depth * 2, "");
	worker(w, it, id);
}

static void
sup(const struct writer *w, int id, int depth)
{
	const struct item *it = &w->s->item[id];
	const struct reload *r = w->now[id];

	buf_printf(w->out, "%*ssup ", depth * 2, "");
	name(w, id);
	buf_printf(w->out, " %s %d/%d%s%s%s\n",
	    strategies[r != NULL ? r->strategy : it->strategy],
	    r != NULL ? r->intensity : it->intensity, it->period_s,
	    id > 1 ? restarts[it->restart] : "", it->significant ? " !" : "",
	    autos[r != NULL ? r->auto_shutdown : it->auto_shutdown]);
	for (int i = 0; r != NULL && i < r->n; i++) {
		struct item c = w->s->item[r->child[i].id];

		if (!c.is_sup) {
			c.restart = r->child[i].restart;
			c.significant = r->child[i].significant;
			c.shutdown_ms = r->child[i].shutdown_ms;
		}
		child(w, &c, r->child[i].id, depth + 1);
	}
	for (int i = id + 1; r == NULL && i <= ITEMS_MAX; i++) {
		const struct item *c = &w->s->item[i];

		if (c->used && c->is_static && c->parent == id)
			child(w, c, i, depth + 1);
	}
}

/* ---- commands --------------------------------------------------------------
 */

static void
unsaid(const struct writer *w, const char *why, const struct command *c)
{
	buf_printf(w->out, "# %s: ", why);
	script_print_command(w->s, c, w->out);
	buf_puts(w->out, "\n");
}

static void
at(const struct writer *w, bool with_others)
{
	if (w->timed || with_others)
		buf_printf(w->out, "@%d ", w->at_ms);
}

static void
one(const struct writer *w, const struct op *o, const struct command *c)
{
	const struct item *it = &w->s->item[o->id];

	if (o->kind == OP_START && it->is_sup) {
		unsaid(w, "adds a supervisor", c);
		return;
	}
	at(w, c->n > 1);
	buf_puts(w->out, op_names[o->kind]);
	buf_puts(w->out, " ");
	if (o->kind >= OP_START) {
		name(w, it->parent);
		buf_puts(w->out, " ");
	}
	if (o->kind == OP_START) {
		worker(w, it, o->id);
		return;
	}
	name(w, o->id);
	if (o->kind == OP_FAIL)
		buf_printf(w->out, " %d", o->arg);
	buf_puts(w->out, "\n");
}

static void
reload(struct writer *w, const struct command *c)
{
	const struct reload *r = &w->s->reload[c->op[0].arg];

	w->now[r->sup] = r;
	if (w->timed) {
		unsaid(w, "a reload has no time", c);
		return;
	}
	buf_puts(w->out, "reload\n");
	sup(w, 1, 0);
	buf_puts(w->out, "end\n");
}

static void
command(struct writer *w, const struct command *c)
{
	const struct op *o = &c->op[0];

	w->at_ms += TURN_MS;
	switch (o->kind) {
	case OP_BOOT:
	case OP_SHUTDOWN:
		at(w, false);
		buf_printf(w->out, "%s\n", op_names[o->kind]);
		break;
	case OP_WHICH:
		at(w, false);
		buf_puts(w->out, "which s1\n");
		break;
	case OP_WAIT:
		if (!w->timed)
			buf_printf(w->out, "run %d\n", o->arg);
		w->at_ms += o->arg;
		break;
	case OP_GO:
	case OP_DRAIN:
		w->at_ms += w->timed ? SLOW_MS : 0;
		break;
	case OP_HOLD:
		break; /* the worker says it */
	case OP_RELOAD:
		reload(w, c);
		break;
	case OP_FAIL:
	case OP_DIE:
	case OP_OK:
	case OP_TERM:
	case OP_START:
	case OP_TERMINATE:
	case OP_RESTART:
	case OP_DELETE:
		for (int i = 0; i < c->n; i++)
			one(w, &c->op[i], c);
		if (c->n > 1 && !w->timed)
			buf_printf(w->out, "run %d\n", w->at_ms + TURN_MS);
		break;
	case OP_N:
		break;
	}
}

static bool
takes_time(const struct script *s)
{
	for (int id = 1; id <= ITEMS_MAX; id++)
		if (s->item[id].used && !s->item[id].is_sup &&
		    s->item[id].on_stop == ON_STOP_SLOW)
			return true;
	for (int i = 0; i < s->n_commands; i++)
		if (s->command[i].op[0].kind == OP_HOLD)
			return true;
	return false;
}

void
golden_print(const struct script *s, struct buf *out)
{
	struct writer w = { .s = s, .out = out, .timed = takes_time(s) };

	for (int id = 1; id <= ITEMS_MAX; id++)
		if (s->item[id].used && !s->item[id].is_sup &&
		    s->item[id].answer != ANSWER_SHUTDOWN)
			buf_printf(out, "# w%d answers a stop with exit %d\n",
			    id, s->item[id].answer == ANSWER_CRASH);
	sup(&w, 1, 0);
	for (int i = 0; i < s->n_commands; i++)
		command(&w, &s->command[i]);
	if (w.timed)
		buf_printf(out, "timed\nrun %d\n", w.at_ms + 10 * SLOW_MS);
}
