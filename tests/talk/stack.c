/* SPDX-License-Identifier: ISC */
#include "stack.h"

#include "talk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the stack, upstream's example ---------------------------------------- */

#define DEPTH_MAX 16

struct stack {
	const char *how; /* what init does */
	const char *file;
	char items[DEPTH_MAX][64];
	int n;
	struct msg waiting; /* a caller that gets its reply later */
};

static struct msg_next
stack_init(void *state)
{
	struct stack *s = state;
	struct msg_next nothing;
	int fd;

	if (strcmp(s->how, "ignore") == 0)
		return msg_next_ignore();
	if (strcmp(s->how, "error") == 0)
		return msg_next_error("no_licence");
	if (strcmp(s->how, "stop") == 0)
		return msg_next_stop("no_disk");
	if (strcmp(s->how, "bad") == 0) {
		memset(&nothing, 0, sizeof(nothing));
		return nothing;
	}
	if (strcmp(s->how, "hang") == 0)
		msg_sleep(600000);
	if (strcmp(s->how, "slow") == 0) {
		msg_sleep(150);
		fd = open(s->file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		check(fd >= 0 && close(fd) == 0);
	}
	return msg_next_ok();
}

static struct msg_next
stack_pop(struct stack *s, struct msg_pack *reply)
{
	if (s->n > 0)
		msg_packf(reply, "%s", s->items[--s->n]);
	return msg_next_reply();
}

static struct msg_next
stack_call(void *state, const struct msg *call, struct msg_pack *reply)
{
	struct stack *s = state;
	char text[64];
	int ms = 0;

	if (msg_match(call, "pop"))
		return stack_pop(s, reply);
	if (msg_match(call, "later")) {
		s->waiting = msg_caller(call);
		return msg_next_noreply();
	}
	if (msg_match(call, "never"))
		return msg_next_noreply();
	if (msg_match(call, "pop_in %d", &ms)) {
		msg_sleep(ms);
		return stack_pop(s, reply);
	}
	if (msg_match(call, "delegate %63s", text)) {
		struct msg_pack p;

		msg_pack_init(&p);
		msg_pack_array(&p, 2);
		msg_pack_str(&p, "answer");
		msg_pack_caller(&p, call);
		check_ok(msg_pack_send_name(text, &p));
		msg_pack_fini(&p);
		return msg_next_noreply();
	}
	if (msg_match(call, "stop %63s", text))
		return msg_next_stop(text);
	return msg_next_refuse("a stack knows no such call");
}

static struct msg_next
stack_cast(void *state, const struct msg *m)
{
	struct stack *s = state;
	char text[64];

	if (msg_match(m, "push %63s", text)) {
		check(s->n < DEPTH_MAX);
		strcpy(s->items[s->n++], text);
		return msg_next_noreply();
	}
	/* The first reply counts; the second goes nowhere (G-3). */
	if (msg_match(m, "reply %63s", text)) {
		check_ok(msg_replyf(&s->waiting, "%s", text));
		return msg_next_noreply();
	}
	if (msg_match(m, "stop %63s", text))
		return msg_next_stop(text);
	return msg_next_unknown(m);
}

/* Answers a call that somebody else has got. */
static struct msg_next
stack_info(void *state, const struct msg *m)
{
	struct msg_unpack u;
	struct msg call;
	char tag[MSG_TAG_MAX + 1];

	(void)state;
	if (msg_unpack_tag(m, &u, tag) == 1 && strcmp(tag, "answer") == 0) {
		check_ok(msg_unpack_caller(&u, &call));
		check_ok(msg_replyf(&call, "from_another"));
	}
	return msg_next_noreply();
}

static void
stack_terminate(void *state, const char *reason)
{
	struct stack *s = state;

	(void)reason;
	if (strcmp(s->how, "other_end") == 0)
		msg_exit("other_end");
	if (strcmp(s->how, "slow_end") == 0)
		msg_sleep(600000);
}

/* stack NAME HOW FILE|ITEM... */
int
stack(char **args)
{
	static const struct msg_server_ops ops = {
		.init = stack_init,
		.handle_call = stack_call,
		.handle_cast = stack_cast,
		.handle_info = stack_info,
		.terminate = stack_terminate,
	};
	static struct stack s;
	const char *name = args[0];

	s.how = args[1];
	s.file = args[2];
	for (args += 2; *args != NULL; args++)
		snprintf(s.items[s.n++], sizeof(s.items[0]), "%s", *args);
	msg_server_main(&ops, &s, strcmp(name, NAMELESS) == 0 ? NULL : name);
}

/* --- what the cases share --------------------------------------------------
 */

int
stack_start(const char *name, const char *how, const char *item, int timeout_ms,
    msg_pid *ret_pid)
{
	const char *args[] = { "stack", name, how, item, NULL };

	return msg_server_start("peers", args, timeout_ms, ret_pid);
}

msg_pid
stack_started(const char *name, const char *item)
{
	msg_pid pid = 0;

	check_ok(stack_start(name, "ok", item, TALK_PATIENCE_MS, &pid));
	check(pid != 0);
	return pid;
}

/* The text of a key in a map; "" if there is none, or it is no text. */
static void
find_text(const struct msg *map, const char *key, char *ret, size_t size)
{
	struct msg_unpack u;
	const char *text;
	uint32_t n = 0;
	size_t len;

	ret[0] = '\0';
	check_ok(msg_unpack_init(&u, map->body, map->len));
	check_ok(msg_unpack_map(&u, &n));
	for (; n > 0; n--) {
		check_ok(msg_unpack_str(&u, &text, &len));
		if (len == strlen(key) && memcmp(text, key, len) == 0) {
			if (msg_unpack_str(&u, &text, &len) == 0)
				snprintf(ret, size, "%.*s", (int)len, text);
			return;
		}
		check_ok(msg_unpack_skip(&u));
	}
}

/* How supctl writes a pid. */
const char *
pid_text(msg_pid pid)
{
	static char text[40];

	snprintf(text, sizeof(text), "<%llu.%llu>",
	    (unsigned long long)pid >> 40,
	    (unsigned long long)pid & 0xffffffffffULL);
	return text;
}

void
info_text(const char *who, const char *key, char *ret, size_t size)
{
	struct msg info;

	check_ok(msg_info(who, &info));
	find_text(&info, key, ret, size);
	msg_free(&info);
}

/* The stack's next item is this one ("": none). */
void
check_pop(msg_pid pid, const char *want)
{
	struct msg reply;
	char text[64];

	check_ok(msg_callf(pid, TALK_PATIENCE_MS, &reply, "pop"));
	if (!msg_value(&reply, "%63s", text))
		strcpy(text, "");
	check_text(text, want);
	msg_free(&reply);
}

void
check_pop_name(const char *name, const char *want)
{
	msg_pid pid;

	check_ok(msg_whereis(name, &pid));
	check_pop(pid, want);
}

/* The next thing that comes is this end. */
void
check_down(uint64_t ref, const char *reason)
{
	const struct msg_pattern is = { .kinds = MSG_IS(MSG_DOWN), .ref = ref };
	struct msg m;

	check_int(msg_receive_match(&m, &is, 1, TALK_PATIENCE_MS), 1);
	check_text(m.body, reason);
	msg_free(&m);
}
