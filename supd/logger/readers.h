/* SPDX-License-Identifier: ISC */
#ifndef LOGGER_READERS_H
#define LOGGER_READERS_H

#include "logger/tail.h"
#include "wire/link.h"

/*
 * Those who read along: tails (the last lines) and follows (lines as they
 * come), each answered on the link it came from, under the asker's tag.
 *
 * A tail waits for a slow reader.  A follow does not: its lines are dropped
 * while READERS_QUEUE_MAX bytes wait on the link, or while the tail of the
 * same tag is still being told, and counted in the next one's `lost`.
 */

#define READERS_QUEUE_MAX (256 * 1024)

struct reader {
	TAILQ_ENTRY(reader) entry;
	struct link *link; /* borrowed */
	uint64_t tag;
	uint32_t slot;
	uint32_t lost;
	struct tail *tail; /* NULL: a follow */
};

struct readers {
	TAILQ_HEAD(, reader) list;
};

void readers_init(struct readers *rs);
void readers_fini(struct readers *rs);

/*
 * Begin to tell the last `n` lines of `s` (NULL: there are none); the first
 * ones at once.  Ends with WIRE_LOG_END.  Returns 0 or link_send()'s -errno.
 */
must_check int readers_tail(struct readers *rs, struct link *l, uint64_t tag,
    uint32_t slot, struct source *s, uint32_t n, const struct now *now);

/* Push the lines of `s` from now on; a second one of that tag changes nothing.
 * With s == NULL there will be none: WIRE_LOG_END at once. */
must_check int readers_follow(struct readers *rs, struct link *l, uint64_t tag,
    uint32_t slot, struct source *s);

/* End a follow, and a tail that is still being told. */
void readers_stop(
    struct readers *rs, const struct link *l, uint64_t tag, struct source *s);

/* Forget everything of a link that has closed, or of a slot that has. */
void readers_drop_link(struct readers *rs, const struct link *l);
void readers_drop_slot(struct readers *rs, uint32_t slot);

/* Does any tail have something to say to a reader that listens? */
bool readers_runnable(const struct readers *rs);

/* One step of each such tail. */
void readers_run(struct readers *rs);

#endif /* LOGGER_READERS_H */
