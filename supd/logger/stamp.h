/* SPDX-License-Identifier: ISC */
#ifndef LOGGER_STAMP_H
#define LOGGER_STAMP_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/* The time in front of a line: RFC 3339, UTC, milliseconds. */
#define STAMP_LEN 24 /* "2026-11-20T14:02:11.412Z" */

/* `wall_ns` since the epoch; years beyond 9999 print as the last instant. */
void stamp_format(int64_t wall_ns, char ret_text[STAMP_LEN + 1]);

/* True and *ret_wall_ns if the first STAMP_LEN bytes at `s` are a stamp. */
must_check bool stamp_parse(const char *s, int64_t *ret_wall_ns);

#endif /* LOGGER_STAMP_H */
