/* SPDX-License-Identifier: ISC */
#ifndef BUS_RELAY_H
#define BUS_RELAY_H

#include "proto/proto.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Messages that do not go by nanomsg: between workers that cannot connect to
 * each other (other uids), and to guests of the control socket.  The sender is
 * whose lifeline the frame came from, whatever its `from` says.
 */

struct bus;
struct peer;

/* False if it is malformed. */
bool relay_frame(struct peer *from, const struct proto_frame *h,
    const void *body, size_t len);

#endif /* BUS_RELAY_H */
