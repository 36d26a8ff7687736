/* SPDX-License-Identifier: ISC */
#include "logger/tail.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PIECE_BYTES (64 * 1024)

static char piece[PIECE_BYTES];

static ssize_t
read_at(int fd, char *buf, size_t len, int64_t at)
{
	ssize_t n;

	do {
		n = pread(fd, buf, len, at);
	} while (n < 0 && errno == EINTR);
	return n;
}

/*
 * Where the last *n lines of the first `end` bytes begin; *n becomes the
 * number of lines that are wanted beyond those there are.
 */
static int64_t
find_lines(int fd, int64_t end, uint32_t *n)
{
	int64_t at = end;

	while (at > 0) {
		size_t len = at < PIECE_BYTES ? (size_t)at : PIECE_BYTES;
		const char *p;

		if (read_at(fd, piece, len, at - (int64_t)len) != (ssize_t)len)
			return end; /* shorter than it was: not ours to tell */
		for (p = piece + len;
		     (p = memrchr(piece, '\n', (size_t)(p - piece))) != NULL;) {
			int64_t nl = at - (int64_t)len + (p - piece);

			/* The one at the very end ends the last line. */
			if (nl + 1 == end)
				continue;
			if (--*n == 0)
				return nl + 1;
		}
		at -= (int64_t)len;
	}
	if (end > 0)
		--*n;
	return 0;
}

/* Open the i-th youngest file and find the lines wanted from it. */
static bool
tail_add_file(struct tail *t, const struct source *s, uint32_t i, uint32_t *n)
{
	char path[PATH_MAX];
	struct stat st;
	int fd;

	if (i == 0)
		strlcpy(path, s->file.path, sizeof(path));
	else
		snprintf(path, sizeof(path), "%s.%u", s->file.path, i);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return false;
	}
	t->file[t->n_files].fd = fd;
	t->file[t->n_files].end = st.st_size;
	t->file[t->n_files].at = find_lines(fd, st.st_size, n);
	t->n_files++;
	return true;
}

int
tail_new(const struct source *s, uint32_t n, const struct now *now,
    struct tail **ret_tail)
{
	struct tail *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->prefix = s->prefix;
	t->time = s->time;
	t->name = strdup(s->name);
	if (s->held != NULL && n > 0)
		t->held = malloc(s->held_len);
	if (t->name == NULL || (s->held != NULL && n > 0 && t->held == NULL)) {
		tail_free(t);
		return -ENOMEM;
	}
	if (n > TAIL_LINES_MAX)
		n = TAIL_LINES_MAX;
	if (t->held != NULL) {
		memcpy(t->held, s->held, s->held_len);
		t->held_len = s->held_len;
		t->held_ns = now->wall_ns;
		n--;
	}
	for (uint32_t i = 0; n > 0 && i <= s->file.keep && i < TAIL_FILES_MAX;
	     i++)
		if (!tail_add_file(t, s, i, &n) && i > 0)
			break;
	*ret_tail = t;
	return 0;
}

void
tail_free(struct tail *t)
{
	if (t == NULL)
		return;
	for (unsigned i = 0; i < t->n_files; i++)
		close(t->file[i].fd);
	free(t->name);
	free(t->held);
	free(t);
}

/* Take off what the logger put in front of the line, if it did. */
static void
tell(struct tail *t, const char *p, size_t len, tail_line_fn emit, void *ctx)
{
	size_t name_len = strlen(t->name);
	int64_t wall_ns = 0;

	if (t->time && len > STAMP_LEN && p[STAMP_LEN] == ' ' &&
	    stamp_parse(p, &wall_ns)) {
		p += STAMP_LEN + 1;
		len -= STAMP_LEN + 1;
	}
	if (t->prefix && len >= name_len + 2 &&
	    memcmp(p, t->name, name_len) == 0 &&
	    memcmp(p + name_len, ": ", 2) == 0) {
		p += name_len + 2;
		len -= name_len + 2;
	}
	emit(ctx, p, len, wall_ns);
}

/* The next piece of a file; what follows its last line's end waits. */
static void
tell_piece(struct tail *t, unsigned i, tail_line_fn emit, void *ctx)
{
	int64_t left = t->file[i].end - t->file[i].at;
	size_t len = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;
	ssize_t n = read_at(t->file[i].fd, piece, len, t->file[i].at);
	const char *p = piece, *end, *nl;

	if (n <= 0) {
		t->file[i].at = t->file[i].end;
		return;
	}
	end = piece + n;
	while ((nl = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		tell(t, p, (size_t)(nl - p), emit, ctx);
		p = nl + 1;
	}
	/* No line's end at all, or the file's own: it goes as it is. */
	if (p != end && (p == piece || n == left)) {
		tell(t, p, (size_t)(end - p), emit, ctx);
		p = end;
	}
	t->file[i].at += p - piece;
	assert(t->file[i].at <= t->file[i].end);
}

/*
 * The file has grown while it was told: who follows it wants these lines too,
 * or there would be a gap.  A flood is not run after for ever.
 */
static bool
tail_chase(struct tail *t)
{
	struct stat st;

	if (t->n_files == 0 || t->n_chased == TAIL_CHASES_MAX ||
	    fstat(t->file[0].fd, &st) < 0 || st.st_size <= t->file[0].end)
		return false;
	t->n_chased++;
	t->file[0].end = st.st_size;
	/* The line that had not ended is in the file by now. */
	free(take_ptr(t->held));
	return true;
}

bool
tail_step(struct tail *t, tail_line_fn emit, void *ctx)
{
	for (unsigned i = t->n_files; i-- > 0;) {
		if (t->file[i].at >= t->file[i].end)
			continue;
		tell_piece(t, i, emit, ctx);
		t->told = true;
		return true;
	}
	if (t->told && tail_chase(t))
		return true;
	if (t->held != NULL) {
		emit(ctx, t->held, t->held_len, t->held_ns);
		free(take_ptr(t->held));
	}
	return false;
}
