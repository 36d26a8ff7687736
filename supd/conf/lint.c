/* SPDX-License-Identifier: ISC */
/* Warnings: configurations that load, but hardly mean what they say. */
#include "conf/bind.h"

#include <string.h>

static const struct node *
given(const struct conf_child *c, enum key_id id)
{
	const struct origin *o = c->priv;

	return o->val[c->is_sup ? id : id - W_FIRST];
}

static void
lint_root(struct load *ld, const struct conf_child *root)
{
	bool intensity = given(root, S_INTENSITY) != NULL;
	bool period = given(root, S_PERIOD) != NULL;

	if (intensity && period)
		return;
	diag_warn(&ld->diag, given(root, S_NAME),
	    "the root leaves %s at the default; when it gives up, supd ends, "
	    "so choose (the defaults are intensity 3, period 5s)",
	    !intensity && !period ? "intensity and period"
	    : !intensity          ? "intensity"
				  : "period");
}

static void
lint_shell(struct load *ld, const struct conf_child *c)
{
	static const char *const shells[] = { "sh", "ash", "bash", "dash",
		"ksh", "zsh" };
	const char *const *argv = c->worker.argv, *base;
	size_t i;

	if (c->worker.spec.kill_group || argv[1] == NULL ||
	    strcmp(argv[1], "-c") != 0 || c->worker.instance > 1)
		return;
	base = strrchr(argv[0], '/');
	base = base == NULL ? argv[0] : base + 1;
	for (i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(base, shells[i]) == 0)
			diag_warn(&ld->diag, given(c, W_KILL_MODE),
			    "with kill_mode process only the shell is "
			    "signalled, not what it runs; use group, or "
			    "`exec` in the shell");
	}
}

/*
 * I-5: the window is measured when the supervisor handles an exit.  If one
 * cycle takes longer than period / intensity, it can never be exceeded.  Only
 * times somebody has written are judged; the defaults are bounds, not plans.
 */
static void
lint_cycle(
    struct load *ld, const struct conf_child *sup, const struct conf_child *c)
{
	const struct sup_spec *s = &sup->sup.spec;
	const struct worker_spec *w = &c->worker.spec;
	const struct node *at = given(c, W_START_TIMEOUT);
	int64_t limit = s->period_ns / (s->intensity > 0 ? s->intensity : 1);

	if (s->intensity == 0 || c->worker.instance > 1)
		return;
	if (at != NULL && w->ready == READY_EVENT &&
	    (w->start_timeout_ns < 0 || w->start_timeout_ns > limit))
		diag_warn(&ld->diag, at,
		    "if \"%s\" never gets ready, supervisor \"%s\" never gives "
		    "up: a start_timeout longer than period / intensity keeps "
		    "its restarts below the limit",
		    c->name, sup->name);
}

static void
lint_sup(struct load *ld, const struct conf_child *sup)
{
	const struct conf_child *c;

	TAILQ_FOREACH (c, &sup->sup.children, link) {
		if (c->is_sup) {
			lint_sup(ld, c);
			continue;
		}
		lint_shell(ld, c);
		lint_cycle(ld, sup, c);
	}
}

void
lint_tree(struct load *ld, const struct conf_child *root)
{
	lint_root(ld, root);
	lint_sup(ld, root);
}
