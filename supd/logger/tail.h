/* SPDX-License-Identifier: ISC */
#ifndef LOGGER_TAIL_H
#define LOGGER_TAIL_H

#include "logger/source.h"

/*
 * The last lines of a worker's log, read from the files: backwards to find
 * where they begin, then forwards, a piece at a time, so that a slow reader
 * costs no memory and a long answer does not stop the drain.
 *
 * The files are held open from the beginning, so that rotation does not change
 * the answer.  It includes what was written while it was told, with a bound.
 */

#define TAIL_LINES_MAX  100000
#define TAIL_FILES_MAX  16
#define TAIL_CHASES_MAX 16

struct tail {
	struct {
		int fd;
		int64_t at, end; /* still to be told */
	} file[TAIL_FILES_MAX];
	unsigned n_files; /* file[0] is the newest: told last */
	unsigned n_chased;
	bool told; /* something has been */
	bool prefix, time;
	char *name;
	char *held; /* the line that had not ended, told after all others */
	size_t held_len;
	int64_t held_ns;
};

/* A line: its text without time and prefix; 0 for a time that is not known. */
typedef void (*tail_line_fn)(
    void *ctx, const char *text, size_t len, int64_t wall_ns);

/*
 * The last `n` lines of `s` as of now (bounded by TAIL_LINES_MAX and the files
 * that are kept).  A file that cannot be read has no lines.  Returns 0 and
 * *ret_tail, or -ENOMEM.
 */
must_check int tail_new(const struct source *s, uint32_t n,
    const struct now *now, struct tail **ret_tail);
void tail_free(struct tail *t);

/* Tell the next lines, some 64 KB.  Returns true while there are more. */
must_check bool tail_step(struct tail *t, tail_line_fn emit, void *ctx);

#endif /* LOGGER_TAIL_H */
