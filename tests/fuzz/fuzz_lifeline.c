/* SPDX-License-Identifier: ISC */
/*
 * Five workers that say anything at all on their lifelines to a real bus, die
 * and are started again, beside a quiet one and a client.  After every few
 * frames the quiet one is answered at once, still has its name, and has heard
 * nothing but well-formed frames whose `from` is true.
 */
#include "../unit/bus_rig.h"
#include "fuzz.h"
#include "wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_HOSTILE  5
#define QUIET_SLOT 2u
#define FIRST_SLOT 4u
#define LIVES      4 /* incarnations of each that are remembered */
#define FRAME_MAX  (PROTO_LIFELINE_MAX + 64)

struct hostile {
	uint32_t slot;
	uint64_t inc;
	int fd;
};

static struct rig *rig;
static struct hostile hostile[N_HOSTILE];
static int quiet, client;
static unsigned long n_frames, n_relayed, n_lives;

static uint64_t
pid_of(size_t i)
{
	return PROTO_PID(hostile[i].slot, hostile[i].inc);
}

/* ---- their lives --------------------------------------------------------- */

static void
live(struct hostile *w)
{
	char path[64];

	snprintf(path, sizeof(path), "root/h%u", w->slot);
	w->inc++;
	n_lives++;
	rig_proc_uid(rig, w->slot, w->inc, path, getuid() + w->slot % 2);
	w->fd = rig_lifeline(rig, w->slot, w->inc);
	if (!fuzz_one_in(8)) {
		struct proto_join j = { .os_pid = 4242 };

		ll_send(w->fd, PROTO_JOIN, 0, 1, 0, &j, sizeof(j));
	}
}

static void
die(struct hostile *w)
{
	static const char *const why[] = { "exit 1", "SIGKILL", "normal", "" };

	if (fuzz_one_in(2)) {
		close(w->fd);
		rig_dead(rig, w->slot, w->inc, why[fuzz_below(4)]);
	} else {
		rig_dead(rig, w->slot, w->inc, why[fuzz_below(4)]);
		close(w->fd);
	}
	live(w);
}

/* What the bus says is well-formed, whoever hears it. */
static bool
hear(int fd, struct proto_frame *ret_h)
{
	static _Alignas(8) char buf[FRAME_MAX];
	size_t pos = 0, len;
	const void *body;
	ssize_t n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);

	if (n <= 0)
		return false;
	assert_true(proto_next(
	    buf, (size_t)n, &pos, PROTO_LIFELINE_MAX, ret_h, &body, &len));
	assert_int_equal(pos, n);
	return true;
}

static void
hear_all(int fd)
{
	struct proto_frame h;

	while (hear(fd, &h))
		continue;
}

/* ---- what they say ------------------------------------------------------- */

static uint64_t
some_pid(void)
{
	size_t i = fuzz_below(N_HOSTILE);

	switch (fuzz_below(8)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return PROTO_PID(QUIET_SLOT, 1);
	case 3: /* one that has ended, or is still to come */
		return pid_of(i) + fuzz_below(LIVES) - LIVES / 2;
	case 4:
		return PROTO_PID(PROTO_GUEST_SLOT, fuzz_below(4));
	case 5:
		return fuzz_edge();
	default:
		return pid_of(i);
	}
}

static unsigned
some_type(void)
{
	switch (fuzz_below(8)) {
	case 0:
		return (unsigned)fuzz_below(256);
	case 1:
		return PROTO_WELCOME + (unsigned)fuzz_below(8);
	case 2:
		return PROTO_EXIT + (unsigned)fuzz_below(4);
	case 3:
	case 4:
		return PROTO_DATA + (unsigned)fuzz_below(PROTO_SHM);
	default:
		return PROTO_JOIN + (unsigned)fuzz_below(PROTO_REPORT - 31);
	}
}

/* A text: names that others have, paths, methods, pools. */
static size_t
some_text(char *out)
{
	static const char *const words[] = { "quiet", "root/quiet", "quiet2",
		"a", "b", "root", "root/h4", "h5", "", "root/pool", "/", "..",
		"normal", "shutdown", "kill", "killed", "noproc", "*", "<2.1>",
		"<4.1>", "\xff\xfe", "a\nb", "\x1b[2J" };
	size_t n = 0;

	if (fuzz_one_in(8)) {
		n = fuzz_below(1500);
		memset(out, 'x', n);
		return n;
	}
	if (fuzz_one_in(8))
		return (size_t)snprintf(out, 32, "name%zu", fuzz_below(100000));
	n = (size_t)snprintf(out, 64, "%s", words[fuzz_below(23)]);
	return n + fuzz_below(2); /* with its NUL, or without */
}

/* What SPAWN, CONTROL, SYS and ANSWER carry, or nearly. */
static size_t
some_pack(char *out)
{
	static const struct {
		const char *bytes;
		size_t len;
	} packs[] = {
#define PACK(s) { s, sizeof(s) - 1 }
		PACK("\x92\xa4pool\x91\xa1x"),
		PACK("\x92\xa9root/pool\xc0"),
		PACK("\x92\xa6status\x80"),
		PACK("\x92\xa6status\x81\xa4path\xa1*"),
		PACK("\x92\xa4kill\x82\xa4path\xa5quiet\xa6signal\xa4KILL"),
		PACK("\x92\xa8shutdown\x80"),
		PACK("\x92\xa3"
		     "add\x82\xa4path\xa4pool\xa4"
		     "args\x91\xa1"
		     "7"),
		PACK("\x92\xa6"
		     "events\x81\xa6"
		     "follow\xc3"),
		PACK("\x91\xa9get_state"),
		PACK("\x92\xa5trace\xc3"),
		PACK("\x91\xa4info"),
		PACK("\x82\xa1"
		     "a\x01\xa1"
		     "b\x02"),
		PACK("\xdd\xff\xff\xff\xff"),
		PACK("\xdb\xff\xff\xff\xff"),
		PACK("\xc1"),
#undef PACK
	};
	size_t i = fuzz_below(sizeof(packs) / sizeof(packs[0]));

	memcpy(out, packs[i].bytes, packs[i].len);
	return packs[i].len;
}

static size_t
some_body(char *out)
{
	static const size_t sizes[] = { sizeof(struct proto_join),
		sizeof(struct proto_stats), sizeof(struct proto_result),
		sizeof(struct proto_credit), sizeof(struct proto_resolved) };
	size_t n;

	switch (fuzz_below(6)) {
	case 0:
		return 0;
	case 1:
	case 2:
		return some_text(out);
	case 3:
		return some_pack(out);
	case 4:
		n = sizes[fuzz_below(5)];
		for (size_t i = 0; i < n; i++)
			out[i] = (char)fuzz_edge();
		return n;
	default:
		n = fuzz_one_in(16) ? PROTO_LIFELINE_MAX - PROTO_HEADER_SIZE
		                    : fuzz_below(3000);
		memset(out, (int)fuzz_u64(), n);
		return n;
	}
}

static void
draft(size_t sender, struct fuzz_input *in)
{
	static char body[PROTO_LIFELINE_MAX];
	struct proto_frame h = {
		.type = (uint8_t)some_type(),
		.flags =
		    (uint16_t)(fuzz_one_in(4) ? fuzz_edge() : fuzz_below(2)),
		.to = some_pid(),
		.from = some_pid(),
		.ref = fuzz_one_in(4) ? fuzz_edge() : fuzz_below(12),
		.seq = (uint32_t)fuzz_edge(),
	};
	uint32_t tag = (uint32_t)sender;

	in->len =
	    proto_put(in->data, sizeof(in->data), &h, body, some_body(body));
	if (fuzz_one_in(4))
		fuzz_mutate(in, FRAME_MAX);
	else if (fuzz_one_in(16))
		fuzz_noise(in, 200);
	/* By this the receiver knows who really sent it. */
	if (in->len >= PROTO_HEADER_SIZE)
		memcpy(in->data + offsetof(struct proto_frame, tag), &tag, 4);
}

/* It has only itself to blame when the bus does not take it. */
static void
say(size_t i)
{
	static struct fuzz_input in;
	struct hostile *w = &hostile[i];

	draft(i, &in);
	if (send(w->fd, in.data, in.len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		n_frames++;
	else if (errno == EAGAIN)
		hear_all(w->fd);
	else if (errno != EMSGSIZE)
		die(w);
}

/* ---- the engine, and a client that calls them ---------------------------- */

static void
engine_answers(void)
{
	static _Alignas(8) char buf[WIRE_FRAME_MAX];
	const struct wire_hdr *h;

	assert_int_equal(link_flush(&rig->engine), 0);
	while (link_recv(&rig->engine, buf, &h, NULL, NULL) == 1) {
		struct wire_end e = { .code = (int32_t)fuzz_below(8) };

		if (h->type == WIRE_REQUEST && !fuzz_one_in(8))
			assert_int_equal(link_send(&rig->engine, WIRE_END,
					     h->tag, &e, "no", 3),
			    0);
	}
}

static void
client_calls(void)
{
	static char sink[65536];
	char line[256];

	if (client >= 0 && fuzz_one_in(4)) {
		close(client);
		client = -1;
	}
	if (client < 0)
		client = ctl_open(rig);
	snprintf(line, sizeof(line),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"call\",\"params\":"
	    "{\"name\":\"h%zu\",\"payload\":[1],\"timeout_ns\":1000000}}\n",
	    FIRST_SLOT + fuzz_below(N_HOSTILE));
	(void)!send(client, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	while (recv(client, sink, sizeof(sink), MSG_DONTWAIT) > 0)
		continue;
}

/* ---- what the quiet one must not notice ---------------------------------- */

/* Nobody speaks for another, and nobody for supd. */
static void
true_sender(const struct proto_frame *h)
{
	if (h->type > PROTO_CAST)
		return;
	assert_int_equal(h->to, PROTO_PID(QUIET_SLOT, 1));
	if (PROTO_PID_SLOT(h->from) == PROTO_GUEST_SLOT)
		return;
	assert_true(h->tag < N_HOSTILE);
	assert_int_equal(PROTO_PID_SLOT(h->from), hostile[h->tag].slot);
	assert_true(PROTO_PID_INC(h->from) <= hostile[h->tag].inc);
	n_relayed++;
}

static void
answered(enum proto_type question, enum proto_type answer, void *ret, size_t n)
{
	static uint64_t ref = UINT64_C(1) << 40;
	const void *body;
	struct proto_frame h;
	size_t len;

	ll_text(quiet, question, ++ref, "quiet");
	do {
		engine_answers();
		h = ll_recv(quiet, &body, &len);
		true_sender(&h);
	} while (h.type != answer || h.ref != ref);
	assert_true(len == n);
	memcpy(ret, body, n);
}

static void
the_quiet_one_is_served(void)
{
	struct proto_resolved who;
	struct proto_result done;

	answered(PROTO_RESOLVE, PROTO_RESOLVED, &who, sizeof(who));
	assert_int_equal(who.pid, PROTO_PID(QUIET_SLOT, 1));
	answered(PROTO_REGISTER, PROTO_RESULT, &done, sizeof(done));
	assert_true(done.error != 0); /* it has that name already */
}

static void
step(void)
{
	size_t i = fuzz_below(N_HOSTILE);

	switch (fuzz_below(400)) {
	case 0:
		die(&hostile[i]);
		break;
	case 1:
		shutdown(hostile[i].fd, SHUT_RDWR);
		break;
	case 2:
	case 3:
		client_calls();
		break;
	default:
		/* The last one never reads. */
		if (i != N_HOSTILE - 1 && fuzz_one_in(16))
			hear_all(hostile[i].fd);
		say(i);
	}
	if (fuzz.step % 16 == 0)
		engine_answers();
	if (fuzz.step % 64 == 0)
		the_quiet_one_is_served();
}

static void
hostile_workers_harm_only_themselves(void **state)
{
	rig = *state;
	client = -1;
	quiet = rig_worker(rig, QUIET_SLOT, 1, "root/quiet");
	ll_text(quiet, PROTO_REGISTER, 7, "quiet");
	assert_int_equal(ll_result(quiet, 7), 0);
	for (size_t i = 0; i < N_HOSTILE; i++) {
		hostile[i] =
		    (struct hostile){ FIRST_SLOT + (uint32_t)i, 0, -1 };
		live(&hostile[i]);
	}
	while (fuzz_next())
		step();
	the_quiet_one_is_served();
	printf("# %lu frames in %lu lives, %lu reached the quiet one\n",
	    n_frames, n_lives, n_relayed);
	for (size_t i = 0; i < N_HOSTILE; i++) {
		close(hostile[i].fd);
		rig_dead(rig, hostile[i].slot, hostile[i].inc, "normal");
	}
	if (client >= 0)
		close(client);
	the_quiet_one_is_served();
	close(quiet);
	rig_dead(rig, QUIET_SLOT, 1, "normal");
	assert_true(fuzz.end - fuzz.first < 1000 || n_relayed > 0);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    hostile_workers_harm_only_themselves, rig_setup,
		    rig_teardown),
	};

	fuzz_init(argc, argv, "fuzz_lifeline", 300000);
	fuzz_corpus_hex(PROTO_VECTORS);
	return fuzz_end(cmocka_run_group_tests(tests, NULL, NULL));
}
