/* SPDX-License-Identifier: ISC */
/*
 * The keys of one child, old and new.  Nodes of the same text are the same;
 * only others are made canonical, so that "1000ms" is "1s".
 */
#include "conf/differ.h"

#include <string.h>

/* Both sides of one child, and what stands before the names of its keys. */
struct pair {
	const struct conf_child *old, *now;
	const char *prefix;
};

const char *
diff_take(struct differ *f)
{
	const char *s;

	if (f->text->failed)
		arena_oom(f->arena);
	s = arena_strndup(f->arena, buf_str(f->text), f->text->len);
	buf_drain(f->text, f->text->len);
	return s;
}

static uint32_t
instance_of(const struct conf_child *c)
{
	return c->is_sup ? 0 : c->worker.instance;
}

/* It says the same, wherever it stands. */
static bool
is_same(const struct node *a, const struct node *b)
{
	const struct node *x, *y;

	if (a->kind != b->kind || a->n != b->n || a->dollar != b->dollar)
		return false;
	if (a->kind == NODE_SCALAR)
		return strcmp(a->text, b->text) == 0;
	for (x = a->first, y = b->first; x != NULL; x = x->next, y = y->next) {
		if (a->kind == NODE_MAP &&
		    strcmp(x->key->text, y->key->text) != 0)
			return false;
		if (!is_same(x, y))
			return false;
	}
	return true;
}

/* The quick way; a file's name also depends on where it is written. */
static bool
says_same(const struct pair *p, const struct key *k, const struct node *a,
    const struct node *b)
{
	return k->type != T_FILE && is_same(a, b) &&
	       instance_of(p->old) == instance_of(p->now);
}

static void
add_key(struct differ *f, const struct diff_key *key)
{
	struct diff_key *bigger;

	if (f->n_keys == f->cap_keys) {
		f->cap_keys = f->cap_keys == 0 ? 8 : f->cap_keys * 2;
		bigger = arena_array(f->arena, f->cap_keys, sizeof(*bigger));
		if (f->n_keys > 0)
			memcpy(bigger, f->key, f->n_keys * sizeof(*bigger));
		f->key = bigger;
	}
	f->key[f->n_keys++] = *key;
}

/* A value as text, NULL if there is none. */
static const char *
text_of(struct differ *f, const struct key *k, const struct node *n,
    const struct conf_child *c, bool entry)
{
	if (n == NULL)
		return entry ? NULL : k->def;
	if (entry)
		canon_entry(f->text, k, n, instance_of(c));
	else
		canon_value(f->text, k, n, instance_of(c));
	return diff_take(f);
}

/*
 * Compare two values of a key, or, when `entry` is set, of one entry of its
 * map.  `outer` decides what the change means.
 */
static void
compare(struct differ *f, const struct pair *p, const struct key *k,
    const struct key *outer, const struct node *a, const struct node *b,
    const char *entry)
{
	struct diff_key key = { .restarts = outer->at_next_start };

	if (a == b)
		return;
	if (a != NULL && b != NULL && says_same(p, k, a, b))
		return;
	key.old = text_of(f, k, a, p->old, entry != NULL);
	key.now = text_of(f, k, b, p->now, entry != NULL);
	if (key.old == key.now || (key.old != NULL && key.now != NULL &&
				      strcmp(key.old, key.now) == 0))
		return;
	if (b != NULL)
		show_origin(f->text, b);
	else if (key.now != NULL)
		buf_puts(f->text, "default");
	key.origin = diff_take(f);
	if (entry != NULL)
		key.name = arena_printf(
		    f->arena, "%s%s.%s", p->prefix, outer->name, entry);
	else if (k != outer)
		key.name = arena_printf(
		    f->arena, "%s%s.%s", p->prefix, outer->name, k->name);
	else
		key.name = arena_printf(f->arena, "%s%s", p->prefix, k->name);
	add_key(f, &key);
}

static const struct node *
map_or_null(const struct node *n)
{
	return n != NULL && n->kind == NODE_MAP ? n : NULL;
}

/* The keys inside `log` and the like. */
static void
compare_inside(struct differ *f, const struct pair *p, const struct key *outer,
    enum key_where where, const struct node *a, const struct node *b)
{
	size_t i;

	for (i = 0; i < LATER_FIRST; i++) {
		const struct key *k = &schema_keys[i];

		if (k->where == where)
			compare(f, p, k, outer,
			    a == NULL ? NULL : node_get(a, k->name),
			    b == NULL ? NULL : node_get(b, k->name), NULL);
	}
}

/* Maps whose keys are not ours, and whose order says nothing: env, rlimit. */
static void
compare_entries(struct differ *f, const struct pair *p, const struct key *k,
    const struct node *a, const struct node *b)
{
	struct strmap old = { .arena = f->arena };
	struct strmap now = { .arena = f->arena };
	struct node *n;

	for (n = a == NULL ? NULL : a->first; n != NULL; n = n->next)
		strmap_put(&old, n->key->text, n);
	for (n = b == NULL ? NULL : b->first; n != NULL; n = n->next) {
		strmap_put(&now, n->key->text, n);
		compare(f, p, k, k, strmap_get(&old, n->key->text), n,
		    n->key->text);
	}
	for (n = a == NULL ? NULL : a->first; n != NULL; n = n->next) {
		if (strmap_get(&now, n->key->text) == NULL)
			compare(f, p, k, k, n, NULL, n->key->text);
	}
}

static void
compare_key(struct differ *f, const struct pair *p, const struct key *k,
    const struct node *a, const struct node *b)
{
	enum key_where where;

	if (a == b || (a != NULL && b != NULL && says_same(p, k, a, b)))
		return;
	if (k->type == T_ENV || k->type == T_RLIMIT)
		compare_entries(f, p, k, a, b);
	else if (schema_inside(k->type, &where) &&
		 (schema_is_map(k->type) ||
		     (map_or_null(a) != NULL && map_or_null(b) != NULL)))
		compare_inside(f, p, k, where, a, b);
	else
		compare(f, p, k, k, a, b, NULL);
}

/* ---- what the text does not tell ---------------------------------------- */

/* Tell of a key whose text is the same, but not what it stands for. */
static void
add_hidden(struct differ *f, const struct pair *p, enum key_id id,
    const char *old_note, const char *now_note)
{
	const struct key *k = &schema_keys[id];
	const struct node *a = diff_origin(p->old)->val[id - W_FIRST];
	const struct node *b = diff_origin(p->now)->val[id - W_FIRST];
	struct diff_key key = { .restarts = true };

	key.name = arena_printf(f->arena, "%s%s", p->prefix, k->name);
	canon_value(f->text, k, a, instance_of(p->old));
	buf_puts(f->text, old_note);
	key.old = diff_take(f);
	canon_value(f->text, k, b, instance_of(p->now));
	buf_puts(f->text, now_note);
	key.now = diff_take(f);
	show_origin(f->text, b);
	key.origin = diff_take(f);
	add_key(f, &key);
}

static bool
same_words(const char *const *a, const char *const *b)
{
	for (; *a != NULL && *b != NULL; a++, b++) {
		if (strcmp(*a, *b) != 0)
			return false;
	}
	return *a == *b;
}

/* "NAME" of "NAME=value". */
static const char *
variable(struct differ *f, const char *entry)
{
	return arena_strndup(f->arena, entry, strcspn(entry, "="));
}

static void
note_variable(struct buf *out, uint32_t *n, const char *name)
{
	if (++*n <= 5)
		buf_printf(out, "%s%s", *n == 1 ? "" : ", ", name);
	else if (*n == 6)
		buf_puts(out, ", ...");
}

/*
 * Names of the variables that an env_file sets otherwise; their values may be
 * secret.  Those of `env` have been compared already.
 */
static uint32_t
changed_variables(struct differ *f, const struct pair *p,
    const struct strmap *env, struct buf *out)
{
	struct strmap old = { .arena = f->arena };
	struct strmap now = { .arena = f->arena };
	const char *const *e, *name, *was;
	uint32_t n = 0;

	for (e = p->old->worker.env; *e != NULL; e++)
		strmap_put(&old, variable(f, *e), (void *)(uintptr_t)*e);
	for (e = p->now->worker.env; *e != NULL; e++) {
		name = variable(f, *e);
		strmap_put(&now, name, (void *)(uintptr_t)*e);
		was = strmap_get(&old, name);
		if (strmap_get(env, name) == NULL &&
		    (was == NULL || strcmp(was, *e) != 0))
			note_variable(out, &n, name);
	}
	for (e = p->old->worker.env; *e != NULL; e++) {
		name = variable(f, *e);
		if (strmap_get(env, name) == NULL &&
		    strmap_get(&now, name) == NULL)
			note_variable(out, &n, name);
	}
	return n;
}

static void
put_names(struct strmap *m, const struct node *map)
{
	struct node *n;

	for (n = map == NULL ? NULL : map->first; n != NULL; n = n->next)
		strmap_put(m, n->key->text, n);
}

static void
compare_env_file(struct differ *f, const struct pair *p)
{
	const struct node *const *a = diff_origin(p->old)->val;
	const struct node *const *b = diff_origin(p->now)->val;
	struct strmap env = { .arena = f->arena };
	const char *names;
	uint32_t i, n;

	if (a[W_ENV_FILE - W_FIRST] == NULL ||
	    b[W_ENV_FILE - W_FIRST] == NULL ||
	    same_words(p->old->worker.env, p->now->worker.env))
		return;
	for (i = 0; i < f->n_keys; i++) {
		if (strcmp(f->key[i].name + strlen(p->prefix), "env_file") == 0)
			return; /* another file: that has been told */
	}
	put_names(&env, a[W_ENV - W_FIRST]);
	put_names(&env, b[W_ENV - W_FIRST]);
	n = changed_variables(f, p, &env, f->text);
	names = diff_take(f);
	if (n > 0)
		add_hidden(f, p, W_ENV_FILE, "",
		    arena_printf(f->arena, " (with another %s)", names));
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

static bool
same_identity(const struct conf_worker *a, const struct conf_worker *b)
{
	return a->has_user == b->has_user && a->uid == b->uid &&
	       a->gid == b->gid && a->n_groups == b->n_groups &&
	       memcmp(a->groups, b->groups, a->n_groups * sizeof(gid_t)) == 0 &&
	       same_text(a->user_name, b->user_name) &&
	       same_text(a->home, b->home) && same_text(a->shell, b->shell);
}

static const char *
identity_note(struct differ *f, const struct conf_worker *w)
{
	uint32_t i;

	buf_printf(f->text, " (uid %u, gid %u, groups", w->uid, w->gid);
	for (i = 0; i < w->n_groups; i++)
		buf_printf(f->text, " %u", w->groups[i]);
	buf_printf(f->text, ", home %s, shell %s)",
	    w->home == NULL ? "none" : w->home,
	    w->shell == NULL ? "none" : w->shell);
	return diff_take(f);
}

/* The user database may have changed since the last load. */
static void
compare_identity(struct differ *f, const struct pair *p)
{
	static const enum key_id ids[] = { W_USER, W_GROUP, W_GROUPS };
	const struct conf_worker *a = &p->old->worker, *b = &p->now->worker;
	const char *old_note, *now_note;
	size_t i, j;

	if (same_identity(a, b))
		return;
	for (i = 0; i < f->n_keys; i++) {
		for (j = 0; j < ARRAY_LEN(ids); j++) {
			if (strcmp(f->key[i].name + strlen(p->prefix),
				schema_keys[ids[j]].name) == 0)
				return;
		}
	}
	old_note = identity_note(f, a);
	now_note = identity_note(f, b);
	for (j = 0; j < ARRAY_LEN(ids); j++) {
		if (diff_origin(p->old)->val[ids[j] - W_FIRST] == NULL)
			continue;
		add_hidden(f, p, ids[j], old_note, now_note);
		return;
	}
}

/* ---- one child ---------------------------------------------------------- */

static void
compare_worker(struct differ *f, const struct pair *p)
{
	const struct origin *a = diff_origin(p->old), *b = diff_origin(p->now);
	size_t id;

	for (id = W_NAME + 1; id < W_END; id++) {
		/* `instances` is how many there are, and nothing of one. */
		if (id != W_INSTANCES)
			compare_key(f, p, &schema_keys[id],
			    a->val[id - W_FIRST], b->val[id - W_FIRST]);
	}
	compare_env_file(f, p);
	compare_identity(f, p);
}

void
diff_keys(struct differ *f, const struct conf_child *old,
    const struct conf_child *now)
{
	const struct origin *a = diff_origin(old), *b = diff_origin(now);
	struct pair p = { old, now, "" };
	size_t id;

	f->key = NULL;
	f->n_keys = f->cap_keys = 0;
	if (!old->is_sup) {
		compare_worker(f, &p);
		return;
	}
	for (id = S_NAME + 1; id < S_DEFAULTS; id++)
		compare_key(f, &p, &schema_keys[id], a->val[id], b->val[id]);
	if (old->sup.template != NULL && now->sup.template != NULL) {
		p = (struct pair){ old->sup.template, now->sup.template,
			"template." };
		compare_worker(f, &p);
	}
}
