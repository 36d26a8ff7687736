/* SPDX-License-Identifier: ISC */
/* The engine as it runs: lives of workers, readiness, and its own end. */
#include "engine_rig.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void
a_bad_configuration_ends_with_78(void **state)
{
	(void)state;
	begin("supervisor: root\nstrategy: one_for_al\n");
	assert_int_equal(exit_code(), 78);
}

static void
a_spawn_waits_for_its_preparations(void **state)
{
	const struct wire_log_open *o;
	struct wire_result done = { 0 };
	struct wire_id a;

	(void)state;
	begin(ONE);
	expect(KEEPER, WIRE_UP);
	o = expect(LOGGER, WIRE_LOG_OPEN);
	assert_string_equal(o->path, "root/a");
	done.slot = o->slot;
	expect(BUS, WIRE_PREPARE);
	expect_quiet(KEEPER);
	tell(LOGGER, WIRE_LOG_OPENED, 0, &done, NULL);
	expect_quiet(KEEPER);
	tell(BUS, WIRE_PREPARED, 0, &done, NULL);
	a = take_spawn("root/a");
	assert_int_equal(a.slot, done.slot);
	assert_int_equal(a.inc, 1);
}

static void
a_failed_preparation_fails_the_start(void **state)
{
	const struct wire_log_open *o;
	const struct wire_done *d;
	struct wire_result m = { .error = ENOSPC, .text = "mkfifo: full" };

	(void)state;
	begin(ONE);
	expect(KEEPER, WIRE_UP);
	o = expect(LOGGER, WIRE_LOG_OPEN);
	m.slot = o->slot;
	tell(LOGGER, WIRE_LOG_OPENED, 0, &m, NULL);
	expect(BUS, WIRE_PREPARE);
	m.error = 0;
	m.text[0] = '\0';
	tell(BUS, WIRE_PREPARED, 0, &m, NULL);
	d = expect(KEEPER, WIRE_DONE);
	assert_int_equal(d->code, 70);
}

static void
an_exit_is_told_acknowledged_and_then_restarted(void **state)
{
	const struct wire_dead *dead;
	const struct wire_log_tail *t;
	struct wire_id a, again;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	exited(a, 70, false);
	expect_acked(a);
	dead = expect(BUS, WIRE_DEAD);
	assert_int_equal(dead->inc, 1);
	assert_string_equal(dead->reason, "exit 70");
	again = take_spawn("root/a");
	assert_int_equal(again.inc, 2);
	expect(LOGGER, WIRE_LOG_FLUSH);
	t = expect(LOGGER, WIRE_LOG_TAIL);
	assert_int_equal(t->slot, a.slot);
}

/* Its program says why it will end, and is heard before it does. */
static void
declare(struct wire_id id, const char *reason)
{
	struct wire_declared m = { .slot = id.slot, .inc = id.inc };
	const struct wire_id *heard;

	snprintf(m.reason, sizeof(m.reason), "%s", reason);
	tell(BUS, WIRE_DECLARED, 5, &m, NULL);
	heard = expect(BUS, WIRE_HEARD);
	assert_int_equal(heard->slot, id.slot);
	assert_int_equal(heard->inc, id.inc);
}

static void
expect_dead(const char *reason, bool by_exit)
{
	const struct wire_dead *dead = expect(BUS, WIRE_DEAD);

	assert_string_equal(dead->reason, reason);
	assert_int_equal(dead->by_exit != 0, by_exit);
}

static void
a_declared_reason_is_told_unless_a_signal_came_first(void **state)
{
	struct wire_row row;
	struct wire_id a;
	int rows;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	declare(a, "out of cheese");
	exited(a, 1, false);
	expect_acked(a);
	expect_dead("out of cheese", true);
	a = start("root/a");
	ask(9, OP_STATUS, "a", 0, 0, NULL);
	assert_int_equal(answer(9, &rows, &row), CTL_OK);
	assert_string_equal(row.last_exit, "out of cheese");
	declare(a, "shutdown");
	exited(a, SIGKILL, true);
	expect_acked(a);
	expect_dead("killed", false);
	a = start("root/a");
	ask(10, OP_STATUS, "a", 0, 0, NULL);
	assert_int_equal(answer(10, &rows, &row), CTL_OK);
	assert_string_equal(row.last_exit, "SIGKILL");
}

static void
an_exit_signal_is_sent_and_its_end_called_by_it(void **state)
{
	struct wire_exit m = { .sig = SIGTERM, .reason = "boo" };
	const struct wire_signal *w;
	struct wire_row row;
	struct wire_id a;
	int rows;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	m.slot = a.slot;
	m.inc = a.inc + 1;
	tell(BUS, WIRE_EXIT, 0, &m, NULL); /* another incarnation */
	m.inc = a.inc;
	tell(BUS, WIRE_EXIT, 0, &m, NULL);
	w = expect(KEEPER, WIRE_SIGNAL);
	assert_int_equal(w->inc, a.inc);
	assert_int_equal(w->sig, SIGTERM);
	assert_int_equal(w->scope, SIGNAL_GROUP);
	exited(a, SIGTERM, true);
	expect_acked(a);
	expect_dead("boo", false);
	a = start("root/a");
	ask(9, OP_STATUS, "a", 0, 0, NULL);
	assert_int_equal(answer(9, &rows, &row), CTL_OK);
	assert_string_equal(row.last_exit, "boo");
}

static void
who_traps_exits_is_stopped_by_the_bus_then_by_signals(void **state)
{
	const struct wire_exit *stop;
	const struct wire_signal *w;
	struct wire_exit back;
	struct wire_id a;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	tell(BUS, WIRE_TRAPS, 0, &a, NULL);
	ask(9, OP_STATUS, "a", 0, 0, NULL);
	assert_int_equal(answer(9, NULL, NULL), CTL_OK);
	tell(KEEPER, WIRE_SHUTDOWN, 0, NULL, NULL);
	stop = expect(BUS, WIRE_STOP);
	assert_int_equal(stop->inc, a.inc);
	assert_int_equal(stop->sig, SIGTERM);
	assert_string_equal(stop->reason, "shutdown");
	/* It traps them no longer. */
	back = *stop;
	back.reason[0] = '\0';
	tell(BUS, WIRE_EXIT, 0, &back, NULL);
	w = expect(KEEPER, WIRE_SIGNAL);
	assert_int_equal(w->sig, SIGTERM);
	exited(a, 0, false);
	expect_acked(a);
	expect_dead("shutdown", true);
	expect(KEEPER, WIRE_DONE);
}

static void
a_shutdown_stops_in_reverse_and_ends_with_0(void **state)
{
	const struct wire_done *d;
	struct wire_id a, b;

	(void)state;
	begin(TWO);
	up(2);
	a = start("root/a");
	b = start("root/b");
	tell(KEEPER, WIRE_SHUTDOWN, 0, NULL, NULL);
	obey(b);
	obey(a);
	d = expect(KEEPER, WIRE_DONE);
	assert_int_equal(d->code, 0);
	close(r.link[KEEPER].fd);
	r.link[KEEPER].fd = -1;
	assert_int_equal(exit_code(), 0);
}

static void
a_root_that_gives_up_ends_with_70(void **state)
{
	const struct wire_done *d;

	(void)state;
	begin(ONE);
	up(1);
	for (int i = 0; i < 4; i++) {
		struct wire_id a = start("root/a");

		exited(a, 1, false);
		expect_acked(a);
		expect(BUS, WIRE_DEAD);
	}
	d = expect(KEEPER, WIRE_DONE);
	assert_int_equal(d->code, 70);
}

static void
a_broken_link_ends_the_engine_with_70(void **state)
{
	(void)state;
	begin(ONE);
	up(1);
	close(r.link[BUS].fd);
	r.link[BUS].fd = -1;
	assert_int_equal(exit_code(), 70);
}

static void
a_reload_changes_nothing(void **state)
{
	(void)state;
	begin(ONE);
	up(1);
	start("root/a");
	tell(KEEPER, WIRE_RELOAD, 0, NULL, NULL);
	expect_quiet(KEEPER);
}

static void
a_notify_worker_holds_up_the_next_until_it_is_ready(void **state)
{
	const struct wire_prepare *p;
	struct wire_result done = { 0 };
	struct wire_ready m = { 0 };
	struct wire_id a;

	(void)state;
	begin(ROOT "children:\n"
		   "  - {worker: a, command: [/bin/a], ready: notify,\n"
		   "     stdout: null, stderr: null}\n"
		   "  - {worker: b, command: [/bin/b],\n"
		   "     stdout: null, stderr: null}\n");
	expect(KEEPER, WIRE_UP);
	for (int i = 0; i < 2; i++) {
		p = expect(BUS, WIRE_PREPARE);
		assert_int_equal(
		    p->flags & PREPARE_NOTIFY, i == 0 ? PREPARE_NOTIFY : 0);
		done.slot = p->slot;
		tell(BUS, WIRE_PREPARED, 0, &done, NULL);
	}
	a = start("root/a");
	expect_quiet(KEEPER);
	m.slot = a.slot;
	m.inc = a.inc + 1; /* of another life: nothing to it */
	tell(BUS, WIRE_READY, 0, &m, NULL);
	expect_quiet(KEEPER);
	m.inc = a.inc;
	tell(BUS, WIRE_READY, 0, &m, NULL);
	take_spawn("root/b");
}

/* READY comes by the bus, SPAWNED by the keeper. */
static void
a_worker_is_not_ready_before_it_has_a_process(void **state)
{
	const struct wire_event *ev;
	struct wire_result done = { 0 };
	struct wire_ready m = { 0 };
	struct wire_id a;

	(void)state;
	begin(ROOT "children:\n"
		   "  - {worker: a, command: [/bin/a], ready: notify,\n"
		   "     stdout: null, stderr: null}\n");
	expect(KEEPER, WIRE_UP);
	done.slot =
	    ((const struct wire_prepare *)expect(BUS, WIRE_PREPARE))->slot;
	tell(BUS, WIRE_PREPARED, 0, &done, NULL);
	ev = expect(BUS, WIRE_EVENT);
	assert_string_equal(ev->path, "root");
	a = take_spawn("root/a");
	m.slot = a.slot;
	m.inc = a.inc;
	tell(BUS, WIRE_READY, 0, &m, NULL);
	expect_quiet(BUS);
	spawned(a);
	ev = expect(BUS, WIRE_EVENT);
	assert_string_equal(ev->kind, "starting");
	ev = expect(BUS, WIRE_EVENT);
	assert_string_equal(ev->kind, "ready");
	assert_string_equal(ev->path, "root/a");
}

static int
tcp_listener(int listen_now, uint16_t *ret_port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	if (listen_now)
		assert_int_equal(listen(fd, 8), 0);
	*ret_port = ntohs(sin.sin_port);
	return fd;
}

static void
a_tcp_worker_is_ready_when_it_listens_and_not_by_notify(void **state)
{
	struct wire_ready m = { 0 };
	struct wire_row row;
	struct wire_id a;
	char conf[256];
	uint16_t port;
	int fd = tcp_listener(0, &port);

	(void)state;
	snprintf(conf, sizeof(conf),
	    TWO "  - {worker: c, command: [/bin/c],\n"
		"     ready: {tcp: \"127.0.0.1:%u\"}}\n"
		"  - {worker: d, command: [/bin/d]}\n",
	    port);
	begin(conf);
	up(4);
	start("root/a");
	start("root/b");
	a = start("root/c");
	m.slot = a.slot;
	m.inc = a.inc;
	tell(BUS, WIRE_READY, 0, &m, NULL);
	expect_quiet(KEEPER);
	ask(5, OP_STATUS, "c", 0, 0, NULL);
	assert_int_equal(answer(5, NULL, &row), CTL_OK);
	assert_string_equal(row.state, "starting");
	assert_non_null(strstr(row.detail, "waiting for tcp 127.0.0.1:"));
	assert_non_null(strstr(row.detail, "last: Connection refused"));
	assert_int_equal(listen(fd, 8), 0);
	take_spawn("root/d");
	close(fd);
}

/* Not "localhost", which is known without asking. */
static void
a_name_is_looked_up_while_the_worker_starts(void **state)
{
	char conf[256];
	uint16_t port;
	int fd = tcp_listener(1, &port);

	(void)state;
	snprintf(conf, sizeof(conf),
	    "supervisor: root\nchildren:\n  - {worker: a, command: [/bin/a],\n"
	    "     ready: {tcp: \"LOCALHOST:%u\"}}\n"
	    "  - {worker: b, command: [/bin/b]}\n",
	    port);
	begin(conf);
	up(2);
	start("root/a");
	take_spawn("root/b");
	close(fd);
}

static void
a_name_that_nobody_knows_is_what_a_worker_waits_for(void **state)
{
	struct wire_row row;
	uint64_t tag = 0;

	(void)state;
	begin(
	    "supervisor: root\nchildren:\n  - {worker: a, command: [/bin/a],\n"
	    "     ready: {tcp: \"no-such-host.invalid:1\"}}\n");
	up(1);
	start("root/a");
	do {
		ask(++tag, OP_STATUS, "a", 0, 0, NULL);
		assert_int_equal(answer(tag, NULL, &row), CTL_OK);
		assert_string_equal(row.state, "starting");
	} while (strstr(row.detail, "last: ") == NULL ||
		 strstr(row.detail, "looked up") != NULL);
	assert_null(strstr(row.detail, "last: Connection refused"));
}

static void
a_sibling_restart_has_one_cause(void **state)
{
	struct wire_id a, b;
	uint64_t first = 0;

	(void)state;
	begin(ROOT "strategy: one_for_all\n"
		   "children:\n"
		   "  - {worker: a, command: [/bin/a]}\n"
		   "  - {worker: b, command: [/bin/b]}\n");
	up(2);
	a = start("root/a");
	b = start("root/b");
	exited(a, 1, false);
	expect_acked(a);
	obey(b);
	while (first == 0) {
		const struct wire_hdr *h = next_frame(BUS);
		const struct wire_event *ev = wire_body(h);

		if (h->type != WIRE_EVENT || strcmp(ev->kind, "exited") != 0)
			continue;
		assert_string_equal(ev->path, "root/a");
		assert_int_equal(ev->cause, 0);
		first = ev->seq;
	}
	for (;;) {
		const struct wire_hdr *h = next_frame(BUS);
		const struct wire_event *ev = wire_body(h);

		if (h->type != WIRE_EVENT)
			continue;
		assert_int_equal(ev->cause, first);
		if (strcmp(ev->kind, "restart") == 0)
			assert_string_equal(ev->text,
			    "one_for_all: stop b; start a, b (1/3 in 5s)");
		if (strcmp(ev->kind, "stopped") == 0)
			break;
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		T(a_bad_configuration_ends_with_78),
		T(a_spawn_waits_for_its_preparations),
		T(a_failed_preparation_fails_the_start),
		T(an_exit_is_told_acknowledged_and_then_restarted),
		T(a_declared_reason_is_told_unless_a_signal_came_first),
		T(an_exit_signal_is_sent_and_its_end_called_by_it),
		T(who_traps_exits_is_stopped_by_the_bus_then_by_signals),
		T(a_shutdown_stops_in_reverse_and_ends_with_0),
		T(a_root_that_gives_up_ends_with_70),
		T(a_broken_link_ends_the_engine_with_70),
		T(a_reload_changes_nothing),
		T(a_notify_worker_holds_up_the_next_until_it_is_ready),
		T(a_worker_is_not_ready_before_it_has_a_process),
		T(a_tcp_worker_is_ready_when_it_listens_and_not_by_notify),
		T(a_name_is_looked_up_while_the_worker_starts),
		T(a_name_that_nobody_knows_is_what_a_worker_waits_for),
		T(a_sibling_restart_has_one_cause),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests_name("engine_role", tests, NULL, NULL);
}
