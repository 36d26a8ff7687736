/* SPDX-License-Identifier: ISC */
#ifndef MSG_SERVER_H
#define MSG_SERVER_H

#include <msg/format.h>
#include <msg/msg.h>
#include <msg/pack.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Servers, as OTP's gen_server: the library's loop takes the messages one by
 * one, the worker's functions say what each does.  This is a whole worker:
 *
 *	static struct msg_next
 *	handle_call(void *state, const struct msg *call, struct msg_pack *reply)
 *	{
 *		long *value = state;
 *		long n;
 *
 *		if (msg_match(call, "add %ld", &n))
 *			*value += n;
 *		else if (!msg_match(call, "value"))
 *			return msg_next_refuse("[\"add\", N] or [\"value\"]");
 *		msg_packf(reply, "%ld", *value);
 *		return msg_next_reply();
 *	}
 *
 *	int
 *	main(void)
 *	{
 *		static const struct msg_server_ops ops = {
 *			.handle_call = handle_call,
 *		};
 *		long value = 0;
 *
 *		msg_server_main(&ops, &value, "counter");
 *	}
 *
 * and a client of it, anywhere in the same supd:
 *
 *	r = msg_callf_name("counter", -1, &reply, "add %d", 3);
 *
 * The rules G-1 to G-14 named here are those of OTP; libmsg-server(3) has them.
 */

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what a function of the server wants done next ------------------------
 */

/* Returned by value.  Its fields are the library's: use the functions. */
struct msg_next {
	int kind;
	int extra;
	int64_t timeout_ms;
	char text[128];
	char tag[MSG_TAG_MAX + 1];
};

/* From init: it has begun; it does not want to run, and ends with "ignore";
 * it cannot run, quietly; each with a reason as msg_exit(). */
struct msg_next msg_next_ok(void);
struct msg_next msg_next_ignore(void);
struct msg_next msg_next_error(const char *reason);

/*
 * From handle_call: the caller gets what was packed (nothing packed: nil);
 * gets it later, or from somebody else (see msg_caller()); or gets an error
 * with this text, and msg_call() returns -EREMOTEIO.
 */
struct msg_next msg_next_reply(void);
struct msg_next msg_next_refuse(const char *fmt, ...) MSG_PRINTF(1, 2);

/* From all but init: there is nothing to say. */
struct msg_next msg_next_noreply(void);

/*
 * From all: run terminate and end with this reason.  msg_next_stop_reply(),
 * from handle_call, gives the caller what was packed, after terminate (G-7).
 */
struct msg_next msg_next_stop(const char *reason);
struct msg_next msg_next_stop_reply(const char *reason);

/*
 * The server does not know this message, which its sender should know: end,
 * with "bad_call: add" or "bad_cast: add" (G-6).  It is what happens when there
 * is no handle_call or handle_cast.
 */
struct msg_next msg_next_unknown(const struct msg *m);

/*
 * And then, added to one that goes on:
 *
 * msg_next_timeout(): if no message at all comes within `ms`, handle_info with
 * a MSG_TIMEOUT whose ref is 0.  Any message cancels it, so each return that
 * wants it says so again (G-8).  Negative: no timeout.
 *
 * msg_next_continue(): handle_continue with this tag, at once, before any
 * message that waits, and after the reply was sent (G-9).
 *
 * msg_next_hibernate(): give memory back until the next message (G-10).
 *
 *	return msg_next_timeout(msg_next_reply(), 5000);
 */
struct msg_next msg_next_timeout(struct msg_next next, int64_t ms);
struct msg_next msg_next_continue(struct msg_next next, const char *tag);
struct msg_next msg_next_hibernate(struct msg_next next);

/* ---- the server -----------------------------------------------------------
 */

/*
 * The functions of a server; each may be NULL.  `state` is what the program
 * gave to msg_server_main().  Messages are borrowed for the time of the call.
 * What is returned where it does not belong, or a reply that is not one whole
 * value, ends the server with "bad_return_value".
 */
struct msg_server_ops {
	/*
	 * Called first, with the name registered; supd hears that the worker is
	 * ready when it has returned (G-1).  Not called: as msg_next_ok().
	 */
	struct msg_next (*init)(void *state);

	/* A MSG_CALL (G-2), and a MSG_CAST (G-5). */
	struct msg_next (*handle_call)(
	    void *state, const struct msg *call, struct msg_pack *reply);
	struct msg_next (*handle_cast)(void *state, const struct msg *m);

	/*
	 * All others: MSG_DATA, MSG_DOWN, MSG_EXIT if exits are trapped,
	 * MSG_REPLY to msg_request(), MSG_TIMEOUT.  Without it, they are
	 * reported and dropped (G-6).
	 */
	struct msg_next (*handle_info)(void *state, const struct msg *m);

	/* See msg_next_continue(). */
	struct msg_next (*handle_continue)(void *state, const char *tag);

	/*
	 * The server is going to end: clean up.  It runs when a function asked
	 * to stop or called msg_exit(), at msg_stop(), and, if init has called
	 * msg_trap_exit(true), when the supervisor stops the worker.  It does
	 * not run for a signal, nor for exit(3) (G-11).
	 */
	void (*terminate)(void *state, const char *reason);

	/*
	 * Show the state as one value: for `supctl sys NAME get_state`, and in
	 * the report of a crash.  What is secret stays out of it (G-13).
	 */
	void (*format_state)(const void *state, struct msg_pack *out);

	/*
	 * Show a message there, when it may hold secrets; without it they are
	 * shown as they are.
	 */
	void (*format_message)(
	    const void *state, const struct msg *m, struct msg_pack *out);

	/* `supctl sys NAME replace_state`: 0, or -errno and nothing changed. */
	int (*replace_state)(void *state, struct msg_unpack *value);

	/*
	 * `supctl sys NAME change_code`, only while suspended: make the state
	 * what another version of the program expects.  0 or -errno.
	 */
	int (*code_change)(void *state, struct msg_unpack *args);

	/* Give memory back after so long without a message; 0: never (G-10). */
	int hibernate_after_ms;
};

/*
 * Be a server: join supd, register `name` (NULL: none), init, say ready, serve,
 * and end the process with the reason.  Before it, main has only looked at its
 * arguments.
 *
 * When the name is taken the reason is "already_started: <PID>".  A server that
 * ends with anything but "normal", "shutdown" or "shutdown: WHY" tells why on
 * standard error, which supd logs: name, reason, last message, state, log.
 */
void msg_server_main(const struct msg_server_ops *ops, void *state,
    const char *name) __attribute__((noreturn));

/*
 * Serve in a program that has called msg_open() and msg_ready() itself, and
 * goes on afterwards (gen_server's enter_loop).  `next`: msg_next_ok(), or with
 * timeout or continue.  init is not called.  Returns 0 and the reason when
 * terminate has run, or -ENOTCONN, -ECHILD.
 */
int msg_server_loop(const struct msg_server_ops *ops, void *state,
    struct msg_next next, char ret_reason[MSG_REASON_MAX + 1]);

/*
 * A call that is to be replied to later, or by somebody else (G-3): `call`
 * without its body.  It holds nothing: copy it, keep it, forget it.  To let
 * another worker reply, send it this as a value.
 *
 *	state->waiting[n++] = msg_caller(call);
 *	return msg_next_noreply();
 *	...
 *	msg_replyf(&state->waiting[0], "%d", 42);
 */
struct msg msg_caller(const struct msg *call);
void msg_pack_caller(struct msg_pack *p, const struct msg *call);
int msg_unpack_caller(struct msg_unpack *u, struct msg *ret_call);

/* ---- its clients ----------------------------------------------------------
 * msg_call(), msg_cast(), msg_request() of <msg/msg.h>, msg_callf() of
 * <msg/format.h>, and these.
 */

/*
 * Start a server in a pool (as msg_spawn()) and wait until its init has
 * returned (G-1).  timeout_ms: -1 for ever.
 *
 *   0            it runs, *ret_pid
 *   1            it returned msg_next_ignore(); there is no pid
 *   -ECONNRESET  it ended in init; msg_strerror() is its reason
 *   -ETIMEDOUT   it was not there in time, and has been killed
 *   and what msg_spawn() returns.
 */
int msg_server_start(const char *pool, const char *const *args, int timeout_ms,
    msg_pid *ret_pid);
int msg_server_start_link(const char *pool, const char *const *args,
    int timeout_ms, msg_pid *ret_pid);

/*
 * Have a server end with this reason, after the messages that we have sent to
 * it before, and wait for its end (G-12).  timeout_ms: -1 for ever.
 *
 *   0            it has ended with this reason
 *   -ECONNRESET  it ended with another, which msg_strerror() says
 *   -ESRCH       it had ended already, or nobody has that name (noproc)
 *   -ETIMEDOUT   it still runs
 *   -EDEADLK     a server that stops itself returns msg_next_stop()
 *   -EREMOTEIO   it is no server
 */
int msg_stop(msg_pid to, const char *reason, int timeout_ms);
int msg_stop_name(const char *name, const char *reason, int timeout_ms);

/* What became of one of several calls: error as of msg_call(), or 0. */
struct msg_answer {
	int error;
	struct msg reply;
};

/*
 * Call n servers at once, by name or child path, and wait until all have
 * replied or timeout_ms is over (-1: for ever).  Returns how many replied; the
 * caller releases their replies.  Late replies are dropped (G-5).
 */
int msg_multi_call(const char *const *names, size_t n,
    const struct msg_pack *request, int timeout_ms,
    struct msg_answer *ret_answers);

/* Cast to n servers.  That a name is nobody's is no error.  0 or -errno. */
int msg_abcast(
    const char *const *names, size_t n, const struct msg_pack *request);

/*
 * A set of requests (msg_request()), each with a label, whose responses are
 * taken one at a time as they come (G-4).  Begins zeroed.
 */
struct msg_requests {
	size_t n;
	struct msg_requests_entry *entries; /* libmsg's own */
};
int msg_requests_add(struct msg_requests *set, uint64_t ref, void *label);

/*
 * Take one response.  1: a MSG_REPLY (see its `error`), or a MSG_DOWN with the
 * reason when the server ended first; its request has left the set.  0: none
 * came within timeout_ms, all still live.  -ENOENT: the set is empty.
 */
int msg_requests_wait(struct msg_requests *set, int timeout_ms,
    struct msg *ret_response, void **ret_label);

/* Give up those that are left, and release the set. */
void msg_requests_fini(struct msg_requests *set);

/* ---- sys: looking into a running server (G-14) ----------------------------
 */

/*
 * Ask for a system operation, in its turn after what we have sent before;
 * `arg` is one value or NULL.  timeout_ms: -1 is MSG_CALL_TIMEOUT_MS.  Returns
 * as msg_call(); -EREMOTEIO also when the operation was refused.  The answer
 * may be NULL.
 *
 *	suspend, resume      only system operations are served in between
 *	get_state            what format_state shows
 *	replace_state VALUE
 *	get_status           a map: status, name, pid, state, log ...
 *	change_code VALUE    while it is suspended
 *	terminate REASON
 *	statistics           a map: uptime_ms, cpu_ms, messages_in ...
 *	log N                remember the last N events; 0: none
 *	log                  a list of what is remembered, oldest first
 *	trace TRUTH          every message is shown by `supctl trace`
 *	info                 as msg_info()
 *
 * The last two any worker answers.  `supctl sys NAME OP [ARG]` asks for the
 * same, ahead of all messages that wait.
 */
int msg_sys(msg_pid to, const char *op, const struct msg_pack *arg,
    int timeout_ms, struct msg *ret_answer);
int msg_sys_name(const char *name, const char *op, const struct msg_pack *arg,
    int timeout_ms, struct msg *ret_answer);

/*
 * Have fn called by this server for each event: "in" a message, before its
 * function; "out" a reply; "timeout".  At most one; NULL takes it away (sys's
 * install and remove).
 */
typedef void msg_debug_fn(void *arg, const char *event, const struct msg *m);
void msg_server_debug(msg_debug_fn *fn, void *arg);

#ifdef __cplusplus
}
#endif

#endif /* MSG_SERVER_H */
