/* SPDX-License-Identifier: ISC */
/* One value of each type, from nodes into the structs of conf.h. */
#include "conf/types.h"

#include "conf/expand.h"
#include "conf/value.h"

#include <assert.h>
#include <string.h>

typedef void (*bind_fn)(const struct target *t);

static struct diag *
diag_of(const struct target *t)
{
	return &t->ld->diag;
}

void
type_say_why(const struct target *t, const struct node *n, const char *text,
    const char *why)
{
	diag_error(diag_of(t), n, "%s: %s %s", t->k->name,
	    diag_quote(diag_of(t), text), why);
}

static const char *
scalar(const struct target *t)
{
	return load_text(t->ld, t->n, t->k->name);
}

static void
bind_text(const struct target *t)
{
	const char *s = scalar(t);

	if (s != NULL)
		*(const char **)t->at = s;
}

static void
bind_bool(const struct target *t)
{
	const char *s = scalar(t), *why;

	why = s == NULL ? NULL : value_bool(s, t->at);
	if (why != NULL)
		type_say_why(t, t->n, s, why);
}

static void
bind_int(const struct target *t)
{
	const char *s = scalar(t), *why;
	int64_t v = 0;

	if (s == NULL)
		return;
	if (t->k->off && strcmp(s, "off") == 0) {
		*(int *)t->at = 0;
		return;
	}
	why = value_int(s, &v);
	if (why != NULL) {
		type_say_why(t, t->n, s, why);
		return;
	}
	if (v < t->k->min || v > t->k->max) {
		diag_error(diag_of(t), t->n,
		    "%s: %s is not between %lld and %lld%s", t->k->name,
		    diag_quote(diag_of(t), s), (long long)t->k->min,
		    (long long)t->k->max, t->k->off ? ", nor off" : "");
		return;
	}
	*(int *)t->at = (int)v; /* or uint32_t: the range fits both */
	if (t->k->has != 0)
		*(bool *)((char *)t->base + t->k->has) = true;
}

/* The words of `choices` into `list`; returns how many. */
static size_t
split_choices(
    const struct target *t, const char **list, size_t max, const char **joined)
{
	char *copy = arena_strdup(t->ld->arena, t->k->choices), *save = NULL;
	const char *w;
	size_t n = 0;

	*joined = "";
	for (w = strtok_r(copy, " ", &save); w != NULL && n < max;
	     w = strtok_r(NULL, " ", &save)) {
		*joined = arena_printf(
		    t->ld->arena, "%s%s%s", *joined, n == 0 ? "" : ", ", w);
		list[n++] = w;
	}
	return n;
}

static void
unknown_choice(const struct target *t, const char *s)
{
	const char *list[8], *joined, *guess;
	size_t n = split_choices(t, list, ARRAY_LEN(list), &joined);

	guess = value_suggest(s, list, n);
	if (guess != NULL)
		diag_error(diag_of(t), t->n,
		    "unknown %s %s in %s; did you mean \"%s\"?", t->k->name,
		    diag_quote(diag_of(t), s), t->ld->who, guess);
	else
		diag_error(diag_of(t), t->n,
		    "unknown %s %s in %s; it is one "
		    "of %s",
		    t->k->name, diag_quote(diag_of(t), s), t->ld->who, joined);
}

/* Position of s in the space-separated list, or -1. */
static int
choice_index(const char *choices, const char *s)
{
	size_t len = strlen(s), word;
	int i;

	for (i = 0; *choices != '\0'; i++) {
		word = strcspn(choices, " ");
		if (word == len && strncmp(choices, s, len) == 0)
			return i;
		choices += word;
		choices += *choices == ' ';
	}
	return -1;
}

static void
bind_choice(const struct target *t)
{
	const char *s = scalar(t);
	int i;

	if (s == NULL)
		return;
	i = choice_index(t->k->choices, s);
	if (i >= 0)
		*(unsigned *)t->at = (unsigned)i;
	else if (key_id(t->k) == W_KILL_MODE && strcmp(s, "cgroup") == 0)
		diag_error(diag_of(t), t->n,
		    "\"kill_mode: cgroup\" is not supported yet");
	else
		unknown_choice(t, s);
}

static void
bind_duration(const struct target *t)
{
	const char *s = scalar(t), *why;
	int64_t ns = 0;

	if (s == NULL)
		return;
	if (t->k->off && strcmp(s, "off") == 0) {
		*(int64_t *)t->at = 0;
		return;
	}
	if (t->k->type == T_TIMEOUT)
		why = value_timeout(s, &ns);
	else
		why = value_duration(s, &ns);
	if (why == NULL && ns >= 0 && ns < t->k->min)
		why = t->k->off ? "is too short; to do without, write off"
		                : "is too short; the least is 1ms";
	if (why != NULL)
		type_say_why(t, t->n, s, why);
	else
		*(int64_t *)t->at = ns;
}

static void
bind_milli(const struct target *t)
{
	const char *s = scalar(t), *why;

	if (s == NULL)
		return;
	if (t->k->type == T_FACTOR)
		why = value_factor(s, t->at);
	else
		why = value_percent(s, t->at);
	if (why != NULL)
		type_say_why(t, t->n, s, why);
}

static void
bind_shutdown(const struct target *t)
{
	const char *s = scalar(t), *why;
	struct wbind *b = t->base;

	if (s == NULL)
		return;
	b->brutal = strcmp(s, "brutal_kill") == 0;
	if (b->brutal)
		return;
	why = value_timeout(s, &b->shutdown_ns);
	if (why != NULL)
		diag_error(diag_of(t), t->n,
		    "shutdown: %s %s (or infinity, or brutal_kill)",
		    diag_quote(diag_of(t), s), why);
}

static void
bind_size(const struct target *t)
{
	const char *s = scalar(t), *why;

	int64_t bytes = 0;

	if (s == NULL)
		return;
	why = value_size(s, &bytes);
	if (why == NULL && bytes < t->k->min)
		why = "is too small; the least is 64K";
	if (why != NULL)
		type_say_why(t, t->n, s, why);
	else
		*(int64_t *)t->at = bytes;
}

static void
bind_signal(const struct target *t)
{
	const char *s = scalar(t), *why;

	why = s == NULL ? NULL : value_signal(s, t->at);
	if (why != NULL)
		type_say_why(t, t->n, s, why);
}

static void
bind_umask(const struct target *t)
{
	const char *s = scalar(t), *why;

	why = s == NULL ? NULL : value_umask(s, t->at);
	if (why != NULL)
		type_say_why(t, t->n, s, why);
}

static void
bind_dir(const struct target *t)
{
	const char *s = scalar(t);

	if (s == NULL)
		return;
	if (s[0] != '/')
		type_say_why(t, t->n, s, "is not an absolute path");
	else
		*(const char **)t->at = s;
}

static void
bind_exits(const struct target *t)
{
	const struct node *n = t->n->kind == NODE_LIST ? t->n->first : t->n;
	struct exit_set set = { 0 };
	const char *s, *why;

	for (; n != NULL; n = t->n->kind == NODE_LIST ? n->next : NULL) {
		s = load_text(t->ld, n, t->k->name);
		why = s == NULL ? NULL : value_exits(s, &set);
		if (why != NULL)
			type_say_why(t, n, s, why);
	}
	*(struct exit_set *)t->at = set;
}

static void
bind_stops(const struct target *t)
{
	struct worker_spec *spec = t->at;
	const struct node *n;
	const char *s, *why;
	bool over = false;

	if (t->n->kind != NODE_LIST || t->n->n == 0) {
		diag_error(diag_of(t), t->n,
		    "stop_sequence takes a list like "
		    "[INT 5s, TERM 5s, KILL]");
		return;
	}
	if (t->n->n > STOP_STAGES_MAX) {
		diag_error(diag_of(t), t->n,
		    "stop_sequence has more than %d steps", STOP_STAGES_MAX);
		return;
	}
	spec->n_stop = 0;
	for (n = t->n->first; n != NULL; n = n->next) {
		struct stop_stage *st = &spec->stop[spec->n_stop++];

		*st = (struct stop_stage){ 0 };
		s = load_text(t->ld, n, t->k->name);
		if (s == NULL)
			return;
		why = value_stage(s, st);
		if (why == NULL && over)
			why = "is never reached: the step before it is the end";
		if (why == NULL && n->next == NULL && st->sig != 9 &&
		    st->wait_ns >= 0)
			why = "cannot be the last step: end with KILL, or "
			      "wait infinity";
		if (why != NULL) {
			type_say_why(t, n, s, why);
			return;
		}
		over = st->sig == 9 || st->wait_ns < 0;
	}
}

const struct node *
type_only_entry(const struct target *t, const char *forms)
{
	if (t->n->kind != NODE_MAP || t->n->n != 1) {
		diag_error(
		    diag_of(t), t->n, "%s is one of %s", t->k->name, forms);
		return NULL;
	}
	return t->n->first;
}

/* A string, split: the words still hold $$ and ${instance}. */
static const char *const *
words_of_text(struct load *ld, const struct node *n, const char *what)
{
	struct buf *word = &ld->scratch;
	const char *p = n->text, **words;
	size_t max = strlen(n->text) / 2 + 2, i = 0;
	int rc;

	words = arena_array(ld->arena, max + 1, sizeof(*words));
	while ((rc = value_split(&p, word)) == 1) {
		const char *half = load_take(ld);

		assert(i < max);
		if (!n->dollar) {
			words[i++] = half;
			continue;
		}
		if (ld->instance == 0 && expand_has_instance(half))
			return load_text(ld, n, what) == NULL ? NULL : words;
		expand_final(word, half, ld->instance);
		words[i++] = load_take(ld);
	}
	if (rc < 0) {
		diag_error(&ld->diag, n,
		    "%s: a quote or backslash is not closed", what);
		return NULL;
	}
	return words;
}

const char *const *
type_list(struct load *ld, const struct node *n, const char *what)
{
	const struct node *c;
	const char **list;
	size_t i = 0;

	if (n->bad)
		return NULL;
	if (n->kind == NODE_MAP) {
		diag_error(&ld->diag, n,
		    "%s takes a list of words, or a string, not a map", what);
		return NULL;
	}
	if (n->kind == NODE_SCALAR)
		return words_of_text(ld, n, what);
	list = arena_array(ld->arena, n->n + 1, sizeof(*list));
	for (c = n->first; c != NULL; c = c->next) {
		list[i] = load_text(ld, c, what);
		if (list[i++] == NULL)
			return NULL;
	}
	return list;
}

const char *const *
type_words(struct load *ld, const struct node *n, const char *what)
{
	const char *const *words = type_list(ld, n, what);

	if (words != NULL && (words[0] == NULL || words[0][0] == '\0')) {
		diag_error(&ld->diag, n, "%s does not name a program", what);
		return NULL;
	}
	return words;
}

static void
bind_command(const struct target *t)
{
	const char *const *words = type_words(t->ld, t->n, t->k->name);

	if (words != NULL)
		*(const char *const **)t->at = words;
}

/* [] takes back what `defaults` say. */
static void
bind_hook(const struct target *t)
{
	if (t->n->kind == NODE_LIST && t->n->n == 0)
		*(const char *const **)t->at = NULL;
	else
		bind_command(t);
}

static void
bind_giveup(const struct target *t)
{
	struct conf_sup *s = t->at;
	const struct node *n;
	const char *text;

	if (t->n->kind == NODE_SCALAR) {
		text = scalar(t);
		if (text == NULL)
			return;
		if (strcmp(text, "escalate") == 0)
			s->spec.on_giveup = GIVEUP_ESCALATE;
		else if (strcmp(text, "stop") == 0)
			s->spec.on_giveup = GIVEUP_STOP;
		else
			diag_error(diag_of(t), t->n,
			    "unknown on_giveup %s in "
			    "%s; it is one of escalate, stop, {exec: [...]}",
			    diag_quote(diag_of(t), text), t->ld->who);
		return;
	}
	n = type_only_entry(t, "escalate, stop, {exec: [PROGRAM, ...]}");
	if (n == NULL)
		return;
	if (strcmp(n->key->text, "exec") != 0) {
		diag_error(diag_of(t), n->key,
		    "unknown on_giveup %s; it is "
		    "one of escalate, stop, {exec: [PROGRAM, ...]}",
		    diag_quote(diag_of(t), n->key->text));
		return;
	}
	s->spec.on_giveup = GIVEUP_EXEC;
	s->giveup_argv = type_words(t->ld, n, "exec");
}

static void
bind_io(const struct target *t)
{
	static const struct {
		const char *name;
		enum io_mode mode;
	} modes[] = {
		{ "null", IO_NULL },
		{ "log", IO_LOG },
		{ "inherit", IO_INHERIT },
		{ "join", IO_JOIN },
	};
	struct conf_io *io = t->at;
	const struct node *n;
	const char *s;
	size_t i;

	if (t->n->kind != NODE_SCALAR) {
		n = type_only_entry(
		    t, arena_printf(
			   t->ld->arena, "%s or {file: PATH}", t->k->choices));
		if (n == NULL)
			return;
		s = strcmp(n->key->text, "file") == 0
		        ? load_text(t->ld, n, "file")
		        : NULL;
		if (strcmp(n->key->text, "file") != 0)
			diag_error(diag_of(t), n->key,
			    "%s is %s or "
			    "{file: PATH}",
			    t->k->name, t->k->choices);
		else if (s != NULL && s[0] != '/')
			diag_error(diag_of(t), n,
			    "file: %s is not an absolute path",
			    diag_quote(diag_of(t), s));
		else if (s != NULL)
			*io = (struct conf_io){ IO_FILE, s };
		return;
	}
	s = scalar(t);
	if (s == NULL)
		return;
	if (choice_index(t->k->choices, s) < 0) {
		unknown_choice(t, s);
		return;
	}
	for (i = 0; i < ARRAY_LEN(modes); i++) {
		if (strcmp(s, modes[i].name) == 0)
			*io = (struct conf_io){ modes[i].mode, NULL };
	}
}

static void
bind_rlimit(const struct target *t)
{
	struct conf_worker *w = t->at;
	const struct node *n;
	const char *s, *why;

	if (t->n->kind != NODE_MAP) {
		diag_error(diag_of(t), t->n,
		    "rlimit takes a map like {nofile: 1024:4096}, not %s",
		    node_kind_text(t->n));
		return;
	}
	w->n_rlimit = 0;
	for (n = t->n->first; n != NULL; n = n->next) {
		struct conf_rlimit r;

		if (n->key->bad)
			continue;
		s = load_text(t->ld, n, n->key->text);
		if (s == NULL)
			continue;
		why = value_rlimit(n->key->text, s, &r.resource, &r.lim);
		if (why != NULL)
			diag_error(diag_of(t), n, "rlimit: %s: %s %s",
			    n->key->text, diag_quote(diag_of(t), s), why);
		else if (w->n_rlimit < CONF_RLIMITS_MAX)
			w->rlimit[w->n_rlimit++] = r;
	}
}

static void
unknown_inside(
    const struct target *t, enum key_where where, const struct node *key)
{
	const char *guess = schema_suggest(where, key->text);
	const char *name = diag_quote(diag_of(t), key->text);

	if (guess != NULL)
		diag_error(diag_of(t), key,
		    "unknown key %s in %s; did you mean \"%s\"?", name,
		    t->k->name, guess);
	else
		diag_error(
		    diag_of(t), key, "unknown key %s in %s", name, t->k->name);
}

bool
type_bind_inside(const struct target *t, const char *like)
{
	enum key_where where = IN_LOG;
	const struct node *n;
	const struct key *k;

	if (t->n->kind != NODE_MAP) {
		diag_error(diag_of(t), t->n, "%s takes a map like %s, not %s",
		    t->k->name, like,
		    t->n->kind == NODE_SCALAR
			? diag_quote(diag_of(t), t->n->text)
			: node_kind_text(t->n));
		return false;
	}
	schema_inside(t->k->type, &where);
	for (n = t->n->first; n != NULL; n = n->next) {
		if (n->key->bad)
			continue;
		k = load_find_key(t->ld, where, n->key->text);
		if (k == NULL)
			unknown_inside(t, where, n->key);
		else if (k->type == T_LATER)
			diag_error(diag_of(t), n->key,
			    "\"%s: {%s: ...}\" is not supported yet",
			    t->k->name, k->name);
		else
			type_bind(t->ld, k, n, t->base);
	}
	return true;
}

static void
bind_log(const struct target *t)
{
	type_bind_inside(t, "{size: 10M, keep: 5}");
}

static void
bind_mailbox(const struct target *t)
{
	type_bind_inside(t, "{max_bytes: 64M, on_full: block}");
}

bool
type_is_off(const struct target *t)
{
	return t->n->kind == NODE_SCALAR && strcmp(t->n->text, "off") == 0;
}

/* What an absent entry means is bound already: the schema's default. */
static void
bind_backoff(const struct target *t)
{
	struct wbind *b = t->base;

	if (type_is_off(t) ||
	    !type_bind_inside(t, "{min: 1s, max: 60s}, or off"))
		return;
	b->w.spec.backoff = b->backoff.pause;
	b->w.spec.reset_after_ns = b->backoff.reset_after_ns;
}

/* Types without a function are bound where their neighbours are known. */
static const bind_fn binders[] = {
	[T_TEXT] = bind_text,
	[T_BOOL] = bind_bool,
	[T_INT] = bind_int,
	[T_CHOICE] = bind_choice,
	[T_DURATION] = bind_duration,
	[T_TIMEOUT] = bind_duration,
	[T_FACTOR] = bind_milli,
	[T_PERCENT] = bind_milli,
	[T_SIZE] = bind_size,
	[T_SHUTDOWN] = bind_shutdown,
	[T_SIGNAL] = bind_signal,
	[T_STOPS] = bind_stops,
	[T_EXITS] = bind_exits,
	[T_READY] = probe_bind_ready,
	[T_BACKOFF] = bind_backoff,
	[T_HEALTH] = probe_bind_health,
	[T_TCP] = probe_bind_address,
	[T_UNIX] = probe_bind_address,
	[T_URL] = probe_bind_url,
	[T_COMMAND] = bind_command,
	[T_HOOK] = bind_hook,
	[T_GIVEUP] = bind_giveup,
	[T_DIR] = bind_dir,
	[T_UMASK] = bind_umask,
	[T_RLIMIT] = bind_rlimit,
	[T_IO] = bind_io,
	[T_LOG] = bind_log,
	[T_NAMES] = wishes_bind,
	[T_MAILBOX] = bind_mailbox,
	[T_LATER] = NULL,
};

void
type_bind(
    struct load *ld, const struct key *k, const struct node *n, void *base)
{
	const struct target t = { ld, k, n, (char *)base + k->at, base };

	if (!n->bad && binders[k->type] != NULL)
		binders[k->type](&t);
}
