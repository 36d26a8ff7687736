/* SPDX-License-Identifier: ISC */
#include "ctl/msgproc.h"

#include "base/clock.h"
#include "ctl/text.h"

#include <limits.h>
#include <poll.h>
#include <string.h>

#define OPEN_MAX_N 32            /* orders without an answer; supd takes 64 */
#define OUT_MAX    (1024 * 1024) /* unread lines: then supd keeps the rest */
#define LINE_MAX_  (1024 * 1024) /* longest order; supd's own limit */
#define SEND_NS    (10 * NS_PER_S)
#define PART_NS    (100 * NS_PER_MS) /* for the rest of a line of supd's */

/* An order that waits for its answer. */
struct order {
	int64_t id; /* of the request; 0: free */
	const struct kind *kind;
	json_t *mark; /* the "id" that it gave, or NULL */
};

struct proc {
	struct ctl *c;
	int in, out;
	bool in_ended, out_ended;
	bool needs_out;
	struct buf line;  /* of `in`, not whole yet */
	struct buf lines; /* for `out` */
	struct order open[OPEN_MAX_N];
	unsigned n_open;
};

/* What can be ordered: {KEY: TEXT, ...}, a method, and what answers. */
static const struct kind {
	const char *key;   /* also the method, but for reply */
	const char *param; /* what its value is */
	const char
	    *answer;      /* "kind" of the answer; NULL: only if it has an id */
	const char *into; /* member for the result; NULL: its members */
} kinds[] = {
	{ "send", "name", NULL, NULL },
	{ "cast", "name", NULL, NULL },
	{ "call", "name", "reply", "payload" },
	{ "reply", "ref", NULL, NULL },
	{ "register", "name", NULL, NULL },
	{ "unregister", "name", NULL, NULL },
	{ "whereis", "name", "whereis", "found" },
	{ "monitor", "name", "down", NULL },
	{ "exit", "name", NULL, NULL },
};

/* ---- towards the program --------------------------------------------------
 */

/* One line; takes it. */
static void
tell(struct proc *p, json_t *take)
{
	cleanup_(freep) char *text =
	    json_dumps(take, JSON_COMPACT | JSON_ENCODE_ANY);

	json_decref(take);
	if (text == NULL || p->out_ended)
		return;
	buf_puts(&p->lines, text);
	buf_puts(&p->lines, "\n");
}

static json_t *
mark_of(const json_t *mark)
{
	return mark != NULL ? json_deep_copy(mark) : json_null();
}

static void
tell_error(struct proc *p, const json_t *mark, int64_t code, const char *text)
{
	tell(p, json_pack("{s:s, s:o, s:I, s:s}", "kind", "error", "id",
		    mark_of(mark), "code", (json_int_t)code, "text", text));
}

/* poll(2) has said that there is room: that is PIPE_BUF at least. */
static void
flush_lines(struct proc *p)
{
	size_t len = p->lines.len < PIPE_BUF ? p->lines.len : PIPE_BUF;
	ssize_t n = write(p->out, p->lines.data, len);

	if (n > 0) {
		buf_drain(&p->lines, (size_t)n);
	} else if (n < 0 && errno != EAGAIN && errno != EINTR) {
		p->out_ended = true;
		buf_drain(&p->lines, p->lines.len);
	}
}

/* ---- orders ---------------------------------------------------------------
 */

static struct order *
order_find(struct proc *p, int64_t id)
{
	for (size_t i = 0; i < OPEN_MAX_N; i++)
		if (p->open[i].id == id)
			return &p->open[i];
	return NULL;
}

static const struct kind *
kind_of(const json_t *o)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (json_object_get(o, kinds[i].key) != NULL)
			return &kinds[i];
	return NULL;
}

/* The params of the method: what the order has, under their names. */
static json_t *
params_of(const struct kind *k, const json_t *o)
{
	json_t *params = json_deep_copy(o);

	json_object_set(params, k->param, json_object_get(o, k->key));
	if (strcmp(k->key, k->param) != 0)
		json_object_del(params, k->key);
	json_object_del(params, "id");
	if (json_object_get(o, "timeout") != NULL) {
		int64_t ns;

		json_object_del(params, "timeout");
		if (text_parse_duration(ctl_str(o, "timeout", ""), &ns))
			json_object_set_new(params, "timeout_ns",
			    json_integer(ns < 0 ? INT64_MAX : ns));
	}
	return params;
}

static void
order(struct proc *p, const json_t *o)
{
	const struct kind *k = kind_of(o);
	const json_t *mark = json_object_get(o, "id");
	struct order *w = order_find(p, 0);
	int64_t id;
	int r;

	if (k == NULL) {
		tell_error(p, mark, CTL_USAGE,
		    "an order has one of send, cast, call, reply, register, "
		    "unregister, whereis, monitor, exit");
		return;
	}
	p->c->client.deadline = mono_add(clock_mono(), SEND_NS);
	r = client_send(&p->c->client, k->key, params_of(k, o), &id);
	if (r < 0) {
		tell_error(p, mark, CTL_FAILED,
		    "supd does not take what is sent to it");
		return;
	}
	*w =
	    (struct order){ id, k, mark != NULL ? json_deep_copy(mark) : NULL };
	p->n_open++;
}

static void
order_line(struct proc *p, const char *text, size_t len)
{
	json_error_t e;
	json_t *o;
	char why[256];

	if (len == 0)
		return;
	o = json_loadb(text, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	if (json_is_object(o)) {
		order(p, o);
	} else {
		snprintf(why, sizeof(why), "not a JSON object: %s",
		    o == NULL ? e.text : "another value");
		tell_error(p, NULL, CTL_USAGE, why);
	}
	json_decref(o);
}

/* Take whole lines while there is room for their answers. */
static void
take_lines(struct proc *p)
{
	char *nl;

	while (p->n_open < OPEN_MAX_N && p->line.len != 0 &&
	       (nl = memchr(p->line.data, '\n', p->line.len)) != NULL) {
		size_t len = (size_t)(nl - p->line.data);

		order_line(p, p->line.data, len);
		buf_drain(&p->line, len + 1);
	}
	if (p->in_ended && p->n_open < OPEN_MAX_N && p->line.len != 0 &&
	    memchr(p->line.data, '\n', p->line.len) == NULL) {
		order_line(p, p->line.data, p->line.len);
		buf_drain(&p->line, p->line.len);
	}
	if (p->line.len > LINE_MAX_ &&
	    memchr(p->line.data, '\n', p->line.len) == NULL) {
		tell_error(p, NULL, CTL_USAGE, "a line is longer than 1 MB");
		p->in_ended = true;
	}
}

static void
read_orders(struct proc *p)
{
	char chunk[64 * 1024];
	ssize_t n = read(p->in, chunk, sizeof(chunk));

	if (n > 0)
		buf_add(&p->line, chunk, (size_t)n);
	else if (n == 0 || (errno != EAGAIN && errno != EINTR))
		p->in_ended = true;
}

/* ---- supd's answers --------------------------------------------------------
 */

static void
answered(struct proc *p, struct order *w, const json_t *msg)
{
	json_t *error = json_object_get(msg, "error");
	json_t *result = json_object_get(msg, "result"), *line;

	if (error != NULL) {
		tell_error(p, w->mark, ctl_int(error, "code", CTL_FAILED),
		    ctl_str(error, "message", "it failed"));
	} else if (w->kind->answer != NULL || w->mark != NULL) {
		line = json_pack("{s:s, s:o}", "kind",
		    w->kind->answer != NULL ? w->kind->answer : "done", "id",
		    mark_of(w->mark));
		if (w->kind->into != NULL)
			json_object_set(line, w->kind->into, result);
		else
			json_object_update(line, result);
		tell(p, line);
	}
	json_decref(w->mark);
	*w = (struct order){ 0 };
	p->n_open--;
}

static void
take_message(struct proc *p, json_t *msg)
{
	const json_t *params = json_object_get(msg, "params");
	json_t *m = json_object_get(params, "message");
	int64_t id = ctl_int(msg, "id", 0);
	struct order *w = id > 0 ? order_find(p, id) : NULL;
	int64_t lost = ctl_int(params, "lost", 0);

	if (lost > 0)
		tell(p, json_pack("{s:s, s:I}", "kind", "lost", "n",
			    (json_int_t)lost));
	if (m != NULL)
		tell(p, json_incref(m));
	else if (w != NULL)
		answered(p, w, msg);
	json_decref(msg);
}

/* False when supd has gone. */
static bool
read_answers(struct proc *p)
{
	json_t *msg;
	int r;

	do {
		p->c->client.deadline = mono_add(clock_mono(), PART_NS);
		r = client_recv(&p->c->client, &msg);
		if (r == 0)
			take_message(p, msg);
	} while (r == 0 && client_has_line(&p->c->client));
	return r == 0 || r == -ETIMEDOUT;
}

static bool
finished(const struct proc *p)
{
	bool unread = p->line.len != 0;

	return (p->out_ended && p->needs_out) ||
	       (p->in_ended && !unread && p->n_open == 0 &&
		   (p->lines.len == 0 || p->out_ended));
}

static int
turn(struct proc *p)
{
	bool more = p->n_open < OPEN_MAX_N && !p->in_ended;
	struct pollfd fds[] = {
		{ .fd = p->lines.len < OUT_MAX ? p->c->client.fd : -1,
		    .events = POLLIN },
		{ .fd = more ? p->in : -1, .events = POLLIN },
		{ .fd = p->out_ended ? -1 : p->out,
		    .events = p->lines.len != 0 ? POLLOUT : 0 },
	};

	if (poll(fds, ARRAY_LEN(fds), -1) < 0)
		return errno == EINTR ? CTL_OK : CTL_FAILED;
	if (fds[1].revents != 0)
		read_orders(p);
	take_lines(p);
	if (fds[0].revents != 0 && !read_answers(p)) {
		ctl_errx(p->c, "supd has ended (%s)", p->c->socket);
		return CTL_NOT_RUNNING;
	}
	take_lines(p);
	if ((fds[2].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0)
		p->out_ended = true;
	else if ((fds[2].revents & POLLOUT) != 0)
		flush_lines(p);
	return CTL_OK;
}

int
msgproc_run(struct ctl *c, int in, int out, bool needs_out)
{
	struct proc p = {
		.c = c, .in = in, .out = out, .needs_out = needs_out
	};
	int code = CTL_OK;

	while (code == CTL_OK && !finished(&p))
		code = turn(&p);
	for (size_t i = 0; i < OPEN_MAX_N; i++)
		json_decref(p.open[i].mark);
	buf_fini(&p.line);
	buf_fini(&p.lines);
	close(in);
	close(out);
	return code;
}
