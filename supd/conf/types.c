/* SPDX-License-Identifier: ISC */
/* One value of each type, from nodes into the structs of conf.h. */
#include "conf/bind.h"
#include "conf/expand.h"
#include "conf/value.h"

#include <assert.h>
#include <string.h>

struct target {
	struct load *ld;
	const struct key *k;
	const struct node *n;
	void *at; /* base + k->off */
	void *base;
};

typedef void (*bind_fn)(const struct target *t);

static struct diag *
diag_of(const struct target *t)
{
	return &t->ld->diag;
}

/* `shutdown: "5" needs a unit: ms, s, m or h` */
static void
say_why(const struct target *t, const struct node *n, const char *text,
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
		say_why(t, t->n, s, why);
}

static void
bind_int(const struct target *t)
{
	const char *s = scalar(t), *why;
	int64_t v = 0;

	if (s == NULL)
		return;
	why = value_int(s, &v);
	if (why != NULL) {
		say_why(t, t->n, s, why);
		return;
	}
	if (v < t->k->min || v > t->k->max) {
		diag_error(diag_of(t), t->n,
		    "%s: %s is not between %lld and "
		    "%lld",
		    t->k->name, diag_quote(diag_of(t), s), (long long)t->k->min,
		    (long long)t->k->max);
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
	if (t->k->type == T_TIMEOUT)
		why = value_timeout(s, &ns);
	else
		why = value_duration(s, &ns);
	if (why == NULL && ns >= 0 && ns < t->k->min)
		why = "is too short";
	if (why != NULL)
		say_why(t, t->n, s, why);
	else
		*(int64_t *)t->at = ns;
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

	why = s == NULL ? NULL : value_size(s, t->at);
	if (why != NULL)
		say_why(t, t->n, s, why);
}

static void
bind_signal(const struct target *t)
{
	const char *s = scalar(t), *why;

	why = s == NULL ? NULL : value_signal(s, t->at);
	if (why != NULL)
		say_why(t, t->n, s, why);
}

static void
bind_umask(const struct target *t)
{
	const char *s = scalar(t), *why;

	why = s == NULL ? NULL : value_umask(s, t->at);
	if (why != NULL)
		say_why(t, t->n, s, why);
}

static void
bind_dir(const struct target *t)
{
	const char *s = scalar(t);

	if (s == NULL)
		return;
	if (s[0] != '/')
		say_why(t, t->n, s, "is not an absolute path");
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
			say_why(t, n, s, why);
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
			say_why(t, n, s, why);
			return;
		}
		over = st->sig == 9 || st->wait_ns < 0;
	}
}

/* The only entry of a map such as {tcp: A}, or NULL and an error. */
static const struct node *
only_entry(const struct target *t, const char *forms)
{
	if (t->n->kind != NODE_MAP || t->n->n != 1) {
		diag_error(
		    diag_of(t), t->n, "%s is one of %s", t->k->name, forms);
		return NULL;
	}
	return t->n->first;
}

static void
ready_fd(const struct target *t, struct conf_worker *w, const struct node *n,
    const char *s)
{
	int64_t fd = 0;

	if (value_int(s, &fd) != NULL || fd < NOTIFY_FD_MIN ||
	    fd > NOTIFY_FD_MAX) {
		diag_error(diag_of(t), n,
		    "notify_fd: %s is not between %d and %d (0 to 2 are the "
		    "standard streams, 3 is SUPD_FD)",
		    diag_quote(diag_of(t), s), NOTIFY_FD_MIN, NOTIFY_FD_MAX);
		return;
	}
	w->ready = READY_MODE_NOTIFY_FD;
	w->ready_fd = (int)fd;
}

#define READY_FORMS                                                            \
	"exec, notify, {notify_fd: N}, {tcp: HOST:PORT}, {unix: PATH}, "       \
	"{delay: D}"

static void
ready_map(const struct target *t, struct conf_worker *w)
{
	const struct node *n = only_entry(t, READY_FORMS);
	const char *how, *s, *why = NULL;

	if (n == NULL)
		return;
	how = n->key->text;
	if (strcmp(how, "probe") == 0) {
		diag_error(diag_of(t), n->key,
		    "\"ready: {probe: ...}\" is not supported yet");
		return;
	}
	s = load_text(t->ld, n, how);
	if (s == NULL)
		return;
	if (strcmp(how, "notify_fd") == 0) {
		ready_fd(t, w, n, s);
	} else if (strcmp(how, "tcp") == 0) {
		w->ready = READY_MODE_TCP;
		w->ready_addr = s;
		why = value_tcp(s);
	} else if (strcmp(how, "unix") == 0) {
		w->ready = READY_MODE_UNIX;
		w->ready_addr = s;
		/* sun_path, without its NUL: unix(7) */
		why = s[0] != '/'       ? "is not an absolute path"
		      : strlen(s) > 107 ? "is longer than 107 bytes"
		                        : NULL;
	} else if (strcmp(how, "delay") == 0) {
		w->ready = READY_MODE_DELAY;
		why = value_duration(s, &w->spec.ready_delay_ns);
	} else {
		diag_error(diag_of(t), n->key,
		    "unknown ready %s; it is one "
		    "of " READY_FORMS,
		    diag_quote(diag_of(t), how));
	}
	if (why != NULL)
		diag_error(diag_of(t), n, "%s: %s %s", how,
		    diag_quote(diag_of(t), s), why);
}

static void
bind_ready(const struct target *t)
{
	struct conf_worker *w = t->at;
	const char *s;

	if (t->n->kind == NODE_SCALAR) {
		s = scalar(t);
		if (s == NULL)
			return;
		if (strcmp(s, "exec") == 0)
			w->ready = READY_MODE_EXEC;
		else if (strcmp(s, "notify") == 0)
			w->ready = READY_MODE_NOTIFY;
		else
			diag_error(diag_of(t), t->n,
			    "unknown ready %s in %s; "
			    "it is one of " READY_FORMS,
			    diag_quote(diag_of(t), s), t->ld->who);
	} else {
		ready_map(t, w);
	}
	switch (w->ready) {
	case READY_MODE_EXEC:
		w->spec.ready = READY_EXEC;
		break;
	case READY_MODE_DELAY:
		w->spec.ready = READY_DELAY;
		break;
	case READY_MODE_NOTIFY:
	case READY_MODE_NOTIFY_FD:
	case READY_MODE_TCP:
	case READY_MODE_UNIX:
	case READY_MODE_PROBE:
	case READY_MODE_N:
		w->spec.ready = READY_EVENT;
		break;
	}
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
type_words(struct load *ld, const struct node *n, const char *what)
{
	const struct node *c;
	const char *const *words;
	const char **list;
	size_t i = 0;

	if (n->bad)
		return NULL;
	if (n->kind == NODE_MAP) {
		diag_error(&ld->diag, n,
		    "%s takes a list of words, or a string, not a map", what);
		return NULL;
	}
	if (n->kind == NODE_SCALAR) {
		words = words_of_text(ld, n, what);
	} else {
		list = arena_array(ld->arena, n->n + 1, sizeof(*list));
		for (c = n->first; c != NULL; c = c->next) {
			list[i] = load_text(ld, c, what);
			if (list[i++] == NULL)
				return NULL;
		}
		words = list;
	}
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
	n = only_entry(t, "escalate, stop, {exec: [PROGRAM, ...]}");
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
		n = only_entry(t, arena_printf(t->ld->arena,
				      "%s or {file: PATH}", t->k->choices));
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
bind_log(const struct target *t)
{
	const struct node *n;
	const struct key *k;
	const char *guess;

	if (t->n->kind != NODE_MAP) {
		diag_error(diag_of(t), t->n,
		    "log takes a map like "
		    "{size: 10M, keep: 5}, not %s",
		    node_kind_text(t->n));
		return;
	}
	for (n = t->n->first; n != NULL; n = n->next) {
		if (n->key->bad)
			continue;
		k = load_find_key(t->ld, IN_LOG, n->key->text);
		if (k != NULL && k->type == T_LATER) {
			diag_error(diag_of(t), n->key,
			    "\"log: {%s: ...}\" is not supported yet", k->name);
		} else if (k != NULL) {
			type_bind(t->ld, k, n, t->base);
		} else {
			guess = schema_suggest(IN_LOG, n->key->text);
			diag_error(diag_of(t), n->key,
			    "unknown key %s in log%s%s%s",
			    diag_quote(diag_of(t), n->key->text),
			    guess == NULL ? "" : "; did you mean \"",
			    guess == NULL ? "" : guess,
			    guess == NULL ? "" : "\"?");
		}
	}
}

/* Types without a function are bound where their neighbours are known. */
static const bind_fn binders[] = {
	[T_TEXT] = bind_text,
	[T_BOOL] = bind_bool,
	[T_INT] = bind_int,
	[T_CHOICE] = bind_choice,
	[T_DURATION] = bind_duration,
	[T_TIMEOUT] = bind_duration,
	[T_SIZE] = bind_size,
	[T_SHUTDOWN] = bind_shutdown,
	[T_SIGNAL] = bind_signal,
	[T_STOPS] = bind_stops,
	[T_EXITS] = bind_exits,
	[T_READY] = bind_ready,
	[T_COMMAND] = bind_command,
	[T_GIVEUP] = bind_giveup,
	[T_DIR] = bind_dir,
	[T_UMASK] = bind_umask,
	[T_RLIMIT] = bind_rlimit,
	[T_IO] = bind_io,
	[T_LOG] = bind_log,
	[T_LATER] = NULL,
};

void
type_bind(
    struct load *ld, const struct key *k, const struct node *n, void *base)
{
	const struct target t = { ld, k, n, (char *)base + k->off, base };

	if (!n->bad && binders[k->type] != NULL)
		binders[k->type](&t);
}
