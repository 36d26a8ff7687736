/* SPDX-License-Identifier: ISC */
#include "core/reason.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
only_normal_and_shutdown_are_clean(void **state)
{
	(void)state;
	for (int k = 0; k < REASON_N; k++) {
		struct reason r = { .kind = (uint8_t)k };
		bool clean = k == REASON_NORMAL || k == REASON_SHUTDOWN;

		assert_int_equal(reason_is_clean(&r), clean);
	}
}

static void
every_reason_has_a_text(void **state)
{
	char buf[96];

	(void)state;
	for (int k = 0; k < REASON_N; k++)
		for (int why = 0; why < WHY_N; why++) {
			struct reason r = { .kind = (uint8_t)k,
				.why = (uint8_t)why,
				.code = 9 };

			assert_true(reason_text(&r, buf, sizeof(buf))[0] != 0);
		}
}

static void
texts_are_what_an_operator_says(void **state)
{
	struct reason segv = {
		.kind = REASON_SIGNAL, .code = SIGSEGV, .core = true
	};
	struct reason early = {
		.kind = REASON_EARLY, .under = REASON_EXIT, .code = 3
	};
	struct reason gave_up = { .kind = REASON_SHUTDOWN, .why = WHY_GAVE_UP };
	char buf[96];

	(void)state;
	assert_string_equal(
	    reason_text(&segv, buf, sizeof(buf)), "SIGSEGV (core)");
	assert_string_equal(reason_text(&early, buf, sizeof(buf)),
	    "exit 3 before it was ready");
	assert_string_equal(reason_text(&gave_up, buf, sizeof(buf)), "gave up");
}

static void
signal_names_and_numbers_agree(void **state)
{
	char buf[24];

	(void)state;
	for (int s = 1; s <= 64; s++) {
		const char *name = signal_name(s, buf, sizeof(buf));

		if (s != 32 && s != 33) /* glibc keeps these two to itself */
			assert_int_equal(signal_number(name), s);
	}
	assert_int_equal(signal_number("TERM"), SIGTERM);
	assert_int_equal(signal_number("15"), 15);
	assert_int_equal(signal_number("SIGNOPE"), 0);
	assert_int_equal(signal_number("0"), 0);
	assert_int_equal(signal_number("99"), 0);
	assert_int_equal(signal_number(""), 0);
	assert_int_equal(signal_number("RTMIN+99"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_normal_and_shutdown_are_clean),
		cmocka_unit_test(every_reason_has_a_text),
		cmocka_unit_test(texts_are_what_an_operator_says),
		cmocka_unit_test(signal_names_and_numbers_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
