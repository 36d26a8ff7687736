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
 * msg_strerror() explains.  A child made by fork(2) has no mailbox (-ECHILD).
 *
 * There is one mailbox in a process.  Any thread may call any function; while
 * one waits, others go on.  Two threads that receive each get some of the
 * messages, in no promised order between them.  A thread may be cancelled or
 * signalled only outside libmsg.
 *
 * libmsg takes no signals, prints nothing, and ends the process only where an
 * exit signal does: see msg_trap_exit().
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
	MSG_EXIT,     /* an exit signal of `from`; the body is its reason */
	MSG_REPLY,    /* to msg_request(): ref; see `error` */
	MSG_TIMEOUT,  /* msg_start_timer(): ref */
};

/*
 * Longest body between workers, and the longest that supd relays: to or from
 * supctl, and between workers that run as different users.
 */
#define MSG_BODY_MAX       ((size_t)16 * 1024 * 1024 - 40)
#define MSG_GUEST_BODY_MAX ((size_t)64 * 1024 - 40)
/* Longest name, and longest exit reason. */
#define MSG_NAME_MAX   63
#define MSG_REASON_MAX 63

/* Who sends the exit signals of our supervisor. */
#define MSG_SUPERVISOR ((msg_pid)0xffffff << 40)

/*
 * A received message.  `body` is followed by a NUL that `len` does not count,
 * so a text can be printed as it is.  The receiver owns it: msg_free().
 */
struct msg {
	enum msg_kind kind;
	enum msg_content content;
	msg_pid from;
	uint64_t ref; /* of the call, request, monitor or timer */
	int error;    /* MSG_REPLY: 0, or -EREMOTEIO: the body is a text */
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
 * Does this incarnation live?  1 or 0.  It answers 0 only when its names are
 * free (P-12).
 */
int msg_is_alive(msg_pid pid);

/*
 * What supd and the worker itself know of it (P-12): a msgpack map, the same
 * as `supctl info` prints; its keys are in libmsg(3).  `who` is a name, a
 * child path or "<slot.incarnation>"; NULL is ourselves.  -ENOENT: nobody.
 */
int msg_info(const char *who, struct msg *ret_info);

/*
 * Send a message.  To a pid, it is silent: a worker that has ended takes no
 * messages, and that is not an error (MSG_DOWN tells, see msg_monitor()).  To
 * a name or child path, which is looked up for each message, it is -ENOENT
 * when nobody has it.  msg_cast() is the same with kind MSG_CAST, and silent
 * also when nobody has the name (G-5).
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

/*
 * The same, but wait at most timeout_ms for room (-1: for ever).  -EAGAIN with
 * 0, -ETIMEDOUT else: the receiver's mailbox or the pipe to it is full, and the
 * message was not sent.
 */
int msg_send_timeout(msg_pid to, enum msg_content content, const void *body,
    size_t len, int timeout_ms);

/*
 * Small messages that follow each other closely travel together.  They leave
 * within 100 us, and before libmsg waits for anything; msg_flush() makes them
 * leave now.  Waits until the kernel has them, at most timeout_ms: -ETIMEDOUT.
 */
int msg_flush(int timeout_ms);

/*
 * Have a message sent to `to` in `ms` milliseconds, never earlier (P-11).  A
 * timer for a pid ends with that pid; a name is looked up when it fires, and
 * it is silent when nobody has it then.  msg_start_timer() sends ourselves a
 * MSG_TIMEOUT with this ref.  A timer fires only inside a call of libmsg.
 */
int msg_send_after(int64_t ms, msg_pid to, enum msg_content content,
    const void *body, size_t len, uint64_t *ret_ref);
int msg_send_after_name(int64_t ms, const char *name, enum msg_content content,
    const void *body, size_t len, uint64_t *ret_ref);
int msg_start_timer(int64_t ms, enum msg_content content, const void *body,
    size_t len, uint64_t *ret_ref);

/*
 * Stop a timer.  Returns how many ms were left, or -ENOENT: it has fired (its
 * message may be in the mailbox), was cancelled, or never was.
 */
int64_t msg_cancel_timer(uint64_t ref);

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
 * The two halves of a call (gen_server's send_request, G-4).  msg_request()
 * sends; the reply comes as a MSG_REPLY with this ref, or if the callee ends
 * first, or nobody has the name, a MSG_DOWN with this ref.  One of them comes,
 * once, through msg_wait_response() or msg_receive(), whichever is first.
 *
 * msg_wait_response() returns as msg_call() does; but after -ETIMEDOUT the
 * request still lives, and can be waited for again.  -1 waits for ever here.
 * -EINVAL: there is no such request (any more).
 * msg_cancel_request() gives it up: what comes is dropped, and what has come is
 * taken out of the mailbox.  Returns 1, or 0 when there was none.
 */
int msg_request(msg_pid to, enum msg_content content, const void *body,
    size_t len, uint64_t *ret_ref);
int msg_request_name(const char *name, enum msg_content content,
    const void *body, size_t len, uint64_t *ret_ref);
int msg_wait_response(uint64_t ref, int timeout_ms, struct msg *ret_reply);
int msg_cancel_request(uint64_t ref);

/*
 * Answer a MSG_CALL, now or later, in any order, once.  Never waits: replies to
 * a caller that takes none are kept, and dropped beyond 16 MiB.  A caller that
 * has ended or given up is no error.  A caller that is a supctl takes at most
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

/*
 * Take the oldest message that one of n patterns fits (P-5).  The others stay
 * where they are.  timeout_ms counts from now, whatever else arrives.
 * Returns which pattern it was, from 1; 0, -EINTR, -EPIPE as msg_receive().
 *
 * A pattern with a ref of msg_monitor(), msg_request() or msg_start_timer()
 * costs the same however many messages wait; others look at all of them.
 */
#define MSG_IS(kind) (1u << (kind))
struct msg_pattern {
	unsigned kinds;  /* MSG_IS(MSG_DATA) | ...; 0: any */
	msg_pid from;    /* 0: any */
	uint64_t ref;    /* 0: any */
	const char *tag; /* of [tag, argument ...]; NULL: any */
};
int msg_receive_match(struct msg *ret_msg, const struct msg_pattern *patterns,
    size_t n, int timeout_ms);

/* Wait; messages that come meanwhile are kept.  0, or -EINTR. */
int msg_sleep(int timeout_ms);

/*
 * For a program with an event loop of its own: an fd that is readable when
 * msg_dispatch() has something to do.  Poll it (level-triggered, POLLIN) and
 * nothing else.  msg_dispatch() takes in what is there, fires timers, never
 * waits, and returns how many messages msg_receive(m, 0) will find.  Call it
 * once before the first poll, and after any other call of libmsg.
 */
int msg_fd(void);
int msg_dispatch(void);

/* Release what a message holds.  Harmless on a zeroed or released one. */
void msg_free(struct msg *m);

/*
 * Ask to be told once, by a MSG_DOWN with this ref, when a worker has ended.
 * Its body is the reason: "normal", "exit 1", "killed", or "noproc" when it
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

/*
 * Links (P-6): when one of two linked workers ends, the other gets an exit
 * signal with its reason.  There is at most one link between two.
 * msg_link() to a worker that has ended: -ESRCH, or for one that traps exits 0
 * and a MSG_EXIT "noproc".  After msg_unlink() nothing comes by that link any
 * more, but a MSG_EXIT that is in the mailbox stays.
 */
int msg_link(msg_pid pid);
int msg_unlink(msg_pid pid);

/*
 * What an exit signal does (P-7).  Without trapping, "normal" does nothing and
 * any other reason ends this process, inside the next call of libmsg, with
 * that reason.  With trapping all become MSG_EXITs, but for a "kill" that was
 * sent by msg_exit_to(), which ends any worker at once: it dies "killed".
 *
 * A worker that traps exits is stopped by supd with a MSG_EXIT "shutdown" from
 * MSG_SUPERVISOR in place of SIGTERM, and has its `shutdown` time to end.
 * Returns 0, or -EPIPE.
 */
int msg_trap_exit(bool on);

/*
 * End this process in good order, with a reason that links, monitors and the
 * supervisor see: "normal" and "shutdown" (or "shutdown: WHY") are clean ends,
 * all others are crashes.  It is exit(3) with 0 or 1: atexit functions run.
 * At most MSG_REASON_MAX bytes of UTF-8.
 */
void msg_exit(const char *reason) __attribute__((noreturn));

/*
 * Send an exit signal, as exit/2.  Silent when the pid has ended.  For a worker
 * without libmsg "kill" is SIGKILL, "normal" nothing, all else SIGTERM.
 */
int msg_exit_to(msg_pid pid, const char *reason);

/*
 * Start a child of a simple_one_for_one supervisor, with more arguments
 * (NULL-terminated; NULL: none), as `supctl add`.  `pool` is its path.  Returns
 * when it has a pid, before it is ready; what becomes of it, MSG_DOWN and
 * MSG_EXIT tell (P-1): the link or monitor is there before it runs.
 *
 *   -ENOENT     there is no such supervisor
 *   -EPERM      our `allow:` does not name it
 *   -EAGAIN     max_children, or it is going down
 */
int msg_spawn(const char *pool, const char *const *args, msg_pid *ret_pid);
int msg_spawn_link(const char *pool, const char *const *args, msg_pid *ret_pid);
int msg_spawn_monitor(const char *pool, const char *const *args,
    msg_pid *ret_pid, uint64_t *ret_ref);

/* What libmsg has counted since msg_open(). */
struct msg_stats {
	uint64_t sent;     /* messages that msg_send() and its kin accepted */
	uint64_t received; /* messages that came into the mailbox */
	uint64_t queued;   /* received, waiting for msg_receive() */
	uint64_t queued_bytes;
	uint64_t dropped; /* the mailbox was full, and on_full is drop */
	uint64_t bad;     /* frames dropped: malformed, or not for us */
	uint64_t late;    /* frames dropped: late replies, ended senders */
	uint64_t routes;  /* workers that we have a connection to */
	bool lossless;    /* the shim for nanomsg's exit loss is in effect */
};
void msg_stats(struct msg_stats *ret_stats);

#ifdef __cplusplus
}
#endif

#endif /* MSG_MSG_H */
