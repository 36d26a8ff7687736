/* SPDX-License-Identifier: ISC */
#include "bus/jsonrpc.h"
#include "bus/pack.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* msgpack from workers is hostile until checked; JSON from clients, too. */

static bool
check_bytes(const char *bytes, size_t len)
{
	/* An exact copy, so that a sanitizer sees a read past its end. */
	char *copy = malloc(len != 0 ? len : 1);
	json_t *v;
	bool ok;

	memcpy(copy, bytes, len);
	ok = pack_check(copy, len);
	v = pack_to_json(copy, len);
	assert_int_equal(v != NULL, ok);
	json_decref(v);
	free(copy);
	return ok;
}

#define CHECK(s) check_bytes(s, sizeof(s) - 1)

static void
expect_text(json_t *take, const char *text)
{
	char *got =
	    json_dumps(take, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

	assert_string_equal(got, text);
	free(got);
	json_decref(take);
}

#define JSON_OF(s) pack_to_json(s, sizeof(s) - 1)

static void
every_json_value_survives_the_way_there_and_back(void **state)
{
	static const char *const texts[] = { "null", "true", "false", "0", "-1",
		"127", "128", "65536", "9223372036854775807",
		"-9223372036854775808", "1.5", "\"\"", "\"h\xc3\xa9llo\"", "[]",
		"{}", "[1,[2,[3,{\"a\":[null]}]]]",
		"{\"a\":1,\"b\":{\"c\":\"d\"}}" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *v = json_loads(texts[i], JSON_DECODE_ANY, NULL);
		struct buf b = { 0 };

		assert_non_null(v);
		assert_true(pack_from_json(&b, v));
		json_decref(v);
		expect_text(pack_to_json(b.data, b.len), texts[i]);
		buf_fini(&b);
	}
}

static void
what_json_has_not_is_told_in_json(void **state)
{
	(void)state;
	expect_text(JSON_OF("\xc4\x02hi"), "\"hi\"");
	expect_text(JSON_OF("\xc4\x02\xff\x00"), "{\"bin\":\"ff00\"}");
	expect_text(JSON_OF("\xd4\x05\x7f"), "{\"bin\":\"7f\",\"ext\":5}");
	expect_text(JSON_OF("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), "null");
	expect_text(JSON_OF("\xa2\xff\x41"), "\"\xef\xbf\xbd\x41\"");
	expect_text(JSON_OF("\x81\x01\xc3"), "{\"1\":true}");
	expect_text(JSON_OF("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
	    "1.8446744073709552e19");
}

static void
counts_beyond_the_bytes_are_refused(void **state)
{
	(void)state;
	assert_false(CHECK(""));
	assert_false(CHECK("\xc1"));
	assert_false(CHECK("\xdd\xff\xff\xff\xff"));
	assert_false(CHECK("\xdf\xff\xff\xff\xff"));
	assert_false(CHECK("\xdf\x80\x00\x00\x00"));
	assert_false(CHECK("\xdb\xff\xff\xff\xff"));
	assert_false(CHECK("\xc6\xff\xff\xff\xff"));
	assert_false(CHECK("\xc9\xff\xff\xff\xff\x01"));
	assert_false(CHECK("\x92\x01"));
	assert_false(CHECK("\x82\x01\x02\x03"));
	assert_false(CHECK("\xd9\x05hell"));
	assert_false(CHECK("\xdc\x00"));
	assert_false(CHECK("\x01\x02"));
	assert_true(CHECK("\x92\x01\x02"));
}

static void
depth_is_bounded_both_ways(void **state)
{
	char bytes[PACK_DEPTH_MAX + 2];
	struct buf b = { 0 };
	json_t *v = json_array();

	(void)state;
	memset(bytes, '\x91', sizeof(bytes));
	bytes[PACK_DEPTH_MAX] = '\xc0';
	assert_true(check_bytes(bytes, PACK_DEPTH_MAX + 1));
	bytes[PACK_DEPTH_MAX] = '\x91';
	bytes[PACK_DEPTH_MAX + 1] = '\xc0';
	assert_false(check_bytes(bytes, PACK_DEPTH_MAX + 2));

	for (unsigned i = 1; i < PACK_DEPTH_MAX; i++)
		v = json_pack("[o]", v);
	assert_true(pack_from_json(&b, v));
	assert_true(pack_check(b.data, b.len));
	v = json_pack("[o]", v);
	assert_false(pack_from_json(&b, v));
	json_decref(v);
	buf_fini(&b);
}

static void
every_truncation_of_a_value_is_refused(void **state)
{
	json_t *v = json_pack("{s:[i,s,f,b,n],s:{s:I}}", "list", 70000,
	    "some text", 2.5, 1, "map", "deep", (json_int_t)1 << 40);
	struct buf b = { 0 };

	(void)state;
	assert_true(pack_from_json(&b, v));
	for (size_t len = 0; len < b.len; len++)
		assert_false(check_bytes(b.data, len));
	assert_true(check_bytes(b.data, b.len));
	json_decref(v);
	buf_fini(&b);
}

/* What the check lets through, msgpack-c takes too: see check_bytes(). */
static void
noise_is_taken_or_refused_but_never_crashes(void **state)
{
	static const char heads[] =
	    "\x81\x91\x92\xa1\xc0\xc4\xc7\xca\xcf\xd3\xd4\xd9\xdc\xdd\xde\xdf";
	char bytes[64];
	unsigned taken = 0;

	(void)state;
	srandom(7);
	for (unsigned i = 0; i < 200000; i++) {
		size_t len = 1 + (size_t)random() % sizeof(bytes);

		for (size_t k = 0; k < len; k++)
			bytes[k] =
			    random() % 3 != 0
				? heads[(size_t)random() % (sizeof(heads) - 1)]
				: (char)(random() % 5);
		taken += check_bytes(bytes, len);
	}
	assert_true(taken > 100);
}

/* ---- JSON-RPC --------------------------------------------------------------
 */

static int
parse(const char *line)
{
	struct rpc_request q;
	const char *text;
	int e = rpc_parse(line, strlen(line), &q, &text);

	rpc_request_fini(&q);
	return e;
}

static void
requests_are_told_from_what_is_none(void **state)
{
	(void)state;
	assert_int_equal(parse("{"), RPC_PARSE);
	assert_int_equal(parse("{\"a\":1,\"a\":2}"), RPC_PARSE);
	assert_int_equal(parse("\xff"), RPC_PARSE);
	assert_int_equal(parse("[]"), RPC_INVALID_REQUEST);
	assert_int_equal(parse("{}"), RPC_INVALID_REQUEST);
	assert_int_equal(parse("{\"jsonrpc\":\"1.0\",\"method\":\"a\"}"),
	    RPC_INVALID_REQUEST);
	assert_int_equal(
	    parse("{\"jsonrpc\":\"2.0\",\"method\":7}"), RPC_INVALID_REQUEST);
	assert_int_equal(
	    parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"id\":{}}"),
	    RPC_INVALID_REQUEST);
	assert_int_equal(
	    parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":[]}"),
	    RPC_INVALID_PARAMS);
	assert_int_equal(parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\"}"), 0);
}

static void
times_are_rfc3339(void **state)
{
	char out[RFC3339_MAX];

	(void)state;
	rfc3339(0, out);
	assert_string_equal(out, "1970-01-01T00:00:00.000000000Z");
	rfc3339(INT64_C(1767323045678901234), out);
	assert_string_equal(out, "2026-01-02T03:04:05.678901234Z");
	rfc3339(-1, out);
	assert_string_equal(out, "1969-12-31T23:59:59.999999999Z");
}

static void
signals_have_names_and_numbers(void **state)
{
	(void)state;
	assert_int_equal(signal_of_name("TERM"), 15);
	assert_int_equal(signal_of_name("sigusr1"), 10);
	assert_int_equal(signal_of_name("9"), 9);
	assert_int_equal(signal_of_name("0"), 0);
	assert_int_equal(signal_of_name("65"), 0);
	assert_int_equal(signal_of_name("9x"), 0);
	assert_int_equal(signal_of_name("NOPE"), 0);
	assert_int_equal(signal_of_name(""), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(every_json_value_survives_the_way_there_and_back),
	cmocka_unit_test(what_json_has_not_is_told_in_json),
	cmocka_unit_test(counts_beyond_the_bytes_are_refused),
	cmocka_unit_test(depth_is_bounded_both_ways),
	cmocka_unit_test(every_truncation_of_a_value_is_refused),
	cmocka_unit_test(noise_is_taken_or_refused_but_never_crashes),
	cmocka_unit_test(requests_are_told_from_what_is_none),
	cmocka_unit_test(times_are_rfc3339),
	cmocka_unit_test(signals_have_names_and_numbers),
};

int
main(void)
{
	return cmocka_run_group_tests_name("bus_pack", tests, NULL, NULL);
}
