/* SPDX-License-Identifier: ISC */
/* supd's own log, on a stderr that is a pipe of the test's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS 10000

static int out[2]; /* the pipe */

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	unsetenv("JOURNAL_STREAM");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(out[0]);
	close(out[1]);
	return 0;
}

/* Run fn with the pipe as stderr; it must end by itself. */
static void
with_stderr(void (*fn)(void))
{
	struct pollfd p = { .events = POLLIN };
	int alive[2], status;
	pid_t pid;

	assert_int_equal(pipe2(alive, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(alive[1]);
	p.fd = alive[0];
	if (poll(&p, 1, DEADLINE_MS) != 1)
		kill(pid, SIGKILL);
	close(alive[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
}

static const char *
text(void)
{
	static char buf[128 * 1024];
	ssize_t n;

	close(out[1]);
	out[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	n = read(out[0], buf, sizeof(buf) - 1);
	assert_true(n >= 0);
	buf[n] = '\0';
	return buf;
}

static void
say_much(void)
{
	char junk[65536];

	log_init("test", false);
	for (int i = 0; i < 1000; i++)
		log_info("line %d of many, long enough to fill a pipe", i);
	/* Room again. */
	(void)!read(out[0], junk, 8192);
	log_info("the last one");
}

static void
a_stderr_that_nobody_reads_holds_up_nothing(void **state)
{
	const char *told, *last;

	(void)state;
	assert_true(fcntl(out[0], F_SETPIPE_SZ, 16384) >= 0);
	with_stderr(say_much);
	told = text();
	last =
	    strstr(told, "lines lost: stderr was full\nsupd: test: the last");
	assert_non_null(last);
	/* Only whole lines. */
	for (const char *nl = strchr(told, '\n'); nl != NULL && nl[1] != '\0';
	     nl = strchr(nl + 1, '\n'))
		assert_int_equal(strncmp(nl + 1, "supd: test: ", 12), 0);
}

static void
say_hello(void)
{
	log_init("test", false);
	log_info("hello");
}

static void
a_stream_of_the_journal_gets_priorities(void **state)
{
	struct stat st;
	char stream[64];

	(void)state;
	assert_int_equal(fstat(out[1], &st), 0);
	snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev,
	    (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	with_stderr(say_hello);
	assert_string_equal(text(), "<6>test: hello\n");
}

/* A shell started from a service has the variable, and a terminal. */
static void
a_journal_that_is_not_our_stderr_gets_none(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "1:2", 1);
	with_stderr(say_hello);
	assert_string_equal(text(), "supd: test: hello\n");
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(a_stderr_that_nobody_reads_holds_up_nothing),
		T(a_stream_of_the_journal_gets_priorities),
		T(a_journal_that_is_not_our_stderr_gets_none),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
