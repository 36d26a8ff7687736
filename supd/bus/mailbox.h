/* SPDX-License-Identifier: ISC */
#ifndef BUS_MAILBOX_H
#define BUS_MAILBOX_H

#include "base/attr.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * RUNDIR/m/<uid>, mode 0700, the uid's own: only workers of one uid can reach
 * each other's mailboxes.  A worker binds <slot>.<incarnation> in it; what a
 * killed one leaves there is unlinked at its DEAD.
 */

struct bus;
struct peer;

struct mailbox_dir {
	TAILQ_ENTRY(mailbox_dir) entry;
	uint32_t uid;
	uint32_t users; /* workers prepared for it */
};

struct mailboxes {
	TAILQ_HEAD(, mailbox_dir) dirs;
};

/* Make the directory of p's uid.  Returns 0 or -errno and what failed. */
must_check int mailbox_prepare(
    struct bus *b, const struct peer *p, char *ret_text, size_t len);

/* p will not use it any more; the last one removes the directory. */
void mailbox_release(struct bus *b, const struct peer *p);

/* Unlink what p's incarnation has left. */
void mailbox_unlink(struct bus *b, const struct peer *p);

/* "ipc://RUNDIR/m/UID/SLOT.INC"; -ENAMETOOLONG if it does not fit. */
must_check int mailbox_endpoint(
    struct bus *b, const struct peer *p, char *ret_text, size_t len);

#endif /* BUS_MAILBOX_H */
