/* SPDX-License-Identifier: ISC */
/*
 * The verbs that only look.
 */
#include "base/clock.h"
#include "ctl/ctl.h"
#include "ctl/many.h"
#include "ctl/print_events.h"
#include "ctl/print_status.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#include <inttypes.h>
#include <string.h>

static int
no_memory(const struct ctl *c, int r)
{
	if (r == 0)
		return CTL_OK;
	ctl_errx(c, "%s", strerror(-r));
	return CTL_FAILED;
}

static void
each_collect(struct ctl *c, const char *path, const json_t *nodes, void *ctx)
{
	json_t *all = ctx;

	(void)c;
	(void)path;
	for (size_t i = 0; i < json_array_size(nodes); i++)
		json_array_append(all, json_array_get(nodes, i));
}

/* The nodes of all the paths, or of the whole tree; *ret_nodes is an array. */
static int
get_nodes(struct ctl *c, int argc, char **argv, json_t **ret_nodes)
{
	json_t *result = NULL;
	int code;

	if (argc > 0) {
		*ret_nodes = json_array();
		return many_call(c, "status", argc, argv, json_object(),
		    each_collect, *ret_nodes);
	}
	code = ctl_call(c, "status", json_object(), &result);
	*ret_nodes = result != NULL ? result : json_array();
	return code;
}

/* Is the node one of `tops`, or below one of them? */
static bool
is_within(const json_t *node, const json_t *tops)
{
	const char *path = ctl_str(node, "path", "");

	for (size_t i = 0; i < json_array_size(tops); i++) {
		const char *top = ctl_str(json_array_get(tops, i), "path", "");

		if (strcmp(path, top) == 0 || print_is_below(path, top))
			return true;
	}
	return false;
}

/* A tree is wanted: replace the supervisors named by their whole subtrees. */
static int
add_subtrees(struct ctl *c, json_t **nodes)
{
	json_t *all = NULL, *within;
	bool any = false;
	int code;

	for (size_t i = 0; i < json_array_size(*nodes); i++)
		any = any || print_is_sup(json_array_get(*nodes, i));
	if (!any)
		return CTL_OK;
	code = ctl_call(c, "status", json_object(), &all);
	if (code == CTL_OK) {
		within = json_array();
		for (size_t i = 0; i < json_array_size(all); i++) {
			json_t *node = json_array_get(all, i);

			if (is_within(node, *nodes))
				json_array_append(within, node);
		}
		json_decref(*nodes);
		*nodes = within;
	}
	json_decref(all);
	return code;
}

/* One plain path: the answer is an object, not a list of one. */
static bool
is_one(int argc, char **argv, const json_t *nodes)
{
	return argc == 1 && json_array_size(nodes) == 1 &&
	       strpbrk(argv[0], "*?[:") == NULL;
}

int
look_status(struct ctl *c, int argc, char **argv)
{
	json_t *nodes;
	int code;

	code = get_nodes(c, argc, argv, &nodes);
	if (code == CTL_OK && c->tree && argc > 0)
		code = add_subtrees(c, &nodes);
	if (code != CTL_OK && json_array_size(nodes) == 0) {
		json_decref(nodes);
		return code;
	}
	if (c->json)
		ctl_print_json(c, is_one(argc, argv, nodes)
				      ? json_array_get(nodes, 0)
				      : nodes);
	else if (code == CTL_OK)
		code = no_memory(
		    c, print_status(c->out, nodes, c->tree, c->color));
	else if (print_status(c->out, nodes, c->tree, c->color) < 0)
		ctl_errx(c, "%s", strerror(ENOMEM));
	json_decref(nodes);
	return code;
}

int
look_list(struct ctl *c, int argc, char **argv)
{
	json_t *nodes, *paths = json_array();
	int code;

	code = get_nodes(c, argc, argv, &nodes);
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const char *path = text_short_path(
		    ctl_str(json_array_get(nodes, i), "path", "-"));
		cleanup_(freep) char *safe = text_escape(path);

		if (c->json)
			json_array_append_new(paths, json_string(path));
		else if (safe != NULL)
			fprintf(c->out, "%s\n", safe);
	}
	if (c->json && (code == CTL_OK || json_array_size(paths) > 0))
		ctl_print_json(c, paths);
	json_decref(paths);
	json_decref(nodes);
	return code;
}

/* A call whose result is printed as JSON or by `print`. */
static int
look(struct ctl *c, const char *method, json_t *params,
    int (*print)(FILE *out, const json_t *result))
{
	json_t *result = NULL;
	int code;

	code = ctl_call(c, method, params, &result);
	if (code == CTL_OK && c->json)
		ctl_print_json(c, result);
	else if (code == CTL_OK)
		code = no_memory(c, print(c->out, result));
	json_decref(result);
	return code;
}

int
look_show(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return look(
	    c, "show", json_pack("{s:s}", "path", argv[0]), print_fields);
}

int
look_names(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return look(c, "names", json_object(), print_names);
}

static int
print_why_now(FILE *out, const json_t *why)
{
	return print_why(out, why, clock_mono());
}

int
look_why(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return look(
	    c, "why", json_pack("{s:s}", "path", argv[0]), print_why_now);
}

/* What a subscriber that falls behind gets. */
static void
print_lost_json(const struct ctl *c, int64_t n)
{
	json_t *o = json_pack("{s:s, s:I}", "ev", "lost", "n", (json_int_t)n);

	ctl_print_json(c, o);
	json_decref(o);
}

static void
each_event(struct ctl *c, const json_t *params)
{
	const json_t *event = json_object_get(params, "event");
	int64_t lost = ctl_int(params, "lost", 0);

	if (event != NULL && c->json)
		ctl_print_json(c, event);
	else if (event != NULL)
		print_event(c->out, event, clock_wall_ns());
	else if (c->json && lost > 0)
		print_lost_json(c, lost);
	else
		print_lost(c->out, lost, "event");
}

int
look_events(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return ctl_stream(c, "events",
	    json_pack("{s:I, s:b}", "n", (json_int_t)c->n, "follow", c->follow),
	    each_event);
}

static void
each_line(struct ctl *c, const json_t *params)
{
	if (c->json)
		ctl_print_json(c, params);
	else
		print_log_line(c->out, params, clock_wall_ns());
}

int
look_logs(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return ctl_stream(c, "logs",
	    json_pack("{s:s, s:I, s:b}", "path", argv[0], "n", (json_int_t)c->n,
		"follow", c->follow),
	    each_line);
}

int
look_ping(struct ctl *c, int argc, char **argv)
{
	json_t *result = NULL;
	mono_t begin = clock_mono();
	int code;

	(void)argc;
	(void)argv;
	code = ctl_call(c, "ping", json_object(), &result);
	if (code == CTL_OK && c->json)
		ctl_print_json(c, result);
	else if (code == CTL_OK)
		ctl_say(c, "supd %s is up, pid %" PRId64 ", answered in %.1fms",
		    ctl_str(result, "version", "?"), ctl_int(result, "pid", 0),
		    (double)(clock_mono().ns - begin.ns) / NS_PER_MS);
	json_decref(result);
	return code;
}

/* What runs may be another version, or nothing at all: no error here. */
int
look_version(struct ctl *c, int argc, char **argv)
{
	json_t *result = NULL, *both;

	(void)argc;
	(void)argv;
	if (client_open(&c->client, c->socket,
		mono_add(clock_mono(), c->timeout_ns)) == 0 &&
	    ctl_call(c, "ping", json_object(), &result) != CTL_OK) {
		json_decref(result);
		result = NULL;
	}
	if (c->json) {
		both = json_pack("{s:s, s:s?, s:O?}", "supctl", SUPD_VERSION,
		    "supd", ctl_str(result, "version", NULL), "pid",
		    json_object_get(result, "pid"));
		ctl_print_json(c, both);
		json_decref(both);
	} else if (result != NULL) {
		fprintf(c->out, "supctl %s\nsupd   %s, pid %" PRId64 "\n",
		    SUPD_VERSION, ctl_str(result, "version", "?"),
		    ctl_int(result, "pid", 0));
	} else {
		fprintf(c->out, "supctl %s\nsupd   not running (%s)\n",
		    SUPD_VERSION, c->socket);
	}
	json_decref(result);
	return CTL_OK;
}
