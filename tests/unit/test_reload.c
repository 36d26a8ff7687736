/* SPDX-License-Identifier: ISC */
/*
 * Reload and apply, where a trace cannot look: answers for supervisors that
 * are gone, plans that are given up, slots that must not be somebody else's,
 * and specs that change in the middle of what they are about.
 */
#include "core/tree.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAP 24

static const struct worker_spec plain = {
	.restart = PERMANENT,
	.enabled = true,
	.start_timeout_ns = -1,
	.stop = { { SIGTERM, NS_PER_S }, { SIGKILL, 0 } },
	.n_stop = 2,
	.success = { .code = { 1 } },
};

static struct rig {
	struct engine *e;
	mono_t now;
	mono_t window[8][4];
	struct sup_spec sup;
	/* The last of each: */
	struct effect reply, signal, report;
	unsigned n_replies, n_freed, n_signals;
	node_t freed[CAP];
	uint64_t tag;
} r;

static void
on_effect(void *ctx, const struct effect *eff)
{
	(void)ctx;
	if (eff->kind == EFF_REPLY) {
		r.reply = *eff;
		r.n_replies++;
	} else if (eff->kind == EFF_SIGNAL) {
		r.signal = *eff;
		r.n_signals++;
	} else if (eff->kind == EFF_REPORT) {
		r.report = *eff;
	} else if (eff->kind == EFF_FREED) {
		r.freed[r.n_freed++ % CAP] = eff->node;
	}
}

static void
step(struct event ev)
{
	struct effects todo = { on_effect, NULL };

	ev.now = r.now;
	engine_step(r.e, &ev, &todo);
	engine_check(r.e);
}

static void
tell(enum event_kind kind, node_t n, int code)
{
	step((struct event){ .kind = kind,
	    .node = n,
	    .inc = engine_incarnation(r.e, n),
	    .code = code });
}

static void
exits(node_t n, int code)
{
	tell(EV_EXITED, n, code);
}

static void
killed_by(node_t n, int sig)
{
	step((struct event){ .kind = EV_EXITED,
	    .node = n,
	    .inc = engine_incarnation(r.e, n),
	    .code = sig,
	    .is_signal = true });
}

static void
call(enum event_kind kind, node_t n, node_t child)
{
	step((struct event){
	    .kind = kind, .node = n, .child = child, .tag = ++r.tag });
}

static void
reload(node_t sup, const struct plan *p)
{
	engine_set_plan(r.e, sup, p);
	call(EV_RELOAD, sup, NODE_NONE);
}

static void
pass(int64_t ms)
{
	r.now.ns += ms * NS_PER_MS;
	step((struct event){ .kind = EV_TICK });
}

static node_t
add(node_t parent, const char *name)
{
	return engine_add_worker(r.e, parent, name, &plain);
}

static int
setup(void **state)
{
	void *mem = calloc(1, engine_size(CAP));

	assert_non_null(mem);
	r = (struct rig){ .e = engine_init(mem, CAP) };
	r.sup = (struct sup_spec){ .intensity = 4,
		.period_ns = 5 * NS_PER_S,
		.shutdown_deadline_ns = -1 };
	engine_add_sup(r.e, NODE_NONE, "root", &r.sup, r.window[0]);
	*state = mem;
	return 0;
}

static int
teardown(void **state)
{
	free(*state);
	return 0;
}

/* A root with a and b, both ready. */
static void
boot_two(node_t *ret_a, node_t *ret_b)
{
	*ret_a = add(NODE_ROOT, "a");
	*ret_b = add(NODE_ROOT, "b");
	step((struct event){ .kind = EV_BOOT });
	tell(EV_EXECED, *ret_a, 0);
	tell(EV_EXECED, *ret_b, 0);
	assert_int_equal(engine_state(r.e, NODE_ROOT), CHILD_READY);
}

static struct plan
plan_of(const struct plan_child *child, uint32_t n)
{
	return (struct plan){
		.spec = &r.sup, .window = r.window[1], .child = child, .n = n
	};
}

/* ---- plans ----------------------------------------------------------------
 */

static void
a_reload_without_a_plan_changes_nothing(void **state)
{
	node_t a, b;

	(void)state;
	boot_two(&a, &b);
	call(EV_RELOAD, NODE_ROOT, NODE_NONE);
	assert_int_equal(r.reply.result, RESULT_OK);
	assert_int_equal(r.reply.tag, r.tag);
	assert_int_equal(engine_first_child(r.e, NODE_ROOT), a);
}

static void
a_reload_or_apply_of_no_supervisor_finds_none(void **state)
{
	node_t a, b;

	(void)state;
	boot_two(&a, &b);
	for (int i = 0; i < 2; i++) {
		enum event_kind kind = i == 0 ? EV_RELOAD : EV_APPLY;

		call(kind, a, NODE_NONE);
		assert_int_equal(r.reply.result, RESULT_NOT_FOUND);
		call(kind, CAP + 7, NODE_NONE);
		assert_int_equal(r.reply.result, RESULT_NOT_FOUND);
		call(kind, NODE_NONE, NODE_NONE);
		assert_int_equal(r.reply.result, RESULT_NOT_FOUND);
	}
	assert_int_equal(r.n_replies, 6);
}

/* sub is configured, but has been deleted; a plan for it is laid out. */
static void
a_supervisor_that_is_gone_takes_its_plans_new_nodes_along(void **state)
{
	struct plan_child rest[1], in_sub[1];
	struct plan p, q;
	node_t a, sub, fresh;

	(void)state;
	a = add(NODE_ROOT, "a");
	sub = engine_add_sup(r.e, NODE_ROOT, "sub", &r.sup, r.window[2]);
	step((struct event){ .kind = EV_BOOT });
	tell(EV_EXECED, a, 0);
	call(EV_TERMINATE_CHILD, sub, NODE_NONE);
	call(EV_DELETE_CHILD, sub, NODE_NONE);
	assert_int_equal(r.reply.result, RESULT_OK);

	fresh = add(NODE_NONE, "fresh");
	rest[0] = (struct plan_child){ .node = a };
	in_sub[0] = (struct plan_child){ .node = fresh };
	p = plan_of(rest, 1);
	q = plan_of(in_sub, 1);
	engine_set_plan(r.e, NODE_ROOT, &p);
	engine_set_plan(r.e, sub, &q);
	call(EV_RELOAD, NODE_ROOT, NODE_NONE);
	assert_int_equal(r.reply.result, RESULT_OK);
	assert_false(engine_has(r.e, sub));
	assert_false(engine_has(r.e, fresh));
	assert_int_equal(r.n_freed, 2);
	call(EV_RELOAD, sub, NODE_NONE);
	assert_int_equal(r.reply.result, RESULT_NOT_FOUND);
}

static void
a_plan_that_replaces_another_leaves_its_nodes_to_the_caller(void **state)
{
	struct plan_child one[2], two[1];
	struct plan p, q;
	node_t a, b, fresh;

	(void)state;
	boot_two(&a, &b);
	fresh = add(NODE_NONE, "fresh");
	one[0] = (struct plan_child){ .node = fresh };
	one[1] = (struct plan_child){ .node = a };
	two[0] = (struct plan_child){ .node = b };
	p = plan_of(one, 2);
	q = plan_of(two, 1);
	engine_set_plan(r.e, NODE_ROOT, &p);
	reload(NODE_ROOT, &q);
	assert_true(engine_has(r.e, fresh));
	assert_int_equal(r.n_freed, 0);
	engine_discard(r.e, fresh);
	assert_int_equal(engine_first_child(r.e, NODE_ROOT), b);
	assert_int_equal(engine_next_child(r.e, b), a);
	/* The slot is free again. */
	assert_int_equal(add(NODE_NONE, "next"), fresh);
}

/* A child that the file has now leaves while the reload waits. */
static void
a_child_that_leaves_before_its_reload_has_its_place(void **state)
{
	struct plan_child k[3];
	struct plan p;
	node_t a, b, n;

	(void)state;
	boot_two(&a, &b);
	n = add(NODE_NONE, "n");
	call(EV_START_CHILD, NODE_ROOT, n);
	tell(EV_EXECED, n, 0);
	assert_int_equal(r.reply.result, RESULT_OK);

	/* The root is busy: a stops. */
	call(EV_TERMINATE_CHILD, a, NODE_NONE);
	call(EV_TERMINATE_CHILD, n, NODE_NONE);
	call(EV_DELETE_CHILD, n, NODE_NONE);
	k[0] = (struct plan_child){ .node = n, .adopt = true };
	k[1] = (struct plan_child){ .node = b };
	k[2] = (struct plan_child){ .node = a };
	p = plan_of(k, 3);
	reload(NODE_ROOT, &p);
	killed_by(a, SIGTERM);
	killed_by(n, SIGTERM);
	assert_int_equal(r.reply.tag, r.tag);
	assert_int_equal(r.reply.result, RESULT_OK);
	assert_int_equal(r.n_freed, 0);
	assert_int_equal(engine_first_child(r.e, NODE_ROOT), n);
	assert_int_equal(engine_next_child(r.e, n), b);
	assert_int_equal(engine_state(r.e, n), CHILD_STOPPED);
	assert_false(engine_is_dynamic(r.e, n));
	/* For an apply it is as new. */
	assert_true(engine_is_stale(r.e, n));
}

static void
a_start_that_fails_before_its_reload_leaves_its_place(void **state)
{
	struct worker_spec other = plain;
	struct plan_child k[3];
	struct plan p;
	node_t a, b, n;

	(void)state;
	boot_two(&a, &b);
	n = add(NODE_NONE, "n");
	call(EV_START_CHILD, NODE_ROOT, n);
	k[0] = (struct plan_child){ .node = a };
	k[1] = (struct plan_child){ n, &other, .changed = true, .adopt = true };
	k[2] = (struct plan_child){ .node = b };
	p = plan_of(k, 3);
	reload(NODE_ROOT, &p);
	assert_int_equal(r.n_replies, 0);
	tell(EV_SPAWN_FAILED, n, 2);
	assert_int_equal(r.n_replies, 2);
	assert_int_equal(engine_next_child(r.e, a), n);
	assert_int_equal(engine_next_child(r.e, n), b);
	assert_int_equal(engine_state(r.e, n), CHILD_STOPPED);
	assert_ptr_equal(engine_worker_spec(r.e, n), &other);
	call(EV_DELETE_CHILD, n, NODE_NONE);
	assert_int_equal(r.reply.result, RESULT_OK);
	assert_int_equal(engine_next_child(r.e, a), b);
}

/* Two plans name it; the first one leaves it out. */
static void
a_child_between_two_plans_is_kept_for_the_later(void **state)
{
	struct worker_spec once = plain;
	struct plan_child out[1], in[2];
	struct plan p, q;
	node_t a, x;

	(void)state;
	once.restart = TEMPORARY;
	a = add(NODE_ROOT, "a");
	x = engine_add_worker(r.e, NODE_ROOT, "x", &once);
	step((struct event){ .kind = EV_BOOT });
	tell(EV_EXECED, a, 0);
	tell(EV_EXECED, x, 0);
	call(EV_TERMINATE_CHILD, a, NODE_NONE); /* the root is busy */
	exits(x, 0);
	out[0] = (struct plan_child){ .node = a };
	in[0] = (struct plan_child){ .node = x, .worker = &plain };
	in[1] = (struct plan_child){ .node = a };
	p = plan_of(out, 1);
	q = plan_of(in, 2);
	q.window = r.window[2];
	reload(NODE_ROOT, &p);
	reload(NODE_ROOT, &q);
	killed_by(a, SIGTERM);
	assert_int_equal(r.n_replies, 3);
	assert_int_equal(r.n_freed, 0);
	assert_int_equal(engine_first_child(r.e, NODE_ROOT), x);
	assert_int_equal(engine_next_child(r.e, x), a);
}

/* It is added again while the reload waits: that one gets the place. */
static void
a_child_that_is_kept_for_nothing_is_freed(void **state)
{
	struct plan_child k[1];
	struct plan p;
	node_t a, b, n, again;

	(void)state;
	boot_two(&a, &b);
	n = add(NODE_NONE, "n");
	call(EV_START_CHILD, NODE_ROOT, n);
	again = add(NODE_NONE, "n");
	call(EV_START_CHILD, NODE_ROOT, again);
	k[0] = (struct plan_child){ .node = n, .adopt = true };
	p = plan_of(k, 1);
	reload(NODE_ROOT, &p);
	tell(EV_SPAWN_FAILED, n, 2);
	assert_true(engine_has(r.e, n));
	tell(EV_EXECED, again, 0);
	assert_int_equal(r.n_replies, 3);
	assert_false(engine_has(r.e, n));
	assert_int_equal(r.n_freed, 1);
	assert_int_equal(engine_first_child(r.e, NODE_ROOT), again);
	/* Its slot is free. */
	assert_int_equal(add(NODE_NONE, "next"), n);
}

static void
a_reload_too_many_is_busy_and_frees_its_new_nodes(void **state)
{
	struct plan_child k[3];
	struct plan p;
	node_t a, b;

	(void)state;
	boot_two(&a, &b);
	call(EV_TERMINATE_CHILD, a, NODE_NONE); /* the root is busy */
	for (int i = 0; i < ENGINE_CALLS_MAX; i++)
		call(EV_RESTART_CHILD, b, NODE_NONE);
	assert_int_equal(r.n_replies, 0);
	k[0] = (struct plan_child){ .node = add(NODE_NONE, "new") };
	k[1] = (struct plan_child){ .node = a };
	k[2] = (struct plan_child){ .node = b };
	p = plan_of(k, 3);
	reload(NODE_ROOT, &p);
	assert_int_equal(r.reply.result, RESULT_BUSY);
	assert_int_equal(r.n_freed, 1);
	assert_int_equal(r.freed[0], k[0].node);
	killed_by(a, SIGTERM);
	assert_int_equal(r.n_replies, ENGINE_CALLS_MAX + 2);
}

static void
what_a_reload_replaces_is_unused_from_its_answer_on(void **state)
{
	struct worker_spec old = plain;
	struct sup_spec gone;
	mono_t gone_window[4];
	struct plan_child k[1];
	struct plan p;
	node_t a;

	(void)state;
	gone = r.sup;
	memset(r.e, 0, engine_size(CAP));
	r.e = engine_init(r.e, CAP);
	engine_add_sup(r.e, NODE_NONE, "root", &gone, gone_window);
	a = engine_add_worker(r.e, NODE_ROOT, "a", &old);
	step((struct event){ .kind = EV_BOOT });
	tell(EV_EXECED, a, 0);
	exits(a, 1);
	tell(EV_EXECED, a, 0);
	k[0] = (struct plan_child){ .node = a, .worker = &plain };
	p = plan_of(k, 1);
	reload(NODE_ROOT, &p);
	memset(&old, 0xa5, sizeof(old));
	memset(&gone, 0xa5, sizeof(gone));
	memset(gone_window, 0xa5, sizeof(gone_window));
	memset(k, 0xa5, sizeof(k));
	memset(&p, 0xa5, sizeof(p));
	assert_int_equal(engine_window_used(r.e, NODE_ROOT, r.now), 1);
	exits(a, 1);
	assert_int_equal(r.report.used, 2);
	assert_int_equal(r.report.limit, 4);
	step((struct event){ .kind = EV_SHUTDOWN });
	killed_by(a, SIGTERM);
	assert_int_equal(engine_state(r.e, NODE_ROOT), CHILD_STOPPED);
}

/* ---- a spec that changes in the middle ------------------------------------
 */

/* A worker that is stopped of its own accord, so that its supervisor is free.
 */
static node_t
unwell(const struct worker_spec *spec)
{
	node_t a = engine_add_worker(r.e, NODE_ROOT, "a", spec);

	step((struct event){ .kind = EV_BOOT });
	tell(EV_EXECED, a, 0);
	tell(EV_BEAT, a, 1);
	assert_int_equal(engine_state(r.e, a), CHILD_STOPPING);
	return a;
}

static void
respec(node_t a, const struct worker_spec *spec)
{
	static struct plan_child k[1];
	static struct plan p;

	k[0] = (struct plan_child){ .node = a, .worker = spec };
	p = plan_of(k, 1);
	reload(NODE_ROOT, &p);
	assert_int_equal(r.reply.result, RESULT_OK);
}

static void
a_stop_whose_later_stages_are_gone_ends_with_a_kill(void **state)
{
	struct worker_spec many = plain, one = plain;
	node_t a;

	(void)state;
	many.heartbeat_ns = one.heartbeat_ns = NS_PER_S;
	many.n_stop = 4;
	many.stop[0] = (struct stop_stage){ SIGHUP, 0 };
	many.stop[1] = (struct stop_stage){ SIGINT, 0 };
	many.stop[2] = (struct stop_stage){ SIGTERM, NS_PER_S };
	many.stop[3] = (struct stop_stage){ SIGKILL, 0 };
	one.n_stop = 1;
	one.stop[0] = (struct stop_stage){ SIGTERM, -1 };
	a = unwell(&many);
	assert_int_equal(r.n_signals, 3);
	respec(a, &one);
	assert_int_equal(r.n_signals, 3);
	assert_int_equal(engine_node_deadline(r.e, a).ns, NS_PER_S);
	pass(1000);
	assert_int_equal(r.signal.sig, SIGKILL);
	killed_by(a, SIGKILL);
	tell(EV_EXECED, a, 0);
	assert_int_equal(engine_state(r.e, a), CHILD_READY);
}

static void
a_stop_that_waits_for_ever_goes_on_with_the_new_stages(void **state)
{
	struct worker_spec ever = plain, five = plain;
	node_t a;

	(void)state;
	ever.heartbeat_ns = five.heartbeat_ns = NS_PER_S;
	ever.n_stop = 1;
	ever.stop[0].wait_ns = -1;
	a = unwell(&ever);
	assert_true(mono_is_never(engine_node_deadline(r.e, a)));
	pass(700);
	respec(a, &five);
	assert_int_equal(r.n_signals, 1);
	pass(999);
	assert_int_equal(r.n_signals, 1);
	pass(1);
	assert_int_equal(r.signal.sig, SIGKILL);
}

static void
a_stop_that_waits_for_ever_is_a_kill_if_the_new_spec_is_brutal(void **state)
{
	struct worker_spec ever = plain, brutal = plain;
	node_t a;

	(void)state;
	ever.heartbeat_ns = brutal.heartbeat_ns = NS_PER_S;
	ever.n_stop = brutal.n_stop = 1;
	ever.stop[0].wait_ns = -1;
	brutal.stop[0] = (struct stop_stage){ SIGKILL, 0 };
	a = unwell(&ever);
	respec(a, &brutal);
	assert_int_equal(r.signal.sig, SIGKILL);
	assert_int_equal(r.n_signals, 2);
}

/* D3: it has obeyed the signal that it got, whatever the stages are by then. */
static void
an_end_by_a_signal_of_the_old_stages_is_obedience(void **state)
{
	struct worker_spec by_int = plain;
	struct plan_child k[1];
	struct plan p;
	node_t a;

	(void)state;
	by_int.stop[0].sig = SIGINT;
	by_int.heartbeat_ns = NS_PER_S;
	a = unwell(&by_int);
	respec(a, &plain);
	/* The root takes the stop over: it is to go. */
	p = plan_of(k, 0);
	reload(NODE_ROOT, &p);
	call(EV_APPLY, NODE_ROOT, NODE_NONE);
	r.report = (struct effect){ .report = REPORT_KIND_N };
	killed_by(a, SIGINT);
	assert_int_equal(r.reply.result, RESULT_OK);
	assert_int_equal(r.report.report, REPORT_KIND_N);
	assert_false(engine_has(r.e, a));
}

static void
timers_that_are_off_now_are_disarmed(void **state)
{
	struct worker_spec beats = plain, ages = plain;
	node_t a;

	(void)state;
	beats.heartbeat_ns = NS_PER_S;
	ages.max_lifetime_ns = 3 * NS_PER_S;
	a = engine_add_worker(r.e, NODE_ROOT, "a", &beats);
	step((struct event){ .kind = EV_BOOT });
	tell(EV_EXECED, a, 0);
	assert_int_equal(engine_node_deadline(r.e, a).ns, NS_PER_S);
	pass(500);
	respec(a, &ages);
	assert_int_equal(
	    engine_node_deadline(r.e, a).ns, 3 * NS_PER_S + NS_PER_S / 2);
	/* This process has not been told of the new heartbeat. */
	respec(a, &beats);
	assert_true(mono_is_never(engine_node_deadline(r.e, a)));
	tell(EV_BEAT, a, 0);
	assert_true(mono_is_never(engine_node_deadline(r.e, a)));
}

static void
probes_begin_and_end_with_a_reload(void **state)
{
	struct worker_spec probed = plain;
	node_t a, b;

	(void)state;
	probed.health = (struct health){ .interval_ns = NS_PER_S,
		.timeout_ns = NS_PER_S,
		.initial_delay_ns = 2 * NS_PER_S,
		.failures = 1 };
	boot_two(&a, &b);
	respec(a, &probed);
	assert_int_equal(engine_node_deadline(r.e, a).ns, 2 * NS_PER_S);
	pass(2000); /* it is being probed */
	respec(a, &plain);
	assert_true(mono_is_never(engine_node_deadline(r.e, a)));
	pass(5000);
	assert_int_equal(engine_state(r.e, a), CHILD_READY);
}

/* ---- apply -----------------------------------------------------------------
 */

/* Nothing failed: what an apply does has no cause. */
static void
an_apply_is_nobodys_fault(void **state)
{
	struct plan_child k[2];
	struct plan p;
	node_t a, b;

	(void)state;
	boot_two(&a, &b);
	k[0] = (struct plan_child){ .node = a, .changed = true };
	k[1] = (struct plan_child){ .node = b };
	p = plan_of(k, 2);
	reload(NODE_ROOT, &p);
	call(EV_APPLY, NODE_ROOT, NODE_NONE);
	killed_by(a, SIGTERM);
	assert_int_equal(engine_last_reason(r.e, a).kind, REASON_SHUTDOWN);
	assert_int_equal(engine_last_reason(r.e, a).why, WHY_RELOAD);
	step((struct event){ .kind = EV_SPAWN_FAILED,
	    .node = a,
	    .inc = engine_incarnation(r.e, a),
	    .step = 3,
	    .code = 2 });
	assert_int_equal(r.report.report, REPORT_START_ERROR);
	assert_int_equal(r.report.cause, 0);
	assert_int_equal(r.reply.result, RESULT_START_FAILED);
	assert_int_equal(r.reply.node, a);
	assert_int_equal(r.reply.reason.kind, REASON_SPAWN);
	assert_int_equal(r.reply.reason.step, 3);
	assert_int_equal(engine_restarts(r.e, a), 0);
	assert_int_equal(engine_window_used(r.e, NODE_ROOT, r.now), 0);
}

/* The one that failed is gone by the time that the others are through. */
static void
an_apply_tells_of_a_failure_whose_child_is_gone(void **state)
{
	struct plan_child k[2], none[1];
	struct plan p, q;
	node_t s1, s2, a, b;

	(void)state;
	s1 = engine_add_sup(r.e, NODE_ROOT, "s1", &r.sup, r.window[2]);
	s2 = engine_add_sup(r.e, NODE_ROOT, "s2", &r.sup, r.window[3]);
	a = add(s1, "a");
	b = add(s2, "b");
	step((struct event){ .kind = EV_BOOT });
	tell(EV_EXECED, a, 0);
	tell(EV_EXECED, b, 0);
	k[0] = (struct plan_child){ .node = a, .changed = true };
	k[1] = (struct plan_child){ .node = b, .changed = true };
	p = plan_of(&k[0], 1);
	q = plan_of(&k[1], 1);
	q.window = r.window[4];
	reload(s1, &p);
	reload(s2, &q);
	call(EV_APPLY, NODE_ROOT, NODE_NONE);
	killed_by(a, SIGTERM);
	tell(EV_SPAWN_FAILED, a, 2);
	p = plan_of(none, 0);
	p.window = r.window[5];
	reload(s1, &p);
	call(EV_DELETE_CHILD, a, NODE_NONE);
	assert_false(engine_has(r.e, a));
	killed_by(b, SIGTERM);
	tell(EV_EXECED, b, 0);
	assert_int_equal(r.reply.result, RESULT_START_FAILED);
	assert_int_equal(r.reply.node, a);
	assert_string_equal(engine_name(r.e, a), "a");
}

static void
an_apply_is_owed_to_nobody_who_has_been_started_since(void **state)
{
	struct plan_child k[3];
	struct plan p;
	node_t a, b, n;

	(void)state;
	boot_two(&a, &b);
	n = add(NODE_NONE, "n");
	k[0] = (struct plan_child){ .node = a, .changed = true };
	k[1] = (struct plan_child){ .node = b };
	k[2] = (struct plan_child){ .node = n };
	p = plan_of(k, 3);
	reload(NODE_ROOT, &p);
	assert_true(engine_is_stale(r.e, a));
	assert_false(engine_is_stale(r.e, b));
	assert_true(engine_is_stale(r.e, n));
	call(EV_RESTART_CHILD, n, NODE_NONE);
	tell(EV_EXECED, n, 0);
	exits(a, 1);
	tell(EV_EXECED, a, 0);
	assert_false(engine_is_stale(r.e, a));
	assert_false(engine_is_stale(r.e, n));
	r.n_signals = 0;
	call(EV_APPLY, NODE_ROOT, NODE_NONE);
	assert_int_equal(r.reply.result, RESULT_OK);
	assert_int_equal(r.n_signals, 0);
}

static void
only_so_many_applies_are_under_way(void **state)
{
	node_t a, b;

	(void)state;
	boot_two(&a, &b);
	call(EV_TERMINATE_CHILD, a, NODE_NONE); /* the root is busy */
	for (int i = 0; i < APPLIES_MAX; i++)
		call(EV_APPLY, NODE_ROOT, NODE_NONE);
	assert_int_equal(r.n_replies, 0);
	call(EV_APPLY, NODE_ROOT, NODE_NONE);
	assert_int_equal(r.reply.result, RESULT_BUSY);
	killed_by(a, SIGTERM);
	assert_int_equal(r.n_replies, APPLIES_MAX + 2);
	call(EV_APPLY, NODE_ROOT, NODE_NONE);
	assert_int_equal(r.reply.result, RESULT_OK);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

static void
who_took_the_name_gets_the_place_and_the_spec(void **state)
{
	struct worker_spec other = plain;
	node_t a = add(NODE_ROOT, "a"), n;
	struct plan_child child[2] = { { .node = a }, { .worker = &other } };
	mono_t window[4];
	struct plan p = { &r.sup, window, child, 2 };

	(void)state;
	tell(EV_BOOT, NODE_ROOT, 0);
	tell(EV_EXECED, a, 0);
	call(EV_TERMINATE_CHILD, a, NODE_NONE);
	call(EV_START_CHILD, NODE_ROOT, add(NODE_NONE, "n"));
	child[1].node = add(NODE_NONE, "n");
	reload(NODE_ROOT, &p);
	killed_by(a, SIGTERM);
	n = engine_find_child(r.e, NODE_ROOT, "n");
	tell(EV_EXECED, n, 0);
	assert_int_equal(r.n_replies, 3);
	assert_int_equal(engine_find_child(r.e, NODE_ROOT, "n"), n);
	assert_ptr_equal(engine_worker_spec(r.e, n), &other);
	assert_false(engine_is_dynamic(r.e, n));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_reload_without_a_plan_changes_nothing),
		TEST(who_took_the_name_gets_the_place_and_the_spec),
		TEST(a_reload_or_apply_of_no_supervisor_finds_none),
		TEST(a_supervisor_that_is_gone_takes_its_plans_new_nodes_along),
		TEST(
		    a_plan_that_replaces_another_leaves_its_nodes_to_the_caller),
		TEST(a_child_that_leaves_before_its_reload_has_its_place),
		TEST(a_start_that_fails_before_its_reload_leaves_its_place),
		TEST(a_child_between_two_plans_is_kept_for_the_later),
		TEST(a_child_that_is_kept_for_nothing_is_freed),
		TEST(a_reload_too_many_is_busy_and_frees_its_new_nodes),
		TEST(what_a_reload_replaces_is_unused_from_its_answer_on),
		TEST(a_stop_whose_later_stages_are_gone_ends_with_a_kill),
		TEST(a_stop_that_waits_for_ever_goes_on_with_the_new_stages),
		TEST(
		    a_stop_that_waits_for_ever_is_a_kill_if_the_new_spec_is_brutal),
		TEST(an_end_by_a_signal_of_the_old_stages_is_obedience),
		TEST(timers_that_are_off_now_are_disarmed),
		TEST(probes_begin_and_end_with_a_reload),
		TEST(an_apply_is_nobodys_fault),
		TEST(an_apply_tells_of_a_failure_whose_child_is_gone),
		TEST(an_apply_is_owed_to_nobody_who_has_been_started_since),
		TEST(only_so_many_applies_are_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
