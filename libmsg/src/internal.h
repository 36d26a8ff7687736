/* SPDX-License-Identifier: ISC */
#ifndef SRC_INTERNAL_H
#define SRC_INTERNAL_H

/*
 * What the files of libmsg share.  The layers, each calling only downwards:
 *
 *   msg.c        sending and replying
 *   request.c    calls, requests, questions to supd
 *   receive.c    taking messages out
 *   server.h     what serves: servers, agents
 *   sys.c        system requests, tracing; info.c
 *   link.c, exit.c, spawn.c, monitor.c, name.c, timer.c, stats.c, alive.c
 *   mailbox.c    join and leave; what comes in, and whose it is
 *   queue.c      the save queue
 *   wait.c       the lock, and waiting (progress engine)
 *   lifeline.c   frames to and from supd
 *   transport.c  our mailbox and the ways to others; pipe.h says more
 *   nnfix.c      the shim that keeps nanomsg from losing data
 */

#include "hash.h"
#include "queue.h"

#include <msg/msg.h>

#include "proto/proto.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#define MSG_API        __attribute__((visibility("default")))
#define must_check     __attribute__((warn_unused_result))
#define NS_PER_MS      INT64_C(1000000)
#define DEADLINE_NEVER INT64_MAX

/* --- error.c: the text of the last failure --- */

/* Remember why `error` (a negative errno) is returned, and return it. */
int fail(int error, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Forget it.  Each thread has a text of its own. */
void fail_clear(void);

/* --- clock.c --- */

/* CLOCK_MONOTONIC in ns, and so many ms from now; -1 is for ever. */
int64_t clock_now(void);
int64_t clock_deadline(int64_t timeout_ms);

/* Time of the processor that this process has used, in ns. */
int64_t clock_cpu(void);

/* --- mailbox.c --- */

/* "<slot.incarnation>", as supctl prints pids. */
#define PID_FMT    "<%u.%llu>"
#define PID_ARG(p) PROTO_PID_SLOT(p), (unsigned long long)PROTO_PID_INC(p)

/* supd answers from memory; longer than this and it is not there. */
#define ASK_TIMEOUT_MS 10000

struct mailbox {
	atomic_bool open;
	bool cut; /* supd has gone */
	int lifeline;
	msg_pid self;
	char path[PROTO_PATH_MAX];
	struct queue queue;
	struct hash monitors; /* refs that have not fired */
	struct hash requests; /* that have no answer */
	struct hash callees;  /* struct callee */
	struct hash relayed;  /* pids of another user: by the lifeline; GONE */
	struct hash links;    /* pids */
	bool trap;            /* exit signals are messages */
	bool closing;         /* and nothing else ends it any more */
	uint64_t max_bytes;   /* of the queue; 0: unbounded */
	uint32_t on_full;     /* enum proto_on_full */
	bool blocks;          /* somebody gets no credit, for want of room */
	int64_t heartbeat_ns; /* 0: nobody watches */
	int64_t alive_ns;     /* the next sign of life is due then */
	struct msg_stats stats;
};
extern struct mailbox mailbox;

/*
 * Every public function is between these two.  mailbox_enter() takes the lock;
 * or returns -ENOTCONN or -ECHILD without it.  mailbox_leave() gives it back
 * and returns r.
 */
must_check int mailbox_enter(void);
int mailbox_leave(int r);

/* A new ref, unique in this process. */
uint64_t mailbox_ref(void);

/*
 * Take in a frame from a worker (or, by lifeline, a guest).  Copies the body.
 * Frames that are not for us are counted and dropped.
 */
void mailbox_deliver(const struct proto_frame *h, const void *body, size_t len);

/* Take in a frame from supd itself. */
void mailbox_control(const struct proto_frame *h, const void *body, size_t len);

/*
 * Put a message into the queue.  indexed: its ref is one of ours.  Without
 * memory it is a lost message, and counted.
 */
void mailbox_put(struct item *it, bool indexed);
void mailbox_store(enum msg_kind kind, const struct proto_frame *h,
    const void *body, size_t len, bool indexed);

/* What is to be done after every look at what has come in.  May wait. */
void mailbox_chores(void);

/* Take this indexed one out of the queue. */
struct item *mailbox_take(struct item *it);

/* --- request.c --- */

/* A worker to which requests went, and of whose end supd will tell. */
struct callee {
	struct hash_node by_pid;
	LIST_HEAD(, request) requests; /* without an answer */
	LIST_HEAD(, timer) timers;
};

/*
 * Ask supd: send `h`, with a new ref if it has none, and wait for the answer of
 * that ref, or in _result for its errno.  0 or -errno, -EPIPE, -ETIMEDOUT.
 */
must_check int mailbox_ask(struct proto_frame *h, const void *body, size_t len,
    int timeout_ms, struct item **ret_answer);
must_check int mailbox_ask_result(
    struct proto_frame *h, const void *body, size_t len);

/* The same for an ANSWER: the error that it tells is the error returned. */
must_check int mailbox_ask_answer(struct proto_frame *h, const void *body,
    size_t len, int timeout_ms, struct item **ret_answer);

/* An answer has come; false when nobody wants it. */
bool request_take(const struct proto_frame *h, const void *body, size_t len);

/* The worker, with a standing monitor.  0 or -errno. */
must_check int callee_get(msg_pid pid, struct callee **ret_callee);

/* A callee has ended. */
void callee_down(msg_pid pid, const char *why, size_t len);

void requests_fini(void);

/* --- link.c --- */

/* LINKED, UNLINKED. */
void link_told(const struct proto_frame *h);

/* --- exit.c --- */

/* An exit signal has come. */
void exit_signal(const struct proto_frame *h, const char *reason, size_t len);

/* Obey those whose turn has come, and those of one that has ended (0: none). */
void exits_run(msg_pid ended);
void exits_fini(void);

/* We are to end with this reason; killed: at once. */
void exit_doom(const char *reason, size_t len, bool killed);

/* If we are to end: end.  With the lock, which others than that lose. */
void exit_obey(void);

/* "normal", "shutdown" or "shutdown: WHY". */
bool reason_is_clean(const char *reason);

/* --- stats.c --- */

void stats_init(void);

/* Tell supd, if it is time.  May wait. */
void stats_run(void);

/* When it is time: DEADLINE_NEVER while nothing has changed. */
int64_t stats_due(void);

/* --- timer.c --- */

must_check int timers_open(void);

/* Fire those that are due.  May wait. */
void timers_run(void);

/* Have the next of them, and of stats_run(), end a wait. */
void timers_arm(void);

/* Their receiver has ended. */
void timers_callee_down(struct callee *c);

void timers_fini(void);
size_t timers_count(void);

/* --- receive.c --- */

/* Hand a message to the user. */
void item_give(struct item *it, struct msg *ret_msg);

/* Now and then, take in what has come, also when messages wait already. */
void mailbox_glance(void);

/*
 * Nothing that is wanted has come yet: wait for more.  1: look again; 0: the
 * time was over before the last look; -EINTR, -EPIPE.  *last begins false.
 */
must_check int mailbox_more(int64_t deadline_ns, bool *last);

/* --- monitor.c --- */

/* Somebody has ended. */
void monitor_down(const struct proto_frame *h, const void *body, size_t len);

/* --- name.c --- */

/*
 * Ask where a pid, or else a name or path, can be reached.  resolve_name() is
 * -ENOENT when nobody has it (P-3).
 */
must_check int resolve(
    msg_pid pid, const char *name, struct proto_resolved *ret_where);
must_check int resolve_name(const char *name, struct proto_resolved *ret_where);

/* --- msg.c --- */

/*
 * Send a frame to h->to, on the way that `where` says if the caller has asked
 * already.  0; -ESRCH, it has ended; -ETIMEDOUT; -errno.
 */
must_check int send_frame(struct proto_frame *h, enum msg_content content,
    const struct proto_resolved *where, const void *body, size_t len,
    int64_t deadline_ns);

/* --- spawn.c --- */

/* msg_spawn_monitor(), and perhaps msg_spawn_link(), in one; a public entry. */
must_check int spawn_watched(
    const char *pool, bool link, msg_pid *ret_pid, uint64_t *ret_ref);

/* --- wait.c --- */

/*
 * The lock around all of libmsg.  Public functions take it by mailbox_enter();
 * a thread of libmsg's own takes it with these.
 */
void mailbox_lock(void);
void mailbox_unlock(void);
/* Give the lock away until `cond` or `until`; 0 or an errno of pthreads. */
int mailbox_sleep(pthread_cond_t *cond, const struct timespec *until);

/* Open and close the epoll set.  0 or -errno. */
must_check int wait_open(void);
void wait_close(void);

/*
 * The progress engine, which keeps two workers that flood each other from
 * standing still for ever: wait until something comes in, `fd` (-1: none) has
 * `events` (POLLIN, POLLOUT), or the deadline, and take in what is there; 0 or
 * a past deadline only takes in.  May return sooner: call it in a loop that
 * looks at its own condition.  Returns 0 or -EINTR.
 *
 * The lock is given away meanwhile, so routes, items, requests may be gone
 * afterwards, and others may have sent.  Not to be called from a wait_fn.
 */
int mailbox_wait(int fd, short events, int64_t deadline_ns);

/*
 * Call fn(arg), with the lock, in every wait in which `fd` has `events`
 * (level-triggered).  Adding one that is there changes it.  Take an fd out
 * before it is closed.  0 or -errno.
 */
typedef void wait_fn(void *arg);
must_check int wait_add_fd(int fd, short events, wait_fn *fn, void *arg);
void wait_del_fd(int fd);

/* Make all threads that wait look again. */
void wait_wake(void);

/* The epoll set itself: readable when mailbox_wait() has something to do. */
int wait_epoll_fd(void);

/* Is the mailbox full, so that those who send to it have to wait? */
bool mailbox_full(void);

/* Is there a call or request to `pid` whose reply has not come? */
bool mailbox_awaits(msg_pid pid);

/* --- alive.c --- */

/* Learn from the environment whether supd watches us. */
void alive_open(void);

/* --- lifeline.c --- */

/* Take the fd that SUPD_FD names.  Returns it (CLOEXEC) or -errno. */
must_check int lifeline_take(void);

/* Send one frame now: 0, -EAGAIN, -EMSGSIZE, -EPIPE. */
must_check int lifeline_try(
    const struct proto_frame *h, const void *body, size_t len);

/* Send one frame, waiting if need be.  0, -EMSGSIZE, -EPIPE. */
must_check int lifeline_send(
    const struct proto_frame *h, const void *body, size_t len);

/* Take in, in every wait, what supd sends.  0 or -errno. */
must_check int lifeline_open(void);

/* Take in now the signals of `from` that have come; and later all else. */
void lifeline_signals(msg_pid from);
void lifeline_late(void);
void lifeline_fini(void);

/* --- transport.c, and route.c --- */

/* Bind our mailbox, which `secret` guards.  "": no direct messages. */
must_check int transport_open(
    const char *endpoint, const uint8_t secret[PROTO_SECRET_SIZE]);

/* Wait until the kernel has all that was sent, then close.  0, -ETIMEDOUT. */
int transport_close(int64_t deadline_ns);

/* To be called before every wait: what waits to be sent leaves. */
void transport_flush(void);

/* To be called when the mailbox is full no longer: see mailbox_full(). */
void transport_room(void);

/*
 * Is there a way for a frame of this type to `pid`?  Else transport_connect()
 * opens a route to the endpoint that supd named, with its proof: 0; -ESRCH,
 * nobody listens there any more; -errno.
 */
bool transport_reaches(msg_pid pid, enum proto_type type);
must_check int transport_connect(
    msg_pid pid, const char *endpoint, uint64_t proof);

/*
 * Send one DATA, CALL, CAST or REPLY to h->to, waiting while there is no room.
 * 0; -ESRCH, the receiver has ended; -ETIMEDOUT; -ENOMEM.
 */
must_check int transport_send(const struct proto_frame *h, const void *body,
    size_t len, int64_t deadline_ns);

/*
 * The same for a PROTO_REPLY, which never waits: it is kept when it cannot be
 * sent, and dropped when too many are.
 */
must_check int transport_reply(
    const struct proto_frame *h, const void *body, size_t len);

/* Are there replies that wait for their callers? */
bool transport_owes(void);

/* Wait until the kernel has all that was sent.  0, -ETIMEDOUT. */
must_check int transport_sync(int64_t deadline_ns);

/*
 * EXIT and SYS go by the lifeline, and must not overtake what we have sent to
 * `to` before (P-4): they carry the seq of the last frame of that, and where
 * replies wait they wait behind them.  0 or -errno.
 */
must_check int transport_signal(
    const struct proto_frame *h, const void *body, size_t len);

/* Is this RESOLVED what a signal made us ask?  Then what waited for it goes on.
 */
bool transport_resolved(uint64_t ref);

/* On the other side: has the frame of `pid` with this seq been taken? */
bool transport_has_taken(msg_pid pid, uint32_t seq);

/* supd says that `pid` has ended: take in what it left, forget it. */
void transport_gone(msg_pid pid);

/* How many routes there are. */
unsigned transport_count(void);

/* --- info.c --- */

struct msg_pack;

/* What this worker knows of itself, as a map.  With the lock. */
void info_pack(struct msg_pack *p);

/* --- nnfix.c --- */

/* Put it into effect, before the first nanomsg socket is opened. */
void nnfix_init(void);

/* Are nanomsg's calls coming through the shim?  True after a bind if so. */
bool nnfix_active(void);

/*
 * Mark the connections of ours whose peers have hung up; and has nanomsg not
 * finished reading one of those?  Peers that come and go meanwhile are none of
 * them, or one that does so again and again would keep us for ever.  False when
 * the shim is not active.
 */
void nnfix_mark(void);
bool nnfix_hungup(void);

#endif /* SRC_INTERNAL_H */
