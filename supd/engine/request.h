/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_REQUEST_H
#define ENGINE_REQUEST_H

#include "base/buf.h"
#include "engine/shell.h"

/*
 * What operators ask for, through the bus.
 *
 * A request that only looks (status, show, why, events) or that is over at
 * once (kill, shutdown) is answered on the spot: query.c.  The others have a
 * list of targets, each of which goes through one or two calls to the core
 * (act.c) and then perhaps waits for a state.  The answer is given when all
 * targets are done, when the time is over, or at once if nobody wants to wait;
 * what was begun goes on in any case.
 */

enum target_stage {
	TARGET_TODO,
	TARGET_CALLED, /* the core owes a reply */
	TARGET_WATCH,  /* until the node's state says that it is done */
	TARGET_DONE
};

struct target {
	node_t n;
	uint64_t uid;  /* nodes[n].uid when it was asked for */
	uint64_t inc0; /* its incarnation then */
	enum target_stage stage;
	bool second; /* in the second call: restart, delete */
	bool failed;
	char *path; /* short; survives the node */
};

struct request {
	TAILQ_ENTRY(request) entry;
	struct shell *sh;
	uint64_t id;  /* ours: part of the tags given to the core */
	uint64_t tag; /* the bus's */
	enum request_op op;
	uint32_t flags;
	enum wait_for what;         /* OP_WAIT */
	enum child_call child_call; /* OP_CHILD, */
	enum result result;         /* and what the core said */
	int64_t timeout_ns;
	struct timer *timer; /* or NULL */
	struct target *target;
	uint32_t n_targets, next, n_done, n_called;
	bool answered;     /* END is sent, or nobody waits for it */
	bool explaining;   /* out of time; the last output is being fetched */
	struct buf errors; /* a line for each target that failed */
	char *last_line;
	char *asker; /* the path of the worker that asks; NULL: an operator */
};

/* A WIRE_REQUEST has come. */
void request_open(struct shell *sh, uint64_t tag, const struct wire_request *m,
    const char *tail);

/* Its caller has left. */
void request_cancel(struct shell *sh, uint64_t tag);

/* EFF_REPLY: while it is emitted (reasons are still there), and after. */
void request_note(struct shell *sh, const struct effect *eff);
void request_reply(struct shell *sh, const struct effect *eff);

/* States have changed: look at what waits for one. */
void request_look(struct shell *sh);

/* The logger's answer for a request that ran out of time. */
void request_line(struct shell *sh, uint64_t id, const char *line);
void request_line_end(struct shell *sh, uint64_t id);

/* supd ends: answer all that are open; release all. */
void request_end_all(struct shell *sh);
void request_fini(struct shell *sh);

/* ---- for query.c, act.c, add.c and expire.c --------------------------------
 */

struct request *request_by_id(struct shell *sh, uint64_t id);
void request_forget(struct request *r);

/* Send rows and END, once; what was begun goes on. */
void request_answer(struct request *r, enum ctl_exit code, const char *text);

/* Send END. */
void request_end(
    struct shell *sh, uint64_t tag, enum ctl_exit code, const char *text);

/* The nodes that a request is about; false: it has been answered already. */
struct path_set;
must_check bool request_resolve(
    struct shell *sh, uint64_t tag, const char *path, struct path_set *ret_set);

/* The one node that `path` names; NODE_NONE: it has been answered already. */
must_check node_t request_find_one(
    struct shell *sh, uint64_t tag, const char *path);

/* A request with room for n targets; NULL: answered, memory is short. */
struct request *request_begin(
    struct shell *sh, uint64_t tag, const struct wire_request *m, uint32_t n);
struct target *request_add_target(struct request *r, node_t n);

/* Take up as many targets as may be under way at once; the end, if all are. */
void request_go(struct request *r);

/* One target is done; with a line of text if it failed. */
void request_target_done(struct request *r, struct target *t);
printf_(3, 4) void request_target_failed(
    struct request *r, struct target *t, const char *fmt, ...);

/* The node is still the one that was asked for. */
bool request_target_there(const struct request *r, const struct target *t);

/* The number that the core gives back with its reply. */
uint64_t request_core_tag(const struct request *r, const struct target *t);

/* ---- expire.c --------------------------------------------------------------
 */

/* The timer of a request: arg is the request. */
void expire_request(void *arg);
/* The first target that is not done, or NULL. */
const struct target *expire_undone(const struct request *r);

/* ---- simulate.c -----------------------------------------------------------
 */

void simulate_crash(
    struct shell *sh, uint64_t tag, const struct wire_request *m);

/* ---- childcall.c ----------------------------------------------------------
 */

/* OP_CHILD: to begin; its one target; the core's reply; its end. */
void childcall_open(struct shell *sh, uint64_t tag,
    const struct wire_request *m, const char *tail);
void childcall_begin(struct request *r, struct target *t);
void childcall_reply(
    struct request *r, struct target *t, const struct effect *eff);
void childcall_end(struct request *r);
/* A child of that name is there already. */
void childcall_present(struct shell *sh, uint64_t tag, node_t there);

/* ---- query.c --------------------------------------------------------------
 */

void query_status(struct shell *sh, uint64_t tag, const char *path);
void query_show(struct shell *sh, uint64_t tag, const char *path);
void query_why(struct shell *sh, uint64_t tag, const char *path);
void query_events(struct shell *sh, uint64_t tag, int64_t n);
void query_kill(struct shell *sh, uint64_t tag, const struct wire_request *m);

/* ---- act.c ----------------------------------------------------------------
 */

/* Begin with a target: a call to the core, or done at once. */
void act_begin(struct request *r, struct target *t);
/* The core has replied. */
void act_reply(struct request *r, struct target *t, const struct effect *eff);
/* TARGET_WATCH: look at its state. */
void act_look(struct request *r, struct target *t);
/* OP_ADD: add.c; the second also for OP_CHILD. */
void act_add(struct shell *sh, uint64_t tag, const struct wire_request *m,
    const char *text);
void act_add_to(struct shell *sh, uint64_t tag, const struct wire_request *m,
    node_t sup, const char *text);

#endif /* ENGINE_REQUEST_H */
