/* SPDX-License-Identifier: ISC */
/* libmsg between workers, over the real nanomsg. */
#include "msg_bus.h"

#include <errno.h>
#include <fcntl.h>
#include <msg/msg.h>
#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#define FLOOD 100000

static int burst[2];

/* Open, take a name, say ready. */
static void
begin(const char *name)
{
	int r = msg_open();

	if (r != 0)
		fprintf(stderr, "msg_open: %s\n", msg_strerror(r));
	check(r == 0);
	if (name != NULL)
		check(msg_register(name) == 0);
	check(msg_ready() == 0);
}

static void
receive(struct msg *m)
{
	check(msg_receive(m, BUS_PATIENCE_S * 1000) == 1);
}

static uint32_t
number(const struct msg *m)
{
	uint32_t n;

	check(m->len >= sizeof(n));
	memcpy(&n, m->body, sizeof(n));
	return n;
}

/* Take messages numbered 1, 2, ... from a worker, up to and with `last`. */
static void
take_numbers(msg_pid from, uint32_t first, uint32_t last)
{
	struct msg m;

	for (uint32_t i = first; i <= last; i++) {
		receive(&m);
		check(m.kind == MSG_DATA && m.from == from);
		if (number(&m) != i)
			fprintf(stderr, "# got %u, not %u\n", number(&m), i);
		check(number(&m) == i);
		msg_free(&m);
	}
}

static void
send_numbers(msg_pid to, uint32_t first, uint32_t last)
{
	for (uint32_t i = first; i <= last; i++)
		check(msg_send(to, MSG_BYTES, &i, sizeof(i)) == 0);
}

static int
sink(void)
{
	begin("sink");
	take_numbers(BUS_PID(2), 1, FLOOD);
	return 0;
}

static int
source(void)
{
	msg_pid to;

	begin(NULL);
	check(msg_whereis("sink", &to) == 0);
	send_numbers(to, 1, FLOOD);
	return 0;
}

static void
messages_arrive_in_the_order_they_were_sent(void **state)
{
	int a = bus_start(sink), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(source);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

#define REQUESTS 300 /* more than may be under way by a key */

/* Answers all by the connections they came by, and then makes its own. */
static int
answers_then_sends(void)
{
	struct msg_stats st;
	struct msg m;
	msg_pid from = 0;

	begin("server");
	for (int i = 0; i < REQUESTS; i++) {
		receive(&m);
		check(m.kind == MSG_CALL);
		from = m.from;
		check(msg_reply(&m, MSG_BYTES, m.body, m.len) == 0);
		msg_free(&m);
	}
	msg_stats(&st);
	check(st.routes == 0);
	send_numbers(from, REQUESTS + 1, REQUESTS + 100);
	msg_stats(&st);
	check(st.routes == 1);
	return 0;
}

static int
requests_then_receives(void)
{
	uint64_t refs[REQUESTS + 1];
	struct msg_stats st;
	struct msg m;

	begin(NULL);
	for (uint32_t i = 1; i <= REQUESTS; i++)
		check(msg_request(
			  BUS_PID(1), MSG_BYTES, &i, sizeof(i), &refs[i]) == 0);
	for (uint32_t i = 1; i <= REQUESTS; i++) {
		receive(&m);
		check(m.kind == MSG_REPLY && m.ref == refs[i]);
		check(number(&m) == i);
		msg_free(&m);
	}
	take_numbers(BUS_PID(1), REQUESTS + 1, REQUESTS + 100);
	msg_stats(&st);
	check(st.bad == 0 && st.late == 0);
	return 0;
}

static void
replies_need_no_route_and_what_follows_keeps_the_order(void **state)
{
	int a = bus_start(answers_then_sends), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(requests_then_receives);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

/* Is not inside libmsg until it is told by a signal. */
static int
busy_receiver(void)
{
	sigset_t set;
	struct msg m;
	uint32_t n = 0;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	begin("busy");
	check(sigwait(&set, &sig) == 0);
	do {
		receive(&m);
		check(number(&m) == ++n);
		check(m.len == 1024 || m.len == sizeof(n));
		sig = m.len != 1024;
		msg_free(&m);
	} while (!sig);
	return 0;
}

/* Send the next number. */
static int
try_number(uint32_t body[256], int timeout_ms)
{
	int r;

	body[0]++;
	r = msg_send_timeout(BUS_PID(1), MSG_BYTES, body, 1024, timeout_ms);
	body[0] -= r != 0;
	return r;
}

static int
impatient_sender(void)
{
	uint32_t body[256] = { 0 };
	int late, none;

	begin(NULL);
	/* At first there may be no room only for a moment. */
	do {
		check(body[0] < 10000);
		late = try_number(body, 30);
		none = try_number(body, 0);
	} while (late == 0 || none == 0);
	check(late == -ETIMEDOUT && none == -EAGAIN);
	kill(bus_os_pid(1), SIGUSR1);
	check(try_number(body, -1) == 0);
	body[0]++;
	check(msg_send(BUS_PID(1), MSG_BYTES, body, sizeof(body[0])) == 0);
	check(msg_flush(-1) == 0);
	return 0;
}

static void
a_send_with_a_timeout_gives_up_and_loses_nothing(void **state)
{
	int a = bus_start(busy_receiver), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(impatient_sender);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

/* Sends a few and then stays away from libmsg. */
static int
sends_and_computes(void)
{
	char c;

	begin(NULL);
	close(burst[0]);
	send_numbers(BUS_PID(1), 1, 10);
	check(read(burst[1], &c, 1) == 1);
	return 0;
}

static int
takes_a_burst(void)
{
	begin("sink");
	close(burst[1]);
	take_numbers(BUS_PID(2), 1, 10);
	check(write(burst[0], "", 1) == 1);
	return 0;
}

static void
a_burst_leaves_without_the_sender_coming_back(void **state)
{
	int a, b;

	(void)state;
	assert_int_equal(
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, burst), 0);
	a = bus_start(takes_a_burst);
	assert_true(bus_until_ready(a));
	b = bus_start(sends_and_computes);
	close(burst[0]);
	close(burst[1]);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

/* Both send all they have before they receive anything. */
static int
flooder(void)
{
	msg_pid peer;
	struct msg m;
	uint32_t n = 1;

	begin(NULL);
	peer = msg_self() == BUS_PID(1) ? BUS_PID(2) : BUS_PID(1);
	/* "begin"; the peer may have been told sooner and be ahead of it. */
	for (receive(&m); m.from == peer; receive(&m)) {
		check(number(&m) == n++);
		msg_free(&m);
	}
	msg_free(&m);
	send_numbers(peer, 1, FLOOD);
	take_numbers(peer, n, FLOOD);
	return 0;
}

static void
two_workers_that_flood_each_other_finish(void **state)
{
	struct proto_frame h = { .type = PROTO_DATA, .from = BUS_GUEST };
	int a = bus_start(flooder), b = bus_start(flooder);

	(void)state;
	assert_true(bus_until_ready(a) && bus_until_ready(b));
	h.to = BUS_PID(a);
	bus_send(a, &h, "begin", 5);
	h.to = BUS_PID(b);
	bus_send(b, &h, "begin", 5);
	assert_true(bus_succeeded(a));
	assert_true(bus_succeeded(b));
}

/* Answers until "end"; "slow" only when the next message has come. */
static int
server(void)
{
	struct msg m, late = { 0 };
	bool end = false;

	begin("server");
	while (!end) {
		receive(&m);
		end = strcmp(m.body, "end") == 0;
		if (late.owner != NULL) {
			check(msg_reply(&late, MSG_BYTES, "late", 4) == 0);
			msg_free(&late);
		}
		if (strcmp(m.body, "slow") == 0) {
			late = m;
			continue;
		}
		if (strcmp(m.body, "bad") == 0)
			check(msg_reply_error(&m, "that is bad") == 0);
		else if (strcmp(m.body, "die") == 0)
			kill(getpid(), SIGKILL);
		else if (m.kind == MSG_CALL)
			check(msg_reply(&m, m.content, m.body, m.len) == 0);
		msg_free(&m);
	}
	return 0;
}

static int
caller(void)
{
	struct msg m;
	int r;

	begin(NULL);
	r = msg_call_name("server", MSG_PACKED, "\x01", 1, -1, &m);
	check(r == 0);
	check(m.content == MSG_PACKED && m.len == 1);
	check(m.from == BUS_PID(1));
	msg_free(&m);
	for (int i = 0; i < 1000; i++) {
		check(msg_call(BUS_PID(1), MSG_BYTES, &i, sizeof(i), -1, &m) ==
		      0);
		check(m.len == sizeof(i) && memcmp(m.body, &i, m.len) == 0);
		msg_free(&m);
	}
	r = msg_call_name("server", MSG_BYTES, "bad", 3, -1, &m);
	check(r == -EREMOTEIO);
	check(strcmp(msg_strerror(r), "that is bad") == 0);
	check(msg_call_name("nobody", MSG_BYTES, "", 0, -1, &m) == -ESRCH);
	check(msg_call(BUS_PID(50), MSG_BYTES, "", 0, -1, &m) == -ESRCH);
	check(msg_send_name("server", MSG_BYTES, "end", 3) == 0);
	return 0;
}

static void
a_call_is_answered_by_pid_and_by_name(void **state)
{
	int a = bus_start(server), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(caller);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

static int
impatient_caller(void)
{
	struct msg_stats st;
	struct msg m;

	begin(NULL);
	check(msg_call_name("server", MSG_BYTES, "slow", 4, 20, &m) ==
	      -ETIMEDOUT);
	check(msg_call_name("server", MSG_BYTES, "quick", 5, -1, &m) == 0);
	check(strcmp(m.body, "quick") == 0);
	msg_free(&m);
	msg_stats(&st);
	check(st.late == 1);
	check(msg_receive(&m, 0) == 0);
	check(msg_send_name("server", MSG_BYTES, "end", 3) == 0);
	return 0;
}

static void
a_reply_that_comes_too_late_is_dropped(void **state)
{
	int a = bus_start(server), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(impatient_caller);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

static int
bereaved_caller(void)
{
	struct msg m;
	int r;

	begin(NULL);
	r = msg_call_name("server", MSG_BYTES, "die", 3, 30000, &m);
	check(r == -ECONNRESET);
	check(strstr(msg_strerror(r), "SIGKILL") != NULL);
	check(msg_call(BUS_PID(1), MSG_BYTES, "again", 5, -1, &m) == -ESRCH);
	check(msg_call_name("server", MSG_BYTES, "x", 1, -1, &m) == -ESRCH);
	check(msg_send_name("server", MSG_BYTES, "x", 1) == -ENOENT);
	check(msg_send(BUS_PID(1), MSG_BYTES, "x", 1) == 0);
	return 0;
}

static void
a_callee_killed_mid_call_is_told_at_once(void **state)
{
	int a = bus_start(server), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(bereaved_caller);
	assert_true(bus_succeeded(b));
}

/* Sends 1..50, then answers, then 51..100. */
static int
chatty_server(void)
{
	struct msg m;

	begin("server");
	receive(&m);
	send_numbers(m.from, 1, 50);
	check(msg_reply(&m, MSG_BYTES, "", 0) == 0);
	send_numbers(m.from, 51, 100);
	msg_free(&m);
	return 0;
}

static int
patient_caller(void)
{
	struct msg_stats st;

	begin(NULL);
	check(msg_call_name("server", MSG_BYTES, "", 0, -1, NULL) == 0);
	msg_stats(&st);
	check(st.queued >= 50);
	take_numbers(BUS_PID(1), 1, 100);
	return 0;
}

static void
messages_wait_in_order_while_a_call_does(void **state)
{
	int a = bus_start(chatty_server), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(patient_caller);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

/* Takes numbers from worker 2 until its DOWN; exits with how many / 10. */
static int
mourner(void)
{
	uint32_t n = 0;
	uint64_t ref;
	struct msg m;

	begin("mourner");
	receive(&m); /* the first message: the peer is there */
	check(number(&m) == ++n);
	check(msg_monitor(m.from, &ref) == 0);
	/* When supd has answered this it knows of the monitor. */
	check(msg_whereis("nobody", &m.from) == -ENOENT);
	check(msg_send(BUS_PID(2), MSG_BYTES, "go", 2) == 0);
	msg_free(&m);
	for (;;) {
		receive(&m);
		if (m.kind == MSG_DOWN)
			break;
		check(number(&m) == ++n);
		msg_free(&m);
	}
	check(m.ref == ref && m.from == BUS_PID(2));
	fprintf(
	    stderr, "# %u of 200 before DOWN (%s)\n", n, (const char *)m.body);
	if (strcmp(m.body, "normal") == 0)
		check(n == 200);
	else
		check(strcmp(m.body, "SIGKILL") == 0);
	msg_free(&m);
	check(msg_receive(&m, 50) == 0);
	return 0;
}

static void
send_big_numbers(void)
{
	char body[1024] = "";
	struct msg go;
	msg_pid to;

	check(msg_whereis("mourner", &to) == 0);
	for (uint32_t i = 1; i <= 200; i++) {
		memcpy(body, &i, sizeof(i));
		check(msg_send(to, MSG_BYTES, body, sizeof(body)) == 0);
		if (i == 1) {
			receive(&go);
			msg_free(&go);
		}
	}
}

static int
leaves_in_order(void)
{
	begin(NULL);
	send_big_numbers();
	return 0;
}

static int
is_killed(void)
{
	begin(NULL);
	send_big_numbers();
	kill(getpid(), SIGKILL);
	return 1;
}

static void
down_comes_after_every_message(void **state)
{
	int a = bus_start(mourner), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(leaves_in_order);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

static void
nothing_comes_after_the_down_of_one_that_was_killed(void **state)
{
	int a = bus_start(mourner), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(is_killed);
	assert_true(bus_until_ended(b));
	assert_true(bus_succeeded(a));
}

static int
sends_much(void)
{
	static char body[MSG_BODY_MAX + 1];
	struct msg m;
	int r;

	begin(NULL);
	r = msg_send_name("server", MSG_BYTES, body, sizeof(body));
	check(r == -EMSGSIZE);
	check(strstr(msg_strerror(r), "too long") != NULL);
	memset(body, 'b', sizeof(body));
	check(msg_call_name("server", MSG_BYTES, body, sizeof(body) - 1,
		  BUS_PATIENCE_S * 1000, &m) == 0);
	check(m.len == sizeof(body) - 1 && memcmp(m.body, body, m.len) == 0);
	msg_free(&m);
	check(msg_call_name("server", MSG_BYTES, NULL, 0, -1, &m) == 0);
	check(m.len == 0);
	msg_free(&m);
	check(msg_send_name("server", MSG_BYTES, "end", 3) == 0);
	return 0;
}

static void
a_message_may_have_16_mebibytes_and_no_more(void **state)
{
	int a = bus_start(server), b;

	(void)state;
	assert_true(bus_until_ready(a));
	b = bus_start(sends_much);
	assert_true(bus_succeeded(b));
	assert_true(bus_succeeded(a));
}

static int
calls_another_user(void)
{
	static char big[MSG_GUEST_BODY_MAX + 1];
	struct msg_stats st;
	struct msg m;
	int r;

	begin(NULL);
	for (int i = 0; i < 10; i++) {
		check(msg_call_name("server", MSG_BYTES, "hi", 2, -1, &m) == 0);
		check(m.len == 2 && m.from == BUS_PID(1));
		msg_free(&m);
	}
	msg_stats(&st);
	check(st.routes == 0);
	check(msg_send(BUS_PID(1), MSG_BYTES, big, sizeof(big)) == -EMSGSIZE);
	r = msg_call(BUS_PID(1), MSG_BYTES, "die", 3, -1, &m);
	check(r == -ECONNRESET);
	check(msg_call(BUS_PID(1), MSG_BYTES, "hi", 2, -1, &m) == -ESRCH);
	return 0;
}

static void
between_users_messages_are_relayed(void **state)
{
	int a = bus_start(server), b;

	(void)state;
	bus_separate(a);
	assert_true(bus_until_ready(a));
	b = bus_start(calls_another_user);
	assert_true(bus_succeeded(b));
}

#define CLIENTS 24
#define ROUNDS  40

/* Sends numbers to many in turn with room for few routes. */
static int
crowded(void)
{
	struct msg_stats st;

	setenv("MSG_ROUTES", "8", 1);
	begin(NULL);
	for (uint32_t i = 1; i <= ROUNDS; i++) {
		for (int c = 1; c <= CLIENTS; c++)
			send_numbers(BUS_PID(c), i, i);
	}
	msg_stats(&st);
	check(st.routes <= CLIENTS);
	return 0;
}

static int
one_of_many(void)
{
	struct msg_stats st;

	begin(NULL);
	take_numbers(BUS_PID(CLIENTS + 1), 1, ROUNDS);
	msg_stats(&st);
	check(st.bad == 0);
	return 0;
}

static void
closing_routes_for_others_keeps_the_order(void **state)
{
	int first = 0, sender;

	(void)state;
	for (int i = 0; i < CLIENTS; i++)
		first = bus_start(one_of_many);
	for (int i = 1; i <= first; i++)
		assert_true(bus_until_ready(i));
	sender = bus_start(crowded);
	assert_true(bus_succeeded(sender));
	for (int i = 1; i <= first; i++)
		assert_true(bus_succeeded(i));
}

static int
survivor(void)
{
	struct msg_stats st;
	struct msg m;

	begin("survivor");
	receive(&m);
	check(strcmp(m.body, "end") == 0);
	msg_free(&m);
	msg_stats(&st);
	check(st.bad == 13);
	return 0;
}

static void
send_raw(int s, const struct proto_frame *h, const char *body, size_t cut)
{
	char out[256] = { (char)0x80 };
	size_t n = proto_put(out + 4, sizeof(out) - 4, h, body, strlen(body));

	check(nn_send(s, out, 4 + n - cut, 0) >= 0);
}

/* A nanomsg program that is no libmsg. */
static int
stranger(void)
{
	struct proto_frame good = { .type = PROTO_DATA,
		.to = BUS_PID(1),
		.from = BUS_PID(2),
		.seq = 1 };
	struct proto_frame hello = {
		.type = PROTO_HELLO, .to = BUS_PID(1), .from = BUS_PID(2)
	};
	struct proto_frame h = good;
	const char *endpoint = bus_endpoint(1);
	int s = nn_socket(AF_SP_RAW, NN_REQ);

	check(nn_connect(s, endpoint) >= 0);
	check(nn_send(s, "\0\0\0\0", 4, 0) >= 0); /* no word with the top bit */
	check(nn_send(s, "\x80\0\0\0", 4, 0) >= 0); /* an empty batch */
	check(nn_send(s, "\x80\0\0\0short", 9, 0) >= 0);
	send_raw(s, &good, "nobody yet", 0);
	send_raw(s, &hello, "", 0); /* without a proof */
	hello.ref = bus_proof(3, 1);
	send_raw(s, &hello, "", 0); /* another's */
	hello.ref = bus_proof(2, 1);
	send_raw(s, &hello, "", 0);
	send_raw(s, &hello, "", 0); /* again */
	send_raw(s, &good, "cut off", 16);
	h.to = BUS_PID(9);
	send_raw(s, &h, "for another", 0);
	h = good;
	h.from = BUS_GUEST;
	send_raw(s, &h, "a false guest", 0);
	h.from = BUS_PID(3);
	send_raw(s, &h, "a false worker", 0);
	h = good;
	h.type = PROTO_DOWN;
	send_raw(s, &h, "a false bus", 0);
	h.type = PROTO_SHM;
	send_raw(s, &h, "not spoken", 0);
	h.type = PROTO_CREDIT;
	send_raw(s, &h, "for what was never sent", 0);
	h = good;
	h.seq = 0;
	send_raw(s, &h, "before the first", 0);
	send_raw(s, &good, "end", 0);
	for (;;)
		pause(); /* until the test is over */
}

static void
hostile_messages_are_dropped_and_counted(void **state)
{
	int a = bus_start(survivor);

	(void)state;
	assert_true(bus_until_ready(a));
	(void)bus_start(stranger);
	assert_true(bus_succeeded(a));
	assert_true(bus_reports(a) >= 1 && bus_reports(a) <= 13);
}

#define T(name) cmocka_unit_test_setup_teardown(name, bus_setup, bus_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(messages_arrive_in_the_order_they_were_sent),
		T(replies_need_no_route_and_what_follows_keeps_the_order),
		T(a_send_with_a_timeout_gives_up_and_loses_nothing),
		T(a_burst_leaves_without_the_sender_coming_back),
		T(two_workers_that_flood_each_other_finish),
		T(a_call_is_answered_by_pid_and_by_name),
		T(a_reply_that_comes_too_late_is_dropped),
		T(a_callee_killed_mid_call_is_told_at_once),
		T(messages_wait_in_order_while_a_call_does),
		T(down_comes_after_every_message),
		T(nothing_comes_after_the_down_of_one_that_was_killed),
		T(a_message_may_have_16_mebibytes_and_no_more),
		T(between_users_messages_are_relayed),
		T(closing_routes_for_others_keeps_the_order),
		T(hostile_messages_are_dropped_and_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
