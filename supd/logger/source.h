/* SPDX-License-Identifier: ISC */
#ifndef LOGGER_SOURCE_H
#define LOGGER_SOURCE_H

#include "logger/file.h"
#include "logger/stamp.h"

/*
 * One worker's output: its FIFO, and the lines cut from what comes out of it.
 *
 * The logger holds the FIFO open for reading and writing, so it never ends and
 * outlives the worker's restarts.  A line begun and not ended is held in
 * memory, up to SOURCE_LINE_MAX; a longer one is split, and every part but the
 * last ends in SOURCE_SPLIT_MARK.
 */

#define SOURCE_READ_BYTES (64 * 1024) /* taken from one worker a turn */
#define SOURCE_LINE_MAX   8192
#define SOURCE_SPLIT_MARK " \\"

/* What one turn of the loop knows of the time. */
struct now {
	mono_t mono;
	int64_t wall_ns;
	char stamp[STAMP_LEN + 2]; /* with the blank after it */
};

void now_sample(struct now *ret_now);

/* A line was written: `text` without time and prefix, not terminated. */
typedef void (*source_line_fn)(
    void *ctx, uint32_t slot, const char *text, size_t len, int64_t wall_ns);

struct source {
	uint32_t slot;
	int fd;     /* the FIFO */
	char *name; /* child path */
	char *fifo; /* RUNDIR/log/<slot> */
	bool prefix, time;
	struct logfile file;
	char *held; /* the line not ended yet, or NULL */
	size_t held_len;
	source_line_fn on_line; /* NULL while nobody follows */
	void *ctx;
};

struct source_spec {
	uint32_t slot;
	const char *name; /* child path */
	int64_t limit_bytes;
	uint32_t keep;
	bool prefix, time;
};

/*
 * Make the FIFO, or take the one that is there, and open it.  Returns 0 and
 * *ret_source, or -errno and in *ret_what what failed (static text).
 */
must_check int source_new(const struct source_spec *spec, const char *run_dir,
    struct logfiles *files, struct source **ret_source, const char **ret_what);

/* Close it and remove the FIFO; what is held and lost is gone. */
void source_free(struct source *s);

/*
 * Read once, at most SOURCE_READ_BYTES, and write the lines.  Returns the
 * number of bytes read, 0 when there were none.
 */
size_t source_read(struct source *s, const struct now *now);

/* Read what was in the FIFO at the call, and no more: it may be flooded. */
void source_drain(struct source *s, const struct now *now);

/* Write the line not ended yet, as if it had been, and tell of lost lines. */
void source_flush(struct source *s, const struct now *now);

#endif /* LOGGER_SOURCE_H */
