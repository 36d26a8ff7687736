/* SPDX-License-Identifier: ISC */
#include "logger/source.h"

#include "base/clock.h"
#include "wire/wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#define HEAD_MAX (STAMP_LEN + 1 + WIRE_PATH_MAX + 2)
#define OUT_MAX  (256 * 1024)

_Static_assert(OUT_MAX >= HEAD_MAX + SOURCE_LINE_MAX + 16, "one line fits");

/* Lines on their way to the file: one write(2) for as many as fit. */
struct out {
	struct source *source;
	const struct now *now;
	size_t head_len;
	size_t len;
};

/* One thread, one source at a time: these are shared by all sources. */
static char in_buf[SOURCE_LINE_MAX + SOURCE_READ_BYTES];
static char out_buf[OUT_MAX];
static char head_buf[HEAD_MAX + 1];

void
now_sample(struct now *ret_now)
{
	ret_now->mono = clock_mono();
	ret_now->wall_ns = clock_wall_ns();
	stamp_format(ret_now->wall_ns, ret_now->stamp);
	ret_now->stamp[STAMP_LEN] = ' ';
	ret_now->stamp[STAMP_LEN + 1] = '\0';
}

/* A FIFO at `path`, ours: one that is there is taken over. */
static int
fifo_open(const char *path, int *ret_fd, const char **ret_what)
{
	struct stat st;
	int fd;

	*ret_what = "mkfifo";
	if (lstat(path, &st) == 0 &&
	    (!S_ISFIFO(st.st_mode) || st.st_uid != geteuid()) &&
	    unlink(path) < 0)
		return -errno;
	if (mkfifo(path, 0600) < 0 && errno != EEXIST)
		return -errno;
	*ret_what = "open";
	/* For writing too: no end of file between two starts of the worker. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

int
source_new(const struct source_spec *spec, const char *run_dir,
    struct logfiles *files, struct source **ret_source, const char **ret_what)
{
	struct source *s;
	int r;

	*ret_what = "memory";
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	s->fd = -EBADF;
	s->slot = spec->slot;
	s->prefix = spec->prefix;
	s->time = spec->time;
	s->file.fd = -EBADF;
	s->name = strdup(spec->name);
	if (asprintf(&s->fifo, "%s/log/%u", run_dir, spec->slot) < 0)
		s->fifo = NULL;
	r = s->name == NULL || s->fifo == NULL ? -ENOMEM : 0;
	if (r == 0) {
		*ret_what = "log file name";
		r = logfile_init(
		    &s->file, files, spec->name, spec->limit_bytes, spec->keep);
	}
	if (r == 0)
		r = fifo_open(s->fifo, &s->fd, ret_what);
	if (r < 0) {
		source_free(s);
		return r;
	}
	*ret_source = s;
	return 0;
}

void
source_free(struct source *s)
{
	if (s == NULL)
		return;
	if (s->fd >= 0) {
		close(s->fd);
		unlink(s->fifo);
	}
	logfile_fini(&s->file);
	free(s->held);
	free(s->fifo);
	free(s->name);
	free(s);
}

/* What stands before every line of this batch: time and name. */
static struct out
out_begin(struct source *s, const struct now *now)
{
	int n = snprintf(head_buf, sizeof(head_buf), "%s%s%s",
	    s->time ? now->stamp : "", s->prefix ? s->name : "",
	    s->prefix ? ": " : "");

	return (struct out){ .source = s, .now = now, .head_len = (size_t)n };
}

static void
out_end(struct out *o)
{
	struct source *s = o->source;

	logfile_write(&s->file, out_buf, o->len, s->time ? o->now->stamp : "",
	    o->now->mono);
	o->len = 0;
}

static void
out_line(struct out *o, const char *text, size_t len, bool split)
{
	struct source *s = o->source;
	size_t mark = split ? strlen(SOURCE_SPLIT_MARK) : 0;
	char *p;

	if (o->len + o->head_len + len + mark + 1 > sizeof(out_buf))
		out_end(o);
	p = out_buf + o->len;
	memcpy(p, head_buf, o->head_len);
	p += o->head_len;
	memcpy(p, text, len);
	memcpy(p + len, SOURCE_SPLIT_MARK, mark);
	p[len + mark] = '\n';
	o->len += o->head_len + len + mark + 1;
	if (s->on_line != NULL)
		s->on_line(s->ctx, s->slot, p, len + mark, o->now->wall_ns);
}

/* A whole line, or one whose end has not come: in parts if it is too long. */
static void
out_parts(struct out *o, const char **p, size_t *len)
{
	while (*len > SOURCE_LINE_MAX) {
		out_line(o, *p, SOURCE_LINE_MAX, true);
		*p += SOURCE_LINE_MAX;
		*len -= SOURCE_LINE_MAX;
	}
}

static void
hold(struct source *s, struct out *o, const char *p, size_t len)
{
	if (len == 0)
		return;
	s->held = malloc(len);
	if (s->held == NULL) {
		out_line(o, p, len, true);
		return;
	}
	memcpy(s->held, p, len);
	s->held_len = len;
}

/* Put what is held in front of what is about to be read. */
static size_t
unhold(struct source *s)
{
	size_t len = s->held_len;

	if (s->held == NULL)
		return 0;
	memcpy(in_buf, s->held, len);
	free(take_ptr(s->held));
	s->held_len = 0;
	return len;
}

static size_t
read_upto(struct source *s, size_t max, const struct now *now)
{
	struct out o;
	const char *p = in_buf, *end, *nl;
	size_t held, len;
	ssize_t n;

	held = s->held_len;
	do {
		n = read(s->fd, in_buf + held, max);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return 0;
	unhold(s);
	end = in_buf + held + n;
	o = out_begin(s, now);
	/* The held part has no newline: look only at what is new. */
	nl = memchr(in_buf + held, '\n', (size_t)n);
	for (; nl != NULL; nl = memchr(p, '\n', (size_t)(end - p))) {
		len = (size_t)(nl - p);
		out_parts(&o, &p, &len);
		out_line(&o, p, len, false);
		p = nl + 1;
	}
	len = (size_t)(end - p);
	out_parts(&o, &p, &len);
	hold(s, &o, p, len);
	out_end(&o);
	return (size_t)n;
}

size_t
source_read(struct source *s, const struct now *now)
{
	return read_upto(s, SOURCE_READ_BYTES, now);
}

void
source_drain(struct source *s, const struct now *now)
{
	int waiting = 0;

	if (ioctl(s->fd, FIONREAD, &waiting) < 0)
		return;
	while (waiting > 0) {
		size_t max = waiting < SOURCE_READ_BYTES ? (size_t)waiting
		                                         : SOURCE_READ_BYTES;
		size_t n = read_upto(s, max, now);

		if (n == 0)
			return;
		waiting -= (int)n;
	}
}

void
source_flush(struct source *s, const struct now *now)
{
	struct out o = out_begin(s, now);
	size_t len = unhold(s);

	if (len != 0)
		out_line(&o, in_buf, len, false);
	out_end(&o);
}
