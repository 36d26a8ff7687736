/* SPDX-License-Identifier: ISC */
#ifndef BUS_MONITORS_H
#define BUS_MONITORS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/tree.h>

/*
 * Who wants to hear of whose end: monitors (P-8: each call its own, one-shot,
 * DOWN with the reason) and those who have resolved somebody or were resolved
 * (GONE, so that they forget the connection).  Kept by pid, so nothing dangles.
 */

#define MONITORS_MAX 65536u /* one worker's; more get DOWN "system_limit" */

struct bus;
struct peer;

struct monitor {
	RB_ENTRY(monitor) by_owner, by_target;
	uint64_t owner, target;
	uint64_t as;  /* what the owner calls the target, if not that; or 0 */
	uint64_t ref; /* of a GONE: the target */
	bool gone;
};

RB_HEAD(owner_tree, monitor);
RB_HEAD(target_tree, monitor);

struct monitors {
	struct owner_tree by_owner;
	struct target_tree by_target;
};

void monitors_fini(struct bus *b);

/* target 0, or one that does not live: DOWN "noproc" at once.  False if this
 * owner uses the ref already. */
bool monitors_add(
    struct bus *b, struct peer *owner, uint64_t ref, uint64_t target);
/* The key `monitor`: as monitors_add(), with a DOWN of ref 0; idempotent. */
void monitors_stand(struct bus *b, struct peer *owner, uint64_t target);

void monitors_remove(struct bus *b, struct peer *owner, uint64_t ref);

/* Tell each of the two with GONE when the other ends; idempotent. */
void monitors_subscribe(struct bus *b, struct peer *owner, uint64_t target);

/*
 * Whom `pid` monitors, or who monitors it: arrays of pids, as info has them.
 * Without those that libmsg has set for itself (PROTO_REF_OWN).
 */
json_t *monitors_json(struct bus *b, uint64_t pid);
json_t *monitors_by_json(struct bus *b, uint64_t pid);

/* The next incarnation of p, which `last` stood for, is there: keep.h. */
void monitors_keep(struct bus *b, struct peer *p, uint64_t last);

/* A worker or guest has ended: forget what it wanted, tell those who wanted to
 * hear. */
void monitors_ended(struct bus *b, uint64_t pid, const char *reason);

#endif /* BUS_MONITORS_H */
