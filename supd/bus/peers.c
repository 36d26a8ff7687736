/* SPDX-License-Identifier: ISC */
#include "bus/peers.h"

#include "base/log.h"
#include "bus/beat.h"
#include "bus/bus.h"
#include "bus/command.h"
#include "bus/exits.h"
#include "bus/guest.h"
#include "bus/lifeline.h"
#include "bus/notify.h"
#include "bus/standing.h"
#include "bus/stream.h"
#include "bus/trace.h"
#include "bus/wishes.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static int
peer_path_cmp(const struct peer *a, const struct peer *b)
{
	return strcmp(a->path, b->path);
}

RB_GENERATE(peer_tree, peer, by_path, peer_path_cmp)

uint64_t
peer_pid(const struct peer *p)
{
	return PROTO_PID(p->slot, p->inc);
}

bool
peer_joined(const struct peer *p)
{
	return p->live && p->line != NULL && p->line->fd >= 0 &&
	       p->line->joined && !p->line->deaf;
}

struct peer *
peers_get(struct bus *b, uint32_t slot)
{
	return slot < b->peers.n ? b->peers.slot[slot] : NULL;
}

struct peer *
peers_by_pid(struct bus *b, uint64_t pid)
{
	struct peer *p = peers_get(b, PROTO_PID_SLOT(pid));

	return p != NULL && p->live && peer_pid(p) == pid ? p : NULL;
}

struct peer *
peers_by_path(struct bus *b, const char *path)
{
	char full[WIRE_PATH_MAX];
	struct peer key = { .path = full }, *p;
	int n;

	n = snprintf(full, sizeof(full), "%s", path);
	if (n < 0 || (size_t)n >= sizeof(full))
		return NULL;
	p = RB_FIND(peer_tree, &b->peers.by_path, &key);
	if (p != NULL)
		return p;
	n = snprintf(full, sizeof(full), "root/%s", path);
	if (n < 0 || (size_t)n >= sizeof(full))
		return NULL;
	return RB_FIND(peer_tree, &b->peers.by_path, &key);
}

struct peer *
peers_find(struct bus *b, const char *text, bool joined)
{
	struct peer *p = names_find(b, text);

	if (p == NULL)
		p = peers_by_path(b, text);
	if (p == NULL || !p->live || (joined && !peer_joined(p)))
		return NULL;
	return p;
}

static bool
peers_grow(struct peers *t, uint32_t slot)
{
	uint32_t n = t->n != 0 ? t->n : 64;
	struct peer **s;

	if (slot < t->n)
		return true;
	while (n <= slot)
		n *= 2;
	s = reallocarray(t->slot, n, sizeof(struct peer *));
	if (s == NULL)
		return false;
	memset(s + t->n, 0, (n - t->n) * sizeof(struct peer *));
	t->slot = s;
	t->n = n;
	return true;
}

/* The peer of a slot, made when it is new.  NULL without memory. */
static struct peer *
peers_make(struct bus *b, uint32_t slot)
{
	struct peer *p = peers_get(b, slot);

	if (p != NULL)
		return p;
	if (slot >= PEERS_MAX || !peers_grow(&b->peers, slot)) {
		log_warnx("slot %u: no room for it; it will not be able to "
			  "talk or to tell that it is ready",
		    slot);
		return NULL;
	}
	p = calloc(1, sizeof(*p));
	if (p == NULL || (p->path = strdup("")) == NULL) {
		free(p);
		return NULL;
	}
	TAILQ_INIT(&p->held);
	p->bus = b;
	p->slot = slot;
	TAILQ_INIT(&p->kept);
	TAILQ_INIT(&p->sys_asked);
	TAILQ_INIT(&p->sys_owed);
	b->peers.slot[slot] = p;
	b->peers.n_fds++;
	return p;
}

static void
peer_unpath(struct peer *p)
{
	if (p->in_tree)
		RB_REMOVE(peer_tree, &p->bus->peers.by_path, p);
	p->in_tree = false;
}

static void
peer_set_path(struct peer *p, const char *path)
{
	struct peer *other;
	char *copy;

	if (p->in_tree && strcmp(p->path, path) == 0)
		return;
	copy = strdup(path);
	if (copy == NULL)
		return;
	peer_unpath(p);
	free(p->path);
	p->path = copy;
	other = RB_INSERT(peer_tree, &p->bus->peers.by_path, p);
	if (other != NULL) {
		/* Its FORGET has not come yet; the path is the new one's. */
		peer_unpath(other);
		RB_INSERT(peer_tree, &p->bus->peers.by_path, p);
	}
	p->in_tree = true;
}

void
peer_ready(struct peer *p)
{
	struct wire_ready w = { .slot = p->slot, .inc = p->inc };

	if (!p->live)
		return;
	if (p->status != NULL)
		snprintf(w.status, sizeof(w.status), "%s", p->status);
	p->ready_told = true;
	bus_send(&p->bus->engine, WIRE_READY, 0, &w, NULL, 0);
}

/* The incarnation takes over the lifeline that came for it. */
static void
peer_attach(struct peer *p)
{
	struct lifeline *l = p->early;

	if (l == NULL || !p->live || l->inc != p->inc)
		return;
	p->early = NULL;
	p->line = l;
	p->os_pid = l->os_pid;
	if (l->notify_fd >= 0)
		notify_watch_pipe(p, take_fd(&l->notify_fd));
	lifeline_start(l);
	notify_attached(p);
}

/*
 * The order is the promise (D7): what it still said, then its names are free,
 * then everybody who waits hears of it.
 */
static void
peer_end(struct peer *p, const char *reason, bool by_exit)
{
	struct bus *b = p->bus;

	/* The keeper sent the lifeline before the engine heard of the end. */
	bus_pump(&b->keeper);
	if (p->line != NULL)
		lifeline_drain(p->line);
	notify_reset(p);
	beat_reset(p);
	exits_reset(p);
	mailbox_unlink(b, p);
	keep_ended(p);
	names_purge(b, p);
	p->live = false;
	if (by_exit && p->declared != NULL) /* D10 */
		reason = p->declared;
	command_ended(p);
	sys_ended(b, p, reason);
	trace_ended(p, reason);
	guest_ended(b, peer_pid(p), p->path, reason);
	monitors_ended(b, peer_pid(p), reason);
	links_ended(b, p, reason);
	resolve_answer(p);

	lifeline_free(p->line);
	p->line = NULL;
	p->os_pid = 0;
	p->ready_told = false;
	p->n_watches = 0;
	p->traps = p->traps_told = false;
	p->n_declared = 0;
	p->n_spawns = 0;
	free(take_ptr(p->declared));
	free(take_ptr(p->status));
	free(take_ptr(p->stats));
}

/* Clients must always find an fd, or nobody could stop what takes them all. */
static bool
peers_have_fds(const struct peers *t, uint32_t more)
{
	struct rlimit l;

	return getrlimit(RLIMIT_NOFILE, &l) < 0 ||
	       l.rlim_cur == RLIM_INFINITY ||
	       (rlim_t)t->n_fds + more + CONTROL_FDS <= l.rlim_cur;
}

void
peers_prepare(struct bus *b, const struct wire_hdr *h)
{
	const struct wire_prepare *w = wire_body(h);
	size_t tail_len;
	const char *tail = wire_tail(h, &tail_len);
	struct wire_result r = { .slot = w->slot };
	struct peer *p = peers_make(b, w->slot);
	int e = p != NULL ? 0 : -ENOMEM;

	if (p != NULL) {
		if (p->prepared & PREPARE_MAILBOX && p->uid != w->uid) {
			mailbox_release(b, p);
			p->prepared &= ~PREPARE_MAILBOX;
		}
		p->uid = w->uid;
		p->gid = w->gid;
		p->beat_ns = w->beat_ns;
		wishes_free(p->wishes);
		p->wishes = wishes_parse(tail, tail_len);
		standing_changed(p);
		p->max_bytes = w->max_bytes;
		p->on_full = w->on_full;
		p->keeps = (w->flags & PREPARE_KEEP) != 0;
		peer_set_path(p, w->path);
		if (!peers_have_fds(&b->peers,
			(w->flags & ~p->prepared & PREPARE_NOTIFY) != 0)) {
			e = -ENOSPC; /* not EMFILE: waiting does not help */
			strlcpy(r.text,
			    "no file descriptors left for it; raise "
			    "RLIMIT_NOFILE (each worker takes one, with "
			    "\"ready: notify\" two) or run fewer workers",
			    sizeof(r.text));
		}
		if (e == 0 && w->flags & ~p->prepared & PREPARE_NOTIFY) {
			e = notify_prepare(p, r.text, sizeof(r.text));
			if (e == 0) {
				p->prepared |= PREPARE_NOTIFY;
				b->peers.n_fds++;
			}
		}
		if (e == 0 && w->flags & ~p->prepared & PREPARE_MAILBOX) {
			e = mailbox_prepare(b, p, r.text, sizeof(r.text));
			if (e == 0)
				p->prepared |= PREPARE_MAILBOX;
		}
	}
	r.error = -e;
	if (e != 0 && r.text[0] == '\0')
		snprintf(r.text, sizeof(r.text), "%s", strerror(-e));
	bus_send(&b->engine, WIRE_PREPARED, 0, &r, NULL, 0);
}

void
peers_proc(struct bus *b, const struct wire_proc *w)
{
	struct peer *p = peers_make(b, w->slot);
	uint64_t last;

	if (p == NULL)
		return;
	if (p->live)
		peer_end(p, "noconnection", false);
	p->uid = w->uid;
	peer_set_path(p, w->path);
	last = keep_pid(p);
	p->inc = w->inc;
	p->live = true;
	monitors_keep(b, p, last);
	arc4random_buf(p->secret, sizeof(p->secret));
	p->ready_told = false;
	if (p->early != NULL && p->early->inc < p->inc) {
		lifeline_free(p->early);
		p->early = NULL;
	}
	if (w->request != 0) {
		resolve_expect(p);
		spawn_born(b, w->request, p);
	}
	standing_begin(p);
	peer_attach(p);
}

void
peers_dead(struct bus *b, const struct wire_dead *w)
{
	struct peer *p = peers_get(b, w->slot);

	if (p != NULL && p->live && p->inc == w->inc)
		peer_end(p, w->reason, w->by_exit != 0);
}

/* Its reason has arrived: it may end now. */
void
peers_heard(struct bus *b, const struct wire_hdr *h)
{
	const struct wire_id *w = wire_body(h);
	struct peer *p = peers_get(b, w->slot);

	if (p != NULL && p->live && p->inc == w->inc && h->tag != 0)
		lifeline_result(p->line, h->tag, 0);
}

void
peers_lifeline(
    struct bus *b, const struct wire_lifeline *w, int *fds, unsigned n_fds)
{
	int notify_fd = w->has_notify_fd != 0 && n_fds > 1 ? fds[1] : -EBADF;
	struct peer *p = n_fds > 0 ? peers_make(b, w->slot) : NULL;
	struct lifeline *l;

	for (unsigned i = notify_fd >= 0 ? 2 : 1; i < n_fds; i++)
		close(fds[i]);
	if (n_fds == 0)
		return;
	if (p == NULL || w->inc < p->inc || (w->inc == p->inc && !p->live) ||
	    (p->line != NULL && p->line->inc == w->inc)) {
		/* It ended before its lifeline came. */
		close(fds[0]);
		closep(&notify_fd);
		return;
	}
	l = lifeline_new(b, p, w->inc, w->pid, fds[0], notify_fd);
	if (l == NULL) {
		log_warnx("%s: out of memory for its lifeline; it cannot talk",
		    p->path);
		return;
	}
	lifeline_free(p->early);
	p->early = l;
	peer_attach(p);
}

static void
peer_free(struct peer *p)
{
	struct bus *b = p->bus;

	p->live = false;
	resolve_answer(p);
	command_ended(p);
	sys_ended(b, p, "noconnection");
	keep_free(p);
	monitors_ended(b, keep_pid(p), "noproc");
	lifeline_free(p->line);
	lifeline_free(p->early);
	names_purge(b, p);
	notify_free(p);
	beat_free(p);
	exits_reset(p);
	standing_free(p);
	wishes_free(p->wishes);
	if (p->prepared & PREPARE_MAILBOX)
		mailbox_release(b, p);
	peer_unpath(p);
	b->peers.slot[p->slot] = NULL;
	b->peers.n_fds -= 1 + ((p->prepared & PREPARE_NOTIFY) != 0);
	free(p->path);
	free(p->declared);
	free(p->status);
	free(p->stats);
	free(p);
}

void
peers_forget(struct bus *b, const struct wire_id *w)
{
	struct peer *p = peers_get(b, w->slot);

	if (p == NULL)
		return;
	if (p->live)
		peer_end(p, "noconnection", false);
	stream_forget(b, p->slot, p->path);
	trace_forget(p);
	peer_free(p);
}

void
peers_fini(struct bus *b)
{
	for (uint32_t i = 0; i < b->peers.n; i++) {
		struct peer *p = b->peers.slot[i];

		if (p == NULL)
			continue;
		if (p->live)
			mailbox_unlink(b, p);
		peer_free(p);
	}
	free(b->peers.slot);
	b->peers.slot = NULL;
	b->peers.n = 0;
}
