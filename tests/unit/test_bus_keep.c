/* SPDX-License-Identifier: ISC */
#include "bus_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* mailbox: {on_restart: keep}: messages for the next incarnation. */

#define MAX_BYTES 100000

static void
prepare(struct rig *r, uint32_t slot, const char *path)
{
	struct wire_prepare p = {
		.slot = slot,
		.flags = PREPARE_KEEP,
		.uid = getuid(),
		.gid = getgid(),
		.max_bytes = MAX_BYTES,
	};

	snprintf(p.path, sizeof(p.path), "%s", path);
	assert_int_equal(
	    link_send(&r->engine, WIRE_PREPARE, 0, &p, NULL, 0), 0);
	rig_expect(&r->engine, WIRE_PREPARED);
}

static struct proto_resolved
resolve(int fd, const char *text)
{
	const void *body;
	struct proto_resolved w;

	ll_text(fd, PROTO_RESOLVE, 4, text);
	ll_expect(fd, PROTO_RESOLVED, &body);
	memcpy(&w, body, sizeof(w));
	return w;
}

/* A worker that keeps, has had a name, and has ended. */
static int
between_two(struct rig *r)
{
	int a = rig_worker(r, 1, 1, "root/a");
	int b;

	prepare(r, 2, "root/b");
	b = rig_worker(r, 2, 1, "root/b");
	ll_text(b, PROTO_REGISTER, 3, "bob");
	assert_int_equal(ll_result(b, 3), 0);
	rig_dead(r, 2, 1, "SIGKILL");
	while (resolve(a, "bob").pid == PROTO_PID(2, 1))
		continue;
	close(b);
	return a;
}

static void
expect_message(int fd, enum proto_type type, uint64_t to, const char *text)
{
	const void *body;
	size_t len;
	struct proto_frame h = ll_recv(fd, &body, &len);

	assert_int_equal(h.type, type);
	assert_int_equal(h.to, to);
	assert_int_equal(h.from, PROTO_PID(1, 1));
	assert_int_equal(len, strlen(text));
	assert_memory_equal(body, text, len);
}

static void
messages_wait_for_the_next_incarnation(void **state)
{
	struct rig *r = *state;
	int a = between_two(r), b;
	struct proto_resolved w = resolve(a, "bob"), v = resolve(a, "b");
	struct proto_frame h;

	assert_int_equal(w.error, EACCES);
	assert_int_not_equal(w.pid, 0);
	assert_int_equal(w.pid, v.pid);
	/* Its last pid is nobody's all the same. */
	ll_send(a, PROTO_DATA, PROTO_PID(2, 1), 0, 0, "lost", 4);
	ll_send(a, PROTO_DATA, w.pid, 0, 0, "one", 3);
	ll_send(a, PROTO_CALL, w.pid, 9, 0, "two", 3);
	ll_quiet(a);
	b = rig_worker(r, 2, 2, "root/b");
	expect_message(b, PROTO_DATA, PROTO_PID(2, 2), "one");
	expect_message(b, PROTO_CALL, PROTO_PID(2, 2), "two");
	/* Until it has read them, later ones go the same way. */
	h = ll_expect(b, PROTO_SYS, NULL);
	w = resolve(a, "b");
	assert_int_equal(w.error, EACCES);
	ll_send(a, PROTO_DATA, w.pid, 0, 0, "three", 5);
	expect_message(b, PROTO_DATA, PROTO_PID(2, 2), "three");
	ll_send(b, PROTO_ANSWER, h.from, h.ref, PROTO_ERROR, "?", 1);
	h = ll_expect(b, PROTO_SYS, NULL);
	ll_send(b, PROTO_ANSWER, h.from, h.ref, PROTO_ERROR, "?", 1);
	ll_quiet(b);
	w = resolve(a, "b");
	assert_int_equal(w.error, 0);
	assert_int_equal(w.pid, PROTO_PID(2, 2));
	close(a);
	close(b);
}

static void
what_is_kept_is_bounded(void **state)
{
	static char body[30000];
	struct rig *r = *state;
	int a = between_two(r);
	uint64_t pid = resolve(a, "bob").pid;
	struct proto_frame h;

	for (unsigned i = 0; i < MAX_BYTES / sizeof(body); i++)
		ll_send(a, PROTO_DATA, pid, 0, 0, body, sizeof(body));
	ll_send(a, PROTO_CALL, pid, 9, 0, body, sizeof(body));
	h = ll_expect(a, PROTO_REPLY, NULL);
	assert_int_equal(h.ref, 9);
	assert_int_equal(h.flags, PROTO_ERROR);
	/* And who asks then is told that there is nobody. */
	assert_int_equal(resolve(a, "bob").pid, 0);
	close(a);
}

static void
a_monitor_is_of_the_next_incarnation(void **state)
{
	struct rig *r = *state;
	int a = between_two(r), b;
	uint64_t pid = resolve(a, "bob").pid;
	const void *body;
	struct proto_frame h;

	ll_send(a, PROTO_MONITOR, pid, 7, 0, NULL, 0);
	ll_quiet(a);
	b = rig_worker(r, 2, 2, "root/b");
	ll_quiet(b);
	ll_quiet(a);
	rig_dead(r, 2, 2, "exit 3");
	h = ll_expect(a, PROTO_DOWN, &body);
	assert_int_equal(h.from, pid);
	assert_int_equal(h.ref, 7);
	assert_memory_equal(body, "exit 3", 6);
	close(b);
	close(a);
}

static void
a_name_that_another_takes_is_the_others(void **state)
{
	struct rig *r = *state;
	int a = between_two(r);
	int c = rig_worker(r, 3, 1, "root/c");

	ll_text(c, PROTO_REGISTER, 3, "bob");
	assert_int_equal(ll_result(c, 3), 0);
	assert_int_equal(resolve(a, "bob").pid, PROTO_PID(3, 1));
	close(a);
	close(c);
}

static void
what_is_kept_goes_with_the_worker(void **state)
{
	struct rig *r = *state;
	struct wire_id id = { .slot = 2 };
	int a = between_two(r);
	uint64_t pid = resolve(a, "bob").pid;
	const void *body;

	ll_send(a, PROTO_DATA, pid, 0, 0, "one", 3);
	ll_send(a, PROTO_MONITOR, pid, 7, 0, NULL, 0);
	ll_quiet(a);
	assert_int_equal(
	    link_send(&r->engine, WIRE_FORGET, 0, &id, NULL, 0), 0);
	assert_int_equal(ll_expect(a, PROTO_DOWN, &body).ref, 7);
	assert_memory_equal(body, "noproc", 6);
	assert_int_equal(resolve(a, "bob").pid, 0);
	close(a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(messages_wait_for_the_next_incarnation),
		T(what_is_kept_is_bounded),
		T(a_monitor_is_of_the_next_incarnation),
		T(a_name_that_another_takes_is_the_others),
		T(what_is_kept_goes_with_the_worker),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
