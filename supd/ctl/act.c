/* SPDX-License-Identifier: ISC */
/*
 * The verbs that change something.
 */
#include "base/buf.h"
#include "ctl/ctl.h"
#include "ctl/many.h"
#include "ctl/opts.h"
#include "ctl/print_status.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define SPEC_MAX (WIRE_TAIL_MAX - 1) /* what one request can carry */

/* {"wait", "timeout_ns"}: the latter only when there is something to await. */
static json_t *
wait_params(const struct ctl *c)
{
	json_t *p = json_pack("{s:b}", "wait", c->wait);

	if (p != NULL && c->wait && c->timeout_ns >= 0)
		json_object_set_new(
		    p, "timeout_ns", json_integer(c->timeout_ns));
	return p;
}

/* With --json the nodes are collected, otherwise told one a line. */
static void
each_node(struct ctl *c, const char *path, const json_t *nodes, void *ctx)
{
	json_t *all = ctx;

	/* A temporary child is forgotten when it is stopped. */
	if (json_array_size(nodes) == 0)
		ctl_say(c, "%s: gone", path);
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		json_t *node = json_array_get(nodes, i);

		if (c->json)
			json_array_append(all, node);
		else if (!c->quiet)
			print_node(c->out, node, c->color);
	}
}

static void
each_removed(struct ctl *c, const char *path, const json_t *nodes, void *ctx)
{
	(void)nodes;
	(void)ctx;
	ctl_say(c, "%s: removed", path);
}

static int
act(struct ctl *c, const char *method, int argc, char **argv, json_t *params,
    void (*each)(
	struct ctl *c, const char *path, const json_t *nodes, void *ctx))
{
	json_t *all = json_array();
	int code;

	code = many_call(c, method, argc, argv, params, each, all);
	if (c->json && (code == CTL_OK || json_array_size(all) > 0))
		ctl_print_json(c, all);
	json_decref(all);
	return code;
}

int
act_start(struct ctl *c, int argc, char **argv)
{
	return act(c, "start", argc, argv, wait_params(c), each_node);
}

int
act_stop(struct ctl *c, int argc, char **argv)
{
	return act(c, "stop", argc, argv, wait_params(c), each_node);
}

int
act_restart(struct ctl *c, int argc, char **argv)
{
	return act(c, "restart", argc, argv, wait_params(c), each_node);
}

int
act_remove(struct ctl *c, int argc, char **argv)
{
	return act(c, "remove", argc, argv, wait_params(c), each_removed);
}

/*
 * The state is that of before the signal, so it says what was done instead.
 * Whoever has no process is named by the error.
 */
static void
each_killed(struct ctl *c, const char *path, const json_t *nodes, void *ctx)
{
	json_t *all = ctx;

	for (size_t i = 0; i < json_array_size(nodes); i++) {
		json_t *node = json_array_get(nodes, i);
		const json_t *pid = json_object_get(node, "pid");
		const char *of =
		    json_string_value(json_object_get(node, "path"));

		json_array_append(all, node);
		if (json_is_integer(pid))
			ctl_say(c,
			    "%s: SIG%s sent to pid %" JSON_INTEGER_FORMAT,
			    text_short_path(of != NULL ? of : path),
			    opts_signal(c->sig), json_integer_value(pid));
	}
}

int
act_kill(struct ctl *c, int argc, char **argv)
{
	const char *sig;

	if (c->sig == NULL)
		c->sig = "TERM";
	sig = opts_signal(c->sig);
	if (sig == NULL) {
		ctl_errx(c, "kill -s %s: no such signal", c->sig);
		return ctl_usage(c);
	}
	return act(c, "kill", argc, argv, json_pack("{s:s}", "signal", sig),
	    each_killed);
}

/* Read all of `fd`; 0 or -errno, -EFBIG beyond SPEC_MAX. */
static int
read_all(int fd, struct buf *b)
{
	char chunk[8192];

	for (;;) {
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n == 0)
			return b->failed ? -ENOMEM : 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			buf_add(b, chunk, (size_t)n);
		if (b->len > SPEC_MAX)
			return -EFBIG;
	}
}

/* The text of a SPEC: itself, @FILE, or - for standard input. */
static int
read_spec(const struct ctl *c, const char *arg, struct buf *b)
{
	cleanup_(closep) int fd = -EBADF;
	const char *name = "standard input";
	int r;

	if (arg[0] == '{') {
		buf_puts(b, arg);
		r = b->len > SPEC_MAX ? -EFBIG : 0;
		name = "the specification";
	} else if (strcmp(arg, "-") == 0) {
		r = read_all(STDIN_FILENO, b);
	} else {
		name = arg + 1;
		fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		r = fd < 0 ? -errno : read_all(fd, b);
	}
	if (r == -EFBIG)
		ctl_errx(c, "add: %s: longer than %d bytes", name, SPEC_MAX);
	else if (r < 0)
		ctl_errx(c, "add: %s: %s", name, strerror(-r));
	return r < 0 ? CTL_FAILED : CTL_OK;
}

/* Does this word stand for a specification rather than an argument? */
static bool
is_spec(const char *arg)
{
	return arg[0] == '{' || arg[0] == '@' || strcmp(arg, "-") == 0;
}

/*
 * One word that begins like a specification is one; any other words, or any
 * words after "--", are the extra arguments of a simple_one_for_one child.
 */
static int
add_params(const struct ctl *c, int argc, char **argv, json_t *params)
{
	json_t *args;
	int code;

	if (argc == 1 && !c->literal && is_spec(argv[0])) {
		cleanup_(buf_fini) struct buf spec = { 0 };

		code = read_spec(c, argv[0], &spec);
		if (code == CTL_OK &&
		    json_object_set_new(params, "spec",
			json_stringn(buf_str(&spec), spec.len)) < 0) {
			ctl_errx(c, "add: %s: not UTF-8", argv[0]);
			code = CTL_CONFIG;
		}
		return code;
	}
	args = json_array();
	for (int i = 0; i < argc; i++)
		if (json_array_append_new(args, json_string(argv[i])) < 0) {
			ctl_errx(c, "add: %s: not UTF-8", argv[i]);
			json_decref(args);
			return CTL_USAGE;
		}
	json_object_set_new(params, "args", args);
	return CTL_OK;
}

int
act_add(struct ctl *c, int argc, char **argv)
{
	json_t *params = wait_params(c);
	int code;

	code = params != NULL ? add_params(c, argc - 1, argv + 1, params)
	                      : CTL_FAILED;
	if (code != CTL_OK) {
		json_decref(params);
		return code;
	}
	code = act(c, "add", 1, argv, params, each_node);
	if (code == CTL_CONFIG &&
	    (c->literal || argc != 2 || !is_spec(argv[1])))
		ctl_errx(c,
		    "words are for a simple_one_for_one supervisor; for %s "
		    "describe the child: '{worker: NAME, command: [...]}'",
		    argv[0]);
	return code;
}

int
act_shutdown(struct ctl *c, int argc, char **argv)
{
	json_t *result = NULL;
	int code, r;

	(void)argc;
	(void)argv;
	code = ctl_call(c, "shutdown", json_object(), &result);
	json_decref(result);
	if (code != CTL_OK)
		return code;
	if (c->wait) {
		r = client_wait_end(&c->client);
		if (r < 0) {
			char buf[TEXT_MAX];

			ctl_errx(c, "supd has not ended within %s: %s",
			    text_period(c->timeout_ns, buf, sizeof(buf)),
			    r == -ETIMEDOUT ? "it is still stopping workers"
					    : strerror(-r));
			return r == -ETIMEDOUT ? CTL_TIMEOUT : CTL_FAILED;
		}
	}
	ctl_say(c, "supd %s", c->wait ? "has ended" : "is shutting down");
	if (c->json)
		ctl_print_json(c, json_null());
	return CTL_OK;
}
