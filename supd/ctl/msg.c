/* SPDX-License-Identifier: ISC */
/*
 * msg: talk to the workers of supd from scripts, and give any program a
 * mailbox.
 */
#include "ctl/ctl.h"
#include "ctl/msgproc.h"
#include "ctl/sockpath.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

struct command {
	const char *name;
	const char *args;
	int min, max; /* arguments; max < 0: any number */
	int (*run)(struct ctl *c, int argc, char **argv);
	const char *doc;
};

/* JSON from the command line, or NULL, which has been told. */
static json_t *
parse_json(struct ctl *c, const char *text)
{
	json_error_t e;
	json_t *v = json_loads(text,
	    JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);

	if (v == NULL)
		ctl_errx(c,
		    "%s is not JSON: %s at character %d; text needs its "
		    "quotes: '\"text\"'",
		    text, e.text, e.position);
	return v;
}

/* Ask, and print the result unless it is null. */
static int
ask(struct ctl *c, const char *method, json_t *params, json_t **ret_result)
{
	json_t *result = NULL;
	int code = ctl_call(c, method, params, &result);

	if (code == CTL_OK && !json_is_null(result))
		ctl_print_json(c, result);
	if (code == CTL_OK && ret_result != NULL)
		*ret_result = result;
	else
		json_decref(result);
	return code;
}

static int
one_way(struct ctl *c, const char *method, char **argv)
{
	json_t *payload = parse_json(c, argv[1]);

	if (payload == NULL)
		return CTL_USAGE;
	return ask(c, method,
	    json_pack("{s:s, s:o}", "name", argv[0], "payload", payload), NULL);
}

static int
msg_send(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return one_way(c, "send", argv);
}

static int
msg_cast(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return one_way(c, "cast", argv);
}

static int
msg_call(struct ctl *c, int argc, char **argv)
{
	json_t *payload = parse_json(c, argv[1]);

	(void)argc;
	if (payload == NULL)
		return CTL_USAGE;
	return talk_ask(c, "call",
	    json_pack("{s:s, s:o}", "name", argv[0], "payload", payload));
}

static int
msg_whereis(struct ctl *c, int argc, char **argv)
{
	json_t *found = NULL;
	int code;

	(void)argc;
	code = ask(c, "whereis", json_pack("{s:s}", "name", argv[0]), &found);
	if (code == CTL_OK && json_is_null(found)) {
		ctl_errx(c, "nobody has the name %s", argv[0]);
		code = CTL_NO_NAME;
	}
	json_decref(found);
	return code;
}

static int
msg_monitor(struct ctl *c, int argc, char **argv)
{
	json_t *down = NULL;
	int code;

	(void)argc;
	code = ask(c, "monitor", json_pack("{s:s}", "name", argv[0]), &down);
	if (code == CTL_OK && json_is_null(json_object_get(down, "pid"))) {
		ctl_errx(c, "nobody has the name %s", argv[0]);
		code = CTL_NO_NAME;
	}
	json_decref(down);
	return code;
}

static int
msg_exit(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return ask(c, "exit",
	    json_pack("{s:s, s:s}", "name", argv[0], "reason", argv[1]), NULL);
}

static void
each_message(struct ctl *c, const json_t *params)
{
	int64_t lost = ctl_int(params, "lost", 0);
	const json_t *m = json_object_get(params, "message");

	if (lost > 0)
		ctl_errx(c, "%jd messages were lost: too many waited",
		    (intmax_t)lost);
	if (m != NULL)
		ctl_print_json(c, m);
}

static int
take_name(struct ctl *c, const char *name)
{
	json_t *none = NULL;
	int code =
	    ctl_call(c, "register", json_pack("{s:s}", "name", name), &none);

	json_decref(none);
	return code;
}

static int
msg_receive(struct ctl *c, int argc, char **argv)
{
	json_t *params = json_object();
	int code = take_name(c, argv[0]);

	(void)argc;
	if (code != CTL_OK) {
		json_decref(params);
		return code;
	}
	if (c->n > 0)
		json_object_set_new(params, "n", json_integer(c->n));
	/* Each line when it comes, and only as long as was said. */
	setvbuf(c->out, NULL, _IOLBF, 0);
	return ctl_stream(c, "receive", params, each_message);
}

/* Become a process, with a name or without. */
static int
become(struct ctl *c, const char *name)
{
	int64_t id;
	int code = name != NULL ? take_name(c, name) : ctl_connect(c);

	if (code == CTL_OK)
		code = ctl_send(c, "receive", json_object(), &id);
	c->client.deadline = MONO_NEVER;
	return code;
}

static int
msg_register(struct ctl *c, int argc, char **argv)
{
	int code = become(c, argv[0]);

	(void)argc;
	return code != CTL_OK ? code : msgproc_run(c, dup(0), dup(1), true);
}

/* Start it with pipes for stdin and stdout; 0 or -errno. */
static int
start(char **argv, pid_t *ret_pid, int *ret_in, int *ret_out)
{
	posix_spawn_file_actions_t fa;
	int to[2], from[2], r;

	if (pipe2(to, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(from, O_CLOEXEC) < 0) {
		r = -errno;
		close(to[0]);
		close(to[1]);
		return r;
	}
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, to[0], 0);
	posix_spawn_file_actions_adddup2(&fa, from[1], 1);
	r = -posix_spawnp(ret_pid, argv[0], &fa, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&fa);
	close(to[0]);
	close(from[1]);
	*ret_in = from[0];
	*ret_out = to[1];
	if (r < 0) {
		close(from[0]);
		close(to[1]);
	}
	return r;
}

static int
end_of(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return CTL_FAILED;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int
msg_run(struct ctl *c, int argc, char **argv)
{
	const char *name = c->literal ? NULL : argv[0];
	char **command = argv + (name != NULL);
	pid_t pid;
	int code, in = -EBADF, out = -EBADF, r;

	if (name != NULL &&
	    strcmp(command[0] != NULL ? command[0] : "", "--") == 0)
		command++;
	if (command[0] == NULL || command >= argv + argc) {
		ctl_errx(c, "run: name a command: msg run NAME -- COMMAND");
		return CTL_USAGE;
	}
	code = become(c, name);
	if (code != CTL_OK)
		return code;
	signal(SIGPIPE, SIG_IGN);
	r = start(command, &pid, &in, &out);
	if (r < 0) {
		ctl_errx(c, "run: %s: %s", command[0], strerror(-r));
		return CTL_FAILED;
	}
	code = msgproc_run(c, in, out, false);
	r = end_of(pid);
	return code != CTL_OK ? code : r;
}

static const struct command commands[] = {
	{ "send", "NAME MSG", 2, 2, msg_send, "send a message" },
	{ "cast", "NAME MSG", 2, 2, msg_cast,
	    "send a request that wants no reply" },
	{ "call", "NAME MSG", 2, 2, msg_call,
	    "send a request and print the reply" },
	{ "receive", "[-n N] NAME", 1, 1, msg_receive,
	    "be NAME, and print the messages that come, or the first N" },
	{ "register", "NAME", 1, 1, msg_register,
	    "be NAME: messages on stdout, orders on stdin" },
	{ "monitor", "NAME", 1, 1, msg_monitor,
	    "wait until NAME ends, and print why" },
	{ "whereis", "NAME", 1, 1, msg_whereis, "print who has that name" },
	{ "exit", "NAME REASON", 2, 2, msg_exit, "send an exit signal" },
	{ "run", "[NAME] -- COMMAND [ARG...]", 1, -1, msg_run,
	    "run a program that talks by JSON lines" },
};

static void
usage(FILE *out)
{
	fprintf(out, "usage: msg [-s SOCKET] [--timeout D] COMMAND ...\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		fprintf(out, "  %-8s %-26s %s\n", commands[i].name,
		    commands[i].args, commands[i].doc);
	fprintf(out, "\nMSG is JSON.  NAME is registered, a path or a pid like "
		     "\"<3.1>\".  More: msg(1)\n");
}

static const struct command *
find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* An option; false: it is wrong, which has been told. */
static bool
take_option(struct ctl *c, int opt, const char **socket, char **argv)
{
	const char *bad = NULL;

	if (opt == 's')
		*socket = optarg;
	else if (opt == 'n')
		c->n = strtonum(optarg, 1, INT32_MAX, &bad);
	else if (opt == 't' && !text_parse_duration(optarg, &c->timeout_ns))
		bad = "not a duration like 500ms or 10s";
	else if (opt == '?' || opt == ':') {
		ctl_errx(c, "%s: %s", argv[optind - 1],
		    opt == '?' ? "no such option" : "its argument is missing");
		return false;
	}
	if (bad != NULL)
		ctl_errx(c, "%s: %s", optarg, bad);
	return bad == NULL;
}

/* The command to run; NULL: exit with *ret_code. */
static const struct command *
parse(struct ctl *c, int argc, char **argv, const char **socket, int *ret_code)
{
	static const struct option longs[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "timeout", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	const struct command *m = NULL;
	int opt;

	*ret_code = CTL_USAGE;
	opterr = 0;
	/* "+": the command of run has options of its own. */
	for (;;) {
		opt = getopt_long(argc, argv, "+:s:n:hV", longs, NULL);
		if (opt == 'h' || opt == 'V') {
			if (opt == 'h')
				usage(c->out);
			else
				fprintf(c->out, "msg %s\n", SUPD_VERSION);
			*ret_code = CTL_OK;
			return NULL;
		}
		if (opt != -1) {
			if (!take_option(c, opt, socket, argv))
				return NULL;
			continue;
		}
		c->literal = optind > 0 && strcmp(argv[optind - 1], "--") == 0;
		if (m != NULL || optind >= argc)
			break;
		m = find(argv[optind]);
		if (m == NULL) {
			ctl_errx(c, "%s: no such command", argv[optind]);
			usage(c->err);
			return NULL;
		}
		optind++;
	}
	if (m == NULL)
		usage(c->err);
	return m;
}

int
main(int argc, char **argv)
{
	struct ctl c = { .program = "msg",
		.out = stdout,
		.err = stderr,
		.client = CLIENT_NULL };
	struct sockpath from = {
		.env = getenv("SUPD_SOCKET"),
		.runtime = getenv("XDG_RUNTIME_DIR"),
		.uid = geteuid(),
	};
	const struct command *m;
	int code;

	setlocale(LC_CTYPE, "");
	c.timeout_ns = -2;
	m = parse(&c, argc, argv, &from.option, &code);
	if (m == NULL)
		return code;
	argc -= optind;
	argv += optind;
	if (argc < m->min || (m->max >= 0 && argc > m->max)) {
		fprintf(stderr, "usage: msg %s %s\n", m->name, m->args);
		return CTL_USAGE;
	}
	/* Those that wait for others wait for as long as is said. */
	c.follow = m->run == msg_receive && c.timeout_ns == -2;
	if (c.timeout_ns == -2)
		c.timeout_ns = m->run == msg_monitor ? -1 : CTL_TIMEOUT_NS;
	if (sockpath_choose(&from, c.socket, sizeof(c.socket)) < 0) {
		ctl_errx(&c, "the socket's path is longer than 107 bytes");
		return CTL_USAGE;
	}
	code = m->run(&c, argc, argv);
	client_close(&c.client);
	if (fflush(stdout) == EOF && code == CTL_OK) {
		ctl_errx(&c, "standard output: %s", strerror(errno));
		code = CTL_FAILED;
	}
	return code;
}
