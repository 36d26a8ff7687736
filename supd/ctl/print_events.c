/* SPDX-License-Identifier: ISC */
#include "ctl/print_events.h"

#include "ctl/ctl.h"
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
	text_time(at, wall_ns, time, sizeof(time));
	if (text[0] != '\0')
		fprintf(out, "%s  %-16s  %-13s  %s\n", time, path, kind, text);
	else
		fprintf(out, "%s  %-16s  %s\n", time, path, kind);
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

/*
 * What happened, in words: some kinds say it all in their text, to others the
 * text only adds ("starting, pid 42"), to one it belongs ("waiting 5s ...").
 */
static void
cell_story(struct table *t, const json_t *event)
{
	static const char *const bare[] = { "starting", "ready", "stopping",
		"signal", "added", "removed", "waiting" };
	const char *kind = ctl_str(event, "kind", "-");
	const char *text = ctl_str(event, "text", "");
	const char *sep = strcmp(kind, "waiting") == 0 ? " " : ", ";
	bool say_kind = text[0] == '\0';

	for (size_t i = 0; i < ARRAY_LEN(bare); i++)
		say_kind = say_kind || strcmp(kind, bare[i]) == 0;
	table_cellf(t, COLOR_NONE, "%s%s%s", say_kind ? kind : "",
	    say_kind && text[0] != '\0' ? sep : "", text);
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
		cell_story(t, e);
	}
	return table_print(t, out, false);
}

int
print_why(FILE *out, const json_t *why, mono_t now)
{
	const json_t *story = json_object_get(why, "story");
	const json_t *output = json_object_get(why, "last_output");
	cleanup_(freep) char *head =
	    text_escape(ctl_str(why, "headline", ctl_str(why, "path", "-")));
	int r;

	if (head == NULL)
		return -ENOMEM;
	fprintf(out, "%s\n", head);
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
