/* SPDX-License-Identifier: ISC */
#include "bus_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* Workers: names, monitors, readiness, the order of a death. */

static void
join_is_welcomed_with_pid_path_and_endpoint(void **state)
{
	struct rig *r = *state;
	struct proto_join j = { .os_pid = 1 };
	struct proto_welcome w;
	const void *body;
	char want[128];
	int fd;

	rig_proc(r, 7, 3, "root/web");
	fd = rig_lifeline(r, 7, 3);
	ll_send(fd, PROTO_JOIN, 0, 55, 0, &j, sizeof(j));
	assert_int_equal(ll_expect(fd, PROTO_WELCOME, &body).ref, 55);
	memcpy(&w, body, sizeof(w));
	assert_int_equal(w.self, PROTO_PID(7, 3));
	assert_string_equal(w.path, "root/web");
	snprintf(want, sizeof(want), "ipc://%s/m/%u/7.3", r->dir, getuid());
	assert_string_equal(w.endpoint, want);
	close(fd);
}

static void
ready_is_told_to_the_engine_once(void **state)
{
	struct rig *r = *state;
	const struct wire_ready *w;
	int fd = rig_worker(r, 7, 3, "root/web");

	ll_send(fd, PROTO_READY, 0, 0, 0, NULL, 0);
	ll_send(fd, PROTO_READY, 0, 0, 0, NULL, 0);
	w = wire_body(rig_expect(&r->engine, WIRE_READY));
	assert_int_equal(w->slot, 7);
	assert_int_equal(w->inc, 3);
	ll_quiet(fd);
	rig_expect_nothing(r, &r->engine);
	close(fd);
}

static void
frames_wait_for_the_proc_of_their_incarnation(void **state)
{
	struct rig *r = *state;
	int fd = rig_lifeline(r, 7, 3);

	ll_send(fd, PROTO_READY, 0, 0, 0, NULL, 0);
	rig_expect_nothing(r, &r->engine);
	rig_proc(r, 7, 3, "root/web");
	rig_expect(&r->engine, WIRE_READY);
	close(fd);
}

static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	T(join_is_welcomed_with_pid_path_and_endpoint),
	T(ready_is_told_to_the_engine_once),
	T(frames_wait_for_the_proc_of_their_incarnation),
};

int
main(void)
{
	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
