/* SPDX-License-Identifier: ISC */
#include "conf/strmap.h"

#include <assert.h>
#include <string.h>

struct strmap_slot {
	const char *key; /* NULL: free */
	void *value;
};

/* FNV-1a, folded: http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint32_t
hash(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s != '\0'; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return (uint32_t)(h ^ h >> 32);
}

static struct strmap_slot *
find(const struct strmap *m, const char *key)
{
	uint32_t i = hash(key) & (m->cap - 1);

	while (m->slots[i].key != NULL && strcmp(m->slots[i].key, key) != 0)
		i = (i + 1) & (m->cap - 1);
	return &m->slots[i];
}

void *
strmap_get(const struct strmap *m, const char *key)
{
	return m->cap == 0 ? NULL : find(m, key)->value;
}

static void
grow(struct strmap *m)
{
	struct strmap old = *m;
	uint32_t i;

	m->cap = old.cap == 0 ? 16 : old.cap * 2;
	m->slots = arena_array(m->arena, m->cap, sizeof(*m->slots));
	for (i = 0; i < old.cap; i++) {
		if (old.slots[i].key != NULL)
			*find(m, old.slots[i].key) = old.slots[i];
	}
}

void
strmap_put(struct strmap *m, const char *key, void *value)
{
	struct strmap_slot *s;

	assert(key != NULL && value != NULL);
	if (m->n >= m->cap / 2)
		grow(m);
	s = find(m, key);
	if (s->key == NULL)
		m->n++;
	*s = (struct strmap_slot){ key, value };
}
