/* SPDX-License-Identifier: ISC */
#ifndef SRC_INTERNAL_H
#define SRC_INTERNAL_H

/*
 * What the files of libmsg share.  The layers, each calling only downwards:
 *
 *   msg.c        the public calls: send, call, reply, receive, names
 *   alive.c      signs of life
 *   mailbox.c    join and leave, the save queue
 *   wait.c       the lock, and waiting (progress engine)
 *   lifeline.c   frames to and from supd
 *   transport.c  nanomsg: our mailbox socket and the routes to others
 *   nnfix.c      the shim that keeps nanomsg from losing data
 */

#include <msg/msg.h>

#include "proto/proto.h"

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
int64_t clock_deadline(int timeout_ms);

/* --- mailbox.c --- */

/* A frame that has come in and waits. */
struct item {
	TAILQ_ENTRY(item) entry;
	struct proto_frame h;
	size_t len;
	char body[]; /* and a NUL */
};
TAILQ_HEAD(items, item);

/* A monitor of the user's that has not fired. */
struct monitor {
	TAILQ_ENTRY(monitor) entry;
	uint64_t ref;
};

/* The one question to supd or call to a worker that is being waited for. */
struct waiting {
	uint64_t ref; /* 0: none */
	msg_pid pid;  /* who will answer; 0: supd */
	struct item *answer;
	char down[128]; /* the callee has ended: why; "" it has not */
};

/* A worker to remember until supd tells of its end. */
struct callee {
	TAILQ_ENTRY(callee) entry;
	msg_pid pid;
};
TAILQ_HEAD(callees, callee);
#define REF_CALLEE (UINT64_C(1) << 63) /* marks the refs of those monitors */

struct mailbox {
	atomic_bool open;
	bool cut; /* supd has gone */
	int lifeline;
	msg_pid self;
	char path[PROTO_PATH_MAX];
	uint64_t next_ref;
	struct items queue;
	TAILQ_HEAD(, monitor) monitors;
	struct callees callees; /* called, and so monitored: DOWN will come */
	struct callees relayed; /* of another user: by the lifeline; GONE */
	struct waiting waiting;
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

/* Remember a pid, most recent first; is it remembered?; forget it. */
must_check int callee_add(struct callees *l, msg_pid pid);
bool callee_known(struct callees *l, msg_pid pid);
void callee_forget(struct callees *l, msg_pid pid);

/* Take in a frame from supd itself. */
void mailbox_control(const struct proto_frame *h, const void *body, size_t len);

/* Ask supd: send `h` with a new ref and wait for the answer of that ref. */
must_check int mailbox_ask(struct proto_frame *h, const void *body, size_t len,
    struct item **ret_answer);

/* --- wait.c --- */

/*
 * The lock around all of libmsg.  Public functions take it by mailbox_enter();
 * a thread of libmsg's own takes it with these.
 */
void mailbox_lock(void);
void mailbox_unlock(void);

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

/* --- alive.c --- */

/* Learn from the environment whether supd watches us. */
void alive_open(void);

/* --- lifeline.c --- */

/* Take the fd that SUPD_FD names.  Returns it (CLOEXEC) or -errno. */
must_check int lifeline_take(void);

/* Send one frame, waiting if need be.  0, -EMSGSIZE, -EPIPE. */
must_check int lifeline_send(
    const struct proto_frame *h, const void *body, size_t len);

/* Take in, in every wait, what supd sends.  0 or -errno. */
must_check int lifeline_open(void);

/* --- transport.c --- */

struct route;

/* Bind our mailbox.  "": no direct messages.  0 or -errno. */
must_check int transport_open(const char *endpoint);

/* Wait until the kernel has all that was sent, then close.  0, -ETIMEDOUT. */
int transport_close(int64_t deadline_ns);

/* Take in at most `max` messages.  Returns how many. */
unsigned transport_drain(unsigned max);

/*
 * The route to `pid`: known, or NULL.  transport_connect() opens one to an
 * endpoint that supd named: 0; -ESRCH, nobody listens there any more; -errno.
 */
struct route *transport_find(msg_pid pid);
must_check int transport_connect(
    msg_pid pid, const char *endpoint, struct route **ret_route);

/*
 * Send one frame on the route to h->to, waiting while its pipe is full.  0;
 * -ESRCH, the receiver has ended; -ETIMEDOUT; -ENOMEM.
 */
must_check int transport_send(const struct proto_frame *h, const void *body,
    size_t len, int64_t deadline_ns);

/* supd says that `pid` has ended: take in what it left, forget the route. */
void transport_gone(msg_pid pid);

unsigned transport_count(void);

/* --- pack.c --- */

struct msg_pack;

/* Add msgpack that is there already. */
void pack_raw(struct msg_pack *p, const void *bytes, size_t len);

/* --- nnfix.c --- */

/* Put it into effect, before the first nanomsg socket is opened. */
void nnfix_init(void);

/* Are nanomsg's calls coming through the shim?  True after a bind if so. */
bool nnfix_active(void);

/*
 * Is there a connection of ours whose peer has hung up and which nanomsg has
 * not finished reading?  False when the shim is not active.
 */
bool nnfix_hungup(void);

#endif /* SRC_INTERNAL_H */
