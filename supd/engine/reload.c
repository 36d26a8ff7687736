/* SPDX-License-Identifier: ISC */
#include "engine/reload.h"

#include "base/log.h"
#include "engine/changes.h"
#include "engine/gate.h"
#include "engine/gen.h"
#include "engine/outcome.h"
#include "engine/plans.h"
#include "engine/record.h"
#include "engine/request.h"
#include "engine/respec.h"
#include "engine/text.h"
#include "engine/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define APPLY_TAG (RELOAD_TAG | UINT32_MAX)

/* What a file is to the live tree; nothing is changed by making it. */
struct offer {
	struct match match;
	struct prediction pred;
	struct buf errors;
	enum ctl_exit code;
};

struct reload {
	struct shell *sh;
	uint64_t tag; /* the bus's; 0: SIGHUP */
	bool apply;
	bool answered; /* or nobody asks */
	char *file;
	struct offer offer;
	struct plans plans;
	struct outcome outcome;
	uint32_t n_owed; /* supervisors that have not taken their plan */
	bool applying;
	mono_t begun;
	int64_t timeout_ns;
	struct timer *timer;
};

/* ---- what a file would do ------------------------------------------------ */

static int
read_file(struct shell *sh, const char *file, struct buf *errors,
    struct gen **ret_gen)
{
	cleanup_(buf_fini) struct buf messages = { 0 };
	struct conf *conf;
	int r = conf_load(file, &conf, &messages);

	if (r < 0) {
		buf_add(errors, buf_str(&messages), messages.len);
		if (messages.len == 0)
			buf_printf(errors, "%s: %s", file, strerror(-r));
		return -EINVAL;
	}
	*ret_gen = gen_new(sh, conf);
	return *ret_gen != NULL ? 0 : -ENOMEM;
}

static void
offer_fini(struct offer *o)
{
	prediction_fini(&o->pred);
	match_fini(&o->match);
	buf_fini(&o->errors);
	*o = (struct offer){ 0 };
}

/* False: o->code and o->errors tell why not. */
static bool
make_offer(struct shell *sh, const char *file, struct offer *o)
{
	struct gen *gen = NULL;
	int r = read_file(sh, file, &o->errors, &gen);

	*o = (struct offer){ .errors = o->errors };
	if (r == 0)
		r = match_make(sh, gen, &o->match, &o->errors);
	if (r == 0)
		r = predict(sh, &o->match, &o->pred);
	gen_unref(gen);
	o->code = r == -EINVAL ? CTL_CONFIG : CTL_FAILED;
	if (r < 0 && o->errors.len == 0)
		buf_puts(&o->errors, strerror(-r));
	return r == 0;
}

/* What supd reads when no file is named. */
static void
send_own_file(struct shell *sh, uint64_t tag)
{
	const char *own = sh->args->conf_path;
	struct wire_field m = { .key = "own_file" };

	if (tag != 0)
		run_send(
		    sh, &sh->bus, WIRE_FIELD, tag, &m, own, strlen(own) + 1);
}

static void
send_offer(struct shell *sh, uint64_t tag, const struct offer *o)
{
	struct change_out out = { .sh = sh, .tag = tag };

	changes_send_diff(&out, o->match.diff);
	for (uint32_t i = 0; i < o->pred.n; i++)
		changes_send_deed(&out, &o->pred.deed[i], "", "");
	changes_send_more(&out);
	send_own_file(sh, tag);
}

static void
only_look(struct shell *sh, uint64_t tag, const char *file)
{
	struct offer o = { 0 };

	if (make_offer(sh, file, &o)) {
		send_offer(sh, tag, &o);
		request_end(sh, tag, CTL_OK, file);
	} else {
		request_end(sh, tag, o.code, buf_str(&o.errors));
	}
	offer_fini(&o);
}

/* ---- the end of one -------------------------------------------------------
 */

static void
reload_free(struct reload *r)
{
	timer_free(r->timer);
	outcome_fini(&r->outcome);
	plans_fini(&r->plans);
	offer_fini(&r->offer);
	free(r->file);
	free(r);
}

static const char *
verb(const struct reload *r)
{
	return r->apply ? "apply" : "reload";
}

static void
answer(struct reload *r, enum ctl_exit code, const char *text)
{
	if (r->answered)
		return;
	r->answered = true;
	timer_free(r->timer);
	r->timer = NULL;
	request_end(r->sh, r->tag, code, code == CTL_OK ? r->file : text);
}

/* Whatever was begun has come to an end. */
static void
finish(struct reload *r, const char *failure)
{
	struct shell *sh = r->sh;
	cleanup_(buf_fini) struct buf errors = { 0 };
	struct change_out out = { .sh = sh, .tag = r->answered ? 0 : r->tag };
	bool again = sh->reload_again;

	if (failure == NULL && !r->answered)
		changes_send_diff(&out, r->offer.match.diff);
	if (failure != NULL)
		buf_puts(&errors, failure);
	else if (r->apply)
		outcome_tell(&r->outcome, &r->offer.pred, &out, &errors);
	else
		for (uint32_t i = 0; i < r->offer.pred.n; i++)
			changes_send_deed(&out, &r->offer.pred.deed[i], "", "");
	changes_send_more(&out);
	send_own_file(sh, out.tag);
	if (errors.len > 0)
		log_warnx("%s of %s: %s", verb(r), r->file, buf_str(&errors));
	else
		log_info("%s of %s: done", verb(r), r->file);
	answer(r, errors.len > 0 ? CTL_FAILED : CTL_OK, buf_str(&errors));
	sh->reload = NULL;
	sh->reload_again = false;
	reload_free(r);
	if (again && failure == NULL)
		reload_signal(sh);
}

/* ---- its way through the tree ---------------------------------------------
 */

/*
 * Who has got this place of the plan: the node that was meant for it, or a
 * child that has taken the name meanwhile; NODE_NONE: nobody.
 */
static node_t
placed(const struct shell *sh, node_t sup, const struct match_child *c,
    node_t meant)
{
	node_t n = meant;

	if (!tree_has(sh, n) || engine_parent(sh->core, n) != sup ||
	    strcmp(engine_name(sh->core, n), c->conf->name) != 0)
		n = c->own == NULL
		        ? engine_find_child(sh->core, sup, c->conf->name)
		        : NODE_NONE;
	if (n == NODE_NONE || engine_is_sup(sh->core, n) != c->conf->is_sup)
		return NODE_NONE;
	return n;
}

/* The core has put the plan in force: so do we. */
static void
take(struct reload *r, uint32_t i)
{
	struct shell *sh = r->sh;
	struct match_sup *s = &r->offer.match.sup[i];
	struct sup_plan *p = &r->plans.sup[i];
	struct gen *gen = r->offer.match.gen;
	mono_t *old;

	if (!tree_has(sh, s->sup))
		return;
	old = sh->nodes[s->sup].window;
	sh->nodes[s->sup].window = take_ptr(p->window);
	free(old);
	respec_node(sh, s->sup, gen, s->conf);
	for (uint32_t k = 0; k < s->n; k++) {
		struct match_child *c = &s->child[k];
		node_t meant = p->child[k].node;
		node_t n = placed(sh, s->sup, c, meant);

		if (n != NODE_NONE && !c->conf->is_sup &&
		    (c->node != NODE_NONE || n != meant))
			respec_node(
			    sh, n, c->own != NULL ? c->own : gen, c->conf);
	}
}

static void
all_taken(struct reload *r)
{
	struct shell *sh = r->sh;
	struct gen *old = sh->gen;
	struct event ev = {
		.kind = EV_APPLY,
		.node = NODE_ROOT,
		.tag = APPLY_TAG,
	};

	sh->gen = gen_ref(r->offer.match.gen);
	gen_unref(old);
	run_spawn_interval(sh);
	if (sh->stopping || sh->ending) {
		finish(r, "supd is shutting down");
	} else if (r->apply) {
		r->applying = true;
		run_post(sh, &ev);
	} else {
		finish(r, NULL);
	}
}

void
reload_reply(struct shell *sh, const struct effect *eff)
{
	struct reload *r = sh->reload;
	uint32_t i = (uint32_t)(eff->tag & UINT32_MAX);

	if (r == NULL)
		return;
	if (eff->tag == APPLY_TAG) {
		if (r->applying)
			finish(r, eff->result == RESULT_NOPROC
				      ? "supd has gone down meanwhile"
				      : NULL);
		return;
	}
	if (i >= r->offer.match.n || !r->plans.sup[i].owed)
		return;
	r->plans.sup[i].owed = false;
	if (eff->result == RESULT_OK)
		take(r, i);
	if (--r->n_owed == 0)
		all_taken(r);
}

bool
reload_waits_for(const struct shell *sh, node_t sup)
{
	const struct reload *r = sh->reload;

	for (uint32_t i = 0; r != NULL && i < r->offer.match.n; i++)
		if (r->plans.sup[i].owed && r->offer.match.sup[i].sup == sup)
			return true;
	return false;
}

/* "waits for web (starting)", as far as one can say. */
static void
waits_text(const struct reload *r, struct buf *out)
{
	const struct shell *sh = r->sh;

	for (uint32_t i = 0; i < r->offer.match.n; i++) {
		node_t n = r->offer.match.sup[i].sup;

		if (!r->plans.sup[i].owed || !tree_has(sh, n))
			continue;
		buf_printf(out, "waits until %s is free (%s)",
		    text_short(sh->nodes[n].path),
		    engine_busy(sh->core, n)
			? "it starts or stops a child"
			: child_state_name(engine_state(sh->core, n)));
		return;
	}
	buf_puts(out, "is being applied");
}

static void
on_timeout(void *arg)
{
	struct reload *r = arg;
	struct shell *sh = r->sh;
	cleanup_(buf_fini) struct buf text = { 0 };
	char limit[TEXT_DURATION_LEN];

	run_enter(sh);
	buf_printf(&text, "not done within %s: %s ",
	    text_duration(r->timeout_ns, limit, sizeof(limit)), r->file);
	waits_text(r, &text);
	buf_puts(&text, "; it goes on");
	answer(r, CTL_TIMEOUT, buf_str(&text));
	run_leave(sh);
}

/* ---- the beginning of one -------------------------------------------------
 */

static void
record(struct reload *r)
{
	cleanup_(buf_fini) struct buf text = { 0 };
	struct change_count n;

	changes_count(r->offer.match.diff, &n);
	buf_printf(&text, "%s of %s: ", verb(r), r->file);
	changes_text(&n, &text);
	record_reload(r->sh, buf_str(&text));
}

/* Post EV_RELOAD to every supervisor, or say why not; then `r` is gone. */
static bool
begin(struct reload *r)
{
	struct shell *sh = r->sh;
	struct match *m = &r->offer.match;
	int e = plans_make_live(&r->plans, m, sh);

	if (e == 0)
		e = outcome_begin(&r->outcome, sh, &r->offer.pred);
	if (e < 0) {
		answer(r, CTL_FAILED, strerror(-e));
		reload_free(r);
		return false;
	}
	sh->reload = r;
	record(r);
	for (uint32_t i = 0; i < m->n; i++) {
		struct event ev = {
			.kind = EV_RELOAD,
			.node = m->sup[i].sup,
			.tag = RELOAD_TAG | i,
		};

		gate_set_plan(sh, ev.node, &r->plans.sup[i].plan);
		r->plans.sup[i].owed = true;
		r->n_owed++;
		run_post(sh, &ev);
	}
	return true;
}

static struct reload *
reload_new(struct shell *sh, uint64_t tag, const char *file, bool apply)
{
	struct reload *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	*r = (struct reload){
		.sh = sh,
		.tag = tag,
		.answered = tag == 0,
		.apply = apply,
		.file = strdup(file),
		.begun = sh->now,
	};
	if (r->file == NULL) {
		free(r);
		return NULL;
	}
	return r;
}

/* One at a time, and not while all is being stopped. */
static bool
is_possible(struct shell *sh, uint64_t tag)
{
	cleanup_(buf_fini) struct buf text = { 0 };
	char ago[TEXT_DURATION_LEN];

	if (sh->stopping || sh->ending) {
		request_end(sh, tag, CTL_FAILED, "supd is shutting down");
		return false;
	}
	if (sh->reload == NULL)
		return true;
	buf_printf(&text, "another one is under way since %s: %s of %s ",
	    text_duration(sh->now.ns - sh->reload->begun.ns, ago, sizeof(ago)),
	    verb(sh->reload), sh->reload->file);
	waits_text(sh->reload, &text);
	request_end(sh, tag, CTL_FAILED, buf_str(&text));
	return false;
}

static void
arm(struct reload *r, const struct wire_request *m)
{
	if ((m->flags & REQUEST_NO_WAIT) != 0) {
		send_offer(r->sh, r->tag, &r->offer);
		answer(r, CTL_OK, "");
		return;
	}
	if (m->timeout_ns <= 0)
		return;
	r->timeout_ns = m->timeout_ns;
	r->timer = timer_new(r->sh->loop, on_timeout, r);
	if (r->timer == NULL || timer_set(r->timer, m->timeout_ns) < 0)
		run_broken(r->sh, "reload timer", ENOMEM);
}

void
reload_request(struct shell *sh, uint64_t tag, const struct wire_request *m)
{
	const char *file = *m->path != '\0' ? m->path : sh->args->conf_path;
	struct reload *r;

	if (m->op == OP_DIFF || (m->flags & REQUEST_DRY_RUN) != 0) {
		only_look(sh, tag, file);
		return;
	}
	if (!is_possible(sh, tag))
		return;
	r = reload_new(sh, tag, file, m->op == OP_APPLY);
	if (r == NULL) {
		request_end(sh, tag, CTL_FAILED, strerror(ENOMEM));
		return;
	}
	log_info("%s of %s, asked for by an operator (uid %u)", verb(r), file,
	    m->uid);
	if (!make_offer(sh, file, &r->offer)) {
		log_warnx("%s of %s: refused; nothing changes", verb(r), file);
		answer(r, r->offer.code, buf_str(&r->offer.errors));
		reload_free(r);
	} else if (begin(r)) {
		arm(r, m);
	}
}

void
reload_signal(struct shell *sh)
{
	const char *file = sh->args->conf_path;
	struct reload *r;

	if (sh->stopping || sh->ending)
		return;
	if (sh->reload != NULL) {
		log_info("SIGHUP: %s of %s is under way; another apply comes "
			 "after it",
		    verb(sh->reload), sh->reload->file);
		sh->reload_again = true;
		return;
	}
	r = reload_new(sh, 0, file, true);
	if (r == NULL) {
		log_warnx("SIGHUP: %s", strerror(ENOMEM));
		return;
	}
	log_info("SIGHUP: applying %s", file);
	if (!make_offer(sh, file, &r->offer)) {
		log_warnx("SIGHUP: %s is refused; nothing changes:\n%s", file,
		    buf_str(&r->offer.errors));
		reload_free(r);
	} else {
		begin(r);
	}
}

void
reload_cancel(struct shell *sh, uint64_t tag)
{
	struct reload *r = sh->reload;

	if (r == NULL || r->tag != tag || r->answered)
		return;
	r->answered = true;
	timer_free(r->timer);
	r->timer = NULL;
}

void
reload_end(struct shell *sh)
{
	struct reload *r = sh->reload;

	if (r == NULL)
		return;
	sh->reload = NULL;
	answer(r, CTL_FAILED, "supd has shut down");
	reload_free(r);
}
