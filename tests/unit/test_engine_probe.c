/* SPDX-License-Identifier: ISC */
/*
 * The engine's role with hooks, probes and heartbeats: the test plays keeper,
 * bus and logger.
 */
#include "engine_rig.h"

#include "base/clock.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#define W(keys)                                                                \
	ROOT "children:\n"                                                     \
	     "  - {worker: a, command: [/bin/a], " keys "}\n"
#define PROBED(more)                                                           \
	W("health: {probe: [/bin/check], interval: 10ms, timeout: 30s, "       \
	  "failures: 2}" more)

/* The keeper is asked for a command that is not the program. */
static struct wire_id
take_side(const char *command, uint32_t log_slot)
{
	const struct wire_spawn *s = expect(KEEPER, WIRE_SPAWN);
	struct wire_id id = { .slot = s->slot, .inc = s->inc };

	assert_int_equal(s->log_slot, log_slot);
	assert_true((s->flags & SPAWN_KILL_GROUP) != 0);
	assert_int_equal(s->flags & (SPAWN_LIFELINE | SPAWN_NOTIFY_FD), 0);
	assert_string_equal((const char *)(s + 1), command);
	return id;
}

static void
expect_kill(struct wire_id id)
{
	const struct wire_signal *s = expect(KEEPER, WIRE_SIGNAL);

	assert_int_equal(s->slot, id.slot);
	assert_int_equal(s->inc, id.inc);
	assert_int_equal(s->sig, SIGKILL);
	assert_int_equal(s->scope, SIGNAL_GROUP);
}

/* The row of the worker. */
static struct wire_row
look(void)
{
	struct wire_row row;

	ask(77, OP_STATUS, "a", 0, 0, NULL);
	assert_int_equal(answer(77, NULL, &row), CTL_OK);
	return row;
}

/* Frames of two links have no order: ask until it is in that state. */
static void
await(const char *state)
{
	for (int i = 0; i < 100000; i++)
		if (strcmp(look().state, state) == 0)
			return;
	assert_string_equal(look().state, state);
}

static void
a_probe_runs_in_a_slot_that_no_worker_has(void **state)
{
	struct wire_id a, probe;

	(void)state;
	begin(PROBED(""));
	up(1);
	a = start("root/a");
	probe = take_side("/bin/check", a.slot);
	assert_true(probe.slot > 900); /* of the rig's 1100 */
	spawned(probe);
	exited(probe, 0, false);
	expect_acked(probe);
	/* It is well: another probe follows, as another incarnation. */
	probe = take_side("/bin/check", a.slot);
	assert_true(probe.inc > 1);
	expect_quiet(KEEPER);
}

static void
too_many_failed_probes_stop_the_worker(void **state)
{
	struct wire_id a, probe;

	(void)state;
	begin(PROBED(""));
	up(1);
	a = start("root/a");
	for (int i = 0; i < 2; i++) {
		probe = take_side("/bin/check", a.slot);
		spawned(probe);
		exited(probe, 3, false);
		expect_acked(probe);
	}
	obey(a);
	expect(BUS, WIRE_DEAD);
	assert_int_equal(take_spawn("root/a").slot, a.slot);
	assert_string_equal(look().last_exit, "2 probes failed: check: exit 3");
}

static void
a_probe_that_cannot_be_executed_has_failed(void **state)
{
	struct wire_id a, probe;
	struct wire_failed m = { .step = STEP_EXEC, .error = ENOENT };

	(void)state;
	begin(PROBED(""));
	up(1);
	a = start("root/a");
	probe = take_side("/bin/check", a.slot);
	m.slot = probe.slot;
	m.inc = probe.inc;
	tell(KEEPER, WIRE_SPAWN_FAILED, 0, &m, NULL);
	probe = take_side("/bin/check", a.slot);
	assert_string_equal(look().detail,
	    "1 of 2 probes failed: check: exec /bin/check: No such file or "
	    "directory");
}

static void
a_stop_kills_the_probe_first(void **state)
{
	struct wire_id a, probe;

	(void)state;
	begin(PROBED(""));
	up(1);
	a = start("root/a");
	probe = take_side("/bin/check", a.slot);
	spawned(probe);
	ask(5, OP_STOP, "a", 0, 0, NULL);
	expect_kill(probe);
	obey(a);
	assert_int_equal(answer(5, NULL, NULL), CTL_OK);
	/* Its end is the keeper's to know and ours to acknowledge. */
	exited(probe, SIGKILL, true);
	expect_acked(probe);
	expect_quiet(KEEPER);
}

static void
never_two_probes_of_one_worker(void **state)
{
	struct wire_id a, old, probe;

	(void)state;
	begin(PROBED(""));
	up(1);
	a = start("root/a");
	old = take_side("/bin/check", a.slot);
	spawned(old);
	ask(5, OP_RESTART, "a", 0, 0, NULL);
	expect_kill(old);
	obey(a);
	expect(BUS, WIRE_DEAD);
	a = start("root/a");
	/* Ready again, but the old probe is not quite dead. */
	assert_int_equal(answer(5, NULL, NULL), CTL_OK);
	expect_quiet(KEEPER);
	exited(old, SIGKILL, true);
	expect_acked(old);
	probe = take_side("/bin/check", a.slot);
	assert_true(probe.slot != a.slot);
}

static void
a_late_answer_of_a_probe_means_nothing(void **state)
{
	struct wire_id a, probe;

	(void)state;
	begin(PROBED(""));
	up(1);
	a = start("root/a");
	probe = take_side("/bin/check", a.slot);
	spawned(probe);
	exited(a, 1, false);
	expect_kill(probe);
	expect_acked(a);
	expect(BUS, WIRE_DEAD);
	a = take_spawn("root/a");
	exited(probe, 1, false);
	expect_acked(probe);
	assert_int_equal(look().restarts, 1);
	assert_string_equal(look().state, "starting");
}

static void
ready_by_a_command_is_asked_again_until_it_is_0(void **state)
{
	struct wire_id a, probe;

	(void)state;
	begin(W("ready: {probe: [/bin/up]}"));
	up(1);
	a = start("root/a");
	for (int i = 0; i < 2; i++) {
		probe = take_side("/bin/up", a.slot);
		spawned(probe);
		exited(probe, 1, false);
		expect_acked(probe);
		assert_string_equal(look().state, "starting");
	}
	probe = take_side("/bin/up", a.slot);
	exited(probe, 0, false);
	expect_acked(probe);
	assert_string_equal(look().state, "ready");
}

static void
the_bus_hears_of_the_program_and_not_of_its_hooks(void **state)
{
	struct wire_id pre, a, post;
	const struct wire_dead *dead;

	(void)state;
	begin(W("pre_start: [/bin/pre], post_stop: [/bin/post]"));
	up(1);
	pre = take_side("/bin/pre", 1u + 1u);
	assert_int_equal(pre.inc, 1);
	spawned(pre);
	assert_int_equal(look().pid, 0);
	assert_int_equal(look().inc, 0);
	exited(pre, 0, false);
	expect_acked(pre);
	a = start("root/a"); /* expects PROC as the bus's next frame */
	assert_int_equal(a.slot, pre.slot);
	assert_int_equal(a.inc, 2);
	exited(a, 4, false);
	dead = expect(BUS, WIRE_DEAD);
	assert_int_equal(dead->inc, 2);
	expect_acked(a);
	post = take_side("/bin/post", a.slot);
	assert_int_equal(post.inc, 3);
	assert_string_equal(look().state, "stopping");
	assert_int_equal(look().pid, 0);
	assert_int_equal(look().inc, 2);
	exited(post, 9, false);
	expect_acked(post);
	/* What ended is the program. */
	take_side("/bin/pre", a.slot);
	assert_string_equal(look().last_exit, "exit 4");
}

static void
a_beat_keeps_a_worker_and_unwell_does_not(void **state)
{
	struct wire_id a;
	struct wire_beat beat = { 0 };

	(void)state;
	begin(W("heartbeat: 1h"));
	up(1);
	a = start("root/a");
	beat.slot = a.slot;
	beat.inc = a.inc;
	await("ready");
	tell(BUS, WIRE_BEAT, 0, &beat, NULL);
	assert_string_equal(look().state, "ready");
	beat.inc = a.inc + 1; /* of nobody */
	beat.unwell = 1;
	tell(BUS, WIRE_BEAT, 0, &beat, NULL);
	beat.slot = 9999;
	tell(BUS, WIRE_BEAT, 0, &beat, NULL);
	assert_string_equal(look().state, "ready");
	beat.slot = a.slot;
	beat.inc = a.inc;
	tell(BUS, WIRE_BEAT, 0, &beat, NULL);
	obey(a);
	assert_string_equal(
	    look().last_exit, "it says itself that it is unwell");
}

/*
 * The engine is stopped while the heartbeat runs out, with a beat waiting for
 * it.  On a machine so slow that a second heartbeat has passed too, there is
 * nothing to be said.
 */
static void
a_beat_that_waited_for_a_late_engine_counts(void **state)
{
	struct wire_beat beat = { 0 };
	struct wire_row row;
	struct wire_id a;
	mono_t since;
	int status;

	(void)state;
	begin(W("heartbeat: 1s"));
	up(1);
	since = clock_mono();
	a = start("root/a");
	await("ready");
	beat.slot = a.slot;
	beat.inc = a.inc;
	assert_int_equal(kill(r.pid, SIGSTOP), 0);
	assert_int_equal(waitpid(r.pid, &status, WUNTRACED), r.pid);
	assert_true(WIFSTOPPED(status));
	/* Whatever the keeper has to say comes first, and is late. */
	tell(KEEPER, WIRE_EXECED, 0, &a, NULL);
	tell(BUS, WIRE_BEAT, 0, &beat, NULL);
	poll(NULL, 0, 1300);
	assert_int_equal(kill(r.pid, SIGCONT), 0);
	row = look();
	if (clock_mono().ns - since.ns < 1900 * NS_PER_MS)
		assert_string_equal(row.state, "ready");
}

#define T(f) cmocka_unit_test_teardown(f, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_probe_runs_in_a_slot_that_no_worker_has),
		T(too_many_failed_probes_stop_the_worker),
		T(a_probe_that_cannot_be_executed_has_failed),
		T(a_stop_kills_the_probe_first),
		T(never_two_probes_of_one_worker),
		T(a_late_answer_of_a_probe_means_nothing),
		T(ready_by_a_command_is_asked_again_until_it_is_0),
		T(the_bus_hears_of_the_program_and_not_of_its_hooks),
		T(a_beat_keeps_a_worker_and_unwell_does_not),
		T(a_beat_that_waited_for_a_late_engine_counts),
	};

	return cmocka_run_group_tests_name("engine_probe", tests, NULL, NULL);
}
