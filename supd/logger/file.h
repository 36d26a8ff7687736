/* SPDX-License-Identifier: ISC */
#ifndef LOGGER_FILE_H
#define LOGGER_FILE_H

#include "base/attr.h"
#include "base/mono.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

/*
 * One worker's log file: appended to, rotated by size, never waited for.
 *
 * A file is opened when there is something to write and may be closed at any
 * time after: at most LOGFILES_OPEN_MAX are open at once, the least recently
 * used goes first, so that ten thousand quiet workers cost no fds.
 *
 * What cannot be written (no space, no permission, I/O error) is dropped and
 * counted; the next write that works is preceded by a line that says so.  No
 * line is ever left half written where the file can be truncated.
 */

#define LOGFILES_OPEN_MAX 256

struct logfile;
TAILQ_HEAD(logfile_list, logfile);

/* What the files of one logger share. */
struct logfiles {
	const char *dir;          /* borrowed */
	struct logfile_list open; /* most recently used first */
	unsigned n_open;
};

struct logfile {
	TAILQ_ENTRY(logfile) lru; /* while fd >= 0 */
	struct logfiles *all;
	char *path;          /* DIR/<name>.log */
	int64_t limit_bytes; /* rotate beyond it; <= 0: never */
	uint32_t keep;       /* <path>.1 .. <path>.<keep> */
	int fd;
	int64_t size_bytes;
	bool torn; /* the file ends within a line */
	mono_t checked_at;
	uint64_t lost;  /* lines not written since the last that was */
	int lost_error; /* errno of the first of them */
};

void logfiles_init(struct logfiles *all, const char *dir);

/*
 * `name` is a child path.  Returns 0, -ENOMEM, -ENAMETOOLONG, or -EINVAL for a
 * name that could leave the directory.  Touches no file.
 */
must_check int logfile_init(struct logfile *f, struct logfiles *all,
    const char *name, int64_t limit_bytes, uint32_t keep);

/* Close and forget; lines still lost stay lost. */
void logfile_fini(struct logfile *f);

/*
 * Append `len` bytes of whole lines.  `stamp` ("2026-... " or "") goes before
 * the line that tells of earlier losses.  With len 0, only that line.
 */
void logfile_write(struct logfile *f, const char *lines, size_t len,
    const char *stamp, mono_t now);

#endif /* LOGGER_FILE_H */
