/* SPDX-License-Identifier: ISC */
#include "bus/sys.h"

#include "bus/allow.h"
#include "bus/answers.h"
#include "bus/bus.h"
#include "bus/keep.h"
#include "bus/lifeline.h"
#include "bus/pack.h"

#include <stdio.h>
#include <string.h>

#define REASON_MAX 200

static int
sys_cmp(const struct sys_ask *a, const struct sys_ask *b)
{
	return a->ref < b->ref ? -1 : a->ref > b->ref;
}

RB_PROTOTYPE(sys_tree, sys_ask, by_ref, sys_cmp);
RB_GENERATE(sys_tree, sys_ask, by_ref, sys_cmp)

static void
sys_free(struct bus *b, struct sys_ask *a)
{
	RB_REMOVE(sys_tree, &b->sys.asks, a);
	TAILQ_REMOVE(&a->target->sys_owed, a, of_target);
	if (a->asker != NULL) {
		TAILQ_REMOVE(&a->asker->sys_asked, a, of_asker);
		a->asker->n_sys--;
	}
	if (a->request != NULL)
		a->request->sys = NULL;
	b->sys.bytes -= a->body.len;
	buf_fini(&a->body);
	free(a);
}

void
sys_cancel(struct bus *b, struct sys_ask *a)
{
	sys_free(b, a);
}

/* The end of a question: its answer, which has come, or error and a text. */
static void
sys_done(struct bus *b, struct sys_ask *a, int error, const char *text)
{
	struct request *r = a->request;
	struct peer *asker = a->asker, *target = a->target;
	uint64_t ref = a->asker_ref, from = peer_pid(a->target);
	struct buf body = a->body;

	b->sys.bytes -= body.len;
	a->body = (struct buf){ 0 };
	sys_free(b, a);
	if (r != NULL)
		r->on_sys(r, error, text, &body);
	else if (asker == NULL)
		keep_passed(target);
	else if (error == 0)
		answers_put(asker, ref, from, body.data, body.len);
	else
		answers_fail(asker, ref, from, error, text);
	buf_fini(&body);
}

/* Keep it before it is sent: the answer finds it.  NULL without memory. */
static struct sys_ask *
sys_new(struct bus *b, struct peer *target)
{
	struct sys_ask *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->ref = ++b->sys.last_ref;
	a->target = target;
	RB_INSERT(sys_tree, &b->sys.asks, a);
	TAILQ_INSERT_TAIL(&target->sys_owed, a, of_target);
	return a;
}

/* Put the question to the worker; false if it does not read its lifeline. */
static bool
sys_send(struct peer *target, uint64_t from, uint32_t seq, uint64_t ref,
    const void *body, size_t len)
{
	struct proto_frame h = {
		.type = PROTO_SYS,
		.flags = PROTO_MSGPACK,
		.to = peer_pid(target),
		.from = from,
		.ref = ref,
		.seq = seq,
	};

	return lifeline_relay(target->line, &h, body, len);
}

/* ---- between workers -------------------------------------------------------
 */

/* Who could do worse to it anyway, or whom the configuration lets. */
static bool
sys_may(const struct peer *from, const struct peer *to)
{
	return from->uid == to->uid || from->uid == 0 ||
	       allow_may(from, "sys", to->path);
}

static void
sys_make_room(struct peer *asker)
{
	struct sys_ask *oldest;

	while (asker->n_sys >= SYS_OPEN_MAX &&
	       (oldest = TAILQ_FIRST(&asker->sys_asked)) != NULL)
		sys_done(asker->bus, oldest, ETIMEDOUT,
		    "no answer; gave way to a later question");
}

bool
sys_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct peer *to = peers_by_pid(p->bus, h->to);
	struct sys_ask *a;

	if (h->to == 0 || !pack_check(body, len))
		return false;
	if (to == NULL || !peer_joined(to)) {
		answers_fail(p, h->ref, h->to, ESRCH, "noproc");
		return true;
	}
	if (!sys_may(p, to)) {
		answers_fail(p, h->ref, h->to, EPERM,
		    "it runs as another user, and \"allow:\" does not say "
		    "that we may");
		return true;
	}
	sys_make_room(p);
	a = sys_new(p->bus, to);
	if (a == NULL) {
		answers_fail(p, h->ref, h->to, ENOMEM, "supd is out of memory");
		return true;
	}
	a->asker = p;
	a->asker_ref = h->ref;
	TAILQ_INSERT_TAIL(&p->sys_asked, a, of_asker);
	p->n_sys++;
	if (!sys_send(to, peer_pid(p), h->seq, a->ref, body, len))
		sys_done(p->bus, a, EAGAIN, "it does not read its lifeline");
	return true;
}

/* The text of an error that a worker sent, with its end. */
static void
error_text(const struct buf *body, char *out, size_t len)
{
	size_t n = body->len < len - 1 ? body->len : len - 1;

	if (n != 0)
		memcpy(out, body->data, n);
	out[n] = '\0';
}

static void
sys_whole(struct bus *b, struct sys_ask *a, const struct proto_frame *h)
{
	char text[REASON_MAX];

	if (a->too_long || a->body.failed)
		sys_done(b, a, EMSGSIZE, "its answer is longer than 8 MB");
	else if ((h->flags & PROTO_ERROR) != 0) {
		error_text(&a->body, text, sizeof(text));
		sys_done(b, a,
		    h->tag != 0 && h->tag < 4096 ? (int)h->tag : EREMOTEIO,
		    text);
	} else if (!pack_check(a->body.data, a->body.len))
		sys_done(b, a, EBADMSG, "its answer is not msgpack");
	else
		sys_done(b, a, 0, NULL);
}

bool
sys_answer(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct sys_ask key = { .ref = h->ref };
	struct sys_ask *a = RB_FIND(sys_tree, &p->bus->sys.asks, &key);

	/* One that is not to be answered by it, or not any more. */
	if (a == NULL || a->target != p)
		return true;
	if (a->body.len + len > ANSWERS_BYTES_MAX ||
	    p->bus->sys.bytes + len > SYS_BYTES_MAX)
		a->too_long = true;
	if (!a->too_long) {
		buf_add(&a->body, body, len);
		p->bus->sys.bytes += len;
	}
	if ((h->flags & PROTO_MORE) == 0)
		sys_whole(p->bus, a, h);
	return true;
}

/* ---- requests --------------------------------------------------------------
 */

/* [op, argument ...] */
static bool
put_question(struct buf *out, const char *op, const json_t *args)
{
	json_t *list = json_pack("[s]", op);
	bool ok;

	for (size_t i = 0; i < json_array_size(args); i++)
		json_array_append(list, json_array_get(args, i));
	ok = list != NULL && pack_from_json(out, list) &&
	     out->len <= PROTO_LIFELINE_MAX - PROTO_HEADER_SIZE;
	json_decref(list);
	return ok;
}

int
sys_request(
    struct request *r, struct peer *target, const char *op, const json_t *args)
{
	cleanup_(buf_fini) struct buf body = { 0 };
	struct sys_ask *a;

	if (!put_question(&body, op, args))
		return -EMSGSIZE;
	a = sys_new(target->bus, target);
	if (a == NULL)
		return -ENOMEM;
	a->request = r;
	r->sys = a;
	if (sys_send(target, r->client->guest, 0, a->ref, body.data, body.len))
		return 0;
	sys_free(target->bus, a);
	return -EAGAIN;
}

bool
sys_ask_passed(struct peer *target)
{
	cleanup_(buf_fini) struct buf body = { 0 };
	struct sys_ask *a;

	if (!put_question(&body, "info", NULL))
		return false;
	a = sys_new(target->bus, target);
	if (a == NULL)
		return false;
	if (sys_send(target, PROTO_SUPERVISOR, 0, a->ref, body.data, body.len))
		return true;
	sys_free(target->bus, a);
	return false;
}

void
sys_tell(struct peer *target, const char *op, const json_t *args)
{
	cleanup_(buf_fini) struct buf body = { 0 };

	if (put_question(&body, op, args))
		(void)sys_send(
		    target, PROTO_SUPERVISOR, 0, 0, body.data, body.len);
}

void
sys_ended(struct bus *b, struct peer *p, const char *reason)
{
	struct sys_ask *a;
	char text[REASON_MAX];

	snprintf(text, sizeof(text), "it ended before it answered: %s", reason);
	while ((a = TAILQ_FIRST(&p->sys_asked)) != NULL)
		sys_free(b, a);
	while ((a = TAILQ_FIRST(&p->sys_owed)) != NULL)
		sys_done(b, a, ECONNRESET, text);
}
