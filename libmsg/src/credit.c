/* SPDX-License-Identifier: ISC */
/*
 * How much may be under way from us to a worker, and what has come from it.
 *
 * A receiver tells, cumulatively, what its mailbox has taken from a sender; the
 * sender has at most a window beyond that, or half a window and one frame.  On
 * a route this keeps a slow receiver's memory bounded.  Back by the key of a
 * connection it is what makes sending possible at all: nanomsg drops in silence
 * what such a connection has no room for.
 *
 * While anything is under way on one path to a worker, nothing is sent on the
 * other, so it cannot overtake.
 */
#include "pipe.h"

#include <string.h>

uint64_t
credit_used(const struct peer *p)
{
	return p->sent - p->acked;
}

bool
credit_settled(const struct peer *p)
{
	return p->settled_seq == p->seq;
}

bool
credit_allows(const struct peer *p, enum path path, size_t size)
{
	uint64_t window = path == BY_KEY ? PROTO_KEY_WINDOW : PROTO_WINDOW;
	uint64_t used = credit_used(p);

	if (path != p->path && p->path != NO_PATH && !credit_settled(p))
		return false;
	if (path == BY_KEY && p->seq - p->acked_seq >= PROTO_KEY_FRAMES)
		return false;
	/* For half a window or less no CREDIT will come by itself. */
	return used + size <= window || used <= window / 2;
}

uint32_t
credit_spend(struct peer *p, enum path path, size_t size)
{
	p->path = path;
	p->sent += size;
	/* A BARRIER under way no longer tells about all of it. */
	p->barrier = 0;
	return ++p->seq;
}

/* a is later than b, or the same; they may have wrapped around. */
static bool
not_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) >= 0;
}

bool
credit_take(struct peer *p, const void *body, size_t len)
{
	struct proto_credit c;

	if (len != sizeof(c))
		return false;
	memcpy(&c, body, sizeof(c));
	if (c.bytes > p->sent || !not_before(p->seq, c.seq))
		return false;
	/* All arrived: so what is missing was lost with a connection. */
	if (c.seq == p->seq)
		p->lost = p->sent - c.bytes;
	if (c.bytes + p->lost > p->acked && c.bytes + p->lost <= p->sent)
		p->acked = c.bytes + p->lost;
	if (not_before(c.seq, p->acked_seq))
		p->acked_seq = c.seq;
	if (not_before(c.seq, p->settled_seq))
		p->settled_seq = c.seq;
	if (p->unpaid)
		credit_give(p);
	return true;
}

void
credit_reset(struct peer *p)
{
	p->acked = p->sent;
	p->acked_seq = p->settled_seq = p->seq;
}

void
credit_lost(struct peer *p)
{
	credit_reset(p);
	p->lost_seq = p->seq;
}

/* What is due, in bytes and frames, has come to that much. */
static bool
is_due(const struct peer *p, uint64_t bytes, uint32_t frames)
{
	return p->taken - p->told >= bytes ||
	       p->taken_seq - p->told_seq >= frames;
}

bool
credit_taken(struct peer *p, enum path path, uint32_t seq, size_t size)
{
	if (seq == 0 || !not_before(seq, p->taken_seq + 1))
		return false;
	if (seq != p->taken_seq + 1 && !p->gap)
		mailbox.stats.bad++;
	p->gap = false;
	p->taken_seq = seq;
	p->taken += size;
	if (path == BY_KEY
		? is_due(p, PROTO_KEY_WINDOW / 2, PROTO_KEY_FRAMES / 2)
		: is_due(p, PROTO_WINDOW / 2, UINT32_MAX))
		credit_give(p);
	return true;
}

void
credit_frame(
    struct peer *p, struct proto_frame *ret_h, struct proto_credit *ret_body)
{
	*ret_h = (struct proto_frame){
		.type = PROTO_CREDIT, .to = p->pid, .from = mailbox.self
	};
	*ret_body =
	    (struct proto_credit){ .bytes = p->taken, .seq = p->taken_seq };
}

void
credit_give(struct peer *p)
{
	enum path path = p->sock != -1 ? BY_ROUTE : BY_KEY;
	struct proto_credit c;
	struct proto_frame h;

	p->unpaid = false;
	if (p->taken == p->told && p->taken_seq == p->told_seq)
		return;
	/*
	 * Replies find somebody who waits for them, and no room is needed.  By
	 * a key that is busy with a long reply it would be dropped.
	 */
	if ((path == BY_KEY && credit_used(p) > PROTO_KEY_WINDOW) ||
	    (p->bound && mailbox_full())) {
		p->unpaid = true;
		return;
	}
	credit_frame(p, &h, &c);
	if (!batch_tell(p, path, &h, &c, sizeof(c))) {
		p->unpaid = true;
		return;
	}
	p->told = p->taken;
	p->told_seq = p->taken_seq;
}
