/* SPDX-License-Identifier: ISC */
#include "ctl/print_status.h"

#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/text.h"

#include <inttypes.h>
#include <string.h>

#define DEPTH_MAX 64 /* config.md: depth <= 32 */

/*
 * Ends after which nobody has to be called, in the words of core/reason.c:
 * normal ones, and those that supd itself brought about.
 */
static bool
clean_end(const char *last_exit)
{
	static const char *const whole[] = { "exit 0", "shutdown", "stopped",
		"auto-shutdown", "killed by supd" };
	static const char *const begin[] = { "normal", "stopped " };

	for (size_t i = 0; i < ARRAY_LEN(whole); i++)
		if (strcmp(last_exit, whole[i]) == 0)
			return true;
	for (size_t i = 0; i < ARRAY_LEN(begin); i++)
		if (strncmp(last_exit, begin[i], strlen(begin[i])) == 0)
			return true;
	return false;
}

const char *
print_state_word(const json_t *node)
{
	const char *state = ctl_str(node, "state", "-");
	const char *last = ctl_str(node, "last_exit", NULL);

	if (strcmp(state, "stopped") != 0 ||
	    strcmp(ctl_str(node, "desired", "up"), "up") != 0)
		return state;
	if (json_is_false(json_object_get(node, "enabled")))
		return "disabled";
	return last != NULL && !clean_end(last) ? "failed" : state;
}

enum table_color
print_state_color(const char *word)
{
	static const struct {
		const char *word;
		enum table_color color;
	} colors[] = {
		{ "ready", COLOR_GREEN },
		{ "up", COLOR_GREEN },
		{ "starting", COLOR_YELLOW },
		{ "stopping", COLOR_YELLOW },
		{ "waiting", COLOR_YELLOW },
		{ "ended", COLOR_YELLOW },
		{ "failed", COLOR_RED },
	};

	for (size_t i = 0; i < ARRAY_LEN(colors); i++)
		if (strcmp(colors[i].word, word) == 0)
			return colors[i].color;
	return COLOR_NONE;
}

bool
print_is_sup(const json_t *node)
{
	return strcmp(ctl_str(node, "type", ""), "supervisor") == 0;
}

static void
cell_int(struct table *t, const json_t *node, const char *key)
{
	const json_t *v = json_object_get(node, key);

	if (json_is_integer(v))
		table_cellf(
		    t, COLOR_NONE, "%" PRId64, (int64_t)json_integer_value(v));
	else
		table_cell(t, COLOR_NONE, "-");
}

static void
cell_uptime(struct table *t, const json_t *node)
{
	int64_t up = ctl_int(node, "uptime_ns", -1);
	char buf[TEXT_MAX];

	if (up < 0 && ctl_int(node, "pid", 0) > 0)
		up = ctl_int(node, "since_ns", -1);
	table_cell(
	    t, COLOR_NONE, up < 0 ? "-" : text_duration(up, buf, sizeof(buf)));
}

static void
cell_last_exit(struct table *t, const json_t *node)
{
	const char *last = ctl_str(node, "last_exit", "-");
	int64_t ago = ctl_int(node, "last_exit_ago_ns", -1);
	char buf[TEXT_MAX];

	if (ago < 0 || strcmp(last, "-") == 0)
		table_cell(t, COLOR_NONE, last);
	else
		table_cellf(t, COLOR_NONE, "%s %s ago", last,
		    text_duration(ago, buf, sizeof(buf)));
}

static void
cell_detail(struct table *t, const json_t *node)
{
	const char *detail = ctl_str(node, "detail", "");
	char buf[TEXT_MAX];

	if (!print_is_sup(node)) {
		table_cell(t, COLOR_NONE,
		    detail[0] != '\0' ? detail : ctl_str(node, "restart", "-"));
		return;
	}
	table_cellf(t, COLOR_NONE, "%-12s %" PRId64 "/%" PRId64 " in %s%s%s",
	    ctl_str(node, "strategy", "-"), ctl_int(node, "used", 0),
	    ctl_int(node, "intensity", 0),
	    text_period(ctl_int(node, "period_ns", 0), buf, sizeof(buf)),
	    detail[0] != '\0' ? ", " : "", detail);
}

/* How many messages wait, of those who talk. */
static void
cell_queued(struct table *t, const json_t *node)
{
	cell_int(t, json_object_get(node, "mailbox"), "queued");
}

static void
add_row(struct table *t, const char *name, const json_t *node, bool talk)
{
	const char *word = print_state_word(node);

	table_cell(t, COLOR_NONE, name);
	table_cell(t, print_state_color(word), word);
	cell_int(t, node, "pid");
	cell_uptime(t, node);
	if (print_is_sup(node))
		table_cell(t, COLOR_NONE, "-");
	else
		cell_int(t, node, "restarts");
	if (talk)
		cell_queued(t, node);
	cell_last_exit(t, node);
	cell_detail(t, node);
}

bool
print_is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return strncmp(path, above, len) == 0 && path[len] == '/';
}

/* Where a node stands within what is shown. */
struct place {
	unsigned depth;   /* 0 if its parent is not shown */
	const char *name; /* relative to the ancestor above it */
	bool more;        /* a later sibling follows: its line goes on */
};

/*
 * A glob may have picked a grandchild without its parent, so depth is counted
 * in ancestors that are there, not in slashes.
 */
static void
find_places(const json_t *nodes, struct place *place)
{
	const char *open[DEPTH_MAX];
	unsigned n = 0;

	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const char *path =
		    ctl_str(json_array_get(nodes, i), "path", "-");

		while (n > 0 && !print_is_below(path, open[n - 1]))
			n--;
		place[i].depth = n;
		place[i].name = n > 0 ? path + strlen(open[n - 1]) + 1
		                      : text_short_path(path);
		if (n < DEPTH_MAX)
			open[n++] = path;
	}
}

static void
find_siblings(struct place *place, size_t n)
{
	bool seen[DEPTH_MAX + 1] = { false };

	for (size_t i = n; i-- > 0;) {
		unsigned d = place[i].depth;

		place[i].more = seen[d];
		seen[d] = true;
		memset(&seen[d + 1], 0, DEPTH_MAX - d);
	}
}

static void
add_tree(struct table *t, const json_t *nodes, struct place *place, bool talk)
{
	bool open[DEPTH_MAX + 1] = { false };

	find_places(nodes, place);
	find_siblings(place, json_array_size(nodes));
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const struct place *p = &place[i];
		cleanup_(buf_fini) struct buf name = { 0 };

		for (unsigned d = 1; d < p->depth; d++)
			buf_puts(&name, open[d] ? "|  " : "   ");
		if (p->depth > 0)
			buf_puts(&name, p->more ? "|- " : "`- ");
		buf_puts(&name, p->name);
		open[p->depth] = p->more;
		add_row(t, buf_str(&name), json_array_get(nodes, i), talk);
	}
}

/* Where nobody does, the table has no column for it. */
static bool
anybody_talks(const json_t *nodes)
{
	for (size_t i = 0; i < json_array_size(nodes); i++)
		if (json_is_object(
			json_object_get(json_array_get(nodes, i), "mailbox")))
			return true;
	return false;
}

int
print_status(FILE *out, const json_t *nodes, bool tree, bool color)
{
	static const char *const head[] = { "NAME", "STATE", "PID", "UPTIME",
		"RESTARTS", "QUEUED", "LAST EXIT", "DETAIL" };
	size_t n = json_array_size(nodes);
	bool talk = anybody_talks(nodes);
	cleanup_(table_freep) struct table *t =
	    table_new(ARRAY_LEN(head) - !talk);
	cleanup_(freep) struct place *place = calloc(n + 1, sizeof(*place));

	if (place == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_LEN(head); i++)
		if (talk || strcmp(head[i], "QUEUED") != 0)
			table_cell(t, COLOR_NONE, head[i]);
	if (tree) {
		add_tree(t, nodes, place, talk);
	} else {
		for (size_t i = 0; i < n; i++) {
			const json_t *node = json_array_get(nodes, i);

			add_row(t, text_short_path(ctl_str(node, "path", "-")),
			    node, talk);
		}
	}
	return table_print(t, out, color);
}

void
print_node(FILE *out, const json_t *node, bool color)
{
	const char *word = print_state_word(node);
	enum table_color state = print_state_color(word);
	cleanup_(freep) char *path =
	    text_escape(text_short_path(ctl_str(node, "path", "-")));
	cleanup_(freep) char *safe = text_escape(word);
	int64_t pid = ctl_int(node, "pid", 0);

	if (path == NULL || safe == NULL)
		return;
	color = color && state != COLOR_NONE;
	fprintf(out, "%s: %s%s%s", path, color ? table_sgr(state) : "", safe,
	    color ? table_sgr(COLOR_NONE) : "");
	if (pid > 0)
		fprintf(out, ", pid %" PRId64, pid);
	fputc('\n', out);
}

int
print_fields(FILE *out, const json_t *fields)
{
	cleanup_(table_freep) struct table *t = table_new(3);

	table_cell(t, COLOR_NONE, "KEY");
	table_cell(t, COLOR_NONE, "VALUE");
	table_cell(t, COLOR_NONE, "ORIGIN");
	for (size_t i = 0; i < json_array_size(fields); i++) {
		const json_t *f = json_array_get(fields, i);

		table_cell(t, COLOR_NONE, ctl_str(f, "key", "-"));
		table_cell(t, COLOR_NONE, ctl_str(f, "value", "-"));
		table_cell(t, COLOR_NONE, ctl_str(f, "origin", "-"));
	}
	return table_print(t, out, false);
}

int
print_names(FILE *out, const json_t *names)
{
	cleanup_(table_freep) struct table *t = table_new(4);

	table_cell(t, COLOR_NONE, "NAME");
	table_cell(t, COLOR_NONE, "WORKER");
	table_cell(t, COLOR_NONE, "PID");
	table_cell(t, COLOR_NONE, "OS PID");
	for (size_t i = 0; i < json_array_size(names); i++) {
		const json_t *n = json_array_get(names, i);

		table_cell(t, COLOR_NONE, ctl_str(n, "name", "-"));
		table_cell(t, COLOR_NONE,
		    text_short_path(ctl_str(n, "path", "(client)")));
		table_cell(t, COLOR_NONE, ctl_str(n, "pid", "-"));
		cell_int(t, n, "os_pid");
	}
	return table_print(t, out, false);
}
