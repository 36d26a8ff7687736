/* SPDX-License-Identifier: ISC */
/* Loading configurations from text, for the tests of conf. */
#ifndef TESTS_CONF_KIT_H
#define TESTS_CONF_KIT_H

#include "conf/conf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

/* A directory of its own, which is the working directory meanwhile. */
struct kit {
	char dir[64];
	char files[16][64];
	size_t n_files;
	struct conf *conf;
	struct buf errors;
};

static int
kit_open(void **state)
{
	struct kit *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return -1;
	snprintf(k->dir, sizeof(k->dir), "/tmp/conf-XXXXXX");
	if (mkdtemp(k->dir) == NULL || chdir(k->dir) < 0)
		return -1;
	*state = k;
	return 0;
}

static int
kit_close(void **state)
{
	struct kit *k = *state;

	conf_free(k->conf);
	buf_fini(&k->errors);
	while (k->n_files > 0)
		remove(k->files[--k->n_files]);
	if (chdir("/") < 0 || rmdir(k->dir) < 0)
		return -1;
	free(k);
	return 0;
}

static inline void
kit_write(struct kit *k, const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_true(k->n_files < ARRAY_LEN(k->files));
	snprintf(k->files[k->n_files++], sizeof(k->files[0]), "%s", path);
}

static inline int
kit_load(struct kit *k, const char *text)
{
	kit_write(k, "t.yaml", text);
	k->n_files--;
	buf_fini(&k->errors);
	conf_free(take_ptr(k->conf));

	int rc = conf_load("t.yaml", &k->conf, &k->errors);

	unlink("t.yaml");
	return rc;
}

/* It loads; the children of the root begin with the result. */
static inline const struct conf_child *
kit_ok(struct kit *k, const char *text)
{
	int rc = kit_load(k, text);

	if (rc != 0)
		print_message("# %s\n", buf_str(&k->errors));
	assert_int_equal(rc, 0);
	return TAILQ_FIRST(&k->conf->root->sup.children);
}

static inline void
kit_expect(struct kit *k, const char *message)
{
	if (strstr(buf_str(&k->errors), message) == NULL)
		print_message("# not said: %s\n# but: %s\n", message,
		    buf_str(&k->errors));
	assert_non_null(strstr(buf_str(&k->errors), message));
}

/* It does not load, and says so. */
static inline void
kit_refuses(struct kit *k, const char *text, const char *message)
{
	assert_int_equal(kit_load(k, text), -EINVAL);
	assert_null(k->conf);
	kit_expect(k, message);
}

#define ROOT "supervisor: root\nintensity: 3\nperiod: 5s\n"
/* A worker w on line 5, with more keys from column 5 of line 6 on. */
#define WORKER(keys)                                                           \
	ROOT "children:\n  - worker: w\n    command: [a]\n    " keys "\n"

#endif /* TESTS_CONF_KIT_H */
