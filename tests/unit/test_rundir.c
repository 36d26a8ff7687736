/* SPDX-License-Identifier: ISC */
/* The run directory: what supd removes there, and what it leaves alone. */
#include "keeper_kit.h"

#include "keeper/rundir.h"

#include <limits.h>
#include <sys/socket.h>
#include <sys/un.h>

struct place {
	char dir[64];
	struct role_args args;
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	kit_mkdir(p->dir);
	assert_int_equal(chmod(p->dir, 0700), 0);
	p->args = (struct role_args){ .run_dir = p->dir, .log_dir = p->dir };
	assert_int_equal(rundir_make(&p->args), 0);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct place *p = *state;

	kit_rmdir(p->dir);
	free(p);
	return 0;
}

static const char *
path_of(const struct place *p, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	return path;
}

static bool
there(const struct place *p, const char *name)
{
	struct stat st;

	return lstat(path_of(p, name), &st) == 0;
}

static void
make_file(const struct place *p, const char *name)
{
	int fd = open(path_of(p, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

static void
make_socket(const struct place *p, const char *name)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(sa.sun_path, path_of(p, name));
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	close(fd);
}

static void
clean_removes_what_supd_and_its_workers_left(void **state)
{
	const struct place *p = *state;

	assert_int_equal(mkfifo(path_of(p, "log/7"), 0600), 0);
	make_socket(p, "notify/7");
	assert_int_equal(mkdir(path_of(p, "m/1000"), 0700), 0);
	make_socket(p, "m/1000/7.12");
	rundir_clean(&p->args);
	assert_false(there(p, "log/7"));
	assert_false(there(p, "notify/7"));
	assert_false(there(p, "m/1000"));
	assert_true(there(p, "log"));
}

/* `supd -s ./control.sock` in a directory that has a log of its own. */
static void
clean_leaves_the_files_of_others(void **state)
{
	const struct place *p = *state;

	make_file(p, "log/production.log");
	make_file(p, "log/2026");
	assert_int_equal(mkfifo(path_of(p, "log/mine"), 0600), 0);
	assert_int_equal(mkdir(path_of(p, "m/7"), 0700), 0);
	make_file(p, "m/7/1.1");
	make_socket(p, "m/7/old.sock");
	rundir_clean(&p->args);
	assert_true(there(p, "log/production.log"));
	assert_true(there(p, "log/2026"));
	assert_true(there(p, "log/mine"));
	assert_true(there(p, "m/7/1.1"));
	assert_true(there(p, "m/7/old.sock"));
}

static void
clean_follows_no_link(void **state)
{
	const struct place *p = *state;

	assert_int_equal(mkdir(path_of(p, "else"), 0700), 0);
	make_socket(p, "else/1.1");
	assert_int_equal(symlink("../else", path_of(p, "m/1")), 0);
	rundir_clean(&p->args);
	assert_true(there(p, "else/1.1"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    clean_removes_what_supd_and_its_workers_left, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(
		    clean_leaves_the_files_of_others, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    clean_follows_no_link, setup, teardown),
	};

	return cmocka_run_group_tests_name("rundir", tests, NULL, NULL);
}
