/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_LOOP_H
#define ENGINE_LOOP_H

#include "base/attr.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * The event loop, libevent behind a thin door: libevent's struct event and the
 * core's have the same name, and no file needs both.
 *
 * Callbacks may free the watch or timer they were called for.
 */

struct loop;
struct watch; /* one fd, for reading or for writing */
struct timer; /* fires once when set */

#define WATCH_READ  0x1u /* stays armed until watch_disarm() */
#define WATCH_WRITE 0x2u /* fires once each time it is armed */

/* Returns 0 or -ENOMEM. */
must_check int loop_open(struct loop **ret_loop);
void loop_close(struct loop *l);

/* Run callbacks until loop_stop().  Returns 0 or -EIO if the loop failed. */
must_check int loop_run(struct loop *l);
void loop_stop(struct loop *l);

/*
 * Watch `fd`, which stays the caller's and outlives the watch.  A read watch
 * is armed at once, a write watch by watch_arm().  NULL when memory is short.
 */
struct watch *watch_new(
    struct loop *l, int fd, unsigned what, void (*cb)(void *arg), void *arg);
must_check int watch_arm(struct watch *w);
void watch_disarm(struct watch *w);
void watch_free(struct watch *w);

struct timer *timer_new(struct loop *l, void (*cb)(void *arg), void *arg);
/* Fire `delay_ns` from now (at least 0), in place of what was set before. */
must_check int timer_set(struct timer *t, int64_t delay_ns);
void timer_clear(struct timer *t);
void timer_free(struct timer *t);

#endif /* ENGINE_LOOP_H */
