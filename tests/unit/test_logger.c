/* SPDX-License-Identifier: ISC */
/*
 * The real logger, in a process of its own, at the end of three socketpairs;
 * the test plays keeper, engine, bus and the workers.
 */
#include "base/clock.h"
#include "base/log.h"
#include "logger/main.h"
#include "logger/stamp.h"
#include "wire/link.h"

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define DEADLINE_NS (20 * NS_PER_S)
#define TAG         UINT64_C(0x7461670001)

struct world {
	char dir[64], logs[80];
	struct link keeper, engine, bus;
	pid_t pid;
	union {
		struct wire_hdr h;
		char bytes[WIRE_FRAME_MAX];
	} frame;
};

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Fail if the deadline has passed; else wait a moment for the world to move. */
static void
pause_until(mono_t deadline, const char *what)
{
	if (!mono_before(clock_mono(), deadline))
		fail_msg("timed out: %s", what);
	poll(NULL, 0, 2);
}

static void
run_logger(const struct world *w, int fds[3])
{
	struct role_args args = { .run_dir = w->dir, .log_dir = w->logs };
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC), high[3];

	for (int i = 0; i < 3; i++)
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 100);
	for (int i = 0; i < 3; i++)
		dup2(high[i], ROLE_FD_KEEPER + i);
	dup2(null, STDERR_FILENO);
	dup2(null, STDOUT_FILENO);
	closefrom(ROLE_FD_KEEPER + 3);
	log_init("logger", false);
	_exit(logger_main(&args));
}

static int
world_open(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	int ours[3], theirs[3];
	char path[128];

	assert_non_null(w);
	strlcpy(w->dir, "/tmp/lg.XXXXXX", sizeof(w->dir));
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->logs, sizeof(w->logs), "%s/logs", w->dir);
	snprintf(path, sizeof(path), "%s/log", w->dir);
	assert_int_equal(mkdir(path, 0700), 0);
	for (int i = 0; i < 3; i++) {
		int sv[2];

		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv),
		    0);
		ours[i] = sv[0];
		theirs[i] = sv[1];
	}
	fflush(NULL);
	w->pid = fork();
	assert_true(w->pid >= 0);
	if (w->pid == 0)
		run_logger(w, theirs);
	for (int i = 0; i < 3; i++)
		close(theirs[i]);
	link_init(&w->keeper, ours[0], 1 << 20);
	link_init(&w->engine, ours[1], 1 << 20);
	link_init(&w->bus, ours[2], 1 << 20);
	*state = w;
	return 0;
}

/* Close the keeper's link and see the logger end by itself. */
static void
end_logger(struct world *w)
{
	mono_t deadline = mono_add(clock_mono(), DEADLINE_NS);
	int status;

	if (w->pid == 0)
		return;
	close(w->keeper.fd);
	while (waitpid(w->pid, &status, WNOHANG) == 0)
		pause_until(deadline, "the logger ends");
	w->pid = 0;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int
world_close(void **state)
{
	struct world *w = *state;

	end_logger(w);
	close(w->engine.fd);
	close(w->bus.fd);
	link_fini(&w->keeper);
	link_fini(&w->engine);
	link_fini(&w->bus);
	umount2(w->logs, MNT_DETACH);
	nftw(w->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(w);
	return 0;
}

static const struct wire_hdr *
receive(struct world *w, struct link *l, enum wire_type type)
{
	mono_t deadline = mono_add(clock_mono(), DEADLINE_NS);
	const struct wire_hdr *h;

	for (;;) {
		int r = link_recv(l, &w->frame, &h, NULL, NULL);

		if (r > 0)
			break;
		assert_int_equal(r, 0);
		pause_until(deadline, wire_type_name(type));
	}
	assert_int_equal(h->type, type);
	return h;
}

/* Ask to capture `path`; returns the errno of the answer. */
static int
log_open(struct world *w, uint32_t slot, const char *path, int64_t size,
    uint32_t keep, bool head)
{
	struct wire_log_open m = {
		.slot = slot,
		.keep = keep,
		.size_bytes = size,
		.prefix = head,
		.time = head,
	};
	const struct wire_hdr *h;
	const struct wire_result *res;

	strlcpy(m.path, path, sizeof(m.path));
	assert_int_equal(
	    link_send(&w->engine, WIRE_LOG_OPEN, TAG, &m, NULL, 0), 0);
	h = receive(w, &w->engine, WIRE_LOG_OPENED);
	assert_int_equal(h->tag, TAG);
	res = wire_body(h);
	assert_int_equal(res->slot, slot);
	assert_int_equal(res->error == 0, res->text[0] == '\0');
	return res->error;
}

static void
log_close(struct world *w, uint32_t slot)
{
	struct wire_id id = { .slot = slot };

	assert_int_equal(
	    link_send(&w->engine, WIRE_LOG_CLOSE, 0, &id, NULL, 0), 0);
}

static void
ask(struct world *w, enum wire_type type, uint64_t tag, uint32_t slot,
    uint32_t n)
{
	struct wire_log_tail m = { .slot = slot, .n = n };

	assert_int_equal(link_send(&w->bus, type, tag, &m, NULL, 0), 0);
}

/* What a worker's stdout is. */
static int
worker_stdout(const struct world *w, uint32_t slot)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/log/%u", w->dir, slot);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static void
say_bytes(int fd, const void *p, size_t len)
{
	assert_int_equal(write(fd, p, len), len);
}

static void
say(int fd, const char *s)
{
	say_bytes(fd, s, strlen(s));
}

/* The whole file, NUL-terminated, or NULL while there is none. */
static char *
slurp(const struct world *w, const char *name, size_t *ret_len)
{
	char path[256];
	struct stat st;
	char *p;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->logs, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	assert_int_equal(fstat(fd, &st), 0);
	p = calloc(1, (size_t)st.st_size + 1);
	assert_non_null(p);
	*ret_len = 0;
	for (ssize_t n = 1; n > 0 && *ret_len < (size_t)st.st_size;) {
		n = read(fd, p + *ret_len, (size_t)st.st_size - *ret_len);
		*ret_len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return p;
}

/* Wait until the file contains `text` and return it: to be freed. */
static char *
slurp_until(const struct world *w, const char *name, const char *text)
{
	mono_t deadline = mono_add(clock_mono(), DEADLINE_NS);

	for (;;) {
		size_t len;
		char *p = slurp(w, name, &len);

		if (p != NULL && memmem(p, len, text, strlen(text)) != NULL)
			return p;
		free(p);
		pause_until(deadline, text);
	}
}

static void
assert_file(const struct world *w, const char *name, const char *want)
{
	size_t len;
	char *p = slurp(w, name, &len);

	assert_non_null(p);
	assert_string_equal(p, want);
	assert_int_equal(len, strlen(want));
	free(p);
}

static bool
exists(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

/* The next line of an answer under `tag`, or NULL at its end: to be freed. */
static char *
next_line(struct world *w, uint64_t tag, struct wire_log_line *ret_line)
{
	mono_t deadline = mono_add(clock_mono(), DEADLINE_NS);
	const struct wire_hdr *h;
	const char *text;
	size_t len;

	for (;;) {
		int r = link_recv(&w->bus, &w->frame, &h, NULL, NULL);

		assert_true(r >= 0);
		if (r > 0)
			break;
		pause_until(deadline, "a line");
	}
	assert_int_equal(h->tag, tag);
	if (h->type == WIRE_LOG_END)
		return NULL;
	assert_int_equal(h->type, WIRE_LOG_LINE);
	*ret_line = *(const struct wire_log_line *)wire_body(h);
	text = wire_tail(h, &len);
	assert_true(len > 0);
	return strndup(text, len);
}

static void
assert_next_line(struct world *w, uint64_t tag, const char *want)
{
	struct wire_log_line line;
	char *got = next_line(w, tag, &line);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

static void
assert_end(struct world *w, uint64_t tag)
{
	struct wire_log_line line;

	assert_null(next_line(w, tag, &line));
}

/* ---------------------------------------------------------------- lines */

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

/* ---------------------------------------------------------------- files */

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
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
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

/* ------------------------------------------------------------- trouble */

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

/* --------------------------------------------------------------- life */

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

/* ------------------------------------------------------------- readers */

static void
a_tail_goes_back_across_rotations(void **state)
{
	struct world *w = *state;
	struct wire_log_line line;
	char text[64];
	int fd;

	assert_int_equal(log_open(w, 3, "root/a", 1000, 5, true), 0);
	fd = worker_stdout(w, 3);
	for (int i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		say(fd, text);
	}
	/* What is still in the FIFO belongs to it. */
	ask(w, WIRE_LOG_TAIL, TAG + 1, 3, 60);
	for (int i = 40; i < 100; i++) {
		char *p = next_line(w, TAG + 1, &line);

		snprintf(text, sizeof(text), "line %d", i);
		assert_non_null(p);
		assert_string_equal(p, text);
		assert_int_equal(line.slot, 3);
		assert_int_equal(line.lost, 0);
		assert_true(line.wall_ns > 0);
		free(p);
	}
	assert_end(w, TAG + 1);
	close(fd);
}

static void
a_tail_has_the_line_not_ended_yet(void **state)
{
	struct world *w = *state;
	int fd;

	assert_int_equal(log_open(w, 3, "root/a", 1000, 5, false), 0);
	fd = worker_stdout(w, 3);
	say(fd, "one\ntwo\nthree");
	ask(w, WIRE_LOG_TAIL, TAG, 3, 2);
	assert_next_line(w, TAG, "two");
	assert_next_line(w, TAG, "three");
	assert_end(w, TAG);
	/* It is not cut for that. */
	say(fd, " more\n");
	ask(w, WIRE_LOG_TAIL, TAG, 3, 1);
	assert_next_line(w, TAG, "three more");
	assert_end(w, TAG);
	close(fd);
}

static void
a_tail_of_nothing_just_ends(void **state)
{
	struct world *w = *state;
	int fd;

	ask(w, WIRE_LOG_TAIL, TAG, 99, 10);
	assert_end(w, TAG);
	assert_int_equal(log_open(w, 3, "root/a", 1000, 5, false), 0);
	ask(w, WIRE_LOG_TAIL, TAG, 3, 10);
	assert_end(w, TAG);
	fd = worker_stdout(w, 3);
	say(fd, "x\n");
	ask(w, WIRE_LOG_TAIL, TAG, 3, 0);
	assert_end(w, TAG);
	ask(w, WIRE_LOG_TAIL, TAG, 3, UINT32_MAX);
	assert_next_line(w, TAG, "x");
	assert_end(w, TAG);
	close(fd);
}

static void
a_long_tail_waits_for_its_reader(void **state)
{
	struct world *w = *state;
	char text[64];
	int fd;

	assert_int_equal(log_open(w, 3, "root/a", 1 << 30, 0, true), 0);
	fd = worker_stdout(w, 3);
	for (int i = 0; i < 50000; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		say(fd, text);
	}
	ask(w, WIRE_LOG_TAIL, TAG, 3, 50000);
	assert_next_line(w, TAG, "line 0");
	/* Meanwhile the drain goes on. */
	say(fd, "beyond\n");
	free(slurp_until(w, "root/a.log", "beyond\n"));
	for (int i = 1; i < 50000; i++) {
		snprintf(text, sizeof(text), "line %d", i);
		assert_next_line(w, TAG, text);
	}
	/* And nobody who follows from here has missed that line. */
	assert_next_line(w, TAG, "beyond");
	assert_end(w, TAG);
	close(fd);
}

static void
a_follow_tells_lines_as_they_come(void **state)
{
	struct world *w = *state;
	struct wire_log_line line;
	int64_t before = clock_wall_ns();
	int fd;
	char *p;

	assert_int_equal(log_open(w, 3, "root/a", 1000, 5, true), 0);
	assert_int_equal(log_open(w, 4, "root/b", 1000, 5, true), 0);
	fd = worker_stdout(w, 3);
	say(fd, "old\n");
	ask(w, WIRE_LOG_TAIL, TAG, 3, 5);
	ask(w, WIRE_LOG_FOLLOW, TAG, 3, 1);
	assert_next_line(w, TAG, "old");
	assert_end(w, TAG);
	say(fd, "new\n");
	p = next_line(w, TAG, &line);
	assert_non_null(p);
	assert_string_equal(p, "new");
	assert_true(line.wall_ns >= before - NS_PER_MS);
	assert_int_equal(line.slot, 3);
	free(p);
	/* Stopped: the next answer is to something else. */
	ask(w, WIRE_LOG_FOLLOW, TAG, 3, 0);
	ask(w, WIRE_LOG_TAIL, TAG + 1, 4, 5);
	assert_end(w, TAG + 1);
	say(fd, "unheard\n");
	free(slurp_until(w, "root/a.log", "unheard\n"));
	ask(w, WIRE_LOG_TAIL, TAG + 2, 4, 5);
	assert_end(w, TAG + 2);
	close(fd);
}

static void
a_follow_of_nobody_ends(void **state)
{
	struct world *w = *state;

	ask(w, WIRE_LOG_FOLLOW, TAG, 5, 1);
	assert_end(w, TAG);
}

static void
a_reader_that_sleeps_loses_counted_lines(void **state)
{
	struct world *w = *state;
	struct wire_log_line line;
	uint64_t got = 0, lost = 0;
	char text[64], *p;
	int fd;

	assert_int_equal(log_open(w, 3, "root/a", 1 << 20, 1, true), 0);
	fd = worker_stdout(w, 3);
	ask(w, WIRE_LOG_FOLLOW, TAG, 3, 1);
	ask(w, WIRE_LOG_TAIL, TAG + 1, 9, 0);
	assert_end(w, TAG + 1); /* the follow has been taken, too */
	for (int i = 0; i < 100000; i++) {
		snprintf(text, sizeof(text), "line %d\n", i);
		say(fd, text);
	}
	say(fd, "wake up\n");
	free(slurp_until(w, "root/a.log", "wake up\n"));
	/* Read what was kept for us, and see one more come. */
	for (bool told = false; !told;) {
		/* As long as it is all full this line is lost as well. */
		say(fd, "after\n");
		p = next_line(w, TAG, &line);
		assert_non_null(p);
		got++;
		lost += line.lost;
		told = strcmp(p, "after") == 0;
		free(p);
	}
	assert_true(got > 100);
	assert_true(lost > 1000);
	close(fd);
}

/* ---------------------------------------------------------------- time */

static void
stamps_are_read_as_they_are_written(void **state)
{
	static const int64_t times[] = { 0, 412 * NS_PER_MS,
		INT64_C(1795183331412000000), INT64_C(951782399999000000) };
	char text[STAMP_LEN + 1];
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		stamp_format(times[i], text);
		assert_true(stamp_parse(text, &ns));
		assert_int_equal(ns, times[i]);
	}
	stamp_format(INT64_C(1795183331412999999), text);
	assert_string_equal(text, "2026-11-20T14:02:11.412Z");
	assert_false(stamp_parse("2026-11-20 14:02:11.412Z", &ns));
	assert_false(stamp_parse("hello, this is no stamp.", &ns));
}

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

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
		IN_WORLD(a_full_device_costs_counted_lines_and_no_time),
		cmocka_unit_test_setup_teardown(
		    a_full_disk_costs_whole_lines_only, small_disk_open,
		    world_close),
		IN_WORLD(a_flood_does_not_starve_the_others),
		IN_WORLD(a_name_that_leaves_the_directory_is_refused),
		IN_WORLD(a_fifo_that_cannot_be_made_is_told),
		IN_WORLD(what_is_in_the_way_of_a_fifo_is_removed),
		IN_WORLD(a_slot_may_be_taken_by_another_worker),
		IN_WORLD(the_end_leaves_nothing_unread),
		IN_WORLD(only_the_keeper_ends_it),
		IN_WORLD(garbage_on_a_link_closes_that_link_only),
		IN_WORLD(a_tail_goes_back_across_rotations),
		IN_WORLD(a_tail_has_the_line_not_ended_yet),
		IN_WORLD(a_tail_of_nothing_just_ends),
		IN_WORLD(a_long_tail_waits_for_its_reader),
		IN_WORLD(a_follow_tells_lines_as_they_come),
		IN_WORLD(a_follow_of_nobody_ends),
		IN_WORLD(a_reader_that_sleeps_loses_counted_lines),
		cmocka_unit_test(stamps_are_read_as_they_are_written),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
