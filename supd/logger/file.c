/* SPDX-License-Identifier: ISC */
#include "logger/file.h"

#include "base/log.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define CHECK_EVERY_NS NS_PER_S /* is the file still the one at its path? */

void
logfiles_init(struct logfiles *all, const char *dir)
{
	*all = (struct logfiles){ .dir = dir };
	TAILQ_INIT(&all->open);
}

/* A child path has no empty, "." or ".." part, so it stays in the directory. */
static bool
name_is_safe(const char *name)
{
	for (;;) {
		size_t n = strcspn(name, "/");

		if (n == 0 || (n <= 2 && strspn(name, ".") == n))
			return false;
		if (name[n] == '\0')
			return true;
		name += n + 1;
	}
}

int
logfile_init(struct logfile *f, struct logfiles *all, const char *name,
    int64_t limit_bytes, uint32_t keep)
{
	*f = (struct logfile){ .all = all,
		.limit_bytes = limit_bytes,
		.keep = keep,
		.fd = -EBADF };
	if (!name_is_safe(name))
		return -EINVAL;
	if (asprintf(&f->path, "%s/%s.log", all->dir, name) < 0) {
		f->path = NULL;
		return -ENOMEM;
	}
	/* Room for the suffix of a rotated file. */
	if (strlen(f->path) + 12 >= PATH_MAX) {
		freep(&f->path);
		f->path = NULL;
		return -ENAMETOOLONG;
	}
	return 0;
}

static void
logfile_close(struct logfile *f)
{
	if (f->fd < 0)
		return;
	TAILQ_REMOVE(&f->all->open, f, lru);
	f->all->n_open--;
	close(take_fd(&f->fd));
}

void
logfile_fini(struct logfile *f)
{
	logfile_close(f);
	free(take_ptr(f->path));
}

/* Make the directories above the file that are missing. */
static int
make_parents(const struct logfile *f)
{
	char dir[PATH_MAX];
	char *p;

	strlcpy(dir, f->path, sizeof(dir));
	for (p = dir + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(dir, 0750) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return 0;
}

static int
logfile_open(struct logfile *f, mono_t now)
{
	/* O_NONBLOCK: a FIFO or a device in the file's place must not stop us.
	 */
	const int flags =
	    O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat st;
	int r;

	f->fd = open(f->path, flags, 0640);
	if (f->fd < 0 && errno == ENOENT) {
		r = make_parents(f);
		if (r < 0)
			return r;
		f->fd = open(f->path, flags, 0640);
	}
	if (f->fd < 0)
		return -errno;
	if (fstat(f->fd, &st) < 0) {
		r = -errno;
		close(take_fd(&f->fd));
		return r;
	}
	f->size_bytes = S_ISREG(st.st_mode) ? st.st_size : 0;
	f->torn = false;
	f->checked_at = now;
	TAILQ_INSERT_HEAD(&f->all->open, f, lru);
	f->all->n_open++;
	if (f->all->n_open > LOGFILES_OPEN_MAX)
		logfile_close(TAILQ_LAST(&f->all->open, logfile_list));
	assert(f->fd >= 0);
	return 0;
}

/* Somebody removed or moved the file: what we write would go nowhere. */
static bool
logfile_is_gone(const struct logfile *f)
{
	struct stat at_path, open_one;

	if (stat(f->path, &at_path) < 0)
		return errno == ENOENT || errno == ENOTDIR;
	if (fstat(f->fd, &open_one) < 0)
		return true;
	return at_path.st_ino != open_one.st_ino ||
	       at_path.st_dev != open_one.st_dev;
}

static int
logfile_ready(struct logfile *f, mono_t now)
{
	if (f->fd >= 0 &&
	    !mono_before(now, mono_add(f->checked_at, CHECK_EVERY_NS))) {
		f->checked_at = now;
		if (logfile_is_gone(f))
			logfile_close(f);
	}
	if (f->fd < 0)
		return logfile_open(f, now);
	TAILQ_REMOVE(&f->all->open, f, lru);
	TAILQ_INSERT_HEAD(&f->all->open, f, lru);
	return 0;
}

/*
 * file -> file.1 -> .. -> file.keep.  When that cannot be done the file goes
 * on growing and it is tried again a limit later.
 */
static void
logfile_rotate(struct logfile *f)
{
	char from[PATH_MAX], to[PATH_MAX];
	int r = 0;

	if (f->keep == 0)
		r = unlink(f->path);
	for (uint32_t i = f->keep; i > 0; i--) {
		snprintf(to, sizeof(to), "%s.%u", f->path, i);
		if (i == 1)
			strlcpy(from, f->path, sizeof(from));
		else
			snprintf(from, sizeof(from), "%s.%u", f->path, i - 1);
		r = rename(from, to);
		if (r < 0 && errno == ENOENT)
			r = 0;
	}
	if (r < 0) {
		log_warn(
		    "%s: cannot rotate, it grows beyond its size", f->path);
		f->size_bytes = 0;
		return;
	}
	logfile_close(f);
}

static uint64_t
count_lines(const char *p, size_t len)
{
	uint64_t n = 0;
	const char *end = p + len;

	while (p < end && (p = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		n++;
		p++;
	}
	return n;
}

/* Cut off the `extra` bytes of a line that could not be written whole. */
static void
logfile_untear(struct logfile *f, size_t extra)
{
	if (extra == 0)
		return;
	if (ftruncate(f->fd, f->size_bytes - (int64_t)extra) == 0)
		f->size_bytes -= (int64_t)extra;
	else
		f->torn = true;
}

/*
 * Append whole lines.  Returns 0, or -errno after *ret_done bytes, which end
 * at a line's end as far as the file allows.
 */
static int
logfile_append(struct logfile *f, const char *p, size_t len, size_t *ret_done)
{
	const char *nl;
	size_t done = 0, whole;
	int r = 0;

	*ret_done = 0;
	if (f->torn && write(f->fd, "\n", 1) == 1) {
		f->torn = false;
		f->size_bytes++;
	}
	while (done < len) {
		ssize_t n = write(f->fd, p + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			r = n < 0 ? -errno : -EIO;
			break;
		}
		done += (size_t)n;
		f->size_bytes += n;
	}
	nl = memrchr(p, '\n', done);
	whole = nl == NULL ? 0 : (size_t)(nl - p) + 1;
	logfile_untear(f, done - whole);
	*ret_done = whole;
	return r;
}

/* How many bytes of whole lines fit before the next rotation; 0: rotate. */
static size_t
logfile_room(const struct logfile *f, const char *p, size_t len, bool fresh)
{
	const char *nl = NULL;
	int64_t room = f->limit_bytes - f->size_bytes;

	if (f->limit_bytes <= 0 || (int64_t)len <= room)
		return len;
	if (room > 0)
		nl = memrchr(p, '\n', (size_t)room);
	/* A single line longer than a file is allowed to be still goes in. */
	if (nl == NULL && (fresh || f->size_bytes <= 0))
		nl = memchr(p, '\n', len);
	return nl == NULL ? 0 : (size_t)(nl - p) + 1;
}

static int
logfile_tell_lost(struct logfile *f, const char *stamp)
{
	char line[256];
	size_t done;
	int n, r;

	n = snprintf(line, sizeof(line), "%ssupd: %ju lines lost (%s)\n", stamp,
	    (uintmax_t)f->lost, strerror(f->lost_error));
	r = logfile_append(f, line, (size_t)n, &done);
	if (r == 0)
		f->lost = 0;
	return r;
}

static void
logfile_lose(struct logfile *f, uint64_t lines, int error)
{
	if (f->lost == 0) {
		/* Once, not for every line: our log may be on that disk. */
		errno = error;
		log_warn(
		    "%s: lines are dropped until it can be written", f->path);
		f->lost_error = error;
	}
	f->lost += lines;
}

void
logfile_write(struct logfile *f, const char *lines, size_t len,
    const char *stamp, mono_t now)
{
	bool fresh = false; /* rotated, and nothing written since */
	int r = 0;

	if (len == 0 && f->lost == 0)
		return;
	r = logfile_ready(f, now);
	if (r == 0 && f->lost != 0)
		r = logfile_tell_lost(f, stamp);
	while (r == 0 && len != 0) {
		size_t n = logfile_room(f, lines, len, fresh);
		size_t done;

		if (n == 0) {
			logfile_rotate(f);
			r = logfile_ready(f, now);
			fresh = true;
			continue;
		}
		r = logfile_append(f, lines, n, &done);
		lines += done;
		len -= done;
		fresh = false;
	}
	if (r < 0 && len != 0)
		logfile_lose(f, count_lines(lines, len), -r);
}
