/* SPDX-License-Identifier: ISC */
/*
 * The same work to many arguments (K-2).
 *
 * As many slots as there may be tasks at once; one is taken from the start of
 * its task until its result is given to the user.  So nothing is started that
 * nobody has room for, and an ordered stream waits for its oldest slot.
 */
#include "task.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct msg_task_stream {
	char *pool;
	msg_task_next_fn *next;
	void *arg;
	struct msg_task_stream_options opt;
	bool exhausted;
	uint64_t n_started;
	size_t n; /* slots, in parallel arrays for task_wait() */
	struct msg_task *tasks;
	enum msg_task_end *ends; /* STREAM_FREE: nobody is in it */
	struct msg *results;
	int64_t *deadlines;
	uint64_t *numbers; /* which argument */
};

/* To task_wait() it is one that has ended. */
#define STREAM_FREE ((enum msg_task_end)(MSG_TASK_EXIT + 1))

MSG_API void
msg_task_stream_close(struct msg_task_stream *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->n && s->ends != NULL; i++) {
		if (s->ends[i] == MSG_TASK_NONE)
			task_kill(&s->tasks[i]);
		if (s->results != NULL)
			msg_free(&s->results[i]);
	}
	free(s->pool);
	free(s->tasks);
	free(s->ends);
	free(s->results);
	free(s->deadlines);
	free(s->numbers);
	free(s);
}

static struct msg_task_stream *
stream_new(const char *pool, size_t n)
{
	struct msg_task_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->n = n;
	s->pool = strdup(pool);
	s->tasks = calloc(n, sizeof(*s->tasks));
	s->ends = calloc(n, sizeof(*s->ends));
	s->results = calloc(n, sizeof(*s->results));
	s->deadlines = calloc(n, sizeof(*s->deadlines));
	s->numbers = calloc(n, sizeof(*s->numbers));
	for (size_t i = 0; i < n && s->ends != NULL; i++)
		s->ends[i] = STREAM_FREE;
	if (s->pool != NULL && s->tasks != NULL && s->ends != NULL &&
	    s->results != NULL && s->deadlines != NULL && s->numbers != NULL)
		return s;
	msg_task_stream_close(s);
	return NULL;
}

MSG_API int
msg_task_stream_open(const char *pool, msg_task_next_fn *next, void *arg,
    const struct msg_task_stream_options *options,
    struct msg_task_stream **ret_stream)
{
	static const struct msg_task_stream_options none;
	const struct msg_task_stream_options *o =
	    options != NULL ? options : &none;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct msg_task_stream *s;
	size_t n = o->max_concurrency;

	if (n == 0)
		n = cpus > 0 ? (size_t)cpus : 1;
	s = stream_new(pool, n);
	if (s == NULL)
		return fail(-ENOMEM, "no memory for a stream of tasks");
	s->next = next;
	s->arg = arg;
	s->opt = *o;
	if (s->opt.timeout_ms == 0)
		s->opt.timeout_ms = -1;
	*ret_stream = s;
	return 0;
}

/* Start a task in every free slot, as long as there are arguments. */
static int
fill(struct msg_task_stream *s)
{
	struct msg_pack item;
	int r = 0;

	for (size_t i = 0; i < s->n && !s->exhausted && r == 0; i++) {
		if (s->ends[i] != STREAM_FREE)
			continue;
		msg_pack_init(&item);
		if (!s->next(s->arg, &item)) {
			s->exhausted = true;
		} else {
			r = task_start(
			    s->pool, &item, !s->opt.nolink, &s->tasks[i]);
			if (r == 0) {
				s->ends[i] = MSG_TASK_NONE;
				s->numbers[i] = s->n_started++;
				s->deadlines[i] =
				    task_deadline(s->opt.timeout_ms);
			}
		}
		msg_pack_fini(&item);
	}
	return r;
}

/* The slot that is to be given next, or s->n: none is taken. */
static size_t
oldest(const struct msg_task_stream *s)
{
	size_t best = s->n;

	for (size_t i = 0; i < s->n; i++) {
		if (s->ends[i] == STREAM_FREE)
			continue;
		if (s->opt.unordered && best != s->n &&
		    (s->ends[i] != MSG_TASK_NONE) !=
			(s->ends[best] != MSG_TASK_NONE)) {
			/* One that is done goes before one that is not. */
			if (s->ends[i] != MSG_TASK_NONE)
				best = i;
		} else if (best == s->n || s->numbers[i] < s->numbers[best]) {
			best = i;
		}
	}
	return best;
}

/* The first deadline of those that run; which one's. */
static size_t
most_urgent(const struct msg_task_stream *s)
{
	size_t best = s->n;

	for (size_t i = 0; i < s->n; i++)
		if (s->ends[i] == MSG_TASK_NONE &&
		    (best == s->n || s->deadlines[i] < s->deadlines[best]))
			best = i;
	return best;
}

/* A linked task is over: of its EXIT, which nobody could place, there is none.
 */
static void
absorb_exit(const struct msg_task_stream *s, const struct msg_task *t)
{
	const struct msg_pattern p = { .kinds = MSG_IS(MSG_EXIT),
		.from = t->pid };
	struct msg m;

	if (s->opt.nolink)
		return;
	(void)msg_unlink(t->pid);
	if (msg_receive_match(&m, &p, 1, 0) == 1)
		msg_free(&m);
}

/* Its time is over. */
static int
expire(struct msg_task_stream *s, size_t i)
{
	task_kill(&s->tasks[i]);
	s->ends[i] = MSG_TASK_EXIT;
	if (s->opt.kill_on_timeout)
		return task_reason(&s->tasks[i], "timeout", &s->results[i]);
	return fail(-ETIMEDOUT, "task " PID_FMT " had no result in time",
	    PID_ARG(s->tasks[i].pid));
}

MSG_API int
msg_task_stream_next(struct msg_task_stream *s, struct msg *ret_result)
{
	size_t i = 0, urgent;
	int r = fill(s);

	while (r == 0) {
		i = oldest(s);
		if (i == s->n)
			return 0;
		if (s->ends[i] != MSG_TASK_NONE)
			break;
		urgent = most_urgent(s);
		r = task_wait(
		    s->tasks, s->n, s->ends, s->results, s->deadlines[urgent]);
		if (r == 0)
			r = expire(s, urgent);
		else if (r > 0) {
			absorb_exit(s, &s->tasks[r - 1]);
			r = 0;
		}
	}
	if (r < 0)
		return r;
	r = (int)s->ends[i];
	if (ret_result != NULL)
		*ret_result = s->results[i];
	else
		msg_free(&s->results[i]);
	s->results[i] = (struct msg){ 0 };
	s->ends[i] = STREAM_FREE;
	return r;
}
