/* SPDX-License-Identifier: ISC */
#include "core/window.h"

#include <assert.h>
#include <string.h>

void
window_init(struct window *w, uint32_t max, int64_t period_ns, mono_t *at)
{
	assert(period_ns > 0);
	assert(max <= WINDOW_MAX);
	assert(max == 0 || at != NULL);
	*w = (struct window){ .period_ns = period_ns, .max = max, .at = at };
}

void
window_clear(struct window *w)
{
	w->len = 0;
	w->next = 0;
}

static void
reverse(mono_t *at, uint32_t n)
{
	for (uint32_t i = 0; i < n / 2; i++) {
		mono_t t = at[i];

		at[i] = at[n - 1 - i];
		at[n - 1 - i] = t;
	}
}

/*
 * OTP's list loses what is out of the period whenever a restart is added, so a
 * longer period must not bring back what was out of the old one then.
 */
void
window_move(struct window *w, uint32_t max, int64_t period_ns, mono_t *at)
{
	uint32_t from = 0;

	assert(period_ns > 0);
	assert(max <= WINDOW_MAX);
	assert(max == 0 || at != NULL);
	if (w->len == w->max &&
	    w->max != 0) { /* turn the ring: the oldest to the front */
		reverse(w->at, w->next);
		reverse(w->at + w->next, w->len - w->next);
		reverse(w->at, w->len);
	}
	while (from < w->len &&
	       (w->len - from > max ||
		   w->at[w->len - 1].ns - w->at[from].ns > w->period_ns))
		from++;
	w->len -= from;
	if (w->len != 0)
		memmove(at, w->at + from, w->len * sizeof(*at));
	w->max = max;
	w->next = max != 0 ? w->len % max : 0;
	w->period_ns = period_ns;
	w->at = at;
}

/*
 * Only the last `max` restarts matter: the window trips exactly when the
 * restart `max` places back is still inside it.  One comparison replaces OTP's
 * walk over the list, and the ring never grows.
 */
bool
window_admit(struct window *w, mono_t now)
{
	if (w->max == 0)
		return false;
	if (w->len == w->max) {
		mono_t oldest = w->at[w->next];

		assert(!mono_before(now, oldest));
		if (now.ns - oldest.ns <= w->period_ns)
			return false;
	} else {
		w->len++;
	}
	w->at[w->next] = now;
	w->next = (w->next + 1) % w->max;
	return true;
}

uint32_t
window_used(const struct window *w, mono_t now)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < w->len; i++)
		used += now.ns - w->at[i].ns <= w->period_ns;
	return used;
}
