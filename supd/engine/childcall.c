/* SPDX-License-Identifier: ISC */
/*
 * OP_CHILD: a supervisor's calls as OTP has them (rules O), for programs.  They
 * are not idempotent as supctl's verbs are: a child that runs cannot be
 * deleted.  What the supervisor answers is a result and not a failure.
 */
#include "engine/path.h"
#include "engine/record.h"
#include "engine/request.h"
#include "engine/row.h"
#include "engine/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The supervisor of that name, if it runs; or NODE_NONE. */
static node_t
find_sup(const struct shell *sh, const char *path)
{
	struct path_set set;
	node_t n = NODE_NONE;
	enum child_state state;

	if (path_find(sh->core, path, &set) == 0 && set.n == 1 &&
	    engine_is_sup(sh->core, set.node[0]))
		n = set.node[0];
	path_set_fini(&set);
	state = n != NODE_NONE ? engine_state(sh->core, n) : CHILD_STOPPED;
	return state != CHILD_STOPPED && state != CHILD_WAITING ? n : NODE_NONE;
}

static bool
is_above(const struct engine *core, node_t sup, node_t n)
{
	while (n != NODE_NONE && n != sup)
		n = engine_parent(core, n);
	return n == sup;
}

/*
 * Would the supervisor wait for the one who asks, and he for it?  It waits for
 * a child that starts or is being stopped (O-5).
 */
static bool
is_deadlock(const struct shell *sh, const struct wire_request *m, node_t sup)
{
	node_t asker = m->asker - 1;
	enum child_state state;

	if (m->asker == 0 || !tree_has(sh, asker))
		return false;
	state = engine_state(sh->core, asker);
	return (state == CHILD_STARTING || state == CHILD_STOPPING) &&
	       is_above(sh->core, sup, asker);
}

/* Last started first. */
static void
send_children(struct shell *sh, uint64_t tag, node_t sup)
{
	const struct engine *core = sh->core;
	cleanup_(freep) node_t *list = NULL;
	uint32_t n = 0, i = 0;

	for (node_t c = engine_first_child(core, sup); c != NODE_NONE;
	     c = engine_next_child(core, c))
		n++;
	list = calloc(n + 1, sizeof(*list));
	if (list == NULL) {
		request_end(sh, tag, CTL_FAILED, "out of memory");
		return;
	}
	for (node_t c = engine_first_child(core, sup); c != NODE_NONE;
	     c = engine_next_child(core, c))
		list[i++] = c;
	while (n-- > 0) {
		struct wire_row row;

		row_fill(sh, list[n], 0, n, &row);
		run_send(sh, &sh->bus, WIRE_ROW, tag, &row, NULL, 0);
	}
	request_end(sh, tag, CTL_OK, result_name(RESULT_OK));
}

static bool
is_active(enum child_state state)
{
	return state == CHILD_STARTING || state == CHILD_READY ||
	       state == CHILD_STOPPING;
}

static void
send_counts(struct shell *sh, uint64_t tag, node_t sup)
{
	const struct engine *core = sh->core;
	bool pool = engine_sup_spec(core, sup)->strategy == SIMPLE_ONE_FOR_ONE;
	unsigned active = 0, supervisors = 0, workers = 0;
	char text[96];

	for (node_t c = engine_first_child(core, sup); c != NODE_NONE;
	     c = engine_next_child(core, c)) {
		active += is_active(engine_state(core, c));
		if (engine_is_sup(core, c))
			supervisors++;
		else
			workers++;
	}
	snprintf(text, sizeof(text), "%s\n%u %u %u %u", result_name(RESULT_OK),
	    pool ? 1 : supervisors + workers, active, supervisors, workers);
	request_end(sh, tag, CTL_OK, text);
}

/* A call about one child of that name. */
static void
open_child(struct shell *sh, uint64_t tag, const struct wire_request *m,
    node_t sup, const char *name)
{
	bool pool =
	    engine_sup_spec(sh->core, sup)->strategy == SIMPLE_ONE_FOR_ONE;
	node_t child = engine_find_child(sh->core, sup, name);
	enum result missing = pool && m->n != CHILD_CALL_TERMINATE
	                          ? RESULT_SIMPLE
	                          : RESULT_NOT_FOUND;
	struct request *r;

	if (child == NODE_NONE) {
		request_end(sh, tag, CTL_OK, result_name(missing));
		return;
	}
	r = request_begin(sh, tag, m, 1);
	if (r == NULL)
		return;
	r->child_call = (enum child_call)m->n;
	request_add_target(r, child);
	request_go(r);
}

void
childcall_open(struct shell *sh, uint64_t tag, const struct wire_request *m,
    const char *tail)
{
	node_t sup = find_sup(sh, m->path);

	if (sup == NODE_NONE) {
		request_end(sh, tag, CTL_OK, result_name(RESULT_NOPROC));
		return;
	}
	if (is_deadlock(sh, m, sup)) {
		request_end(sh, tag, CTL_OK, "deadlock");
		return;
	}
	switch ((enum child_call)m->n) {
	case CHILD_CALL_START:
		act_add_to(sh, tag, m, sup, tail);
		break;
	case CHILD_CALL_TERMINATE:
	case CHILD_CALL_RESTART:
	case CHILD_CALL_DELETE:
		open_child(sh, tag, m, sup, tail);
		break;
	case CHILD_CALL_WHICH:
		send_children(sh, tag, sup);
		break;
	case CHILD_CALL_COUNT:
		send_counts(sh, tag, sup);
		break;
	case CHILD_CALL_N:
		break;
	}
}

void
childcall_present(struct shell *sh, uint64_t tag, node_t there)
{
	enum child_state state = engine_state(sh->core, there);

	row_send(sh, tag, there);
	request_end(sh, tag, CTL_OK,
	    result_name(is_active(state) || state == CHILD_ENDED
			    ? RESULT_ALREADY_STARTED
			    : RESULT_ALREADY_PRESENT));
}

void
childcall_begin(struct request *r, struct target *t)
{
	static const enum event_kind kinds[CHILD_CALL_N] = {
		[CHILD_CALL_TERMINATE] = EV_TERMINATE_CHILD,
		[CHILD_CALL_RESTART] = EV_RESTART_CHILD,
		[CHILD_CALL_DELETE] = EV_DELETE_CHILD,
	};
	struct event ev = {
		.kind = kinds[r->child_call],
		.node = t->n,
		.tag = request_core_tag(r, t),
	};

	if (r->child_call != CHILD_CALL_START) /* begun by act_add_to() */
		run_post(r->sh, &ev);
}

void
childcall_reply(struct request *r, struct target *t, const struct effect *eff)
{
	struct shell *sh = r->sh;

	r->result = eff->result;
	if (r->child_call == CHILD_CALL_START && request_target_there(r, t) &&
	    (eff->result == RESULT_OK || eff->result == RESULT_IGNORED)) {
		sh->nodes[t->n].announced = true;
		record_added(sh, t->n, r->asker);
	}
	request_target_done(r, t);
}

void
childcall_end(struct request *r)
{
	cleanup_(buf_fini) struct buf text = { 0 };
	size_t len = r->errors.len;

	if (len > 0 && r->errors.data[len - 1] == '\n')
		r->errors.data[len - 1] = '\0';
	buf_puts(&text, result_name(r->result));
	if (len > 0)
		buf_printf(&text, "\n%s", buf_str(&r->errors));
	request_answer(r, CTL_OK, buf_str(&text));
}
