/* SPDX-License-Identifier: ISC */
#include "machine.h"

#include "nodes.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define QUEUE_MAX 256
#define STEPS_MAX 20000

enum life {
	LIFE_NONE,
	LIFE_BORN, /* becomes ready when what is in the queue has happened */
	LIFE_RUNNING,
	LIFE_HANGING,    /* a start until its timeout */
	LIFE_HELD_START, /* a slow start, until `go` */
	LIFE_HELD_STOP,  /* a slow stop, until `go` */
	LIFE_REFUSING,   /* has been told to stop, will be killed */
};

struct proc {
	enum life life;
	node_t node;
	uint64_t inc;
	int fails, holds; /* of the next starts */
	bool doomed;      /* its end is one of those of this command */
	uint64_t known;   /* the last incarnation that was ready */
	uint64_t seen;    /* the same, when a call was thought of */
};

struct call {
	enum op_kind op;
	int id;
};

static struct machine {
	const struct script *s;
	struct buf *out;
	struct engine *e;
	struct proc proc[ITEMS_MAX + 1];
	struct event queue[QUEUE_MAX]; /* a ring: all of it is due now */
	uint32_t head, tail;
	struct event kill[ITEMS_MAX + 1]; /* these go first */
	int n_kills;
	int waiting;    /* for time to pass */
	bool clears;    /* a restart_child empties the window, as supctl does */
	bool odd;       /* supctl cannot say this */
	uint32_t order; /* which of those that are possible; 0: as it comes */
	uint32_t rng;
	mono_t now;
	struct call call[COMMANDS_MAX * OPS_MAX + 1]; /* by tag */
	uint64_t n_calls;
} m;

static _Alignas(max_align_t) char memory[4 << 20];

static struct event *
push(enum event_kind kind, int id)
{
	struct event *ev = &m.queue[m.tail++ % QUEUE_MAX];

	assert(m.tail - m.head < QUEUE_MAX);
	*ev = (struct event){
		.kind = kind, .node = m.proc[id].node, .inc = m.proc[id].inc
	};
	return ev;
}

static void
set_life(int id, enum life life)
{
	struct proc *p = &m.proc[id];

	m.waiting -= p->life == LIFE_REFUSING || p->life == LIFE_HANGING;
	p->life = life;
	m.waiting += p->life == LIFE_REFUSING || p->life == LIFE_HANGING;
	if (life == LIFE_NONE)
		p->doomed = false;
}

static void
push_exit(int id, int code, bool is_signal)
{
	struct event *ev = push(EV_EXITED, id);

	set_life(id, LIFE_NONE);
	ev->code = code;
	ev->is_signal = is_signal;
}

/* Nothing takes time in this, or waits for its turn. */
static void
push_kill(int id)
{
	buf_printf(m.out, "kill %d\n", id);
	assert(m.n_kills <= ITEMS_MAX);
	m.kill[m.n_kills++] = (struct event){
		.kind = EV_EXITED,
		.node = m.proc[id].node,
		.inc = m.proc[id].inc,
		.code = SIGKILL,
		.is_signal = true,
	};
	set_life(id, LIFE_NONE);
}

static void
push_answer(int id)
{
	switch (m.s->item[id].answer) {
	case ANSWER_SHUTDOWN:
		push_exit(id, SIGTERM, true);
		break;
	case ANSWER_NORMAL:
		push_exit(id, 0, false);
		break;
	case ANSWER_CRASH:
		push_exit(id, 1, false);
		break;
	}
}

/* ---- effects ------------------------------------------------------------- */

/* A start fails as a missing program does, or as one that gives up early. */
static void
fail_start(int id, bool executed)
{
	bool early = m.s->item[id].ready_by != READY_BY_EXEC && id % 2 == 0;

	buf_printf(m.out, "fail %d\n", id);
	if (executed || early) {
		if (!executed)
			push(EV_EXECED, id);
		push_exit(id, 1, false);
		return;
	}
	push(EV_SPAWN_FAILED, id)->code = ENOENT;
	set_life(id, LIFE_NONE);
}

static void
go_on_starting(int id)
{
	set_life(id, LIFE_BORN);
	if (m.s->item[id].ready_by != READY_BY_EVENT)
		push(EV_EXECED, id);
	else
		push(EV_READY, id);
}

static void
hold_start(int id)
{
	bool hang = m.s->item[id].timeout_ms != FOR_EVER;

	set_life(id, hang ? LIFE_HANGING : LIFE_HELD_START);
	if (m.s->item[id].ready_by == READY_BY_EVENT)
		push(EV_EXECED, id);
}

static void
on_spawn(const struct effect *eff)
{
	int id = nodes_item(eff->node);
	struct proc *p = &m.proc[id];

	if (p->life != LIFE_NONE)
		buf_printf(m.out, "double %d\n", id);
	buf_printf(m.out, "start %d\n", id);
	p->node = eff->node;
	p->inc = eff->inc;
	if (p->holds > 0) {
		p->holds--;
		hold_start(id);
	} else if (p->fails > 0) {
		p->fails--;
		fail_start(id, false);
	} else {
		if (m.s->item[id].ready_by == READY_BY_EVENT)
			push(EV_EXECED, id);
		go_on_starting(id);
	}
}

static void
on_signal(const struct effect *eff)
{
	int id = nodes_item(eff->node);
	struct proc *p = &m.proc[id];

	/* OTP sees that it is dead already, and does not tell it. */
	if (p->life == LIFE_NONE || p->inc != eff->inc)
		return;
	if (eff->sig == SIGKILL) {
		push_kill(id);
		return;
	}
	if (p->doomed)
		return;
	/* T-1: with 0 ms the kill is there before it can hear of the stop. */
	if (engine_worker_spec(m.e, eff->node)->stop[0].wait_ns != 0)
		buf_printf(m.out, "stop %d\n", id);
	switch (m.s->item[id].on_stop) {
	case ON_STOP_OBEY:
		push_answer(id);
		break;
	case ON_STOP_SLOW:
		set_life(id, LIFE_HELD_STOP);
		break;
	case ON_STOP_REFUSE:
		set_life(id, LIFE_REFUSING);
		break;
	}
}

static void
on_sup_state(const struct effect *eff)
{
	int id = nodes_item(eff->node);

	if (eff->to == CHILD_STARTING)
		buf_printf(m.out, "start %d\n", id);
	else if (eff->to == CHILD_READY)
		buf_printf(m.out, "up %d\n", id);
	else if (eff->to == CHILD_STOPPED && eff->from == CHILD_STARTING)
		buf_printf(m.out, "failed %d\n", id);
	else if (eff->to == CHILD_ENDED)
		buf_printf(m.out, "end %d self\n", id);
	else if (eff->to == CHILD_STOPPED &&
		 (eff->from == CHILD_READY || eff->from == CHILD_STOPPING))
		buf_printf(m.out, "end %d\n", id);
}

static const char *
reason_word(const struct reason *r)
{
	if (r->kind == REASON_NORMAL)
		return "normal";
	if (r->kind == REASON_SHUTDOWN)
		return "shutdown";
	return r->kind == REASON_KILLED ? "killed" : "crash";
}

static void
on_report(const struct effect *eff)
{
	int id = nodes_item(eff->node);
	bool of_top = engine_parent(m.e, eff->node) == NODE_ROOT;

	if (of_top && eff->report != REPORT_GAVE_UP)
		return; /* OTP's is no supervisor */
	switch (eff->report) {
	case REPORT_CHILD_TERMINATED:
		buf_printf(m.out, "terminated %d\n", id);
		break;
	case REPORT_START_ERROR:
		buf_printf(m.out, "start_error %d\n", id);
		break;
	case REPORT_SHUTDOWN_ERROR:
		buf_printf(m.out, "shutdown_error %d %s\n", id,
		    reason_word(&eff->reason));
		break;
	case REPORT_GAVE_UP:
		buf_printf(
		    m.out, "gave_up %d %d\n", id, nodes_item(eff->offender));
		break;
	case REPORT_RESTART:
	case REPORT_AUTO_SHUTDOWN:
	case REPORT_UNHEALTHY:
	case REPORT_HOOK_FAILED:
	case REPORT_KIND_N:
		break;
	}
}

static void
on_reply(uint64_t tag, const char *result)
{
	const struct call *c = &m.call[tag];

	if (c->op == OP_RELOAD || c->op == OP_SHUTDOWN)
		return; /* it is, whoever is there to say so */
	m.odd |= c->op == OP_RESTART && strcmp(result, "restarting") == 0;
	buf_printf(m.out, "reply %d %s %s\n", c->id, op_names[c->op], result);
}

static void
became_ready(int id, node_t n)
{
	m.proc[id].known = engine_incarnation(m.e, n);
	if (m.proc[id].life == LIFE_BORN)
		set_life(id, LIFE_RUNNING);
}

static void
on_effect(void *ctx, const struct effect *eff)
{
	(void)ctx;
	if (eff->node == NODE_ROOT)
		return;
	switch (eff->kind) {
	case EFF_SPAWN:
		on_spawn(eff);
		break;
	case EFF_SIGNAL:
		on_signal(eff);
		break;
	case EFF_STATE:
		if (eff->to == CHILD_READY)
			became_ready(nodes_item(eff->node), eff->node);
		if (engine_is_sup(m.e, eff->node))
			on_sup_state(eff);
		break;
	case EFF_REPORT:
		on_report(eff);
		break;
	case EFF_REPLY:
		on_reply(eff->tag, eff->result == RESULT_SIMPLE
				       ? "simple"
				       : result_name(eff->result));
		break;
	case EFF_FREED:
	case EFF_DONE:
	case EFF_PROBE:
	case EFF_KIND_N:
		break;
	}
}

static void
step(struct event *ev)
{
	struct effects todo = { on_effect, NULL };

	ev->now = m.now;
	engine_step(m.e, ev, &todo);
	engine_check(m.e);
}

static void
take_kills(void)
{
	while (m.n_kills > 0) {
		struct event ev = m.kill[0];

		m.n_kills--;
		memmove(&m.kill[0], &m.kill[1],
		    (size_t)m.n_kills * sizeof(m.kill[0]));
		step(&ev);
	}
}

/* A start that is over but for its grace or its delay. */
static bool
is_settling(void)
{
	for (int id = 1; id <= ITEMS_MAX; id++)
		if (m.proc[id].life == LIFE_BORN)
			return true;
	return false;
}

/*
 * What happens next.  Processes do not wait for each other: in another order
 * any of them may be first, but each goes its own way step by step.
 */
static struct event
next_event(void)
{
	uint32_t at = m.head;
	struct event ev;

	if (m.order != 0) {
		m.rng = m.rng * 1664525 + 1013904223;
		at += (m.rng >> 16) % (m.tail - m.head);
	}
	for (uint32_t i = m.head; i != at; i++)
		if (m.queue[i % QUEUE_MAX].node ==
		    m.queue[at % QUEUE_MAX].node) {
			at = i;
			break;
		}
	ev = m.queue[at % QUEUE_MAX];
	for (; at != m.head; at--)
		m.queue[at % QUEUE_MAX] = m.queue[(at - 1) % QUEUE_MAX];
	m.head++;
	return ev;
}

/* Until nothing moves but by a command. */
static bool
settle(void)
{
	for (int guard = 0; guard < STEPS_MAX; guard++) {
		struct event ev = { .kind = EV_TICK };

		take_kills();
		if (m.head != m.tail)
			ev = next_event();
		else if ((m.waiting > 0 || is_settling()) &&
			 !mono_is_never(engine_deadline(m.e)))
			m.now = engine_deadline(m.e);
		else
			return true;
		step(&ev);
	}
	return false;
}

/* ---- the tree ------------------------------------------------------------ */

static bool
is_up(node_t sup)
{
	enum child_state s;

	if (sup == NODE_NONE)
		return false;
	s = engine_state(m.e, sup);
	return s == CHILD_STARTING || s == CHILD_READY || s == CHILD_STOPPING;
}

/* ---- commands ------------------------------------------------------------ */

static bool
is_death(enum op_kind k)
{
	return k == OP_DIE || k == OP_OK || k == OP_TERM;
}

/* The end of a process, as its supervisor will see it; true if it lived. */
static bool
kill_proc(const struct op *o, struct event *ret)
{
	struct proc *p = &m.proc[o->id];

	if (p->life == LIFE_NONE || p->life == LIFE_BORN)
		return false;
	if (p->life == LIFE_HELD_START || p->life == LIFE_HANGING)
		buf_printf(m.out, "fail %d\n", o->id);
	*ret = (struct event){
		.kind = EV_EXITED,
		.node = p->node,
		.inc = p->inc,
		.code = o->kind == OP_DIE  ? 1
		        : o->kind == OP_OK ? 0
		                           : SIGTERM,
		.is_signal = o->kind == OP_TERM,
	};
	set_life(o->id, LIFE_NONE);
	return true;
}

static bool
is_pool(int sup)
{
	return m.s->item[sup].strategy == SIMPLE_ONE_FOR_ONE;
}

/* supctl looks names up when it is asked, and removes in two steps. */
static bool
is_odd(const struct op *o, const struct event *ev, node_t sup)
{
	bool by_name = o->kind != OP_START && ev->child != NODE_NONE;
	bool there = o->kind == OP_START && nodes_find(o->id) != NODE_NONE;

	return engine_busy(m.e, sup) &&
	       (by_name || there || o->kind == OP_DELETE || ev->inc != 0);
}

static void
call_op(const struct op *o, uint64_t sup_inc)
{
	static const enum event_kind kinds[OP_N] = {
		[OP_START] = EV_START_CHILD,
		[OP_TERMINATE] = EV_TERMINATE_CHILD,
		[OP_RESTART] = EV_RESTART_CHILD,
		[OP_DELETE] = EV_DELETE_CHILD,
	};
	int parent = m.s->item[o->id].parent;
	node_t sup = nodes_find(parent), child = nodes_find(o->id);
	struct event ev = { .kind = kinds[o->kind], .node = child };
	bool unknown;

	m.call[++m.n_calls] = (struct call){ o->kind, o->id };
	ev.tag = m.n_calls;
	/* A pool knows only pids, and there is none yet. */
	unknown = is_pool(parent) && o->kind == OP_TERMINATE &&
	          m.proc[o->id].seen == 0;
	if (unknown && (sup_inc != 0 || is_up(sup)))
		return;
	if (!is_up(sup) ||
	    (sup_inc != 0 && engine_incarnation(m.e, sup) != sup_inc)) {
		on_reply(m.n_calls, "noproc");
		return;
	}
	if (is_pool(parent) && o->kind == OP_TERMINATE)
		ev.inc = m.proc[o->id].seen;
	if (o->kind == OP_START) {
		ev.node = sup;
		ev.child = nodes_add(NODE_NONE, o->id);
	} else if (child == NODE_NONE) {
		ev.node = sup;
		ev.child = nodes_name(o->id);
	}
	m.odd |= is_odd(o, &ev, sup);
	if (o->kind == OP_RESTART && m.clears)
		step(&(struct event){ .kind = EV_CLEAR, .node = sup });
	step(&ev);
}

/* Whoever calls now knows what is ready by now. */
static void
look(void)
{
	for (int id = 1; id <= ITEMS_MAX; id++)
		m.proc[id].seen = m.proc[id].known;
}

/*
 * What comes at once.  A supervisor that waits for a child to start or to stop
 * picks the end of that child out of its mailbox, whatever came before it: such
 * an end is told last.
 */
static void
at_once(const struct command *c)
{
	struct event ev[OPS_MAX];
	bool lived[OPS_MAX] = { false }, held[OPS_MAX];
	node_t sup = nodes_find(m.s->item[c->op[0].id].parent);
	uint64_t sup_inc = is_up(sup) ? engine_incarnation(m.e, sup) : 0;

	look();
	for (int i = 0; i < c->n; i++) {
		held[i] = m.proc[c->op[i].id].life >= LIFE_HELD_START;
		if (is_death(c->op[i].kind))
			lived[i] = kill_proc(&c->op[i], &ev[i]);
	}
	for (int i = 0; i < c->n; i++)
		if (lived[i] && !held[i])
			step(&ev[i]);
		else if (!is_death(c->op[i].kind))
			call_op(&c->op[i], sup_inc);
	for (int i = 0; i < c->n; i++)
		if (lived[i] && held[i])
			step(&ev[i]);
}

/* One after the other, while nothing but supervisors moves. */
static void
one_by_one(const struct command *c)
{
	struct event ev;
	bool doomed[OPS_MAX] = { false };

	for (int i = 0; i < c->n; i++) {
		struct proc *p = &m.proc[c->op[i].id];

		doomed[i] = is_death(c->op[i].kind) && !p->doomed &&
		            p->life != LIFE_NONE;
		p->doomed |= doomed[i];
	}
	for (int i = 0; i < c->n; i++) {
		look();
		if (!is_death(c->op[i].kind))
			call_op(&c->op[i], 0);
		else if (doomed[i] && m.proc[c->op[i].id].doomed &&
			 kill_proc(&c->op[i], &ev))
			step(&ev);
		take_kills();
	}
}

static void
reload(const struct op *o)
{
	node_t nodes[NODES_EACH];
	int n = nodes_reload(&m.s->reload[o->arg], nodes);

	m.call[++m.n_calls] = (struct call){ o->kind, o->id };
	for (int i = 0; i < n; i++)
		step(&(struct event){
		    .kind = EV_RELOAD, .node = nodes[i], .tag = m.n_calls });
}

static int
count_held(void)
{
	int n = 0;

	for (int id = 1; id <= ITEMS_MAX; id++)
		n += m.proc[id].life == LIFE_HELD_START ||
		     m.proc[id].life == LIFE_HELD_STOP;
	return n;
}

static void
go(int k)
{
	int n = count_held();

	if (n == 0)
		return;
	k %= n;
	for (int id = 1; id <= ITEMS_MAX; id++) {
		struct proc *p = &m.proc[id];

		if (p->life != LIFE_HELD_START && p->life != LIFE_HELD_STOP)
			continue;
		if (k-- > 0)
			continue;
		if (p->life == LIFE_HELD_STOP) {
			push_answer(id);
		} else if (p->fails > 0) {
			p->fails--;
			fail_start(id, m.s->item[id].ready_by != READY_BY_EXEC);
		} else {
			go_on_starting(id);
		}
		return;
	}
}

static bool
drain(void)
{
	while (count_held() > 0) {
		go(0);
		if (!settle())
			return false;
	}
	return true;
}

static const char *
state_word(node_t n)
{
	switch (engine_state(m.e, n)) {
	case CHILD_READY:
		return "running";
	case CHILD_WAITING:
		return "restarting";
	case CHILD_STOPPED:
		return "stopped";
	case CHILD_STARTING:
	case CHILD_STOPPING:
	case CHILD_ENDED:
	case CHILD_STATE_N:
		break;
	}
	return "between";
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static void
which(int id)
{
	node_t sup = nodes_find(id), n;
	char text[64][24];
	size_t k = 0;

	if (sup == NODE_NONE || engine_state(m.e, sup) != CHILD_READY)
		return;
	for (n = engine_first_child(m.e, sup); n != NODE_NONE && k < 64;
	     n = engine_next_child(m.e, n)) {
		bool hidden =
		    is_pool(id) && engine_state(m.e, n) == CHILD_WAITING;

		snprintf(text[k++], sizeof(text[0]), "%s=%s",
		    hidden ? "?" : engine_name(m.e, n), state_word(n));
	}
	if (is_pool(id))
		qsort(text, k, sizeof(text[0]), by_text);
	buf_printf(m.out, "which %d ", id);
	for (size_t i = 0; i < k; i++)
		buf_printf(m.out, "%s%s", i > 0 ? " " : "", text[i]);
	buf_puts(m.out, "\n");
}

static void
which_all(void)
{
	if (count_held() > 0)
		return;
	for (int id = 1; id <= ITEMS_MAX; id++)
		if (m.s->item[id].used && m.s->item[id].is_sup)
			which(id);
}

/* As its parent does: it is told when it has been started (T-6). */
static void
shut_down(void)
{
	m.call[++m.n_calls] = (struct call){ OP_SHUTDOWN, 1 };
	step(&(struct event){
	    .kind = EV_TERMINATE_CHILD,
	    .node = nodes_find(1),
	    .tag = m.n_calls,
	});
}

static bool
run_command(const struct command *c)
{
	struct event boot = { .kind = EV_BOOT };
	const struct op *o = &c->op[0];

	switch (o->kind) {
	case OP_BOOT:
		step(&boot);
		break;
	case OP_SHUTDOWN:
		shut_down();
		break;
	case OP_WHICH:
		which_all();
		break;
	case OP_DRAIN:
		return drain();
	case OP_WAIT:
		m.now = mono_add(m.now, o->arg * NS_PER_MS);
		break;
	case OP_GO:
		go(o->arg);
		break;
	case OP_FAIL:
		m.proc[o->id].fails = o->arg;
		break;
	case OP_HOLD:
		m.proc[o->id].holds = o->arg;
		break;
	case OP_RELOAD:
		reload(o);
		break;
	case OP_DIE:
	case OP_OK:
	case OP_TERM:
	case OP_START:
	case OP_TERMINATE:
	case OP_RESTART:
	case OP_DELETE:
		if (c->apart)
			one_by_one(c);
		else
			at_once(c);
		break;
	case OP_N:
		break;
	}
	return settle();
}

static bool
run(const struct script *s, struct buf *out, bool clears, uint32_t order)
{
	assert(engine_size(NODES_CAP) <= sizeof(memory));
	memset(memory, 0, engine_size(NODES_CAP));
	memset(&m, 0, sizeof(m));
	m.clears = clears;
	m.order = m.rng = order;
	m.now = (mono_t){ NS_PER_S };
	m.s = s;
	m.out = out;
	m.e = engine_init(memory, NODES_CAP);
	nodes_init(m.e, s);
	for (int i = 0; i < s->n_commands; i++) {
		buf_puts(out, "=\n");
		if (!run_command(&s->command[i]))
			return false;
	}
	return true;
}

bool
machine_run(const struct script *s, struct buf *out)
{
	return run(s, out, false, 0);
}

bool
machine_run_in_order(const struct script *s, uint32_t order, struct buf *out)
{
	return run(s, out, false, order);
}

bool
machine_suits_daemon(const struct script *s)
{
	struct buf plain = { 0 }, cleared = { 0 };
	bool suits =
	    run(s, &plain, false, 0) && !m.odd && run(s, &cleared, true, 0);

	suits = suits && strcmp(buf_str(&plain), buf_str(&cleared)) == 0;
	buf_fini(&plain);
	buf_fini(&cleared);
	return suits;
}
