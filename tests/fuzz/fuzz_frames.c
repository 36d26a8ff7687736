/* SPDX-License-Identifier: ISC */
/*
 * Batches of frames as no peer should send them.  proto_next() is held against
 * the same rules written down naively, byte for byte; what it gives is written
 * by proto_put() and read again.
 */
#include "fuzz.h"
#include "proto/proto.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static uint64_t
little(const unsigned char *p, size_t n)
{
	uint64_t v = 0;

	while (n-- != 0)
		v = v << 8 | p[n];
	return v;
}

/* The length of a frame at p, of `left` bytes; 0: there is none. */
static size_t
frame_at(const unsigned char *p, size_t left, size_t max)
{
	uint64_t n;

	if (left < 40 || p[0] != 1)
		return 0;
	n = little(p + 4, 4);
	return n < 40 || n > max || n > left ? 0 : (size_t)n;
}

static void
same_header(const struct proto_frame *h, const unsigned char *p)
{
	assert_int_equal(h->version, p[0]);
	assert_int_equal(h->type, p[1]);
	assert_int_equal(h->flags, little(p + 2, 2));
	assert_int_equal(h->length, little(p + 4, 4));
	assert_int_equal(h->to, little(p + 8, 8));
	assert_int_equal(h->from, little(p + 16, 8));
	assert_int_equal(h->ref, little(p + 24, 8));
	assert_int_equal(h->seq, little(p + 32, 4));
	assert_int_equal(h->tag, little(p + 36, 4));
}

/* Written with its own size and no more, it reads as it was. */
static void
written_again(const struct proto_frame *h, const void *body, size_t len)
{
	size_t size = proto_put(NULL, 0, h, body, len), pos = 0, got_len;
	unsigned char *out = malloc(size);
	struct proto_frame got;
	const void *got_body;

	assert_int_equal(proto_put(out, size - 1, h, body, len), 0);
	assert_int_equal(proto_put(out, size, h, body, len), size);
	assert_true(
	    proto_next(out, size, &pos, size, &got, &got_body, &got_len));
	assert_int_equal(pos, size);
	assert_memory_equal(&got, h, sizeof(got));
	assert_int_equal(got_len, len);
	assert_memory_equal(got_body, body, len);
	free(out);
}

/* Returns how many frames there were. */
static unsigned
read_batch(const unsigned char *p, size_t len, size_t max)
{
	size_t pos = 0, at = 0, n, body_len = 0;
	struct proto_frame h;
	const void *body;
	unsigned frames = 0;

	for (; (n = frame_at(p + at, len - at, max)) != 0; frames++) {
		assert_true(
		    proto_next(p, len, &pos, max, &h, &body, &body_len));
		same_header(&h, p + at);
		assert_ptr_equal(body, p + at + 40);
		assert_int_equal(body_len, n - 40);
		written_again(&h, body, body_len);
		n = (n + 7) / 8 * 8;
		at += n < len - at ? n : len - at;
		assert_int_equal(pos, at);
	}
	assert_false(proto_next(p, len, &pos, max, &h, &body, &body_len));
	assert_int_equal(pos, at);
	return frames;
}

static void
batches_are_read_as_the_rules_say(void **state)
{
	static struct fuzz_input in;
	unsigned long frames = 0, steps = 0;

	(void)state;
	for (; fuzz_next(); steps++) {
		static const size_t limits[] = { 40, 41, 100,
			PROTO_LIFELINE_MAX, PROTO_MESSAGE_MAX };
		unsigned char *exact;

		if (fuzz_one_in(8))
			fuzz_noise(&in, 300);
		else
			fuzz_corpus_draw(&in);
		if (!fuzz_one_in(16))
			fuzz_mutate(&in, 4000);
		exact = fuzz_exact(in.data, in.len);
		frames += read_batch(exact, in.len, limits[fuzz_below(5)]);
		free(exact);
	}
	/* Else nothing would have been tried. */
	assert_true(steps < 1000 || frames > steps / 10);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(batches_are_read_as_the_rules_say),
	};

	fuzz_init(argc, argv, "fuzz_frames", 300000);
	fuzz_corpus_hex(PROTO_VECTORS);
	return fuzz_end(cmocka_run_group_tests(tests, NULL, NULL));
}
