/* SPDX-License-Identifier: ISC */
#ifndef TESTS_ENGINE_RIG_H
#define TESTS_ENGINE_RIG_H

/*
 * What the tests of the engine's role share: the engine as it runs, in a
 * process of its own; the test plays keeper, bus and logger over the real
 * links.  Whatever goes wrong here fails the test.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mono.h"
#include "wire/link.h"

enum peer { KEEPER, BUS, LOGGER, PEER_N };

struct rig {
	pid_t pid; /* 0: it has ended */
	struct link link[PEER_N];
	char conf[64];
	int32_t next_pid;
	uint64_t frame[(WIRE_FRAME_MAX + 7) / 8];
	char text[4096]; /* of the last END */
};

extern struct rig r;

#define ROOT "supervisor: root\nintensity: 3\nperiod: 5s\n"
#define ONE                                                                    \
	ROOT "children:\n"                                                     \
	     "  - {worker: a, command: [/bin/a]}\n"
#define TWO ONE "  - {worker: b, command: [/bin/b]}\n"

/* Start an engine with this configuration. */
void begin(const char *conf);

/* The teardown of a test: kills the engine. */
int teardown(void **state);

/* Wait for its end: its exit status. */
int exit_code(void);

/* The next frame; it is gone with the next call. */
const struct wire_hdr *next_frame(enum peer from);

/* The next frame that is not of the kinds that come at any time. */
const void *expect(enum peer from, enum wire_type type);

/* Nothing is there, and nothing comes in a short while. */
void expect_quiet(enum peer from);

/* Send a frame; tail: a text or NULL. */
void tell(enum peer to, enum wire_type type, uint64_t tag, const void *body,
    const char *tail);

/* LOG_OPEN and PREPARE of n workers are answered with success. */
void prepare(int n);

/* PROC and SPAWN of the worker at `path` have come. */
struct wire_id take_spawn(const char *path);

/* Its process exists and has become the program. */
void spawned(struct wire_id id);

struct wire_id start(const char *path);

/* It has ended; the status is a signal, if is_signal. */
void exited(struct wire_id id, int status, bool is_signal);

void expect_acked(struct wire_id id);

/* A stop by TERM that is obeyed. */
void obey(struct wire_id id);

/* A request of an operator comes from the bus. */
void ask(uint64_t tag, enum request_op op, const char *path, int64_t timeout_ns,
    int64_t n, const char *tail);

/* All frames up to the END with that tag; its code, and its text in r.text. */
int answer(uint64_t tag, int *ret_rows, struct wire_row *ret_row);

/* The engine has come up and its workers are prepared. */
void up(int workers);

#endif /* TESTS_ENGINE_RIG_H */
