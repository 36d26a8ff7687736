/* SPDX-License-Identifier: ISC */
#include "bus/links.h"

#include "bus/bus.h"
#include "bus/exits.h"
#include "bus/lifeline.h"

#include <string.h>

static int
half_link_cmp(const struct half_link *a, const struct half_link *b)
{
	if (a->owner != b->owner)
		return a->owner < b->owner ? -1 : 1;
	return a->other < b->other ? -1 : a->other > b->other;
}

RB_GENERATE(link_tree, half_link, entry, half_link_cmp)

static struct half_link *
half_find(struct bus *b, uint64_t owner, uint64_t other)
{
	struct half_link key = { .owner = owner, .other = other };

	return RB_FIND(link_tree, &b->links, &key);
}

static void
half_free(struct bus *b, struct half_link *h)
{
	struct peer *p = peers_by_pid(b, h->owner);

	if (p != NULL)
		p->n_links--;
	RB_REMOVE(link_tree, &b->links, h);
	free(h);
}

void
links_fini(struct bus *b)
{
	struct half_link *h;

	while ((h = RB_MIN(link_tree, &b->links)) != NULL)
		half_free(b, h);
}

/* LINKED or UNLINKED. */
static void
tell(struct peer *p, enum proto_type type, uint64_t other)
{
	struct proto_frame h = {
		.type = (uint8_t)type,
		.to = peer_pid(p),
		.from = other,
	};

	lifeline_send(p->line, &h, NULL, 0);
}

static void
half_insert(struct bus *b, struct half_link *h, struct peer *p, uint64_t other)
{
	*h = (struct half_link){ .owner = peer_pid(p), .other = other };
	RB_INSERT(link_tree, &b->links, h);
	p->n_links++;
	tell(p, PROTO_LINKED, other);
}

int
links_add(struct bus *b, struct peer *p, uint64_t other)
{
	struct peer *q = peers_by_pid(b, other);
	struct half_link *h[2];

	if (q == NULL)
		return -ESRCH;
	if (q == p || links_has(b, peer_pid(p), other))
		return 0;
	if (p->n_links >= LINKS_MAX || q->n_links >= LINKS_MAX)
		return -ENOBUFS;
	h[0] = malloc(sizeof(*h[0]));
	h[1] = malloc(sizeof(*h[1]));
	if (h[0] == NULL || h[1] == NULL) {
		free(h[0]);
		free(h[1]);
		return -ENOMEM;
	}
	half_insert(b, h[0], p, other);
	half_insert(b, h[1], q, peer_pid(p));
	return 0;
}

bool
links_has(struct bus *b, uint64_t a, uint64_t other)
{
	return half_find(b, a, other) != NULL;
}

/*
 * The caller is told, too: it may have heard meanwhile of a link that the other
 * made, which is now undone as well.
 */
void
links_remove(struct bus *b, struct peer *p, uint64_t other)
{
	struct half_link *mine = half_find(b, peer_pid(p), other);
	struct half_link *theirs = half_find(b, other, peer_pid(p));
	struct peer *q = peers_by_pid(b, other);

	if (mine == NULL)
		return;
	half_free(b, mine);
	if (theirs != NULL)
		half_free(b, theirs);
	tell(p, PROTO_UNLINKED, other);
	if (q != NULL)
		tell(q, PROTO_UNLINKED, peer_pid(p));
}

uint64_t
links_next(struct bus *b, uint64_t pid, uint64_t after)
{
	struct half_link key = { .owner = pid, .other = after + 1 };
	struct half_link *h = RB_NFIND(link_tree, &b->links, &key);

	return h != NULL && h->owner == pid ? h->other : 0;
}

void
links_tell(struct bus *b, struct peer *p)
{
	uint64_t pid = peer_pid(p), other = 0;

	while ((other = links_next(b, pid, other)) != 0)
		tell(p, PROTO_LINKED, other);
}

void
links_ended(struct bus *b, struct peer *p, const char *reason)
{
	uint64_t pid = peer_pid(p), other;

	while ((other = links_next(b, pid, 0)) != 0) {
		struct half_link *mine = half_find(b, pid, other);
		struct half_link *theirs = half_find(b, other, pid);

		if (mine != NULL)
			half_free(b, mine);
		if (theirs != NULL)
			half_free(b, theirs);
		exits_send(b, pid, other, reason, 0, PROTO_VIA_LINK);
	}
	p->n_links = 0;
}
