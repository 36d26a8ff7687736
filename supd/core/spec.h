/* SPDX-License-Identifier: ISC */
#ifndef CORE_SPEC_H
#define CORE_SPEC_H

#include <stdbool.h>
#include <stdint.h>

/*
 * What the core must know of a child to decide: rules C-1 and C-3.  How it is
 * started (argv, user, limits) is not its business and stays in conf/.
 * Durations are in ns; negative means infinity.
 */

#define NAME_MAX_LEN 64 /* longest child name, without the NUL */

enum strategy {
	ONE_FOR_ONE,
	REST_FOR_ONE,
	ONE_FOR_ALL,
	SIMPLE_ONE_FOR_ONE,
	STRATEGY_N
};

enum restart_type { PERMANENT, TRANSIENT, TEMPORARY, RESTART_TYPE_N };

enum auto_shutdown {
	AUTO_NEVER,
	AUTO_ANY_SIGNIFICANT,
	AUTO_ALL_SIGNIFICANT,
	AUTO_SHUTDOWN_N
};

/* What a supervisor that gives up tells its parent. */
enum on_giveup {
	GIVEUP_ESCALATE, /* it ends `shutdown` and its restart type decides */
	GIVEUP_STOP,     /* it stays stopped, whatever its restart type */
	GIVEUP_EXEC,     /* as escalate, and the shell runs a command */
	GIVEUP_N
};

/* What makes a started worker ready. */
enum ready_kind {
	READY_EXEC,  /* the exec, and start_grace survived */
	READY_EVENT, /* EV_READY: sd_notify, an fd, a connect, libmsg */
	READY_DELAY, /* ready_delay_ns after the exec */
	READY_KIND_N
};

#define STOP_STAGES_MAX 8

/* One step of a stop: send sig, wait for the end, go on to the next. */
struct stop_stage {
	int32_t sig;
	int64_t wait_ns; /* negative: wait for ever.  Unused after SIGKILL. */
};

/* A set of exit codes and signals. */
struct exit_set {
	uint64_t code[4]; /* bit c: exit code c, 0..255 */
	uint64_t signal;  /* bit s: signal s, 1..63 */
};

/*
 * Pauses between restarts; min_ns 0: none, as in OTP.  The first restart
 * after a time of quiet is made at once, the next after min_ns, and each
 * further one after `factor` times the last pause, up to max_ns.
 */
struct backoff {
	int64_t min_ns;
	int64_t max_ns;        /* >= min_ns */
	uint32_t factor_milli; /* >= 1000; 2000: each pause twice the last */
	uint32_t jitter_milli; /* 0..1000; 100: up to 10 % more or less */
};

/* Probes of a ready worker; interval_ns 0: none. */
struct health {
	int64_t interval_ns;      /* from one answer to the next probe */
	int64_t timeout_ns;       /* > 0: no answer after it is a failure */
	int64_t initial_delay_ns; /* from ready to the first probe */
	uint32_t failures;        /* >= 1: this many in a row are too many */
};

struct worker_spec {
	enum restart_type restart;
	bool significant;
	bool enabled;    /* false: starting it yields `ignore` (C-5, S-9) */
	bool kill_group; /* kill_mode group: signals go to the process group */
	enum ready_kind ready;
	int64_t ready_delay_ns;
	int64_t start_timeout_ns; /* exec to ready */
	int64_t start_grace_ns;   /* READY_EXEC: an end this soon after the
	                             exec is a start error (D5) */
	/*
	 * The stop, in order; the last stage is SIGKILL unless a stage before
	 * it waits for ever.  T-1: shutdown 5s = {TERM, 5s}, {KILL};
	 * brutal_kill = {KILL}; infinity = {TERM, -1}.
	 */
	struct stop_stage stop[STOP_STAGES_MAX];
	uint32_t n_stop;
	struct exit_set success; /* ends `normal` */
	struct exit_set fatal;   /* never restarted */

	/* Extensions, all off when zero (D13). */
	struct backoff backoff;
	uint32_t max_attempts;   /* restarts in a row; one more makes its
	                            supervisor give up.  0: no limit */
	int64_t reset_after_ns;  /* > 0: ready this long, it starts afresh with
	                            backoff and max_attempts */
	bool pre_start;          /* a command runs before each start */
	bool post_stop;          /* a command runs after each end */
	int64_t hook_timeout_ns; /* of either; negative: none */
	int64_t heartbeat_ns;    /* longest silence of a ready worker */
	struct health health;
	int64_t max_lifetime_ns; /* ready this long, it is replaced */
};

struct sup_spec {
	enum strategy strategy;
	enum auto_shutdown auto_shutdown;
	enum restart_type restart; /* as a child of its own parent */
	bool significant;
	enum on_giveup on_giveup;
	uint32_t intensity;
	int64_t period_ns;
	uint32_t max_children;        /* 0: no limit */
	int64_t shutdown_deadline_ns; /* one budget for stopping the subtree */
};

static inline bool
exit_set_has_code(const struct exit_set *s, int code)
{
	return code >= 0 && code <= 255 &&
	       (s->code[code / 64] >> (code % 64) & 1) != 0;
}

static inline bool
exit_set_has_signal(const struct exit_set *s, int sig)
{
	return sig >= 1 && sig <= 63 && (s->signal >> sig & 1) != 0;
}

#endif /* CORE_SPEC_H */
