/* SPDX-License-Identifier: ISC */
/*
 * supctl check: the daemon's own parser, in this process.
 */
#include "conf/conf.h"
#include "ctl/ctl.h"
#include "ctl/verbs.h"

#include <string.h>

static void
count(const struct conf_child *node, unsigned *n_sups, unsigned *n_workers)
{
	const struct conf_child *child;

	if (!node->is_sup) {
		++*n_workers;
		return;
	}
	++*n_sups;
	TAILQ_FOREACH (child, &node->sup.children, link)
		count(child, n_sups, n_workers);
}

/* {"file", "ok", "supervisors", "workers", "messages": [line...]} */
static void
print_json(const struct ctl *c, const char *file, bool ok, unsigned n_sups,
    unsigned n_workers, const char *text)
{
	cleanup_(freep) char *copy = strdup(text);
	json_t *lines = json_array(), *o;
	char *rest = copy, *line;

	while (rest != NULL && (line = strsep(&rest, "\n")) != NULL)
		if (line[0] != '\0')
			json_array_append_new(lines, json_string(line));
	o = json_pack("{s:s, s:b, s:i, s:i, s:o}", "file", file, "ok", ok,
	    "supervisors", (int)n_sups, "workers", (int)n_workers, "messages",
	    lines);
	ctl_print_json(c, o);
	json_decref(o);
}

int
check_file(struct ctl *c, int argc, char **argv)
{
	cleanup_(buf_fini) struct buf messages = { 0 };
	struct conf *conf = NULL;
	unsigned n_sups = 0, n_workers = 0;
	bool ok;
	int r;

	(void)argc;
	r = conf_load(argv[0], &conf, &messages);
	ok = r == 0 && !(c->strict && messages.len > 0);
	fputs(buf_str(&messages), c->err);
	if (r == 0)
		count(conf->root, &n_sups, &n_workers);
	else if (messages.len == 0)
		ctl_errx(c, "%s: %s", argv[0], strerror(-r));
	if (c->json)
		print_json(
		    c, argv[0], ok, n_sups, n_workers, buf_str(&messages));
	else if (ok)
		ctl_say(c, "%s: ok, %u supervisors, %u workers%s", argv[0],
		    n_sups, n_workers,
		    messages.len > 0 ? ", with warnings" : "");
	else if (r == 0)
		ctl_errx(c, "%s: refused for its warnings (--strict)", argv[0]);
	if (r == 0)
		conf_free(conf);
	return ok ? CTL_OK : CTL_CONFIG;
}
