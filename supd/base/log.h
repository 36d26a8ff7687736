/* SPDX-License-Identifier: ISC */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/attr.h"

#include <stdbool.h>

/*
 * supd's own log: to stderr, one line a call.  Where that is the journal's
 * (JOURNAL_STREAM names it) each line starts with its syslog priority, "<4>",
 * as sd-daemon(3) describes; otherwise with "supd: " and the role.
 *
 * None of these waits: a line that finds a pipe, socket or terminal full is
 * dropped, and how many were is told before the next one that is not.
 *
 * Only process shells call this.  The verbs are OpenBSD's: the ones with x do
 * not append strerror(errno).  None of them changes errno.
 */

/* Name the role ("keeper", "engine", ...) and whether debug lines show; look
 * at what stderr is. */
void log_init(const char *role, bool verbose);

printf_(1, 2) void log_debug(const char *fmt, ...);
printf_(1, 2) void log_info(const char *fmt, ...);
printf_(1, 2) void log_warn(const char *fmt, ...);
printf_(1, 2) void log_warnx(const char *fmt, ...);

#endif /* BASE_LOG_H */
