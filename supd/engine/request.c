/* SPDX-License-Identifier: ISC */
#include "engine/request.h"

#include "engine/path.h"
#include "engine/reload.h"
#include "engine/row.h"
#include "engine/text.h"
#include "engine/tree.h"

#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Targets under way at once: the core's mailboxes have a limit for calls. */
#define WINDOW 64
/* A request's number and a target's, in one tag. */
#define TARGET_BITS 24

struct request *
request_by_id(struct shell *sh, uint64_t id)
{
	struct request *r;

	TAILQ_FOREACH (r, &sh->requests, entry)
		if (r->id == id)
			return r;
	return NULL;
}

void
request_forget(struct request *r)
{
	TAILQ_REMOVE(&r->sh->requests, r, entry);
	timer_free(r->timer);
	for (uint32_t i = 0; i < r->n_targets; i++)
		free(r->target[i].path);
	free(r->target);
	buf_fini(&r->errors);
	free(r->last_line);
	free(r->asker);
	free(r);
}

void
request_end(
    struct shell *sh, uint64_t tag, enum ctl_exit code, const char *text)
{
	struct wire_end m = { .code = code };
	size_t len = strlen(text) + 1;

	if (len > WIRE_TAIL_MAX) { /* the end of a long list matters least */
		cleanup_(freep) char *cut = strndup(text, WIRE_TAIL_MAX - 1);

		run_send(sh, &sh->bus, WIRE_END, tag, &m,
		    cut != NULL ? cut : "", cut != NULL ? WIRE_TAIL_MAX : 1);
		return;
	}
	run_send(sh, &sh->bus, WIRE_END, tag, &m, text, len);
}

/* ---- answers ---------------------------------------------------------------
 */

bool
request_target_there(const struct request *r, const struct target *t)
{
	return tree_has(r->sh, t->n) && r->sh->nodes[t->n].uid == t->uid;
}

void
request_answer(struct request *r, enum ctl_exit code, const char *text)
{
	if (r->answered)
		return;
	r->answered = true;
	timer_free(r->timer);
	r->timer = NULL;
	for (uint32_t i = 0; i < r->n_targets && r->op != OP_REMOVE; i++)
		if (request_target_there(r, &r->target[i]))
			row_send(r->sh, r->tag, r->target[i].n);
	request_end(r->sh, r->tag, code, text);
}

/* All targets are done: answer, and forget it. */
static void
finish(struct request *r)
{
	size_t len = r->errors.len;

	if (r->op == OP_CHILD) {
		childcall_end(r);
		request_forget(r);
		return;
	}
	if (len > 0 && r->errors.data[len - 1] == '\n')
		r->errors.data[len - 1] = '\0';
	request_answer(r, len > 0 ? CTL_FAILED : CTL_OK, buf_str(&r->errors));
	request_forget(r);
}

void
request_target_done(struct request *r, struct target *t)
{
	if (t->stage == TARGET_DONE)
		return;
	if (t->stage == TARGET_CALLED)
		r->n_called--;
	t->stage = TARGET_DONE;
	r->n_done++;
}

void
request_target_failed(struct request *r, struct target *t, const char *fmt, ...)
{
	va_list ap;

	if (!t->failed) {
		t->failed = true;
		buf_printf(&r->errors, "%s: ", t->path);
		va_start(ap, fmt);
		buf_vprintf(&r->errors, fmt, ap);
		va_end(ap);
		buf_puts(&r->errors, "\n");
	}
	request_target_done(r, t);
}

void
request_go(struct request *r)
{
	while (r->next < r->n_targets && r->n_called < WINDOW) {
		struct target *t = &r->target[r->next++];

		t->stage = TARGET_CALLED;
		r->n_called++;
		act_begin(r, t);
	}
	if (r->n_done == r->n_targets)
		finish(r);
	else if ((r->flags & REQUEST_NO_WAIT) != 0 && r->op != OP_WAIT)
		request_answer(r, CTL_OK, "");
}

/* ---- beginning -------------------------------------------------------------
 */

bool
request_resolve(
    struct shell *sh, uint64_t tag, const char *path, struct path_set *ret_set)
{
	char near[WIRE_PATH_MAX], text[2 * WIRE_PATH_MAX + 64];

	if (path_find(sh->core, path, ret_set) < 0) {
		request_end(sh, tag, CTL_FAILED, "out of memory");
		return false;
	}
	if (ret_set->n > 0)
		return true;
	if (path_is_glob(path))
		snprintf(text, sizeof(text), "nothing matches \"%s\"", path);
	else if (path_suggest(sh->core, path, near, sizeof(near)))
		snprintf(text, sizeof(text),
		    "no child named \"%s\"; did you mean \"%s\"?", path, near);
	else
		snprintf(text, sizeof(text), "no child named \"%s\"", path);
	request_end(sh, tag, CTL_NO_NAME, text);
	return false;
}

struct request *
request_begin(
    struct shell *sh, uint64_t tag, const struct wire_request *m, uint32_t n)
{
	struct request *r = calloc(1, sizeof(*r));

	if (r != NULL) {
		r->sh = sh;
		TAILQ_INSERT_TAIL(&sh->requests, r, entry);
		r->id = ++sh->next_request;
		r->tag = tag;
		r->op = m->op;
		r->flags = m->flags;
		r->timeout_ns = m->timeout_ns;
		r->target = calloc(n, sizeof(*r->target));
		if (m->asker != 0 && tree_has(sh, m->asker - 1))
			r->asker = strdup(sh->nodes[m->asker - 1].path);
	}
	if (r != NULL && m->timeout_ns > 0)
		r->timer = timer_new(sh->loop, expire_request, r);
	if (r == NULL || r->target == NULL ||
	    (m->timeout_ns > 0 &&
		(r->timer == NULL || timer_set(r->timer, m->timeout_ns) < 0))) {
		if (r != NULL)
			request_forget(r);
		request_end(sh, tag, CTL_FAILED, "out of memory");
		return NULL;
	}
	return r;
}

struct target *
request_add_target(struct request *r, node_t n)
{
	struct target *t = &r->target[r->n_targets++];
	const struct node *nd = &r->sh->nodes[n];

	*t = (struct target){
		.n = n,
		.uid = nd->uid,
		.inc0 = engine_incarnation(r->sh->core, n),
		.path = strdup(text_short(nd->path)),
	};
	if (t->path == NULL)
		run_broken(r->sh, "request", ENOMEM);
	return t;
}

uint64_t
request_core_tag(const struct request *r, const struct target *t)
{
	return r->id << TARGET_BITS | (uint64_t)(t - r->target);
}

static void
open_targets(struct shell *sh, uint64_t tag, const struct wire_request *m)
{
	struct path_set set;
	struct request *r = NULL;

	if (request_resolve(sh, tag, m->path, &set))
		r = request_begin(sh, tag, m, set.n);
	for (uint32_t i = 0; r != NULL && i < set.n; i++)
		request_add_target(r, set.node[i]);
	path_set_fini(&set);
	if (r == NULL || sh->broken)
		return;
	r->what = m->op == OP_WAIT ? (enum wait_for)m->n : WAIT_READY;
	request_go(r);
}

static void
shut_down(struct shell *sh, uint64_t tag, const struct wire_request *m)
{
	struct event ev = { .kind = EV_SHUTDOWN };

	request_end(sh, tag, CTL_OK, "");
	if (!sh->stopping)
		log_info("stopping: asked for by an operator (uid %u)", m->uid);
	sh->stopping = true;
	run_post(sh, &ev);
}

/* Could it be carried out at all? */
static bool
is_valid(struct shell *sh, uint64_t tag, const struct wire_request *m)
{
	bool starts =
	    m->op == OP_START || m->op == OP_RESTART || m->op == OP_ADD ||
	    (m->op == OP_CHILD &&
		(m->n == CHILD_CALL_START || m->n == CHILD_CALL_RESTART));

	if (m->op >= OP_N)
		request_end(sh, tag, CTL_USAGE, "unknown request");
	else if (m->op == OP_WAIT && (m->n < 0 || m->n >= WAIT_N))
		request_end(sh, tag, CTL_USAGE,
		    "wait for what? ready, down or restarted");
	else if (m->op == OP_CHILD && (m->n < 0 || m->n >= CHILD_CALL_N))
		request_end(sh, tag, CTL_USAGE, "no such call");
	else if (starts && sh->stopping)
		request_end(sh, tag, CTL_FAILED, "supd is shutting down");
	else
		return true;
	return false;
}

void
request_open(struct shell *sh, uint64_t tag, const struct wire_request *m,
    const char *tail)
{
	if (!is_valid(sh, tag, m))
		return;
	switch ((enum request_op)m->op) {
	case OP_STATUS:
		query_status(sh, tag, m->path);
		break;
	case OP_SHOW:
		query_show(sh, tag, m->path);
		break;
	case OP_WHY:
		query_why(sh, tag, m->path);
		break;
	case OP_EVENTS:
		query_events(sh, tag, m->n);
		break;
	case OP_KILL:
		query_kill(sh, tag, m);
		break;
	case OP_START:
	case OP_STOP:
	case OP_RESTART:
	case OP_REMOVE:
	case OP_WAIT:
		open_targets(sh, tag, m);
		break;
	case OP_ADD:
		act_add(sh, tag, m, tail);
		break;
	case OP_SHUTDOWN:
		shut_down(sh, tag, m);
		break;
	case OP_CHILD:
		childcall_open(sh, tag, m, tail);
		break;
	case OP_DIFF:
	case OP_APPLY:
	case OP_RELOAD:
		reload_request(sh, tag, m);
		break;
	case OP_SIMULATE:
		simulate_crash(sh, tag, m);
		break;
	case OP_N:
		break;
	}
}

/* ---- going on --------------------------------------------------------------
 */

void
request_cancel(struct shell *sh, uint64_t tag)
{
	struct request *r;

	reload_cancel(sh, tag);
	TAILQ_FOREACH (r, &sh->requests, entry)
		if (r->tag == tag && !r->answered)
			break;
	if (r == NULL)
		return;
	r->answered = true;
	timer_free(r->timer);
	r->timer = NULL;
	if (r->op == OP_WAIT)
		request_forget(r);
}

static struct target *
find_target(struct shell *sh, uint64_t core_tag, struct request **ret_request)
{
	struct request *r = request_by_id(sh, core_tag >> TARGET_BITS);
	uint64_t i = core_tag & ((1u << TARGET_BITS) - 1);

	if (r == NULL || i >= r->n_targets)
		return NULL;
	*ret_request = r;
	return &r->target[i];
}

void
request_note(struct shell *sh, const struct effect *eff)
{
	cleanup_(buf_fini) struct buf text = { 0 };
	struct request *r;
	struct target *t = find_target(sh, eff->tag, &r);

	if (t == NULL || eff->result != RESULT_START_FAILED)
		return;
	r->result = eff->result;
	text_nested(sh, t->n, &eff->reason, &text);
	request_target_failed(r, t, "%s", buf_str(&text));
}

void
request_reply(struct shell *sh, const struct effect *eff)
{
	struct request *r;
	struct target *t = find_target(sh, eff->tag, &r);

	if (t == NULL)
		return;
	if (t->stage == TARGET_CALLED)
		act_reply(r, t, eff);
	request_go(r);
}

void
request_look(struct shell *sh)
{
	struct request *r, *next;

	for (r = TAILQ_FIRST(&sh->requests); r != NULL; r = next) {
		bool watched = false;

		next = TAILQ_NEXT(r, entry);
		for (uint32_t i = 0; i < r->next; i++) {
			if (r->target[i].stage != TARGET_WATCH)
				continue;
			watched = true;
			act_look(r, &r->target[i]);
		}
		if (watched)
			request_go(r);
	}
}

void
request_end_all(struct shell *sh)
{
	struct request *r;

	reload_end(sh);
	while ((r = TAILQ_FIRST(&sh->requests)) != NULL) {
		const struct target *t;

		for (uint32_t i = 0; i < r->n_targets; i++)
			if (r->target[i].stage == TARGET_WATCH)
				act_look(r, &r->target[i]);
		t = expire_undone(r);
		if (t != NULL)
			buf_printf(
			    &r->errors, "%s: supd has shut down\n", t->path);
		finish(r);
	}
}

void
request_fini(struct shell *sh)
{
	struct request *r;

	reload_end(sh);
	while ((r = TAILQ_FIRST(&sh->requests)) != NULL)
		request_forget(r);
}
