/* SPDX-License-Identifier: ISC */
#include "probe.h"

#include "talk.h"

#include <errno.h>
#include <msg/supervisor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the probe: a server that does as it is told, and tells ----------------
 */

#define BLOCKS 65536 /* of 1 KiB: what hibernation gives back */

struct probe {
	msg_pid watcher; /* hears of terminate */
	char secret[16];
	long value;
	char story[512]; /* what its functions were called with */
	char *blocks[BLOCKS];
};

static void
note(struct probe *p, const char *what, const char *more)
{
	size_t n = strlen(p->story);

	snprintf(p->story + n, sizeof(p->story) - n, "%s%s%s%s",
	    n > 0 ? " " : "", what, *more != '\0' ? ":" : "", more);
}

static long
resident_kb(void)
{
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "re");

	check(f != NULL && fscanf(f, "%*d %ld", &pages) == 1);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE) / 1024;
}

/* Much memory, all given back to malloc but for what lies on top. */
static long
fill_and_free(struct probe *p)
{
	long kb;

	for (size_t i = 0; i < BLOCKS; i++) {
		p->blocks[i] = malloc(1000);
		check(p->blocks[i] != NULL);
		memset(p->blocks[i], 1, 1000);
	}
	kb = resident_kb();
	for (size_t i = 0; i + 1 < BLOCKS; i++)
		free(p->blocks[i]);
	return kb;
}

/* Calls about what a function may return. */
static bool
call_next(struct probe *p, const struct msg *call, struct msg_pack *reply,
    struct msg_next *ret)
{
	char text[64];
	int ms;

	*ret = msg_next_reply();
	if (msg_match(call, "stop %63s", text))
		*ret = msg_next_stop(text);
	else if (msg_match(call, "stop_reply %63s", text)) {
		msg_packf(reply, "last");
		*ret = msg_next_stop_reply(text);
	} else if (msg_match(call, "refuse"))
		*ret = msg_next_refuse("not %s", "today");
	else if (msg_match(call, "nothing"))
		return true;
	else if (msg_match(call, "bad_kind"))
		memset(ret, 0, sizeof(*ret));
	else if (msg_match(call, "bad_place"))
		*ret = msg_next_ignore();
	else if (msg_match(call, "bad_reply"))
		msg_pack_array(reply, 3);
	else if (msg_match(call, "timeout %d", &ms))
		*ret = msg_next_timeout(*ret, ms);
	else if (msg_match(call, "continue %63s", text))
		*ret = msg_next_continue(*ret, text);
	else if (msg_match(call, "hibernate")) {
		msg_packf(reply, "%ld", fill_and_free(p));
		*ret = msg_next_hibernate(*ret);
	} else if (msg_match(call, "unknown"))
		*ret = msg_next_unknown(call);
	else
		return false;
	return true;
}

static struct msg_next
probe_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	struct probe *p = state;
	struct msg_next next;
	char text[64];
	int ms;

	if (call_next(p, call, reply, &next))
		return next;
	if (msg_match(call, "story")) {
		msg_packf(reply, "%s", p->story);
		p->story[0] = '\0';
	} else if (msg_match(call, "rss")) {
		msg_packf(reply, "%ld", resident_kb());
	} else if (msg_match(call, "exit %63s", text)) {
		msg_exit(text);
	} else if (msg_match(call, "sleep %d", &ms)) {
		msg_sleep(ms);
	} else {
		note(p, "call", "");
	}
	return msg_next_reply();
}

static struct msg_next
probe_cast(void *state, const struct msg *m)
{
	struct msg_next next = msg_next_noreply();
	struct probe *p = state;
	char text[64];
	int ms;

	if (msg_match(m, "add %ld", &p->value))
		return next;
	if (msg_match(m, "note %63s", text))
		note(p, "cast", text);
	else if (msg_match(m, "reply"))
		next = msg_next_reply();
	else if (msg_match(m, "link %63s", text)) {
		msg_pid pid;

		check_ok(msg_trap_exit(true));
		check_ok(msg_whereis(text, &pid));
		check_ok(msg_link(pid));
	} else if (msg_match(m, "timeout %d", &ms)) {
		note(p, "cast", "");
		next = msg_next_timeout(next, ms);
	} else
		next = msg_next_unknown(m);
	return next;
}

static struct msg_next
probe_info(void *state, const struct msg *m)
{
	struct probe *p = state;
	char text[64];

	switch (m->kind) {
	case MSG_TIMEOUT:
		note(p, "timeout", m->ref == 0 ? "" : "timer");
		check_ok(msg_sendf(p->watcher, "timed_out yes"));
		break;
	case MSG_EXIT:
		note(p, "exit", m->body);
		break;
	case MSG_DOWN:
		note(p, "down", m->body);
		break;
	case MSG_DATA:
	case MSG_CALL:
	case MSG_CAST:
	case MSG_REPLY:
		if (!msg_match(m, "%63s", text))
			strcpy(text, "?");
		note(p, "info", text);
		break;
	}
	return msg_next_noreply();
}

/* "more" goes on twice: more, then last. */
static struct msg_next
probe_continue(void *state, const char *tag)
{
	struct probe *p = state;

	note(p, "continue", tag);
	return strcmp(tag, "more") == 0
	           ? msg_next_continue(msg_next_noreply(), "last")
	           : msg_next_noreply();
}

static void
probe_terminate(void *state, const char *reason)
{
	struct probe *p = state;

	check_ok(msg_sendf(p->watcher, "terminate %s", reason));
	if (strcmp(reason, "twice") == 0)
		msg_exit("crashed_in_terminate");
}

static void
probe_format_state(const void *state, struct msg_pack *out)
{
	const struct probe *p = state;

	if (p->value == -1)
		msg_pack_array(out, 5); /* a formatter that is broken */
	else
		msg_packf(out, "{value %ld}", p->value);
}

static void
probe_format_message(
    const void *state, const struct msg *m, struct msg_pack *out)
{
	(void)state;
	(void)m;
	msg_packf(out, "(hidden)");
}

static int
probe_replace_state(void *state, struct msg_unpack *value)
{
	struct probe *p = state;
	int64_t n;

	if (msg_unpack_int(value, &n) != 0 || n < 0)
		return -EDOM;
	p->value = (long)n;
	return 0;
}

static int
probe_code_change(void *state, struct msg_unpack *args)
{
	struct probe *p = state;
	int64_t n;
	int r = msg_unpack_int(args, &n);

	if (r == 0)
		p->value += (long)n;
	return r;
}

static void
probe_debug(void *arg, const char *event, const struct msg *m)
{
	struct probe *p = arg;

	if (m->kind == MSG_CALL || m->kind == MSG_REPLY)
		note(p, "debug", event);
}

static bool
flag(char **args, const char *what)
{
	for (; *args != NULL; args++) {
		if (strcmp(*args, what) == 0)
			return true;
	}
	return false;
}

static char **probe_args;

static struct msg_next
probe_init(void *state)
{
	struct probe *p = state;

	if (flag(probe_args, "trap"))
		check_ok(msg_trap_exit(true));
	if (flag(probe_args, "debug"))
		msg_server_debug(probe_debug, p);
	if (flag(probe_args, "continue"))
		return msg_next_continue(msg_next_ok(), "begin");
	if (flag(probe_args, "timeout"))
		return msg_next_timeout(msg_next_ok(), 0);
	return msg_next_ok();
}

/* probe NAME WATCHER STDERR FLAG... */
int
probe(char **args)
{
	static struct msg_server_ops ops = {
		.init = probe_init,
		.handle_call = probe_call,
		.handle_cast = probe_cast,
		.handle_info = probe_info,
		.handle_continue = probe_continue,
		.terminate = probe_terminate,
		.format_state = probe_format_state,
		.replace_state = probe_replace_state,
		.code_change = probe_code_change,
	};
	static struct probe p;

	probe_args = args + 3;
	p.watcher = strtoull(args[1], NULL, 10);
	check(freopen(args[2], "we", stderr) != NULL);
	setvbuf(stderr, NULL, _IONBF, 0);
	if (flag(probe_args, "hide"))
		ops.format_message = probe_format_message;
	if (flag(probe_args, "bare"))
		ops = (struct msg_server_ops){ .terminate = probe_terminate };
	if (flag(probe_args, "idle"))
		ops.hibernate_after_ms = 1;
	msg_server_main(&ops, &p, args[0]);
}

/* --- what the cases share --------------------------------------------------
 */

static char error_file[512];

msg_pid
probe_start(const char *name, const char *flag1, const char *flag2)
{
	char watcher[32];
	const char *args[] = { "probe", name, watcher, error_file, flag1,
		flag1 != NULL ? flag2 : NULL, NULL };
	msg_pid pid = 0;
	int r;

	snprintf(error_file, sizeof(error_file), "%s/%s.err",
	    getenv("TALK_DIR"), name);
	snprintf(
	    watcher, sizeof(watcher), "%llu", (unsigned long long)msg_self());
	r = msg_server_start("peers", args, TALK_PATIENCE_MS, &pid);
	check_ok(r);
	return pid;
}

void
check_story(msg_pid pid, const char *want)
{
	struct msg reply;
	char text[512];

	check_ok(msg_callf(pid, TALK_PATIENCE_MS, &reply, "story"));
	check(msg_value(&reply, "%511s", text));
	check_text(text, want);
	msg_free(&reply);
}

/* Ask until its story has become this. */
void
wait_story(msg_pid pid, const char *want)
{
	char text[1024] = "";
	struct msg reply;
	size_t n;

	for (int i = 0; i < TALK_PATIENCE_MS / 10; i++) {
		n = strlen(text);
		check_ok(msg_callf(pid, TALK_PATIENCE_MS, &reply, "story"));
		check(msg_value(&reply, "%511s", text + n));
		msg_free(&reply);
		if (strcmp(text, want) == 0)
			return;
		msg_sleep(10);
	}
	check_text(text, want);
}

/* The next message is this [tag, text]. */
void
check_told(const char *tag, const char *want)
{
	const struct msg_pattern is = { .kinds = MSG_IS(MSG_DATA), .tag = tag };
	struct msg m;
	char text[64];

	check_int(msg_receive_match(&m, &is, 1, TALK_PATIENCE_MS), 1);
	check(msg_match(&m, "%*s %63s", text));
	check_text(text, want);
	msg_free(&m);
}

void
check_down(uint64_t ref, const char *reason)
{
	const struct msg_pattern is = { .kinds = MSG_IS(MSG_DOWN), .ref = ref };
	struct msg m;

	check_int(msg_receive_match(&m, &is, 1, TALK_PATIENCE_MS), 1);
	check_text(m.body, reason);
	msg_free(&m);
}

/* The "path" of msg_info(). */
static bool
path_of(const struct msg *info, char *ret, size_t size)
{
	struct msg_unpack u;
	const char *key, *text;
	size_t key_len, len;
	uint32_t n;

	check_ok(msg_unpack_init(&u, info->body, info->len));
	check_ok(msg_unpack_map(&u, &n));
	for (; n > 0; n--) {
		check_ok(msg_unpack_str(&u, &key, &key_len));
		if (key_len == 4 && memcmp(key, "path", 4) == 0) {
			check_ok(msg_unpack_str(&u, &text, &len));
			snprintf(ret, size, "%.*s", (int)len, text);
			return true;
		}
		check_ok(msg_unpack_skip(&u));
	}
	return false;
}

/* Its supervisor stops it.  Returns when it is dead. */
void
stop_by_supervisor(msg_pid pid, uint64_t down)
{
	const struct msg_pattern is = { .kinds = MSG_IS(MSG_DOWN),
		.ref = down };
	char who[40], path[256];
	struct msg m;

	snprintf(who, sizeof(who), "<%llu.%llu>", (unsigned long long)pid >> 40,
	    (unsigned long long)pid & 0xffffffffffULL);
	check_ok(msg_info(who, &m));
	check(path_of(&m, path, sizeof(path)));
	msg_free(&m);
	check_ok(msg_terminate_child("peers", strrchr(path, '/') + 1));
	check_int(msg_receive_match(&m, &is, 1, TALK_PATIENCE_MS), 1);
	check_text(m.body, "shutdown");
	msg_free(&m);
}

void
check_nothing_told(void)
{
	struct msg m;

	check_int(msg_receive(&m, 0), 0);
}

const char *
probe_errors(void)
{
	static char text[16384];
	FILE *f = fopen(error_file, "re");
	size_t n;

	check(f != NULL);
	n = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[n] = '\0';
	return text;
}

/* A call that ends the server, with this reason. */
void
check_ends(msg_pid pid, const char *request, const char *reason)
{
	struct msg_pack p;
	uint64_t ref;

	check_ok(msg_monitor(pid, &ref));
	msg_pack_init(&p);
	msg_pack_array(&p, 1);
	msg_pack_str(&p, request);
	check_int(msg_pack_call(pid, &p, TALK_PATIENCE_MS, NULL), -ECONNRESET);
	msg_pack_fini(&p);
	check_down(ref, reason);
}
