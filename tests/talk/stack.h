/* SPDX-License-Identifier: ISC */
#ifndef TALK_STACK_H
#define TALK_STACK_H

#include <msg/server.h>

/*
 * The stack, upstream's example of a server, and how cases start and ask it.
 * Its role is "stack NAME HOW FILE|ITEM...".
 */

#define NAMELESS "-"

/* The role; in HOW it is told what init and terminate do. */
int stack(char **args);

/* As msg_server_start(); `item` is its first, NULL: none. */
int stack_start(const char *name, const char *how, const char *item,
    int timeout_ms, msg_pid *ret_pid);
msg_pid stack_started(const char *name, const char *item);

/* The stack's next item is this one ("": none). */
void check_pop(msg_pid pid, const char *want);
void check_pop_name(const char *name, const char *want);

/* This monitor tells of the end, with this reason. */
void check_down(uint64_t ref, const char *reason);

/* A text of msg_info(); "" if there is none. */
void info_text(const char *who, const char *key, char *ret, size_t size);

/* How supctl writes a pid.  Static memory. */
const char *pid_text(msg_pid pid);

#endif /* TALK_STACK_H */
