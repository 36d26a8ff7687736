/* SPDX-License-Identifier: ISC */
/*
 * Golden traces of the core: a tree, a script, and what the supervisors do.
 *
 *   golden_core FILE...            compare, TAP on stdout
 *   golden_core --update FILE...   rewrite the files' "> " lines
 *
 * A file holds a tree, then commands, each followed by its expected trace:
 *
 *   sup NAME STRATEGY I/P [t|x] [!] [any|all] [deadline=MS]   (indented:
 * nested) NAME [t|x] [!] [off] [stop=MS|hang] [shutdown=MS|inf|brutal]
 * [start=MS] [fail=N] [life=MS] [backoff=MIN:MAX:FACTOR] [attempts=N]
 * [reset=MS] [words of golden_life.h]                             (a worker)
 *
 *   boot | shutdown | run MS | which SUP
 *   die NAME... | ok NAME... | term NAME... | fatal NAME...   (all at once)
 *   fail NAME N | nofork NAME N | life NAME MS | rate MS
 *   terminate|restart|delete NAME
 *   terminate|restart|delete SUP NAME    whoever it is when its turn comes
 *   retry NAME | clear NAME | beat NAME | unwell NAME
 *   bad|well|sick|mute NAME ...   see golden_life.h
 *   start SUP WORKER-LINE
 *   apply SUP | stale SUP         stale: what an apply would touch
 *   reload                        a new tree, until `end`: nodes that have the
 *     TREE                        same path are kept; `v=N` of a worker is the
 *   end                           program it runs; `keep`: leave a dynamic
 *                                 child that is named where it is
 *   @MS COMMAND                   at that time of the next `run`
 *
 * Words of their own: timed, reports, whys (of stops), frees.
 *
 * t: transient, x: temporary, !: significant.  Virtual time: every command but
 * @ runs the machine until nothing is left to happen.
 */
#include "base/buf.h"
#include "core/engine.h"
#include "core/trace.h"
#include "golden_life.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CAP       64
#define QUEUE_MAX 512
#define WINDOW    64

/* The simulated side of a node. */
struct proc {
	struct worker_spec w;
	bool alive;
	uint64_t inc;
	enum proc_kind proc;
	int64_t stop_ms; /* < 0: ignores SIGTERM */
	int64_t start_ms;
	int64_t life_ms; /* 0: until told */
	int fail;        /* this many starts will fail; < 0: all */
	int nofork;      /* this many forks will find no resources */
	long version;    /* what its configuration says to run */
	long runs;       /* what it has been started as */
	bool keep;
	struct life life;
};

/* What a supervisor borrows. */
struct home {
	struct sup_spec s;
	mono_t window[WINDOW];
};

/* A plan of a reload, kept until it is answered: for good. */
struct layout {
	struct plan plan;
	struct plan_child child[CAP];
	node_t sup;
};

struct due {
	int64_t at_ms;
	uint64_t seq;
	bool command;
	struct event ev;
	char text[128];
};

static struct machine {
	struct engine *e;
	struct proc proc[CAP + 1];
	struct worker_spec proc_pool[CAP * 4];
	size_t n_pool;
	struct home sup_pool[CAP];
	size_t n_sups;
	struct due queue[QUEUE_MAX];
	size_t n_queue;
	uint64_t seq;
	int64_t now_ms;
	bool timed;
	bool reports;
	bool whys;
	bool frees;
	bool asked;
	struct layout layout[64];
	size_t n_layouts;
	struct buf block[16]; /* the trees of `reload` */
	size_t n_blocks;
	uint64_t applies; /* bit: this tag is of an apply */
	uint64_t tag;
	struct buf line; /* the trace of the present command */
	const char *file;
	int lineno;
} m;

static void run_command(char *text);

static _Noreturn void
die(const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", m.file, m.lineno, what);
	exit(2);
}

printf_(1, 2) static void tell(const char *fmt, ...)
{
	va_list ap;

	if (m.line.len != 0)
		buf_puts(&m.line, ", ");
	if (m.timed)
		buf_printf(&m.line, "%lld ", (long long)m.now_ms);
	va_start(ap, fmt);
	buf_vprintf(&m.line, fmt, ap);
	va_end(ap);
}

static struct due *
push(int64_t in_ms)
{
	struct due *d;

	if (m.n_queue == QUEUE_MAX)
		die("too many pending events");
	d = &m.queue[m.n_queue++];
	*d = (struct due){ .at_ms = m.now_ms + in_ms, .seq = m.seq++ };
	return d;
}

static struct event *
push_event(int64_t in_ms, enum event_kind kind, node_t n)
{
	struct due *d = push(in_ms);

	d->ev.kind = kind;
	d->ev.node = n;
	d->ev.inc = m.proc[n].inc;
	return &d->ev;
}

static void
push_exit(int64_t in_ms, node_t n, int code, bool is_signal)
{
	struct event *ev = push_event(in_ms, EV_EXITED, n);

	ev->code = code;
	ev->is_signal = is_signal;
}

/* ---- what the machine does with effects --------------------------------- */

static void
run_hook(node_t n, enum proc_kind proc, const struct reason *why)
{
	struct proc *p = &m.proc[n];
	char text[96];
	int64_t ms;
	int code = life_hook(&p->life, proc, &ms);

	p->alive = true;
	push_event(0, EV_EXECED, n);
	if (proc == PROC_PRE_START)
		tell("pre_start %s", engine_name(m.e, n));
	else
		tell("post_stop %s (%s)", engine_name(m.e, n),
		    reason_text(why, text, sizeof(text)));
	if (ms >= 0)
		push_exit(ms, n, code, false);
}

static void
spawn(const struct effect *eff)
{
	node_t n = eff->node;
	struct proc *p = &m.proc[n];

	p->inc = eff->inc;
	p->proc = eff->proc;
	if (p->nofork > 0) {
		struct event *ev = push_event(1, EV_SPAWN_FAILED, n);

		ev->code = EAGAIN;
		p->nofork--;
		tell("nofork %s", engine_name(m.e, n));
		return;
	}
	if (eff->proc != PROC_MAIN) {
		run_hook(n, eff->proc, &eff->reason);
		return;
	}
	if (p->fail != 0) {
		/* Takes a moment, so that calls can come in between. */
		struct event *ev = push_event(1, EV_SPAWN_FAILED, n);

		ev->step = 1;
		ev->code = ENOENT;
		p->fail -= p->fail > 0;
		tell("fail %s", engine_name(m.e, n));
		return;
	}
	tell("start %s", engine_name(m.e, n));
	p->alive = true;
	p->runs = p->version;
	push_event(0, EV_EXECED, n);
	if (p->w.ready == READY_EVENT)
		push_event(p->start_ms, EV_READY, n);
	if (p->life_ms != 0)
		push_exit(p->life_ms, n, 1, false);
}

static void
on_signal(const struct effect *eff)
{
	struct proc *p = &m.proc[eff->node];

	if (eff->sig == SIGKILL && p->w.stop[0].sig != SIGKILL)
		tell("kill %s", engine_name(m.e, eff->node));
	if (!p->alive || p->inc != eff->inc)
		return;
	if (eff->sig == SIGKILL)
		push_exit(0, eff->node, SIGKILL, true);
	else if (p->stop_ms >= 0)
		push_exit(p->stop_ms, eff->node, eff->sig, true);
}

static void
probe(const struct effect *eff)
{
	struct proc *p = &m.proc[eff->node];
	struct event *ev;

	tell("probe %s", engine_name(m.e, eff->node));
	if (p->life.mute)
		return;
	ev = push_event(0, EV_PROBED, eff->node);
	ev->tag = eff->tag;
	ev->code = p->life.sick;
}

static const char *
why_word(int why)
{
	return why == WHY_RELOAD  ? "reload"
	       : why == WHY_GROUP ? "group"
	                          : "asked";
}

static void
on_state(const struct effect *eff)
{
	const char *name = engine_name(m.e, eff->node);

	if (engine_is_sup(m.e, eff->node)) {
		if (eff->to == CHILD_READY)
			tell("up %s", name);
		if (eff->to == CHILD_ENDED)
			tell("SUP! %s", name);
	} else if (eff->to == CHILD_STOPPING) {
		if (m.proc[eff->node].alive) /* else it has ended itself */
			tell("stop %s", name);
	} else if (m.whys && eff->to == CHILD_STOPPED &&
		   eff->reason.kind == REASON_SHUTDOWN) {
		tell("%s: %s", name, why_word(eff->reason.why));
	}
}

static void
on_effect(void *ctx, const struct effect *eff)
{
	char text[96];

	(void)ctx;
	switch (eff->kind) {
	case EFF_SPAWN:
		spawn(eff);
		break;
	case EFF_SIGNAL:
		on_signal(eff);
		break;
	case EFF_STATE:
		on_state(eff);
		break;
	case EFF_REPLY:
		if (eff->result == RESULT_START_FAILED &&
		    (m.applies >> eff->tag & 1) != 0)
			tell("-> start_failed by %s (%s)",
			    engine_name(m.e, eff->node),
			    reason_text(&eff->reason, text, sizeof(text)));
		else
			tell("-> %s", result_name(eff->result));
		break;
	case EFF_REPORT:
		if (eff->report == REPORT_SHUTDOWN_ERROR)
			tell("shutdown_error %s (%s)",
			    engine_name(m.e, eff->node),
			    reason_text(&eff->reason, text, sizeof(text)));
		if (eff->report == REPORT_UNHEALTHY ||
		    eff->report == REPORT_HOOK_FAILED)
			tell("%s %s (%s) %u/%u", report_name(eff->report),
			    engine_name(m.e, eff->node),
			    reason_text(&eff->reason, text, sizeof(text)),
			    eff->used, eff->limit);
		if (m.reports && eff->report == REPORT_START_ERROR)
			tell("start_error %s", engine_name(m.e, eff->node));
		if (m.reports && eff->report == REPORT_GAVE_UP)
			tell("gave_up %s by %s of %s %u/%u",
			    engine_name(m.e, eff->node),
			    eff->attempts ? "max_attempts" : "intensity",
			    engine_name(m.e, eff->offender), eff->used,
			    eff->limit);
		break;
	case EFF_DONE:
		if (m.asked)
			tell("down");
		else if (eff->reason.kind == REASON_CHILD)
			tell("failed: %s", engine_name(m.e, eff->reason.child));
		else
			tell("SUP!");
		break;
	case EFF_FREED:
		if (m.frees)
			tell("freed %s", engine_name(m.e, eff->node));
		break;
	case EFF_PROBE:
		probe(eff);
		break;
	case EFF_KIND_N:
		break;
	}
}

/* ---- time ---------------------------------------------------------------- */

static void
step(struct event *ev)
{
	struct effects todo = { on_effect, NULL };

	ev->now = (mono_t){ m.now_ms * NS_PER_MS };
	engine_step(m.e, ev, &todo);
	engine_check(m.e);
}

static struct due *
earliest(void)
{
	struct due *best = NULL;

	for (size_t i = 0; i < m.n_queue; i++) {
		struct due *d = &m.queue[i];

		if (best == NULL || d->at_ms < best->at_ms ||
		    (d->at_ms == best->at_ms && d->seq < best->seq))
			best = d;
	}
	return best;
}

static void
take_due(struct due *d)
{
	struct due was = *d;
	struct proc *p = &m.proc[was.ev.node];

	*d = m.queue[--m.n_queue];
	if (was.command) {
		run_command(was.text);
		return;
	}
	if (was.ev.kind == EV_EXITED) {
		if (!p->alive || p->inc != was.ev.inc)
			return; /* it has died already */
		p->alive = false;
		if (p->life_ms != 0 && p->proc == PROC_MAIN &&
		    !was.ev.is_signal)
			tell("die %s", engine_name(m.e, was.ev.node));
	}
	step(&was.ev);
}

/* Let things happen until nothing is left or `until_ms` is reached. */
static void
run_until(int64_t until_ms)
{
	for (int guard = 0; guard < 100000; guard++) {
		struct due *d = earliest();
		mono_t dl = engine_deadline(m.e);
		int64_t dl_ms =
		    mono_is_never(dl) ? INT64_MAX : dl.ns / NS_PER_MS;
		int64_t at = d != NULL ? d->at_ms : INT64_MAX;

		if ((at < dl_ms ? at : dl_ms) > until_ms ||
		    (d == NULL && dl_ms == INT64_MAX)) {
			if (until_ms != INT64_MAX && until_ms > m.now_ms)
				m.now_ms = until_ms;
			return;
		}
		if (at <= dl_ms) {
			m.now_ms = at > m.now_ms ? at : m.now_ms;
			take_due(d);
		} else {
			struct event tick = { .kind = EV_TICK };

			m.now_ms = dl_ms > m.now_ms ? dl_ms : m.now_ms;
			step(&tick);
		}
	}
	die("it never comes to rest");
}

/* ---- the tree ------------------------------------------------------------ */

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

static node_t
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

static node_t
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

/* ---- commands ------------------------------------------------------------ */

static void
kill_all(int code, bool is_signal)
{
	const char *w;

	while ((w = strtok(NULL, " ")) != NULL) {
		node_t n = find(w);

		if (!m.proc[n].alive)
			die("it is not running");
		push_exit(0, n, code, is_signal);
	}
}

static void
which(node_t sup)
{
	for (node_t n = engine_first_child(m.e, sup); n != NODE_NONE;
	     n = engine_next_child(m.e, n))
		tell("%s=%s", engine_name(m.e, n),
		    child_state_name(engine_state(m.e, n)));
}

static void
call(enum event_kind kind, node_t n, node_t child)
{
	struct event ev = { .kind = kind, .node = n, .child = child };

	ev.tag = ++m.tag;
	step(&ev);
}

/* NAME of a child, or SUP NAME. */
static void
call_child(enum event_kind kind)
{
	node_t n = find(strtok(NULL, " "));
	const char *name = strtok(NULL, " ");

	call(kind, n, name != NULL ? add_worker(NODE_NONE, name) : NODE_NONE);
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

static void
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

static void
tell_stale(node_t n)
{
	if (engine_is_stale(m.e, n))
		tell("%s", engine_name(m.e, n));
	for (n = engine_first_child(m.e, n); n != NODE_NONE;
	     n = engine_next_child(m.e, n))
		tell_stale(n);
}

static void
run_command(char *text)
{
	const char *w = strtok(text, " ");
	struct event ev = { .kind = EV_TICK };

	if (strcmp(w, "boot") == 0) {
		ev.kind = EV_BOOT;
		step(&ev);
	} else if (strcmp(w, "shutdown") == 0) {
		m.asked = true;
		ev.kind = EV_SHUTDOWN;
		step(&ev);
	} else if (strcmp(w, "die") == 0) {
		kill_all(1, false);
	} else if (strcmp(w, "ok") == 0) {
		kill_all(0, false);
	} else if (strcmp(w, "fatal") == 0) {
		kill_all(78, false);
	} else if (strcmp(w, "term") == 0) {
		kill_all(SIGTERM, true);
	} else if (strcmp(w, "fail") == 0) {
		node_t n = find(strtok(NULL, " "));

		m.proc[n].fail = atoi(strtok(NULL, " "));
	} else if (strcmp(w, "nofork") == 0) {
		node_t n = find(strtok(NULL, " "));

		m.proc[n].nofork = atoi(strtok(NULL, " "));
	} else if (strcmp(w, "rate") == 0) {
		engine_set_spawn_interval(
		    m.e, atoi(strtok(NULL, " ")) * NS_PER_MS);
	} else if (strcmp(w, "life") == 0) {
		node_t n = find(strtok(NULL, " "));

		m.proc[n].life_ms = atoi(strtok(NULL, " "));
	} else if (strcmp(w, "terminate") == 0) {
		call_child(EV_TERMINATE_CHILD);
	} else if (strcmp(w, "restart") == 0) {
		call_child(EV_RESTART_CHILD);
	} else if (strcmp(w, "delete") == 0) {
		call_child(EV_DELETE_CHILD);
	} else if (strcmp(w, "clear") == 0) {
		call(EV_CLEAR, find(strtok(NULL, " ")), NODE_NONE);
	} else if (strcmp(w, "retry") == 0) {
		call(EV_RETRY, find(strtok(NULL, " ")), NODE_NONE);
	} else if (strcmp(w, "start") == 0) {
		node_t sup = find(strtok(NULL, " "));
		const char *name = strtok(NULL, " ");

		call(EV_START_CHILD, sup, add_worker(NODE_NONE, name));
	} else if (strcmp(w, "apply") == 0) {
		m.applies |= UINT64_C(1) << (m.tag + 1);
		call(EV_APPLY, find(strtok(NULL, " ")), NODE_NONE);
	} else if (strcmp(w, "stale") == 0) {
		tell_stale(find(strtok(NULL, " ")));
	} else if (strcmp(w, "reload") == 0) {
		reload((size_t)atoi(strtok(NULL, " ")));
	} else if (strcmp(w, "which") == 0) {
		which(find(strtok(NULL, " ")));
	} else if (strcmp(w, "beat") == 0 || strcmp(w, "unwell") == 0) {
		ev.kind = EV_BEAT;
		ev.node = find(strtok(NULL, " "));
		ev.inc = m.proc[ev.node].inc;
		ev.code = w[0] == 'u';
		step(&ev);
	} else {
		char *name = strtok(NULL, " ");

		if (!life_command(&m.proc[find(name)].life, w))
			die("unknown command");
	}
}

static void
top_command(char *text)
{
	long v;

	if (text[0] == '@') {
		char *rest = strchr(text, ' ');
		struct due *d;

		if (rest == NULL || sscanf(text, "@%ld", &v) != 1)
			die("bad time");
		d = push(v);
		d->command = true;
		snprintf(d->text, sizeof(d->text), "%s", rest + 1);
		return;
	}
	if (sscanf(text, "run %ld", &v) == 1) {
		run_until(m.now_ms + v);
		return;
	}
	if (strcmp(text, "timed") == 0) {
		m.timed = true;
		return;
	}
	if (strcmp(text, "reports") == 0) {
		m.reports = true;
		return;
	}
	if (strcmp(text, "whys") == 0) {
		m.whys = true;
		return;
	}
	if (strcmp(text, "frees") == 0) {
		m.frees = true;
		return;
	}
	run_command(text);
	run_until(INT64_MAX);
}

/* Before the boot a line is of the tree unless it is one of these. */
static bool
is_tree_line(const char *line, bool booted)
{
	static const char *const others[] = { "boot", "@", "timed", "reports",
		"whys", "frees", "fail ", "life ", "rate ", "nofork ", "bad " };

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (strncmp(line, others[i], strlen(others[i])) == 0)
			return false;
	return !booted;
}

static void
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

/* The lines up to `end` are a reload's; `line` becomes its command. */
static void
read_block(FILE *f, char **line, size_t *room, struct buf *out)
{
	struct buf command = { 0 };

	if (m.n_blocks == ARRAY_LEN(m.block))
		die("too many reloads");
	buf_printf(&command, "%s %zu", *line, m.n_blocks);
	while (getline(line, room, f) > 0) {
		m.lineno++;
		buf_puts(out, *line);
		if (strcmp(*line, "end\n") == 0)
			break;
		buf_puts(&m.block[m.n_blocks], *line);
	}
	m.n_blocks++;
	free(*line);
	*line = strdup(buf_str(&command));
	*room = command.len + 1;
	buf_fini(&command);
}

static bool
is_reload(const char *line)
{
	const char *at = line[0] == '@' ? strchr(line, ' ') : NULL;

	return strcmp(at != NULL ? at + 1 : line, "reload") == 0;
}

static void
forget_machine(void)
{
	buf_fini(&m.line);
	for (size_t i = 0; i < m.n_blocks; i++)
		buf_fini(&m.block[i]);
}

/* Run one file; its trace, input lines and all, goes to `out`. */
static void
run_file(const char *file, FILE *f, struct buf *out)
{
	char *line = NULL;
	size_t room = 0;
	node_t at[32];
	bool booted = false;
	void *mem = calloc(1, engine_size(CAP));

	m = (struct machine){ .file = file };
	assert(mem != NULL);
	m.e = engine_init(mem, CAP);
	while (getline(&line, &room, f) > 0) {
		m.lineno++;
		if (line[0] == '>')
			continue;
		buf_puts(out, line);
		line[strcspn(line, "\n")] = '\0';
		if (line[0] == '#' || line[0] == '\0')
			continue;
		if (strcmp(line, "---") == 0) { /* a fresh machine */
			memset(mem, 0, engine_size(CAP));
			forget_machine();
			m = (struct machine){ .file = file,
				.lineno = m.lineno,
				.e = engine_init(mem, CAP) };
			booted = false;
			continue;
		}
		if (is_reload(line))
			read_block(f, &line, &room, out);
		else if (is_tree_line(line, booted)) {
			tree_line(line, at);
			continue;
		}
		booted |= strncmp(line, "boot", 4) == 0 || line[0] == '@';
		top_command(line);
		if (line[0] == '@' || m.line.len != 0 || booted) {
			if (m.line.len != 0)
				buf_printf(out, "> %s\n", buf_str(&m.line));
			else if (line[0] != '@' &&
				 strncmp(line, "timed", 5) != 0)
				buf_puts(out, "> nothing\n");
		}
		buf_fini(&m.line);
	}
	forget_machine();
	free(line);
	free(mem);
}

static void
read_all(FILE *f, struct buf *b)
{
	char chunk[4096];
	size_t n;

	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(b, chunk, n);
	rewind(f);
}

int
main(int argc, char **argv)
{
	bool update = argc > 1 && strcmp(argv[1], "--update") == 0;
	int first = update ? 2 : 1, bad = 0;

	printf("1..%d\n", argc - first);
	for (int i = first; i < argc; i++) {
		struct buf want = { 0 }, got = { 0 };
		const char *base = strrchr(argv[i], '/');
		FILE *f = fopen(argv[i], update ? "r+" : "r");
		bool same;

		if (f == NULL) {
			perror(argv[i]);
			return 2;
		}
		read_all(f, &want);
		run_file(argv[i], f, &got);
		same = strcmp(buf_str(&want), buf_str(&got)) == 0;
		if (update && !same) {
			rewind(f);
			fwrite(got.data, 1, got.len, f);
			if (ftruncate(fileno(f), (off_t)got.len) != 0)
				perror(argv[i]);
		}
		printf("%s %d - %s\n", same || update ? "ok" : "not ok",
		    i - first + 1, base != NULL ? base + 1 : argv[i]);
		if (!same && !update) {
			printf("# got:\n%s\n", buf_str(&got));
			bad = 1;
		}
		fclose(f);
		buf_fini(&want);
		buf_fini(&got);
	}
	return bad;
}
