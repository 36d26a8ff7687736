/* SPDX-License-Identifier: ISC */
/*
 * The engine as it runs, in a process of its own; the test plays keeper, bus
 * and logger over the real links.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/main.h"
#include "wire/link.h"
#include "wire/slots.h"

#define N_SLOTS     1100
#define DEADLINE_MS 10000

enum peer { KEEPER, BUS, LOGGER, PEER_N };

static struct rig {
	pid_t pid;
	struct link link[PEER_N];
	char conf[64];
	int32_t next_pid;
	uint64_t frame[(WIRE_FRAME_MAX + 7) / 8];
	char text[4096]; /* of the last END */
} r;

/* ---- the engine's process
 * ---------------------------------------------------- */

static int
slot_table(void)
{
	size_t len = sizeof(struct slot_table) + N_SLOTS * sizeof(struct slot);
	struct slot_table t = { .magic = SLOTS_MAGIC, .n = N_SLOTS };
	int fd = memfd_create("slots", 0);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)len), 0);
	assert_int_equal(pwrite(fd, &t, sizeof(t), 0), sizeof(t));
	return fd;
}

static void
write_conf(const char *text)
{
	int fd;

	strcpy(r.conf, "/tmp/supd-engine-role-XXXXXX");
	fd = mkstemp(r.conf);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

/* In the child: its ends of the links become 3, 4, 5, the table 6. */
static void
become_engine(const int *theirs, int table)
{
	struct role_args args = {
		.conf_path = r.conf,
		.run_dir = "/run/supd",
		.log_dir = "/var/log/supd",
		.socket = "/run/supd/control.sock",
	};
	int high[PEER_N + 1], null = open("/dev/null", O_WRONLY);

	for (int i = 0; i < PEER_N; i++)
		high[i] = fcntl(theirs[i], F_DUPFD, 100);
	high[PEER_N] = fcntl(table, F_DUPFD, 100);
	dup2(null, STDERR_FILENO);
	for (int i = 0; i <= PEER_N; i++)
		dup2(high[i], 3 + i);
	closefrom(3 + PEER_N + 1);
	log_init("engine", false);
	_exit(engine_main(&args));
}

static void
begin(const char *conf)
{
	int theirs[PEER_N], table = slot_table();

	write_conf(conf);
	r.next_pid = 1000;
	for (int i = 0; i < PEER_N; i++) {
		int pair[2];

		assert_int_equal(
		    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair),
		    0);
		link_init(&r.link[i], pair[0], 1u << 20);
		theirs[i] = pair[1];
	}
	r.pid = fork();
	assert_true(r.pid >= 0);
	if (r.pid == 0)
		become_engine(theirs, table);
	for (int i = 0; i < PEER_N; i++)
		close(theirs[i]);
	close(table);
}

static int
teardown(void **state)
{
	(void)state;
	if (r.pid > 0) {
		kill(r.pid, SIGKILL);
		waitpid(r.pid, NULL, 0);
	}
	for (int i = 0; i < PEER_N; i++) {
		close(r.link[i].fd);
		link_fini(&r.link[i]);
	}
	unlink(r.conf);
	memset(&r, 0, sizeof(r));
	return 0;
}

static int
exit_code(void)
{
	int status;

	assert_int_equal(waitpid(r.pid, &status, 0), r.pid);
	r.pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* ---- frames
 * ------------------------------------------------------------------- */

static const struct wire_hdr *
next_frame(enum peer from)
{
	const struct wire_hdr *h;
	struct pollfd p = { .fd = r.link[from].fd, .events = POLLIN };
	int n;

	assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
	n = link_recv(&r.link[from], r.frame, &h, NULL, NULL);
	assert_int_equal(n, 1);
	return h;
}

/* The next frame that is not of the kinds that come at any time. */
static const void *
expect(enum peer from, enum wire_type type)
{
	for (;;) {
		const struct wire_hdr *h = next_frame(from);

		if (h->type == WIRE_EVENT && h->tag == 0 && type != WIRE_EVENT)
			continue;
		assert_string_equal(
		    wire_type_name(h->type), wire_type_name(type));
		return wire_body(h);
	}
}

/* Nothing is there, and nothing comes in a short while. */
static void
expect_quiet(enum peer from)
{
	struct pollfd p = { .fd = r.link[from].fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 50), 0);
}

static void
tell(enum peer to, enum wire_type type, uint64_t tag, const void *body,
    const char *tail)
{
	assert_int_equal(link_send(&r.link[to], type, tag, body, tail,
			     tail != NULL ? strlen(tail) + 1 : 0),
	    0);
}

/* LOG_OPEN and PREPARE of n workers are answered with success. */
static void
prepare(int n)
{
	for (int i = 0; i < n; i++) {
		const struct wire_log_open *o = expect(LOGGER, WIRE_LOG_OPEN);
		struct wire_result done = { .slot = o->slot };

		tell(LOGGER, WIRE_LOG_OPENED, 0, &done, NULL);
	}
	for (int i = 0; i < n; i++) {
		const struct wire_prepare *p = expect(BUS, WIRE_PREPARE);
		struct wire_result done = { .slot = p->slot };

		tell(BUS, WIRE_PREPARED, 0, &done, NULL);
	}
}

static struct wire_id
take_spawn(const char *path)
{
	const struct wire_proc *p = expect(BUS, WIRE_PROC);
	const struct wire_spawn *s;
	struct wire_id id = { .slot = p->slot, .inc = p->inc };

	assert_string_equal(p->path, path);
	s = expect(KEEPER, WIRE_SPAWN);
	assert_int_equal(s->slot, id.slot);
	assert_int_equal(s->inc, id.inc);
	return id;
}

static void
spawned(struct wire_id id)
{
	struct wire_spawned m = {
		.slot = id.slot,
		.inc = id.inc,
		.pid = ++r.next_pid,
	};

	tell(KEEPER, WIRE_SPAWNED, 0, &m, NULL);
	tell(KEEPER, WIRE_EXECED, 0, &id, NULL);
}

static struct wire_id
start(const char *path)
{
	struct wire_id id = take_spawn(path);

	spawned(id);
	return id;
}

static void
exited(struct wire_id id, int status, bool is_signal)
{
	struct wire_exited m = {
		.slot = id.slot,
		.inc = id.inc,
		.status = status,
		.is_signal = is_signal,
	};

	tell(KEEPER, WIRE_EXITED, 0, &m, NULL);
}

static void
expect_acked(struct wire_id id)
{
	const struct wire_id *ack = expect(KEEPER, WIRE_ACK);

	assert_int_equal(ack->slot, id.slot);
	assert_int_equal(ack->inc, id.inc);
}

/* A stop by TERM that is obeyed. */
static void
obey(struct wire_id id)
{
	const struct wire_signal *s = expect(KEEPER, WIRE_SIGNAL);

	assert_int_equal(s->slot, id.slot);
	assert_int_equal(s->inc, id.inc);
	assert_int_equal(s->sig, SIGTERM);
	exited(id, SIGTERM, true);
	expect_acked(id);
}

static void
ask(uint64_t tag, enum request_op op, const char *path, int64_t timeout_ns,
    int64_t n, const char *tail)
{
	struct wire_request m = {
		.op = op,
		.timeout_ns = timeout_ns,
		.n = n,
	};

	strcpy(m.path, path);
	tell(BUS, WIRE_REQUEST, tag, &m, tail);
}

/* All frames up to the END with that tag; its code, and its text in r.text. */
static int
answer(uint64_t tag, int *ret_rows, struct wire_row *ret_row)
{
	int rows = 0;

	for (;;) {
		const struct wire_hdr *h = next_frame(BUS);
		size_t len;

		if (h->tag != tag)
			continue;
		if (h->type == WIRE_ROW && ret_row != NULL)
			*ret_row = *(const struct wire_row *)wire_body(h);
		rows += h->type == WIRE_ROW || h->type == WIRE_FIELD ||
		        h->type == WIRE_EVENT;
		if (h->type != WIRE_END)
			continue;
		if (ret_rows != NULL)
			*ret_rows = rows;
		snprintf(r.text, sizeof(r.text), "%s",
		    (const char *)wire_tail(h, &len));
		return ((const struct wire_end *)wire_body(h))->code;
	}
}

/* ---- life
 * ----------------------------------------------------------------------- */

#define ROOT "supervisor: root\nintensity: 3\nperiod: 5s\n"
#define ONE                                                                    \
	ROOT "children:\n"                                                     \
	     "  - {worker: a, command: [/bin/a]}\n"
#define TWO ONE "  - {worker: b, command: [/bin/b]}\n"

static void
up(int workers)
{
	expect(KEEPER, WIRE_UP);
	prepare(workers);
}

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

/* ---- readiness
 * ------------------------------------------------------------------- */

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

/* ---- requests
 * --------------------------------------------------------------------- */

static void
stop_and_start_answer_when_it_is_done(void **state)
{
	struct wire_row row;
	struct wire_id a;
	int rows;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_STOP, "a", 0, 0, NULL);
	obey(a);
	assert_int_equal(answer(1, &rows, &row), CTL_OK);
	assert_int_equal(rows, 1);
	assert_string_equal(row.state, "stopped");
	assert_false(row.flags & ROW_WANTED);
	ask(2, OP_STOP, "root/a", 0, 0, NULL);
	assert_int_equal(answer(2, NULL, NULL), CTL_OK);
	ask(3, OP_START, "a", 0, 0, NULL);
	a = start("root/a");
	assert_int_equal(answer(3, NULL, &row), CTL_OK);
	assert_string_equal(row.state, "ready");
	assert_int_equal(row.inc, 2);
	ask(4, OP_START, "*", 0, 0, NULL);
	assert_int_equal(answer(4, NULL, &row), CTL_OK);
}

static void
a_failed_start_says_step_command_and_error(void **state)
{
	struct wire_failed m = { .step = STEP_EXEC, .error = ENOENT };
	struct wire_id a;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_RESTART, "a", 0, 0, NULL);
	obey(a);
	expect(BUS, WIRE_DEAD);
	a = take_spawn("root/a");
	m.slot = a.slot;
	m.inc = a.inc;
	tell(KEEPER, WIRE_SPAWN_FAILED, 0, &m, NULL);
	/* The bus, which had its PROC, learns that it never was. */
	expect(BUS, WIRE_DEAD);
	assert_int_equal(answer(1, NULL, NULL), CTL_FAILED);
	assert_string_equal(
	    r.text, "a: exec /bin/a: No such file or directory");
}

static void
a_timeout_says_what_it_waits_for(void **state)
{
	const struct wire_hdr *h;
	struct wire_log_line line = { 0 };
	struct wire_id a, done = { 0 };
	uint64_t tag;

	(void)state;
	begin(ROOT "children:\n"
		   "  - {worker: a, command: [/bin/a], ready: notify}\n");
	up(1);
	a = start("root/a");
	ask(1, OP_WAIT, "a", 100 * NS_PER_MS, WAIT_READY, NULL);
	h = next_frame(LOGGER);
	assert_int_equal(h->type, WIRE_LOG_TAIL);
	tag = h->tag;
	line.slot = done.slot = a.slot;
	tell(LOGGER, WIRE_LOG_LINE, tag, &line, "bind: in use");
	tell(LOGGER, WIRE_LOG_END, tag, &done, NULL);
	assert_int_equal(answer(1, NULL, NULL), CTL_TIMEOUT);
	assert_string_equal(r.text,
	    "a did not become ready within 0.1s (starting, pid 1001 alive)\n"
	    "  waiting for: notify\n"
	    "  last output: bind: in use");
}

static void
wait_for_restarted_ends_with_the_next_incarnation(void **state)
{
	struct wire_row row;
	struct wire_id a;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_WAIT, "a", 10 * NS_PER_S, WAIT_RESTARTED, NULL);
	ask(2, OP_STATUS, "a", 0, 0, NULL);
	assert_int_equal(answer(2, NULL, NULL), CTL_OK);
	exited(a, 1, false);
	expect_acked(a);
	expect(BUS, WIRE_DEAD);
	start("root/a");
	assert_int_equal(answer(1, NULL, &row), CTL_OK);
	assert_int_equal(row.inc, 2);
}

static void
unknown_names_are_refused_with_a_suggestion(void **state)
{
	(void)state;
	begin(ROOT "children:\n"
		   "  - {worker: mailer, command: [/bin/a]}\n");
	up(1);
	ask(1, OP_START, "mailre", 0, 0, NULL);
	assert_int_equal(answer(1, NULL, NULL), CTL_NO_NAME);
	assert_string_equal(
	    r.text, "no child named \"mailre\"; did you mean \"mailer\"?");
	ask(2, OP_STOP, "x*", 0, 0, NULL);
	assert_int_equal(answer(2, NULL, NULL), CTL_NO_NAME);
	ask(3, OP_STOP, "root", 0, 0, NULL);
	assert_int_equal(answer(3, NULL, NULL), CTL_FAILED);
	assert_non_null(strstr(r.text, "use supctl shutdown"));
	ask(4, OP_KILL, "root", 0, SIGTERM, NULL);
	assert_int_equal(answer(4, NULL, NULL), CTL_FAILED);
	ask(5, OP_N, "", 0, 0, NULL);
	assert_int_equal(answer(5, NULL, NULL), CTL_USAGE);
}

static void
a_cancelled_request_is_carried_out_in_silence(void **state)
{
	struct wire_id a;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_RESTART, "a", 0, 0, NULL);
	expect(KEEPER, WIRE_SIGNAL);
	tell(BUS, WIRE_CANCEL, 1, NULL, NULL);
	ask(3, OP_STATUS, "a", 0, 0, NULL); /* the cancel has been read */
	assert_int_equal(answer(3, NULL, NULL), CTL_OK);
	exited(a, SIGTERM, true);
	expect_acked(a);
	expect(BUS, WIRE_DEAD);
	start("root/a");
	ask(2, OP_STATUS, "a", 0, 0, NULL);
	for (;;) {
		const struct wire_hdr *h = next_frame(BUS);

		assert_int_not_equal(h->tag, 1);
		if (h->tag == 2 && h->type == WIRE_END)
			break;
	}
}

static void
a_child_is_added_and_removed(void **state)
{
	struct wire_row row;
	struct wire_id a, b;

	(void)state;
	begin(ONE);
	up(1);
	a = start("root/a");
	ask(1, OP_ADD, "root", 0, 0, "{worker: b, command: [/bin/b]}");
	prepare(1);
	b = start("root/b");
	assert_int_not_equal(a.slot, b.slot);
	assert_int_equal(answer(1, NULL, &row), CTL_OK);
	assert_string_equal(row.path, "root/b");
	assert_true(row.flags & ROW_DYNAMIC);
	ask(2, OP_ADD, "root", 0, 0, "{worker: b, command: [/bin/b]}");
	assert_int_equal(answer(2, NULL, NULL), CTL_FAILED);
	ask(3, OP_ADD, "root", 0, 0, "{worker: c, comand: [/bin/b]}");
	assert_int_equal(answer(3, NULL, NULL), CTL_CONFIG);
	ask(4, OP_ADD, "a", 0, 0, "{worker: c, command: [/bin/b]}");
	assert_int_equal(answer(4, NULL, NULL), CTL_USAGE);
	ask(5, OP_REMOVE, "b", 0, 0, NULL);
	obey(b);
	expect(LOGGER, WIRE_LOG_FLUSH);
	expect(LOGGER, WIRE_LOG_CLOSE);
	assert_int_equal(answer(5, NULL, NULL), CTL_OK);
	ask(6, OP_STATUS, "b", 0, 0, NULL);
	assert_int_equal(answer(6, NULL, NULL), CTL_NO_NAME);
}

static void
a_pool_numbers_its_children(void **state)
{
	const struct wire_spawn *s;
	struct wire_row row;
	const char *at;
	size_t len;

	(void)state;
	begin(ROOT "strategy: simple_one_for_one\n"
		   "template: {command: [/bin/job, x], restart: temporary}\n");
	expect(KEEPER, WIRE_UP);
	ask(1, OP_ADD, "root", 0, 0, "[\"y z\"]");
	prepare(1);
	expect(BUS, WIRE_PROC);
	s = expect(KEEPER, WIRE_SPAWN);
	assert_int_equal(s->argc, 3);
	at = wire_tail((const struct wire_hdr *)(const void *)r.frame, &len);
	assert_non_null(memmem(at, len, "/bin/job\0x\0y z", 14));
	spawned((struct wire_id){ .slot = s->slot, .inc = s->inc });
	assert_int_equal(answer(1, NULL, &row), CTL_OK);
	assert_string_equal(row.path, "root/1");
	ask(2, OP_ADD, "root", 0, 0, "{oops");
	assert_int_equal(answer(2, NULL, NULL), CTL_CONFIG);
	ask(3, OP_RESTART, "1", 0, 0, NULL);
	assert_int_equal(answer(3, NULL, NULL), CTL_FAILED);
}

static void
status_show_why_and_events_tell(void **state)
{
	int rows;

	(void)state;
	begin(TWO);
	up(2);
	start("root/a");
	start("root/b");
	ask(1, OP_WAIT, "b", 5 * NS_PER_S, WAIT_READY, NULL);
	assert_int_equal(answer(1, NULL, NULL), CTL_OK);
	ask(2, OP_STATUS, "", 0, 0, NULL);
	assert_int_equal(answer(2, &rows, NULL), CTL_OK);
	assert_int_equal(rows, 3);
	ask(3, OP_SHOW, "a", 0, 0, NULL);
	assert_int_equal(answer(3, &rows, NULL), CTL_OK);
	assert_true(rows > 5);
	ask(4, OP_WHY, "a", 0, 0, NULL);
	assert_int_equal(answer(4, &rows, NULL), CTL_OK);
	assert_int_equal(rows, 2);
	assert_non_null(strstr(r.text, "it has never ended"));
	ask(5, OP_EVENTS, "", 0, 2, NULL);
	assert_int_equal(answer(5, &rows, NULL), CTL_OK);
	assert_int_equal(rows, 2);
	ask(6, OP_WHY, "*", 0, 0, NULL);
	assert_int_equal(answer(6, NULL, NULL), CTL_USAGE);
}

/* The answers are several times what a link may hold. */
static void
many_requests_for_a_large_tree_are_all_answered(void **state)
{
	enum { REQUESTS = 100 };
	int rows;

	(void)state;
	begin("supervisor: root\nchildren:\n  - {worker: a, command: [/bin/a], "
	      "enabled: false, instances: 1000}\n");
	expect(KEEPER, WIRE_UP);
	for (uint64_t tag = 1; tag <= REQUESTS; tag++)
		ask(tag, OP_STATUS, "", 0, 0, NULL);
	assert_int_equal(link_flush(&r.link[BUS]), 0);
	for (uint64_t tag = 1; tag <= REQUESTS; tag++) {
		assert_int_equal(answer(tag, &rows, NULL), CTL_OK);
		assert_int_equal(rows, 1001);
		assert_int_equal(link_flush(&r.link[BUS]), 0);
	}
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
		T(a_shutdown_stops_in_reverse_and_ends_with_0),
		T(a_root_that_gives_up_ends_with_70),
		T(a_broken_link_ends_the_engine_with_70),
		T(a_reload_changes_nothing),
		T(a_notify_worker_holds_up_the_next_until_it_is_ready),
		T(a_tcp_worker_is_ready_when_it_listens_and_not_by_notify),
		T(a_name_is_looked_up_while_the_worker_starts),
		T(a_name_that_nobody_knows_is_what_a_worker_waits_for),
		T(stop_and_start_answer_when_it_is_done),
		T(a_failed_start_says_step_command_and_error),
		T(a_timeout_says_what_it_waits_for),
		T(wait_for_restarted_ends_with_the_next_incarnation),
		T(unknown_names_are_refused_with_a_suggestion),
		T(a_cancelled_request_is_carried_out_in_silence),
		T(a_child_is_added_and_removed),
		T(a_pool_numbers_its_children),
		T(status_show_why_and_events_tell),
		T(a_sibling_restart_has_one_cause),
		T(many_requests_for_a_large_tree_are_all_answered),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
