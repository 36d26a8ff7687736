/* SPDX-License-Identifier: ISC */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Frames between the roles of one supd, over SOCK_SEQPACKET socketpairs.
 *
 * A frame is a header, a struct of the type's fixed size, and for some types a
 * tail of bytes up to a maximum.  wire_check() validates the sizes against one
 * table before anybody looks inside; text fields and text tails end in NUL.
 * The peers are the same binary, so native layout and byte order are right and
 * a bad frame means that the peer is broken: the receiver ends in good order.
 *
 * `slot` numbers a worker: it is the engine's node_t.  (slot, inc) is one
 * incarnation.  Paths are "root/web/api".
 */

/* Role fds after exec.  Every role has the keeper on 3. */
#define ROLE_FD_KEEPER   3
#define ENGINE_FD_BUS    4
#define ENGINE_FD_LOGGER 5
#define ENGINE_FD_SLOTS  6 /* the slot table, read-only */
#define BUS_FD_ENGINE    4
#define BUS_FD_LOGGER    5
#define BUS_FD_CONTROL   6 /* control.sock, listening */
#define LOGGER_FD_ENGINE 4
#define LOGGER_FD_BUS    5

#define WIRE_PATH_MAX  1024 /* a child path with its NUL */
#define WIRE_TEXT_MAX  512
#define WIRE_TAIL_MAX  (128 * 1024)
#define WIRE_FRAME_MAX (WIRE_TAIL_MAX + 8192)

enum wire_type {
	WIRE_NONE,

	/* engine -> keeper */
	WIRE_SPAWN,  /* struct wire_spawn; tail: its strings */
	WIRE_SIGNAL, /* struct wire_signal */
	WIRE_ACK,    /* struct wire_id: the exit was taken, free the slot */
	WIRE_UP,     /* no struct: configuration accepted, loop entered */
	WIRE_DONE,   /* struct wire_done: end supd with this exit code */
	WIRE_EXEC,   /* struct wire_spawn, slot 0: run a helper program */

	/* keeper -> engine */
	WIRE_SPAWNED,      /* struct wire_spawned: the process exists */
	WIRE_EXECED,       /* struct wire_id: it has become the program */
	WIRE_SPAWN_FAILED, /* struct wire_failed: it never ran */
	WIRE_EXITED,       /* struct wire_exited: ended, group empty */
	WIRE_SHUTDOWN,     /* no struct: SIGTERM or SIGINT came */
	WIRE_RELOAD,       /* no struct: SIGHUP came */

	/* keeper -> bus; carries 1 fd (the lifeline) or 2 (and notify_fd) */
	WIRE_LIFELINE, /* struct wire_lifeline */

	/* engine -> bus */
	/* struct wire_prepare; tail: its wishes: a worker will be started */
	WIRE_PREPARE,
	WIRE_PROC,   /* struct wire_proc: this incarnation is being spawned */
	WIRE_DEAD,   /* struct wire_dead: it has ended: purge its names, DOWN */
	WIRE_FORGET, /* struct wire_id: the worker is gone from the tree */
	WIRE_ROW,    /* struct wire_row: one node, for a request */
	WIRE_FIELD,  /* struct wire_field; tail: value: a line of `show` */
	WIRE_EVENT,  /* struct wire_event: tag 0 live, else for a request */
	/* struct wire_change; tail: the old value, NUL, the new value */
	WIRE_CHANGE,
	WIRE_STEP,  /* struct wire_step: what would happen, for a request */
	WIRE_END,   /* struct wire_end; tail: text: a request has ended */
	WIRE_HEARD, /* struct wire_id: DECLARED is done */
	WIRE_STOP,  /* struct wire_exit: stop it by one if it traps them, or
	               answer with a WIRE_EXIT */

	/* bus -> engine */
	WIRE_PREPARED, /* struct wire_result: PREPARE is done */
	WIRE_READY,    /* struct wire_ready: it said so */
	WIRE_BEAT,     /* struct wire_beat: a sign of life */
	WIRE_TRAPS,    /* struct wire_id: it has trapped exits: STOP it */
	WIRE_EXIT,     /* struct wire_exit: signal it */
	/* struct wire_declared; tag: returns in HEARD: its reason to end */
	WIRE_DECLARED,
	WIRE_REQUEST, /* struct wire_request; tail: argument text */
	WIRE_CANCEL,  /* no struct: hdr.tag: nobody waits for it any more */

	/* engine -> logger */
	WIRE_LOG_OPEN,  /* struct wire_log_open: capture this worker */
	WIRE_LOG_FLUSH, /* struct wire_id: it has ended, and so has its line */
	WIRE_LOG_CLOSE, /* struct wire_id: stop capturing */
	/* engine, bus -> logger */
	WIRE_LOG_TAIL, /* struct wire_log_tail: the last lines, please */
	/* struct wire_log_tail: lines as they come; n 0: stop */
	WIRE_LOG_FOLLOW,
	/* logger -> engine */
	WIRE_LOG_OPENED, /* struct wire_result */
	/* logger -> engine, bus */
	WIRE_LOG_LINE, /* struct wire_log_line; tail: the line */
	WIRE_LOG_END,  /* struct wire_id: hdr.tag's tail is complete */

	WIRE_TYPE_N
};

struct wire_hdr {
	uint16_t type; /* enum wire_type */
	uint16_t zero;
	uint32_t len; /* of the whole frame */
	uint64_t tag; /* a request's number, given by who asked */
};

struct wire_id {
	uint32_t slot;
	uint32_t zero;
	uint64_t inc;
};

/* What a spawn does, in this order; also the steps that can fail. */
enum spawn_step {
	STEP_NONE,
	STEP_CLONE,
	STEP_SLOT, /* the slot is out of range or still in use */
	STEP_LOG,  /* the log FIFO */
	STEP_LIFELINE,
	STEP_NOTIFY_FD,
	STEP_FDS,
	STEP_SETSID,
	STEP_UMASK,
	STEP_NICE,
	STEP_RLIMIT,
	STEP_OOM,
	STEP_GROUPS,
	STEP_GID,
	STEP_UID,
	STEP_CWD,
	STEP_STDIN,
	STEP_STDOUT,
	STEP_STDERR,
	STEP_PDEATHSIG,
	STEP_SIGNALS,
	STEP_EXEC,
	STEP_N
};

/* "chdir", "exec", ...: for messages like "chdir /x: No such file". */
const char *spawn_step_name(int step);

#define SPAWN_HAS_NICE   0x01u
#define SPAWN_HAS_OOM    0x02u
#define SPAWN_HAS_USER   0x04u /* uid, gid and groups */
#define SPAWN_LIFELINE   0x08u /* fd SPAWN_LIFELINE_FD in the worker */
#define SPAWN_NOTIFY_FD  0x10u /* a pipe's write end on notify_fd */
#define SPAWN_KILL_GROUP 0x20u /* kill what is left of the group at its end */
/* The last environment entry ends in SPAWN_PID_ROOM bytes for its own pid. */
#define SPAWN_PID_ENV 0x40u

#define SPAWN_PID_ROOM 10

#define SPAWN_LIFELINE_FD 3 /* what SUPD_FD says */
#define SPAWN_GROUPS_MAX  64
#define SPAWN_RLIMITS_MAX 16

enum spawn_io {
	SPAWN_IO_NULL,
	SPAWN_IO_LOG,
	SPAWN_IO_INHERIT,
	SPAWN_IO_FILE,
	SPAWN_IO_JOIN,
	SPAWN_IO_N
};

/*
 * tail: NUL-terminated strings, in this order: the executable's path, cwd,
 * the files of stdin, stdout and stderr ("" where there is none), argc
 * arguments, envc environment entries.  wire_check() has counted them.
 */
struct wire_spawn {
	uint32_t slot;
	uint32_t flags;
	uint64_t inc;
	uint32_t argc;
	uint32_t envc;
	uint8_t io[3]; /* enum spawn_io of stdin, stdout, stderr */
	uint8_t zero;
	int32_t notify_fd;
	uint32_t log_slot; /* whose log FIFO: 0, its own, or another's */
	uint32_t umask;
	int32_t nice;
	int32_t oom_score_adj;
	uint32_t uid, gid;
	uint32_t n_groups;
	uint32_t groups[SPAWN_GROUPS_MAX];
	uint32_t n_rlimits;
	struct {
		int32_t resource;
		uint32_t zero;
		uint64_t soft, hard; /* RLIM_INFINITY as UINT64_MAX */
	} rlimit[SPAWN_RLIMITS_MAX];
};

/* Whom a WIRE_SIGNAL reaches. */
enum signal_scope { SIGNAL_PROCESS, SIGNAL_GROUP, SIGNAL_SCOPE_N };

struct wire_signal {
	uint32_t slot;
	int32_t sig;
	uint64_t inc;
	uint32_t scope; /* enum signal_scope; CONT follows, but for stops */
	uint32_t zero;
};

struct wire_done {
	int32_t code;
	uint32_t zero;
};

struct wire_spawned {
	uint32_t slot;
	int32_t pid;
	uint64_t inc;
	int64_t at_ns; /* CLOCK_MONOTONIC */
};

struct wire_failed {
	uint32_t slot;
	int32_t step; /* enum spawn_step */
	uint64_t inc;
	int32_t error; /* errno */
	uint32_t zero;
};

struct wire_exited {
	uint32_t slot;
	int32_t pid;
	uint64_t inc;
	int64_t at_ns;
	int32_t status; /* exit code or signal */
	uint8_t is_signal;
	uint8_t core;
	uint8_t leftover; /* the group would not empty within its bound */
	uint8_t zero;
	int64_t user_us, sys_us; /* rusage of the leader */
	int64_t maxrss_kb;
};

struct wire_lifeline {
	uint32_t slot;
	int32_t pid;
	uint64_t inc;
	uint32_t has_notify_fd; /* a second fd came: read a newline from it */
	uint32_t zero;
};

#define PREPARE_NOTIFY  0x1u /* a NOTIFY_SOCKET: bind notify_path */
#define PREPARE_MAILBOX 0x2u /* a mailbox directory for uid */
#define PREPARE_KEEP    0x4u /* keep messages to it over a restart */

struct wire_prepare {
	uint32_t slot;
	uint32_t flags;
	uint32_t uid, gid;  /* whom the worker runs as */
	int64_t beat_ns;    /* tell of its signs of life, this far apart or
	                       more; 0: nobody wants to know */
	uint64_t max_bytes; /* of its mailbox */
	uint32_t on_full;   /* enum proto_on_full */
	uint32_t zero;
	char path[WIRE_PATH_MAX];
};

/* Answer to PREPARE and LOG_OPEN; error is an errno, 0 for done. */
struct wire_result {
	uint32_t slot;
	int32_t error;
	uint64_t inc;
	char text[WIRE_TEXT_MAX]; /* what failed, "" when done */
};

struct wire_proc {
	uint32_t slot;
	uint32_t uid;
	uint64_t inc;
	uint64_t request; /* REQUEST_MARK: which has added it, or 0 */
	char path[WIRE_PATH_MAX];
};

struct wire_dead {
	uint32_t slot;
	uint32_t by_exit; /* it ended by exit(), so its own word counts (D10) */
	uint64_t inc;
	char reason[64]; /* "normal", "exit 1", "killed": what DOWN carries */
};

/* PROTO_REASON. */
struct wire_declared {
	uint32_t slot;
	uint32_t zero;
	uint64_t inc;
	char reason[64];
};

/* An exit signal (P-7). */
struct wire_exit {
	uint32_t slot;
	int32_t sig; /* STOP: what is to be sent otherwise */
	uint64_t inc;
	char reason[64]; /* what an end by it is then for; EXIT: "", no more
	                    than the signal says */
};

struct wire_ready {
	uint32_t slot;
	uint32_t zero;
	uint64_t inc;
	char status[128]; /* sd_notify STATUS=, or "" */
};

struct wire_beat {
	uint32_t slot;
	uint32_t unwell; /* it says itself that it is */
	uint64_t inc;
};

/* One node, for status, list, start and the like. */
#define ROW_SUP      0x01u
#define ROW_WANTED   0x02u /* not stopped by an operator */
#define ROW_DYNAMIC  0x04u
#define ROW_BUSY     0x08u
#define ROW_HAS_EXIT 0x10u
#define ROW_ENABLED  0x20u

struct wire_row {
	uint32_t slot;
	uint32_t flags;
	uint64_t inc;
	int32_t pid; /* 0: none */
	uint32_t depth;
	uint32_t order; /* place among its siblings, from 0 */
	uint32_t zero;
	uint64_t restarts;
	int64_t since_ns;     /* how long it has been in this state */
	int64_t last_exit_ns; /* how long ago it last ended */
	uint32_t used, limit; /* supervisors: restarts in the window */
	int64_t period_ns;
	char state[16]; /* child_state_name(), "up" for a ready supervisor */
	char kind[24];  /* strategy of a supervisor, restart type of a worker */
	char last_exit[96]; /* reason_text(), "" if never */
	char detail[128];   /* what it waits for; sd_notify STATUS */
	char path[WIRE_PATH_MAX];
};

struct wire_field {
	char key[64];
	char origin[WIRE_TEXT_MAX];
};

struct wire_event {
	uint64_t seq;
	uint64_t cause; /* seq of the first failure of the chain, 0 none */
	int64_t mono_ns;
	int64_t wall_ns;
	uint64_t inc;
	int32_t pid;
	uint32_t zero;
	char kind[24]; /* "starting", "ready", "exited", "restart", "gave_up" ..
	                */
	char path[WIRE_PATH_MAX];
	char text[WIRE_TEXT_MAX]; /* for people, without the path */
};

/* What a new configuration changes, and what applying it does. */
enum change_what {
	CHANGE_ADDED,   /* path is new; kind: "worker" or "supervisor" */
	CHANGE_REMOVED, /* path is not in the file any more */
	CHANGE_MOVED,   /* path stands now behind `other`, "": first */
	CHANGE_KEY,     /* key of path: old value, new value, origin */
	CHANGE_START,   /* applying it starts path */
	CHANGE_STOP,    /* applying it stops path */
	CHANGE_RESTART, /* applying it restarts path; other: whose change does
	                   that, "" for its own; kind: by which strategy */
	CHANGE_MORE,    /* n more were left out */
	CHANGE_WHAT_N
};

#define CHANGE_SUP      0x01u /* a supervisor */
#define CHANGE_NO_OLD   0x02u /* KEY: there was no value */
#define CHANGE_NO_NEW   0x04u /* KEY: there is none any more */
#define CHANGE_AT_START 0x08u /* KEY: takes effect when it starts again */

struct wire_change {
	uint32_t what; /* enum change_what */
	uint32_t flags;
	uint32_t n;
	uint32_t zero;
	char kind[24];
	char path[WIRE_PATH_MAX];
	char other[WIRE_PATH_MAX];
	char key[64]; /* KEY; START, STOP, RESTART: "", "ok" or "failed" */
	char origin[WIRE_TEXT_MAX]; /* "supd.yaml:9", "default" */
};

struct wire_step {
	int64_t at_ns; /* from the beginning */
	char kind[24]; /* "crash", "restart", "gave_up", "end" ... */
	char path[WIRE_PATH_MAX];
	char text[WIRE_TEXT_MAX]; /* for people, without the path */
};

enum request_op {
	OP_STATUS,   /* path: glob or "" for all -> ROW* END */
	OP_SHOW,     /* path -> FIELD* END */
	OP_WHY,      /* path -> EVENT* END with the story as text */
	OP_EVENTS,   /* n: how many of the past -> EVENT* END */
	OP_START,    /* path: glob -> ROW* END */
	OP_STOP,     /* path: glob -> ROW* END */
	OP_RESTART,  /* path: glob -> ROW* END */
	OP_KILL,     /* path: glob, n: the signal -> ROW* END */
	OP_ADD,      /* path: the supervisor; tail: YAML of the child, or for a
	                simple_one_for_one: a JSON array of extra arguments */
	OP_REMOVE,   /* path -> END */
	OP_WAIT,     /* path, n: enum wait_for -> ROW* END */
	OP_SHUTDOWN, /* -> END at once; supd then stops */
	OP_DIFF,     /* path: a file, "": as started -> CHANGE* END */
	OP_APPLY,    /* path: a file, "": as started -> CHANGE* END */
	OP_RELOAD,   /* path: a file, "": as started -> CHANGE* END */
	OP_SIMULATE, /* path: who crashes, n: how often, every_ns -> STEP* END
	                with the summary as text */
	OP_CHILD,    /* OTP's calls; path: the supervisor, n: enum child_call;
	                tail: the child's name, or as OP_ADD -> ROW* END with the
	                result's name as text, and behind a newline more */
	OP_N
};

enum child_call {
	CHILD_CALL_START,
	CHILD_CALL_TERMINATE,
	CHILD_CALL_RESTART,
	CHILD_CALL_DELETE,
	CHILD_CALL_WHICH,
	CHILD_CALL_COUNT, /* more: specs, active, supervisors, workers */
	CHILD_CALL_N
};

enum wait_for { WAIT_READY, WAIT_DOWN, WAIT_RESTARTED, WAIT_N };

#define REQUEST_NO_WAIT 0x1u /* END as soon as it is queued */
#define REQUEST_DRY_RUN 0x2u /* OP_APPLY: only say what it would do */
#define REQUEST_MARK    0x4u /* OP_ADD: tell its tag in the first PROC */

struct wire_request {
	uint32_t op; /* enum request_op */
	uint32_t flags;
	int64_t timeout_ns; /* > 0: END with EXIT_TIMEOUT after it */
	int64_t n;
	int64_t every_ns; /* OP_SIMULATE */
	uint32_t uid;     /* who asks */
	uint32_t asker;   /* a worker, by its slot + 1; 0: a client */
	char path[WIRE_PATH_MAX];
};

/* How a request ended: supctl's exit codes (cli.md). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,
	CTL_USAGE = 2,
	CTL_FALSE = 3,
	CTL_NO_NAME = 4,
	CTL_NOT_PERMITTED = 5,
	CTL_NOT_RUNNING = 6,
	CTL_TIMEOUT = 7,
	CTL_CONFIG = 8,
	CTL_DIFFERS = 10,
};

struct wire_end {
	int32_t code; /* enum ctl_exit */
	uint32_t zero;
};

struct wire_log_open {
	uint32_t slot;
	uint32_t keep;      /* old files kept */
	int64_t size_bytes; /* rotate beyond it */
	uint8_t prefix, time;
	uint8_t zero[6];
	char path[WIRE_PATH_MAX]; /* -> LOGDIR/<path>.log */
};

struct wire_log_tail {
	uint32_t slot;
	uint32_t n; /* lines */
};

struct wire_log_line {
	uint32_t slot;
	uint32_t lost;   /* lines dropped before this one */
	int64_t wall_ns; /* when the logger read it; 0: from an old file */
};

/*
 * Is this a frame?  True if `len` bytes at `p` are exactly one well-formed
 * frame: known type, sizes as the table says, every text terminated.
 */
must_check bool wire_check(const void *p, size_t len);

/* The fixed struct's size and the longest tail of a type. */
size_t wire_fixed_size(enum wire_type t);
size_t wire_tail_max(enum wire_type t);
const char *wire_type_name(enum wire_type t);

/* Borrow the parts of a checked frame. */
static inline const void *
wire_body(const struct wire_hdr *h)
{
	return h + 1;
}
const void *wire_tail(const struct wire_hdr *h, size_t *ret_len);

#endif /* WIRE_WIRE_H */
