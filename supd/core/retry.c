/* SPDX-License-Identifier: ISC */
/*
 * Restarts in a row: backoff and max_attempts.
 *
 * OTP restarts at once and for ever, as long as the supervisor's intensity
 * lets it.  A worker may ask for pauses instead.  They are the child's
 * business alone: it waits with a deadline, its supervisor and its siblings go
 * on, and when the deadline is due the retry goes through the mailbox like any
 * to be counted when it is made (I-1).
 */
#include "core/tree.h"

#include <assert.h>

/* More than anybody means; it keeps an instant plus a pause representable. */
#define PAUSE_MAX_NS (INT64_C(1) << 60)

/* SplitMix64: the same pause in every replay, another one for every child. */
static uint64_t
mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* x * milli / 1000, at most `most`. */
static int64_t
scale(int64_t x, uint32_t milli, int64_t most)
{
	int64_t whole = x / 1000, rest = x % 1000 * milli / 1000;

	if (rest > most || (milli != 0 && whole > (most - rest) / milli))
		return most;
	return whole * milli + rest;
}

/* min_ns, min_ns * factor, min_ns * factor * factor ... max_ns. */
static int64_t
nth_pause_ns(const struct backoff *b, uint32_t n)
{
	int64_t most = b->max_ns < PAUSE_MAX_NS ? b->max_ns : PAUSE_MAX_NS;
	int64_t pause = b->min_ns < most ? b->min_ns : most;

	while (n-- > 1 && pause < most) {
		int64_t longer = scale(pause, b->factor_milli, most);

		if (longer <= pause)
			break; /* factor 1 */
		pause = longer;
	}
	return pause;
}

int64_t
retry_pause_ns(const struct engine *e, const struct node *c)
{
	const struct backoff *b;
	uint64_t chance;
	int64_t pause, spread;

	if (c->is_sup || c->w.attempts == 0 || retry_exhausted(c))
		return 0;
	b = &c->w.spec->backoff;
	if (b->min_ns <= 0)
		return 0;
	pause = nth_pause_ns(b, c->w.attempts);
	spread = scale(pause, b->jitter_milli, pause);
	chance = mix(mix(mix(node_id(e, c)) ^ c->inc) ^ c->w.attempts);
	pause += (int64_t)(chance % (2 * (uint64_t)spread + 1)) - spread;
	return pause > 0 ? pause : 1;
}

bool
retry_exhausted(const struct node *c)
{
	return !c->is_sup && c->w.spec->max_attempts != 0 &&
	       c->w.attempts >= c->w.spec->max_attempts;
}

void
retry_made(struct node *c)
{
	if (!c->is_sup && c->w.attempts < UINT32_MAX)
		c->w.attempts++;
}

void
retry_forget(struct node *c)
{
	if (!c->is_sup)
		c->w.attempts = 0;
}

void
retry_was_ready(const struct engine *e, struct node *c)
{
	int64_t enough_ns = c->w.spec->reset_after_ns;

	assert(c->state == CHILD_READY);
	if (enough_ns > 0 && e->now.ns - c->since.ns >= enough_ns)
		c->w.attempts = 0;
}

void
retry_post(struct engine *e, struct node *c)
{
	struct msg m = {
		.kind = MSG_RETRY,
		.node = node_id(e, c),
		.gen = c->gen,
		.inc = c->inc,
	};

	assert(c->state == CHILD_WAITING);
	if (c->retries < RETRIES_MAX)
		mail_post(e, node_of(e, c->parent), &m);
}

void
retry_now(struct engine *e, struct node *c)
{
	if (c->state != CHILD_WAITING || c->heap_pos == 0)
		return; /* no pause: its retry is queued already */
	deadline_clear(e, c);
	retry_post(e, c);
}
