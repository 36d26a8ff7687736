/* SPDX-License-Identifier: ISC */
#include "bus_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* events, logs and why; calls from guests to workers. */

#define REQ(id, method, params)                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"" method             \
	"\",\"params\":" params "}"

static void
say(struct link *l, enum wire_type type, uint64_t tag, const void *body,
    const char *text)
{
	assert_int_equal(link_send(l, type, tag, body, text,
			     text != NULL ? strlen(text) + 1 : 0),
	    0);
	while (link_waiting(l))
		assert_int_equal(link_flush(l), 0);
}

static void
end_request(struct rig *r, uint64_t tag, int code, const char *text)
{
	struct wire_end e = { .code = code };

	say(&r->engine, WIRE_END, tag, &e, text);
}

static void
say_event(struct rig *r, uint64_t tag, uint64_t seq)
{
	struct wire_event e = { .seq = seq,
		.kind = "ready",
		.path = "root/a",
		.text = "is ready" };

	say(&r->engine, WIRE_EVENT, tag, &e, NULL);
}

static void
say_line(struct rig *r, uint64_t tag, uint32_t slot, const char *text)
{
	struct wire_log_line l = { .slot = slot };

	say(&r->logger, WIRE_LOG_LINE, tag, &l, text);
}

static void
say_log_end(struct rig *r, uint64_t tag, uint32_t slot)
{
	struct wire_id id = { .slot = slot };

	say(&r->logger, WIRE_LOG_END, tag, &id, NULL);
}

static int64_t
seq_of(json_t *take)
{
	const json_t *p = json_object_get(take, "params");
	int64_t seq = json_integer_value(
	    json_object_get(json_object_get(p, "event"), "seq"));

	assert_non_null(p);
	json_decref(take);
	return seq;
}

static void
expect_line(int fd, const char *text)
{
	json_t *v = ctl_recv(fd);
	const json_t *p = json_object_get(v, "params");

	assert_string_equal(
	    json_string_value(json_object_get(v, "method")), "line");
	assert_string_equal(
	    json_string_value(json_object_get(p, "text")), text);
	json_decref(v);
}

/* ---- events ----------------------------------------------------------------
 */

static void
events_stream_the_past_and_end(void **state)
{
	struct rig *r = *state;
	const struct wire_hdr *h;
	int fd = ctl_open(r);

	ctl_send(fd, REQ(1, "events", "{\"n\":2}"));
	h = rig_expect(&r->engine, WIRE_REQUEST);
	assert_int_equal(((const struct wire_request *)wire_body(h))->n, 2);
	say_event(r, h->tag, 8);
	end_request(r, h->tag, CTL_OK, NULL);
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":{\"id\":1,"
	    "\"event\":{\"seq\":8,\"cause\":null,"
	    "\"time\":\"1970-01-01T00:00:00.000000000Z\",\"time_ns\":0,"
	    "\"mono_ns\":0,\"kind\":\"ready\",\"path\":\"root/a\","
	    "\"pid\":null,\"incarnation\":0,\"text\":\"is ready\"}}}");
	expect_json(
	    ctl_recv(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}");
	close(fd);
}

static void
followers_get_each_event_once(void **state)
{
	struct rig *r = *state;
	uint64_t tag;
	int fd = ctl_open(r);

	ctl_send(fd, REQ(1, "events", "{\"follow\":true}"));
	tag = rig_expect(&r->engine, WIRE_REQUEST)->tag;
	say_event(r, 0, 8);
	say_event(r, tag, 8);
	say_event(r, tag, 9);
	end_request(r, tag, CTL_OK, NULL);
	say_event(r, 0, 9);
	say_event(r, 0, 10);
	for (int64_t seq = 8; seq <= 10; seq++)
		assert_int_equal(seq_of(ctl_recv(fd)), seq);
	assert_int_equal(ctl_code(ctl_call(fd, REQ(2, "ping", "{}"))), 0);
	close(fd);
}

static void
followers_hear_what_was_said_before_the_end(void **state)
{
	struct rig *r = *state;
	uint64_t tag;
	int fd = ctl_open(r);

	ctl_send(fd, REQ(1, "events", "{\"follow\":true}"));
	tag = rig_expect(&r->engine, WIRE_REQUEST)->tag;
	end_request(r, tag, CTL_OK, NULL);
	say_event(r, 0, 1);
	assert_int_equal(seq_of(ctl_recv(fd)), 1);
	/* It finds both at once, the keeper's end first. */
	assert_return_code(kill(r->pid, SIGSTOP), errno);
	assert_return_code(shutdown(r->keeper_fd, SHUT_RDWR), errno);
	for (uint64_t seq = 2; seq <= 20; seq++)
		say_event(r, 0, seq);
	assert_return_code(kill(r->pid, SIGCONT), errno);
	for (int64_t seq = 2; seq <= 20; seq++)
		assert_int_equal(seq_of(ctl_recv(fd)), seq);
	close(fd);
}

static void
a_follower_that_does_not_read_loses_events_and_is_told(void **state)
{
	struct rig *r = *state;
	int sleeper = ctl_open(r), other = ctl_open(r);
	const int64_t n = 60000;
	int64_t got = 0, lost = 0;
	uint64_t tag;

	ctl_send(sleeper, REQ(1, "events", "{\"follow\":true}"));
	tag = rig_expect(&r->engine, WIRE_REQUEST)->tag;
	end_request(r, tag, CTL_OK, NULL);
	for (int64_t i = 1; i <= n; i++) {
		say_event(r, 0, (uint64_t)i);
		if (i % 10000 == 0)
			assert_int_equal(
			    ctl_code(ctl_call(other, REQ(1, "ping", "{}"))), 0);
	}
	while (got + lost < n) {
		json_t *v = ctl_recv(sleeper);
		json_t *p = json_object_get(v, "params");
		json_t *l = json_object_get(p, "lost");

		if (l != NULL)
			lost += json_integer_value(l);
		else
			got++;
		json_decref(v);
	}
	assert_int_equal(got + lost, n);
	assert_true(lost > 0);
	close(sleeper);
	close(other);
}

/* ---- logs ------------------------------------------------------------------
 */

static void
logs_stream_the_tail_and_end(void **state)
{
	struct rig *r = *state;
	const struct wire_hdr *h;
	const struct wire_log_tail *w;
	int fd = ctl_open(r);

	rig_proc(r, 3, 1, "root/a");
	rig_expect_nothing(r, &r->engine);
	ctl_send(fd, REQ(1, "logs", "{\"path\":\"a\",\"n\":5}"));
	h = rig_expect(&r->logger, WIRE_LOG_TAIL);
	w = wire_body(h);
	assert_int_equal(w->slot, 3);
	assert_int_equal(w->n, 5);
	say_line(r, h->tag, 3, "one \xff");
	say_log_end(r, h->tag, 3);
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"method\":\"line\",\"params\":{\"id\":1,"
	    "\"path\":\"root/a\",\"time\":null,\"text\":\"one \xef\xbf\xbd\","
	    "\"lost\":0}}");
	expect_json(
	    ctl_recv(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}");
	assert_int_equal(
	    ctl_code(ctl_call(fd, REQ(2, "logs", "{\"path\":\"nobody\"}"))),
	    CTL_NO_NAME);
	close(fd);
}

static void
followers_of_one_log_share_one_follow(void **state)
{
	struct rig *r = *state;
	const struct wire_log_tail *w;
	uint64_t tag;
	int a = ctl_open(r), b = ctl_open(r);

	rig_proc(r, 3, 1, "root/a");
	rig_expect_nothing(r, &r->engine);
	ctl_send(a, REQ(1, "logs", "{\"path\":\"a\",\"follow\":true}"));
	tag = rig_expect(&r->logger, WIRE_LOG_TAIL)->tag;
	w = wire_body(rig_expect(&r->logger, WIRE_LOG_FOLLOW));
	assert_int_equal(w->n, 1);
	say_line(r, 0, 3, "in the tail anyway");
	say_line(r, tag, 3, "in the tail anyway");
	say_log_end(r, tag, 3);
	say_line(r, 0, 3, "live");
	expect_line(a, "in the tail anyway");
	expect_line(a, "live");

	ctl_send(b, REQ(1, "logs", "{\"path\":\"a\",\"follow\":true}"));
	say_log_end(r, rig_expect(&r->logger, WIRE_LOG_TAIL)->tag, 3);
	say_line(r, 0, 3, "for both");
	expect_line(a, "for both");
	expect_line(b, "for both");
	close(a);
	rig_expect_nothing(r, &r->logger);
	close(b);
	w = wire_body(rig_expect(&r->logger, WIRE_LOG_FOLLOW));
	assert_int_equal(w->n, 0);
}

static void
a_removed_worker_ends_its_followers(void **state)
{
	struct rig *r = *state;
	struct wire_id id = { .slot = 3 };
	int fd = ctl_open(r);

	rig_proc(r, 3, 1, "root/a");
	rig_expect_nothing(r, &r->engine);
	ctl_send(fd, REQ(1, "logs", "{\"path\":\"a\",\"follow\":true}"));
	rig_expect(&r->logger, WIRE_LOG_TAIL);
	say(&r->engine, WIRE_FORGET, 0, &id, NULL);
	assert_int_equal(ctl_code(ctl_recv(fd)), CTL_NO_NAME);
	close(fd);
}

static void
why_joins_the_story_and_the_last_output(void **state)
{
	struct rig *r = *state;
	const struct wire_hdr *h;
	int fd = ctl_open(r);
	json_t *v, *w;

	rig_proc(r, 3, 1, "root/a");
	rig_expect_nothing(r, &r->engine);
	ctl_send(fd, REQ(1, "why", "{\"path\":\"a\"}"));
	h = rig_expect(&r->engine, WIRE_REQUEST);
	say_event(r, h->tag, 8);
	end_request(r, h->tag, CTL_OK, "a is well");
	h = rig_expect(&r->logger, WIRE_LOG_TAIL);
	say_line(r, h->tag, 3, "bye");
	say_log_end(r, h->tag, 3);
	v = ctl_recv(fd);
	w = json_object_get(v, "result");
	assert_int_equal(json_array_size(json_object_get(w, "story")), 1);
	assert_string_equal(
	    json_string_value(json_object_get(w, "headline")), "a is well");
	assert_string_equal(json_string_value(json_array_get(
				json_object_get(w, "last_output"), 0)),
	    "bye");
	json_decref(v);
	close(fd);
}

/* ---- calls -----------------------------------------------------------------
 */

#define CALL(id, name)                                                         \
	REQ(id, "call", "{\"name\":\"" name "\",\"payload\":[\"get\",1]}")

static void
a_call_brings_back_the_reply(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), fd = ctl_open(r);
	struct proto_frame h;
	const void *body;
	size_t len;

	ctl_send(fd, CALL(1, "a"));
	h = ll_recv(a, &body, &len);
	assert_int_equal(h.type, PROTO_CALL);
	assert_int_equal(h.flags, PROTO_MSGPACK);
	assert_int_equal(PROTO_PID_SLOT(h.from), PROTO_GUEST_SLOT);
	assert_int_equal(len, 6);
	assert_memory_equal(body, "\x92\xa3get\x01", 6);
	ll_send(a, PROTO_REPLY, h.from, h.ref + 1, PROTO_MSGPACK, "\x01", 1);
	ll_send(
	    a, PROTO_REPLY, h.from, h.ref, PROTO_MSGPACK, "\x92\x07\xc0", 3);
	ll_send(a, PROTO_REPLY, h.from, h.ref, PROTO_MSGPACK, "\x01", 1);
	expect_json(
	    ctl_recv(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[7,null]}");
	assert_int_equal(ctl_code(ctl_call(fd, REQ(2, "ping", "{}"))), 0);
	close(a);
	close(fd);
}

static void
a_reply_may_be_bytes_an_error_or_nonsense(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), fd = ctl_open(r);
	struct proto_frame h;

	ctl_send(fd, CALL(1, "a"));
	h = ll_expect(a, PROTO_CALL, NULL);
	ll_send(a, PROTO_REPLY, h.from, h.ref, PROTO_BYTES, "hi", 2);
	expect_json(
	    ctl_recv(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"hi\"}");
	ctl_send(fd, CALL(2, "a"));
	h = ll_expect(a, PROTO_CALL, NULL);
	ll_send(a, PROTO_REPLY, h.from, h.ref, PROTO_ERROR, "no way", 6);
	expect_json(ctl_recv(fd), "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{"
				  "\"code\":1,\"message\":\"no way\"}}");
	ctl_send(fd, CALL(3, "a"));
	h = ll_expect(a, PROTO_CALL, NULL);
	ll_send(a, PROTO_REPLY, h.from, h.ref, PROTO_MSGPACK,
	    "\xdd\xff\xff\xff\xff", 5);
	assert_int_equal(ctl_code(ctl_recv(fd)), CTL_FAILED);
	close(a);
	close(fd);
}

static void
a_call_ends_with_the_worker_that_should_answer(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), fd = ctl_open(r);

	ctl_send(fd, CALL(1, "a"));
	ll_expect(a, PROTO_CALL, NULL);
	rig_dead(r, 1, 1, "SIGKILL");
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,"
	    "\"message\":\"root/a ended before it answered: SIGKILL\"}}");
	close(a);
	close(fd);
}

/* The first caller wants no answer and has said its last word. */
static void
a_call_ends_with_the_worker_for_all_callers(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), gone = ctl_open(r);
	int fd = ctl_open(r);

	ctl_send(gone, "{\"jsonrpc\":\"2.0\",\"method\":\"call\",\"params\":"
		       "{\"name\":\"a\",\"payload\":1}}");
	ll_expect(a, PROTO_CALL, NULL);
	assert_int_equal(shutdown(gone, SHUT_WR), 0);
	ctl_send(fd, CALL(1, "a"));
	ll_expect(a, PROTO_CALL, NULL);
	rig_dead(r, 1, 1, "SIGKILL");
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,"
	    "\"message\":\"root/a ended before it answered: SIGKILL\"}}");
	close(a);
	close(gone);
	close(fd);
}

static void
a_reply_before_the_end_still_counts(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), fd = ctl_open(r);
	struct proto_frame h;

	ctl_send(fd, CALL(1, "a"));
	h = ll_expect(a, PROTO_CALL, NULL);
	ll_send(a, PROTO_REPLY, h.from, h.ref, PROTO_MSGPACK, "\x07", 1);
	close(a);
	rig_dead(r, 1, 1, "normal");
	expect_json(
	    ctl_recv(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":7}");
	close(fd);
}

static void
a_call_times_out_and_its_late_reply_is_dropped(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), fd = ctl_open(r);
	struct proto_frame h;

	ctl_send(fd, REQ(1, "call",
			 "{\"name\":\"a\",\"payload\":1,"
			 "\"timeout_ns\":1000000}"));
	h = ll_expect(a, PROTO_CALL, NULL);
	assert_int_equal(ctl_code(ctl_recv(fd)), CTL_TIMEOUT);
	ll_send(a, PROTO_REPLY, h.from, h.ref, PROTO_MSGPACK, "\x07", 1);
	ll_quiet(a);
	assert_int_equal(ctl_code(ctl_call(fd, REQ(2, "ping", "{}"))), 0);
	close(a);
	close(fd);
}

static void
a_call_to_nobody_lists_the_names_like_it(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), fd = ctl_open(r);

	ll_text(a, PROTO_REGISTER, 5, "counter");
	assert_int_equal(ll_result(a, 5), 0);
	expect_json(ctl_call(fd, CALL(1, "counters")),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":4,\"message\":"
	    "\"no such name: counters (there is counter)\"}}");
	expect_json(ctl_call(fd, CALL(2, "zzz")),
	    "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":4,\"message\":"
	    "\"no such name: zzz\"}}");
	close(a);
	close(fd);
}

static void
a_payload_too_long_or_too_deep_is_refused(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), fd = ctl_open(r);
	size_t len = PROTO_LIFELINE_MAX;
	char *line = malloc(len + 256), *at;

	at = line + sprintf(line, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":"
				  "\"call\",\"params\":{\"name\":\"a\","
				  "\"payload\":\"");
	memset(at, 'x', len);
	strcpy(at + len, "\"}}");
	assert_int_equal(ctl_code(ctl_call(fd, line)), -32602);
	at[-1] = '\0';
	for (int i = 0; i < 40; i++)
		strcat(line, "[");
	for (int i = 0; i < 40; i++)
		strcat(line, "]");
	strcat(line, "}}");
	assert_int_equal(ctl_code(ctl_call(fd, line)), -32602);
	free(line);
	ll_quiet(a);
	close(a);
	close(fd);
}

static void
send_and_cast_are_not_answered_by_the_worker(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), fd = ctl_open(r);

	expect_json(
	    ctl_call(fd, REQ(1, "send", "{\"name\":\"a\",\"payload\":1}")),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}");
	ll_expect(a, PROTO_DATA, NULL);
	expect_json(
	    ctl_call(fd, REQ(2, "cast", "{\"name\":\"a\",\"payload\":1}")),
	    "{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":null}");
	ll_expect(a, PROTO_CAST, NULL);
	close(a);
	close(fd);
}

static void
names_lists_who_is_registered(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 4, "root/a"), fd = ctl_open(r);

	ll_text(a, PROTO_REGISTER, 5, "counter");
	assert_int_equal(ll_result(a, 5), 0);
	expect_json(ctl_call(fd, REQ(1, "names", "{}")),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[{\"name\":\"counter\","
	    "\"path\":\"root/a\",\"pid\":\"<1.4>\",\"os_pid\":4242}]}");
	close(a);
	close(fd);
}

static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	T(events_stream_the_past_and_end),
	T(followers_get_each_event_once),
	T(followers_hear_what_was_said_before_the_end),
	T(a_follower_that_does_not_read_loses_events_and_is_told),
	T(logs_stream_the_tail_and_end),
	T(followers_of_one_log_share_one_follow),
	T(a_removed_worker_ends_its_followers),
	T(why_joins_the_story_and_the_last_output),
	T(a_call_brings_back_the_reply),
	T(a_reply_may_be_bytes_an_error_or_nonsense),
	T(a_call_ends_with_the_worker_that_should_answer),
	T(a_call_ends_with_the_worker_for_all_callers),
	T(a_reply_before_the_end_still_counts),
	T(a_call_times_out_and_its_late_reply_is_dropped),
	T(a_call_to_nobody_lists_the_names_like_it),
	T(a_payload_too_long_or_too_deep_is_refused),
	T(send_and_cast_are_not_answered_by_the_worker),
	T(names_lists_who_is_registered),
};

int
main(void)
{
	return cmocka_run_group_tests_name("bus_stream", tests, NULL, NULL);
}
