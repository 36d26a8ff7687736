/* SPDX-License-Identifier: ISC */
#include "engine_rig.h"

#include "base/log.h"
#include "engine/main.h"
#include "wire/slots.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_SLOTS     1100
#define DEADLINE_MS 10000

struct rig r;

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

void
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

int
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

int
exit_code(void)
{
	int status;

	assert_int_equal(waitpid(r.pid, &status, 0), r.pid);
	r.pid = 0;
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

const struct wire_hdr *
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
const void *
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
void
expect_quiet(enum peer from)
{
	struct pollfd p = { .fd = r.link[from].fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 50), 0);
}

void
tell(enum peer to, enum wire_type type, uint64_t tag, const void *body,
    const char *tail)
{
	assert_int_equal(link_send(&r.link[to], type, tag, body, tail,
			     tail != NULL ? strlen(tail) + 1 : 0),
	    0);
}

/* LOG_OPEN and PREPARE of n workers are answered with success. */
void
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

struct wire_id
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

void
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

struct wire_id
start(const char *path)
{
	struct wire_id id = take_spawn(path);

	spawned(id);
	return id;
}

void
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

void
expect_acked(struct wire_id id)
{
	const struct wire_id *ack = expect(KEEPER, WIRE_ACK);

	assert_int_equal(ack->slot, id.slot);
	assert_int_equal(ack->inc, id.inc);
}

/* A stop by TERM that is obeyed. */
void
obey(struct wire_id id)
{
	const struct wire_signal *s = expect(KEEPER, WIRE_SIGNAL);

	assert_int_equal(s->slot, id.slot);
	assert_int_equal(s->inc, id.inc);
	assert_int_equal(s->sig, SIGTERM);
	exited(id, SIGTERM, true);
	expect_acked(id);
}

void
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
int
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

void
up(int workers)
{
	expect(KEEPER, WIRE_UP);
	prepare(workers);
}
