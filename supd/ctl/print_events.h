/* SPDX-License-Identifier: ISC */
#ifndef CTL_PRINT_EVENTS_H
#define CTL_PRINT_EVENTS_H

#include "base/attr.h"
#include "base/mono.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* Events, log lines and stories for people.  Pure, as print_status.h. */

/* "14:02:11.412  web/api  exited  exit 70"; wall_ns is now. */
void print_event(FILE *out, const json_t *event, int64_t wall_ns);

/* "-- 3 lines lost --", if there are any. */
void print_lost(FILE *out, int64_t n, const char *what);

/* A line of `logs`: the time, if it has one, and the text; lost lines before
 * it are told first. */
void print_log_line(FILE *out, const json_t *line, int64_t wall_ns);

/*
 * `why`: the headline, the story with its ages, the last output.  `why` is the
 * result of that method, now the instant on supd's own monotonic clock.
 * Returns 0 or -ENOMEM.
 */
must_check int print_why(FILE *out, const json_t *why, mono_t now);

#endif /* CTL_PRINT_EVENTS_H */
