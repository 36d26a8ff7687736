/* SPDX-License-Identifier: ISC */
#ifndef SRC_SERVER_H
#define SRC_SERVER_H

/*
 * What the files of <msg/server.h> share:
 *
 *   next.c        what a function wants next: the values it returns
 *   server.c      the loop
 *   server_sys.c  the system operations of a server
 *   report.c      messages and states as text: reports, log
 *   sys.c         system requests: taken in, answered, asked
 *   client.c      starting, stopping, calling many
 */

#include "internal.h"
#include "sys.h"

#include <msg/server.h>
#include <pthread.h>
#include <stdio.h>

enum next_kind {
	NEXT_NONE, /* a struct that none of the functions made */
	NEXT_OK,
	NEXT_IGNORE,
	NEXT_ERROR,
	NEXT_REPLY,
	NEXT_REFUSE,
	NEXT_NOREPLY,
	NEXT_STOP,
	NEXT_STOP_REPLY,
	NEXT_N
};

enum next_extra {
	EXTRA_NONE,
	EXTRA_TIMEOUT,
	EXTRA_CONTINUE,
	EXTRA_HIBERNATE,
};

/* Longest event of the log, and most of them. */
#define EVENT_MAX 256
#define LOG_MAX   1000

struct server {
	const struct msg_server_ops *ops;
	void *state;
	const char *name; /* NULL: none */

	int64_t timeout_ms;        /* G-8; negative: none */
	char tag[MSG_TAG_MAX + 1]; /* G-9; "": none */
	bool hibernate;            /* G-10, until the next message */
	bool suspended;            /* G-14 */
	const struct msg *message; /* that is being handled */
	pthread_t thread;
	bool inside; /* a function of the user's runs */
	bool ending; /* terminate has begun */
	bool ended;
	char reason[MSG_REASON_MAX + 1];

	int64_t began_ns;
	uint64_t n_in, n_out; /* messages, replies */
	char (*log)[EVENT_MAX];
	size_t log_size, log_next, log_n;
	msg_debug_fn *debug;
	void *debug_arg;
};

/* --- server.c --- */

/* The one that serves in this process, or NULL. */
struct server *server_current(void);

/*
 * The user ends the process by msg_exit(), perhaps inside a function of the
 * server: then terminate runs first.
 */
void server_exiting(const char *reason);

/* End: terminate, the report, and no more. */
void server_end(struct server *s, const char *reason);

/* --- server_sys.c --- */

/* Carry out a system request and answer it. */
void server_sys(struct server *s, const struct sys_request *req);

/* --- report.c --- */

/* A body as text, like JSON, cut to fit.  Returns its length. */
size_t report_body(char *out, size_t size, enum msg_content content,
    const void *body, size_t len);

/* An event for log and debug function. */
void report_event(struct server *s, const char *event, const struct msg *m);
void server_log_fini(struct server *s);

/* The state as one value, whatever the user's function makes of it (G-13). */
void report_state(const struct server *s, struct msg_pack *out);

/* Why the server ends, for the reader of a log. */
void report_crash(const struct server *s, const char *reason);

#endif /* SRC_SERVER_H */
