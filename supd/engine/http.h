/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_HTTP_H
#define ENGINE_HTTP_H

#include "base/attr.h"

#include <stddef.h>

/*
 * One GET, of which only the status matters: `health: {http: ...}`.
 *
 * Of what a worker answers no more than HTTP_LINE_MAX bytes are ever looked
 * at, and of those only the first line.
 */

#define HTTP_LINE_MAX    256
#define HTTP_REQUEST_MAX 4096

struct shell;
struct http;

/*
 * The status that the `len` bytes begin with, 100..599; 0 when the first line
 * is not complete yet; -EPROTO when this is no answer of HTTP/1.
 */
must_check int http_status(const char *data, size_t len);

/*
 * Ask for `path` of `host` over the connected non-blocking `fd`, which is taken
 * over.  done() is called once, in a turn of the loop but not before this
 * returns, unless http_free() comes first: with a status, or with 0 and why
 * there is none, static text; its owner frees the http there.  There is no time
 * limit here.  NULL: no memory (the fd is closed).
 */
must_check struct http *http_get(struct shell *sh, int fd, const char *host,
    const char *path, void (*done)(void *arg, int status, const char *error),
    void *arg);
void http_free(struct http *h);

#endif /* ENGINE_HTTP_H */
