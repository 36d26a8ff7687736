/* SPDX-License-Identifier: ISC */
/*
 * Talking to workers, and to the libmsg in them.
 */
#include "ctl/ctl.h"
#include "ctl/print_status.h"
#include "ctl/print_talk.h"
#include "ctl/verbs.h"

#include <string.h>

/* JSON from the command line, or NULL, which has been told. */
static json_t *
parse_json(struct ctl *c, const char *what, const char *text)
{
	json_error_t e;
	json_t *v;

	v = json_loads(text,
	    JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	if (v == NULL)
		ctl_errx(c,
		    "%s: %s is not JSON: %s at character %d; text needs its "
		    "quotes: '\"text\"'",
		    c->verb->name, what, e.text, e.position);
	return v;
}

int
talk_ask(struct ctl *c, const char *method, json_t *params)
{
	json_t *reply = NULL;
	int code;

	if (params != NULL && c->timeout_ns >= 0)
		json_object_set_new(
		    params, "timeout_ns", json_integer(c->timeout_ns));
	code = ctl_connect(c);
	if (code != CTL_OK) {
		json_decref(params);
		return code;
	}
	ctl_allow_grace(c);
	code = ctl_call(c, method, params, &reply);
	if (code == CTL_OK)
		ctl_print_json(c, reply);
	json_decref(reply);
	return code;
}

int
talk_call(struct ctl *c, int argc, char **argv)
{
	json_t *payload = parse_json(c, "MSG", argv[1]);

	(void)argc;
	if (payload == NULL)
		return ctl_usage(c);
	return talk_ask(c, "call",
	    json_pack("{s:s, s:o}", "name", argv[0], "payload", payload));
}

static int
oneway(struct ctl *c, const char *method, char **argv)
{
	json_t *payload = parse_json(c, "MSG", argv[1]), *none = NULL;
	int code;

	if (payload == NULL)
		return ctl_usage(c);
	code = ctl_call(c, method,
	    json_pack("{s:s, s:o}", "name", argv[0], "payload", payload),
	    &none);
	json_decref(none);
	return code;
}

int
talk_send(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return oneway(c, "send", argv);
}

int
talk_cast(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	return oneway(c, "cast", argv);
}

int
talk_sys(struct ctl *c, int argc, char **argv)
{
	json_t *args = json_array();

	for (int i = 2; i < argc; i++) {
		json_t *v = parse_json(c, "an argument", argv[i]);

		if (v == NULL) {
			json_decref(args);
			return ctl_usage(c);
		}
		json_array_append_new(args, v);
	}
	return talk_ask(c, "sys",
	    json_pack("{s:s, s:s, s:o}", "name", argv[0], "op", argv[1], "args",
		args));
}

int
talk_info(struct ctl *c, int argc, char **argv)
{
	json_t *info = NULL;
	int code;

	(void)argc;
	code = ctl_call(c, "info", json_pack("{s:s}", "name", argv[0]), &info);
	if (code == CTL_OK && c->json)
		ctl_print_json(c, info);
	else if (code == CTL_OK && print_info(c->out, info) < 0) {
		ctl_errx(c, "out of memory");
		code = CTL_FAILED;
	}
	json_decref(info);
	return code;
}

static void
each_traced(struct ctl *c, const json_t *params)
{
	if (c->json)
		ctl_print_json(c, params);
	else
		print_traced(c->out, params);
}

/* Until it is interrupted. */
int
talk_trace(struct ctl *c, int argc, char **argv)
{
	(void)argc;
	c->follow = true;
	return ctl_stream(
	    c, "trace", json_pack("{s:s}", "name", argv[0]), each_traced);
}
