/* SPDX-License-Identifier: ISC */
#ifndef BUS_STREAM_H
#define BUS_STREAM_H

#include "bus/control.h"
#include "wire/wire.h"

/*
 * events and logs: first the past, then, with follow, what comes.  A follower
 * that does not read loses records, never holds up supd: it is told how many.
 */

/* Methods. */
void stream_events(struct request *r, const json_t *params);
void stream_logs(struct request *r, const json_t *params);

/* The past, for one request; stream_events_past: it is complete. */
void stream_event_past(struct request *r, const struct wire_event *w);
void stream_events_past(struct request *r);
void stream_log_past(struct request *r, const struct wire_hdr *h);

/* What comes, for all followers. */
void stream_event(struct bus *b, const struct wire_event *w);
void stream_log_line(struct bus *b, const struct wire_hdr *h);
/* The logger has no log of this slot, or none any more. */
void stream_log_end(struct bus *b, const struct wire_id *w);

/* One record for r; takes it. */
void stream_put(struct request *r, const char *method, json_t *take_params);

/* r follows no more. */
void stream_unfollow(struct request *r);

/* There is room in the client's output again. */
void stream_drained(struct client *c);

/* The client will send nothing more: what has no end, ends. */
void stream_client_eof(struct client *c);

/* The worker of this slot has left the tree. */
void stream_forget(struct bus *b, uint32_t slot, const char *path);

#endif /* BUS_STREAM_H */
