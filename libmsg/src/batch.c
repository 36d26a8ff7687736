/* SPDX-License-Identifier: ISC */
/*
 * What waits to be sent to a worker, and the sending.
 *
 * A message leaves at once when none has left for a moment; so one alone is not
 * late.  In a burst those that follow gather, and leave together when there is
 * enough, before libmsg waits for anything, or after 100 us.  nanomsg takes
 * about 1 us and 18 system calls a message, a batch shares them (measured: 15
 * times as many messages of 64 bytes).
 *
 * The first frame of a connection is HELLO, which binds it to us.
 */
#include "pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Beyond BATCH_MAX, for what is said about the connection. */
#define BATCH_SPARE 4096
/* So long apart, messages do not make a burst. */
#define MOMENT_NS     (5 * 1000)
#define BARRIER_AGAIN (100 * NS_PER_MS)

static struct peer_list unsent = TAILQ_HEAD_INITIALIZER(unsent);
static char *spare; /* the last buffer that was let go */

/* HELLO, if it has not left.  Returns its size; with NULL only that. */
static size_t
ahead(struct peer *p, enum path path, char *out)
{
	struct proto_frame hello = { .type = PROTO_HELLO,
		.to = p->pid,
		.from = mailbox.self,
		.ref = p->proof };

	if (path != BY_ROUTE || p->greeted)
		return 0;
	return proto_put(
	    out, out != NULL ? PROTO_HEADER_SIZE : 0, &hello, NULL, 0);
}

/* --- the batch --- */

static bool
batch_begin(struct peer *p, enum path path)
{
	p->batch =
	    spare != NULL ? spare : malloc(SOCK_ROOM + BATCH_MAX + BATCH_SPARE);
	spare = NULL;
	if (p->batch == NULL)
		return false;
	p->batch_path = path;
	p->batch_len = ahead(p, path, p->batch + SOCK_ROOM);
	TAILQ_INSERT_TAIL(&unsent, p, unsent);
	return true;
}

void
batch_drop(struct peer *p)
{
	if (p->batch == NULL)
		return;
	TAILQ_REMOVE(&unsent, p, unsent);
	free(spare);
	spare = p->batch;
	p->batch = NULL;
	p->batch_len = 0;
}

void
batch_fini(void)
{
	free(spare);
	spare = NULL;
}

bool
batch_room(const struct peer *p, enum path path, size_t size)
{
	return p->batch == NULL ||
	       (p->batch_path == path && p->batch_len + size <= BATCH_MAX);
}

bool
batch_put(struct peer *p, enum path path, const struct proto_frame *h,
    const void *body, size_t len)
{
	if (p->batch == NULL && !batch_begin(p, path))
		return false;
	len = proto_put(p->batch + SOCK_ROOM + p->batch_len,
	    BATCH_MAX + BATCH_SPARE - p->batch_len, h, body, len);
	p->batch_len += len;
	return len != 0;
}

/* --- sending --- */

static void
sent_on_route(struct peer *p)
{
	p->greeted = true;
	TAILQ_REMOVE(&routes.used, p, used);
	TAILQ_INSERT_HEAD(&routes.used, p, used);
}

bool
batch_flush(struct peer *p)
{
	int r;

	if (p->batch == NULL)
		return true;
	if (p->batch_path == BY_KEY) {
		if (p->bound)
			sock_send_key(carrier.rep, p->control,
			    p->batch + SOCK_ROOM, p->batch_len);
	} else {
		r = sock_send_copy(p->sock, p->batch, p->batch_len);
		if (r == -EAGAIN) {
			route_watch(p);
			return false;
		}
		sent_on_route(p);
	}
	batch_drop(p);
	p->flushed_ns = clock_now();
	return true;
}

bool
batch_none(void)
{
	return TAILQ_EMPTY(&unsent);
}

void
batch_settle(struct peer *p)
{
	bool now = clock_now() - p->flushed_ns >= MOMENT_NS;

	/* Whether there is room we look only inside libmsg: the flusher, too,
	 * when the program stays away. */
	if (now && !p->watched && batch_flush(p))
		return;
	if (!flusher_kick())
		(void)batch_flush(p);
}

void
batch_flush_all(void)
{
	struct peer *p, *next;

	for (p = TAILQ_FIRST(&unsent); p != NULL; p = next) {
		next = TAILQ_NEXT(p, unsent);
		(void)batch_flush(p);
	}
}

int
batch_alone(struct peer *p, enum path path, struct proto_frame *h,
    const void *body, size_t len)
{
	size_t before = ahead(p, path, NULL);
	size_t size = proto_put(NULL, 0, h, NULL, len);
	char *m = sock_alloc(before + size);
	int r = 0;

	if (m == NULL)
		return fail(-ENOMEM, "no memory for a message");
	(void)ahead(p, path, m + SOCK_ROOM);
	(void)proto_put(m + SOCK_ROOM + before, size, h, body, len);
	if (path == BY_ROUTE) {
		r = sock_send(p->sock, m);
		if (r == 0) {
			sent_on_route(p);
			return 0;
		}
		if (r == -EAGAIN)
			route_watch(p);
	} else {
		sock_send_key(carrier.rep, p->control, m + SOCK_ROOM, size);
	}
	sock_free(m);
	return r;
}

bool
batch_tell(struct peer *p, enum path path, const struct proto_frame *h,
    const void *body, size_t len)
{
	char out[128];

	if (path == BY_ROUTE) {
		if (p->batch != NULL && p->batch_path != path)
			(void)batch_flush(p);
		if (!batch_put(p, path, h, body, len))
			return false;
		(void)batch_flush(p);
		return true;
	}
	(void)batch_flush(p);
	if (!p->bound)
		return false;
	sock_send_key(carrier.rep, p->control, out,
	    proto_put(out, sizeof(out), h, body, len));
	return true;
}

void
batch_barrier(struct peer *p)
{
	int64_t now = clock_now();
	struct proto_frame h = {
		.type = PROTO_BARRIER, .to = p->pid, .from = mailbox.self
	};

	if (credit_settled(p) && credit_used(p) == 0)
		return;
	if (p->barrier != 0 && now - p->barrier_at_ns < BARRIER_AGAIN)
		return;
	if (p->barrier == 0)
		p->barrier = mailbox_ref();
	p->barrier_at_ns = now;
	h.ref = p->barrier;
	if (!batch_tell(p, p->path, &h, NULL, 0))
		p->barrier = 0;
}
