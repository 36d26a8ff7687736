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
#include <unistd.h>

/* SPAWN: rule P-1, as the bus does it. */

#define PARENT PROTO_PID(1, 1)
#define CHILD  PROTO_PID(2, 1)

/* ["jobs", ["x"]] */
static const char body[] = "\x92\xa4jobs\x91\xa1x";
#define BODY_LEN (sizeof(body) - 1)

static int
parent(struct rig *r)
{
	rig_wish(r, 1, "root/parent", "allow jobs\n");
	return rig_worker(r, 1, 1, "root/parent");
}

/* The request that the engine gets: its tag. */
static uint64_t
requested(struct rig *r)
{
	const struct wire_hdr *h = rig_expect(&r->engine, WIRE_REQUEST);
	const struct wire_request *w = wire_body(h);
	size_t len;

	assert_int_equal(w->op, OP_ADD);
	assert_int_equal(w->flags, REQUEST_MARK);
	assert_string_equal(w->path, "jobs");
	assert_string_equal(wire_tail(h, &len), "[\"x\"]");
	return h->tag;
}

static void
born(struct rig *r, uint64_t tag)
{
	struct wire_proc w = {
		.slot = 2, .inc = 1, .uid = getuid(), .request = tag
	};

	snprintf(w.path, sizeof(w.path), "root/jobs/1");
	assert_int_equal(link_send(&r->engine, WIRE_PROC, 0, &w, NULL, 0), 0);
}

static void
end(struct rig *r, uint64_t tag, int code, const char *text)
{
	struct wire_end w = { .code = code };

	assert_int_equal(
	    link_send(&r->engine, WIRE_END, tag, &w, text, strlen(text) + 1),
	    0);
}

static void
expect_pid(int fd, uint64_t ref)
{
	static const uint8_t want[] = { 0xcf, 0, 0, 2, 0, 0, 0, 0, 1 };
	const void *got;
	size_t len;
	struct proto_frame h = ll_recv(fd, &got, &len);

	assert_int_equal(h.type, PROTO_ANSWER);
	assert_int_equal(h.ref, ref);
	assert_int_equal(h.flags & PROTO_ERROR, 0);
	assert_int_equal(len, sizeof(want));
	assert_memory_equal(got, want, len);
}

static void
expect_error(int fd, uint64_t ref, int error)
{
	struct proto_frame h = ll_expect(fd, PROTO_ANSWER, NULL);

	assert_int_equal(h.ref, ref);
	assert_int_equal(h.flags & PROTO_ERROR, PROTO_ERROR);
	assert_int_equal(h.tag, error);
}

static void
the_pid_comes_before_the_child_is_ready(void **state)
{
	struct rig *r = *state;
	int a = parent(r);
	uint64_t tag;

	ll_send(a, PROTO_SPAWN, 0, 5, 0, body, BODY_LEN);
	tag = requested(r);
	ll_quiet(a);
	born(r, tag);
	expect_pid(a, 5);
	end(r, tag, CTL_OK, "");
	ll_quiet(a); /* one answer */
	close(a);
}

static void
link_and_monitor_are_there_before_it_runs(void **state)
{
	struct rig *r = *state;
	const void *text;
	int a = parent(r);
	struct proto_frame h;

	ll_send(a, PROTO_SPAWN, 0, 5, PROTO_WITH_LINK | PROTO_WITH_MONITOR,
	    body, BODY_LEN);
	born(r, requested(r));
	rig_dead(r, 2, 1, "exec");
	h = ll_expect(a, PROTO_LINKED, NULL);
	assert_int_equal(h.from, CHILD);
	expect_pid(a, 5);
	h = ll_expect(a, PROTO_DOWN, &text);
	assert_int_equal(h.ref, 5);
	assert_int_equal(h.from, CHILD);
	assert_memory_equal(text, "exec", 4);
	h = ll_expect(a, PROTO_EXIT, NULL);
	assert_int_equal(h.from, CHILD);
	ll_quiet(a);
	close(a);
}

static void
a_linked_child_does_not_outlive_who_ended_before(void **state)
{
	struct rig *r = *state;
	const struct wire_exit *w;
	int a = parent(r);
	uint64_t tag;

	ll_send(a, PROTO_SPAWN, 0, 5, PROTO_WITH_LINK, body, BODY_LEN);
	tag = requested(r);
	rig_dead(r, 1, 1, "killed");
	born(r, tag);
	w = wire_body(rig_expect(&r->engine, WIRE_EXIT));
	assert_int_equal(w->slot, 2);
	assert_int_equal(w->sig, SIGTERM);
	assert_string_equal(w->reason, "noproc");
	end(r, tag, CTL_OK, "");
	rig_expect_nothing(r, &r->engine);
	close(a);
}

static void
a_failure_is_told_by_its_kind(void **state)
{
	static const struct {
		int code, error;
	} t[] = {
		{ CTL_NO_NAME, ENOENT }, { CTL_FAILED, EAGAIN },
		{ CTL_CONFIG, EINVAL }, { CTL_OK, EAGAIN }, /* enabled: false */
	};
	struct rig *r = *state;
	int a = parent(r);

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		ll_send(a, PROTO_SPAWN, 0, 5 + i, 0, body, BODY_LEN);
		end(r, requested(r), t[i].code, "no");
		expect_error(a, 5 + i, t[i].error);
	}
	close(a);
}

static void
only_what_allow_names_is_asked_for(void **state)
{
	static const char *const yes[] = { "jobs", "/root/jobs", "root//jobs",
		"jobs/sub" };
	static const char *const no[] = { "job", "jobs2", "other/jobs", "root",
		"*", "j*", "root/root/jobs", "" };
	struct rig *r = *state;
	char packed[64];
	int a = parent(r);

	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		int n = snprintf(packed, sizeof(packed), "\x91%c%s",
		    (int)(0xa0 | strlen(no[i])), no[i]);

		ll_send(a, PROTO_SPAWN, 0, 5, 0, packed, (size_t)n);
		expect_error(a, 5, EPERM);
	}
	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
		int n = snprintf(packed, sizeof(packed), "\x91%c%s",
		    (int)(0xa0 | strlen(yes[i])), yes[i]);
		const struct wire_hdr *h;

		ll_send(a, PROTO_SPAWN, 0, 5, 0, packed, (size_t)n);
		h = rig_expect(&r->engine, WIRE_REQUEST);
		end(r, h->tag, CTL_FAILED, "no");
		expect_error(a, 5, EAGAIN);
	}
	close(a);
}

static void
without_allow_nothing_is(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/parent");

	ll_send(a, PROTO_SPAWN, 0, 5, 0, body, BODY_LEN);
	expect_error(a, 5, EPERM);
	rig_wish(r, 1, "root/parent", "allow control\n");
	ll_send(a, PROTO_SPAWN, 0, 6, 0, body, BODY_LEN);
	end(r, requested(r), CTL_FAILED, "no");
	expect_error(a, 6, EAGAIN);
	close(a);
}

static void
so_many_at_a_time_and_no_more(void **state)
{
	struct rig *r = *state;
	int a = parent(r);
	uint64_t tag = 0;

	for (uint64_t i = 0; i < 64; i++) {
		ll_send(a, PROTO_SPAWN, 0, 100 + i, 0, body, BODY_LEN);
		tag = requested(r);
	}
	ll_send(a, PROTO_SPAWN, 0, 5, 0, body, BODY_LEN);
	expect_error(a, 5, EAGAIN);
	end(r, tag, CTL_FAILED, "no");
	expect_error(a, 163, EAGAIN);
	ll_send(a, PROTO_SPAWN, 0, 6, 0, body, BODY_LEN);
	requested(r);
	close(a);
}

static void
what_is_no_list_of_texts_is_dropped(void **state)
{
	static const char *const bad[] = { "", "\xc0", "\x90", "\x91\x01",
		"\xa4jobs", "\x92\xa4jobs\xa1x", "\x92\xa4jobs\x91\x01",
		"\x93\xa4jobs\x90\x90", "\x92\xa4jobs" };
	struct rig *r = *state;
	int a = parent(r);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ll_send(a, PROTO_SPAWN, 0, 5, 0, bad[i], strlen(bad[i]));
	ll_quiet(a);
	rig_expect_nothing(r, &r->engine);
	close(a);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(the_pid_comes_before_the_child_is_ready),
		CASE(link_and_monitor_are_there_before_it_runs),
		CASE(a_linked_child_does_not_outlive_who_ended_before),
		CASE(a_failure_is_told_by_its_kind),
		CASE(only_what_allow_names_is_asked_for),
		CASE(without_allow_nothing_is),
		CASE(so_many_at_a_time_and_no_more),
		CASE(what_is_no_list_of_texts_is_dropped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
