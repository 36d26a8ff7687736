/* SPDX-License-Identifier: ISC */
/* Processes: rules P-1 to P-12, between workers of a real supd. */
#include "process_peers.h"

#include <errno.h>
#include <msg/msg.h>
#include <msg/pack.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MANY 500000
#define HOUR 3600000

/* --- helpers ------------------------------------------------------------- */

static msg_pid
spawn(const char *role, const char *arg)
{
	const char *const args[] = { role, arg, NULL };
	msg_pid pid = 0;

	check_ok(msg_spawn("peers", args, &pid));
	check(pid != 0);
	return pid;
}

static int
ask(msg_pid pid, const char *what)
{
	struct msg m;
	int r =
	    msg_call(pid, MSG_BYTES, what, strlen(what), TALK_PATIENCE_MS, &m);

	if (r == 0) {
		check_text(m.body, "ok");
		msg_free(&m);
	}
	return r;
}

static msg_pid
spawn_peer(const char *name)
{
	msg_pid pid = spawn("peer", name);

	check_ok(ask(pid, "ping"));
	return pid;
}

/* The next message: what it says; its kind, ref and sender are checked. */
static void
expect(enum msg_kind kind, msg_pid from, uint64_t ref, const char *body)
{
	struct msg m;

	check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
	check_text(m.body, body);
	check_int(m.kind, kind);
	check(from == 0 || m.from == from);
	check(ref == 0 || m.ref == ref);
	msg_free(&m);
}

static void
expect_nothing(void)
{
	struct msg m;

	check_int(msg_receive(&m, 50), 0);
}

/* Wait until it has ended; why. */
static void
expect_end(msg_pid pid, uint64_t ref, const char *why)
{
	expect(MSG_DOWN, pid, ref, why);
}

static void
send_self(const char *text)
{
	check_ok(msg_send(msg_self(), MSG_BYTES, text, strlen(text)));
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- P-1, P-2: spawning and ends ----------------------------------------- */

static void
spawn_does_not_fail_for_the_target(void)
{
	static const char *const dies[] = { "ends", "3", NULL };
	uint64_t ref;
	msg_pid pid, other;

	for (int i = 0; i < 20; i++) {
		check_ok(msg_spawn_monitor("peers", dies, &pid, &ref));
		expect_end(pid, ref, "exit 3");
	}
	check_int(msg_spawn("nowhere", dies, &other), -ENOENT);
	expect_nothing();
}

static void
spawn_link_leaves_no_gap(void)
{
	static const char *const dies[] = { "ends", "3", NULL };
	msg_pid pid;

	check_ok(msg_trap_exit(true));
	for (int i = 0; i < 20; i++) {
		check_ok(msg_spawn_link("peers", dies, &pid));
		expect(MSG_EXIT, pid, 0, "exit 3");
	}
	expect_nothing();
}

static void
an_end_has_its_reason(void)
{
	static const struct {
		const char *how, *why;
	} t[] = {
		{ "return", "normal" },
		{ "reason=shutdown", "shutdown" },
		{ "reason=out of paper", "out of paper" },
		{ "3", "exit 3" },
		{ "kill", "killed" },
	};
	uint64_t ref;
	msg_pid pid;

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		const char *const args[] = { "ends", t[i].how, NULL };

		check_ok(msg_spawn_monitor("peers", args, &pid, &ref));
		expect_end(pid, ref, t[i].why);
	}
}

/* --- P-3, P-4: sending --------------------------------------------------- */

static void
to_a_dead_pid_is_silent_to_no_name_fails(void)
{
	msg_pid pid = spawn_peer(NULL);
	uint64_t ref;

	check_ok(msg_monitor(pid, &ref));
	check_int(ask(pid, "end normal"), -ECONNRESET);
	expect_end(pid, ref, "normal");
	check_ok(msg_send(pid, MSG_BYTES, "x", 1));
	check_ok(msg_cast(pid, MSG_BYTES, "x", 1));
	check_ok(msg_exit_to(pid, "kill"));
	check_int(msg_send_name("nobody", MSG_BYTES, "x", 1), -ENOENT);
	check_ok(msg_cast_name("nobody", MSG_BYTES, "x", 1)); /* G-5 */
}

/* Its thousand numbers, in order. */
static void
expect_numbers(msg_pid from)
{
	char n[16];

	for (int i = 0; i < 1000; i++) {
		snprintf(n, sizeof(n), "%d", i);
		expect(MSG_DATA, from, 0, n);
	}
}

static void
an_exit_signal_keeps_its_place(void)
{
	msg_pid pid = spawn_peer(NULL);

	check_ok(msg_trap_exit(true));
	for (int i = 0; i < 5; i++) {
		check_ok(ask(pid, "numbers, signal enough"));
		expect_numbers(pid);
		expect(MSG_EXIT, pid, 0, "enough");
	}
}

static void
news_of_an_end_comes_last(void)
{
	msg_pid pid = spawn_peer(NULL);
	uint64_t ref;

	check_ok(msg_trap_exit(true));
	check_ok(msg_link(pid));
	check_ok(msg_monitor(pid, &ref));
	check_int(ask(pid, "numbers, end"), -ECONNRESET);
	expect_numbers(pid);
	/* Of the two, none is promised to be first. */
	for (int i = 0; i < 2; i++) {
		struct msg m;

		check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
		check(m.kind == MSG_EXIT || m.ref == ref);
		check_text(m.body, "normal");
		msg_free(&m);
	}
	expect_nothing();
}

/* --- P-5: the mailbox ---------------------------------------------------- */

static void
the_oldest_that_fits_is_received(void)
{
	const struct msg_pattern casts = { .kinds = MSG_IS(MSG_CAST) };
	struct msg m;

	send_self("one");
	check_ok(msg_cast(msg_self(), MSG_BYTES, "two", 3));
	send_self("three");
	check_ok(msg_cast(msg_self(), MSG_BYTES, "four", 4));
	check_int(msg_receive_match(&m, &casts, 1, 0), 1);
	check_text(m.body, "two");
	msg_free(&m);
	expect(MSG_DATA, 0, 0, "one");
	expect(MSG_DATA, 0, 0, "three");
	expect(MSG_CAST, 0, 0, "four");
	expect_nothing();
}

static void
a_timeout_counts_from_the_beginning(void)
{
	const struct msg_pattern never = { .tag = "never" };
	int64_t before = now_ms();
	uint64_t ref;
	struct msg m;

	for (int i = 1; i < 20; i++)
		check_ok(msg_send_after(
		    i * 10, msg_self(), MSG_BYTES, "x", 1, &ref));
	check_int(msg_receive_match(&m, &never, 1, 100), 0);
	check(now_ms() >= before + 100);
	/* It was not begun anew with each of them. */
	check(msg_cancel_timer(ref) >= 0);
	check_int(msg_receive_match(&m, &never, 1, 0), 0);
}

static void
a_reply_does_not_wait_for_half_a_million(void)
{
	msg_pid pid = spawn_peer(NULL);
	struct msg_stats st;
	uint64_t ref;
	struct msg m;

	for (int i = 0; i < MANY; i++)
		check_ok(msg_send(msg_self(), MSG_BYTES, &i, sizeof(i)));
	for (int i = 0; i < 100; i++)
		check_ok(ask(pid, "ping"));
	check_ok(msg_request(pid, MSG_BYTES, "ping", 4, &ref));
	check_ok(msg_wait_response(ref, TALK_PATIENCE_MS, &m));
	msg_free(&m);
	msg_stats(&st);
	check_int((long long)st.queued, MANY);
	for (int i = 0; i < MANY; i++) {
		check_int(msg_receive(&m, 0), 1);
		check(memcmp(m.body, &i, sizeof(i)) == 0);
		msg_free(&m);
	}
}

/* --- P-6: links ---------------------------------------------------------- */

static void
a_link_is_for_both_and_only_one(void)
{
	msg_pid pid = spawn_peer(NULL);

	check_ok(msg_trap_exit(true));
	check_ok(msg_link(pid));
	check_ok(msg_link(pid));
	check_ok(ask(pid, "link"));
	check_int(ask(pid, "end of story"), -ECONNRESET);
	expect(MSG_EXIT, pid, 0, "of story");
	expect_nothing();
}

static void
a_link_made_by_the_other_counts(void)
{
	msg_pid pid = spawn_peer(NULL), other = spawn_peer(NULL);
	uint64_t ref;

	check_ok(msg_trap_exit(true));
	check_ok(ask(pid, "link"));
	check_ok(ask(other, "link"));
	check_ok(msg_unlink(other));
	check_ok(msg_monitor(other, &ref));
	check_int(ask(other, "end badly"), -ECONNRESET);
	expect_end(other, ref, "badly");
	check_int(ask(pid, "kill"), -ECONNRESET);
	expect(MSG_EXIT, pid, 0, "killed");
	expect_nothing();
}

static void
a_link_to_the_dead_is_noproc(void)
{
	msg_pid pid = spawn_peer(NULL);
	uint64_t ref;

	check_ok(msg_monitor(pid, &ref));
	check_int(ask(pid, "end normal"), -ECONNRESET);
	expect_end(pid, ref, "normal");
	check_int(msg_link(pid), -ESRCH);
	check_ok(msg_trap_exit(true));
	check_ok(msg_link(pid));
	expect(MSG_EXIT, pid, 0, "noproc");
}

static void
an_exit_in_the_mailbox_stays_after_unlink(void)
{
	const struct msg_pattern down = { .kinds = MSG_IS(MSG_DOWN) };
	msg_pid pid = spawn_peer(NULL);
	uint64_t ref;
	struct msg m;

	check_ok(msg_trap_exit(true));
	check_ok(msg_link(pid));
	check_ok(msg_monitor(pid, &ref));
	check_int(ask(pid, "end soon"), -ECONNRESET);
	check_int(msg_receive_match(&m, &down, 1, TALK_PATIENCE_MS), 1);
	msg_free(&m);
	check_int(msg_sleep(50), 0);
	check_ok(msg_unlink(pid));
	expect(MSG_EXIT, pid, 0, "soon");
}

static void
linked_workers_go_together(void)
{
	msg_pid a = spawn_peer(NULL);
	uint64_t ref;
	msg_pid b;

	/* b links itself to us, a to us; we trap and let a die by a signal. */
	check_ok(msg_trap_exit(true));
	check_ok(ask(a, "link"));
	b = spawn_peer(NULL);
	check_ok(ask(b, "link"));
	check_ok(msg_monitor(b, &ref));
	check_ok(msg_exit_to(b, "boom"));
	/* Both the monitor and the link tell, in whichever order. */
	for (int i = 0; i < 2; i++) {
		struct msg m;

		check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
		check(m.from == b);
		check_text(m.body, "boom");
		msg_free(&m);
	}
	check_ok(ask(a, "ping"));
}

/* --- P-7: exit signals --------------------------------------------------- */

static void
signal_to(const char *signal, bool traps, const char *why)
{
	msg_pid pid = spawn_peer(NULL);
	uint64_t ref;
	char text[80];

	if (traps)
		check_ok(ask(pid, "trap"));
	check_ok(msg_monitor(pid, &ref));
	check_ok(msg_exit_to(pid, signal));
	if (why != NULL) {
		expect_end(pid, ref, why);
		return;
	}
	check_ok(ask(pid, "ping")); /* it lives */
	if (traps) {
		snprintf(text, sizeof(text), "EXIT %s", signal);
		expect(MSG_DATA, pid, 0, text);
	}
	expect_nothing();
	check_int(msg_demonitor(ref, true), 1);
}

static void
normal_does_nothing_to_another(void)
{
	signal_to("normal", false, NULL);
	signal_to("normal", true, NULL);
}

static void
any_reason_ends_or_is_told(void)
{
	signal_to("out of luck", false, "out of luck");
	signal_to("out of luck", true, NULL);
	signal_to("shutdown", false, "shutdown");
	signal_to("killed", false, "killed");
	signal_to("killed", true, NULL);
}

static void
kill_cannot_be_trapped(void)
{
	signal_to("kill", false, "killed");
	signal_to("kill", true, "killed");
}

static void
kill_by_a_link_can_be_trapped(void)
{
	msg_pid pid = spawn_peer(NULL);

	check_ok(msg_trap_exit(true));
	check_ok(msg_link(pid));
	/* Its own reason is "kill", which is no order to us. */
	check_int(ask(pid, "end kill"), -ECONNRESET);
	expect(MSG_EXIT, pid, 0, "kill");
}

static void
to_a_program_without_libmsg(void)
{
	static const char *const args[] = { "plain", NULL };
	uint64_t ref;
	msg_pid pid;

	check_ok(msg_spawn_monitor("peers", args, &pid, &ref));
	check_ok(msg_exit_to(pid, "normal"));
	check_int(msg_is_alive(pid), 1);
	check_ok(msg_exit_to(pid, "no more work"));
	expect_end(pid, ref, "no more work");
	check_ok(msg_spawn_monitor("peers", args, &pid, &ref));
	check_ok(msg_exit_to(pid, "kill"));
	expect_end(pid, ref, "killed");
}

/* --- P-8: monitors ------------------------------------------------------- */

static void
monitors_stack_and_tell_once(void)
{
	msg_pid pid = spawn_peer(NULL);
	uint64_t a, b, c;
	struct msg_pattern p[2] = { { .kinds = MSG_IS(MSG_DOWN) },
		{ .kinds = MSG_IS(MSG_DOWN) } };
	struct msg m;

	check_ok(msg_monitor(pid, &a));
	check_ok(msg_monitor(pid, &b));
	check_ok(msg_monitor(pid, &c));
	check(a != b && b != c);
	check_int(msg_demonitor(b, false), 1);
	check_int(msg_demonitor(b, false), 0);
	check_int(ask(pid, "end well"), -ECONNRESET);
	p[0].ref = a;
	p[1].ref = c;
	check(msg_receive_match(&m, p, 2, TALK_PATIENCE_MS) > 0);
	check_text(m.body, "well");
	check(m.from == pid);
	msg_free(&m);
	check(msg_receive_match(&m, p, 2, TALK_PATIENCE_MS) > 0);
	msg_free(&m);
	expect_nothing();
	/* What was before is lost: it is noproc now. */
	check_ok(msg_monitor(pid, &a));
	expect_end(pid, a, "noproc");
}

static void
a_name_is_monitored_as_it_is_now(void)
{
	uint64_t ref, none;
	msg_pid pid = spawn_peer("watched"), other;

	check_ok(msg_monitor_name("nobody at all", &none));
	expect(MSG_DOWN, 0, none, "noproc");
	check_ok(msg_monitor_name("watched", &ref));
	check_int(ask(pid, "end normal"), -ECONNRESET);
	expect_end(pid, ref, "normal");
	/* Names are free when the news comes. */
	other = spawn_peer("watched");
	check_int(ask(other, "end normal"), -ECONNRESET);
	expect_nothing();
}

static void
demonitor_flushes_and_tells(void)
{
	uint64_t a, b;
	struct msg m;

	check_ok(msg_monitor_name("nobody", &a));
	check_ok(msg_monitor_name("nobody", &b));
	check_int(msg_sleep(100), 0);
	check_int(msg_demonitor(a, true), 0);
	check_int(msg_demonitor(b, false), 0);
	check_int(msg_receive(&m, TALK_PATIENCE_MS), 1);
	check(m.ref == b);
	msg_free(&m);
	expect_nothing();
}

/* --- P-9: late replies --------------------------------------------------- */

static void
late_replies_never_arrive(void)
{
	msg_pid pid = spawn_peer(NULL);
	struct msg_stats before, after;
	uint64_t ref;
	struct msg m;

	msg_stats(&before);
	check_int(msg_call(pid, MSG_BYTES, "later", 5, 20, NULL), -ETIMEDOUT);
	check_ok(ask(pid, "ping"));
	check_ok(ask(pid, "ping"));
	check_ok(msg_request(pid, MSG_BYTES, "later", 5, &ref));
	check_int(msg_cancel_request(ref), 1);
	check_ok(ask(pid, "ping"));
	check_ok(ask(pid, "ping"));
	expect_nothing();
	msg_stats(&after);
	check_int((long long)(after.late - before.late), 2);
	/* One that is given up but not forgotten comes. */
	check_ok(msg_request(pid, MSG_BYTES, "later", 5, &ref));
	check_int(msg_wait_response(ref, 20, &m), -ETIMEDOUT);
	check_ok(ask(pid, "ping"));
	check_ok(msg_wait_response(ref, TALK_PATIENCE_MS, &m));
	check_text(m.body, "late");
	msg_free(&m);
}

/* --- P-10: names --------------------------------------------------------- */

static void
a_name_has_one_owner(void)
{
	msg_pid pid = spawn_peer("taken"), who;
	uint64_t ref;

	check_int(msg_register("taken"), -EEXIST);
	check_int(msg_unregister("taken"), -EPERM);
	check_ok(msg_whereis("taken", &who));
	check(who == pid);
	check_int(msg_unregister("never"), -ENOENT);
	check_ok(msg_monitor(pid, &ref));
	check_int(ask(pid, "kill"), -ECONNRESET);
	expect_end(pid, ref, "killed");
	check_int(msg_whereis("taken", &who), -ENOENT);
	check_ok(msg_register("taken"));
	check_ok(msg_whereis("taken", &who));
	check(who == msg_self());
}

static void
what_was_sent_to_a_name_arrives(void)
{
	check_ok(msg_register("p10"));
	check_ok(msg_send_name("p10", MSG_BYTES, "sent before", 11));
	check_ok(msg_unregister("p10"));
	check_int(msg_send_name("p10", MSG_BYTES, "after", 5), -ENOENT);
	expect(MSG_DATA, msg_self(), 0, "sent before");
	expect_nothing();
}

/* --- P-11: timers -------------------------------------------------------- */

static void
a_timer_is_never_early(void)
{
	int64_t before = now_ms(), left;
	uint64_t a, b, c;

	check_ok(msg_start_timer(50, MSG_BYTES, "a", 1, &a));
	check_ok(msg_send_after(20, msg_self(), MSG_BYTES, "b", 1, &b));
	check_ok(msg_start_timer(HOUR, MSG_BYTES, "c", 1, &c));
	expect(MSG_DATA, msg_self(), 0, "b");
	check(now_ms() >= before + 20);
	expect(MSG_TIMEOUT, msg_self(), a, "a");
	check(now_ms() >= before + 50);
	left = msg_cancel_timer(c);
	check(left > 0 && left <= HOUR);
	check_int(msg_cancel_timer(c), -ENOENT);
	check_int(msg_cancel_timer(a), -ENOENT);
	expect_nothing();
}

static void
a_timer_for_a_pid_ends_with_it(void)
{
	msg_pid pid = spawn_peer(NULL);
	uint64_t timer, ref;

	check_ok(msg_monitor(pid, &ref));
	check_ok(msg_send_after(HOUR, pid, MSG_BYTES, "x", 1, &timer));
	check_int(ask(pid, "end normal"), -ECONNRESET);
	expect_end(pid, ref, "normal");
	/* The news for the timer is another than that for us. */
	check_int(msg_sleep(100), 0);
	check_int(msg_cancel_timer(timer), -ENOENT);
}

static void
a_timer_for_a_name_looks_when_it_fires(void)
{
	uint64_t a, b;

	check_ok(msg_send_after_name(0, "p11", MSG_BYTES, "lost", 4, &a));
	check_int(msg_sleep(30), 0);
	check_ok(msg_send_after_name(30, "p11", MSG_BYTES, "found", 5, &b));
	check_ok(msg_register("p11"));
	expect(MSG_DATA, msg_self(), 0, "found");
	expect_nothing();
}

/* --- P-12: what is known ------------------------------------------------- */

static void
who_is_not_alive_has_no_names(void)
{
	msg_pid pid = spawn_peer("p12"), who;

	check_int(msg_is_alive(pid), 1);
	check_int(msg_is_alive(msg_self()), 1);
	check_int(msg_is_alive(0), 0);
	check_int(ask(pid, "end normal"), -ECONNRESET);
	while (msg_is_alive(pid) == 1)
		check_int(msg_sleep(1), 0);
	check_int(msg_whereis("p12", &who), -ENOENT);
}

/* Does a msgpack map have this key? */
static bool
has_key(const struct msg *m, const char *key)
{
	struct msg_unpack u;
	const char *text;
	uint32_t n;
	size_t len;

	check_ok(msg_unpack_init(&u, m->body, m->len));
	check_ok(msg_unpack_map(&u, &n));
	for (; n > 0; n--) {
		check_ok(msg_unpack_str(&u, &text, &len));
		if (len == strlen(key) && memcmp(text, key, len) == 0)
			return true;
		check_ok(msg_unpack_skip(&u));
	}
	return false;
}

static void
supd_tells_what_it_knows(void)
{
	static const char *const keys[] = { "pid", "path", "os_pid", "name",
		"links", "monitors", "monitored_by", "trap_exit" };
	struct msg m;

	check_ok(msg_register("p12-info"));
	check_ok(msg_info("p12-info", &m));
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (!has_key(&m, keys[i]))
			talk_fail(
			    __FILE__, __LINE__, "info has \"%s\"", keys[i]);
	}
	msg_free(&m);
	check_ok(msg_info(NULL, &m));
	check(has_key(&m, "path"));
	msg_free(&m);
	check_int(msg_info("p12-nobody", &m), -ENOENT);
}

static void
a_name_has_at_most_63_bytes(void)
{
	char name[MSG_NAME_MAX + 2];
	msg_pid pid;

	memset(name, 'n', sizeof(name));
	name[MSG_NAME_MAX + 1] = '\0';
	check_int(strlen(name), 64);
	check_int(msg_register(name), -EINVAL);
	name[MSG_NAME_MAX] = '\0';
	check_ok(msg_register(name));
	check_ok(msg_whereis(name, &pid));
	check(pid == msg_self());
	check_ok(msg_unregister(name));
}

static const struct talk_case cases[] = {
	{ "P-10 a name has at most 63 bytes", a_name_has_at_most_63_bytes },
	{ "P-1 spawn does not fail for the target's sake",
	    spawn_does_not_fail_for_the_target },
	{ "P-1 spawn_link leaves no gap", spawn_link_leaves_no_gap },
	{ "P-2 an end has its reason", an_end_has_its_reason },
	{ "P-3 to a dead pid is silent, to no name fails",
	    to_a_dead_pid_is_silent_to_no_name_fails },
	{ "P-4 an exit signal keeps its place",
	    an_exit_signal_keeps_its_place },
	{ "P-4 news of an end comes last", news_of_an_end_comes_last },
	{ "P-5 the oldest that fits is received",
	    the_oldest_that_fits_is_received },
	{ "P-5 a timeout counts from the beginning",
	    a_timeout_counts_from_the_beginning },
	{ "P-5 a reply does not wait for half a million",
	    a_reply_does_not_wait_for_half_a_million },
	{ "P-6 a link is for both, and only one",
	    a_link_is_for_both_and_only_one },
	{ "P-6 a link made by the other counts",
	    a_link_made_by_the_other_counts },
	{ "P-6 a link to the dead is noproc", a_link_to_the_dead_is_noproc },
	{ "P-6 an EXIT in the mailbox stays after unlink",
	    an_exit_in_the_mailbox_stays_after_unlink },
	{ "P-6 linked workers go together", linked_workers_go_together },
	{ "P-7 normal does nothing to another",
	    normal_does_nothing_to_another },
	{ "P-7 any other reason ends, or is told", any_reason_ends_or_is_told },
	{ "P-7 kill cannot be trapped", kill_cannot_be_trapped },
	{ "P-7 kill by a link can be trapped", kill_by_a_link_can_be_trapped },
	{ "P-7 to a program without libmsg", to_a_program_without_libmsg },
	{ "P-8 monitors stack, and tell once", monitors_stack_and_tell_once },
	{ "P-8 a name is monitored as it is now",
	    a_name_is_monitored_as_it_is_now },
	{ "P-8 demonitor flushes, and tells", demonitor_flushes_and_tells },
	{ "P-9 late replies never arrive", late_replies_never_arrive },
	{ "P-10 a name has one owner", a_name_has_one_owner },
	{ "P-10 what was sent to a name arrives",
	    what_was_sent_to_a_name_arrives },
	{ "P-11 a timer is never early", a_timer_is_never_early },
	{ "P-11 a timer for a pid ends with it",
	    a_timer_for_a_pid_ends_with_it },
	{ "P-11 a timer for a name looks when it fires",
	    a_timer_for_a_name_looks_when_it_fires },
	{ "P-12 who is not alive has no names", who_is_not_alive_has_no_names },
	{ "P-12 supd tells what it knows", supd_tells_what_it_knows },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	return talk_main(argc, argv, cases, process_peers);
}
