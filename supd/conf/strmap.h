/* SPDX-License-Identifier: ISC */
#ifndef CONF_STRMAP_H
#define CONF_STRMAP_H

#include "conf/arena.h"

/*
 * Strings to pointers, by hashing: what keeps "is this name taken?" linear for
 * ten thousand siblings.  Lives in an arena; there is nothing to release.
 * Start with { .arena = a }.
 */
struct strmap {
	struct arena *arena;
	struct strmap_slot *slots;
	uint32_t n;
	uint32_t cap; /* 0 or a power of two */
};

/* The value put under `key`, or NULL. */
void *strmap_get(const struct strmap *m, const char *key);

/* Set it.  The key is borrowed for as long as the map is used. */
void strmap_put(struct strmap *m, const char *key, void *value);

#endif /* CONF_STRMAP_H */
