/* SPDX-License-Identifier: ISC */
#ifndef CONF_VALUE_H
#define CONF_VALUE_H

#include "base/buf.h"
#include "core/spec.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

/*
 * Texts to values and back.  Pure.
 *
 * The parsers return NULL, with the value in ret_x, or what is wrong with the
 * text, as it follows the quoted text in a message: `"5" needs a unit: ...`.
 */

/* "500ms", "5s", "2m", "1h": ns, 0 to 100 years. */
const char *value_duration(const char *s, int64_t *ret_ns);
/* The same, or "infinity": -1. */
const char *value_timeout(const char *s, int64_t *ret_ns);
/* "64K", "10M", "1G" (powers of 1024): bytes. */
const char *value_size(const char *s, int64_t *ret_bytes);
const char *value_bool(const char *s, bool *ret);
/* Decimal.  Does not look at any range but that of int64_t. */
const char *value_int(const char *s, int64_t *ret);
/* Octal, 0 to 0777. */
const char *value_umask(const char *s, mode_t *ret);
/* "TERM", "SIGTERM" or "15". */
const char *value_signal(const char *s, int *ret);
/* "3", "1-3", "HUP": added to the set. */
const char *value_exits(const char *s, struct exit_set *set);
/* "1024:4096", "1024", "unlimited"; a size where sizes are counted. */
const char *value_rlimit(
    const char *name, const char *s, int *ret_resource, struct rlimit *ret);
/* "TERM 5s", "INT infinity", "KILL" (wait 0). */
const char *value_stage(const char *s, struct stop_stage *ret);
/* [a-z0-9][a-z0-9._-]{0,63} */
bool value_is_name(const char *s);
/* "host:port", "[::1]:port" */
const char *value_tcp(const char *s);
/* The path of a Unix socket: absolute, and short enough for unix(7). */
const char *value_unix(const char *s);
/*
 * "http://host:port/path?query": ret_path is within s, "" if there is none;
 * the ret_len bytes before it are host:port.
 */
const char *value_url(const char *s, const char **ret_path, size_t *ret_len);
/* "2", "1.5": at least 1, at most 1000; in thousandths. */
const char *value_factor(const char *s, uint32_t *ret_milli);
/* "10%", "2.5%": at most 100%; in thousandths. */
const char *value_percent(const char *s, uint32_t *ret_milli);

/*
 * Take the next word of a command as a POSIX shell would split it, but
 * without any expansion: quotes '' and "", backslashes.  `word` is replaced.
 * Returns 1, 0 at the end, or -EINVAL for a quote that does not end.
 */
must_check int value_split(const char **s, struct buf *word);

/* Canonical texts. */
void value_put_duration(struct buf *out, int64_t ns); /* negative: infinity */
void value_put_size(struct buf *out, int64_t bytes);
void value_put_factor(struct buf *out, uint32_t milli);
void value_put_percent(struct buf *out, uint32_t milli);
void value_put_exits(struct buf *out, const struct exit_set *set);
void value_put_rlimit(struct buf *out, const struct rlimit *lim);
void value_put_stage(struct buf *out, const struct stop_stage *st);
/* A string as YAML reads it back: plain where that is safe, else quoted. */
void value_put_string(struct buf *out, const char *s);

/* "TERM", or the number of a signal without a name. */
void value_put_signal(struct buf *out, int sig);

bool value_is_utf8(const char *s);

/*
 * The candidate that `s` most likely is a misspelling of, or NULL: within a
 * third of its length in edits (a swap of neighbours counts as one).
 */
const char *value_suggest(
    const char *s, const char *const *candidates, size_t n);

#endif /* CONF_VALUE_H */
