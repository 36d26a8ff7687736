/* SPDX-License-Identifier: ISC */
/*
 * One connection for everything: so what an answer has to say comes after the
 * events that came before it.
 */
#include "live.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void
broken(struct live *l, const char *what)
{
	if (l->broken[0] == '\0')
		snprintf(l->broken, sizeof(l->broken), "%s", what);
}

/* The request's number. */
static int
ask(struct live *l, const char *method, json_t *params)
{
	int id = ++l->rpc;
	json_t *r = json_pack("{sssisssO}", "jsonrpc", "2.0", "id", id,
	    "method", method, "params", params);
	char *text = json_dumps(r, JSON_COMPACT);
	size_t len = strlen(text);

	text[len++] = '\n';
	/* If supd has ended, there may still be something to read. */
	(void)!send(l->control, text, len, MSG_NOSIGNAL);
	free(text);
	json_decref(r);
	json_decref(params);
	return id;
}

bool
live_connect(struct live *l)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%s/r/control.sock", l->dir);
	if (fd < 0)
		return false;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		return false;
	}
	l->control = fd;
	ask(l, "events", json_pack("{sisb}", "n", 1000, "follow", 1));
	return true;
}

void
live_ask_status(struct live *l)
{
	if (l->status_rpc == 0 && !l->gone)
		l->status_rpc = ask(l, "status", json_object());
}

/* ---- calls -----------------------------------------------------------------
 */

static void
call_add(struct live *l, struct live_call *c)
{
	const struct item *it = &l->s->item[c->id];
	char path[LIVE_PATH], *spec;
	int *n = &l->n_pool[it->parent];

	if (!live_path(l, it->parent, path, sizeof(path))) {
		c->outcome = LIVE_NOT_ASKED;
		return;
	}
	if (l->s->item[it->parent].strategy == SIMPLE_ONE_FOR_ONE)
		l->pool_child[it->parent][++*n] = c->id;
	spec = live_spec(l, c->id);
	c->rpc = ask(l, "add",
	    json_pack("{sssssb}", "path", path, "spec", spec, "wait", 1));
	free(spec);
}

void
live_call(struct live *l, const struct op *o, bool skip)
{
	static const char *const methods[OP_N] = {
		[OP_TERMINATE] = "stop",
		[OP_RESTART] = "start",
		[OP_DELETE] = "remove",
	};
	struct live_call *c = &l->call[l->n_calls++];
	char path[LIVE_PATH];

	*c = (struct live_call){ .id = o->id, .op = o->kind };
	if (skip || l->gone || l->pid == 0)
		c->outcome = LIVE_NOT_ASKED;
	else if (o->kind == OP_START)
		call_add(l, c);
	else if (!live_path(l, o->id, path, sizeof(path)))
		c->outcome = LIVE_NOT_ASKED;
	else
		c->rpc = ask(l, methods[o->kind],
		    json_pack("{sssb}", "path", path, "wait", 1));
}

static void
take_answer(struct live *l, int id, const json_t *error)
{
	for (int i = 0; i < l->n_calls; i++) {
		struct live_call *c = &l->call[i];
		const char *why =
		    json_string_value(json_object_get(error, "message"));

		if (c->rpc != id)
			continue;
		c->outcome = error != NULL ? LIVE_FAILED : LIVE_OK;
		snprintf(c->why, sizeof(c->why), "%s", why != NULL ? why : "");
	}
}

/* ---- status ----------------------------------------------------------------
 */

static void
take_status(struct live *l, json_t *rows)
{
	size_t i;
	json_t *row;

	json_decref(l->status);
	l->status = json_incref(rows);
	l->status_new = true;
	memset(l->node, 0, sizeof(l->node));
	json_array_foreach(rows, i, row)
	{
		const char *path =
		    json_string_value(json_object_get(row, "path"));
		const char *state =
		    json_string_value(json_object_get(row, "state"));
		const char *type =
		    json_string_value(json_object_get(row, "type"));
		int id = path != NULL ? live_item(l, path) : 0;
		struct live_node *n = &l->node[id];

		if (id == 0 || state == NULL || type == NULL) {
			broken(l, "a row of status that is nobody's");
			return;
		}
		n->seen = true;
		n->is_sup = strcmp(type, "supervisor") == 0;
		n->busy = json_is_true(json_object_get(row, "busy"));
		n->pid = (pid_t)json_integer_value(json_object_get(row, "pid"));
		snprintf(n->state, sizeof(n->state), "%s", state);
	}
}

/* ---- events ----------------------------------------------------------------
 */

/* It was dead before it could be told. */
static bool
was_dead(struct live *l, pid_t pid)
{
	const struct live_proc *p = live_by_pid(l, pid);

	return p != NULL && p->doomed;
}

static void
start_failed(struct live *l, int id, pid_t pid)
{
	const struct live_proc *p = live_by_pid(l, pid);

	if (l->s->item[id].is_sup) {
		buf_printf(l->out, "failed %d\n", id);
		l->root_failed |= id == 1;
		return;
	}
	if (p != NULL && p->doomed) {
		buf_printf(l->out, "fail %d\n", id);
		return;
	}
	buf_printf(l->out, "kill %d\n", id);
	l->late |= p == NULL || !p->held;
}

static void
told_to_stop(struct live *l, int id, pid_t pid, const char *text)
{
	if (l->s->item[id].is_sup || was_dead(l, pid))
		return;
	if (strncmp(text, "SIGKILL", 7) == 0)
		buf_printf(l->out, "kill %d\n", id);
	else if (l->s->item[id].shutdown_ms != 0)
		buf_printf(l->out, "stop %d\n", id);
}

static void
signalled(struct live *l, int id, pid_t pid, const char *text)
{
	if (strncmp(text, "SIGKILL", 7) != 0 || was_dead(l, pid))
		return;
	buf_printf(l->out, "kill %d\n", id);
	l->late |= l->s->item[id].on_stop != ON_STOP_REFUSE &&
	           l->s->item[id].shutdown_ms != 0;
}

static const char *
reason_word(const char *text)
{
	if (strncmp(text, "exit 1", 6) == 0)
		return "crash";
	if (strncmp(text, "exit 0", 6) == 0)
		return "normal";
	return strstr(text, "kill") != NULL || strstr(text, "KILL") != NULL
	           ? "killed"
	           : "shutdown";
}

static void
take_event(struct live *l, const json_t *ev)
{
	const char *kind = json_string_value(json_object_get(ev, "kind"));
	const char *path = json_string_value(json_object_get(ev, "path"));
	const char *text = json_string_value(json_object_get(ev, "text"));
	pid_t pid = (pid_t)json_integer_value(json_object_get(ev, "pid"));
	int id = path != NULL ? live_item(l, path) : 0;
	bool is_sup = id > 0 && l->s->item[id].is_sup;

	if (id == 0 || kind == NULL || text == NULL)
		broken(l, "an event about nobody");
	else if (strcmp(kind, "starting") == 0)
		buf_printf(l->out, "start %d\n", id);
	else if (strcmp(kind, "ready") == 0 && is_sup)
		buf_printf(l->out, "up %d\n", id);
	else if (strcmp(kind, "start_error") == 0)
		start_failed(l, id, pid);
	else if (strcmp(kind, "stopping") == 0)
		told_to_stop(l, id, pid, text);
	else if (strcmp(kind, "signal") == 0)
		signalled(l, id, pid, text);
	else if (strcmp(kind, "stopped") == 0 && is_sup)
		buf_printf(l->out, "end %d\n", id);
	else if (strcmp(kind, "ended") == 0)
		buf_printf(l->out, "end %d self\n", id);
	else if (strcmp(kind, "gave_up") == 0)
		buf_printf(l->out, "gave_up %d\n", id);
	else if (strcmp(kind, "shutdown_error") == 0)
		buf_printf(
		    l->out, "shutdown_error %d %s\n", id, reason_word(text));
}

/* ---- reading ---------------------------------------------------------------
 */

static void
take_line(struct live *l, const char *line)
{
	json_t *m = json_loads(line, 0, NULL);
	const json_t *params = json_object_get(m, "params");
	const json_t *error = json_object_get(m, "error");
	json_t *result = json_object_get(m, "result");
	int id = (int)json_integer_value(json_object_get(m, "id"));

	if (json_object_get(params, "lost") != NULL)
		broken(l, "supd has lost events");
	else if (params != NULL)
		take_event(l, json_object_get(params, "event"));
	else if (id != 0 && id == l->status_rpc) {
		l->status_rpc = 0;
		if (json_is_array(result))
			take_status(l, result);
	} else {
		take_answer(l, id, error);
	}
	json_decref(m);
}

void
live_read(struct live *l)
{
	char chunk[16384], *end;
	ssize_t n;

	while ((n = recv(l->control, chunk, sizeof(chunk), MSG_DONTWAIT)) > 0)
		buf_add(&l->in, chunk, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		l->gone = true;
	while (l->in.len > 0 && (end = strchr(l->in.data, '\n')) != NULL) {
		*end = '\0';
		take_line(l, l->in.data);
		buf_drain(&l->in, (size_t)(end - l->in.data) + 1);
	}
}
