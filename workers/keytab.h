/* SPDX-License-Identifier: ISC */
#ifndef WORKERS_KEYTAB_H
#define WORKERS_KEYTAB_H

#include <msg/msg.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * What a registry knows: which worker holds which keys, with what values, and
 * who holds or waits for the lock of a key.
 *
 * Pure memory: it sends nothing and knows nobody's state.  Lists are in the
 * order of insertion.  A key is there as long as it has an entry or somebody
 * waits for its lock; a holder until keytab_drop().
 */

/* An entry; but search.h has that word. */
struct holding {
	TAILQ_ENTRY(holding) of_all, of_key, of_holder;
	struct key *key;
	struct holder *holder;
	size_t len;
	unsigned char value[]; /* msgpack */
};
TAILQ_HEAD(holdings, holding);

/* Somebody in the queue for a lock; the first has it. */
struct waiter {
	TAILQ_ENTRY(waiter) of_key, of_holder;
	struct key *key;
	struct holder *holder;
	uint64_t ref; /* of the call that asked for it */
};
TAILQ_HEAD(waiters, waiter);

struct key {
	size_t n_entries;
	struct holdings entries;
	struct waiters waiters;
	const char *text; /* stands behind it */
};

struct holder {
	msg_pid pid;
	uint64_t monitor; /* of the user's, and whether he is linked */
	bool linked;
	size_t n_entries;
	struct holdings entries;
	struct waiters waiters;
};

struct keytab {
	void *keys; /* trees of tsearch(3) */
	void *holders;
	size_t n_entries;
	struct holdings entries;
};

void keytab_init(struct keytab *t);
void keytab_fini(struct keytab *t);

/* Who is known by this name, or NULL. */
struct key *keytab_key(const struct keytab *t, const char *text);
struct holder *keytab_holder(const struct keytab *t, msg_pid pid);

/* The holder of that pid, made if need be.  NULL: no memory. */
struct holder *keytab_hold(struct keytab *t, msg_pid pid);
/* Forget a holder, with all entries and places that it still has. */
void keytab_drop(struct keytab *t, struct holder *holder);

/* A new last entry of a key.  NULL: no memory. */
struct holding *keytab_add(struct keytab *t, struct holder *holder,
    const char *key, const void *value, size_t len);
/* Give an entry another value, in its place.  Returns it, or NULL. */
struct holding *keytab_replace(
    struct keytab *t, struct holding *e, const void *value, size_t len);
void keytab_remove(struct keytab *t, struct holding *e);

/* A holder's first entry of a key, or NULL. */
struct holding *keytab_own(const struct holder *holder, const struct key *key);

/* Queue for a key's lock.  NULL: no memory. */
struct waiter *keytab_queue(
    struct keytab *t, struct holder *holder, const char *key, uint64_t ref);
/* A holder's place, by its ref, or NULL. */
struct waiter *keytab_place(const struct holder *holder, uint64_t ref);
/*
 * Give a place up.  Returns who has the lock now if that is somebody else than
 * before, else NULL.
 */
struct waiter *keytab_leave(struct keytab *t, struct waiter *w);

#endif /* WORKERS_KEYTAB_H */
