/* SPDX-License-Identifier: ISC */
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The one table of all keys.  Binding, defaults, printing, `supctl show`, the
 * "did you mean" and the check of supd.yaml(5) all read it; a key that is not
 * here does not exist.
 */

enum value_type {
	T_NAME,
	T_TEXT,
	T_BOOL,
	T_INT,      /* min..max */
	T_CHOICE,   /* choices, in the order of the enum */
	T_DURATION, /* min: least ns */
	T_TIMEOUT,  /* a duration or infinity */
	T_FACTOR,   /* a decimal from 1 on, in thousandths */
	T_PERCENT,  /* in thousandths */
	T_SIZE,     /* min: least bytes */
	T_SHUTDOWN, /* a duration, infinity or brutal_kill */
	T_SIGNAL,
	T_STOPS,
	T_EXITS,
	T_READY,
	T_BACKOFF,
	T_HEALTH,
	T_TCP,  /* host:port */
	T_UNIX, /* the path of a socket */
	T_URL,  /* http://host:port/path */
	T_COMMAND,
	T_HOOK, /* a command, or [] for none */
	T_GIVEUP,
	T_DIR,  /* an absolute path */
	T_FILE, /* a path relative to the file that names it */
	T_UMASK,
	T_USER,
	T_GROUP,
	T_GROUPS,
	T_ENV,
	T_RLIMIT,
	T_IO,
	T_LOG,
	T_MAILBOX,
	T_NAMES, /* of workers, or their paths: a list */
	T_TREE,  /* bound by the tree itself: children, defaults, ... */
	T_LATER  /* known, and refused */
};

enum key_id {
	/* of a supervisor, in the order they are printed */
	S_NAME,
	S_STRATEGY,
	S_INTENSITY,
	S_PERIOD,
	S_AUTO_SHUTDOWN,
	S_RESTART,
	S_SIGNIFICANT,
	S_ON_GIVEUP,
	S_MAX_CHILDREN,
	S_START_RATE,
	S_SHUTDOWN_DEADLINE,
	S_DEFAULTS,
	S_INCLUDE,
	S_CHILDREN,
	S_TEMPLATE,
	S_N,
	/* of a worker, in the order they are printed */
	W_FIRST = S_N,
	W_NAME = W_FIRST,
	W_DESCRIPTION,
	W_COMMAND,
	W_ENABLED,
	W_INSTANCES,
	W_RESTART,
	W_SUCCESS_EXIT,
	W_FATAL_EXIT,
	W_SIGNIFICANT,
	W_BACKOFF,
	W_MAX_ATTEMPTS,
	W_READY,
	W_START_TIMEOUT,
	W_START_GRACE,
	W_HEARTBEAT,
	W_HEALTH,
	W_MAX_LIFETIME,
	W_SHUTDOWN,
	W_STOP_SIGNAL,
	W_STOP_SEQUENCE,
	W_KILL_MODE,
	W_PRE_START,
	W_POST_STOP,
	W_HOOK_TIMEOUT,
	W_USER,
	W_GROUP,
	W_GROUPS,
	W_UMASK,
	W_CWD,
	W_ENV,
	W_ENV_FILE,
	W_ENV_CLEAR,
	W_STDIN,
	W_STDOUT,
	W_STDERR,
	W_LOG,
	W_MAILBOX,
	W_RLIMIT,
	W_NICE,
	W_OOM_SCORE_ADJ,
	W_REGISTER,
	W_LINK,
	W_MONITOR,
	W_ALLOW,
	W_END,
	/* inside `log` */
	L_FIRST = W_END,
	L_SIZE = L_FIRST,
	L_KEEP,
	L_PREFIX,
	L_TIME,
	L_END,
	/* inside `backoff` */
	B_FIRST = L_END,
	B_MIN = B_FIRST,
	B_MAX,
	B_FACTOR,
	B_JITTER,
	B_RESET_AFTER,
	B_END,
	/* inside `health`: what is asked, one of the first four, and when */
	H_FIRST = B_END,
	H_TCP = H_FIRST,
	H_UNIX,
	H_HTTP,
	H_PROBE,
	H_INTERVAL,
	H_TIMEOUT,
	H_FAILURES,
	H_INITIAL_DELAY,
	H_END,
	/* inside `mailbox` */
	M_FIRST = H_END,
	M_MAX_BYTES = M_FIRST,
	M_ON_FULL,
	M_ON_RESTART,
	M_END,
	/* known, and refused as not supported yet */
	LATER_FIRST = M_END,
	KEY_MAX = 96
};

#define W_COUNT (W_END - W_FIRST)

enum key_where {
	IN_SUPERVISOR,
	IN_WORKER,
	IN_LOG,
	IN_BACKOFF,
	IN_HEALTH,
	IN_MAILBOX,
	KEY_WHERE_N
};

struct key {
	const char *name;
	enum key_where where;
	enum value_type type;
	const char *def;     /* the default, as YAML; NULL: none */
	const char *choices; /* T_CHOICE: separated by spaces */
	int64_t min, max;    /* a size: least, in bytes */
	size_t at;  /* where the value is bound: struct wbind, struct sbind */
	size_t has; /* T_INT: a bool set with it, or 0 */
	bool merge; /* a map whose entries are inherited one by one */
	bool off;   /* T_INT, T_DURATION: "off" is 0 */
	/*
	 * A process that runs cannot take a change of it: it shows after a
	 * restart.  Any other key takes effect at once.
	 */
	bool at_next_start;
	const char *since;
	const char *doc; /* one line */
};

extern const struct key schema_keys[];
extern const size_t schema_n_keys;

/* The key of that name there, or NULL.  Linear: see load_find_key(). */
const struct key *schema_find(enum key_where where, const char *name);

/* What `name` may have been meant to be there, or NULL. */
const char *schema_suggest(enum key_where where, const char *name);

/* Where the keys inside a value of this type are; false if it has none. */
bool schema_inside(enum value_type type, enum key_where *ret_where);

/* Is a value of this type always such a map, even when nothing is given? */
static inline bool
schema_is_map(enum value_type type)
{
	return type == T_LOG || type == T_MAILBOX;
}

static inline enum key_id
key_id(const struct key *k)
{
	return (enum key_id)(k - schema_keys);
}

#endif /* CONF_SCHEMA_H */
