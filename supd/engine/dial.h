/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_DIAL_H
#define ENGINE_DIAL_H

#include "engine/shell.h"

#include <netdb.h>
#include <sys/socket.h>

/*
 * Connecting to an address, without ever waiting: what readiness and health by
 * tcp, unix and http have in common.
 *
 * A name that only others know (DNS) is asked for in the background, from when
 * the dial is made until it has been resolved once.
 */

#define DIAL_ADDRS_MAX 4

struct dial_addr {
	struct sockaddr_storage sa;
	socklen_t len;
};

/*
 * Split "host:port", "[::1]:port" or ":port" (this machine).  Returns 0, or
 * -EINVAL when it is neither.
 */
must_check int dial_split(
    const char *addr, char host[NI_MAXHOST], char port[NI_MAXSERV]);

/*
 * The addresses that `addr` stands for, without asking anybody.  Returns their
 * number (at most DIAL_ADDRS_MAX), 0 when the host is a name that has to be
 * looked up, or -EINVAL with the reason in `why`.
 */
must_check int dial_lookup_tcp(const char *addr,
    struct dial_addr ret[DIAL_ADDRS_MAX], char *why, size_t why_len);

/* A socket's path, relative to `cwd` unless it begins with '/'. */
must_check int dial_lookup_unix(
    const char *path, const char *cwd, struct dial_addr *ret);

struct dial;

/*
 * Get ready to connect to `addr`, "host:port", or with `is_unix` a path below
 * `cwd`; `path` is the worker's, for messages.  All are borrowed for as long
 * as the dial lives.  Returns 0, or -errno with the reason in `why`.
 */
must_check int dial_new(struct shell *sh, const char *path, bool is_unix,
    const char *addr, const char *cwd, struct dial **ret_dial, char *why,
    size_t why_len);
void dial_free(struct dial *d);

/*
 * Try its addresses in turn, each for its share of limit_ns, until one accepts.
 * done() is called once, in a turn of the loop and perhaps before this
 * returns, unless dial_cancel() comes first: with a connected fd that becomes
 * the callee's and NULL; or with -1 and what the last address answered, static
 * text.  The dial is idle then, and may be freed.
 */
void dial_begin(struct dial *d, int64_t limit_ns,
    void (*done)(void *arg, int fd, const char *error), void *arg);
void dial_cancel(struct dial *d);

/* A name may mean something else by now: ask again, in the background. */
void dial_refresh(struct dial *d);

#endif /* ENGINE_DIAL_H */
