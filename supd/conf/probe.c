/* SPDX-License-Identifier: ISC */
/* When is a worker ready, and is it still well: `ready` and `health`. */
#include "conf/types.h"
#include "conf/value.h"

#include <string.h>

#define READY_FORMS                                                            \
	"exec, notify, {notify_fd: N}, {tcp: HOST:PORT}, {unix: PATH}, "       \
	"{probe: [PROGRAM, ...]}, {delay: D}"

#define HEALTH_FORMS                                                           \
	"tcp: HOST:PORT, unix: PATH, http: URL, probe: [PROGRAM, ...]"

static struct diag *
diag_of(const struct target *t)
{
	return &t->ld->diag;
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
	w->ready_fd = (int)fd;
}

static void
ready_value(const struct target *t, struct conf_worker *w, const struct node *n,
    enum ready_mode mode)
{
	const char *s = load_text(t->ld, n, n->key->text), *why = NULL;

	if (s == NULL)
		return;
	w->ready = mode;
	if (mode == READY_MODE_NOTIFY_FD) {
		ready_fd(t, w, n, s);
	} else if (mode == READY_MODE_DELAY) {
		why = value_duration(s, &w->spec.ready_delay_ns);
	} else {
		w->ready_addr = s;
		why = mode == READY_MODE_TCP ? value_tcp(s) : value_unix(s);
	}
	if (why != NULL)
		diag_error(diag_of(t), n, "%s: %s %s", n->key->text,
		    diag_quote(diag_of(t), s), why);
}

static void
ready_map(const struct target *t, struct conf_worker *w)
{
	static const char *const names[READY_MODE_N] = {
		[READY_MODE_EXEC] = "",
		[READY_MODE_NOTIFY] = "",
		[READY_MODE_NOTIFY_FD] = "notify_fd",
		[READY_MODE_TCP] = "tcp",
		[READY_MODE_UNIX] = "unix",
		[READY_MODE_DELAY] = "delay",
		[READY_MODE_PROBE] = "probe",
	};
	const struct node *n = type_only_entry(t, READY_FORMS);
	const char *name, *guess;
	size_t i;

	if (n == NULL)
		return;
	name = n->key->text;
	for (i = READY_MODE_NOTIFY_FD; i < READY_MODE_N; i++) {
		if (strcmp(name, names[i]) == 0)
			break;
	}
	if (i == READY_MODE_PROBE) {
		w->ready = READY_MODE_PROBE;
		w->ready_argv = type_words(t->ld, n, name);
	} else if (i < READY_MODE_N) {
		ready_value(t, w, n, (enum ready_mode)i);
	} else {
		guess = value_suggest(name, names, READY_MODE_N);
		if (guess != NULL)
			diag_error(diag_of(t), n->key,
			    "unknown ready %s; did you mean \"%s\"?",
			    diag_quote(diag_of(t), name), guess);
		else
			diag_error(diag_of(t), n->key,
			    "unknown ready %s; it is one of " READY_FORMS,
			    diag_quote(diag_of(t), name));
	}
}

void
probe_bind_ready(const struct target *t)
{
	struct conf_worker *w = t->at;
	const char *s;

	if (t->n->kind == NODE_SCALAR) {
		s = load_text(t->ld, t->n, t->k->name);
		if (s == NULL)
			return;
		if (strcmp(s, "exec") == 0)
			w->ready = READY_MODE_EXEC;
		else if (strcmp(s, "notify") == 0)
			w->ready = READY_MODE_NOTIFY;
		else
			diag_error(diag_of(t), t->n,
			    "unknown ready %s in %s; it is one of " READY_FORMS,
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

void
probe_bind_address(const struct target *t)
{
	const char *s = load_text(t->ld, t->n, t->k->name), *why;

	if (s == NULL)
		return;
	why = t->k->type == T_TCP ? value_tcp(s) : value_unix(s);
	if (why != NULL)
		type_say_why(t, t->n, s, why);
	else
		*(const char **)t->at = s;
}

void
probe_bind_url(const struct target *t)
{
	const char *s = load_text(t->ld, t->n, t->k->name), *why, *path;
	struct conf_health *h = &((struct wbind *)t->base)->w.health;
	size_t len = 0;

	if (s == NULL)
		return;
	why = value_url(s, &path, &len);
	if (why != NULL) {
		type_say_why(t, t->n, s, why);
		return;
	}
	h->addr = arena_strndup(t->ld->arena, path - len, len);
	h->http_path = path[0] == '\0' ? "/" : path;
}

void
probe_bind_health(const struct target *t)
{
	static const struct {
		enum key_id id;
		enum health_mode mode;
	} modes[] = {
		{ H_TCP, HEALTH_TCP },
		{ H_UNIX, HEALTH_UNIX },
		{ H_HTTP, HEALTH_HTTP },
		{ H_PROBE, HEALTH_PROBE },
	};
	struct wbind *b = t->base;
	const struct node *n, *first = NULL;
	size_t i;

	if (type_is_off(t) ||
	    !type_bind_inside(
		t, "{tcp: \"127.0.0.1:80\", interval: 10s}, or off"))
		return;
	for (i = 0; i < ARRAY_LEN(modes); i++) {
		n = node_get(t->n, schema_keys[modes[i].id].name);
		if (n == NULL)
			continue;
		if (first != NULL) {
			diag_error(diag_of(t), n->key,
			    "health of %s has both %s and %s; give one of them",
			    t->ld->who, first->key->text, n->key->text);
			return;
		}
		first = n;
		b->w.health.mode = modes[i].mode;
	}
	if (first == NULL)
		diag_error(diag_of(t), t->n,
		    "health of %s does not say whom to ask; add one "
		    "of " HEALTH_FORMS,
		    t->ld->who);
	b->w.spec.health = b->health;
}
