/* SPDX-License-Identifier: ISC */
#include "logger/readers.h"

#include <string.h>

void
readers_init(struct readers *rs)
{
	TAILQ_INIT(&rs->list);
}

static void
reader_free(struct readers *rs, struct reader *r)
{
	TAILQ_REMOVE(&rs->list, r, entry);
	tail_free(r->tail);
	free(r);
}

void
readers_fini(struct readers *rs)
{
	struct reader *r;

	while ((r = TAILQ_FIRST(&rs->list)) != NULL)
		reader_free(rs, r);
}

static int
send_end(struct link *l, uint64_t tag, uint32_t slot)
{
	struct wire_id id = { .slot = slot };

	return link_send(l, WIRE_LOG_END, tag, &id, NULL, 0);
}

/* A line that cannot be sent is counted; a dead link shows in the loop. */
static void
send_line(struct reader *r, const char *text, size_t len, int64_t wall_ns)
{
	static char tail[SOURCE_LINE_MAX * 9 + 1];
	struct wire_log_line line = {
		.slot = r->slot,
		.lost = r->lost,
		.wall_ns = wall_ns,
	};

	if (len > sizeof(tail) - 1)
		len = sizeof(tail) - 1;
	memcpy(tail, text, len);
	tail[len] = '\0';
	if (link_send(r->link, WIRE_LOG_LINE, r->tag, &line, tail, len + 1) < 0)
		r->lost++;
	else
		r->lost = 0;
}

static void
emit_tail(void *ctx, const char *text, size_t len, int64_t wall_ns)
{
	send_line(ctx, text, len, wall_ns);
}

static bool
has_tail(const struct readers *rs, const struct reader *of)
{
	const struct reader *r;

	TAILQ_FOREACH (r, &rs->list, entry)
		if (r->tail != NULL && r->link == of->link && r->tag == of->tag)
			return true;
	return false;
}

/* source_line_fn: a line of a source that somebody follows. */
static void
push_line(
    void *ctx, uint32_t slot, const char *text, size_t len, int64_t wall_ns)
{
	struct readers *rs = ctx;
	struct reader *r;

	TAILQ_FOREACH (r, &rs->list, entry) {
		if (r->tail != NULL || r->slot != slot)
			continue;
		if (r->link->queued_bytes > READERS_QUEUE_MAX ||
		    has_tail(rs, r))
			r->lost++;
		else
			send_line(r, text, len, wall_ns);
	}
}

static struct reader *
find_follow(
    const struct readers *rs, const struct link *l, uint64_t tag, uint32_t slot)
{
	struct reader *r;

	TAILQ_FOREACH (r, &rs->list, entry)
		if (r->tail == NULL && r->link == l && r->tag == tag &&
		    r->slot == slot)
			return r;
	return NULL;
}

static struct reader *
reader_new(struct readers *rs, struct link *l, uint64_t tag, uint32_t slot)
{
	struct reader *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->link = l;
	r->tag = tag;
	r->slot = slot;
	TAILQ_INSERT_TAIL(&rs->list, r, entry);
	return r;
}

/* Returns false once the tail has been told, and is gone. */
static bool
reader_step(struct readers *rs, struct reader *r, int *ret_error)
{
	*ret_error = 0;
	if (tail_step(r->tail, emit_tail, r))
		return true;
	*ret_error = send_end(r->link, r->tag, r->slot);
	reader_free(rs, r);
	return false;
}

int
readers_tail(struct readers *rs, struct link *l, uint64_t tag, uint32_t slot,
    struct source *s, uint32_t n, const struct now *now)
{
	struct reader *r = NULL;
	struct tail *t = NULL;
	int error;

	if (s == NULL || tail_new(s, n, now, &t) < 0 ||
	    (r = reader_new(rs, l, tag, slot)) == NULL) {
		tail_free(t);
		return send_end(l, tag, slot);
	}
	r->tail = t;
	while (l->queued_bytes <= READERS_QUEUE_MAX)
		if (!reader_step(rs, r, &error))
			return error;
	return 0;
}

int
readers_follow(struct readers *rs, struct link *l, uint64_t tag, uint32_t slot,
    struct source *s)
{
	if (s == NULL)
		return send_end(l, tag, slot);
	if (find_follow(rs, l, tag, slot) != NULL)
		return 0;
	if (reader_new(rs, l, tag, slot) == NULL)
		return send_end(l, tag, slot);
	s->on_line = push_line;
	s->ctx = rs;
	return 0;
}

void
readers_stop(
    struct readers *rs, const struct link *l, uint64_t tag, struct source *s)
{
	struct reader *r, *next;
	bool followed = false;

	TAILQ_FOREACH_SAFE (r, &rs->list, entry, next)
		if (r->link == l && r->tag == tag && s != NULL &&
		    r->slot == s->slot)
			reader_free(rs, r);
	TAILQ_FOREACH (r, &rs->list, entry)
		if (s != NULL && r->tail == NULL && r->slot == s->slot)
			followed = true;
	if (s != NULL && !followed)
		s->on_line = NULL;
}

void
readers_drop_link(struct readers *rs, const struct link *l)
{
	struct reader *r, *next;

	TAILQ_FOREACH_SAFE (r, &rs->list, entry, next)
		if (r->link == l)
			reader_free(rs, r);
}

void
readers_drop_slot(struct readers *rs, uint32_t slot)
{
	struct reader *r, *next;

	TAILQ_FOREACH_SAFE (r, &rs->list, entry, next)
		if (r->slot == slot && r->tail == NULL)
			reader_free(rs, r);
}

static bool
runnable(const struct reader *r)
{
	return r->tail != NULL && r->link->queued_bytes <= READERS_QUEUE_MAX;
}

bool
readers_runnable(const struct readers *rs)
{
	const struct reader *r;

	TAILQ_FOREACH (r, &rs->list, entry)
		if (runnable(r))
			return true;
	return false;
}

void
readers_run(struct readers *rs)
{
	struct reader *r, *next;
	int error;

	/* A dead link is seen by the loop when it reads from it. */
	TAILQ_FOREACH_SAFE (r, &rs->list, entry, next)
		if (runnable(r))
			(void)reader_step(rs, r, &error);
}
