/* SPDX-License-Identifier: ISC */
#include "table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct entry *
table_find(struct table *t, const char *key)
{
	struct entry *e;

	TAILQ_FOREACH (e, t, entry)
		if (strcmp(e->key, key) == 0)
			return e;
	return NULL;
}

struct entry *
table_find_timer(struct table *t, uint64_t timer)
{
	struct entry *e;

	TAILQ_FOREACH (e, t, entry)
		if (e->timer == timer)
			return e;
	return NULL;
}

struct entry *
table_put(struct table *t, const char *key, const void *value, size_t len)
{
	struct entry *e = calloc(1, sizeof(*e) + len);

	if (e == NULL)
		return NULL;
	snprintf(e->key, sizeof(e->key), "%s", key);
	e->len = len;
	memcpy(e->value, value, len);
	table_remove(t, table_find(t, e->key));
	TAILQ_INSERT_TAIL(t, e, entry);
	return e;
}

void
table_remove(struct table *t, struct entry *e)
{
	if (e == NULL)
		return;
	TAILQ_REMOVE(t, e, entry);
	free(e);
}

void
table_clear(struct table *t)
{
	while (!TAILQ_EMPTY(t))
		table_remove(t, TAILQ_FIRST(t));
}
