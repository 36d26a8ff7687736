/* SPDX-License-Identifier: ISC */
#include "bus_rig.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Workers that talk: names, monitors, relayed messages, the order of ends. */

static void
expect_down(int fd, uint64_t ref, uint64_t from, const char *reason)
{
	const void *body;
	size_t len;
	struct proto_frame h = ll_recv(fd, &body, &len);

	assert_int_equal(h.type, PROTO_DOWN);
	assert_int_equal(h.ref, ref);
	assert_int_equal(h.from, from);
	assert_int_equal(len, strlen(reason));
	assert_memory_equal(body, reason, len);
}

static struct proto_resolved
resolve(int fd, uint64_t pid, const char *text)
{
	const void *body;
	struct proto_resolved r;

	ll_send(fd, PROTO_RESOLVE, pid, 77, 0, text,
	    text != NULL ? strlen(text) : 0);
	assert_int_equal(ll_expect(fd, PROTO_RESOLVED, &body).ref, 77);
	memcpy(&r, body, sizeof(r));
	return r;
}

static int
register_as(int fd, const char *name)
{
	ll_text(fd, PROTO_REGISTER, 5, name);
	return ll_result(fd, 5);
}

/* The other end has closed this lifeline. */
static void
expect_eof(int fd)
{
	char buf[PROTO_LIFELINE_MAX];
	struct timeval tv = { RIG_WAIT_MS / 1000, 0 };
	ssize_t n;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	while ((n = recv(fd, buf, sizeof(buf), 0)) > 0)
		continue;
	assert_true(n == 0 || errno == ECONNRESET);
}

/* ---- joining ---------------------------------------------------------------
 */

static void
join_is_welcomed_with_pid_path_and_endpoint(void **state)
{
	struct rig *r = *state;
	struct proto_join j = { .os_pid = 1 };
	struct proto_welcome w;
	const void *body;
	char want[256];
	int fd;

	rig_proc(r, 7, 3, "root/web");
	fd = rig_lifeline(r, 7, 3);
	ll_send(fd, PROTO_JOIN, 0, 55, 0, &j, sizeof(j));
	assert_int_equal(ll_expect(fd, PROTO_WELCOME, &body).ref, 55);
	memcpy(&w, body, sizeof(w));
	assert_int_equal(w.self, PROTO_PID(7, 3));
	assert_string_equal(w.path, "root/web");
	snprintf(want, sizeof(want), "ipc://%s/m/%u/7.3", r->dir, getuid());
	assert_string_equal(w.endpoint, want);
	close(fd);
}

static void
join_fails_when_the_endpoint_would_not_fit(void **state)
{
	struct rig *r = *state;
	struct proto_join j = { .os_pid = 1 };
	const uint64_t inc = UINT64_C(1000000000000);
	int fd;

	rig_proc(r, 7, inc, "root/web");
	fd = rig_lifeline(r, 7, inc);
	ll_send(fd, PROTO_JOIN, 0, 55, 0, &j, sizeof(j));
	assert_int_equal(ll_result(fd, 55), ENAMETOOLONG);
	close(fd);
}

static void
ready_is_told_to_the_engine_once(void **state)
{
	struct rig *r = *state;
	const struct wire_ready *w;
	int fd = rig_worker(r, 7, 3, "root/web");

	ll_send(fd, PROTO_READY, 0, 0, 0, NULL, 0);
	ll_send(fd, PROTO_READY, 0, 0, 0, NULL, 0);
	w = wire_body(rig_expect(&r->engine, WIRE_READY));
	assert_int_equal(w->slot, 7);
	assert_int_equal(w->inc, 3);
	ll_quiet(fd);
	rig_expect_nothing(r, &r->engine);
	close(fd);
}

static void
frames_wait_for_the_proc_of_their_incarnation(void **state)
{
	struct rig *r = *state;
	int fd = rig_lifeline(r, 7, 3);

	ll_send(fd, PROTO_READY, 0, 0, 0, NULL, 0);
	rig_expect_nothing(r, &r->engine);
	rig_proc(r, 7, 3, "root/web");
	rig_expect(&r->engine, WIRE_READY);
	close(fd);
}

static void
a_new_incarnation_finds_its_name_free(void **state)
{
	struct rig *r = *state;
	struct proto_join j = { .os_pid = 1 };
	int old = rig_worker(r, 7, 3, "root/web"), fd;

	assert_int_equal(register_as(old, "web"), 0);
	fd = rig_lifeline(r, 7, 4);
	ll_send(fd, PROTO_JOIN, 0, 1, 0, &j, sizeof(j));
	ll_text(fd, PROTO_REGISTER, 5, "web");
	rig_dead(r, 7, 3, "exit 1");
	rig_proc(r, 7, 4, "root/web");
	ll_expect(fd, PROTO_WELCOME, NULL);
	assert_int_equal(ll_result(fd, 5), 0);
	expect_eof(old);
	close(old);
	close(fd);
}

static void
a_lifeline_that_comes_after_its_end_is_closed(void **state)
{
	struct rig *r = *state;
	int fd;

	rig_proc(r, 7, 3, "root/web");
	rig_dead(r, 7, 3, "exit 1");
	rig_expect_nothing(r, &r->engine);
	fd = rig_lifeline(r, 7, 3);
	expect_eof(fd);
	close(fd);
}

/* ---- names -----------------------------------------------------------------
 */

static void
a_name_has_one_owner_and_a_worker_one_name(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");

	assert_int_equal(register_as(a, "db"), 0);
	assert_int_equal(register_as(b, "db"), EEXIST);
	assert_int_equal(register_as(a, "db2"), EALREADY);
	assert_int_equal(register_as(b, "db2"), 0);
	ll_text(b, PROTO_UNREGISTER, 6, "db");
	assert_int_equal(ll_result(b, 6), EPERM);
	ll_text(a, PROTO_UNREGISTER, 6, "db");
	assert_int_equal(ll_result(a, 6), 0);
	ll_text(a, PROTO_UNREGISTER, 6, "db");
	assert_int_equal(ll_result(a, 6), ENOENT);
	assert_int_equal(register_as(a, "db3"), 0);
	close(a);
	close(b);
}

static void
a_bad_name_is_refused(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	char text[PROTO_NAME_MAX + 2];

	memset(text, 'x', sizeof(text));
	text[PROTO_NAME_MAX + 1] = '\0';
	assert_int_equal(register_as(a, text), ENAMETOOLONG);
	assert_int_equal(register_as(a, ""), EINVAL);
	assert_int_equal(register_as(a, "a/b"), EINVAL);
	assert_int_equal(register_as(a, "a\nb"), EINVAL);
	assert_int_equal(register_as(a, "a\x1b[2Jb"), EINVAL);
	assert_int_equal(register_as(a, "a\xff"), EINVAL);
	text[PROTO_NAME_MAX] = '\0';
	assert_int_equal(register_as(a, text), 0);
	close(a);
}

static void
a_name_a_path_and_a_pid_resolve(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 9, "root/sub/b");
	struct proto_resolved d;
	char want[256];

	assert_int_equal(register_as(b, "bee"), 0);
	snprintf(want, sizeof(want), "ipc://%s/m/%u/2.9", r->dir, getuid());
	d = resolve(a, 0, "bee");
	assert_int_equal(d.pid, PROTO_PID(2, 9));
	assert_int_equal(d.error, 0);
	assert_string_equal(d.endpoint, want);
	assert_int_equal(resolve(a, 0, "root/sub/b").pid, PROTO_PID(2, 9));
	assert_int_equal(resolve(a, 0, "sub/b").pid, PROTO_PID(2, 9));
	assert_string_equal(resolve(a, PROTO_PID(2, 9), NULL).endpoint, want);
	assert_int_equal(resolve(a, PROTO_PID(2, 8), NULL).pid, 0);
	assert_int_equal(resolve(a, 0, "nobody").pid, 0);
	close(a);
	close(b);
}

static void
a_program_that_has_not_joined_has_a_pid_but_no_mailbox(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	struct proto_resolved d;

	rig_proc(r, 2, 1, "root/nginx");
	rig_expect_nothing(r, &r->engine);
	d = resolve(a, 0, "nginx");
	assert_int_equal(d.pid, PROTO_PID(2, 1));
	assert_int_equal(d.error, ENOTCONN);
	assert_string_equal(d.endpoint, "");
	close(a);
}

/* One that has joined and will have a mailbox soon. */
static int
half_open(struct rig *r)
{
	struct proto_join j = { .os_pid = 1 };
	int fd;

	rig_proc(r, 2, 1, "root/b");
	fd = rig_lifeline(r, 2, 1);
	ll_send(fd, PROTO_JOIN, 0, 1, 0, &j, sizeof(j));
	ll_expect(fd, PROTO_WELCOME, NULL);
	return fd;
}

static struct proto_resolved
resolved(int fd, uint64_t ref)
{
	const void *body;
	struct proto_resolved d;

	assert_int_equal(ll_expect(fd, PROTO_RESOLVED, &body).ref, ref);
	memcpy(&d, body, sizeof(d));
	return d;
}

static void
who_is_about_to_have_a_mailbox_is_waited_for(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), b = half_open(r);
	struct proto_resolved d;

	ll_text(a, PROTO_RESOLVE, 78, "b");
	ll_quiet(a);
	ll_send(b, PROTO_OPENED, 0, 0, 0, NULL, 0);
	d = resolved(a, 78);
	assert_int_equal(d.pid, PROTO_PID(2, 1));
	assert_int_equal(d.error, 0);
	assert_string_not_equal(d.endpoint, "");
	close(a);
	close(b);
}

static void
who_ends_before_its_mailbox_is_nobody(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), b = half_open(r);

	ll_text(a, PROTO_RESOLVE, 78, "b");
	ll_quiet(a);
	rig_dead(r, 2, 1, "exit 1");
	assert_int_equal(resolved(a, 78).pid, 0);
	close(a);
	close(b);
}

static void
nobody_waits_for_ever_for_a_mailbox(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), b = half_open(r);
	struct proto_resolved d;

	ll_text(a, PROTO_RESOLVE, 78, "b");
	d = resolved(a, 78); /* in 5 s */
	assert_int_equal(d.pid, PROTO_PID(2, 1));
	assert_int_equal(d.error, ENOTCONN);
	close(a);
	close(b);
}

static void
another_uid_resolves_without_an_endpoint(void **state)
{
	struct rig *r = *state;
	struct proto_join j = { .os_pid = 1 };
	int a = rig_worker(r, 1, 1, "root/a"), b;
	struct proto_resolved d;

	rig_proc_uid(r, 2, 1, "root/b", getuid() + 1);
	b = rig_lifeline(r, 2, 1);
	ll_send(b, PROTO_JOIN, 0, 1, 0, &j, sizeof(j));
	ll_expect(b, PROTO_WELCOME, NULL);
	ll_send(b, PROTO_OPENED, 0, 0, 0, NULL, 0);
	d = resolve(a, 0, "b");
	assert_int_equal(d.pid, PROTO_PID(2, 1));
	assert_int_equal(d.error, EACCES);
	assert_string_equal(d.endpoint, "");
	close(a);
	close(b);
}

/* ---- monitors --------------------------------------------------------------
 */

static void
down_of_nobody_is_noproc(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");

	ll_text(a, PROTO_MONITOR, 31, "nobody");
	expect_down(a, 31, 0, "noproc");
	ll_send(a, PROTO_MONITOR, PROTO_PID(9, 9), 32, 0, NULL, 0);
	expect_down(a, 32, PROTO_PID(9, 9), "noproc");
	close(a);
}

static void
the_name_is_free_when_down_arrives(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");

	assert_int_equal(register_as(b, "db"), 0);
	ll_text(a, PROTO_MONITOR, 31, "db");
	ll_quiet(a);
	rig_dead(r, 2, 1, "SIGKILL");
	expect_down(a, 31, PROTO_PID(2, 1), "SIGKILL");
	assert_int_equal(register_as(a, "db"), 0);
	close(a);
	close(b);
}

static void
each_monitor_fires_once_and_a_removed_one_never(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");

	rig_proc(r, 2, 1, "root/plain");
	rig_expect_nothing(r, &r->engine);
	ll_text(a, PROTO_MONITOR, 31, "plain");
	ll_send(a, PROTO_MONITOR, PROTO_PID(2, 1), 32, 0, NULL, 0);
	ll_send(a, PROTO_MONITOR, PROTO_PID(2, 1), 33, 0, NULL, 0);
	ll_send(a, PROTO_DEMONITOR, 0, 32, 0, NULL, 0);
	ll_quiet(a);
	rig_dead(r, 2, 1, "exit 3");
	expect_down(a, 31, PROTO_PID(2, 1), "exit 3");
	expect_down(a, 33, PROTO_PID(2, 1), "exit 3");
	rig_proc(r, 2, 2, "root/plain");
	rig_dead(r, 2, 2, "exit 3");
	rig_expect_nothing(r, &r->engine);
	ll_quiet(a);
	close(a);
}

static void
who_has_resolved_hears_gone(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");

	resolve(a, 0, "b");
	resolve(a, 0, "b");
	rig_dead(r, 2, 1, "normal");
	assert_int_equal(ll_expect(a, PROTO_GONE, NULL).from, PROTO_PID(2, 1));
	ll_quiet(a);
	close(a);
	close(b);
}

static void
who_was_resolved_hears_gone_too(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");

	ll_send(b, PROTO_OPENED, 0, 0, 0, NULL, 0);
	resolve(a, 0, "b");
	rig_dead(r, 1, 1, "normal");
	assert_int_equal(ll_expect(b, PROTO_GONE, NULL).from, PROTO_PID(1, 1));
	ll_quiet(b);
	close(a);
	close(b);
}

static void
the_proof_is_for_who_asked_and_this_incarnation(void **state)
{
	struct rig *r = *state;
	struct proto_join j = { .os_pid = 4242 };
	struct proto_welcome w;
	uint64_t a_pid = PROTO_PID(1, 1), b_pid = PROTO_PID(2, 1);
	int a = rig_worker(r, 1, 1, "root/a"), b;
	const void *body;

	rig_proc(r, 2, 1, "root/b");
	b = rig_lifeline(r, 2, 1);
	ll_send(b, PROTO_JOIN, 0, 1, 0, &j, sizeof(j));
	ll_expect(b, PROTO_WELCOME, &body);
	memcpy(&w, body, sizeof(w));
	ll_send(b, PROTO_OPENED, 0, 0, 0, NULL, 0);
	assert_true(
	    resolve(a, 0, "b").proof == proto_proof(w.secret, a_pid, b_pid));
	close(b);
	rig_dead(r, 2, 1, "normal");
	ll_expect(a, PROTO_GONE, NULL);
	b = rig_worker(r, 2, 2, "root/b");
	ll_send(b, PROTO_OPENED, 0, 0, 0, NULL, 0);
	assert_false(resolve(a, 0, "b").proof ==
		     proto_proof(w.secret, a_pid, PROTO_PID(2, 2)));
	close(a);
	close(b);
}

static void
a_declared_reason_counts_only_after_an_exit(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");
	int c = rig_worker(r, 3, 1, "root/c");

	ll_text(b, PROTO_REASON, 0, "out of fuel");
	ll_text(c, PROTO_REASON, 0, "out of fuel");
	ll_text(a, PROTO_MONITOR, 1, "b");
	ll_text(a, PROTO_MONITOR, 2, "c");
	ll_quiet(a);
	rig_dead(r, 2, 1, "exit 1");
	expect_down(a, 1, PROTO_PID(2, 1), "out of fuel");
	rig_dead(r, 3, 1, "SIGSEGV");
	expect_down(a, 2, PROTO_PID(3, 1), "SIGSEGV");
	close(a);
	close(b);
	close(c);
}

static void
the_last_words_come_before_down(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");

	ll_text(a, PROTO_MONITOR, 1, "b");
	ll_quiet(a);
	/* The engine's DEAD and the words race; DEAD reads the rest first. */
	for (uint32_t i = 0; i < 40; i++)
		ll_send(b, PROTO_DATA, PROTO_PID(1, 1), i, 0, "x", 1);
	close(b);
	rig_dead(r, 2, 1, "normal");
	for (uint32_t i = 0; i < 40; i++)
		assert_int_equal(ll_expect(a, PROTO_DATA, NULL).ref, i);
	expect_down(a, 1, PROTO_PID(2, 1), "normal");
	close(a);
}

static void
the_last_words_of_one_who_did_not_listen_are_heard(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");

	ll_text(a, PROTO_MONITOR, 1, "b");
	ll_quiet(a);
	assert_return_code(kill(r->pid, SIGSTOP), errno);
	/* Its answer will not be read, and cannot be sent. */
	ll_text(b, PROTO_UNREGISTER, 9, "none");
	ll_send(b, PROTO_DATA, PROTO_PID(1, 1), 7, 0, "x", 1);
	close(b);
	rig_dead(r, 2, 1, "normal");
	assert_return_code(kill(r->pid, SIGCONT), errno);
	assert_int_equal(ll_expect(a, PROTO_DATA, NULL).ref, 7);
	expect_down(a, 1, PROTO_PID(2, 1), "normal");
	close(a);
}

static void
unread_news_do_not_cost_the_last_words(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");

	ll_text(b, PROTO_UNREGISTER, 9, "none");
	rig_expect_nothing(r, &r->engine);
	assert_return_code(kill(r->pid, SIGSTOP), errno);
	ll_send(b, PROTO_DATA, PROTO_PID(1, 1), 7, 0, "x", 1);
	close(b); /* with an unread RESULT: the bus gets ECONNRESET first */
	assert_return_code(kill(r->pid, SIGCONT), errno);
	assert_int_equal(ll_expect(a, PROTO_DATA, NULL).ref, 7);
	close(a);
}

/* ---- relayed messages ------------------------------------------------------
 */

static void
a_relayed_message_tells_its_true_sender(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");
	_Alignas(8) char packet[64];
	struct proto_frame h = {
		.type = PROTO_CALL,
		.to = PROTO_PID(2, 1),
		.from = PROTO_PID(2, 1),
		.ref = 8,
	};
	size_t n = proto_put(packet, sizeof(packet), &h, "hi", 2);

	assert_int_equal(send(a, packet, n, 0), n);
	h = ll_expect(b, PROTO_CALL, NULL);
	assert_int_equal(h.from, PROTO_PID(1, 1));
	assert_int_equal(h.ref, 8);
	close(a);
	close(b);
}

static void
a_call_to_nobody_is_answered_noproc(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	const void *body;
	struct proto_frame h;

	ll_send(a, PROTO_CALL, PROTO_PID(5, 5), 8, 0, "hi", 2);
	h = ll_expect(a, PROTO_REPLY, &body);
	assert_int_equal(h.ref, 8);
	assert_int_equal(h.flags, PROTO_ERROR);
	assert_memory_equal(body, "noproc", 6);
	ll_send(a, PROTO_DATA, PROTO_PID(5, 5), 8, 0, "hi", 2);
	ll_quiet(a);
	close(a);
}

static void
a_flood_at_one_who_sleeps_is_refused_and_harms_nobody(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");
	static char body[8000];
	unsigned refused = 0, got = 0;

	/* One at a time, so that the answers are read: a is no sleeper. */
	for (unsigned i = 0; i < 2000; i++) {
		ll_send(
		    a, PROTO_CALL, PROTO_PID(2, 1), i, 0, body, sizeof(body));
		ll_text(a, PROTO_UNREGISTER, 99, "none");
		while (ll_recv(a, NULL, NULL).type == PROTO_REPLY)
			refused++;
	}
	assert_true(refused > 1000);
	for (; got < 2000 - refused; got++)
		assert_int_equal(
		    ll_expect(b, PROTO_CALL, NULL).from, PROTO_PID(1, 1));
	ll_quiet(b);
	close(a);
	close(b);
}

static void
who_does_not_read_its_answers_loses_its_lifeline_alone(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");
	static _Alignas(8) char packet[64];
	struct proto_frame h = { .type = PROTO_RESOLVE };
	size_t n = proto_put(packet, sizeof(packet), &h, "b", 1);

	/* Blocks while the bus is behind; ends when it has closed. */
	for (unsigned i = 0; i < 100000; i++)
		if (send(a, packet, n, MSG_NOSIGNAL) < 0)
			break;
	assert_true(errno == EPIPE || errno == ECONNRESET);
	expect_eof(a);
	ll_quiet(b);
	close(a);
	close(b);
}

/* ---- hostile input ---------------------------------------------------------
 */

static void
malformed_frames_are_dropped_one_by_one(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	static char big[PROTO_LIFELINE_MAX + 4096];
	struct proto_frame h = { .version = PROTO_VERSION,
		.type = PROTO_RESOLVE,
		.length = PROTO_HEADER_SIZE };
	struct proto_frame v = h, l = h, s = h, t = h, u = h;

	assert_return_code(send(a, "x", 1, 0), errno);
	assert_return_code(send(a, big, sizeof(big), 0), errno);
	v.version = 9;
	assert_return_code(send(a, &v, sizeof(v), 0), errno);
	l.length = UINT32_MAX;
	assert_return_code(send(a, &l, sizeof(l), 0), errno);
	s.length = 3;
	assert_return_code(send(a, &s, sizeof(s), 0), errno);
	t.type = 255;
	assert_return_code(send(a, &t, sizeof(t), 0), errno);
	u.type = PROTO_WELCOME;
	assert_return_code(send(a, &u, sizeof(u), 0), errno);
	ll_send(a, PROTO_JOIN, 0, 1, 0, "short", 5);
	ll_send(a, PROTO_REASON, 0, 1, 0, big, 4000);
	ll_send(a, PROTO_DATA, 0, 1, 0, "to nobody", 9);
	ll_quiet(a);
	close(a);
}

static void
what_comes_before_join_is_dropped(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a"), b;

	rig_proc(r, 2, 1, "root/b");
	b = rig_lifeline(r, 2, 1);
	ll_text(b, PROTO_REGISTER, 5, "early");
	ll_send(b, PROTO_DATA, PROTO_PID(1, 1), 5, 0, "hi", 2);
	rig_expect_nothing(r, &r->engine);
	assert_int_equal(resolve(a, 0, "early").pid, 0);
	close(a);
	close(b);
}

/* Frames made of noise, with plausible headers half of the time. */
static void
noise_on_a_lifeline_harms_nobody(void **state)
{
	struct rig *r = *state;
	int a = rig_worker(r, 1, 1, "root/a");
	int b = rig_worker(r, 2, 1, "root/b");
	static char buf[512];

	srandom(20261121);
	for (unsigned i = 0; i < 5000; i++) {
		size_t len = 1 + (size_t)random() % sizeof(buf);
		struct proto_frame h = {
			.version = PROTO_VERSION,
			.type = (uint8_t)(random() % 72),
			.flags = (uint16_t)random(),
			.length = (uint32_t)len,
			.to = random() % 2 ? PROTO_PID(2, 1)
			                   : (uint64_t)random() << 33,
			.ref = (uint64_t)random() % 50,
		};

		for (size_t k = 0; k < len; k++)
			buf[k] = (char)random();
		if (i % 2 == 0 && len >= sizeof(h))
			memcpy(buf, &h, sizeof(h));
		if (send(a, buf, len, MSG_NOSIGNAL) < 0)
			break; /* dropped: it does not read either */
		while (recv(b, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			continue;
		while (recv(a, buf, sizeof(buf), MSG_DONTWAIT) > 0)
			continue;
	}
	close(a);
	rig_dead(r, 1, 1, "SIGKILL");
	rig_proc(r, 1, 2, "root/a");
	rig_dead(r, 1, 2, "SIGKILL");
	rig_expect_nothing(r, &r->engine);
	close(b);
}

static const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)
	T(join_is_welcomed_with_pid_path_and_endpoint),
	cmocka_unit_test_setup_teardown(
	    join_fails_when_the_endpoint_would_not_fit, rig_setup_long,
	    rig_teardown),
	T(ready_is_told_to_the_engine_once),
	T(frames_wait_for_the_proc_of_their_incarnation),
	T(a_new_incarnation_finds_its_name_free),
	T(a_lifeline_that_comes_after_its_end_is_closed),
	T(a_name_has_one_owner_and_a_worker_one_name),
	T(a_bad_name_is_refused),
	T(a_name_a_path_and_a_pid_resolve),
	T(a_program_that_has_not_joined_has_a_pid_but_no_mailbox),
	T(who_is_about_to_have_a_mailbox_is_waited_for),
	T(who_ends_before_its_mailbox_is_nobody),
	T(nobody_waits_for_ever_for_a_mailbox),
	T(another_uid_resolves_without_an_endpoint),
	T(down_of_nobody_is_noproc),
	T(the_name_is_free_when_down_arrives),
	T(each_monitor_fires_once_and_a_removed_one_never),
	T(who_has_resolved_hears_gone),
	T(who_was_resolved_hears_gone_too),
	T(the_proof_is_for_who_asked_and_this_incarnation),
	T(a_declared_reason_counts_only_after_an_exit),
	T(the_last_words_come_before_down),
	T(the_last_words_of_one_who_did_not_listen_are_heard),
	T(unread_news_do_not_cost_the_last_words),
	T(a_relayed_message_tells_its_true_sender),
	T(a_call_to_nobody_is_answered_noproc),
	T(a_flood_at_one_who_sleeps_is_refused_and_harms_nobody),
	T(who_does_not_read_its_answers_loses_its_lifeline_alone),
	T(malformed_frames_are_dropped_one_by_one),
	T(what_comes_before_join_is_dropped),
	T(noise_on_a_lifeline_harms_nobody),
};

int
main(void)
{
	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
