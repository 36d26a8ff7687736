/* SPDX-License-Identifier: ISC */
#include "engine/tree.h"

#include "conf/wishes.h"
#include "engine/args.h"
#include "engine/gate.h"
#include "engine/gen.h"
#include "engine/probe.h"
#include "engine/ready.h"
#include "engine/spawn.h"

#include <stdio.h>
#include <string.h>

/* Of a worker that beats without end we hear so often in one heartbeat. */
#define BEATS_TOLD 8

bool
tree_has(const struct shell *sh, uint32_t n)
{
	return n != NODE_NONE && n <= sh->cap && sh->nodes[n].conf != NULL &&
	       engine_has(sh->core, n);
}

/* Forget what the node held, but not the answers that are still to come. */
static void
node_clear(struct node *nd)
{
	uint32_t log_owed = nd->log_owed, bus_owed = nd->bus_owed;

	ready_free(nd);
	probe_free(nd);
	gen_unref(nd->gen);
	args_free(nd->args);
	free(nd->path);
	free(nd->window);
	free(nd->prep_text);
	free(nd->status);
	free(nd->last_line);
	free(nd->complaint);
	free(nd->last_words);
	free(nd->imposed);
	free(nd->declared);
	free(nd->own_words);
	*nd = (struct node){ .log_owed = log_owed, .bus_owed = bus_owed };
}

static node_t
node_to_core(
    struct shell *sh, node_t parent, const struct conf_child *c, mono_t *window)
{
	if (c->is_sup)
		return gate_add_sup(sh, parent, c->name, &c->sup.spec, window);
	return gate_add_worker(sh, parent, c->name, &c->worker.spec);
}

/* One node, from `gen`, whose path begins with `above`. */
static int
add_one(struct shell *sh, node_t parent, const char *above, struct gen *gen,
    const struct conf_child *c, node_t *ret_node)
{
	cleanup_(freep) char *path = NULL;
	cleanup_(freep) mono_t *window = NULL;
	struct node *nd;
	node_t n;

	if (asprintf(&path, "%s%s%s", above, *above != '\0' ? "/" : "",
		c->name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (strlen(path) >= WIRE_PATH_MAX)
		return -ENAMETOOLONG;
	if (c->is_sup) {
		window =
		    calloc((size_t)c->sup.spec.intensity + 1, sizeof(*window));
		if (window == NULL)
			return -ENOMEM;
	}
	n = node_to_core(sh, parent, c, window);
	if (n == NODE_NONE)
		return -ENOSPC;
	nd = &sh->nodes[n];
	nd->conf = c;
	nd->gen = gen_ref(gen);
	nd->uid = ++sh->next_uid;
	nd->path = take_ptr(path);
	nd->window = take_ptr(window);
	*ret_node = n;
	return 0;
}

/*
 * Everything below node n.  The depth of a configuration is bounded by conf,
 * so recursion is too.
 */
static int
add_below(
    struct shell *sh, node_t n, struct gen *gen, const struct conf_child *sup)
{
	const struct conf_child *c;
	node_t child;
	int r;

	TAILQ_FOREACH (c, &sup->sup.children, link) {
		r = add_one(sh, n, sh->nodes[n].path, gen, c, &child);
		if (r == 0 && c->is_sup)
			r = add_below(sh, child, gen, c);
		if (r < 0)
			return r;
	}
	return 0;
}

int
tree_build(struct shell *sh, uint32_t cap)
{
	node_t root;
	int r;

	sh->cap = cap;
	sh->nodes = calloc((size_t)cap + 1, sizeof(*sh->nodes));
	sh->core_mem = calloc(1, engine_size(cap));
	if (sh->nodes == NULL || sh->core_mem == NULL)
		return -ENOMEM;
	gate_init(sh, cap);
	r = add_one(sh, NODE_NONE, "", sh->gen, sh->gen->conf->root, &root);
	return r < 0 ? r : add_below(sh, root, sh->gen, sh->gen->conf->root);
}

void
tree_fini(struct shell *sh)
{
	for (node_t n = 1; sh->nodes != NULL && n <= sh->cap; n++)
		if (sh->nodes[n].conf != NULL)
			node_clear(&sh->nodes[n]);
	free(sh->nodes);
	free(sh->core_mem);
}

/* Nothing of a detached subtree was ever seen by anybody: forget it all. */
static void
drop_detached(struct shell *sh, node_t top)
{
	for (node_t n = tree_next(sh, top, NODE_NONE); n != NODE_NONE;
	     n = tree_next(sh, top, n))
		node_clear(&sh->nodes[n]);
	gate_discard(sh, top);
}

int
tree_add(struct shell *sh, node_t sup, struct gen *gen,
    const struct conf_child *c, node_t *ret_node)
{
	node_t n;
	int r = add_one(sh, NODE_NONE, sh->nodes[sup].path, gen, c, &n);

	if (r < 0)
		return r;
	if (c->is_sup)
		r = add_below(sh, n, gen, c);
	if (r < 0) {
		drop_detached(sh, n);
		return r;
	}
	for (node_t k = tree_next(sh, n, NODE_NONE); k != NODE_NONE;
	     k = tree_next(sh, n, k))
		tree_prepare(sh, k);
	*ret_node = n;
	return 0;
}

void
tree_drop(struct shell *sh, node_t top)
{
	for (node_t n = tree_next(sh, top, NODE_NONE); n != NODE_NONE;
	     n = tree_next(sh, top, n))
		tree_freed(sh, n);
	gate_discard(sh, top);
}

void
tree_freed(struct shell *sh, node_t n)
{
	struct node *nd = &sh->nodes[n];
	struct wire_id id = { .slot = n };

	if (nd->conf == NULL)
		return;
	if (!nd->conf->is_sup) {
		run_send(sh, &sh->bus, WIRE_FORGET, 0, &id, NULL, 0);
		if (nd->log_open)
			run_send(
			    sh, &sh->logger, WIRE_LOG_CLOSE, 0, &id, NULL, 0);
	}
	node_clear(nd);
}

void
tree_prepare_log(struct shell *sh, node_t n)
{
	struct node *nd = &sh->nodes[n];
	const struct conf_worker *w = &nd->conf->worker;
	struct wire_log_open m = {
		.slot = n,
		.keep = w->log.keep,
		.size_bytes = w->log.size_bytes,
		.prefix = w->log.prefix,
		.time = w->log.time,
	};

	if (w->out.mode != IO_LOG && w->err.mode != IO_LOG)
		return;
	strlcpy(m.path, nd->path, sizeof(m.path));
	nd->log_open = true;
	nd->log_owed++;
	run_send(sh, &sh->logger, WIRE_LOG_OPEN, 0, &m, NULL, 0);
}

void
tree_unresolved(struct node *nd, const char *addr, const char *why)
{
	nd->prep_error = EINVAL;
	nd->prep_step = STEP_NONE;
	free(nd->prep_text);
	if (asprintf(&nd->prep_text, "cannot resolve %s: %s", addr, why) < 0)
		nd->prep_text = NULL;
}

void
tree_prepare(struct shell *sh, node_t n)
{
	struct node *nd = &sh->nodes[n];
	const struct conf_worker *w = &nd->conf->worker;
	cleanup_(buf_fini) struct buf wishes = { 0 };
	struct wire_prepare m = { .slot = n };

	if (nd->conf->is_sup || !w->spec.enabled)
		return;
	tree_prepare_log(sh, n);
	m.uid = w->has_user ? w->uid : sh->supd_uid;
	m.gid = w->has_user ? w->gid : sh->supd_gid;
	/* A user it may not switch to is told by the spawn, in its words. */
	if (sh->supd_uid == 0 || m.uid == sh->supd_uid)
		m.flags |= PREPARE_MAILBOX;
	if (spawn_needs_notify(w))
		m.flags |= PREPARE_NOTIFY;
	if (w->spec.heartbeat_ns > 0)
		m.beat_ns = w->spec.heartbeat_ns / BEATS_TOLD + 1;
	if (w->mailbox.on_restart == MAILBOX_KEEP)
		m.flags |= PREPARE_KEEP;
	m.max_bytes = (uint64_t)w->mailbox.max_bytes;
	m.on_full = w->mailbox.on_full;
	strlcpy(m.path, nd->path, sizeof(m.path));
	nd->bus_owed++;
	wishes_put(w, &wishes);
	buf_add(&wishes, "", 1);
	run_send(sh, &sh->bus, WIRE_PREPARE, 0, &m, wishes.data, wishes.len);
	ready_prepare(sh, n);
	probe_prepare(sh, n);
}

node_t
tree_next(const struct shell *sh, node_t top, node_t n)
{
	node_t next;

	if (n == NODE_NONE)
		return top;
	next = engine_first_child(sh->core, n);
	while (next == NODE_NONE && n != top) {
		next = engine_next_child(sh->core, n);
		n = engine_parent(sh->core, n);
	}
	return next;
}

uint32_t
tree_depth(const struct shell *sh, node_t n)
{
	uint32_t depth = 0;

	while ((n = engine_parent(sh->core, n)) != NODE_NONE)
		depth++;
	return depth;
}

uint32_t
tree_order(const struct shell *sh, node_t n)
{
	node_t parent = engine_parent(sh->core, n);
	uint32_t order = 0;

	if (parent == NODE_NONE)
		return 0;
	for (node_t c = engine_first_child(sh->core, parent);
	     c != NODE_NONE && c != n; c = engine_next_child(sh->core, c))
		order++;
	return order;
}
