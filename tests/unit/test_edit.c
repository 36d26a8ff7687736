/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/edit.h"

static void
each_kind_of_slip_counts_one(void **state)
{
	(void)state;
	assert_int_equal(edit_distance("status", "status", 3), 0);
	assert_int_equal(edit_distance("statu", "status", 3), 1);
	assert_int_equal(edit_distance("sstatus", "status", 3), 1);
	assert_int_equal(edit_distance("stadus", "status", 3), 1);
	assert_int_equal(edit_distance("statsu", "status", 3), 1);
	assert_int_equal(edit_distance("kitten", "sitting", 3), 3);
	assert_int_equal(edit_distance("", "abc", 3), 3);
	assert_int_equal(edit_distance("", "", 0), 0);
}

static void
what_is_farther_than_asked_for_is_far(void **state)
{
	(void)state;
	assert_int_equal(edit_distance("kitten", "sitting", 2), EDIT_FAR);
	assert_int_equal(edit_distance("a", "abcdef", 2), EDIT_FAR);
}

static void
long_texts_are_like_nothing(void **state)
{
	char text[EDIT_TEXT_MAX + 2];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[EDIT_TEXT_MAX + 1] = '\0';
	assert_int_equal(edit_distance(text, text, 3), EDIT_FAR);
	text[EDIT_TEXT_MAX] = '\0';
	assert_int_equal(edit_distance(text, text, 3), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_of_slip_counts_one),
		cmocka_unit_test(what_is_farther_than_asked_for_is_far),
		cmocka_unit_test(long_texts_are_like_nothing),
	};

	return cmocka_run_group_tests_name("edit", tests, NULL, NULL);
}
