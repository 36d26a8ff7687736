/* SPDX-License-Identifier: ISC */
#include "bus/standing.h"

#include "base/log.h"
#include "bus/bus.h"
#include "bus/exits.h"
#include "bus/wishes.h"

#include <string.h>

/*
 * Who is about to end by an exit signal is not linked: its end would take its
 * partner's new incarnation along, and that one the next, for ever.
 */
static void
make_link(struct peer *p, struct peer *q)
{
	if (p == q || exits_doomed(p) || exits_doomed(q))
		return;
	if (links_add(p->bus, p, peer_pid(q)) < 0)
		log_warnx("%s: cannot be linked with %s: too many links",
		    p->path, q->path);
}

static void
fulfil(struct peer *p, const struct wish *w, struct peer *q)
{
	if (w->kind == WISH_LINK)
		make_link(p, q);
	else if (w->kind == WISH_MONITOR && p != q && peer_joined(p))
		monitors_stand(p->bus, p, peer_pid(q));
}

static bool
is_about_others(const struct wish *w)
{
	return w->kind == WISH_LINK || w->kind == WISH_MONITOR;
}

/* What p wants of others. */
static void
own_wishes(struct peer *p)
{
	for (const struct wish *w = p->wishes; w != NULL; w = w->next) {
		struct peer *q = is_about_others(w)
		                     ? peers_find(p->bus, w->text, false)
		                     : NULL;

		if (q != NULL)
			fulfil(p, w, q);
	}
}

/* What others want of p. */
void
standing_named(struct peer *p)
{
	struct peer *q;

	TAILQ_FOREACH (q, &p->bus->peers.wishers, of_wishers) {
		if (!q->live || q == p)
			continue;
		for (const struct wish *w = q->wishes; w != NULL; w = w->next)
			if (is_about_others(w) &&
			    peers_find(p->bus, w->text, false) == p)
				fulfil(q, w, p);
	}
}

void
standing_begin(struct peer *p)
{
	for (const struct wish *w = p->wishes; w != NULL; w = w->next) {
		int e;

		if (w->kind != WISH_REGISTER)
			continue;
		e = names_stand(p->bus, p, w->text);
		if (e < 0)
			log_warnx("%s: cannot be registered as \"%s\": %s; it "
				  "runs without that name",
			    p->path, w->text,
			    e == -EEXIST ? "another has that name"
					 : strerror(-e));
	}
	own_wishes(p);
	standing_named(p);
}

void
standing_joined(struct peer *p)
{
	own_wishes(p);
}

void
standing_free(struct peer *p)
{
	if (p->wishing)
		TAILQ_REMOVE(&p->bus->peers.wishers, p, of_wishers);
	p->wishing = false;
}

void
standing_changed(struct peer *p)
{
	standing_free(p);
	for (const struct wish *w = p->wishes; w != NULL; w = w->next)
		p->wishing |= is_about_others(w);
	if (p->wishing)
		TAILQ_INSERT_TAIL(&p->bus->peers.wishers, p, of_wishers);
}
