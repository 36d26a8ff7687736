/* SPDX-License-Identifier: ISC */
/*
 * A worker's keys: collected from its map, laid over the inherited defaults,
 * bound one by one, then what depends on several of them.
 */
#include "conf/bind.h"
#include "conf/value.h"

#include <assert.h>
#include <string.h>

static const struct node *
get(const struct wbind *b, enum key_id id)
{
	return b->val[id - W_FIRST];
}

/*
 * A value of `defaults` is wrong once, not again in each worker that inherits
 * it.  Nodes are only borrowed as const.
 */
static void
mark_bad(const struct wbind *b, enum key_id id)
{
	const struct node *n = get(b, id);

	if (n != NULL)
		((struct node *)(uintptr_t)n)->bad = true;
}

static bool
is_bad(const struct wbind *b, enum key_id id)
{
	const struct node *n = get(b, id);

	return n != NULL && n->bad;
}

/* Why a key that a worker does not have is there. */
static void
unknown_key(struct load *ld, const struct node *key)
{
	const char *name = diag_quote(&ld->diag, key->text);
	const char *guess = schema_suggest(IN_WORKER, key->text);

	if (schema_find(IN_SUPERVISOR, key->text) != NULL)
		diag_error(&ld->diag, key,
		    "%s is a key of supervisors; %s has none", name, ld->who);
	else if (guess != NULL)
		diag_error(&ld->diag, key,
		    "unknown key %s in %s; did you mean \"%s\"?", name, ld->who,
		    guess);
	else
		diag_error(
		    &ld->diag, key, "unknown key %s in %s", name, ld->who);
}

void
worker_collect(struct load *ld, const struct node *map, const struct node **val,
    bool named)
{
	struct node *n;
	const struct key *k;

	for (n = map->first; n != NULL; n = n->next) {
		if (n->key->bad)
			continue;
		k = load_find_key(ld, IN_WORKER, n->key->text);
		if (k == NULL)
			unknown_key(ld, n->key);
		else if (k->type == T_LATER)
			diag_error(&ld->diag, n->key,
			    "\"%s\" is not supported yet", k->name);
		else if (k->type == T_NAME && !named)
			diag_error(&ld->diag, n->key,
			    "%s has no name of its own; remove `worker`",
			    ld->who);
		else
			val[key_id(k) - W_FIRST] = n;
	}
}

/* Outer entries, replaced by inner ones of the same key; then new ones. */
static const struct node *
merge_maps(struct load *ld, const struct node *outer, const struct node *inner)
{
	struct node *map, *copy;
	const struct node *n, *over;

	if (outer->kind != NODE_MAP || inner->kind != NODE_MAP)
		return inner;
	map = arena_zalloc(ld->arena, sizeof(*map));
	*map = *inner;
	map->first = map->last = map->next = NULL;
	map->n = 0;
	for (n = outer->first; n != NULL; n = n->next) {
		over = node_get(inner, n->key->text);
		copy = arena_zalloc(ld->arena, sizeof(*copy));
		*copy = over != NULL ? *over : *n;
		node_append(map, copy);
	}
	for (n = inner->first; n != NULL; n = n->next) {
		if (node_get(outer, n->key->text) != NULL)
			continue;
		copy = arena_zalloc(ld->arena, sizeof(*copy));
		*copy = *n;
		node_append(map, copy);
	}
	return map;
}

void
worker_inherit(struct load *ld, const struct node *const *outer,
    const struct node *const *own, const struct node **val)
{
	size_t i;

	for (i = 0; i < W_COUNT; i++) {
		val[i] = own[i] != NULL  ? own[i]
		         : outer != NULL ? outer[i]
		                         : NULL;
		if (own[i] != NULL && outer != NULL && outer[i] != NULL &&
		    schema_keys[W_FIRST + i].merge)
			val[i] = merge_maps(ld, outer[i], own[i]);
	}
	/* The two ways to say how to stop replace each other. */
	if (own[W_STOP_SEQUENCE - W_FIRST] != NULL) {
		val[W_SHUTDOWN - W_FIRST] = own[W_SHUTDOWN - W_FIRST];
		val[W_STOP_SIGNAL - W_FIRST] = own[W_STOP_SIGNAL - W_FIRST];
	} else if (own[W_SHUTDOWN - W_FIRST] != NULL ||
		   own[W_STOP_SIGNAL - W_FIRST] != NULL) {
		val[W_STOP_SEQUENCE - W_FIRST] = NULL;
	}
}

void
worker_init_defaults(struct load *ld)
{
	struct source *src = arena_zalloc(ld->arena, sizeof(*src));
	uint32_t before = ld->n_values;
	struct node *n;
	size_t i;

	src->path = "default";
	src->dir = "";
	ld->who = "default";
	for (i = 0; i < LATER_FIRST; i++) {
		const struct key *k = &schema_keys[i];

		if (k->def == NULL)
			continue;
		src->text = k->def;
		src->len = strlen(k->def);
		n = scan_source(ld, src);
		assert(n != NULL);
		ld->def[i] = n;
		type_bind(ld, k, n,
		    k->where == IN_SUPERVISOR ? (void *)&ld->sup
					      : (void *)&ld->worker);
	}
	assert(ld->diag.n_errors == 0);
	ld->n_values = before;
}

static void
bind_stop(struct load *ld, struct wbind *b)
{
	struct worker_spec *spec = &b->w.spec;
	const struct node *seq = get(b, W_STOP_SEQUENCE);
	const struct node *other = get(b, W_SHUTDOWN);

	spec->kill_group = b->kill_mode == 0;
	if (other == NULL)
		other = get(b, W_STOP_SIGNAL);
	if (seq != NULL && other != NULL && !seq->bad) {
		diag_error(&ld->diag, seq->key,
		    "%s has both stop_sequence and %s; give one of them",
		    ld->who, other->key->text);
		mark_bad(b, W_STOP_SEQUENCE);
	}
	if (seq != NULL)
		return;
	spec->n_stop = 0;
	if (!b->brutal && b->stop_signal != 9)
		spec->stop[spec->n_stop++] =
		    (struct stop_stage){ b->stop_signal, b->shutdown_ns };
	if (b->brutal || b->stop_signal == 9 || b->shutdown_ns >= 0)
		spec->stop[spec->n_stop++] = (struct stop_stage){ 9, 0 };
}

static const char *
env_file_path(struct load *ld, const struct node *n)
{
	const char *path = load_text(ld, n, "env_file");

	if (path == NULL || path[0] == '/')
		return path;
	if (n->src->abs_dir != NULL && path[0] != '\0')
		return arena_printf(ld->arena, "%s%s", n->src->dir, path);
	diag_error(&ld->diag, n, "env_file needs an absolute path here");
	return NULL;
}

static bool
check_env(struct load *ld, const struct node *map)
{
	uint32_t before = ld->diag.n_errors;
	const struct node *n;

	if (map->kind != NODE_MAP) {
		if (!map->bad)
			diag_error(&ld->diag, map,
			    "env takes a map like {KEY: value}, not %s",
			    node_kind_text(map));
		return false;
	}
	for (n = map->first; n != NULL; n = n->next) {
		size_t len = strlen(n->key->text);

		if (len == 0 || len > 255 || strchr(n->key->text, '=') != NULL)
			diag_error(&ld->diag, n->key,
			    "%s cannot name an environment variable",
			    diag_quote(&ld->diag, n->key->text));
	}
	return ld->diag.n_errors == before;
}

static void
bind_env(struct load *ld, struct wbind *b)
{
	const struct node *map = get(b, W_ENV), *file = get(b, W_ENV_FILE);
	const struct node *lines = NULL, *n;
	const char *path, *text, **env;
	size_t i = 0;

	if (is_bad(b, W_ENV) || is_bad(b, W_ENV_FILE) ||
	    (map != NULL && !check_env(ld, map)))
		return;
	if (file != NULL) {
		path = env_file_path(ld, file);
		lines = path == NULL ? NULL : envfile_read(ld, path, file);
	}
	env = arena_array(ld->arena,
	    (size_t)(map == NULL ? 0 : map->n) +
		(lines == NULL ? 0 : lines->n) + 1,
	    sizeof(*env));
	for (n = lines == NULL ? NULL : lines->first; n != NULL; n = n->next) {
		if (map == NULL || node_get(map, n->key->text) == NULL)
			env[i++] = arena_printf(
			    ld->arena, "%s=%s", n->key->text, n->text);
	}
	for (n = map == NULL ? NULL : map->first; n != NULL; n = n->next) {
		text = load_text(ld, n, n->key->text);
		if (text != NULL)
			env[i++] = arena_printf(
			    ld->arena, "%s=%s", n->key->text, text);
	}
	b->w.env = env;
}

static size_t
words_bytes(const char *const *p)
{
	size_t len = 0;

	for (; p != NULL && *p != NULL; p++)
		len += strlen(*p) + 1;
	return len;
}

/* One spawn must fit into one frame to the keeper. */
static void
check_bytes(struct load *ld, const struct wbind *b, const struct node *at)
{
	const struct {
		const char *what;
		const char *const *argv;
	} runs[] = {
		{ "command", b->w.argv },
		{ "pre_start", b->w.pre_start },
		{ "post_stop", b->w.post_stop },
		{ "ready", b->w.ready_argv },
		{ "health", b->w.health.argv },
	};
	size_t env = words_bytes(b->w.env), len, i;

	for (i = 0; i < ARRAY_LEN(runs); i++) {
		len = env + words_bytes(runs[i].argv);
		if (len <= ARGS_MAX_BYTES)
			continue;
		diag_error(&ld->diag, at,
		    "%s and environment of %s take %zu bytes, more than %zu",
		    runs[i].what, ld->who, len, ARGS_MAX_BYTES);
		return;
	}
}

/* OTP's bad_combination, rule C-4. */
void
worker_check_significant(struct load *ld, const struct node *at,
    const struct node *own, bool significant, enum restart_type restart,
    const struct conf_sup *parent)
{
	if (!significant)
		return;
	if (own != NULL)
		at = own;
	if (at->bad)
		return;
	if (parent == NULL)
		diag_error(&ld->diag, at,
		    "the root has no parent, so it cannot be significant");
	else if (restart == PERMANENT)
		diag_error(&ld->diag, at,
		    "%s is significant, so its restart must be transient or "
		    "temporary: a permanent child never ends for good",
		    ld->who);
	else if (parent->spec.auto_shutdown == AUTO_NEVER)
		diag_error(&ld->diag, at,
		    "%s is significant, but its supervisor's auto_shutdown is "
		    "never; set it to any_significant or all_significant",
		    ld->who);
}

static void
check_exits(struct load *ld, const struct wbind *b)
{
	const struct worker_spec *s = &b->w.spec;
	const struct node *n = get(b, W_FATAL_EXIT);
	bool both = (s->success.signal & s->fatal.signal) != 0;
	size_t i;

	for (i = 0; i < ARRAY_LEN(s->success.code); i++)
		both = both || (s->success.code[i] & s->fatal.code[i]) != 0;
	if (both && n == NULL)
		n = get(b, W_SUCCESS_EXIT);
	if (both && n != NULL && !n->bad) {
		diag_error(&ld->diag, n,
		    "success_exit and fatal_exit of %s share a value", ld->who);
		mark_bad(b, W_FATAL_EXIT);
		mark_bad(b, W_SUCCESS_EXIT);
	}
}

/* An entry of a map that is given, or else the map. */
static const struct node *
entry_or_map(const struct node *map, enum key_id id)
{
	const struct node *n = node_get(map, schema_keys[id].name);

	return n != NULL ? n : map;
}

static const char *
default_words(const struct node *at, const struct node *map)
{
	return at == map ? " (the default)" : "";
}

static void
check_backoff(struct load *ld, const struct wbind *b)
{
	const struct backoff *p = &b->w.spec.backoff;
	const struct node *map = get(b, W_BACKOFF), *at;
	cleanup_(buf_fini) struct buf min = { 0 };
	cleanup_(buf_fini) struct buf other = { 0 };

	if (p->min_ns == 0 || map->bad)
		return;
	value_put_duration(&min, p->min_ns);
	if (p->max_ns < p->min_ns) {
		at = entry_or_map(map, B_MAX);
		value_put_duration(&other, p->max_ns);
		diag_error(&ld->diag, at,
		    "backoff: max %s%s is shorter than min %s; give a longer "
		    "max",
		    buf_str(&other), default_words(at, map), buf_str(&min));
	} else if (b->w.spec.reset_after_ns < p->min_ns) {
		at = entry_or_map(map, B_RESET_AFTER);
		value_put_duration(&other, b->w.spec.reset_after_ns);
		diag_error(&ld->diag, at,
		    "backoff: reset_after %s%s is shorter than min %s, so that "
		    "hardly any pause would be made; give a longer reset_after",
		    buf_str(&other), default_words(at, map), buf_str(&min));
	} else {
		return;
	}
	mark_bad(b, W_BACKOFF);
}

/* What several keys say together about restarts, hooks and probes. */
static void
finish_extensions(const struct load *ld, struct wbind *b)
{
	struct worker_spec *s = &b->w.spec;

	s->pre_start = b->w.pre_start != NULL;
	s->post_stop = b->w.post_stop != NULL;
	if (s->max_attempts > 0 && s->reset_after_ns == 0)
		s->reset_after_ns = ld->worker.backoff.reset_after_ns;
}

static void
bind_keys(struct load *ld, struct wbind *b)
{
	uint32_t before;
	size_t i;

	for (i = 0; i < W_COUNT; i++) {
		if (b->val[i] == NULL || W_FIRST + i == W_INSTANCES)
			continue;
		before = ld->diag.n_errors;
		type_bind(ld, &schema_keys[W_FIRST + i], b->val[i], b);
		if (ld->diag.n_errors > before)
			mark_bad(b, W_FIRST + (enum key_id)i);
	}
	before = ld->diag.n_errors;
	bind_env(ld, b);
	if (ld->diag.n_errors > before) {
		mark_bad(b, W_ENV);
		mark_bad(b, W_ENV_FILE);
	}
	before = ld->diag.n_errors;
	user_resolve(ld, b);
	if (ld->diag.n_errors > before) {
		mark_bad(b, W_USER);
		mark_bad(b, W_GROUP);
		mark_bad(b, W_GROUPS);
	}
}

void
worker_bind(struct load *ld, const struct node *at,
    const struct node *const *val, const struct conf_sup *parent,
    struct conf_worker *ret)
{
	struct wbind b = ld->worker;
	uint32_t before = ld->diag.n_errors;

	b.val = val;
	bind_keys(ld, &b);
	if (ld->diag.n_errors == before) {
		bind_stop(ld, &b);
		check_exits(ld, &b);
		check_backoff(ld, &b);
		finish_extensions(ld, &b);
		check_bytes(ld, &b, at);
		if (parent != NULL)
			worker_check_significant(ld, at, get(&b, W_SIGNIFICANT),
			    b.w.spec.significant, b.w.spec.restart, parent);
	}
	*ret = b.w;
}
