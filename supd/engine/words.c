/* SPDX-License-Identifier: ISC */
#include "engine/words.h"

#include "base/buf.h"
#include "engine/shell.h"
#include "engine/text.h"

#include <stdio.h>

/* More names than these in one line help nobody. */
#define NAMES_MAX 8

struct names {
	struct buf text;
	uint32_t n, left_out;
};

static void
name_add(struct names *l, const char *name)
{
	if (l->n++ < NAMES_MAX)
		buf_printf(&l->text, "%s%s", l->n > 1 ? ", " : "", name);
	else
		l->left_out++;
}

static void
name_finish(struct names *l)
{
	if (l->left_out > 0)
		buf_printf(&l->text, " and %u more", l->left_out);
}

static bool
is_temporary(const struct engine *e, node_t n)
{
	const struct sup_spec *s = engine_sup_spec(e, n);

	return (s != NULL ? s->restart : engine_worker_spec(e, n)->restart) ==
	       TEMPORARY;
}

/* Children from `from` on that run and will be stopped, last first. */
static void
names_stopped(
    const struct engine *e, node_t from, node_t failed, struct names *l)
{
	uint32_t n = 0, cap = 0;
	node_t *run = NULL;

	for (; from != NODE_NONE; from = engine_next_child(e, from)) {
		enum child_state st = engine_state(e, from);

		if (from == failed || st == CHILD_STOPPED ||
		    st == CHILD_WAITING || st == CHILD_ENDED)
			continue;
		if (!run_grow(&run, &cap, n, sizeof(*run)))
			break;
		run[n++] = from;
	}
	while (n > 0)
		name_add(l, engine_name(e, run[--n]));
	free(run);
	name_finish(l);
}

static void
names_started(const struct engine *e, node_t from, struct names *l)
{
	for (; from != NODE_NONE; from = engine_next_child(e, from)) {
		const struct worker_spec *w = engine_worker_spec(e, from);

		if (!is_temporary(e, from) && (w == NULL || w->enabled))
			name_add(l, engine_name(e, from));
	}
	name_finish(l);
}

void
words_restart(
    const struct engine *e, const struct effect *eff, char *buf, size_t len)
{
	node_t sup = engine_parent(e, eff->node);
	const struct sup_spec *spec = engine_sup_spec(e, sup);
	char period[TEXT_DURATION_LEN];
	struct names stop = { 0 }, start = { 0 };
	node_t from = NODE_NONE;

	if (spec->strategy == REST_FOR_ONE)
		from = eff->node;
	else if (spec->strategy == ONE_FOR_ALL)
		from = engine_first_child(e, sup);
	if (from != NODE_NONE) {
		names_stopped(e, from, eff->node, &stop);
		names_started(e, from, &start);
	} else {
		name_add(&start, engine_name(e, eff->node));
	}
	snprintf(buf, len, "%s: %s%s%sstart %s (%u/%u in %s)",
	    strategy_name(spec->strategy), stop.n > 0 ? "stop " : "",
	    buf_str(&stop.text), stop.n > 0 ? "; " : "", buf_str(&start.text),
	    eff->used, eff->limit,
	    text_duration(spec->period_ns, period, sizeof(period)));
	buf_fini(&stop.text);
	buf_fini(&start.text);
}

void
words_gave_up(const struct engine *e, const struct effect *eff, const char *why,
    char *buf, size_t len)
{
	const struct sup_spec *spec = engine_sup_spec(e, eff->node);
	char period[TEXT_DURATION_LEN];

	if (eff->attempts) {
		snprintf(buf, len,
		    "%s was restarted %u time%s in a row, its max_attempts, "
		    "the last time for %s; stopping all children and giving up",
		    engine_name(e, eff->offender), eff->limit,
		    eff->limit == 1 ? "" : "s", why);
		return;
	}
	snprintf(buf, len,
	    "more than %u restart%s in %s, the last for %s (%s); stopping all "
	    "its children and giving up",
	    spec->intensity, spec->intensity == 1 ? "" : "s",
	    text_duration(spec->period_ns, period, sizeof(period)),
	    engine_name(e, eff->offender), why);
}

void
words_auto_shutdown(const struct engine *e, const struct effect *eff,
    const char *why, char *buf, size_t len)
{
	const struct sup_spec *spec = engine_sup_spec(e, eff->node);

	snprintf(buf, len, "%s: significant child %s has ended (%s); stopping",
	    auto_shutdown_name(spec->auto_shutdown),
	    engine_name(e, eff->offender), why);
}
