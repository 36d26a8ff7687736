/* SPDX-License-Identifier: ISC */
#include "machine.h"

#include "conform.h"

#include "core/trace.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

struct machine m;

/* ---- events --------------------------------------------------------------
 */

void *
machine_grow(void *p, size_t *cap, size_t n, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap > 0 ? *cap * 2 : 64;
	p = realloc(p, *cap * size);
	assert(p != NULL);
	return p;
}

static struct event *
push(enum event_kind kind, node_t n)
{
	struct event *ev;

	assert(m.tail - m.head < m.cap_q);
	ev = &m.now_q[m.tail++ % m.cap_q];
	*ev = (struct event){ .kind = kind, .node = n, .inc = m.proc[n].inc };
	return ev;
}

void
machine_exit(node_t n, int code, bool is_signal)
{
	struct event *ev = push(EV_EXITED, n);

	m.hanging -= m.proc[n].hangs;
	m.proc[n].alive = m.proc[n].held = m.proc[n].hangs = false;
	ev->code = code;
	ev->is_signal = is_signal;
}

/* Its answer to SIGTERM, after stop=MS. */
static void
exit_later(node_t n, int64_t in_ms, int code, bool is_signal)
{
	struct timed *t;

	m.later =
	    machine_grow(m.later, &m.cap_later, m.n_later, sizeof(*m.later));
	t = &m.later[m.n_later++];
	*t = (struct timed){
		.at_ns = m.now.ns + in_ms * NS_PER_MS,
		.ev = { .kind = EV_EXITED,
		    .node = n,
		    .inc = m.proc[n].inc,
		    .code = code,
		    .is_signal = is_signal },
	};
}

/* ---- processes -----------------------------------------------------------
 */

/* The value of `word`=... among the arguments, or NULL. */
static const char *
word(const struct conf_worker *w, const char *name)
{
	size_t len = strlen(name);

	for (const char *const *a = w->argv + 1; *a != NULL; a++)
		if (strncmp(*a, name, len) == 0 &&
		    ((*a)[len] == '=' || (*a)[len] == '\0'))
			return (*a)[len] == '=' ? *a + len + 1 : *a + len;
	return NULL;
}

static struct gate *
find_gate(const char *name)
{
	for (size_t i = 0; i < m.n_gates; i++)
		if (strcmp(m.gate[i].name, name) == 0)
			return &m.gate[i];
	assert(m.n_gates < GATES_MAX);
	snprintf(m.gate[m.n_gates].name, sizeof(m.gate[0].name), "%s", name);
	return &m.gate[m.n_gates++];
}

/* It is at its gate, or has none. */
static void
pass_gate(node_t n)
{
	struct proc *p = &m.proc[n];
	const char *name = word(p->conf, "gate");
	struct gate *g = name != NULL ? find_gate(name) : NULL;

	if (g != NULL && g->tokens[g->used] == '\0') {
		p->held = true;
		return;
	}
	p->held = false;
	if (g != NULL && g->tokens[g->used++] != 'o')
		machine_exit(n, 1, false);
	else
		push(EV_READY, n);
}

const char *
machine_path(node_t n)
{
	static char text[256];

	return short_path(trace_path(m.e, n, text, sizeof(text)));
}

static void
spawn(const struct effect *eff)
{
	struct proc *p = &m.proc[eff->node];

	if (p->alive)
		happened("double", machine_path(eff->node), eff->inc, "");
	*p = (struct proc){
		.alive = true,
		.inc = eff->inc,
		.conf = &m.conf_of[eff->node]->worker,
	};
	happened("starting", machine_path(eff->node), eff->inc, "pid");
	push(EV_EXECED, eff->node);
	pass_gate(eff->node);
}

static void
obey(const struct effect *eff)
{
	struct proc *p = &m.proc[eff->node];
	const char *w;

	if (!p->alive || p->inc != eff->inc)
		return;
	if (eff->sig == SIGKILL) {
		machine_exit(eff->node, SIGKILL, true);
	} else if (p->held) { /* it has not come to its handlers yet */
		machine_exit(eff->node, eff->sig, true);
	} else if (word(p->conf, "hang") != NULL) {
		p->hangs = true;
		m.hanging++;
	} else {
		int64_t ms = (w = word(p->conf, "stop")) != NULL ? atoi(w) : 0;

		w = word(p->conf, "answer");
		exit_later(
		    eff->node, ms, w != NULL ? atoi(w) : eff->sig, w == NULL);
	}
}

/* The same as supd/engine/record.c makes of it. */
static void
tell_state(const struct effect *eff)
{
	bool is_sup = engine_is_sup(m.e, eff->node);
	const char *kind = NULL;
	char text[128] = "";

	reason_text(&eff->reason, text, sizeof(text));
	switch (eff->to) {
	case CHILD_READY:
		kind = "ready";
		break;
	case CHILD_STOPPING:
		kind = "stopping";
		snprintf(text, sizeof(text), "%s", is_sup ? "" : "pid");
		break;
	case CHILD_ENDED:
		kind = is_sup ? "ended" : "exited";
		break;
	case CHILD_STOPPED:
		if (eff->from == CHILD_STARTING &&
		    reason_is_start_error(&eff->reason))
			kind = "start_error";
		else if (eff->from == CHILD_STOPPING ||
			 eff->from == CHILD_STARTING)
			kind = "stopped";
		break;
	case CHILD_STARTING:
		if (is_sup) {
			kind = "starting";
			text[0] = '\0';
		}
		break;
	case CHILD_WAITING:
	case CHILD_STATE_N:
		break;
	}
	if (kind != NULL)
		happened(kind, machine_path(eff->node),
		    engine_incarnation(m.e, eff->node), text);
}

/* Those that are happenings of their own there. */
static void
tell_report(const struct effect *eff)
{
	if (eff->report == REPORT_GAVE_UP ||
	    eff->report == REPORT_AUTO_SHUTDOWN ||
	    eff->report == REPORT_SHUTDOWN_ERROR)
		happened(report_name(eff->report), machine_path(eff->node),
		    eff->inc, "");
	else if (eff->report == REPORT_RESTART)
		happened("restart", machine_path(engine_parent(m.e, eff->node)),
		    0, "");
}

const char *
machine_state_word(node_t n)
{
	switch (engine_state(m.e, n)) {
	case CHILD_READY:
		return "running";
	case CHILD_WAITING:
		return "restarting";
	case CHILD_STOPPED:
		return "undefined";
	case CHILD_STARTING:
		return "starting";
	case CHILD_STOPPING:
		return "stopping";
	case CHILD_ENDED:
		return "ended";
	case CHILD_STATE_N:
		break;
	}
	return "?";
}

static void
take_answer(const struct effect *eff)
{
	struct answer *a = &m.answer[eff->tag];
	size_t n = 0;

	a->there = true;
	a->result = eff->result;
	if (!engine_has(m.e, a->sup))
		return;
	for (node_t k = engine_first_child(m.e, a->sup);
	     k != NODE_NONE && n < sizeof(a->seen);
	     k = engine_next_child(m.e, k))
		n += (size_t)snprintf(a->seen + n, sizeof(a->seen) - n,
		    "%s%s=%s", n > 0 ? " " : "", engine_name(m.e, k),
		    machine_state_word(k));
}

static void
on_effect(void *ctx, const struct effect *eff)
{
	(void)ctx;
	switch (eff->kind) {
	case EFF_SPAWN:
		spawn(eff);
		break;
	case EFF_SIGNAL:
		obey(eff);
		break;
	case EFF_STATE:
		tell_state(eff);
		break;
	case EFF_REPORT:
		tell_report(eff);
		break;
	case EFF_REPLY:
		take_answer(eff);
		break;
	case EFF_FREED:
		m.conf_of[eff->node] = NULL;
		break;
	case EFF_DONE:
		happened("down", "/", 0, "");
		break;
	case EFF_PROBE:
	case EFF_KIND_N:
		break;
	}
}

/* ---- time ----------------------------------------------------------------
 */

void
machine_step(const struct event *what)
{
	struct effects todo = { on_effect, NULL };
	struct event ev = *what;

	ev.now = m.now;
	engine_step(m.e, &ev, &todo);
	if (m.cap <= 4096)
		engine_check(m.e);
}

/* What comes next of that which is not due yet; false: nothing will. */
static bool
leap(void)
{
	int64_t at = INT64_MAX;
	size_t best = 0;
	struct timed t;

	for (size_t i = 0; i < m.n_later; i++) {
		if (m.later[i].at_ns < at) {
			at = m.later[i].at_ns;
			best = i;
		}
	}
	if (m.hanging > 0 && engine_deadline(m.e).ns < at) {
		m.now = engine_deadline(m.e);
		machine_step(&(struct event){ .kind = EV_TICK });
		return true;
	}
	if (at == INT64_MAX)
		return false;
	if (engine_deadline(m.e).ns < at) {
		m.now = engine_deadline(m.e);
		machine_step(&(struct event){ .kind = EV_TICK });
		return true;
	}
	t = m.later[best];
	memmove(&m.later[best], &m.later[best + 1],
	    (--m.n_later - best) * sizeof(t));
	m.now.ns = at > m.now.ns ? at : m.now.ns;
	if (m.proc[t.ev.node].alive && m.proc[t.ev.node].inc == t.ev.inc)
		machine_exit(t.ev.node, t.ev.code, t.ev.is_signal);
	return true;
}

/* Until nothing moves but by a call. */
void
machine_settle(void)
{
	for (;;) {
		if (m.head != m.tail) {
			struct event ev = m.now_q[m.head++ % m.cap_q];

			machine_step(&ev);
		} else if (engine_deadline(m.e).ns <= m.now.ns) {
			machine_step(&(struct event){ .kind = EV_TICK });
		} else if (!leap()) {
			return;
		}
	}
}

void
machine_let(const char *name, const char *tokens)
{
	struct gate *g = find_gate(name);

	memmove(
	    g->tokens, g->tokens + g->used, strlen(g->tokens + g->used) + 1);
	g->used = 0;
	assert(strlen(g->tokens) + strlen(tokens) < sizeof(g->tokens));
	strcat(g->tokens, tokens);
	for (node_t n = 1; n <= m.cap; n++) {
		const char *its =
		    m.proc[n].held ? word(m.proc[n].conf, "gate") : NULL;

		if (its != NULL && strcmp(its, name) == 0) {
			pass_gate(n);
			machine_settle();
		}
	}
}
