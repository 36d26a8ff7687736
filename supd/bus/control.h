/* SPDX-License-Identifier: ISC */
#ifndef BUS_CONTROL_H
#define BUS_CONTROL_H

#include "base/attr.h"
#include "base/buf.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>

/*
 * The clients of control.sock: lines in, lines out, never blocking and never
 * in anybody's way.  A client that does not read is not read from either
 * (CLIENT_OUT_PAUSE, CLIENT_REQUESTS_MAX); what streams to it beyond
 * CLIENT_OUT_MAX is dropped and counted.
 *
 * A client that has to go is only marked (client_close) and freed, with its
 * requests, by the sweep: so no callback finds its client gone.
 */

#define CLIENTS_MAX   200
#define STRANGERS_MAX 16 /* clients who may do nothing */
/* What clients and the bus itself need; workers get the rest (peers.c). */
#define CONTROL_FDS         (CLIENTS_MAX + STRANGERS_MAX + 24)
#define CLIENT_LINE_MAX     (1024 * 1024)
#define CLIENT_OUT_PAUSE    (1024 * 1024)
#define CLIENT_OUT_MAX      (8 * 1024 * 1024)
#define CLIENT_REQUESTS_MAX 64

struct bus;
struct client;
struct inbox;
struct method;
struct name;
struct peer;
struct request;
struct sys_ask;

struct request {
	TAILQ_ENTRY(request) of_client;
	TAILQ_ENTRY(request) of_followers;
	RB_ENTRY(request) by_tag;
	struct client *client;
	const struct method *method;
	json_t *id; /* NULL: a notification */
	uint64_t tag;
	char *path;
	struct buf rows; /* JSON values joined by "," */
	struct buf text; /* why: the last output, likewise */
	char *headline;  /* why: the story in one sentence */
	bool has_tag;    /* it is in by_tag */
	bool at_engine;  /* END has not come */
	bool at_logger;  /* LOG_END has not come */
	bool follow;
	bool following;    /* it is in a list of followers */
	bool tracing;      /* it is in that of trace.c */
	bool past_begun;   /* the first line of the past has come */
	uint64_t last_seq; /* of the events told */
	uint64_t lost;     /* stream records dropped since the last one told */
	uint32_t slot;     /* logs, why: whose */
	uint64_t target;   /* call: who is to answer; monitor: who ends */
	struct event *timer;
	uint64_t ref;        /* of a worker's CONTROL */
	struct sys_ask *sys; /* a question to a worker that is open, or NULL */
	/* its end: msgpack in `body`, or an errno and a text */
	void (*on_sys)(struct request *r, int error, const char *text,
	    const struct buf *body);
	/* monitor: who was watched has ended */
	void (*on_down)(struct request *r, json_t *take_pid, const char *path,
	    const char *reason);
	json_t *known; /* info: what the bus itself knows */
};

TAILQ_HEAD(request_list, request);
RB_HEAD(request_tree, request);

struct client {
	TAILQ_ENTRY(client) entry;
	struct bus *bus;
	struct peer *peer; /* whose CONTROL it is, see command.h; or NULL */
	int fd;
	uint32_t uid;
	bool permitted;
	bool closing;
	bool paused;
	bool eof;
	bool skipping;  /* the rest of a line that is too long */
	uint64_t guest; /* its libmsg pid */
	int32_t os_pid;
	struct name *name;   /* what it registered, or NULL */
	struct inbox *inbox; /* or NULL: it is no process */
	uint32_t n_requests;
	struct request_list requests;
	struct evbuffer *in, *out;
	struct event read, write;
};

TAILQ_HEAD(client_list, client);

struct control {
	int fd;
	bool has_events;
	bool refusing; /* said that there are too many clients */
	bool starving; /* said that there are no fds to accept with */
	struct event accept, again, sweep;
	struct client_list clients, graves;
	uint32_t n_clients, n_strangers;
	uint64_t last_tag, last_guest;
	struct request_tree requests; /* those with a tag */
	struct request_list event_followers, log_followers, trace_followers;
};

/* Serve the listening socket fd, which stays the caller's. */
must_check int control_init(struct bus *b, int fd);
/* Send what the sockets take and close everything. */
void control_fini(struct bus *b);

/* The engine is gone: what waits for it ends with an error. */
void control_engine_gone(struct bus *b);

/* The client of a guest pid, or NULL. */
struct client *control_guest(struct bus *b, uint64_t pid);

/* Append output; nothing happens to a client that is closing. */
void client_send(struct client *c, const struct buf *line);
void client_close(struct client *c);
size_t client_out_len(const struct client *c);

/* Answer one line. */
void client_line(struct client *c, const char *line, size_t len);

/* A request has ended: perhaps the client's next line can be taken. */
void client_resume(struct client *c);

#endif /* BUS_CONTROL_H */
