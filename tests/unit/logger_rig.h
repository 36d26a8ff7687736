/* SPDX-License-Identifier: ISC */
#ifndef TESTS_LOGGER_RIG_H
#define TESTS_LOGGER_RIG_H

/*
 * What the tests of the logger share: the real logger, in a process of its
 * own, at the end of three socketpairs; the test plays keeper, engine, bus and
 * the workers.  Whatever goes wrong here fails the test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "wire/link.h"

#define DEADLINE_NS (20 * NS_PER_S)
#define TAG         UINT64_C(0x7461670001)

struct world {
	char dir[64], logs[80]; /* the run directory and the log directory */
	struct link keeper, engine, bus;
	pid_t pid; /* of the logger; 0: it has ended */
	union {
		struct wire_hdr h;
		char bytes[WIRE_FRAME_MAX];
	} frame;
};

#define IN_WORLD(f) cmocka_unit_test_setup_teardown(f, world_open, world_close)

/* Fail if the deadline has passed; else wait a moment for the world to move. */
void pause_until(mono_t deadline, const char *what);

/* The setup and teardown of a test: *state is a world with a logger in it. */
int world_open(void **state);

/* Close the keeper's link and see the logger end by itself. */
void end_logger(struct world *w);

int world_close(void **state);

/* The next frame from that link, which must be of this type. */
const struct wire_hdr *receive(
    struct world *w, struct link *l, enum wire_type type);

/* Remove a directory and all in it, but nothing that is mounted there. */
void remove_tree(const char *path);

/* Ask to capture `path`; returns the errno of the answer. */
int log_open(struct world *w, uint32_t slot, const char *path, int64_t size,
    uint32_t keep, bool head);

void log_close(struct world *w, uint32_t slot);

/* Send a LOG_TAIL or LOG_FOLLOW from the bus. */
void ask(struct world *w, enum wire_type type, uint64_t tag, uint32_t slot,
    uint32_t n);

/* What a worker's stdout is; to be closed. */
int worker_stdout(const struct world *w, uint32_t slot);

/* Write to a worker's stdout. */
void say_bytes(int fd, const void *p, size_t len);

void say(int fd, const char *s);

/* The whole file, NUL-terminated, or NULL while there is none. */
char *slurp(const struct world *w, const char *name, size_t *ret_len);

/* Wait until the file contains `text` and return it: to be freed. */
char *slurp_until(const struct world *w, const char *name, const char *text);

/* The file has exactly this in it. */
void assert_file(const struct world *w, const char *name, const char *want);

bool exists(const char *dir, const char *name);

/* The next line of an answer under `tag`, or NULL at its end: to be freed. */
char *next_line(struct world *w, uint64_t tag, struct wire_log_line *ret_line);

/* The next line of an answer is this; there is none any more. */
void assert_next_line(struct world *w, uint64_t tag, const char *want);

void assert_end(struct world *w, uint64_t tag);

#endif /* TESTS_LOGGER_RIG_H */
