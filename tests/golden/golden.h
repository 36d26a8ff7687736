/* SPDX-License-Identifier: ISC */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "base/buf.h"
#include "core/engine.h"
#include "core/trace.h"
#include "golden_life.h"

/*
 * The simulated machine of golden_core: processes that do as they are told, in
 * virtual time, and a line that tells what happens.
 */

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

extern struct machine {
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

/* The file is wrong: say where, and end. */
_Noreturn void die(const char *what);

/* Add to the trace of the present command. */
printf_(1, 2) void tell(const char *fmt, ...);

/* ---- golden_machine.c ---------------------------------------------------- */

/* Something to happen so much later. */
struct due *push(int64_t in_ms);
/* The end of the process of a node. */
void push_exit(int64_t in_ms, node_t n, int code, bool is_signal);
/* An event, now. */
void step(struct event *ev);
/* One with a tag of its own. */
void call(enum event_kind kind, node_t n, node_t child);
/* Let things happen until nothing is left or `until_ms` is reached. */
void run_until(int64_t until_ms);

/* ---- golden_tree.c ------------------------------------------------------- */

/* A node by its name, which must be there. */
node_t find(const char *name);
/* A line of the tree; `at`: the last supervisor of each indentation. */
void tree_line(char *line, node_t *at);
/* The rest of strtok()'s line is a worker's. */
node_t add_worker(node_t parent, const char *name);
/* Make plans of a tree that was kept, and have them taken. */
void reload(size_t block);

/* ---- golden_core.c ------------------------------------------------------- */

void run_command(char *text);

#endif /* GOLDEN_H */
