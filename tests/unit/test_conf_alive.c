/* SPDX-License-Identifier: ISC */
/* Backoff, attempts, hooks, heartbeat, health, lifetime, ready by probe. */
#include "base/mono.h"
#include "conf/value.h"
#include "conf_kit.h"

static const struct conf_worker *
worker(struct kit *k, const char *text)
{
	return &kit_ok(k, text)->worker;
}

static void
everything_is_off_by_default(void **state)
{
	const struct conf_worker *w = worker(*state, WORKER(""));

	assert_int_equal(w->spec.backoff.min_ns, 0);
	assert_int_equal(w->spec.max_attempts, 0);
	assert_int_equal(w->spec.reset_after_ns, 0);
	assert_false(w->spec.pre_start || w->spec.post_stop);
	assert_null(w->pre_start);
	assert_null(w->post_stop);
	assert_int_equal(w->spec.heartbeat_ns, 0);
	assert_int_equal(w->spec.health.interval_ns, 0);
	assert_int_equal(w->health.mode, HEALTH_NONE);
	assert_int_equal(w->spec.max_lifetime_ns, 0);
}

static void
backoff_has_defaults_of_its_own(void **state)
{
	const struct conf_worker *w = worker(*state, WORKER("backoff: {}"));

	assert_int_equal(w->spec.backoff.min_ns, NS_PER_S);
	assert_int_equal(w->spec.backoff.max_ns, 60 * NS_PER_S);
	assert_int_equal(w->spec.backoff.factor_milli, 2000);
	assert_int_equal(w->spec.backoff.jitter_milli, 100);
	assert_int_equal(w->spec.reset_after_ns, 60 * NS_PER_S);
}

static void
backoff_takes_its_keys(void **state)
{
	const struct conf_worker *w = worker(
	    *state, WORKER("backoff: {min: 200ms, max: 3s, factor: 1.25, "
			   "jitter: 0%, reset_after: 1m}"));

	assert_int_equal(w->spec.backoff.min_ns, 200 * NS_PER_MS);
	assert_int_equal(w->spec.backoff.max_ns, 3 * NS_PER_S);
	assert_int_equal(w->spec.backoff.factor_milli, 1250);
	assert_int_equal(w->spec.backoff.jitter_milli, 0);
	assert_int_equal(w->spec.reset_after_ns, 60 * NS_PER_S);
}

static void
max_attempts_alone_begins_afresh_after_a_minute(void **state)
{
	const struct conf_worker *w = worker(*state, WORKER("max_attempts: 4"));

	assert_int_equal(w->spec.max_attempts, 4);
	assert_int_equal(w->spec.backoff.min_ns, 0);
	assert_int_equal(w->spec.reset_after_ns, 60 * NS_PER_S);
	w = worker(
	    *state, WORKER("max_attempts: 4\n    backoff: {reset_after: 5s}"));
	assert_int_equal(w->spec.reset_after_ns, 5 * NS_PER_S);
}

static void
backoff_of_defaults_is_merged_or_switched_off(void **state)
{
	const struct conf_child *c = kit_ok(*state, ROOT
	    "defaults: {backoff: {min: 2s, max: 9s}, max_attempts: 4}\n"
	    "children:\n- {worker: a, command: [a], backoff: {min: 3s}}\n"
	    "- {worker: b, command: [b], backoff: off, max_attempts: off}");

	assert_int_equal(c->worker.spec.backoff.min_ns, 3 * NS_PER_S);
	assert_int_equal(c->worker.spec.backoff.max_ns, 9 * NS_PER_S);
	c = TAILQ_NEXT(c, link);
	assert_int_equal(c->worker.spec.backoff.min_ns, 0);
	assert_int_equal(c->worker.spec.max_attempts, 0);
	assert_int_equal(c->worker.spec.reset_after_ns, 0);
}

static void
a_wrong_backoff_of_defaults_is_said_once(void **state)
{
	struct kit *k = *state;
	const char *text, *again;

	kit_refuses(k,
	    ROOT "defaults: {backoff: {min: 2s, max: 1s}}\nchildren:\n"
		 "- {worker: a, command: [a]}\n- {worker: b, command: [b]}\n",
	    "max 1s is shorter than min 2s");
	text = buf_str(&k->errors);
	again = strstr(strstr(text, "shorter") + 1, "shorter");
	assert_null(again);
}

static void
hooks_are_commands(void **state)
{
	const struct conf_worker *w = worker(
	    *state, WORKER("pre_start: \"mk 'a b'\"\n    post_stop: [rm, $$x]\n"
			   "    hook_timeout: 2s"));

	assert_true(w->spec.pre_start && w->spec.post_stop);
	assert_string_equal(w->pre_start[1], "a b");
	assert_null(w->pre_start[2]);
	assert_string_equal(w->post_stop[1], "$x");
	assert_int_equal(w->spec.hook_timeout_ns, 2 * NS_PER_S);
	w = worker(*state, ROOT "defaults: {pre_start: [x]}\nchildren:\n"
				"- {worker: a, command: [a], pre_start: []}\n");
	assert_false(w->spec.pre_start);
	assert_null(w->pre_start);
	assert_int_equal(w->spec.hook_timeout_ns, 30 * NS_PER_S);
}

static void
health_knows_whom_to_ask(void **state)
{
	const struct conf_worker *w;

	w = worker(*state, WORKER("health: {tcp: \"[::1]:80\"}"));
	assert_int_equal(w->health.mode, HEALTH_TCP);
	assert_string_equal(w->health.addr, "[::1]:80");
	assert_int_equal(w->spec.health.interval_ns, 10 * NS_PER_S);
	assert_int_equal(w->spec.health.timeout_ns, 3 * NS_PER_S);
	assert_int_equal(w->spec.health.failures, 3);
	assert_int_equal(w->spec.health.initial_delay_ns, 0);
	w = worker(*state, WORKER("health: {unix: /run/x, initial_delay: 5s}"));
	assert_int_equal(w->health.mode, HEALTH_UNIX);
	assert_string_equal(w->health.addr, "/run/x");
	assert_int_equal(w->spec.health.initial_delay_ns, 5 * NS_PER_S);
	w = worker(
	    *state, WORKER("health: {probe: \"curl -f x\", interval: 1s, "
			   "timeout: 2s, failures: 4}"));
	assert_int_equal(w->health.mode, HEALTH_PROBE);
	assert_string_equal(w->health.argv[2], "x");
	assert_int_equal(w->spec.health.interval_ns, NS_PER_S);
	assert_int_equal(w->spec.health.timeout_ns, 2 * NS_PER_S);
	assert_int_equal(w->spec.health.failures, 4);
}

static void
a_url_is_taken_apart(void **state)
{
	const struct conf_worker *w;

	w = worker(
	    *state, WORKER("health: {http: \"http://a.b:8080/x?y=/z\"}"));
	assert_int_equal(w->health.mode, HEALTH_HTTP);
	assert_string_equal(w->health.addr, "a.b:8080");
	assert_string_equal(w->health.http_path, "/x?y=/z");
	w = worker(*state, WORKER("health: {http: \"http://[::1]:80\"}"));
	assert_string_equal(w->health.addr, "[::1]:80");
	assert_string_equal(w->health.http_path, "/");
}

static void
an_instance_has_a_health_of_its_own(void **state)
{
	const struct conf_child *c = kit_ok(*state,
	    WORKER("instances: 2\n    health: {tcp: \"a:80${instance}\"}"));

	assert_string_equal(c->worker.health.addr, "a:801");
	c = TAILQ_NEXT(c, link);
	assert_string_equal(c->worker.health.addr, "a:802");
}

static void
heartbeat_and_lifetime_are_durations(void **state)
{
	const struct conf_worker *w =
	    worker(*state, WORKER("heartbeat: 5s\n    max_lifetime: 24h"));

	assert_int_equal(w->spec.heartbeat_ns, 5 * NS_PER_S);
	assert_int_equal(w->spec.max_lifetime_ns, 24 * 3600 * NS_PER_S);
	assert_int_equal(w->spec.ready, READY_EXEC);
}

static void
ready_by_a_probe_is_an_event(void **state)
{
	const struct conf_worker *w =
	    worker(*state, WORKER("ready: {probe: \"pg_isready -q\"}"));

	assert_int_equal(w->ready, READY_MODE_PROBE);
	assert_int_equal(w->spec.ready, READY_EVENT);
	assert_string_equal(w->ready_argv[0], "pg_isready");
	assert_string_equal(w->ready_argv[1], "-q");
	assert_null(w->ready_argv[2]);
}

static void
a_misspelt_ready_is_guessed(void **state)
{
	kit_refuses(*state, WORKER("ready: {prob: [x]}"),
	    "t.yaml:7:13: error: unknown ready \"prob\"; did you mean "
	    "\"probe\"?");
}

static void
the_commands_of_hooks_and_probes_have_a_bound(void **state)
{
	static const char *const keys[] = { "pre_start: [", "post_stop: [",
		"ready: {probe: [", "health: {probe: [" };
	static const char *const says[] = { "pre_start and env",
		"post_stop and env", "ready and env", "health and env" };
	size_t i, j;

	for (i = 0; i < ARRAY_LEN(keys); i++) {
		struct buf b = { 0 };

		buf_printf(&b, WORKER("%s"), keys[i]);
		b.data[--b.len] = '\0';
		for (j = 0; j < 1000; j++)
			buf_printf(&b, "%0100d, ", 0);
		buf_puts(&b, i < 2 ? "]\n" : "]}\n");
		kit_refuses(*state, buf_str(&b), says[i]);
		buf_fini(&b);
	}
}

struct shown {
	struct buf text;
};

static void
note(void *ctx, const char *key, const char *value, const char *origin)
{
	struct shown *s = ctx;

	buf_printf(&s->text, "%s = %s (%s)\n", key, value, origin);
}

static void
show_tells_the_keys_inside(void **state)
{
	struct shown s = { { 0 } };
	const char *text;

	conf_show(
	    kit_ok(*state, ROOT "defaults: {backoff: {min: 2s}}\nchildren:\n"
				"- worker: a\n  command: [a]\n"
				"  health: {probe: \"x y\"}\n"),
	    note, &s);
	text = buf_str(&s.text);
	assert_non_null(
	    strstr(text, "backoff.min = 2s (defaults at t.yaml:4)\n"));
	assert_non_null(strstr(text, "backoff.jitter = 10% (default)\n"));
	assert_non_null(strstr(text, "health.probe = [x, \"y\"] (t.yaml:8)\n"));
	assert_non_null(strstr(text, "health.failures = 3 (default)\n"));
	assert_null(strstr(text, "health.tcp"));
	assert_non_null(strstr(text, "heartbeat = off (default)\n"));
	assert_non_null(strstr(text, "pre_start = [] (default)\n"));
	buf_fini(&s.text);
}

static void
decimals_are_exact(void **state)
{
	static const struct {
		const char *text;
		uint32_t milli;
	} good[] = { { "1", 1000 }, { "1.001", 1001 }, { "1.5", 1500 },
		{ "1000.000", 1000000 }, { "2.50", 2500 } };
	static const char *const bad[] = { "", "0.999", "1000.001", "1.",
		"1.0001", "-2", "1e3", "2x", ".5", "9999999999999999999" };
	uint32_t v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(good); i++) {
		assert_null(value_factor(good[i].text, &v));
		assert_int_equal(v, good[i].milli);
	}
	v = 7;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(value_factor(bad[i], &v));
	assert_int_equal(v, 7);
}

static void
percentages_are_exact(void **state)
{
	static const char *const bad[] = { "10", "100.1%", "1.25%", "%", "10 %",
		"-1%", "10%%", "" };
	uint32_t v = 7;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(value_percent(bad[i], &v));
	assert_int_equal(v, 7);
	assert_null(value_percent("2.5%", &v));
	assert_int_equal(v, 25);
	assert_null(value_percent("100%", &v));
	assert_int_equal(v, 1000);
}

static void
decimals_are_printed_as_they_are_read(void **state)
{
	struct buf b = { 0 };
	uint32_t v = 0;
	char text[32];
	uint32_t i;

	(void)state;
	for (i = 1000; i < 12000; i++) {
		buf_drain(&b, b.len);
		value_put_factor(&b, i);
		assert_null(value_factor(buf_str(&b), &v));
		assert_int_equal(v, i);
	}
	for (i = 0; i <= 1000; i++) {
		buf_drain(&b, b.len);
		value_put_percent(&b, i);
		assert_null(value_percent(buf_str(&b), &v));
		assert_int_equal(v, i);
	}
	snprintf(text, sizeof(text), "%s", buf_str(&b));
	assert_string_equal(text, "100%");
	buf_fini(&b);
}

static void
a_url_without_a_place_is_refused(void **state)
{
	static const char *const bad[] = { "", "http", "http://", "http:///x",
		"http://a", "http://a/", "http://a:0/", "http://a:1?x",
		"http://u@a:1/", "http://a:1/ ", "http://a:1/#x",
		"http://a:1/ä", "HTTP://a:1/", "https://a:1/", "ftp://a:1/",
		"//a:1/", "http://::1:80/", "http://a:1/\r\nX: y" };
	const char *path = NULL;
	size_t len = 0, i;

	(void)state;
	for (i = 0; i < ARRAY_LEN(bad); i++)
		assert_non_null(value_url(bad[i], &path, &len));
	assert_null(path);
}

static void
what_is_too_long_for_a_request_is_refused(void **state)
{
	char url[2100];
	const char *path = NULL;
	size_t len = 0;

	(void)state;
	snprintf(url, sizeof(url), "http://a:1/%01989d", 0);
	assert_int_equal(strlen(url), 2000);
	assert_null(value_url(url, &path, &len));
	snprintf(url, sizeof(url), "http://a:1/%01990d", 0);
	assert_non_null(value_url(url, &path, &len));
	snprintf(url, sizeof(url), "%0255d:80", 0);
	assert_null(value_tcp(url));
	snprintf(url, sizeof(url), "%0256d:80", 0);
	assert_non_null(value_tcp(url));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_off_by_default),
		cmocka_unit_test(backoff_has_defaults_of_its_own),
		cmocka_unit_test(backoff_takes_its_keys),
		cmocka_unit_test(
		    max_attempts_alone_begins_afresh_after_a_minute),
		cmocka_unit_test(backoff_of_defaults_is_merged_or_switched_off),
		cmocka_unit_test(a_wrong_backoff_of_defaults_is_said_once),
		cmocka_unit_test(hooks_are_commands),
		cmocka_unit_test(health_knows_whom_to_ask),
		cmocka_unit_test(a_url_is_taken_apart),
		cmocka_unit_test(an_instance_has_a_health_of_its_own),
		cmocka_unit_test(heartbeat_and_lifetime_are_durations),
		cmocka_unit_test(ready_by_a_probe_is_an_event),
		cmocka_unit_test(a_misspelt_ready_is_guessed),
		cmocka_unit_test(the_commands_of_hooks_and_probes_have_a_bound),
		cmocka_unit_test(show_tells_the_keys_inside),
		cmocka_unit_test(decimals_are_exact),
		cmocka_unit_test(percentages_are_exact),
		cmocka_unit_test(decimals_are_printed_as_they_are_read),
		cmocka_unit_test(a_url_without_a_place_is_refused),
		cmocka_unit_test(what_is_too_long_for_a_request_is_refused),
	};

	return cmocka_run_group_tests(tests, kit_open, kit_close);
}
