/* SPDX-License-Identifier: ISC */
/* The keeper: lives of workers, from the spawn to the empty group. */
#include "keeper_rig.h"

#include <signal.h>
#include <sys/socket.h>

static void
a_start_is_spawned_execed_and_exited_in_this_order(void **state)
{
	struct kit_spawn s = sh_here("exit 7");
	const struct wire_exited *m;
	pid_t pid;

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	pid = expect_start();
	m = expect(WIRE_EXITED);
	assert_int_equal(m->pid, pid);
	assert_int_equal(m->status, 7);
	assert_false(m->is_signal);
	assert_false(m->leftover);
	assert_true(m->maxrss_kb > 0);
}

static void
a_signal_death_is_told_as_such(void **state)
{
	struct kit_spawn s = sh_here("kill -SEGV $$");
	const struct wire_exited *m;

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	m = expect(WIRE_EXITED);
	assert_true(m->is_signal);
	assert_int_equal(m->status, SIGSEGV);
}

static void
a_failed_step_is_told_instead_of_an_exit(void **state)
{
	struct kit_spawn s = sh_here("");
	const struct wire_failed *m;

	(void)state;
	s.cwd = "/no/such/directory";
	send_spawn(&s, WIRE_SPAWN);
	expect(WIRE_SPAWNED);
	m = expect(WIRE_SPAWN_FAILED);
	assert_int_equal(m->step, STEP_CWD);
	assert_int_equal(m->error, ENOENT);
	/* A failure needs no ACK: the slot is free. */
	s = sh_here("exit 0");
	s.w.inc = 2;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	expect(WIRE_EXITED);
}

static void
a_slot_is_busy_until_its_exit_is_acknowledged(void **state)
{
	struct kit_spawn s = sh_here("exit 0");
	const struct wire_failed *m;

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	expect(WIRE_EXITED);
	s.w.inc = 2;
	send_spawn(&s, WIRE_SPAWN);
	m = expect(WIRE_SPAWN_FAILED);
	assert_int_equal(m->step, STEP_SLOT);
	assert_int_equal(m->error, EBUSY);
	assert_int_equal(m->inc, 2);
	ack(1, 99); /* another incarnation's: no effect */
	ack(1, 1);
	s.w.inc = 3;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	expect(WIRE_EXITED);
}

static void
a_slot_beyond_the_table_is_refused(void **state)
{
	struct kit_spawn s = sh_here("exit 0");
	const struct wire_failed *m;

	(void)state;
	s.w.slot = N_SLOTS + 1;
	send_spawn(&s, WIRE_SPAWN);
	m = expect(WIRE_SPAWN_FAILED);
	assert_int_equal(m->step, STEP_SLOT);
	assert_int_equal(m->error, ERANGE);
}

static void
the_group_is_empty_when_the_exit_is_told(void **state)
{
	struct kit_spawn s = sh_here(
	    "for i in 1 2 3; do"
	    "  (trap '' TERM HUP INT; echo $BASHPID >pid$i; exec sleep 100) &"
	    "done; while [ ! -s pid1 -o ! -s pid2 -o ! -s pid3 ];"
	    "do sleep 0.01; done; exit 1");
	pid_t pid;

	(void)state;
	s.path = "/bin/bash";
	send_spawn(&s, WIRE_SPAWN);
	pid = expect_start();
	expect(WIRE_EXITED);
	assert_false(alive(-pid));
	assert_true(pid_in("pid1") > 0 && !alive(pid_in("pid1")));
	assert_true(pid_in("pid2") > 0 && !alive(pid_in("pid2")));
	assert_true(pid_in("pid3") > 0 && !alive(pid_in("pid3")));
}

static void
without_kill_group_the_rest_lives_on(void **state)
{
	struct kit_spawn s = sh_here("sleep 100 & echo $! >pid; exit 0");
	pid_t rest;

	(void)state;
	s.w.flags = 0;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	expect(WIRE_EXITED);
	rest = pid_in("pid");
	assert_true(rest > 0 && alive(rest));
	assert_int_equal(kill(rest, SIGKILL), 0);
	kit_until(!alive(rest)); /* reaped as an orphan */
}

static void
a_signal_reaches_the_group_or_the_process(void **state)
{
	struct kit_spawn s =
	    sh_here("trap 'echo leader >>leader' USR1;"
		    "sh -c \"trap 'echo child >child' USR1; echo >up;"
		    "while :; do sleep 0.01; done\" &"
		    "while :; do sleep 0.01; done");

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	kit_until(kit_text(t.dir, "up")[0] != '\0');
	send_signal(SIGUSR1, SIGNAL_PROCESS);
	kit_until(strcmp(kit_text(t.dir, "leader"), "leader\n") == 0);
	assert_string_equal(kit_text(t.dir, "child"), "");
	send_signal(SIGUSR1, SIGNAL_GROUP);
	kit_until(strcmp(kit_text(t.dir, "child"), "child\n") == 0);
	send_signal(SIGKILL, SIGNAL_GROUP);
	assert_int_equal(
	    ((const struct wire_exited *)expect(WIRE_EXITED))->status, SIGKILL);
}

static void
a_stopped_worker_can_be_terminated(void **state)
{
	struct kit_spawn s = sh_here("kill -STOP $$; sleep 100");
	const struct wire_exited *m;
	char path[64];
	pid_t pid;

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	pid = expect_start();
	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	kit_until(strstr(kit_text(path, "status"), "State:\tT") != NULL);
	send_signal(SIGTERM, SIGNAL_GROUP);
	m = expect(WIRE_EXITED);
	assert_true(m->is_signal);
	assert_int_equal(m->status, SIGTERM);
}

static void
a_stopped_worker_holds_up_nobody(void **state)
{
	struct kit_spawn s = sh_here("kill -STOP $$; exit 0");

	(void)state;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	for (uint32_t i = 2; i < 6; i++) {
		s = sh_here("exit 0");
		s.w.slot = i;
		send_spawn(&s, WIRE_SPAWN);
		expect_start();
		assert_int_equal(
		    ((const struct wire_exited *)expect(WIRE_EXITED))->slot, i);
	}
	send_signal(SIGKILL, SIGNAL_GROUP);
	expect(WIRE_EXITED);
}

/* Bursts: every start has exactly one spawned, execed, exited, in order. */
static void
two_hundred_starts_lose_and_double_nothing(void **state)
{
	enum { N = 200 };
	unsigned seen[N + 1] = { 0 };
	int n_done = 0;

	(void)state;
	for (uint32_t i = 1; i <= N; i++) {
		struct kit_spawn s = sh_here("");

		s.path = "/bin/true";
		s.w.slot = i;
		s.w.inc = 1000 + i;
		send_spawn(&s, WIRE_SPAWN);
	}
	while (n_done < N) {
		const struct wire_hdr *h;
		struct wire_id id;

		assert_int_equal(link_flush(&t.engine), 0);
		h = next_frame(&t.engine, NULL, NULL);
		/* All three begin with the slot and have inc at its place. */
		memcpy(&id, wire_body(h), sizeof(id));
		assert_in_range(id.slot, 1, N);
		assert_int_equal(id.inc, 1000 + id.slot);
		if (h->type == WIRE_SPAWNED)
			assert_int_equal(seen[id.slot]++, 0);
		else if (h->type == WIRE_EXECED)
			assert_int_equal(seen[id.slot]++, 1);
		else if (h->type == WIRE_EXITED)
			assert_int_equal(seen[id.slot]++, 2);
		else
			fail_msg("unexpected %s", wire_type_name(h->type));
		n_done += h->type == WIRE_EXITED;
	}
}

/*
 * An engine that does not read must not stop the keeper, and what it was not
 * told in time it is told later.
 */
static void
a_deaf_engine_loses_nothing(void **state)
{
	enum { N = 100, ROUNDS = 3 };
	int small = 4096, n_exited = 0;
	pid_t pid;

	(void)state;
	setsockopt(t.engine.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	for (uint32_t i = 1; i <= N; i++) {
		struct kit_spawn s = sh_here("");

		s.path = "/bin/true";
		s.w.slot = i;
		send_spawn(&s, WIRE_SPAWN);
	}
	/* One more, that shows by a file that all others were started. */
	struct kit_spawn last = sh_here("echo $$ >last");
	last.w.slot = N + 1;
	send_spawn(&last, WIRE_SPAWN);
	while (link_waiting(&t.engine)) {
		assert_int_equal(link_flush(&t.engine), 0);
		kit_breathe();
	}
	kit_until((pid = pid_in("last")) != 0);
	while (n_exited < N + 1)
		n_exited +=
		    next_frame(&t.engine, NULL, NULL)->type == WIRE_EXITED;
}

static void
lifeline_and_notify_pipe_go_to_the_bus(void **state)
{
	struct kit_spawn s = sh_here("echo >&4; cat <&3 >&3");
	const struct wire_hdr *h;
	const struct wire_lifeline *m;
	int fds[2] = { -1, -1 };
	unsigned n = 2;
	char text[16] = "";

	(void)state;
	s.w.flags |= SPAWN_LIFELINE | SPAWN_NOTIFY_FD;
	s.w.notify_fd = 4;
	send_spawn(&s, WIRE_SPAWN);
	h = next_frame(&t.bus, fds, &n);
	assert_int_equal(h->type, WIRE_LIFELINE);
	m = wire_body(h);
	assert_int_equal(m->slot, 1);
	assert_int_equal(m->inc, 1);
	assert_int_equal(m->has_notify_fd, 1);
	assert_int_equal(n, 2);
	assert_int_equal(expect_start(), m->pid);
	assert_int_equal(read(fds[1], text, sizeof(text)), 1);
	assert_string_equal(text, "\n");
	assert_int_equal(write(fds[0], "ping", 4), 4);
	assert_int_equal(read(fds[0], text, sizeof(text)), 4);
	assert_memory_equal(text, "ping", 4);
	/* The end of the worker is the end of file: no copy is kept. */
	send_signal(SIGKILL, SIGNAL_GROUP);
	expect(WIRE_EXITED);
	assert_int_equal(read(fds[0], text, sizeof(text)), 0);
	assert_int_equal(read(fds[1], text, sizeof(text)), 0);
	close(fds[0]);
	close(fds[1]);
}

static void
output_goes_to_the_log_fifo(void **state)
{
	struct kit_spawn s = sh_here("echo out; echo err >&2");
	char path[80], text[16] = "";
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/log/1", t.dir);
	assert_int_equal(mkfifo(path, 0600), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	s.w.io[1] = s.w.io[2] = SPAWN_IO_LOG;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	expect(WIRE_EXITED);
	assert_int_equal(read(fd, text, sizeof(text)), 8);
	assert_string_equal(text, "out\nerr\n");
	close(fd);
}

static void
a_missing_log_fifo_fails_the_start(void **state)
{
	struct kit_spawn s = sh_here("");
	const struct wire_failed *m;

	(void)state;
	s.w.io[1] = SPAWN_IO_LOG;
	send_spawn(&s, WIRE_SPAWN);
	m = expect(WIRE_SPAWN_FAILED);
	assert_int_equal(m->step, STEP_LOG);
	assert_int_equal(m->error, ENOENT);
}

static void
only_its_own_fds_are_in_a_worker(void **state)
{
	struct kit_spawn s = sh_here("ls /proc/$$/fd; :");
	char path[80];

	(void)state;
	snprintf(path, sizeof(path), "%s/fds", t.dir);
	s.w.io[1] = SPAWN_IO_FILE;
	s.file[1] = path;
	send_spawn(&s, WIRE_SPAWN);
	expect_start();
	expect(WIRE_EXITED);
	assert_string_equal(kit_text(t.dir, "fds"), "0\n1\n2\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BY_ALL(a_start_is_spawned_execed_and_exited_in_this_order),
		ONE(a_signal_death_is_told_as_such),
		BY_ALL(a_failed_step_is_told_instead_of_an_exit),
		ONE(a_slot_is_busy_until_its_exit_is_acknowledged),
		ONE(a_slot_beyond_the_table_is_refused),
		ONE(the_group_is_empty_when_the_exit_is_told),
		ONE(without_kill_group_the_rest_lives_on),
		ONE(a_signal_reaches_the_group_or_the_process),
		ONE(a_stopped_worker_can_be_terminated),
		ONE(a_stopped_worker_holds_up_nobody),
		BY_ALL(two_hundred_starts_lose_and_double_nothing),
		ONE(a_deaf_engine_loses_nothing),
		BY_ALL(lifeline_and_notify_pipe_go_to_the_bus),
		ONE(output_goes_to_the_log_fifo),
		ONE(a_missing_log_fifo_fails_the_start),
		BY_ALL(only_its_own_fds_are_in_a_worker),
	};

	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
