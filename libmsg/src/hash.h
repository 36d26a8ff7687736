/* SPDX-License-Identifier: ISC */
#ifndef SRC_HASH_H
#define SRC_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A table of nodes by a 64-bit key, at most one each.  The nodes are parts of
 * what is found; they must not move while they are in.  Adding never fails:
 * without memory to grow, it gets slower.
 */

#define HASH_FEW 16

struct hash_node {
	struct hash_node *next;
	uint64_t key;
};

struct hash {
	struct hash_node **slots; /* NULL: few */
	size_t n_slots, n;
	struct hash_node *few[HASH_FEW];
};

/* The struct of type `type` whose `member` is the node; NULL of NULL. */
#define hash_entry(node, type, member)                                         \
	((type *)hash_owner((node), offsetof(type, member)))
static inline void *
hash_owner(struct hash_node *node, size_t offset)
{
	return node == NULL ? NULL : (char *)node - offset;
}

void hash_init(struct hash *h);
/* Forgets the nodes, which are the caller's. */
void hash_fini(struct hash *h);

void hash_put(struct hash *h, struct hash_node *node, uint64_t key);
struct hash_node *hash_find(const struct hash *h, uint64_t key);
/* Take it out.  NULL when it is not in. */
struct hash_node *hash_take(struct hash *h, uint64_t key);
/* Take any out; NULL when none is left. */
struct hash_node *hash_take_any(struct hash *h);

/* Sets of bare keys, whose nodes are the table's. */
bool hash_add_key(struct hash *h, uint64_t key);
bool hash_drop_key(struct hash *h, uint64_t key);
void hash_fini_keys(struct hash *h);

#endif /* SRC_HASH_H */
