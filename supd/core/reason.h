/* SPDX-License-Identifier: ISC */
#ifndef CORE_REASON_H
#define CORE_REASON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Why a child is not running: the exit reasons and start errors of
 * otp-semantics, table 0.1.  Plain data, copied by value.
 */
enum reason_kind {
	REASON_NONE,     /* it has never ended */
	REASON_NORMAL,   /* exit 0, or one of success_exit: `normal` */
	REASON_SHUTDOWN, /* SIGTERM, an ordered stop, a supervisor's end */
	REASON_EXIT,     /* code: the exit code */
	REASON_FATAL,    /* code: an exit code of fatal_exit: never restarted */
	REASON_SIGNAL,   /* code: the signal; core: dumped */
	REASON_KILLED,   /* SIGKILL sent by supd itself */
	REASON_UNHEALTHY, /* stopped by supd for what `why` says: not clean;
	                     under, code, core: how it then ended */
	/* Start errors: the child never was ready. */
	REASON_SPAWN,   /* step (enum spawn_step of wire.h), code: the errno */
	REASON_EARLY,   /* ended before it was ready; under: EXIT or SIGNAL */
	REASON_TIMEOUT, /* not ready within start_timeout */
	/*
	 * A hook failed.  pre_start: a start error; post_stop: only reported.
	 * under: EXIT, SIGNAL, TIMEOUT, SPAWN (step, code), or KILLED: it was
	 * cut short, or not begun, because shutdown_deadline had passed.
	 */
	REASON_HOOK,
	REASON_CHILD,  /* a supervisor's child failed to start; child: which */
	REASON_IGNORE, /* rule S-9: `enabled: false`; declared: it has said so
	                  itself, before it was ready */
	REASON_N
};

/*
 * More about a REASON_SHUTDOWN or REASON_UNHEALTHY, for people only: no
 * decision reads it, but for on_giveup, which asks for WHY_GAVE_UP, and
 * reason_is_planned().
 */
enum reason_why {
	WHY_NONE,
	WHY_ASKED,         /* ordered: terminate_child, or the parent's stop */
	WHY_GROUP,         /* a sibling's restart stopped it */
	WHY_GAVE_UP,       /* restart intensity reached (E-1) */
	WHY_AUTO_SHUTDOWN, /* significant children ended */
	WHY_ROLLBACK,      /* a sibling failed to start at boot (S-3) */
	WHY_RELOAD,        /* its configuration has changed (U-1) */
	WHY_HEALTH,        /* too many failed probes */
	WHY_HEARTBEAT,     /* silent for too long, or it said so itself */
	WHY_LIFETIME,      /* max_lifetime reached */
	WHY_N
};

struct reason {
	uint8_t kind;   /* enum reason_kind */
	uint8_t why;    /* enum reason_why */
	uint8_t under;  /* EARLY, UNHEALTHY, HOOK: enum reason_kind of the end
	                   itself */
	uint8_t hook;   /* REASON_HOOK: enum proc_kind of engine.h */
	bool core;      /* a core was dumped */
	bool declared;  /* NORMAL, SHUTDOWN, EXIT, SIGNAL, EARLY, IGNORE: in
	                   its own words, which the shell has */
	int32_t code;   /* exit code, signal or errno */
	int32_t step;   /* REASON_SPAWN: which step failed */
	uint32_t child; /* REASON_CHILD: the node that failed */
};

/* `normal`, `shutdown`: a transient child is not restarted (table 1.3). */
bool reason_is_clean(const struct reason *r);

/*
 * max_lifetime: it is restarted as after any end that is not clean, but that is
 * no fault.  It is not counted (I-3), not an attempt, and made at once.
 */
bool reason_is_planned(const struct reason *r);

/* One of the start errors. */
bool reason_is_start_error(const struct reason *r);

/*
 * In the operator's words: "exit 1", "SIGSEGV (core)", "shutdown",
 * "exit 1 before ready", "gave up".  Writes at most len bytes with the NUL and
 * returns buf.
 */
const char *reason_text(const struct reason *r, char *buf, size_t len);

/* "SIGTERM" for 15; "signal 99" is written to buf for one without a name. */
const char *signal_name(int sig, char *buf, size_t len);

/* 15 for "TERM", "SIGTERM" or "15"; 0 if there is no such signal. */
int signal_number(const char *name);

#endif /* CORE_REASON_H */
