/* SPDX-License-Identifier: ISC */
#include "engine/probe.h"

#include "engine/aux.h"
#include "engine/dial.h"
#include "engine/http.h"
#include "engine/text.h"
#include "engine/tree.h"

#include <stdio.h>
#include <string.h>

struct probe {
	struct shell *sh;
	node_t n;
	bool busy; /* an answer is owed to the core */
	uint64_t inc, tag;
	struct dial *dial; /* or NULL: a command is run */
	struct http *http; /* asking, or NULL */
	struct aux_job *job;
	struct timer *timer; /* of a connection: out of time */
	uint32_t n_bad;      /* failed in a row, of `inc` */
	char error[256];     /* of the last probe that failed, or "" */
};

static const struct conf_worker *
worker_of(const struct probe *p)
{
	return &p->sh->nodes[p->n].conf->worker;
}

void
probe_prepare(struct shell *sh, node_t n)
{
	struct node *nd = &sh->nodes[n];
	const struct conf_worker *w = &nd->conf->worker;
	const struct conf_health *c = &w->health;
	char why[128] = "";
	struct probe *p;
	int r = 0;

	probe_free(nd);
	if (w->spec.health.interval_ns <= 0 || c->mode == HEALTH_NONE)
		return;
	p = calloc(1, sizeof(*p));
	if (p == NULL) {
		tree_unresolved(nd, "health", strerror(ENOMEM));
		return;
	}
	*p = (struct probe){ .sh = sh, .n = n };
	if (c->mode != HEALTH_PROBE)
		r = dial_new(sh, nd->path, c->mode == HEALTH_UNIX, c->addr,
		    w->cwd, &p->dial, why, sizeof(why));
	if (r < 0) {
		tree_unresolved(nd, c->addr, why);
		free(p);
		return;
	}
	nd->probe = p;
}

/* End all that the probe has begun. */
static void
drop(struct probe *p)
{
	p->busy = false;
	if (p->dial != NULL)
		dial_cancel(p->dial);
	http_free(take_ptr(p->http));
	aux_cancel(take_ptr(p->job));
	timer_free(take_ptr(p->timer));
}

void
probe_stop(struct node *nd)
{
	if (nd->probe != NULL)
		drop(nd->probe);
}

void
probe_free(struct node *nd)
{
	if (nd->probe == NULL)
		return;
	drop(nd->probe);
	dial_free(nd->probe->dial);
	free(take_ptr(nd->probe));
}

/* What is asked: "connect 127.0.0.1:80", "GET http://127.0.0.1:80/x", "sh". */
static void
what(const struct conf_health *c, char *buf, size_t len)
{
	const char *slash;

	switch (c->mode) {
	case HEALTH_TCP:
	case HEALTH_UNIX:
		snprintf(buf, len, "connect %s", c->addr);
		break;
	case HEALTH_HTTP:
		snprintf(buf, len, "GET http://%s%s", c->addr, c->http_path);
		break;
	case HEALTH_PROBE:
		slash = strrchr(c->argv[0], '/');
		strlcpy(buf, slash != NULL ? slash + 1 : c->argv[0], len);
		break;
	case HEALTH_NONE:
	case HEALTH_MODE_N:
		strlcpy(buf, "probe", len);
		break;
	}
}

/* The answer; NULL: it is well.  The last thing that is done with a probe. */
static void
answer(struct probe *p, const char *error)
{
	struct event ev = {
		.kind = EV_PROBED,
		.node = p->n,
		.inc = p->inc,
		.tag = p->tag,
		.code = error != NULL,
	};
	char asked[128];

	p->n_bad = error != NULL ? p->n_bad + 1 : 0;
	if (error != NULL) {
		what(&worker_of(p)->health, asked, sizeof(asked));
		snprintf(p->error, sizeof(p->error), "%s: %s", asked, error);
		if (p->dial != NULL)
			dial_refresh(p->dial);
	}
	drop(p);
	run_post(p->sh, &ev);
}

static void
out_of_time(const struct probe *p, char *buf, size_t len)
{
	char limit[TEXT_DURATION_LEN];

	snprintf(buf, len, "no answer within %s",
	    text_duration(
		worker_of(p)->spec.health.timeout_ns, limit, sizeof(limit)));
}

static void
timer_due(void *arg)
{
	struct probe *p = arg;
	struct shell *sh = p->sh;
	char text[64];

	run_enter(sh);
	out_of_time(p, text, sizeof(text));
	answer(p, text);
	run_leave(sh);
}

static void
http_done(void *arg, int status, const char *error)
{
	char text[32];

	snprintf(text, sizeof(text), "status %d", status);
	if (error == NULL && (status < 200 || status > 399))
		error = text;
	answer(arg, error);
}

static void
dial_done(void *arg, int fd, const char *error)
{
	struct probe *p = arg;
	const struct conf_health *c = &worker_of(p)->health;

	if (error != NULL) {
		answer(p, error);
	} else if (c->mode != HEALTH_HTTP) {
		close(fd);
		answer(p, NULL);
	} else {
		p->http =
		    http_get(p->sh, fd, c->addr, c->http_path, http_done, p);
		if (p->http == NULL)
			answer(p, strerrordesc_np(ENOMEM));
	}
}

static void
job_done(void *arg, const char *error)
{
	struct probe *p = arg;

	p->job = NULL;
	answer(p, error);
}

void
probe_begin(struct shell *sh, node_t n, uint64_t inc, uint64_t tag)
{
	struct probe *p = sh->nodes[n].probe;
	const struct conf_worker *w;

	/* It may have left READY in the same step. */
	if (p == NULL || engine_state(sh->core, n) != CHILD_READY ||
	    engine_incarnation(sh->core, n) != inc)
		return;
	drop(p);
	w = worker_of(p);
	if (p->inc != inc) {
		p->error[0] = '\0';
		p->n_bad = 0;
	}
	p->busy = true;
	p->inc = inc;
	p->tag = tag;
	if (p->dial == NULL) {
		p->job = aux_run(sh, n, w->health.argv,
		    w->spec.health.timeout_ns, job_done, p);
		if (p->job == NULL)
			answer(p, strerrordesc_np(ENOMEM));
		return;
	}
	p->timer = timer_new(sh->loop, timer_due, p);
	if (p->timer == NULL ||
	    timer_set(p->timer, w->spec.health.timeout_ns) < 0) {
		run_broken(sh, "health timer", ENOMEM);
		return;
	}
	dial_begin(p->dial, w->spec.health.timeout_ns, dial_done, p);
}

void
probe_last(const struct shell *sh, node_t n, char *buf, size_t len)
{
	const struct probe *p = sh->nodes[n].probe;
	char asked[128], limit[64];

	if (p == NULL) {
		strlcpy(buf, "", len);
	} else if (p->busy) {
		/* The core's clock was first. */
		what(&worker_of(p)->health, asked, sizeof(asked));
		out_of_time(p, limit, sizeof(limit));
		snprintf(buf, len, "%s: %s", asked, limit);
	} else {
		strlcpy(buf, p->error, len);
	}
}

bool
probe_is_failing(const struct shell *sh, node_t n)
{
	const struct probe *p = sh->nodes[n].probe;

	return p != NULL && p->n_bad > 0 &&
	       p->inc == engine_incarnation(sh->core, n);
}

void
probe_detail(const struct shell *sh, node_t n, char *buf, size_t len)
{
	const struct probe *p = sh->nodes[n].probe;

	snprintf(buf, len, "%u of %u probes failed: %s", p->n_bad,
	    worker_of(p)->spec.health.failures, p->error);
}
