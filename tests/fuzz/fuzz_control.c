/* SPDX-License-Identifier: ISC */
/*
 * Lines that no supctl writes, in pieces that no supctl sends, on the control
 * socket of a real bus.  Whatever the bus says is a line of JSON-RPC with a
 * result or an error; and between any two steps another client is answered, in
 * order.
 */
#include "../unit/bus_rig.h"
#include "fuzz.h"
#include "wire/wire.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_CLIENTS 4
#define LINE_ROOM (FUZZ_INPUT_MAX - 1)
#define WORKER    PROTO_PID(2, 1)

struct noisy {
	int fd;
	char half[64 * 1024]; /* the line that is not whole */
	size_t n;
};

static struct rig *rig;
static struct noisy noisy[N_CLIENTS];
static int quiet, worker;
static unsigned long n_results, n_errors, n_streamed;

/* ---- what the bus says --------------------------------------------------- */

static void
check_line(const char *line, size_t len)
{
	json_t *v = json_loadb(line, len, 0, NULL);
	const json_t *error = json_object_get(v, "error");
	const char *version = json_string_value(json_object_get(v, "jsonrpc"));

	assert_non_null(v);
	assert_string_equal(version, "2.0");
	if (json_object_get(v, "method") != NULL) {
		assert_true(json_is_object(json_object_get(v, "params")));
		n_streamed++;
	} else if (error != NULL) {
		assert_null(json_object_get(v, "result"));
		assert_true(json_is_integer(json_object_get(error, "code")));
		assert_true(json_is_string(json_object_get(error, "message")));
		n_errors++;
	} else {
		assert_non_null(json_object_get(v, "result"));
		assert_non_null(json_object_get(v, "id"));
		n_results++;
	}
	json_decref(v);
}

/* Take what is there; false when the bus has closed it. */
static bool
hear(struct noisy *c)
{
	for (;;) {
		size_t room = sizeof(c->half) - c->n;
		ssize_t n = recv(c->fd, c->half + c->n, room, MSG_DONTWAIT);
		char *from = c->half, *end;

		if (n <= 0)
			return n < 0 && errno == EAGAIN;
		c->n += (size_t)n;
		while ((end = memchr(from, '\n',
			    (size_t)(c->half + c->n - from))) != NULL) {
			check_line(from, (size_t)(end - from));
			from = end + 1;
		}
		c->n = (size_t)(c->half + c->n - from);
		memmove(c->half, from, c->n);
		assert_true(c->n < sizeof(c->half));
	}
}

/* ---- the others: an engine, a logger, a worker --------------------------- */

/* For those who follow. */
static void
tell_an_event(struct link *l)
{
	static uint64_t seq;
	struct wire_event ev = { .seq = ++seq,
		.inc = 1,
		.kind = "ready",
		.path = "root/w",
		.text = "\xff\x01 is no text" };

	assert_int_equal(link_send(l, WIRE_EVENT, 0, &ev, NULL, 0), 0);
}

static void
engine_answers(struct link *l)
{
	static _Alignas(8) char buf[WIRE_FRAME_MAX];
	const struct wire_hdr *h;

	assert_int_equal(link_flush(l), 0);
	if (l == &rig->engine)
		tell_an_event(l);
	while (link_recv(l, buf, &h, NULL, NULL) == 1) {
		struct wire_end e = { .code = (int32_t)fuzz_below(8) };
		struct wire_row row = { .inc = 1,
			.state = "ready",
			.kind = "permanent",
			.path = "root/w" };
		struct wire_id id = { .slot = 2 };

		if (h->type == WIRE_LOG_TAIL)
			assert_int_equal(
			    link_send(l, WIRE_LOG_END, h->tag, &id, NULL, 0),
			    0);
		if (h->type != WIRE_REQUEST || fuzz_one_in(16))
			continue;
		for (size_t n = fuzz_below(3); n != 0; n--)
			assert_int_equal(
			    link_send(l, WIRE_ROW, h->tag, &row, NULL, 0), 0);
		assert_int_equal(
		    link_send(l, WIRE_END, h->tag, &e, "no", 3), 0);
	}
}

/* It answers calls as it likes, and not each. */
static void
worker_answers(void)
{
	static _Alignas(8) char buf[PROTO_LIFELINE_MAX];
	struct proto_frame h;
	const void *body;
	size_t pos, len;
	ssize_t n;

	while ((n = recv(worker, buf, sizeof(buf), MSG_DONTWAIT)) > 0) {
		pos = 0;
		assert_true(proto_next(
		    buf, (size_t)n, &pos, PROTO_LIFELINE_MAX, &h, &body, &len));
		if (h.type == PROTO_CALL && !fuzz_one_in(4))
			ll_send(worker, PROTO_REPLY, h.from, h.ref,
			    (unsigned)(fuzz_u64() & 0x10f), "\x91\xc0",
			    fuzz_below(3));
		if (h.type == PROTO_SYS)
			ll_send(worker, PROTO_ANSWER, h.from, h.ref,
			    (unsigned)(fuzz_u64() & 0x90f), "\x91\xc0",
			    fuzz_below(3));
	}
}

/* ---- what the clients say ------------------------------------------------ */

#define METHOD(m, params)                                                      \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" m                        \
	"\",\"params\":{" params "}}"

static const char *const lines[] = {
	METHOD("ping", ""),
	METHOD("status", ""),
	METHOD("status", "\"path\":\"w*\""),
	METHOD("show", "\"path\":\"w\""),
	METHOD("why", "\"path\":\"root/w\""),
	METHOD("events", "\"n\":5,\"follow\":false"),
	METHOD("events", "\"follow\":true"),
	METHOD("logs", "\"path\":\"w\",\"n\":5,\"follow\":true"),
	METHOD("start", "\"path\":\"w\",\"wait\":true,\"timeout_ns\":9"),
	METHOD("kill", "\"path\":\"w\",\"signal\":\"TERM\""),
	METHOD("add", "\"path\":\"s\",\"spec\":\"worker: x\",\"wait\":true"),
	METHOD("add", "\"path\":\"s\",\"args\":[\"a\",\"b\"]"),
	METHOD("remove", "\"path\":\"w\""),
	METHOD("diff", "\"file\":\"/etc/supd.yaml\""),
	METHOD("apply", "\"file\":\"/x\",\"dry_run\":true"),
	METHOD("simulate", "\"path\":\"w\",\"repeat\":3,\"every_ns\":5"),
	METHOD("wait", "\"path\":\"w\",\"for\":\"ready\",\"timeout_ns\":9"),
	METHOD("names", ""),
	METHOD("call", "\"name\":\"w\",\"payload\":[\"x\",1.5,null,{\"k\":[]}],"
		       "\"timeout_ns\":1000000"),
	METHOD("send", "\"name\":\"w\",\"payload\":\"h\\u00e9\\ud83d\\ude00\""),
	METHOD("cast", "\"name\":\"w\",\"payload\":{\"a\":{\"b\":[1,2]}}"),
	METHOD("info", "\"name\":\"<2.1>\""),
	METHOD("sys", "\"name\":\"w\",\"op\":\"get_state\",\"args\":[1],"
		      "\"timeout_ns\":1000000"),
	METHOD("trace", "\"name\":\"w\""),
	METHOD("whereis", "\"name\":\"w\""),
	METHOD("register", "\"name\":\"me\""),
	METHOD("unregister", "\"name\":\"me\""),
	METHOD("receive", "\"n\":1"),
	METHOD("reply", "\"to\":\"<2.1>\",\"ref\":\"7\",\"payload\":1"),
	METHOD("reply", "\"to\":\"<2.1>\",\"ref\":\"7\",\"error\":\"no\""),
	METHOD("monitor", "\"name\":\"w\""),
	METHOD("exit", "\"name\":\"w\",\"reason\":\"shutdown\""),
	"{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}",
	"{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"method\":\"ping\"}",
	"[]",
	"{\"id\":1}",
};

/* Put one word of JSON where another may have been. */
static void
swap_word(struct fuzz_input *in)
{
	static const char *const words[] = { "null", "-1", "1e400", "\"\"",
		"{}", "[]", "true", "9223372036854775808", "\"\\u0000\"",
		"\"\\ud800\"", "\"<2.1>\"", "\"root/w\"", "\"*\"", "0.5",
		"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "\"shutdown\"" };
	const char *word = words[fuzz_below(sizeof(words) / sizeof(words[0]))];
	size_t n = strlen(word), from, to;

	if (in->len + n > LINE_ROOM || in->len == 0)
		return;
	from = fuzz_below(in->len);
	while (from > 0 && strchr(":[,", in->data[from - 1]) == NULL)
		from--;
	for (to = from; to < in->len && strchr(",}]", in->data[to]) == NULL;)
		to++;
	memmove(in->data + from + n, in->data + to, in->len - to);
	memcpy(in->data + from, word, n);
	in->len += n - (to - from);
}

static void
draft(struct fuzz_input *in)
{
	fuzz_corpus_draw(in);
	if (fuzz_one_in(2))
		for (size_t n = 1 + fuzz_below(3); n != 0; n--)
			swap_word(in);
	if (fuzz_one_in(3))
		fuzz_mutate(in, 3000);
	if (fuzz_one_in(64))
		fuzz_noise(in, 1000);
	if (!fuzz_one_in(16))
		in->data[in->len++] = '\n';
}

static void
say(struct noisy *c)
{
	static struct fuzz_input in;

	if (c->fd < 0) {
		c->fd = ctl_open(rig);
		c->n = 0;
	}
	draft(&in);
	if (memmem(in.data, in.len, "\"shutdown\",\"params", 18) != NULL)
		return;
	(void)!send(c->fd, in.data, in.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (fuzz_one_in(64))
		shutdown(c->fd, SHUT_WR);
	if (fuzz_one_in(64) || !hear(c)) {
		close(c->fd);
		c->fd = -1;
	}
}

static void
the_quiet_one_is_answered(void)
{
	static int id;
	char line[128];
	json_t *v;

	snprintf(line, sizeof(line),
	    "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"ping\"}", ++id);
	v = ctl_call(quiet, line);
	assert_int_equal(json_integer_value(json_object_get(v, "id")), id);
	assert_non_null(json_object_get(v, "result"));
	json_decref(v);
}

static void
whatever_clients_say_others_are_answered(void **state)
{
	rig = *state;
	worker = rig_worker(rig, 2, 1, "root/w");
	ll_text(worker, PROTO_REGISTER, 7, "w");
	assert_int_equal(ll_result(worker, 7), 0);
	quiet = ctl_open(rig);
	for (size_t i = 0; i < N_CLIENTS; i++)
		noisy[i].fd = -1;
	while (fuzz_next()) {
		say(&noisy[fuzz_below(N_CLIENTS)]);
		if (fuzz.step % 8 != 0)
			continue;
		engine_answers(&rig->engine);
		engine_answers(&rig->logger);
		worker_answers();
		the_quiet_one_is_answered();
	}
	the_quiet_one_is_answered();
	printf("# %lu results, %lu errors, %lu records of streams\n", n_results,
	    n_errors, n_streamed);
	for (size_t i = 0; i < N_CLIENTS; i++)
		if (noisy[i].fd >= 0)
			close(noisy[i].fd);
	close(quiet);
	close(worker);
	rig_dead(rig, 2, 1, "normal");
	assert_true(fuzz.end - fuzz.first < 1000 ||
		    (n_results > 100 && n_errors > 100));
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    whatever_clients_say_others_are_answered, rig_setup,
		    rig_teardown),
	};

	fuzz_init(argc, argv, "fuzz_control", 40000);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		fuzz_corpus_add(lines[i], strlen(lines[i]));
	return fuzz_end(cmocka_run_group_tests(tests, NULL, NULL));
}
