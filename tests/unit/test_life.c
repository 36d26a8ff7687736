/* SPDX-License-Identifier: ISC */
/* What the core says while a worker lives with hooks, probes and attempts. */
#include "core/tree.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CAP      4
#define SAID_MAX 64

static struct rig {
	struct engine *e;
	struct worker_spec spec;
	struct sup_spec sup;
	mono_t window[8];
	node_t child;
	mono_t now;
	struct effect said[SAID_MAX];
	int n_said;
} r;

static void
hear(void *ctx, const struct effect *eff)
{
	(void)ctx;
	assert_true(r.n_said < SAID_MAX);
	r.said[r.n_said++] = *eff;
}

static void
step(enum event_kind kind, int code, uint64_t tag)
{
	struct effects todo = { hear, NULL };
	struct event ev = {
		.now = r.now,
		.kind = kind,
		.node = r.child,
		.inc = engine_incarnation(r.e, r.child),
		.code = code,
		.tag = tag,
	};

	r.n_said = 0;
	engine_step(r.e, &ev, &todo);
	engine_check(r.e);
}

static void
until(int64_t in_ns)
{
	r.now = mono_add(r.now, in_ns);
	step(EV_TICK, 0, 0);
}

static const struct effect none;

static const struct effect *
find(enum effect_kind kind, int which)
{
	for (int i = 0; i < r.n_said; i++)
		if (r.said[i].kind == kind && which-- == 0)
			return &r.said[i];
	fail_msg("no such effect");
	return &none;
}

static const struct effect *
find_report(enum report_kind kind)
{
	for (int i = 0; i < r.n_said; i++)
		if (r.said[i].kind == EFF_REPORT && r.said[i].report == kind)
			return &r.said[i];
	fail_msg("no such report");
	return &none;
}

static int
count(enum effect_kind kind)
{
	int n = 0;

	for (int i = 0; i < r.n_said; i++)
		n += r.said[i].kind == kind;
	return n;
}

/* A root with one ready worker. */
static void
boot(const struct worker_spec *life)
{
	struct engine *mem = r.e;

	r = (struct rig){ .e = mem, .spec = *life, .now = { NS_PER_S } };
	r.spec.enabled = true;
	r.spec.start_timeout_ns = 10 * NS_PER_S;
	r.spec.hook_timeout_ns = 10 * NS_PER_S;
	r.spec.stop[0] = (struct stop_stage){ SIGTERM, NS_PER_S };
	r.spec.stop[1] = (struct stop_stage){ SIGKILL, 0 };
	r.spec.n_stop = 2;
	r.sup = (struct sup_spec){ .intensity = 5,
		.period_ns = NS_PER_S,
		.shutdown_deadline_ns = -1 };
	memset(r.e, 0, engine_size(CAP));
	engine_init(r.e, CAP);
	engine_add_sup(r.e, NODE_NONE, "root", &r.sup, r.window);
	r.child = engine_add_worker(r.e, NODE_ROOT, "w", &r.spec);
	step(EV_BOOT, 0, 0);
	if (r.spec.pre_start)
		step(EV_EXITED, 0, 0);
	step(EV_EXECED, 0, 0);
	assert_int_equal(engine_state(r.e, r.child), CHILD_READY);
}

static const struct worker_spec hooked = { .pre_start = true,
	.post_stop = true };
static const struct worker_spec probed = {
	.health = { .interval_ns = NS_PER_S,
	    .timeout_ns = NS_PER_S,
	    .initial_delay_ns = NS_PER_S,
	    .failures = 2 },
};

static void
each_run_of_a_hook_is_an_incarnation_of_its_own(void **state)
{
	(void)state;
	boot(&hooked);
	assert_int_equal(engine_incarnation(r.e, r.child), 2);
	step(EV_EXITED, 3, 0);
	assert_int_equal(find(EFF_SPAWN, 0)->inc, 3);
	assert_int_equal(find(EFF_SPAWN, 0)->proc, PROC_POST_STOP);
	step(EV_EXITED, 0, 0);
	assert_int_equal(find(EFF_SPAWN, 0)->inc, 4);
	assert_int_equal(find(EFF_SPAWN, 0)->proc, PROC_PRE_START);
}

static void
post_stop_is_told_how_the_program_ended(void **state)
{
	(void)state;
	boot(&hooked);
	step(EV_EXITED, 3, 0);
	assert_int_equal(find(EFF_SPAWN, 0)->reason.kind, REASON_EXIT);
	assert_int_equal(find(EFF_SPAWN, 0)->reason.code, 3);
}

static void
the_end_of_the_program_is_the_time_of_the_end(void **state)
{
	mono_t ended;

	(void)state;
	boot(&hooked);
	until(NS_PER_S);
	ended = r.now;
	step(EV_EXITED, 3, 0);
	until(NS_PER_S);
	step(EV_EXITED, 0, 0);
	assert_int_equal(engine_last_end(r.e, r.child).ns, ended.ns);
}

/* STATE, REPORT: all of them follow from `seq`. */
static void
assert_follows(const struct effect *eff, uint64_t seq)
{
	assert_int_equal(eff->cause, seq);
}

static void
an_end_and_its_hook_are_one_chain(void **state)
{
	uint64_t seq;

	(void)state;
	boot(&hooked);
	step(EV_EXITED, 3, 0);
	seq = find(EFF_STATE, 0)->seq; /* ready -> stopping */
	assert_int_equal(find(EFF_STATE, 0)->to, CHILD_STOPPING);
	step(EV_EXITED, 1, 0);
	assert_follows(find_report(REPORT_HOOK_FAILED), seq);
	assert_int_equal(find(EFF_STATE, 0)->to, CHILD_ENDED);
	assert_follows(find(EFF_STATE, 0), seq);
	assert_follows(find_report(REPORT_CHILD_TERMINATED), seq);
	assert_follows(find_report(REPORT_RESTART), seq);
}

static void
being_put_down_is_one_chain_with_the_restart(void **state)
{
	uint64_t seq;

	(void)state;
	boot(&(struct worker_spec){ .heartbeat_ns = NS_PER_S });
	until(NS_PER_S);
	seq = find_report(REPORT_UNHEALTHY)->seq;
	assert_int_equal(find_report(REPORT_UNHEALTHY)->cause, 0);
	assert_int_equal(find(EFF_STATE, 0)->to, CHILD_STOPPING);
	assert_follows(find(EFF_STATE, 0), seq);
	step(EV_EXITED, 0, 0);
	assert_follows(find(EFF_STATE, 0), seq);
	assert_int_equal(find(EFF_STATE, 0)->reason.kind, REASON_UNHEALTHY);
	assert_int_equal(find(EFF_STATE, 0)->reason.under, REASON_EXIT);
	assert_int_equal(find(EFF_STATE, 0)->reason.why, WHY_HEARTBEAT);
	assert_follows(find_report(REPORT_RESTART), seq);
}

static void
an_end_of_its_own_later_begins_another_chain(void **state)
{
	uint64_t seq;

	(void)state;
	boot(&(struct worker_spec){ .heartbeat_ns = NS_PER_S });
	until(NS_PER_S);
	step(EV_EXITED, 0, 0);
	step(EV_EXECED, 0, 0);
	step(EV_EXITED, 1, 0);
	seq = find(EFF_STATE, 0)->seq;
	assert_int_equal(find(EFF_STATE, 0)->to, CHILD_ENDED);
	assert_int_equal(find(EFF_STATE, 0)->cause, 0);
	assert_follows(find_report(REPORT_RESTART), seq);
}

static void
only_the_answer_to_the_last_probe_counts(void **state)
{
	uint64_t tag;

	(void)state;
	boot(&probed);
	until(NS_PER_S);
	tag = find(EFF_PROBE, 0)->tag;
	step(EV_PROBED, 1, tag + 1);
	step(EV_PROBED, 1, tag - 1);
	assert_int_equal(r.n_said, 0);
	step(EV_PROBED, 1, tag);
	assert_int_equal(find_report(REPORT_UNHEALTHY)->used, 1);
	assert_int_equal(find_report(REPORT_UNHEALTHY)->limit, 2);
	step(EV_PROBED, 1, tag); /* twice */
	assert_int_equal(r.n_said, 0);
}

static void
an_answer_after_the_timeout_is_too_late(void **state)
{
	uint64_t tag;

	(void)state;
	boot(&probed);
	until(NS_PER_S);
	tag = find(EFF_PROBE, 0)->tag;
	until(NS_PER_S);
	find_report(REPORT_UNHEALTHY);
	step(EV_PROBED, 0, tag);
	until(NS_PER_S);
	assert_int_equal(find(EFF_PROBE, 0)->tag, tag + 1);
	step(EV_PROBED, 1, tag + 1);
	assert_int_equal(find_report(REPORT_UNHEALTHY)->used, 2);
	assert_int_equal(engine_state(r.e, r.child), CHILD_STOPPING);
}

static void
an_answer_in_the_instant_of_the_timeout_is_in_time(void **state)
{
	(void)state;
	boot(&probed);
	until(NS_PER_S);
	r.now = mono_add(r.now, NS_PER_S);
	step(EV_PROBED, 0, 1);
	assert_int_equal(count(EFF_REPORT), 0);
}

static void
nothing_is_armed_once_it_is_told_to_stop(void **state)
{
	(void)state;
	boot(&(struct worker_spec){ .heartbeat_ns = NS_PER_S,
	    .max_lifetime_ns = NS_PER_S,
	    .health = probed.health });
	r.spec.stop[0].wait_ns = -1; /* so that nothing else is armed */
	r.spec.n_stop = 1;
	step(EV_TERMINATE_CHILD, 0, 1);
	assert_true(mono_is_never(engine_deadline(r.e)));
	until(5 * NS_PER_S);
	step(EV_BEAT, 1, 0);
	step(EV_PROBED, 1, 1);
	assert_int_equal(r.n_said, 0);
	step(EV_EXITED, 143, 0);
	assert_int_equal(find(EFF_REPLY, 0)->result, RESULT_OK);
	assert_int_equal(
	    engine_last_reason(r.e, r.child).kind, REASON_SHUTDOWN);
}

static void
a_stop_that_was_taken_over_is_what_it_was_ordered_for(void **state)
{
	(void)state;
	boot(&(struct worker_spec){ .heartbeat_ns = NS_PER_S });
	step(EV_BEAT, 1, 0);
	assert_int_equal(count(EFF_SIGNAL), 1);
	step(EV_TERMINATE_CHILD, 0, 1);
	assert_int_equal(r.n_said, 0); /* no second TERM */
	step(EV_EXITED, 143, 0);
	assert_int_equal(engine_last_reason(r.e, r.child).why, WHY_ASKED);
	assert_int_equal(find(EFF_REPLY, 0)->result, RESULT_OK);
	assert_int_equal(count(EFF_REPORT), 0);
}

static void
giving_up_says_because_of_what(void **state)
{
	const struct effect *eff;

	(void)state;
	boot(&(struct worker_spec){ .max_attempts = 1 });
	step(EV_EXITED, 1, 0);
	assert_int_equal(engine_attempts(r.e, r.child), 1);
	step(EV_EXECED, 0, 0);
	step(EV_EXITED, 1, 0);
	eff = find_report(REPORT_GAVE_UP);
	assert_true(eff->attempts);
	assert_int_equal(eff->offender, r.child);
	assert_int_equal(eff->used, 1);
	assert_int_equal(eff->limit, 1);
	assert_int_equal(find(EFF_DONE, 0)->reason.why, WHY_GAVE_UP);

	boot(&(struct worker_spec){ .max_attempts = 100 });
	for (int i = 0; i < 6; i++) {
		step(EV_EXITED, 1, 0);
		if (i < 5)
			step(EV_EXECED, 0, 0);
	}
	eff = find_report(REPORT_GAVE_UP);
	assert_false(eff->attempts);
	assert_int_equal(eff->used, 5);
	assert_int_equal(eff->limit, 5);
}

static void
who_looks_at_a_pause_sees_its_end(void **state)
{
	(void)state;
	boot(&(struct worker_spec){
	    .backoff = { NS_PER_S, NS_PER_S, 1000, 0 } });
	step(EV_EXITED, 1, 0);
	step(EV_EXECED, 0, 0);
	step(EV_EXITED, 1, 0);
	assert_int_equal(engine_state(r.e, r.child), CHILD_WAITING);
	assert_int_equal(engine_node_deadline(r.e, r.child).ns,
	    mono_add(r.now, NS_PER_S).ns);
	assert_false(engine_busy(r.e, NODE_ROOT));
	step(EV_RETRY, 0, 0);
	assert_int_equal(find(EFF_SPAWN, 0)->inc, 3);
	assert_int_equal(engine_state(r.e, r.child), CHILD_STARTING);
}

static void
a_hook_that_cannot_be_spawned_has_failed(void **state)
{
	(void)state;
	boot(&hooked);
	step(EV_EXITED, 1, 0);
	step(EV_SPAWN_FAILED, ENOENT, 0);
	assert_int_equal(
	    find_report(REPORT_HOOK_FAILED)->reason.under, REASON_SPAWN);
	assert_int_equal(
	    find_report(REPORT_HOOK_FAILED)->reason.hook, PROC_POST_STOP);
	step(EV_SPAWN_FAILED, ENOENT, 0);
	assert_int_equal(
	    find_report(REPORT_START_ERROR)->reason.hook, PROC_PRE_START);
	assert_int_equal(
	    find_report(REPORT_START_ERROR)->reason.kind, REASON_HOOK);
}

static void
one_that_was_ready_had_been_executed(void **state)
{
	(void)state;
	boot(&hooked);
	r.spec.ready = READY_EVENT;
	step(EV_EXITED, 1, 0); /* the program */
	step(EV_EXITED, 0, 0); /* post_stop */
	step(EV_EXITED, 0, 0); /* pre_start */
	step(EV_READY, 0, 0);  /* comes by another way than EV_EXECED */
	step(EV_EXITED, 1, 0);
	assert_int_equal(find(EFF_SPAWN, 0)->proc, PROC_POST_STOP);
}

static void
a_hook_that_was_killed_is_not_tried_again(void **state)
{
	(void)state;
	boot(&hooked);
	r.sup.shutdown_deadline_ns = NS_PER_S;
	step(EV_EXITED, 1, 0);
	step(EV_SHUTDOWN, 0, 0);
	until(NS_PER_S);
	assert_int_equal(find(EFF_SIGNAL, 0)->sig, SIGKILL);
	step(EV_SPAWN_FAILED, EAGAIN, 0);
	find_report(REPORT_HOOK_FAILED);
	assert_int_equal(count(EFF_DONE), 1);
}

static void
a_retry_that_is_queued_is_not_queued_twice(void **state)
{
	uint32_t n;

	(void)state;
	boot(&(struct worker_spec){ .heartbeat_ns = 0 });
	step(EV_EXITED, 1, 0);
	/* So that its supervisor is busy when the retry comes. */
	node_of(r.e, NODE_ROOT)->s.mode = MODE_CALL_STOP;
	node_of(r.e, r.child)->w.phase = PHASE_NONE;
	node_of(r.e, r.child)->state = CHILD_WAITING;
	deadline_clear(r.e, node_of(r.e, r.child));
	retry_post(r.e, node_of(r.e, r.child));
	n = r.e->msg_high;
	retry_now(r.e, node_of(r.e, r.child));
	assert_int_equal(r.e->msg_high, n);
}

static void
signal_64_is_a_stop_signal_like_any(void **state)
{
	(void)state;
	boot(&(struct worker_spec){ .heartbeat_ns = NS_PER_S });
	r.spec.stop[0].sig = 64;
	until(NS_PER_S);
	assert_int_equal(find(EFF_SIGNAL, 0)->sig, 64);
}

static int
set_up_all(void **state)
{
	(void)state;
	r.e = malloc(engine_size(CAP));
	return r.e == NULL;
}

static int
tear_down_all(void **state)
{
	(void)state;
	free(r.e);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    each_run_of_a_hook_is_an_incarnation_of_its_own),
		cmocka_unit_test(post_stop_is_told_how_the_program_ended),
		cmocka_unit_test(the_end_of_the_program_is_the_time_of_the_end),
		cmocka_unit_test(an_end_and_its_hook_are_one_chain),
		cmocka_unit_test(being_put_down_is_one_chain_with_the_restart),
		cmocka_unit_test(an_end_of_its_own_later_begins_another_chain),
		cmocka_unit_test(only_the_answer_to_the_last_probe_counts),
		cmocka_unit_test(an_answer_after_the_timeout_is_too_late),
		cmocka_unit_test(
		    an_answer_in_the_instant_of_the_timeout_is_in_time),
		cmocka_unit_test(nothing_is_armed_once_it_is_told_to_stop),
		cmocka_unit_test(
		    a_stop_that_was_taken_over_is_what_it_was_ordered_for),
		cmocka_unit_test(giving_up_says_because_of_what),
		cmocka_unit_test(who_looks_at_a_pause_sees_its_end),
		cmocka_unit_test(a_hook_that_cannot_be_spawned_has_failed),
		cmocka_unit_test(one_that_was_ready_had_been_executed),
		cmocka_unit_test(a_hook_that_was_killed_is_not_tried_again),
		cmocka_unit_test(a_retry_that_is_queued_is_not_queued_twice),
		cmocka_unit_test(signal_64_is_a_stop_signal_like_any),
	};

	return cmocka_run_group_tests(tests, set_up_all, tear_down_all);
}
