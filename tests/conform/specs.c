/* SPDX-License-Identifier: ISC */
#include "specs.h"

#include "conform.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "DIR/x.yaml" with that text after the first line. */
static const char *
write_file(const char *first, const char *text)
{
	static char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/x.yaml", rig_dir());
	f = fopen(path, "w");
	EXPECT_TRUE(f != NULL);
	fprintf(f, "%s%s\n", first, text);
	fclose(f);
	return path;
}

#define ROOT "supervisor: root\n"

static void
expect_said(const char *what, int code, int want, const char *says)
{
	if (code != want)
		conform_fail(__FILE__, __LINE__, "%s: exit %d, not %d: %s",
		    what, code, want, said());
	if (says != NULL && strstr(said(), says) == NULL)
		conform_fail(__FILE__, __LINE__, "%s: not said: %s\nbut: %s",
		    what, says, said());
}

void
accepted_text(const char *text)
{
	expect_said(
	    text, supctl("check", write_file(ROOT, text), NULL), 0, NULL);
}

void
refused_text(const char *text, const char *says)
{
	expect_said(
	    text, supctl("check", write_file(ROOT, text), NULL), 8, says);
}

void
refused_child(const char *spec, const char *says)
{
	char arg[80];

	/* What does not begin with a brace comes in a file. */
	if (spec[0] != '{')
		snprintf(arg, sizeof(arg), "@%s", write_file("", spec));
	expect_said(spec,
	    supctl("add", "root/" SUP, spec[0] == '{' ? spec : arg), 8, says);
}

void
refused_sup(const char *flags, const char *children, const char *says)
{
	const char *text = tree(SUP, flags, children, NULL);

	expect_said(text, supctl("add", "root", text), 8, says);
	EXPECT_STATE("", "none");
}

/* The value of that key, to be freed, or NULL. */
static char *
shown(const char *path, const char *key)
{
	char full[256], *value = NULL;
	json_t *keys, *k;
	size_t i;

	full_path(path, full, sizeof(full));
	expect_said(full, supctl("show", full, NULL), 0, NULL);
	keys = json_loads(said(), 0, NULL);
	json_array_foreach(keys, i,
	    k) if (strcmp(json_string_value(json_object_get(k, "key")), key) ==
		   0) value =
	    strdup(json_string_value(json_object_get(k, "value")));
	json_decref(keys);
	return value;
}

void
expect_shown(const char *path, const char *key, const char *value)
{
	static char got[256];
	char *v = shown(path, key);

	snprintf(got, sizeof(got), "%s", v != NULL ? v : "not shown");
	free(v);
	conform_term(__FILE__, __LINE__, key, got, value);
}

void
expect_not_shown(const char *path, const char *key)
{
	expect_shown(path, key, "not shown");
}

int
run_supd(const char *text)
{
	const char *argv[] = { getenv("SUPD"), "-f", "-c",
		write_file(ROOT, text), "-s", NULL, NULL };
	char socket[64];

	snprintf(socket, sizeof(socket), "%s/own/control.sock", rig_dir());
	argv[5] = socket;
	return run_program(argv);
}

static const char *
log_lines(const char *text)
{
	static char count[16];
	char path[64], line[1024];
	FILE *f;
	int n = 0;

	snprintf(path, sizeof(path), "%s/supd.log", rig_dir());
	f = fopen(path, "r");
	EXPECT_TRUE(f != NULL);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL;
	fclose(f);
	snprintf(count, sizeof(count), "%d", n);
	return count;
}

void
expect_log(const char *text, int n)
{
	char want[16];

	snprintf(want, sizeof(want), "%d", n);
	conform_wait(
	    __FILE__, __LINE__, "lines of the log", log_lines, text, want);
}
