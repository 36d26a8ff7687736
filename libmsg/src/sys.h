/* SPDX-License-Identifier: ISC */
#ifndef SRC_SYS_H
#define SRC_SYS_H

/*
 * System requests (G-14): what supctl and other workers ask of libmsg itself,
 * and tracing.
 *
 * They come by the lifeline.  supctl's go ahead of all messages that wait; a
 * worker's keep their place behind what it had sent before.  What is about
 * libmsg it answers by itself, as soon as a thread is inside it; the rest is
 * for the server, if there is one.
 */

#include "queue.h"

#include <msg/msg.h>
#include <msg/pack.h>

#include "proto/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is there a server?  One that is starting keeps them waiting. */
enum sys_state { SYS_NONE, SYS_STARTING, SYS_SERVING };
void sys_serve(enum sys_state state);
bool sys_is_served(void);

/* A request for the server. */
struct sys_request {
	msg_pid from;
	uint64_t ref; /* 0: wants no answer */
	char op[MSG_TAG_MAX + 1];
	struct msg_unpack args;
	int n_args;
	struct item *item; /* what op and args are read from */
};
void sys_request_fini(struct sys_request *req);

/*
 * Wait for what the server has to do next.  While it is suspended that is only
 * a request or the order of its supervisor to stop.  Returns SYS_REQUEST,
 * SYS_MESSAGE, 0 at the deadline, -EINTR, -EPIPE.
 */
enum { SYS_REQUEST = 1, SYS_MESSAGE = 2 };
int sys_receive(bool suspended, int64_t deadline_ns,
    struct sys_request *ret_req, struct msg *ret_msg);

/* Answer with one value; refuse with an errno and a text. */
void sys_answer(const struct sys_request *req, const struct msg_pack *value);
void sys_refuse(const struct sys_request *req, int error, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* --- for mailbox.c, with the lock --- */

/* Take in a PROTO_SYS.  Sends nothing. */
void sys_deliver(const struct proto_frame *h, const void *body, size_t len);

/* Data has come in, or this sender has ended (0: none): who waited for it? */
void sys_ordered(msg_pid ended);

/* Answer what libmsg answers itself, and send traces.  May wait. */
void sys_run(void);

/* A message has come in or goes out: tell, if somebody traces. */
void sys_trace(
    const char *way, const struct proto_frame *h, const void *body, size_t len);

void sys_fini(void);

#endif /* SRC_SYS_H */
