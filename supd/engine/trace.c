/* SPDX-License-Identifier: ISC */
/*
 * Debug text of the seam: "00012.500 root/web/1 exited code=1 | state ..., one
 * line an event.  The same words everywhere, so traces can be compared.
 */
#include "engine/shell.h"

#include <inttypes.h>

static const char *const event_names[EV_KIND_N] = {
	[EV_TICK] = "tick",
	[EV_BOOT] = "boot",
	[EV_SHUTDOWN] = "shutdown",
	[EV_SPAWNED] = "spawned",
	[EV_EXECED] = "execed",
	[EV_SPAWN_FAILED] = "spawn_failed",
	[EV_READY] = "ready",
	[EV_EXITED] = "exited",
	[EV_START_CHILD] = "start_child",
	[EV_RESTART_CHILD] = "restart_child",
	[EV_TERMINATE_CHILD] = "terminate_child",
	[EV_DELETE_CHILD] = "delete_child",
	[EV_CLEAR] = "clear",
};

static const char *
path_of(const struct shell *sh, node_t n)
{
	if (n == NODE_NONE || n > sh->cap || sh->nodes[n].path == NULL)
		return "-";
	return sh->nodes[n].path;
}

void
shell_trace_event(
    const struct shell *sh, const struct event *ev, struct buf *out)
{
	int64_t ms = ev->now.ns / NS_PER_MS;

	buf_printf(out, "%05" PRId64 ".%03" PRId64 " %s %s", ms / 1000,
	    ms % 1000, path_of(sh, ev->node), event_names[ev->kind]);
	if (ev->inc != 0)
		buf_printf(out, " inc=%" PRIu64, ev->inc);
	if (ev->child != NODE_NONE)
		buf_printf(out, " child=%s", path_of(sh, ev->child));
	if (ev->kind == EV_SPAWN_FAILED)
		buf_printf(out, " step=%s errno=%d", spawn_step_name(ev->step),
		    ev->code);
	else if (ev->kind == EV_EXITED)
		buf_printf(out, " %s=%d", ev->is_signal ? "signal" : "status",
		    ev->code);
	else if (ev->kind == EV_SPAWNED)
		buf_printf(out, " pid=%d", ev->code);
}

void
shell_trace_effect(
    const struct shell *sh, const struct effect *eff, struct buf *out)
{
	char text[128], name[24];

	buf_printf(out, " | ");
	switch (eff->kind) {
	case EFF_SPAWN:
		buf_printf(out, "spawn %s inc=%" PRIu64, path_of(sh, eff->node),
		    eff->inc);
		break;
	case EFF_SIGNAL:
		buf_printf(out, "signal %s %s%s", path_of(sh, eff->node),
		    signal_name(eff->sig, name, sizeof(name)),
		    eff->group ? " group" : "");
		break;
	case EFF_REPLY:
		buf_printf(out, "reply tag=%" PRIu64 " %s", eff->tag,
		    result_name(eff->result));
		break;
	case EFF_STATE:
		buf_printf(out, "%s %s->%s", path_of(sh, eff->node),
		    child_state_name(eff->from), child_state_name(eff->to));
		break;
	case EFF_REPORT:
		buf_printf(out, "report %s %s (%s)", path_of(sh, eff->node),
		    report_name(eff->report),
		    reason_text(&eff->reason, text, sizeof(text)));
		break;
	case EFF_FREED:
		buf_printf(out, "freed %s", path_of(sh, eff->node));
		break;
	case EFF_DONE:
		buf_printf(out, "done (%s)",
		    reason_text(&eff->reason, text, sizeof(text)));
		break;
	case EFF_KIND_N:
		break;
	}
}
