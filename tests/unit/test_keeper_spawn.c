/* SPDX-License-Identifier: ISC */
#include "keeper_kit.h"

#include "base/attr.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* Real processes, by each method in turn: every test runs for all three. */

static struct spawner sp;
static struct slot *record; /* in shared memory, as the slot table is */
static char dir[64], out[80];

struct outcome {
	int started; /* spawn_start's result */
	enum spawn_step step;
	int error;
	int status; /* of waitpid */
};

static struct outcome
finish(struct spawn_place *p, pid_t pid, int pidfd)
{
	struct pollfd pfd = { pidfd, POLLIN, 0 };
	struct outcome o = { 0 };

	assert_int_equal(poll(&pfd, 1, (int)(KIT_WAIT_NS / NS_PER_MS)), 1);
	/* The kernel clears the word before the pidfd can say anything. */
	if (sp.method != SPAWN_FORK && !p->own_mm)
		assert_true(spawn_settled(&sp, p));
	else
		kit_until(spawn_settled(&sp, p));
	assert_int_equal(waitpid(pid, &o.status, 0), pid);
	close(pidfd);
	o.step = record->step;
	o.error = record->error;
	return o;
}

static struct outcome
run_with(const struct kit_spawn *s, const struct spawn_fds *fds)
{
	struct spawn_place *p = spawner_idle(&sp);
	struct outcome o = { 0 };
	pid_t pid;
	int pidfd;

	assert_non_null(p);
	memset(record, 0, sizeof(*record));
	kit_frame(s, WIRE_SPAWN, p->frame);
	o.started = spawn_start(
	    &sp, p, fds, record, clock_mono(), &pid, &pidfd, &o.step);
	if (o.started < 0)
		return o;
	assert_int_equal(record->pid, pid);
	return finish(p, pid, pidfd);
}

static struct outcome
run(const struct kit_spawn *s)
{
	struct spawn_fds none = { -EBADF, -EBADF, -EBADF };

	return run_with(s, &none);
}

/* What the script prints, which must exit with 0. */
static const char *
output_of(struct kit_spawn *s, const struct spawn_fds *fds)
{
	struct spawn_fds none = { -EBADF, -EBADF, -EBADF };
	struct outcome o;

	unlink(out);
	s->w.io[1] = SPAWN_IO_FILE;
	s->file[1] = out;
	s->w.io[2] = SPAWN_IO_JOIN;
	o = run_with(s, fds != NULL ? fds : &none);
	if (o.status != 0)
		fail_msg("step %s: %s; status %x: %s", spawn_step_name(o.step),
		    strerror(o.error), (unsigned)o.status,
		    kit_text(dir, "out"));
	return kit_text(dir, "out");
}

static void
expect_failure(const struct kit_spawn *s, enum spawn_step step, int error)
{
	struct outcome o = run(s);

	assert_int_equal(o.started, 0);
	assert_string_equal(spawn_step_name(o.step), spawn_step_name(step));
	assert_int_equal(o.error, error);
	assert_true(WIFEXITED(o.status));
	assert_int_equal(WEXITSTATUS(o.status), 127);
}

static void
the_wanted_method_is_chosen(void **state)
{
	assert_int_equal(sp.method, (enum spawn_method)(uintptr_t)*state);
}

static void
a_missing_program_fails_at_exec_with_ENOENT(void **state)
{
	struct kit_spawn s = kit_sh("");

	(void)state;
	s.path = "/no/such/program";
	expect_failure(&s, STEP_EXEC, ENOENT);
}

static void
a_file_that_is_not_executable_fails_with_EACCES(void **state)
{
	struct kit_spawn s = kit_sh("");

	(void)state;
	s.path = "/etc/passwd";
	expect_failure(&s, STEP_EXEC, EACCES);
}

static void
a_missing_cwd_fails_at_chdir(void **state)
{
	struct kit_spawn s = kit_sh("");

	(void)state;
	s.cwd = "/no/such/directory";
	expect_failure(&s, STEP_CWD, ENOENT);
}

static void
a_soft_limit_above_the_hard_one_is_refused(void **state)
{
	struct kit_spawn s = kit_sh("");

	(void)state;
	s.w.n_rlimits = 1;
	s.w.rlimit[0].resource = RLIMIT_CORE;
	s.w.rlimit[0].soft = 2;
	s.w.rlimit[0].hard = 1;
	expect_failure(&s, STEP_RLIMIT, EINVAL);
}

static void
an_unopenable_stdin_or_stdout_names_its_step(void **state)
{
	struct kit_spawn s = kit_sh("");

	(void)state;
	s.w.io[0] = SPAWN_IO_FILE;
	s.file[0] = "/no/such/input";
	expect_failure(&s, STEP_STDIN, ENOENT);
	s.w.io[0] = SPAWN_IO_NULL;
	s.w.io[1] = SPAWN_IO_FILE;
	s.file[1] = "/no/such/output";
	expect_failure(&s, STEP_STDOUT, ENOENT);
}

static void
an_impossible_oom_score_fails_and_never_execs(void **state)
{
	struct kit_spawn s = kit_sh("exit 0");

	(void)state;
	s.w.flags = SPAWN_HAS_OOM;
	s.w.oom_score_adj = 5000;
	expect_failure(&s, STEP_OOM, EINVAL);
}

static void
an_oom_score_is_the_workers_and_not_ours(void **state)
{
	struct kit_spawn s = kit_sh("cat /proc/self/oom_score_adj");
	char before[16];

	(void)state;
	snprintf(before, sizeof(before), "%.15s",
	    kit_text("/proc/self", "oom_score_adj"));
	s.w.flags = SPAWN_HAS_OOM;
	s.w.oom_score_adj = 777;
	assert_string_equal(output_of(&s, NULL), "777\n");
	assert_string_equal(kit_text("/proc/self", "oom_score_adj"), before);
}

static void
another_user_is_taken_on_or_refused(void **state)
{
	struct kit_spawn s = kit_sh("id -u; id -g; id -G");

	(void)state;
	s.w.flags = SPAWN_HAS_USER;
	s.w.uid = s.w.gid = 65534;
	s.w.n_groups = 2;
	s.w.groups[0] = 65534;
	s.w.groups[1] = 12345;
	if (geteuid() == 0)
		assert_string_equal(
		    output_of(&s, NULL), "65534\n65534\n65534 12345\n");
	else
		expect_failure(&s, STEP_GROUPS, EPERM);
}

static void
the_cwd_is_entered_as_the_user(void **state)
{
	struct kit_spawn s = kit_sh("pwd");

	(void)state;
	if (geteuid() != 0)
		return;
	assert_int_equal(chmod(dir, 0700), 0);
	s.cwd = dir;
	s.w.flags = SPAWN_HAS_USER;
	s.w.uid = s.w.gid = 65534;
	expect_failure(&s, STEP_CWD, EACCES);
	assert_int_equal(chmod(dir, 0777), 0);
}

static void
no_signal_is_blocked_or_ignored(void **state)
{
	struct kit_spawn s = kit_sh("grep -E 'Sig(Blk|Ign)' /proc/self/status");

	(void)state;
	assert_string_equal(output_of(&s, NULL),
	    "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

static void
its_pid_is_written_into_the_last_entry(void **state)
{
	struct kit_spawn s =
	    kit_sh("test \"$FIRST$WATCHDOG_PID\" = 1$$ && echo same");

	(void)state;
	s.envp[0] = "FIRST=1";
	s.envp[1] = "WATCHDOG_PID=          ";
	s.w.flags = SPAWN_PID_ENV;
	assert_string_equal(output_of(&s, NULL), "same\n");
}

static void
a_worker_has_its_own_session_and_group(void **state)
{
	struct kit_spawn s =
	    kit_sh("read pid c st pp pgrp sid rest </proc/$$/stat;"
		   "test $pid = $pgrp && test $pid = $sid && echo leader");

	(void)state;
	assert_string_equal(output_of(&s, NULL), "leader\n");
}

static void
only_three_fds_reach_a_plain_worker(void **state)
{
	struct kit_spawn s = kit_sh("ls /proc/$$/fd; :");

	(void)state;
	assert_string_equal(output_of(&s, NULL), "0\n1\n2\n");
}

/* The pipe's numbers collide with everything a place uses, in turn. */
static void
lifeline_and_notify_fd_are_where_they_should(void **state)
{
	struct spawn_fds fds = { -EBADF, -EBADF, -EBADF };
	int life[2], pipe_fd[2];
	char want[64];

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, life), 0);
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	fds.lifeline = life[1];
	fds.notify = pipe_fd[1];
	for (int n = 4; n < SPAWN_LOW_BASE + SPAWN_LOW_PER + 1; n++) {
		struct kit_spawn s =
		    kit_sh("eval \"echo hello >&$N\"; ls -v /proc/$$/fd; :");
		char text[8] = "", env[16];

		snprintf(env, sizeof(env), "N=%d", n);
		s.path = "/bin/bash"; /* dash takes one digit only */
		s.envp[2] = env;
		s.w.flags = SPAWN_LIFELINE | SPAWN_NOTIFY_FD;
		s.w.notify_fd = n;
		snprintf(want, sizeof(want), "0\n1\n2\n3\n%d\n", n);
		assert_string_equal(output_of(&s, &fds), want);
		assert_int_equal(read(pipe_fd[0], text, sizeof(text)), 6);
		assert_string_equal(text, "hello\n");
	}
	/* Nobody else holds the ends: closing ours is the end of file. */
	close(life[1]);
	close(pipe_fd[1]);
	assert_int_equal(read(pipe_fd[0], want, 1), 0);
	assert_int_equal(read(life[0], want, 1), 0);
	close(life[0]);
	close(pipe_fd[0]);
}

static void
a_notify_fd_on_a_taken_number_is_refused(void **state)
{
	struct kit_spawn s = kit_sh("");
	struct outcome o;

	(void)state;
	s.w.flags = SPAWN_NOTIFY_FD;
	s.w.notify_fd = 2;
	o = run(&s);
	assert_int_equal(o.started, -EINVAL);
	assert_int_equal(o.step, STEP_NOTIFY_FD);
	s.w.flags = SPAWN_NOTIFY_FD | SPAWN_LIFELINE;
	s.w.notify_fd = 3;
	o = run(&s);
	assert_int_equal(o.started, -EINVAL);
	assert_non_null(spawner_idle(&sp));
}

static void
umask_nice_and_limits_are_applied(void **state)
{
	struct kit_spawn s = kit_sh("umask; nice; ulimit -Sn; ulimit -c");

	(void)state;
	s.w.umask = 027;
	s.w.flags = SPAWN_HAS_NICE;
	s.w.nice = 7;
	s.w.n_rlimits = 1;
	s.w.rlimit[0].resource = RLIMIT_CORE;
	/* The soft limit on fds is what supd was started with, not ours. */
	assert_string_equal(output_of(&s, NULL), "0027\n7\n200\n0\n");
}

static void
files_need_no_fds_beyond_the_first_three(void **state)
{
	struct kit_spawn s = kit_sh("");
	FILE *f;
	char in[80];

	(void)state;
	snprintf(in, sizeof(in), "%s/in", dir);
	f = fopen(in, "we");
	assert_non_null(f);
	fputs("line\n", f);
	fclose(f);
	s.path = "/bin/cat";
	s.argv[1] = NULL;
	s.w.io[0] = SPAWN_IO_FILE;
	s.file[0] = in;
	s.w.n_rlimits = 1;
	s.w.rlimit[0].resource = RLIMIT_NOFILE;
	s.w.rlimit[0].soft = s.w.rlimit[0].hard = 4;
	/* ld.so needs one to open libc. */
	assert_string_equal(output_of(&s, NULL), "line\n");
}

static void
a_log_fd_becomes_stdout(void **state)
{
	struct kit_spawn s = kit_sh("echo out; echo err >&2");
	struct spawn_fds fds = { -EBADF, -EBADF, -EBADF };
	int pipe_fd[2];
	char text[32] = "";

	(void)state;
	assert_int_equal(pipe2(pipe_fd, O_CLOEXEC), 0);
	fds.log = pipe_fd[1];
	s.w.io[1] = s.w.io[2] = SPAWN_IO_LOG;
	assert_int_equal(run_with(&s, &fds).status, 0);
	assert_int_equal(read(pipe_fd[0], text, sizeof(text) - 1), 8);
	assert_string_equal(text, "out\nerr\n");
	close(pipe_fd[0]);
	close(pipe_fd[1]);
}

/*
 * A lease on a file holds up whoever executes it, as a dead file server does,
 * until it is given back.
 */
static void
a_child_that_hangs_in_exec_holds_up_nobody(void **state)
{
	struct spawn_fds none = { -EBADF, -EBADF, -EBADF };
	struct spawn_place *p = spawner_idle(&sp);
	struct kit_spawn s = kit_sh("exit 3");
	enum spawn_step step;
	char slow[80], cmd[128];
	int fd, pidfd;
	pid_t pid;

	(void)state;
	snprintf(slow, sizeof(slow), "%s/slow", dir);
	snprintf(cmd, sizeof(cmd), "cp /bin/sh %s", slow);
	assert_int_equal(system(cmd), 0);
	fd = open(slow, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	signal(SIGIO, SIG_IGN); /* how the kernel asks for it back */
	if (fcntl(fd, F_SETLEASE, F_WRLCK) < 0) {
		print_message("no leases on /tmp here\n");
		close(fd);
		return;
	}
	s.path = slow;
	kit_frame(&s, WIRE_SPAWN, p->frame);
	memset(record, 0, sizeof(*record));
	assert_int_equal(spawn_start(&sp, p, &none, record, clock_mono(), &pid,
			     &pidfd, &step),
	    0);
	assert_false(spawn_settled(&sp, p));
	for (int i = 0; i < 3; i++) {
		struct spawn_place *q = spawner_idle(&sp);
		struct kit_spawn other = kit_sh("exit 0");
		struct slot *keep = record;
		int fd2;
		pid_t pid2;

		assert_ptr_not_equal(p, q);
		kit_frame(&other, WIRE_SPAWN, q->frame);
		assert_int_equal(spawn_start(&sp, q, &none, keep + 1,
				     clock_mono(), &pid2, &fd2, &step),
		    0);
		record = keep + 1;
		assert_int_equal(finish(q, pid2, fd2).status, 0);
		record = keep;
	}
	assert_false(spawn_settled(&sp, p));
	assert_int_equal(fcntl(fd, F_SETLEASE, F_UNLCK), 0);
	close(fd);
	assert_int_equal(WEXITSTATUS(finish(p, pid, pidfd).status), 3);
}

static int
setup(void **state)
{
	struct rlimit nofile = { 200, 1000 }, have;

	getrlimit(RLIMIT_NOFILE, &have);
	nofile.rlim_max = have.rlim_max;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	kit_mkdir(dir);
	snprintf(out, sizeof(out), "%s/out", dir);
	record = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return spawner_init(&sp, (enum spawn_method)(uintptr_t)*state, &nofile);
}

static int
teardown(void **state)
{
	(void)state;
	kit_rmdir(dir);
	spawner_fini(&sp);
	munmap(record, 4096);
	return 0;
}

#define BY(m, f)                                                               \
	{                                                                      \
#f "_by_" #m, f, setup, teardown, (void *)(uintptr_t)SPAWN_##m \
	}
#define BY_ALL(f) BY(CLONE3, f), BY(CLONE, f), BY(FORK, f)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		BY_ALL(the_wanted_method_is_chosen),
		BY_ALL(a_missing_program_fails_at_exec_with_ENOENT),
		BY_ALL(a_file_that_is_not_executable_fails_with_EACCES),
		BY_ALL(a_missing_cwd_fails_at_chdir),
		BY_ALL(a_soft_limit_above_the_hard_one_is_refused),
		BY_ALL(an_unopenable_stdin_or_stdout_names_its_step),
		BY_ALL(an_impossible_oom_score_fails_and_never_execs),
		BY_ALL(an_oom_score_is_the_workers_and_not_ours),
		BY_ALL(another_user_is_taken_on_or_refused),
		BY_ALL(the_cwd_is_entered_as_the_user),
		BY_ALL(no_signal_is_blocked_or_ignored),
		BY_ALL(its_pid_is_written_into_the_last_entry),
		BY_ALL(a_worker_has_its_own_session_and_group),
		BY_ALL(only_three_fds_reach_a_plain_worker),
		BY_ALL(lifeline_and_notify_fd_are_where_they_should),
		BY_ALL(a_notify_fd_on_a_taken_number_is_refused),
		BY_ALL(umask_nice_and_limits_are_applied),
		BY_ALL(files_need_no_fds_beyond_the_first_three),
		BY_ALL(a_log_fd_becomes_stdout),
		BY_ALL(a_child_that_hangs_in_exec_holds_up_nobody),
	};

	return cmocka_run_group_tests_name("keeper_spawn", tests, NULL, NULL);
}
