/* SPDX-License-Identifier: ISC */
#ifndef MSG_MSG_H
#define MSG_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * libmsg: messages between the workers of one supd, in the manner of Erlang.
 *
 * A worker is a process that supd started.  It has a pid (not the kernel's,
 * and never used twice), a mailbox, and the names it registers.  Signals
 * between workers (names, monitors, the news that one has ended) travel through
 * supd; messages travel directly from worker to worker.
 *
 * What is promised: between two workers, messages arrive in the order in which
 * they were sent, each at most once.  MSG_DOWN comes after every message of the
 * worker that ended.  A worker that ends by exit(3), by returning from main or
 * after msg_close() loses nothing that msg_send() accepted; one that is killed
 * may lose what the kernel did not have yet.  What its receiver had not read
 * when the *receiver* ended is gone.
 *
 * Functions return 0 or a positive answer, or a negative errno value which
 * msg_strerror() explains.  There is one mailbox in a process, and all
 * functions are to be called from one thread.  A child made by fork(2) has no
 * mailbox (-ECHILD).
 */

#ifdef __cplusplus
extern "C" {
#endif

/* A worker's pid, or that of a supctl that calls.  0 is nobody. */
typedef uint64_t msg_pid;

/* How to read a body. */
enum msg_content {
	MSG_BYTES,  /* opaque */
	MSG_PACKED, /* one msgpack value: see <msg/pack.h> */
};

enum msg_kind {
	MSG_DATA = 1, /* msg_send() */
	MSG_CALL,     /* msg_call(): somebody waits for msg_reply() */
	MSG_CAST,     /* msg_cast(): a request that wants no reply */
	MSG_DOWN,     /* msg_monitor(): `from` has ended; the body says why */
	MSG_EXIT,     /* an exit signal; the body is its reason */
};

/*
 * Longest body between workers, and the longest that supd relays: to or from
 * supctl, and between workers that run as different users.
 */
#define MSG_BODY_MAX       ((size_t)1024 * 1024 - 40)
#define MSG_GUEST_BODY_MAX ((size_t)64 * 1024 - 40)
/* Longest name. */
#define MSG_NAME_MAX 63

/*
 * A received message.  `body` is followed by a NUL that `len` does not count,
 * so a text can be printed as it is.  The receiver owns it: msg_free().
 */
struct msg {
	enum msg_kind kind;
	enum msg_content content;
	msg_pid from;
	uint64_t ref; /* MSG_CALL: of the call; MSG_DOWN: of the monitor */
	size_t len;
	const void *body;
	void *owner; /* libmsg's own */
};

/*
 * Join supd: take the lifeline that supd passed in SUPD_FD, learn who we are
 * and open the mailbox.  Call it first, before any thread is started.
 *
 * Returns 0; -ENXIO when supd did not start this process; -EBADF when SUPD_FD
 * is no lifeline; -EALREADY when it is open; -ETIMEDOUT when supd does not
 * answer within 10 s; or what opening the mailbox ran into.
 */
int msg_open(void);

/*
 * Tell supd that this worker is ready to work (`ready: notify` waits for it).
 * Register names first, so that those who are started next find them.
 */
int msg_ready(void);

/*
 * A sign of life, for a worker with `heartbeat:` in its configuration: supd
 * restarts it when it has been silent for so long.  Call it from the loop that
 * does the work, at least twice in each heartbeat; it is cheap (most calls only
 * read the clock), and does nothing when there is no heartbeat.
 *
 * libmsg never does this by itself: neither a thread nor msg_receive() knows
 * whether the program still does its work.  For the same reason do not call it
 * from a thread or timer of its own.
 *
 * msg_unwell() says the opposite: the worker has found out that it cannot go
 * on, and supd is to restart it now.  msg_heartbeat_ms() is the longest silence
 * allowed; 0: none is watched.
 */
int msg_alive(void);
int msg_unwell(void);
int msg_heartbeat_ms(void);

/*
 * Leave in good order: wait until the kernel has all that was sent (5 s at
 * most), then close the mailbox.  Happens by itself at exit(3), not at
 * _exit(2).  Returns 0, or -ETIMEDOUT when something had to be given up.
 */
int msg_close(void);

/* Who we are: 0 before msg_open().  msg_path(): "root/web/api", or "". */
msg_pid msg_self(void);
const char *msg_path(void);

/*
 * What `error`, returned by the last call of libmsg, means: for the reader of
 * a log, with names and numbers where they are known.  Borrowed until the next
 * call.
 */
const char *msg_strerror(int error);

/*
 * Register a name for this worker, at most MSG_NAME_MAX bytes long.
 * -EEXIST: another worker has it.  Names are free again when a worker ends,
 * before anybody hears of its end.
 */
int msg_register(const char *name);
int msg_unregister(const char *name);

/* Whose is this name, or child path?  -ENOENT: nobody's. */
int msg_whereis(const char *name, msg_pid *ret_pid);

/*
 * Send a message.  To a pid, it is silent: a worker that has ended takes no
 * messages, and that is not an error (MSG_DOWN tells, see msg_monitor()).  To
 * a name or child path, which is looked up for each message, it is -ENOENT
 * when nobody has it.  msg_cast() is the same with kind MSG_CAST.
 *
 * Never fails for want of room.  When the receiver's pipe is full it waits,
 * and takes in meanwhile what others send to us, so two workers may flood each
 * other.  -EMSGSIZE: longer than MSG_BODY_MAX, or MSG_GUEST_BODY_MAX to a
 * worker of another user, for whom supd relays.  -EPIPE: supd has gone.
 */
int msg_send(
    msg_pid to, enum msg_content content, const void *body, size_t len);
int msg_send_name(
    const char *name, enum msg_content content, const void *body, size_t len);
int msg_cast(
    msg_pid to, enum msg_content content, const void *body, size_t len);
int msg_cast_name(
    const char *name, enum msg_content content, const void *body, size_t len);

/* The timeout that msg_call() takes for -1. */
#define MSG_CALL_TIMEOUT_MS 5000

/*
 * Send a request and wait for its reply; other messages that arrive meanwhile
 * are kept, in order, for msg_receive().
 *
 * timeout_ms: -1 is MSG_CALL_TIMEOUT_MS.  On 0 *ret_reply is the caller's,
 * released by msg_free(); with NULL the reply is dropped.
 *
 *   -ESRCH       the pid has ended already, or nobody has that name (noproc)
 *   -ETIMEDOUT   no reply in time; one that comes later is dropped, though the
 *                request may still be carried out
 *   -ECONNRESET  the callee ended before it replied; msg_strerror() says how
 *   -EREMOTEIO   the callee replied with msg_reply_error(); msg_strerror() is
 *                its text
 *   -EDEADLK     a worker called itself
 *   and what msg_send() returns.
 */
int msg_call(msg_pid to, enum msg_content content, const void *body, size_t len,
    int timeout_ms, struct msg *ret_reply);
int msg_call_name(const char *name, enum msg_content content, const void *body,
    size_t len, int timeout_ms, struct msg *ret_reply);

/*
 * Answer a MSG_CALL, now or later, in any order, once.  A caller that has
 * ended or given up is no error.  A caller that is a supctl takes at most
 * MSG_GUEST_BODY_MAX bytes.  -EINVAL: `call` is no MSG_CALL.
 */
int msg_reply(const struct msg *call, enum msg_content content,
    const void *body, size_t len);
int msg_reply_error(const struct msg *call, const char *text);

/*
 * Take the oldest message.  timeout_ms: -1 waits for ever, 0 not at all.
 * Returns 1 and *ret_msg; 0 when none came in time; -EINTR when a signal
 * handler ran; -EPIPE when supd has gone and nothing is left.
 */
int msg_receive(struct msg *ret_msg, int timeout_ms);

/* Release what a message holds.  Harmless on a zeroed or released one. */
void msg_free(struct msg *m);

/*
 * Ask to be told once, by a MSG_DOWN with this ref, when a worker has ended.
 * Its body is the reason: "normal", "exit 1", "SIGKILL", or "noproc" when it
 * had ended before, or nobody had that name.  A name is looked up once, now.
 * Each call is a monitor of its own.
 */
int msg_monitor(msg_pid pid, uint64_t *ret_ref);
int msg_monitor_name(const char *name, uint64_t *ret_ref);

/*
 * Stop a monitor.  A MSG_DOWN that has already come stays in the mailbox
 * unless `flush`.  Returns 1 if the monitor was still active, else 0.
 */
int msg_demonitor(uint64_t ref, bool flush);

/* What libmsg has counted since msg_open(). */
struct msg_stats {
	uint64_t sent;     /* messages given to the kernel or the pipe */
	uint64_t received; /* messages taken from the pipe */
	uint64_t queued;   /* received, waiting for msg_receive() */
	uint64_t bad;      /* frames dropped: malformed, or not for us */
	uint64_t late;     /* frames dropped: late replies, ended senders */
	uint64_t routes;   /* workers that we have a connection to */
	bool lossless;     /* the shim for nanomsg's exit loss is in effect */
};
void msg_stats(struct msg_stats *ret_stats);

#ifdef __cplusplus
}
#endif

#endif /* MSG_MSG_H */
