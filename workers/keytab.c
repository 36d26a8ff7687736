/* SPDX-License-Identifier: ISC */
#include "keytab.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static int
by_text(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static int
by_pid(const void *a, const void *b)
{
	const struct holder *x = a, *y = b;

	return x->pid < y->pid ? -1 : x->pid > y->pid;
}

void
keytab_init(struct keytab *t)
{
	*t = (struct keytab){ 0 };
	TAILQ_INIT(&t->entries);
}

void
keytab_fini(struct keytab *t)
{
	/* The tree's nodes begin with a pointer to what they hold. */
	while (t->holders != NULL)
		keytab_drop(t, *(struct holder **)t->holders);
}

struct key *
keytab_key(const struct keytab *t, const char *text)
{
	struct key probe = { .text = text };
	struct key **found = tfind(&probe, &t->keys, by_text);

	return found != NULL ? *found : NULL;
}

struct holder *
keytab_holder(const struct keytab *t, msg_pid pid)
{
	struct holder probe = { .pid = pid };
	struct holder **found = tfind(&probe, &t->holders, by_pid);

	return found != NULL ? *found : NULL;
}

/* Put it into a tree; freed if there is no memory. */
static void *
tree_put(void **tree, void *take, int (*order)(const void *, const void *))
{
	if (tsearch(take, tree, order) != NULL)
		return take;
	free(take);
	return NULL;
}

struct holder *
keytab_hold(struct keytab *t, msg_pid pid)
{
	struct holder *h = keytab_holder(t, pid);

	if (h != NULL)
		return h;
	h = calloc(1, sizeof(*h));
	if (h == NULL)
		return NULL;
	h->pid = pid;
	TAILQ_INIT(&h->entries);
	TAILQ_INIT(&h->waiters);
	return tree_put(&t->holders, h, by_pid);
}

static struct key *
key_make(struct keytab *t, const char *text)
{
	struct key *k = keytab_key(t, text);
	size_t len = strlen(text) + 1;

	if (k != NULL)
		return k;
	k = calloc(1, sizeof(*k) + len);
	if (k == NULL)
		return NULL;
	TAILQ_INIT(&k->entries);
	TAILQ_INIT(&k->waiters);
	k->text = memcpy(k + 1, text, len);
	return tree_put(&t->keys, k, by_text);
}

static void
key_settle(struct keytab *t, struct key *k)
{
	if (!TAILQ_EMPTY(&k->entries) || !TAILQ_EMPTY(&k->waiters))
		return;
	tdelete(k, &t->keys, by_text);
	free(k);
}

void
keytab_drop(struct keytab *t, struct holder *holder)
{
	struct holding *e;
	struct waiter *w;

	while ((e = TAILQ_FIRST(&holder->entries)) != NULL)
		keytab_remove(t, e);
	while ((w = TAILQ_FIRST(&holder->waiters)) != NULL)
		(void)keytab_leave(t, w);
	tdelete(holder, &t->holders, by_pid);
	free(holder);
}

/* ---- entries ---------------------------------------------------------------
 */

static struct holding *
holding_new(
    struct key *key, struct holder *holder, const void *value, size_t len)
{
	struct holding *e = malloc(sizeof(*e) + len);

	if (e == NULL)
		return NULL;
	*e = (struct holding){ .key = key, .holder = holder, .len = len };
	memcpy(e->value, value, len);
	return e;
}

struct holding *
keytab_add(struct keytab *t, struct holder *holder, const char *key,
    const void *value, size_t len)
{
	struct key *k = key_make(t, key);
	struct holding *e;

	if (k == NULL)
		return NULL;
	e = holding_new(k, holder, value, len);
	if (e == NULL) {
		key_settle(t, k);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&t->entries, e, of_all);
	TAILQ_INSERT_TAIL(&k->entries, e, of_key);
	TAILQ_INSERT_TAIL(&holder->entries, e, of_holder);
	t->n_entries++;
	k->n_entries++;
	holder->n_entries++;
	return e;
}

static void
holding_unlink(struct keytab *t, struct holding *e)
{
	TAILQ_REMOVE(&t->entries, e, of_all);
	TAILQ_REMOVE(&e->key->entries, e, of_key);
	TAILQ_REMOVE(&e->holder->entries, e, of_holder);
}

struct holding *
keytab_replace(
    struct keytab *t, struct holding *e, const void *value, size_t len)
{
	struct holding *n = holding_new(e->key, e->holder, value, len);

	if (n == NULL)
		return NULL;
	TAILQ_INSERT_AFTER(&t->entries, e, n, of_all);
	TAILQ_INSERT_AFTER(&e->key->entries, e, n, of_key);
	TAILQ_INSERT_AFTER(&e->holder->entries, e, n, of_holder);
	holding_unlink(t, e);
	free(e);
	return n;
}

void
keytab_remove(struct keytab *t, struct holding *e)
{
	struct key *k = e->key;

	holding_unlink(t, e);
	t->n_entries--;
	k->n_entries--;
	e->holder->n_entries--;
	free(e);
	key_settle(t, k);
}

struct holding *
keytab_own(const struct holder *holder, const struct key *key)
{
	struct holding *e;

	/* Of the two lists that have it, walk the shorter. */
	if (holder->n_entries < key->n_entries) {
		TAILQ_FOREACH (e, &holder->entries, of_holder)
			if (e->key == key)
				break;
	} else {
		TAILQ_FOREACH (e, &key->entries, of_key)
			if (e->holder == holder)
				break;
	}
	return e;
}

/* ---- locks -----------------------------------------------------------------
 */

struct waiter *
keytab_queue(
    struct keytab *t, struct holder *holder, const char *key, uint64_t ref)
{
	struct key *k = key_make(t, key);
	struct waiter *w;

	if (k == NULL)
		return NULL;
	w = malloc(sizeof(*w));
	if (w == NULL) {
		key_settle(t, k);
		return NULL;
	}
	*w = (struct waiter){ .key = k, .holder = holder, .ref = ref };
	TAILQ_INSERT_TAIL(&k->waiters, w, of_key);
	TAILQ_INSERT_TAIL(&holder->waiters, w, of_holder);
	return w;
}

struct waiter *
keytab_place(const struct holder *holder, uint64_t ref)
{
	struct waiter *w;

	TAILQ_FOREACH (w, &holder->waiters, of_holder)
		if (w->ref == ref)
			break;
	return w;
}

struct waiter *
keytab_leave(struct keytab *t, struct waiter *w)
{
	struct key *k = w->key;
	bool had = TAILQ_FIRST(&k->waiters) == w;
	struct waiter *next;

	TAILQ_REMOVE(&k->waiters, w, of_key);
	TAILQ_REMOVE(&w->holder->waiters, w, of_holder);
	free(w);
	next = had ? TAILQ_FIRST(&k->waiters) : NULL;
	if (next == NULL)
		key_settle(t, k);
	return next;
}
