/* SPDX-License-Identifier: ISC */
#ifndef BASE_MONO_H
#define BASE_MONO_H

#include <stdbool.h>
#include <stdint.h>

/*
 * An instant of the monotonic clock, in nanoseconds since an arbitrary start.
 * A one-member struct, so that an instant and a duration cannot be mixed up.
 * Durations are int64_t and end in _ns; a negative one means "for ever".
 */
typedef struct {
	int64_t ns;
} mono_t;

#define NS_PER_MS INT64_C(1000000)
#define NS_PER_S  INT64_C(1000000000)

/* The instant that never comes. */
#define MONO_NEVER ((mono_t){ INT64_MAX })

static inline mono_t
mono_add(mono_t t, int64_t d_ns)
{
	if (d_ns < 0 || t.ns > INT64_MAX - d_ns)
		return MONO_NEVER;
	return (mono_t){ t.ns + d_ns };
}

static inline bool
mono_before(mono_t a, mono_t b)
{
	return a.ns < b.ns;
}

static inline bool
mono_is_never(mono_t t)
{
	return t.ns == INT64_MAX;
}

#endif /* BASE_MONO_H */
