/* SPDX-License-Identifier: ISC */
/* The keeper: ends, its own and those of the others, and what hangs. */
#include "keeper_rig.h"

#include <signal.h>
#include <sys/socket.h>

static void
a_dead_keeper_takes_its_workers_along(void **state)
{
	struct kit_spawn s = sh_here("trap '' TERM HUP; sleep 100");
	pid_t pid;

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	pid = expect_start();
	assert_int_equal(kill(t.pid, SIGKILL), 0);
	assert_int_equal(keeper_code(), -SIGKILL);
	/* It is an orphan now: a zombie for as long as its parent lets it. */
	kit_until(!alive(pid) || ({
		char path[64];
		snprintf(path, sizeof(path), "/proc/%d", (int)pid);
		strstr(kit_text(path, "status"), "State:\tZ") != NULL;
	}));
}

static void
a_lost_engine_ends_all_workers_with_70(void **state)
{
	struct kit_spawn s =
	    sh_here("trap 'echo bye >bye; exit 0' TERM; echo >up;"
		    "while :; do sleep 0.01; done");
	pid_t pid;

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	pid = expect_start();
	kit_until(kit_text(t.dir, "up")[0] != '\0');
	assert_int_equal(shutdown(t.engine.fd, SHUT_RDWR), 0);
	assert_int_equal(keeper_code(), 70);
	assert_false(alive(pid));
	assert_string_equal(kit_text(t.dir, "bye"), "bye\n");
}

static void
a_malformed_frame_ends_in_good_order(void **state)
{
	(void)state;
	assert_int_equal(send(t.engine.fd, "garbage", 7, 0), 7);
	assert_int_equal(keeper_code(), 70);
}

static void
done_kills_what_is_left_and_gives_the_code(void **state)
{
	struct kit_spawn s = sh_here("trap '' TERM; sleep 100");
	struct wire_done done = { 42, 0 };
	pid_t pid;

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	pid = expect_start();
	send_engine(WIRE_DONE, &done);
	assert_int_equal(keeper_code(), 42);
	assert_false(alive(pid));
}

/* It left its group and session and ignores what can be ignored. */
static void
an_escaped_orphan_does_not_outlive_supd(void **state)
{
	struct kit_spawn s = sh_here(
	    "(setsid sh -c 'trap \"\" TERM HUP INT; echo $$ >pid; sleep 100;"
	    "sleep 100' &) ; while [ ! -s pid ]; do sleep 0.01; done");
	struct wire_done done = { 0, 0 };
	pid_t rest;

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	expect(WIRE_EXITED);
	rest = pid_in("pid");
	assert_true(rest > 0 && alive(rest));
	send_engine(WIRE_DONE, &done);
	assert_int_equal(keeper_code(), 0);
	assert_false(alive(rest));
}

static void
an_orphan_is_reaped(void **state)
{
	struct kit_spawn s =
	    sh_here("(setsid sh -c 'echo $$ >pid; while [ ! -e go ];"
		    "do sleep 0.01; done' &) ;"
		    "while [ ! -s pid ]; do sleep 0.01; done");
	char path[80];
	pid_t rest;
	int fd;

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	expect(WIRE_EXITED);
	rest = pid_in("pid");
	assert_true(rest > 0 && alive(rest));
	snprintf(path, sizeof(path), "%s/go", t.dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	close(fd);
	kit_until(!alive(rest));
}

static void
sigterm_and_sighup_are_requests_to_the_engine(void **state)
{
	(void)state;
	/* A frame shows that its loop runs: the signals are taken by fd. */
	struct kit_spawn s = sh_here("sleep 100");
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	assert_int_equal(kill(t.pid, SIGHUP), 0);
	expect(WIRE_RELOAD);
	assert_int_equal(kill(t.pid, SIGTERM), 0);
	expect(WIRE_SHUTDOWN);
	/* The engine does not get around to it; the user insists. */
	assert_int_equal(kill(t.pid, SIGTERM), 0);
	assert_int_equal(keeper_code(), 128 + SIGTERM);
}

static void
a_helper_runs_without_a_slot(void **state)
{
	struct kit_spawn s = sh_here("echo $$ >pid; exit 3");
	struct wire_done done = { 0, 0 };
	pid_t pid;

	(void)state;
	s.w.slot = 0;
	s.w.inc = 0;
	send_spawn(&s, WIRE_EXEC);
	/* It may finish though supd ends at once. */
	send_engine(WIRE_DONE, &done);
	assert_int_equal(keeper_code(), 0);
	pid = pid_in("pid");
	assert_true(pid > 0 && !alive(pid));
}

/*
 * Leases hold up exec as a dead file server does; here in all places.  Returns
 * the fd that has the lease, or -1 where there are none.
 */
static int
fill_places(void)
{
	char slow[80], cmd[128];
	int fd;

	snprintf(slow, sizeof(slow), "%s/slow", t.dir);
	snprintf(cmd, sizeof(cmd), "cp /bin/sh %s", slow);
	assert_int_equal(system(cmd), 0);
	fd = open(slow, O_RDONLY | O_CLOEXEC);
	signal(SIGIO, SIG_IGN);
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0) {
		print_message("no leases on /tmp here\n");
		close(fd);
		return -1;
	}
	for (uint32_t i = 0; i < SPAWN_PLACES; i++) {
		struct kit_spawn s = sh_here("exit 0");

		s.path = slow;
		s.w.slot = 10 + i;
		send_spawn(&s, WIRE_SPAWN);
		expect(WIRE_SPAWNED);
	}
	return fd;
}

static void
hanging_execs_leave_signals_and_exits_alone(void **state)
{
	struct kit_spawn live = sh_here("sleep 100");
	int fd;

	(void)state;
	send_spawn(&live, WIRE_SPAWN);
	expect_start();
	fd = fill_places();
	if (fd < 0)
		return;
	send_signal(SIGTERM, SIGNAL_GROUP);
	assert_int_equal(
	    ((const struct wire_exited *)expect(WIRE_EXITED))->slot, 1);
	assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	close(fd);
	for (int n = 0; n < SPAWN_PLACES;)
		n += next_frame(&t.engine, NULL, NULL)->type == WIRE_EXITED;
}

static void
a_spawn_that_waits_for_a_place_is_not_made_while_supd_ends(void **state)
{
	struct kit_spawn late = sh_here("touch ran");
	int fd = fill_places();
	char path[80];

	(void)state;
	if (fd < 0)
		return;
	send_spawn(&late, WIRE_SPAWN);
	assert_int_equal(kill(t.pid, SIGTERM), 0);
	expect(WIRE_SHUTDOWN);
	/* The second one kills what hangs: that makes room. */
	assert_int_equal(kill(t.pid, SIGTERM), 0);
	assert_int_equal(keeper_code(), 128 + SIGTERM);
	snprintf(path, sizeof(path), "%s/ran", t.dir);
	assert_int_equal(access(path, F_OK), -1);
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ONE(a_dead_keeper_takes_its_workers_along),
		ONE(a_lost_engine_ends_all_workers_with_70),
		ONE(a_malformed_frame_ends_in_good_order),
		ONE(done_kills_what_is_left_and_gives_the_code),
		ONE(an_escaped_orphan_does_not_outlive_supd),
		ONE(an_orphan_is_reaped),
		ONE(sigterm_and_sighup_are_requests_to_the_engine),
		ONE(a_helper_runs_without_a_slot),
		BY_ALL(hanging_execs_leave_signals_and_exits_alone),
		ONE(a_spawn_that_waits_for_a_place_is_not_made_while_supd_ends),
	};

	return cmocka_run_group_tests_name("keeper_end", tests, NULL, NULL);
}
