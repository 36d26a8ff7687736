/* SPDX-License-Identifier: ISC */
#include "engine/hook.h"

#include "engine/spawn.h"
#include "engine/text.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

extern char **environ;

const char *
hook_name(enum proc_kind proc)
{
	switch (proc) {
	case PROC_PRE_START:
		return "pre_start";
	case PROC_POST_STOP:
		return "post_stop";
	case PROC_MAIN:
	case PROC_KIND_N:
		break;
	}
	return "";
}

const char *
hook_reason(const struct reason *why)
{
	static const char *const words[REASON_N] = {
		[REASON_NONE] = "none",
		[REASON_NORMAL] = "normal",
		[REASON_SHUTDOWN] = "shutdown",
		[REASON_EXIT] = "exit",
		[REASON_FATAL] = "fatal",
		[REASON_SIGNAL] = "signal",
		[REASON_KILLED] = "killed",
		[REASON_UNHEALTHY] = "unhealthy",
		[REASON_SPAWN] = "spawn",
		[REASON_EARLY] = "early_exit",
		[REASON_TIMEOUT] = "timeout",
		[REASON_HOOK] = "hook",
		[REASON_CHILD] = "child",
		[REASON_IGNORE] = "ignore",
	};

	if (reason_is_planned(why))
		return "lifetime";
	return why->kind < REASON_N ? words[why->kind] : "none";
}

/* One "KEY=VALUE", in `buf`; NULL when there is nothing to say. */
static const char *
exit_entry(const struct wire_exited *end, char *buf, size_t len)
{
	const char *abbrev;

	if (end->inc == 0)
		return NULL; /* it never ran */
	abbrev = end->is_signal ? sigabbrev_np(end->status) : NULL;
	if (!end->is_signal)
		snprintf(buf, len, "EXIT_CODE=%d", end->status);
	else if (abbrev != NULL)
		snprintf(buf, len, "EXIT_SIGNAL=%s", abbrev);
	else
		snprintf(buf, len, "EXIT_SIGNAL=%d", end->status);
	return buf;
}

int
hook_build(struct shell *sh, node_t n, uint64_t inc, enum proc_kind proc,
    const struct reason *why, struct wire_spawn *ret_spawn,
    struct buf *ret_tail)
{
	const struct node *nd = &sh->nodes[n];
	const struct conf_worker *w = &nd->conf->worker;
	char reason[32], end[32];
	const char *env[3] = { NULL };
	struct spawn_side side = { .slot = n, .inc = inc };
	const struct spawn_ctx ctx = {
		.environ = (const char *const *)environ,
		.socket = sh->args->socket,
		.run_dir = sh->args->run_dir,
		.path = nd->path,
		.name = nd->conf->name,
		.slot = n,
	};

	side.argv = proc == PROC_PRE_START ? w->pre_start : w->post_stop;
	if (side.argv == NULL)
		return -ENOENT; /* a reload has taken it away meanwhile */
	if (proc == PROC_POST_STOP) {
		snprintf(
		    reason, sizeof(reason), "EXIT_REASON=%s", hook_reason(why));
		env[0] = reason;
		env[1] = exit_entry(&nd->exited, end, sizeof(end));
		side.env = env;
	}
	return spawn_build_side(&ctx, w, &side, ret_spawn, ret_tail);
}

enum proc_kind
hook_running(const struct shell *sh, node_t n)
{
	const struct node *nd = &sh->nodes[n];
	enum child_state st = engine_state(sh->core, n);

	if (engine_is_sup(sh->core, n) ||
	    (st != CHILD_STARTING && st != CHILD_STOPPING) ||
	    nd->sent_inc != engine_incarnation(sh->core, n))
		return PROC_MAIN;
	return nd->sent_proc;
}

void
hook_detail(const struct shell *sh, node_t n, char *buf, size_t len)
{
	mono_t at = engine_node_deadline(sh->core, n);
	const char *name = hook_name(hook_running(sh, n));
	char left[TEXT_DURATION_LEN];

	if (mono_is_never(at))
		snprintf(buf, len, "%s running", name);
	else
		snprintf(buf, len, "%s running, %s left", name,
		    text_duration(at.ns - sh->now.ns, left, sizeof(left)));
}
