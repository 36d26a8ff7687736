/* SPDX-License-Identifier: ISC */
#ifndef CTL_TEXT_H
#define CTL_TEXT_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Words for people: durations, times, paths, and text that came from a worker
 * made harmless for a terminal.  Functions that take `buf` write at most `len`
 * bytes with the NUL and return it; TEXT_MAX is enough for any of them.
 */

#define TEXT_MAX 64

/* "0.4s", "12s", "3m20s", "5h07m", "3d04h", "123d"; rounded down. */
const char *text_duration(int64_t ns, char *buf, size_t len);

/* As text_duration, with tenths below a minute: "12.4s". */
const char *text_age(int64_t ns, char *buf, size_t len);

/* A configured duration, exactly: "500ms", "5s", "60s", "10m". */
const char *text_period(int64_t ns, char *buf, size_t len);

/*
 * Parse "10s", "0.5s", "500ms", "1m30s", "2h", "1d"; "infinity" gives -1.
 * A unit is required.  Returns false, and leaves *ret_ns, if it is none.
 */
must_check bool text_parse_duration(const char *s, int64_t *ret_ns);

/* Local time of day; with the date unless it is the day of now_ns. */
const char *text_time(int64_t wall_ns, int64_t now_ns, char *buf, size_t len);

/*
 * ns since the epoch of "2026-09-21T14:13:20.412Z" (RFC 3339, UTC).  Returns
 * false, and leaves *ret_ns, if it is none.
 */
must_check bool text_parse_time(const char *s, int64_t *ret_ns);

/*
 * A copy, the caller's, in which every control character and every byte that
 * is no printable character of the locale is encoded by vis(3).  Tabs stay.
 * NULL if there is no memory.
 */
char *text_escape(const char *s);

/* "web/api" of "root/web/api", "root" of "root".  Borrowed. */
const char *text_short_path(const char *path);

/* Columns that `s` takes on a terminal. */
size_t text_width(const char *s);

#endif /* CTL_TEXT_H */
