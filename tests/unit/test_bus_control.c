/* SPDX-License-Identifier: ISC */
#include "bus/control.h"
#include "bus_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Clients of the control socket, the test being the engine and the logger. */

#define REQ(id, method, params)                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"" method             \
	"\",\"params\":" params "}"

static void
ping_tells_the_pid_of_supd(void **state)
{
	struct rig *r = *state;
	char want[128];
	int fd = ctl_open(r);

	snprintf(want, sizeof(want),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"pid\":%d,"
	    "\"version\":\"" SUPD_VERSION "\"}}",
	    getpid());
	expect_json(ctl_call(fd, REQ(1, "ping", "{}")), want);
	close(fd);
}

static void
end_request(struct rig *r, uint64_t tag, int code, const char *text)
{
	struct wire_end e = { .code = code };

	assert_int_equal(link_send(&r->engine, WIRE_END, tag, &e, text,
			     text != NULL ? strlen(text) + 1 : 0),
	    0);
}

static void
status_answers_rows_as_nodes(void **state)
{
	struct rig *r = *state;
	struct wire_row row = {
		.slot = 2,
		.flags = ROW_WANTED | ROW_ENABLED,
		.inc = 4,
		.pid = 77,
		.depth = 1,
		.restarts = 3,
		.since_ns = 5000,
		.state = "ready",
		.kind = "permanent",
		.path = "root/web",
	};
	const struct wire_hdr *h;
	const struct wire_request *q;
	uint64_t tag;
	int fd = ctl_open(r);

	ctl_send(fd, REQ(1, "status", "{\"path\":\"web*\"}"));
	h = rig_expect(&r->engine, WIRE_REQUEST);
	q = wire_body(h);
	tag = h->tag;
	assert_int_equal(q->op, OP_STATUS);
	assert_string_equal(q->path, "web*");
	assert_int_equal(
	    link_send(&r->engine, WIRE_ROW, tag, &row, NULL, 0), 0);
	end_request(r, tag, CTL_OK, NULL);
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[{"
	    "\"path\":\"root/web\",\"name\":\"web\",\"type\":\"worker\","
	    "\"state\":\"ready\",\"desired\":\"up\",\"pid\":77,"
	    "\"incarnation\":4,\"uptime_ns\":5000,\"since_ns\":5000,"
	    "\"restarts\":3,\"last_exit\":null,\"last_exit_ago_ns\":null,"
	    "\"strategy\":null,\"restart\":\"permanent\",\"used\":null,"
	    "\"intensity\":null,\"period_ns\":null,\"busy\":false,"
	    "\"dynamic\":false,\"enabled\":true,\"detail\":null,\"mailbox\":"
	    "null,"
	    "\"trap_exit\":false,\"depth\":1,\"order\":0}]}");
	close(fd);
}

/* ---- the protocol ----------------------------------------------------------
 */

static int
code_of(int fd, const char *line)
{
	return ctl_code(ctl_call(fd, line));
}

static void
bad_requests_are_told_and_the_connection_goes_on(void **state)
{
	struct rig *r = *state;
	int fd = ctl_open(r);
	char path[2000], line[4000];

	assert_int_equal(code_of(fd, "{nonsense"), -32700);
	assert_int_equal(code_of(fd, "[]"), -32600);
	assert_int_equal(code_of(fd, "{\"id\":1}"), -32600);
	assert_int_equal(code_of(fd, REQ(1, "fly", "{}")), -32601);
	assert_int_equal(code_of(fd, REQ(1, "status", "[]")), -32602);
	assert_int_equal(code_of(fd, REQ(1, "status", "{\"path\":7}")), -32602);
	assert_int_equal(code_of(fd, REQ(1, "start", "{}")), -32602);
	assert_int_equal(
	    code_of(fd, REQ(1, "start", "{\"path\":\"\"}")), -32602);
	assert_int_equal(
	    code_of(fd, REQ(1, "start", "{\"pth\":\"a\"}")), -32602);
	assert_int_equal(
	    code_of(fd, REQ(1, "start", "{\"path\":\"a\",\"wait\":1}")),
	    -32602);
	assert_int_equal(
	    code_of(fd, REQ(1, "start", "{\"path\":\"a\",\"timeout_ns\":-1}")),
	    -32602);
	assert_int_equal(
	    code_of(fd, REQ(1, "kill", "{\"path\":\"a\",\"signal\":\"NO\"}")),
	    -32602);
	assert_int_equal(
	    code_of(fd, REQ(1, "wait", "{\"path\":\"a\",\"for\":\"tea\"}")),
	    -32602);
	assert_int_equal(code_of(fd, REQ(1, "call", "{}")), -32602);
	memset(path, 'a', WIRE_PATH_MAX);
	path[WIRE_PATH_MAX] = '\0';
	snprintf(line, sizeof(line), REQ(1, "show", "{\"path\":\"%s\"}"), path);
	assert_int_equal(code_of(fd, line), -32602);
	rig_expect_nothing(r, &r->engine);
	assert_int_equal(code_of(fd, REQ(1, "ping", "{}")), 0);
	close(fd);
}

static void
lines_come_in_pieces_and_in_heaps(void **state)
{
	struct rig *r = *state;
	int fd = ctl_open(r);
	static const char half[] = "{\"jsonrpc\":\"2.0\",\"id\":1,";

	assert_int_equal(send(fd, half, sizeof(half) - 1, 0), sizeof(half) - 1);
	rig_expect_nothing(r, &r->engine);
	ctl_send(fd, "\"method\":\"ping\"}\n" REQ(2, "ping", "{}") "\n\n" REQ(
			 3, "ping", "{}"));
	for (int i = 1; i <= 3; i++) {
		json_t *v = ctl_recv(fd);

		assert_int_equal(
		    json_integer_value(json_object_get(v, "id")), i);
		json_decref(v);
	}
	close(fd);
}

static void
five_hundred_requests_in_one_write_are_all_answered(void **state)
{
	struct rig *r = *state;
	int fd = ctl_open(r);
	char *all = calloc(500, 64);

	for (int i = 0; i < 500; i++)
		strcat(all, REQ(1, "names", "{}") "\n");
	ctl_send(fd, all);
	for (int i = 0; i < 500; i++)
		assert_int_equal(ctl_code(ctl_recv(fd)), 0);
	free(all);
	close(fd);
}

static void
a_notification_is_not_answered(void **state)
{
	struct rig *r = *state;
	int fd = ctl_open(r);
	json_t *v;

	ctl_send(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"ping\"}");
	ctl_send(fd, "{\"jsonrpc\":\"2.0\",\"method\":\"fly\"}");
	v = ctl_call(fd, REQ(9, "ping", "{}"));
	assert_int_equal(json_integer_value(json_object_get(v, "id")), 9);
	json_decref(v);
	close(fd);
}

static void
a_line_beyond_the_limit_is_skipped(void **state)
{
	struct rig *r = *state;
	int fd = ctl_open(r);
	size_t len = 3 * 1024 * 1024;
	char *line = malloc(len + 1);

	memset(line, 'x', len);
	line[len] = '\0';
	ctl_send(fd, line);
	free(line);
	assert_int_equal(ctl_code(ctl_recv(fd)), -32700);
	assert_int_equal(code_of(fd, REQ(1, "ping", "{}")), 0);
	close(fd);
}

static void
the_last_line_needs_no_newline(void **state)
{
	struct rig *r = *state;
	int fd = ctl_open(r);
	static const char line[] = REQ(1, "ping", "{}");

	assert_int_equal(send(fd, line, sizeof(line) - 1, 0), sizeof(line) - 1);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_int_equal(ctl_code(ctl_recv(fd)), 0);
	close(fd);
}

static void
noise_on_the_control_socket_harms_nobody(void **state)
{
	static const char *const parts[] = { "{", "}", "[", "]", ":", ",",
		"\"jsonrpc\":\"2.0\"", "\"method\":", "\"names\"", "\"logs\"",
		"\"params\":", "\"path\":", "\"a\"", "\"id\":", "1", "null",
		"-1e999", "\"\\u0000\"", "\xff",
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"call\","
		"\"params\":{\"name\":\"a\",\"payload\":",
		"\n" };
	struct rig *r = *state;
	char line[1024], sink[4096];

	srandom(3);
	for (int i = 0; i < 100; i++) {
		int fd = ctl_open(r);

		for (int k = 0; k < 30; k++) {
			line[0] = '\0';
			for (int n = (int)(random() % 12); n >= 0; n--)
				strcat(line,
				    parts[(size_t)random() %
					  (sizeof(parts) / sizeof(parts[0]))]);
			ctl_send(fd, line);
			while (recv(fd, sink, sizeof(sink), MSG_DONTWAIT) > 0)
				continue;
		}
		close(fd);
	}
	rig_expect_nothing(r, &r->engine);
}

static void
without_fds_accept_waits_and_goes_on(void **state)
{
	struct rig *r = *state;
	struct rlimit old, low;
	int a = ctl_open(r), b;

	assert_int_equal(code_of(a, REQ(1, "ping", "{}")), 0);
	assert_return_code(prlimit(r->pid, RLIMIT_NOFILE, NULL, &old), errno);
	low = old;
	low.rlim_cur = 4;
	assert_return_code(prlimit(r->pid, RLIMIT_NOFILE, &low, NULL), errno);
	b = ctl_open(r);
	ctl_send(b, REQ(2, "ping", "{}"));
	assert_int_equal(code_of(a, REQ(3, "ping", "{}")), 0);
	assert_return_code(prlimit(r->pid, RLIMIT_NOFILE, &old, NULL), errno);
	assert_int_equal(ctl_code(ctl_recv(b)), 0);
	close(a);
	close(b);
}

static void
workers_leave_fds_for_clients(void **state)
{
	struct rig *r = *state;
	struct rlimit old, low;
	uint32_t refused = 0;
	int fd = ctl_open(r);

	/* Its own setting of the limit is done when it answers. */
	assert_int_equal(code_of(fd, REQ(1, "ping", "{}")), 0);
	close(fd);
	assert_return_code(prlimit(r->pid, RLIMIT_NOFILE, NULL, &old), errno);
	low = old;
	low.rlim_cur = CONTROL_FDS + 10;
	assert_return_code(prlimit(r->pid, RLIMIT_NOFILE, &low, NULL), errno);
	for (uint32_t slot = 2; slot < 22; slot++) {
		struct wire_prepare m = { .slot = slot,
			.flags = PREPARE_NOTIFY };
		const struct wire_result *w;

		snprintf(m.path, sizeof(m.path), "root/w%u", slot);
		assert_int_equal(
		    link_send(&r->engine, WIRE_PREPARE, 0, &m, NULL, 0), 0);
		w = wire_body(rig_expect(&r->engine, WIRE_PREPARED));
		assert_int_equal(w->error, slot < 7 ? 0 : ENOSPC);
		refused += w->error != 0;
		if (w->error != 0)
			assert_non_null(strstr(w->text, "RLIMIT_NOFILE"));
	}
	assert_int_equal(refused, 15);
	fd = ctl_open(r);
	assert_int_equal(code_of(fd, REQ(1, "ping", "{}")), 0);
	close(fd);
	assert_return_code(prlimit(r->pid, RLIMIT_NOFILE, &old, NULL), errno);
}

static void
an_idle_client_makes_room_and_a_busy_one_does_not(void **state)
{
	struct rig *r = *state;
	int fd[CLIENTS_MAX], more;
	struct wire_request q;

	for (int i = 0; i < CLIENTS_MAX; i++) {
		fd[i] = ctl_open(r);
		assert_int_equal(code_of(fd[i], REQ(1, "ping", "{}")), 0);
	}
	more = ctl_open(r);
	assert_int_equal(code_of(more, REQ(1, "ping", "{}")), 0);
	close(more);
	/* The first has gone for it. */
	assert_int_equal(recv(fd[0], &q, 1, 0), 0);
	close(fd[0]);
	fd[0] = ctl_open(r);
	for (int i = 0; i < CLIENTS_MAX; i++) {
		ctl_send(fd[i], REQ(2, "stop", "{\"path\":\"x\"}"));
		(void)rig_expect(&r->engine, WIRE_REQUEST);
	}
	more = ctl_open(r);
	assert_int_equal(ctl_code(ctl_recv(more)), CTL_FAILED);
	assert_int_equal(recv(more, &q, 1, 0), 0);
	close(more);
	for (int i = 0; i < CLIENTS_MAX; i++)
		close(fd[i]);
}

/* ---- requests to the engine ------------------------------------------------
 */

/* The next request that the engine gets. */
static uint64_t
next_request(struct rig *r, struct wire_request *ret)
{
	const struct wire_hdr *h = rig_expect(&r->engine, WIRE_REQUEST);

	memcpy(ret, wire_body(h), sizeof(*ret));
	return h->tag;
}

static void
params_become_a_request(void **state)
{
	struct rig *r = *state;
	struct wire_request q;
	const struct wire_hdr *h;
	size_t len;
	int fd = ctl_open(r);

	ctl_send(fd, REQ(1, "start",
			 "{\"path\":\"a\",\"wait\":false,\"timeout_ns\":7}"));
	end_request(r, next_request(r, &q), CTL_OK, NULL);
	assert_int_equal(q.op, OP_START);
	assert_int_equal(q.flags, REQUEST_NO_WAIT);
	assert_int_equal(q.timeout_ns, 7);
	assert_int_equal(q.uid, getuid());
	expect_json(
	    ctl_recv(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}");

	ctl_send(fd, REQ(2, "kill", "{\"path\":\"a\",\"signal\":\"HUP\"}"));
	end_request(r, next_request(r, &q), CTL_OK, NULL);
	assert_int_equal(q.op, OP_KILL);
	assert_int_equal(q.n, 1);
	json_decref(ctl_recv(fd));

	ctl_send(fd, REQ(3, "wait", "{\"path\":\"a\",\"for\":\"down\"}"));
	end_request(r, next_request(r, &q), CTL_OK, NULL);
	assert_int_equal(q.op, OP_WAIT);
	assert_int_equal(q.n, WAIT_DOWN);
	json_decref(ctl_recv(fd));

	ctl_send(fd, REQ(4, "add", "{\"path\":\"s\",\"spec\":\"name: x\"}"));
	h = rig_expect(&r->engine, WIRE_REQUEST);
	assert_string_equal(wire_tail(h, &len), "name: x");
	end_request(r, h->tag, CTL_OK, NULL);
	json_decref(ctl_recv(fd));

	ctl_send(fd, REQ(5, "add", "{\"path\":\"s\",\"args\":[\"-p\",1]}"));
	h = rig_expect(&r->engine, WIRE_REQUEST);
	assert_string_equal(wire_tail(h, &len), "[\"-p\",1]");
	end_request(r, h->tag, CTL_OK, NULL);
	json_decref(ctl_recv(fd));

	ctl_send(fd, REQ(6, "shutdown", "{}"));
	end_request(r, next_request(r, &q), CTL_OK, NULL);
	assert_int_equal(q.op, OP_SHUTDOWN);
	expect_json(
	    ctl_recv(fd), "{\"jsonrpc\":\"2.0\",\"id\":6,\"result\":null}");
	close(fd);
}

static void
a_file_is_named_by_its_absolute_path(void **state)
{
	struct rig *r = *state;
	struct wire_request q;
	int fd = ctl_open(r);
	json_t *o;

	ctl_send(fd, REQ(1, "apply", "{\"file\":\"supd.yaml\"}"));
	o = ctl_recv(fd);
	assert_int_equal(json_integer_value(json_object_get(
			     json_object_get(o, "error"), "code")),
	    -32602);
	json_decref(o);
	ctl_send(
	    fd, REQ(2, "apply",
		    "{\"file\":\"/a/b\",\"dry_run\":true,\"timeout_ns\":5}"));
	end_request(r, next_request(r, &q), CTL_CONFIG, "/a/b:1:1: error");
	assert_int_equal(q.op, OP_APPLY);
	assert_string_equal(q.path, "/a/b");
	assert_int_equal(q.flags, REQUEST_DRY_RUN);
	assert_int_equal(q.timeout_ns, 5);
	json_decref(ctl_recv(fd));
	ctl_send(fd, REQ(3, "diff", "{}"));
	end_request(r, next_request(r, &q), CTL_OK, "/own");
	assert_int_equal(q.op, OP_DIFF);
	assert_string_equal(q.path, "");
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"file\":\"/own\","
	    "\"own_file\":null,\"changes\":[]}}");
	close(fd);
}

/* `tail`: two texts, each with its NUL. */
static void
send_change(struct rig *r, uint64_t tag, const struct wire_change *m,
    const char *tail, size_t len)
{
	assert_int_equal(
	    link_send(&r->engine, WIRE_CHANGE, tag, m, tail, len), 0);
}

static void
changes_are_told_as_they_are(void **state)
{
	struct rig *r = *state;
	struct wire_change key = { .what = CHANGE_KEY,
		.flags = CHANGE_NO_OLD | CHANGE_AT_START,
		.path = "root/a",
		.key = "command",
		.origin = "f:3" };
	struct wire_change deed = { .what = CHANGE_RESTART,
		.path = "root/b",
		.other = "root/a",
		.kind = "rest_for_one",
		.key = "failed" };
	struct wire_change more = { .what = CHANGE_MORE, .n = 4 };
	struct wire_field own = { .key = "own_file" };
	struct wire_request q;
	int fd = ctl_open(r);
	uint64_t tag;

	ctl_send(fd, REQ(1, "apply", "{}"));
	tag = next_request(r, &q);
	send_change(r, tag, &key, "\0[x]", 5);
	send_change(r, tag, &deed, "\0exit 1", 8);
	send_change(r, tag, &more, "\0", 2);
	assert_int_equal(
	    link_send(&r->engine, WIRE_FIELD, tag, &own, "/own", 5), 0);
	end_request(r, tag, CTL_FAILED, "b: exit 1");
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":1,"
	    "\"message\":\"b: exit 1\",\"data\":{\"file\":null,"
	    "\"own_file\":\"/own\",\"changes\":["
	    "{\"change\":\"key\",\"path\":\"root/a\",\"key\":\"command\","
	    "\"old\":null,\"new\":\"[x]\",\"origin\":\"f:3\","
	    "\"at_start\":true},"
	    "{\"change\":\"restart\",\"path\":\"root/b\",\"type\":\"worker\","
	    "\"because\":\"root/a\",\"strategy\":\"rest_for_one\","
	    "\"result\":\"failed\",\"text\":\"exit 1\"},"
	    "{\"change\":\"more\",\"n\":4}]}}}");
	close(fd);
}

static void
a_simulation_is_steps_and_a_summary(void **state)
{
	struct rig *r = *state;
	struct wire_step step = {
		.at_ns = 7, .kind = "crash", .path = "root/a", .text = "crashes"
	};
	struct wire_request q;
	int fd = ctl_open(r);
	uint64_t tag;

	ctl_send(fd, REQ(1, "simulate", "{\"path\":\"a\",\"repeat\":3}"));
	tag = next_request(r, &q);
	assert_int_equal(q.op, OP_SIMULATE);
	assert_int_equal(q.n, 3);
	assert_int_equal(q.every_ns, 1000000000);
	assert_int_equal(
	    link_send(&r->engine, WIRE_STEP, tag, &step, NULL, 0), 0);
	end_request(r, tag, CTL_OK, "1 crash");
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"path\":\"a\","
	    "\"steps\":[{\"at_ns\":7,\"kind\":\"crash\","
	    "\"path\":\"root/a\",\"text\":\"crashes\"}],"
	    "\"summary\":\"1 crash\"}}");
	close(fd);
}

static void
answers_find_their_request_in_any_order(void **state)
{
	struct rig *r = *state;
	struct wire_request q;
	int fd = ctl_open(r);
	uint64_t a, b;

	ctl_send(fd, REQ(1, "stop", "{\"path\":\"a\"}"));
	ctl_send(fd, REQ(2, "stop", "{\"path\":\"b\"}"));
	a = next_request(r, &q);
	b = next_request(r, &q);
	end_request(r, b, CTL_NO_NAME, "no such child: b");
	end_request(r, a, CTL_OK, NULL);
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"id\":2,\"error\":{\"code\":4,"
	    "\"message\":\"no such child: b\"}}");
	expect_json(
	    ctl_recv(fd), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[]}");
	close(fd);
}

static void
a_failure_brings_the_nodes_as_they_are(void **state)
{
	struct rig *r = *state;
	struct wire_row row = { .path = "root/a", .state = "starting" };
	struct wire_request q;
	int fd = ctl_open(r);
	uint64_t tag;
	json_t *v, *nodes;

	ctl_send(fd, REQ(1, "start", "{\"path\":\"a\"}"));
	tag = next_request(r, &q);
	assert_int_equal(
	    link_send(&r->engine, WIRE_ROW, tag, &row, NULL, 0), 0);
	end_request(r, tag, CTL_TIMEOUT, "a did not become ready");
	v = ctl_recv(fd);
	nodes = json_object_get(
	    json_object_get(json_object_get(v, "error"), "data"), "nodes");
	assert_int_equal(json_array_size(nodes), 1);
	assert_int_equal(ctl_code(v), CTL_TIMEOUT);
	close(fd);
}

static void
a_client_that_goes_cancels_its_requests(void **state)
{
	struct rig *r = *state;
	struct wire_request q;
	int fd = ctl_open(r);
	uint64_t tag;

	ctl_send(fd, REQ(1, "start", "{\"path\":\"a\"}"));
	tag = next_request(r, &q);
	close(fd);
	assert_int_equal(rig_expect(&r->engine, WIRE_CANCEL)->tag, tag);
	end_request(r, tag, CTL_OK, NULL);
	rig_expect_nothing(r, &r->engine);
}

static void
a_client_that_only_stops_sending_is_answered(void **state)
{
	struct rig *r = *state;
	struct wire_request q;
	int fd = ctl_open(r);
	char c;

	ctl_send(fd, REQ(1, "start", "{\"path\":\"a\"}"));
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	end_request(r, next_request(r, &q), CTL_OK, NULL);
	assert_int_equal(ctl_code(ctl_recv(fd)), 0);
	assert_int_equal(recv(fd, &c, 1, 0), 0);
	close(fd);
}

static void
show_answers_fields(void **state)
{
	struct rig *r = *state;
	struct wire_field f = { .key = "restart", .origin = "a.yaml:3" };
	struct wire_request q;
	int fd = ctl_open(r);
	uint64_t tag;

	ctl_send(fd, REQ(1, "show", "{\"path\":\"a\"}"));
	tag = next_request(r, &q);
	assert_int_equal(link_send(&r->engine, WIRE_FIELD, tag, &f, "permanent",
			     sizeof("permanent")),
	    0);
	end_request(r, tag, CTL_OK, NULL);
	expect_json(ctl_recv(fd),
	    "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":[{\"key\":\"restart\","
	    "\"value\":\"permanent\",\"origin\":\"a.yaml:3\"}]}");
	close(fd);
}

static void
three_thousand_nodes_arrive_whole(void **state)
{
	struct rig *r = *state;
	struct wire_row row = { .state = "ready", .kind = "permanent" };
	struct wire_request q;
	int fd = ctl_open(r);
	uint64_t tag;
	json_t *v;

	ctl_send(fd, REQ(1, "status", "{}"));
	tag = next_request(r, &q);
	for (uint32_t i = 0; i < 3000; i++) {
		snprintf(row.path, sizeof(row.path), "root/w%u", i);
		assert_int_equal(
		    link_send(&r->engine, WIRE_ROW, tag, &row, NULL, 0), 0);
	}
	end_request(r, tag, CTL_OK, NULL);
	while (link_waiting(&r->engine))
		assert_int_equal(link_flush(&r->engine), 0);
	v = ctl_recv(fd);
	assert_int_equal(json_array_size(json_object_get(v, "result")), 3000);
	json_decref(v);
	close(fd);
}

static void
without_an_engine_requests_end(void **state)
{
	struct rig *r = *state;
	struct wire_request q;
	int fd = ctl_open(r);

	ctl_send(fd, REQ(1, "wait", "{\"path\":\"a\",\"for\":\"down\"}"));
	next_request(r, &q);
	assert_int_equal(shutdown(r->engine_fd, SHUT_RDWR), 0);
	assert_int_equal(ctl_code(ctl_recv(fd)), CTL_FAILED);
	assert_int_equal(
	    code_of(fd, REQ(2, "start", "{\"path\":\"a\"}")), CTL_FAILED);
	assert_int_equal(code_of(fd, REQ(3, "ping", "{}")), 0);
	close(fd);
}

/* Needs root, to be somebody else: see main(). */
static void
a_stranger_may_do_nothing(void **state)
{
	struct rig *r = *state;
	char path[160];
	int status;
	pid_t pid;

	snprintf(path, sizeof(path), "%s/control.sock", r->dir);
	assert_return_code(chmod(path, 0666), errno);
	fflush(NULL);
	pid = fork();
	assert_return_code(pid, errno);
	if (pid == 0) {
		int fd;

		if (setresuid(65533, 65533, 65533) < 0)
			_exit(1);
		fd = ctl_open(r);
		_exit(code_of(fd, REQ(1, "ping", "{}")) == CTL_NOT_PERMITTED &&
			      code_of(fd, REQ(2, "fly", "{}")) ==
				  CTL_NOT_PERMITTED
			  ? 0
			  : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	rig_expect_nothing(r, &r->engine);
}

static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	T(ping_tells_the_pid_of_supd), T(status_answers_rows_as_nodes),
	T(bad_requests_are_told_and_the_connection_goes_on),
	T(lines_come_in_pieces_and_in_heaps),
	T(five_hundred_requests_in_one_write_are_all_answered),
	T(a_notification_is_not_answered),
	T(a_line_beyond_the_limit_is_skipped),
	T(the_last_line_needs_no_newline),
	T(noise_on_the_control_socket_harms_nobody),
	T(without_fds_accept_waits_and_goes_on),
	T(workers_leave_fds_for_clients),
	T(an_idle_client_makes_room_and_a_busy_one_does_not),
	T(a_file_is_named_by_its_absolute_path),
	T(changes_are_told_as_they_are), T(a_simulation_is_steps_and_a_summary),
	T(params_become_a_request), T(answers_find_their_request_in_any_order),
	T(a_failure_brings_the_nodes_as_they_are),
	T(a_client_that_goes_cancels_its_requests),
	T(a_client_that_only_stops_sending_is_answered), T(show_answers_fields),
	T(three_thousand_nodes_arrive_whole), T(without_an_engine_requests_end),
	T(a_stranger_may_do_nothing), /* the last: see main() */
};

int
main(void)
{
	size_t n = sizeof(tests) / sizeof(tests[0]);

	/* Only root can become a stranger. */
	if (geteuid() != 0)
		n--;
	return _cmocka_run_group_tests("bus_control", tests, n, NULL, NULL);
}
