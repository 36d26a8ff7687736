/* SPDX-License-Identifier: ISC */
#ifndef TALK_PROBE_H
#define TALK_PROBE_H

#include <msg/server.h>

/*
 * A server that does as it is told, tells of its end, and remembers which of
 * its functions were called; and how cases start and ask it.  Its role is
 * "probe NAME WATCHER STDERR FLAG...".
 */
int probe(char **args);

/* Start one with two flags, which may be NULL; we are told of its end. */
msg_pid probe_start(const char *name, const char *flag1, const char *flag2);

/* What it was called with since it was asked last; or will be, soon. */
void check_story(msg_pid pid, const char *want);
void wait_story(msg_pid pid, const char *want);

/* [tag, text] is told; nothing is told; the monitor tells of an end. */
void check_told(const char *tag, const char *want);
void check_nothing_told(void);
void check_down(uint64_t ref, const char *reason);

/* What the one that was started last has written to its standard error. */
const char *probe_errors(void);

/* This call ends it, with this reason. */
void check_ends(msg_pid pid, const char *request, const char *reason);

/* Its supervisor stops it.  Returns when that is told. */
void stop_by_supervisor(msg_pid pid, uint64_t down);

#endif /* TALK_PROBE_H */
