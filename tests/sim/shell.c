/* SPDX-License-Identifier: ISC */
/*
 * The engine as a shell runs it (core/journal.h): recorded, stepped, its
 * effects carried out one by one.  It may be killed at any point of that; the
 * one that is made again must be the same to the byte.
 */
#include "machine.h"

#include "core/plain.h"
#include "core/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL_BYTES (64u << 10)

static const struct lender lender = LENDER(&m.owned);

void *
own(const void *p, size_t len)
{
	return lend(&m.owned, p, len);
}

/* ---- the journal -------------------------------------------------------- */

static char *
image_of(const struct engine *e, size_t *ret_len)
{
	size_t len = engine_save_size(e);
	char *image = malloc(len);

	if (image == NULL)
		abort();
	engine_save(e, image);
	*ret_len = len;
	return image;
}

void
shell_checkpoint(void)
{
	free(m.image);
	m.image = image_of(m.e, &m.image_len);
	m.image_seq = m.journal.seq;
	m.journal.len = 0;
}

/* Before something that records: so that it fits. */
static void
make_room(void)
{
	if (m.journal.cap - m.journal.len < 32 * JOURNAL_RECORD_MAX ||
	    chance(400))
		shell_checkpoint();
}

static void
recorded(int r)
{
	RULE(r == 0, "the journal took no record: %d", r);
}

void
shell_init(void)
{
	m.mem = calloc(1, engine_size(CAP));
	m.journal.buf = malloc(JOURNAL_BYTES);
	if (m.mem == NULL || m.journal.buf == NULL)
		abort();
	m.journal.cap = JOURNAL_BYTES;
	m.journal.seq = 1;
	m.e = engine_init(m.mem, CAP);
	shell_checkpoint();
}

void
shell_fini(void)
{
	free(m.mem);
	free(m.image);
	free(m.journal.buf);
	free(m.todo);
	lend_release(&m.owned);
}

/* ---- calls -------------------------------------------------------------- */

node_t
shell_add_worker(
    node_t parent, const char *name, const struct worker_spec *spec)
{
	node_t n;

	make_room();
	n = engine_add_worker(m.e, parent, name, spec);
	if (n == NODE_NONE)
		return n;
	recorded(journal_add_worker(&m.journal, n, parent, name, spec));
	rules_added(n);
	return n;
}

node_t
shell_add_sup(node_t parent, const char *name, const struct sup_spec *spec)
{
	mono_t *window = own(NULL, sizeof(*window) * spec->intensity);
	node_t n;

	make_room();
	n = engine_add_sup(m.e, parent, name, spec, window);
	if (n == NODE_NONE)
		return n;
	recorded(journal_add_sup(&m.journal, n, parent, name, spec));
	rules_added(n);
	return n;
}

void
shell_discard(node_t n)
{
	make_room();
	recorded(journal_discard(&m.journal, n));
	for (node_t k = engine_first_child(m.e, n); k != NODE_NONE;
	     k = engine_next_child(m.e, k))
		m.seen[k].used = false;
	m.seen[n].used = false;
	engine_discard(m.e, n);
}

void
shell_set_spawn_interval(int64_t interval_ns)
{
	make_room();
	recorded(journal_spawn_interval(&m.journal, interval_ns));
	engine_set_spawn_interval(m.e, interval_ns);
}

void
shell_set_plan(node_t sup, const struct plan *plan)
{
	make_room();
	recorded(journal_plan(&m.journal, sup, plan));
	engine_set_plan(m.e, sup, plan);
}

/* ---- effects ------------------------------------------------------------ */

static void
collect(void *ctx, const struct effect *eff)
{
	char text[256];

	(void)ctx;
	if (m.todo_len == m.todo_cap) {
		m.todo_cap = m.todo_cap * 2 + 64;
		m.todo = reallocarray(m.todo, m.todo_cap, sizeof(*m.todo));
		if (m.todo == NULL)
			abort();
	}
	m.todo[m.todo_len++] = *eff;
	if (m.verbose)
		say("\t%s%s", m.again ? "again: " : "",
		    trace_effect(m.e, eff, text, sizeof(text)));
	rules_effect(eff);
}

static void
carry_out(const struct effect *eff)
{
	switch (eff->kind) {
	case EFF_SPAWN:
		keeper_spawn(eff->node, eff->inc, eff->proc);
		break;
	case EFF_SIGNAL:
		keeper_signal(eff->node, eff->inc, eff->sig);
		break;
	case EFF_PROBE:
		keeper_probe(eff->node, eff->inc, eff->tag);
		break;
	case EFF_REPLY:
	case EFF_STATE:
	case EFF_REPORT:
	case EFF_FREED:
	case EFF_DONE:
	case EFF_KIND_N:
		break;
	}
}

/* ---- death and rebuilding ----------------------------------------------- */

static struct engine *
restored(void *mem)
{
	struct engine *e = NULL;
	int r = engine_restore(m.image, m.image_len, mem, &lender, &e);

	RULE(r == 0, "the checkpoint cannot be restored: %d", r);
	return e;
}

/* The last event that a fold has seen. */
static struct event last_event;

static bool
pass_over(void *ctx, const struct record *rec)
{
	if (rec->seq == *(const uint64_t *)ctx)
		return false;
	if (rec->kind == RECORD_EVENT)
		last_event = rec->event;
	return true;
}

static void
same_bytes(const char *was, size_t was_len, const struct engine *e)
{
	size_t len, at = 0;
	char *is = image_of(e, &len);

	if (!PLAIN_IS_EXACT)
		at = len; /* compare sizes only */
	while (at < len && at < was_len && is[at] == was[at])
		at++;
	RULE(len == was_len && at == len,
	    "the rebuilt engine differs at byte %zu of %zu (was %zu)", at, len,
	    was_len);
	free(is);
}

/*
 * A new engine from the journal, of `len` bytes, without the record `skip`.
 * The effects of the last event are collected in m.todo.  It must have the
 * image `want`.
 */
static void
rebuild(size_t len, uint64_t skip, const char *want, size_t want_len)
{
	void *mem = calloc(1, engine_size(CAP));
	struct effects last = { collect, NULL };
	struct fold how = {
		.lender = &lender,
		.before = pass_over,
		.ctx = &skip,
		.last = &last,
	};
	struct engine *e;
	uint64_t next = 0;
	int r;

	if (mem == NULL)
		abort();
	m.n_kills++;
	m.todo_len = 0;
	m.again = true;
	last_event = (struct event){ .kind = EV_TICK };
	e = restored(mem);
	r = journal_fold(e, m.journal.buf, len, m.image_seq, &how, &next);
	RULE(r == 0, "the journal cannot be folded: %d at %lu", r,
	    (unsigned long)next);
	engine_check(e);
	same_bytes(want, want_len, e);
	free(m.mem);
	m.mem = mem;
	m.e = e;
	m.again = false;
	m.journal.seq = next;
}

/* What a new engine does first: core/journal.h, what a shell must do. */
static void
take_over(void)
{
	struct effects todo = { collect, NULL };
	struct event ev[2];

	m.recovering++;
	keeper_cut();
	if (last_event.kind == EV_EXITED)
		keeper_ack(last_event.node, last_event.inc);
	for (uint32_t i = 0; i < m.todo_len; i++)
		if (m.todo[i].kind != EFF_SPAWN &&
		    m.todo[i].kind != EFF_SIGNAL && m.todo[i].kind != EFF_PROBE)
			carry_out(&m.todo[i]);
	for (node_t n = 1; n <= CAP; n++) {
		uint32_t k = keeper_slot_events(n, ev);

		for (uint32_t i = 0; i < k; i++)
			shell_event(ev[i]);
	}
	m.todo_len = 0;
	m.again = true;
	engine_outstanding(m.e, &todo);
	m.again = false;
	for (uint32_t i = 0; i < m.todo_len; i++)
		carry_out(&m.todo[i]);
	m.todo_len = 0;
	keeper_tell_again();
	m.recovering--;
	rules_carried_out();
}

/* ---- steps -------------------------------------------------------------- */

static void
step(const struct event *ev)
{
	struct effects todo = { collect, NULL };

	m.n_steps++;
	m.todo_len = 0;
	rules_before(ev);
	engine_step(m.e, ev, &todo);
	engine_check(m.e);
	rules_after(ev, m.todo_len);
}

/* Where in the life of an event the engine dies. */
enum death {
	LIVES,
	UNRECORDED, /* before the record is written to its end */
	RECORDED,   /* before or in the step */
	KILLER,     /* in the step, each time: the record is passed over */
	STEPPED,    /* while its effects are carried out */
	DEATH_N
};

static void
die(enum death how, const struct event *ev, size_t len_before)
{
	struct journal *j = &m.journal;
	size_t len = j->len, image_len;
	uint64_t skip = UINT64_MAX;
	char *image;

	say("the engine dies (%d)", (int)how);
	if (how == UNRECORDED)
		len = len_before + rnd((uint32_t)(j->len - len_before));
	if (how == KILLER)
		skip = j->seq - 1;
	if (how == RECORDED)
		step(ev);
	image = image_of(m.e, &image_len);
	rebuild(len, skip, image, image_len);
	free(image);
	if (how == UNRECORDED)
		j->len = len_before;
	if (how == KILLER) /* not to be folded again */
		shell_checkpoint();
	if (how == UNRECORDED || how == KILLER)
		people_lost(ev);
	take_over();
}

static enum death
draw_death(void)
{
	return chance(60 + 300 * m.recovering)
	           ? (enum death)(1 + rnd(DEATH_N - 1))
	           : LIVES;
}

static void
finish(const struct event *ev, enum death death)
{
	uint32_t n = m.todo_len, stop = death == STEPPED ? rnd(n + 1) : n;

	if (ev->kind == EV_EXITED) {
		if (death == STEPPED && chance(4))
			stop = 0;
		else
			keeper_ack(ev->node, ev->inc);
	}
	for (uint32_t i = 0; i < stop; i++)
		carry_out(&m.todo[i]);
	if (death == STEPPED) {
		die(death, ev, m.journal.len);
		return;
	}
	rules_carried_out();
}

/* What is due comes first, so that an event's effects are its own. */
static void
tick_first(const struct event *ev)
{
	struct event tick = { .kind = EV_TICK };

	if (ev->kind != EV_TICK && !mono_before(m.now, engine_deadline(m.e)))
		shell_event(tick);
}

void
shell_event(struct event ev)
{
	enum death death = draw_death();
	size_t len_before;
	char text[256];

	tick_first(&ev);
	ev.now = m.now;
	make_room();
	if (m.verbose)
		say("%s", trace_event(m.e, &ev, text, sizeof(text)));
	len_before = m.journal.len;
	recorded(journal_event(&m.journal, &ev));
	if (death == UNRECORDED || death == RECORDED || death == KILLER) {
		die(death, &ev, len_before);
		return;
	}
	step(&ev);
	finish(&ev, death);
}
