/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/args.h"

static void
expect(const char *text, const char *const *want)
{
	char **args;
	size_t i;

	assert_int_equal(args_parse(text, &args), 0);
	for (i = 0; want[i] != NULL; i++) {
		assert_non_null(args[i]);
		assert_string_equal(args[i], want[i]);
	}
	assert_null(args[i]);
	args_free(args);
}

static void
an_array_of_strings_is_taken(void **state)
{
	const char *const want[] = { "--job", "7", "", NULL };

	(void)state;
	expect(" [ \"--job\" ,\"7\",\"\" ] ", want);
}

static void
nothing_is_no_arguments(void **state)
{
	const char *const want[] = { NULL };

	(void)state;
	expect("", want);
	expect("[]", want);
}

static void
escapes_become_their_characters(void **state)
{
	const char *const want[] = { "a\n\"\\/", "\xc3\xa9", "\xf0\x9f\x98\x80",
		"\xe2\x82\xac", NULL };

	(void)state;
	expect("[\"a\\n\\\"\\\\\\/\",\"\\u00e9\",\"\\ud83d\\uDE00\","
	       "\"\\u20ac\"]",
	    want);
}

static void
anything_else_is_refused(void **state)
{
	static const char *const bad[] = { "x", "{}", "[1]", "[\"a\"",
		"[\"a\"]x", "[\"a\",]", "[,]", "[\"a]", "[\"\\u0000\"]",
		"[\"\\ud83d\"]", "[\"\\udc00\"]", "[\"\\q\"]", "[\"\\",
		"[\"a\nb\"]", "[[\"a\"]]", "[\"\\u12", "[null]" };
	char **args;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(args_parse(bad[i], &args), -EINVAL);
}

static void
too_many_are_refused(void **state)
{
	static char text[2 + (ARGS_MAX + 1) * 3];
	char **args;
	size_t n = 0;

	(void)state;
	text[n++] = '[';
	for (int i = 0; i <= ARGS_MAX; i++) {
		memcpy(text + n, "\"\",", 3);
		n += 3;
	}
	text[n - 1] = ']';
	assert_int_equal(args_parse(text, &args), -E2BIG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_array_of_strings_is_taken),
		cmocka_unit_test(nothing_is_no_arguments),
		cmocka_unit_test(escapes_become_their_characters),
		cmocka_unit_test(anything_else_is_refused),
		cmocka_unit_test(too_many_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
