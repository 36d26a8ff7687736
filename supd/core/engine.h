/* SPDX-License-Identifier: ISC */
#ifndef CORE_ENGINE_H
#define CORE_ENGINE_H

#include "base/attr.h"
#include "base/mono.h"
#include "core/reason.h"
#include "core/spec.h"
#include "core/window.h"

/*
 * The supervision tree as a pure machine: events in, effects out.
 *
 * engine_step() cannot fail, block, allocate, log or read a clock.  Time comes
 * in the event.  Every event is legal in every state; one that no longer
 * concerns anybody (an old incarnation, a freed node) changes nothing.  A
 * spawn's outcome comes back as an event, so a failed fork is an ordinary
 * transition.  Because the machine is deterministic, replaying a recorded
 * sequence of events rebuilds it exactly.
 *
 * One state machine and one FIFO mailbox per supervisor (D1): a supervisor
 * that is starting or stopping a child queues what arrives; others go on.
 */

typedef uint32_t node_t; /* a node of the arena; 0 is no node */

#define NODE_NONE 0u
#define NODE_ROOT 1u /* the first node added */

enum child_state {
	CHILD_STOPPED,  /* not running; its spec is kept */
	CHILD_STARTING, /* spawned or booting; not ready yet */
	CHILD_READY,    /* running */
	CHILD_STOPPING, /* told to stop */
	CHILD_WAITING,  /* OTP's `restarting`: a retry is queued */
	CHILD_ENDED,    /* ended by itself; its supervisor is busy and has not
	                   looked yet (D1) */
	CHILD_STATE_N
};

enum event_kind {
	EV_TICK,            /* time has passed */
	EV_BOOT,            /* start the root */
	EV_SHUTDOWN,        /* stop the root, as its parent would (T-6) */
	EV_SPAWNED,         /* node, inc: the process exists; code: its pid */
	EV_EXECED,          /* node, inc: it has become the program */
	EV_SPAWN_FAILED,    /* node, inc, step, code (errno): it never ran */
	EV_READY,           /* node, inc: READY_EVENT came true */
	EV_EXITED,          /* node, inc, code, is_signal, core, declared: it
	                       has ended, and its process group is empty (D6) */
	EV_START_CHILD,     /* node: supervisor, child: a detached node, tag */
	EV_RESTART_CHILD,   /* node: the stopped child, tag; or node:
	                       supervisor, child: a detached node: the child
	                       that has its name when the call's turn comes.
	                       That node is freed then. */
	EV_TERMINATE_CHILD, /* the same; inc, of a pool's child, if not 0: only
	                       this one, not who has taken its place (O-1) */
	EV_DELETE_CHILD,    /* as EV_RESTART_CHILD */
	EV_CLEAR,           /* node: supervisor: empty its window, and forget
	                       its children's restarts in a row */
	EV_RETRY,           /* node: a waiting child: its pause is over now */
	EV_BEAT,            /* node, inc: a sign of life; code not 0: it says
	                       itself that it is unwell.  Of no concern
	                       without a heartbeat. */
	EV_PROBED,          /* node, inc, tag of EFF_PROBE: its answer; code 0:
	                       well, else not */
	EV_RELOAD,          /* node: supervisor, tag: take what
	                       engine_set_plan() has laid out */
	EV_APPLY,           /* node: supervisor, tag: start, stop and restart
	                       below it what reloads have changed */
	EV_KIND_N
};

/*
 * What a program has said of its end before it came (D10): the shell knows the
 * words, and whether they count.
 */
enum declared {
	DECLARED_NOTHING,
	DECLARED_NORMAL,
	DECLARED_SHUTDOWN,
	DECLARED_OTHER,  /* a reason of its own: it has crashed */
	DECLARED_IGNORE, /* before it was ready: `ignore` (S-9), no failed
	                    start; later, a reason of its own */
	DECLARED_N
};

struct event {
	mono_t now; /* never before the previous event's */
	enum event_kind kind;
	node_t node;
	node_t child;
	uint64_t inc;
	uint64_t tag; /* returned in EFF_REPLY; the caller's own number */
	int32_t code;
	int32_t step;
	bool is_signal; /* EV_EXITED: code is a signal, not an exit code */
	bool core;
	enum declared declared; /* EV_EXITED */
};

/* Which command of a worker runs; each run is an incarnation of its own. */
enum proc_kind { PROC_MAIN, PROC_PRE_START, PROC_POST_STOP, PROC_KIND_N };

enum effect_kind {
	EFF_SPAWN,  /* node, inc, proc: start this incarnation; reason: for
	               PROC_POST_STOP, of the end before it */
	EFF_SIGNAL, /* node, inc, sig, group: signal it */
	EFF_REPLY,  /* tag, result, node, reason: a call has ended */
	EFF_STATE,  /* node: from -> to, reason; a child moved */
	EFF_REPORT, /* node, report, reason, used, limit: see below */
	EFF_PROBE,  /* node, inc, tag: ask for its health; EV_PROBED answers.
	               Void once the node leaves READY or is probed again. */
	EFF_FREED,  /* node is forgotten: release what hangs on it */
	EFF_DONE,   /* reason: the root is down, nothing runs any more */
	EFF_KIND_N
};

/* L-1.  `node` is the offender unless said otherwise. */
enum report_kind {
	REPORT_CHILD_TERMINATED, /* ended by itself, abnormally or permanent */
	REPORT_RESTART,          /* its supervisor restarts: used of limit */
	REPORT_START_ERROR,      /* it failed to start at boot or restart */
	REPORT_SHUTDOWN_ERROR,   /* it was stopped, but ended otherwise (T-3) */
	REPORT_GAVE_UP,          /* too many restarts, used of limit; node: the
	                            supervisor, offender: the child */
	REPORT_AUTO_SHUTDOWN,    /* node: the supervisor, offender: the child */
	REPORT_UNHEALTHY,   /* a probe failed, used of limit in a row; at the
	                       limit, and if there is none, it is stopped for
	                       what reason.why says */
	REPORT_HOOK_FAILED, /* post_stop failed: nothing follows from it */
	REPORT_KIND_N
};

/* What an API call came to: the result terms of table 1.9. */
enum result {
	RESULT_OK,
	RESULT_IGNORED, /* {ok, undefined} */
	RESULT_NOT_FOUND,
	RESULT_RUNNING,
	RESULT_RESTARTING,
	RESULT_ALREADY_STARTED,
	RESULT_ALREADY_PRESENT,
	RESULT_START_FAILED, /* reason tells */
	RESULT_MAX_CHILDREN,
	RESULT_SIMPLE, /* {error, simple_one_for_one} */
	RESULT_NOPROC, /* the supervisor is not running */
	RESULT_BUSY,   /* more than ENGINE_CALLS_MAX wait already */
	RESULT_N
};

#define ENGINE_CALLS_MAX 4096 /* calls waiting in all mailboxes together */

struct effect {
	enum effect_kind kind;
	node_t node;
	node_t offender;
	uint64_t inc;
	uint64_t tag;
	uint64_t seq; /* STATE, REPORT: counts up by one */
	/* STATE, REPORT: seq of the failure that began it, or 0 */
	uint64_t cause;
	enum child_state from, to;
	enum report_kind report;
	enum proc_kind proc;
	enum result result;
	struct reason reason;
	int32_t sig;
	bool group; /* EFF_SIGNAL: the whole process group */
	/* REPORT_GAVE_UP: because of the offender's max_attempts, else because
	   of the supervisor's intensity. */
	bool attempts;
	uint32_t used, limit;
};

/*
 * Where effects go, in order.  The sink must not call back into the engine
 * except for the read-only questions below.
 */
struct effects {
	void (*emit)(void *ctx, const struct effect *eff);
	void *ctx;
};

struct engine;

/* Bytes of memory that an engine of `cap` nodes needs. */
size_t engine_size(uint32_t cap);

/*
 * Make an empty engine in `mem`, engine_size(cap) zeroed bytes that the caller
 * owns and keeps for as long as the engine lives.
 */
struct engine *engine_init(void *mem, uint32_t cap);

/*
 * Add a node as the last child of `parent`, or detached (to be given to
 * EV_START_CHILD) when parent is NODE_NONE.  The first node ever added is the
 * root.  Names are copied.  `window` has room for spec->intensity instants and
 * stays the caller's until EFF_FREED.  Returns NODE_NONE when the arena is
 * full.  The configuration has checked everything else (names unique, no bad
 * combination), so it is asserted.
 */
node_t engine_add_worker(struct engine *e, node_t parent, const char *name,
    const struct worker_spec *spec);
node_t engine_add_sup(struct engine *e, node_t parent, const char *name,
    const struct sup_spec *spec, mono_t *window);

/* Forget a detached subtree that was never given away; no effects. */
void engine_discard(struct engine *e, node_t n);

/*
 * Root key start_rate: at most one spawn every interval_ns (0: no limit), a
 * pre_start and its program one each.  A post_stop is not held back: it belongs
 * to an end, and somebody may wait for it.
 */
void engine_set_spawn_interval(struct engine *e, int64_t interval_ns);

/*
 * Reload, U-1.  What a supervisor's configuration is to be: the children that
 * the file gives it, in the file's order.  A child that it has is named by its
 * node; a new one is a detached node, as for EV_START_CHILD.
 *
 * EV_RELOAD waits in the supervisor's mailbox like a call and does in its turn
 * what OTP's code_change does: the new order comes first, configured children
 * that are missing from it are kept behind, then dynamic ones; what runs goes
 * on; nothing is started or stopped.  A supervisor that is down takes it at
 * once.  It answers with EFF_REPLY: RESULT_OK, or RESULT_NOT_FOUND when the
 * supervisor is gone, and then the new nodes are freed, with EFF_FREED.  When
 * a name has been taken by the time of a new node's turn, the child that is
 * there gets the place, and the new node is freed.  A child that has left by
 * its turn (deleted, failed to start, temporary) is kept for it, stopped, and
 * is like a new one.  RESULT_BUSY: as for calls; the new nodes are freed.
 *
 * EV_APPLY does the rest of a reload, in its turn, for the supervisor and then
 * for those below it: children missing from the last plan are stopped, last
 * started first, and forgotten; new ones are started; a child whose `changed`
 * was set is restarted, and with it those that the strategy restarts with it
 * (R-2, R-3; new and missing children do that to nobody).  Who is down stays
 * down: stopped by hand, finished, or failed.  Nothing is counted (I-3).  A
 * start that fails leaves that child and those after it in the batch down, and
 * owed: the next EV_APPLY starts them.  It answers RESULT_OK or
 * RESULT_START_FAILED with the node and the reason of the first that failed,
 * when everything below has settled; RESULT_NOPROC when the supervisor goes
 * down before, RESULT_BUSY when too many are under way.
 */
struct plan_child {
	node_t node;
	const struct worker_spec *worker; /* the new spec; NULL: as it was, or
	                                     a supervisor (by its own plan);
	                                     with a new node: of who has
	                                     taken its name */
	bool changed; /* what runs would have to run otherwise */
	bool adopt;   /* a dynamic child that the file has now, too: it gets
	                 its place in the order and is configured from now on */
};

struct plan {
	const struct sup_spec *spec; /* of the supervisor itself */
	mono_t *window;              /* with room for spec->intensity */
	const struct plan_child *child;
	uint32_t n;
};

/*
 * Lay out what the next EV_RELOAD of this supervisor takes.  The plan stays
 * the caller's until that is answered; what its specs and windows replace is
 * unused from then on.  Dynamic children, among them all of a pool, may be
 * named to give them new specs; they keep their places.
 */
void engine_set_plan(struct engine *e, node_t sup, const struct plan *plan);

/*
 * A child that EV_APPLY of the root would restart, start or stop, if need be
 * because the strategy or its supervisor does it to all.
 */
bool engine_is_stale(const struct engine *e, node_t n);

/* Take one event to its end: all effects that follow from it. */
void engine_step(
    struct engine *e, const struct event *ev, struct effects *ret_todo);

/* When the next EV_TICK is due, or MONO_NEVER. */
mono_t engine_deadline(const struct engine *e);

/* Assert every invariant of the tree: O(nodes), for tests and debug_check. */
void engine_check(const struct engine *e);

/* ---- read-only questions; n must be a node in use --------------------- */

bool engine_has(const struct engine *e, node_t n);
bool engine_is_sup(const struct engine *e, node_t n);
const char *engine_name(const struct engine *e, node_t n);
node_t engine_parent(const struct engine *e, node_t n); /* NODE_NONE: root */
node_t engine_first_child(const struct engine *e, node_t n);
node_t engine_next_child(const struct engine *e, node_t n);
/* The child of `sup` with that name, or NODE_NONE. */
node_t engine_find_child(const struct engine *e, node_t sup, const char *name);
enum child_state engine_state(const struct engine *e, node_t n);
uint64_t engine_incarnation(const struct engine *e, node_t n); /* 0: never */
/* False once terminate_child stopped it, until it is started again. */
bool engine_wanted(const struct engine *e, node_t n);
bool engine_is_dynamic(const struct engine *e, node_t n);
/* Restarts of this child by its supervisor since it was added. */
uint64_t engine_restarts(const struct engine *e, node_t n);
/* Restarts in a row, as max_attempts counts them; of a supervisor 0. */
uint32_t engine_attempts(const struct engine *e, node_t n);
struct reason engine_last_reason(const struct engine *e, node_t n);
mono_t engine_since(const struct engine *e, node_t n);    /* of this state */
mono_t engine_last_end(const struct engine *e, node_t n); /* last exit */
mono_t engine_node_deadline(const struct engine *e, node_t n);
const struct worker_spec *engine_worker_spec(const struct engine *e, node_t n);
const struct sup_spec *engine_sup_spec(const struct engine *e, node_t n);
uint32_t engine_window_used(const struct engine *e, node_t sup, mono_t now);
/* A supervisor that is starting, stopping or restarting (O-4's busy). */
bool engine_busy(const struct engine *e, node_t sup);

const char *child_state_name(enum child_state s);
const char *report_name(enum report_kind r);
const char *result_name(enum result r);
const char *strategy_name(enum strategy s);
const char *restart_type_name(enum restart_type r);
const char *auto_shutdown_name(enum auto_shutdown a);

#endif /* CORE_ENGINE_H */
