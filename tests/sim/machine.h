/* SPDX-License-Identifier: ISC */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include "base/attr.h"
#include "core/journal.h"
#include "lend.h"
#include "wire/slots.h"

#include <sys/queue.h>

/*
 * A machine for the core to run: virtual time, processes with a will of their
 * own, a keeper (wire/slots.h, HACKING 2), people who call, and an engine that
 * may die at any instant and is made again from its journal.
 *
 *   keeper.c  processes, the slots, what is reported and when
 *   shell.c   the engine: recorded, stepped, killed, rebuilt
 *   people.c  random trees, calls, reloads
 *   rules.c   what must hold, told from the effects and the slots alone
 *
 * Everything follows from the seed.
 */

#define CAP       96   /* nodes */
#define CALLS_MAX 4096 /* in one history */

/* What a process will do, drawn when it is spawned. */
struct process {
	bool alive;
	bool execs; /* else it hangs before its exec */
	enum proc_kind proc;
	mono_t exec_at;  /* then it is the program */
	mono_t ready_at; /* then it says so */
	mono_t end_at;   /* then it ends by itself, or by a signal */
	mono_t beat_at;  /* then it gives the next sign of life */
	int32_t code;    /* how it ends */
	bool is_signal, core;
	enum declared declared; /* before it ended */
	bool obeys;             /* else it ignores what can be ignored */
	int64_t stop_ns;        /* how long it takes to obey */
	int32_t stop_code;      /* how it ends then; -1: by that signal */
	bool said_ready;
	bool wedged; /* SIGKILL takes long, too: D state */
};

/* Something on its way to the engine. */
struct report {
	TAILQ_ENTRY(report) link;
	mono_t at;
	struct event ev;
};
TAILQ_HEAD(reports, report);

/* What rules.c knows of a node, from effects alone. */
struct seen {
	bool used;
	enum child_state state;
	uint64_t inc;
	uint64_t exited;   /* the last incarnation whose end the core took */
	uint64_t killed;   /* the last incarnation that was sent SIGKILL */
	uint64_t spawned;  /* the last incarnation whose spawn was ordered */
	uint64_t given_up; /* the last whose start was given up: signalled */
	uint64_t ended;    /* seq of its becoming ENDED */
	uint32_t reloads;  /* a supervisor: how many it has taken */
	mono_t stop_by;    /* a supervisor: its shutdown_deadline, when set */
	bool going_down;   /* a supervisor: its children are being stopped */
	bool in_group;     /* a supervisor: stopping a range */
	mono_t restart[WINDOW_MAX > 64 ? 64 : WINDOW_MAX];
	uint32_t n_restarts;
};

enum call_state { CALL_NONE, CALL_WAITS, CALL_ANSWERED, CALL_LOST };

struct call {
	enum call_state state;
	struct event ev;
	uint32_t reloads; /* that ev.node had taken when it was made */
};

struct machine {
	uint64_t rng;
	uint64_t seed;
	unsigned long n_steps;
	mono_t now;
	bool verbose;

	/* shell.c */
	struct engine *e;
	void *mem;
	char *image; /* the checkpoint */
	size_t image_len;
	struct journal journal;
	uint64_t image_seq;  /* of the first record after it */
	struct effect *todo; /* effects of the step, not carried out yet */
	uint32_t todo_len, todo_cap;
	unsigned long n_kills;
	bool again;          /* what is emitted may have been emitted before */
	uint32_t recovering; /* a new engine is taking over */
	bool done;

	/* keeper.c */
	struct slot slot[CAP + 1];
	struct process process[CAP + 1];
	struct reports from_keeper, from_others;
	bool calm; /* everything obeys: what was ordered must come to an end */
	unsigned long n_spawns, n_exits;

	/* people.c */
	struct call call[CALLS_MAX];
	uint32_t n_calls;
	uint32_t n_names;

	/* rules.c */
	struct seen seen[CAP + 1];
	uint64_t seq; /* of the last STATE or REPORT */

	struct lent owned; /* released with the history */
};

extern struct machine m;

/* A rule that is broken: says which, in which step of which seed, and aborts.
 */
#define RULE(cond, ...)                                                        \
	do {                                                                   \
		if (!(cond))                                                   \
			rule_broken(__FILE__, __LINE__, #cond, __VA_ARGS__);   \
	} while (0)
_Noreturn printf_(4, 5) void rule_broken(
    const char *file, int line, const char *cond, const char *fmt, ...);

/* One line of the trace, with -v. */
printf_(1, 2) void say(const char *fmt, ...);

uint32_t rnd(uint32_t below);
static inline bool
chance(uint32_t one_in)
{
	return rnd(one_in) == 0;
}
/* Zeroed memory until the end of the history; a copy of *p unless NULL. */
void *own(const void *p, size_t len);

/* ---- keeper.c ----------------------------------------------------------- */

void keeper_spawn(node_t n, uint64_t inc, enum proc_kind proc);
void keeper_signal(node_t n, uint64_t inc, int sig);
void keeper_ack(node_t n, uint64_t inc);
void keeper_probe(node_t n, uint64_t inc, uint64_t tag);
/* When the next process does something, or a report arrives. */
mono_t keeper_next(void);
/* Let what is due at m.now happen to processes. */
void keeper_run(void);
/* Take the first report that is due; false: none. */
bool keeper_take(struct event *ret);
/* The engine has died: what was on its way to it is lost. */
void keeper_cut(void);
/* What the slot tells a new engine of its incarnation; returns how many. */
uint32_t keeper_slot_events(node_t n, struct event ret[2]);
/* The other roles tell a new engine again what they have told the old one. */
void keeper_tell_again(void);
/* Somebody kills processes, one or several at once. */
void keeper_hurt(void);
/* From here on everything obeys and comes to an end. */
void keeper_calm(void);
void keeper_fini(void);
bool slot_is_live(node_t n);

/* ---- shell.c ------------------------------------------------------------ */

void shell_init(void);
void shell_fini(void);
node_t shell_add_worker(
    node_t parent, const char *name, const struct worker_spec *spec);
node_t shell_add_sup(
    node_t parent, const char *name, const struct sup_spec *spec);
void shell_discard(node_t n);
void shell_set_spawn_interval(int64_t interval_ns);
void shell_set_plan(node_t sup, const struct plan *plan);
/* Give the engine an event; it may die of it, before, in between or after. */
void shell_event(struct event ev);
/* Write a checkpoint; the journal begins anew. */
void shell_checkpoint(void);

/* ---- people.c ----------------------------------------------------------- */

void people_build_tree(void);
void people_do_something(void);
/* The engine died with this call on its way. */
void people_lost(const struct event *ev);

/* ---- rules.c ------------------------------------------------------------ */

void rules_added(node_t n);
/* While the engine emits it. */
void rules_effect(const struct effect *eff);
/* Around each step. */
void rules_before(const struct event *ev);
void rules_after(const struct event *ev, uint32_t n_effects);
/* The world and the engine agree. */
void rules_carried_out(void);
void rules_end(void);

#endif /* SIM_MACHINE_H */
