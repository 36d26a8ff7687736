/* SPDX-License-Identifier: ISC */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include "base/attr.h"
#include "base/mono.h"
#include "ctl/client.h"
#include "wire/wire.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * One run of supctl: what was asked, where to say it, and the connection.
 * JSON and answers go to `out`, what people should read besides to `err`.
 */

#define CTL_TIMEOUT_NS (10 * NS_PER_S)
/*
 * supd ends a call that waits when the time given to it is over, and says why;
 * supctl allows it this much for the answer to arrive.
 */
#define CTL_GRACE_NS (NS_PER_S)

struct verb;

struct ctl {
	const struct verb *verb;
	const char *program; /* for messages; NULL: supctl */
	FILE *out, *err;
	char socket[256];
	bool json, quiet, color;
	int64_t timeout_ns; /* < 0: for ever */
	bool wait;          /* --wait, --no-wait */
	bool tree;          /* -t */
	bool follow;        /* -f */
	bool strict;        /* --strict */
	bool literal;       /* "--" stood before the last arguments */
	int64_t n;          /* -n: lines or events */
	bool dry_run;       /* --dry-run */
	bool apply;         /* reload --apply */
	bool plain_errors;  /* those of a file: as supctl check prints them */
	int64_t repeat;     /* --repeat */
	int64_t every_ns;   /* --every */
	const char *sig;    /* kill -s */
	const char *until;  /* wait --for */
	struct client client;
};

/* "supctl: ...", or another program's name, on c->err. */
printf_(2, 3) void ctl_errx(const struct ctl *c, const char *fmt, ...);
/* Prose on c->out, unless -q or --json. */
printf_(2, 3) void ctl_say(const struct ctl *c, const char *fmt, ...);
/* Print how the verb is used, on c->err; returns CTL_USAGE. */
int ctl_usage(const struct ctl *c);

/* Connect, unless connected.  What fails is told.  Returns an exit code. */
must_check int ctl_connect(struct ctl *c);

/*
 * One call: takes `params`.  On CTL_OK *ret_result is the caller's (and never
 * NULL).  On failure the reason has been told and the exit code is returned;
 * *ret_result is then the "nodes" of the error, or NULL.
 */
must_check int ctl_call(
    struct ctl *c, const char *method, json_t *params, json_t **ret_result);

/* The two halves of ctl_call, for several calls at once. */
must_check int ctl_send(
    struct ctl *c, const char *method, json_t *params, int64_t *ret_id);
/* The next message, whatever it is. */
must_check int ctl_receive(struct ctl *c, json_t **ret_msg);
/* Take a message apart as ctl_call does; takes `msg`. */
must_check int ctl_answer(struct ctl *c, json_t *msg, json_t **ret_result);

/* A stream: each method call of supd goes to `each`, until the result. */
must_check int ctl_stream(struct ctl *c, const char *method, json_t *params,
    void (*each)(struct ctl *c, const json_t *params));

/* Calls that wait in supd: give it all the time there is, us a bit more. */
void ctl_allow_grace(struct ctl *c);

/* One JSON value and a newline on c->out. */
void ctl_print_json(const struct ctl *c, const json_t *value);

/* Members of an object, with a default when missing, null or of other type. */
const char *ctl_str(const json_t *o, const char *key, const char *otherwise);
int64_t ctl_int(const json_t *o, const char *key, int64_t otherwise);
bool ctl_bool(const json_t *o, const char *key);

#endif /* CTL_CTL_H */
