/* SPDX-License-Identifier: ISC */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static const char *log_role = "supd";
static bool log_verbose;
static bool log_journal;

void
log_init(const char *role, bool verbose)
{
	log_role = role;
	log_verbose = verbose;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

/* One write(2) a line, so that lines of several roles never interleave. */
static void
log_line(int prio, const char *fmt, va_list ap, int err)
{
	char line[1024];
	size_t len = 0, max = sizeof(line) - 1;
	int n, saved = errno;

	if (log_journal)
		n = snprintf(line, max, "<%d>%s: ", prio, log_role);
	else
		n = snprintf(line, max, "supd: %s: ", log_role);
	len = n > 0 ? (size_t)n : 0;
	n = vsnprintf(line + len, max - len, fmt, ap);
	if (n > 0)
		len += (size_t)n < max - len ? (size_t)n : max - len - 1;
	if (err != 0) {
		n = snprintf(line + len, max - len, ": %s", strerror(err));
		if (n > 0)
			len +=
			    (size_t)n < max - len ? (size_t)n : max - len - 1;
	}
	line[len++] = '\n';
	/* There is nowhere to report a failing stderr to. */
	(void)!write(STDERR_FILENO, line, len);
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
