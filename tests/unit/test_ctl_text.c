/* SPDX-License-Identifier: ISC */
#include "base/mono.h"
#include "ctl/sockpath.h"
#include "ctl/table.h"
#include "ctl/text.h"

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <locale.h>
#include <string.h>
#include <time.h>

#define MIN_NS  (60 * NS_PER_S)
#define HOUR_NS (60 * MIN_NS)
#define DAY_NS  (24 * HOUR_NS)

static char buf[TEXT_MAX];

#define DURATION(ns) text_duration(ns, buf, sizeof(buf))
#define AGE(ns)      text_age(ns, buf, sizeof(buf))
#define PERIOD(ns)   text_period(ns, buf, sizeof(buf))

static void
a_duration_shows_its_two_largest_units(void **state)
{
	(void)state;
	assert_string_equal(DURATION(0), "0.0s");
	assert_string_equal(DURATION(499 * NS_PER_MS), "0.4s");
	assert_string_equal(DURATION(NS_PER_S - 1), "0.9s");
	assert_string_equal(DURATION(NS_PER_S), "1s");
	assert_string_equal(DURATION(MIN_NS - 1), "59s");
	assert_string_equal(DURATION(MIN_NS), "1m00s");
	assert_string_equal(DURATION(HOUR_NS - 1), "59m59s");
	assert_string_equal(DURATION(5 * HOUR_NS + 7 * MIN_NS), "5h07m");
	assert_string_equal(DURATION(DAY_NS - 1), "23h59m");
	assert_string_equal(DURATION(3 * DAY_NS + 4 * HOUR_NS), "3d04h");
	assert_string_equal(DURATION(100 * DAY_NS - 1), "99d23h");
	assert_string_equal(DURATION(100 * DAY_NS), "100d");
	assert_string_equal(DURATION(INT64_MAX), "106751d");
}

static void
a_negative_duration_counts_as_none(void **state)
{
	(void)state;
	assert_string_equal(DURATION(-5 * NS_PER_S), "0.0s");
	assert_string_equal(AGE(INT64_MIN), "0.0s");
}

static void
an_age_has_tenths_below_a_minute(void **state)
{
	(void)state;
	assert_string_equal(AGE(12 * NS_PER_S + 499 * NS_PER_MS), "12.4s");
	assert_string_equal(AGE(MIN_NS - 1), "59.9s");
	assert_string_equal(AGE(MIN_NS), "1m00s");
}

static void
a_period_prints_as_it_was_configured(void **state)
{
	(void)state;
	assert_string_equal(PERIOD(5 * NS_PER_S), "5s");
	assert_string_equal(PERIOD(60 * NS_PER_S), "60s");
	assert_string_equal(PERIOD(10 * MIN_NS), "10m");
	assert_string_equal(PERIOD(2 * HOUR_NS), "2h");
	assert_string_equal(PERIOD(500 * NS_PER_MS), "500ms");
	assert_string_equal(PERIOD(0), "0s");
	assert_string_equal(PERIOD(-1), "infinity");
}

static void
durations_with_units_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t ns;
	} good[] = {
		{ "10s", 10 * NS_PER_S },
		{ "0s", 0 },
		{ "500ms", 500 * NS_PER_MS },
		{ "0.5s", 500 * NS_PER_MS },
		{ "0.1234s", 123 * NS_PER_MS },
		{ "1m30s", 90 * NS_PER_S },
		{ "2h", 2 * HOUR_NS },
		{ "1d", DAY_NS },
		{ "infinity", -1 },
	};
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_true(text_parse_duration(good[i].text, &ns));
		assert_true(ns == good[i].ns);
	}
}

static void
other_words_are_no_duration(void **state)
{
	static const char *const bad[] = { "", "10", "s", "-1s", "+1s", " 1s",
		"1s ", "1 s", "1x", "1.s", ".5s", "1e3s", "0x1s", "1s1",
		"99999999999s", "1000000000d", "infinitys", "1,5s" };
	int64_t ns = 42;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(text_parse_duration(bad[i], &ns));
	assert_true(ns == 42);
}

static void
a_time_of_another_day_has_its_date(void **state)
{
	int64_t noon = 1790000000 * NS_PER_S + 412 * NS_PER_MS;

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	assert_string_equal(
	    text_time(noon, noon, buf, sizeof(buf)), "14:13:20.412");
	assert_string_equal(text_time(noon, noon + DAY_NS, buf, sizeof(buf)),
	    "2026-09-21 14:13:20.412");
}

static void
a_time_of_the_protocol_parses(void **state)
{
	int64_t ns = 42;

	(void)state;
	assert_true(text_parse_time("2026-09-21T14:13:20Z", &ns));
	assert_true(ns == 1790000000 * NS_PER_S);
	assert_true(text_parse_time("2026-09-21T14:13:20.412Z", &ns));
	assert_true(ns == 1790000000 * NS_PER_S + 412 * NS_PER_MS);
	assert_true(text_parse_time("2026-09-21T14:13:20.1234567891Z", &ns));
	assert_true(ns == 1790000000 * NS_PER_S + 123456789);
	ns = 42;
	assert_false(text_parse_time("2026-09-21 14:13:20Z", &ns));
	assert_false(text_parse_time("2026-09-21T14:13:20+02:00", &ns));
	assert_false(text_parse_time("", &ns));
	assert_true(ns == 42);
}

static void
assert_escapes(const char *in, const char *out)
{
	char *got = text_escape(in);

	assert_non_null(got);
	assert_string_equal(got, out);
	free(got);
}

static void
control_characters_are_encoded(void **state)
{
	(void)state;
	assert_escapes(
	    "\033[31mred\r\n\a\177", "\\033[31mred\\015\\012\\007\\177");
	assert_escapes("tab\tand \\ stay", "tab\tand \\ stay");
	assert_escapes("", "");
}

static void
printable_utf8_stays_and_the_rest_is_encoded(void **state)
{
	(void)state;
	assert_escapes("caf\xc3\xa9 \xe6\x97\xa5", "caf\xc3\xa9 \xe6\x97\xa5");
	/* C1: a terminal takes U+009B for ESC [ . */
	assert_escapes("\xc2\x9b"
		       "31m",
	    "\\302\\23331m");
	assert_escapes("\xe2\x80\xae"
		       "gnp",
	    "\\342\\200\\256gnp");
	assert_escapes("\xff\xc3(", "\\377\\303(");
	assert_escapes("cut \xe6\x97", "cut \\346\\227");
}

static void
width_is_counted_in_columns(void **state)
{
	(void)state;
	assert_int_equal(text_width("abc"), 3);
	assert_int_equal(text_width("caf\xc3\xa9"), 4);
	assert_int_equal(text_width("\xe6\x97\xa5"), 2);
	assert_int_equal(text_width(""), 0);
}

static void
a_short_path_leaves_the_root_out(void **state)
{
	(void)state;
	assert_string_equal(text_short_path("root/web/api"), "web/api");
	assert_string_equal(text_short_path("root"), "root");
}

static void
a_table_aligns_by_what_is_seen(void **state)
{
	struct table *t = table_new(2);
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	(void)state;
	table_cell(t, COLOR_NONE, "caf\xc3\xa9");
	table_cell(t, COLOR_NONE, "1");
	table_cell(t, COLOR_GREEN, "a\033b");
	table_cellf(t, COLOR_NONE, "%d", 2);
	assert_int_equal(table_print(t, f, true), 0);
	fclose(f);
	assert_string_equal(
	    text, "caf\xc3\xa9    1\n\033[32ma\\033b\033[0m  2\n");
	free(text);
	table_free(t);
}

static void
a_table_without_memory_prints_nothing(void **state)
{
	(void)state;
	table_cell(NULL, COLOR_NONE, "x");
	table_cellf(NULL, COLOR_NONE, "%s", "x");
	table_free(NULL);
	assert_int_equal(table_print(NULL, stdout, false), -ENOMEM);
}

static void
assert_socket(const char *option, const char *env, const char *runtime,
    uid_t uid, const char *want)
{
	struct sockpath from = { option, env, runtime, uid };
	char path[256];

	assert_int_equal(sockpath_choose(&from, path, sizeof(path)), 0);
	assert_string_equal(path, want);
}

static void
the_socket_is_where_the_first_that_is_given_says(void **state)
{
	(void)state;
	assert_socket("/a", "/b", "/r", 0, "/a");
	assert_socket(NULL, "/b", "/r", 0, "/b");
	assert_socket(NULL, "/b", "/r", 1000, "/b");
	assert_socket("", "", "/r", 0, "/run/supd/control.sock");
	assert_socket(NULL, NULL, "/r", 1000, "/r/supd/control.sock");
	assert_socket(NULL, NULL, "", 1000, "/tmp/supd-1000/control.sock");
	/* The XDG specification: a relative one is to be ignored. */
	assert_socket(NULL, NULL, "run", 1000, "/tmp/supd-1000/control.sock");
	assert_socket(NULL, NULL, NULL, 1000, "/tmp/supd-1000/control.sock");
}

static void
a_socket_path_beyond_af_unix_is_refused(void **state)
{
	char path[256], longer[200];
	struct sockpath from = { .option = longer };

	(void)state;
	memset(longer, 'x', sizeof(longer));
	longer[108] = '\0';
	assert_int_equal(
	    sockpath_choose(&from, path, sizeof(path)), -ENAMETOOLONG);
	longer[107] = '\0';
	assert_int_equal(sockpath_choose(&from, path, sizeof(path)), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duration_shows_its_two_largest_units),
		cmocka_unit_test(a_negative_duration_counts_as_none),
		cmocka_unit_test(an_age_has_tenths_below_a_minute),
		cmocka_unit_test(a_period_prints_as_it_was_configured),
		cmocka_unit_test(durations_with_units_parse),
		cmocka_unit_test(other_words_are_no_duration),
		cmocka_unit_test(a_time_of_another_day_has_its_date),
		cmocka_unit_test(a_time_of_the_protocol_parses),
		cmocka_unit_test(control_characters_are_encoded),
		cmocka_unit_test(printable_utf8_stays_and_the_rest_is_encoded),
		cmocka_unit_test(width_is_counted_in_columns),
		cmocka_unit_test(a_short_path_leaves_the_root_out),
		cmocka_unit_test(a_table_aligns_by_what_is_seen),
		cmocka_unit_test(a_table_without_memory_prints_nothing),
		cmocka_unit_test(
		    the_socket_is_where_the_first_that_is_given_says),
		cmocka_unit_test(a_socket_path_beyond_af_unix_is_refused),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
