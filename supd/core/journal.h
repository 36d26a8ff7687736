/* SPDX-License-Identifier: ISC */
#ifndef CORE_JOURNAL_H
#define CORE_JOURNAL_H

#include "core/engine.h"
#include "core/snapshot.h"

/*
 * Everything that goes into an engine, as records, so that it can be made
 * again: each event of engine_step() and each call that changes the tree.
 * Specs are written with their contents.  The core is deterministic, so a
 * checkpoint (engine_save()) and the records since make the same engine, to
 * the byte.
 *
 * What a shell must do, so that its engine may die at any instant:
 *
 *  1. Record an event, then give it to engine_step(), then carry out its
 *     effects, all of them, as far as they do not wait for somebody else; only
 *     then record the next.  The same for calls: record, then call (a call
 *     that adds a node is recorded after it, for the number that it gave).
 *  2. Acknowledge an exit to the keeper after the step that took it, and
 *     before the step's effects: among them may be a spawn in that slot.
 *  3. After a death: engine_restore() the checkpoint and journal_fold() the
 *     records into it, in this order.  Of all effects only those of the last
 *     event may not have been carried out, or not all, so journal_fold() emits
 *     these again.  Spawns and signals among them, and those that have waited
 *     for somebody else since before, come from engine_outstanding(), which
 *     tells by the state of the tree what has been ordered and not been
 *     answered; so take SPAWN, SIGNAL and PROBE from there and the rest from
 *     journal_fold().
 *  4. When the keeper has taken all that the dead engine has sent: if the last
 *     event was an exit, acknowledge it (2.) before anything else.  Then look
 *     at the slots (wire/slots.h): an exit, an exec or a failure that is in a
 *     slot for the incarnation that the engine knows becomes an event again.
 *     Then carry out what is outstanding.
 *
 * Effects can so be carried out twice, and must not mind:
 *
 *   SPAWN   (node, inc) is void unless inc is higher than the slot's
 *   SIGNAL  is void when the slot holds another incarnation, or none that
 *           runs; the same signal twice is what kill(2) allows.  When the
 *           slot's inc is lower, the spawn never reached the keeper: answer
 *           with EV_SPAWN_FAILED instead
 *   REPLY   is void when nobody waits for the tag
 *   STATE, REPORT  are void when their seq has been seen
 *   PROBE   a newer tag makes the older void
 *   FREED   is void when nothing hangs on the node, or the engine has it:
 *           it is in use again
 *   DONE    can be said again
 */

enum record_kind {
	RECORD_EVENT = 1,
	RECORD_ADD_WORKER,
	RECORD_ADD_SUP,
	RECORD_DISCARD,
	RECORD_SPAWN_INTERVAL,
	RECORD_PLAN, /* followed by as many as the plan has children: */
	RECORD_PLAN_CHILD,
	RECORD_EFFECT, /* what was emitted: for traces; a fold skips it */
	RECORD_KIND_N
};

/* The largest record; every record is a multiple of 8 bytes. */
#define JOURNAL_RECORD_MAX 1024

/*
 * Records in memory of the caller's.  A record that does not fit leaves the
 * journal as it was and returns -ENOSPC: take a checkpoint and begin a new
 * journal, or make `buf` larger.  `len` grows when a record is complete, so
 * memory that outlives the writer holds whole records up to `len`.
 */
struct journal {
	void *buf; /* 8-byte aligned */
	size_t cap;
	size_t len;
	uint64_t seq; /* of the next record: they count up by one */
};

must_check int journal_event(struct journal *j, const struct event *ev);
/* `n` is what engine_add_*() has returned for the other arguments. */
must_check int journal_add_worker(struct journal *j, node_t n, node_t parent,
    const char *name, const struct worker_spec *spec);
must_check int journal_add_sup(struct journal *j, node_t n, node_t parent,
    const char *name, const struct sup_spec *spec);
must_check int journal_discard(struct journal *j, node_t n);
must_check int journal_spawn_interval(struct journal *j, int64_t interval_ns);
/* All of it, or -ENOSPC; `plan` may be NULL, as for engine_set_plan(). */
must_check int journal_plan(
    struct journal *j, node_t sup, const struct plan *plan);
must_check int journal_effect(struct journal *j, const struct effect *eff);

/* One record, read.  Members are used as `kind` says. */
struct record {
	enum record_kind kind;
	uint64_t seq;
	struct event event;
	struct effect effect;
	node_t node;
	node_t parent;
	int64_t interval_ns;
	char name[NAME_MAX_LEN + 1];
	bool has_plan; /* RECORD_PLAN: false: NULL was set */
	uint32_t n_children;
	struct plan_child child; /* `worker` says only whether there is one */
	union {
		struct worker_spec worker;
		struct sup_spec sup;
	};
};

struct journal_reader {
	const char *at; /* the next record; any alignment */
	size_t left;
	uint64_t seq; /* that it must have */
};

/*
 * Read the next record.  Returns 1, or 0 at the end, or -EBADMSG where the
 * bytes are no record.  A last record that is cut short, or that has not been
 * written to its end, counts as not written: that is an end, too, with `left`
 * not 0.
 */
must_check int journal_read(struct journal_reader *r, struct record *ret);

/*
 * Do to an engine what the record says, with the effects that follow.
 * Returns 0, -EBADMSG when the record does not belong to this engine, or
 * -ENOMEM when the lender had none (then the engine must not be used).
 */
struct journal_target {
	struct engine *e;
	const struct lender *lender;
	/* Private: a plan whose children are being read. */
	struct plan *plan;
	node_t plan_sup;
	uint32_t plan_got;
};

must_check int journal_apply(
    struct journal_target *t, const struct record *rec, struct effects *todo);

/*
 * Fold records into the engine of the checkpoint that they follow.
 *
 * `before`, if not NULL, is called with each record before it is applied; false
 * skips it.  That is for an event that kills the engine: who
 * keeps, where it outlives the engine, the seq that is being applied, finds it
 * there again after the death, and after the second time passes over that
 * record and says so.  A skipped event has no effects; the world then is what
 * the slots say (4. above).
 *
 * `last`, if not NULL, takes the effects of the last event.
 */
struct fold {
	const struct lender *lender;
	bool (*before)(void *ctx, const struct record *rec);
	void *ctx;
	struct effects *last;
};

/*
 * `seq` is that of the first record.  Returns 0, or -EBADMSG or -ENOMEM as
 * above: then the engine must not be used.  ret_next, also after an error, is
 * the seq of the first record that was not read.
 */
must_check int journal_fold(struct engine *e, const void *bytes, size_t len,
    uint64_t seq, const struct fold *how, uint64_t *ret_next);

/*
 * Emit what the engine has ordered and not seen done: the SPAWN of each start
 * that is in progress, the SIGNAL of each stop, PROBEs without an answer, and
 * DONE.  Changes nothing.
 */
void engine_outstanding(struct engine *e, struct effects *todo);

#endif /* CORE_JOURNAL_H */
