/* SPDX-License-Identifier: ISC */
#include "bus_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* What PREPARE makes, and readiness without libmsg. */

static void
prepared(struct rig *r, uint32_t slot, uint32_t flags, const char *path)
{
	const struct wire_result *w;

	rig_prepare(r, slot, flags, getuid(), path);
	w = wire_body(rig_expect(&r->engine, WIRE_PREPARED));
	assert_int_equal(w->slot, slot);
	assert_int_equal(w->error, 0);
	assert_string_equal(w->text, "");
}

static void
forget(struct rig *r, uint32_t slot)
{
	struct wire_id id = { .slot = slot };

	assert_int_equal(
	    link_send(&r->engine, WIRE_FORGET, 0, &id, NULL, 0), 0);
}

/* As sd_notify(3) does. */
static void
notify(struct rig *r, uint32_t slot, const char *text)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int n = snprintf(
	    a.sun_path, sizeof(a.sun_path), "%s/notify/%u", r->dir, slot);

	assert_in_range(n, 1, sizeof(a.sun_path) - 1);
	assert_int_equal(
	    sendto(fd, text, strlen(text), 0, (struct sockaddr *)&a, sizeof(a)),
	    strlen(text));
	close(fd);
}

static bool
there(struct rig *r, const char *name, struct stat *st)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", r->dir, name);
	return lstat(path, st) == 0;
}

static void
prepare_makes_what_forget_removes(void **state)
{
	struct rig *r = *state;
	struct stat st;
	char dir[32];

	prepared(r, 3, PREPARE_NOTIFY | PREPARE_MAILBOX, "root/a");
	prepared(r, 4, PREPARE_MAILBOX, "root/b");
	snprintf(dir, sizeof(dir), "m/%u", getuid());
	assert_true(there(r, "notify/3", &st));
	assert_int_equal(st.st_mode & 0777, 0666);
	assert_true(there(r, dir, &st));
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_false(there(r, "notify/4", &st));
	forget(r, 3);
	rig_expect_nothing(r, &r->engine);
	assert_false(there(r, "notify/3", &st));
	assert_true(there(r, dir, &st));
	forget(r, 4);
	rig_expect_nothing(r, &r->engine);
	assert_false(there(r, dir, &st));
}

static void
prepare_says_what_failed(void **state)
{
	struct rig *r = *state;
	const struct wire_result *w;
	char path[256], want[512];
	int fd;

	snprintf(path, sizeof(path), "%s/m/%u", r->dir, getuid());
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_return_code(fd, errno);
	close(fd);
	rig_prepare(r, 3, PREPARE_MAILBOX, getuid(), "root/a");
	w = wire_body(rig_expect(&r->engine, WIRE_PREPARED));
	assert_int_equal(w->error, ENOTDIR);
	snprintf(
	    want, sizeof(want), "mailbox directory %s: Not a directory", path);
	assert_string_equal(w->text, want);
	assert_return_code(unlink(path), errno);
}

static void
a_killed_workers_mailbox_is_unlinked(void **state)
{
	struct rig *r = *state;
	char path[256];
	struct stat st;
	int fd;

	prepared(r, 3, PREPARE_MAILBOX, "root/a");
	rig_proc(r, 3, 5, "root/a");
	snprintf(path, sizeof(path), "%s/m/%u/3.5", r->dir, getuid());
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_return_code(fd, errno);
	close(fd);
	rig_dead(r, 3, 5, "SIGKILL");
	rig_expect_nothing(r, &r->engine);
	assert_int_equal(lstat(path, &st), -1);
}

static void
sd_notify_ready_is_told_with_its_status(void **state)
{
	struct rig *r = *state;
	const struct wire_ready *w;

	prepared(r, 3, PREPARE_NOTIFY, "root/a");
	rig_proc(r, 3, 5, "root/a");
	notify(r, 3, "STATUS=loading");
	rig_expect_nothing(r, &r->engine);
	notify(r, 3, "MAINPID=7\nREADY=1\nSTATUS=warm \x01\xff now\n");
	w = wire_body(rig_expect(&r->engine, WIRE_READY));
	assert_int_equal(w->inc, 5);
	assert_string_equal(w->status, "warm  \xef\xbf\xbd now");
	notify(r, 3, "READY=1");
	rig_expect_nothing(r, &r->engine);
	notify(r, 3, "STATUS=serving");
	w = wire_body(rig_expect(&r->engine, WIRE_READY));
	assert_string_equal(w->status, "serving");
}

static void
ready_of_the_old_incarnation_never_counts(void **state)
{
	struct rig *r = *state;

	prepared(r, 3, PREPARE_NOTIFY, "root/a");
	rig_proc(r, 3, 5, "root/a");
	rig_expect_nothing(r, &r->engine);
	/* Stop the bus, so that the READY waits beside the DEAD. */
	assert_return_code(kill(r->pid, SIGSTOP), errno);
	rig_dead(r, 3, 5, "exit 1");
	rig_proc(r, 3, 6, "root/a");
	notify(r, 3, "READY=1");
	assert_return_code(kill(r->pid, SIGCONT), errno);
	rig_expect_nothing(r, &r->engine);
	notify(r, 3, "READY=1");
	assert_int_equal(((const struct wire_ready *)wire_body(
			      rig_expect(&r->engine, WIRE_READY)))
			     ->inc,
	    6);
}

/* The bus is so late that DEAD, PROC and the new READY all wait. */
static void
ready_of_the_new_incarnation_is_not_lost_with_the_old(void **state)
{
	struct rig *r = *state;
	int fd;

	prepared(r, 3, PREPARE_NOTIFY, "root/a");
	rig_proc(r, 3, 5, "root/a");
	rig_expect_nothing(r, &r->engine);
	assert_return_code(kill(r->pid, SIGSTOP), errno);
	rig_dead(r, 3, 5, "exit 1");
	rig_proc(r, 3, 6, "root/a");
	fd = rig_lifeline_notify(r, 3, 6, getsid(0), NULL);
	notify(r, 3, "READY=1");
	assert_return_code(kill(r->pid, SIGCONT), errno);
	assert_int_equal(((const struct wire_ready *)wire_body(
			      rig_expect(&r->engine, WIRE_READY)))
			     ->inc,
	    6);
	close(fd);
}

/* And the keeper is late, too: the program is faster than its LIFELINE. */
static void
ready_of_the_new_incarnation_may_come_before_its_lifeline(void **state)
{
	struct rig *r = *state;
	int fd, old;

	prepared(r, 3, PREPARE_NOTIFY, "root/a");
	rig_proc(r, 3, 5, "root/a");
	old = rig_lifeline_notify(r, 3, 5, 4242, NULL);
	rig_expect_nothing(r, &r->engine);
	assert_return_code(kill(r->pid, SIGSTOP), errno);
	rig_dead(r, 3, 5, "exit 1");
	rig_proc(r, 3, 6, "root/a");
	notify(r, 3, "READY=1");
	assert_return_code(kill(r->pid, SIGCONT), errno);
	rig_expect_nothing(r, &r->engine);
	fd = rig_lifeline_notify(r, 3, 6, getsid(0), NULL);
	assert_int_equal(((const struct wire_ready *)wire_body(
			      rig_expect(&r->engine, WIRE_READY)))
			     ->inc,
	    6);
	close(old);
	close(fd);
}

static void
ready_between_two_incarnations_never_counts(void **state)
{
	struct rig *r = *state;

	prepared(r, 3, PREPARE_NOTIFY, "root/a");
	rig_proc(r, 3, 5, "root/a");
	rig_dead(r, 3, 5, "exit 1");
	rig_expect_nothing(r, &r->engine);
	notify(r, 3, "READY=1");
	rig_expect_nothing(r, &r->engine);
	rig_proc(r, 3, 6, "root/a");
	rig_expect_nothing(r, &r->engine);
}

/* The engine's link is so full that the worker is faster than its PROC. */
static void
ready_before_its_proc_is_kept(void **state)
{
	struct rig *r = *state;
	const struct wire_ready *w;
	int fd;

	prepared(r, 3, PREPARE_NOTIFY, "root/a");
	notify(r, 3, "STATUS=loading");
	rig_expect_nothing(r, &r->engine);
	notify(r, 3, "READY=1");
	rig_expect_nothing(r, &r->engine);
	fd = rig_lifeline_notify(r, 3, 1, getsid(0), NULL);
	rig_expect_nothing(r, &r->engine);
	rig_proc(r, 3, 1, "root/a");
	w = wire_body(rig_expect(&r->engine, WIRE_READY));
	assert_int_equal(w->inc, 1);
	assert_string_equal(w->status, "loading");
	close(fd);
}

static void
ready_before_the_death_of_the_old_is_kept_for_the_new(void **state)
{
	struct rig *r = *state;
	const struct wire_ready *w;
	int fd, old;

	prepared(r, 3, PREPARE_NOTIFY, "root/a");
	rig_proc(r, 3, 5, "root/a");
	old = rig_lifeline_notify(r, 3, 5, 4242, NULL);
	fd = rig_lifeline_notify(r, 3, 6, getsid(0), NULL);
	notify(r, 3, "READY=1");
	rig_expect_nothing(r, &r->engine);
	rig_dead(r, 3, 5, "exit 1");
	rig_proc(r, 3, 6, "root/a");
	w = wire_body(rig_expect(&r->engine, WIRE_READY));
	assert_int_equal(w->inc, 6);
	close(old);
	close(fd);
}

static void
a_newline_on_notify_fd_is_ready(void **state)
{
	struct rig *r = *state;
	const struct wire_ready *w;
	int pipe, fd;

	rig_proc(r, 3, 5, "root/a");
	fd = rig_lifeline_notify(r, 3, 5, 4242, &pipe);
	assert_int_equal(write(pipe, "not yet", 7), 7);
	rig_expect_nothing(r, &r->engine);
	assert_int_equal(write(pipe, "now\n", 4), 4);
	w = wire_body(rig_expect(&r->engine, WIRE_READY));
	assert_int_equal(w->slot, 3);
	assert_int_equal(w->inc, 5);
	close(pipe);
	close(fd);
}

static void
a_closed_notify_fd_is_not_ready(void **state)
{
	struct rig *r = *state;
	int pipe, fd;

	rig_proc(r, 3, 5, "root/a");
	fd = rig_lifeline_notify(r, 3, 5, 4242, &pipe);
	close(pipe);
	rig_expect_nothing(r, &r->engine);
	close(fd);
}

/* Needs root, to be somebody else: see main(). */
static void
a_strangers_notification_is_ignored(void **state)
{
	struct rig *r = *state;
	int status;
	pid_t pid;

	prepared(r, 3, PREPARE_NOTIFY, "root/a");
	rig_proc(r, 3, 5, "root/a");
	rig_expect_nothing(r, &r->engine);
	fflush(NULL);
	pid = fork();
	assert_return_code(pid, errno);
	if (pid == 0) {
		if (setresuid(65533, 65533, 65533) < 0)
			_exit(1);
		notify(r, 3, "READY=1");
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rig_expect_nothing(r, &r->engine);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

static const struct CMUnitTest tests[] = {
	T(prepare_makes_what_forget_removes), T(prepare_says_what_failed),
	T(a_killed_workers_mailbox_is_unlinked),
	T(sd_notify_ready_is_told_with_its_status),
	T(ready_of_the_old_incarnation_never_counts),
	T(ready_of_the_new_incarnation_is_not_lost_with_the_old),
	T(ready_of_the_new_incarnation_may_come_before_its_lifeline),
	T(ready_between_two_incarnations_never_counts),
	T(ready_before_its_proc_is_kept),
	T(ready_before_the_death_of_the_old_is_kept_for_the_new),
	T(a_newline_on_notify_fd_is_ready), T(a_closed_notify_fd_is_not_ready),
	T(a_strangers_notification_is_ignored), /* the last: see main() */
};

int
main(void)
{
	size_t n = sizeof(tests) / sizeof(tests[0]);

	/* Only root can become a stranger. */
	if (geteuid() != 0)
		n--;
	return _cmocka_run_group_tests("bus_ready", tests, n, NULL, NULL);
}
