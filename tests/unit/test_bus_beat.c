/* SPDX-License-Identifier: ISC */
#include "bus_rig.h"

#include "base/mono.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Signs of life: what reaches the engine, and how often. */

#define HOUR_NS (3600 * NS_PER_S)

/* Slot 3 gets a notify socket, and its incarnation 5 lives; its lifeline. */
static int
begin(struct rig *r, int64_t beat_ns)
{
	struct wire_prepare w = {
		.slot = 3,
		.flags = PREPARE_NOTIFY,
		.uid = getuid(),
		.gid = getgid(),
		.beat_ns = beat_ns,
		.path = "root/a",
	};
	const struct wire_result *done;

	assert_int_equal(
	    link_send(&r->engine, WIRE_PREPARE, 0, &w, NULL, 0), 0);
	done = wire_body(rig_expect(&r->engine, WIRE_PREPARED));
	assert_int_equal(done->error, 0);
	return rig_worker(r, 3, 5, "root/a");
}

static void
notify(struct rig *r, const char *text)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.90s/notify/3", r->dir);
	assert_int_equal(
	    sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof(a)),
	    strlen(text));
	close(fd);
}

static void
expect_beat(struct rig *r, uint64_t inc, bool unwell)
{
	const struct wire_beat *m =
	    wire_body(rig_expect(&r->engine, WIRE_BEAT));

	assert_int_equal(m->slot, 3);
	assert_int_equal(m->inc, inc);
	assert_int_equal(m->unwell, unwell);
}

static void
watchdog_1_is_a_sign_of_life(void **state)
{
	struct rig *r = *state;
	int fd = begin(r, HOUR_NS);

	notify(r, "STATUS=fine\nWATCHDOG=1");
	expect_beat(r, 5, false);
	close(fd);
}

static void
a_storm_of_beats_is_told_once(void **state)
{
	struct rig *r = *state;
	int fd = begin(r, HOUR_NS);

	for (int i = 0; i < 300; i++) {
		notify(r, "WATCHDOG=1");
		ll_send(fd, PROTO_ALIVE, 0, 0, 0, NULL, 0);
	}
	ll_quiet(fd);
	expect_beat(r, 5, false);
	rig_expect_nothing(r, &r->engine);
	close(fd);
}

static void
a_beat_that_came_too_soon_is_told_later(void **state)
{
	struct rig *r = *state;
	int fd = begin(r, 50 * NS_PER_MS);

	notify(r, "WATCHDOG=1");
	notify(r, "WATCHDOG=1");
	expect_beat(r, 5, false);
	expect_beat(r, 5, false);
	close(fd);
}

static void
unwell_is_told_at_once_and_once(void **state)
{
	struct rig *r = *state;
	int fd = begin(r, HOUR_NS);

	notify(r, "WATCHDOG=1");
	expect_beat(r, 5, false);
	notify(r, "WATCHDOG=trigger");
	expect_beat(r, 5, true);
	ll_send(fd, PROTO_UNWELL, 0, 0, 0, NULL, 0);
	ll_quiet(fd);
	rig_expect_nothing(r, &r->engine);
	close(fd);
}

static void
the_next_incarnation_begins_afresh(void **state)
{
	struct rig *r = *state;
	int fd = begin(r, HOUR_NS);

	notify(r, "WATCHDOG=trigger");
	expect_beat(r, 5, true);
	notify(r, "WATCHDOG=1");
	expect_beat(r, 5, false);
	rig_dead(r, 3, 5, "exit 1");
	close(fd);
	fd = rig_worker(r, 3, 6, "root/a");
	ll_send(fd, PROTO_ALIVE, 0, 0, 0, NULL, 0);
	expect_beat(r, 6, false);
	ll_send(fd, PROTO_UNWELL, 0, 0, 0, NULL, 0);
	expect_beat(r, 6, true);
	close(fd);
}

static void
without_a_heartbeat_nothing_is_told(void **state)
{
	struct rig *r = *state;
	int fd = begin(r, 0);

	notify(r, "WATCHDOG=1\nWATCHDOG=trigger");
	ll_send(fd, PROTO_ALIVE, 0, 0, 0, NULL, 0);
	ll_quiet(fd);
	rig_expect_nothing(r, &r->engine);
	close(fd);
}

static void
a_beat_with_a_body_is_malformed(void **state)
{
	struct rig *r = *state;
	int fd = begin(r, HOUR_NS);

	ll_send(fd, PROTO_ALIVE, 0, 0, 0, "x", 1);
	ll_quiet(fd);
	rig_expect_nothing(r, &r->engine);
	close(fd);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(watchdog_1_is_a_sign_of_life),
		T(a_storm_of_beats_is_told_once),
		T(a_beat_that_came_too_soon_is_told_later),
		T(unwell_is_told_at_once_and_once),
		T(the_next_incarnation_begins_afresh),
		T(without_a_heartbeat_nothing_is_told),
		T(a_beat_with_a_body_is_malformed),
	};

	return cmocka_run_group_tests_name("bus_beat", tests, NULL, NULL);
}
