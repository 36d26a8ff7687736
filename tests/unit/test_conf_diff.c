/* SPDX-License-Identifier: ISC */
/* What changes from one configuration to another. */
#include "conf/bind.h"
#include "conf/diff.h"
#include "conf_kit.h"

/* Load both and compare them; the caller has both meanwhile. */
struct both {
	struct conf *old;
	struct conf_diff *d;
	struct buf text;
};

static void
both_fini(struct both *b)
{
	conf_diff_free(b->d);
	conf_free(b->old);
	buf_fini(&b->text);
}

static int
compare(struct kit *k, struct both *b, const char *old, const char *now)
{
	int rc;

	kit_ok(k, old);
	b->old = take_ptr(k->conf);
	kit_ok(k, now);
	buf_fini(&k->errors);
	rc = conf_diff_make(b->old, k->conf, &b->d, &k->errors);
	if (rc == 0)
		conf_diff_print(b->d, &b->text);
	return rc;
}

static void
expect(struct kit *k, const char *old, const char *now, const char *text)
{
	cleanup_(both_fini) struct both b = { 0 };

	assert_int_equal(compare(k, &b, old, now), 0);
	assert_string_equal(buf_str(&b.text), text);
	assert_true((b.d->n_changes == 0) == (text[0] == '\0'));
}

/* One worker with other keys. */
static void
expect_keys(struct kit *k, const char *old, const char *now, const char *text)
{
	struct buf a = { 0 }, b = { 0 };

	buf_printf(&a, WORKER("%s"), old);
	buf_printf(&b, WORKER("%s"), now);
	expect(k, buf_str(&a), buf_str(&b), text);
	buf_fini(&a);
	buf_fini(&b);
}

#define LIST    ROOT "children:\n"
#define W(name) "- {worker: " name ", command: [" name "]}\n"

static void
a_tree_does_not_differ_from_itself(void **state)
{
	const char *text = LIST W(
	    "a") "- {supervisor: s, children: [{worker: b, command: [b], "
		 "instances: 2, env: {X: \"${instance}\", Y: \"$$\"}}]}\n"
		 "- {supervisor: p, strategy: simple_one_for_one, "
		 "template: {command: [a]}}\n";
	cleanup_(both_fini) struct both b = { 0 };
	uint32_t i;

	assert_int_equal(compare(*state, &b, text, text), 0);
	assert_string_equal(buf_str(&b.text), "");
	assert_int_equal(b.d->n_changes, 0);
	assert_int_equal(b.d->n, 6);
	for (i = 0; i < b.d->n; i++) {
		assert_int_equal(b.d->child[i].kind, DIFF_SAME);
		assert_string_equal(
		    b.d->child[i].old->name, b.d->child[i].now->name);
	}
	assert_string_equal(b.d->child[4].path, "root/s/b.2");
}

static void
values_are_compared_and_not_their_spelling(void **state)
{
	expect_keys(*state,
	    "shutdown: 1000ms\n    stop_signal: SIGINT\n"
	    "    success_exit: [1, 0]\n    rlimit: {nofile: 10}\n"
	    "    log: {size: 1024K}\n    env: {A: 1, B: 2}",
	    "shutdown: \"1s\"\n    stop_signal: 2\n"
	    "    success_exit: 0-1\n    rlimit: {nofile: \"10:10\"}\n"
	    "    log: {size: 1M, keep: 5}\n    env: {B: \"2\", A: 1}",
	    "");
	expect_keys(
	    *state, "", "shutdown: 5s\n    env: {}\n    backoff: off", "");
	expect(*state, LIST "- {worker: a, command: a b}\n",
	    LIST "- {worker: a, command: [a, b]}\n", "");
}

static void
a_key_that_the_process_has_got_needs_a_restart(void **state)
{
	expect_keys(*state, "cwd: /tmp", "",
	    "! w: restart\n    cwd: /tmp -> / (default)\n");
	expect_keys(*state, "", "nice: 5",
	    "! w: restart\n    nice: none -> 5 (t.yaml:7)\n");
	expect_keys(
	    *state, "nice: 5", "", "! w: restart\n    nice: 5 -> none\n");
	expect_keys(*state, "heartbeat: 5s", "heartbeat: 1s",
	    "! w: restart\n    heartbeat: 5s -> 1s (t.yaml:7)\n");
}

static void
a_key_that_supd_keeps_needs_none(void **state)
{
	expect_keys(*state, "shutdown: 7s\n    restart: transient",
	    "shutdown: 8s\n    description: x",
	    "~ w\n    description: none -> x (t.yaml:8)\n"
	    "    restart: transient -> permanent (default)\n"
	    "    shutdown: 7s -> 8s (t.yaml:7)\n");
	expect_keys(*state, "ready: {tcp: \"a:1\"}", "ready: {probe: x y}",
	    "~ w\n    ready: {tcp: \"a:1\"} -> {probe: [x, \"y\"]} "
	    "(t.yaml:7)\n");
}

static void
maps_are_compared_entry_by_entry(void **state)
{
	expect_keys(*state, "env: {A: 1, B: 2, C: 3}",
	    "env: {A: 1, C: 4, D: \"$$x\"}",
	    "! w: restart\n    env.C: \"3\" -> \"4\" (t.yaml:7)\n"
	    "    env.D: none -> \"$$x\" (t.yaml:7)\n"
	    "    env.B: \"2\" -> none\n");
	expect_keys(*state, "rlimit: {core: 0}", "rlimit: {core: 1K}",
	    "! w: restart\n    rlimit.core: 0 -> 1024 (t.yaml:7)\n");
	expect_keys(*state, "log: {keep: 3}", "log: {size: 1M}",
	    "~ w\n    log.size: 10M -> 1M (t.yaml:7)\n"
	    "    log.keep: 3 -> 5 (default)\n");
	expect_keys(*state, "backoff: {min: 2s}", "backoff: {max: 9s}",
	    "~ w\n    backoff.min: 2s -> 1s (default)\n"
	    "    backoff.max: 60s -> 9s (t.yaml:7)\n");
	expect_keys(*state, "backoff: {min: 2s}", "backoff: off",
	    "~ w\n    backoff: {min: 2s} -> off (t.yaml:7)\n");
	expect_keys(*state, "", "health: {tcp: \"a:1\"}",
	    "~ w\n    health: off -> {tcp: \"a:1\"} (t.yaml:7)\n");
	expect_keys(*state, "health: {tcp: \"a:1\", interval: 5s}",
	    "health: {unix: /x}",
	    "~ w\n    health.tcp: \"a:1\" -> none\n"
	    "    health.unix: none -> /x (t.yaml:7)\n"
	    "    health.interval: 5s -> 10s (default)\n");
}

static void
what_defaults_make_of_a_child_counts(void **state)
{
	expect(*state, LIST W("a"),
	    ROOT "defaults: {cwd: /tmp, env: {A: 1}}\nchildren:\n" W("a"),
	    "! a: restart\n    cwd: / -> /tmp (defaults at t.yaml:4)\n"
	    "    env.A: none -> \"1\" (defaults at t.yaml:4)\n");
	expect(*state, ROOT "defaults: {cwd: /tmp}\nchildren:\n" W("a"),
	    LIST "- {worker: a, command: [a], cwd: /tmp}\n", "");
}

static void
children_are_added_and_removed(void **state)
{
	expect(*state, LIST W("a") W("b"), LIST W("b") W("c"),
	    "+ c: worker, added at t.yaml:6\n- a: worker, removed\n");
	expect(*state, LIST,
	    LIST "- supervisor: s\n  children:\n  - {worker: a, command: [a]}\n"
		 "  - {worker: b, command: [a], instances: 3}\n",
	    "+ s: supervisor with 4 workers, added at t.yaml:5\n");
	expect(*state,
	    LIST "- supervisor: s\n  children:\n  - {worker: a, command: "
		 "[a]}\n",
	    LIST "- supervisor: s\n", "- s/a: worker, removed\n");
	expect(*state, LIST "- {worker: a, command: [a], instances: 2}\n",
	    LIST "- {worker: a, command: [a], instances: 3}\n",
	    "+ a.3: worker, added at t.yaml:5\n");
}

static void
the_fewest_children_have_moved(void **state)
{
	expect(*state, LIST W("a") W("b") W("c") W("d"),
	    LIST W("d") W("a") W("b") W("c"), "~ d\n    moved to the front\n");
	expect(*state, LIST W("a") W("b") W("c") W("d"),
	    LIST W("b") W("c") W("a") W("d"), "~ a\n    moved behind c\n");
	expect(*state, LIST W("a") W("b") W("c"), LIST W("c") W("x") W("b"),
	    "~ c\n    moved to the front\n+ x: worker, added at t.yaml:6\n"
	    "- a: worker, removed\n");
}

static void
a_worker_is_replaced_by_a_supervisor(void **state)
{
	cleanup_(both_fini) struct both b = { 0 };

	assert_int_equal(compare(*state, &b, LIST W("a") W("b"),
			     LIST "- supervisor: a\n" W("b")),
	    0);
	assert_string_equal(buf_str(&b.text),
	    "- a: worker, replaced\n"
	    "+ a: supervisor with 0 workers, added at t.yaml:5\n");
	assert_int_equal(b.d->n, 4);
	assert_int_equal(b.d->n_changes, 2);
	assert_int_equal(b.d->child[1].kind, DIFF_REMOVED);
	assert_true(b.d->child[1].replaced);
	assert_null(b.d->child[1].now);
	assert_false(b.d->child[1].old->is_sup);
	assert_int_equal(b.d->child[2].kind, DIFF_ADDED);
	assert_true(b.d->child[2].replaced);
	assert_null(b.d->child[2].old);
	assert_true(b.d->child[2].now->is_sup);
}

static void
a_pool_is_replaced_by_another_supervisor(void **state)
{
	expect(*state,
	    LIST "- {supervisor: s, strategy: simple_one_for_one, "
		 "template: {command: [a]}}\n",
	    LIST "- {supervisor: s, strategy: one_for_all}\n",
	    "- s: supervisor with 0 workers, replaced\n"
	    "+ s: supervisor with 0 workers, added at t.yaml:5\n");
	expect(*state, LIST "- {supervisor: s, strategy: one_for_one}\n",
	    LIST "- {supervisor: s, strategy: one_for_all}\n",
	    "~ s\n    strategy: one_for_one -> one_for_all (t.yaml:5)\n");
}

static void
a_template_is_compared(void **state)
{
#define POOL(keys)                                                             \
	LIST "- {supervisor: s, strategy: simple_one_for_one, "                \
	     "template: {command: [a], " keys "}}\n"
	cleanup_(both_fini) struct both b = { 0 };

	assert_int_equal(
	    compare(*state, &b, POOL("shutdown: 1s"), POOL("cwd: /tmp")), 0);
	assert_string_equal(buf_str(&b.text),
	    "! s: its children restart\n"
	    "    template.shutdown: 1s -> 5s (default)\n"
	    "    template.cwd: / -> /tmp (t.yaml:5)\n");
	assert_true(b.d->child[1].restarts);
	expect(*state, POOL("shutdown: 1s"), POOL("shutdown: 2s"),
	    "~ s\n    template.shutdown: 1s -> 2s (t.yaml:5)\n");
}

static void
the_root_stays_what_it_is(void **state)
{
	cleanup_(both_fini) struct both b = { 0 }, c = { 0 };

	assert_int_equal(
	    compare(*state, &b, "supervisor: a\n", "supervisor: b\n"), -EINVAL);
	kit_expect(*state,
	    "t.yaml:1: error: the root's name cannot change from \"a\" to "
	    "\"b\" while supd runs; take the old one, or restart supd");
	assert_null(b.d);
	assert_int_equal(compare(*state, &c, LIST,
			     ROOT "strategy: simple_one_for_one\n"
				  "template: {command: [a]}\n"),
	    -EINVAL);
	kit_expect(*state,
	    "the root's strategy cannot change from \"one_for_one\" to "
	    "\"simple_one_for_one\"");
	expect(*state, LIST W("a"),
	    "supervisor: root\nintensity: 4\nperiod: 5s\nstart_rate: 3\n"
	    "children:\n" W("a"),
	    "~ root\n    intensity: 3 -> 4 (t.yaml:2)\n"
	    "    start_rate: none -> 3 (t.yaml:4)\n");
}

static void
the_content_of_an_env_file_counts(void **state)
{
	struct kit *k = *state;
	cleanup_(both_fini) struct both b = { 0 };
	const char *text =
	    WORKER("env_file: e\n    env: {A: 1, B: \"${instance}\"}"
		   "\n    instances: 1");
	const char *was;

	kit_write(k, "e", "A=x\nSECRET=1\nGONE=1\nSAME=1\n");
	kit_ok(k, text);
	b.old = take_ptr(k->conf);
	unlink("e");
	k->n_files--;
	kit_write(k, "e", "A=y\nSECRET=2\nNEW=1\nSAME=1\n");
	kit_ok(k, text);
	assert_int_equal(conf_diff_make(b.old, k->conf, &b.d, &k->errors), 0);
	conf_diff_print(b.d, &b.text);
	assert_non_null(
	    strstr(buf_str(&b.text), "! w.1: restart\n    env_file: "));
	was = strstr(buf_str(&b.text), " (with another SECRET, NEW, GONE) (");
	assert_non_null(was);
	assert_int_equal(b.d->child[1].n_keys, 1);
}

static void
another_env_file_is_told_by_its_name(void **state)
{
	struct kit *k = *state;

	kit_write(k, "e1", "A=x\n");
	kit_write(k, "e2", "A=y\n");
	cleanup_(both_fini) struct both b = { 0 };

	assert_int_equal(
	    compare(k, &b, WORKER("env_file: e1"), WORKER("env_file: e2")), 0);
	assert_int_equal(b.d->child[1].n_keys, 1);
	assert_string_equal(b.d->child[1].key[0].name, "env_file");
	assert_true(b.d->child[1].restarts);
}

static void
another_identity_of_the_same_user_counts(void **state)
{
	struct kit *k = *state;
	cleanup_(both_fini) struct both b = { 0 };
	struct conf_child *c;

	kit_ok(k, WORKER("user: root"));
	b.old = take_ptr(k->conf);
	kit_ok(k, WORKER("user: root"));
	/* As if the user database had changed between two loads. */
	c = TAILQ_FIRST(&b.old->root->sup.children);
	c->worker.n_groups = 1;
	c->worker.groups[0] = 4711;
	assert_int_equal(conf_diff_make(b.old, k->conf, &b.d, &k->errors), 0);
	assert_int_equal(b.d->child[1].n_keys, 1);
	assert_true(b.d->child[1].restarts);
	assert_string_equal(b.d->child[1].key[0].name, "user");
	assert_non_null(strstr(
	    b.d->child[1].key[0].old, "root (uid 0, gid 0, groups 4711"));
}

/* The flag of each key of a worker, as supd.yaml(5) lists them. */
static void
keys_at_the_next_start_are_those_of_the_process(void **state)
{
	static const enum key_id next[] = { W_COMMAND, W_ENABLED, W_HEARTBEAT,
		W_KILL_MODE, W_USER, W_GROUP, W_GROUPS, W_UMASK, W_CWD, W_ENV,
		W_ENV_FILE, W_ENV_CLEAR, W_STDIN, W_STDOUT, W_STDERR, W_RLIMIT,
		W_NICE, W_OOM_SCORE_ADJ, W_MAILBOX, M_MAX_BYTES, M_ON_FULL,
		M_ON_RESTART, W_REGISTER, W_LINK, W_MONITOR, W_ALLOW };
	size_t id, i;

	(void)state;
	for (id = 0; id < LATER_FIRST; id++) {
		bool expected = false;

		for (i = 0; i < ARRAY_LEN(next); i++)
			expected = expected || next[i] == id;
		assert_true(schema_keys[id].at_next_start == expected);
	}
}

static const struct {
	enum key_id id;
	const char *old, *now;
} changes[] = {
	{ W_DESCRIPTION, "a", "b" },
	{ W_COMMAND, "[a, b]", "a c" },
	{ W_ENABLED, "true", "false" },
	{ W_RESTART, "permanent", "transient" },
	{ W_SUCCESS_EXIT, "0-2", "[0, 1]" },
	{ W_FATAL_EXIT, "78", "[77, 78]" },
	{ W_SIGNIFICANT, "false", "true" },
	{ W_BACKOFF, "{min: 1s}", "{min: 2s}" },
	{ W_MAX_ATTEMPTS, "off", "5" },
	{ W_READY, "{tcp: \"a:1\"}", "{tcp: \"a:2\"}" },
	{ W_START_TIMEOUT, "1m", "61s" },
	{ W_START_GRACE, "0s", "1ms" },
	{ W_HEARTBEAT, "off", "1s" },
	{ W_HEALTH, "{tcp: \"a:1\"}", "{tcp: \"a:2\"}" },
	{ W_MAX_LIFETIME, "1h", "2h" },
	{ W_SHUTDOWN, "5s", "infinity" },
	{ W_STOP_SIGNAL, "TERM", "HUP" },
	{ W_STOP_SEQUENCE, "[INT 5s, KILL]", "[INT 6s, KILL]" },
	{ W_KILL_MODE, "group", "process" },
	{ W_PRE_START, "[]", "[a]" },
	{ W_POST_STOP, "[a]", "[b]" },
	{ W_HOOK_TIMEOUT, "30s", "31s" },
	{ W_USER, "root", "\"0\"" },
	{ W_GROUP, "\"4711\"", "\"4712\"" },
	{ W_GROUPS, "[\"4711\"]", "[]" },
	{ W_UMASK, "022", "077" },
	{ W_CWD, "/", "/tmp" },
	{ W_ENV, "{A: 1}", "{A: 2}" },
	{ W_ENV_FILE, "", "" }, /* has tests of its own */
	{ W_ENV_CLEAR, "false", "true" },
	{ W_STDIN, "null", "{file: /x}" },
	{ W_STDOUT, "log", "null" },
	{ W_STDERR, "log", "join" },
	{ W_LOG, "{size: 1M}", "{size: 2M}" },
	{ W_MAILBOX, "{on_full: kill}", "{on_full: drop}" },
	{ W_RLIMIT, "{core: 0}", "{core: 1}" },
	{ W_NICE, "5", "6" },
	{ W_OOM_SCORE_ADJ, "5", "6" },
	{ W_REGISTER, "[]", "[a]" },
	{ W_LINK, "a", "[a, b]" },
	{ W_MONITOR, "[a]", "[b]" },
	{ W_ALLOW, "control", "[jobs]" },
	{ S_STRATEGY, "one_for_one", "one_for_all" },
	{ S_INTENSITY, "3", "4" },
	{ S_PERIOD, "5s", "6s" },
	{ S_AUTO_SHUTDOWN, "never", "any_significant" },
	{ S_RESTART, "permanent", "temporary" },
	{ S_SIGNIFICANT, "false", "true" },
	{ S_ON_GIVEUP, "stop", "{exec: x}" },
	{ S_MAX_CHILDREN, "5", "6" },
	{ S_SHUTDOWN_DEADLINE, "infinity", "5s" },
};

static void
write_child(struct buf *b, size_t i, const char *value)
{
	enum key_id id = changes[i].id;

	buf_fini(b);
	buf_puts(b, ROOT "auto_shutdown: any_significant\nchildren:\n");
	if (id < S_N)
		buf_puts(b, "- supervisor: x\n");
	else if (id == W_COMMAND)
		buf_puts(b, "- worker: x\n");
	else
		buf_puts(b, "- worker: x\n  command: [a]\n");
	if (id == W_SIGNIFICANT || id == S_SIGNIFICANT)
		buf_puts(b, "  restart: transient\n");
	buf_printf(b, "  %s: %s\n", schema_keys[id].name, value);
}

static void
a_change_of_any_key_is_found(void **state)
{
	struct buf old = { 0 }, now = { 0 };
	bool seen[LATER_FIRST] = { false };
	size_t i;

	for (i = 0; i < ARRAY_LEN(changes); i++) {
		cleanup_(both_fini) struct both b = { 0 };
		const struct key *k = &schema_keys[changes[i].id];
		size_t len = strlen(k->name);
		const char *name;

		if (changes[i].id == W_ENV_FILE)
			continue;
		write_child(&old, i, changes[i].old);
		write_child(&now, i, changes[i].now);
		assert_int_equal(
		    compare(*state, &b, buf_str(&old), buf_str(&now)), 0);
		assert_int_equal(b.d->child[1].kind, DIFF_CHANGED);
		assert_int_equal(b.d->child[1].n_keys, 1);
		name = b.d->child[1].key[0].name;
		assert_int_equal(strncmp(name, k->name, len), 0);
		assert_true(name[len] == '\0' || name[len] == '.');
		assert_true(b.d->child[1].restarts == k->at_next_start);
	}
	for (i = 0; i < ARRAY_LEN(changes); i++)
		seen[changes[i].id] = true;
	for (i = S_STRATEGY; i < W_END; i++) {
		if (i != S_START_RATE && i != W_INSTANCES && i != W_NAME &&
		    (i < S_DEFAULTS || i >= S_N))
			assert_true(seen[i]);
	}
	buf_fini(&old);
	buf_fini(&now);
}

/* Quadratic work would not end within the test's time. */
static void
ten_thousand_workers_are_compared(void **state)
{
	struct kit *k = *state;
	cleanup_(both_fini) struct both b = { 0 };
	struct buf old = { 0 }, now = { 0 };
	int i;

	buf_puts(&old, LIST);
	buf_puts(&now, LIST);
	for (i = 0; i < 10000; i++) {
		buf_printf(&old,
		    "- {worker: w%d, command: [a], env: {A: \"%d\"}}\n", i, i);
		buf_printf(&now,
		    "- {worker: w%d, command: [a], env: {A: \"%d\"}}\n",
		    9999 - i, i % 2 ? 9999 - i : 5);
	}
	assert_int_equal(compare(k, &b, buf_str(&old), buf_str(&now)), 0);
	assert_int_equal(b.d->n, 10001);
	assert_int_equal(b.d->n_changes, 9999); /* one need not move */
	buf_fini(&old);
	buf_fini(&now);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_open, kit_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_tree_does_not_differ_from_itself),
		TEST(values_are_compared_and_not_their_spelling),
		TEST(a_key_that_the_process_has_got_needs_a_restart),
		TEST(a_key_that_supd_keeps_needs_none),
		TEST(maps_are_compared_entry_by_entry),
		TEST(what_defaults_make_of_a_child_counts),
		TEST(children_are_added_and_removed),
		TEST(the_fewest_children_have_moved),
		TEST(a_worker_is_replaced_by_a_supervisor),
		TEST(a_pool_is_replaced_by_another_supervisor),
		TEST(a_template_is_compared),
		TEST(the_root_stays_what_it_is),
		TEST(the_content_of_an_env_file_counts),
		TEST(another_env_file_is_told_by_its_name),
		TEST(another_identity_of_the_same_user_counts),
		TEST(keys_at_the_next_start_are_those_of_the_process),
		TEST(a_change_of_any_key_is_found),
		TEST(ten_thousand_workers_are_compared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
