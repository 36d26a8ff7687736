/* SPDX-License-Identifier: ISC */
#include "ctl/print_config.h"

#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/table.h"
#include "ctl/text.h"

#include <string.h>

/* Ages stand right-aligned, so the table is given padded cells. */
int
print_steps(FILE *out, const json_t *result)
{
	cleanup_(table_freep) struct table *t = table_new(3);
	cleanup_(freep) char *summary =
	    text_escape(ctl_str(result, "summary", ""));
	const json_t *steps = json_object_get(result, "steps");
	char age[TEXT_MAX];
	int widest = 0, r;

	if (summary == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *s = json_array_get(steps, i);
		int len = (int)strlen(
		    text_age(ctl_int(s, "at_ns", 0), age, sizeof(age)));

		widest = len > widest ? len : widest;
	}
	for (size_t i = 0; i < json_array_size(steps); i++) {
		const json_t *s = json_array_get(steps, i);

		text_age(ctl_int(s, "at_ns", 0), age, sizeof(age));
		table_cellf(t, COLOR_NONE, "%*s+%s", widest - (int)strlen(age),
		    "", age);
		table_cell(
		    t, COLOR_NONE, text_short_path(ctl_str(s, "path", "-")));
		table_cell(t, COLOR_NONE, ctl_str(s, "text", ""));
	}
	r = table_print(t, out, false);
	if (r == 0)
		fprintf(out, "%s\n", summary);
	return r;
}

/* ---- what is different ----------------------------------------------------
 */

#define NAMES_MAX 8 /* in one line */

static bool
is_what(const json_t *change, const char *what)
{
	return strcmp(ctl_str(change, "change", ""), what) == 0;
}

static const char *
path_of(const json_t *change)
{
	return text_short_path(ctl_str(change, "path", "-"));
}

/* A place without the directory that it shares with the whole file. */
static const char *
short_origin(const char *origin, const char *file)
{
	const char *slash = file != NULL ? strrchr(file, '/') : NULL;
	size_t len = slash != NULL ? (size_t)(slash - file) + 1 : 0;

	return len > 1 && strncmp(origin, file, len) == 0 ? origin + len
	                                                  : origin;
}

static void
cell_key(struct table *t, const json_t *change, const char *file)
{
	const char *origin = ctl_str(change, "origin", NULL);

	table_cellf(t, COLOR_NONE, "%s: %s -> %s%s%s%s",
	    ctl_str(change, "key", "-"), ctl_str(change, "old", "none"),
	    ctl_str(change, "new", "none"), origin != NULL ? "  (" : "",
	    origin != NULL ? short_origin(origin, file) : "",
	    origin != NULL ? ")" : "");
}

static void
cell_change(struct table *t, const json_t *change, const char *file)
{
	const char *behind = ctl_str(change, "behind", NULL);

	if (is_what(change, "key"))
		cell_key(t, change, file);
	else if (is_what(change, "added"))
		table_cellf(t, COLOR_NONE, "new %s  (%s)",
		    ctl_str(change, "type", "child"),
		    short_origin(ctl_str(change, "origin", "-"), file));
	else if (is_what(change, "removed"))
		table_cellf(t, COLOR_NONE, "%s, not in the file any more",
		    ctl_str(change, "type", "child"));
	else if (behind == NULL)
		table_cell(t, COLOR_NONE, "moved to the front");
	else
		table_cellf(
		    t, COLOR_NONE, "moved behind %s", text_short_path(behind));
}

static const char *
mark_of(const json_t *change)
{
	if (is_what(change, "added"))
		return "+";
	if (is_what(change, "removed"))
		return "-";
	return is_what(change, "key") || is_what(change, "moved") ? "~" : NULL;
}

/* Each path once, with all that is said of it. */
static int
print_differences(FILE *out, const json_t *changes, const char *file)
{
	cleanup_(table_freep) struct table *t = table_new(3);
	const char *last = NULL;

	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *c = json_array_get(changes, i);
		const char *mark = mark_of(c), *path = path_of(c);
		bool same = last != NULL && strcmp(last, path) == 0;

		if (mark == NULL)
			continue;
		table_cell(t, COLOR_NONE, same && *mark == '~' ? "" : mark);
		table_cell(t, COLOR_NONE, same && *mark == '~' ? "" : path);
		cell_change(t, c, file);
		last = path;
	}
	return table_print(t, out, false);
}

/* ---- what follows ---------------------------------------------------------
 */

/* Names in one line, not too many. */
struct names {
	struct buf text;
	size_t n;
};

static void
name_add(struct names *l, const char *path)
{
	if (l->n++ < NAMES_MAX)
		buf_printf(&l->text, "%s%s", l->n > 1 ? ", " : "", path);
}

static void
name_finish(struct names *l)
{
	if (l->n > NAMES_MAX)
		buf_printf(&l->text, " and %zu more", l->n - NAMES_MAX);
}

static bool
is_below(const char *path, const char *top)
{
	size_t len = strlen(top);

	return strncmp(path, top, len) == 0 && path[len] == '/';
}

static bool
are_siblings(const char *a, const char *b)
{
	const char *sa = strrchr(a, '/'), *sb = strrchr(b, '/');

	return sa != NULL && sb != NULL && sa - a == sb - b &&
	       strncmp(a, b, (size_t)(sa - a)) == 0;
}

static int
print_line(FILE *out, const char *before, struct names *l, const char *after)
{
	cleanup_(freep) char *safe = NULL;

	name_finish(l);
	safe = l->text.failed ? NULL : text_escape(buf_str(&l->text));
	if (safe != NULL)
		fprintf(out, "%s%s%s\n", before, safe, after);
	return safe != NULL ? 0 : -ENOMEM;
}

/* Who restarts because of this one, in the order of the starts. */
static const char *
companions(const json_t *changes, const char *because, struct names *l)
{
	const char *strategy = NULL;

	for (size_t i = json_array_size(changes); i > 0; i--) {
		const json_t *c = json_array_get(changes, i - 1);

		if (!is_what(c, "restart") ||
		    strcmp(ctl_str(c, "because", ""), because) != 0)
			continue;
		strategy = ctl_str(c, "strategy", "-");
		if (are_siblings(ctl_str(c, "path", ""), because))
			name_add(l, path_of(c));
	}
	return strategy;
}

/* "would restart db, and web, api after it (rest_for_one)" */
static int
print_group(FILE *out, const json_t *changes, const json_t *change,
    const char *tense, bool *ret_alone)
{
	struct names l = { 0 };
	cleanup_(buf_fini) struct buf before = { 0 }, after = { 0 };
	const char *strategy =
	    companions(changes, ctl_str(change, "path", ""), &l);
	bool rest = strategy != NULL && strcmp(strategy, "rest_for_one") == 0;
	int r = 0;

	*ret_alone = strategy == NULL;
	if (strategy != NULL) {
		buf_printf(
		    &before, "%s restart %s, and ", tense, path_of(change));
		buf_printf(
		    &after, " %s it (%s)", rest ? "after" : "with", strategy);
		r = print_line(out, buf_str(&before), &l, buf_str(&after));
	}
	buf_fini(&l.text);
	return r;
}

/* All of one kind that nobody above or beside explains. */
static int
print_kind(
    FILE *out, const json_t *changes, const char *what, const char *tense)
{
	struct names l = { 0 };
	cleanup_(buf_fini) struct buf before = { 0 };
	const char *top = NULL;
	bool alone = true;
	int r = 0;

	for (size_t i = 0; i < json_array_size(changes) && r == 0; i++) {
		const json_t *c = json_array_get(changes, i);
		const char *path = ctl_str(c, "path", "-");

		if (!is_what(c, what) || (top != NULL && is_below(path, top)))
			continue;
		if (strcmp(ctl_str(c, "type", ""), "supervisor") == 0)
			top = path;
		if (ctl_str(c, "because", NULL) != NULL)
			continue;
		r = print_group(out, changes, c, tense, &alone);
		if (alone)
			name_add(&l, path_of(c));
	}
	buf_printf(&before, "%s %s ", tense, what);
	if (r == 0 && l.n > 0)
		r = print_line(out, buf_str(&before), &l, "");
	buf_fini(&l.text);
	return r;
}

static int
print_to_do(FILE *out, const json_t *changes, enum print_changes how)
{
	const char *tense = how == PRINT_BEGUN   ? "will"
	                    : how == PRINT_TAKEN ? "supctl apply would"
	                                         : "would";
	int r = print_kind(out, changes, "stop", tense);

	if (r == 0)
		r = print_kind(out, changes, "restart", tense);
	if (r == 0)
		r = print_kind(out, changes, "start", tense);
	return r;
}

/* "db: restarted, pid 12"; what has failed is told by the error. */
static int
print_done(FILE *out, const json_t *changes)
{
	static const char *const what[][2] = { { "stop", NULL },
		{ "start", "started" }, { "restart", "restarted" } };

	for (size_t i = 0; i < json_array_size(changes); i++) {
		const json_t *c = json_array_get(changes, i);
		cleanup_(freep) char *path = text_escape(path_of(c));
		cleanup_(freep) char *text =
		    text_escape(ctl_str(c, "text", ""));

		if (path == NULL || text == NULL)
			return -ENOMEM;
		if (strcmp(ctl_str(c, "result", ""), "ok") != 0 ||
		    strcmp(ctl_str(c, "type", ""), "worker") != 0)
			continue;
		for (size_t k = 0; k < ARRAY_LEN(what); k++)
			if (is_what(c, what[k][0]))
				fprintf(out, "%s: %s%s%s\n", path,
				    what[k][1] != NULL ? what[k][1] : "",
				    what[k][1] != NULL && *text != '\0' ? ", "
									: "",
				    text);
	}
	return 0;
}

int
print_changes(FILE *out, const json_t *result, enum print_changes how)
{
	const json_t *changes = json_object_get(result, "changes");
	size_t n = json_array_size(changes);
	const json_t *last = n > 0 ? json_array_get(changes, n - 1) : NULL;
	int r;

	if (n == 0) {
		fprintf(out, "no changes\n");
		return 0;
	}
	r = print_differences(out, changes, ctl_str(result, "file", NULL));
	if (r == 0 && how == PRINT_DONE)
		r = print_done(out, changes);
	else if (r == 0)
		r = print_to_do(out, changes, how);
	if (r == 0 && is_what(last, "more"))
		fprintf(out, "and %" JSON_INTEGER_FORMAT " more\n",
		    (json_int_t)ctl_int(last, "n", 0));
	return r;
}
