/* SPDX-License-Identifier: ISC */
#ifndef BUS_LINKS_H
#define BUS_LINKS_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/tree.h>

/*
 * Links, rule P-6: between two workers, at most one, and when one ends the
 * other gets an exit signal with its reason.  Both are told of a link and of
 * its end (LINKED, UNLINKED), in the order in which the bus does it: so a
 * worker knows of an EXIT by a link that is no more, and drops it.
 *
 * Kept by pid, each link from both sides, so nothing dangles.
 */

#define LINKS_MAX 65536u /* one worker's */

struct bus;
struct peer;

struct half_link {
	RB_ENTRY(half_link) entry;
	uint64_t owner, other;
};

RB_HEAD(link_tree, half_link);

void links_fini(struct bus *b);

/*
 * Link p and `other`.  Returns 0, also when they are linked or the same;
 * -ESRCH: `other` does not live; -ENOBUFS: one of them has LINKS_MAX; -ENOMEM.
 */
must_check int links_add(struct bus *b, struct peer *p, uint64_t other);
void links_remove(struct bus *b, struct peer *p, uint64_t other);
bool links_has(struct bus *b, uint64_t a, uint64_t other);

/* p has joined: tell it of the links that were made before. */
void links_tell(struct bus *b, struct peer *p);

/* p has ended: the others get its reason, and forget it. */
void links_ended(struct bus *b, struct peer *p, const char *reason);

/* The first other pid after `after` that `pid` is linked with, or 0. */
uint64_t links_next(struct bus *b, uint64_t pid, uint64_t after);

RB_PROTOTYPE(link_tree, half_link, entry, half_link_cmp);

#endif /* BUS_LINKS_H */
