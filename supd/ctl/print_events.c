/* SPDX-License-Identifier: ISC */
#include "ctl/print_events.h"

#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/print_status.h"
#include "ctl/table.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>

void
print_event(FILE *out, const json_t *event, int64_t wall_ns)
{
	char time[TEXT_MAX];
	int64_t at = ctl_int(event, "time_ns", 0);
	cleanup_(freep) char *path =
	    text_escape(text_short_path(ctl_str(event, "path", "-")));
	cleanup_(freep) char *kind = text_escape(ctl_str(event, "kind", "-"));
	cleanup_(freep) char *text = text_escape(ctl_str(event, "text", ""));

	if (path == NULL || kind == NULL || text == NULL)
		return;
	fprintf(out, "%s  %-16s  %-13s",
	    text_time(at, wall_ns, time, sizeof(time)), path, kind);
	fprintf(out, "%s%s\n", text[0] != '\0' ? "  " : "", text);
}

void
print_lost(FILE *out, int64_t n, const char *what)
{
	if (n > 0)
		fprintf(out, "-- %" PRId64 " %s%s lost --\n", n, what,
		    n == 1 ? "" : "s");
}

void
print_log_line(FILE *out, const json_t *line, int64_t wall_ns)
{
	const char *stamp = ctl_str(line, "time", NULL);
	cleanup_(freep) char *text = text_escape(ctl_str(line, "text", ""));
	char time[TEXT_MAX];
	int64_t at;

	if (text == NULL)
		return;
	print_lost(out, ctl_int(line, "lost", 0), "line");
	if (stamp != NULL && text_parse_time(stamp, &at))
		fprintf(
		    out, "%s  ", text_time(at, wall_ns, time, sizeof(time)));
	fprintf(out, "%s\n", text);
}

static const char *
last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The newest event of the story about `path` of one of these kinds. */
static const json_t *
newest(const json_t *story, const char *path, const char *const *kinds)
{
	for (size_t i = json_array_size(story); i-- > 0;) {
		const json_t *e = json_array_get(story, i);

		if (strcmp(ctl_str(e, "path", ""), path) != 0)
			continue;
		for (size_t k = 0; kinds[k] != NULL; k++)
			if (strcmp(ctl_str(e, "kind", ""), kinds[k]) == 0)
				return e;
	}
	return NULL;
}

static const json_t *
by_seq(const json_t *story, int64_t seq)
{
	for (size_t i = 0; i < json_array_size(story); i++) {
		const json_t *e = json_array_get(story, i);

		if (seq > 0 && ctl_int(e, "seq", 0) == seq)
			return e;
	}
	return NULL;
}

/* What there is to say of a child that is not running. */
static void
headline_down(
    struct buf *b, const char *name, const char *word, const json_t *node)
{
	char ago[TEXT_MAX];
	const char *last = ctl_str(node, "last_exit", NULL);
	int64_t since = ctl_int(node, "last_exit_ago_ns", -1);

	if (strcmp(ctl_str(node, "desired", "up"), "down") == 0)
		buf_printf(
		    b, "%s is %s because an operator stopped it", name, word);
	else
		buf_printf(b, "%s is %s", name, word);
	if (last != NULL)
		buf_printf(b, "; it ended with %s", last);
	if (last != NULL && since >= 0)
		buf_printf(
		    b, " %s ago", text_duration(since, ago, sizeof(ago)));
}

static void
headline(struct buf *b, const char *path, const json_t *story,
    const json_t *node, mono_t now)
{
	static const char *const starts[] = { "starting", "started", "ready",
		NULL };
	const char *name = last_name(path);
	const char *word = node != NULL ? print_state_word(node) : "-";
	const json_t *start = newest(story, path, starts);
	const json_t *cause =
	    start != NULL ? by_seq(story, ctl_int(start, "cause", 0)) : NULL;
	char ago[TEXT_MAX];

	if (node != NULL &&
	    (strcmp(word, "stopped") == 0 || strcmp(word, "failed") == 0 ||
		strcmp(word, "waiting") == 0 || strcmp(word, "disabled") == 0 ||
		strcmp(word, "ended") == 0)) {
		headline_down(b, name, word, node);
		return;
	}
	if (cause != NULL) {
		bool own = strcmp(ctl_str(cause, "path", ""), path) == 0;

		buf_printf(b, "%s restarted %s ago, %sthrough its own failure",
		    name,
		    text_duration(now.ns - ctl_int(cause, "mono_ns", now.ns),
			ago, sizeof(ago)),
		    own ? "" : "not ");
		return;
	}
	if (node == NULL) {
		buf_printf(b, "%s: its state is unknown", name);
		return;
	}
	buf_printf(b, "%s has been %s for %s", name, word,
	    text_duration(ctl_int(node, "since_ns", 0), ago, sizeof(ago)));
	if (ctl_int(node, "restarts", 0) > 0)
		buf_printf(b, "; restarted %" PRId64 " times",
		    ctl_int(node, "restarts", 0));
	else
		buf_puts(b, "; nothing has gone wrong");
}

/* Ages stand right-aligned, so the table is given padded cells. */
static int
print_story(FILE *out, const json_t *story, mono_t now)
{
	cleanup_(table_freep) struct table *t = table_new(3);
	char age[TEXT_MAX];
	int widest = 0;

	for (size_t i = 0; i < json_array_size(story); i++) {
		const json_t *e = json_array_get(story, i);
		int64_t ns = now.ns - ctl_int(e, "mono_ns", now.ns);
		int len = (int)strlen(text_age(ns, age, sizeof(age)));

		widest = len > widest ? len : widest;
	}
	for (size_t i = 0; i < json_array_size(story); i++) {
		const json_t *e = json_array_get(story, i);
		int64_t ns = now.ns - ctl_int(e, "mono_ns", now.ns);

		table_cellf(t, COLOR_NONE, "  %*s", widest,
		    text_age(ns, age, sizeof(age)));
		table_cell(
		    t, COLOR_NONE, text_short_path(ctl_str(e, "path", "-")));
		table_cell(t, COLOR_NONE, ctl_str(e, "text", "-"));
	}
	return table_print(t, out, false);
}

int
print_why(FILE *out, const json_t *why, const json_t *node, mono_t now)
{
	const json_t *story = json_object_get(why, "story");
	const json_t *output = json_object_get(why, "last_output");
	const char *said = ctl_str(why, "headline", "");
	cleanup_(buf_fini) struct buf head = { 0 };
	cleanup_(freep) char *safe = NULL;
	int r;

	if (said[0] != '\0')
		buf_puts(&head, said);
	else
		headline(&head, ctl_str(why, "path", "-"), story, node, now);
	safe = text_escape(buf_str(&head));
	if (head.failed || safe == NULL)
		return -ENOMEM;
	fprintf(out, "%s\n", safe);
	r = print_story(out, story, now);
	if (r < 0)
		return r;
	if (json_array_size(output) > 0)
		fprintf(out, "last output:\n");
	for (size_t i = 0; i < json_array_size(output); i++) {
		const char *line = json_string_value(json_array_get(output, i));
		cleanup_(freep) char *text =
		    text_escape(line != NULL ? line : "");

		if (text == NULL)
			return -ENOMEM;
		fprintf(out, "  %s\n", text);
	}
	return 0;
}
