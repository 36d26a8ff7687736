/* SPDX-License-Identifier: ISC */
#include "ctl/opts.h"
#include "ctl/verbs.h"

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#define ARGS_MAX 16

/* One command line, taken apart. */
struct line {
	struct ctl c;
	char *words[ARGS_MAX];
	char *text, *out, *err;
	size_t out_len, err_len;
	int argc, code;
	char **argv;
	bool ok;
};

static void
line_fini(struct line *l)
{
	free(l->text);
	free(l->out);
	free(l->err);
}

/* Words are separated by single blanks. */
static void
parse(struct line *l, const char *text)
{
	char *rest, *word;
	int n = 0;

	*l = (struct line){ .argc = -1 };
	l->c.out = open_memstream(&l->out, &l->out_len);
	l->c.err = open_memstream(&l->err, &l->err_len);
	rest = l->text = strdup(text);
	while ((word = strsep(&rest, " ")) != NULL && n < ARGS_MAX - 1)
		l->words[n++] = word;
	l->ok = opts_parse(&l->c, n, l->words, &l->argc, &l->argv, &l->code);
	fclose(l->c.out);
	fclose(l->c.err);
}

static void
options_stand_before_and_after_the_verb(void **state)
{
	cleanup_(line_fini) struct line l;

	(void)state;
	parse(&l, "supctl -s /x.sock --json start a --no-wait b --timeout 2s");
	assert_true(l.ok);
	assert_string_equal(l.c.socket, "/x.sock");
	assert_string_equal(l.c.verb->name, "start");
	assert_true(l.c.json);
	assert_false(l.c.wait);
	assert_true(l.c.timeout_ns == 2 * NS_PER_S);
	assert_int_equal(l.argc, 2);
	assert_string_equal(l.argv[0], "a");
	assert_string_equal(l.argv[1], "b");
}

static void
verbs_that_act_wait_for_ten_seconds(void **state)
{
	cleanup_(line_fini) struct line l, m;

	(void)state;
	parse(&l, "supctl restart a");
	assert_true(l.ok && l.c.wait);
	assert_true(l.c.timeout_ns == 10 * NS_PER_S);
	parse(&m, "supctl shutdown");
	assert_true(m.ok && !m.c.wait);
}

static void
dash_s_is_a_signal_after_kill_only(void **state)
{
	cleanup_(line_fini) struct line l, m;

	(void)state;
	parse(&l, "supctl -s /x.sock kill -s HUP a");
	assert_true(l.ok);
	assert_string_equal(l.c.sig, "HUP");
	assert_string_equal(l.c.socket, "/x.sock");
	parse(&m, "supctl status -s /x.sock");
	assert_false(m.ok);
	assert_int_equal(m.code, CTL_USAGE);
}

static void
words_after_two_dashes_are_literal(void **state)
{
	cleanup_(line_fini) struct line l, m;

	(void)state;
	parse(&l, "supctl add jobs -- -x @y");
	assert_true(l.ok && l.c.literal);
	assert_int_equal(l.argc, 3);
	assert_string_equal(l.argv[0], "jobs");
	assert_string_equal(l.argv[1], "-x");
	parse(&m, "supctl add jobs -");
	assert_true(m.ok && !m.c.literal);
	assert_string_equal(m.argv[1], "-");
}

/* Refused with exit 2, `said`, and the usage line of `usage`. */
static void
assert_refused(const char *text, const char *said, const char *usage)
{
	cleanup_(line_fini) struct line l;

	parse(&l, text);
	assert_false(l.ok);
	assert_int_equal(l.code, CTL_USAGE);
	assert_non_null(strstr(l.err, said));
	if (usage != NULL)
		assert_non_null(strstr(l.err, usage));
	assert_string_equal(l.out, "");
}

static void
a_wrong_command_line_shows_the_usage_of_its_verb(void **state)
{
	(void)state;
	assert_refused(
	    "supctl start", "argument is missing", "usage: supctl start ");
	assert_refused("supctl show a b", "b: one argument too many",
	    "usage: supctl show PATH");
	assert_refused("supctl status --follow",
	    "--follow: not an option of "
	    "status",
	    "usage: supctl status ");
	assert_refused("supctl status -f", "-f: not an option", "usage: ");
	assert_refused("supctl ping --frob", "--frob: no such option",
	    "usage: supctl ping");
	assert_refused("supctl ping -z", "-z: no such option", "usage: ");
	assert_refused("supctl logs a -n", "-n: its argument is missing",
	    "usage: supctl logs");
	assert_refused("supctl logs a -n x", "-n x: invalid", "usage: ");
	assert_refused("supctl -f events", "-f: not an option", "usage: ");
	assert_refused("supctl", "usage: supctl", NULL);
}

static void
a_timeout_needs_its_unit(void **state)
{
	(void)state;
	assert_refused("supctl ping --timeout 10", "say the unit: 10s", NULL);
	assert_refused("supctl ping --timeout soon", "such as 500ms", NULL);
	assert_refused("supctl ping --timeout -1s", "such as 500ms", NULL);
}

static void
what_is_planned_is_refused_as_such(void **state)
{
	(void)state;
	assert_refused("supctl scale", "scale: not supported yet", NULL);
	assert_refused("supctl top", "top: not supported yet", NULL);
	assert_refused(
	    "supctl logs --since 5m a", "--since: not supported yet", NULL);
}

static void
options_belong_to_their_verbs(void **state)
{
	(void)state;
	assert_refused(
	    "supctl diff --dry-run", "--dry-run: not an option of", NULL);
	assert_refused("supctl apply --every 5s", "not an option of", NULL);
	assert_refused("supctl simulate crash a --every 5",
	    "--every 5: not a duration", NULL);
	assert_refused("supctl simulate crash a --repeat 0",
	    "a number from 1 to 1000 is wanted", NULL);
	assert_refused("supctl apply a b", "one argument too many", NULL);
}

static void
a_misspelt_verb_is_guessed(void **state)
{
	(void)state;
	assert_refused("supctl statsu", "did you mean status?", NULL);
	assert_refused("supctl is_up x", "did you mean is-up?", NULL);
	assert_refused("supctl frobnicate", "supctl help lists them", NULL);
}

static void
help_and_version_need_no_supd(void **state)
{
	cleanup_(line_fini) struct line l, m, n;

	(void)state;
	parse(&l, "supctl --version");
	assert_int_equal(l.code, CTL_OK);
	assert_string_equal(l.out, "supctl " SUPD_VERSION "\n");
	parse(&m, "supctl -h");
	assert_int_equal(m.code, CTL_OK);
	assert_non_null(strstr(m.out, "status"));
	parse(&n, "supctl start --help");
	assert_int_equal(n.code, CTL_OK);
	assert_non_null(strstr(n.out, "usage: supctl start"));
}

static void
signals_have_names_and_numbers(void **state)
{
	(void)state;
	assert_string_equal(opts_signal("TERM"), "TERM");
	assert_string_equal(opts_signal("sigterm"), "TERM");
	assert_string_equal(opts_signal("15"), "TERM");
	assert_string_equal(opts_signal("USR1"), "USR1");
	assert_null(opts_signal("FOO"));
	assert_null(opts_signal("0"));
	assert_null(opts_signal("SIG15"));
	assert_null(opts_signal("15x"));
	assert_null(opts_signal(""));
}

static void
every_verb_is_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_verbs; i++) {
		const struct verb *v = &verbs[i];

		assert_ptr_equal(verb_find(v->name), v);
		assert_false(verb_is_planned(v->name));
		assert_non_null(v->run);
		assert_true(v->max < 0 || v->min <= v->max);
		/* One line of help in 80 columns. */
		assert_true(strlen(v->doc) > 0 && strlen(v->doc) <= 61);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options_stand_before_and_after_the_verb),
		cmocka_unit_test(verbs_that_act_wait_for_ten_seconds),
		cmocka_unit_test(dash_s_is_a_signal_after_kill_only),
		cmocka_unit_test(words_after_two_dashes_are_literal),
		cmocka_unit_test(
		    a_wrong_command_line_shows_the_usage_of_its_verb),
		cmocka_unit_test(a_timeout_needs_its_unit),
		cmocka_unit_test(what_is_planned_is_refused_as_such),
		cmocka_unit_test(options_belong_to_their_verbs),
		cmocka_unit_test(a_misspelt_verb_is_guessed),
		cmocka_unit_test(help_and_version_need_no_supd),
		cmocka_unit_test(signals_have_names_and_numbers),
		cmocka_unit_test(every_verb_is_whole),
	};

	unsetenv("SUPD_SOCKET");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
