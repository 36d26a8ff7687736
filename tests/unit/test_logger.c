/* SPDX-License-Identifier: ISC */
/* The logger: lines, files, and its life. */
#include "logger_rig.h"

#include "logger/stamp.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void
a_line_gets_its_time_and_name(void **state)
{
	struct world *w = *state;
	int64_t wall_ns, before = clock_wall_ns();
	char *p;
	int fd;

	assert_int_equal(log_open(w, 1, "root/web/api", 1 << 20, 2, true), 0);
	fd = worker_stdout(w, 1);
	say(fd, "hello\n");
	p = slurp_until(w, "root/web/api.log", "hello\n");
	assert_true(stamp_parse(p, &wall_ns));
	assert_true(wall_ns >= before - NS_PER_MS);
	assert_true(wall_ns <= clock_wall_ns());
	assert_string_equal(p + STAMP_LEN, " root/web/api: hello\n");
	free(p);
	close(fd);
}

static void
directories_and_files_are_private(void **state)
{
	struct world *w = *state;
	char path[256];
	struct stat st;
	int fd;

	assert_int_equal(log_open(w, 1, "root/web/api", 1 << 20, 2, true), 0);
	fd = worker_stdout(w, 1);
	say(fd, "x\n");
	free(slurp_until(w, "root/web/api.log", "x\n"));
	close(fd);
	snprintf(path, sizeof(path), "%s/root/web", w->logs);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0750);
	strlcat(path, "/api.log", sizeof(path));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	snprintf(path, sizeof(path), "%s/log/1", w->dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0600);
}

static void
bytes_are_kept_as_they_are(void **state)
{
	static const char bytes[] = "a\0b\033[31m\377\r\n";
	struct world *w = *state;
	size_t len;
	char *p;
	int fd;

	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 2, false), 0);
	fd = worker_stdout(w, 1);
	say_bytes(fd, bytes, sizeof(bytes) - 1);
	close(fd);
	end_logger(w);
	p = slurp(w, "root/a.log", &len);
	assert_non_null(p);
	assert_int_equal(len, sizeof(bytes) - 1);
	assert_memory_equal(p, bytes, len);
	free(p);
}

static void
a_line_is_held_until_its_end(void **state)
{
	struct world *w = *state;
	int fd;

	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 2, false), 0);
	fd = worker_stdout(w, 1);
	say(fd, "one\ntw");
	free(slurp_until(w, "root/a.log", "one\n"));
	assert_file(w, "root/a.log", "one\n");
	say(fd, "o\nthr");
	free(slurp_until(w, "root/a.log", "two\n"));
	assert_file(w, "root/a.log", "one\ntwo\n");
	log_close(w, 1);
	free(slurp_until(w, "root/a.log", "thr\n"));
	assert_file(w, "root/a.log", "one\ntwo\nthr\n");
	close(fd);
}

static void
opening_a_worker_again_ends_its_line(void **state)
{
	struct world *w = *state;
	int fd;

	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 2, false), 0);
	fd = worker_stdout(w, 1);
	say(fd, "dyi");
	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 2, false), 0);
	say(fd, "started\n");
	free(slurp_until(w, "root/a.log", "started\n"));
	assert_file(w, "root/a.log", "dyi\nstarted\n");
	close(fd);
}

static void
a_long_line_is_split_and_marked(void **state)
{
	struct world *w = *state;
	char line[20000], *p, *q;
	int fd;

	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 2, false), 0);
	fd = worker_stdout(w, 1);
	memset(line, 'x', sizeof(line));
	for (size_t i = 0; i < sizeof(line); i += 1000)
		say_bytes(fd, line + i, 1000);
	say(fd, "end\n");
	p = slurp_until(w, "root/a.log", "end\n");
	q = p;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(strspn(q, "x"), 8192);
		assert_memory_equal(q + 8192, " \\\n", 3);
		q += 8195;
	}
	assert_int_equal(strspn(q, "x"), sizeof(line) - 2 * 8192);
	assert_string_equal(q + strspn(q, "x"), "end\n");
	free(p);
	close(fd);
}

static void
files_are_rotated_by_size_and_some_are_kept(void **state)
{
	struct world *w = *state;
	char text[64];
	size_t len;
	int fd, first = 0, i;

	assert_int_equal(log_open(w, 1, "root/a", 4096, 2, false), 0);
	fd = worker_stdout(w, 1);
	for (i = 0; i < 2000; i++) {
		snprintf(text, sizeof(text), "line %06d\n", i);
		say(fd, text);
	}
	close(fd);
	end_logger(w);
	assert_true(exists(w->logs, "root/a.log.2"));
	assert_false(exists(w->logs, "root/a.log.3"));
	/* What is kept is the end, in order, in files of at most 4096. */
	for (int f = 2; f >= 0; f--) {
		char name[32], *p, *q;

		snprintf(name, sizeof(name),
		    f == 0 ? "root/a.log" : "root/a.log.%d", f);
		p = slurp(w, name, &len);
		assert_non_null(p);
		assert_true(len <= 4096);
		assert_true(f == 0 || len > 4096 - 12);
		for (q = p; *q != '\0'; q += 12) {
			if (first == 0)
				first = i = atoi(q + 5);
			assert_int_equal(atoi(q + 5), i);
			i++;
		}
		free(p);
	}
	assert_true(first > 0);
	assert_int_equal(i, 2000);
}

static void
with_nothing_to_keep_the_file_starts_anew(void **state)
{
	struct world *w = *state;
	size_t len;
	char *p;
	int fd;

	assert_int_equal(log_open(w, 1, "root/a", 16, 0, false), 0);
	fd = worker_stdout(w, 1);
	say(fd, "0123456789\nabcdefghij\nlonger than a file may be\nx\n");
	close(fd);
	end_logger(w);
	p = slurp(w, "root/a.log", &len);
	assert_non_null(p);
	assert_string_equal(p, "x\n");
	assert_false(exists(w->logs, "root/a.log.1"));
	free(p);
}

static void
a_deleted_file_is_made_again(void **state)
{
	struct world *w = *state;
	mono_t deadline = mono_add(clock_mono(), DEADLINE_NS);
	char path[256];
	int fd;

	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 2, false), 0);
	fd = worker_stdout(w, 1);
	say(fd, "before\n");
	free(slurp_until(w, "root/a.log", "before\n"));
	snprintf(path, sizeof(path), "%s/root", w->logs);
	remove_tree(path);
	while (!exists(w->logs, "root/a.log")) {
		say(fd, "after\n");
		pause_until(deadline, "a new file");
	}
	close(fd);
}

static void
ten_thousand_files_are_not_open_at_once(void **state)
{
	struct world *w = *state;
	char path[64], name[64];
	struct dirent *de;
	int n = 0;
	DIR *d;

	for (uint32_t i = 1; i <= 600; i++) {
		int fd;

		snprintf(name, sizeof(name), "root/w%u", i);
		assert_int_equal(log_open(w, i, name, 1 << 20, 2, false), 0);
		fd = worker_stdout(w, i);
		say(fd, "x\n");
		close(fd);
	}
	free(slurp_until(w, "root/w600.log", "x\n"));
	snprintf(path, sizeof(path), "/proc/%d/fd", (int)w->pid);
	d = opendir(path);
	assert_non_null(d);
	while ((de = readdir(d)) != NULL)
		n++;
	closedir(d);
	assert_true(n > 600);
	assert_true(n < 600 + 256 + 20);
	end_logger(w);
	for (int i = 1; i <= 600; i++) {
		snprintf(name, sizeof(name), "root/w%d.log", i);
		assert_file(w, name, "x\n");
	}
}

static void
a_slot_may_be_taken_by_another_worker(void **state)
{
	struct world *w = *state;
	int old, new;

	assert_int_equal(log_open(w, 7, "root/old", 1 << 20, 2, false), 0);
	old = worker_stdout(w, 7);
	say(old, "old");
	log_close(w, 7);
	assert_int_equal(log_open(w, 7, "root/new", 1 << 20, 2, false), 0);
	new = worker_stdout(w, 7);
	say(new, "new\n");
	/* A straggler of the old worker does not write into the new one's. */
	say(old, "straggler\n");
	free(slurp_until(w, "root/new.log", "new\n"));
	assert_file(w, "root/new.log", "new\n");
	assert_file(w, "root/old.log", "old\n");
	close(old);
	close(new);
}

static void
the_end_leaves_nothing_unread(void **state)
{
	struct world *w = *state;
	int fd;

	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 2, false), 0);
	fd = worker_stdout(w, 1);
	kill(w->pid, SIGSTOP);
	say(fd, "last words\nand more");
	close(w->keeper.fd);
	w->keeper.fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	kill(w->pid, SIGCONT);
	end_logger(w);
	assert_file(w, "root/a.log", "last words\nand more\n");
	close(fd);
	assert_false(exists(w->dir, "log/1"));
}

static void
only_the_keeper_ends_it(void **state)
{
	struct world *w = *state;
	int fd;

	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 2, false), 0);
	close(w->engine.fd);
	close(w->bus.fd);
	w->engine.fd = w->bus.fd = -EBADF;
	kill(w->pid, SIGTERM);
	kill(w->pid, SIGINT);
	kill(w->pid, SIGHUP);
	fd = worker_stdout(w, 1);
	say(fd, "still here\n");
	free(slurp_until(w, "root/a.log", "still here\n"));
	close(fd);
	end_logger(w);
}

static void
garbage_on_a_link_closes_that_link_only(void **state)
{
	struct world *w = *state;

	assert_int_equal(send(w->bus.fd, "garbage", 7, 0), 7);
	assert_int_equal(log_open(w, 1, "root/a", 1 << 20, 2, false), 0);
	end_logger(w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_line_gets_its_time_and_name),
		IN_WORLD(directories_and_files_are_private),
		IN_WORLD(bytes_are_kept_as_they_are),
		IN_WORLD(a_line_is_held_until_its_end),
		IN_WORLD(opening_a_worker_again_ends_its_line),
		IN_WORLD(a_long_line_is_split_and_marked),
		IN_WORLD(files_are_rotated_by_size_and_some_are_kept),
		IN_WORLD(with_nothing_to_keep_the_file_starts_anew),
		IN_WORLD(a_deleted_file_is_made_again),
		IN_WORLD(ten_thousand_files_are_not_open_at_once),
		IN_WORLD(a_slot_may_be_taken_by_another_worker),
		IN_WORLD(the_end_leaves_nothing_unread),
		IN_WORLD(only_the_keeper_ends_it),
		IN_WORLD(garbage_on_a_link_closes_that_link_only),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("logger", tests, NULL, NULL);
}
