/* SPDX-License-Identifier: ISC */
/*
 * conform core|supd [@many|@few|PART]: run the cases on that rig, TAP on
 * stdout: those with thousands of children, all others, or those that have
 * PART in their names.
 */
#include "conform.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TEXTS    64
#define TEXT_LEN 4096
#define N_NODES  512

static const struct suite *const suites[] = {
	&suite_otp_start,
	&suite_otp_stop,
	&suite_otp_types,
	&suite_otp_restart,
	&suite_otp_hanging,
	&suite_otp_significant,
	&suite_otp_tree,
	&suite_otp_specs,
	&suite_otp_scale,
	&suite_otp_reload,
	&suite_elixir_supervisor,
	&suite_elixir_dynamic,
};

const struct rig *rig;

static struct {
	jmp_buf out;
	char trouble[8192];
	struct happening *log;
	size_t n_log, cap_log, since;
	struct buf sight;
	int calling;
} c;

static char *
text_room(void)
{
	static char texts[TEXTS][TEXT_LEN];
	static unsigned next;

	return texts[next++ % TEXTS];
}

/* ---- texts ---------------------------------------------------------------
 */

const char *
worker_as(const char *name, const char *words, const char *keys)
{
	char *t = text_room();

	snprintf(t, TEXT_LEN,
	    "{worker: %s, command: \"mole serve %s\", ready: notify%s%s}", name,
	    words, *keys != '\0' ? ", " : "", keys);
	return t;
}

const char *
worker(const char *name, const char *keys)
{
	return worker_as(name, "", keys);
}

const char *
tree(const char *name, const char *keys, ...)
{
	char *t = text_room();
	const char *child, *comma = "";
	va_list ap;
	int n;

	n = snprintf(t, TEXT_LEN, "{supervisor: %s%s%s%s, children: [", name,
	    strcmp(name, SUP) == 0 ? ", restart: transient" : "",
	    *keys != '\0' ? ", " : "", keys);
	va_start(ap, keys);
	while ((child = va_arg(ap, const char *)) != NULL) {
		n +=
		    snprintf(t + n, TEXT_LEN - (size_t)n, "%s%s", comma, child);
		comma = ", ";
	}
	va_end(ap);
	snprintf(t + n, TEXT_LEN - (size_t)n, "]}");
	return t;
}

const char *
pool(
    const char *name, const char *sup_keys, const char *words, const char *keys)
{
	char *t = text_room();

	snprintf(t, TEXT_LEN,
	    "{supervisor: %s%s, strategy: simple_one_for_one%s%s, "
	    "template: {command: \"mole serve %s\", ready: notify%s%s}}",
	    name, strcmp(name, SUP) == 0 ? ", restart: transient" : "",
	    *sup_keys != '\0' ? ", " : "", sup_keys, words,
	    *keys != '\0' ? ", " : "", keys);
	return t;
}

void
full_path(const char *path, char *buf, size_t len)
{
	if (path[0] == '/')
		snprintf(buf, len, "root%s", path[1] != '\0' ? path : "");
	else
		snprintf(buf, len, "root/" SUP "%s%s",
		    path[0] != '\0' ? "/" : "", path);
}

const char *
short_path(const char *full)
{
	static const char sup[] = "root/" SUP;
	size_t n = sizeof(sup) - 1;

	if (strncmp(full, sup, n) == 0 && (full[n] == '\0' || full[n] == '/'))
		return full[n] == '/' ? full + n + 1 : "";
	return strchr(full, '/') != NULL ? strchr(full, '/') : "/";
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* False when it is no use to wait longer. */
static bool
patient(int64_t since_ms)
{
	if (on_core() || now_ms() - since_ms > PATIENCE_MS)
		return false;
	rig->pause();
	return true;
}

/* ---- what has happened ---------------------------------------------------
 */

/* The words of supd's reports as the terms of OTP. */
static const char *
term_of(const char *text)
{
	static const struct {
		const char *begin, *term;
	} terms[] = {
		{ "exit 0", "normal" },
		{ "SIGTERM", "shutdown" },
		{ "stopped", "shutdown" },
		{ "shutdown", "shutdown" },
		{ "gave up", "gave_up" },
		{ "auto-shutdown", "auto_shutdown" },
		{ "SIGKILL", "killed" },
		{ "killed", "killed" },
	};

	for (size_t i = 0; i < ARRAY_LEN(terms); i++)
		if (strncmp(text, terms[i].begin, strlen(terms[i].begin)) == 0)
			return terms[i].term;
	return text;
}

void
happened(const char *kind, const char *path, uint64_t inc, const char *text)
{
	struct happening *h;

	if (c.n_log == c.cap_log) {
		c.cap_log = c.cap_log > 0 ? c.cap_log * 2 : 256;
		c.log = realloc(c.log, c.cap_log * sizeof(*c.log));
		if (c.log == NULL)
			abort();
	}
	h = &c.log[c.n_log++];
	*h = (struct happening){ .inc = inc };
	text = term_of(text);
	snprintf(h->kind, sizeof(h->kind), "%s", kind);
	snprintf(h->path, sizeof(h->path), "%s", path);
	snprintf(
	    h->text, sizeof(h->text), "%.*s", (int)strcspn(text, ","), text);
}

const struct happening *
happenings(size_t *ret_n)
{
	*ret_n = c.n_log;
	return c.log;
}

void
remember(void)
{
	rig->pull();
	c.since = c.n_log;
}

int
times(const char *kind, const char *path)
{
	int n = 0;

	rig->pull();
	for (size_t i = c.since; i < c.n_log; i++)
		n += strcmp(c.log[i].kind, kind) == 0 &&
		     (strcmp(path, "*") == 0 ||
			 strcmp(c.log[i].path, path) == 0);
	return n;
}

void
conform_times(
    const char *file, int line, const char *kind, const char *path, int want)
{
	int64_t since = now_ms();
	int n;

	while ((n = times(kind, path)) != want)
		if (n > want || !patient(since))
			conform_fail(file, line,
			    "\"%s\" of \"%s\" has happened %d times, not %d",
			    kind, path, n, want);
}

/* ---- sights --------------------------------------------------------------
 */

static struct buf *
blank(void)
{
	buf_fini(&c.sight);
	return &c.sight;
}

static void
which_one(void *ctx, const char *name, const char *state)
{
	struct buf *b = ctx;

	buf_printf(b, "%s%s=%s", b->len > 0 ? " " : "", name, state);
}

const char *
sight_which(const char *path)
{
	struct buf *b = blank();

	rig->children(path, which_one, b);
	return buf_str(b);
}

const char *
sight_state(const char *path)
{
	return rig->state(path);
}

const char *
sight_counts(const char *path)
{
	struct counts n = rig->counts(path);
	struct buf *b = blank();

	buf_printf(
	    b, "%d %d %d %d", n.specs, n.active, n.supervisors, n.workers);
	return buf_str(b);
}

const char *
sight_ended(const char *path)
{
	const char *last = "none";

	rig->pull();
	for (size_t i = 0; i < c.n_log; i++) {
		const struct happening *h = &c.log[i];

		if (strcmp(h->path, path) == 0 &&
		    (strcmp(h->kind, "exited") == 0 ||
			strcmp(h->kind, "ended") == 0 ||
			strcmp(h->kind, "stopped") == 0))
			last = h->text;
	}
	return last;
}

const char *
sight_story(const char *unused)
{
	struct buf *b = blank();

	(void)unused;
	rig->pull();
	for (size_t i = c.since; i < c.n_log; i++) {
		const struct happening *h = &c.log[i];
		const char *base = strrchr(h->path, '/');
		bool start = strcmp(h->kind, "starting") == 0;

		/* Supervisors have no process. */
		if (h->text[0] == '\0' ||
		    (!start && strcmp(h->kind, "stopping") != 0))
			continue;
		buf_printf(b, "%s%s %s", b->len > 0 ? ", " : "",
		    start ? "start" : "stop",
		    base != NULL ? base + 1 : h->path);
	}
	return buf_str(b);
}

const char *
sight_call(const char *unused)
{
	(void)unused;
	return rig->end_call(c.calling);
}

const char *
story(void)
{
	return sight_story("");
}

/* ---- what must be so -----------------------------------------------------
 */

void
conform_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	va_list ap;
	int n;

	n = snprintf(c.trouble, sizeof(c.trouble),
	    "%s:%d: ", base != NULL ? base + 1 : file, line);
	va_start(ap, fmt);
	vsnprintf(c.trouble + n, sizeof(c.trouble) - (size_t)n, fmt, ap);
	va_end(ap);
	longjmp(c.out, 1);
}

void
conform_term(const char *file, int line, const char *what, const char *got,
    const char *want)
{
	if (strcmp(got, want) != 0)
		conform_fail(
		    file, line, "%s is \"%s\", not \"%s\"", what, got, want);
}

void
conform_wait(const char *file, int line, const char *what,
    const char *(*get)(const char *arg), const char *arg, const char *want)
{
	int64_t since = now_ms();

	while (strcmp(get(arg), want) != 0)
		if (!patient(since))
			conform_fail(file, line,
			    "%s of \"%s\" is \"%s\", not "
			    "\"%s\"",
			    what, arg, get(arg), want);
}

/* ---- what a case does ----------------------------------------------------
 */

bool
on_core(void)
{
	return rig == &rig_core;
}

const char *
start_link(const char *text)
{
	if (strcmp(rig->state(""), "none") != 0) {
		rig->terminate_child("");
		rig->delete_child("");
	}
	return rig->start_child("/", text);
}

const char *
start_tree(const char *text)
{
	return rig->start_tree(text);
}

const char *
reload(const char *text)
{
	return rig->reload(text);
}

const char *
start_child(const char *path, const char *spec)
{
	return rig->start_child(path, spec);
}

const char *
terminate_child(const char *path)
{
	return rig->terminate_child(path);
}

const char *
restart_child(const char *path)
{
	return rig->restart_child(path);
}

const char *
delete_child(const char *path)
{
	return rig->delete_child(path);
}

void
begin_terminate(const char *path)
{
	c.calling = rig->begin_call(TERMINATE_CHILD, path, NULL);
}

void
begin_start(const char *path)
{
	c.calling = rig->begin_call(START_CHILD, path, "[]");
}

void
gate(const char *name, const char *tokens)
{
	rig->gate(name, tokens);
}

uint64_t
pid_of(const char *path)
{
	EXPECT_STATE(path, "running");
	return rig->incarnation(path);
}

bool
runs_as(const char *path, uint64_t pid)
{
	return strcmp(rig->state(path), "running") == 0 &&
	       rig->incarnation(path) == pid;
}

/* Has that start come to its end?  Its supervisor decided at once. */
static bool
has_ended(const char *path, uint64_t inc)
{
	rig->pull();
	for (size_t i = c.n_log; i-- > 0;) {
		const struct happening *h = &c.log[i];

		if (h->inc == inc && strcmp(h->path, path) == 0 &&
		    (strcmp(h->kind, "exited") == 0 ||
			strcmp(h->kind, "stopped") == 0))
			return true;
	}
	return false;
}

static void
await_end(const char *path, uint64_t inc)
{
	int64_t since = now_ms();

	while (!has_ended(path, inc))
		if (!patient(since))
			conform_fail(__FILE__, __LINE__,
			    "\"%s\" was to end, but has not", path);
}

void
die(const char *path, enum how how)
{
	uint64_t inc = pid_of(path);

	rig->kill(path, how);
	await_end(path, inc);
}

void
die_together(enum how how, ...)
{
	uint64_t inc[16];
	const char *path;
	size_t n = 0;
	va_list ap;

	va_start(ap, how);
	while ((path = va_arg(ap, const char *)) != NULL)
		inc[n++] = pid_of(path);
	va_end(ap);
	va_start(ap, how);
	while ((path = va_arg(ap, const char *)) != NULL)
		rig->kill(path, how);
	va_end(ap);
	n = 0;
	va_start(ap, how);
	while ((path = va_arg(ap, const char *)) != NULL)
		await_end(path, inc[n++]);
	va_end(ap);
}

/* ---- all of them ---------------------------------------------------------
 */

static void
tell_trouble(void)
{
	for (char *line = strtok(c.trouble, "\n"); line != NULL;
	     line = strtok(NULL, "\n"))
		printf("# %s\n", line);
	for (size_t i = c.n_log > 40 ? c.n_log - 40 : 0; i < c.n_log; i++)
		printf("#   %s %s %llu %s\n", c.log[i].kind, c.log[i].path,
		    (unsigned long long)c.log[i].inc, c.log[i].text);
}

static bool
run_case(const struct conform_case *k)
{
	volatile bool ok = false;

	c.n_log = c.since = 0;
	if (setjmp(c.out) == 0) {
		rig->begin(k->n_nodes > 0 ? k->n_nodes : N_NODES);
		rig->pull();
		c.n_log = 0;
		k->run();
		ok = true;
	}
	rig->end(!ok);
	return ok;
}

/* Is that case asked for? */
static bool
chosen(const struct suite *s, const char *name, const char *only)
{
	if (strcmp(only, "@many") == 0)
		return s == &suite_otp_scale;
	if (strcmp(only, "@few") == 0)
		return s != &suite_otp_scale;
	return strstr(name, only) != NULL;
}

int
main(int argc, char **argv)
{
	unsigned on =
	    argc > 1 && strcmp(argv[1], "core") == 0 ? ON_CORE : ON_SUPD;
	const char *only = argc > 2 ? argv[2] : "";
	int n = 0, bad = 0;
	char name[160];

	setlinebuf(stdout);
	rig = on == ON_CORE ? &rig_core : &rig_supd;
	if (!rig->open())
		return 1;
	for (size_t s = 0; s < ARRAY_LEN(suites); s++) {
		for (size_t i = 0; i < suites[s]->n; i++) {
			const struct conform_case *k = &suites[s]->cases[i];
			bool ok;

			snprintf(name, sizeof(name), "%s: %s", suites[s]->name,
			    k->name);
			if ((k->on & on) == 0 || !chosen(suites[s], name, only))
				continue;
			ok = run_case(k);
			printf("%s %d - %s [%s]\n", ok ? "ok" : "not ok", ++n,
			    name, rig->name);
			bad += !ok;
			if (!ok)
				tell_trouble();
		}
	}
	if (!rig->close()) {
		printf("not ok %d - nothing is left behind [%s]\n", ++n,
		    rig->name);
		bad++;
	}
	printf("1..%d\n", n);
	free(c.log);
	buf_fini(&c.sight);
	return bad > 0;
}
