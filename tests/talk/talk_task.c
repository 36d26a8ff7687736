/* SPDX-License-Identifier: ISC */
/* Tasks: K-1 and K-2. */
#include "talk.h"

#include <errno.h>
#include <inttypes.h>
#include <msg/format.h>
#include <msg/msg.h>
#include <msg/supervisor.h>
#include <msg/task.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char pool[64]; /* the case's tasks */

static void
begin(void)
{
	char spec[512], exe[256] = "";

	check(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	snprintf(pool, sizeof(pool), "tasks-%" PRIu64, msg_self());
	snprintf(spec, sizeof(spec),
	    "{supervisor: %s, strategy: simple_one_for_one, template: "
	    "{command: ['%s', role, task], restart: temporary}}",
	    pool, exe);
	check_int(msg_start_child("root", spec, NULL, NULL), MSG_SUP_OK);
}

/* An argument for the task below; gone with the next. */
static const struct msg_pack *
job(const char *what, int n)
{
	static struct msg_pack p;

	msg_pack_fini(&p);
	msg_pack_init(&p);
	msg_packf(&p, "[%s %d]", what, n);
	return &p;
}

/* Start one that links us; and one that does not. */
static struct msg_task
async(const char *what, int n)
{
	struct msg_task t;

	check_ok(msg_task_async(pool, job(what, n), &t));
	return t;
}

static struct msg_task
async_nolink(const char *what, int n)
{
	struct msg_task t;

	check_ok(msg_task_async_nolink(pool, job(what, n), &t));
	return t;
}

static void
check_result(struct msg *m, int wanted)
{
	int n;

	check(m->kind == MSG_REPLY);
	check(msg_value(m, "%d", &n));
	check_int(n, wanted);
	msg_free(m);
}

static void
check_reason(struct msg *m, const char *wanted)
{
	check(m->kind == MSG_DOWN);
	check_text(m->body, wanted);
	msg_free(m);
}

/* Nothing of a task is left in the mailbox. */
static void
check_empty(void)
{
	struct msg m;

	check_int(msg_receive(&m, 0), 0);
}

static void
check_exit(msg_pid from, const char *reason)
{
	struct msg_pattern p = { .kinds = MSG_IS(MSG_EXIT), .from = from };
	struct msg m;

	check_int(msg_receive_match(&m, &p, 1, TALK_PATIENCE_MS), 1);
	check_text(m.body, reason);
	msg_free(&m);
}

/* ---- K-1 -------------------------------------------------------------------
 */

static void
await_gives_the_result(void)
{
	struct msg_task t;
	struct msg m;

	begin();
	t = async("double", 21);
	check_ok(msg_task_await(&t, TALK_PATIENCE_MS, &m));
	check_result(&m, 42);
	check_empty();
	/* Without an argument, and without a result: nil both. */
	check_ok(msg_task_async(pool, NULL, &t));
	check_ok(msg_task_await(&t, TALK_PATIENCE_MS, &m));
	check(m.len == 1 && memcmp(m.body, "\xc0", 1) == 0);
	msg_free(&m);
	check_empty();
	check_int(msg_task_yield(&t, 0, &m), MSG_TASK_EXIT);
	check_reason(&m, "noproc");
}

static void
await_tells_of_a_crash(void)
{
	struct msg_task t;
	int r;

	begin();
	t = async_nolink("exit", 0);
	r = msg_task_await(&t, TALK_PATIENCE_MS, NULL);
	check_int(r, -ECONNRESET);
	check(strstr(msg_strerror(r), "oops") != NULL);
	t = async_nolink("fail", EDOM);
	r = msg_task_await(&t, TALK_PATIENCE_MS, NULL);
	check_int(r, -ECONNRESET);
	check(strstr(msg_strerror(r), strerror(EDOM)) != NULL);
	check_empty();
}

static void
await_kills_what_is_late(void)
{
	struct msg_task t;
	msg_pid pid;

	begin();
	t = async("sleep", 100000);
	pid = t.pid;
	check_int(msg_task_await(&t, 10, NULL), -ETIMEDOUT);
	for (int i = 0; msg_is_alive(pid) != 0; i++) {
		check(i < TALK_PATIENCE_MS);
		check_ok(msg_sleep(1));
	}
	check_empty();
}

/* Trapping, we see what else would have been our end. */
static void
a_crash_takes_the_owner(void)
{
	struct msg_task t;
	struct msg m;

	begin();
	check_ok(msg_trap_exit(true));
	t = async("exit", 0);
	check_exit(t.pid, "oops");
	check_int(msg_task_yield(&t, TALK_PATIENCE_MS, &m), MSG_TASK_EXIT);
	check_reason(&m, "oops");
	check_empty();
	/* Without the link there is only the DOWN. */
	t = async_nolink("exit", 0);
	check_int(msg_task_yield(&t, TALK_PATIENCE_MS, &m), MSG_TASK_EXIT);
	check_reason(&m, "oops");
	check_empty();
}

static void
an_owner_takes_its_tasks(void)
{
	char spec[512], exe[256] = "";
	struct msg_child owner;
	struct msg m;
	msg_pid task;
	uint64_t ref;

	begin();
	check(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	snprintf(spec, sizeof(spec),
	    "{worker: owner, command: ['%s', role, owner, %s], ready: notify, "
	    "restart: temporary, allow: [%s]}",
	    exe, pool, pool);
	check_int(msg_start_child("root", spec, NULL, &owner), MSG_SUP_OK);
	check_ok(msg_callf(owner.pid, TALK_PATIENCE_MS, &m, "task"));
	check(msg_value(&m, "%" SCNu64, &task));
	msg_free(&m);
	check_ok(msg_monitor(task, &ref));
	check_ok(msg_exit_to(owner.pid, "kill"));
	check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
	check(m.ref == ref);
	check_reason(&m, "killed");
}

static void
yield_may_be_asked_again(void)
{
	struct msg_task t;
	struct msg m;

	begin();
	t = async("wait", 7);
	check_int(msg_task_yield(&t, 0, &m), MSG_TASK_NONE);
	check_int(msg_task_yield(&t, 5, &m), MSG_TASK_NONE);
	check_ok(msg_sendf(t.pid, "go"));
	check_int(msg_task_yield(&t, TALK_PATIENCE_MS, &m), MSG_TASK_OK);
	check_result(&m, 7);
	check_empty();
}

static void
only_the_owner_may_wait(void)
{
	struct msg_task t;

	begin();
	t = async("wait", 7);
	t.owner++;
	check_int(msg_task_await(&t, 0, NULL), -EPERM);
	check_int(msg_task_yield(&t, 0, NULL), -EPERM);
	check_int(msg_task_shutdown(&t, 0, NULL), -EPERM);
	check_int(msg_task_ignore(&t, NULL), -EPERM);
	check_int(msg_task_await_many(&t, 1, 0, &(struct msg){ 0 }), -EPERM);
	t.owner--;
	check_int(msg_task_shutdown(&t, -1, NULL), MSG_TASK_NONE);
}

static void
shutdown_ends_it(void)
{
	struct msg_task t;
	struct msg m;

	begin();
	t = async("wait", 7);
	check_int(msg_task_shutdown(&t, TALK_PATIENCE_MS, &m), MSG_TASK_NONE);
	check_int(msg_is_alive(t.pid), 0);
	/* It was unlinked: we live.  Once more, it is no more. */
	check_int(msg_task_shutdown(&t, -1, &m), MSG_TASK_EXIT);
	check_reason(&m, "noproc");
	check_empty();
}

static void
shutdown_returns_a_result_that_was_first(void)
{
	struct msg_task t;
	struct msg m;

	begin();
	t = async("double", 4);
	while (msg_is_alive(t.pid) != 0)
		check_ok(msg_sleep(1));
	check_int(msg_task_shutdown(&t, -1, &m), MSG_TASK_OK);
	check_result(&m, 8);
	/* And the reason of one that had ended in another way. */
	t = async_nolink("exit", 0);
	while (msg_is_alive(t.pid) != 0)
		check_ok(msg_sleep(1));
	check_int(msg_task_shutdown(&t, -1, &m), MSG_TASK_EXIT);
	check_reason(&m, "oops");
	check_empty();
}

static void
shutdown_kills_who_does_not_obey(void)
{
	struct msg_task t;
	struct msg m;

	begin();
	t = async("stubborn", 0);
	check_ok(msg_callf(t.pid, TALK_PATIENCE_MS, NULL, "ready?"));
	check_int(msg_task_shutdown(&t, 20, &m), MSG_TASK_NONE);
	check_int(msg_is_alive(t.pid), 0);
	check_empty();
}

static void
brutal_kill(void)
{
	struct msg_task t;
	struct msg m;

	begin();
	t = async("stubborn", 0);
	check_int(
	    msg_task_shutdown(&t, MSG_TASK_BRUTAL_KILL, &m), MSG_TASK_NONE);
	check_int(msg_is_alive(t.pid), 0);
	check_empty();
}

static void
ignore_lets_it_go(void)
{
	struct msg_task t;
	struct msg m;
	uint64_t ref;

	begin();
	t = async("wait", 7);
	check_int(msg_task_ignore(&t, &m), MSG_TASK_NONE);
	check_ok(msg_monitor(t.pid, &ref));
	check_ok(msg_sendf(t.pid, "go"));
	check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
	check(m.ref == ref);
	check_reason(&m, "normal");
	check_empty();
	/* A crash is none of ours any more. */
	t = async("crash", 0);
	check_int(msg_task_ignore(&t, &m), MSG_TASK_NONE);
	check_ok(msg_monitor(t.pid, &ref));
	check_ok(msg_sendf(t.pid, "go"));
	check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
	check_reason(&m, "oops");
	/* What was there already is given. */
	t = async("double", 3);
	while (msg_is_alive(t.pid) != 0)
		check_ok(msg_sleep(1));
	check_int(msg_task_ignore(&t, &m), MSG_TASK_OK);
	check_result(&m, 6);
}

static void
await_many_gives_all(void)
{
	struct msg_task t[4];
	struct msg m[4];

	begin();
	for (int i = 0; i < 4; i++)
		t[i] = async("double", i);
	check_ok(msg_task_await_many(t, 4, TALK_PATIENCE_MS, m));
	for (int i = 0; i < 4; i++)
		check_result(&m[i], 2 * i);
	check_empty();
	check_ok(msg_task_await_many(t, 0, 0, m));
}

static void
await_many_fails_with_the_first(void)
{
	struct msg_task t[3];
	struct msg m[3];
	int r;

	begin();
	t[0] = async_nolink("wait", 1); /* for ever */
	t[1] = async_nolink("double", 2);
	t[2] = async_nolink("exit", 0);
	r = msg_task_await_many(t, 3, MSG_TASK_INFINITY, m);
	check_int(r, -ECONNRESET);
	check(strstr(msg_strerror(r), "oops") != NULL);
	check(m[1].body == NULL);
	while (msg_is_alive(t[0].pid) != 0)
		check_ok(msg_sleep(1));
	check_empty();
}

static void
yield_many_gives_what_there_is(void)
{
	enum msg_task_end ends[3];
	struct msg_task t[3];
	struct msg m[3];

	begin();
	t[0] = async_nolink("double", 5);
	t[1] = async_nolink("wait", 9);
	t[2] = async_nolink("exit", 0);
	while (msg_is_alive(t[0].pid) != 0 || msg_is_alive(t[2].pid) != 0)
		check_ok(msg_sleep(1));
	check_int(msg_task_yield_many(t, 3, 0, ends, m), 2);
	check_int(ends[0], MSG_TASK_OK);
	check_int(ends[1], MSG_TASK_NONE);
	check_int(ends[2], MSG_TASK_EXIT);
	check_result(&m[0], 10);
	check_reason(&m[2], "oops");
	check_ok(msg_sendf(t[1].pid, "go"));
	check_int(msg_task_yield_many(&t[1], 1, TALK_PATIENCE_MS, ends, m), 1);
	check_result(&m[0], 9);
	check_empty();
}

static void
there_must_be_a_pool(void)
{
	struct msg_task t;

	check_int(msg_task_async("no-such", NULL, &t), -ENOENT);
	check_int(msg_task_async("root", NULL, &t) < 0, 1);
}

/* ---- K-2 -------------------------------------------------------------------
 */

struct source {
	const char *what;
	int n, next;
};

static bool
next(void *arg, struct msg_pack *item)
{
	struct source *s = arg;

	if (s->next == s->n)
		return false;
	msg_packf(item, "[%s %d]", s->what, s->next++);
	return true;
}

static struct msg_task_stream *
stream(struct source *s, struct msg_task_stream_options options)
{
	struct msg_task_stream *stream;

	check_ok(msg_task_stream_open(pool, next, s, &options, &stream));
	return stream;
}

static unsigned
n_running(void)
{
	struct msg_child_counts n;

	check_int(msg_count_children(pool, &n), MSG_SUP_OK);
	return n.active;
}

static void
a_stream_is_in_order(void)
{
	struct source s = { "double", 8, 0 };
	struct msg_task_stream *st;
	struct msg m;

	begin();
	st = stream(&s, (struct msg_task_stream_options){ .max_concurrency = 3,
			    .timeout_ms = MSG_TASK_INFINITY });
	for (int i = 0; i < 8; i++) {
		check_int(msg_task_stream_next(st, &m), MSG_TASK_OK);
		check_result(&m, 2 * i);
		check(s.next <= i + 3);
	}
	check_int(msg_task_stream_next(st, &m), 0);
	check_int(msg_task_stream_next(st, &m), 0);
	msg_task_stream_close(st);
	check_empty();
}

static void
a_stream_starts_no_more_than_it_may(void)
{
	struct source s = { "wait", 5, 0 };
	struct msg_task_stream *st;
	struct msg m;

	begin();
	st = stream(&s, (struct msg_task_stream_options){ .max_concurrency = 2,
			    .timeout_ms = 50,
			    .kill_on_timeout = true });
	check_int(n_running(), 0);
	check_int(msg_task_stream_next(st, &m), MSG_TASK_EXIT);
	check_reason(&m, "timeout");
	check_int(s.next, 2);
	msg_task_stream_close(st);
	/* A halt leaves nobody running. */
	while (n_running() > 0)
		check_ok(msg_sleep(1));
	check_empty();
}

static void
an_unordered_stream_gives_what_is_done(void)
{
	struct source s = { "second", 2, 0 };
	struct msg_task_stream *st;
	struct msg m;

	begin();
	st = stream(&s, (struct msg_task_stream_options){ .max_concurrency = 2,
			    .unordered = true,
			    .timeout_ms = MSG_TASK_INFINITY });
	/* The first waits for ever, the second is done. */
	check_int(msg_task_stream_next(st, &m), MSG_TASK_OK);
	check_result(&m, 1);
	msg_task_stream_close(st);
	while (n_running() > 0)
		check_ok(msg_sleep(1));
	check_empty();
}

static void
a_timeout_ends_a_stream(void)
{
	struct source s = { "wait", 2, 0 };
	struct msg_task_stream *st;
	struct msg m;

	begin();
	st = stream(&s, (struct msg_task_stream_options){
			    .max_concurrency = 1, .timeout_ms = 20 });
	check_int(msg_task_stream_next(st, &m), -ETIMEDOUT);
	msg_task_stream_close(st);
	msg_task_stream_close(NULL);
	while (n_running() > 0)
		check_ok(msg_sleep(1));
	check_empty();
}

static void
a_crash_in_a_stream_is_a_result(void)
{
	struct source s = { "odd", 4, 0 };
	struct msg_task_stream *st;
	struct msg m;

	begin();
	/* Linked, and trapping: the EXIT is not left behind. */
	check_ok(msg_trap_exit(true));
	st = stream(&s, (struct msg_task_stream_options){ .max_concurrency = 2,
			    .timeout_ms = MSG_TASK_INFINITY });
	for (int i = 0; i < 4; i++) {
		int end = msg_task_stream_next(st, &m);

		if (i % 2 == 0) {
			check_int(end, MSG_TASK_OK);
			check_result(&m, i);
		} else {
			check_int(end, MSG_TASK_EXIT);
			check_reason(&m, "oops");
		}
	}
	check_int(msg_task_stream_next(st, &m), 0);
	msg_task_stream_close(st);
	check_empty();
}

/* ---- roles -----------------------------------------------------------------
 */

static void
wait_for_go(void)
{
	struct msg_pattern p = { .kinds = MSG_IS(MSG_DATA), .tag = "go" };
	struct msg m;

	check_int(msg_receive_match(&m, &p, 1, -1), 1);
	msg_free(&m);
}

/* It hears of no exit signal: it is not inside libmsg. */
static void
be_stubborn(void)
{
	struct msg_pattern p = { .kinds = MSG_IS(MSG_CALL) };
	struct msg m;

	check_ok(msg_trap_exit(true));
	for (;;) {
		check_int(msg_receive_match(&m, &p, 1, -1), 1);
		(void)msg_replyf(&m, "ready");
		msg_free(&m);
	}
}

static int
work(void *state, const struct msg *arg, struct msg_pack *result)
{
	char what[16];
	int n;

	(void)state;
	if (!msg_match(arg, "%15s %d", what, &n))
		return 0;
	if (strcmp(what, "fail") == 0)
		return -n;
	if (strcmp(what, "crash") == 0)
		wait_for_go();
	if (strcmp(what, "exit") == 0 || strcmp(what, "crash") == 0 ||
	    (strcmp(what, "odd") == 0 && n % 2 == 1))
		msg_exit("oops");
	if (strcmp(what, "sleep") == 0)
		(void)msg_sleep(n);
	if (strcmp(what, "wait") == 0 ||
	    (strcmp(what, "second") == 0 && n == 0))
		wait_for_go();
	if (strcmp(what, "stubborn") == 0)
		be_stubborn();
	msg_packf(result, "%d", strcmp(what, "double") == 0 ? 2 * n : n);
	return 0;
}

static int
task(char **args)
{
	(void)args;
	msg_task_main(work, NULL);
}

static int
owner(char **args)
{
	struct msg_task t;
	struct msg m;

	check_ok(msg_open());
	check_ok(msg_ready());
	snprintf(pool, sizeof(pool), "%s", args[0]);
	t = async("wait", 1);
	while (msg_receive(&m, -1) == 1) {
		(void)msg_replyf(&m, "%" PRIu64, t.pid);
		msg_free(&m);
	}
	return 1;
}

static const struct talk_case cases[] = {
	{ "K-1 await gives the result", await_gives_the_result },
	{ "K-1 await tells of a crash", await_tells_of_a_crash },
	{ "K-1 await kills what is late", await_kills_what_is_late },
	{ "K-1 a crash takes the owner, unless nolink",
	    a_crash_takes_the_owner },
	{ "K-1 an owner takes its tasks", an_owner_takes_its_tasks },
	{ "K-1 yield may be asked again", yield_may_be_asked_again },
	{ "K-1 only the owner may wait", only_the_owner_may_wait },
	{ "K-1 shutdown ends it", shutdown_ends_it },
	{ "K-1 shutdown returns a result that was first",
	    shutdown_returns_a_result_that_was_first },
	{ "K-1 shutdown kills who does not obey",
	    shutdown_kills_who_does_not_obey },
	{ "K-1 brutal kill", brutal_kill },
	{ "K-1 ignore lets it go", ignore_lets_it_go },
	{ "K-1 await_many gives all", await_many_gives_all },
	{ "K-1 await_many fails with the first",
	    await_many_fails_with_the_first },
	{ "K-1 yield_many gives what there is",
	    yield_many_gives_what_there_is },
	{ "K-1 there must be a pool", there_must_be_a_pool },
	{ "K-2 a stream is in order", a_stream_is_in_order },
	{ "K-2 a stream starts no more than it may",
	    a_stream_starts_no_more_than_it_may },
	{ "K-2 an unordered stream gives what is done",
	    an_unordered_stream_gives_what_is_done },
	{ "K-2 a timeout ends a stream", a_timeout_ends_a_stream },
	{ "K-2 a crash in a stream is a result",
	    a_crash_in_a_stream_is_a_result },
	{ NULL, NULL },
};

static const struct talk_role roles[] = {
	{ "task", task },
	{ "owner", owner },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	return talk_main(argc, argv, cases, roles);
}
