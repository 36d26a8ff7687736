/* SPDX-License-Identifier: ISC */
#ifndef MSG_TASK_H
#define MSG_TASK_H

#include <msg/msg.h>
#include <msg/pack.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Tasks: work that somebody else does meanwhile, and whose result is waited
 * for; as Elixir's Task.
 *
 * A task is a worker of a simple_one_for_one supervisor, started for one piece
 * of work.  Its program is msg_task_main() with a function; the configuration
 * says which programs there are:
 *
 *	- supervisor: thumbnails
 *	  strategy: simple_one_for_one
 *	  template: {command: [thumbnail], restart: temporary}
 *
 * The one who starts a task is its owner, and nobody else can wait for it
 * (-EPERM).  Where OTP ends the process of a caller that cannot go on, these
 * functions return an error, and the task is no more: a caller that wants
 * OTP's way ends itself by msg_exit().
 */

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the side of the task -------------------------------------------------
 */

/*
 * The work: `arg` is what the owner sent; build one msgpack value in `result`
 * (nothing built: nil).  0; a negative errno value ends the task, which is
 * then a crash with that error's text as its reason, and so does msg_exit().
 */
typedef int msg_task_fn(
    void *state, const struct msg *arg, struct msg_pack *result);

/*
 * Be a task: join supd, get the argument, do the work, send the result, end.
 * Does not return: exit(3).
 */
void msg_task_main(msg_task_fn *work, void *state) __attribute__((noreturn));

/* ---- the side of the owner ------------------------------------------------
 */

/* A task.  Its owner's memory; nothing to release after it has ended. */
struct msg_task {
	msg_pid pid;
	msg_pid owner;
	uint64_t ref;     /* of the request: its result */
	uint64_t monitor; /* of its end */
};

/*
 * Start a task of a pool, linked and monitored before it runs, and send it its
 * argument (NULL: nil).  A task that crashes takes its owner with it, unless
 * that traps exits; msg_task_async_nolink() only tells.
 * Errors as msg_spawn().
 */
int msg_task_async(
    const char *pool, const struct msg_pack *arg, struct msg_task *ret_task);
int msg_task_async_nolink(
    const char *pool, const struct msg_pack *arg, struct msg_task *ret_task);

/* What has become of a task. */
enum msg_task_end {
	MSG_TASK_NONE, /* no result: it runs, or has ended because of us */
	MSG_TASK_OK,   /* it has a result */
	MSG_TASK_EXIT, /* it ended without one: the reason is a text */
};

/* The default of every timeout here, for -1. */
#define MSG_TASK_TIMEOUT_MS 5000
/* msg_task_shutdown(): do not ask it to end, kill it. */
#define MSG_TASK_BRUTAL_KILL (-2)
/* A timeout that never comes. */
#define MSG_TASK_INFINITY INT32_MAX

/*
 * Wait for the result.  On 0 it is in *ret_result, to be released by
 * msg_free(), or dropped with NULL; the task is over.
 *
 *   -ECONNRESET  it ended without a result; msg_strerror() says how
 *   -ETIMEDOUT   not in time; it was killed
 */
int msg_task_await(
    struct msg_task *task, int timeout_ms, struct msg *ret_result);

/*
 * Look for the result, again and again if need be.  Returns an enum
 * msg_task_end: MSG_TASK_OK and the result; MSG_TASK_EXIT and a message whose
 * body is the reason; MSG_TASK_NONE and none, and the task goes on.
 */
int msg_task_yield(
    struct msg_task *task, int timeout_ms, struct msg *ret_result);

/*
 * End a task: unlink it, send it the exit signal "shutdown", and kill it if it
 * has not ended in time.  Returns MSG_TASK_OK and the result if that came
 * first; MSG_TASK_NONE when it ended because of us; MSG_TASK_EXIT and the
 * reason when it ended in another way.
 */
int msg_task_shutdown(
    struct msg_task *task, int timeout_ms, struct msg *ret_result);

/*
 * Let it go: unlink it, and want no result any more.  Returns as
 * msg_task_yield() with timeout 0, but a task that runs goes on alone.
 */
int msg_task_ignore(struct msg_task *task, struct msg *ret_result);

/*
 * Wait for all of n tasks together.  On 0 ret_results[i] is the result of
 * tasks[i].  If one fails (-ECONNRESET) or the time is over (-ETIMEDOUT),
 * there are no results and all that still run are killed.
 */
int msg_task_await_many(
    struct msg_task *tasks, size_t n, int timeout_ms, struct msg *ret_results);

/*
 * Look for the results of n tasks within one time.  ret_ends[i] and
 * ret_results[i] as msg_task_yield() of tasks[i].  Returns how many have ended.
 */
int msg_task_yield_many(struct msg_task *tasks, size_t n, int timeout_ms,
    enum msg_task_end *ret_ends, struct msg *ret_results);

/* ---- many pieces of work --------------------------------------------------
 */

struct msg_task_stream;

/*
 * The next argument: build it in `item` and return true, or false when there
 * are no more.  Called only when a task can be started for it.
 */
typedef bool msg_task_next_fn(void *arg, struct msg_pack *item);

/* What is 0 or NULL has its default. */
struct msg_task_stream_options {
	unsigned max_concurrency; /* tasks at once; default: the CPUs */
	int timeout_ms;           /* for each; 0, -1: MSG_TASK_TIMEOUT_MS */
	bool unordered;           /* results as they come */
	bool nolink;
	bool kill_on_timeout; /* else a timeout ends the stream */
};

/*
 * Do the same work to many arguments, some at once, and take the results one
 * by one.  Nothing is started ahead of need: as many tasks as max_concurrency
 * run or hold a result that has not been taken.
 */
int msg_task_stream_open(const char *pool, msg_task_next_fn *next, void *arg,
    const struct msg_task_stream_options *options,
    struct msg_task_stream **ret_stream);

/*
 * The next result, in the order of the arguments, unless `unordered`.  Returns
 * MSG_TASK_OK and the result; MSG_TASK_EXIT and the reason of a task that ended
 * without one ("timeout": it was killed); 0 when all have been taken.
 * -ETIMEDOUT: a task had no result in time, and kill_on_timeout is not set.
 */
int msg_task_stream_next(
    struct msg_task_stream *stream, struct msg *ret_result);

/* End it: kill what still runs, and release it.  Harmless on NULL. */
void msg_task_stream_close(struct msg_task_stream *stream);

#ifdef __cplusplus
}
#endif

#endif /* MSG_TASK_H */
