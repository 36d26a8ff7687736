/* SPDX-License-Identifier: ISC */
#include "engine/ready.h"

#include "engine/aux.h"
#include "engine/dial.h"
#include "engine/hook.h"
#include "engine/text.h"
#include "engine/tree.h"

#include <stdio.h>
#include <string.h>

#define CONNECT_MIN_NS (20 * NS_PER_MS)
#define CONNECT_MAX_NS (250 * NS_PER_MS)
/* A connect that gets no answer at all is given up after this. */
#define CONNECT_NS NS_PER_S

#define PROBE_MIN_NS (250 * NS_PER_MS)
#define PROBE_MAX_NS NS_PER_S
/* A command that hangs is given up after this. */
#define PROBE_NS (10 * NS_PER_S)

struct ready {
	struct shell *sh;
	node_t n;
	struct dial *dial; /* or NULL: a command is run */
	struct aux_job *job;
	uint64_t inc;        /* being asked for, or 0 */
	struct timer *timer; /* to the next attempt */
	int64_t delay_ns;
	uint32_t failures;
	char last_error[128];
};

void
ready_prepare(struct shell *sh, node_t n)
{
	struct node *nd = &sh->nodes[n];
	const struct conf_worker *w = &nd->conf->worker;
	char why[128] = "";
	uint64_t inc = nd->ready != NULL ? nd->ready->inc : 0;
	struct ready *y;
	int r = 0;

	ready_free(nd);
	if (w->ready != READY_MODE_TCP && w->ready != READY_MODE_UNIX &&
	    w->ready != READY_MODE_PROBE)
		return;
	y = calloc(1, sizeof(*y));
	if (y == NULL) {
		tree_unresolved(nd, "ready", strerror(ENOMEM));
		return;
	}
	*y = (struct ready){ .sh = sh, .n = n };
	if (w->ready != READY_MODE_PROBE)
		r = dial_new(sh, nd->path, w->ready == READY_MODE_UNIX,
		    w->ready_addr, w->cwd, &y->dial, why, sizeof(why));
	if (r < 0) {
		tree_unresolved(nd, w->ready_addr, why);
		free(y);
		return;
	}
	nd->ready = y;
	if (inc != 0)
		ready_start(sh, n, inc);
}

static void
attempt_failed(struct ready *y, const char *error)
{
	int64_t max_ns = y->dial != NULL ? CONNECT_MAX_NS : PROBE_MAX_NS;

	y->failures++;
	strlcpy(y->last_error, error, sizeof(y->last_error));
	if (timer_set(y->timer, y->delay_ns) < 0)
		run_broken(y->sh, "readiness timer", ENOMEM);
	y->delay_ns *= 2;
	if (y->delay_ns > max_ns)
		y->delay_ns = max_ns;
}

static void
attempt_succeeded(struct ready *y)
{
	struct event ev = { .kind = EV_READY, .node = y->n, .inc = y->inc };

	run_post(y->sh, &ev);
	ready_stop(&y->sh->nodes[y->n]);
}

static void
dial_done(void *arg, int fd, const char *error)
{
	if (error != NULL) {
		attempt_failed(arg, error);
		return;
	}
	close(fd);
	attempt_succeeded(arg);
}

static void
job_done(void *arg, const char *error)
{
	struct ready *y = arg;

	y->job = NULL;
	if (error != NULL)
		attempt_failed(y, error);
	else
		attempt_succeeded(y);
}

static void
attempt(struct ready *y)
{
	const struct conf_worker *w = &y->sh->nodes[y->n].conf->worker;

	if (y->dial != NULL) {
		dial_begin(y->dial, CONNECT_NS, dial_done, y);
		return;
	}
	y->job = aux_run(y->sh, y->n, w->ready_argv, PROBE_NS, job_done, y);
	if (y->job == NULL)
		attempt_failed(y, strerrordesc_np(ENOMEM));
}

static void
timer_due(void *arg)
{
	struct ready *y = arg;
	struct shell *sh = y->sh;

	run_enter(sh);
	attempt(y);
	run_leave(sh);
}

void
ready_start(struct shell *sh, node_t n, uint64_t inc)
{
	struct ready *y = sh->nodes[n].ready;

	if (y == NULL || y->inc == inc)
		return;
	ready_stop(&sh->nodes[n]);
	y->inc = inc;
	y->delay_ns = y->dial != NULL ? CONNECT_MIN_NS : PROBE_MIN_NS;
	y->failures = 0;
	y->timer = timer_new(sh->loop, timer_due, y);
	if (y->timer == NULL) {
		run_broken(sh, "readiness timer", ENOMEM);
		return;
	}
	attempt(y);
}

void
ready_stop(struct node *nd)
{
	struct ready *y = nd->ready;

	if (y == NULL || y->inc == 0)
		return;
	if (y->dial != NULL)
		dial_cancel(y->dial);
	aux_cancel(take_ptr(y->job));
	timer_free(take_ptr(y->timer));
	y->inc = 0;
}

void
ready_free(struct node *nd)
{
	ready_stop(nd);
	if (nd->ready != NULL)
		dial_free(nd->ready->dial);
	free(take_ptr(nd->ready));
}

void
ready_awaited(const struct shell *sh, node_t n, char *buf, size_t len)
{
	const struct node *nd = &sh->nodes[n];
	const struct ready *y = nd->ready;
	char what[256];

	if (nd->held_inc != 0) {
		strlcpy(buf, "its log and mailbox", len);
		return;
	}
	if (hook_running(sh, n) != PROC_MAIN) {
		snprintf(buf, len, "%s", hook_name(hook_running(sh, n)));
		return;
	}
	if (node_pid(nd) == 0) {
		strlcpy(buf, "its turn to be spawned", len);
		return;
	}
	strlcpy(buf, text_awaited(&nd->conf->worker, what, sizeof(what)), len);
	if (y != NULL && y->inc != 0 && y->failures > 0) {
		size_t at = strlen(buf);

		snprintf(buf + at, len - at, " (%u failure%s, last: %s)",
		    y->failures, y->failures == 1 ? "" : "s", y->last_error);
	} else if (nd->status != NULL) {
		size_t at = strlen(buf);

		snprintf(buf + at, len - at, " (status: %s)", nd->status);
	}
}

void
ready_detail(const struct shell *sh, node_t n, char *buf, size_t len)
{
	mono_t deadline = engine_node_deadline(sh->core, n);
	char what[256], left[TEXT_DURATION_LEN];

	if (hook_running(sh, n) != PROC_MAIN) {
		hook_detail(sh, n, buf, len);
		return;
	}
	ready_awaited(sh, n, what, sizeof(what));
	if (mono_is_never(deadline))
		snprintf(buf, len, "waiting for %s", what);
	else
		snprintf(buf, len, "waiting for %s, %s left", what,
		    text_duration(
			deadline.ns - sh->now.ns, left, sizeof(left)));
}
