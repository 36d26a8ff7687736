/* SPDX-License-Identifier: ISC */
/* Building and reading msgpack; msgpack-c's own reader is the oracle. */
#include <errno.h>
#include <msg/pack.h>
#include <msgpack.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Does msgpack-c take it for exactly one value? */
static bool
oracle(const void *p, size_t len)
{
	msgpack_unpacked u;
	size_t off = 0;
	bool ok;

	msgpack_unpacked_init(&u);
	ok = msgpack_unpack_next(&u, p, len, &off) == MSGPACK_UNPACK_SUCCESS &&
	     off == len;
	msgpack_unpacked_destroy(&u);
	return ok;
}

static void
what_is_built_can_be_read(void **state)
{
	static const int64_t ints[] = { 0, 1, 127, 128, 255, 256, 65535, 65536,
		INT32_MAX, UINT32_MAX, INT64_MAX, -1, -32, -33, -128, -129,
		-32768, -32769, INT32_MIN, INT64_MIN };
	const uint32_t n_ints = sizeof(ints) / sizeof(ints[0]);
	struct msg_pack p;
	struct msg_unpack u;
	const char *text;
	const void *data;
	uint64_t big;
	uint32_t n;
	int64_t i;
	size_t len;
	double d;
	bool b;

	(void)state;
	msg_pack_init(&p);
	msg_pack_array(&p, n_ints + 6);
	for (uint32_t k = 0; k < n_ints; k++)
		msg_pack_int(&p, ints[k]);
	msg_pack_uint(&p, UINT64_MAX);
	msg_pack_nil(&p);
	msg_pack_bool(&p, true);
	msg_pack_double(&p, 2.5);
	msg_pack_map(&p, 1);
	msg_pack_str(&p, "key");
	msg_pack_bin(&p, "\0\1", 2);
	msg_pack_str(&p, "");
	assert_false(p.failed);
	assert_true(oracle(p.data, p.len));

	assert_int_equal(msg_unpack_init(&u, p.data, p.len), 0);
	assert_int_equal(msg_unpack_array(&u, &n), 0);
	assert_int_equal(n, n_ints + 6);
	for (uint32_t k = 0; k < n_ints; k++) {
		assert_int_equal(msg_unpack_int(&u, &i), 0);
		assert_true(i == ints[k]);
	}
	assert_int_equal(msg_unpack_int(&u, &i), -EBADMSG);
	assert_int_equal(msg_unpack_uint(&u, &big), 0);
	assert_true(big == UINT64_MAX);
	assert_int_equal(msg_unpack_nil(&u), 0);
	assert_int_equal(msg_unpack_bool(&u, &b), 0);
	assert_true(b);
	assert_int_equal(msg_unpack_double(&u, &d), 0);
	assert_true(d > 2.49 && d < 2.51);
	assert_int_equal(msg_unpack_map(&u, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(msg_unpack_str(&u, &text, &len), 0);
	assert_memory_equal(text, "key", 3);
	assert_int_equal(msg_unpack_bin(&u, &data, &len), 0);
	assert_memory_equal(data, "\0\1", 2);
	assert_int_equal(msg_unpack_skip(&u), 0);
	assert_int_equal(msg_unpack_type(&u), MSG_TYPE_END);
	assert_int_equal(msg_unpack_skip(&u), -EBADMSG);
	assert_int_equal(msg_unpack_nil(&u), -EBADMSG);
	msg_pack_fini(&p);
}

static void
a_tag_and_its_arguments_are_taken_apart(void **state)
{
	struct msg m = { .content = MSG_PACKED };
	char tag[MSG_TAG_MAX + 1];
	struct msg_unpack u;
	int64_t v;

	(void)state;
	m.body = "\x92\xa3"
		 "add"
		 "\x03";
	m.len = 6;
	assert_int_equal(msg_unpack_tag(&m, &u, tag), 1);
	assert_string_equal(tag, "add");
	assert_int_equal(msg_unpack_int(&u, &v), 0);
	assert_int_equal(v, 3);
	m.len = 5;
	assert_int_equal(msg_unpack_tag(&m, &u, tag), -EBADMSG);
	m.len = 6;
	m.content = MSG_BYTES;
	assert_int_equal(msg_unpack_tag(&m, &u, tag), -EBADMSG);
	m.content = MSG_PACKED;
	m.body = "\x90";
	m.len = 1;
	assert_int_equal(msg_unpack_tag(&m, &u, tag), -EBADMSG);
	m.body = "\x91\xa3"
		 "a\0b";
	m.len = 5;
	assert_int_equal(msg_unpack_tag(&m, &u, tag), -EBADMSG);
}

static void
claims_without_bytes_are_refused(void **state)
{
	(void)state;
	assert_int_equal(msg_unpack_check("", 0), -EBADMSG);
	assert_int_equal(msg_unpack_check("\xdd\xff\xff\xff\xff", 5), -EBADMSG);
	assert_int_equal(msg_unpack_check("\xdf\xff\xff\xff\xff", 5), -EBADMSG);
	assert_int_equal(msg_unpack_check("\xdb\xff\xff\xff\xff", 5), -EBADMSG);
	assert_int_equal(
	    msg_unpack_check("\xc9\xff\xff\xff\xff\x01", 6), -EBADMSG);
	assert_int_equal(msg_unpack_check("\xc1", 1), -EBADMSG);
	assert_int_equal(msg_unpack_check("\xc0\xc0", 2), -EBADMSG);
	assert_int_equal(msg_unpack_check("\xc0", 1), 0);
}

static void
nesting_has_its_limit(void **state)
{
	unsigned char deep[MSG_PACK_DEPTH_MAX + 2];

	(void)state;
	memset(deep, 0x91, sizeof(deep));
	deep[MSG_PACK_DEPTH_MAX] = 0xc0;
	assert_int_equal(msg_unpack_check(deep, MSG_PACK_DEPTH_MAX + 1), 0);
	deep[MSG_PACK_DEPTH_MAX] = 0x91;
	deep[MSG_PACK_DEPTH_MAX + 1] = 0xc0;
	assert_int_equal(
	    msg_unpack_check(deep, MSG_PACK_DEPTH_MAX + 2), -EBADMSG);
}

/* Read a checked value to its end by the cursor; counts what it meets. */
static unsigned
read_all(const void *p, size_t len)
{
	struct msg_unpack u;
	unsigned count = 0;
	uint32_t n;

	assert_int_equal(msg_unpack_init(&u, p, len), 0);
	while (msg_unpack_type(&u) != MSG_TYPE_END) {
		if (msg_unpack_array(&u, &n) != 0 &&
		    msg_unpack_map(&u, &n) != 0)
			assert_int_equal(msg_unpack_skip(&u), 0);
		count++;
	}
	return count;
}

static void
what_passes_the_check_is_msgpack(void **state)
{
	unsigned passed = 0;

	(void)state;
	srandom(20240608);
	for (int round = 0; round < 300000; round++) {
		size_t len = 1 + (size_t)random() % 12;
		unsigned char *p = malloc(len);

		assert_non_null(p);
		for (size_t i = 0; i < len; i++)
			p[i] = (unsigned char)random();
		if (msg_unpack_check(p, len) == 0) {
			passed++;
			assert_true(oracle(p, len));
			assert_true(read_all(p, len) > 0);
			/* And nothing shorter than it is. */
			for (size_t cut = 0; cut < len; cut++)
				assert_int_equal(
				    msg_unpack_check(p, cut), -EBADMSG);
		}
		free(p);
	}
	assert_true(passed > 1000);
}

static void
a_value_passes_through_as_it_stands(void **state)
{
	struct msg_pack inner, outer;
	struct msg_unpack u;
	const void *raw;
	size_t len;
	uint32_t n;

	(void)state;
	msg_pack_init(&inner);
	msg_pack_array(&inner, 2);
	msg_pack_str(&inner, "port");
	msg_pack_int(&inner, 8080);
	msg_pack_init(&outer);
	msg_pack_array(&outer, 2);
	msg_pack_raw(&outer, inner.data, inner.len);
	msg_pack_nil(&outer);
	assert_false(outer.failed);
	assert_int_equal(msg_unpack_init(&u, outer.data, outer.len), 0);
	assert_int_equal(msg_unpack_array(&u, &n), 0);
	assert_int_equal(msg_unpack_raw(&u, &raw, &len), 0);
	assert_int_equal(len, inner.len);
	assert_memory_equal(raw, inner.data, len);
	assert_int_equal(msg_unpack_nil(&u), 0);
	assert_int_equal(msg_unpack_raw(&u, &raw, &len), -EBADMSG);
	/* Half a value, and two. */
	msg_pack_raw(&outer, inner.data, inner.len - 1);
	assert_true(outer.failed);
	outer.failed = false;
	msg_pack_raw(&outer, "\1\2", 2);
	assert_true(outer.failed);
	msg_pack_fini(&outer);
	msg_pack_fini(&inner);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_built_can_be_read),
		cmocka_unit_test(a_value_passes_through_as_it_stands),
		cmocka_unit_test(a_tag_and_its_arguments_are_taken_apart),
		cmocka_unit_test(claims_without_bytes_are_refused),
		cmocka_unit_test(nesting_has_its_limit),
		cmocka_unit_test(what_passes_the_check_is_msgpack),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
