/* SPDX-License-Identifier: ISC */
#include "engine/respec.h"

#include "engine/gen.h"
#include "engine/probe.h"
#include "engine/text.h"
#include "engine/tree.h"

#include <stdlib.h>
#include <string.h>

static bool
keeps_log(const struct conf_worker *w)
{
	return w->out.mode == IO_LOG || w->err.mode == IO_LOG;
}

static bool
same_log(const struct conf_worker *a, const struct conf_worker *b)
{
	return a->log.size_bytes == b->log.size_bytes &&
	       a->log.keep == b->log.keep && a->log.prefix == b->log.prefix &&
	       a->log.time == b->log.time;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* What its probes connect to; their times are the core's. */
static bool
same_health(const struct conf_worker *a, const struct conf_worker *b)
{
	return a->spec.health.interval_ns > 0 &&
	       b->spec.health.interval_ns > 0 &&
	       a->health.mode == b->health.mode &&
	       same_text(a->health.addr, b->health.addr);
}

/* "exec ./old: No such file or directory" stays that of ./old. */
static void
keep_last_words(struct shell *sh, node_t n)
{
	struct node *nd = &sh->nodes[n];
	struct reason last = engine_last_reason(sh->core, n);
	char text[WIRE_TEXT_MAX];

	if (nd->conf->is_sup || nd->last_words != NULL)
		return;
	if (last.kind == REASON_SPAWN || last.kind == REASON_HOOK ||
	    last.kind == REASON_TIMEOUT)
		nd->last_words =
		    strdup(text_reason(sh, n, &last, text, sizeof(text)));
}

void
respec_node(
    struct shell *sh, node_t n, struct gen *gen, const struct conf_child *conf)
{
	struct node *nd = &sh->nodes[n];
	const struct conf_child *old = nd->conf;
	struct gen *old_gen = nd->gen;

	keep_last_words(sh, n);
	nd->conf = conf;
	nd->gen = gen_ref(gen);
	nd->numbered = false;
	gen_unref(old_gen); /* alive until the end of the turn */
	if (conf->is_sup)
		return;
	nd->prepare_again = true;
	if (!same_health(&old->worker, &conf->worker))
		probe_prepare(sh, n);
	if (nd->log_open && keeps_log(&conf->worker) &&
	    !same_log(&old->worker, &conf->worker))
		tree_prepare_log(sh, n);
}

void
respec_prepare(struct shell *sh, node_t n)
{
	struct node *nd = &sh->nodes[n];
	struct wire_id id = { .slot = n };

	if (!nd->prepare_again)
		return;
	nd->prepare_again = false;
	nd->prep_error = 0;
	free(nd->prep_text);
	nd->prep_text = NULL;
	if (nd->log_open && !keeps_log(&nd->conf->worker)) {
		run_send(sh, &sh->logger, WIRE_LOG_CLOSE, 0, &id, NULL, 0);
		nd->log_open = false;
	}
	tree_prepare(sh, n);
}
