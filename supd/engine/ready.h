/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_READY_H
#define ENGINE_READY_H

#include "engine/shell.h"

#include <netdb.h>
#include <sys/socket.h>

/*
 * Readiness by connecting: `ready: {tcp: A}` and `ready: {unix: P}`.
 *
 * From the exec on, a non-blocking connect is tried every 20 ms, growing to
 * 250 ms, until one succeeds: then EV_READY is queued for that incarnation.
 * A name that only others know (DNS) is asked for in the background, from when
 * the worker is added until it has been resolved once.
 */

#define READY_ADDRS_MAX 4

struct ready_addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

/*
 * Split "host:port", "[::1]:port" or ":port" (this machine).  Returns 0, or
 * -EINVAL when it is neither.
 */
must_check int ready_split(
    const char *addr, char host[NI_MAXHOST], char port[NI_MAXSERV]);

/*
 * The addresses that `addr` stands for, without asking anybody.  Returns their
 * number (at most READY_ADDRS_MAX), 0 when the host is a name that has to be
 * looked up, or -EINVAL with the reason in `why`.
 */
must_check int ready_lookup_tcp(const char *addr,
    struct ready_addr ret[READY_ADDRS_MAX], char *why, size_t why_len);

/* A socket's path, relative to `cwd` unless it begins with '/'. */
must_check int ready_lookup_unix(
    const char *path, const char *cwd, struct ready_addr *ret);

/*
 * Resolve what node n's readiness connects to; nothing for other modes.  A
 * failure becomes the node's prep_error: its start will fail with these words.
 */
void ready_resolve(struct shell *sh, node_t n);

/* Begin connecting for an incarnation; end it.  Both are idempotent. */
void ready_start(struct shell *sh, node_t n, uint64_t inc);
void ready_stop(struct node *nd);
void ready_free(struct node *nd);

/*
 * What a starting worker waits for: "waiting for tcp 127.0.0.1:8080 (7
 * failures, last: connection refused), 28s left".
 */
void ready_detail(const struct shell *sh, node_t n, char *buf, size_t len);

/* The same without the frame: "tcp 127.0.0.1:8080 (7 failures, ...)". */
void ready_awaited(const struct shell *sh, node_t n, char *buf, size_t len);

#endif /* ENGINE_READY_H */
