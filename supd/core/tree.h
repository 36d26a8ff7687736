/* SPDX-License-Identifier: ISC */
#ifndef CORE_TREE_H
#define CORE_TREE_H

#include "core/engine.h"

/*
 * The core's own data: nodes in an arena, two lists of children per
 * supervisor, mailboxes, the heap of deadlines, the queue of supervisors that
 * have something to do.  Private to core/.
 */

/* Where a worker's process is, finer than enum child_state. */
enum phase {
	PHASE_NONE,    /* no process */
	PHASE_TOKEN,   /* STARTING: held back by start_rate */
	PHASE_BACKOFF, /* STARTING: fork failed for want of resources */
	PHASE_PRE,     /* STARTING: pre_start runs */
	PHASE_SPAWN,   /* STARTING: EFF_SPAWN sent */
	PHASE_SETTLE,  /* STARTING: executed; start_grace or delay is running */
	PHASE_WAIT,    /* STARTING: executed; waits for EV_READY */
	PHASE_ABORT,   /* STARTING: being killed; `failure` is the outcome */
	PHASE_RUN,     /* READY */
	PHASE_STOP,    /* STOPPING */
	PHASE_POST, /* STARTING (it has failed) or STOPPING: post_stop runs */
	PHASE_POST_BACKOFF, /* the same, but its fork failed as in BACKOFF */
	PHASE_N
};

/* What a supervisor is doing; anything but IDLE leaves its mailbox alone. */
enum mode {
	MODE_DOWN,
	MODE_BOOT,     /* starting all children, in order (S-1) */
	MODE_ROLLBACK, /* a start failed at boot: stopping all (S-3) */
	MODE_IDLE,
	MODE_RESTART_STOP,  /* stopping a range, in reverse */
	MODE_RESTART_START, /* starting a range, in order */
	MODE_CALL_START,    /* start_child, restart_child */
	MODE_CALL_STOP,     /* terminate_child */
	MODE_SHUTDOWN,      /* stopping all, then down (T-4, T-5) */
	MODE_APPLY_STOP,    /* stopping what a reload has changed, in reverse */
	MODE_APPLY_START,   /* starting what is owed, in order */
	MODE_N
};

/* How the last start of a child came out. */
enum outcome {
	OUTCOME_NONE,
	OUTCOME_OK,
	OUTCOME_IGNORED, /* S-9 */
	OUTCOME_FAILED,  /* node->last says why */
	OUTCOME_N
};

enum msg_kind {
	MSG_EXIT,  /* a child has ended */
	MSG_RETRY, /* try the failed restart again */
	MSG_STOP,  /* the parent's shutdown order */
	MSG_CALL,  /* start, restart, terminate, delete_child, reload */
	MSG_APPLY, /* one supervisor's part of an apply; tag: which */
	MSG_KIND_N
};

/*
 * A message in a supervisor's mailbox.  An exit concerns `node` only while that
 * is still the same incarnation: what a stop has swallowed stays in
 * the queue and is skipped.  A retry is about the child, if it is WAITING when
 * its turn comes.
 */
struct msg {
	uint32_t next;
	enum msg_kind kind;
	enum event_kind op;      /* MSG_CALL */
	const struct plan *plan; /* MSG_CALL of EV_RELOAD */
	node_t node;  /* the child; MSG_CALL of start_child: the new one */
	bool by_name; /* MSG_CALL: node is detached and only bears a name */
	uint32_t gen; /* of node */
	uint64_t inc; /* of node; MSG_CALL: of a pool's child that is meant */
	uint64_t tag; /* MSG_CALL; MSG_APPLY: its place in apply[] */
};

/* An EV_APPLY that is under way, in all supervisors that it has reached. */
struct apply {
	node_t top;    /* the supervisor that it was ordered of; 0: unused */
	uint32_t left; /* supervisors that are not through with it */
	uint64_t tag;
	enum result result;
	node_t node; /* with `reason`: the first start that failed */
	struct reason reason;
};

#define APPLIES_MAX 4 /* at the same time: one more is answered busy */

/*
 * The most of them about one child.  OTP has no bound, and needs none: exits
 * beyond it have been swallowed, so they are forgotten; but a child that fails
 * to start again and again, in restarts that others have begun, is tried a bit
 * less often than there.
 */
#define EXITS_MAX   2
#define RETRIES_MAX 8

struct sup {
	const struct sup_spec *spec;
	struct window window;
	enum mode mode;
	enum reason_why why;              /* of the SHUTDOWN in progress */
	node_t first, last;               /* children in start order */
	node_t static_first, static_last; /* the configured ones, in order */
	uint32_t n_children;
	uint32_t mail_head, mail_tail; /* msg indices; 0: empty */
	node_t run_next; /* in the queue of supervisors with work */
	bool run_queued;
	bool kill_now; /* shutdown_deadline has passed */
	/* The operation in progress: */
	node_t cursor; /* the child it is at */
	node_t
	    range_end;  /* last child of the range; NODE_NONE: the list's end */
	node_t from;    /* where RESTART_START begins */
	bool issued;    /* cursor has been told to start; a pool, to stop */
	node_t failed;  /* ROLLBACK: who failed */
	uint64_t tag;   /* CALL_*: whom to answer */
	bool fresh;     /* CALL_START: start_child, not restart_child */
	uint64_t cause; /* seq of the failure it follows from, or 0 */
	uint32_t apply; /* APPLY_*: which one */
	const struct plan *plan; /* for the next EV_RELOAD */
	bool stale; /* some child is `changed`: not to look in vain */
};

struct worker {
	const struct worker_spec *spec;
	enum phase phase;
	enum proc_kind proc; /* of this incarnation */
	uint32_t stage;      /* of the stop */
	uint64_t told;       /* bit: signals that this stop has sent */
	bool killed;         /* we have sent SIGKILL */
	bool for_ever;       /* what it waits for may take for ever */
	bool executed;       /* the main program, in this start */
	/*
	 * STOPPING although nobody has ordered it: it is unhealthy, or has
	 * ended and its post_stop runs.  It will be ENDED then.
	 */
	bool own;
	mono_t start_deadline; /* and that of a hook */
	int64_t backoff_ns;
	struct reason failure; /* PHASE_ABORT */
	uint32_t attempts;     /* restarts of it in a row (max_attempts) */
	/* PHASE_RUN; see health.c: */
	mono_t probe_at; /* the next probe; while probing: when it has failed */
	mono_t beat_by;  /* heartbeat */
	int64_t beat_ns; /* what it was told, by its start */
	mono_t old_at;   /* max_lifetime */
	uint64_t probe;  /* tag of the last one; counts up */
	uint32_t n_bad;  /* failed probes in a row */
	bool probing;
};

struct node {
	bool used;
	bool is_sup;
	bool dynamic;  /* added by start_child */
	bool attached; /* in its parent's list of children */
	bool wanted;
	bool removed; /* configured, but missing from the last plan */
	bool changed; /* runs as a reload would no longer start it */
	bool owed;    /* an apply is to start it: it is new, or was stopped by
	                 one that did not come to start it again */
	bool planned; /* while a reload works: it has its place in the plan */
	bool batch;   /* while an apply works: it stops or has started it */
	bool kept;    /* it would be freed, but a plan has a place for it */
	enum child_state state;
	enum outcome outcome;
	uint32_t gen;     /* counts uses of this arena slot */
	uint32_t calls;   /* that wait in a mailbox and name it, and plans: the
	                     slot stays, with the name, even if it is freed */
	uint32_t plans;   /* that name it; each counts as a call, too */
	uint32_t exits;   /* about it that are in a mailbox, with its gen */
	uint32_t retries; /* likewise */
	uint32_t hash;
	node_t parent, next, prev, static_next;
	uint64_t inc; /* goes on over uses of the slot: never repeats */
	uint64_t restarts;
	uint64_t end_cause;  /* chain of its last end or failed start */
	enum reason_why why; /* why it is being stopped */
	struct reason last;
	mono_t since, last_end;
	mono_t deadline;
	uint32_t heap_pos; /* 1-based; 0: no deadline */
	char name[NAME_MAX_LEN + 1];
	union {
		struct worker w;
		struct sup s;
	};
};

struct engine {
	mono_t now;
	struct effects *todo; /* during a step */
	uint32_t cap;
	uint32_t high;    /* nodes 1..high have been used */
	node_t free_node; /* list through next */
	uint32_t msg_cap, msg_high, free_msg;
	uint32_t n_calls;
	node_t run_head, run_tail;
	uint32_t n_heap;
	uint64_t seq;
	int64_t spawn_interval_ns;
	mono_t next_spawn;
	bool shutting_down;
	bool done;
	struct apply apply[APPLIES_MAX];
	struct node *nodes; /* [cap + 1] */
	struct msg *msgs;   /* [msg_cap + 1] */
	node_t *heap;       /* [cap + 1] */
};

static inline struct node *
node_of(const struct engine *e, node_t n)
{
	return &e->nodes[n];
}

static inline node_t
node_id(const struct engine *e, const struct node *c)
{
	return (node_t)(c - e->nodes);
}

/* ---- tree.c: lists, mailboxes, heap ----------------------------------- */

/* Put a node at the end of its parent's list of children. */
void tree_attach(struct engine *e, struct node *c);
void tree_detach(struct engine *e, struct node *c);
/* Forget a subtree, children first, with an EFF_FREED each. */
void tree_free(struct engine *e, struct node *c);
/* The list of children as configured: dynamic ones are gone (E-5). */
void tree_reset_children(struct engine *e, struct node *s);
/* A stopped child leaves the tree: kept for boot if the file has it. */
void tree_remove(struct engine *e, struct node *c);
/* Keep the slot of a node, freed or not; let go of it. */
void tree_pin(struct engine *e, node_t n);
void tree_unpin(struct engine *e, node_t n);
/* The same for a node that a plan names. */
void tree_plan_pin(struct engine *e, node_t n);
void tree_plan_unpin(struct engine *e, node_t n);
/*
 * A child that is in no list any more is freed; but if a plan that waits names
 * it, it is kept for that, and freed when no plan has given it a place.
 */
void tree_forget(struct engine *e, struct node *c);
/* The child of `s` that is called like `c`, or NULL. */
struct node *tree_find_like(
    const struct engine *e, const struct node *s, const struct node *c);
bool tree_same_name(const struct node *a, const struct node *b);

void mail_post(struct engine *e, struct node *s, const struct msg *m);
bool mail_take(struct engine *e, struct node *s, struct msg *ret);
/* A call that was taken is over. */
void mail_call_done(struct engine *e, const struct msg *m);

void run_queue(struct engine *e, struct node *s);
struct node *run_take(struct engine *e);

void deadline_set(struct engine *e, struct node *c, mono_t at);
void deadline_clear(struct engine *e, struct node *c);

/* ---- emit.c: effects --------------------------------------------------- */

void emit_state(struct engine *e, struct node *c, enum child_state to);
void emit_report(struct engine *e, struct node *c, enum report_kind r,
    node_t offender, const struct reason *why);
void emit_restart(struct engine *e, struct node *c);
/* `attempts`: because of max_attempts of `c`, not the intensity. */
void emit_gave_up(
    struct engine *e, struct node *s, struct node *c, bool attempts);
void emit_reply(struct engine *e, uint64_t tag, enum result r, node_t n,
    const struct reason *why);
void emit_spawn(struct engine *e, struct node *c);
void emit_probe(struct engine *e, struct node *c);
/* What a child does of its own accord; it returns the seq of its report. */
uint64_t emit_own(struct engine *e, struct node *c, enum report_kind r,
    const struct reason *why, uint32_t used, uint32_t limit);
void emit_signal(struct engine *e, struct node *c, int sig);
void emit_freed(struct engine *e, node_t n);
void emit_done(struct engine *e, const struct reason *why);

/* ---- worker.c: one process --------------------------------------------- */

void worker_start(struct engine *e, struct node *c);
void worker_stop(struct engine *e, struct node *c);
/* Give up a start that is in progress; its outcome will be `why`. */
void worker_abort(struct engine *e, struct node *c, const struct reason *why);
/* shutdown_deadline: go to SIGKILL now, if it is being stopped. */
void worker_kill_now(struct engine *e, struct node *c);
/* A reload: from now on this is its spec, whatever it is doing. */
void worker_respec(
    struct engine *e, struct node *c, const struct worker_spec *spec);
void worker_event(struct engine *e, struct node *c, const struct event *ev);
void worker_due(struct engine *e, struct node *c);

/* For hook.c and health.c: */

/* An order has come while it stops of its own accord: it is our stop now. */
void worker_take_over(struct node *c, enum reason_why why);
/* Spawn the next process of this start, when start_rate lets it. */
void worker_spawn_in_turn(
    struct engine *e, struct node *c, enum proc_kind proc, int64_t limit_ns);
/* The start has failed, and no process is left of it. */
void worker_start_failed(
    struct engine *e, struct node *c, const struct reason *why);
/* No process is left, and no hook: tell its supervisor. */
void worker_over(struct engine *e, struct node *c);
/* SIGKILL, once. */
void worker_sigkill(struct engine *e, struct node *c);
/* shutdown_deadline of a supervisor above has passed. */
bool worker_must_die(const struct engine *e, const struct node *c);
/* A fork failed: the instant of the next try, or MONO_NEVER: it is final. */
mono_t worker_fork_again(
    struct engine *e, struct node *c, const struct event *ev);

/* ---- hook.c: pre_start and post_stop ----------------------------------- */

/* pre_start has ended, or could not be spawned. */
void hook_pre_ended(struct engine *e, struct node *c, const struct event *ev);
/*
 * The main program is no more, and c->last says why: run its post_stop.
 * False: there is none to run.
 */
bool hook_post_start(struct engine *e, struct node *c);
/* post_stop has ended, or could not be spawned. */
void hook_post_ended(struct engine *e, struct node *c, const struct event *ev);
/* A hook's deadline, or the instant to fork again, has come. */
void hook_due(struct engine *e, struct node *c);
/* shutdown_deadline has passed. */
void hook_kill_now(struct engine *e, struct node *c);
/* A reload while post_stop runs. */
void hook_respec(struct engine *e, struct node *c);

/* ---- health.c: a ready worker that is not well ------------------------- */

void health_begin(struct engine *e, struct node *c);
/* A reload has replaced its spec, which was `old`. */
void health_respec(
    struct engine *e, struct node *c, const struct worker_spec *old);
void health_probed(struct engine *e, struct node *c, const struct event *ev);
void health_beat(struct engine *e, struct node *c, const struct event *ev);
void health_due(struct engine *e, struct node *c);

/* ---- retry.c: restarts in a row ---------------------------------------- */

/* The pause before the next restart, or 0: at once. */
int64_t retry_pause_ns(const struct engine *e, const struct node *c);
/* It has been restarted as often in a row as max_attempts allows. */
bool retry_exhausted(const struct node *c);
/* A restart is being made. */
void retry_made(struct node *c);
/* A start that is no restart: begin anew. */
void retry_forget(struct node *c);
/* It is ready no more: begin anew if it was so for long enough. */
void retry_was_ready(const struct engine *e, struct node *c);
/* Try again in the turn of a message that its supervisor gets now. */
void retry_post(struct engine *e, struct node *c);
/* Its pause, if it is in one, is over. */
void retry_now(struct engine *e, struct node *c);

/* ---- sup.c: one supervisor --------------------------------------------- */

void sup_start(struct engine *e, struct node *c);
void sup_stop(struct engine *e, struct node *c);
void sup_due(struct engine *e, struct node *c);
/* Work until it waits for something. */
void sup_run(struct engine *e, struct node *s);
/* Start or stop a child of either kind. */
void child_start(struct engine *e, struct node *c);
void child_stop(struct engine *e, struct node *c, enum reason_why why);
/* A child has settled (ready, stopped, ended): its supervisor goes on. */
void child_settled(struct engine *e, struct node *c);
/* It would not start because a stop, of a supervisor above, has given it up. */
bool child_given_up(const struct engine *e, const struct node *c);
/* It was started, but the file has it disabled, or it wants not to run. */
void child_ignored(struct engine *e, struct node *s, struct node *c);
/* A running child has ended by itself: into its supervisor's mailbox. */
void child_ended(struct engine *e, struct node *c);

/* ---- call.c: the dynamic operations ------------------------------------ */

/* From outside: queue it with the right supervisor, or answer at once. */
void call_event(struct engine *e, const struct event *ev);
/* From the mailbox. */
void call_run(struct engine *e, struct node *s, const struct msg *m);
/* MODE_CALL_*: true if something moved on. */
bool call_advance(struct engine *e, struct node *s);
/* The supervisor is going down with this call still in its mailbox. */
void call_refuse(struct engine *e, struct node *s, const struct msg *m);

/* ---- reload.c: a new configuration ------------------------------------- */

void reload_event(struct engine *e, const struct event *ev);
/* From the mailbox, or at once if `s` is down: take the plan and answer. */
void reload_run(struct engine *e, struct node *s, const struct msg *m);
/* Give up a plan: its new nodes are freed. */
void reload_drop(struct engine *e, const struct plan *p);

/* ---- apply.c: what a reload has changed is made so --------------------- */

void apply_event(struct engine *e, const struct event *ev);
/* From the mailbox. */
void apply_run(struct engine *e, struct node *s, const struct msg *m);
/* MODE_APPLY_*: true if something moved on. */
bool apply_advance(struct engine *e, struct node *s);
/* The supervisor has gone down with this in its mailbox. */
void apply_refuse(struct engine *e, const struct msg *m);

#endif /* CORE_TREE_H */
