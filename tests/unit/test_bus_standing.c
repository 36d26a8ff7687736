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

/* The keys register, link and monitor, for any program. */

#define A(inc) PROTO_PID(1, inc)
#define B(inc) PROTO_PID(2, inc)

static uint64_t
whereis(int fd, const char *name)
{
	const void *body;
	struct proto_resolved d;

	ll_text(fd, PROTO_RESOLVE, 77, name);
	assert_int_equal(ll_expect(fd, PROTO_RESOLVED, &body).ref, 77);
	memcpy(&d, body, sizeof(d));
	return d.pid;
}

static void
expect_signal(struct rig *r, uint32_t slot, uint64_t inc, const char *reason)
{
	const struct wire_exit *w =
	    wire_body(rig_expect(&r->engine, WIRE_EXIT));

	assert_int_equal(w->slot, slot);
	assert_int_equal(w->inc, inc);
	assert_int_equal(w->sig, SIGTERM);
	assert_string_equal(w->reason, reason);
}

static void
expect_down(int fd, uint64_t from, const char *reason)
{
	const void *body;
	size_t len;
	struct proto_frame h = ll_recv(fd, &body, &len);

	assert_int_equal(h.type, PROTO_DOWN);
	assert_int_equal(h.ref, 0);
	assert_int_equal(h.from, from);
	assert_int_equal(len, strlen(reason));
	assert_memory_equal(body, reason, len);
}

static void
any_program_has_its_names_for_its_life(void **state)
{
	struct rig *r = *state;
	int c = rig_worker(r, 3, 1, "root/c");

	rig_wish(r, 1, "root/a", "register db\nregister store\n");
	assert_int_equal(whereis(c, "db"), 0);
	rig_proc(r, 1, 1, "root/a");
	rig_expect_nothing(r, &r->engine);
	assert_int_equal(whereis(c, "db"), A(1));
	assert_int_equal(whereis(c, "store"), A(1));
	ll_text(c, PROTO_REGISTER, 5, "db");
	assert_int_equal(ll_result(c, 5), EEXIST);
	rig_dead(r, 1, 1, "exit 1");
	ll_expect(c, PROTO_GONE, NULL);
	assert_int_equal(whereis(c, "db"), 0);
	rig_proc(r, 1, 2, "root/a");
	rig_expect_nothing(r, &r->engine);
	assert_int_equal(whereis(c, "store"), A(2));
	close(c);
}

static void
a_taken_name_stays_with_its_owner(void **state)
{
	struct rig *r = *state;
	int c = rig_worker(r, 3, 1, "root/c");

	ll_text(c, PROTO_REGISTER, 5, "db");
	assert_int_equal(ll_result(c, 5), 0);
	rig_wish(r, 1, "root/a", "register db\nregister store\n");
	rig_proc(r, 1, 1, "root/a");
	rig_expect_nothing(r, &r->engine);
	assert_int_equal(whereis(c, "db"), PROTO_PID(3, 1));
	assert_int_equal(whereis(c, "store"), A(1));
	close(c);
}

static void
a_configured_name_and_one_of_its_own(void **state)
{
	struct rig *r = *state;
	int a;

	rig_wish(r, 1, "root/a", "register db\n");
	a = rig_worker(r, 1, 1, "root/a");
	ll_text(a, PROTO_REGISTER, 5, "mine");
	assert_int_equal(ll_result(a, 5), 0);
	ll_text(a, PROTO_UNREGISTER, 6, "db");
	assert_int_equal(ll_result(a, 6), EPERM);
	assert_int_equal(whereis(a, "mine"), A(1));
	assert_int_equal(whereis(a, "db"), A(1));
	close(a);
}

static void
linked_programs_end_together_and_begin_anew(void **state)
{
	struct rig *r = *state;

	rig_wish(r, 1, "root/a", "link root/b\n");
	rig_proc(r, 1, 1, "root/a");
	rig_proc(r, 2, 1, "root/b");
	rig_dead(r, 2, 1, "exit 7");
	expect_signal(r, 1, 1, "exit 7");
	/* b is back before a has gone: a's end is no reason for it. */
	rig_proc(r, 2, 2, "root/b");
	rig_dead(r, 1, 1, "exit 7");
	rig_expect_nothing(r, &r->engine);
	rig_proc(r, 1, 2, "root/a");
	rig_dead(r, 1, 2, "killed");
	expect_signal(r, 2, 2, "killed");
}

static void
a_normal_end_takes_nobody_along(void **state)
{
	struct rig *r = *state;

	rig_wish(r, 1, "root/a", "link b\n");
	rig_proc(r, 2, 1, "root/b");
	rig_proc(r, 1, 1, "root/a");
	rig_dead(r, 1, 1, "normal");
	rig_expect_nothing(r, &r->engine);
}

static void
a_name_that_comes_later_is_linked_then(void **state)
{
	struct rig *r = *state;
	int b;

	rig_wish(r, 1, "root/a", "link later\n");
	rig_proc(r, 1, 1, "root/a");
	b = rig_worker(r, 2, 1, "root/b");
	ll_text(b, PROTO_REGISTER, 5, "later");
	assert_int_equal(ll_expect(b, PROTO_LINKED, NULL).from, A(1));
	assert_int_equal(ll_result(b, 5), 0);
	rig_dead(r, 2, 1, "exit 1");
	expect_signal(r, 1, 1, "exit 1");
	close(b);
}

static void
every_end_is_told_to_who_monitors(void **state)
{
	struct rig *r = *state;
	int a;

	rig_wish(r, 1, "root/a", "monitor b\nmonitor nobody\n");
	rig_proc(r, 2, 1, "root/b");
	a = rig_worker(r, 1, 1, "root/a");
	ll_quiet(a);
	rig_dead(r, 2, 1, "exit 1");
	expect_down(a, B(1), "exit 1");
	rig_proc(r, 2, 2, "root/b");
	rig_dead(r, 2, 2, "shutdown");
	expect_down(a, B(2), "shutdown");
	ll_quiet(a);
	close(a);
}

static void
wishes_can_be_taken_back(void **state)
{
	struct rig *r = *state;
	int c = rig_worker(r, 3, 1, "root/c");

	rig_wish(r, 1, "root/a", "link b\nregister db\n");
	rig_wish(r, 1, "root/a", "");
	rig_proc(r, 1, 1, "root/a");
	rig_proc(r, 2, 1, "root/b");
	rig_expect_nothing(r, &r->engine);
	assert_int_equal(whereis(c, "db"), 0);
	rig_dead(r, 2, 1, "exit 1");
	rig_expect_nothing(r, &r->engine);
	close(c);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(any_program_has_its_names_for_its_life),
		CASE(a_taken_name_stays_with_its_owner),
		CASE(a_configured_name_and_one_of_its_own),
		CASE(linked_programs_end_together_and_begin_anew),
		CASE(a_normal_end_takes_nobody_along),
		CASE(a_name_that_comes_later_is_linked_then),
		CASE(every_end_is_told_to_who_monitors),
		CASE(wishes_can_be_taken_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
