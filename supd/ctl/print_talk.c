/* SPDX-License-Identifier: ISC */
#include "ctl/print_talk.h"

#include "ctl/ctl.h"
#include "ctl/print_events.h"
#include "ctl/table.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>

/* Texts as they are, everything else as JSON; the caller's. */
static char *
value_text(const json_t *v)
{
	if (json_is_null(v))
		return strdup("-");
	if (json_is_boolean(v))
		return strdup(json_is_true(v) ? "yes" : "no");
	if (json_is_string(v))
		return strdup(json_string_value(v));
	return json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
}

static void
add_value(struct table *t, const char *outer, const char *key, const json_t *v)
{
	cleanup_(freep) char *text = value_text(v);

	if (outer != NULL)
		table_cellf(t, COLOR_NONE, "%s.%s", outer, key);
	else
		table_cell(t, COLOR_NONE, key);
	table_cell(t, COLOR_NONE, text != NULL ? text : "?");
}

static void
add_values(struct table *t, const char *outer, const json_t *o)
{
	/* jansson iterates without changing the object. */
	json_t *map = (json_t *)(uintptr_t)o;

	for (void *it = json_object_iter(map); it != NULL;
	     it = json_object_iter_next(map, it)) {
		const char *key = json_object_iter_key(it);
		const json_t *v = json_object_iter_value(it);

		if (outer == NULL && json_is_object(v))
			add_values(t, key, v);
		else
			add_value(t, outer, key, v);
	}
}

int
print_info(FILE *out, const json_t *info)
{
	cleanup_(table_freep) struct table *t = table_new(2);

	table_cell(t, COLOR_NONE, "KEY");
	table_cell(t, COLOR_NONE, "VALUE");
	add_values(t, NULL, info);
	return table_print(t, out, false);
}

/* With a space before it, nothing for null. */
static void
put_value(FILE *out, const char *before, const json_t *v)
{
	cleanup_(freep) char *text = v != NULL ? value_text(v) : NULL;
	cleanup_(freep) char *safe = text != NULL ? text_escape(text) : NULL;

	if (safe != NULL)
		fprintf(out, "%s%s", before, safe);
}

void
print_traced(FILE *out, const json_t *record)
{
	const json_t *m = json_object_get(record, "trace");
	const json_t *body = json_object_get(m, "body");
	cleanup_(freep) char *dir = text_escape(ctl_str(m, "dir", "?"));
	cleanup_(freep) char *kind = text_escape(ctl_str(m, "kind", ""));
	cleanup_(freep) char *json = NULL;

	print_lost(
	    out, ctl_int(record, "lost", 0) + ctl_int(m, "lost", 0), "message");
	if (dir == NULL || kind == NULL)
		return;
	fprintf(out, "%-5s", dir);
	if (kind[0] == '\0') {
		put_value(out, " ", json_object_get(m, "pid"));
		put_value(out, "  ", json_object_get(m, "reason"));
	} else {
		fprintf(out, " %-5s", kind);
		put_value(out, " ", json_object_get(m, "from"));
		put_value(out, " -> ", json_object_get(m, "to"));
		if (body != NULL) {
			json = json_dumps(body,
			    JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
			fprintf(out, "  %s", json != NULL ? json : "?");
		} else
			fprintf(
			    out, "  %" PRId64 " bytes", ctl_int(m, "len", 0));
	}
	fputc('\n', out);
}
