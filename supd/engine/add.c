/* SPDX-License-Identifier: ISC */
/* OP_ADD: a child is made at run time and given to a supervisor. */
#include "engine/args.h"
#include "engine/gen.h"
#include "engine/path.h"
#include "engine/reload.h"
#include "engine/request.h"
#include "engine/text.h"
#include "engine/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * The number that a child's name is, or 0.  Names are short, but not so short
 * that no number were too large to count on from; such a one is never reached.
 */
static uint64_t
number_of(const char *name)
{
	uint64_t n = 0;

	for (; *name >= '0' && *name <= '9'; name++) {
		if (n > UINT64_MAX / 100)
			return 0;
		n = n * 10 + (uint64_t)(*name - '0');
	}
	return *name == '\0' ? n : 0;
}

/*
 * A name for one more child of a simple_one_for_one supervisor: a number that
 * nobody there has or had.  Those before it may still wait for their turn to
 * start, outside of the tree, so the last number given is remembered; with it
 * the children are looked at once, and again after a reload.
 */
static void
pick_name(struct shell *sh, node_t sup, char *buf, size_t len)
{
	struct node *nd = &sh->nodes[sup];

	for (node_t c = nd->numbered ? NODE_NONE
	                             : engine_first_child(sh->core, sup);
	     c != NODE_NONE; c = engine_next_child(sh->core, c)) {
		uint64_t k = number_of(engine_name(sh->core, c));

		if (k > nd->last_number)
			nd->last_number = k;
	}
	nd->numbered = true;
	snprintf(buf, len, "%" PRIu64, ++nd->last_number);
}

static int
make_child(struct shell *sh, node_t sup, const char *text,
    struct conf_child **ret_child, char ***ret_args, struct buf *errors)
{
	const struct conf_child *conf = sh->nodes[sup].conf;
	char name[NAME_MAX_LEN + 1], **args;
	int r;

	*ret_args = NULL;
	if (conf->sup.spec.strategy != SIMPLE_ONE_FOR_ONE)
		return conf_parse_child(conf, "the new child", text,
		    strlen(text), ret_child, errors);
	r = args_parse(text, &args);
	if (r < 0) {
		buf_printf(errors,
		    "%s takes arguments for its template: a "
		    "list of strings",
		    text_short(sh->nodes[sup].path));
		return r;
	}
	pick_name(sh, sup, name, sizeof(name));
	r = conf_instantiate(
	    conf, name, (const char *const *)args, ret_child, errors);
	if (r == 0)
		*ret_args = args;
	else
		args_free(args);
	return r;
}

/* Where to: exactly one supervisor, which runs. */
static node_t
find_sup(struct shell *sh, uint64_t tag, const char *path)
{
	node_t sup = NODE_NONE;
	struct path_set set;
	char text[WIRE_PATH_MAX + 64];

	if (request_resolve(sh, tag, path, &set)) {
		if (set.n == 1 && engine_is_sup(sh->core, set.node[0])) {
			sup = set.node[0];
		} else {
			snprintf(text, sizeof(text), "%s: %s", path,
			    set.n > 1 ? "names several; name one supervisor"
				      : "is a worker, not a supervisor");
			request_end(sh, tag, CTL_USAGE, text);
		}
	}
	path_set_fini(&set);
	return sup;
}

static bool
name_taken(struct shell *sh, uint64_t tag, const struct wire_request *m,
    node_t sup, const char *name)
{
	bool pool =
	    sh->nodes[sup].conf->sup.spec.strategy == SIMPLE_ONE_FOR_ONE;
	/* A pool's names are ours, and looking through it takes its time. */
	node_t there =
	    pool ? NODE_NONE : engine_find_child(sh->core, sup, name);
	char text[WIRE_PATH_MAX + 96];

	if (there == NODE_NONE)
		return false;
	if (m->op == OP_CHILD) {
		childcall_present(sh, tag, there);
		return true;
	}
	snprintf(text, sizeof(text),
	    "%s: a child of that name is there "
	    "already (%s)",
	    text_short(sh->nodes[there].path),
	    child_state_name(engine_state(sh->core, there)));
	request_end(sh, tag, CTL_FAILED, text);
	return true;
}

static void
start_child(struct shell *sh, uint64_t tag, const struct wire_request *m,
    node_t sup, node_t child)
{
	struct request *r = request_begin(sh, tag, m, 1);
	struct event ev = {
		.kind = EV_START_CHILD,
		.node = sup,
		.child = child,
	};

	/* Without a request the child is started all the same. */
	if (r != NULL)
		ev.tag = request_core_tag(r, request_add_target(r, child));
	run_post(sh, &ev);
	if (r != NULL)
		request_go(r);
}

void
act_add(struct shell *sh, uint64_t tag, const struct wire_request *m,
    const char *text)
{
	node_t sup = find_sup(sh, tag, m->path);

	if (sup != NODE_NONE)
		act_add_to(sh, tag, m, sup, text);
}

void
act_add_to(struct shell *sh, uint64_t tag, const struct wire_request *m,
    node_t sup, const char *text)
{
	cleanup_(buf_fini) struct buf errors = { 0 };
	struct conf_child *child;
	node_t n;
	struct gen *gen;
	char **args;
	int r;

	if (reload_waits_for(sh, sup)) {
		request_end(sh, tag, CTL_FAILED,
		    "a reload waits until its supervisor is free; try again "
		    "when that is done");
		return;
	}
	r = make_child(sh, sup, text, &child, &args, &errors);
	if (r < 0) {
		if (errors.len == 0)
			buf_puts(&errors, strerror(-r));
		request_end(sh, tag, CTL_CONFIG, buf_str(&errors));
		return;
	}
	if (name_taken(sh, tag, m, sup, child->name)) {
		conf_child_free(child);
		args_free(args);
		return;
	}
	gen = gen_new_child(sh, child, sh->nodes[sup].gen);
	r = gen != NULL ? tree_add(sh, sup, gen, child, &n) : -ENOMEM;
	gen_unref(gen); /* the nodes have it now, or nobody */
	if (r < 0) {
		args_free(args);
		request_end(sh, tag, CTL_FAILED,
		    r == -ENOSPC ? "supd has no free slot for one more child"
				 : strerror(-r));
		return;
	}
	sh->nodes[n].args = args;
	if ((m->flags & REQUEST_MARK) != 0)
		sh->nodes[n].added_by = tag;
	start_child(sh, tag, m, sup, n);
}
