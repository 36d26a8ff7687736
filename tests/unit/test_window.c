/* SPDX-License-Identifier: ISC */
#include "core/window.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define LIST_MAX 64

/* OTP's rule as it is written in supervisor.erl, add_restart: a list. */
struct list {
	int64_t at[LIST_MAX + 2];
	int n;
};

static bool
list_admit(struct list *l, int max, int64_t period, int64_t now)
{
	struct list next = { .at = { now }, .n = 1 };

	for (int i = 0; i < l->n && l->at[i] >= now - period; i++)
		next.at[next.n++] = l->at[i];
	*l = next;
	return l->n <= max;
}

static void
agrees_with_the_list_rule_on_random_histories(void **state)
{
	mono_t at[LIST_MAX];

	(void)state;
	srandom(1);
	for (int run = 0; run < 20000; run++) {
		int max = (int)(random() % 8);
		int64_t period = 1 + random() % 20, now = 0;
		struct window w;
		struct list l = { .n = 0 };
		bool ok = true;

		window_init(&w, (uint32_t)max, period, at);
		while (ok) {
			/* Gaps equal to the period are drawn often. */
			now += random() % 3 == 0 ? period : random() % 12;
			ok = list_admit(&l, max, period, now);
			assert_int_equal(window_admit(&w, (mono_t){ now }), ok);
			if (l.n > 60 || now > 4000)
				break;
		}
	}
}

/* The same with code_change in between: OTP keeps the list. */
static void
agrees_with_the_list_rule_over_reloads(void **state)
{
	mono_t at[2][LIST_MAX];

	(void)state;
	srandom(2);
	for (int run = 0; run < 20000; run++) {
		int max = (int)(random() % 8), room = 0;
		int64_t period = 1 + random() % 20, now = 0;
		struct window w;
		struct list l = { .n = 0 };
		bool ok = true;

		window_init(&w, (uint32_t)max, period, at[0]);
		while (ok && l.n < 60 && now < 4000) {
			if (random() % 4 == 0) {
				max = (int)(random() % 8);
				period = 1 + random() % 20;
				room ^= random() % 2;
				window_move(
				    &w, (uint32_t)max, period, at[room]);
			}
			now += random() % 3 == 0 ? period : random() % 12;
			ok = list_admit(&l, max, period, now);
			assert_int_equal(window_admit(&w, (mono_t){ now }), ok);
		}
	}
}

/* Lowered and raised again before the next restart: only then do we differ. */
static void
restarts_beyond_a_lower_limit_are_forgotten(void **state)
{
	mono_t at[3], less[1];
	struct window w;

	(void)state;
	window_init(&w, 3, 10, at);
	for (int64_t t = 1; t <= 3; t++)
		assert_true(window_admit(&w, (mono_t){ t }));
	window_move(&w, 1, 10, less);
	assert_int_equal(window_used(&w, (mono_t){ 3 }), 1);
	window_move(&w, 3, 10, at);
	assert_int_equal(window_used(&w, (mono_t){ 3 }), 1);
}

static void
intensity_zero_admits_nothing(void **state)
{
	struct window w;

	(void)state;
	window_init(&w, 0, NS_PER_S, NULL);
	assert_false(window_admit(&w, (mono_t){ 5 }));
}

static void
restart_exactly_one_period_old_counts(void **state)
{
	mono_t at[1];
	struct window w;

	(void)state;
	window_init(&w, 1, 100, at);
	assert_true(window_admit(&w, (mono_t){ 0 }));
	assert_false(window_admit(&w, (mono_t){ 100 }));
	window_clear(&w);
	assert_true(window_admit(&w, (mono_t){ 100 }));
	assert_true(window_admit(&w, (mono_t){ 201 }));
}

static void
used_counts_only_what_lies_in_the_window(void **state)
{
	mono_t at[3];
	struct window w;

	(void)state;
	window_init(&w, 3, 100, at);
	assert_true(window_admit(&w, (mono_t){ 10 }));
	assert_true(window_admit(&w, (mono_t){ 50 }));
	assert_int_equal(window_used(&w, (mono_t){ 60 }), 2);
	assert_int_equal(window_used(&w, (mono_t){ 111 }), 1);
	assert_int_equal(window_used(&w, (mono_t){ 1000 }), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_list_rule_on_random_histories),
		cmocka_unit_test(agrees_with_the_list_rule_over_reloads),
		cmocka_unit_test(restarts_beyond_a_lower_limit_are_forgotten),
		cmocka_unit_test(intensity_zero_admits_nothing),
		cmocka_unit_test(restart_exactly_one_period_old_counts),
		cmocka_unit_test(used_counts_only_what_lies_in_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
