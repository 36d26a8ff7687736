/* SPDX-License-Identifier: ISC */
/* Requests that are answered on the spot. */
#include "engine/path.h"
#include "engine/record.h"
#include "engine/request.h"
#include "engine/row.h"
#include "engine/text.h"
#include "engine/tree.h"
#include "engine/why.h"

#include <stdio.h>
#include <string.h>

struct answer {
	struct shell *sh;
	uint64_t tag;
};

void
query_status(struct shell *sh, uint64_t tag, const char *path)
{
	struct path_set set;

	if (*path == '\0') {
		row_send_tree(sh, tag, NODE_ROOT);
		request_end(sh, tag, CTL_OK, "");
		return;
	}
	if (request_resolve(sh, tag, path, &set)) {
		for (uint32_t i = 0; i < set.n; i++)
			row_send(sh, tag, set.node[i]);
		request_end(sh, tag, CTL_OK, "");
	}
	path_set_fini(&set);
}

node_t
request_find_one(struct shell *sh, uint64_t tag, const char *path)
{
	struct path_set set;
	node_t n = NODE_NONE;
	char text[WIRE_PATH_MAX + 64];

	if (request_resolve(sh, tag, path, &set)) {
		if (set.n == 1) {
			n = set.node[0];
		} else {
			snprintf(text, sizeof(text),
			    "\"%s\" matches %u children; name one", path,
			    set.n);
			request_end(sh, tag, CTL_USAGE, text);
		}
	}
	path_set_fini(&set);
	return n;
}

static void
send_field(void *ctx, const char *key, const char *value, const char *origin)
{
	const struct answer *a = ctx;
	struct wire_field m = { 0 };
	size_t len = strlen(value) + 1;
	cleanup_(freep) char *cut = NULL;

	strlcpy(m.key, key, sizeof(m.key));
	strlcpy(m.origin, origin, sizeof(m.origin));
	if (len > WIRE_TAIL_MAX) {
		cut = strndup(value, WIRE_TAIL_MAX - 1);
		value = cut != NULL ? cut : "";
		len = strlen(value) + 1;
	}
	run_send(a->sh, &a->sh->bus, WIRE_FIELD, a->tag, &m, value, len);
}

void
query_show(struct shell *sh, uint64_t tag, const char *path)
{
	struct answer a = { sh, tag };
	node_t n = request_find_one(sh, tag, path);

	if (n == NODE_NONE)
		return;
	conf_show(sh->nodes[n].conf, send_field, &a);
	request_end(sh, tag, CTL_OK, "");
}

static void
send_event(void *ctx, const struct hist_event *ev)
{
	const struct answer *a = ctx;
	struct wire_event m;

	history_frame(ev, &m);
	run_send(a->sh, &a->sh->bus, WIRE_EVENT, a->tag, &m, NULL, 0);
}

void
query_why(struct shell *sh, uint64_t tag, const char *path)
{
	cleanup_(buf_fini) struct buf headline = { 0 };
	struct answer a = { sh, tag };
	node_t n = request_find_one(sh, tag, path);
	const struct worker_spec *w;
	struct why_subject s;

	if (n == NODE_NONE)
		return;
	w = engine_worker_spec(sh->core, n);
	s = (struct why_subject){
		.path = sh->nodes[n].path,
		.state = engine_state(sh->core, n),
		.now = sh->now,
		.since = engine_since(sh->core, n),
		.wanted = engine_wanted(sh->core, n),
		.enabled = w == NULL || w->enabled,
		.ended_before =
		    engine_last_reason(sh->core, n).kind != REASON_NONE,
	};
	if (s.state == CHILD_WAITING &&
	    !mono_is_never(engine_node_deadline(sh->core, n)))
		s.next_try = engine_node_deadline(sh->core, n);
	why_tell(&sh->history, &s, send_event, &a, &headline);
	request_end(sh, tag, CTL_OK, buf_str(&headline));
}

void
query_events(struct shell *sh, uint64_t tag, int64_t n)
{
	struct answer a = { sh, tag };
	uint64_t first = history_first(&sh->history);

	if (n < 0)
		n = 0;
	if (sh->history.next - first > (uint64_t)n)
		first = sh->history.next - (uint64_t)n;
	for (uint64_t q = first; q < sh->history.next; q++)
		send_event(&a, history_get(&sh->history, q));
	request_end(sh, tag, CTL_OK, "");
}

/* Signal one node's process; a line of text if it has none. */
static void
kill_one(struct shell *sh, node_t n, const struct wire_request *m,
    struct buf *errors)
{
	const struct node *nd = &sh->nodes[n];
	struct wire_signal sig = {
		.slot = n,
		.sig = (int32_t)m->n,
		.inc = nd->sent_inc,
		.scope = SIGNAL_PROCESS,
	};
	char text[64];

	if (node_pid(nd) == 0) {
		buf_printf(errors, "%s%s: %s", errors->len > 0 ? "\n" : "",
		    text_short(nd->path),
		    engine_is_sup(sh->core, n)
			? "is a supervisor: it has no process"
			: "is not running");
		return;
	}
	run_send(sh, &sh->keeper, WIRE_SIGNAL, 0, &sig, NULL, 0);
	snprintf(text, sizeof(text), "sent by an operator (uid %u)", m->uid);
	record_signal(sh, n, sig.sig, text);
}

void
query_kill(struct shell *sh, uint64_t tag, const struct wire_request *m)
{
	cleanup_(buf_fini) struct buf errors = { 0 };
	struct path_set set;

	if (m->n < 1 || m->n > 64) {
		request_end(sh, tag, CTL_USAGE, "no such signal");
		return;
	}
	if (request_resolve(sh, tag, m->path, &set)) {
		for (uint32_t i = 0; i < set.n; i++)
			kill_one(sh, set.node[i], m, &errors);
		for (uint32_t i = 0; i < set.n; i++)
			row_send(sh, tag, set.node[i]);
		request_end(sh, tag, errors.len > 0 ? CTL_FAILED : CTL_OK,
		    buf_str(&errors));
	}
	path_set_fini(&set);
}
