/* SPDX-License-Identifier: ISC */
/*
 * Tasks (K-1): a worker of a pool that gets one request, and whose reply is the
 * result.  So the library's requests do the work: a result that nobody waits
 * for any more is dropped by its ref, and the task's end is an answer too.
 *
 * A monitor that was set before the task could run tells why it ended; the
 * request alone would only say that it is not there.
 */
#include "task.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A task without a request: its owner died before he could send one. */
#define ARGUMENT_TIMEOUT_MS 60000

/* Milliseconds until then, as the public functions want them. */
static int
ms_left(int64_t deadline_ns)
{
	int64_t left;

	if (deadline_ns == DEADLINE_NEVER)
		return -1;
	left = (deadline_ns - clock_now() + NS_PER_MS - 1) / NS_PER_MS;
	if (left < 0)
		return 0;
	return left < INT32_MAX ? (int)left : INT32_MAX;
}

/* ---- the side of the task --------------------------------------------------
 */

/* The first call is the argument.  Does not return without one. */
static void
take_argument(struct msg *ret_call)
{
	const struct msg_pattern p = { .kinds = MSG_IS(MSG_CALL) };
	int64_t deadline = clock_deadline(ARGUMENT_TIMEOUT_MS);
	int r;

	do {
		r = msg_receive_match(ret_call, &p, 1, ms_left(deadline));
	} while (r == -EINTR);
	if (r == 0)
		msg_exit("timeout");
	if (r < 0)
		msg_exit(msg_strerror(r));
}

MSG_API void
msg_task_main(msg_task_fn *work, void *state)
{
	struct msg_pack result;
	struct msg call;
	int r;

	r = msg_open();
	if (r == 0)
		r = msg_ready();
	if (r != 0) {
		fprintf(stderr, "task: %s\n", msg_strerror(r));
		exit(1);
	}
	take_argument(&call);
	msg_pack_init(&result);
	r = work(state, &call, &result);
	if (r < 0)
		msg_exit(strerror(-r));
	if (result.len == 0 && !result.failed)
		msg_pack_nil(&result);
	r = msg_pack_reply(&call, &result);
	if (r != 0)
		msg_exit(msg_strerror(r));
	msg_pack_fini(&result);
	msg_free(&call);
	msg_exit("normal");
}

/* ---- starting --------------------------------------------------------------
 */

/* It has no more to tell us. */
void
task_forget(struct msg_task *t)
{
	(void)msg_cancel_request(t->ref);
	(void)msg_demonitor(t->monitor, true);
	t->ref = t->monitor = 0;
}

/* Kill it, and forget it. */
void
task_kill(struct msg_task *t)
{
	(void)msg_unlink(t->pid);
	(void)msg_exit_to(t->pid, "kill");
	task_forget(t);
}

int
task_start(const char *pool, const struct msg_pack *arg, bool link,
    struct msg_task *ret_task)
{
	static const char nil[] = "\xc0";
	struct msg_task t = { .owner = msg_self() };
	int r;

	if (arg != NULL && arg->failed)
		return fail(-ENOMEM, "no memory for a task's argument");
	r = spawn_watched(pool, link, &t.pid, &t.monitor);
	if (r != 0)
		return r;
	if (arg == NULL || arg->len == 0)
		r = msg_request(t.pid, MSG_PACKED, nil, 1, &t.ref);
	else
		r = msg_request(t.pid, MSG_PACKED, arg->data, arg->len, &t.ref);
	if (r != 0) {
		task_kill(&t);
		return r;
	}
	*ret_task = t;
	return 0;
}

MSG_API int
msg_task_async(
    const char *pool, const struct msg_pack *arg, struct msg_task *ret_task)
{
	return task_start(pool, arg, true, ret_task);
}

MSG_API int
msg_task_async_nolink(
    const char *pool, const struct msg_pack *arg, struct msg_task *ret_task)
{
	return task_start(pool, arg, false, ret_task);
}

/* ---- waiting ---------------------------------------------------------------
 */

static int
check_owner(const struct msg_task *t)
{
	if (t->owner == msg_self() && t->owner != 0)
		return 0;
	return fail(-EPERM, "only who has started a task can wait for it");
}

int
task_reason(
    const struct msg_task *t, const char *reason, struct msg *ret_result)
{
	char *text = strdup(reason);

	if (text == NULL)
		return fail(-ENOMEM, "no memory for a task's end");
	*ret_result = (struct msg){
		.kind = MSG_DOWN,
		.from = t->pid,
		.ref = t->monitor,
		.body = text,
		.len = strlen(text),
		.owner = text,
	};
	return 0;
}

/* One that has been waited for before: what is to be said of it again. */
static int
look_again(const struct msg_task *t, enum msg_task_end *ret_end,
    struct msg *ret_result)
{
	int r = 0;

	*ret_end = MSG_TASK_NONE;
	*ret_result = (struct msg){ 0 };
	if (t->monitor != 0)
		return 0;
	r = task_reason(t, "noproc", ret_result);
	if (r == 0)
		*ret_end = MSG_TASK_EXIT;
	return r;
}

/*
 * Wait until one of n tasks has ended that have not `ended` yet.  Returns
 * which, from 1, and how in ended[] with its message; 0: none in time; -errno.
 */
int
task_wait(struct msg_task *tasks, size_t n, enum msg_task_end *ended,
    struct msg *results, int64_t deadline_ns)
{
	struct msg_pattern *p = calloc(2 * n + 1, sizeof(*p));
	struct msg m;
	size_t i, k = 0;
	int r;

	if (p == NULL)
		return fail(-ENOMEM, "no memory to wait for %zu tasks", n);
	/*
	 * The answer to the request, or the news of the end.  An answer that is
	 * itself such a news knows less: the monitor's is on its way.
	 */
	for (i = 0; i < n; i++) {
		if (ended[i] != MSG_TASK_NONE)
			continue;
		p[k++] = (struct msg_pattern){ .kinds = MSG_IS(MSG_REPLY),
			.ref = tasks[i].ref };
		p[k++] = (struct msg_pattern){ .kinds = MSG_IS(MSG_DOWN),
			.ref = tasks[i].monitor };
	}
	do {
		r = msg_receive_match(&m, p, k, ms_left(deadline_ns));
	} while (r == -EINTR);
	for (i = 0; r > 0 && i < n; i++) {
		if (m.ref != tasks[i].ref && m.ref != tasks[i].monitor)
			continue;
		ended[i] = m.kind == MSG_DOWN || m.error != 0 ? MSG_TASK_EXIT
		                                              : MSG_TASK_OK;
		results[i] = m;
		task_forget(&tasks[i]);
		r = (int)i + 1;
		break;
	}
	free(p);
	return r;
}

static int
yield(struct msg_task *t, int64_t deadline_ns, struct msg *ret_result)
{
	enum msg_task_end end;
	struct msg result;
	int r = check_owner(t);

	if (r == 0)
		r = look_again(t, &end, &result);
	if (r == 0 && end == MSG_TASK_NONE)
		r = task_wait(t, 1, &end, &result, deadline_ns);
	if (r < 0)
		return r;
	if (ret_result != NULL)
		*ret_result = result;
	else
		msg_free(&result);
	return (int)end;
}

int64_t
task_deadline(int timeout_ms)
{
	if (timeout_ms == MSG_TASK_INFINITY)
		return DEADLINE_NEVER;
	return clock_deadline(
	    timeout_ms < 0 ? MSG_TASK_TIMEOUT_MS : timeout_ms);
}

MSG_API int
msg_task_yield(struct msg_task *task, int timeout_ms, struct msg *ret_result)
{
	return yield(task, task_deadline(timeout_ms), ret_result);
}

static int
died(const struct msg_task *t, struct msg *reason)
{
	int r = fail(-ECONNRESET, "task " PID_FMT " ended without a result: %s",
	    PID_ARG(t->pid), (const char *)reason->body);

	msg_free(reason);
	return r;
}

static int
late(struct msg_task *t)
{
	task_kill(t);
	return fail(-ETIMEDOUT, "task " PID_FMT " had no result in time",
	    PID_ARG(t->pid));
}

MSG_API int
msg_task_await(struct msg_task *task, int timeout_ms, struct msg *ret_result)
{
	struct msg result = { 0 };
	int r = yield(task, task_deadline(timeout_ms), &result);

	if (r < 0)
		return r;
	if (r == MSG_TASK_EXIT)
		return died(task, &result);
	if (r == MSG_TASK_NONE)
		return late(task);
	if (ret_result != NULL)
		*ret_result = result;
	else
		msg_free(&result);
	return 0;
}

/* ---- ending ----------------------------------------------------------------
 */

/*
 * Has it ended already?  supd tells of an end before it says that nobody is
 * there, so if that is not in the mailbox, somebody else has taken it.
 */
static int
look_first(struct msg_task *t, struct msg *ret)
{
	int r = yield(t, 0, ret);

	if (r != MSG_TASK_NONE || msg_is_alive(t->pid) != 0)
		return r;
	r = yield(t, 0, ret);
	if (r != MSG_TASK_NONE)
		return r;
	task_forget(t);
	return yield(t, 0, ret);
}

/* Did it end as we have told it to?  Then there is nothing to tell. */
static int
ended_by(const char *reason, int end, struct msg *m, struct msg *ret_result)
{
	if (end == MSG_TASK_EXIT && strcmp(m->body, reason) == 0) {
		msg_free(m);
		end = MSG_TASK_NONE;
	}
	if (ret_result != NULL)
		*ret_result = *m;
	else
		msg_free(m);
	return end;
}

MSG_API int
msg_task_shutdown(struct msg_task *task, int timeout_ms, struct msg *ret_result)
{
	bool brutal = timeout_ms == MSG_TASK_BRUTAL_KILL;
	struct msg m = { 0 };
	int r = check_owner(task);

	if (r != 0)
		return r;
	(void)msg_unlink(task->pid);
	r = look_first(task, &m);
	if (r != MSG_TASK_NONE)
		return r < 0 ? r : ended_by("", r, &m, ret_result);
	r = msg_exit_to(task->pid, brutal ? "kill" : "shutdown");
	if (r != 0)
		return r;
	r = yield(
	    task, brutal ? DEADLINE_NEVER : task_deadline(timeout_ms), &m);
	if (r < 0)
		return r;
	if (r != MSG_TASK_NONE)
		return ended_by(
		    brutal ? "killed" : "shutdown", r, &m, ret_result);
	/* It has not obeyed. */
	r = msg_exit_to(task->pid, "kill");
	if (r == 0)
		r = yield(task, DEADLINE_NEVER, &m);
	return r < 0 ? r : ended_by("killed", r, &m, ret_result);
}

MSG_API int
msg_task_ignore(struct msg_task *task, struct msg *ret_result)
{
	int r = check_owner(task);

	if (r != 0)
		return r;
	(void)msg_unlink(task->pid);
	r = yield(task, 0, ret_result);
	if (r == MSG_TASK_NONE)
		task_forget(task);
	return r;
}

/* ---- several ---------------------------------------------------------------
 */

/* Give up what has no result, and what has. */
static void
give_up(struct msg_task *tasks, size_t n, const enum msg_task_end *ends,
    struct msg *results)
{
	for (size_t i = 0; i < n; i++) {
		if (ends[i] == MSG_TASK_NONE)
			task_kill(&tasks[i]);
		msg_free(&results[i]);
	}
}

/* None has ended, but those that were waited for before. */
static int
begin_many(const struct msg_task *tasks, size_t n, enum msg_task_end *ends,
    struct msg *results, int *ret_n_ended)
{
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		ends[i] = MSG_TASK_NONE;
		results[i] = (struct msg){ 0 };
		r = r == 0 ? check_owner(&tasks[i]) : r;
	}
	for (size_t i = 0; i < n && r == 0; i++) {
		r = look_again(&tasks[i], &ends[i], &results[i]);
		*ret_n_ended += ends[i] != MSG_TASK_NONE;
	}
	return r;
}

MSG_API int
msg_task_yield_many(struct msg_task *tasks, size_t n, int timeout_ms,
    enum msg_task_end *ret_ends, struct msg *ret_results)
{
	int64_t deadline = task_deadline(timeout_ms);
	int n_ended = 0, r = 0;

	r = begin_many(tasks, n, ret_ends, ret_results, &n_ended);
	while (r == 0 && (size_t)n_ended < n) {
		r = task_wait(tasks, n, ret_ends, ret_results, deadline);
		if (r == 0)
			break;
		n_ended += r > 0;
		r = r > 0 ? 0 : r;
	}
	return r < 0 ? r : n_ended;
}

MSG_API int
msg_task_await_many(
    struct msg_task *tasks, size_t n, int timeout_ms, struct msg *ret_results)
{
	int64_t deadline = task_deadline(timeout_ms);
	enum msg_task_end *ends = calloc(n + 1, sizeof(*ends));
	size_t left = n;
	int n_ended = 0, r;

	if (ends == NULL)
		return fail(-ENOMEM, "no memory to wait for %zu tasks", n);
	r = begin_many(tasks, n, ends, ret_results, &n_ended);
	if (r == 0 && n_ended > 0)
		r = fail(-EINVAL, "a task can be awaited once");
	if (r != 0) {
		for (size_t i = 0; i < n; i++)
			msg_free(&ret_results[i]);
		free(ends);
		return r;
	}
	for (; left > 0; left--) {
		r = task_wait(tasks, n, ends, ret_results, deadline);
		if (r > 0 && ends[r - 1] == MSG_TASK_EXIT)
			r = died(&tasks[r - 1], &ret_results[r - 1]);
		else if (r == 0)
			r = fail(-ETIMEDOUT,
			    "%zu of %zu tasks had no result in time", left, n);
		if (r < 0)
			break;
	}
	if (r < 0) {
		char why[512];

		/* What is done about the others must not hide it. */
		snprintf(why, sizeof(why), "%s", msg_strerror(r));
		give_up(tasks, n, ends, ret_results);
		(void)fail(r, "%s", why);
	}
	free(ends);
	return r < 0 ? r : 0;
}
