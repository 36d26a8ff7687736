/* SPDX-License-Identifier: ISC */
#ifndef ORACLE_SCRIPT_H
#define ORACLE_SCRIPT_H

#include "base/buf.h"
#include "core/spec.h"

/*
 * A supervision tree and what befalls it, as data and as text:
 *
 *   sup ID PARENT ofo|rfo|ofa|sofo I P p|t|x SIG never|any|all POOL SHUTDOWN
 *       OF STATIC
 *   work ID PARENT p|t|x SIG SHUTDOWN obey|slow|refuse ANSWER ENABLED STATIC
 *       event|exec|grace|delay TIMEOUT
 *
 * (one line each).  Item 1 is the root; items are children in the order of
 * their numbers; those that are not STATIC are for `start`.  POOL and SHUTDOWN
 * of a sup are its template's, when it is a pool of OF: work or sup.  SHUTDOWN:
 * ms, -1 infinity, -2 brutal.  slow: a stop takes until `go`.  ANSWER: how it
 * ends when told to stop: shutdown (SIGTERM), normal (exit 0), crash (exit 1).
 * What makes it ready is an event, its exec, or a moment after that.  TIMEOUT:
 * how long a start may take, ms or -1.
 *
 * Then a command a line; operations joined by `;` are at once, and children of
 * one supervisor, which has all of them before it; those joined by `&` befall
 * any supervisors, one after the other, and none of what these set about
 * (starts, stops) has happened before the last of them:
 *
 *   boot | shutdown | which | drain | wait MS | go K | fail ID N | hold ID N
 *   die ID | ok ID | term ID | start ID | terminate ID | restart ID | delete ID
 *
 *   reload SUP STRATEGY I AUTO CHILD:p|t|x:SIG:SHUTDOWN ...
 *
 * fail, hold: the next N starts of it fail, or take until `go` (if there is a
 * TIMEOUT, until then).  go K: the (K modulo how many)-th thing held goes on.
 * drain: go until nothing is held.  reload: the supervisor's configuration is
 * this from now on, with these children in this order (U-1); of a supervisor
 * below it only the place is new.
 */

#define ITEMS_MAX    24
#define COMMANDS_MAX 40
#define OPS_MAX      4
#define RELOADS_MAX  6
#define FOR_EVER     (-1)
#define BRUTAL       (-2)

enum on_stop { ON_STOP_OBEY, ON_STOP_SLOW, ON_STOP_REFUSE };
enum answer { ANSWER_SHUTDOWN, ANSWER_NORMAL, ANSWER_CRASH };
enum ready_by { READY_BY_EVENT, READY_BY_EXEC, READY_BY_GRACE, READY_BY_DELAY };

struct item {
	bool used;
	bool is_sup;
	int parent; /* 0: none */
	enum restart_type restart;
	bool significant;
	enum strategy strategy;
	int intensity, period_s;
	enum auto_shutdown auto_shutdown;
	enum restart_type pool_restart;
	bool pool_of_sups;
	int shutdown_ms; /* a worker's, or a pool's template's */
	enum ready_by ready_by;
	int timeout_ms; /* of a start; FOR_EVER */
	enum on_stop on_stop;
	enum answer answer;
	bool enabled;
	bool is_static;
};

enum op_kind {
	OP_BOOT,
	OP_SHUTDOWN,
	OP_WHICH,
	OP_DRAIN,
	OP_WAIT,   /* arg */
	OP_GO,     /* arg */
	OP_RELOAD, /* id; arg: which of the script's */
	OP_FAIL,   /* id, arg */
	OP_HOLD,   /* id, arg */
	OP_DIE,    /* id; and so on */
	OP_OK,
	OP_TERM,
	OP_START,
	OP_TERMINATE,
	OP_RESTART,
	OP_DELETE,
	OP_N
};

struct op {
	enum op_kind kind;
	int id;
	int arg;
};

struct command {
	int n;
	bool apart; /* joined by `&` */
	struct op op[OPS_MAX];
};

struct reload_child {
	int id;
	enum restart_type restart; /* these three: of a worker */
	bool significant;
	int shutdown_ms;
};

struct reload {
	int sup;
	enum strategy strategy; /* not of a pool */
	int intensity;
	enum auto_shutdown auto_shutdown;
	int n;
	struct reload_child child[ITEMS_MAX];
};

struct script {
	struct item item[ITEMS_MAX + 1]; /* [0] is not used */
	int n_commands;
	struct command command[COMMANDS_MAX];
	int n_reloads;
	struct reload reload[RELOADS_MAX];
};

extern const char *const op_names[OP_N];

/* The same script for the same seed, always. */
void script_generate(struct script *ret, uint64_t seed);

/* The same for a supd with real processes: see live.h. */
void script_generate_live(struct script *ret, uint64_t seed);

void script_print(const struct script *s, struct buf *out);
void script_print_command(
    const struct script *s, const struct command *c, struct buf *out);

/* -EINVAL, and *ret_line is the line that is wrong. */
must_check int script_parse(
    const char *text, struct script *ret, int *ret_line);

/* Forget an item, what is below it and what is done to it. */
void script_drop_item(struct script *s, int id);
void script_drop_command(struct script *s, int i);

#endif /* ORACLE_SCRIPT_H */
