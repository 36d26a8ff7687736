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

/* Clients of the control socket as processes: names, messages, ends. */

#define REQ(id, method, params)                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"" method             \
	"\",\"params\":" params "}"
#define DONE(id) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"result\":null}"

/* The pid of a guest that has this name, as a worker sees it. */
static uint64_t
pid_of(struct rig *r, const char *name)
{
	char line[256], *dot;
	int fd = ctl_open(r);
	json_t *v;
	const char *text;
	uint64_t pid;

	snprintf(
	    line, sizeof(line), REQ(1, "whereis", "{\"name\":\"%s\"}"), name);
	v = ctl_call(fd, line);
	text = json_string_value(
	    json_object_get(json_object_get(v, "result"), "pid"));
	assert_non_null(text);
	pid = strtoull(text + 1, &dot, 10);
	pid = PROTO_PID(pid, strtoull(dot + 1, NULL, 10));
	json_decref(v);
	close(fd);
	return pid;
}

static json_t *
member(json_t *take, const char *a, const char *b)
{
	json_t *v = json_object_get(take, a);

	if (b != NULL)
		v = json_object_get(v, b);
	assert_non_null(v);
	json_incref(v);
	json_decref(take);
	return v;
}

static void
a_guest_has_a_name_until_it_closes(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int g = ctl_open(r), h = ctl_open(r);
	const void *body;
	struct proto_frame f;

	expect_json(
	    ctl_call(g, REQ(1, "register", "{\"name\":\"me\"}")), DONE(1));
	assert_int_equal(
	    ctl_code(ctl_call(g, REQ(2, "register", "{\"name\":\"more\"}"))),
	    1);
	assert_int_equal(
	    ctl_code(ctl_call(h, REQ(1, "register", "{\"name\":\"me\"}"))), 1);
	assert_int_equal(
	    ctl_code(ctl_call(h, REQ(1, "register", "{\"name\":\"a b\"}"))),
	    -32602);
	ll_text(a, PROTO_REGISTER, 3, "me");
	assert_int_equal(ll_result(a, 3), EEXIST);
	ll_send(a, PROTO_MONITOR, pid_of(r, "me"), 5, 0, NULL, 0);
	ll_quiet(a);
	close(g);
	f = ll_expect(a, PROTO_DOWN, &body);
	assert_int_equal(f.ref, 5);
	assert_memory_equal(body, "normal", 6);
	/* The name was free before that. */
	expect_json(
	    ctl_call(h, REQ(1, "register", "{\"name\":\"me\"}")), DONE(1));
	expect_json(
	    ctl_call(h, REQ(2, "unregister", "{\"name\":\"me\"}")), DONE(2));
	assert_int_equal(
	    ctl_code(ctl_call(h, REQ(3, "unregister", "{\"name\":\"me\"}"))),
	    4);
	ll_text(a, PROTO_REGISTER, 3, "me");
	assert_int_equal(ll_result(a, 3), 0);
	close(a);
	close(h);
}

static void
messages_wait_for_receive(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int g = ctl_open(r);
	uint64_t pid;

	expect_json(
	    ctl_call(g, REQ(1, "register", "{\"name\":\"me\"}")), DONE(1));
	pid = pid_of(r, "me");
	ll_send(a, PROTO_DATA, pid, 0, PROTO_MSGPACK, "\x91\x07", 2);
	ll_send(a, PROTO_CAST, pid, 0, PROTO_BYTES, "\xff\x01", 2);
	ll_send(a, PROTO_EXIT, pid, 0, 0, "bye", 3);
	/* What is not the msgpack that it says is nothing. */
	ll_send(a, PROTO_DATA, pid, 0, PROTO_MSGPACK, "\xdd", 1);
	ll_quiet(a);
	ctl_send(g, REQ(2, "receive", "{\"n\":2}"));
	expect_json(member(ctl_recv(g), "params", "message"),
	    "{\"kind\":\"data\",\"from\":\"<1.1>\",\"ref\":null,"
	    "\"payload\":[7]}");
	expect_json(member(ctl_recv(g), "params", "message"),
	    "{\"kind\":\"cast\",\"from\":\"<1.1>\",\"ref\":null,"
	    "\"payload\":{\"bin\":\"ff01\"}}");
	expect_json(
	    ctl_recv(g), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":[]}");
	ctl_send(g, REQ(3, "receive", "{}"));
	expect_json(member(ctl_recv(g), "params", "message"),
	    "{\"kind\":\"exit\",\"from\":\"<1.1>\",\"ref\":null,"
	    "\"payload\":\"bye\"}");
	assert_int_equal(ctl_code(ctl_call(g, REQ(4, "receive", "{}"))), 1);
	ll_send(a, PROTO_DATA, pid, 0, PROTO_BYTES, "now", 3);
	expect_json(member(ctl_recv(g), "params", "message"),
	    "{\"kind\":\"data\",\"from\":\"<1.1>\",\"ref\":null,"
	    "\"payload\":\"now\"}");
	close(a);
	close(g);
}

static void
a_guest_answers_calls(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int g = ctl_open(r), h = ctl_open(r);
	char line[256];
	json_t *m;
	const void *body;
	struct proto_frame f;

	expect_json(
	    ctl_call(g, REQ(1, "register", "{\"name\":\"me\"}")), DONE(1));
	ctl_send(g, REQ(2, "receive", "{}"));
	/* A worker calls. */
	ll_send(a, PROTO_CALL, pid_of(r, "me"), UINT64_MAX, PROTO_MSGPACK,
	    "\x07", 1);
	expect_json(member(ctl_recv(g), "params", "message"),
	    "{\"kind\":\"call\",\"from\":\"<1.1>\","
	    "\"ref\":\"18446744073709551615\",\"payload\":7}");
	expect_json(
	    ctl_call(g, REQ(3, "reply",
			    "{\"to\":\"<1.1>\",\"ref\":"
			    "\"18446744073709551615\",\"payload\":[8]}")),
	    DONE(3));
	f = ll_expect(a, PROTO_REPLY, &body);
	assert_int_equal(f.ref, UINT64_MAX);
	assert_memory_equal(body, "\x91\x08", 2);
	/* Another guest calls. */
	ctl_send(h, REQ(1, "call", "{\"name\":\"me\",\"payload\":\"how?\"}"));
	m = member(ctl_recv(g), "params", "message");
	snprintf(line, sizeof(line),
	    REQ(4, "reply", "{\"to\":\"%s\",\"ref\":\"%s\",\"error\":\"no\"}"),
	    json_string_value(json_object_get(m, "from")),
	    json_string_value(json_object_get(m, "ref")));
	json_decref(m);
	expect_json(ctl_call(g, line), DONE(4));
	expect_json(ctl_recv(h),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,"
	    "\"message\":\"no\"}}");
	/* And is not answered before the end. */
	ctl_send(h, REQ(2, "call", "{\"name\":\"me\",\"payload\":\"how?\"}"));
	json_decref(ctl_recv(g));
	close(g);
	assert_int_equal(ctl_code(ctl_recv(h)), 1);
	close(a);
	close(h);
}

static void
who_does_not_receive_is_nobody(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int g = ctl_open(r);
	const void *body;

	json_decref(ctl_call(g, REQ(1, "ping", "{}")));
	ll_send(a, PROTO_CALL, PROTO_PID(PROTO_GUEST_SLOT, 1), 8, 0, "x", 1);
	ll_expect(a, PROTO_REPLY, &body);
	assert_memory_equal(body, "noproc", 6);
	close(a);
	close(g);
}

static void
what_nobody_receives_is_bounded_and_counted(void **state)
{
	struct rig *r = *state;
	static char body[60000];
	int a = rig_worker(r, 1, 1, "root/a");
	int g = ctl_open(r);
	uint64_t pid;
	unsigned n = 0;
	json_t *v;

	expect_json(
	    ctl_call(g, REQ(1, "register", "{\"name\":\"me\"}")), DONE(1));
	pid = pid_of(r, "me");
	memset(body, 'x', sizeof(body));
	for (unsigned i = 0; i < 100; i++)
		ll_send(a, PROTO_DATA, pid, 0, 0, body, sizeof(body));
	ll_send(a, PROTO_CALL, pid, 8, 0, body, sizeof(body));
	ll_expect(a, PROTO_REPLY, NULL);
	ctl_send(g, REQ(2, "receive", "{\"n\":69}"));
	v = member(ctl_recv(g), "params", NULL);
	expect_json(json_incref(json_object_get(v, "lost")), "32");
	json_decref(v);
	for (n = 1; n < 69; n++)
		json_decref(member(ctl_recv(g), "params", "message"));
	expect_json(
	    ctl_recv(g), "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":[]}");
	close(a);
	close(g);
}

static void
a_monitor_tells_the_reason(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int g = ctl_open(r);

	expect_json(ctl_call(g, REQ(1, "monitor", "{\"name\":\"b\"}")),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"pid\":null,"
	    "\"path\":null,\"reason\":\"noproc\"}}");
	ctl_send(g, REQ(2, "monitor", "{\"name\":\"a\"}"));
	json_decref(ctl_call(g, REQ(3, "ping", "{}")));
	rig_dead(r, 1, 1, "SIGSEGV");
	expect_json(ctl_recv(g),
	    "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"pid\":\"<1.1>\","
	    "\"path\":\"root/a\",\"reason\":\"SIGSEGV\"}}");
	close(a);
	close(g);
}

static void
an_exit_signal_is_sent(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int g = ctl_open(r);
	const void *body;
	size_t len;
	struct proto_frame f;

	expect_json(ctl_call(g, REQ(1, "exit",
				    "{\"name\":\"a\",\"reason\":\"enough\"}")),
	    DONE(1));
	f = ll_recv(a, &body, &len);
	assert_int_equal(f.type, PROTO_EXIT);
	assert_int_equal(PROTO_PID_SLOT(f.from), PROTO_GUEST_SLOT);
	assert_int_equal(len, 6);
	assert_memory_equal(body, "enough", 6);
	assert_int_equal(
	    ctl_code(ctl_call(
		g, REQ(2, "exit", "{\"name\":\"z\",\"reason\":\"x\"}"))),
	    4);
	assert_int_equal(
	    ctl_code(ctl_call(
		g, REQ(3, "exit", "{\"name\":\"a\",\"reason\":\"\"}"))),
	    -32602);
	close(a);
	close(g);
}

static void
a_worker_finds_a_guest_by_its_name(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int g = ctl_open(r);
	const void *body;
	struct proto_resolved w;
	struct proto_frame f;
	uint64_t pid;

	expect_json(
	    ctl_call(g, REQ(1, "register", "{\"name\":\"me\"}")), DONE(1));
	pid = pid_of(r, "me");
	ll_text(a, PROTO_RESOLVE, 4, "me");
	ll_expect(a, PROTO_RESOLVED, &body);
	memcpy(&w, body, sizeof(w));
	assert_int_equal(w.pid, pid);
	assert_int_equal(w.error, EACCES);
	ll_text(a, PROTO_MONITOR, 5, "me");
	ll_quiet(a);
	close(g);
	f = ll_expect(a, PROTO_DOWN, NULL);
	assert_int_equal(f.ref, 5);
	assert_int_equal(f.from, pid);
	f = ll_expect(a, PROTO_GONE, NULL);
	assert_int_equal(f.from, pid);
	ll_text(a, PROTO_RESOLVE, 4, "me");
	ll_expect(a, PROTO_RESOLVED, &body);
	memcpy(&w, body, sizeof(w));
	assert_int_equal(w.pid, 0);
	close(a);
}

static void
a_trace_follows_a_worker_over_its_restart(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int g = ctl_open(r);
	const void *body;

	ctl_send(g, REQ(1, "trace", "{\"name\":\"a\"}"));
	ll_expect(a, PROTO_SYS, &body);
	assert_memory_equal(body, "\x92\xa5trace\xc3", 8);
	ll_send(a, PROTO_TRACE, 0, 0, PROTO_MSGPACK,
	    "\x81\xa3"
	    "dir\xa2in",
	    8);
	expect_json(member(ctl_recv(g), "params", "trace"), "{\"dir\":\"in\"}");
	rig_dead(r, 1, 1, "exit 1");
	expect_json(member(ctl_recv(g), "params", "trace"),
	    "{\"dir\":\"end\",\"pid\":\"<1.1>\",\"reason\":\"exit 1\"}");
	close(a);
	a = rig_worker(r, 1, 2, "root/a");
	expect_json(member(ctl_recv(g), "params", "trace"),
	    "{\"dir\":\"start\",\"pid\":\"<1.2>\"}");
	ll_expect(a, PROTO_SYS, NULL);
	close(g);
	ll_expect(a, PROTO_SYS, &body);
	assert_memory_equal(body, "\x92\xa5trace\xc2", 8);
	close(a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_guest_has_a_name_until_it_closes),
		T(messages_wait_for_receive),
		T(a_guest_answers_calls),
		T(who_does_not_receive_is_nobody),
		T(what_nobody_receives_is_bounded_and_counted),
		T(a_monitor_tells_the_reason),
		T(an_exit_signal_is_sent),
		T(a_worker_finds_a_guest_by_its_name),
		T(a_trace_follows_a_worker_over_its_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
