/* SPDX-License-Identifier: ISC */
/*
 * Memory runs out at the first allocation, the second, ...: a load must fail
 * in good order each time.  Linked with --wrap, so that the allocations of
 * conf and base pass here; a sanitizer sees what leaks.
 */
#include "conf/diff.h"
#include "conf_kit.h"

void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static long left = -1; /* allocations that succeed; negative: all */

static bool
fails(void)
{
	if (left > 0)
		left--;
	else if (left == 0)
		return true;
	return false;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

/* Many small pieces, so that memory is asked for often. */
static void
write_tree(struct kit *k, const char *extra)
{
	struct buf b = { 0 };
	int i;

	buf_puts(&b, ROOT "defaults: {env: {A: \"$$x\"}}\n");
	buf_puts(&b, extra);
	buf_puts(&b, "children:\n");
	for (i = 0; i < 300; i++)
		buf_printf(&b,
		    "- {worker: w%d, command: \"a '$$b'\", env: {B: c}}\n", i);
	kit_write(k, "t.yaml", buf_str(&b));
	buf_fini(&b);
}

static int
load_with(struct kit *k, long n)
{
	int rc;

	buf_fini(&k->errors);
	left = n;
	rc = conf_load("t.yaml", &k->conf, &k->errors);
	left = -1;
	return rc;
}

static void
a_load_survives_any_allocation_that_fails(void **state)
{
	struct kit *k = *state;
	int rc;
	long n;

	write_tree(k, "");
	for (n = 0; (rc = load_with(k, n)) != 0; n++) {
		assert_int_equal(rc, -ENOMEM);
		assert_null(k->conf);
		assert_true(n < 1000);
	}
	assert_true(n > 5);
}

static void
errors_survive_any_allocation_that_fails(void **state)
{
	struct kit *k = *state;
	int rc;
	long n;

	write_tree(k, "colour: red\n");
	for (n = 0;; n++) {
		rc = load_with(k, n);
		assert_true(rc == -ENOMEM || rc == -EINVAL);
		assert_null(k->conf);
		if (rc == -EINVAL && !k->errors.failed)
			break;
		assert_true(n < 1000);
	}
	kit_expect(k, "unknown key \"colour\"");
}

static void
a_diff_survives_any_allocation_that_fails(void **state)
{
	struct kit *k = *state;
	struct conf *old;
	struct conf_diff *d = NULL;
	int rc = -ENOMEM;
	long n;

	write_tree(k, "");
	assert_int_equal(load_with(k, -1), 0);
	old = take_ptr(k->conf);
	write_tree(k, "shutdown_deadline: 9s\n");
	k->n_files--;
	assert_int_equal(load_with(k, -1), 0);
	for (n = 0; rc != 0; n++) {
		left = n;
		rc = conf_diff_make(old, k->conf, &d, &k->errors);
		left = -1;
		assert_true(rc == 0 ? d != NULL : rc == -ENOMEM && d == NULL);
		assert_true(n < 1000);
	}
	assert_true(n > 5);
	assert_int_equal(d->n, 301);
	assert_int_equal(d->n_changes, 1);
	conf_diff_free(d);
	conf_free(old);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_open, kit_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_load_survives_any_allocation_that_fails),
		TEST(errors_survive_any_allocation_that_fails),
		TEST(a_diff_survives_any_allocation_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
