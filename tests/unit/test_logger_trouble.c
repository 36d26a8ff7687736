/* SPDX-License-Identifier: ISC */
/* The logger in trouble: full disks, floods, what is in its way. */
#include "logger_rig.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Fill the disk, then make room; the worker must not notice either. */
static void
fill_and_recover(struct world *w, void (*make_room)(struct world *w))
{
	mono_t deadline = mono_add(clock_mono(), DEADLINE_NS);
	char text[1024], *p, *q;
	unsigned long lost;
	int fd = worker_stdout(w, 1), n = 0;

	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	/* More than the FIFO and the disk together hold. */
	for (; n < 2048; n++)
		say_bytes(fd, text, sizeof(text));
	make_room(w);
	for (;;) {
		size_t len;

		say(fd, "again\n");
		n++;
		p = slurp(w, "root/a.log", &len);
		if (p != NULL && strstr(p, "again\n") != NULL)
			break;
		free(p);
		pause_until(deadline, "the disk works again");
	}
	close(fd);
	q = strstr(p, "supd: ");
	assert_non_null(q);
	lost = strtoul(q + 6, NULL, 10);
	assert_true(lost >= 1024);
	assert_true(lost <= (unsigned long)n);
	assert_non_null(strstr(q, " lines lost (No space left on device)\n"));
	assert_non_null(strstr(q, "again\n"));
	/* Nothing is cut: before the marker there are whole lines only. */
	assert_true(q == p || q[-1] == '\n');
	assert_int_equal((q - p) % (int)sizeof(text), 0);
	free(p);
}

static void
unlink_the_link(struct world *w)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/root/a.log", w->logs);
	assert_int_equal(unlink(path), 0);
}

static void
a_full_device_costs_counted_lines_and_no_time(void **state)
{
	struct world *w = *state;
	char path[256];

	snprintf(path, sizeof(path), "%s", w->logs);
	assert_int_equal(mkdir(path, 0700), 0);
	strlcat(path, "/root", sizeof(path));
	assert_int_equal(mkdir(path, 0700), 0);
	strlcat(path, "/a.log", sizeof(path));
	assert_int_equal(symlink("/dev/full", path), 0);
	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 2, false), 0);
	fill_and_recover(w, unlink_the_link);
}

static void
remove_the_ballast(struct world *w)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/ballast", w->logs);
	assert_int_equal(unlink(path), 0);
}

/* The same on a real file system, where that may be mounted. */
static int
small_disk_open(void **state)
{
	struct world *w;
	char path[256];
	int fd;

	/* The mount is ours alone, and gone with the process. */
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return world_open(state);
	if (world_open(state) < 0)
		return -1;
	w = *state;
	assert_int_equal(mkdir(w->logs, 0700), 0);
	if (mount("none", w->logs, "tmpfs", 0, "size=512k") < 0)
		return 0;
	snprintf(path, sizeof(path), "%s/ballast", w->logs);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, 256 * 1024), 0);
	close(fd);
	return 0;
}

static void
a_full_disk_costs_whole_lines_only(void **state)
{
	struct world *w = *state;

	if (!exists(w->logs, "ballast")) {
		print_message("# may not mount; only /dev/full was tested\n");
		return;
	}
	/* The logger began before the mount: it must live in it, too. */
	assert_int_equal(log_open(w, 1, "root/a", 1 << 30, 0, false), 0);
	fill_and_recover(w, remove_the_ballast);
}

static void
a_flood_does_not_starve_the_others(void **state)
{
	struct world *w = *state;
	static char noise[65536];
	mono_t began;
	pid_t pid;
	int fd, status;
	char *p;

	assert_int_equal(log_open(w, 1, "root/flood", 1 << 20, 2, true), 0);
	assert_int_equal(log_open(w, 2, "root/calm", 1 << 20, 2, true), 0);
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = i % 64 == 63 ? '\n' : 'n';
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		fd = worker_stdout(w, 1);
		for (int i = 0; i < 800; i++) /* 50 MB */
			if (write(fd, noise, sizeof(noise)) < 0)
				_exit(1);
		_exit(0);
	}
	free(slurp_until(w, "root/flood.log", "n"));
	fd = worker_stdout(w, 2);
	began = clock_mono();
	say(fd, "here\n");
	p = slurp_until(w, "root/calm.log", "here\n");
	assert_true(clock_mono().ns - began.ns < NS_PER_S);
	free(p);
	close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	end_logger(w);
	assert_true(exists(w->logs, "root/flood.log.2"));
	assert_false(exists(w->logs, "root/flood.log.3"));
}

static void
a_name_that_leaves_the_directory_is_refused(void **state)
{
	struct world *w = *state;

	assert_int_equal(log_open(w, 1, "../x", 1, 1, true), EINVAL);
	assert_int_equal(log_open(w, 1, "root/../../x", 1, 1, true), EINVAL);
	assert_int_equal(log_open(w, 1, "/etc/x", 1, 1, true), EINVAL);
	assert_int_equal(log_open(w, 1, "", 1, 1, true), EINVAL);
	assert_int_equal(log_open(w, 1, "root/", 1, 1, true), EINVAL);
	assert_int_equal(log_open(w, UINT32_MAX, "x", 1, 1, true), EINVAL);
	assert_int_equal(log_open(w, 1, "root/..x", 1, 1, true), 0);
}

static void
a_fifo_that_cannot_be_made_is_told(void **state)
{
	struct world *w = *state;
	char path[128];

	snprintf(path, sizeof(path), "%s/log", w->dir);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(log_open(w, 1, "root/a", 1, 1, true), ENOENT);
	/* And the logger goes on. */
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(log_open(w, 1, "root/a", 1, 1, true), 0);
}

static void
what_is_in_the_way_of_a_fifo_is_removed(void **state)
{
	struct world *w = *state;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/log/1", w->dir);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 1, false), 0);
	fd = worker_stdout(w, 1);
	say(fd, "x\n");
	free(slurp_until(w, "root/a.log", "x\n"));
	close(fd);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_full_device_costs_counted_lines_and_no_time),
		cmocka_unit_test_setup_teardown(
		    a_full_disk_costs_whole_lines_only, small_disk_open,
		    world_close),
		IN_WORLD(a_flood_does_not_starve_the_others),
		IN_WORLD(a_name_that_leaves_the_directory_is_refused),
		IN_WORLD(a_fifo_that_cannot_be_made_is_told),
		IN_WORLD(what_is_in_the_way_of_a_fifo_is_removed),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("logger_trouble", tests, NULL, NULL);
}
