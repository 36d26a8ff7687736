/* SPDX-License-Identifier: ISC */
#ifndef ORACLE_LIVE_H
#define ORACLE_LIVE_H

#include "script.h"

#include <jansson.h>
#include <sys/types.h>

/*
 * One supd, with real processes, that a script befalls.
 *
 * supd runs in a directory of its own.  Its workers are moles that do what we
 * tell them over a socket (workers/mole_told.c); what supd does is read from
 * its events, in their order; the script's calls go over its control socket.
 *
 * Simultaneous deaths: the engine is stopped by a signal while the workers
 * die, one after the other, so that it finds all of them at once.
 *
 * A command is over when nothing moves any more: every node of supd's status
 * is at rest, and every process is where that status says, but for those that
 * we hold.
 */

#define LIVE_PROCS 1024 /* in the life of one supd */
#define LIVE_CALLS (COMMANDS_MAX * OPS_MAX)
#define LIVE_PATH  96

/* A worker's process. */
struct live_proc {
	pid_t pid;
	int id;
	int fd;        /* its socket; -1: it has ended */
	bool told;     /* to go, or to end */
	bool doomed;   /* by the script */
	bool held;     /* in its start */
	bool stopping; /* it said so, and takes its time */
};

enum live_outcome { LIVE_PENDING, LIVE_OK, LIVE_FAILED, LIVE_NOT_ASKED };

struct live_call {
	int id;
	enum op_kind op;
	enum live_outcome outcome;
	int rpc; /* its number */
	char why[160];
};

/* A node, as the last status told it. */
struct live_node {
	bool seen;
	bool is_sup;
	bool busy;
	pid_t pid;
	char state[16];
};

struct live {
	const struct script *s;
	const char *supd, *mole;
	char dir[32], sock[48];
	pid_t pid;    /* of supd; 0: it has ended */
	pid_t engine; /* its role */
	int exit_code;
	int listen, control;
	struct buf in; /* from the control socket */
	bool gone;     /* the control socket has closed */
	int rpc;
	int status_rpc; /* 0: none is asked for */
	bool status_new;
	json_t *status;
	struct live_node node[ITEMS_MAX + 1];
	struct live_proc proc[LIVE_PROCS];
	int n_procs;
	int current[ITEMS_MAX + 1]; /* its last process, or -1 */
	int fails[ITEMS_MAX + 1], holds[ITEMS_MAX + 1];
	int pool_child[ITEMS_MAX + 1][ITEMS_MAX + 1]; /* [pool][number]: id */
	int n_pool[ITEMS_MAX + 1];
	struct live_call call[LIVE_CALLS];
	int n_calls;
	struct buf *out;
	bool stopping; /* it has been told to end */
	bool root_failed;
	bool late;        /* the machine was too busy for a timeout */
	char broken[200]; /* what made it impossible to go on, or "" */
};

/* Run a script.  What happens goes to `out` in the words of machine.h, with
 * "=" before each command; replies are in call[].  `skip` says which deletes
 * supctl has no word for: by number of the call.  live_fini() in any case. */
void live_run(
    struct live *l, const struct script *s, const bool *skip, struct buf *out);
void live_fini(struct live *l);

/* ---- live_conf.c: the tree as supd.yaml (JSON is YAML) --------------------
 */

/* The whole configuration.  The caller owns it. */
char *live_conf(const struct live *l);
/* What `add` takes for that child. */
char *live_spec(const struct live *l, int id);
/* Its path in supd, or false if it has none (a pool's child not yet there). */
bool live_path(const struct live *l, int id, char *buf, size_t len);
/* The item at a path; 0: none. */
int live_item(const struct live *l, const char *path);

/* ---- live_link.c: the control socket --------------------------------------
 */

/* Connect, and ask for events.  False: not yet. */
must_check bool live_connect(struct live *l);
/* Read what is there and take it. */
void live_read(struct live *l);
void live_ask_status(struct live *l);
void live_call(struct live *l, const struct op *o, bool skip);

/* ---- live_proc.c: the workers ---------------------------------------------
 */

must_check int live_listen(struct live *l);
/* Wait at most `ms` for anything, and take what has come. */
void live_poll(struct live *l, int ms);
/* Tell a process something; it may have ended. */
void live_tell(struct live_proc *p, const char *text);
struct live_proc *live_current(struct live *l, int id);
struct live_proc *live_by_pid(struct live *l, pid_t pid);
/* One that waits for us: in its start (for ever), or in its stop. */
bool live_is_held(const struct live *l, const struct live_proc *p);
void live_go(struct live *l, int k);
int live_count_held(const struct live *l);
/* Die, die, die: see above. */
void live_deaths(struct live *l, const struct command *c);

#endif /* ORACLE_LIVE_H */
