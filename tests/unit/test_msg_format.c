/* SPDX-License-Identifier: ISC */
/* Bodies written and read by formats. */
#include <limits.h>
#include <math.h>
#include <msg/format.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* What a format has written, as a message that reads it. */
static struct msg
message(const struct msg_pack *p)
{
	assert_false(p->failed);
	assert_int_equal(msg_unpack_check(p->data, p->len), 0);
	return (struct msg){
		.content = MSG_PACKED, .body = p->data, .len = p->len
	};
}

#define AS(p, ...) (msg_pack_fini(p), msg_packf(p, __VA_ARGS__), message(p))

static void
a_request_is_read_as_it_was_written(void **state)
{
	struct msg_pack p = { 0 };
	struct msg m = AS(&p, "[sell %s %d]", "tea", 3);
	char what[8];
	int n = 0;

	(void)state;
	assert_true(msg_match(&m, "sell %7s %d", what, &n));
	assert_string_equal(what, "tea");
	assert_int_equal(n, 3);
	assert_true(msg_value(&m, "[sell tea %d]", &n));
	assert_false(msg_match(&m, "sell %7s", what));
	assert_false(msg_match(&m, "sell %7s %d %d", what, &n, &n));
	assert_false(msg_match(&m, "buy %7s %d", what, &n));
	assert_false(msg_match(&m, "sel %7s %d", what, &n));
	msg_pack_fini(&p);
}

static void
every_length_of_integer_comes_back(void **state)
{
	struct msg_pack p = { 0 };
	signed char hh = 0;
	short h = 0;
	long l = 0;
	long long ll = 0;
	unsigned long long ull = 0;
	size_t z = 0;
	struct msg m = AS(&p, "[%d %d %ld %lld %llu %zu]", -128, SHRT_MIN,
	    LONG_MIN, LLONG_MAX, ULLONG_MAX, SIZE_MAX);

	(void)state;
	assert_true(msg_match(
	    &m, "%hhd %hd %ld %lld %llu %zu", &hh, &h, &l, &ll, &ull, &z));
	assert_int_equal(hh, -128);
	assert_int_equal(h, SHRT_MIN);
	assert_true(l == LONG_MIN && ll == LLONG_MAX);
	assert_true(ull == ULLONG_MAX && z == SIZE_MAX);
	msg_pack_fini(&p);
}

static void
an_integer_that_does_not_fit_is_no_match(void **state)
{
	struct msg_pack p = { 0 };
	struct msg m = AS(&p, "%lld", 1LL << 31);
	signed char hh;
	unsigned char uhh;
	unsigned u = 0;
	long long ll;
	int d;

	(void)state;
	assert_false(msg_value(&m, "%d", &d));
	assert_true(msg_value(&m, "%u", &u));
	assert_true(u == 1u << 31);
	m = AS(&p, "%d", -1);
	assert_false(msg_value(&m, "%u", &u));
	assert_true(msg_value(&m, "%hhd", &hh));
	m = AS(&p, "%d", 256);
	assert_false(msg_value(&m, "%hhu", &uhh));
	m = AS(&p, "%llu", 1ULL << 63);
	assert_false(msg_value(&m, "%lld", &ll));
	m = AS(&p, "text");
	assert_false(msg_value(&m, "%d", &d));
	msg_pack_fini(&p);
}

static void
truth_doubles_and_nil_are_written(void **state)
{
	const char *volatile nobody = NULL;
	struct msg_pack p = { 0 };
	struct msg m = AS(&p, "[%hhd %f %s]", 1, 0.5, nobody);
	struct msg_unpack u;
	double d = 0;
	uint32_t n;
	int yes = 0;
	bool b = false;

	(void)state;
	assert_int_equal(msg_unpack_init(&u, m.body, m.len), 0);
	assert_int_equal(msg_unpack_array(&u, &n), 0);
	assert_int_equal(msg_unpack_bool(&u, &b), 0);
	assert_true(b);
	assert_true(msg_match(&m, "%d %lf %*s", &yes, &d));
	assert_int_equal(yes, 1);
	assert_true(fabs(d - 0.5) < 1e-9);
	m = AS(&p, "%d", 7);
	assert_true(msg_value(&m, "%lf", &d));
	assert_true(fabs(d - 7) < 1e-9);
	msg_pack_fini(&p);
}

static void
a_text_longer_than_its_room_is_no_match(void **state)
{
	struct msg_pack p = { 0 };
	struct msg m = AS(&p, "%.*s", 4, "fourteen");
	char text[5] = "";

	(void)state;
	assert_false(msg_value(&m, "%3s", text));
	assert_true(msg_value(&m, "%4s", text));
	assert_string_equal(text, "four");
	msg_pack_fini(&p);
	msg_pack_str_len(&p, "a\0b", 3);
	m = message(&p);
	assert_false(msg_value(&m, "%4s", text));
	msg_pack_fini(&p);
}

static void
arrays_nest_and_maps_are_written(void **state)
{
	struct msg_pack p = { 0 }, inner = { 0 };
	struct msg m;
	int a = 0, b = 0, c = 0;

	(void)state;
	msg_packf(&inner, "[%d]", 3);
	m = AS(&p, "[put [%d [%d]] %p]", 1, 2, (void *)&inner);
	assert_true(msg_match(&m, "put [%d [%d]] [%d]", &a, &b, &c));
	assert_int_equal(a * 100 + b * 10 + c, 123);
	assert_false(msg_match(&m, "put [%d [%d] [%d]]", &a, &b, &c));
	m = AS(&p, "{one %d two [%d %d]}", 1, 2, 2);
	assert_memory_equal(
	    p.data, "\x82\xa3one\x01\xa3two\x92\x02\x02", p.len);
	msg_pack_fini(&p);
	msg_pack_fini(&inner);
}

static void
digits_are_a_number(void **state)
{
	struct msg_pack p = { 0 };
	struct msg m = AS(&p, "[add 3 -12 3x 12.5]");
	int a = 0, b = 0;

	(void)state;
	assert_true(msg_match(&m, "add %d %d 3x 12.5", &a, &b));
	assert_int_equal(a, 3);
	assert_int_equal(b, -12);
	assert_true(msg_match(&m, "add 3 -12 ..."));
	assert_false(msg_match(&m, "add 4 -12 ..."));
	m = AS(&p, "[add %s]", "3");
	assert_false(msg_match(&m, "add 3"));
	msg_pack_fini(&p);
}

static void
dots_stand_for_the_rest_of_an_array(void **state)
{
	struct msg_pack p = { 0 };
	struct msg m = AS(&p, "[log %s %d [%d %d]]", "a", 1, 2, 3);
	int n = 0;

	(void)state;
	assert_true(msg_match(&m, "log ..."));
	assert_true(msg_match(&m, "log %*s %d [%*d ...]", &n));
	assert_int_equal(n, 1);
	assert_true(msg_match(&m, "..."));
	assert_false(msg_match(&m, "log %*s %*d %*s %*s ..."));
	m = AS(&p, "[log]");
	assert_true(msg_match(&m, "log ..."));
	assert_true(msg_match(&m, "log"));
	msg_pack_fini(&p);
}

static void
what_is_no_msgpack_is_no_match(void **state)
{
	struct msg m = { .content = MSG_BYTES, .body = "\x91\x01", .len = 2 };
	int n = 0;

	(void)state;
	assert_false(msg_match(&m, "%d", &n));
	m.content = MSG_PACKED;
	assert_true(msg_match(&m, "%d", &n));
	m.len = 1;
	assert_false(msg_match(&m, "%d", &n));
	m = (struct msg){ .content = MSG_PACKED, .body = "", .len = 0 };
	assert_false(msg_match(&m, "..."));
}

static void
a_format_that_is_none_fails(void **state)
{
	static const char *const bad[] = { "[", "{one}", "...", "[%d" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct msg_pack p = { 0 };
		void (*f)(struct msg_pack *, const char *, ...) = msg_packf;

		f(&p, bad[i], 1);
		assert_true(p.failed);
		msg_pack_fini(&p);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_read_as_it_was_written),
		cmocka_unit_test(every_length_of_integer_comes_back),
		cmocka_unit_test(an_integer_that_does_not_fit_is_no_match),
		cmocka_unit_test(truth_doubles_and_nil_are_written),
		cmocka_unit_test(a_text_longer_than_its_room_is_no_match),
		cmocka_unit_test(arrays_nest_and_maps_are_written),
		cmocka_unit_test(digits_are_a_number),
		cmocka_unit_test(dots_stand_for_the_rest_of_an_array),
		cmocka_unit_test(what_is_no_msgpack_is_no_match),
		cmocka_unit_test(a_format_that_is_none_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
