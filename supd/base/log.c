/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#define LINE_MAX_BYTES 1024 /* less than PIPE_BUF: a line goes whole or not */

enum sink { SINK_FILE, SINK_SOCKET, SINK_STREAM };

static const char *log_role = "supd";
static bool log_verbose;
static bool log_journal;
static enum sink log_sink;
static unsigned log_lost; /* lines since the last that was written */

/* As sd-daemon(3) wants: the variable may be another process's stderr. */
static bool
is_journal(const struct stat *st)
{
	const char *stream = getenv("JOURNAL_STREAM");
	uintmax_t dev, ino;

	return stream != NULL && sscanf(stream, "%ju:%ju", &dev, &ino) == 2 &&
	       dev == (uintmax_t)st->st_dev && ino == (uintmax_t)st->st_ino;
}

void
log_init(const char *role, bool verbose)
{
	struct stat st;

	log_role = role;
	log_verbose = verbose;
	log_journal = false;
	log_sink = SINK_FILE;
	if (fstat(STDERR_FILENO, &st) < 0)
		return;
	log_journal = is_journal(&st);
	if (S_ISSOCK(st.st_mode))
		log_sink = SINK_SOCKET;
	else if (!S_ISREG(st.st_mode))
		log_sink = SINK_STREAM;
}

/*
 * One line, or nothing when that would have to wait: our stderr may be a pipe
 * that nobody reads.  The descriptor's O_NONBLOCK is not ours to set, others
 * share it; so the kernel is asked for this write only, and where it cannot
 * do that (a terminal), room is looked for first.
 */
static bool
sink_write(const char *line, size_t len)
{
	struct pollfd p = { .fd = STDERR_FILENO, .events = POLLOUT };
	struct iovec iov = { (void *)(uintptr_t)line, len };
	ssize_t n;

	if (log_sink == SINK_SOCKET)
		return send(STDERR_FILENO, line, len,
			   MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
	if (log_sink == SINK_STREAM) {
		n = pwritev2(STDERR_FILENO, &iov, 1, -1, RWF_NOWAIT);
		if (n >= 0 || (errno != EOPNOTSUPP && errno != EINVAL))
			return n >= 0;
		if (poll(&p, 1, 0) != 1 || (p.revents & POLLOUT) == 0)
			return false;
	}
	return write(STDERR_FILENO, line, len) >= 0;
}

static size_t
add_head(char *line, size_t max, int prio)
{
	int n;

	if (log_journal)
		n = snprintf(line, max, "<%d>%s: ", prio, log_role);
	else
		n = snprintf(line, max, "supd: %s: ", log_role);
	return n > 0 && (size_t)n < max ? (size_t)n : 0;
}

/* What was dropped is told before the next line that can be written. */
static bool
tell_lost(void)
{
	char line[128];
	size_t len = add_head(line, sizeof(line), LOG_WARNING);

	if (log_lost == 0)
		return true;
	len += (size_t)snprintf(line + len, sizeof(line) - len,
	    "%u lines lost: stderr was full\n", log_lost);
	if (!sink_write(line, len))
		return false;
	log_lost = 0;
	return true;
}

/* What a worker said may be part of it: it shall not drive the terminal. */
static void
defuse(char *line, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)line[i];
		bool c1 = i > 0 && (unsigned char)line[i - 1] == 0xc2 &&
		          c >= 0x80 && c < 0xa0;

		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f || c1)
			line[i] = '?';
	}
}

/* As much of `text` as there is room for; the new length. */
static size_t
append(char *line, size_t len, size_t max, const char *text)
{
	while (len < max && *text != '\0')
		line[len++] = *text++;
	return len;
}

/* One write(2) a line, so that lines of several roles never interleave. */
static void
log_line(int prio, const char *fmt, va_list ap, int err)
{
	char line[LINE_MAX_BYTES];
	size_t max = sizeof(line) - 1, len = add_head(line, max, prio);
	int n, saved = errno;

	n = vsnprintf(line + len, max - len, fmt, ap);
	if (n > 0)
		len += (size_t)n < max - len ? (size_t)n : max - len - 1;
	if (err != 0) {
		len = append(line, len, max, ": ");
		len = append(line, len, max, strerror(err));
	}
	defuse(line, len);
	line[len++] = '\n';
	if (!tell_lost() || !sink_write(line, len))
		log_lost++;
	errno = saved;
}

#define LOG_BODY(prio, err)                                                    \
	do {                                                                   \
		va_list ap;                                                    \
		int err_ = (err);                                              \
		va_start(ap, fmt);                                             \
		log_line(prio, fmt, ap, err_);                                 \
		va_end(ap);                                                    \
	} while (0)

void
log_debug(const char *fmt, ...)
{
	if (log_verbose)
		LOG_BODY(LOG_DEBUG, 0);
}

void
log_info(const char *fmt, ...)
{
	LOG_BODY(LOG_INFO, 0);
}

void
log_warn(const char *fmt, ...)
{
	LOG_BODY(LOG_WARNING, errno);
}

void
log_warnx(const char *fmt, ...)
{
	LOG_BODY(LOG_WARNING, 0);
}
