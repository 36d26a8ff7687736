/* SPDX-License-Identifier: ISC */
#ifndef TALK_PROCESS_PEERS_H
#define TALK_PROCESS_PEERS_H

#include "talk.h"

/*
 * Whom the cases of talk_process.c talk to: "ends" ends at once, in the way
 * that its argument names; "peer" does what it is called to do; "plain" knows
 * nothing of libmsg.
 */
extern const struct talk_role process_peers[];

#endif /* TALK_PROCESS_PEERS_H */
