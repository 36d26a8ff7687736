/* SPDX-License-Identifier: ISC */
#ifndef CORE_TRACE_H
#define CORE_TRACE_H

#include "core/engine.h"

/*
 * Events and effects as text: the same in debug logs, golden files and bug
 * reports.  Each writes at most len bytes with the NUL, without a newline, and
 * returns buf.
 */

/* "root/web/api"; "?" for a node that is not in use. */
const char *trace_path(const struct engine *e, node_t n, char *buf, size_t len);

/* "root/web/api 3 exited exit 1" */
const char *trace_event(
    const struct engine *e, const struct event *ev, char *buf, size_t len);

/* "spawn root/web/api 4", "state root/web/api ready -> ended (exit 1) #12" */
const char *trace_effect(
    const struct engine *e, const struct effect *eff, char *buf, size_t len);

#endif /* CORE_TRACE_H */
