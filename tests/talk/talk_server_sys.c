/* SPDX-License-Identifier: ISC */
/* Reports and system operations of a server: rules G-13 and G-14. */
#include "probe.h"
#include "talk.h"

#include <errno.h>
#include <msg/server.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
sys_text(msg_pid pid, const char *op, const char *fmt_text)
{
	struct msg_pack p;
	int r;

	msg_pack_init(&p);
	msg_pack_str(&p, fmt_text);
	r = msg_sys(pid, op, &p, TALK_PATIENCE_MS, NULL);
	msg_pack_fini(&p);
	return r;
}

static int
sys_int(msg_pid pid, const char *op, int64_t n)
{
	struct msg_pack p;
	int r;

	msg_pack_init(&p);
	msg_pack_int(&p, n);
	r = msg_sys(pid, op, &p, TALK_PATIENCE_MS, NULL);
	msg_pack_fini(&p);
	return r;
}

static int
sys(msg_pid pid, const char *op, struct msg *ret)
{
	return msg_sys(pid, op, NULL, TALK_PATIENCE_MS, ret);
}

static void
check_state(msg_pid pid, long want)
{
	struct msg m;
	struct msg_unpack u;
	int64_t value = 0;
	uint32_t n;

	check_ok(sys(pid, "get_state", &m));
	check_ok(msg_unpack_init(&u, m.body, m.len));
	check_ok(msg_unpack_map(&u, &n));
	check_ok(msg_unpack_skip(&u));
	check_ok(msg_unpack_int(&u, &value));
	check_int(value, want);
	msg_free(&m);
}

/* --- G-13 ------------------------------------------------------------------
 */

static void
a_crash_is_reported_and_a_clean_end_is_not(void)
{
	msg_pid pid = probe_start("probe-13a", NULL, NULL);
	char from[64];

	check_ok(msg_castf(pid, "add 7"));
	check_ends(pid, "bad_kind", "bad_return_value");
	check(strstr(probe_errors(), "server probe-13a ") != NULL);
	check(strstr(probe_errors(), "ends: bad_return_value\n") != NULL);
	snprintf(from, sizeof(from), "call from <%llu.%llu>: [\"bad_kind\"]",
	    (unsigned long long)msg_self() >> 40,
	    (unsigned long long)msg_self() & 0xffffffffffULL);
	check(strstr(probe_errors(), from) != NULL);
	check(strstr(probe_errors(), "state: {\"value\":7}\n") != NULL);
	check_ok(msg_stop(probe_start("probe-13b", NULL, NULL),
	    "shutdown: moved", TALK_PATIENCE_MS));
	check_text(probe_errors(), "");
}

static void
what_is_secret_is_not_reported(void)
{
	msg_pid pid = probe_start("probe-13c", "hide", NULL);

	check_ends(pid, "bad_kind", "bad_return_value");
	check(strstr(probe_errors(), "(hidden)") != NULL);
	check(strstr(probe_errors(), "bad_kind") == NULL);
}

static void
a_formatter_that_fails_breaks_nothing(void)
{
	msg_pid pid = probe_start("probe-13d", NULL, NULL);
	struct msg m;
	char text[64];

	check_ok(msg_castf(pid, "add %d", -1));
	check_ok(sys(pid, "get_state", &m));
	check(msg_value(&m, "%63s", text));
	check_text(text, "format_state failed");
	msg_free(&m);
	check_ok(sys(pid, "get_status", NULL));
	check_ends(pid, "bad_kind", "bad_return_value");
	check(
	    strstr(probe_errors(), "state: \"format_state failed\"\n") != NULL);
}

/* --- G-14 ------------------------------------------------------------------
 */

static void
a_suspended_server_serves_only_system_requests(void)
{
	msg_pid pid = probe_start("probe-14a", NULL, NULL);
	struct msg_pack p;
	uint64_t ref;

	check_ok(msg_castf(pid, "note before"));
	check_ok(sys(pid, "suspend", NULL));
	check_ok(msg_castf(pid, "note after"));
	msg_pack_init(&p);
	msg_packf(&p, "[story]");
	check_ok(msg_request(pid, MSG_PACKED, p.data, p.len, &ref));
	msg_pack_fini(&p);
	check_state(pid, 0);
	check_int(msg_wait_response(ref, 50, NULL), -ETIMEDOUT);
	check_ok(sys(pid, "resume", NULL));
	check_ok(msg_wait_response(ref, TALK_PATIENCE_MS, NULL));
	check_story(pid, "");
}

static void
a_suspended_server_obeys_its_supervisor_and_terminate(void)
{
	msg_pid pid = probe_start("probe-14b", "trap", NULL);
	uint64_t ref;

	check_ok(sys(pid, "suspend", NULL));
	check_ok(msg_monitor(pid, &ref));
	stop_by_supervisor(pid, ref);
	check_told("terminate", "shutdown");
	pid = probe_start("probe-14c", NULL, NULL);
	check_ok(sys(pid, "suspend", NULL));
	check_ok(msg_monitor(pid, &ref));
	check_ok(sys_text(pid, "terminate", "enough"));
	check_told("terminate", "enough");
	check_down(ref, "enough");
}

static void
a_state_is_seen_and_replaced_and_stays_if_that_fails(void)
{
	msg_pid pid = probe_start("probe-14d", NULL, NULL);

	check_ok(msg_castf(pid, "add %d", 5));
	check_state(pid, 5);
	check_ok(sys_int(pid, "replace_state", 9));
	check_state(pid, 9);
	check_int(sys_int(pid, "replace_state", -1), -EREMOTEIO);
	check_state(pid, 9);
	check_int(sys(pid, "replace_state", NULL), -EREMOTEIO);
	check_int(sys(pid, "no_such_operation", NULL), -EREMOTEIO);
	pid = probe_start("probe-14e", "bare", NULL);
	check_int(sys(pid, "get_state", NULL), -EREMOTEIO);
}

static void
code_changes_only_while_suspended(void)
{
	msg_pid pid = probe_start("probe-14f", NULL, NULL);

	check_int(sys_int(pid, "change_code", 3), -EREMOTEIO);
	check_state(pid, 0);
	check_ok(sys(pid, "suspend", NULL));
	check_ok(sys_int(pid, "change_code", 3));
	check_int(sys_text(pid, "change_code", "?"), -EREMOTEIO);
	check_ok(sys(pid, "resume", NULL));
	check_state(pid, 3);
}

static long long
statistic(msg_pid pid, const char *key)
{
	struct msg m;
	struct msg_unpack u;
	const char *text;
	int64_t value = -1;
	uint32_t n;
	size_t len;

	check_ok(sys(pid, "statistics", &m));
	check_ok(msg_unpack_init(&u, m.body, m.len));
	check_ok(msg_unpack_map(&u, &n));
	for (; n > 0; n--) {
		check_ok(msg_unpack_str(&u, &text, &len));
		if (len == strlen(key) && memcmp(text, key, len) == 0)
			check_ok(msg_unpack_int(&u, &value));
		else
			check_ok(msg_unpack_skip(&u));
	}
	msg_free(&m);
	return value;
}

static void
statistics_count_messages_and_log_remembers_them(void)
{
	msg_pid pid = probe_start("probe-14g", NULL, NULL);
	struct msg m;
	char a[128], b[128];

	check_ok(msg_castf(pid, "note x"));
	check_ok(msg_callf(pid, TALK_PATIENCE_MS, NULL, "nothing"));
	check_int(statistic(pid, "messages_in"), 2);
	check_int(statistic(pid, "messages_out"), 1);
	check(statistic(pid, "uptime_ms") >= 0);
	check_ok(sys_int(pid, "log", 2));
	check_ok(msg_castf(pid, "note x"));
	check_ok(msg_callf(pid, TALK_PATIENCE_MS, NULL, "nothing"));
	check_ok(sys(pid, "log", &m));
	check(msg_match(&m, "%127s %127s", a, b));
	check(strncmp(a, "in call from ", 13) == 0);
	check(strstr(a, "[\"nothing\"]") != NULL);
	check(strncmp(b, "out reply from ", 15) == 0);
	msg_free(&m);
	check_ok(sys_int(pid, "log", 0));
	check_ok(sys(pid, "log", &m));
	check(m.len == 1 && memcmp(m.body, "\x90", 1) == 0);
	msg_free(&m);
	check_int(sys_int(pid, "log", 1 << 20), -EREMOTEIO);
}

static void
a_debug_function_hears_of_each_event(void)
{
	msg_pid pid = probe_start("probe-14h", "debug", NULL);

	check_ok(msg_callf(pid, TALK_PATIENCE_MS, NULL, "nothing"));
	check_story(pid, "debug:in debug:out debug:in");
}

static void
every_worker_answers_info_but_not_itself(void)
{
	msg_pid pid = probe_start("probe-14i", NULL, NULL);
	struct msg m;

	check_ok(sys(pid, "info", &m));
	msg_free(&m);
	check_int(sys(msg_self(), "info", NULL), -EDEADLK);
	check_int(msg_sys_name("probe-nobody", "info", NULL, -1, NULL), -ESRCH);
}

static void
who_is_no_server_refuses_all_but_info(void)
{
	static const char *const ops[] = { "get_state", "suspend", "statistics",
		"terminate", "frobnicate" };
	const char *args[] = { "plain", NULL };
	msg_pid pid;

	check_ok(msg_spawn("peers", args, &pid));
	check_ok(msg_callf(pid, TALK_PATIENCE_MS, NULL, "ping"));
	check_ok(sys(pid, "info", NULL));
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		check_int(sys(pid, ops[i], NULL), -EREMOTEIO);
		check(strstr(msg_strerror(-EREMOTEIO), "no server") != NULL);
	}
	/* And lives on. */
	check_ok(msg_callf(pid, TALK_PATIENCE_MS, NULL, "ping"));
	check_ok(msg_exit_to(pid, "kill"));
}

/* What supctl's `sys PID get_state` prints. */
static long
state_by_supctl(msg_pid pid)
{
	const char *supctl = getenv("SUPCTL");
	char command[512];
	long n = -1;
	FILE *f;

	snprintf(command, sizeof(command),
	    "timeout 60 '%s' sys '<%llu.%llu>' get_state",
	    supctl != NULL ? supctl : "supctl", (unsigned long long)pid >> 40,
	    (unsigned long long)pid & 0xffffffffffULL);
	f = popen(command, "re");
	check(f != NULL);
	check_int(fscanf(f, "%ld", &n), 1);
	check_int(pclose(f), 0);
	return n;
}

#define NAPS 600

static void
supctl_is_answered_ahead_of_what_waits(void)
{
	const char *args[] = { "napper", NULL };
	msg_pid pid;

	check_ok(msg_server_start("peers", args, TALK_PATIENCE_MS, &pid));
	for (int i = 0; i < NAPS; i++)
		check_ok(msg_castf(pid, "nap"));
	check(state_by_supctl(pid) < NAPS);
	check_ok(msg_exit_to(pid, "kill"));
}

/* --- roles other than the probe --------------------------------------------
 */

static int
plain(char **args)
{
	struct msg m;

	(void)args;
	check_ok(msg_open());
	check_ok(msg_ready());
	while (msg_receive(&m, -1) == 1) {
		if (m.kind == MSG_CALL)
			check_ok(msg_replyf(&m, "pong"));
		msg_free(&m);
	}
	return 1;
}

static struct msg_next
nap(void *state, const struct msg *m)
{
	long *naps = state;

	(void)m;
	usleep(100 * 1000);
	++*naps;
	return msg_next_noreply();
}

static void
format_naps(const void *state, struct msg_pack *out)
{
	msg_packf(out, "%ld", *(const long *)state);
}

static int
napper(char **args)
{
	static const struct msg_server_ops ops = {
		.handle_cast = nap,
		.format_state = format_naps,
	};
	static long naps;

	(void)args;
	msg_server_main(&ops, &naps, NULL);
}

static const struct talk_case cases[] = {
	{ "G-13 a crash is reported, and a clean end is not",
	    a_crash_is_reported_and_a_clean_end_is_not },
	{ "G-13 what is secret is not reported",
	    what_is_secret_is_not_reported },
	{ "G-13 a formatter that fails breaks nothing",
	    a_formatter_that_fails_breaks_nothing },
	{ "G-14 a suspended server serves only system requests",
	    a_suspended_server_serves_only_system_requests },
	{ "G-14 a suspended server obeys its supervisor, and terminate",
	    a_suspended_server_obeys_its_supervisor_and_terminate },
	{ "G-14 a state is seen and replaced, and stays if that fails",
	    a_state_is_seen_and_replaced_and_stays_if_that_fails },
	{ "G-14 code changes only while suspended",
	    code_changes_only_while_suspended },
	{ "G-14 statistics count messages, and log remembers them",
	    statistics_count_messages_and_log_remembers_them },
	{ "G-14 a debug function hears of each event",
	    a_debug_function_hears_of_each_event },
	{ "G-14 every worker answers info, but not itself",
	    every_worker_answers_info_but_not_itself },
	{ "G-14 who is no server refuses all but info",
	    who_is_no_server_refuses_all_but_info },
	{ "G-14 supctl is answered ahead of all messages that wait",
	    supctl_is_answered_ahead_of_what_waits },
	{ NULL, NULL },
};

static const struct talk_role roles[] = {
	{ "napper", napper },
	{ "plain", plain },
	{ "probe", probe },
	{ NULL, NULL },
};

int
main(int argc, char **argv)
{
	return talk_main(argc, argv, cases, roles);
}
