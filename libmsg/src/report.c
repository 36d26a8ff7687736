/* SPDX-License-Identifier: ISC */
/*
 * What a server tells of itself: messages and states as text, the log of sys,
 * and the report of a crash (G-13).
 */
#include "server.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BODY_SHOWN  160
#define STATE_SHOWN 1024

/* --- a body as text --- */

struct out {
	char *at;
	size_t size, len; /* len: what there would be with room */
};

static void out(struct out *o, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static void
out(struct out *o, const char *fmt, ...)
{
	size_t left = o->len < o->size ? o->size - o->len : 0;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(left > 0 ? o->at + o->len : NULL, left, fmt, ap);
	va_end(ap);
	if (n > 0)
		o->len += (size_t)n;
}

/* In quotes; what would disturb a terminal or a line is escaped. */
static void
out_text(struct out *o, const char *text, size_t len)
{
	out(o, "\"");
	for (size_t i = 0; i < len && o->len < o->size; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '"' || c == '\\')
			out(o, "\\%c", c);
		else if (c == '\n')
			out(o, "\\n");
		else if (c < 0x20 || c == 0x7f)
			out(o, "\\u%04x", c);
		else
			out(o, "%c", c);
	}
	out(o, "\"");
}

static void
out_bytes(struct out *o, const unsigned char *p, size_t len)
{
	size_t i;

	for (i = 0; i < len && (isprint(p[i]) || p[i] >= 0x80); i++)
		;
	if (i == len) {
		out_text(o, (const char *)p, len);
		return;
	}
	out(o, "%zu bytes", len);
	for (i = 0; i < len && i < 16; i++)
		out(o, "%s%02x", i == 0 ? ": " : " ", p[i]);
	if (i < len)
		out(o, " ...");
}

static void
out_scalar(struct out *o, struct msg_unpack *u, enum msg_type type)
{
	const void *data = NULL;
	const char *text = NULL;
	int64_t i = 0;
	uint64_t n = 0;
	size_t len = 0;
	double d = 0;
	bool b = false;

	switch (type) {
	case MSG_TYPE_BOOL:
		(void)msg_unpack_bool(u, &b);
		out(o, "%s", b ? "true" : "false");
		return;
	case MSG_TYPE_INT:
		(void)msg_unpack_int(u, &i);
		out(o, "%" PRId64, i);
		return;
	case MSG_TYPE_UINT:
		(void)msg_unpack_uint(u, &n);
		out(o, "%" PRIu64, n);
		return;
	case MSG_TYPE_DOUBLE:
		(void)msg_unpack_double(u, &d);
		out(o, "%.15g", d);
		return;
	case MSG_TYPE_STR:
		(void)msg_unpack_str(u, &text, &len);
		out_text(o, text, len);
		return;
	case MSG_TYPE_BIN:
		(void)msg_unpack_bin(u, &data, &len);
		out_bytes(o, data, len);
		return;
	case MSG_TYPE_EXT:
		(void)msg_unpack_skip(u);
		out(o, "ext");
		return;
	case MSG_TYPE_NIL:
	case MSG_TYPE_END:
	case MSG_TYPE_ARRAY:
	case MSG_TYPE_MAP:
		break;
	}
	(void)msg_unpack_skip(u);
	out(o, "null");
}

/* The body was checked: it is no deeper than MSG_PACK_DEPTH_MAX. */
static void
out_value(struct out *o, struct msg_unpack *u)
{
	enum msg_type type = msg_unpack_type(u);
	uint32_t n = 0;

	if (type != MSG_TYPE_ARRAY && type != MSG_TYPE_MAP) {
		out_scalar(o, u, type);
		return;
	}
	if (type == MSG_TYPE_ARRAY)
		(void)msg_unpack_array(u, &n);
	else
		(void)msg_unpack_map(u, &n);
	out(o, "%s", type == MSG_TYPE_ARRAY ? "[" : "{");
	for (uint32_t i = 0; i < n && o->len < o->size; i++) {
		if (i > 0)
			out(o, ",");
		out_value(o, u);
		if (type == MSG_TYPE_MAP) {
			out(o, ":");
			out_value(o, u);
		}
	}
	out(o, "%s", type == MSG_TYPE_ARRAY ? "]" : "}");
}

size_t
report_body(char *text, size_t size, enum msg_content content, const void *body,
    size_t len)
{
	struct out o = { .at = text, .size = size };
	struct msg_unpack u;

	text[0] = '\0';
	if (content == MSG_PACKED && msg_unpack_init(&u, body, len) == 0)
		out_value(&o, &u);
	else
		out_bytes(&o, body, len);
	if (o.len < size)
		return o.len;
	(void)snprintf(text + size - 4, 4, "...");
	return size - 1;
}

/* --- messages and states of a server --- */

static bool
whole(const struct msg_pack *p)
{
	return !p->failed && p->len > 0 &&
	       msg_unpack_check(p->data, p->len) == 0;
}

/* "call from <5.1>: ["add",3]" */
static void
show_message(
    const struct server *s, const struct msg *m, char *text, size_t size)
{
	static const char *const kinds[] = {
		[MSG_DATA] = "data",
		[MSG_CALL] = "call",
		[MSG_CAST] = "cast",
		[MSG_DOWN] = "down",
		[MSG_EXIT] = "exit",
		[MSG_REPLY] = "reply",
		[MSG_TIMEOUT] = "timeout",
	};
	struct out o = { .at = text, .size = size };
	char body[BODY_SHOWN];
	struct msg_pack p;

	out(&o, "%s", kinds[m->kind]);
	if (m->from != 0)
		out(&o, " from " PID_FMT, PID_ARG(m->from));
	msg_pack_init(&p);
	if (s->ops->format_message != NULL)
		s->ops->format_message(s->state, m, &p);
	if (s->ops->format_message == NULL)
		(void)report_body(
		    body, sizeof(body), m->content, m->body, m->len);
	else if (whole(&p))
		(void)report_body(
		    body, sizeof(body), MSG_PACKED, p.data, p.len);
	else
		(void)snprintf(body, sizeof(body), "(not shown)");
	msg_pack_fini(&p);
	if (m->len > 0 || s->ops->format_message != NULL)
		out(&o, ": %s", body);
}

void
report_state(const struct server *s, struct msg_pack *ret)
{
	struct msg_pack p;

	msg_pack_init(&p);
	if (s->ops->format_state != NULL)
		s->ops->format_state(s->state, &p);
	if (s->ops->format_state == NULL)
		msg_pack_nil(ret);
	else if (whole(&p))
		msg_pack_raw(ret, p.data, p.len);
	else
		msg_pack_str(ret, "format_state failed");
	msg_pack_fini(&p);
}

/* --- the log of sys --- */

void
report_event(struct server *s, const char *event, const struct msg *m)
{
	char *line;

	if (s->log_size > 0) {
		line = s->log[s->log_next];
		s->log_next = (s->log_next + 1) % s->log_size;
		if (s->log_n < s->log_size)
			s->log_n++;
		(void)snprintf(line, EVENT_MAX, "%s ", event);
		show_message(
		    s, m, line + strlen(line), EVENT_MAX - strlen(line));
	}
	if (s->debug != NULL)
		s->debug(s->debug_arg, event, m);
}

void
server_log_fini(struct server *s)
{
	free(s->log);
	s->log = NULL;
	s->log_size = s->log_n = s->log_next = 0;
}

/* --- the crash --- */

void
report_crash(const struct server *s, const char *reason)
{
	char text[8192], line[STATE_SHOWN];
	struct out o = { .at = text, .size = sizeof(text) };
	struct msg_pack p;

	out(&o, "server %s " PID_FMT " ends: %s\n",
	    s->name != NULL ? s->name : msg_path(), PID_ARG(msg_self()),
	    reason);
	if (s->message != NULL) {
		show_message(s, s->message, line, sizeof(line));
		out(&o, "  last message: %s\n", line);
	}
	if (s->ops->format_state != NULL) {
		msg_pack_init(&p);
		report_state(s, &p);
		if (!p.failed) {
			(void)report_body(
			    line, sizeof(line), MSG_PACKED, p.data, p.len);
			out(&o, "  state: %s\n", line);
		}
		msg_pack_fini(&p);
	}
	for (size_t i = 0; i < s->log_n; i++)
		out(&o, "  log: %s\n",
		    s->log[(s->log_next + s->log_size - s->log_n + i) %
			   s->log_size]);
	if (o.len >= sizeof(text))
		o.len = sizeof(text) - 1;
	(void)!write(STDERR_FILENO, text, o.len);
}
