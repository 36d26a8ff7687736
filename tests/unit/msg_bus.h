/* SPDX-License-Identifier: ISC */
#ifndef UNIT_MSG_BUS_H
#define UNIT_MSG_BUS_H

/*
 * The bus end of some lifelines, for the tests of libmsg: starts workers as
 * children of the test, answers what they ask on their lifelines, and tells
 * the others when one has ended, as supd does.  The workers use the real
 * libmsg and the real nanomsg.
 */

#include "proto/proto.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <unistd.h>

#define BUS_WORKERS_MAX 1024
/* The pid that the worker in a slot has. */
#define BUS_PID(slot)  PROTO_PID((uint32_t)(slot), 1)
#define BUS_GUEST      PROTO_PID(PROTO_GUEST_SLOT, 7)
#define BUS_PATIENCE_S 60

/* In a worker: end the test if `cond` does not hold. */
#define check(cond)                                                            \
	do {                                                                   \
		if (!(cond)) {                                                 \
			fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, \
			    __LINE__, #cond);                                  \
			_exit(99);                                             \
		}                                                              \
	} while (0)

/* cmocka setup and teardown: a directory for the mailboxes; nothing is left. */
int bus_setup(void **state);
int bus_teardown(void **state);

/*
 * Start a worker that runs `work` and exits with what it returns.  Slots are
 * numbered from 1.
 */
int bus_start(int (*work)(void));

/* The mailboxes of those who join from now on; 0: unbounded. */
void bus_bounds(uint64_t max_bytes, enum proto_on_full on_full);

/* It runs as another user: what others send it is relayed, and its answers. */
void bus_separate(int slot);

/* What `from` shows to `to` in a HELLO. */
uint64_t bus_proof(int from, int to);

/* Where its mailbox is.  Borrowed until the next call. */
const char *bus_endpoint(int slot);

/* Pid of a worker's process. */
pid_t bus_os_pid(int slot);

/* Send a frame to a worker, as the bus or a guest of it. */
void bus_send(
    int slot, const struct proto_frame *h, const void *body, size_t len);
/* Send any bytes at all. */
void bus_send_raw(int slot, const void *p, size_t len);

/* End the bus for a worker: hang up its lifeline. */
void bus_hang_up(int slot);

/* Serve what is there, without waiting. */
void bus_serve(void);

/* Serve until a condition holds.  False if that takes too long. */
bool bus_until_ready(int slot);
bool bus_until_ended(int slot);
/* A frame to a guest has come: its text. */
bool bus_until_reply(struct proto_frame *ret_h, char *ret_text, size_t size);

/* The signs of life that have come from it. */
unsigned bus_alive(int slot, bool *ret_unwell);

/* How often it has complained of others. */
unsigned bus_reports(int slot);

/* Does it trap exits?  The reason that it has declared, or "". */
bool bus_traps(int slot);
const char *bus_reason(int slot);

/* Serve until it tells that it has received so many messages. */
bool bus_until_received(int slot, uint64_t n);

/* How a worker ended: wait status. */
int bus_status(int slot);

/* Serve until it has ended; true if it exited with 0. */
bool bus_succeeded(int slot);

#endif /* UNIT_MSG_BUS_H */
