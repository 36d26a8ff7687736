/* SPDX-License-Identifier: ISC */
/* Lines of a tree, as they are in the files, into nodes and plans. */
#include "golden.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static node_t
find_in(node_t sup, const char *name)
{
	if (strcmp(engine_name(m.e, sup), name) == 0)
		return sup;
	for (node_t n = engine_first_child(m.e, sup); n != NODE_NONE;
	     n = engine_next_child(m.e, n)) {
		node_t found = find_in(n, name);

		if (found != NODE_NONE)
			return found;
	}
	return NODE_NONE;
}

node_t
find(const char *name)
{
	node_t n = name != NULL ? find_in(NODE_ROOT, name) : NODE_NONE;

	if (n == NODE_NONE)
		die("no such node");
	return n;
}

static enum strategy
parse_strategy(const char *s)
{
	static const char *const names[] = { "ofo", "rfo", "ofa", "sofo" };

	for (int i = 0; i < 4; i++)
		if (s != NULL && strcmp(s, names[i]) == 0)
			return (enum strategy)i;
	die("unknown strategy");
}

static bool
parse_common(const char *w, enum restart_type *restart, bool *significant)
{
	if (strcmp(w, "t") == 0)
		*restart = TRANSIENT;
	else if (strcmp(w, "x") == 0)
		*restart = TEMPORARY;
	else if (strcmp(w, "!") == 0)
		*significant = true;
	else
		return false;
	return true;
}

static struct home *
parse_sup(void)
{
	struct sup_spec s = { .restart = PERMANENT,
		.shutdown_deadline_ns = -1 };
	struct home *p;
	const char *w;
	unsigned i, per;

	s.strategy = parse_strategy(strtok(NULL, " "));
	w = strtok(NULL, " ");
	if (w == NULL || sscanf(w, "%u/%u", &i, &per) != 2 || i > WINDOW)
		die("bad intensity");
	s.intensity = i;
	s.period_ns = per * NS_PER_S;
	while ((w = strtok(NULL, " ")) != NULL) {
		if (parse_common(w, &s.restart, &s.significant))
			continue;
		if (strcmp(w, "any") == 0)
			s.auto_shutdown = AUTO_ANY_SIGNIFICANT;
		else if (strcmp(w, "all") == 0)
			s.auto_shutdown = AUTO_ALL_SIGNIFICANT;
		else if (sscanf(w, "deadline=%u", &i) == 1)
			s.shutdown_deadline_ns = i * NS_PER_MS;
		else if (sscanf(w, "max=%u", &i) == 1)
			s.max_children = i;
		else if (strcmp(w, "stays") == 0)
			s.on_giveup = GIVEUP_STOP;
		else
			die("bad supervisor word");
	}
	if (m.n_sups == ARRAY_LEN(m.sup_pool))
		die("too many supervisors");
	p = &m.sup_pool[m.n_sups++];
	p->s = s;
	return p;
}

static node_t
add_sup(node_t parent, const char *name)
{
	struct home *p = parse_sup();
	node_t n;

	n = engine_add_sup(m.e, parent, name, &p->s, p->window);
	if (n == NODE_NONE)
		die("the arena is full");
	return n;
}

static void
parse_worker(struct proc *p, char *w)
{
	struct worker_spec *s = &p->w;
	long v, most, factor;

	if (parse_common(w, &s->restart, &s->significant))
		return;
	if (strcmp(w, "off") == 0)
		s->enabled = false;
	else if (strcmp(w, "hang") == 0)
		p->stop_ms = -1;
	else if (sscanf(w, "stop=%ld", &v) == 1)
		p->stop_ms = v;
	else if (strcmp(w, "shutdown=inf") == 0)
		s->stop[0].wait_ns = -1;
	else if (strcmp(w, "shutdown=brutal") == 0)
		s->stop[0] = (struct stop_stage){ SIGKILL, 0 };
	else if (sscanf(w, "shutdown=%ld", &v) == 1)
		s->stop[0].wait_ns = v * NS_PER_MS;
	else if (sscanf(w, "timeout=%ld", &v) == 1)
		s->start_timeout_ns = v * NS_PER_MS;
	else if (sscanf(w, "grace=%ld", &v) == 1)
		s->start_grace_ns = v * NS_PER_MS;
	else if (sscanf(w, "start=%ld", &v) == 1)
		p->start_ms = v, s->ready = READY_EVENT;
	else if (sscanf(w, "fail=%ld", &v) == 1)
		p->fail = (int)v;
	else if (sscanf(w, "life=%ld", &v) == 1)
		p->life_ms = v;
	else if (sscanf(w, "backoff=%ld:%ld:%ld", &v, &most, &factor) == 3)
		s->backoff = (struct backoff){ v * NS_PER_MS, most * NS_PER_MS,
			(uint32_t)factor * 1000, 0 };
	else if (sscanf(w, "attempts=%ld", &v) == 1)
		s->max_attempts = (uint32_t)v;
	else if (sscanf(w, "reset=%ld", &v) == 1)
		s->reset_after_ns = v * NS_PER_MS;
	else if (sscanf(w, "v=%ld", &v) == 1)
		p->version = v;
	else if (strcmp(w, "keep") == 0)
		p->keep = true;
	else if (!life_word(&p->life, s, w))
		die("bad worker word");
}

/* The rest of a worker's line, as a spec that stays where it is. */
static const struct worker_spec *
parse_proc(struct proc *ret)
{
	struct proc p = {
		.w = {
			.restart = PERMANENT,
			.enabled = true,
			.kill_group = true,
			.start_timeout_ns = 60 * NS_PER_S,
			.stop = { { SIGTERM, 5 * NS_PER_S }, { SIGKILL, 0 } },
			.n_stop = 2,
			.hook_timeout_ns = 30 * NS_PER_S,
			.success = { .code = { 1 } },
			.fatal = { .code = { 0, UINT64_C(1) << (78 - 64) } },
		},
	};
	struct worker_spec *spare;
	char *w;

	while ((w = strtok(NULL, " ")) != NULL)
		parse_worker(&p, w);
	if (p.w.stop[0].sig == SIGKILL || p.w.stop[0].wait_ns < 0)
		p.w.n_stop = 1;
	/* The spec is borrowed: it must be where it will stay. */
	spare = &m.proc_pool[m.n_pool++];
	if (m.n_pool == ARRAY_LEN(m.proc_pool))
		die("too many workers");
	*spare = p.w;
	*ret = p;
	return spare;
}

node_t
add_worker(node_t parent, const char *name)
{
	struct proc p;
	const struct worker_spec *spec = parse_proc(&p);
	node_t n = engine_add_worker(m.e, parent, name, spec);

	if (n == NODE_NONE)
		die("the arena is full");
	m.proc[n] = p;
	return n;
}

void
tree_line(char *line, node_t *at)
{
	size_t indent = strspn(line, " ") / 2;
	char *w = strtok(line, " ");
	node_t parent = indent > 0 ? at[indent - 1] : NODE_NONE;

	if (strcmp(w, "sup") == 0)
		at[indent] = add_sup(parent, strtok(NULL, " "));
	else
		add_worker(parent, w);
}

/* ---- reload -------------------------------------------------------------- */

static struct plan_child *
lay_out(struct layout *l, node_t n)
{
	struct plan_child *k = &l->child[l->plan.n++];

	k->node = n;
	return k;
}

static void
lay_out_worker(struct layout *l, node_t n)
{
	struct proc p, *was = &m.proc[n];
	struct plan_child *k = lay_out(l, n);

	k->worker = parse_proc(&p);
	k->changed = was->inc != 0 && p.version != was->runs;
	k->adopt = !p.keep && l->plan.spec->strategy != SIMPLE_ONE_FOR_ONE;
	p.fail = p.fail != 0 ? p.fail : was->fail;
	p.alive = was->alive;
	p.inc = was->inc;
	p.proc = was->proc;
	p.runs = was->runs;
	*was = p;
}

static struct layout *
lay_out_sup(node_t n)
{
	struct layout *l = &m.layout[m.n_layouts++];
	const struct home *p = parse_sup();

	if (m.n_layouts == ARRAY_LEN(m.layout))
		die("too many plans");
	*l = (struct layout){ .sup = n };
	l->plan.spec = &p->s;
	l->plan.window = (mono_t *)(uintptr_t)p->window;
	l->plan.child = l->child;
	return l;
}

/* Where the lines of a new tree belong: one for each indentation. */
struct level {
	struct layout *l; /* NULL: below a new supervisor */
	node_t n;
};

static void
reload_line(char *line, struct level *at)
{
	size_t indent = strspn(line, " ") / 2;
	struct level up = indent > 0 ? at[indent - 1] : (struct level){ 0 };
	char *w = strtok(line, " ");
	bool sup = strcmp(w, "sup") == 0;
	const char *name = sup ? strtok(NULL, " ") : w;
	node_t n = NODE_ROOT;

	if (indent > 0)
		n = up.l != NULL ? engine_find_child(m.e, up.n, name)
		                 : NODE_NONE;
	if (n != NODE_NONE && engine_is_sup(m.e, n) != sup)
		n = NODE_NONE; /* something else is to have this name */
	if (n == NODE_NONE) {
		node_t parent = up.l != NULL ? NODE_NONE : up.n;

		n = sup ? add_sup(parent, name) : add_worker(parent, name);
		if (up.l != NULL)
			lay_out(up.l, n);
		at[indent] = (struct level){ NULL, n };
	} else if (sup) {
		if (up.l != NULL)
			lay_out(up.l, n)->adopt = true;
		at[indent] = (struct level){ lay_out_sup(n), n };
	} else {
		lay_out_worker(up.l, n);
	}
}

void
reload(size_t block)
{
	char *text = strdup(buf_str(&m.block[block])), *rest = text, *line;
	struct level at[32] = { 0 };
	size_t first = m.n_layouts;

	while ((line = strsep(&rest, "\n")) != NULL)
		if (line[0] != '\0')
			reload_line(line, at);
	free(text);
	for (size_t i = first; i < m.n_layouts; i++)
		engine_set_plan(m.e, m.layout[i].sup, &m.layout[i].plan);
	for (size_t i = first; i < m.n_layouts; i++)
		call(EV_RELOAD, m.layout[i].sup, NODE_NONE);
}
