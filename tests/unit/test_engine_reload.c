/* SPDX-License-Identifier: ISC */
/* The engine as it runs: diff, apply, reload and SIGHUP. */
#include "engine_rig.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define A1   "  - {worker: a, command: [/bin/a]}\n"
#define A2   "  - {worker: a, command: [/bin/a, x]}\n"
#define B1   "  - {worker: b, command: [/bin/b]}\n"
#define B2   "  - {worker: b, command: [/bin/b, x]}\n"
#define KIDS ROOT "children:\n"

/* The file that the engine was started with says something else now. */
static void
rewrite(const char *text)
{
	int fd = open(r.conf, O_WRONLY | O_TRUNC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* All changes up to the END with that tag: "restart root/a ok", a line each. */
static int
changes(uint64_t tag, char *ret, size_t len)
{
	static const char *const names[CHANGE_WHAT_N] = {
		[CHANGE_ADDED] = "added",
		[CHANGE_REMOVED] = "removed",
		[CHANGE_MOVED] = "moved",
		[CHANGE_KEY] = "key",
		[CHANGE_START] = "start",
		[CHANGE_STOP] = "stop",
		[CHANGE_RESTART] = "restart",
		[CHANGE_MORE] = "more",
	};

	ret[0] = '\0';
	for (;;) {
		const struct wire_hdr *h = next_frame(BUS);
		const struct wire_change *c = wire_body(h);
		size_t n;

		if (h->tag != tag)
			continue;
		if (h->type == WIRE_CHANGE) {
			n = strlen(ret);
			snprintf(ret + n, len - n, "%s %s%s%s\n",
			    names[c->what], c->path, *c->key ? " " : "",
			    c->key);
		}
		if (h->type != WIRE_END)
			continue;
		snprintf(r.text, sizeof(r.text), "%s",
		    (const char *)wire_tail(h, &n));
		return ((const struct wire_end *)wire_body(h))->code;
	}
}

static void
config(uint64_t tag, enum request_op op, int64_t timeout_ns)
{
	ask(tag, op, "", timeout_ns, 0, NULL);
}

/* It stops as told, and its new incarnation is up. */
static struct wire_id
replaced(struct wire_id id, const char *path)
{
	obey(id);
	expect(BUS, WIRE_DEAD);
	expect(LOGGER, WIRE_LOG_FLUSH);
	prepare(1);
	return start(path);
}

static void
apply_touches_only_what_changed(void **state)
{
	struct wire_id a, b;
	struct wire_row row;
	char text[1024];

	(void)state;
	begin(KIDS A1 B1);
	up(2);
	a = start("root/a");
	b = start("root/b");
	rewrite(KIDS A1 B2);
	config(1, OP_APPLY, 0);
	b = replaced(b, "root/b");
	assert_int_equal(b.inc, 2);
	assert_int_equal(changes(1, text, sizeof(text)), CTL_OK);
	assert_string_equal(r.text, r.conf);
	assert_string_equal(text, "key root/b command\nrestart root/b ok\n");
	ask(2, OP_STATUS, "a", 0, 0, NULL);
	assert_int_equal(answer(2, NULL, &row), CTL_OK);
	assert_int_equal(row.inc, a.inc);
	config(3, OP_DIFF, 0);
	assert_int_equal(changes(3, text, sizeof(text)), CTL_OK);
	assert_string_equal(text, "");
}

static void
diff_and_dry_run_change_nothing(void **state)
{
	struct wire_request m = { .op = OP_APPLY, .flags = REQUEST_DRY_RUN };
	char text[1024];

	(void)state;
	begin(KIDS A1 B1);
	up(2);
	start("root/a");
	start("root/b");
	rewrite(KIDS A2 "  - {worker: c, command: [/bin/c]}\n");
	config(1, OP_DIFF, 0);
	assert_int_equal(changes(1, text, sizeof(text)), CTL_OK);
	assert_string_equal(text,
	    "key root/a command\nadded root/c\nremoved root/b\n"
	    "stop root/b\nrestart root/a\nstart root/c\n");
	tell(BUS, WIRE_REQUEST, 2, &m, NULL);
	assert_int_equal(changes(2, text, sizeof(text)), CTL_OK);
	expect_quiet(KEEPER);
	expect_quiet(LOGGER);
}

static void
sighup_applies_the_own_file(void **state)
{
	struct wire_id b;

	(void)state;
	begin(KIDS A1 B1);
	up(2);
	start("root/a");
	b = start("root/b");
	rewrite(KIDS A1 B2);
	tell(KEEPER, WIRE_RELOAD, 0, NULL, NULL);
	b = replaced(b, "root/b");
	assert_int_equal(b.inc, 2);
	/* One that is wrong is refused, and the engine goes on. */
	rewrite("supervisor: root\nnonsense: 1\n");
	tell(KEEPER, WIRE_RELOAD, 0, NULL, NULL);
	ask(1, OP_STATUS, "b", 0, 0, NULL);
	assert_int_equal(answer(1, NULL, NULL), CTL_OK);
	expect_quiet(KEEPER);
}

static void
an_invalid_file_is_refused_with_its_errors(void **state)
{
	char text[1024];

	(void)state;
	begin(KIDS A1);
	up(1);
	start("root/a");
	rewrite(KIDS "  - {worker: a, comand: [/bin/a]}\n");
	config(1, OP_APPLY, 0);
	assert_int_equal(changes(1, text, sizeof(text)), CTL_CONFIG);
	assert_non_null(strstr(r.text, "unknown key \"comand\""));
	assert_string_equal(text, "");
	rewrite("supervisor: other\nchildren: []\n");
	config(2, OP_RELOAD, 0);
	assert_int_equal(changes(2, text, sizeof(text)), CTL_CONFIG);
	assert_non_null(strstr(r.text, "the root's name cannot change"));
	expect_quiet(KEEPER);
}

static void
more_nodes_than_fit_are_refused_before_anything_is_done(void **state)
{
	char text[1024];

	(void)state;
	begin(KIDS A1);
	up(1);
	start("root/a");
	rewrite(KIDS A2 "  - {worker: w, command: [/bin/w], instances: "
			"5000}\n");
	config(1, OP_APPLY, 0);
	assert_int_equal(changes(1, text, sizeof(text)), CTL_CONFIG);
	assert_non_null(strstr(r.text, "5000 nodes are new, but only "));
	expect_quiet(KEEPER);
	expect_quiet(LOGGER);
}

static void
log_settings_take_effect_without_a_restart(void **state)
{
	const struct wire_log_open *o;
	char text[1024];

	(void)state;
	begin(KIDS A1);
	up(1);
	start("root/a");
	rewrite(KIDS "  - {worker: a, command: [/bin/a], log: {keep: 9}}\n");
	config(1, OP_APPLY, 0);
	o = expect(LOGGER, WIRE_LOG_OPEN);
	assert_int_equal(o->keep, 9);
	assert_int_equal(changes(1, text, sizeof(text)), CTL_OK);
	assert_string_equal(text, "key root/a log.keep\n");
	expect_quiet(KEEPER);
}

static void
a_manual_stop_survives_an_apply(void **state)
{
	struct wire_row row;
	struct wire_id a;
	char text[1024];

	(void)state;
	begin(KIDS A1 B1);
	up(2);
	a = start("root/a");
	start("root/b");
	ask(1, OP_STOP, "a", 0, 0, NULL);
	obey(a);
	assert_int_equal(answer(1, NULL, NULL), CTL_OK);
	rewrite(KIDS A2 B1);
	config(2, OP_APPLY, 0);
	assert_int_equal(changes(2, text, sizeof(text)), CTL_OK);
	assert_string_equal(text, "key root/a command\n");
	ask(3, OP_STATUS, "a", 0, 0, NULL);
	assert_int_equal(answer(3, NULL, &row), CTL_OK);
	assert_string_equal(row.state, "stopped");
	assert_false(row.flags & ROW_WANTED);
}

static void
a_start_that_fails_is_told_by_the_apply(void **state)
{
	struct wire_failed m = { .step = STEP_EXEC, .error = ENOENT };
	struct wire_id a;
	char text[1024];

	(void)state;
	begin(KIDS A1);
	up(1);
	a = start("root/a");
	rewrite(KIDS A2);
	config(1, OP_APPLY, 0);
	obey(a);
	expect(BUS, WIRE_DEAD);
	expect(LOGGER, WIRE_LOG_FLUSH);
	prepare(1);
	a = take_spawn("root/a");
	m.slot = a.slot;
	m.inc = a.inc;
	tell(KEEPER, WIRE_SPAWN_FAILED, 0, &m, NULL);
	assert_int_equal(changes(1, text, sizeof(text)), CTL_FAILED);
	assert_string_equal(
	    text, "key root/a command\nrestart root/a failed\n");
	assert_string_equal(
	    r.text, "a: exec /bin/a: No such file or directory");
}

/* The root is busy: it stops `a`, which takes its time. */
static struct wire_id
with_a_busy_root(void)
{
	struct wire_id a;
	const struct wire_signal *s;

	begin(KIDS A1 B1);
	up(2);
	a = start("root/a");
	start("root/b");
	ask(1, OP_STOP, "a", 0, 0, NULL);
	s = expect(KEEPER, WIRE_SIGNAL);
	assert_int_equal(s->sig, SIGTERM);
	return a;
}

static void
a_busy_supervisor_takes_its_plan_in_its_turn(void **state)
{
	struct wire_id a = with_a_busy_root();
	char text[1024];

	(void)state;
	rewrite(KIDS A1 B1 "  - {worker: c, command: [/bin/c]}\n");
	config(2, OP_APPLY, 50 * NS_PER_MS);
	prepare(1);
	/* It is out of time, but goes on. */
	assert_int_equal(changes(2, text, sizeof(text)), CTL_TIMEOUT);
	assert_non_null(strstr(r.text, "waits until root is free"));
	config(3, OP_RELOAD, 0);
	assert_int_equal(changes(3, text, sizeof(text)), CTL_FAILED);
	assert_non_null(strstr(r.text, "another one is under way"));
	ask(4, OP_ADD, "root", 0, 0, "{worker: d, command: [/bin/d]}");
	assert_int_equal(answer(4, NULL, NULL), CTL_FAILED);
	assert_non_null(strstr(r.text, "a reload waits"));
	exited(a, SIGTERM, true);
	expect_acked(a);
	expect(BUS, WIRE_DEAD);
	expect(LOGGER, WIRE_LOG_FLUSH);
	assert_int_equal(answer(1, NULL, NULL), CTL_OK);
	start("root/c");
	config(5, OP_DIFF, 0);
	assert_int_equal(changes(5, text, sizeof(text)), CTL_OK);
	assert_string_equal(text, "");
}

static void
who_took_a_new_name_runs_as_the_file_says(void **state)
{
	struct wire_id a = with_a_busy_root(), c;
	char text[1024];

	(void)state;
	ask(5, OP_ADD, "root", 0, 0, "{worker: c, command: [/bin/c, old]}");
	prepare(1);
	rewrite(KIDS A1 B1 "  - {worker: c, command: [/bin/c]}\n");
	config(2, OP_APPLY, 0);
	prepare(1);
	exited(a, SIGTERM, true);
	expect_acked(a);
	expect(BUS, WIRE_DEAD);
	expect(LOGGER, WIRE_LOG_FLUSH);
	assert_int_equal(answer(1, NULL, NULL), CTL_OK);
	c = start("root/c");
	assert_int_equal(answer(5, NULL, NULL), CTL_OK);
	/* The root has taken the plan; its new node is gone. */
	expect(BUS, WIRE_FORGET);
	expect(LOGGER, WIRE_LOG_CLOSE);
	c = replaced(c, "root/c");
	assert_int_equal(c.inc, 2);
	assert_int_equal(changes(2, text, sizeof(text)), CTL_OK);
}

static void
supd_ends_while_a_reload_waits(void **state)
{
	struct wire_id a = with_a_busy_root(), b = a;
	const struct wire_signal *s;
	char text[1024];

	(void)state;
	rewrite(KIDS A1 B2);
	config(2, OP_APPLY, 0);
	ask(9, OP_SHUTDOWN, "", 0, 0, NULL);
	config(3, OP_APPLY, 0);
	exited(a, SIGTERM, true);
	expect_acked(a);
	s = expect(KEEPER, WIRE_SIGNAL);
	b.slot = s->slot;
	b.inc = s->inc;
	exited(b, SIGTERM, true);
	assert_int_equal(changes(3, text, sizeof(text)), CTL_FAILED);
	assert_string_equal(r.text, "supd is shutting down");
	assert_int_equal(changes(2, text, sizeof(text)), CTL_FAILED);
	assert_non_null(strstr(r.text, "supd "));
	expect_acked(b);
	expect(KEEPER, WIRE_DONE);
}

static void
its_caller_may_leave(void **state)
{
	struct wire_id a, b;
	char text[1024];

	(void)state;
	begin(KIDS A1 B1);
	up(2);
	a = start("root/a");
	b = start("root/b");
	rewrite(KIDS A2 B2);
	config(1, OP_APPLY, 0);
	tell(BUS, WIRE_CANCEL, 1, NULL, NULL);
	obey(b);
	obey(a);
	expect(BUS, WIRE_DEAD);
	expect(BUS, WIRE_DEAD);
	expect(LOGGER, WIRE_LOG_FLUSH);
	expect(LOGGER, WIRE_LOG_FLUSH);
	prepare(1);
	start("root/a");
	prepare(1);
	start("root/b");
	config(2, OP_DIFF, 0);
	assert_int_equal(changes(2, text, sizeof(text)), CTL_OK);
	assert_string_equal(text, "");
}

/* All steps up to the END: how many, and the last one's text. */
static int
steps(uint64_t tag, char *ret, size_t len)
{
	int n = 0;

	for (;;) {
		const struct wire_hdr *h = next_frame(BUS);
		const struct wire_step *s = wire_body(h);

		if (h->tag != tag || h->type == WIRE_END) {
			if (h->tag == tag)
				return n;
			continue;
		}
		assert_int_equal(h->type, WIRE_STEP);
		snprintf(ret, len, "%s", s->text);
		n++;
	}
}

static void
a_simulated_crash_touches_nothing(void **state)
{
	struct wire_request m = {
		.op = OP_SIMULATE,
		.n = 5,
		.every_ns = NS_PER_S,
		.path = "a",
	};
	char text[WIRE_TEXT_MAX];

	(void)state;
	begin(KIDS A1);
	up(1);
	start("root/a");
	tell(BUS, WIRE_REQUEST, 1, &m, NULL);
	/* 3 crashes and restarts, a crash, giving up, the end. */
	assert_int_equal(steps(1, text, sizeof(text)), 9);
	assert_string_equal(text, "supd would end with 70");
	expect_quiet(KEEPER);
}

#define POOL(intensity)                                                        \
	"supervisor: root\nintensity: " intensity "\n"                         \
	"strategy: simple_one_for_one\n"                                       \
	"template: {command: [/bin/job], restart: temporary}\n"

static struct wire_id
add_job(uint64_t tag, const char *path)
{
	struct wire_row row;
	struct wire_id id;

	ask(tag, OP_ADD, "root", 0, 0, "[]");
	prepare(1);
	id = start(path);
	assert_int_equal(answer(tag, NULL, &row), CTL_OK);
	assert_string_equal(row.path, path);
	return id;
}

/* Neither the number of one that lives nor that of one that has ended. */
static void
a_pool_counts_on_after_a_reload(void **state)
{
	struct wire_id id;
	char text[256];

	(void)state;
	begin(POOL("3"));
	expect(KEEPER, WIRE_UP);
	add_job(1, "root/1");
	add_job(2, "root/2");
	id = add_job(3, "root/3");
	exited(id, 0, false);
	expect_acked(id);
	expect(LOGGER, WIRE_LOG_FLUSH);
	expect(LOGGER, WIRE_LOG_CLOSE);
	expect(BUS, WIRE_DEAD);
	expect(BUS, WIRE_FORGET);
	rewrite(POOL("4"));
	config(4, OP_APPLY, 0);
	assert_int_equal(changes(4, text, sizeof(text)), CTL_OK);
	add_job(5, "root/4");
	add_job(6, "root/5");
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(apply_touches_only_what_changed),
		TEST(diff_and_dry_run_change_nothing),
		TEST(sighup_applies_the_own_file),
		TEST(an_invalid_file_is_refused_with_its_errors),
		TEST(more_nodes_than_fit_are_refused_before_anything_is_done),
		TEST(log_settings_take_effect_without_a_restart),
		TEST(a_manual_stop_survives_an_apply),
		TEST(a_start_that_fails_is_told_by_the_apply),
		TEST(a_busy_supervisor_takes_its_plan_in_its_turn),
		TEST(who_took_a_new_name_runs_as_the_file_says),
		TEST(supd_ends_while_a_reload_waits),
		TEST(its_caller_may_leave),
		TEST(a_simulated_crash_touches_nothing),
		TEST(a_pool_counts_on_after_a_reload),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
