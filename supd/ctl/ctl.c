/* SPDX-License-Identifier: ISC */
#include "ctl/ctl.h"

#include "base/clock.h"
#include "ctl/text.h"
#include "ctl/verbs.h"

#include <string.h>
#include <unistd.h>

void
ctl_errx(const struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	fflush(c->out);
	fprintf(c->err, "%s: ", c->program != NULL ? c->program : "supctl");
	va_start(ap, fmt);
	vfprintf(c->err, fmt, ap);
	va_end(ap);
	fputc('\n', c->err);
}

void
ctl_say(const struct ctl *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet || c->json)
		return;
	va_start(ap, fmt);
	vfprintf(c->out, fmt, ap);
	va_end(ap);
	fputc('\n', c->out);
}

int
ctl_usage(const struct ctl *c)
{
	verb_print_usage(c->verb, c->err);
	return CTL_USAGE;
}

const char *
ctl_str(const json_t *o, const char *key, const char *otherwise)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s != NULL ? s : otherwise;
}

int64_t
ctl_int(const json_t *o, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(o, key);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool
ctl_bool(const json_t *o, const char *key)
{
	return json_is_true(json_object_get(o, key));
}

void
ctl_print_json(const struct ctl *c, const json_t *value)
{
	size_t flags = JSON_ENCODE_ANY | JSON_COMPACT;

	/* JSON escapes C0 itself; a terminal also obeys C1 in UTF-8. */
	if (isatty(fileno(c->out)))
		flags |= JSON_ENSURE_ASCII;
	json_dumpf(value, c->out, flags);
	fputc('\n', c->out);
}

/* A failed connection, in words. */
static int
tell_connect(const struct ctl *c, int r)
{
	switch (-r) {
	case ENOENT:
	case ENOTDIR:
		ctl_errx(c,
		    "supd is not running (no %s); start it with: "
		    "supd -c supd.yaml",
		    c->socket);
		return CTL_NOT_RUNNING;
	case ECONNREFUSED:
		ctl_errx(c,
		    "supd is not running (nobody listens on %s); "
		    "start it with: supd -c supd.yaml",
		    c->socket);
		return CTL_NOT_RUNNING;
	case EACCES:
	case EPERM:
		ctl_errx(c, "%s: %s; only root and supd's own user may use it",
		    c->socket, strerror(-r));
		return CTL_NOT_PERMITTED;
	case ENAMETOOLONG:
		ctl_errx(c, "%s: too long for a socket's path", c->socket);
		return CTL_USAGE;
	case ETIMEDOUT:
		ctl_errx(
		    c, "%s: supd is there, but takes no connection", c->socket);
		return CTL_TIMEOUT;
	default:
		ctl_errx(c, "connect %s: %s", c->socket, strerror(-r));
		return CTL_FAILED;
	}
}

/* A connection that broke down, in words. */
static int
tell_broken(const struct ctl *c, int r)
{
	char buf[TEXT_MAX];

	switch (-r) {
	case ETIMEDOUT:
		ctl_errx(c, "supd did not answer within %s",
		    text_period(c->timeout_ns, buf, sizeof(buf)));
		return CTL_TIMEOUT;
	case EPIPE:
		if (c->follow) {
			ctl_errx(c, "supd has ended (%s)", c->socket);
			return CTL_NOT_RUNNING;
		}
		ctl_errx(c,
		    "supd has ended, or closed the connection, before it "
		    "answered (%s)",
		    c->socket);
		return CTL_NOT_RUNNING;
	case EBADMSG:
		ctl_errx(c, "%s: the answer is no JSON-RPC; is this supd?",
		    c->socket);
		return CTL_FAILED;
	default:
		ctl_errx(c, "%s: %s", c->socket, strerror(-r));
		return CTL_FAILED;
	}
}

int
ctl_connect(struct ctl *c)
{
	int r;

	if (c->client.fd >= 0)
		return CTL_OK;
	r = client_open(
	    &c->client, c->socket, mono_add(clock_mono(), c->timeout_ns));
	return r < 0 ? tell_connect(c, r) : CTL_OK;
}

void
ctl_allow_grace(struct ctl *c)
{
	if (!mono_is_never(c->client.deadline))
		c->client.deadline = mono_add(c->client.deadline, CTL_GRACE_NS);
}

int
ctl_send(struct ctl *c, const char *method, json_t *params, int64_t *ret_id)
{
	int r = client_send(&c->client, method, params, ret_id);

	return r < 0 ? tell_broken(c, r) : CTL_OK;
}

int
ctl_receive(struct ctl *c, json_t **ret_msg)
{
	int r = client_recv(&c->client, ret_msg);

	return r < 0 ? tell_broken(c, r) : CTL_OK;
}

/* The errors of a file, with their places, as they are. */
static void
tell_plain(const struct ctl *c, const char *message)
{
	cleanup_(freep) char *copy = strdup(message);
	char *rest = copy, *line;

	fflush(c->out);
	while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
		cleanup_(freep) char *safe = text_escape(line);

		if (line[0] != '\0' || rest != NULL)
			fprintf(c->err, "%s\n", safe != NULL ? safe : "?");
	}
}

/* Tell the error of an answer: it may have several lines. */
static void
tell_error(const struct ctl *c, int64_t code, const char *message)
{
	cleanup_(freep) char *copy = strdup(message);
	char *rest = copy, *line;
	bool first = true;

	if (c->plain_errors && code == CTL_CONFIG) {
		tell_plain(c, message);
		return;
	}
	while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
		cleanup_(freep) char *safe = text_escape(line);

		if (line[0] == '\0' && rest == NULL)
			break;
		if (first)
			ctl_errx(c, "%s", safe != NULL ? safe : "?");
		else
			fprintf(c->err, "%s%s\n", line[0] == ' ' ? "" : "  ",
			    safe != NULL ? safe : "?");
		first = false;
	}
}

int
ctl_answer(struct ctl *c, json_t *msg, json_t **ret_result)
{
	json_t *error = json_object_get(msg, "error"), *data, *nodes;
	int64_t code;

	*ret_result = NULL;
	if (error == NULL) {
		json_t *result = json_object_get(msg, "result");

		*ret_result =
		    result != NULL ? json_incref(result) : json_null();
		json_decref(msg);
		return CTL_OK;
	}
	code = ctl_int(error, "code", CTL_FAILED);
	tell_error(c, code, ctl_str(error, "message", "supd gave no reason"));
	data = json_object_get(error, "data");
	nodes = json_object_get(data, "nodes");
	if (json_object_get(data, "changes") != NULL)
		*ret_result = json_incref(data);
	else if (json_is_array(nodes))
		*ret_result = json_incref(nodes);
	json_decref(msg);
	if (code == -32601 || code == -32602) /* JSON-RPC: method, params */
		return CTL_USAGE;
	return code > CTL_OK && code <= CTL_DIFFERS ? (int)code : CTL_FAILED;
}

/* An error without an id tells that supd could not even read the request. */
static bool
answers(const json_t *msg, int64_t id)
{
	if (json_object_get(msg, "method") != NULL)
		return false;
	return ctl_int(msg, "id", 0) == id ||
	       (json_object_get(msg, "error") != NULL &&
		   !json_is_integer(json_object_get(msg, "id")));
}

int
ctl_call(struct ctl *c, const char *method, json_t *params, json_t **ret_result)
{
	json_t *msg;
	int64_t id;
	int code;

	*ret_result = NULL;
	code = ctl_connect(c);
	if (code != CTL_OK) {
		json_decref(params);
		return code;
	}
	code = ctl_send(c, method, params, &id);
	while (code == CTL_OK) {
		code = ctl_receive(c, &msg);
		if (code != CTL_OK)
			break;
		if (answers(msg, id))
			return ctl_answer(c, msg, ret_result);
		json_decref(msg);
	}
	return code;
}

int
ctl_stream(struct ctl *c, const char *method, json_t *params,
    void (*each)(struct ctl *c, const json_t *params))
{
	json_t *msg, *result;
	int64_t id;
	int code;

	code = ctl_connect(c);
	if (code != CTL_OK) {
		json_decref(params);
		return code;
	}
	code = ctl_send(c, method, params, &id);
	if (c->follow)
		c->client.deadline = MONO_NEVER;
	while (code == CTL_OK) {
		code = ctl_receive(c, &msg);
		if (code != CTL_OK)
			break;
		if (answers(msg, id)) {
			code = ctl_answer(c, msg, &result);
			json_decref(result);
			break;
		}
		each(c, json_object_get(msg, "params"));
		json_decref(msg);
		/* Whoever follows wants each line when it comes. */
		if (c->follow && fflush(c->out) == EOF)
			code = CTL_FAILED;
	}
	return code;
}
