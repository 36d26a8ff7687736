/* SPDX-License-Identifier: ISC */
#ifndef CONF_BIND_H
#define CONF_BIND_H

#include "base/buf.h"
#include "conf/arena.h"
#include "conf/conf.h"
#include "conf/diag.h"
#include "conf/node.h"
#include "conf/schema.h"
#include "conf/strmap.h"

#include <glob.h>
#include <setjmp.h>
#include <yaml.h>

/*
 * One load, from files to a tree: the state shared by scan, expand, include
 * and the binders, and what must be released wherever memory runs out.
 */

#define YAML_DEPTH_MAX    64
#define YAML_NODES_MAX    (4u * 1024 * 1024)
#define TREE_DEPTH_MAX    32
#define INCLUDE_DEPTH_MAX 16
#define FILES_MAX         10000u
#define FILE_MAX_BYTES    ((int64_t)256 << 20)
#define INSTANCES_MAX     10000
#define PATH_MAX_LEN      1000 /* of a child's path: "root/web/api" */
#define ARGS_MAX_BYTES    ((size_t)96 * 1024) /* arguments and environment */
#define NOTIFY_FD_MIN     4                   /* 3 is the lifeline */
#define NOTIFY_FD_MAX     255

/* A worker being bound: its keys one by one, then bind_worker_finish(). */
struct wbind {
	struct conf_worker w;
	unsigned kill_mode; /* 0 group, 1 process */
	bool brutal;
	int64_t shutdown_ns;
	int stop_signal;
	/* Within these keys, and taken over only when they are given. */
	struct {
		struct backoff pause;
		int64_t reset_after_ns;
	} backoff;
	struct health health;
	const struct node *const *val; /* by key_id - W_FIRST; NULL: default */
};

struct sbind {
	struct conf_sup s;
};

/* What a conf_child remembers of its making; conf_child.priv. */
struct origin {
	struct arena *own; /* a self-owned child: freed with it */
	/*
	 * The values given, by key_id - W_FIRST (worker) or by key_id
	 * (supervisor), NULL where the default holds.  Shared by instances.
	 */
	const struct node *const *val;
	/* Supervisor: what its children inherit, or NULL. */
	const struct node *const *defaults;
	const struct node *map; /* the whole child, for its place */
	const char *base_name;  /* worker: without .N */
	const char *path;       /* of names, for its length */
	uint32_t depth;         /* root: 1 */
};

struct load {
	struct arena *arena;
	struct diag diag;
	jmp_buf oom;
	struct buf scratch;
	yaml_parser_t parser;
	yaml_event_t event;
	bool has_parser, has_event, has_glob;
	glob_t glob;
	int fd;
	uint32_t n_values; /* YAML nodes so far */
	uint32_t n_files;
	uint32_t n_children;
	bool as_root; /* then files must be safe */
	struct strmap keys[KEY_WHERE_N];
	struct strmap users, groups, env_files;
	const struct node *def[LATER_FIRST]; /* defaults, scanned */
	struct wbind worker;                 /* all defaults */
	struct sbind sup;
	/* Of the child being bound: */
	const char *who;   /* `worker "api"`, for messages */
	uint32_t instance; /* what ${instance} is; 0: there is none */
};

/* load.c */
must_check int load_open(struct load *ld);
void load_close(struct load *ld); /* the arena stays */
const struct key *load_find_key(
    struct load *ld, enum key_where where, const char *name);
/*
 * The scalar's text with ${instance} replaced, or NULL and an error: not a
 * scalar, or ${instance} where there is none.
 */
const char *load_text(struct load *ld, const struct node *n, const char *what);
/* Hand over the scratch buffer's content. */
const char *load_take(struct load *ld);

/* scan.c: a file to nodes.  NULL when it is empty or had errors. */
struct node *scan_source(struct load *ld, const struct source *src);

/* include.c */
/*
 * Read a whole file, which must be regular and, as root, safe.  Returns 0 or
 * -errno, with an error at `at` (or in the file, when there is no `at`).
 */
must_check int include_read(struct load *ld, const char *path,
    const struct source *up, const struct node *at,
    const struct source **ret_src);
/* Call `each` with every file that the value of `include` names. */
void include_each(struct load *ld, const struct node *value,
    void (*each)(struct load *ld, const struct node *list, void *ctx),
    void *ctx);

/* envfile.c: entries as struct node of a map, in order; NULL after an error */
const struct node *envfile_read(
    struct load *ld, const char *path, const struct node *at);

/* user.c */
void user_resolve(struct load *ld, struct wbind *b);

/* types.c: bind one value; on error say so and leave *base alone */
void type_bind(
    struct load *ld, const struct key *k, const struct node *n, void *base);
/* The words of a list or text, NULL-terminated; NULL after an error. */
const char *const *type_list(
    struct load *ld, const struct node *n, const char *what);
/* The same of a command, so not empty. */
const char *const *type_words(
    struct load *ld, const struct node *n, const char *what);

/* worker.c */
void worker_init_defaults(struct load *ld);
/* Own keys of a map: val[key_id - W_FIRST]; errors for the rest. */
void worker_collect(struct load *ld, const struct node *map,
    const struct node **val, bool named);
/* val = outer, overridden by own. */
void worker_inherit(struct load *ld, const struct node *const *outer,
    const struct node *const *own, const struct node **val);
/* All of it: keys, combinations, argv, env, user, stop. */
void worker_bind(struct load *ld, const struct node *at,
    const struct node *const *val, const struct conf_sup *parent,
    struct conf_worker *ret);
void worker_check_significant(struct load *ld, const struct node *at,
    const struct node *own, bool significant, enum restart_type restart,
    const struct conf_sup *parent);

/* tree.c: NULL after an error; otherwise errors may be in ld->diag too */
struct conf_child *tree_bind_root(struct load *ld, const struct node *map);
/* One run-time child of `parent`. */
struct conf_child *tree_bind_child(
    struct load *ld, const struct conf_child *parent, const struct node *map);
struct conf_child *tree_bind_instance(struct load *ld,
    const struct conf_child *sup, const char *name,
    const char *const *extra_argv);

/* lint.c */
void lint_tree(struct load *ld, const struct conf_child *root);

/* show.c: "file:line", or "defaults at file:line" */
void show_origin(struct buf *out, const struct node *n);

/*
 * canon.c: a value as canonical YAML, on one line.  instance > 0 replaces
 * ${instance}; $ stays doubled, so that it can be loaded again.
 */
void canon_value(struct buf *out, const struct key *k, const struct node *n,
    uint32_t instance);
/* One entry of a map of type T_ENV or T_RLIMIT. */
void canon_entry(struct buf *out, const struct key *k, const struct node *n,
    uint32_t instance);
/* Whether it says nothing but the default; `scratch` is overwritten. */
bool canon_is_default(const struct key *k, const struct node *n);

#endif /* CONF_BIND_H */
