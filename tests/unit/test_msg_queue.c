/* SPDX-License-Identifier: ISC */
/* The save queue (P-5): oldest first, and what finding costs, in steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../libmsg/src/queue.h"

#define FIRST_REF UINT64_C(1000000)
#define MANY      500000
#define A         PROTO_PID(1, 1)
#define B         PROTO_PID(2, 1)

static void
put(struct queue *q, enum msg_kind kind, msg_pid from, uint64_t ref,
    const char *body)
{
	struct proto_frame h = {
		.from = from, .ref = ref, .flags = PROTO_MSGPACK
	};
	struct item *it = item_new(kind, &h, body, strlen(body));

	assert_non_null(it);
	queue_put(q, it, ref > FIRST_REF);
}

/* Take one out by one pattern: its ref, and 0 when there is none. */
static uint64_t
take(struct queue *q, const struct msg_pattern *p)
{
	uint64_t scanned = 0, ref = 0;
	size_t which = 9;
	struct item *it = queue_match(q, p, 1, &scanned, &which);

	if (it != NULL) {
		assert_int_equal(which, 0);
		ref = it->h.ref;
		free(it);
	}
	return ref;
}

static void
fill(struct queue *q, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		put(q, MSG_DATA, A, 1,
		    "\x91\xa3"
		    "old");
}

static void
the_oldest_that_fits_is_taken_and_others_stay_in_order(void **state)
{
	const struct msg_pattern from_b = { .from = B };
	struct queue q;
	struct item *it;

	(void)state;
	queue_init(&q, FIRST_REF);
	put(&q, MSG_DATA, A, 1, "");
	put(&q, MSG_DATA, B, 2, "");
	put(&q, MSG_DATA, A, 3, "");
	put(&q, MSG_DATA, B, 4, "");
	assert_int_equal(take(&q, &from_b), 2);
	assert_int_equal(take(&q, &from_b), 4);
	assert_int_equal(take(&q, &from_b), 0);
	it = queue_take_first(&q);
	assert_int_equal(it->h.ref, 1);
	free(it);
	it = queue_take_first(&q);
	assert_int_equal(it->h.ref, 3);
	free(it);
	assert_null(queue_take_first(&q));
	assert_int_equal(q.n, 0);
	assert_int_equal(q.bytes, 0);
	queue_fini(&q);
}

static void
of_many_patterns_the_oldest_message_decides(void **state)
{
	const struct msg_pattern p[] = {
		{ .from = B },
		{ .ref = FIRST_REF + 1 },
		{ .kinds = MSG_IS(MSG_CAST) },
	};
	struct queue q;
	struct item *it;
	uint64_t scanned = 0;
	size_t which;

	(void)state;
	queue_init(&q, FIRST_REF);
	assert_int_equal(queue_ref(&q), FIRST_REF + 1);
	put(&q, MSG_DATA, A, 1, "");
	put(&q, MSG_CAST, A, 2, "");
	put(&q, MSG_DOWN, A, FIRST_REF + 1, "normal");
	put(&q, MSG_DATA, B, 4, "");
	for (size_t expected = 3; expected-- > 0;) {
		/* CAST, then the ref, then what is from B. */
		scanned = 0;
		it = queue_match(&q, p, 3, &scanned, &which);
		assert_non_null(it);
		assert_int_equal(which, expected == 2   ? 2
					: expected == 1 ? 1
							: 0);
		free(it);
	}
	scanned = 0;
	assert_null(queue_match(&q, p, 3, &scanned, &which));
	assert_int_equal(q.n, 1);
	queue_fini(&q);
}

static void
a_tag_is_read_from_every_form_of_array_and_string(void **state)
{
	static const struct {
		const char *body;
		size_t len;
		bool fits;
	} t[] = {
		{ "\x91\xa3"
		  "add",
		    5, true },
		{ "\x92\xa3"
		  "add\x01",
		    6, true },
		{ "\xdc\x00\x01\xa3"
		  "add",
		    7, true },
		{ "\xdd\x00\x00\x00\x01\xd9\x03"
		  "add",
		    10, true },
		{ "\x91\xda\x00\x03"
		  "add",
		    7, true },
		{ "\x91\xdb\x00\x00\x00\x03"
		  "add",
		    9, true },
		{ "\x90", 1, false },
		{ "\x91", 1, false },
		{ "", 0, false },
		{ "\xdc\x00", 2, false },
		{ "\xdc\x00\x00\xa3"
		  "add",
		    7, false },
		{ "\x91\xdb\x00\x00", 4, false },
		{ "\x91\xa3"
		  "ad",
		    4, false },
		{ "\x91\xa4"
		  "adds",
		    6, false },
		{ "\x91\xa2"
		  "ad",
		    4, false },
		{ "\xa3"
		  "add",
		    4, false },
		{ "\x91\x03", 2, false },
	};
	const struct msg_pattern p = { .tag = "add" };
	struct proto_frame h = { .ref = 7, .flags = PROTO_MSGPACK };
	struct queue q;

	(void)state;
	queue_init(&q, FIRST_REF);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		queue_put(
		    &q, item_new(MSG_DATA, &h, t[i].body, t[i].len), false);
		assert_int_equal(take(&q, &p), t[i].fits ? 7 : 0);
		if (!t[i].fits)
			free(queue_take_first(&q));
	}
	/* Bytes have no tag, whatever they look like. */
	h.flags = PROTO_BYTES;
	queue_put(&q, item_new(MSG_DATA, &h, t[0].body, t[0].len), false);
	assert_int_equal(take(&q, &p), 0);
	queue_fini(&q);
}

static void
a_ref_of_ours_is_found_in_one_step_behind_half_a_million(void **state)
{
	struct msg_pattern p = { .ref = FIRST_REF + 1 };
	struct queue q;
	uint64_t before;

	(void)state;
	queue_init(&q, FIRST_REF);
	fill(&q, MANY);
	for (int i = 0; i < 3; i++)
		p.ref = queue_ref(&q);
	before = q.steps;
	assert_int_equal(take(&q, &p), 0); /* it has not come */
	assert_int_equal(q.steps, before + 1);
	put(&q, MSG_REPLY, B, p.ref, "");
	assert_int_equal(take(&q, &p), p.ref);
	assert_int_equal(q.steps, before + 2);
	assert_int_equal(q.n, MANY);
	/* And so does the table of the refs itself: a thousand of them. */
	for (int i = 0; i < 1000; i++)
		put(&q, MSG_DOWN, B, queue_ref(&q), "normal");
	for (uint64_t ref = q.last_ref; ref > q.last_ref - 1000; ref--) {
		p.ref = ref;
		assert_int_equal(take(&q, &p), ref);
	}
	assert_int_equal(q.steps, before + 1002);
	queue_fini(&q);
}

static void
a_wait_that_goes_on_looks_only_at_what_is_new(void **state)
{
	const struct msg_pattern p = { .from = B };
	struct queue q;
	struct item *it;
	uint64_t scanned = 0, before;
	size_t which;

	(void)state;
	queue_init(&q, FIRST_REF);
	fill(&q, 1000);
	assert_null(queue_match(&q, &p, 1, &scanned, &which));
	assert_int_equal(q.steps, 1000);
	before = q.steps;
	for (int i = 0; i < 10; i++) {
		fill(&q, 1);
		assert_null(queue_match(&q, &p, 1, &scanned, &which));
	}
	assert_int_equal(q.steps, before + 10);
	put(&q, MSG_DATA, B, 5, "");
	it = queue_match(&q, &p, 1, &scanned, &which);
	assert_non_null(it);
	free(it);
	assert_int_equal(q.steps, before + 11);
	queue_fini(&q);
}

static void
the_ref_of_somebody_elses_call_is_looked_for(void **state)
{
	const struct msg_pattern p = { .kinds = MSG_IS(MSG_CALL),
		.ref = FIRST_REF - 5 };
	struct queue q;

	(void)state;
	queue_init(&q, FIRST_REF);
	put(&q, MSG_CALL, A, FIRST_REF - 6, "");
	put(&q, MSG_DATA, A, FIRST_REF - 5, "");
	put(&q, MSG_CALL, A, FIRST_REF - 5, "");
	assert_int_equal(take(&q, &p), FIRST_REF - 5);
	assert_int_equal(q.n, 2);
	assert_int_equal(take(&q, &p), 0);
	queue_fini(&q);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    the_oldest_that_fits_is_taken_and_others_stay_in_order),
		cmocka_unit_test(of_many_patterns_the_oldest_message_decides),
		cmocka_unit_test(
		    a_tag_is_read_from_every_form_of_array_and_string),
		cmocka_unit_test(
		    a_ref_of_ours_is_found_in_one_step_behind_half_a_million),
		cmocka_unit_test(a_wait_that_goes_on_looks_only_at_what_is_new),
		cmocka_unit_test(the_ref_of_somebody_elses_call_is_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
