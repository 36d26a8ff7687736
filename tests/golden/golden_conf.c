/* SPDX-License-Identifier: ISC */
/*
 * Golden configurations: what a file loads to, or what is wrong with it.
 *
 *   golden_conf DIR FILE...            compare, TAP on stdout
 *   golden_conf --update DIR FILE...   rewrite what differs
 *
 * FILE is relative to DIR, X.yaml or X.json.  X.ok holds the canonical text,
 * followed by the warnings as comments; X.err the errors of a file that must
 * not load.  A canonical text must also load to itself.  DIR is written as @ in
 * both, and the variables below are set.  An absolute FILE (the shipped
 * example) has to load without a warning, and that is all.
 */
#include "base/buf.h"
#include "conf/conf.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool update;
static char dir[4096];

static void
slurp(const char *path, struct buf *out)
{
	FILE *f = fopen(path, "re");
	char chunk[4096];
	size_t n;

	if (f == NULL) {
		if (errno == ENOENT)
			return;
		err(2, "%s", path);
	}
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	fclose(f);
}

static void
spill(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		err(2, "%s", path);
}

/* The directory of the checkout is not part of the golden text. */
static void
add_portable(struct buf *out, const char *text, const char *line_prefix)
{
	size_t len = strlen(dir);
	bool start = true;

	for (; *text != '\0'; text++) {
		if (start)
			buf_puts(out, line_prefix);
		start = *text == '\n';
		if (strncmp(text, dir, len) == 0) {
			buf_puts(out, "@");
			text += len - 1;
		} else {
			buf_add(out, text, 1);
		}
	}
}

/* Whether the canonical text loads, and to itself. */
static bool
is_fixed_point(const char *text)
{
	char path[] = "golden_conf.XXXXXX.yaml";
	cleanup_(buf_fini) struct buf again = { 0 };
	cleanup_(buf_fini) struct buf errors = { 0 };
	struct conf *c = NULL;
	int fd = mkstemps(path, 5);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");
	bool same;

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		err(2, "%s", path);
	if (conf_load(path, &c, &errors) == 0)
		conf_print(c, &again);
	conf_free(c);
	unlink(path);
	same = strcmp(buf_str(&again), text) == 0;
	if (!same)
		printf("# its canonical text does not load to itself:\n# %s\n",
		    errors.len > 0 ? buf_str(&errors) : buf_str(&again));
	return same;
}

static bool
same_as(const char *path, const struct buf *now)
{
	cleanup_(buf_fini) struct buf before = { 0 };
	cleanup_(buf_fini) struct buf shown = { 0 };

	slurp(path, &before);
	if (strcmp(buf_str(&before), buf_str(now)) == 0)
		return true;
	if (update) {
		spill(path, buf_str(now));
		return true;
	}
	add_portable(&shown, buf_str(now), "#  ");
	printf("# %s differs; it is now:\n%s\n", path, buf_str(&shown));
	return false;
}

/* An example that we ship. */
static bool
check_example(const char *path)
{
	cleanup_(buf_fini) struct buf errors = { 0 };
	cleanup_(buf_fini) struct buf text = { 0 };
	struct conf *c = NULL;
	bool ok = conf_load(path, &c, &errors) == 0;

	if (ok)
		conf_print(c, &text);
	conf_free(c);
	if (errors.len > 0) {
		add_portable(&text, buf_str(&errors), "# ");
		printf("# %s:\n%s", path, buf_str(&text));
		return false;
	}
	return ok && is_fixed_point(buf_str(&text));
}

static bool
check(const char *file)
{
	cleanup_(buf_fini) struct buf raw = { 0 };
	cleanup_(buf_fini) struct buf errors = { 0 };
	cleanup_(buf_fini) struct buf text = { 0 };
	struct conf *c = NULL;
	char path[256], other[256];
	const char *dot = strrchr(file, '.');
	int rc = conf_load(file, &c, &errors), stem = (int)(dot - file);
	bool ok = true;

	snprintf(
	    path, sizeof(path), "%.*s.%s", stem, file, rc == 0 ? "ok" : "err");
	snprintf(other, sizeof(other), "%.*s.%s", stem, file,
	    rc == 0 ? "err" : "ok");
	if (rc == 0) {
		conf_print(c, &raw);
		add_portable(&text, buf_str(&raw), "");
		add_portable(&text, buf_str(&errors), "# ");
		ok = is_fixed_point(buf_str(&raw));
	} else {
		add_portable(&text, buf_str(&errors), "");
	}
	conf_free(c);
	if (update)
		unlink(other);
	else if (access(other, F_OK) == 0) {
		printf("# %s: %s\n%s", file,
		    rc == 0 ? "it loads, but should not"
			    : "it should load, but does not",
		    buf_str(&errors));
		return false;
	}
	return same_as(path, &text) && ok;
}

int
main(int argc, char **argv)
{
	int i, first = 2, failed = 0;
	bool ok;

	if (argc > 1 && strcmp(argv[1], "--update") == 0) {
		update = true;
		first = 3;
	}
	if (argc <= first)
		errx(2, "usage: golden_conf [--update] DIR FILE...");
	if (chdir(argv[first - 1]) < 0 || getcwd(dir, sizeof(dir)) == NULL)
		err(2, "%s", argv[first - 1]);
	setenv("GOLDEN_PORT", "8080", 1);
	setenv("GOLDEN_ODD", "a \"b\": #$HOME ${instance}\n", 1);
	setenv("GOLDEN_EMPTY", "", 1);
	unsetenv("GOLDEN_UNSET");
	printf("1..%d\n", argc - first);
	for (i = first; i < argc; i++) {
		ok =
		    argv[i][0] == '/' ? check_example(argv[i]) : check(argv[i]);
		failed += !ok;
		printf(
		    "%sok %d - %s\n", ok ? "" : "not ", i - first + 1, argv[i]);
	}
	return failed > 0;
}
