/* SPDX-License-Identifier: ISC */
#include "base/mono.h"
#include "conf/value.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static int64_t
ns_of(const char *s)
{
	int64_t ns = -2;

	assert_null(value_duration(s, &ns));
	return ns;
}

static void
a_duration_counts_in_its_unit(void **state)
{
	(void)state;
	assert_int_equal(ns_of("500ms"), 500 * NS_PER_MS);
	assert_int_equal(ns_of("0s"), 0);
	assert_int_equal(ns_of("5s"), 5 * NS_PER_S);
	assert_int_equal(ns_of("2m"), 120 * NS_PER_S);
	assert_int_equal(ns_of("1h"), 3600 * NS_PER_S);
}

static void
a_duration_without_a_unit_is_refused(void **state)
{
	int64_t ns = 7;

	(void)state;
	assert_string_equal(
	    value_duration("5", &ns), "needs a unit: ms, s, m or h");
	assert_string_equal(
	    value_duration("0", &ns), "needs a unit: ms, s, m or h");
	assert_int_equal(ns, 7);
}

static void
what_is_no_duration_is_refused(void **state)
{
	static const char *const bad[] = { "", "s", "-5s", "5 s", "1.5s", "5d",
		"5S", "5ss", "1h30m", "infinity", "99999999999999999999s",
		"9223372036854775807h", "876001h" };
	int64_t ns;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(value_duration(bad[i], &ns));
}

static void
a_timeout_may_be_infinity(void **state)
{
	int64_t ns = 0;

	(void)state;
	assert_null(value_timeout("infinity", &ns));
	assert_int_equal(ns, -1);
	assert_null(value_timeout("3s", &ns));
	assert_int_equal(ns, 3 * NS_PER_S);
}

static void
a_size_counts_in_powers_of_1024(void **state)
{
	int64_t v = 0;

	(void)state;
	assert_null(value_size("64K", &v));
	assert_int_equal(v, 65536);
	assert_null(value_size("10M", &v));
	assert_int_equal(v, 10 << 20);
	assert_null(value_size("8G", &v));
	assert_int_equal(v, INT64_C(8) << 30);
}

static void
what_is_no_size_is_refused(void **state)
{
	static const char *const bad[] = { "", "10", "10k", "10MB", "10 M",
		"-1M", "9223372036854775807G", "M" };
	int64_t v;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(value_size(bad[i], &v));
}

static void
only_true_and_false_are_truth_values(void **state)
{
	bool b = false;

	(void)state;
	assert_null(value_bool("true", &b));
	assert_true(b);
	assert_null(value_bool("false", &b));
	assert_false(b);
	assert_non_null(value_bool("yes", &b));
	assert_non_null(value_bool("NO", &b));
	assert_non_null(value_bool("1", &b));
}

static void
a_number_is_decimal_and_fits(void **state)
{
	int64_t v = 0;

	(void)state;
	assert_null(value_int("-20", &v));
	assert_int_equal(v, -20);
	assert_null(value_int("+7", &v));
	assert_int_equal(v, 7);
	assert_non_null(value_int("1e3", &v));
	assert_non_null(value_int("0x10", &v));
	assert_non_null(value_int("", &v));
	assert_non_null(value_int("9223372036854775808", &v));
}

static void
an_umask_is_octal(void **state)
{
	mode_t m = 0;

	(void)state;
	assert_null(value_umask("022", &m));
	assert_int_equal(m, 022);
	assert_null(value_umask("0777", &m));
	assert_non_null(value_umask("088", &m));
	assert_non_null(value_umask("1000", &m));
	assert_non_null(value_umask("", &m));
}

static void
exits_are_codes_ranges_and_signals(void **state)
{
	struct exit_set s = { 0 };

	(void)state;
	assert_null(value_exits("1-3", &s));
	assert_null(value_exits("255", &s));
	assert_null(value_exits("HUP", &s));
	assert_null(value_exits("SIGUSR1", &s));
	assert_true(exit_set_has_code(&s, 1) && exit_set_has_code(&s, 3));
	assert_false(exit_set_has_code(&s, 0) || exit_set_has_code(&s, 4));
	assert_true(exit_set_has_code(&s, 255));
	assert_true(exit_set_has_signal(&s, SIGHUP));
	assert_true(exit_set_has_signal(&s, SIGUSR1));
	assert_non_null(value_exits("256", &s));
	assert_non_null(value_exits("3-1", &s));
	assert_non_null(value_exits("1-", &s));
	assert_non_null(value_exits("NOPE", &s));
	assert_non_null(value_exits("", &s));
}

static void
a_stage_is_a_signal_and_a_wait(void **state)
{
	struct stop_stage st = { 0 };

	(void)state;
	assert_null(value_stage("INT 5s", &st));
	assert_int_equal(st.sig, SIGINT);
	assert_int_equal(st.wait_ns, 5 * NS_PER_S);
	assert_null(value_stage("SIGTERM infinity", &st));
	assert_int_equal(st.wait_ns, -1);
	assert_null(value_stage("KILL", &st));
	assert_non_null(value_stage("TERM", &st));
	assert_non_null(value_stage("KILL 5s", &st));
	assert_non_null(value_stage("TERM 5", &st));
	assert_non_null(value_stage("5s", &st));
	assert_non_null(value_stage("", &st));
}

static void
an_rlimit_is_soft_and_hard(void **state)
{
	struct rlimit l;
	int r = -1;

	(void)state;
	assert_null(value_rlimit("nofile", "1024:4096", &r, &l));
	assert_int_equal(r, RLIMIT_NOFILE);
	assert_int_equal(l.rlim_cur, 1024);
	assert_int_equal(l.rlim_max, 4096);
	assert_null(value_rlimit("core", "unlimited", &r, &l));
	assert_true(l.rlim_cur == RLIM_INFINITY);
	assert_true(l.rlim_max == RLIM_INFINITY);
	assert_null(value_rlimit("as", "1G", &r, &l));
	assert_int_equal(l.rlim_cur, INT64_C(1) << 30);
	assert_non_null(value_rlimit("nofile", "1G", &r, &l));
	assert_non_null(value_rlimit("nofile", "4096:1024", &r, &l));
	assert_non_null(value_rlimit("files", "1", &r, &l));
	assert_non_null(value_rlimit("nofile", "", &r, &l));
	assert_non_null(value_rlimit("nofile", "1:2:3", &r, &l));
}

static void
a_name_is_small_and_short(void **state)
{
	char longest[NAME_MAX_LEN + 2];

	(void)state;
	assert_true(value_is_name("a"));
	assert_true(value_is_name("0-a.b_c"));
	assert_false(value_is_name(""));
	assert_false(value_is_name("-a"));
	assert_false(value_is_name(".a"));
	assert_false(value_is_name("A"));
	assert_false(value_is_name("a/b"));
	memset(longest, 'a', sizeof(longest));
	longest[NAME_MAX_LEN] = '\0';
	assert_true(value_is_name(longest));
	longest[NAME_MAX_LEN] = 'a';
	longest[NAME_MAX_LEN + 1] = '\0';
	assert_false(value_is_name(longest));
}

static void
a_tcp_address_has_host_and_port(void **state)
{
	(void)state;
	assert_null(value_tcp("127.0.0.1:6379"));
	assert_null(value_tcp("localhost:1"));
	assert_null(value_tcp("[::1]:65535"));
	assert_non_null(value_tcp("127.0.0.1"));
	assert_non_null(value_tcp(":80"));
	assert_non_null(value_tcp("a:"));
	assert_non_null(value_tcp("a:0"));
	assert_non_null(value_tcp("a:65536"));
	assert_non_null(value_tcp("::1:80"));
	assert_non_null(value_tcp("[]:80"));
	assert_non_null(value_tcp("a b:80"));
}

/* The words of s, each in <>; "!" at the end for a quote left open. */
static const char *
split(const char *s)
{
	static char out[256];
	struct buf word = { 0 };
	int rc;

	out[0] = '\0';
	while ((rc = value_split(&s, &word)) == 1)
		snprintf(out + strlen(out), sizeof(out) - strlen(out), "<%s>",
		    buf_str(&word));
	if (rc < 0)
		strcat(out, "!");
	buf_fini(&word);
	return out;
}

static void
a_command_is_split_like_a_shell_would(void **state)
{
	(void)state;
	assert_string_equal(split("a b  c"), "<a><b><c>");
	assert_string_equal(split("  "), "");
	assert_string_equal(split("a 'b c' \"d e\"f"), "<a><b c><d ef>");
	assert_string_equal(split("a '' \"\""), "<a><><>");
	assert_string_equal(split("a\\ b \\'c"), "<a b><'c>");
	assert_string_equal(split("'a\\'"), "<a\\>");
	assert_string_equal(split("\"a\\\"b\\$\\x\""), "<a\"b$\\x>");
	assert_string_equal(split("a | b > c; d"), "<a><|><b><>><c;><d>");
	assert_string_equal(split("a\\\nb\n c"), "<ab><c>");
	assert_string_equal(split("a 'b"), "<a>!");
	assert_string_equal(split("a \"b"), "<a>!");
	assert_string_equal(split("a \\"), "<a>!");
}

static void
a_misspelling_is_recognised(void **state)
{
	static const char *const keys[] = { "shutdown", "restart", "period",
		"env", "one_for_all", "one_for_one" };

	(void)state;
	assert_string_equal(value_suggest("shutdwon", keys, 6), "shutdown");
	assert_string_equal(value_suggest("restrat", keys, 6), "restart");
	assert_string_equal(value_suggest("priod", keys, 6), "period");
	assert_string_equal(value_suggest("evn", keys, 6), "env");
	assert_string_equal(
	    value_suggest("one_for_al", keys, 6), "one_for_all");
	assert_null(value_suggest("x", keys, 6));
	assert_null(value_suggest("completely", keys, 6));
	assert_null(value_suggest("", keys, 6));
}

static void
a_duration_is_printed_as_it_is_read(void **state)
{
	static const char *const texts[] = { "0s", "1ms", "1500ms", "60s", "2m",
		"90s", "60m", "2h", "infinity" };
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(texts); i++) {
		struct buf b = { 0 };
		int64_t ns;

		assert_null(value_timeout(texts[i], &ns));
		value_put_duration(&b, ns);
		assert_string_equal(buf_str(&b), texts[i]);
		buf_fini(&b);
	}
}

static const char *
quoted(const char *s)
{
	static char out[128];
	struct buf b = { 0 };

	value_put_string(&b, s);
	snprintf(out, sizeof(out), "%s", buf_str(&b));
	buf_fini(&b);
	return out;
}

static void
a_string_is_quoted_when_yaml_would_read_it_otherwise(void **state)
{
	(void)state;
	assert_string_equal(quoted("redis-server"), "redis-server");
	assert_string_equal(quoted("--port"), "--port");
	assert_string_equal(quoted("./a.b/c_d"), "./a.b/c_d");
	assert_string_equal(quoted("6379"), "\"6379\"");
	assert_string_equal(quoted("No"), "\"No\"");
	assert_string_equal(quoted("null"), "\"null\"");
	assert_string_equal(quoted(""), "\"\"");
	assert_string_equal(quoted("-"), "\"-\"");
	assert_string_equal(quoted("..."), "\"...\"");
	assert_string_equal(quoted("a: b"), "\"a: b\"");
	assert_string_equal(quoted("a #b"), "\"a #b\"");
	assert_string_equal(quoted("$$"), "\"$$\"");
	assert_string_equal(quoted("\"\\\n\t\x01"), "\"\\\"\\\\\\n\\t\\x01\"");
	assert_string_equal(quoted("\xc3\xa4"), "\"\xc3\xa4\"");
	assert_string_equal(quoted("\xc2\x85"), "\"\\x85\"");
	assert_string_equal(quoted("\xe2\x80\xa8"), "\"\\u2028\"");
}

static void
malformed_utf8_is_seen(void **state)
{
	(void)state;
	assert_true(value_is_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
	assert_false(value_is_utf8("\xff"));
	assert_false(value_is_utf8("\xc0\xaf"));
	assert_false(value_is_utf8("\xe2\x82"));
	assert_false(value_is_utf8("\xed\xa0\x80"));
	assert_false(value_is_utf8("\xf4\x90\x80\x80"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_duration_counts_in_its_unit),
		cmocka_unit_test(a_duration_without_a_unit_is_refused),
		cmocka_unit_test(what_is_no_duration_is_refused),
		cmocka_unit_test(a_timeout_may_be_infinity),
		cmocka_unit_test(a_size_counts_in_powers_of_1024),
		cmocka_unit_test(what_is_no_size_is_refused),
		cmocka_unit_test(only_true_and_false_are_truth_values),
		cmocka_unit_test(a_number_is_decimal_and_fits),
		cmocka_unit_test(an_umask_is_octal),
		cmocka_unit_test(exits_are_codes_ranges_and_signals),
		cmocka_unit_test(a_stage_is_a_signal_and_a_wait),
		cmocka_unit_test(an_rlimit_is_soft_and_hard),
		cmocka_unit_test(a_name_is_small_and_short),
		cmocka_unit_test(a_tcp_address_has_host_and_port),
		cmocka_unit_test(a_command_is_split_like_a_shell_would),
		cmocka_unit_test(a_misspelling_is_recognised),
		cmocka_unit_test(a_duration_is_printed_as_it_is_read),
		cmocka_unit_test(
		    a_string_is_quoted_when_yaml_would_read_it_otherwise),
		cmocka_unit_test(malformed_utf8_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
