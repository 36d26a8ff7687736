/* SPDX-License-Identifier: ISC */
/*
 * Three who have proved who they are, and one who has not, say anything at all
 * at the mailbox of a real libmsg behind the real nanomsg, in messages that
 * nanomsg takes.  After every few of them a call of an honest one is answered,
 * by what it asked.
 */
#include "../unit/msg_bus.h"
#include "fuzz.h"

#include <errno.h>
#include <msg/msg.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVER    1 /* its slot; the others are nobody's but have proofs */
#define HONEST    9
#define N_HOSTILE 4 /* slots 2 to 5; the last has no proof */
#define BATCH_MAX 4000

static int hostile[N_HOSTILE], honest;
static unsigned long n_sent, n_closed, n_answered;

/* ---- the worker ---------------------------------------------------------- */

static int
server(void)
{
	struct msg m;
	int r;

	check(msg_open() == 0);
	check(msg_ready() == 0);
	while ((r = msg_receive(&m, -1)) == 1) {
		unsigned sum = 0;

		for (size_t i = 0; i < m.len; i++)
			sum += ((const unsigned char *)m.body)[i];
		check(((const char *)m.body)[m.len] == '\0' && sum != 1u << 31);
		check(m.kind >= MSG_DATA && m.kind <= MSG_TIMEOUT);
		if (m.kind == MSG_CALL)
			check(msg_reply(&m, m.content, m.body, m.len) == 0);
		msg_free(&m);
	}
	check(r == -EPIPE);
	return 0;
}

/* ---- connections, by hand ------------------------------------------------ */

static void
sp_send(int s, const void *frames, size_t len, int flags)
{
	static unsigned char buf[13 + FUZZ_INPUT_MAX];
	size_t size = 4 + len;

	memset(buf, 0, 13);
	buf[0] = 1;
	for (int i = 0; i < 8; i++)
		buf[1 + i] = (unsigned char)(size >> (56 - 8 * i));
	buf[9] = 0x80;
	memcpy(buf + 13, frames, len);
	for (size_t at = 0; at < 13 + len;) {
		ssize_t n =
		    send(s, buf + at, 13 + len - at, flags | MSG_NOSIGNAL);
		struct pollfd p = { .fd = s, .events = POLLOUT };

		if (n > 0)
			at += (size_t)n;
		else if (errno != EAGAIN || poll(&p, 1, 10) < 0)
			return;
		bus_serve();
	}
	n_sent++;
}

static int
sp_connect(int slot, bool proof)
{
	static const unsigned char hello[8] = { 0, 'S', 'P', 0, 0, 0x30, 0, 0 };
	struct proto_frame h = { .type = PROTO_HELLO,
		.to = BUS_PID(SERVER),
		.from = BUS_PID(slot),
		.ref = proof ? bus_proof(slot, SERVER) : 7 };
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char frame[PROTO_HEADER_SIZE], theirs[8];

	snprintf(a.sun_path, sizeof(a.sun_path), "%.100s",
	    bus_endpoint(SERVER) + strlen("ipc://"));
	assert_return_code(connect(s, (struct sockaddr *)&a, sizeof(a)), errno);
	assert_int_equal(send(s, hello, 8, MSG_NOSIGNAL), 8);
	assert_int_equal(recv(s, theirs, 8, MSG_WAITALL), 8);
	sp_send(s, frame, proto_put(frame, sizeof(frame), &h, NULL, 0), 0);
	return s;
}

/* All of n bytes, with the bus served meanwhile. */
static void
take(int s, void *out, size_t n)
{
	for (size_t at = 0, idle = 0; at < n;) {
		struct pollfd p = { .fd = s, .events = POLLIN };
		ssize_t r;

		bus_serve();
		if (poll(&p, 1, 5) == 0) {
			assert_true(++idle < 4000);
			continue;
		}
		r = recv(s, (char *)out + at, n - at, 0);
		assert_true(r > 0);
		at += (size_t)r;
	}
}

/* The next message of the server to us.  Returns how long it is. */
static size_t
sp_take(int s, unsigned char *out, size_t cap)
{
	unsigned char head[9];
	size_t len = 0;

	take(s, head, sizeof(head));
	assert_int_equal(head[0], 1);
	for (int i = 1; i < 9; i++)
		len = len << 8 | head[i];
	assert_true(len >= 4 && len <= cap);
	take(s, out, len);
	return len;
}

/* ---- what must go on working --------------------------------------------- */

static uint64_t taken; /* bytes, by the honest one */

static void
give_credit(uint32_t seq)
{
	struct proto_credit c = { .bytes = taken, .seq = seq };
	struct proto_frame h = { .type = PROTO_CREDIT,
		.to = BUS_PID(SERVER),
		.from = BUS_PID(HONEST) };
	char frame[PROTO_HEADER_SIZE + sizeof(c)];

	sp_send(honest, frame,
	    proto_put(frame, sizeof(frame), &h, &c, sizeof(c)), 0);
}

static void
the_honest_one_is_answered(void)
{
	static unsigned char buf[64 * 1024];
	static uint32_t seq;
	static uint64_t ref = 1000;
	char frame[PROTO_HEADER_SIZE + 16];
	struct proto_frame h = { .type = PROTO_CALL,
		.to = BUS_PID(SERVER),
		.from = BUS_PID(HONEST),
		.ref = ++ref,
		.seq = ++seq };
	const void *body;
	size_t n, pos, len;

	n = proto_put(frame, sizeof(frame), &h, &ref, sizeof(ref));
	sp_send(honest, frame, n, 0);
	for (bool done = false; !done;) {
		/* Behind the word that leads. */
		n = sp_take(honest, buf, sizeof(buf)) - 4;
		for (pos = 0; proto_next(
			 buf + 4, n, &pos, sizeof(buf), &h, &body, &len);) {
			assert_int_equal(h.from, BUS_PID(SERVER));
			assert_int_equal(h.to, BUS_PID(HONEST));
			if (h.type != PROTO_REPLY)
				continue;
			taken += proto_put(NULL, 0, &h, NULL, len);
			give_credit(h.seq);
			assert_int_equal(h.ref, ref);
			assert_int_equal(len, sizeof(ref));
			assert_memory_equal(body, &ref, len);
			done = true;
		}
		assert_int_equal(pos, n);
	}
	n_answered++;
}

/* ---- what they say ------------------------------------------------------- */

static uint64_t
some_pid(size_t sender)
{
	switch (fuzz_below(6)) {
	case 0:
		return BUS_PID(HONEST);
	case 1:
		return BUS_PID(SERVER);
	case 2:
		return fuzz_edge();
	case 3:
		return BUS_PID(2 + fuzz_below(N_HOSTILE));
	default:
		return BUS_PID(2 + sender);
	}
}

static void
draft(size_t sender, struct fuzz_input *in)
{
	static char body[2000];
	static uint32_t seq[N_HOSTILE];

	in->len = 0;
	for (size_t n = fuzz_below(4) + 1; n != 0; n--) {
		struct proto_frame h = {
			.type = (uint8_t)(fuzz_one_in(4) ? fuzz_u64()
							 : 1 + fuzz_below(9)),
			.flags = (uint16_t)(fuzz_one_in(4) ? fuzz_edge()
							   : fuzz_below(2)),
			.to = fuzz_one_in(8) ? fuzz_edge() : BUS_PID(SERVER),
			.from = fuzz_one_in(3) ? some_pid(sender)
			                       : BUS_PID(2 + sender),
			.ref =
			    fuzz_one_in(2) ? fuzz_below(4) + 1000 : fuzz_edge(),
			.seq = fuzz_one_in(4) ? (uint32_t)fuzz_edge()
			                      : ++seq[sender],
			.tag = (uint32_t)fuzz_edge(),
		};
		size_t len = fuzz_one_in(4) ? sizeof(struct proto_credit)
		                            : fuzz_below(sizeof(body));

		memset(body, (int)fuzz_u64(), len);
		for (size_t i = 0; i + 8 <= len && i < 24; i += 8) {
			uint64_t v = fuzz_edge();

			memcpy(body + i, &v, 8);
		}
		in->len += proto_put(in->data + in->len,
		    sizeof(in->data) - in->len, &h, body, len);
	}
	if (fuzz_one_in(3))
		fuzz_mutate(in, BATCH_MAX);
	if (fuzz_one_in(32))
		fuzz_noise(in, 200);
}

static void
say(size_t i)
{
	static struct fuzz_input in;
	static char sink[65536];

	while (recv(hostile[i], sink, sizeof(sink), MSG_DONTWAIT) > 0)
		continue;
	draft(i, &in);
	sp_send(hostile[i], in.data, in.len, MSG_DONTWAIT);
	if (fuzz_one_in(500)) {
		close(hostile[i]);
		hostile[i] = sp_connect(2 + (int)i, i != N_HOSTILE - 1);
		n_closed++;
	}
}

static void
whatever_comes_the_honest_are_answered(void **state)
{
	(void)state;
	bus_start(server);
	assert_true(bus_until_ready(SERVER));
	for (size_t i = 0; i < N_HOSTILE; i++)
		hostile[i] = sp_connect(2 + (int)i, i != N_HOSTILE - 1);
	honest = sp_connect(HONEST, true);
	while (fuzz_next()) {
		say(fuzz_below(N_HOSTILE));
		bus_serve();
		if (fuzz.step % 64 == 0)
			the_honest_one_is_answered();
	}
	the_honest_one_is_answered();
	printf("# %lu messages, %lu connections ended, %lu honest calls, "
	       "reported %u times\n",
	    n_sent, n_closed, n_answered, bus_reports(SERVER));
	for (size_t i = 0; i < N_HOSTILE; i++)
		close(hostile[i]);
	close(honest);
	bus_hang_up(SERVER);
	assert_true(bus_succeeded(SERVER));
	assert_true(fuzz.end - fuzz.first < 1000 || bus_reports(SERVER) > 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    whatever_comes_the_honest_are_answered, bus_setup,
		    bus_teardown),
	};

	fuzz_init(argc, argv, "fuzz_mailbox", 20000);
	fuzz_corpus_hex(PROTO_VECTORS);
	return fuzz_end(cmocka_run_group_tests(tests, NULL, NULL));
}
