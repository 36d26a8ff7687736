/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_TEXT_H
#define ENGINE_TEXT_H

#include "engine/shell.h"

/* Words for people: durations, short paths, reasons with what they need. */

#define TEXT_DURATION_LEN 32

/* "20ms", "0.4s", "41s", "5m", "3h12m", "3d04h".  Returns buf. */
const char *text_duration(int64_t ns, char *buf, size_t len);

/*
 * A path as operators write it: without the root's name.  "root/web" is
 * "web"; the root itself keeps its name.  Borrowed from `path`.
 */
const char *text_short(const char *path);

/*
 * A spawn error: "exec ./api: No such file or directory", "chdir /x: ...".
 * `w` may be NULL when the worker is not known any more.
 */
void text_spawn_error(
    const struct conf_worker *w, int step, int error, char *buf, size_t len);

/*
 * Why node n is not running: reason_text(), but with what the core does not
 * know: the failed command, the failed child, the supervisor's name.
 */
const char *text_reason(const struct shell *sh, node_t n,
    const struct reason *r, char *buf, size_t len);

/* The failure inside a failure: "web: api: exec ./api: No such file". */
void text_nested(
    const struct shell *sh, node_t n, const struct reason *r, struct buf *out);

/* "tcp 127.0.0.1:8080", "notify", "fd 4": what its readiness waits for. */
const char *text_awaited(const struct conf_worker *w, char *buf, size_t len);

#endif /* ENGINE_TEXT_H */
