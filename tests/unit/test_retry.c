/* SPDX-License-Identifier: ISC */
/* The pauses of backoff, as a pure function of how often it was restarted. */
#include "core/tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct worker_spec spec;
static struct engine engine;
static struct node nodes[3];

static struct node *
child(uint32_t attempts)
{
	struct node *c = &nodes[2];

	engine.nodes = nodes;
	*c = (struct node){ .inc = 7, .w = { .spec = &spec } };
	c->w.attempts = attempts;
	return c;
}

static int64_t
pause_after(uint32_t attempts)
{
	return retry_pause_ns(&engine, child(attempts));
}

static void
without_backoff_there_is_no_pause(void **state)
{
	(void)state;
	spec = (struct worker_spec){ .max_attempts = 5 };
	for (uint32_t n = 0; n < 10; n++)
		assert_int_equal(pause_after(n), 0);
}

static void
the_first_restart_is_made_at_once(void **state)
{
	(void)state;
	spec.backoff = (struct backoff){ 1000, 8000, 2000, 0 };
	assert_int_equal(pause_after(0), 0);
}

static void
pauses_grow_by_the_factor_up_to_the_longest(void **state)
{
	static const int64_t want[] = { 0, 1000, 2000, 4000, 8000, 8000, 8000 };

	(void)state;
	spec.backoff = (struct backoff){ 1000, 8000, 2000, 0 };
	spec.max_attempts = 0;
	for (uint32_t n = 0; n < 7; n++)
		assert_int_equal(pause_after(n), want[n]);
	spec.backoff.factor_milli = 1500;
	assert_int_equal(pause_after(2), 1500);
	assert_int_equal(pause_after(3), 2250);
}

static void
one_that_is_given_up_does_not_pause_before(void **state)
{
	(void)state;
	spec.backoff = (struct backoff){ 1000, 8000, 2000, 0 };
	spec.max_attempts = 3;
	assert_int_equal(pause_after(2), 2000);
	assert_int_equal(pause_after(3), 0);
	assert_true(retry_exhausted(child(3)));
	assert_false(retry_exhausted(child(2)));
	spec.max_attempts = 0;
	assert_false(retry_exhausted(child(UINT32_MAX)));
}

static void
no_configuration_overflows(void **state)
{
	(void)state;
	spec.max_attempts = 0;
	spec.backoff = (struct backoff){ 1, INT64_MAX, UINT32_MAX, 1000 };
	for (uint32_t n = 1; n < 100; n++) {
		int64_t p = pause_after(n);

		assert_true(p > 0);
		/* An instant in 100 years and this pause can be represented. */
		assert_false(mono_is_never(mono_add(
		    (mono_t){ INT64_C(100) * 365 * 86400 * NS_PER_S }, p)));
	}
	spec.backoff = (struct backoff){ INT64_MAX, INT64_MAX, 1000, 1000 };
	assert_true(pause_after(1) > 0);
	/* Factor 1 for ever is no loop for ever. */
	spec.backoff = (struct backoff){ 5, 10, 1000, 0 };
	assert_int_equal(pause_after(UINT32_MAX), 5);
	retry_made(child(UINT32_MAX));
	assert_int_equal(nodes[2].w.attempts, UINT32_MAX);
}

static void
jitter_spreads_over_all_of_its_range_and_no_further(void **state)
{
	int64_t least = INT64_MAX, most = 0, sum = 0;

	(void)state;
	spec.max_attempts = 0;
	spec.backoff = (struct backoff){ 100000, 100000, 1000, 250 };
	for (uint64_t inc = 1; inc <= 10000; inc++) {
		struct node *c = child(1);
		int64_t p;

		c->inc = inc;
		p = retry_pause_ns(&engine, c);
		least = p < least ? p : least;
		most = p > most ? p : most;
		sum += p;
	}
	assert_in_range(least, 75000, 75100);
	assert_in_range(most, 124900, 125000);
	assert_in_range(sum / 10000, 99000, 101000);
}

static void
jitter_is_the_same_in_every_replay(void **state)
{
	int64_t p;

	(void)state;
	spec.backoff = (struct backoff){ 100000, 100000, 1000, 250 };
	p = pause_after(1);
	assert_int_equal(pause_after(1), p);
	assert_int_not_equal(pause_after(2), p);
}

static void
a_row_ends_after_being_ready_for_long_enough(void **state)
{
	struct node *c = child(3);

	(void)state;
	spec.reset_after_ns = 10;
	c->state = CHILD_READY;
	c->since = (mono_t){ 100 };
	engine.now = (mono_t){ 109 };
	retry_was_ready(&engine, c);
	assert_int_equal(c->w.attempts, 3);
	engine.now = (mono_t){ 110 };
	retry_was_ready(&engine, c);
	assert_int_equal(c->w.attempts, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_backoff_there_is_no_pause),
		cmocka_unit_test(the_first_restart_is_made_at_once),
		cmocka_unit_test(pauses_grow_by_the_factor_up_to_the_longest),
		cmocka_unit_test(one_that_is_given_up_does_not_pause_before),
		cmocka_unit_test(no_configuration_overflows),
		cmocka_unit_test(
		    jitter_spreads_over_all_of_its_range_and_no_further),
		cmocka_unit_test(jitter_is_the_same_in_every_replay),
		cmocka_unit_test(a_row_ends_after_being_ready_for_long_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
