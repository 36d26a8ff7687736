/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/path.h"

/*
 * root
 * |- db
 * |- web
 * |  |- api.1
 * |  |- api.2
 * |  `- cache
 * `- jobs
 *    `- web
 */
static struct engine *e;
static void *mem;
static mono_t window[8][4];
static const struct worker_spec worker = {
	.enabled = true,
	.stop = { { 9, 0 } },
	.n_stop = 1,
};
static const struct sup_spec sup = {
	.intensity = 3,
	.period_ns = NS_PER_S,
};

static int
setup(void **state)
{
	node_t root, web, jobs;

	(void)state;
	mem = calloc(1, engine_size(16));
	e = engine_init(mem, 16);
	root = engine_add_sup(e, NODE_NONE, "root", &sup, window[0]);
	engine_add_worker(e, root, "db", &worker);
	web = engine_add_sup(e, root, "web", &sup, window[1]);
	engine_add_worker(e, web, "api.1", &worker);
	engine_add_worker(e, web, "api.2", &worker);
	engine_add_worker(e, web, "cache", &worker);
	jobs = engine_add_sup(e, root, "jobs", &sup, window[2]);
	engine_add_worker(e, jobs, "web", &worker);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	free(mem);
	return 0;
}

/* The names found, in order, with a blank after each. */
static const char *
found(const char *pattern)
{
	static char text[256];
	struct path_set set;

	text[0] = '\0';
	assert_int_equal(path_find(e, pattern, &set), 0);
	for (uint32_t i = 0; i < set.n; i++) {
		strcat(text, engine_name(e, set.node[i]));
		strcat(text, " ");
	}
	path_set_fini(&set);
	return text;
}

static void
a_path_works_with_and_without_the_root(void **state)
{
	(void)state;
	assert_string_equal(found("root/web/cache"), "cache ");
	assert_string_equal(found("web/cache"), "cache ");
	assert_string_equal(found("root"), "root ");
	assert_string_equal(found("/web//cache/"), "cache ");
}

static void
globs_match_within_a_component_in_tree_order(void **state)
{
	(void)state;
	assert_string_equal(found("web/api.*"), "api.1 api.2 ");
	assert_string_equal(found("*"), "db web jobs ");
	assert_string_equal(found("root/*"), "db web jobs ");
	assert_string_equal(found("*/web"), "web ");
	assert_string_equal(found("*/*"), "api.1 api.2 cache web ");
	assert_string_equal(found("web/api.[2-9]"), "api.2 ");
}

static void
a_glob_never_means_the_root(void **state)
{
	(void)state;
	assert_string_equal(found("r*t"), "");
	assert_string_equal(found("ro?t/db"), "");
}

static void
unknown_and_empty_names_find_nothing(void **state)
{
	(void)state;
	assert_string_equal(found(""), "");
	assert_string_equal(found("/"), "");
	assert_string_equal(found("nobody"), "");
	assert_string_equal(found("db/below"), "");
	assert_string_equal(found("web/api"), "");
}

static void
a_near_name_is_suggested(void **state)
{
	char near[64];

	(void)state;
	assert_true(path_suggest(e, "cache", near, sizeof(near)));
	assert_string_equal(near, "web/cache");
	assert_true(path_suggest(e, "web/cachee", near, sizeof(near)));
	assert_string_equal(near, "web/cache");
	assert_true(path_suggest(e, "dv", near, sizeof(near)));
	assert_string_equal(near, "db");
	assert_false(path_suggest(e, "something/else", near, sizeof(near)));
	assert_false(path_suggest(e, "x*", near, sizeof(near)));
	assert_false(path_suggest(e, "", near, sizeof(near)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_works_with_and_without_the_root),
		cmocka_unit_test(globs_match_within_a_component_in_tree_order),
		cmocka_unit_test(a_glob_never_means_the_root),
		cmocka_unit_test(unknown_and_empty_names_find_nothing),
		cmocka_unit_test(a_near_name_is_suggested),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
