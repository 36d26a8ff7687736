/* SPDX-License-Identifier: ISC */
#include "bus/spawn.h"

#include "bus/allow.h"
#include "bus/answers.h"
#include "bus/bus.h"
#include "bus/exits.h"
#include "bus/pack.h"
#include "bus/requests.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

struct spawn {
	RB_ENTRY(spawn) entry;
	uint64_t tag;
	uint64_t owner, ref;
	unsigned flags;
	bool answered;
};

static int
spawn_cmp(const struct spawn *a, const struct spawn *b)
{
	return a->tag < b->tag ? -1 : a->tag > b->tag;
}

RB_PROTOTYPE(spawn_tree, spawn, entry, spawn_cmp);
RB_GENERATE(spawn_tree, spawn, entry, spawn_cmp)

static struct spawn *
spawn_find(struct bus *b, uint64_t tag)
{
	struct spawn key = { .tag = tag };

	return RB_FIND(spawn_tree, &b->spawns, &key);
}

static void
spawn_free(struct bus *b, struct spawn *s)
{
	struct peer *owner = peers_by_pid(b, s->owner);

	if (owner != NULL)
		owner->n_spawns--;
	RB_REMOVE(spawn_tree, &b->spawns, s);
	free(s);
}

void
spawn_fini(struct bus *b)
{
	struct spawn *s;

	while ((s = RB_MIN(spawn_tree, &b->spawns)) != NULL)
		spawn_free(b, s);
}

static struct spawn *
spawn_new(struct peer *owner, uint64_t ref, unsigned flags)
{
	struct bus *b = owner->bus;
	struct spawn *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->owner = peer_pid(owner);
	s->ref = ref;
	s->flags = flags;
	do {
		s->tag = ++b->control.last_tag;
	} while (request_find(b, s->tag) != NULL);
	RB_INSERT(spawn_tree, &b->spawns, s);
	owner->n_spawns++;
	return s;
}

/* [pool] or [pool, [argument ...]]: the pool; and the list, as JSON. */
static const char *
parse(const json_t *v, struct buf *ret_args)
{
	const json_t *args = json_array_get(v, 1);
	const char *pool = json_string_value(json_array_get(v, 0));
	char *text;

	if (pool == NULL || json_array_size(v) > 2)
		return NULL;
	if (args == NULL) {
		buf_puts(ret_args, "[]");
		return pool;
	}
	for (size_t i = 0; i < json_array_size(args); i++)
		if (!json_is_string(json_array_get(args, i)))
			return NULL;
	if (!json_is_array(args))
		return NULL;
	text = json_dumps(args, JSON_COMPACT);
	if (text != NULL)
		buf_puts(ret_args, text);
	else
		ret_args->failed = true;
	free(text);
	return pool;
}

static void
ask_engine(struct peer *p, const struct proto_frame *h, const char *pool,
    const struct buf *args)
{
	struct wire_request w = {
		.op = OP_ADD,
		.flags = REQUEST_MARK,
		.uid = p->uid,
		.asker = p->slot + 1,
	};
	struct spawn *s;

	strlcpy(w.path, pool, sizeof(w.path));
	s = spawn_new(p, h->ref, h->flags);
	if (s == NULL) {
		answers_fail(p, h->ref, 0, ENOMEM, "supd is out of memory");
		return;
	}
	if (bus_send(&p->bus->engine, WIRE_REQUEST, s->tag, &w, args->data,
		args->len + 1) == 0)
		return;
	spawn_free(p->bus, s);
	answers_fail(p, h->ref, 0, EAGAIN, "supd is busy or ending");
}

/* Why not, as an errno; 0: nothing speaks against it. */
static int
refuse(const struct peer *p, const char *pool, const struct buf *args,
    char *text, size_t len)
{
	if (args->failed) {
		snprintf(text, len, "supd is out of memory");
		return ENOMEM;
	}
	if (strlen(pool) >= WIRE_PATH_MAX || args->len >= WIRE_TAIL_MAX) {
		snprintf(text, len,
		    "the pool's path or the arguments are too "
		    "long");
		return EMSGSIZE;
	}
	if (!allow_may(p, "add", pool)) {
		snprintf(text, len,
		    "%.64s: may not add children to it; name it in `allow` of "
		    "%.200s",
		    pool, p->path);
		return EPERM;
	}
	if (p->n_spawns >= SPAWNS_MAX) {
		snprintf(text, len, "%u children are being started already",
		    SPAWNS_MAX);
		return EAGAIN;
	}
	return 0;
}

bool
spawn_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	json_t *v = pack_to_json(body, len);
	cleanup_(buf_fini) struct buf args = { 0 };
	const char *pool = v != NULL ? parse(v, &args) : NULL;
	char text[384];
	int e;

	if (pool != NULL) {
		e = refuse(p, pool, &args, text, sizeof(text));
		if (e != 0)
			answers_fail(p, h->ref, 0, e, text);
		else
			ask_engine(p, h, pool, &args);
	}
	json_decref(v);
	return pool != NULL;
}

/* A msgpack uint 64. */
static void
answer_pid(struct peer *owner, uint64_t ref, uint64_t pid)
{
	uint8_t v[9] = { 0xcf };

	for (int i = 0; i < 8; i++)
		v[1 + i] = (uint8_t)(pid >> (56 - 8 * i));
	answers_put(owner, ref, 0, v, sizeof(v));
}

void
spawn_born(struct bus *b, uint64_t tag, struct peer *p)
{
	struct spawn *s = spawn_find(b, tag);
	struct peer *owner;
	bool linked = true;

	if (s == NULL || s->answered)
		return;
	s->answered = true;
	owner = peers_by_pid(b, s->owner);
	if ((s->flags & PROTO_WITH_LINK) != 0)
		linked = owner != NULL && links_add(b, owner, peer_pid(p)) == 0;
	if (!linked) /* as a link to who has ended */
		exits_send(
		    b, s->owner, peer_pid(p), "noproc", 0, PROTO_VIA_LINK);
	if (owner == NULL)
		return;
	answer_pid(owner, s->ref, peer_pid(p));
	if ((s->flags & PROTO_WITH_MONITOR) != 0)
		(void)monitors_add(b, owner, s->ref, peer_pid(p));
}

static int
errno_of(int code)
{
	switch (code) {
	case CTL_NO_NAME:
		return ENOENT;
	case CTL_NOT_PERMITTED:
		return EPERM;
	case CTL_USAGE:
	case CTL_CONFIG:
		return EINVAL;
	default:
		return EAGAIN;
	}
}

bool
spawn_end(struct bus *b, const struct wire_hdr *h)
{
	struct spawn *s = spawn_find(b, h->tag);
	const struct wire_end *w = wire_body(h);
	struct peer *owner;
	size_t len;
	const char *text = wire_tail(h, &len);

	if (s == NULL)
		return false;
	if (h->type != WIRE_END)
		return true;
	owner = peers_by_pid(b, s->owner);
	if (owner != NULL && !s->answered)
		answers_fail(owner, s->ref, 0, errno_of(w->code),
		    len > 1 ? text : "it was not started");
	spawn_free(b, s);
	return true;
}
