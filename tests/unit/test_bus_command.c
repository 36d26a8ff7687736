/* SPDX-License-Identifier: ISC */
#include "bus_rig.h"

#include "base/buf.h"
#include "bus/pack.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* CONTROL, SYS and info: what workers and clients ask of supd and of libmsg. */

#define REQ(id, method, params)                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"" method             \
	"\",\"params\":" params "}"

/* Send JSON as msgpack. */
static void
ll_pack(int fd, enum proto_type type, uint64_t to, uint64_t ref, unsigned flags,
    const char *json)
{
	json_t *v = json_loads(json, JSON_DECODE_ANY, NULL);
	struct buf out = { 0 };

	assert_non_null(v);
	assert_true(pack_from_json(&out, v));
	ll_send(fd, type, to, ref, PROTO_MSGPACK | flags, out.data, out.len);
	json_decref(v);
	buf_fini(&out);
}

/* The whole ANSWER for ref, of however many frames. */
static json_t *
ll_answer(int fd, uint64_t ref, uint64_t from, unsigned *ret_frames)
{
	struct buf all = { 0 };
	struct proto_frame h;
	json_t *v;

	*ret_frames = 0;
	do {
		const void *body;
		size_t len;

		h = ll_recv(fd, &body, &len);
		assert_int_equal(h.type, PROTO_ANSWER);
		assert_int_equal(h.ref, ref);
		assert_int_equal(h.from, from);
		assert_false(h.flags & PROTO_ERROR);
		buf_add(&all, body, len);
		++*ret_frames;
	} while (h.flags & PROTO_MORE);
	v = pack_to_json(all.data, all.len);
	assert_non_null(v);
	buf_fini(&all);
	return v;
}

static void
expect_answer(int fd, uint64_t ref, uint64_t from, const char *json)
{
	unsigned n;

	expect_json(ll_answer(fd, ref, from, &n), json);
	assert_int_equal(n, 1);
}

static void
expect_error(int fd, uint64_t ref, int error, const char *part)
{
	const void *body;
	size_t len;
	struct proto_frame h = ll_recv(fd, &body, &len);
	char text[512];

	assert_int_equal(h.type, PROTO_ANSWER);
	assert_int_equal(h.ref, ref);
	assert_true(h.flags & PROTO_ERROR);
	assert_int_equal(h.tag, error);
	assert_in_range(len, 1, sizeof(text) - 1);
	memcpy(text, body, len);
	text[len] = '\0';
	if (strstr(text, part) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, part);
}

/* ---- CONTROL ---------------------------------------------------------------
 */

static void
what_is_free_is_answered(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");

	ll_text(a, PROTO_REGISTER, 3, "alice");
	assert_int_equal(ll_result(a, 3), 0);
	ll_pack(a, PROTO_CONTROL, 0, 9, 0, "[\"names\",{}]");
	expect_answer(a, 9, 0,
	    "[{\"name\":\"alice\",\"path\":\"root/a\",\"pid\":\"<1.1>\","
	    "\"os_pid\":4242}]");
	ll_pack(
	    a, PROTO_CONTROL, 0, 10, 0, "[\"whereis\",{\"name\":\"alice\"}]");
	expect_answer(a, 10, 0,
	    "{\"path\":\"root/a\",\"pid\":\"<1.1>\",\"os_pid\":4242}");
	ll_pack(a, PROTO_CONTROL, 0, 11, 0, "[\"whereis\",{\"name\":\"x\"}]");
	expect_answer(a, 11, 0, "null");
	close(a);
}

static void
the_rest_needs_allow(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");

	ll_pack(a, PROTO_CONTROL, 0, 9, 0, "[\"stop\",{\"path\":\"b\"}]");
	expect_error(a, 9, EPERM, "root/a may not stop that: its \"allow:\"");
	ll_pack(a, PROTO_CONTROL, 0, 9, 0, "[\"shutdown\"]");
	expect_error(a, 9, EPERM, "may not shutdown");
	rig_expect_nothing(r, &r->engine);
	close(a);
}

static void
what_is_wrong_is_told(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");

	ll_pack(a, PROTO_CONTROL, 0, 1, 0, "[\"fly\",{}]");
	expect_error(a, 1, ENOSYS, "no method \"fly\"");
	ll_pack(a, PROTO_CONTROL, 0, 2, 0, "[\"call\",{}]");
	expect_error(a, 2, EOPNOTSUPP, "clients of the control socket");
	ll_pack(a, PROTO_CONTROL, 0, 3, 0, "{}");
	expect_error(a, 3, EINVAL, "[method, {parameter: value}]");
	ll_pack(a, PROTO_CONTROL, 0, 4, 0, "[\"names\",7]");
	expect_error(a, 4, EINVAL, "[method, {parameter: value}]");
	ll_pack(a, PROTO_CONTROL, 0, 5, 0, "[\"info\",{\"nme\":7}]");
	expect_error(a, 5, EINVAL, "no such parameter: nme");
	ll_pack(a, PROTO_CONTROL, 0, 6, 0, "[\"info\",{\"name\":\"b\"}]");
	expect_error(a, 6, ENOENT, "no such name: b");
	ll_send(a, PROTO_CONTROL, 0, 7, PROTO_MSGPACK, "\xdd\xff", 2);
	ll_quiet(a);
	close(a);
}

/* A status of so many rows is longer than a frame, and than the socket. */
static void
a_long_answer_comes_in_pieces_as_it_is_read(void **state)
{
	enum { ROWS = 3000 };
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	struct wire_row row = { .state = "ready", .path = "root/b" };
	struct wire_end e = { .code = CTL_OK };
	unsigned frames;
	uint64_t tag;
	json_t *v;

	ll_pack(a, PROTO_CONTROL, 0, 9, 0, "[\"status\"]");
	tag = rig_expect(&r->engine, WIRE_REQUEST)->tag;
	for (unsigned i = 0; i < ROWS; i++)
		assert_int_equal(
		    link_send(&r->engine, WIRE_ROW, tag, &row, NULL, 0), 0);
	assert_int_equal(link_send(&r->engine, WIRE_END, tag, &e, NULL, 0), 0);
	while (link_waiting(&r->engine))
		assert_int_equal(link_flush(&r->engine), 0);
	v = ll_answer(a, 9, 0, &frames);
	assert_int_equal(json_array_size(v), ROWS);
	assert_true(frames > 10);
	json_decref(v);
	close(a);
}

static void
a_request_ends_with_its_worker(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	const struct wire_hdr *h;
	uint64_t tag;

	ll_pack(a, PROTO_CONTROL, 0, 9, 0, "[\"status\"]");
	tag = rig_expect(&r->engine, WIRE_REQUEST)->tag;
	rig_dead(r, 1, 1, "SIGKILL");
	h = rig_expect(&r->engine, WIRE_CANCEL);
	assert_int_equal(h->tag, tag);
	close(a);
}

/* ---- SYS -------------------------------------------------------------------
 */

static void
a_question_and_its_answer_are_passed_on(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 5, "root/b");
	const void *body;
	struct proto_frame h;

	ll_pack(a, PROTO_SYS, PROTO_PID(2, 5), 77, 0, "[\"get_state\"]");
	h = ll_expect(b, PROTO_SYS, &body);
	assert_int_equal(h.from, PROTO_PID(1, 1));
	assert_int_equal(h.flags, PROTO_MSGPACK);
	assert_memory_equal(body, "\x91\xa9get_state", 11);
	ll_pack(b, PROTO_ANSWER, h.from, h.ref, PROTO_MORE, "\"abc\"");
	/* the first frame is no whole value in general: joined, these are */
	ll_send(b, PROTO_ANSWER, h.from, h.ref, PROTO_MSGPACK, NULL, 0);
	expect_answer(a, 77, PROTO_PID(2, 5), "\"abc\"");
	/* One question, one answer. */
	ll_pack(b, PROTO_ANSWER, h.from, h.ref, 0, "2");
	ll_quiet(b);
	ll_quiet(a);
	close(a);
	close(b);
}

static void
only_who_was_asked_can_answer(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");
	int c = rig_worker(r, 3, 1, "root/c");
	struct proto_frame h;

	ll_pack(a, PROTO_SYS, PROTO_PID(2, 1), 77, 0, "[\"x\"]");
	h = ll_expect(b, PROTO_SYS, NULL);
	ll_pack(c, PROTO_ANSWER, PROTO_PID(1, 1), h.ref, 0, "\"lie\"");
	ll_pack(c, PROTO_ANSWER, PROTO_PID(1, 1), 77, 0, "\"lie\"");
	ll_quiet(c);
	ll_quiet(a);
	ll_send(b, PROTO_ANSWER, 0, h.ref, PROTO_ERROR, "no!", 3);
	expect_error(a, 77, EREMOTEIO, "no!");
	close(a);
	close(b);
	close(c);
}

static void
who_ends_answers_no_more(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");

	ll_pack(a, PROTO_SYS, PROTO_PID(9, 9), 76, 0, "[\"x\"]");
	expect_error(a, 76, ESRCH, "noproc");
	ll_pack(a, PROTO_SYS, PROTO_PID(2, 1), 77, 0, "[\"x\"]");
	ll_expect(b, PROTO_SYS, NULL);
	rig_dead(r, 2, 1, "SIGSEGV");
	expect_error(a, 77, ECONNRESET, "ended before it answered: SIGSEGV");
	close(a);
	close(b);
}

static void
another_users_worker_is_not_to_be_asked(void **state)
{
	struct rig *r = *state;
	struct proto_join j = { .os_pid = 1 };
	int a = rig_worker(r, 1, 1, "root/a");
	int b;

	rig_proc_uid(r, 2, 1, "root/b", 65534);
	b = rig_lifeline(r, 2, 1);
	ll_send(b, PROTO_JOIN, 0, 1, 0, &j, sizeof(j));
	ll_expect(b, PROTO_WELCOME, NULL);
	ll_pack(b, PROTO_SYS, PROTO_PID(1, 1), 7, 0, "[\"get_state\"]");
	expect_error(b, 7, EPERM, "another user");
	ll_quiet(a);
	close(a);
	close(b);
}

static void
the_oldest_of_too_many_questions_gives_way(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");
	struct proto_frame h = { 0 };

	for (unsigned i = 1; i <= 65; i++) {
		ll_pack(a, PROTO_SYS, PROTO_PID(2, 1), i, 0, "[\"x\"]");
		h = ll_expect(b, PROTO_SYS, NULL);
	}
	expect_error(a, 1, ETIMEDOUT, "gave way");
	ll_pack(b, PROTO_ANSWER, 0, h.ref, 0, "5");
	expect_answer(a, 65, PROTO_PID(2, 1), "5");
	close(a);
	close(b);
}

static void
an_answer_longer_than_8_mb_is_an_error(void **state)
{
	struct rig *r = *state;
	static char body[60000];
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");
	struct proto_frame h;

	ll_pack(a, PROTO_SYS, PROTO_PID(2, 1), 7, 0, "[\"x\"]");
	h = ll_expect(b, PROTO_SYS, NULL);
	for (unsigned i = 0; i < 150; i++)
		ll_send(
		    b, PROTO_ANSWER, 0, h.ref, PROTO_MORE, body, sizeof(body));
	ll_send(b, PROTO_ANSWER, 0, h.ref, 0, body, sizeof(body));
	expect_error(a, 7, EMSGSIZE, "longer than 8 MB");
	close(a);
	close(b);
}

/* ---- clients ---------------------------------------------------------------
 */

static void
info_joins_what_supd_and_the_worker_know(void **state)
{
	struct rig *r = *state;
	int b = rig_worker(r, 2, 5, "root/b");
	int fd = ctl_open(r);
	struct proto_frame h;
	json_t *v;

	ctl_send(fd, REQ(1, "info", "{\"name\":\"<2.5>\"}"));
	h = ll_expect(b, PROTO_SYS, NULL);
	ll_pack(b, PROTO_ANSWER, h.from, h.ref, 0,
	    "{\"queued\":3,\"path\":\"a lie\"}");
	v = ctl_recv(fd);
	expect_json(json_incref(json_object_get(
			json_object_get(v, "result"), "queued")),
	    "3");
	expect_json(
	    json_incref(json_object_get(json_object_get(v, "result"), "path")),
	    "\"root/b\"");
	expect_json(json_incref(json_object_get(
			json_object_get(v, "result"), "answered")),
	    "true");
	json_decref(v);
	close(b);
	close(fd);
}

static void
info_of_a_silent_worker_is_what_supd_knows(void **state)
{
	struct rig *r = *state;
	int fd = ctl_open(r);
	json_t *v;

	rig_proc(r, 2, 5, "root/b");
	v = ctl_call(fd, REQ(1, "info", "{\"name\":\"b\"}"));
	expect_json(json_incref(json_object_get(
			json_object_get(v, "result"), "answered")),
	    "false");
	json_decref(v);
	/* It has joined, but is not inside libmsg: that takes a second. */
	close(fd);
	fd = ctl_open(r);
	int b = rig_worker(r, 3, 1, "root/c");
	v = ctl_call(fd, REQ(1, "info", "{\"name\":\"c\"}"));
	expect_json(json_incref(json_object_get(
			json_object_get(v, "result"), "answered")),
	    "false");
	json_decref(v);
	assert_int_equal(
	    ctl_code(ctl_call(fd, REQ(1, "info", "{\"name\":\"<2.4>\"}"))), 4);
	close(b);
	close(fd);
}

static void
sys_answers_time_out_and_fail(void **state)
{
	struct rig *r = *state;
	int b = rig_worker(r, 2, 5, "root/b");
	int fd = ctl_open(r);
	struct proto_frame h;

	ctl_send(fd, REQ(1, "sys", "{\"name\":\"b\",\"op\":\"suspend\"}"));
	h = ll_expect(b, PROTO_SYS, NULL);
	ll_pack(b, PROTO_ANSWER, h.from, h.ref, 0, "\"ok\"");
	expect_json(
	    ctl_recv(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"ok\"}");
	ctl_send(fd, REQ(1, "sys", "{\"name\":\"b\",\"op\":\"fly\"}"));
	h = ll_expect(b, PROTO_SYS, NULL);
	ll_send(b, PROTO_ANSWER, h.from, h.ref, PROTO_ERROR, "cannot", 6);
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,"
	    "\"message\":\"root/b: cannot\"}}");
	ctl_send(fd,
	    REQ(1, "sys", "{\"name\":\"b\",\"op\":\"x\",\"timeout_ns\":1}"));
	h = ll_expect(b, PROTO_SYS, NULL);
	assert_int_equal(ctl_code(ctl_recv(fd)), 7);
	/* Too late: nobody's. */
	ll_pack(b, PROTO_ANSWER, h.from, h.ref, 0, "\"ok\"");
	ll_quiet(b);
	ctl_send(fd, REQ(1, "sys", "{\"name\":\"b\",\"op\":\"x\"}"));
	ll_expect(b, PROTO_SYS, NULL);
	rig_dead(r, 2, 5, "exit 3");
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,"
	    "\"message\":\"root/b: it ended before it answered: exit 3\"}}");
	close(b);
	close(fd);
}

/* ---- statistics ------------------------------------------------------------
 */

static json_t *
status_mailbox(struct rig *r, int fd, uint64_t inc)
{
	struct wire_row row = { .slot = 2, .inc = inc, .path = "root/b" };
	struct wire_end e = { .code = CTL_OK };
	uint64_t tag;
	json_t *v, *node;

	ctl_send(fd, REQ(1, "status", "{}"));
	tag = rig_expect(&r->engine, WIRE_REQUEST)->tag;
	assert_int_equal(
	    link_send(&r->engine, WIRE_ROW, tag, &row, NULL, 0), 0);
	assert_int_equal(link_send(&r->engine, WIRE_END, tag, &e, NULL, 0), 0);
	v = ctl_recv(fd);
	node = json_incref(json_object_get(
	    json_array_get(json_object_get(v, "result"), 0), "mailbox"));
	json_decref(v);
	return node;
}

static void
status_shows_what_a_mailbox_holds(void **state)
{
	struct rig *r = *state;
	int b = rig_worker(r, 2, 5, "root/b");
	int fd = ctl_open(r);
	struct proto_stats s = { 1, 2, 3, 400, 5, UINT64_MAX };

	expect_json(status_mailbox(r, fd, 5), "null");
	ll_send(b, PROTO_STATS, 0, 0, 0, &s, sizeof(s));
	ll_quiet(b);
	expect_json(status_mailbox(r, fd, 5),
	    "{\"queued\":3,\"queued_bytes\":400,\"sent\":1,"
	    "\"received\":2,\"dropped\":5,\"bad\":9223372036854775807}");
	/* Another incarnation's are not these. */
	expect_json(status_mailbox(r, fd, 6), "null");
	rig_dead(r, 2, 5, "normal");
	expect_json(status_mailbox(r, fd, 5), "null");
	close(b);
	close(fd);
}

static void
the_bounds_of_a_mailbox_are_told_at_the_welcome(void **state)
{
	struct rig *r = *state;
	struct wire_prepare p = {
		.slot = 2,
		.uid = getuid(),
		.gid = getgid(),
		.max_bytes = 12345,
		.on_full = PROTO_KILL,
		.path = "root/b",
	};
	struct proto_join j = { .os_pid = 1 };
	struct proto_welcome w;
	const void *body;
	int b;

	assert_int_equal(
	    link_send(&r->engine, WIRE_PREPARE, 0, &p, NULL, 0), 0);
	rig_expect(&r->engine, WIRE_PREPARED);
	rig_proc(r, 2, 5, "root/b");
	b = rig_lifeline(r, 2, 5);
	ll_send(b, PROTO_JOIN, 0, 1, 0, &j, sizeof(j));
	ll_expect(b, PROTO_WELCOME, &body);
	memcpy(&w, body, sizeof(w));
	assert_int_equal(w.max_bytes, 12345);
	assert_int_equal(w.on_full, PROTO_KILL);
	close(b);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_is_free_is_answered),
		T(the_rest_needs_allow),
		T(what_is_wrong_is_told),
		T(a_long_answer_comes_in_pieces_as_it_is_read),
		T(a_request_ends_with_its_worker),
		T(a_question_and_its_answer_are_passed_on),
		T(only_who_was_asked_can_answer),
		T(who_ends_answers_no_more),
		T(another_users_worker_is_not_to_be_asked),
		T(the_oldest_of_too_many_questions_gives_way),
		T(an_answer_longer_than_8_mb_is_an_error),
		T(info_joins_what_supd_and_the_worker_know),
		T(info_of_a_silent_worker_is_what_supd_knows),
		T(sys_answers_time_out_and_fail),
		T(status_shows_what_a_mailbox_holds),
		T(the_bounds_of_a_mailbox_are_told_at_the_welcome),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
