/* SPDX-License-Identifier: ISC */
/* Enums as words: OTP's where it has one. */
#include "core/engine.h"

#define NAME_OF(table, v)                                                      \
	((unsigned)(v) < ARRAY_LEN(table) ? (table)[(unsigned)(v)] : "?")

const char *
child_state_name(enum child_state s)
{
	static const char *const t[CHILD_STATE_N] = {
		[CHILD_STOPPED] = "stopped",
		[CHILD_STARTING] = "starting",
		[CHILD_READY] = "ready",
		[CHILD_STOPPING] = "stopping",
		[CHILD_WAITING] = "waiting",
		[CHILD_ENDED] = "ended",
	};

	return NAME_OF(t, s);
}

const char *
report_name(enum report_kind r)
{
	static const char *const t[REPORT_KIND_N] = {
		[REPORT_CHILD_TERMINATED] = "child_terminated",
		[REPORT_RESTART] = "restart",
		[REPORT_START_ERROR] = "start_error",
		[REPORT_SHUTDOWN_ERROR] = "shutdown_error",
		[REPORT_GAVE_UP] = "gave_up",
		[REPORT_AUTO_SHUTDOWN] = "auto_shutdown",
		[REPORT_UNHEALTHY] = "unhealthy",
		[REPORT_HOOK_FAILED] = "hook_failed",
	};

	return NAME_OF(t, r);
}

const char *
result_name(enum result r)
{
	static const char *const t[RESULT_N] = {
		[RESULT_OK] = "ok",
		[RESULT_IGNORED] = "ignored",
		[RESULT_NOT_FOUND] = "not_found",
		[RESULT_RUNNING] = "running",
		[RESULT_RESTARTING] = "restarting",
		[RESULT_ALREADY_STARTED] = "already_started",
		[RESULT_ALREADY_PRESENT] = "already_present",
		[RESULT_START_FAILED] = "start_failed",
		[RESULT_MAX_CHILDREN] = "max_children",
		[RESULT_SIMPLE] = "simple_one_for_one",
		[RESULT_NOPROC] = "noproc",
		[RESULT_BUSY] = "busy",
	};

	return NAME_OF(t, r);
}

const char *
strategy_name(enum strategy s)
{
	static const char *const t[STRATEGY_N] = {
		[ONE_FOR_ONE] = "one_for_one",
		[REST_FOR_ONE] = "rest_for_one",
		[ONE_FOR_ALL] = "one_for_all",
		[SIMPLE_ONE_FOR_ONE] = "simple_one_for_one",
	};

	return NAME_OF(t, s);
}

const char *
restart_type_name(enum restart_type r)
{
	static const char *const t[RESTART_TYPE_N] = {
		[PERMANENT] = "permanent",
		[TRANSIENT] = "transient",
		[TEMPORARY] = "temporary",
	};

	return NAME_OF(t, r);
}

const char *
auto_shutdown_name(enum auto_shutdown a)
{
	static const char *const t[AUTO_SHUTDOWN_N] = {
		[AUTO_NEVER] = "never",
		[AUTO_ANY_SIGNIFICANT] = "any_significant",
		[AUTO_ALL_SIGNIFICANT] = "all_significant",
	};

	return NAME_OF(t, a);
}
