/* SPDX-License-Identifier: ISC */
#include "bus/answers.h"

#include "bus/bus.h"
#include "bus/lifeline.h"

#include <string.h>

#define PIECE_MAX (48 * 1024)
/* So much of them stands in the lifeline's own queue at a time. */
#define WINDOW_BYTES (128 * 1024)

struct answer {
	TAILQ_ENTRY(answer) entry;
	uint64_t ref, from;
	size_t len, pos;
	char body[];
};

static void
answer_free(struct lifeline *l, struct answer *a)
{
	TAILQ_REMOVE(&l->answers, a, entry);
	l->answer_bytes -= a->len;
	free(a);
}

void
answers_drop(struct lifeline *l)
{
	while (!TAILQ_EMPTY(&l->answers))
		answer_free(l, TAILQ_FIRST(&l->answers));
}

/* Returns false when that was its last piece. */
static bool
send_piece(struct lifeline *l, struct answer *a)
{
	const char *p = a->body + a->pos;
	size_t len = a->len - a->pos;
	struct proto_frame h = {
		.type = PROTO_ANSWER,
		.flags = PROTO_MSGPACK,
		.to = peer_pid(l->peer),
		.from = a->from,
		.ref = a->ref,
	};

	if (len > PIECE_MAX) {
		len = PIECE_MAX;
		h.flags |= PROTO_MORE;
	}
	a->pos += len;
	lifeline_send(l, &h, p, len); /* it may be freed now: see there */
	return (h.flags & PROTO_MORE) != 0;
}

void
answers_flush(struct lifeline *l)
{
	struct answer *a;

	/* A send that fails closes the lifeline, and that drops the list. */
	while ((a = TAILQ_FIRST(&l->answers)) != NULL &&
	       l->out_bytes < WINDOW_BYTES)
		if (!send_piece(l, a) && a == TAILQ_FIRST(&l->answers))
			answer_free(l, a);
}

void
answers_put(
    struct peer *to, uint64_t ref, uint64_t from, const void *body, size_t len)
{
	struct lifeline *l = to->line;
	struct answer *a;

	if (!peer_joined(to))
		return;
	if (l->answer_bytes + len > ANSWERS_BYTES_MAX) {
		answers_fail(to, ref, from, EMSGSIZE,
		    len > ANSWERS_BYTES_MAX
			? "the answer is longer than 8 MB"
			: "8 MB of answers wait already; read them first");
		return;
	}
	a = malloc(sizeof(*a) + len);
	if (a == NULL) {
		answers_fail(to, ref, from, ENOMEM, "supd is out of memory");
		return;
	}
	*a = (struct answer){ .ref = ref, .from = from, .len = len };
	memcpy(a->body, body, len);
	TAILQ_INSERT_TAIL(&l->answers, a, entry);
	l->answer_bytes += len;
	answers_flush(l);
}

void
answers_fail(
    struct peer *to, uint64_t ref, uint64_t from, int error, const char *text)
{
	size_t len = strlen(text);
	struct proto_frame h = {
		.type = PROTO_ANSWER,
		.flags = PROTO_ERROR,
		.to = peer_pid(to),
		.from = from,
		.ref = ref,
		.tag = (uint32_t)error,
	};

	if (peer_joined(to))
		lifeline_send(
		    to->line, &h, text, len > PIECE_MAX ? PIECE_MAX : len);
}
