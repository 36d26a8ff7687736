/* SPDX-License-Identifier: ISC */
#ifndef CONF_CONF_H
#define CONF_CONF_H

#include "base/buf.h"
#include "core/spec.h"

#include <stdio.h>
#include <sys/queue.h>
#include <sys/resource.h>
#include <sys/types.h>

/*
 * supd.yaml, checked and resolved: what supd.yaml(5) documents, bound by one
 * schema table.  A struct conf is all or nothing: if any file has an error,
 * there is none.  Everything in it is owned by the struct conf (one arena) and
 * lives until conf_free(); a child made by conf_parse_child() owns itself.
 */

#define CONF_GROUPS_MAX  64
#define CONF_RLIMITS_MAX 16
#define CONF_ERRORS_MAX  20 /* shown in one run; then a count */

enum ready_mode {
	READY_MODE_EXEC,
	READY_MODE_NOTIFY,    /* sd_notify READY=1, or libmsg's ready */
	READY_MODE_NOTIFY_FD, /* a newline on fd ready_fd, as s6 */
	READY_MODE_TCP,       /* connect to ready_addr, "host:port" */
	READY_MODE_UNIX,      /* connect to ready_addr, a path */
	READY_MODE_DELAY,
	READY_MODE_PROBE, /* ready_argv, run again until it exits 0 */
	READY_MODE_N
};

/* How the health of a ready worker is asked for; spec.health says when. */
enum health_mode {
	HEALTH_NONE,
	HEALTH_TCP,   /* connect to addr, "host:port" */
	HEALTH_UNIX,  /* connect to addr, a path */
	HEALTH_HTTP,  /* GET http_path from addr, "host:port": 2xx or 3xx */
	HEALTH_PROBE, /* run argv: exit 0 */
	HEALTH_MODE_N
};

struct conf_health {
	enum health_mode mode;
	const char *addr;
	const char *http_path; /* HTTP: what is asked for, "/x?y" */
	const char *const *argv;
};

enum io_mode {
	IO_NULL,
	IO_LOG,     /* stdout, stderr: to the logger */
	IO_INHERIT, /* supd's own */
	IO_FILE,    /* opened by the worker's user: append, or read for stdin */
	IO_JOIN,    /* stderr: wherever stdout goes */
	IO_MODE_N
};

struct conf_io {
	enum io_mode mode;
	const char *file; /* IO_FILE */
};

struct conf_log {
	int64_t size_bytes; /* rotate beyond; default 10M */
	uint32_t keep;      /* old files kept; default 5 */
	bool prefix;        /* the worker's name on each line; default true */
	bool time;          /* the time on each line; default true */
};

enum mailbox_full { MAILBOX_BLOCK, MAILBOX_DROP, MAILBOX_KILL };
enum mailbox_restart { MAILBOX_FORGET, MAILBOX_KEEP };

struct conf_mailbox {
	int64_t max_bytes;
	unsigned on_full;    /* enum mailbox_full */
	unsigned on_restart; /* enum mailbox_restart */
};

struct conf_rlimit {
	int resource; /* RLIMIT_* */
	struct rlimit lim;
};

struct conf_worker {
	struct worker_spec spec;
	const char *description; /* or NULL */
	const char *const *argv; /* NULL-terminated, at least one */
	const char *const *env; /* "K=V", NULL-terminated: env_file, then env */
	bool env_clear;         /* start from nothing, not supd's environment */
	uint32_t instance;      /* 1.., 0 when `instances` is not given */
	uint32_t instances;
	enum ready_mode ready;
	int ready_fd;
	const char *ready_addr;
	const char *const *ready_argv;
	const char *const *pre_start; /* a command as argv; or NULL */
	const char *const *post_stop;
	struct conf_health health;
	const char *cwd;
	mode_t umask;
	bool has_user; /* user, group or groups given: switch */
	uid_t uid;
	gid_t gid;
	gid_t groups[CONF_GROUPS_MAX];
	uint32_t n_groups;
	const char *user_name, *home, *shell; /* for the environment, or NULL */
	struct conf_rlimit rlimit[CONF_RLIMITS_MAX];
	uint32_t n_rlimit;
	bool has_nice, has_oom;
	int nice, oom_score_adj;
	struct conf_io in, out, err;
	struct conf_log log;
	struct conf_mailbox mailbox;
	/* Names or paths of workers, NULL-terminated; NULL: none. */
	const char *const *names;
	const char *const *links;
	const char *const *monitors;
	const char *const *allow; /* of supervisors, or "control" */
};

struct conf_child;
TAILQ_HEAD(conf_children, conf_child);

struct conf_sup {
	struct sup_spec spec;
	const char *const *giveup_argv; /* on_giveup: exec, or NULL */
	uint32_t start_rate;            /* root only: spawns a second, 0 none */
	struct conf_children children;
	struct conf_child *template; /* simple_one_for_one, or NULL */
};

/* A node of the configured tree, in start order. */
struct conf_child {
	TAILQ_ENTRY(conf_child) link;
	const char *name;
	const char *file; /* where it was defined */
	uint32_t line;
	bool is_sup;
	union {
		struct conf_sup sup;
		struct conf_worker worker;
	};
	void *priv; /* conf's own: the arena of a self-owned child, origins */
};

struct conf {
	struct conf_child *root; /* always a supervisor */
	uint32_t n_nodes;
	void *priv;
};

/*
 * Load `path` and all it includes.  Returns 0 and *ret_conf, or -EINVAL with
 * the messages (file:line:col: error: ...; caret line) in `ret_errors`, or
 * another -errno when the file could not be read (message there too).
 * Warnings go to ret_errors as well when it succeeds.
 */
must_check int conf_load(
    const char *path, struct conf **ret_conf, struct buf *ret_errors);
void conf_free(struct conf *c);

/*
 * Parse one child from text ("{worker: x, command: [...]}", YAML or JSON), as
 * an operator gives it to supctl add; `label` stands for the file name in
 * messages.  It becomes a child of `parent` (whose defaults apply).  Returns a
 * self-owned child, released by conf_child_free().
 */
must_check int conf_parse_child(const struct conf_child *parent,
    const char *label, const char *text, size_t len,
    struct conf_child **ret_child, struct buf *ret_errors);

/*
 * One more child of a simple_one_for_one supervisor: its template with extra
 * arguments appended (O-1) under that name.  Self-owned.
 */
must_check int conf_instantiate(const struct conf_child *sup, const char *name,
    const char *const *extra_argv, struct conf_child **ret_child,
    struct buf *ret_errors);
void conf_child_free(struct conf_child *c);

/* Write the tree canonically: parsing the output gives the same output. */
void conf_print(const struct conf *c, struct buf *out);

/*
 * Tell every effective key of one child, in the schema's order: `value` as
 * canonical YAML, `origin` "file:line", "default", or "defaults at file:line".
 */
void conf_show(const struct conf_child *c,
    void (*emit)(
	void *ctx, const char *key, const char *value, const char *origin),
    void *ctx);

/* The schema of supd.yaml as JSON Schema, for editors. */
void conf_print_schema(struct buf *out);

#endif /* CONF_CONF_H */
