/* SPDX-License-Identifier: ISC */
#include "logger_rig.h"

#include "base/log.h"
#include "logger/main.h"

#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

void
remove_tree(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

/* Fail if the deadline has passed; else wait a moment for the world to move. */
void
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

int
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
void
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

int
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
	remove_tree(w->dir);
	free(w);
	return 0;
}

const struct wire_hdr *
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
int
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

void
log_close(struct world *w, uint32_t slot)
{
	struct wire_id id = { .slot = slot };

	assert_int_equal(
	    link_send(&w->engine, WIRE_LOG_CLOSE, 0, &id, NULL, 0), 0);
}

void
ask(struct world *w, enum wire_type type, uint64_t tag, uint32_t slot,
    uint32_t n)
{
	struct wire_log_tail m = { .slot = slot, .n = n };

	assert_int_equal(link_send(&w->bus, type, tag, &m, NULL, 0), 0);
}

/* What a worker's stdout is. */
int
worker_stdout(const struct world *w, uint32_t slot)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/log/%u", w->dir, slot);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

void
say_bytes(int fd, const void *p, size_t len)
{
	assert_int_equal(write(fd, p, len), len);
}

void
say(int fd, const char *s)
{
	say_bytes(fd, s, strlen(s));
}

/* The whole file, NUL-terminated, or NULL while there is none. */
char *
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
char *
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

void
assert_file(const struct world *w, const char *name, const char *want)
{
	size_t len;
	char *p = slurp(w, name, &len);

	assert_non_null(p);
	assert_string_equal(p, want);
	assert_int_equal(len, strlen(want));
	free(p);
}

bool
exists(const char *dir, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

/* The next line of an answer under `tag`, or NULL at its end: to be freed. */
char *
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

void
assert_next_line(struct world *w, uint64_t tag, const char *want)
{
	struct wire_log_line line;
	char *got = next_line(w, tag, &line);

	assert_non_null(got);
	assert_string_equal(got, want);
	free(got);
}

void
assert_end(struct world *w, uint64_t tag)
{
	struct wire_log_line line;

	assert_null(next_line(w, tag, &line));
}
