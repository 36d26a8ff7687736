/* SPDX-License-Identifier: ISC */
/* The one place of libmsg that reads a clock. */
#include "internal.h"

#include <time.h>

int64_t
clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int64_t
clock_deadline(int64_t timeout_ms)
{
	if (timeout_ms < 0 || timeout_ms > DEADLINE_NEVER / NS_PER_MS / 2)
		return DEADLINE_NEVER;
	return clock_now() + timeout_ms * NS_PER_MS;
}

int64_t
clock_cpu(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
