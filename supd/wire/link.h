/* SPDX-License-Identifier: ISC */
#ifndef WIRE_LINK_H
#define WIRE_LINK_H

#include "wire/wire.h"

#include <sys/queue.h>

/*
 * One end of a role socketpair that never blocks: what the kernel will not
 * take at once waits in memory and goes out, in order, when link_flush() is
 * called on writability.  For engine, bus and logger; the keeper, which does
 * not allocate, has its own.
 */

struct link_pending {
	TAILQ_ENTRY(link_pending) entry;
	size_t len;
	char data[];
};

struct link {
	int fd;
	size_t queued_bytes;
	size_t max_bytes; /* frames beyond it are refused with -ENOBUFS */
	TAILQ_HEAD(, link_pending) queue;
};

/* fd stays the caller's; it is made non-blocking. */
void link_init(struct link *l, int fd, size_t max_bytes);
void link_fini(struct link *l);

/*
 * Send one frame: `body` of the type's fixed size, then the tail.  Returns 0
 * (sent or queued), -ENOBUFS (queue full), -ENOMEM, or the socket's -errno
 * (-EPIPE: the peer is gone).
 */
must_check int link_send(struct link *l, enum wire_type type, uint64_t tag,
    const void *body, const void *tail, size_t tail_len);

/* Send what waits.  Returns 0 or -errno.  link_waiting(): is there more? */
must_check int link_flush(struct link *l);
bool link_waiting(const struct link *l);

/*
 * Receive one frame into `buf` of WIRE_FRAME_MAX bytes (8-byte aligned).
 * Returns 1 and *ret_hdr, 0 when there is none now, -EPIPE when the peer has
 * closed, -EBADMSG for a malformed frame, or -errno.  Up to `*n_fds` received
 * fds go to `fds` (CLOEXEC, the caller's); *n_fds says how many came; pass
 * NULL, NULL where none are expected (any that come are closed).
 */
must_check int link_recv(struct link *l, void *buf,
    const struct wire_hdr **ret_hdr, int *fds, unsigned *n_fds);

#endif /* WIRE_LINK_H */
