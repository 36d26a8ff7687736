/* SPDX-License-Identifier: ISC */
#include "bus_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
	    "\"dynamic\":false,\"enabled\":true,\"detail\":null,"
	    "\"depth\":1,\"order\":0}]}");
	close(fd);
}

static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	T(ping_tells_the_pid_of_supd),
	T(status_answers_rows_as_nodes),
};

int
main(void)
{
	return cmocka_run_group_tests_name("bus_control", tests, NULL, NULL);
}
