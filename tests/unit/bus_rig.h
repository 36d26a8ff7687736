/* SPDX-License-Identifier: ISC */
#ifndef TEST_BUS_RIG_H
#define TEST_BUS_RIG_H

#include "proto/proto.h"
#include "wire/link.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A real bus in a child process.  The test plays the keeper, the engine and
 * the logger at the other ends of its links, workers with raw lifelines, and
 * clients of its control socket.  Every wait has a deadline and fails the test
 * when it passes.
 */

#define RIG_WAIT_MS 10000

struct rig {
	char dir[112]; /* RUNDIR */
	pid_t pid;
	struct link keeper, engine, logger;
	int keeper_fd, engine_fd, logger_fd;
};

int rig_setup(void **state); /* cmocka: *state = struct rig */
/* The same in a RUNDIR so long that no mailbox path fits. */
int rig_setup_long(void **state);
int rig_teardown(void **state); /* the bus ends with 0, nothing is left */

/* The engine and keeper say. */
void rig_prepare(struct rig *r, uint32_t slot, uint32_t flags, uint32_t uid,
    const char *path);
/* The same with what the configuration wishes for it (bus/wishes.h), taken. */
void rig_wish(
    struct rig *r, uint32_t slot, const char *path, const char *wishes);
void rig_proc(struct rig *r, uint32_t slot, uint64_t inc, const char *path);
void rig_proc_uid(
    struct rig *r, uint32_t slot, uint64_t inc, const char *path, uint32_t uid);
void rig_dead(struct rig *r, uint32_t slot, uint64_t inc, const char *reason);
int rig_lifeline(struct rig *r, uint32_t slot, uint64_t inc);
int rig_lifeline_notify(struct rig *r, uint32_t slot, uint64_t inc, int32_t pid,
    int *ret_notify_fd);
/* PROC, LIFELINE, JOIN, WELCOME; returns the worker's end. */
int rig_worker(struct rig *r, uint32_t slot, uint64_t inc, const char *path);

/* The next frame that the bus sends to that role: it must be of this type. */
const struct wire_hdr *rig_expect(struct link *l, enum wire_type type);
/* Everything sent so far has been taken; nothing came for that role. */
void rig_expect_nothing(struct rig *r, struct link *l);

/* Lifelines. */
void ll_send(int fd, enum proto_type type, uint64_t to, uint64_t ref,
    unsigned flags, const void *body, size_t len);
void ll_text(int fd, enum proto_type type, uint64_t ref, const char *text);
/* The next frame; the body is static until the next call. */
struct proto_frame ll_recv(int fd, const void **ret_body, size_t *ret_len);
struct proto_frame ll_expect(int fd, enum proto_type type, const void **body);
/* The error of the RESULT that comes next. */
int ll_result(int fd, uint64_t ref);
/* A round trip on this lifeline: nothing else was waiting in it. */
void ll_quiet(int fd);

/* Control clients. */
int ctl_open(struct rig *r);
void ctl_send(int fd, const char *line);
json_t *ctl_recv(int fd); /* the next line; the caller's */
json_t *ctl_call(int fd, const char *line);
/* The error code of an answer, 0 if it is a result; releases it. */
int ctl_code(json_t *take);
void expect_json(json_t *take, const char *text);

#endif /* TEST_BUS_RIG_H */
