/* SPDX-License-Identifier: ISC */
/* What went into an engine, recorded, makes it again. */
#include "core_rig.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROOM (1u << 20)

static struct journal j;
static char *checkpoint; /* what `j` follows */
static size_t checkpoint_len;

static void
set_checkpoint(void)
{
	free(checkpoint);
	checkpoint_len = engine_save_size(rig.e);
	checkpoint = malloc(checkpoint_len);
	assert_non_null(checkpoint);
	engine_save(rig.e, checkpoint);
}

static int
setup(void **state)
{
	j = (struct journal){ .buf = malloc(ROOM), .cap = ROOM, .seq = 1 };
	assert_non_null(j.buf);
	rig_setup(state);
	set_checkpoint(); /* of the empty engine */
	rig_build(&j);
	return 0;
}

static int
teardown(void **state)
{
	free(j.buf);
	free(take_ptr(checkpoint));
	return rig_teardown(state);
}

static void *
new_mem(void)
{
	void *mem = calloc(1, engine_size(RIG_CAP));

	assert_non_null(mem);
	return mem;
}

/* The engine of the checkpoint and `len` bytes of records. */
static int
rebuild(void *mem, size_t len, const struct fold *how, struct engine **ret)
{
	struct fold plain = { .lender = &rig_lender };
	uint64_t next;

	assert_int_equal(
	    engine_restore(checkpoint, checkpoint_len, mem, &rig_lender, ret),
	    0);
	return journal_fold(
	    *ret, j.buf, len, 1, how != NULL ? how : &plain, &next);
}

static void
same_engine(const struct engine *a, const struct engine *b)
{
	size_t len = engine_save_size(a);
	cleanup_(freep) char *x = malloc(len), *y = malloc(len);

	assert_int_equal(len, engine_save_size(b));
	assert_non_null(x);
	assert_non_null(y);
	engine_save(a, x);
	engine_save(b, y);
	rig_same_image(x, y, len);
}

static void
folding_makes_the_same_engine(void **state)
{
	cleanup_(freep) void *mem = new_mem();
	struct engine *e;

	(void)state;
	rig_boot();
	rig_advance(1000);
	assert_int_equal(rebuild(mem, j.len, NULL, &e), 0);
	engine_check(e);
	same_engine(e, rig.e);
}

static void
the_effects_of_the_last_event_are_emitted_again(void **state)
{
	static struct said again;

	(void)state;
	rig_boot();
	for (int i = 0; i < 50; i++) {
		cleanup_(freep) void *mem = new_mem();
		struct effects last = { rig_note, &again };
		struct fold how = { .lender = &rig_lender, .last = &last };
		struct engine *e = mem; /* where it will be */

		rig_advance(7);
		again.n = 0;
		again.e = e;
		assert_int_equal(rebuild(mem, j.len, &how, &e), 0);
		assert_ptr_equal(again.e, e);
		rig_same(&again, &said);
	}
}

static void
a_record_cut_short_was_not_written(void **state)
{
	cleanup_(freep) char *before = NULL;
	size_t len, saved;

	(void)state;
	rig_boot();
	rig_advance(20);
	len = j.len;
	saved = engine_save_size(rig.e);
	before = malloc(saved);
	assert_non_null(before);
	engine_save(rig.e, before);
	rig_advance(1);
	for (size_t cut = len; cut < j.len; cut++) {
		cleanup_(freep) void *mem = new_mem();
		cleanup_(freep) char *after = malloc(saved);
		struct engine *e;

		assert_int_equal(rebuild(mem, cut, NULL, &e), 0);
		assert_int_equal(engine_save_size(e), saved);
		engine_save(e, after);
		rig_same_image(before, after, saved);
	}
}

static void
a_record_half_written_was_not_written(void **state)
{
	struct fold how = { .lender = &rig_lender };
	cleanup_(freep) void *mem = new_mem();
	uint64_t next, seq;
	struct engine *e;
	size_t len;

	(void)state;
	rig_boot();
	len = j.len;
	seq = j.seq;
	rig_advance(1);
	/* Memory that was zero, of which only the beginning was written. */
	memset((char *)j.buf + len + 30, 0, ROOM - len - 30);
	assert_int_equal(
	    engine_restore(checkpoint, checkpoint_len, mem, &rig_lender, &e),
	    0);
	assert_int_equal(journal_fold(e, j.buf, ROOM, 1, &how, &next), 0);
	assert_int_equal(next, seq);
}

static void
damage_before_the_end_is_an_error(void **state)
{
	size_t len;

	(void)state;
	rig_boot();
	rig_advance(30);
	len = j.len;
	rig_advance(1);
	for (size_t i = 0; i < len; i += 5) {
		cleanup_(freep) void *mem = new_mem();
		char *at = (char *)j.buf + i, was = *at;
		struct engine *e;

		*at ^= (char)(1u << rig_random(8));
		assert_int_equal(rebuild(mem, j.len, NULL, &e), -EBADMSG);
		*at = was;
	}
}

static void
records_of_another_engine_are_refused(void **state)
{
	struct fold how = { .lender = &rig_lender };
	cleanup_(freep) void *mem = new_mem();
	struct journal other = { .buf = malloc(ROOM), .cap = ROOM, .seq = 1 };
	struct engine *e;
	uint64_t next;

	(void)state;
	assert_non_null(other.buf);
	e = engine_init(mem, RIG_CAP);
	/* A child of nobody; a number that is not what comes next. */
	assert_int_equal(journal_add_worker(&other, 1, 7, "w", &rig.worker), 0);
	assert_int_equal(
	    journal_fold(e, other.buf, other.len, 1, &how, &next), -EBADMSG);
	assert_int_equal(next, 1);
	other.len = 0;
	other.seq = 1;
	assert_int_equal(
	    journal_add_worker(&other, 9, NODE_NONE, "w", &rig.worker), 0);
	assert_int_equal(
	    journal_fold(e, other.buf, other.len, 1, &how, &next), -EBADMSG);
	/* The right records, but not the next ones. */
	assert_int_equal(
	    journal_fold(e, j.buf, j.len, 2, &how, &next), -EBADMSG);
	free(other.buf);
}

static bool
pass_over(void *ctx, const struct record *rec)
{
	return rec->seq != *(uint64_t *)ctx;
}

static void
a_record_can_be_passed_over(void **state)
{
	cleanup_(freep) void *mem = new_mem();
	struct engine *e;
	uint64_t seq;
	struct fold how = {
		.lender = &rig_lender,
		.before = pass_over,
		.ctx = &seq,
	};
	struct event stop = { .kind = EV_SHUTDOWN };

	(void)state;
	rig_boot();
	seq = j.seq;
	stop.now = rig.now;
	assert_int_equal(journal_event(&j, &stop), 0);
	rig_advance(10);
	assert_int_equal(rebuild(mem, j.len, &how, &e), 0);
	same_engine(e, rig.e); /* which was never told to stop */
}

static void
a_journal_that_is_full_says_so_and_stays_whole(void **state)
{
	char buf[100];
	struct journal small = { .buf = buf, .cap = sizeof(buf), .seq = 5 };
	struct event ev = { .kind = EV_TICK };

	(void)state;
	assert_int_equal(journal_event(&small, &ev), 0);
	assert_int_equal(small.seq, 6);
	assert_int_equal(journal_event(&small, &ev), -ENOSPC);
	assert_int_equal(small.seq, 6);
	assert_true(small.len > sizeof(ev) && small.len <= sizeof(buf));
}

static void
discards_and_the_spawn_interval_are_recorded(void **state)
{
	cleanup_(freep) void *mem = new_mem();
	struct engine *e;
	node_t n;

	(void)state;
	engine_set_spawn_interval(rig.e, 30 * NS_PER_MS);
	assert_int_equal(journal_spawn_interval(&j, 30 * NS_PER_MS), 0);
	n = engine_add_worker(rig.e, NODE_NONE, "gone", &rig.worker);
	assert_int_equal(
	    journal_add_worker(&j, n, NODE_NONE, "gone", &rig.worker), 0);
	assert_int_equal(journal_discard(&j, n), 0);
	engine_discard(rig.e, n);
	rig_boot();
	assert_int_equal(rebuild(mem, j.len, NULL, &e), 0);
	same_engine(e, rig.e);
}

static void
plans_are_recorded_whole(void **state)
{
	cleanup_(freep) void *mem = new_mem(), *more = new_mem();
	struct event reload = { .kind = EV_RELOAD, .node = 2, .tag = 1 };
	struct event apply = { .kind = EV_APPLY, .node = 1, .tag = 2 };
	struct engine *e;
	size_t len;

	(void)state;
	rig_boot();
	len = j.len;
	rig_plan();
	reload.now = apply.now = rig.now;
	/* Without its last child it was not written. */
	assert_int_equal(rebuild(mem, j.len - 1, NULL, &e), 0);
	assert_int_equal(rebuild(more, len, NULL, &e), 0);
	rig_step(rig.e, &reload, &said);
	rig_step(rig.e, &apply, &said);
	rig_advance(100);
	memset(mem, 0, engine_size(RIG_CAP));
	assert_int_equal(rebuild(mem, j.len, NULL, &e), 0);
	same_engine(e, rig.e);
}

static void
effects_are_read_as_they_were_written(void **state)
{
	struct effect eff = {
		.kind = EFF_REPORT,
		.node = 3,
		.offender = 4,
		.inc = 5,
		.tag = 6,
		.seq = 7,
		.cause = 8,
		.from = CHILD_READY,
		.to = CHILD_ENDED,
		.report = REPORT_GAVE_UP,
		.proc = PROC_POST_STOP,
		.result = RESULT_BUSY,
		.reason = { .kind = REASON_EXIT, .code = 9 },
		.sig = SIGTERM,
		.group = true,
		.used = 10,
		.limit = 11,
	};
	struct journal_reader r;
	struct record rec;

	(void)state;
	j.len = 0;
	r = (struct journal_reader){ j.buf, 0, j.seq };
	assert_int_equal(journal_effect(&j, &eff), 0);
	r.left = j.len;
	assert_int_equal(journal_read(&r, &rec), 1);
	assert_int_equal(rec.kind, RECORD_EFFECT);
	assert_memory_equal(
	    &rec.effect.reason, &eff.reason, sizeof(eff.reason));
	assert_int_equal(rec.effect.kind, eff.kind);
	assert_int_equal(rec.effect.node, eff.node);
	assert_int_equal(rec.effect.offender, eff.offender);
	assert_int_equal(rec.effect.inc, eff.inc);
	assert_int_equal(rec.effect.tag, eff.tag);
	assert_int_equal(rec.effect.seq, eff.seq);
	assert_int_equal(rec.effect.cause, eff.cause);
	assert_int_equal(rec.effect.from, eff.from);
	assert_int_equal(rec.effect.to, eff.to);
	assert_int_equal(rec.effect.report, eff.report);
	assert_int_equal(rec.effect.proc, eff.proc);
	assert_int_equal(rec.effect.result, eff.result);
	assert_int_equal(rec.effect.sig, eff.sig);
	assert_int_equal(rec.effect.group, eff.group);
	assert_int_equal(rec.effect.used, eff.used);
	assert_int_equal(rec.effect.limit, eff.limit);
	assert_int_equal(journal_read(&r, &rec), 0);
	assert_int_equal(r.left, 0);
}

/* Everything that was ordered and not seen done, and nothing else. */
static void
spawns_and_signals_are_told_until_they_are_answered(void **state)
{
	static struct said out;
	struct effects todo = { rig_note, &out };
	struct event ev = { .kind = EV_BOOT };

	(void)state;
	out.e = rig.e;
	rig_step(rig.e, &ev, &said);
	out.n = 0;
	engine_outstanding(rig.e, &todo);
	assert_int_equal(out.n, 1);
	assert_string_equal(out.text[0], "spawn s0/s1/w0 1");
	ev = (struct event){ .kind = EV_EXECED, .node = 3, .inc = 1 };
	rig_step(rig.e, &ev, &said);
	out.n = 0;
	engine_outstanding(rig.e, &todo);
	assert_int_equal(out.n, 0);
	ev = (struct event){ .kind = EV_SHUTDOWN };
	rig_step(rig.e, &ev, &said);
	out.n = 0;
	engine_outstanding(rig.e, &todo);
	assert_int_equal(out.n, 1);
	assert_string_equal(out.text[0], "signal s0/s1/w0 1 SIGTERM");
	ev = (struct event){ .kind = EV_TICK, .now = { NS_PER_S } };
	rig_step(rig.e, &ev, &said);
	out.n = 0;
	engine_outstanding(rig.e, &todo);
	assert_int_equal(out.n, 1);
	assert_string_equal(out.text[0], "signal s0/s1/w0 1 SIGKILL");
	ev = (struct event){ .kind = EV_EXITED,
		.node = 3,
		.inc = 1,
		.is_signal = true,
		.code = SIGKILL };
	rig_step(rig.e, &ev, &said);
	out.n = 0;
	engine_outstanding(rig.e, &todo);
	assert_int_equal(out.n, 1);
	assert_memory_equal(out.text[0], "done", 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    folding_makes_the_same_engine, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    the_effects_of_the_last_event_are_emitted_again, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    a_record_cut_short_was_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_record_half_written_was_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    damage_before_the_end_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    records_of_another_engine_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_record_can_be_passed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_journal_that_is_full_says_so_and_stays_whole, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    discards_and_the_spawn_interval_are_recorded, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    effects_are_read_as_they_were_written, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    spawns_and_signals_are_told_until_they_are_answered, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    plans_are_recorded_whole, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
