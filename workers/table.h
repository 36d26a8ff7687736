/* SPDX-License-Identifier: ISC */
#ifndef WORKERS_TABLE_H
#define WORKERS_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * What several of the example workers keep: texts, and what belongs to them.
 * A list, searched from its beginning: enough for an example.
 */

#define TABLE_KEY_MAX 63

struct entry {
	TAILQ_ENTRY(entry) entry;
	uint64_t timer; /* that will end it, or 0 */
	char key[TABLE_KEY_MAX + 1];
	size_t len;
	char value[];
};
TAILQ_HEAD(table, entry);

/* NULL: there is none.  By the timer that has fired, likewise. */
struct entry *table_find(struct table *t, const char *key);
struct entry *table_find_timer(struct table *t, uint64_t timer);

/* In place of what was there.  A key too long is cut; NULL without memory. */
struct entry *table_put(
    struct table *t, const char *key, const void *value, size_t len);

/* Harmless on NULL. */
void table_remove(struct table *t, struct entry *e);
void table_clear(struct table *t);

#endif /* WORKERS_TABLE_H */
