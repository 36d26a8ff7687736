/* SPDX-License-Identifier: ISC */
#ifndef BUS_NOTIFY_H
#define BUS_NOTIFY_H

#include "base/attr.h"

#include <stddef.h>

/*
 * Readiness without libmsg: sd_notify(3) datagrams to RUNDIR/notify/<slot>,
 * and s6's newline on a pipe.  One socket serves all incarnations of a slot,
 * so it is emptied at each DEAD: a READY of the old one never counts for the
 * new one.
 */

struct peer;

/* Bind p's notify socket.  Returns 0 or -errno and what failed. */
must_check int notify_prepare(struct peer *p, char *ret_text, size_t len);

/* Watch the read end of p's notify_fd; takes the fd. */
void notify_watch_pipe(struct peer *p, int fd);

/* p's incarnation has its lifeline: what it said before counts now. */
void notify_attached(struct peer *p);

/* p's incarnation has ended: forget what it sent. */
void notify_reset(struct peer *p);

/* Unlink and close everything. */
void notify_free(struct peer *p);

#endif /* BUS_NOTIFY_H */
