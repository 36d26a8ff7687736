/* SPDX-License-Identifier: ISC */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/mono.h"

/*
 * The one place that reads a clock (a lint test holds this).  A loop samples
 * it once a turn and passes the instant on.
 */

/* CLOCK_MONOTONIC: unaffected by settimeofday(2).  Cannot fail. */
mono_t clock_mono(void);

/* CLOCK_REALTIME in ns since the epoch: for display only, never decisions. */
int64_t clock_wall_ns(void);

#endif /* BASE_CLOCK_H */
