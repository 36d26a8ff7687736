/* SPDX-License-Identifier: ISC */
#include "bus_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Links and exit signals: rules P-6 and P-7, as the bus keeps them. */

#define A PROTO_PID(1, 1)
#define B PROTO_PID(2, 1)
#define C PROTO_PID(3, 1)

static int
link_to(int fd, uint64_t pid)
{
	ll_send(fd, PROTO_LINK, pid, 11, 0, NULL, 0);
	return ll_result(fd, 11);
}

static void
expect_from(int fd, enum proto_type type, uint64_t from)
{
	struct proto_frame h = ll_expect(fd, type, NULL);

	assert_int_equal(h.from, from);
}

/* Both know of it; a waits for the answer. */
static void
linked(int a, uint64_t pid_a, int b, uint64_t pid_b)
{
	ll_send(a, PROTO_LINK, pid_b, 11, 0, NULL, 0);
	expect_from(a, PROTO_LINKED, pid_b);
	assert_int_equal(ll_result(a, 11), 0);
	expect_from(b, PROTO_LINKED, pid_a);
}

static struct proto_frame
expect_exit(int fd, uint64_t from, const char *reason)
{
	const void *body;
	size_t len;
	struct proto_frame h = ll_recv(fd, &body, &len);

	assert_int_equal(h.type, PROTO_EXIT);
	assert_int_equal(h.from, from);
	assert_int_equal(len, strlen(reason));
	assert_memory_equal(body, reason, len);
	return h;
}

static void
exit_to(int fd, uint64_t to, const char *reason)
{
	ll_send(fd, PROTO_EXIT, to, 0, 0, reason, strlen(reason));
}

static void
trap(struct rig *r, int fd, uint32_t slot)
{
	const struct wire_id *w;

	ll_send(fd, PROTO_TRAP, 0, 1, 0, NULL, 0);
	w = wire_body(rig_expect(&r->engine, WIRE_TRAPS));
	assert_int_equal(w->slot, slot);
}

static void
expect_signal(struct rig *r, uint32_t slot, int sig, const char *reason)
{
	const struct wire_exit *w =
	    wire_body(rig_expect(&r->engine, WIRE_EXIT));

	assert_int_equal(w->slot, slot);
	assert_int_equal(w->inc, 1);
	assert_int_equal(w->sig, sig);
	assert_string_equal(w->reason, reason);
}

/* ---- links -----------------------------------------------------------------
 */

static void
an_end_is_an_exit_signal_to_the_linked(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"),
	    b = rig_worker(r, 2, 1, "root/b");
	struct proto_frame h;

	linked(a, A, b, B);
	rig_dead(r, 2, 1, "exit 7");
	h = expect_exit(a, B, "exit 7");
	assert_int_equal(h.flags & PROTO_VIA_LINK, PROTO_VIA_LINK);
	assert_int_equal(h.to, A);
	ll_quiet(a);
	close(a);
	close(b);
}

static void
two_links_between_two_are_one(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"),
	    b = rig_worker(r, 2, 1, "root/b");

	linked(a, A, b, B);
	assert_int_equal(link_to(a, B), 0);
	assert_int_equal(link_to(b, A), 0);
	rig_dead(r, 1, 1, "exit 7");
	expect_exit(b, A, "exit 7");
	ll_quiet(b);
	close(a);
	close(b);
}

static void
a_link_to_who_has_ended_fails(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");

	assert_int_equal(link_to(a, B), ESRCH);
	assert_int_equal(link_to(a, A), 0); /* to itself: nothing to do */
	ll_quiet(a);
	close(a);
}

static void
after_unlink_an_end_is_nobodys_business(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"),
	    b = rig_worker(r, 2, 1, "root/b");

	linked(a, A, b, B);
	ll_send(b, PROTO_UNLINK, A, 0, 0, NULL, 0);
	expect_from(b, PROTO_UNLINKED, A);
	expect_from(a, PROTO_UNLINKED, B);
	ll_send(b, PROTO_UNLINK, A, 0, 0, NULL, 0); /* again: nothing */
	ll_quiet(b);
	rig_dead(r, 2, 1, "exit 7");
	ll_quiet(a);
	close(a);
	close(b);
}

static void
who_joins_late_is_told_of_its_links(void **state)
{
	struct rig *r = *state;
	struct proto_join j = { .os_pid = 1 };
	int a = rig_worker(r, 1, 1, "root/a"), b;

	rig_proc(r, 2, 1, "root/b");
	rig_expect_nothing(r, &r->engine);
	ll_send(a, PROTO_LINK, B, 11, 0, NULL, 0);
	expect_from(a, PROTO_LINKED, B);
	assert_int_equal(ll_result(a, 11), 0);
	b = rig_lifeline(r, 2, 1);
	ll_send(b, PROTO_JOIN, 0, 1, 0, &j, sizeof(j));
	ll_expect(b, PROTO_WELCOME, NULL);
	expect_from(b, PROTO_LINKED, A);
	close(a);
	close(b);
}

static void
of_another_user_only_root_and_supd_are_linked(void **state)
{
	struct rig *r = *state;
	struct proto_join j = { .os_pid = 1 };
	int a = rig_worker(r, 1, 1, "root/a"), b;

	rig_proc_uid(r, 2, 1, "root/b", getuid() + 12345);
	b = rig_lifeline(r, 2, 1);
	ll_send(b, PROTO_JOIN, 0, 1, 0, &j, sizeof(j));
	ll_expect(b, PROTO_WELCOME, NULL);
	assert_int_equal(link_to(b, A), EPERM);
	exit_to(b, A, "boo");
	ll_quiet(b);
	ll_quiet(a);
	linked(a, A, b, B);
	close(a);
	close(b);
}

/* ---- exit signals ----------------------------------------------------------
 */

static void
an_exit_signal_is_told_with_its_sender_and_place(void **state)
{
	struct rig *r = *state;
	static _Alignas(8) char buf[256];
	int a = rig_worker(r, 1, 1, "root/a"),
	    b = rig_worker(r, 2, 1, "root/b");
	struct proto_frame h = {
		.type = PROTO_EXIT, .to = B, .from = C, .seq = 77
	};
	size_t n = proto_put(buf, sizeof(buf), &h, "boo", 3);

	assert_int_equal(send(a, buf, n, 0), n);
	h = expect_exit(b, A, "boo");
	assert_int_equal(h.seq, 77);
	assert_int_equal(h.flags & PROTO_VIA_LINK, 0);
	close(a);
	close(b);
}

static void
kill_is_sigkill_even_for_who_traps(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"),
	    b = rig_worker(r, 2, 1, "root/b");

	trap(r, b, 2);
	exit_to(a, B, "kill");
	expect_signal(r, 2, SIGKILL, "killed");
	ll_quiet(b);
	close(a);
	close(b);
}

static void
kill_by_a_link_is_a_message(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"),
	    b = rig_worker(r, 2, 1, "root/b");

	linked(a, A, b, B);
	trap(r, a, 1);
	rig_dead(r, 2, 1, "kill");
	expect_exit(a, B, "kill");
	rig_expect_nothing(r, &r->engine);
	close(a);
	close(b);
}

static void
a_program_without_libmsg_is_signalled(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");

	rig_proc(r, 2, 1, "root/b");
	rig_proc(r, 3, 1, "root/c");
	rig_expect_nothing(r, &r->engine);
	exit_to(a, B, "normal");
	rig_expect_nothing(r, &r->engine);
	exit_to(a, B, "boo");
	expect_signal(r, 2, SIGTERM, "boo");
	exit_to(a, B, "kill");
	expect_signal(r, 2, SIGKILL, "killed");
	ll_send(a, PROTO_LINK, C, 11, 0, NULL, 0);
	expect_from(a, PROTO_LINKED, C);
	assert_int_equal(ll_result(a, 11), 0);
	rig_dead(r, 1, 1, "shutdown");
	expect_signal(r, 3, SIGTERM, "shutdown");
	close(a);
}

static void
who_does_not_obey_is_killed_for_the_same_reason(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"),
	    b = rig_worker(r, 2, 1, "root/b");

	exit_to(a, B, "boo");
	exit_to(a, B, "another"); /* the first counts */
	expect_exit(b, A, "boo");
	expect_exit(b, A, "another");
	expect_signal(r, 2, SIGKILL, "boo"); /* in 5 s */
	close(a);
	close(b);
}

static void
who_traps_is_not_killed_and_who_ends_is_forgotten(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"),
	    b = rig_worker(r, 2, 1, "root/b");
	int c = rig_worker(r, 3, 1, "root/c");

	exit_to(a, B, "boo");
	expect_exit(b, A, "boo");
	trap(r, b, 2); /* it did so before it read the signal */
	exit_to(a, B, "boo");
	expect_exit(b, A, "boo");
	exit_to(a, C, "boo");
	expect_exit(c, A, "boo");
	rig_dead(r, 3, 1, "boo");
	exit_to(b, A, "slow");
	expect_signal(r, 1, SIGKILL, "slow"); /* 5 s after all of them */
	close(a);
	close(b);
	close(c);
}

static void
a_stop_is_an_exit_for_who_traps_and_a_signal_else(void **state)
{
	struct rig *r = *state;
	struct wire_exit w = {
		.slot = 1, .inc = 1, .sig = SIGTERM, .reason = "shutdown"
	};
	int a = rig_worker(r, 1, 1, "root/a");

	assert_int_equal(link_send(&r->engine, WIRE_STOP, 0, &w, NULL, 0), 0);
	expect_signal(r, 1, SIGTERM, "");
	trap(r, a, 1);
	assert_int_equal(link_send(&r->engine, WIRE_STOP, 0, &w, NULL, 0), 0);
	expect_exit(a, PROTO_SUPERVISOR, "shutdown");
	rig_expect_nothing(r, &r->engine);
	close(a);
	/* It is deaf now: the engine must signal it after all. */
	assert_int_equal(link_send(&r->engine, WIRE_STOP, 0, &w, NULL, 0), 0);
	expect_signal(r, 1, SIGTERM, "");
}

static void
a_reason_is_answered_when_the_engine_has_it(void **state)
{
	struct rig *r = *state;
	const struct wire_hdr *h;
	const struct wire_declared *w;
	struct wire_id heard = { .slot = 1, .inc = 1 };
	int a = rig_worker(r, 1, 1, "root/a");

	ll_text(a, PROTO_REASON, 55, "shutdown: done");
	h = rig_expect(&r->engine, WIRE_DECLARED);
	w = wire_body(h);
	assert_int_equal(w->slot, 1);
	assert_int_equal(w->inc, 1);
	assert_string_equal(w->reason, "shutdown: done");
	ll_quiet(a);
	assert_int_equal(
	    link_send(&r->engine, WIRE_HEARD, h->tag, &heard, NULL, 0), 0);
	assert_int_equal(ll_result(a, 55), 0);
	/* Who does not wait is not answered. */
	ll_text(a, PROTO_REASON, 0, "normal");
	h = rig_expect(&r->engine, WIRE_DECLARED);
	assert_int_equal(
	    link_send(&r->engine, WIRE_HEARD, h->tag, &heard, NULL, 0), 0);
	rig_expect_nothing(r, &r->engine);
	ll_quiet(a);
	close(a);
}

static void
bad_frames_do_nothing(void **state)
{
	struct rig *r = *state;
	char reason[65];
	int a = rig_worker(r, 1, 1, "root/a"),
	    b = rig_worker(r, 2, 1, "root/b");

	memset(reason, 'x', sizeof(reason));
	ll_send(a, PROTO_EXIT, B, 0, 0, NULL, 0);
	ll_send(a, PROTO_EXIT, B, 0, 0, reason, 64);
	ll_send(a, PROTO_EXIT, B, 0, 0, "\xff\xfe", 2);
	ll_send(a, PROTO_EXIT, B, 0, 0, "a\0b", 3);
	ll_send(a, PROTO_EXIT, 0, 0, 0, "boo", 3);
	ll_send(a, PROTO_EXIT, PROTO_SUPERVISOR, 0, 0, "boo", 3);
	ll_send(a, PROTO_TRAP, 0, 2, 0, NULL, 0);
	ll_send(a, PROTO_LINK, 0, 0, 0, NULL, 0);
	ll_quiet(a);
	ll_quiet(b);
	rig_expect_nothing(r, &r->engine);
	close(a);
	close(b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(an_end_is_an_exit_signal_to_the_linked),
		CASE(two_links_between_two_are_one),
		CASE(a_link_to_who_has_ended_fails),
		CASE(after_unlink_an_end_is_nobodys_business),
		CASE(who_joins_late_is_told_of_its_links),
		CASE(of_another_user_only_root_and_supd_are_linked),
		CASE(an_exit_signal_is_told_with_its_sender_and_place),
		CASE(kill_is_sigkill_even_for_who_traps),
		CASE(kill_by_a_link_is_a_message),
		CASE(a_program_without_libmsg_is_signalled),
		CASE(who_does_not_obey_is_killed_for_the_same_reason),
		CASE(who_traps_is_not_killed_and_who_ends_is_forgotten),
		CASE(a_stop_is_an_exit_for_who_traps_and_a_signal_else),
		CASE(a_reason_is_answered_when_the_engine_has_it),
		CASE(bad_frames_do_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
