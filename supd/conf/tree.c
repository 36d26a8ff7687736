/* SPDX-License-Identifier: ISC */
/*
 * Supervisors and their children: names, defaults, includes, instances, and
 * the combinations that OTP forbids (C-2, C-4, A-4, T-7).
 */
#include "conf/bind.h"
#include "conf/expand.h"
#include "conf/value.h"

#include <assert.h>
#include <string.h>

/* A supervisor being filled. */
struct scope {
	struct load *ld;
	struct conf_child *sup;
	struct strmap names; /* struct conf_child by name */
};

static const struct origin *
origin_of(const struct conf_child *c)
{
	return c->priv;
}

static const char *
who_is(struct load *ld, const char *kind, const char *name)
{
	return arena_printf(
	    ld->arena, "%s %s", kind, diag_quote(&ld->diag, name));
}

/* The name, or NULL and an error. */
static const char *
take_name(struct load *ld, const struct node *n)
{
	const char *s;

	ld->who = "a name";
	ld->instance = 0;
	s = load_text(ld, n, n->key->text);
	if (s == NULL || value_is_name(s))
		return s;
	diag_error(&ld->diag, n,
	    "%s is not a name: use a-z, 0-9 and ._- "
	    "beginning with a letter or digit, at most %d characters",
	    diag_quote(&ld->diag, s), NAME_MAX_LEN);
	return NULL;
}

static struct conf_child *
new_child(struct load *ld, const struct conf_child *parent, const char *name,
    const struct node *map)
{
	struct conf_child *c = arena_zalloc(ld->arena, sizeof(*c));
	struct origin *o = arena_zalloc(ld->arena, sizeof(*o));
	const struct origin *up = parent == NULL ? NULL : origin_of(parent);

	c->name = name;
	c->file = map->src->path;
	c->line = map->line;
	c->priv = o;
	o->map = map;
	o->base_name = name;
	o->depth = up == NULL ? 1 : up->depth + 1;
	o->path = up == NULL ? name
	                     : arena_printf(ld->arena, "%s/%s", up->path, name);
	ld->n_children++;
	return c;
}

/* Place, depth and length are those a child may have. */
static bool
check_place(struct load *ld, const struct conf_child *c, const struct node *at)
{
	const struct origin *o = origin_of(c);

	/* A supervisor on the last level could have no child. */
	if (o->depth + (c->is_sup ? 1 : 0) > TREE_DEPTH_MAX) {
		diag_error(&ld->diag, at, "the tree is deeper than %d levels",
		    TREE_DEPTH_MAX);
		return false;
	}
	if (strlen(o->path) > PATH_MAX_LEN) {
		diag_error(&ld->diag, at,
		    "the path of this child, %s, is longer than %d",
		    diag_quote(&ld->diag, o->path), PATH_MAX_LEN);
		return false;
	}
	return true;
}

static void
append(struct scope *s, struct conf_child *c, const struct node *name)
{
	struct diag *d = &s->ld->diag;
	const struct conf_child *first = strmap_get(&s->names, c->name);
	const struct origin *o;

	if (first != NULL) {
		o = origin_of(first);
		diag_error(d, name,
		    "duplicate child %s in supervisor %s "
		    "(first defined at %s:%u:%u)",
		    diag_quote(d, c->name), diag_quote(d, s->sup->name),
		    o->map->src->path, o->map->line, o->map->col);
		return;
	}
	strmap_put(&s->names, c->name, c);
	TAILQ_INSERT_TAIL(&s->sup->sup.children, c, link);
}

/* ---- workers ------------------------------------------------------------ */

static uint32_t
count_instances(struct load *ld, const struct node *n)
{
	struct wbind b = { .w.instances = 1 };

	if (n == NULL)
		return 0;
	type_bind(ld, &schema_keys[W_INSTANCES], n, &b);
	return b.w.instances;
}

static struct conf_child *
make_worker(struct load *ld, const struct conf_child *parent,
    const char *base_name, const struct node *map,
    const struct node *const *val, uint32_t instances)
{
	const char *name = base_name;
	struct conf_child *c;
	struct origin *o;

	if (instances > 0)
		name =
		    arena_printf(ld->arena, "%s.%u", base_name, ld->instance);
	c = new_child(ld, parent, name, map);
	o = c->priv;
	o->val = val;
	o->base_name = base_name;
	if (!check_place(ld, c, map))
		return NULL;
	worker_bind(ld, map, val, &parent->sup, &c->worker);
	c->worker.instance = instances > 0 ? ld->instance : 0;
	c->worker.instances = instances;
	return c;
}

/* Own keys over the supervisor's defaults. */
static const struct node *const *
worker_values(struct load *ld, const struct conf_child *parent,
    const struct node *map, bool named)
{
	const struct node *own[W_COUNT] = { NULL };
	const struct node **val = arena_array(ld->arena, W_COUNT, sizeof(*val));

	worker_collect(ld, map, own, named);
	if (!named && own[W_INSTANCES - W_FIRST] != NULL)
		diag_error(&ld->diag, own[W_INSTANCES - W_FIRST]->key,
		    "%s has no instances: each start makes one", ld->who);
	worker_inherit(ld, origin_of(parent)->defaults, own, val);
	if (!named)
		val[W_INSTANCES - W_FIRST] = NULL;
	return val;
}

static void
bind_worker(struct scope *s, const struct node *map, const struct node *at)
{
	struct load *ld = s->ld;
	const char *name = take_name(ld, at);
	const struct node *const *val;
	struct conf_child *c;
	uint32_t n, i;

	ld->who = name == NULL ? "this worker" : who_is(ld, "worker", name);
	val = worker_values(ld, s->sup, map, true);
	if (val[W_COMMAND - W_FIRST] == NULL)
		diag_error(&ld->diag, at, "%s has no command", ld->who);
	n = count_instances(ld, val[W_INSTANCES - W_FIRST]);
	for (i = 1; i <= (n == 0 ? 1 : n); i++) {
		ld->instance = n == 0 ? 0 : i;
		c = make_worker(
		    ld, s->sup, name == NULL ? "-" : name, map, val, n);
		if (c == NULL || name == NULL)
			break;
		if (strlen(c->name) > NAME_MAX_LEN) {
			diag_error(&ld->diag, at, "%s is longer than %d",
			    diag_quote(&ld->diag, c->name), NAME_MAX_LEN);
			break;
		}
		append(s, c, at);
	}
	ld->instance = 0;
}

static void
bind_template(struct load *ld, struct conf_child *sup, const struct node *map)
{
	const struct node *const *val;

	ld->who = arena_printf(ld->arena, "the template of supervisor %s",
	    diag_quote(&ld->diag, sup->name));
	ld->instance = 0;
	if (map->kind != NODE_MAP) {
		diag_error(&ld->diag, map, "%s is a map of worker keys, not %s",
		    ld->who, node_kind_text(map));
		return;
	}
	val = worker_values(ld, sup, map, false);
	if (val[W_COMMAND - W_FIRST] == NULL)
		diag_error(&ld->diag, map, "%s has no command", ld->who);
	sup->sup.template = make_worker(ld, sup, "template", map, val, 0);
	ld->n_children--;
}

/* ---- supervisors -------------------------------------------------------- */

static void
unknown_key(struct load *ld, const struct node *key)
{
	const char *name = diag_quote(&ld->diag, key->text);
	const char *guess = schema_suggest(IN_SUPERVISOR, key->text);
	const struct key *k = schema_find(IN_WORKER, key->text);

	if (strcmp(key->text, "shutdown") == 0)
		diag_error(&ld->diag, key,
		    "a supervisor has no shutdown: it always gets the time it "
		    "needs to stop its children, or they would be orphaned; "
		    "bound it with shutdown_deadline");
	else if (k != NULL && k->type == T_NAME)
		diag_error(
		    &ld->diag, key, "%s cannot be a worker too", ld->who);
	else if (k != NULL)
		diag_error(&ld->diag, key,
		    "%s is a key of workers; put it into `defaults` to give "
		    "it to all workers of %s",
		    name, ld->who);
	else if (guess != NULL)
		diag_error(&ld->diag, key,
		    "unknown key %s in %s; did you mean \"%s\"?", name, ld->who,
		    guess);
	else
		diag_error(
		    &ld->diag, key, "unknown key %s in %s", name, ld->who);
}

static void
collect_sup(struct load *ld, const struct node *map, const struct node **val)
{
	struct node *n;
	const struct key *k;

	for (n = map->first; n != NULL; n = n->next) {
		if (n->key->bad)
			continue;
		k = load_find_key(ld, IN_SUPERVISOR, n->key->text);
		if (k == NULL)
			unknown_key(ld, n->key);
		else
			val[key_id(k)] = n;
	}
}

static void
bind_defaults(struct load *ld, struct conf_child *c,
    const struct conf_child *parent, const struct node *map)
{
	struct origin *o = c->priv;
	const struct node *own[W_COUNT] = { NULL }, **val;
	struct conf_worker trial;
	struct node *n, *entry;

	o->defaults = parent == NULL ? NULL : origin_of(parent)->defaults;
	if (map == NULL)
		return;
	ld->who = arena_printf(ld->arena, "defaults of %s", ld->who);
	if (map->kind != NODE_MAP) {
		if (!map->bad)
			diag_error(&ld->diag, map,
			    "%s is a map of worker keys, not %s", ld->who,
			    node_kind_text(map));
		return;
	}
	for (n = map->first; n != NULL; n = n->next) {
		n->in_defaults = true;
		for (entry = n->first; entry != NULL; entry = entry->next)
			entry->in_defaults = true;
	}
	worker_collect(ld, map, own, false);
	val = arena_array(ld->arena, W_COUNT, sizeof(*val));
	worker_inherit(ld, o->defaults, own, val);
	o->defaults = val;
	/* Wrong values are reported even if there is no worker. */
	ld->instance = 1;
	worker_bind(ld, map, val, NULL, &trial);
	ld->instance = 0;
}

/* C-2, C-4, A-4. */
static void
check_sup(struct load *ld, const struct conf_child *c,
    const struct conf_child *parent, const struct node *const *val)
{
	const struct conf_sup *s = &c->sup;
	bool simple = s->spec.strategy == SIMPLE_ONE_FOR_ONE;
	const struct node *at = val[S_NAME];

	if (parent == NULL && val[S_RESTART] != NULL)
		diag_error(&ld->diag, val[S_RESTART]->key,
		    "the root has no parent that could restart it");
	if (parent != NULL && val[S_START_RATE] != NULL)
		diag_error(&ld->diag, val[S_START_RATE]->key,
		    "start_rate is for the whole tree: only the root has it");
	worker_check_significant(ld, at, val[S_SIGNIFICANT],
	    s->spec.significant, s->spec.restart,
	    parent == NULL ? NULL : &parent->sup);
	if (simple && s->spec.auto_shutdown != AUTO_NEVER)
		diag_error(&ld->diag, val[S_AUTO_SHUTDOWN],
		    "simple_one_for_one cannot have auto_shutdown");
	if (simple && val[S_TEMPLATE] == NULL)
		diag_error(&ld->diag, val[S_STRATEGY],
		    "%s is simple_one_for_one, so it needs a `template`",
		    ld->who);
	if (simple && val[S_CHILDREN] != NULL)
		diag_error(&ld->diag, val[S_CHILDREN]->key,
		    "simple_one_for_one has a `template`, not `children`: "
		    "they are added at run time");
	if (simple && val[S_INCLUDE] != NULL)
		diag_error(&ld->diag, val[S_INCLUDE]->key,
		    "simple_one_for_one has a `template`, not `include`: "
		    "children are added at run time");
	if (!simple && val[S_TEMPLATE] != NULL)
		diag_error(&ld->diag, val[S_TEMPLATE]->key,
		    "a template is for simple_one_for_one; the strategy of %s "
		    "is another",
		    ld->who);
}

static void bind_child(struct scope *s, const struct node *map);

static void
bind_list(struct load *ld, const struct node *list, void *ctx)
{
	struct scope *s = ctx;
	const struct node *n;

	assert(ld == s->ld);
	for (n = list->first; n != NULL; n = n->next)
		bind_child(s, n);
}

static void
bind_children(struct load *ld, struct conf_child *c, const struct node *own,
    const struct node *include)
{
	struct scope s = { ld, c, { .arena = ld->arena } };
	const char *who = ld->who;

	if (own != NULL && own->kind == NODE_LIST)
		bind_list(ld, own, &s);
	else if (own != NULL && !own->bad &&
		 !(own->kind == NODE_SCALAR && own->plain &&
		     own->text[0] == '\0'))
		diag_error(&ld->diag, own,
		    "children takes a list (- worker: NAME), not %s",
		    node_kind_text(own));
	ld->who = who;
	if (include != NULL)
		include_each(ld, include, bind_list, &s);
	if (c->sup.spec.max_children != 0 &&
	    s.names.n > c->sup.spec.max_children)
		diag_error_at(&ld->diag, place_of(origin_of(c)->map),
		    "%s has %u children, more than its max_children", who,
		    s.names.n);
}

/* The supervisor in `map`, whose name is at `at`; NULL after some errors. */
static struct conf_child *
make_sup(struct load *ld, const struct conf_child *parent,
    const struct node *map, const struct node *at)
{
	const char *name = take_name(ld, at), *who;
	const struct node **val = arena_array(ld->arena, S_N, sizeof(*val));
	struct sbind b = ld->sup;
	struct conf_child *c;
	size_t i;

	who = name == NULL ? "this supervisor" : who_is(ld, "supervisor", name);
	ld->who = who;
	c = new_child(ld, parent, name == NULL ? "-" : name, map);
	c->is_sup = true;
	((struct origin *)c->priv)->val = val;
	if (!check_place(ld, c, at))
		return NULL;
	collect_sup(ld, map, val);
	for (i = 0; i < S_N; i++) {
		if (val[i] != NULL)
			type_bind(ld, &schema_keys[i], val[i], &b);
	}
	c->sup = b.s;
	TAILQ_INIT(&c->sup.children);
	check_sup(ld, c, parent, val);
	bind_defaults(ld, c, parent, val[S_DEFAULTS]);
	ld->who = who;
	bind_children(ld, c, val[S_CHILDREN], val[S_INCLUDE]);
	if (val[S_TEMPLATE] != NULL)
		bind_template(ld, c, val[S_TEMPLATE]);
	return name == NULL ? NULL : c;
}

/* Neither `worker` nor `supervisor` in it. */
static void
no_kind(struct load *ld, const struct node *map)
{
	static const char *const kinds[] = { "worker", "supervisor" };
	const struct node *n;
	const char *guess;

	for (n = map->first; n != NULL; n = n->next) {
		guess = value_suggest(n->key->text, kinds, ARRAY_LEN(kinds));
		if (guess == NULL)
			continue;
		diag_error(&ld->diag, n->key,
		    "unknown key %s in a child; did you mean \"%s\"?",
		    diag_quote(&ld->diag, n->key->text), guess);
		return;
	}
	diag_error(&ld->diag, map,
	    "a child begins with `worker: NAME` or `supervisor: NAME`");
}

static void
bind_child(struct scope *s, const struct node *map)
{
	const struct node *worker, *sup;
	struct conf_child *c;

	if (map->bad)
		return;
	if (map->kind != NODE_MAP) {
		diag_error(&s->ld->diag, map,
		    "a child is a map that begins with `worker: NAME` or "
		    "`supervisor: NAME`, not %s",
		    node_kind_text(map));
		return;
	}
	worker = node_get(map, "worker");
	sup = node_get(map, "supervisor");
	if (sup != NULL) {
		c = make_sup(s->ld, s->sup, map, sup);
		if (c != NULL)
			append(s, c, sup);
	} else if (worker != NULL) {
		bind_worker(s, map, worker);
	} else {
		no_kind(s->ld, map);
	}
}

struct conf_child *
tree_bind_root(struct load *ld, const struct node *map)
{
	const struct node *sup;

	if (map->kind != NODE_MAP) {
		diag_error(&ld->diag, map,
		    "the file is one supervisor (supervisor: root), not %s",
		    node_kind_text(map));
		return NULL;
	}
	sup = node_get(map, "supervisor");
	if (sup != NULL)
		return make_sup(ld, NULL, map, sup);
	if (node_get(map, "worker") != NULL)
		diag_error(&ld->diag, map,
		    "the file is one supervisor; put this worker among its "
		    "`children`");
	else
		no_kind(ld, map);
	return NULL;
}

/*
 * What stands for `parent` while a run-time child is bound: its defaults are
 * copied, because the child may outlive it, and its children are left alone.
 */
static struct conf_child *
stand_in_for(struct load *ld, const struct conf_child *parent)
{
	struct conf_child *c = arena_zalloc(ld->arena, sizeof(*c));
	struct origin *o = arena_zalloc(ld->arena, sizeof(*o));
	const struct node **val;
	size_t i;

	*c = *parent;
	*o = *origin_of(parent);
	c->priv = o;
	TAILQ_INIT(&c->sup.children);
	if (o->defaults == NULL)
		return c;
	val = arena_array(ld->arena, W_COUNT, sizeof(*val));
	for (i = 0; i < W_COUNT; i++) {
		if (o->defaults[i] != NULL)
			val[i] = node_dup(ld->arena, o->defaults[i]);
	}
	o->defaults = val;
	return c;
}

struct conf_child *
tree_bind_child(
    struct load *ld, const struct conf_child *parent, const struct node *map)
{
	struct scope s = { ld, stand_in_for(ld, parent),
		{ .arena = ld->arena } };
	const struct node *n;
	struct conf_child *c;

	n = map->kind == NODE_MAP ? node_get(map, "instances") : NULL;
	if (n != NULL) {
		diag_error(&ld->diag, n->key,
		    "instances cannot be added at run time; add them one by "
		    "one");
		return NULL;
	}
	bind_child(&s, map);
	c = TAILQ_FIRST(&s.sup->sup.children);
	if (c != NULL && TAILQ_NEXT(c, link) != NULL)
		diag_error(&ld->diag, map,
		    "the defaults of supervisor %s give it instances, which "
		    "cannot be added at run time",
		    diag_quote(&ld->diag, parent->name));
	return c;
}

/* The template's command with more words, which are taken literally. */
static const struct node *
longer_command(
    struct load *ld, const struct node *command, const char *const *extra_argv)
{
	struct node *list = arena_zalloc(ld->arena, sizeof(*list)), *n;
	const char *p = command->text;

	*list = *command;
	if (command->kind == NODE_SCALAR) {
		list->kind = NODE_LIST;
		list->first = list->last = NULL;
		list->n = 0;
		while (value_split(&p, &ld->scratch) == 1) {
			n = arena_zalloc(ld->arena, sizeof(*n));
			*n = *command;
			n->text = load_take(ld);
			node_append(list, n);
		}
	}
	for (; extra_argv != NULL && *extra_argv != NULL; extra_argv++) {
		n = arena_zalloc(ld->arena, sizeof(*n));
		n->src = command->src;
		n->line = command->line;
		n->col = command->col;
		buf_drain(&ld->scratch, ld->scratch.len);
		expand_quote(&ld->scratch, *extra_argv);
		n->text = load_take(ld);
		n->dollar = strchr(n->text, '$') != NULL;
		node_append(list, n);
	}
	return list;
}

struct conf_child *
tree_bind_instance(struct load *ld, const struct conf_child *sup,
    const char *name, const char *const *extra_argv)
{
	const struct origin *o = origin_of(sup->sup.template);
	const struct node **val = arena_array(ld->arena, W_COUNT, sizeof(*val));
	struct node *map = arena_zalloc(ld->arena, sizeof(*map));
	size_t i;

	for (i = 0; i < W_COUNT; i++) {
		if (o->val[i] != NULL)
			val[i] = node_dup(ld->arena, o->val[i]);
	}
	val[W_COMMAND - W_FIRST] =
	    longer_command(ld, val[W_COMMAND - W_FIRST], extra_argv);
	map->kind = NODE_MAP;
	map->src = val[W_COMMAND - W_FIRST]->src;
	map->line = o->map->line;
	map->col = o->map->col;
	ld->who = who_is(ld, "worker", name);
	if (!value_is_name(name)) {
		diag_error(&ld->diag, map,
		    "%s is not a name: use a-z, 0-9 "
		    "and ._- beginning with a letter or digit",
		    diag_quote(&ld->diag, name));
		return NULL;
	}
	return make_worker(ld, sup, arena_strdup(ld->arena, name), map, val, 0);
}
