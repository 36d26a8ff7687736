/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_SHELL_H
#define ENGINE_SHELL_H

#include "base/role.h"
#include "conf/conf.h"
#include "core/engine.h"
#include "engine/aux.h"
#include "engine/evqueue.h"
#include "engine/history.h"
#include "engine/lookup.h"
#include "engine/loop.h"
#include "wire/link.h"
#include "wire/slots.h"

#include <sys/queue.h>

/*
 * The engine's shell: what stands between the pure core and the other roles.
 *
 * Frames, timers and requests become events; run_event() gives each to the
 * core, one after the other, and what the core answers is carried out here.
 * Nothing else calls engine_step(): a journal of what run_event() saw would
 * rebuild the core exactly.
 */

struct gen;
struct probe;
struct ready;
struct reload;
struct request;
struct tracefile;
TAILQ_HEAD(gens, gen);
TAILQ_HEAD(requests, request);

/* What hangs on a node of the core; nodes[n] belongs to node_t n. */
struct node {
	const struct conf_child *conf; /* NULL: the node is not in use */
	char **args;     /* a pool's child: what was added to its template */
	struct gen *gen; /* what `conf` comes or borrows from */
	uint64_t uid;    /* tells users of one node_t apart */
	char *path;      /* "root/web/api" */
	mono_t *window;  /* of a supervisor */
	uint64_t last_number;        /* given to a child of a pool */
	bool numbered;               /* no child of it has a higher one */
	uint64_t added_by;           /* the bus is to be told at its PROC */
	int32_t pid;                 /* of the program; 0: none */
	bool pid_gone;               /* it has ended, but not yet its state */
	uint64_t sent_inc;           /* the last one the keeper was told of */
	enum proc_kind sent_proc;    /* and what of the worker it is */
	uint64_t main_inc;           /* the last one of its program */
	uint64_t early_inc;          /* said it was ready before we knew */
	int32_t hook_pid;            /* of a hook that runs, or 0 */
	mono_t spawned_at, ended_at; /* of the program */
	bool end_told;   /* its end is recorded; its post_stop runs */
	bool unwell;     /* it has said so itself (WATCHDOG=trigger) */
	bool traps;      /* exits, or has: the bus knows */
	uint64_t told;   /* by stops: bit s: signal s */
	char *imposed;   /* what an exit signal is to end it for, or NULL */
	char *declared;  /* what it says it will end for, or NULL */
	char *own_words; /* of its last end, if that was declared, or NULL */
	struct wire_exited exited; /* its last end; inc 0: none */
	/* Answers still to come; also those meant for a former user. */
	uint32_t log_owed, bus_owed;
	bool log_open;
	bool prepare_again; /* its configuration is another by now */
	bool announced;     /* `added` was told, so `removed` will be */
	int prep_error;     /* errno of a failed preparation, or 0 */
	int prep_step;      /* enum spawn_step it counts as */
	char *prep_text;    /* what failed, or NULL */
	uint64_t held_inc;  /* a spawn that waits for preparations, or 0 */
	enum proc_kind held_proc;
	struct reason held_reason;
	uint64_t start_seq,
	    start_cause;     /* of the STATE that began this start */
	uint32_t n_signals;  /* sent to this incarnation by the core */
	struct ready *ready; /* what its readiness asks, or NULL */
	struct probe *probe; /* what its health asks, or NULL */
	char *status;     /* sd_notify STATUS= of this incarnation, or NULL */
	char *last_line;  /* output before the last bad end, or NULL */
	char *complaint;  /* why it was last found unhealthy, or NULL */
	char *last_words; /* how it last ended, if an older configuration has
	                     to tell it, or NULL */
};

/* Of its program, while that runs; else 0. */
static inline int32_t
node_pid(const struct node *nd)
{
	return nd->pid_gone ? 0 : nd->pid;
}

/* A link to another role. */
struct peer {
	const char *name;
	struct shell *sh;
	struct link link;
	struct watch *readable, *writable;
	bool flushing; /* `writable` is armed */
	bool paused;   /* not read from until it has read from us */
	void (*take)(struct shell *sh, const struct wire_hdr *h);
};

struct shell {
	const struct role_args *args;
	struct loop *loop;
	struct gens dead_gens; /* to be released at the end of the turn */
	struct gen *gen;       /* the one in force */
	void *core_mem;
	struct engine *core;
	struct tracefile *trace; /* --trace, or NULL */
	struct node *nodes;      /* [cap + 1] */
	uint32_t cap;
	uint64_t next_uid;
	uid_t supd_uid; /* whom a worker without `user` runs as */
	gid_t supd_gid;
	struct peer keeper, bus, logger;
	const struct slot_table *slots; /* mapped read-only, or NULL */
	size_t slots_size;
	struct timer *tick;
	struct history history;
	struct reload *reload; /* under way, or NULL */
	bool reload_again;     /* another SIGHUP has come meanwhile */
	struct requests requests;
	uint64_t next_request;
	struct lookups lookups;
	struct aux aux;

	mono_t now; /* of this turn of the loop */
	int64_t wall_ns;
	uint64_t *frame; /* WIRE_FRAME_MAX bytes, for one received frame */

	struct evqueue queue; /* events to take */
	struct effect *after; /* effects of this step to carry out after it */
	uint32_t after_cap, after_len;
	bool changed; /* a state changed since requests were looked at */

	bool stopping; /* an ordered shutdown has begun */
	bool ending;   /* the root is down; last words are waited for */
	int32_t done_code;
	mono_t done_by;      /* `ending` waits no longer */
	uint32_t tails_owed; /* last lines asked of the logger */
	bool done;           /* WIRE_DONE is sent */
	bool broken;         /* a link broke or memory ran out */
};

/* ---- run.c ------------------------------------------------------------- */

/*
 * Queue an event; ev->now is set when it is taken.  It is taken before the
 * loop waits again, after those queued earlier.
 */
void run_post(struct shell *sh, const struct event *ev);

/* Begin and end a turn of the loop: every callback's first and last line. */
void run_enter(struct shell *sh);
void run_leave(struct shell *sh);

/* We cannot go on (memory, a link): end the role with 70. */
void run_broken(struct shell *sh, const char *what, int error);

/* Send a frame, or end the role. */
void run_send(struct shell *sh, struct peer *to, enum wire_type type,
    uint64_t tag, const void *body, const void *tail, size_t tail_len);

/* The root's start_rate, as the configuration in force has it. */
void run_spawn_interval(struct shell *sh);

/* Make room for one more element in a growing array; false: no memory. */
must_check bool run_grow(void *array, uint32_t *cap, uint32_t len, size_t size);

/* ---- input.c: frames become events -------------------------------------- */

void input_keeper(struct shell *sh, const struct wire_hdr *h);
void input_bus(struct shell *sh, const struct wire_hdr *h);
void input_logger(struct shell *sh, const struct wire_hdr *h);

/* ---- effect.c: effects are carried out ---------------------------------- */

/* The sink for engine_step(): ctx is the shell. */
void effect_emit(void *ctx, const struct effect *eff);
/* After the step: what must wait for it. */
void effect_finish(struct shell *sh);
/* The root is down: end, once all last words are told or time is over. */
void effect_end(struct shell *sh);
/* The preparations of a node have come to an end: send a spawn that waits. */
void effect_prepared(struct shell *sh, node_t n);

/* One line of the trace (-v): what the core took, what came of it. */
#define TRACE_LEN 768
void trace_line(const struct shell *sh, const char *text);

#endif /* ENGINE_SHELL_H */
