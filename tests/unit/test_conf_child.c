/* SPDX-License-Identifier: ISC */
/* Children made at run time, conf_print() and conf_show(). */
#include "base/mono.h"
#include "conf/bind.h"
#include "conf_kit.h"

#define JOBS                                                                   \
	"- supervisor: jobs\n  strategy: simple_one_for_one\n"                 \
	"  defaults: {env: {A: 1}, cwd: /tmp}\n"                               \
	"  template: {command: \"job --x '$$y'\", restart: temporary}\n"

static struct conf_child *
parse(struct kit *k, const struct conf_child *parent, const char *text)
{
	struct conf_child *c = NULL;
	int rc;

	buf_fini(&k->errors);
	rc = conf_parse_child(
	    parent, "supctl add", text, strlen(text), &c, &k->errors);
	assert_true((rc == 0) == (c != NULL));
	assert_true(rc == 0 || rc == -EINVAL);
	return c;
}

static void
a_child_is_parsed_with_its_parents_defaults(void **state)
{
	struct kit *k = *state;
	struct conf_child *c;

	kit_ok(k, ROOT "defaults: {cwd: /tmp, shutdown: 9s}\n");
	c = parse(
	    k, k->conf->root, "{\"worker\": \"x\", \"command\": [\"a\"]}");
	assert_non_null(c);
	assert_string_equal(c->name, "x");
	assert_string_equal(c->file, "supctl add");
	assert_string_equal(c->worker.cwd, "/tmp");
	assert_int_equal(c->worker.spec.stop[0].wait_ns, 9 * NS_PER_S);
	assert_true(TAILQ_EMPTY(&k->conf->root->sup.children));
	conf_child_free(c);
}

static void
a_child_outlives_the_configuration(void **state)
{
	struct kit *k = *state;
	struct conf_child *c, *d;

	kit_ok(k, ROOT "defaults: {cwd: /tmp, env: {A: b}}\n");
	c = parse(k, k->conf->root,
	    "supervisor: s\nchildren:\n- {worker: x, command: [a]}\n");
	conf_free(take_ptr(k->conf));
	assert_non_null(c);
	d = parse(k, c, "{worker: y, command: [b]}");
	conf_child_free(c);
	assert_non_null(d);
	assert_string_equal(d->worker.cwd, "/tmp");
	assert_string_equal(d->worker.env[0], "A=b");
	conf_child_free(d);
}

static void
a_wrong_child_is_refused_with_its_label(void **state)
{
	struct kit *k = *state;

	kit_ok(k, ROOT "children:\n" JOBS "- {worker: w, command: [w]}\n");
	assert_null(parse(k, k->conf->root, "{worker: x, comand: [a]}"));
	kit_expect(k, "supctl add:1:13: error: unknown key \"comand\"");
	assert_null(parse(k, k->conf->root, "{worker: x"));
	kit_expect(k, "supctl add:2:1: error: did not find expected");
	assert_null(parse(k, k->conf->root, ""));
	kit_expect(k, "supctl add: error: is empty");
	assert_null(parse(k, k->conf->root, "[a]"));
	kit_expect(k, "a child is a map");
	assert_null(
	    parse(k, k->conf->root, "{worker: x, command: [a], instances: 2}"));
	kit_expect(k, "instances cannot be added at run time");
	assert_null(
	    parse(k, k->conf->root, "{worker: x, command: [a], env_file: x}"));
	kit_expect(k, "env_file needs an absolute path here");
	assert_null(parse(k, k->conf->root, "{supervisor: x, include: x}"));
	kit_expect(k, "give an absolute path");
	assert_null(parse(k, TAILQ_FIRST(&k->conf->root->sup.children),
	    "{worker: x, command: [a]}"));
	kit_expect(k, "give arguments, not a spec");
	assert_null(parse(k,
	    TAILQ_NEXT(TAILQ_FIRST(&k->conf->root->sup.children), link),
	    "{worker: x, command: [a]}"));
	kit_expect(k, "\"w\" is not a supervisor");
}

static void
a_template_takes_more_arguments(void **state)
{
	struct kit *k = *state;
	const char *const extra[] = { "$HOME", "${instance}", "a b", NULL };
	const struct conf_child *jobs;
	struct conf_child *c = NULL;
	int rc;

	jobs = kit_ok(k, ROOT "children:\n" JOBS);
	rc = conf_instantiate(jobs, "jobs.1", extra, &c, &k->errors);
	assert_int_equal(rc, 0);
	conf_free(take_ptr(k->conf));
	assert_string_equal(c->name, "jobs.1");
	assert_string_equal(c->worker.argv[0], "job");
	assert_string_equal(c->worker.argv[2], "$y");
	assert_string_equal(c->worker.argv[3], "$HOME");
	assert_string_equal(c->worker.argv[4], "${instance}");
	assert_string_equal(c->worker.argv[5], "a b");
	assert_null(c->worker.argv[6]);
	assert_int_equal(c->worker.spec.restart, TEMPORARY);
	assert_string_equal(c->worker.cwd, "/tmp");
	assert_string_equal(c->worker.env[0], "A=1");
	conf_child_free(c);
}

static void
a_template_needs_no_more_arguments(void **state)
{
	struct kit *k = *state;
	const struct conf_child *jobs = kit_ok(k, ROOT "children:\n" JOBS);
	struct conf_child *c = NULL;

	assert_int_equal(conf_instantiate(jobs, "j", NULL, &c, &k->errors), 0);
	assert_null(c->worker.argv[3]);
	conf_child_free(c);
	c = NULL;
	assert_int_equal(
	    conf_instantiate(jobs, "Bad", NULL, &c, &k->errors), -EINVAL);
	kit_expect(k, "\"Bad\" is not a name");
	assert_int_equal(
	    conf_instantiate(k->conf->root, "j", NULL, &c, &k->errors),
	    -EINVAL);
	kit_expect(k, "\"root\" has no template");
	assert_null(c);
}

static void
collect(void *ctx, const char *key, const char *value, const char *origin)
{
	buf_printf(ctx, "%s=%s [%s]\n", key, value, origin);
}

static void
show_tells_each_key_and_its_origin(void **state)
{
	struct kit *k = *state;
	const struct conf_child *c = kit_ok(k,
	    ROOT "defaults: {cwd: /tmp, log: {keep: 7}, env: {A: 1}}\n"
		 "children:\n- worker: w\n  command: a ${instance} $$\n"
		 "  instances: 2\n  shutdown: 120s\n  log: {size: 1M}\n");
	struct buf b = { 0 };

	conf_show(TAILQ_NEXT(c, link), collect, &b);
	assert_string_equal(buf_str(&b),
	    "worker=w.2 [t.yaml:6]\n"
	    "command=[a, \"2\", \"$$\"] [t.yaml:7]\n"
	    "enabled=true [default]\n"
	    "instances=2 [t.yaml:8]\n"
	    "restart=permanent [default]\n"
	    "success_exit=[0] [default]\n"
	    "fatal_exit=[] [default]\n"
	    "significant=false [default]\n"
	    "backoff=off [default]\n"
	    "max_attempts=off [default]\n"
	    "ready=exec [default]\n"
	    "start_timeout=60s [default]\n"
	    "start_grace=0s [default]\n"
	    "heartbeat=off [default]\n"
	    "health=off [default]\n"
	    "max_lifetime=off [default]\n"
	    "shutdown=2m [t.yaml:9]\n"
	    "stop_signal=TERM [default]\n"
	    "kill_mode=group [default]\n"
	    "pre_start=[] [default]\n"
	    "post_stop=[] [default]\n"
	    "hook_timeout=30s [default]\n"
	    "umask=022 [default]\n"
	    "cwd=/tmp [defaults at t.yaml:4]\n"
	    "env={A: \"1\"} [defaults at t.yaml:4]\n"
	    "env_clear=false [default]\n"
	    "stdin=null [default]\n"
	    "stdout=log [default]\n"
	    "stderr=log [default]\n"
	    "log.size=1M [t.yaml:10]\n"
	    "log.keep=7 [defaults at t.yaml:4]\n"
	    "log.prefix=true [default]\n"
	    "log.time=true [default]\n"
	    "mailbox.max_bytes=64M [default]\n"
	    "mailbox.on_full=block [default]\n"
	    "mailbox.on_restart=drop [default]\n"
	    "rlimit={} [default]\n"
	    "register=[] [default]\n"
	    "link=[] [default]\n"
	    "monitor=[] [default]\n"
	    "allow=[] [default]\n");
	buf_fini(&b);
	conf_show(k->conf->root, collect, &b);
	assert_string_equal(buf_str(&b),
	    "supervisor=root [t.yaml:1]\n"
	    "strategy=one_for_one [default]\n"
	    "intensity=3 [t.yaml:2]\n"
	    "period=5s [t.yaml:3]\n"
	    "auto_shutdown=never [default]\n"
	    "restart=permanent [default]\n"
	    "significant=false [default]\n"
	    "on_giveup=escalate [default]\n"
	    "shutdown_deadline=infinity [default]\n");
	buf_fini(&b);
}

static void
show_works_for_a_child_of_run_time(void **state)
{
	struct kit *k = *state;
	const char *const extra[] = { "5", NULL };
	const struct conf_child *jobs = kit_ok(k, ROOT "children:\n" JOBS);
	struct conf_child *c = NULL;
	struct buf b = { 0 };

	assert_int_equal(conf_instantiate(jobs, "j", extra, &c, &k->errors), 0);
	conf_free(take_ptr(k->conf));
	conf_show(c, collect, &b);
	assert_non_null(strstr(
	    buf_str(&b), "command=[job, --x, \"$$y\", \"5\"] [t.yaml:8]\n"));
	assert_non_null(
	    strstr(buf_str(&b), "cwd=/tmp [defaults at t.yaml:7]\n"));
	buf_fini(&b);
	conf_child_free(c);
}

/* The schema's defaults are compared as texts: they must be canonical. */
static void
the_defaults_are_canonical(void **state)
{
	struct load *ld = calloc(1, sizeof(*ld));
	size_t i;

	(void)state;
	assert_non_null(ld);
	assert_int_equal(load_open(ld), 0);
	worker_init_defaults(ld);
	for (i = 0; i < LATER_FIRST; i++) {
		assert_non_null(schema_keys[i].name);
		assert_non_null(schema_keys[i].doc);
		assert_non_null(schema_keys[i].since);
		if (ld->def[i] != NULL)
			assert_true(
			    canon_is_default(&schema_keys[i], ld->def[i]));
	}
	load_close(ld);
	arena_free(ld->arena);
	free(ld);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, kit_open, kit_close)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_child_is_parsed_with_its_parents_defaults),
		TEST(a_child_outlives_the_configuration),
		TEST(a_wrong_child_is_refused_with_its_label),
		TEST(a_template_takes_more_arguments),
		TEST(a_template_needs_no_more_arguments),
		TEST(show_tells_each_key_and_its_origin),
		TEST(show_works_for_a_child_of_run_time),
		TEST(the_defaults_are_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
