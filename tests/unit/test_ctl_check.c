/* SPDX-License-Identifier: ISC */
#include "ctl/opts.h"
#include "ctl/verbs.h"

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

static char dir[] = "/tmp/test_check_XXXXXX";
static char file[64];

static const char good[] = "supervisor: root\n"
			   "intensity: 3\n"
			   "period: 5s\n"
			   "children:\n"
			   "  - worker: a\n"
			   "    command: [sleep, 1000s]\n"
			   "  - supervisor: s\n"
			   "    children:\n"
			   "      - worker: b\n"
			   "        command: [sleep, 1000s]\n";

struct run {
	char *out, *err;
	size_t out_len, err_len;
	int code;
};

static void
run_fini(struct run *r)
{
	free(r->out);
	free(r->err);
}

/* supctl [--json] check [--strict] on a file of that content. */
static void
check(struct run *r, const char *content, bool json, bool strict)
{
	struct ctl c = { .verb = verb_find("check"), .json = json };
	char *argv[] = { file };
	int fd;

	*r = (struct run){ 0 };
	unlink(file);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL, 0644);
	assert_true(fd >= 0);
	assert_int_equal(
	    write(fd, content, strlen(content)), (ssize_t)strlen(content));
	close(fd);
	c.strict = strict;
	c.client = CLIENT_NULL;
	c.out = open_memstream(&r->out, &r->out_len);
	c.err = open_memstream(&r->err, &r->err_len);
	r->code = check_file(&c, 1, argv);
	fclose(c.out);
	fclose(c.err);
}

static void
a_good_file_is_summed_up(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	check(&r, good, false, false);
	assert_int_equal(r.code, CTL_OK);
	assert_non_null(
	    strstr(r.out, "supd.yaml: ok, 2 supervisors, 2 workers"));
}

static void
a_bad_file_has_its_errors_on_stderr(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	check(&r, "supervisor: root\nstrategy: one_for_al\n", false, false);
	assert_int_equal(r.code, CTL_CONFIG);
	assert_string_equal(r.out, "");
	assert_non_null(strstr(r.err, "supd.yaml:2:11: error: "));
	assert_non_null(strstr(r.err, "one_for_all"));
}

static void
json_tells_the_same(void **state)
{
	cleanup_(run_fini) struct run r, bad;
	json_t *o;

	(void)state;
	check(&r, good, true, false);
	o = json_loads(r.out, 0, NULL);
	assert_true(ctl_bool(o, "ok"));
	assert_int_equal(ctl_int(o, "workers", -1), 2);
	json_decref(o);
	check(&bad, "supervisor: [\n", true, false);
	assert_int_equal(bad.code, CTL_CONFIG);
	o = json_loads(bad.out, 0, NULL);
	assert_true(json_is_false(json_object_get(o, "ok")));
	assert_true(json_array_size(json_object_get(o, "messages")) > 0);
	json_decref(o);
}

static void
strict_makes_warnings_errors(void **state)
{
	/* Intensity and period are left at their defaults at the root. */
	static const char lax[] = "supervisor: root\n"
				  "children:\n"
				  "  - {worker: a, command: [sleep, 10s]}\n";
	cleanup_(run_fini) struct run r, strict;

	(void)state;
	check(&r, lax, false, false);
	assert_int_equal(r.code, CTL_OK);
	assert_non_null(strstr(r.err, "warning: "));
	assert_non_null(strstr(r.out, "with warnings"));
	check(&strict, lax, false, true);
	assert_int_equal(strict.code, CTL_CONFIG);
	assert_non_null(strstr(strict.err, "--strict"));
}

static void
a_missing_file_is_told(void **state)
{
	cleanup_(run_fini) struct run r = { 0 };
	struct ctl c = { .verb = verb_find("check") };
	char name[] = "/nonexistent/supd.yaml", *argv[] = { name };

	(void)state;
	c.out = open_memstream(&r.out, &r.out_len);
	c.err = open_memstream(&r.err, &r.err_len);
	r.code = check_file(&c, 1, argv);
	fclose(c.out);
	fclose(c.err);
	assert_int_equal(r.code, CTL_CONFIG);
	assert_non_null(strstr(r.err, "/nonexistent/supd.yaml"));
	assert_non_null(strstr(r.err, "No such file"));
}

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(file, sizeof(file), "%s/supd.yaml", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_file_is_summed_up),
		cmocka_unit_test(a_bad_file_has_its_errors_on_stderr),
		cmocka_unit_test(json_tells_the_same),
		cmocka_unit_test(strict_makes_warnings_errors),
		cmocka_unit_test(a_missing_file_is_told),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
