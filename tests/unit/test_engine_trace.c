/* SPDX-License-Identifier: ISC */
/* supd --trace: the file, and that nobody waits for it. */
#include "base/attr.h"
#include "base/log.h"
#include "engine/tracefile.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>

static char dir[64], path[96];

static int
setup(void **state)
{
	(void)state;
	log_init("test", false);
	strlcpy(dir, "/tmp/supd-trace.XXXXXX", sizeof(dir));
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/trace", dir);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

static struct tracefile *
open_trace(void)
{
	struct tracefile *t = NULL;

	assert_int_equal(tracefile_open(path, 7, &t), 0);
	assert_non_null(t);
	return t;
}

static int
record_tick(struct tracefile *t, int64_t ns)
{
	struct event ev = { .kind = EV_TICK, .now = { ns } };
	int r = journal_event(tracefile_journal(t), &ev);

	tracefile_push(t);
	return r;
}

static size_t
size_of_file(void)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return (size_t)st.st_size;
}

static void
put_file(const char *text, mode_t mode)
{
	cleanup_(closep) int fd = open(path, O_WRONLY | O_CREAT, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
}

static void
what_is_recorded_is_in_the_file(void **state)
{
	cleanup_(closep) int fd = -EBADF;
	struct tracefile *t = open_trace();
	static char bytes[1 << 20];
	struct trace_head head;
	struct journal_reader r = { .seq = 1 };
	struct record rec;
	ssize_t n;

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(record_tick(t, i), 0);
	tracefile_close(t);
	fd = open(path, O_RDONLY);
	n = read(fd, bytes, sizeof(bytes));
	assert_true(n > (ssize_t)sizeof(head));
	memcpy(&head, bytes, sizeof(head));
	assert_true(head.magic == TRACE_MAGIC);
	assert_int_equal(head.cap, 7);
	assert_int_equal(head.layout, engine_layout());
	assert_string_equal(head.supd, SUPD_VERSION);
	r.at = bytes + sizeof(head);
	r.left = (size_t)n - sizeof(head);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(journal_read(&r, &rec), 1);
		assert_int_equal(rec.event.now.ns, i);
	}
	assert_int_equal(journal_read(&r, &rec), 0);
	assert_int_equal(r.left, 0);
}

static void
a_trace_takes_the_place_of_an_older_one_and_is_private(void **state)
{
	struct tracefile *t = open_trace();
	struct stat st;
	size_t size;

	(void)state;
	tracefile_close(t);
	size = size_of_file();
	t = open_trace();
	for (int i = 0; i < 10; i++)
		assert_int_equal(record_tick(t, i), 0);
	tracefile_close(t);
	assert_int_equal(chmod(path, 0644), 0);
	tracefile_close(open_trace());
	assert_int_equal(size_of_file(), size);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
what_is_no_trace_is_left_alone(void **state)
{
	struct tracefile *t = NULL;

	(void)state;
	put_file("precious", 0644);
	assert_int_equal(tracefile_open(path, 7, &t), -EEXIST);
	assert_int_equal(size_of_file(), strlen("precious"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(tracefile_open(path, 7, &t), -EINVAL);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(tracefile_open(path, 7, &t), -ELOOP);
	assert_null(t);
}

/* A file that cannot grow: recording goes on as if nothing were. */
static void
a_full_disk_ends_the_trace_and_nothing_else(void **state)
{
	struct rlimit was, small;
	struct tracefile *t;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = was;
	small.rlim_cur = 8192;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	t = open_trace();
	for (int i = 0; i < 20000; i++)
		assert_int_equal(record_tick(t, i), 0);
	tracefile_close(t);
	assert_int_equal(size_of_file(), 8192);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    what_is_recorded_is_in_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_trace_takes_the_place_of_an_older_one_and_is_private,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(
		    what_is_no_trace_is_left_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_full_disk_ends_the_trace_and_nothing_else, setup,
		    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
