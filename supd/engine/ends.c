/* SPDX-License-Identifier: ISC */
#include "engine/ends.h"

#include "engine/record.h"
#include "engine/tree.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* The node whose program that incarnation is, and it runs; or NULL. */
static struct node *
running(struct shell *sh, uint32_t slot, uint64_t inc)
{
	struct node *nd;

	if (!tree_has(sh, slot))
		return NULL;
	nd = &sh->nodes[slot];
	if (nd->sent_inc != inc || nd->sent_proc != PROC_MAIN || nd->pid_gone)
		return NULL;
	return nd;
}

void
ends_reset(struct node *nd)
{
	nd->traps = false;
	nd->told = 0;
	free(nd->imposed);
	nd->imposed = NULL;
	free(nd->declared);
	nd->declared = NULL;
}

void
ends_traps(struct shell *sh, const struct wire_id *m)
{
	struct node *nd = running(sh, m->slot, m->inc);

	if (nd != NULL)
		nd->traps = true;
}

void
ends_declared(struct shell *sh, uint64_t tag, const struct wire_declared *m)
{
	struct node *nd = running(sh, m->slot, m->inc);
	struct wire_id heard = { .slot = m->slot, .inc = m->inc };

	if (nd != NULL) {
		free(nd->declared);
		nd->declared = strdup(m->reason);
	}
	run_send(sh, &sh->bus, WIRE_HEARD, tag, &heard, NULL, 0);
}

void
ends_signal(struct shell *sh, const struct wire_exit *m)
{
	struct node *nd = running(sh, m->slot, m->inc);
	struct wire_signal w = {
		.slot = m->slot,
		.sig = m->sig,
		.inc = m->inc,
		.scope = SIGNAL_PROCESS,
	};
	char why[96];

	if (nd == NULL)
		return;
	if (nd->conf->worker.spec.kill_group)
		w.scope = SIGNAL_GROUP;
	if (m->reason[0] != '\0') {
		free(nd->imposed);
		nd->imposed = strdup(m->reason);
		snprintf(
		    why, sizeof(why), "for an exit signal (%s)", m->reason);
		record_signal(sh, m->slot, m->sig, why);
	}
	run_send(sh, &sh->keeper, WIRE_SIGNAL, 0, &w, NULL, 0);
}

bool
ends_stop(struct shell *sh, const struct effect *eff)
{
	struct node *nd = &sh->nodes[eff->node];
	struct wire_exit w = {
		.slot = eff->node,
		.sig = eff->sig,
		.inc = eff->inc,
		.reason = "shutdown",
	};
	bool first = nd->told == 0;

	if (eff->sig > 0 && eff->sig < 64)
		nd->told |= UINT64_C(1) << eff->sig;
	if (!first || !nd->traps || nd->sent_proc != PROC_MAIN ||
	    eff->sig == SIGKILL)
		return false;
	run_send(sh, &sh->bus, WIRE_STOP, 0, &w, NULL, 0);
	return true;
}

/* Did it do what it was told by this stop: D3. */
static bool
obeyed(const struct node *nd, const struct wire_exited *m)
{
	int sig = m->is_signal ? m->status : m->status - 128;

	if (nd->told == 0)
		return false;
	if (!m->is_signal && m->status == 0)
		return true;
	return sig > 0 && sig < 64 && sig != SIGKILL &&
	       (nd->told >> sig & 1) != 0;
}

/* It was to end for this reason, and ended by no fault of its own. */
static bool
yielded(const struct node *nd, const struct wire_exited *m)
{
	if (nd->imposed == NULL || nd->told != 0)
		return false;
	if (m->is_signal)
		return m->status == SIGTERM || m->status == SIGKILL;
	return m->status == 0 || m->status == 128 + SIGTERM;
}

/* The words that its end is called by, or NULL: those of table 0.1. */
static const char *
own_words(const struct node *nd, const struct wire_exited *m)
{
	if (yielded(nd, m))
		return nd->imposed;
	return m->is_signal ? NULL : nd->declared;
}

static enum declared
class_of(const char *words)
{
	if (strcmp(words, "normal") == 0)
		return DECLARED_NORMAL;
	if (strcmp(words, "shutdown") == 0 ||
	    strncmp(words, "shutdown: ", strlen("shutdown: ")) == 0)
		return DECLARED_SHUTDOWN;
	if (strcmp(words, "ignore") == 0)
		return DECLARED_IGNORE;
	return DECLARED_OTHER;
}

static void
end_text(
    const struct node *nd, const struct wire_exited *m, char *buf, size_t len)
{
	struct reason r = {
		.kind = m->is_signal ? REASON_SIGNAL : REASON_EXIT,
		.code = m->status,
		.core = m->core != 0,
	};

	if (m->is_signal && m->status == SIGKILL)
		strlcpy(buf, "killed", len);
	else if ((nd != NULL && obeyed(nd, m)) ||
		 (m->is_signal && m->status == SIGTERM))
		strlcpy(buf, "shutdown", len); /* D3, D4 */
	else if (!m->is_signal &&
		 (m->status == 0 ||
		     (nd != NULL &&
			 exit_set_has_code(
			     &nd->conf->worker.spec.success, m->status))))
		strlcpy(buf, "normal", len);
	else
		reason_text(&r, buf, len);
}

enum declared
ends_tell(struct shell *sh, const struct wire_exited *m)
{
	struct wire_dead w = {
		.slot = m->slot,
		.inc = m->inc,
		.by_exit = !m->is_signal,
	};
	struct node *nd = NULL;
	const char *words = NULL;
	enum declared class;
	char text[96];

	if (tree_has(sh, m->slot) && !sh->nodes[m->slot].conf->is_sup &&
	    sh->nodes[m->slot].main_inc == m->inc)
		nd = &sh->nodes[m->slot];
	if (nd != NULL) {
		words = own_words(nd, m);
		free(nd->own_words);
		nd->own_words = words != NULL ? strdup(words) : NULL;
	}
	end_text(nd, m, text, sizeof(text));
	strlcpy(w.reason, words != NULL ? words : text, sizeof(w.reason));
	run_send(sh, &sh->bus, WIRE_DEAD, 0, &w, NULL, 0);
	/* "killed" is SIGKILL, and the core knows what to make of that. */
	if (words == NULL || (m->is_signal && m->status == SIGKILL &&
				 strcmp(words, "killed") == 0))
		return DECLARED_NOTHING;
	class = class_of(words);
	/* `ignore` is what it says itself, not what others say to it. */
	if (class == DECLARED_IGNORE && words != nd->declared)
		return DECLARED_OTHER;
	return class;
}
