/* SPDX-License-Identifier: ISC */
/*
 * The verbs about another configuration, and about what would happen.
 */
#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/print_config.h"
#include "ctl/verbs.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EVERY_DEFAULT NS_PER_S

/* ---- simulate -------------------------------------------------------------
 */

int
config_simulate(struct ctl *c, int argc, char **argv)
{
	json_t *params, *result = NULL;
	int code;

	(void)argc;
	if (strcmp(argv[0], "crash") != 0) {
		ctl_errx(c,
		    "simulate %s: what can be simulated is a crash: "
		    "supctl simulate crash PATH",
		    argv[0]);
		return ctl_usage(c);
	}
	params = json_pack("{s:s, s:I, s:I}", "path", argv[1], "repeat",
	    (json_int_t)(c->repeat > 0 ? c->repeat : 1), "every_ns",
	    (json_int_t)(c->every_ns > 0 ? c->every_ns : EVERY_DEFAULT));
	code = ctl_call(c, "simulate", params, &result);
	if (code == CTL_OK && c->json) {
		ctl_print_json(c, result);
	} else if (code == CTL_OK && print_steps(c->out, result) < 0) {
		ctl_errx(c, "%s", strerror(ENOMEM));
		code = CTL_FAILED;
	}
	json_decref(result);
	return code;
}

/* ---- diff, apply, reload ---------------------------------------------------
 */

/* supd reads the file, so it must know it by a path that holds there, too. */
static bool
add_file(const struct ctl *c, json_t *params, const char *file)
{
	cleanup_(buf_fini) struct buf path = { 0 };
	char cwd[PATH_MAX];

	if (*file == '\0') {
		ctl_errx(c, "%s: the name of the file is empty", c->verb->name);
		return false;
	}
	if (*file != '/') {
		if (getcwd(cwd, sizeof(cwd)) == NULL) {
			ctl_errx(
			    c, "the current directory: %s", strerror(errno));
			return false;
		}
		buf_printf(&path, "%s/", strcmp(cwd, "/") != 0 ? cwd : "");
	}
	buf_puts(&path, file);
	if (!path.failed && json_object_set_new(params, "file",
				json_string(buf_str(&path))) == 0)
		return true;
	ctl_errx(c, "%s: not UTF-8", file);
	return false;
}

/* The result of a call whose caller wants to know the file's errors. */
static int
call(struct ctl *c, const char *method, int argc, char **argv, json_t *params,
    json_t **ret_result)
{
	int code;

	*ret_result = NULL;
	if (params == NULL || (argc > 0 && !add_file(c, params, argv[0]))) {
		json_decref(params);
		return CTL_USAGE;
	}
	code = ctl_connect(c);
	if (code != CTL_OK) {
		json_decref(params);
		return code;
	}
	if (json_object_get(params, "timeout_ns") != NULL)
		ctl_allow_grace(c);
	c->plain_errors = true;
	return ctl_call(c, method, params, ret_result);
}

static int
print(struct ctl *c, const json_t *result, enum print_changes how)
{
	if (c->json) {
		ctl_print_json(c, result);
	} else if (!c->quiet && print_changes(c->out, result, how) < 0) {
		ctl_errx(c, "%s", strerror(ENOMEM));
		return CTL_FAILED;
	}
	return CTL_OK;
}

/* Exit 10 tells that there is something to do. */
static int
look(struct ctl *c, int argc, char **argv, const char *method, json_t *params)
{
	json_t *result;
	int code;

	code = call(c, method, argc, argv, params, &result);
	if (code == CTL_OK)
		code = print(c, result, PRINT_WOULD);
	if (code == CTL_OK &&
	    json_array_size(json_object_get(result, "changes")) > 0)
		code = CTL_DIFFERS;
	json_decref(result);
	return code;
}

int
config_diff(struct ctl *c, int argc, char **argv)
{
	return look(c, argc, argv, "diff", json_object());
}

static bool
same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return strcmp(a, b) == 0 ||
	       (stat(a, &sa) == 0 && stat(b, &sb) == 0 &&
		   sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino);
}

/* Another file than supd's own is in force only until that one is read. */
static void
warn_other_file(const struct ctl *c, const json_t *result)
{
	const char *file = ctl_str(result, "file", NULL);
	const char *own = ctl_str(result, "own_file", NULL);

	if (file != NULL && own != NULL && !c->quiet && !same_file(file, own))
		ctl_errx(c,
		    "note: supd's own file is %s: a reload or apply without "
		    "FILE, a SIGHUP or a restart goes back to it",
		    own);
}

static int
act(struct ctl *c, const char *method, int argc, char **argv,
    enum print_changes how)
{
	json_t *result, *params = json_pack("{s:b}", "wait", c->wait);
	int code;

	if (params != NULL && c->wait && c->timeout_ns >= 0)
		json_object_set_new(
		    params, "timeout_ns", json_integer(c->timeout_ns));
	code = call(c, method, argc, argv, params, &result);
	if (result != NULL && !json_is_array(result)) {
		int r = print(c, result, how);

		code = code != CTL_OK ? code : r;
	}
	warn_other_file(c, result);
	json_decref(result);
	return code;
}

int
config_apply(struct ctl *c, int argc, char **argv)
{
	if (c->dry_run)
		return look(c, argc, argv, "apply",
		    json_pack("{s:b}", "dry_run", true));
	return act(c, "apply", argc, argv, c->wait ? PRINT_DONE : PRINT_BEGUN);
}

int
config_reload(struct ctl *c, int argc, char **argv)
{
	if (c->apply)
		return config_apply(c, argc, argv);
	return act(c, "reload", argc, argv, PRINT_TAKEN);
}
