/* SPDX-License-Identifier: ISC */
/*
 * Questions with yes and no for an answer, and waiting.
 */
#include "ctl/ctl.h"
#include "ctl/many.h"
#include "ctl/print_status.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#include <string.h>

static bool
node_is_up(const json_t *node)
{
	const char *word = print_state_word(node);

	return ctl_int(node, "pid", 0) > 0 || strcmp(word, "up") == 0 ||
	       strcmp(word, "ready") == 0;
}

static bool
node_is_ready(const json_t *node)
{
	const char *word = print_state_word(node);

	return strcmp(word, "up") == 0 || strcmp(word, "ready") == 0;
}

static bool
node_is_failed(const json_t *node)
{
	return strcmp(print_state_word(node), "failed") == 0;
}

/* Of several nodes (a glob) all must be so. */
static int
predicate(struct ctl *c, char *path, bool (*holds)(const json_t *node))
{
	json_t *nodes = NULL;
	bool yes = true;
	int code;

	code = ctl_call(c, "status", json_pack("{s:s}", "path", path), &nodes);
	if (code != CTL_OK) {
		json_decref(nodes);
		return code;
	}
	if (json_array_size(nodes) == 0) {
		ctl_errx(c, "%s: no such child", path);
		json_decref(nodes);
		return CTL_NO_NAME;
	}
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const json_t *node = json_array_get(nodes, i);

		yes = yes && holds(node);
		if (!c->quiet && !c->json)
			print_node(c->out, node, c->color);
	}
	if (c->json)
		ctl_print_json(c, yes ? json_true() : json_false());
	json_decref(nodes);
	return yes ? CTL_OK : CTL_FALSE;
}

int
ask_is_up(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return predicate(c, argv[0], node_is_up);
}

int
ask_is_ready(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return predicate(c, argv[0], node_is_ready);
}

int
ask_is_failed(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return predicate(c, argv[0], node_is_failed);
}

static void
each_waited(struct ctl *c, const char *path, const json_t *nodes, void *ctx)
{
	(void)path;
	(void)ctx;
	if (c->json) {
		ctl_print_json(c, nodes);
		return;
	}
	for (size_t i = 0; !c->quiet && i < json_array_size(nodes); i++)
		print_node(c->out, json_array_get(nodes, i), c->color);
}

int
ask_wait(struct ctl *c, int argc, char **argv)
{
	static const char *const states[] = { "ready", "down", "restarted" };
	const char *until = c->until != NULL ? c->until : "ready";
	bool known = false;
	json_t *params;

	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		known = known || strcmp(until, states[i]) == 0;
	if (!known) {
		ctl_errx(c, "wait --for %s: ready, down or restarted is wanted",
		    until);
		return ctl_usage(c);
	}
	params = json_pack("{s:s}", "for", until);
	if (c->timeout_ns >= 0)
		json_object_set_new(
		    params, "timeout_ns", json_integer(c->timeout_ns));
	return many_call(c, "wait", argc, argv, params, each_waited, NULL);
}
