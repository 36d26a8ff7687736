/* SPDX-License-Identifier: ISC */
/*
 * supctl against peers of every kind: each test forks a small server that
 * behaves in one way, and runs a whole command line against it.
 */
#include "base/clock.h"
#include "ctl/opts.h"
#include "ctl/verbs.h"

/* cmocka.h wants these first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define ARGS_MAX    16
#define SERVER_LIFE 20 /* seconds, should all else fail */
#define BIG_NODES   20000
#define NODE(name)                                                             \
	"{\"path\":\"root/" name                                               \
	"\",\"type\":\"worker\",\"state\":\"ready\",\"pid\":42,"               \
	"\"desired\":\"up\",\"enabled\":true}"

/* One run of supctl. */
struct run {
	char *text, *out, *err;
	size_t out_len, err_len;
	int code;
	int64_t took_ns;
};

static char dir[] = "/tmp/test_ctl_XXXXXX";
static char path[64];
static pid_t server = -1;

static void
run_fini(struct run *r)
{
	free(r->text);
	free(r->out);
	free(r->err);
}

/* Run "supctl -s SOCKET TEXT"; words are separated by single blanks. */
static void
run(struct run *r, const char *text)
{
	char name[] = "supctl", dash_s[] = "-s", *rest, *word;
	char *words[ARGS_MAX] = { name, dash_s, path };
	char **argv;
	int n = 3, argc;
	mono_t begin = clock_mono();
	struct ctl c = { 0 };

	*r = (struct run){ 0 };
	c.out = open_memstream(&r->out, &r->out_len);
	c.err = open_memstream(&r->err, &r->err_len);
	rest = r->text = strdup(text);
	while ((word = strsep(&rest, " ")) != NULL && n < ARGS_MAX - 1)
		words[n++] = word;
	if (opts_parse(&c, n, words, &argc, &argv, &r->code))
		r->code = c.verb->run(&c, argc, argv);
	client_close(&c.client);
	fclose(c.out);
	fclose(c.err);
	r->took_ns = clock_mono().ns - begin.ns;
}

/* ---- servers ----------------------------------------------------------- */

static int
bind_socket(int backlog)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	strcpy(sa.sun_path, path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	return fd;
}

/* Serve one client in a child process. */
static void
serve(void (*behave)(FILE *in, int fd))
{
	int listening = bind_socket(8);

	server = fork();
	assert_true(server >= 0);
	if (server == 0) {
		int fd = accept(listening, NULL, NULL);
		FILE *in = fdopen(dup(fd), "r");

		alarm(SERVER_LIFE);
		close(listening);
		behave(in, fd);
		_exit(0);
	}
	close(listening);
}

static void
say(int fd, const char *text)
{
	if (send(fd, text, strlen(text), MSG_NOSIGNAL) < 0)
		_exit(1);
}

static void
read_line(FILE *in)
{
	char *line = NULL;
	size_t cap = 0;

	if (getline(&line, &cap, in) < 0)
		_exit(1);
	free(line);
}

static void
never_answers(FILE *in, int fd)
{
	(void)fd;
	for (;;)
		read_line(in);
}

static void
closes_mid_answer(FILE *in, int fd)
{
	read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"res");
}

static void
dribbles(FILE *in, int fd)
{
	read_line(in);
	for (;;) {
		say(fd, "{");
		usleep(2000);
	}
}

static void
talks_rubbish(FILE *in, int fd)
{
	read_line(in);
	say(fd, "220 mail.example.org ESMTP\r\n");
	read_line(in);
}

static void
answers_an_array(FILE *in, int fd)
{
	read_line(in);
	say(fd, "[1,2]\n");
	read_line(in);
}

static void
cannot_parse(FILE *in, int fd)
{
	read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,"
		"\"message\":\"parse error\"}}\n");
	read_line(in);
}

static void
knows_no_such_child(FILE *in, int fd)
{
	read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":4,"
		"\"message\":\"web/ap: no such child; did you mean "
		"web/\\u001b[31mapi?\"}}\n");
	read_line(in);
}

static void
permits_nothing(FILE *in, int fd)
{
	read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":5,"
		"\"message\":\"uid 99 is not permitted\"}}\n");
	read_line(in);
}

static void
tells_a_timeout(FILE *in, int fd)
{
	read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":7,"
		"\"message\":\"api did not become ready within 5s\\n"
		"  waiting for: tcp\\n\",\"data\":{\"nodes\":[" NODE(
		    "api") "]}}}\n");
	read_line(in);
}

static void
has_unknown_codes(FILE *in, int fd)
{
	read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":4711}}\n");
	read_line(in);
}

/* Three requests; the answers come backwards, the second is an error. */
static void
answers_backwards(FILE *in, int fd)
{
	for (int i = 0; i < 3; i++)
		read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":[" NODE(
		    "c") "]}\n"
			 "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":4,"
			 "\"message\":\"b: no such child\"}}\n"
			 "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[" NODE(
			     "a") "]}\n");
	read_line(in);
}

static void
answers_a_lot(FILE *in, int fd)
{
	read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[" NODE("first"));
	for (int i = 0; i < BIG_NODES; i++)
		say(fd, "," NODE("n"));
	say(fd, "]}\n");
	read_line(in);
}

static void
streams_and_ends(FILE *in, int fd)
{
	read_line(in);
	for (int i = 0; i < 1000; i++)
		say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"line\",\"params\":"
			"{\"id\":1,\"path\":\"root/a\",\"time\":null,"
			"\"text\":\"x\",\"lost\":0}}\n");
}

static void
streams_and_finishes(FILE *in, int fd)
{
	read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"event\",\"params\":"
		"{\"id\":1,\"event\":{\"seq\":1,\"time_ns\":0,\"kind\":"
		"\"ready\",\"path\":\"root/a\",\"text\":\"ready\"}}}\n"
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}\n");
	read_line(in);
}

static void
shuts_down(FILE *in, int fd)
{
	read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n");
	usleep(50000);
}

static void
replies_null(FILE *in, int fd)
{
	read_line(in);
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null}\n");
	read_line(in);
}

/* ---- tests ------------------------------------------------------------- */

static void
without_a_socket_it_says_so_at_once(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	run(&r, "status");
	assert_int_equal(r.code, CTL_NOT_RUNNING);
	assert_non_null(strstr(r.err, "supd is not running (no /tmp/test_"));
	assert_true(r.took_ns < 2 * NS_PER_S);
	assert_string_equal(r.out, "");
}

static void
a_stale_socket_means_that_supd_is_not_running(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	close(bind_socket(-1));
	run(&r, "ping");
	assert_int_equal(r.code, CTL_NOT_RUNNING);
	assert_non_null(strstr(r.err, "nobody listens on"));
}

static void
a_socket_out_of_reach_is_not_permitted(void **state)
{
	cleanup_(run_fini) struct run r;
	int fd = bind_socket(8);
	uid_t uid = geteuid();

	(void)state;
	assert_int_equal(chmod(path, 0), 0);
	if (uid == 0)
		assert_int_equal(seteuid(65534), 0);
	run(&r, "ping");
	if (uid == 0)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(r.code, CTL_NOT_PERMITTED);
	assert_non_null(strstr(r.err, "Permission denied"));
	close(fd);
}

static void
version_tells_that_supd_is_not_running(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	run(&r, "version");
	assert_int_equal(r.code, CTL_OK);
	assert_non_null(strstr(r.out, "not running"));
}

static void
a_full_backlog_ends_with_the_deadline(void **state)
{
	cleanup_(run_fini) struct run r;
	int fds[64], n = 0, fd = bind_socket(0);
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	(void)state;
	strcpy(sa.sun_path, path);
	for (; n < 64; n++) {
		fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(fds[n], (struct sockaddr *)&sa, sizeof(sa)) < 0)
			break;
	}
	assert_true(n < 64);
	run(&r, "--timeout 50ms ping");
	assert_int_equal(r.code, CTL_TIMEOUT);
	assert_non_null(strstr(r.err, "takes no connection"));
	for (; n >= 0; n--)
		close(fds[n]);
	close(fd);
}

static void
a_peer_that_never_answers_meets_the_deadline(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	serve(never_answers);
	run(&r, "--timeout 100ms status");
	assert_int_equal(r.code, CTL_TIMEOUT);
	assert_non_null(strstr(r.err, "did not answer within 100ms"));
	assert_true(r.took_ns >= 100 * NS_PER_MS);
	assert_true(r.took_ns < 5 * NS_PER_S);
}

static void
a_call_that_waits_allows_supd_to_tell_why(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	serve(never_answers);
	run(&r, "start --timeout 50ms a b");
	assert_int_equal(r.code, CTL_TIMEOUT);
	assert_true(r.took_ns >= CTL_GRACE_NS);
	assert_true(r.took_ns < CTL_GRACE_NS + 5 * NS_PER_S);
}

static void
a_peer_that_dribbles_meets_the_deadline(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	serve(dribbles);
	run(&r, "--timeout 100ms ping");
	assert_int_equal(r.code, CTL_TIMEOUT);
	assert_true(r.took_ns < 5 * NS_PER_S);
}

/* Run `text` against a peer; it must end with `code` and say `said`. */
static void
assert_run(void (*behave)(FILE *in, int fd), const char *text, int code,
    const char *said)
{
	cleanup_(run_fini) struct run r;

	serve(behave);
	run(&r, text);
	assert_int_equal(r.code, code);
	assert_non_null(strstr(r.err, said));
	assert_true(r.took_ns < 9 * NS_PER_S);
}

static void
a_peer_that_closes_mid_answer_is_no_supd_any_more(void **state)
{
	(void)state;
	assert_run(
	    closes_mid_answer, "status", CTL_NOT_RUNNING, "before it answered");
}

static void
a_peer_that_is_no_supd_is_told(void **state)
{
	(void)state;
	assert_run(talks_rubbish, "status", CTL_FAILED, "is this supd?");
}

static void
an_answer_that_is_no_object_is_told(void **state)
{
	(void)state;
	assert_run(answers_an_array, "names", CTL_FAILED, "is this supd?");
}

static void
an_error_without_an_id_ends_the_call(void **state)
{
	(void)state;
	assert_run(cannot_parse, "ping", CTL_FAILED, "parse error");
}

static void
an_error_without_an_id_ends_calls_for_many(void **state)
{
	(void)state;
	assert_run(cannot_parse, "stop a b", CTL_FAILED, "parse error");
}

static void
an_error_is_told_and_is_the_exit_code(void **state)
{
	(void)state;
	assert_run(knows_no_such_child, "show web/ap", CTL_NO_NAME,
	    "supctl: web/ap: no such child; did you mean web/\\033[31mapi?\n");
}

static void
a_stranger_is_not_permitted(void **state)
{
	(void)state;
	assert_run(permits_nothing, "names", CTL_NOT_PERMITTED,
	    "uid 99 is not permitted");
}

static void
an_error_code_from_nowhere_is_a_failure(void **state)
{
	(void)state;
	assert_run(has_unknown_codes, "names", CTL_FAILED, "gave no reason");
}

static void
a_timeout_of_supd_keeps_its_lines(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	serve(tells_a_timeout);
	run(&r, "start --timeout 5s api");
	assert_int_equal(r.code, CTL_TIMEOUT);
	assert_string_equal(r.err, "supctl: api did not become ready within "
				   "5s\n  waiting for: tcp\n");
	assert_string_equal(r.out, "api: ready, pid 42\n");
}

static void
answers_for_many_are_told_in_order(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	serve(answers_backwards);
	run(&r, "start a b c");
	assert_int_equal(r.code, CTL_NO_NAME);
	assert_string_equal(r.out, "a: ready, pid 42\nc: ready, pid 42\n");
	assert_string_equal(r.err, "supctl: b: no such child\n");
}

static void
json_of_many_is_one_array(void **state)
{
	cleanup_(run_fini) struct run r;
	json_t *nodes;

	(void)state;
	serve(answers_backwards);
	run(&r, "--json restart a b c");
	nodes = json_loads(r.out, 0, NULL);
	assert_int_equal(json_array_size(nodes), 2);
	json_decref(nodes);
}

static void
a_large_answer_arrives_whole(void **state)
{
	cleanup_(run_fini) struct run r;
	size_t lines = 0;

	(void)state;
	serve(answers_a_lot);
	run(&r, "list");
	assert_int_equal(r.code, CTL_OK);
	for (const char *p = r.out; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	assert_int_equal(lines, BIG_NODES + 1);
}

static void
a_followed_stream_ends_with_supd(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	serve(streams_and_ends);
	run(&r, "logs -f a");
	assert_int_equal(r.code, CTL_NOT_RUNNING);
	assert_non_null(strstr(r.err, "supd has ended"));
	assert_int_equal(strlen(r.out), 2000);
}

static void
a_stream_ends_with_its_result(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	serve(streams_and_finishes);
	run(&r, "--json events");
	assert_int_equal(r.code, CTL_OK);
	assert_string_equal(r.out,
	    "{\"seq\":1,\"time_ns\":0,\"kind\":\"ready\",\"path\":\"root/a\","
	    "\"text\":\"ready\"}\n");
}

static void
shutdown_waits_until_supd_is_gone(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	serve(shuts_down);
	run(&r, "shutdown");
	assert_int_equal(r.code, CTL_OK);
	assert_string_equal(r.out, "supd is shutting down\n");
}

static void
a_reply_of_null_is_a_reply(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	serve(replies_null);
	run(&r, "call counter [\"get\"]");
	assert_int_equal(r.code, CTL_OK);
	assert_string_equal(r.out, "null\n");
}

static void
a_message_that_is_no_json_asks_nobody(void **state)
{
	cleanup_(run_fini) struct run r;

	(void)state;
	run(&r, "call counter get");
	assert_int_equal(r.code, CTL_USAGE);
	assert_non_null(strstr(r.err, "MSG is not JSON"));
}

static int
make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL || chmod(dir, 0755) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/control.sock", dir);
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static int
end_server(void **state)
{
	(void)state;
	if (server > 0) {
		kill(server, SIGKILL);
		waitpid(server, NULL, 0);
		server = -1;
	}
	unlink(path);
	return 0;
}

#define claim(f) cmocka_unit_test_teardown(f, end_server)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		claim(without_a_socket_it_says_so_at_once),
		claim(a_stale_socket_means_that_supd_is_not_running),
		claim(a_socket_out_of_reach_is_not_permitted),
		claim(version_tells_that_supd_is_not_running),
		claim(a_full_backlog_ends_with_the_deadline),
		claim(a_peer_that_never_answers_meets_the_deadline),
		claim(a_call_that_waits_allows_supd_to_tell_why),
		claim(a_peer_that_dribbles_meets_the_deadline),
		claim(a_peer_that_closes_mid_answer_is_no_supd_any_more),
		claim(a_peer_that_is_no_supd_is_told),
		claim(an_answer_that_is_no_object_is_told),
		claim(an_error_without_an_id_ends_the_call),
		claim(an_error_without_an_id_ends_calls_for_many),
		claim(an_error_is_told_and_is_the_exit_code),
		claim(a_stranger_is_not_permitted),
		claim(an_error_code_from_nowhere_is_a_failure),
		claim(a_timeout_of_supd_keeps_its_lines),
		claim(answers_for_many_are_told_in_order),
		claim(json_of_many_is_one_array),
		claim(a_large_answer_arrives_whole),
		claim(a_followed_stream_ends_with_supd),
		claim(a_stream_ends_with_its_result),
		claim(shutdown_waits_until_supd_is_gone),
		claim(a_reply_of_null_is_a_reply),
		claim(a_message_that_is_no_json_asks_nobody),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
