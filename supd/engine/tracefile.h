/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_TRACEFILE_H
#define ENGINE_TRACEFILE_H

#include "core/journal.h"

/*
 * supd --trace FILE: all that goes into the core and all that comes out of it,
 * as the records of core/journal.h, so that tests/sim/replay can do it again.
 *
 * Supervision never waits for the file.  A thread writes it; what it has not
 * written yet is kept, and when that is too much, or the file cannot be
 * written, the trace ends there with a warning, and all else goes on.  The file
 * grows for as long as supd runs.
 */

#define TRACE_MAGIC   UINT64_C(0x0a63727464707573) /* "supdtrc\n" */
#define TRACE_VERSION 1

/* At the start of the file; the records follow, from seq 1. */
struct trace_head {
	uint64_t magic;
	uint32_t version;
	uint32_t layout;   /* engine_layout() */
	uint32_t cap;      /* of engine_init() */
	uint32_t head_len; /* of this */
	char supd[40];     /* which supd has written it */
};

struct tracefile;

/*
 * Create the file, readable by its owner only, for an engine of `cap` nodes.
 * One that is there is overwritten if it is a trace or empty.  Returns 0, or
 * -errno, which has been logged.
 */
must_check int tracefile_open(
    const char *path, uint32_t cap, struct tracefile **ret);

/* Write what is left and close it.  Accepts NULL. */
void tracefile_close(struct tracefile *t);

/*
 * Where records are appended with journal_*(), of which none fails but for
 * want of room; then tracefile_room() makes more.  tracefile_push() hands over
 * what is there.
 */
struct journal *tracefile_journal(struct tracefile *t);
void tracefile_room(struct tracefile *t);
void tracefile_push(struct tracefile *t);

#endif /* ENGINE_TRACEFILE_H */
