/* SPDX-License-Identifier: ISC */
#ifndef SRC_TASK_H
#define SRC_TASK_H

/* What task.c and stream.c share. */

#include "internal.h"

#include <msg/pack.h>
#include <msg/task.h>

must_check int task_start(const char *pool, const struct msg_pack *arg,
    bool link, struct msg_task *ret_task);

/* It has no more to tell us; the same, and it is killed. */
void task_forget(struct msg_task *t);
void task_kill(struct msg_task *t);

/* The message of a task's end, with a reason of ours. */
must_check int task_reason(
    const struct msg_task *t, const char *reason, struct msg *ret_result);

/* A timeout of <msg/task.h>. */
int64_t task_deadline(int timeout_ms);

/*
 * Wait until one of n tasks has ended that ended[] does not say so of.
 * Returns which, from 1, with ended[] and its message in results[]; 0: none in
 * time; -errno.
 */
must_check int task_wait(struct msg_task *tasks, size_t n,
    enum msg_task_end *ended, struct msg *results, int64_t deadline_ns);

#endif /* SRC_TASK_H */
