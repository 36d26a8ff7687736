/* SPDX-License-Identifier: ISC */
#include "core/trace.h"
#include "core/tree.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_LEN 512

const char *
trace_path(const struct engine *e, node_t n, char *buf, size_t len)
{
	char *at = buf + len;

	if (!engine_has(e, n)) {
		snprintf(buf, len, "?");
		return buf;
	}
	*--at = '\0';
	for (; n != NODE_NONE; n = node_of(e, n)->parent) {
		const char *name = node_of(e, n)->name;
		size_t k = strlen(name);

		if ((size_t)(at - buf) < k + 1)
			break; /* too deep to show whole: keep the end */
		at -= k;
		memcpy(at, name, k);
		if (node_of(e, n)->parent != NODE_NONE)
			*--at = '/';
	}
	memmove(buf, at, strlen(at) + 1);
	return buf;
}

static const char *
event_name(enum event_kind k)
{
	static const char *const t[EV_KIND_N] = {
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
		[EV_RETRY] = "retry",
		[EV_BEAT] = "beat",
		[EV_PROBED] = "probed",
		[EV_RELOAD] = "reload",
		[EV_APPLY] = "apply",
	};

	return k < EV_KIND_N ? t[k] : "?";
}

static const char *
declared(const struct event *ev)
{
	static const char *const t[DECLARED_N] = {
		[DECLARED_NOTHING] = "",
		[DECLARED_NORMAL] = ", declared normal",
		[DECLARED_SHUTDOWN] = ", declared shutdown",
		[DECLARED_OTHER] = ", declared a reason",
		[DECLARED_IGNORE] = ", declared ignore",
	};

	return ev->declared < DECLARED_N ? t[ev->declared] : "?";
}

const char *
trace_event(
    const struct engine *e, const struct event *ev, char *buf, size_t len)
{
	char path[PATH_LEN], sig[24];
	const char *name = event_name(ev->kind);

	if (ev->node == NODE_NONE) {
		snprintf(buf, len, "%s", name);
		return buf;
	}
	trace_path(e, ev->node, path, sizeof(path));
	if (ev->kind == EV_EXITED && ev->is_signal)
		snprintf(buf, len, "%s %" PRIu64 " %s %s%s", path, ev->inc,
		    name, signal_name(ev->code, sig, sizeof(sig)),
		    ev->core ? " (core)" : declared(ev));
	else if (ev->kind == EV_EXITED)
		snprintf(buf, len, "%s %" PRIu64 " %s exit %d%s", path, ev->inc,
		    name, (int)ev->code, declared(ev));
	else if (ev->kind == EV_SPAWN_FAILED)
		snprintf(buf, len, "%s %" PRIu64 " %s step %d error %d", path,
		    ev->inc, name, (int)ev->step, (int)ev->code);
	else if (ev->kind == EV_BEAT || ev->kind == EV_PROBED)
		snprintf(buf, len, "%s %" PRIu64 " %s %d", path, ev->inc, name,
		    (int)ev->code);
	else if (ev->inc != 0)
		snprintf(buf, len, "%s %" PRIu64 " %s", path, ev->inc, name);
	else
		snprintf(buf, len, "%s %s", path, name);
	return buf;
}

static const char *
proc_suffix(enum proc_kind p)
{
	static const char *const t[PROC_KIND_N] = {
		[PROC_MAIN] = "",
		[PROC_PRE_START] = " pre_start",
		[PROC_POST_STOP] = " post_stop",
	};

	return p < PROC_KIND_N ? t[p] : "?";
}

const char *
trace_effect(
    const struct engine *e, const struct effect *eff, char *buf, size_t len)
{
	char path[PATH_LEN], why[96], sig[24];

	trace_path(e, eff->node, path, sizeof(path));
	reason_text(&eff->reason, why, sizeof(why));
	switch (eff->kind) {
	case EFF_SPAWN:
		snprintf(buf, len, "spawn %s %" PRIu64 "%s", path, eff->inc,
		    proc_suffix(eff->proc));
		break;
	case EFF_SIGNAL:
		snprintf(buf, len, "signal %s %" PRIu64 " %s%s", path, eff->inc,
		    signal_name(eff->sig, sig, sizeof(sig)),
		    eff->group ? " group" : "");
		break;
	case EFF_REPLY:
		snprintf(buf, len, "reply %" PRIu64 " %s", eff->tag,
		    result_name(eff->result));
		break;
	case EFF_STATE:
		snprintf(buf, len,
		    "state %s %s -> %s (%s) #%" PRIu64 " cause #%" PRIu64, path,
		    child_state_name(eff->from), child_state_name(eff->to), why,
		    eff->seq, eff->cause);
		break;
	case EFF_REPORT:
		snprintf(buf, len,
		    "report %s %s (%s) %u/%u #%" PRIu64 " cause #%" PRIu64,
		    path, report_name(eff->report), why, eff->used, eff->limit,
		    eff->seq, eff->cause);
		break;
	case EFF_PROBE:
		snprintf(buf, len, "probe %s %" PRIu64 " %" PRIu64, path,
		    eff->inc, eff->tag);
		break;
	case EFF_FREED:
		snprintf(buf, len, "freed %u", eff->node);
		break;
	case EFF_DONE:
		snprintf(buf, len, "done (%s)", why);
		break;
	case EFF_KIND_N:
		snprintf(buf, len, "?");
		break;
	}
	return buf;
}
