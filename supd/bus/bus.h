/* SPDX-License-Identifier: ISC */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "base/attr.h"
#include "base/role.h"
#include "bus/control.h"
#include "bus/links.h"
#include "bus/mailbox.h"
#include "bus/monitors.h"
#include "bus/names.h"
#include "bus/peers.h"
#include "bus/spawn.h"
#include "bus/sys.h"
#include "proto/proto.h"
#include "wire/link.h"
#include "wire/wire.h"

#include <event2/event.h>
#include <event2/event_struct.h>

/*
 * The whole state of the bus role: one thread, one libevent loop, no global.
 *
 * Whoever may be dropped in the middle of a callback (a lifeline, a client) is
 * only marked and closed then; it is freed by its owner at a safe place: a
 * lifeline with its incarnation (WIRE_DEAD), a client by the sweep event.
 */

/* Engine and logger are peers of the same binary: what they leave unread. */
#define BUS_LINK_BYTES_MAX (16 * 1024 * 1024)

struct bus_link {
	struct link link;
	struct event read, write;
	struct bus *bus;
	const char *name;
	bool open;
	char *buf; /* WIRE_FRAME_MAX bytes: each link has its own, because a
	              DEAD from the engine reads the keeper's link */
	void (*handle)(
	    struct bus *b, const struct wire_hdr *h, int *fds, unsigned n_fds);
};

struct bus {
	const struct role_args *args;
	struct event_base *base;
	struct bus_link keeper, engine, logger;
	struct event
	    last_call; /* the engine is gone: wait so long for the end */
	struct peers peers;
	struct names names;
	struct monitors monitors;
	struct link_tree links;
	struct spawn_tree spawns;
	struct mailboxes mailboxes;
	struct control control;
	TAILQ_HEAD(, peer) keepers; /* who have a kept_name */
	struct sys sys;
	int32_t supd_pid; /* the keeper's */
	int exit_code;
	char frame[PROTO_LIFELINE_MAX]; /* one lifeline packet at a time */
};

/*
 * Send a frame to another role.  Returns 0 or -errno; a role that is gone or
 * does not read is noticed by its own link, so callers only look at the result
 * where somebody waits for an answer.
 */
int bus_send(struct bus_link *l, enum wire_type type, uint64_t tag,
    const void *body, const void *tail, size_t tail_len);

/* Take every frame that is there now. */
void bus_pump(struct bus_link *l);

/* Leave the loop with this exit code. */
void bus_end(struct bus *b, int code);

#endif /* BUS_BUS_H */
