/* SPDX-License-Identifier: ISC */
/*
 * The wire format: the vectors in libmsg/proto/vectors, which any other
 * implementation can use as well, and input that means harm.
 */
#include "proto/proto.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct vector {
	unsigned char data[2048];
	size_t len;
	char want[4096]; /* what reading it must print */
	unsigned char secret[PROTO_SECRET_SIZE]; /* of who is greeted */
	bool has_secret;
};

/* The bytes of a line in hexadecimal.  Returns how many. */
static size_t
hex(const char *p, unsigned char *out, size_t size)
{
	unsigned byte;
	size_t n = 0;
	int used;

	while (sscanf(p, "%2x%n", &byte, &used) == 1) {
		assert_true(n < size);
		out[n++] = (unsigned char)byte;
		p += used;
	}
	return n;
}

static void
vector_load(const char *path, struct vector *v)
{
	FILE *f = fopen(path, "r");
	char line[4096];

	assert_non_null(f);
	memset(v, 0, sizeof(*v));
	while (fgets(line, sizeof(line), f) != NULL) {
		if (line[0] == '#')
			continue;
		if (strncmp(line, "proof secret=", 13) == 0) {
			assert_int_equal(sizeof(v->secret),
			    hex(line + 13, v->secret, sizeof(v->secret)));
			v->has_secret = true;
		} else if (strchr(line, '=') != NULL ||
			   strcmp(line, "end\n") == 0 ||
			   strcmp(line, "bad\n") == 0) {
			assert_true(
			    strlen(v->want) + strlen(line) < sizeof(v->want));
			strcat(v->want, line);
		} else {
			v->len += hex(
			    line, v->data + v->len, sizeof(v->data) - v->len);
		}
	}
	fclose(f);
}

static const char *
text_or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

/* The structure that the body is, if it is one. */
static size_t
describe_body(
    const struct proto_frame *h, const void *body, char *out, size_t size)
{
	union {
		struct proto_join join;
		struct proto_welcome welcome;
		struct proto_credit credit;
		struct proto_stats stats;
		struct proto_result result;
		struct proto_resolved resolved;
	} u;
	size_t n = h->length - PROTO_HEADER_SIZE, k = 0;
	char secret[2 * PROTO_SECRET_SIZE + 1] = "";

	if (n > sizeof(u))
		return 0;
	memcpy(&u, body, n);
	if (h->type == PROTO_JOIN && n == sizeof(u.join))
		return (size_t)snprintf(
		    out, size, "join os_pid=%d\n", u.join.os_pid);
	if (h->type == PROTO_CREDIT && n == sizeof(u.credit))
		return (size_t)snprintf(out, size, "credit bytes=%ju seq=%u\n",
		    (uintmax_t)u.credit.bytes, u.credit.seq);
	if (h->type == PROTO_RESULT && n == sizeof(u.result))
		return (size_t)snprintf(
		    out, size, "result error=%d\n", u.result.error);
	if (h->type == PROTO_STATS && n == sizeof(u.stats))
		return (size_t)snprintf(out, size,
		    "stats sent=%ju received=%ju queued=%ju queued_bytes=%ju "
		    "dropped=%ju bad=%ju\n",
		    (uintmax_t)u.stats.sent, (uintmax_t)u.stats.received,
		    (uintmax_t)u.stats.queued, (uintmax_t)u.stats.queued_bytes,
		    (uintmax_t)u.stats.dropped, (uintmax_t)u.stats.bad);
	if (h->type == PROTO_RESOLVED && n == sizeof(u.resolved))
		return (size_t)snprintf(out, size,
		    "resolved pid=0x%jx error=%d proof=%ju endpoint=%s\n",
		    (uintmax_t)u.resolved.pid, u.resolved.error,
		    (uintmax_t)u.resolved.proof,
		    text_or_dash(u.resolved.endpoint));
	if (h->type != PROTO_WELCOME || n != sizeof(u.welcome))
		return 0;
	for (int i = 0; i < PROTO_SECRET_SIZE; i++)
		k += (size_t)snprintf(secret + k, sizeof(secret) - k, "%02x",
		    u.welcome.secret[i]);
	return (size_t)snprintf(out, size,
	    "welcome self=0x%jx endpoint=%s path=%s secret=%s max_bytes=%ju "
	    "on_full=%u\n",
	    (uintmax_t)u.welcome.self, text_or_dash(u.welcome.endpoint),
	    text_or_dash(u.welcome.path), secret,
	    (uintmax_t)u.welcome.max_bytes, u.welcome.on_full);
}

/* Read a batch, and write down what is in it, in the vectors' words. */
static void
describe(const unsigned char *data, size_t len, char *out, size_t size)
{
	struct proto_frame h;
	const void *body;
	size_t pos = 0, body_len, n = 0;

	while (proto_next(
	    data, len, &pos, PROTO_MESSAGE_MAX, &h, &body, &body_len)) {
		n += (size_t)snprintf(out + n, size - n,
		    "frame type=%u flags=%u to=0x%llx from=0x%llx ref=%llu "
		    "seq=%u tag=%u body=%s",
		    h.type, h.flags, (unsigned long long)h.to,
		    (unsigned long long)h.from, (unsigned long long)h.ref,
		    h.seq, h.tag, body_len == 0 ? "-" : "");
		for (size_t i = 0; i < body_len; i++)
			n += (size_t)snprintf(out + n, size - n, "%02x",
			    ((const unsigned char *)body)[i]);
		n += (size_t)snprintf(out + n, size - n, "\n");
		n += describe_body(&h, body, out + n, size - n);
	}
	snprintf(out + n, size - n, pos == len ? "end\n" : "bad\n");
}

/* Run `fn` on each vector; returns how many there were. */
static unsigned
each_vector(void (*fn)(const struct vector *v))
{
	DIR *d = opendir(PROTO_VECTORS);
	struct dirent *e;
	struct vector v;
	char path[1024];
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".hex") == NULL)
			continue;
		snprintf(path, sizeof(path), "%s/%s", PROTO_VECTORS, e->d_name);
		vector_load(path, &v);
		fn(&v);
		n++;
	}
	closedir(d);
	return n;
}

static void
read_one(const struct vector *v)
{
	char got[4096];

	describe(v->data, v->len, got, sizeof(got));
	assert_string_equal(got, v->want);
}

static void
every_vector_reads_as_it_says(void **state)
{
	(void)state;
	assert_true(each_vector(read_one) >= 58);
}

/* What was read is written again: the same bytes, and zeros for padding. */
static void
write_one(const struct vector *v)
{
	unsigned char out[2048];
	struct proto_frame h;
	const void *body;
	size_t pos = 0, body_len, n = 0;

	while (proto_next(
	    v->data, v->len, &pos, PROTO_MESSAGE_MAX, &h, &body, &body_len)) {
		size_t m =
		    proto_put(out + n, sizeof(out) - n, &h, body, body_len);

		assert_true(m != 0 && m % 8 == 0);
		assert_int_equal(m, proto_put(NULL, 0, &h, body, body_len));
		n += m;
	}
	for (size_t i = 0; i < n; i++)
		assert_int_equal(out[i], i < pos ? v->data[i] : 0);
}

static void
every_vector_is_written_as_it_was_read(void **state)
{
	(void)state;
	assert_true(each_vector(write_one) >= 58);
}

/* There is one of each type but the reserved one. */
static bool seen[256];

static void
see_one(const struct vector *v)
{
	struct proto_frame h;
	const void *body;
	size_t pos = 0, body_len;

	while (proto_next(
	    v->data, v->len, &pos, PROTO_MESSAGE_MAX, &h, &body, &body_len))
		seen[h.type] = true;
}

static void
every_type_of_frame_has_a_vector(void **state)
{
	(void)state;
	(void)each_vector(see_one);
	for (int t = PROTO_DATA; t <= PROTO_ANSWER; t++) {
		bool is = (t < PROTO_SHM) ||
		          (t >= PROTO_JOIN && t <= PROTO_OPENED) ||
		          (t >= PROTO_WELCOME && t <= PROTO_UNLINKED) ||
		          t >= PROTO_EXIT;

		if (seen[t] != is)
			fail_msg("type %d: %s", t, is ? "no vector" : "what?");
	}
}

static unsigned n_proofs;

static void
prove_one(const struct vector *v)
{
	struct proto_frame h;
	const void *body;
	size_t pos = 0, body_len;

	if (!v->has_secret)
		return;
	assert_true(proto_next(
	    v->data, v->len, &pos, PROTO_MESSAGE_MAX, &h, &body, &body_len));
	assert_int_equal(h.ref, proto_proof(v->secret, h.from, h.to));
	n_proofs++;
}

static void
a_hello_proves_who_was_told_the_way(void **state)
{
	(void)state;
	(void)each_vector(prove_one);
	assert_true(n_proofs >= 1);
}

static void
a_frame_longer_than_the_reader_takes_is_malformed(void **state)
{
	struct proto_frame h = { .type = PROTO_DATA, .to = 1, .from = 2 };
	unsigned char out[64];
	const void *body;
	size_t len, pos = 0, body_len;

	(void)state;
	len = proto_put(out, sizeof(out), &h, "12345678", 8);
	assert_int_equal(len, 48);
	assert_false(proto_next(out, len, &pos, 47, &h, &body, &body_len));
	assert_int_equal(pos, 0);
	assert_true(proto_next(out, len, &pos, 48, &h, &body, &body_len));
}

static void
put_refuses_what_does_not_fit(void **state)
{
	struct proto_frame h = { .type = PROTO_DATA };
	unsigned char out[56];

	(void)state;
	memset(out, 0xee, sizeof(out));
	assert_int_equal(proto_put(out, 47, &h, "1", 1), 0);
	assert_int_equal(out[0], 0xee);
	assert_int_equal(proto_put(out, 48, &h, "1", 1), 48);
	assert_int_equal(out[48], 0xee);
	assert_int_equal(proto_put(NULL, 0, &h, NULL, UINT32_MAX), 0);
	assert_int_equal(proto_put(NULL, 0, &h, NULL, SIZE_MAX), 0);
}

/*
 * Random bytes and damaged frames: reading ends, stays inside (the sanitizers
 * watch a block of exactly that size), and never passes the end.
 */
static void
no_input_makes_the_reader_leave_its_bounds(void **state)
{
	struct proto_frame h = { .type = PROTO_DATA, .to = 1, .from = 2 };
	unsigned sum = 0;

	(void)state;
	srandom(20240607);
	for (int round = 0; round < 100000; round++) {
		size_t len = (size_t)random() % 160, pos = 0, body_len, was;
		unsigned char *p = malloc(len != 0 ? len : 1);
		const void *body;

		assert_non_null(p);
		for (size_t i = 0; i < len; i++)
			p[i] = (unsigned char)random();
		if (round % 2 == 0 && len >= 48) {
			proto_put(p, len, &h, "abc", 3);
			p[random() % 48] ^= (unsigned char)(1u << random() % 8);
		}
		for (was = 0; proto_next(
			 p, len, &pos, PROTO_MESSAGE_MAX, &h, &body, &body_len);
		     was = pos) {
			assert_true(pos > was && pos <= len);
			for (size_t i = 0; i < body_len; i++)
				sum += ((const unsigned char *)body)[i];
		}
		assert_true(pos <= len);
		h = (struct proto_frame){
			.type = PROTO_DATA, .to = 1, .from = 2
		};
		free(p);
	}
	assert_true(sum != 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_vector_reads_as_it_says),
		cmocka_unit_test(every_vector_is_written_as_it_was_read),
		cmocka_unit_test(every_type_of_frame_has_a_vector),
		cmocka_unit_test(a_hello_proves_who_was_told_the_way),
		cmocka_unit_test(
		    a_frame_longer_than_the_reader_takes_is_malformed),
		cmocka_unit_test(put_refuses_what_does_not_fit),
		cmocka_unit_test(no_input_makes_the_reader_leave_its_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
