/* SPDX-License-Identifier: ISC */
#include "bus/keep.h"

#include "base/log.h"
#include "bus/bus.h"
#include "bus/lifeline.h"
#include "bus/sys.h"

#include <string.h>

/* So much of it stands in the lifeline's queue at a time. */
#define WINDOW_FRAMES 16u
#define WINDOW_BYTES  (128 * 1024)

struct kept {
	TAILQ_ENTRY(kept) entry;
	struct proto_frame h;
	size_t len;
	char body[];
};

bool
keep_is(uint64_t pid)
{
	return PROTO_PID_SLOT(pid) != PROTO_GUEST_SLOT &&
	       (PROTO_PID_INC(pid) & KEEP_INC) != 0;
}

uint64_t
keep_pid(const struct peer *p)
{
	return PROTO_PID(p->slot, KEEP_INC | p->inc);
}

struct peer *
keep_peer(struct bus *b, uint64_t pid)
{
	struct peer *p =
	    keep_is(pid) ? peers_get(b, PROTO_PID_SLOT(pid)) : NULL;

	return p != NULL && p->keeps ? p : NULL;
}

static bool
can_take(const struct peer *p)
{
	return peer_joined(p) && p->line->opened;
}

struct peer *
keep_find(struct bus *b, const char *text)
{
	struct peer *p = names_find(b, text);

	if (p == NULL && names_find_guest(b, text) != NULL)
		return NULL;
	if (p == NULL)
		p = peers_by_path(b, text);
	if (p == NULL)
		TAILQ_FOREACH (p, &b->keepers, of_keepers)
			if (strcmp(p->kept_name, text) == 0)
				break;
	if (p == NULL || !p->keeps || p->inc == 0)
		return NULL;
	return can_take(p) && TAILQ_EMPTY(&p->kept) && !p->keep_asked ? NULL
	                                                              : p;
}

static void
kept_free(struct peer *p, struct kept *k)
{
	TAILQ_REMOVE(&p->kept, k, entry);
	p->n_kept--;
	p->kept_bytes -= k->len;
	free(k);
}

/* After this question has been answered, all before it has been read. */
static void
ask(struct peer *p)
{
	if (p->keep_asked)
		return;
	p->keep_asked = sys_ask_passed(p);
	p->keep_again = false;
}

void
keep_passed(struct peer *p)
{
	bool again = p->keep_again;

	p->keep_asked = false;
	if (again && can_take(p))
		ask(p);
}

static void
pass(struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct proto_frame f = *h;

	f.to = peer_pid(p);
	(void)lifeline_relay(p->line, &f, body, len);
	p->keep_again = true;
}

void
keep_flow(struct peer *p)
{
	struct kept *k;
	bool any = !TAILQ_EMPTY(&p->kept);

	while (can_take(p) && p->line->out_relayed < WINDOW_FRAMES &&
	       p->line->out_bytes < WINDOW_BYTES &&
	       (k = TAILQ_FIRST(&p->kept)) != NULL) {
		pass(p, &k->h, k->body, k->len);
		kept_free(p, k);
	}
	if (!any || !TAILQ_EMPTY(&p->kept))
		return;
	p->keep_full = false;
	if (can_take(p))
		ask(p);
}

bool
keep_put(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	struct kept *k;

	if (p->n_kept >= KEEP_MAX || p->kept_bytes + len > p->max_bytes ||
	    (k = malloc(sizeof(*k) + len)) == NULL) {
		if (!p->keep_full)
			log_warnx("%s: what is kept for it has reached "
				  "max_bytes; more is refused",
			    p->path);
		p->keep_full = true;
		return false;
	}
	k->h = *h;
	k->len = len;
	if (len != 0)
		memcpy(k->body, body, len);
	TAILQ_INSERT_TAIL(&p->kept, k, entry);
	p->n_kept++;
	p->kept_bytes += len;
	keep_flow(p);
	return true;
}

/* Its name stays known for as long as nobody else takes it. */
void
keep_ended(struct peer *p)
{
	p->keep_asked = false;
	p->keep_again = false;
	p->keep_full = false;
	if (!p->keeps || p->name == NULL)
		return;
	if (p->kept_name != NULL)
		TAILQ_REMOVE(&p->bus->keepers, p, of_keepers);
	free(p->kept_name);
	p->kept_name = strdup(p->name->text);
	if (p->kept_name != NULL)
		TAILQ_INSERT_TAIL(&p->bus->keepers, p, of_keepers);
}

void
keep_free(struct peer *p)
{
	while (!TAILQ_EMPTY(&p->kept))
		kept_free(p, TAILQ_FIRST(&p->kept));
	if (p->kept_name != NULL)
		TAILQ_REMOVE(&p->bus->keepers, p, of_keepers);
	free(p->kept_name);
	p->kept_name = NULL;
}
