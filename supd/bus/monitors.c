/* SPDX-License-Identifier: ISC */
#include "bus/monitors.h"

#include "bus/bus.h"
#include "bus/jsonrpc.h"
#include "bus/keep.h"
#include "bus/lifeline.h"
#include "bus/target.h"

#include <string.h>

/* Marks those that a configuration makes; pids of workers are below it. */
#define REF_STANDING (UINT64_C(1) << 62)
_Static_assert(PROTO_PID(PEERS_MAX, 0) < REF_STANDING, "a pid has this bit");

static int
cmp_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int
owner_cmp(const struct monitor *a, const struct monitor *b)
{
	int c = cmp_u64(a->owner, b->owner);

	if (c == 0)
		c = (int)a->gone - (int)b->gone;
	return c != 0 ? c : cmp_u64(a->ref, b->ref);
}

/* Of one target: DOWNs before GONEs. */
static int
target_cmp(const struct monitor *a, const struct monitor *b)
{
	int c = cmp_u64(a->target, b->target);

	if (c == 0)
		c = (int)a->gone - (int)b->gone;
	if (c == 0)
		c = cmp_u64(a->owner, b->owner);
	return c != 0 ? c : cmp_u64(a->ref, b->ref);
}

RB_PROTOTYPE(owner_tree, monitor, by_owner, owner_cmp);
RB_GENERATE(owner_tree, monitor, by_owner, owner_cmp)
RB_PROTOTYPE(target_tree, monitor, by_target, target_cmp);
RB_GENERATE(target_tree, monitor, by_target, target_cmp)

static void
monitor_free(struct bus *b, struct monitor *m)
{
	struct peer *owner = peers_by_pid(b, m->owner);

	if (owner != NULL)
		owner->n_watches--;
	RB_REMOVE(owner_tree, &b->monitors.by_owner, m);
	RB_REMOVE(target_tree, &b->monitors.by_target, m);
	free(m);
}

void
monitors_fini(struct bus *b)
{
	struct monitor *m;

	while ((m = RB_MIN(owner_tree, &b->monitors.by_owner)) != NULL)
		monitor_free(b, m);
}

static void
send_down(struct peer *owner, uint64_t ref, uint64_t target, const char *reason)
{
	struct proto_frame h = {
		.type = PROTO_DOWN,
		.to = peer_pid(owner),
		.from = target,
		.ref = (ref & REF_STANDING) != 0 ? 0 : ref,
	};

	lifeline_send(owner->line, &h, reason, strlen(reason));
}

/* False: this owner has one with that ref already. */
static bool
monitor_new(struct bus *b, struct peer *owner, uint64_t ref, uint64_t target,
    bool gone, const char **ret_fault)
{
	struct monitor *m = NULL;
	struct monitor key = {
		.owner = peer_pid(owner),
		.target = target,
		.ref = ref,
		.gone = gone,
	};

	*ret_fault = NULL;
	if (RB_FIND(owner_tree, &b->monitors.by_owner, &key) != NULL)
		return false;
	if (owner->n_watches < MONITORS_MAX)
		m = malloc(sizeof(*m));
	if (m == NULL) {
		*ret_fault = "system_limit";
		return true;
	}
	*m = key;
	RB_INSERT(owner_tree, &b->monitors.by_owner, m);
	RB_INSERT(target_tree, &b->monitors.by_target, m);
	owner->n_watches++;
	return true;
}

/* Of the incarnation that is there, else of the next. */
static bool
add_kept(struct bus *b, struct peer *owner, uint64_t ref, uint64_t target)
{
	struct peer *p = keep_peer(b, target);
	struct monitor key = { .owner = peer_pid(owner), .ref = ref }, *m;
	const char *fault;

	if (!monitor_new(b, owner, ref, keep_pid(p), false, &fault))
		return false;
	if (fault != NULL) {
		send_down(owner, ref, target, fault);
		return true;
	}
	m = RB_FIND(owner_tree, &b->monitors.by_owner, &key);
	if (m != NULL)
		m->as = target;
	if (p->live)
		monitors_keep(b, p, keep_pid(p));
	return true;
}

bool
monitors_add(struct bus *b, struct peer *owner, uint64_t ref, uint64_t target)
{
	const char *fault;
	struct target t;

	if (keep_peer(b, target) != NULL)
		return add_kept(b, owner, ref, target);
	if (!target_of(b, target, &t)) {
		send_down(owner, ref, target, "noproc");
		return true;
	}
	if (!monitor_new(b, owner, ref, target, false, &fault))
		return false;
	if (fault != NULL)
		send_down(owner, ref, target, fault);
	return true;
}

void
monitors_stand(struct bus *b, struct peer *owner, uint64_t target)
{
	const char *fault;

	(void)monitor_new(
	    b, owner, REF_STANDING | target, target, false, &fault);
}

void
monitors_remove(struct bus *b, struct peer *owner, uint64_t ref)
{
	struct monitor key = { .owner = peer_pid(owner), .ref = ref };
	struct monitor *m = RB_FIND(owner_tree, &b->monitors.by_owner, &key);

	if (m != NULL)
		monitor_free(b, m);
}

void
monitors_subscribe(struct bus *b, struct peer *owner, uint64_t to)
{
	struct peer *target = peers_by_pid(b, to);
	uint64_t from = peer_pid(owner);
	const char *fault;

	if (from == to)
		return;
	/* Without the GONE it keeps a route to an endpoint nobody listens on:
	 * connecting fails at once, so nothing is lost but an fd. */
	(void)monitor_new(b, owner, to, to, true, &fault);
	if (target != NULL)
		(void)monitor_new(b, target, from, from, true, &fault);
}

void
monitors_keep(struct bus *b, struct peer *p, uint64_t last)
{
	struct monitor key = { .target = last }, *m;

	while (
	    (m = RB_NFIND(target_tree, &b->monitors.by_target, &key)) != NULL &&
	    m->target == last) {
		RB_REMOVE(target_tree, &b->monitors.by_target, m);
		m->target = peer_pid(p);
		RB_INSERT(target_tree, &b->monitors.by_target, m);
	}
}

void
monitors_ended(struct bus *b, uint64_t pid, const char *reason)
{
	struct monitor key = { .owner = pid }, *m;

	while (
	    (m = RB_NFIND(owner_tree, &b->monitors.by_owner, &key)) != NULL &&
	    m->owner == pid)
		monitor_free(b, m);

	key = (struct monitor){ .target = pid };
	while (
	    (m = RB_NFIND(target_tree, &b->monitors.by_target, &key)) != NULL &&
	    m->target == pid) {
		struct peer *owner = peers_by_pid(b, m->owner);
		struct proto_frame gone = {
			.type = PROTO_GONE,
			.to = m->owner,
			.from = pid,
		};
		uint64_t ref = m->ref, as = m->as != 0 ? m->as : pid;
		bool is_gone = m->gone;

		monitor_free(b, m);
		if (owner == NULL || owner->line == NULL)
			continue;
		if (is_gone)
			lifeline_send(owner->line, &gone, NULL, 0);
		else
			send_down(owner, ref, as, reason);
	}
}

json_t *
monitors_json(struct bus *b, uint64_t pid)
{
	struct monitor key = { .owner = pid };
	json_t *list = json_array();
	struct monitor *m;

	m = RB_NFIND(owner_tree, &b->monitors.by_owner, &key);
	for (; m != NULL && m->owner == pid && !m->gone;
	     m = RB_NEXT(owner_tree, &b->monitors.by_owner, m)) {
		if ((m->ref & PROTO_REF_OWN) == 0)
			json_array_append_new(list, pid_json(m->target));
	}
	return list;
}

json_t *
monitors_by_json(struct bus *b, uint64_t pid)
{
	struct monitor key = { .target = pid };
	json_t *list = json_array();
	struct monitor *m;

	m = RB_NFIND(target_tree, &b->monitors.by_target, &key);
	for (; m != NULL && m->target == pid && !m->gone;
	     m = RB_NEXT(target_tree, &b->monitors.by_target, m)) {
		if ((m->ref & PROTO_REF_OWN) == 0)
			json_array_append_new(list, pid_json(m->owner));
	}
	return list;
}
