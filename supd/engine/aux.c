/* SPDX-License-Identifier: ISC */
#include "engine/aux.h"
#include "engine/gen.h"

#include "base/log.h"
#include "engine/shell.h"
#include "engine/spawn.h"
#include "engine/text.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

enum stage {
	STAGE_QUEUED,
	STAGE_RUNNING, /* the keeper was asked */
	STAGE_FAILED,  /* it could not be asked; told by the timer */
	STAGE_DYING,   /* killed; nobody waits for it */
};

struct aux_job {
	TAILQ_ENTRY(aux_job) entry; /* STAGE_QUEUED */
	struct shell *sh;
	node_t n;
	struct gen *gen; /* what argv is of */
	const char *const *argv;
	enum stage stage;
	uint32_t slot; /* STAGE_RUNNING, STAGE_DYING */
	uint64_t inc;
	int64_t timeout_ns;
	struct timer *timer;
	void (*done)(void *arg, const char *error);
	void *arg;
	char error[128]; /* STAGE_FAILED */
};

extern char **environ;

uint32_t
aux_reserve(uint32_t n_slots)
{
	uint32_t n = n_slots / 8;

	return n < AUX_SLOTS_MAX ? n : AUX_SLOTS_MAX;
}

void
aux_init(struct shell *sh, uint32_t n_slots, uint32_t cap)
{
	TAILQ_INIT(&sh->aux.queue);
	sh->aux.first = cap + 1;
	sh->aux.n = aux_reserve(n_slots);
}

bool
aux_has(const struct shell *sh, uint32_t slot)
{
	return slot >= sh->aux.first && slot - sh->aux.first < sh->aux.n;
}

static struct aux_job **
place_of(struct shell *sh, uint32_t slot)
{
	return &sh->aux.job[slot - sh->aux.first];
}

static void
job_free(struct aux_job *job)
{
	struct shell *sh = job->sh;

	if (job->stage == STAGE_QUEUED)
		TAILQ_REMOVE(&sh->aux.queue, job, entry);
	else if (job->stage != STAGE_FAILED)
		*place_of(sh, job->slot) = NULL;
	timer_free(job->timer);
	gen_unref(job->gen);
	free(job);
}

void
aux_fini(struct shell *sh)
{
	struct aux_job *job;

	if (sh->aux.first == 0)
		return;
	while ((job = TAILQ_FIRST(&sh->aux.queue)) != NULL)
		job_free(job);
	for (uint32_t i = 0; i < sh->aux.n; i++)
		if (sh->aux.job[i] != NULL)
			job_free(sh->aux.job[i]);
}

/* ---- starts ----------------------------------------------------------------
 */

/* It cannot be begun: its owner hears of it when it has its job. */
static void
fail_soon(struct aux_job *job, const char *error)
{
	TAILQ_REMOVE(&job->sh->aux.queue, job, entry);
	job->stage = STAGE_FAILED;
	strlcpy(job->error, error, sizeof(job->error));
	if (timer_set(job->timer, 0) < 0)
		run_broken(job->sh, "probe timer", ENOMEM);
}

/* The keeper's table knows what a former engine has used. */
static uint64_t
next_inc(struct shell *sh, uint32_t slot)
{
	uint64_t *last = &sh->aux.inc[slot - sh->aux.first];

	if (sh->slots->slot[slot].inc > *last)
		*last = sh->slots->slot[slot].inc;
	return ++*last;
}

static void
begin(struct aux_job *job, uint32_t slot)
{
	struct shell *sh = job->sh;
	const struct node *nd = &sh->nodes[job->n];
	cleanup_(buf_fini) struct buf tail = { 0 };
	const struct spawn_side side = {
		.argv = job->argv,
		.slot = slot,
		.inc = next_inc(sh, slot),
		.quiet = true,
	};
	const struct spawn_ctx ctx = {
		.environ = (const char *const *)environ,
		.socket = sh->args->socket,
		.run_dir = sh->args->run_dir,
		.path = nd->path,
		.name = nd->conf->name,
		.slot = job->n,
	};
	struct wire_spawn m;
	int r = spawn_build_side(&ctx, &nd->conf->worker, &side, &m, &tail);
	char text[128];

	if (r < 0) {
		snprintf(text, sizeof(text), "exec %s: %s", job->argv[0],
		    strerror(-r));
		fail_soon(job, text);
		return;
	}
	TAILQ_REMOVE(&sh->aux.queue, job, entry);
	job->stage = STAGE_RUNNING;
	job->slot = slot;
	job->inc = side.inc;
	*place_of(sh, slot) = job;
	run_send(sh, &sh->keeper, WIRE_SPAWN, 0, &m, tail.data, tail.len);
}

/* At most one for a worker: also one that is not quite dead counts. */
static bool
is_busy(const struct shell *sh, node_t n)
{
	for (uint32_t i = 0; i < sh->aux.n; i++)
		if (sh->aux.job[i] != NULL && sh->aux.job[i]->n == n)
			return true;
	return false;
}

static bool
next_start(const struct shell *sh, struct aux_job **ret_job, uint32_t *ret_slot)
{
	struct aux_job *job;
	uint32_t i = 0;

	while (i < sh->aux.n && sh->aux.job[i] != NULL)
		i++;
	if (i == sh->aux.n)
		return false;
	TAILQ_FOREACH (job, &sh->aux.queue, entry) {
		if (is_busy(sh, job->n))
			continue;
		*ret_job = job;
		*ret_slot = sh->aux.first + i;
		return true;
	}
	return false;
}

static void
begin_all(struct shell *sh)
{
	struct aux_job *job;
	uint32_t slot;

	while (next_start(sh, &job, &slot))
		begin(job, slot);
}

/* ---- ends ------------------------------------------------------------------
 */

static void
kill_it(struct aux_job *job)
{
	struct wire_signal m = {
		.slot = job->slot,
		.sig = SIGKILL,
		.inc = job->inc,
		.scope = SIGNAL_GROUP,
	};

	job->stage = STAGE_DYING;
	job->done = NULL;
	timer_clear(job->timer);
	run_send(job->sh, &job->sh->keeper, WIRE_SIGNAL, 0, &m, NULL, 0);
}

void
aux_cancel(struct aux_job *job)
{
	if (job == NULL)
		return;
	if (job->stage == STAGE_RUNNING)
		kill_it(job);
	else if (job->stage != STAGE_DYING)
		job_free(job);
}

static void
timeout_text(const struct aux_job *job, char *buf, size_t len)
{
	char limit[TEXT_DURATION_LEN];

	text_duration(job->timeout_ns, limit, sizeof(limit));
	if (job->stage == STAGE_QUEUED)
		snprintf(buf, len,
		    "not run within %s: %u probes are running already", limit,
		    job->sh->aux.n);
	else
		snprintf(buf, len, "no answer within %s", limit);
}

static void
job_due(void *arg)
{
	struct aux_job *job = arg;
	struct shell *sh = job->sh;
	void (*done)(void *arg, const char *error) = job->done;
	void *owner = job->arg;
	char text[128];

	run_enter(sh);
	if (job->stage == STAGE_FAILED)
		strlcpy(text, job->error, sizeof(text));
	else
		timeout_text(job, text, sizeof(text));
	aux_cancel(job);
	done(owner, text);
	run_leave(sh);
}

/* It is no more: make room, then tell its owner if there still is one. */
static void
over(struct shell *sh, uint32_t slot, uint64_t inc, const char *error)
{
	struct aux_job *job = *place_of(sh, slot);
	void (*done)(void *arg, const char *error);
	void *arg;

	if (job == NULL || job->inc != inc)
		return;
	done = job->done;
	arg = job->arg;
	job_free(job);
	if (done != NULL)
		done(arg, error);
	begin_all(sh);
}

void
aux_failed(struct shell *sh, const struct wire_failed *m)
{
	const struct aux_job *job = *place_of(sh, m->slot);
	char text[128];

	snprintf(text, sizeof(text), "%s%s%s: %s", spawn_step_name(m->step),
	    m->step == STEP_EXEC && job != NULL ? " " : "",
	    m->step == STEP_EXEC && job != NULL ? job->argv[0] : "",
	    strerror(m->error));
	over(sh, m->slot, m->inc, text);
}

void
aux_exited(struct shell *sh, const struct wire_exited *m)
{
	struct wire_id id = { .slot = m->slot, .inc = m->inc };
	struct reason r = {
		.kind = m->is_signal ? REASON_SIGNAL : REASON_EXIT,
		.code = m->status,
		.core = m->core != 0,
	};
	char text[128];

	/* First the slot: what follows may use it again. */
	run_send(sh, &sh->keeper, WIRE_ACK, 0, &id, NULL, 0);
	over(sh, m->slot, m->inc,
	    !m->is_signal && m->status == 0
		? NULL
		: reason_text(&r, text, sizeof(text)));
}

struct aux_job *
aux_run(struct shell *sh, node_t n, const char *const *argv, int64_t timeout_ns,
    void (*done)(void *arg, const char *error), void *arg)
{
	struct aux_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	*job = (struct aux_job){
		.sh = sh,
		.n = n,
		.argv = argv,
		.timeout_ns = timeout_ns,
		.done = done,
		.arg = arg,
	};
	job->timer = timer_new(sh->loop, job_due, job);
	if (job->timer == NULL || timer_set(job->timer, timeout_ns) < 0) {
		timer_free(job->timer);
		free(job);
		return NULL;
	}
	job->gen = gen_ref(sh->nodes[n].gen);
	TAILQ_INSERT_TAIL(&sh->aux.queue, job, entry);
	begin_all(sh);
	return job;
}
