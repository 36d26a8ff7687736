/* SPDX-License-Identifier: ISC */
/* Files to trees: what the scanner, the expansion and the includes refuse. */
#include "base/clock.h"
#include "conf_kit.h"

#include <unistd.h>

static void
anchors_are_refused(void **state)
{
	kit_refuses(*state, "supervisor: &x root\n",
	    "t.yaml:1:13: error: anchors (&x) are not allowed");
	kit_refuses(*state, "supervisor: root\nchildren: &y []\n",
	    "t.yaml:2:11: error: anchors (&y)");
}

static void
aliases_are_refused(void **state)
{
	kit_refuses(*state, "supervisor: root\nchildren: *x\n",
	    "t.yaml:2:11: error: aliases (*x) are not allowed");
}

static void
tags_are_refused(void **state)
{
	kit_refuses(*state, "supervisor: !!str root\n",
	    "t.yaml:1:13: error: tags (tag:yaml.org,2002:str)");
}

static void
merge_keys_are_refused(void **state)
{
	kit_refuses(*state, "supervisor: root\n<<: {period: 1s}\n",
	    "t.yaml:2:1: error: merge keys (<<) are not allowed");
}

static void
a_second_document_is_refused(void **state)
{
	kit_refuses(*state, "supervisor: root\n---\nsupervisor: b\n",
	    "t.yaml:2:1: error: a second document is not allowed");
}

static void
a_nul_is_refused(void **state)
{
	kit_refuses(*state, "supervisor: \"ro\\0ot\"\n",
	    "t.yaml:1:13: error: a NUL character is not allowed");
}

static void
a_duplicate_key_is_refused(void **state)
{
	kit_refuses(*state, "supervisor: root\nperiod: 1s\nperiod: 2s\n",
	    "t.yaml:3:1: error: duplicate key \"period\" (first given at "
	    "t.yaml:2:1)");
}

static void
a_duplicate_key_in_a_large_map_is_refused(void **state)
{
	struct buf b = { 0 };
	int i;

	buf_puts(&b, ROOT "children:\n  - worker: w\n    command: [a]\n"
			  "    env:\n");
	for (i = 0; i < 50; i++)
		buf_printf(&b, "      K%d: v\n", i);
	buf_puts(&b, "      K7: v\n");
	kit_refuses(*state, buf_str(&b),
	    "t.yaml:58:7: error: duplicate key \"K7\" (first given at "
	    "t.yaml:15:7)");
	buf_fini(&b);
}

static void
a_key_that_is_a_list_is_refused(void **state)
{
	kit_refuses(*state, "? [a, b]\n: c\n",
	    "t.yaml:1:3: error: a key must be a single word, not a list");
}

static void
deep_nesting_is_refused(void **state)
{
	struct buf b = { 0 };
	int i;

	buf_puts(&b, "supervisor: root\nchildren: ");
	for (i = 0; i < 5000; i++)
		buf_puts(&b, "[");
	kit_refuses(*state, buf_str(&b), "nested deeper than 64 levels");
	buf_fini(&b);
}

static void
what_is_not_yaml_is_refused_with_a_place(void **state)
{
	kit_refuses(*state, "supervisor: root\nchildren: [a\n",
	    "t.yaml:3:1: error: did not find expected ',' or ']'");
	kit_refuses(*state, "supervisor: ro\x01ot\n",
	    "t.yaml:1:15: error: control characters are not allowed");
	kit_refuses(*state, "supervisor: \"\xff\"\n",
	    "error: invalid leading UTF-8 octet");
}

static void
an_empty_file_is_refused(void **state)
{
	kit_refuses(*state, "", "t.yaml: error: is empty");
	kit_refuses(*state, "# nothing\n", "t.yaml: error: is empty");
}

static void
json_is_accepted(void **state)
{
	const struct conf_child *c = kit_ok(*state,
	    "{\"supervisor\": \"root\",\n\t\"intensity\": 1, \"period\": "
	    "\"1s\", \"children\": [{\"worker\": \"a\\u002db\", \"enabled\": "
	    "false, \"command\": [\"x\", \"y\"]}]}\n");

	assert_string_equal(c->name, "a-b");
	assert_false(c->worker.spec.enabled);
}

static void
scalars_hold_no_surprises(void **state)
{
	const struct conf_child *c = kit_ok(*state,
	    WORKER("env: {A: NO, B: 8080, C: 1e3, D: ~, E: 0x10, F: }"));
	const char *const *e = c->worker.env;

	assert_string_equal(e[0], "A=NO");
	assert_string_equal(e[1], "B=8080");
	assert_string_equal(e[2], "C=1e3");
	assert_string_equal(e[3], "D=~");
	assert_string_equal(e[4], "E=0x10");
	assert_string_equal(e[5], "F=");
	assert_null(e[6]);
}

static void
variables_are_expanded(void **state)
{
	const struct conf_child *c;

	setenv("KIT_A", "x: [$y", 1);
	setenv("KIT_E", "", 1);
	unsetenv("KIT_U");
	c = kit_ok(*state, WORKER("env: {A: \"<${KIT_A}>\", B: '${KIT_U:-d}', "
				  "C: \"${KIT_E:-e}\", D: $$HOME, E: "
				  "\"${KIT_E}\", F: \"${KIT_U:-}\"}"));
	assert_string_equal(c->worker.env[0], "A=<x: [$y>");
	assert_string_equal(c->worker.env[1], "B=d");
	assert_string_equal(c->worker.env[2], "C=e");
	assert_string_equal(c->worker.env[3], "D=$HOME");
	assert_string_equal(c->worker.env[4], "E=");
	assert_string_equal(c->worker.env[5], "F=");
}

static void
an_unset_variable_is_refused(void **state)
{
	unsetenv("KIT_U");
	kit_refuses(*state, WORKER("cwd: ${KIT_U}"),
	    "t.yaml:7:10: error: the environment variable KIT_U is not set");
}

static void
a_dollar_that_expands_nothing_is_refused(void **state)
{
	kit_refuses(*state, WORKER("cwd: /a$b"), "a single $ means nothing");
	kit_refuses(*state, WORKER("cwd: \"/a${b\""), "${ has no }");
	kit_refuses(*state, WORKER("cwd: \"/a${b-c}\""),
	    "\"${b-c}\" is not ${VAR} or ${VAR:-text}");
	kit_refuses(*state, WORKER("cwd: \"/a${}\""), "\"${}\" is not");
}

static void
a_value_that_is_not_utf8_is_refused(void **state)
{
	setenv("KIT_BAD", "\xff", 1);
	kit_refuses(*state, WORKER("cwd: \"/${KIT_BAD}\""),
	    "the environment variable KIT_BAD is not UTF-8");
}

static void
includes_are_appended_in_order_of_names(void **state)
{
	struct kit *k = *state;
	const struct conf_child *c;

	assert_int_equal(mkdir("d", 0700), 0);
	snprintf(k->files[k->n_files++], 64, "d");
	kit_write(k, "d/b.yaml", "- worker: b\n  command: [b]\n");
	kit_write(k, "d/a.yaml",
	    "- worker: a\n  command: [a]\n"
	    "- supervisor: s\n  include: [c.txt]\n");
	kit_write(k, "d/c.txt", "- {worker: c, command: [c]}\n");
	c = kit_ok(k, ROOT "include: d/*.yaml\nchildren:\n  - worker: z\n"
			   "    command: [z]\n");
	assert_string_equal(c->name, "z");
	c = TAILQ_NEXT(c, link);
	assert_string_equal(c->name, "a");
	assert_string_equal(c->file, "d/a.yaml");
	assert_int_equal(c->line, 1);
	c = TAILQ_NEXT(c, link);
	assert_string_equal(c->name, "s");
	assert_string_equal(TAILQ_FIRST(&c->sup.children)->file, "d/c.txt");
	c = TAILQ_NEXT(c, link);
	assert_string_equal(c->name, "b");
	assert_null(TAILQ_NEXT(c, link));
	assert_int_equal(k->conf->n_nodes, 6);
}

static void
an_include_that_matches_nothing_is_fine(void **state)
{
	assert_null(kit_ok(*state, ROOT "include: none.d/*.yaml\n"));
}

static void
a_missing_include_is_refused(void **state)
{
	kit_refuses(*state, ROOT "include: [none.yaml]\n",
	    "t.yaml:4:11: error: none.yaml: cannot open: No such file");
}

static void
a_file_that_includes_itself_is_refused(void **state)
{
	struct kit *k = *state;

	kit_write(k, "x.yaml", "- {supervisor: s, include: x.yaml}\n");
	kit_refuses(k, ROOT "include: x.yaml\n",
	    "x.yaml:1:28: error: x.yaml: includes itself");
}

static void
includes_nest_at_most_16_deep(void **state)
{
	struct kit *k = *state;
	char name[32], text[64];
	int i;

	assert_int_equal(mkdir("d", 0700), 0);
	for (i = 1; i <= 17; i++) {
		FILE *f;

		snprintf(name, sizeof(name), "d/%d.yaml", i);
		snprintf(text, sizeof(text),
		    "- {supervisor: s, include: %d.yaml}\n", i + 1);
		f = fopen(name, "we");
		assert_non_null(f);
		assert_true(fputs(text, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	kit_refuses(k, ROOT "include: d/1.yaml\n",
	    "d/16.yaml:1:28: error: includes are nested deeper than 16");
	for (i = 1; i <= 17; i++) {
		snprintf(name, sizeof(name), "d/%d.yaml", i);
		unlink(name);
	}
	rmdir("d");
}

static void
an_include_that_is_no_regular_file_is_refused(void **state)
{
	kit_refuses(*state, ROOT "include: /dev/null\n",
	    "t.yaml:4:10: error: /dev/null: is not a regular file");
	kit_refuses(*state, ROOT "include: .\n", "is not a regular file");
}

static void
an_include_holds_a_list(void **state)
{
	kit_write(*state, "x.yaml", "worker: a\ncommand: [a]\n");
	kit_refuses(*state, ROOT "include: x.yaml\n",
	    "x.yaml:1:1: error: an included file holds a list of children");
}

static void
as_root_a_file_others_may_write_is_refused(void **state)
{
	struct kit *k = *state;
	struct conf *c = NULL;

	if (geteuid() != 0) {
		print_message("# only root refuses such a file\n");
		return;
	}
	kit_write(k, "x.yaml", "[]\n");
	assert_int_equal(chmod("x.yaml", 0646), 0);
	kit_refuses(k, ROOT "include: x.yaml\n",
	    "x.yaml: refused, because everybody may write to it");
	assert_int_equal(chmod("x.yaml", 0664), 0);
	assert_int_equal(chown("x.yaml", 0, 12345), 0);
	kit_refuses(k, ROOT "include: x.yaml\n",
	    "x.yaml: refused, because its group may write to it");
	assert_int_equal(chown("x.yaml", 0, 0), 0);
	kit_ok(k, ROOT "include: x.yaml\n");
	assert_int_equal(chmod("x.yaml", 0666), 0);
	buf_fini(&k->errors);
	assert_int_equal(conf_load("x.yaml", &c, &k->errors), -EPERM);
	assert_null(c);
	kit_expect(k, "x.yaml: error: refused, because everybody may write");
}

static void
a_missing_file_is_told_by_its_errno(void **state)
{
	struct kit *k = *state;
	struct conf *c = NULL;

	assert_int_equal(conf_load("none.yaml", &c, &k->errors), -ENOENT);
	kit_expect(k, "none.yaml: error: cannot open: No such file");
}

static void
twenty_errors_are_shown_and_the_rest_counted(void **state)
{
	struct kit *k = *state;
	struct buf b = { 0 };
	const char *p;
	int i, n = 0;

	buf_puts(&b, ROOT);
	for (i = 0; i < 30; i++)
		buf_printf(&b, "bad%d: 1\n", i);
	kit_refuses(k, buf_str(&b), "t.yaml:4:1: error: unknown key \"bad0\"");
	for (p = buf_str(&k->errors); (p = strstr(p, "error:")) != NULL; p++)
		n++;
	assert_int_equal(n, 20);
	kit_expect(k, "\n10 more errors\n");
	buf_fini(&b);
}

static void
errors_come_in_the_order_of_the_files(void **state)
{
	struct kit *k = *state;
	const char *a, *b, *c;

	kit_write(k, "x.yaml", "- {worker: a}\n");
	kit_refuses(
	    k, "supervisor: root\ninclude: x.yaml\nfoo: 1\nperiod: 1\n", "foo");
	a = strstr(buf_str(&k->errors), "t.yaml:3:1");
	b = strstr(buf_str(&k->errors), "t.yaml:4:9");
	c = strstr(buf_str(&k->errors), "x.yaml:1:12");
	assert_true(a != NULL && b != NULL && c != NULL && a < b && b < c);
}

static void
the_caret_marks_the_scalar(void **state)
{
	kit_refuses(*state, ROOT "strategy: one_for_al\n",
	    "t.yaml:4:11: error: unknown strategy \"one_for_al\" in "
	    "supervisor \"root\"; did you mean \"one_for_all\"?\n"
	    "    4 | strategy: one_for_al\n"
	    "      |           ^~~~~~~~~~\n");
}

static void
a_long_line_is_shown_in_part(void **state)
{
	struct kit *k = *state;
	struct buf b = { 0 };

	buf_puts(&b, "{supervisor: root, children: []");
	while (b.len < 3000)
		buf_puts(&b, "          ");
	buf_puts(&b, ", colour: red}\n");
	kit_refuses(k, buf_str(&b), "unknown key \"colour\"");
	assert_true(k->errors.len < 400);
	kit_expect(k, ", colour: red}\n");
	kit_expect(k, "^~~~~~\n");
	buf_fini(&b);
}

static void
messages_cannot_drive_a_terminal(void **state)
{
	struct kit *k = *state;

	kit_refuses(k, ROOT "\"\\e[2Jx\\u009b\": 1\n", "unknown key");
	assert_null(strchr(buf_str(&k->errors), '\033'));
	kit_expect(k, "unknown key \"?[2Jx?\"");
}

/* A few seconds under a sanitizer; quadratic, it would take hours. */
static void
many_siblings_and_many_duplicates_stay_linear(void **state)
{
	struct buf b = { 0 };
	mono_t start = clock_mono();
	int i;

	buf_puts(&b, ROOT "children:\n");
	for (i = 0; i < 20000; i++)
		buf_printf(&b, "- {worker: w%d, command: [a]}\n", i);
	kit_ok(*state, buf_str(&b));
	buf_drain(&b, b.len);
	buf_puts(&b, ROOT "defaults:\n  env:\n");
	for (i = 0; i < 20000; i++)
		buf_printf(&b, "    A%d: x\n", i % 10000);
	kit_refuses(*state, buf_str(&b), "duplicate key \"A0\"");
	buf_fini(&b);
	assert_true(clock_mono().ns - start.ns < 20 * NS_PER_S);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_open, kit_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(anchors_are_refused),
		TEST(aliases_are_refused),
		TEST(tags_are_refused),
		TEST(merge_keys_are_refused),
		TEST(a_second_document_is_refused),
		TEST(a_nul_is_refused),
		TEST(a_duplicate_key_is_refused),
		TEST(a_duplicate_key_in_a_large_map_is_refused),
		TEST(a_key_that_is_a_list_is_refused),
		TEST(deep_nesting_is_refused),
		TEST(what_is_not_yaml_is_refused_with_a_place),
		TEST(an_empty_file_is_refused),
		TEST(json_is_accepted),
		TEST(scalars_hold_no_surprises),
		TEST(variables_are_expanded),
		TEST(an_unset_variable_is_refused),
		TEST(a_dollar_that_expands_nothing_is_refused),
		TEST(a_value_that_is_not_utf8_is_refused),
		TEST(includes_are_appended_in_order_of_names),
		TEST(an_include_that_matches_nothing_is_fine),
		TEST(a_missing_include_is_refused),
		TEST(a_file_that_includes_itself_is_refused),
		TEST(includes_nest_at_most_16_deep),
		TEST(an_include_that_is_no_regular_file_is_refused),
		TEST(an_include_holds_a_list),
		TEST(as_root_a_file_others_may_write_is_refused),
		TEST(a_missing_file_is_told_by_its_errno),
		TEST(twenty_errors_are_shown_and_the_rest_counted),
		TEST(errors_come_in_the_order_of_the_files),
		TEST(the_caret_marks_the_scalar),
		TEST(a_long_line_is_shown_in_part),
		TEST(messages_cannot_drive_a_terminal),
		TEST(many_siblings_and_many_duplicates_stay_linear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
