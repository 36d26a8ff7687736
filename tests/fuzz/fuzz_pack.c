/* SPDX-License-Identifier: ISC */
/*
 * Bodies that claim to be msgpack.  Two readers that share no line must agree
 * on what is one value, libmsg's msg_unpack_check() and the bus's
 * pack_check(); what they let through is read to its end, becomes JSON, and is
 * msgpack again afterwards.
 */
#include "bus/pack.h"
#include "fuzz.h"

#include <msg/pack.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(MSG_PACK_DEPTH_MAX == PACK_DEPTH_MAX, "one limit for both");

/* Read by the cursor, entering what can be entered.  Returns how many values.
 */
static size_t
read_all(const void *p, size_t len)
{
	const char *text;
	const void *data;
	struct msg_unpack u;
	size_t values = 0, n, sum = 0;
	uint64_t number;
	uint32_t count;
	double d;
	bool b;

	assert_int_equal(msg_unpack_init(&u, p, len), 0);
	for (; msg_unpack_type(&u) != MSG_TYPE_END; values++) {
		if (msg_unpack_array(&u, &count) == 0 ||
		    msg_unpack_map(&u, &count) == 0 ||
		    msg_unpack_nil(&u) == 0 || msg_unpack_bool(&u, &b) == 0 ||
		    msg_unpack_int(&u, (int64_t *)&number) == 0 ||
		    msg_unpack_uint(&u, &number) == 0 ||
		    msg_unpack_double(&u, &d) == 0)
			continue;
		if (msg_unpack_str(&u, &text, &n) == 0)
			data = text;
		else if (msg_unpack_bin(&u, &data, &n) != 0) {
			assert_int_equal(msg_unpack_type(&u), MSG_TYPE_EXT);
			assert_int_equal(msg_unpack_skip(&u), 0);
			continue;
		}
		for (size_t i = 0; i < n; i++)
			sum += ((const unsigned char *)data)[i];
	}
	assert_true(u.at == u.end);
	return values + (sum == SIZE_MAX);
}

static void
to_json_and_back(const void *p, size_t len)
{
	json_t *v = pack_to_json(p, len), *again;
	struct buf out = { 0 };

	assert_non_null(v);
	assert_true(pack_from_json(&out, v));
	assert_int_equal(msg_unpack_check(out.data, out.len), 0);
	again = pack_to_json(out.data, out.len);
	assert_true(json_equal(v, again));
	json_decref(again);
	json_decref(v);
	buf_fini(&out);
}

/* [tag, argument ...]: what msg_unpack_tag() gives is a C string. */
static void
take_tag(const void *p, size_t len)
{
	struct msg m = { .content = MSG_PACKED, .body = p, .len = len };
	char tag[MSG_TAG_MAX + 1];
	struct msg_unpack u;
	int n;

	memset(tag, 1, sizeof(tag));
	n = msg_unpack_tag(&m, &u, tag);
	if (n == -EBADMSG)
		return;
	assert_true(n >= 0);
	assert_non_null(memchr(tag, '\0', sizeof(tag)));
	while (n-- > 0)
		assert_int_equal(msg_unpack_skip(&u), 0);
	assert_int_equal(msg_unpack_type(&u), MSG_TYPE_END);
}

static void
two_readers_agree_on_every_body(void **state)
{
	static struct fuzz_input in;
	unsigned long good = 0, steps = 0;

	(void)state;
	for (; fuzz_next(); steps++) {
		void *p;
		bool ok;

		if (fuzz_one_in(8))
			fuzz_noise(&in, 64);
		else {
			fuzz_corpus_draw(&in);
			fuzz_mutate(&in, 2000);
		}
		p = fuzz_exact(in.data, in.len);
		ok = msg_unpack_check(p, in.len) == 0;
		assert_int_equal(pack_check(p, in.len), ok);
		take_tag(p, in.len);
		if (ok) {
			good++;
			assert_true(read_all(p, in.len) > 0);
			to_json_and_back(p, in.len);
		} else
			assert_null(pack_to_json(p, in.len));
		free(p);
	}
	assert_true(steps < 1000 || good > steps / 20);
}

#define ADD(bytes) fuzz_corpus_add(bytes, sizeof(bytes) - 1)

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_readers_agree_on_every_body),
	};

	fuzz_init(argc, argv, "fuzz_pack", 150000);
	ADD("\x91\xa9increment");
	ADD("\x93\xa3put\xa1k\xc4\x03\x00\xff\x41");
	ADD("\x83\xa1"
	    "a\x01\xa1"
	    "b\x92\xc0\xc3\xa1"
	    "c\x81\x01\x02");
	ADD("\x98\xcc\x80\xcd\x01\x00\xce\x00\x01\x00\x00"
	    "\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xd0\x80\xd1\x80\x00"
	    "\xd2\x80\x00\x00\x00\xd3\x80\x00\x00\x00\x00\x00\x00\x00");
	ADD("\x95\xd4\x01\x02\xd5\x01\x02\x03\xc7\x03\x05"
	    "abc\xc8\x00\x01\x07z"
	    "\xc9\x00\x00\x00\x01\x07z");
	ADD("\x93\xca\x3f\x80\x00\x00\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00\xe0");
	ADD("\xdc\x00\x02\xd9\x02hi\xda\x00\x02hi");
	ADD("\xde\x00\x01\xdb\x00\x00\x00\x01x\xdf\x00\x00\x00\x00");
	ADD("\xdd\x00\x00\x00\x02\xc5\x00\x01\xff\xc6\x00\x00\x00\x01\xff");
	ADD("\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91"
	    "\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0");
	return fuzz_end(cmocka_run_group_tests(tests, NULL, NULL));
}
