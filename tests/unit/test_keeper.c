/* SPDX-License-Identifier: ISC */
#include "keeper_kit.h"

#include "keeper/keeper.h"
#include "wire/link.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/*
 * The keeper's loop in a process of its own, with real workers; the test plays
 * the engine and the bus at the other ends of its links.
 */

#define N_SLOTS 256

static struct {
	pid_t pid;
	struct link engine, bus;
	char dir[64];
	union {
		struct wire_hdr hdr;
		char bytes[WIRE_FRAME_MAX];
	} frame;
} t;

/* In the child: the fds given must come above the low region. */
static void
play_keeper(enum spawn_method method, int engine, int bus)
{
	static struct keeper k;
	struct keeper_options opt = { t.dir, N_SLOTS, method, { 64, 64 } };
	int code;

	/* cmocka would catch a crash and go on with the other tests, here. */
	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	getrlimit(RLIMIT_NOFILE, &opt.nofile);
	engine = fcntl(engine, F_DUPFD_CLOEXEC, SPAWN_LOW_END);
	bus = fcntl(bus, F_DUPFD_CLOEXEC, SPAWN_LOW_END);
	close(t.engine.fd);
	close(t.bus.fd);
	if (keeper_init(&k, &opt) < 0 || k.spawner.method != method ||
	    keeper_add_role(&k, ROLE_ENGINE, 0, -EBADF, engine) < 0 ||
	    keeper_add_role(&k, ROLE_BUS, 0, -EBADF, bus) < 0)
		_exit(99);
	code = keeper_run(&k);
	keeper_fini(&k);
	_exit(code);
}

static int
setup(void **state)
{
	int engine[2], bus[2];
	char path[80];

	kit_mkdir(t.dir);
	snprintf(path, sizeof(path), "%s/log", t.dir);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, engine), 0);
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, bus), 0);
	link_init(&t.engine, engine[0], 1 << 20);
	link_init(&t.bus, bus[0], 1 << 20);
	t.pid = fork();
	assert_true(t.pid >= 0);
	if (t.pid == 0)
		play_keeper(
		    (enum spawn_method)(uintptr_t)*state, engine[1], bus[1]);
	close(engine[1]);
	close(bus[1]);
	return 0;
}

static int
keeper_code(void)
{
	int status = 0, pidfd;
	struct pollfd p = { -1, POLLIN, 0 };

	pidfd = (int)syscall(SYS_pidfd_open, t.pid, 0);
	p.fd = pidfd;
	assert_int_equal(poll(&p, 1, (int)(KIT_WAIT_NS / NS_PER_MS)), 1);
	close(pidfd);
	assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
	t.pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void
send_engine(enum wire_type type, const void *body)
{
	assert_int_equal(link_send(&t.engine, type, 0, body, NULL, 0), 0);
}

static int
teardown(void **state)
{
	struct wire_done done = { 17, 0 };

	(void)state;
	if (t.pid != 0) {
		send_engine(WIRE_DONE, &done);
		assert_int_equal(keeper_code(), 17);
	}
	link_fini(&t.engine);
	link_fini(&t.bus);
	closep(&t.engine.fd);
	closep(&t.bus.fd);
	kit_rmdir(t.dir);
	return 0;
}

static void
send_spawn(const struct kit_spawn *s, enum wire_type type)
{
	size_t head = sizeof(struct wire_hdr) + sizeof(struct wire_spawn);

	kit_frame(s, type, &t.frame.hdr);
	assert_int_equal(link_send(&t.engine, type, 0, &t.frame.hdr + 1,
			     t.frame.bytes + head, t.frame.hdr.len - head),
	    0);
}

static const struct wire_hdr *
next_frame(struct link *l, int *fds, unsigned *n_fds)
{
	struct pollfd p = { l->fd, POLLIN, 0 };
	const struct wire_hdr *h;

	assert_int_equal(poll(&p, 1, (int)(KIT_WAIT_NS / NS_PER_MS)), 1);
	assert_int_equal(link_recv(l, &t.frame, &h, fds, n_fds), 1);
	return h;
}

/* The next frame to the engine must be of this type; its struct. */
static const void *
expect(enum wire_type type)
{
	const struct wire_hdr *h = next_frame(&t.engine, NULL, NULL);

	assert_string_equal(wire_type_name(h->type), wire_type_name(type));
	return wire_body(h);
}

static pid_t
expect_start(void)
{
	const struct wire_spawned *m = expect(WIRE_SPAWNED);
	pid_t pid = m->pid;

	expect(WIRE_EXECED);
	return pid;
}

static void
ack(uint32_t slot, uint64_t inc)
{
	struct wire_id id = { slot, 0, inc };

	send_engine(WIRE_ACK, &id);
}

static void
send_signal(int sig, enum signal_scope scope)
{
	struct wire_signal m = { 1, sig, 1, scope, 0 };

	send_engine(WIRE_SIGNAL, &m);
}

static bool
alive(pid_t pid)
{
	return kill(pid, 0) == 0;
}

/* A pid that a worker has written to a file; 0 while it has not. */
static pid_t
pid_in(const char *name)
{
	const char *s = kit_text(t.dir, name);

	return strchr(s, '\n') != NULL ? (pid_t)atoi(s) : 0;
}

static struct kit_spawn
sh_here(const char *script)
{
	struct kit_spawn s = kit_sh(script);

	s.cwd = t.dir;
	s.w.flags = SPAWN_KILL_GROUP;
	return s;
}

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
	    sh_here("sh -c \"trap 'echo child >child' USR1; echo >up;"
		    "while :; do sleep 0.01; done\" &"
		    "trap 'echo leader >>leader' USR1;"
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

#define BY(m, f)                                                               \
	{                                                                      \
#f "_by_" #m, f, setup, teardown, (void *)(uintptr_t)SPAWN_##m \
	}
#define ONE(f)    BY(CLONE3, f)
#define BY_ALL(f) BY(CLONE3, f), BY(CLONE, f), BY(FORK, f)

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

	return cmocka_run_group_tests_name("keeper", tests, NULL, NULL);
}
