/* SPDX-License-Identifier: ISC */
#include "hash.h"

#include <stdlib.h>
#include <string.h>

static struct hash_node **
slots_of(const struct hash *h)
{
	return h->slots != NULL ? h->slots
	                        : (struct hash_node **)(uintptr_t)h->few;
}

/* Fibonacci hashing: keys are counters and pids, whose low bits are busy. */
static struct hash_node **
slot(const struct hash *h, uint64_t key)
{
	uint64_t mixed = key * UINT64_C(0x9e3779b97f4a7c15);

	return &slots_of(h)[(mixed >> 32) & (h->n_slots - 1)];
}

void
hash_init(struct hash *h)
{
	*h = (struct hash){ .n_slots = HASH_FEW };
}

void
hash_fini(struct hash *h)
{
	free(h->slots);
	hash_init(h);
}

static void
grow(struct hash *h)
{
	struct hash_node **old = slots_of(h), *node, *next;
	struct hash bigger = { .n_slots = h->n_slots * 4 };

	bigger.slots = calloc(bigger.n_slots, sizeof(struct hash_node *));
	if (bigger.slots == NULL)
		return;
	for (size_t i = 0; i < h->n_slots; i++) {
		for (node = old[i]; node != NULL; node = next) {
			next = node->next;
			hash_put(&bigger, node, node->key);
		}
	}
	free(h->slots);
	h->slots = bigger.slots;
	h->n_slots = bigger.n_slots;
}

void
hash_put(struct hash *h, struct hash_node *node, uint64_t key)
{
	struct hash_node **at;

	if (h->n >= h->n_slots)
		grow(h);
	at = slot(h, key);
	node->key = key;
	node->next = *at;
	*at = node;
	h->n++;
}

struct hash_node *
hash_find(const struct hash *h, uint64_t key)
{
	struct hash_node *node;

	if (h->n == 0)
		return NULL;
	for (node = *slot(h, key); node != NULL; node = node->next) {
		if (node->key == key)
			break;
	}
	return node;
}

struct hash_node *
hash_take(struct hash *h, uint64_t key)
{
	struct hash_node **at, *node;

	if (h->n == 0)
		return NULL;
	for (at = slot(h, key); (node = *at) != NULL; at = &node->next) {
		if (node->key != key)
			continue;
		*at = node->next;
		h->n--;
		return node;
	}
	return NULL;
}

struct hash_node *
hash_take_any(struct hash *h)
{
	struct hash_node **slots = slots_of(h), *node;

	for (size_t i = 0; h->n > 0 && i < h->n_slots; i++) {
		node = slots[i];
		if (node == NULL)
			continue;
		slots[i] = node->next;
		h->n--;
		return node;
	}
	return NULL;
}

bool
hash_add_key(struct hash *h, uint64_t key)
{
	struct hash_node *node;

	if (hash_find(h, key) != NULL)
		return true;
	node = malloc(sizeof(*node));
	if (node == NULL)
		return false;
	hash_put(h, node, key);
	return true;
}

bool
hash_drop_key(struct hash *h, uint64_t key)
{
	struct hash_node *node = hash_take(h, key);

	free(node);
	return node != NULL;
}

void
hash_fini_keys(struct hash *h)
{
	struct hash_node *node;

	while ((node = hash_take_any(h)) != NULL)
		free(node);
	hash_fini(h);
}
