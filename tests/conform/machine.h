/* SPDX-License-Identifier: ISC */
#ifndef CONFORM_MACHINE_H
#define CONFORM_MACHINE_H

#include "conf/conf.h"
#include "core/engine.h"

/*
 * The machine below the core: processes that do at once what the words of
 * their command say.  Time is virtual and passes only while somebody takes his
 * time to stop.
 */

#define GATES_MAX 16

struct proc {
	bool alive, held, hangs;
	uint64_t inc;
	const struct conf_worker *conf;
};

struct timed {
	int64_t at_ns;
	struct event ev;
};

struct gate {
	char name[32];
	char tokens[256];
	size_t used;
};

/* What a call came to; the tag is its place. */
struct answer {
	bool there;
	node_t sup;
	enum result result;
	char seen[128]; /* which_children of sup at that time */
};

struct machine {
	struct engine *e;
	void *mem;
	uint32_t cap;
	struct proc *proc;                 /* by node */
	const struct conf_child **conf_of; /* by node */
	struct conf *root_conf;
	struct conf_child **owned;
	size_t n_owned, cap_owned;
	mono_t **window;
	size_t n_windows, cap_windows;
	struct event *now_q; /* a ring of cap_q */
	size_t head, tail, cap_q;
	struct timed *later;
	size_t n_later, cap_later;
	struct gate gate[GATES_MAX];
	size_t n_gates;
	uint32_t hanging;      /* told to stop, and not stopping */
	struct answer *answer; /* by tag */
	size_t n_answers, cap_answers;
	uint32_t *number; /* by node: the last of a pool */
	mono_t now;
};

extern struct machine m;

/* Room for one more element of that size. */
void *machine_grow(void *p, size_t *cap, size_t n, size_t size);

/* The process of that node ends. */
void machine_exit(node_t n, int code, bool is_signal);

/* Let those with gate=name pass, a letter each; see conform.h. */
void machine_let(const char *name, const char *tokens);

/* Give the core an event. */
void machine_step(const struct event *what);

/* Until nothing moves but by a call. */
void machine_settle(void);

/* Relative to sup_test; good until the next call. */
const char *machine_path(node_t n);

/* "running", "undefined" ... : see struct rig. */
const char *machine_state_word(node_t n);

#endif /* CONFORM_MACHINE_H */
