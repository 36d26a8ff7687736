/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>

#include "engine/spawn.h"

static const char *const supd_env[] = { "PATH=/bin:/usr/bin", "LANG=C",
	"HOME=/root", "NOTIFY_SOCKET=/run/systemd/notify", "LISTEN_FDS=2",
	"LISTEN_PID=1", "WATCHDOG_USEC=5", "SUPD_SOCKET=/old", "SUPD_FD=9",
	"SUPDX=kept", NULL };
static const char *const argv_true[] = { "true", "x", NULL };
static const char *const no_env[] = { NULL };

static struct spawn_ctx
context(void)
{
	return (struct spawn_ctx){
		.environ = supd_env,
		.socket = "/run/supd/control.sock",
		.run_dir = "/run/supd",
		.path = "root/web/api",
		.name = "api",
		.slot = 7,
		.inc = 3,
	};
}

static struct conf_worker
plain_worker(void)
{
	return (struct conf_worker){
		.argv = argv_true,
		.env = no_env,
		.cwd = "/",
		.umask = 022,
		.out = { .mode = IO_LOG },
		.err = { .mode = IO_JOIN },
	};
}

/* The value of key, or NULL; fails when it is there twice. */
static const char *
get(char **env, const char *key)
{
	const char *value = NULL;
	size_t len = strlen(key);

	for (; *env != NULL; env++) {
		if (strncmp(*env, key, len) != 0 || (*env)[len] != '=')
			continue;
		assert_null(value);
		value = *env + len + 1;
	}
	return value;
}

static void
expect(char **env, const char *key, const char *want)
{
	const char *have = get(env, key);

	if (want == NULL) {
		assert_null(have);
		return;
	}
	assert_non_null(have);
	assert_string_equal(have, want);
}

static void
supds_own_variables_do_not_reach_a_worker(void **state)
{
	struct spawn_ctx ctx = context();
	struct conf_worker w = plain_worker();
	char **env;

	(void)state;
	assert_int_equal(spawn_env(&ctx, &w, &env), 0);
	expect(env, "NOTIFY_SOCKET", NULL);
	expect(env, "LISTEN_FDS", NULL);
	expect(env, "LISTEN_PID", NULL);
	expect(env, "WATCHDOG_USEC", NULL);
	expect(env, "SUPDX", "kept");
	expect(env, "LANG", "C");
	expect(env, "HOME", "/root");
	expect(env, "SUPD_SOCKET", "/run/supd/control.sock");
	expect(env, "SUPD_PATH", "root/web/api");
	expect(env, "SUPD_NAME", "api");
	expect(env, "SUPD_INSTANCE", NULL);
	expect(env, "SUPD_FD", "3");
	spawn_env_free(env);
}

static void
configured_entries_override_user_and_inherited_ones(void **state)
{
	const char *const own[] = { "LANG=de", "LANG=fr", "SHELL=/bin/zsh",
		"EMPTY=", "SUPD_NAME=forged", NULL };
	struct spawn_ctx ctx = context();
	struct conf_worker w = plain_worker();
	char **env;

	(void)state;
	w.env = own;
	w.has_user = true;
	w.user_name = "www";
	w.home = "/srv";
	w.shell = "/bin/sh";
	w.instance = 2;
	assert_int_equal(spawn_env(&ctx, &w, &env), 0);
	expect(env, "HOME", "/srv");
	expect(env, "USER", "www");
	expect(env, "LOGNAME", "www");
	expect(env, "SHELL", "/bin/zsh");
	expect(env, "LANG", "fr");
	expect(env, "EMPTY", "");
	expect(env, "SUPD_NAME", "api");
	expect(env, "SUPD_INSTANCE", "2");
	spawn_env_free(env);
}

static void
env_clear_leaves_only_what_is_said(void **state)
{
	const char *const own[] = { "A=1", NULL };
	struct spawn_ctx ctx = context();
	struct conf_worker w = plain_worker();
	char **env;
	size_t n = 0;

	(void)state;
	w.env = own;
	w.env_clear = true;
	assert_int_equal(spawn_env(&ctx, &w, &env), 0);
	expect(env, "A", "1");
	expect(env, "PATH", NULL);
	while (env[n] != NULL)
		n++;
	assert_int_equal(n, 5); /* A and SUPD_{SOCKET,PATH,NAME,FD} */
	spawn_env_free(env);
}

static void
only_a_notify_worker_has_a_notify_socket(void **state)
{
	struct spawn_ctx ctx = context();
	struct conf_worker w = plain_worker();
	char **env;

	(void)state;
	w.ready = READY_MODE_NOTIFY;
	assert_int_equal(spawn_env(&ctx, &w, &env), 0);
	expect(env, "NOTIFY_SOCKET", "/run/supd/notify/7");
	spawn_env_free(env);
}

/* ---- PATH ------------------------------------------------------------------
 */

static char dir[] = "/tmp/supd-engine-spawn-XXXXXX";

static void
make(const char *name, mode_t mode)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static void
drop(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(remove(path), 0);
}

static int
setup(void **state)
{
	char path[128];

	(void)state;
	assert_non_null(mkdtemp(dir));
	make("tool", 0700);
	make("data", 0600);
	snprintf(path, sizeof(path), "%s/sub", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	make("sub/tool", 0700);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	drop("sub/tool");
	drop("sub");
	drop("tool");
	drop("data");
	assert_int_equal(rmdir(dir), 0);
	return 0;
}

static void
lookup(const char *path_env, const char *command, const char *cwd, int want,
    const char *want_path)
{
	char entry[512], got[512], full[512];
	char *env[] = { entry, NULL };
	int r;

	snprintf(entry, sizeof(entry), "PATH=%s", path_env);
	r = spawn_lookup(command, env, NULL, cwd, got, sizeof(got));
	assert_int_equal(r, want);
	if (want == 0) {
		snprintf(full, sizeof(full), "%s%s",
		    *want_path == '+' ? dir : "",
		    want_path + (*want_path == '+'));
		assert_string_equal(got, full);
	}
}

static void
a_command_is_looked_up_on_the_workers_path(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "/nowhere:%s/sub:%s", dir, dir);
	lookup(path, "tool", "/", 0, "+/sub/tool");
	lookup(path, "./tool", "/", 0, "./tool");
	lookup(path, "nothing", "/", -ENOENT, NULL);
	lookup(path, "data", "/", -EACCES, NULL);
	lookup("/nowhere", "tool", "/", -ENOENT, NULL);
}

/* supd's PATH may begin with places of root's own. */
static void
what_the_user_cannot_reach_is_passed_over(void **state)
{
	struct conf_worker w = { .has_user = true, .uid = 65531, .gid = 65531 };
	char entry[256], got[512], sub[128], tool[128];
	char *env[] = { entry, NULL };

	(void)state;
	snprintf(entry, sizeof(entry), "PATH=%s/sub:%s", dir, dir);
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	assert_int_equal(chmod(dir, 0755), 0);
	assert_int_equal(chmod(sub, 0700), 0);
	snprintf(tool, sizeof(tool), "%s/tool", dir);
	assert_int_equal(chmod(tool, 0755), 0);
	assert_int_equal(
	    spawn_lookup("tool", env, &w, "/", got, sizeof(got)), 0);
	assert_int_equal(strncmp(got, dir, strlen(dir)), 0);
	assert_string_equal(got + strlen(dir), "/tool");
	w.uid = getuid();
	assert_int_equal(
	    spawn_lookup("tool", env, &w, "/", got, sizeof(got)), 0);
	assert_string_equal(got + strlen(dir), "/sub/tool");
	/* Modes are not all there is: then the kernel decides. */
	assert_int_equal(chmod(dir, 0700), 0);
	w.uid = 65531;
	assert_int_equal(
	    spawn_lookup("tool", env, &w, "/", got, sizeof(got)), 0);
	assert_string_equal(got + strlen(dir), "/sub/tool");
}

static void
a_directory_is_not_a_command(void **state)
{
	(void)state;
	lookup(dir, "sub", "/", -ENOENT, NULL);
}

static void
relative_places_on_the_path_are_below_cwd(void **state)
{
	(void)state;
	lookup("sub", "tool", dir, 0, "+/sub/tool");
	lookup("/nowhere:", "tool", dir, 0, "+/tool");
}

static void
without_a_path_the_usual_places_are_searched(void **state)
{
	char *env[] = { NULL };
	char got[128];

	(void)state;
	assert_int_equal(
	    spawn_lookup("sh", env, NULL, "/", got, sizeof(got)), 0);
	assert_true(
	    strcmp(got, "/usr/bin/sh") == 0 || strcmp(got, "/bin/sh") == 0);
}

/* ---- frames
 * ------------------------------------------------------------------ */

/* Would the keeper accept it? */
static bool
is_frame(const struct wire_spawn *s, const struct buf *tail)
{
	size_t len = sizeof(struct wire_hdr) + sizeof(*s) + tail->len;
	struct wire_hdr h = { .type = WIRE_SPAWN, .len = (uint32_t)len };
	char *frame = aligned_alloc(8, (len + 7) / 8 * 8);
	bool ok;

	assert_non_null(frame);
	memcpy(frame, &h, sizeof(h));
	memcpy(frame + sizeof(h), s, sizeof(*s));
	memcpy(frame + sizeof(h) + sizeof(*s), tail->data, tail->len);
	ok = wire_check(frame, len);
	free(frame);
	return ok;
}

static void
a_frame_holds_what_the_keeper_needs(void **state)
{
	struct spawn_ctx ctx = context();
	struct conf_worker w = plain_worker();
	struct buf tail = { 0 };
	struct wire_spawn s;
	const char *at;

	(void)state;
	w.has_nice = true;
	w.nice = 5;
	w.has_user = true;
	w.uid = 33;
	w.gid = 44;
	w.n_groups = 1;
	w.groups[0] = 55;
	w.n_rlimit = 1;
	w.rlimit[0].resource = RLIMIT_NOFILE;
	w.rlimit[0].lim.rlim_cur = 10;
	w.rlimit[0].lim.rlim_max = RLIM_INFINITY;
	w.in.mode = IO_FILE;
	w.in.file = "/dev/zero";
	w.ready = READY_MODE_NOTIFY_FD;
	w.ready_fd = 5;
	w.spec.kill_group = true;
	assert_int_equal(spawn_build(&ctx, &w, &s, &tail), 0);
	assert_true(is_frame(&s, &tail));
	assert_int_equal(s.slot, 7);
	assert_int_equal(s.inc, 3);
	assert_int_equal(s.argc, 2);
	assert_int_equal(s.flags, SPAWN_HAS_NICE | SPAWN_HAS_USER |
				      SPAWN_LIFELINE | SPAWN_NOTIFY_FD |
				      SPAWN_KILL_GROUP);
	assert_int_equal(s.notify_fd, 5);
	assert_int_equal(s.uid, 33);
	assert_int_equal(s.groups[0], 55);
	assert_int_equal(s.io[0], SPAWN_IO_FILE);
	assert_int_equal(s.io[1], SPAWN_IO_LOG);
	assert_int_equal(s.io[2], SPAWN_IO_JOIN);
	assert_int_equal(s.rlimit[0].soft, 10);
	assert_true(s.rlimit[0].hard == UINT64_MAX);
	at = tail.data;
	assert_string_equal(at + strlen(at) - 5, "/true");
	at += strlen(at) + 1;
	assert_string_equal(at, "/");
	at += strlen(at) + 1;
	assert_string_equal(at, "/dev/zero");
	at += strlen(at) + 3; /* stdout and stderr have no file */
	assert_string_equal(at, "true");
	buf_fini(&tail);
}

/* The frame's strings as an array: path, cwd, three files, argv, env. */
static size_t
strings_of(const struct buf *tail, const char *ret[64])
{
	size_t n = 0;

	for (const char *s = tail->data; s < tail->data + tail->len && n < 63;
	     s += strlen(s) + 1)
		ret[n++] = s;
	ret[n] = NULL;
	return n;
}

static void
a_heartbeat_is_told_as_systemd_does(void **state)
{
	const char *const own[] = { "WATCHDOG_PID=1", "X=1", NULL };
	struct spawn_ctx ctx = context();
	struct conf_worker w = plain_worker();
	struct buf tail = { 0 };
	const char *at[64];
	struct wire_spawn s;
	size_t n;

	(void)state;
	w.spec.heartbeat_ns = 1500 * NS_PER_MS;
	w.env = own;
	assert_int_equal(spawn_build(&ctx, &w, &s, &tail), 0);
	assert_true(is_frame(&s, &tail));
	assert_true((s.flags & SPAWN_PID_ENV) != 0);
	n = strings_of(&tail, at);
	assert_string_equal(at[n - 1], "WATCHDOG_PID=          ");
	assert_string_equal(at[n - 2], "WATCHDOG_USEC=1500000");
	assert_string_equal(at[n - 3], "NOTIFY_SOCKET=/run/supd/notify/7");
	buf_fini(&tail);
}

static void
a_command_beside_it_has_no_way_to_talk(void **state)
{
	const char *const argv[] = { "/bin/check", "-x", NULL };
	const char *const more[] = { "EXIT_CODE=3", NULL };
	const struct spawn_side side = {
		.argv = argv, .env = more, .slot = 99, .inc = 12, .quiet = true
	};
	struct spawn_ctx ctx = context();
	struct conf_worker w = plain_worker();
	struct buf tail = { 0 };
	const char *at[64];
	struct wire_spawn s;
	size_t n;

	(void)state;
	w.ready = READY_MODE_NOTIFY_FD;
	w.ready_fd = 5;
	w.spec.heartbeat_ns = NS_PER_S;
	w.has_user = true;
	w.uid = 33;
	w.in.mode = IO_FILE;
	w.in.file = "/dev/zero";
	assert_int_equal(spawn_build_side(&ctx, &w, &side, &s, &tail), 0);
	assert_true(is_frame(&s, &tail));
	assert_int_equal(s.slot, 99);
	assert_int_equal(s.inc, 12);
	assert_int_equal(s.log_slot, 7);
	assert_int_equal(s.uid, 33);
	assert_int_equal(s.flags, SPAWN_HAS_USER | SPAWN_KILL_GROUP);
	assert_int_equal(s.io[0], SPAWN_IO_NULL);
	assert_int_equal(s.io[1], SPAWN_IO_NULL);
	assert_int_equal(s.io[2], SPAWN_IO_LOG); /* where stdout would go */
	n = strings_of(&tail, at);
	assert_string_equal(at[0], "/bin/check");
	assert_string_equal(at[2], "");
	assert_string_equal(at[5], "/bin/check");
	assert_string_equal(at[6], "-x");
	assert_string_equal(at[n - 1], "EXIT_CODE=3");
	for (size_t i = 7; i < n; i++) {
		assert_true(strncmp(at[i], "SUPD_FD=", 8) != 0);
		assert_true(strncmp(at[i], "NOTIFY_SOCKET=", 14) != 0);
		assert_true(strncmp(at[i], "WATCHDOG_", 9) != 0);
	}
	buf_fini(&tail);
}

static void
a_hooks_output_goes_where_the_workers_does(void **state)
{
	const char *const argv[] = { "/bin/check", NULL };
	const struct spawn_side side = { .argv = argv, .slot = 7, .inc = 4 };
	struct spawn_ctx ctx = context();
	struct conf_worker w = plain_worker();
	struct buf tail = { 0 };
	struct wire_spawn s;

	(void)state;
	assert_int_equal(spawn_build_side(&ctx, &w, &side, &s, &tail), 0);
	assert_int_equal(s.io[1], SPAWN_IO_LOG);
	assert_int_equal(s.io[2], SPAWN_IO_JOIN);
	buf_fini(&tail);
}

static void
what_does_not_fit_a_frame_is_too_big(void **state)
{
	static char huge[WIRE_TAIL_MAX + 2];
	const char *const argv[] = { "true", huge, NULL };
	struct spawn_ctx ctx = context();
	struct conf_worker w = plain_worker();
	struct buf tail = { 0 };
	struct wire_spawn s;

	(void)state;
	memset(huge, 'x', sizeof(huge) - 1);
	w.argv = argv;
	assert_int_equal(spawn_build(&ctx, &w, &s, &tail), -E2BIG);
	buf_fini(&tail);
}

static void
the_giveup_command_learns_path_and_reason(void **state)
{
	const char *const argv[] = { "/bin/alarm", NULL };
	struct spawn_ctx ctx = context();
	struct buf tail = { 0 };
	struct wire_spawn s;

	(void)state;
	ctx.slot = 0;
	assert_int_equal(spawn_build_exec(&ctx, argv, "exit 1", &s, &tail), 0);
	assert_true(is_frame(&s, &tail));
	assert_int_equal(s.slot, 0);
	assert_non_null(memmem(tail.data, tail.len, "SUPD_REASON=exit 1", 19));
	assert_non_null(
	    memmem(tail.data, tail.len, "SUPD_PATH=root/web/api", 23));
	buf_fini(&tail);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(supds_own_variables_do_not_reach_a_worker),
		cmocka_unit_test(
		    configured_entries_override_user_and_inherited_ones),
		cmocka_unit_test(env_clear_leaves_only_what_is_said),
		cmocka_unit_test(only_a_notify_worker_has_a_notify_socket),
		cmocka_unit_test(a_command_is_looked_up_on_the_workers_path),
		cmocka_unit_test(what_the_user_cannot_reach_is_passed_over),
		cmocka_unit_test(a_directory_is_not_a_command),
		cmocka_unit_test(relative_places_on_the_path_are_below_cwd),
		cmocka_unit_test(without_a_path_the_usual_places_are_searched),
		cmocka_unit_test(a_frame_holds_what_the_keeper_needs),
		cmocka_unit_test(a_heartbeat_is_told_as_systemd_does),
		cmocka_unit_test(a_command_beside_it_has_no_way_to_talk),
		cmocka_unit_test(a_hooks_output_goes_where_the_workers_does),
		cmocka_unit_test(what_does_not_fit_a_frame_is_too_big),
		cmocka_unit_test(the_giveup_command_learns_path_and_reason),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
