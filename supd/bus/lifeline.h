/* SPDX-License-Identifier: ISC */
#ifndef BUS_LIFELINE_H
#define BUS_LIFELINE_H

#include "bus/answers.h"
#include "proto/proto.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/*
 * The bus's end of one incarnation's lifeline.  Whoever holds the other end is
 * that incarnation: no token.  Nothing is sent before it has joined, so a
 * program that knows nothing of libmsg costs the fd and this struct.
 *
 * What the worker does not read waits here, up to LIFELINE_OUT_BYTES.  Relayed
 * messages of others have a smaller share and are refused beyond it; answers
 * and DOWNs, which the worker has asked for itself, drop the lifeline beyond.
 */

#define LIFELINE_OUT_BYTES    (1024 * 1024)
#define LIFELINE_RELAY_BYTES  (512 * 1024)
#define LIFELINE_RELAY_FRAMES 64

struct bus;
struct peer;

struct lifeline_out {
	TAILQ_ENTRY(lifeline_out) entry;
	size_t len;
	bool relayed;
	char data[];
};

struct lifeline {
	struct bus *bus;
	struct peer *peer;
	uint64_t inc;
	int fd;        /* -EBADF: closed by us, or dropped */
	int notify_fd; /* came with it, until the PROC */
	int32_t os_pid;
	bool joined;
	bool opened; /* and has a mailbox */
	bool started;
	bool deaf;       /* it has closed its end; its last words may be left */
	bool complained; /* its malformed frames were told of */
	bool reported;   /* those that it sent to others, by one of them */
	bool forbidden;  /* an exit signal that it may not send was */
	uint32_t n_bad;
	uint32_t n_refused; /* relayed frames that found no room */
	uint32_t out_relayed;
	size_t out_bytes;
	TAILQ_HEAD(, lifeline_out) out;
	struct answer_list answers; /* what does not fit into `out` yet */
	size_t answer_bytes;
	struct event read, write;
};

/* Takes both fds.  NULL, and the fds closed, without memory. */
struct lifeline *lifeline_new(struct bus *b, struct peer *p, uint64_t inc,
    int32_t os_pid, int fd, int notify_fd);
void lifeline_free(struct lifeline *l);

/*
 * The text of a body: with its NUL or without, but with none inside, copied to
 * `out`.  False if it is not one, or longer than max.
 */
bool lifeline_text(const void *body, size_t len, size_t max, char *out);

/* Begin to read: its PROC has come. */
void lifeline_start(struct lifeline *l);

/* Read what is left, at most as much as a full socket could hold. */
void lifeline_drain(struct lifeline *l);

/* Answers and news for a worker that has joined. */
void lifeline_send(struct lifeline *l, const struct proto_frame *h,
    const void *body, size_t len);
void lifeline_result(struct lifeline *l, uint64_t ref, int error);

/* A message of somebody else's.  False if there is no room for it. */
bool lifeline_relay(struct lifeline *l, const struct proto_frame *h,
    const void *body, size_t len);

#endif /* BUS_LIFELINE_H */
