/* SPDX-License-Identifier: ISC */
#include "engine/gate.h"

#include "engine/tracefile.h"

/*
 * Append a record and hand it over.  A call of journal_*() fails only for want
 * of room; when there is no more to be had, the trace has ended.
 */
#define RECORD(sh, call)                                                       \
	do {                                                                   \
		struct journal *j_;                                            \
		size_t cap_;                                                   \
                                                                               \
		if ((sh)->trace == NULL)                                       \
			break;                                                 \
		j_ = tracefile_journal((sh)->trace);                           \
		do {                                                           \
			cap_ = j_->cap;                                        \
			if ((call) == 0)                                       \
				break;                                         \
			tracefile_room((sh)->trace);                           \
		} while (j_->cap > cap_);                                      \
		tracefile_push((sh)->trace);                                   \
	} while (0)

void
gate_init(struct shell *sh, uint32_t cap)
{
	sh->core = engine_init(sh->core_mem, cap);
}

int
gate_open(struct shell *sh, uint32_t cap)
{
	if (sh->args->trace_path == NULL)
		return 0;
	return tracefile_open(sh->args->trace_path, cap, &sh->trace);
}

void
gate_close(struct shell *sh)
{
	tracefile_close(sh->trace);
	sh->trace = NULL;
}

void
gate_step(struct shell *sh, const struct event *ev, struct effects *ret_todo)
{
	RECORD(sh, journal_event(j_, ev));
	engine_step(sh->core, ev, ret_todo);
}

void
gate_effect(struct shell *sh, const struct effect *eff)
{
	RECORD(sh, journal_effect(j_, eff));
}

node_t
gate_add_worker(struct shell *sh, node_t parent, const char *name,
    const struct worker_spec *spec)
{
	node_t n = engine_add_worker(sh->core, parent, name, spec);

	if (n != NODE_NONE)
		RECORD(sh, journal_add_worker(j_, n, parent, name, spec));
	return n;
}

node_t
gate_add_sup(struct shell *sh, node_t parent, const char *name,
    const struct sup_spec *spec, mono_t *window)
{
	node_t n = engine_add_sup(sh->core, parent, name, spec, window);

	if (n != NODE_NONE)
		RECORD(sh, journal_add_sup(j_, n, parent, name, spec));
	return n;
}

void
gate_discard(struct shell *sh, node_t n)
{
	RECORD(sh, journal_discard(j_, n));
	engine_discard(sh->core, n);
}

void
gate_set_spawn_interval(struct shell *sh, int64_t interval_ns)
{
	RECORD(sh, journal_spawn_interval(j_, interval_ns));
	engine_set_spawn_interval(sh->core, interval_ns);
}

void
gate_set_plan(struct shell *sh, node_t sup, const struct plan *plan)
{
	RECORD(sh, journal_plan(j_, sup, plan));
	engine_set_plan(sh->core, sup, plan);
}
