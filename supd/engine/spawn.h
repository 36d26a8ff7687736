/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_SPAWN_H
#define ENGINE_SPAWN_H

#include "base/buf.h"
#include "engine/shell.h"

/*
 * A worker's configuration becomes one WIRE_SPAWN frame: everything that the
 * keeper needs to make the process, and nothing that it would have to decide.
 */

/* What a spawn depends on besides the worker's own configuration. */
struct spawn_ctx {
	const char *const *environ; /* supd's own, NULL-terminated */
	const char *socket;         /* SUPD_SOCKET */
	const char *run_dir;        /* for NOTIFY_SOCKET */
	const char *path;           /* SUPD_PATH */
	const char *name;           /* SUPD_NAME */
	uint32_t slot;
	uint64_t inc;
};

/* Does it get a NOTIFY_SOCKET: for READY=1, or for WATCHDOG=1? */
bool spawn_needs_notify(const struct conf_worker *w);

/*
 * A command that runs beside a worker's own program or in its place: a hook or
 * a probe.  It has the worker's user, directory, limits and environment, but
 * none of its ways to talk to supd, and nothing on stdin; what it leaves behind
 * is killed at its end.
 */
struct spawn_side {
	const char *const *argv;
	const char *const *env; /* more entries, NULL-terminated; or NULL */
	uint32_t slot;          /* where it runs; ctx->slot is the worker's */
	uint64_t inc;
	bool quiet; /* only its stderr is kept */
};

/*
 * The worker's environment, in the order that later entries override earlier
 * ones: supd's own without what is supd's alone (unless env_clear), the user's
 * HOME, USER, LOGNAME and SHELL, the configured entries, supd's SUPD_*.
 * Returns 0 and a NULL-terminated array in one allocation of pointers
 * (released by spawn_env_free()), or -ENOMEM.
 */
must_check int spawn_env(
    const struct spawn_ctx *ctx, const struct conf_worker *w, char ***ret_env);
void spawn_env_free(char **env);

/*
 * Where `command` is: itself if it has a slash, else the first file of that
 * name on the PATH in `env` that the user of `w` (NULL: supd's own) may
 * execute, by the modes of the file and the directories above it; else the
 * first that somebody may.  Relative places are below `cwd` (NULL: the current
 * directory).  Returns 0, -ENOENT,
 * -EACCES (found, but not executable), -ENAMETOOLONG.
 */
must_check int spawn_lookup(const char *command, char *const *env,
    const struct conf_worker *w, const char *cwd, char *ret_path, size_t len);

/*
 * The whole frame: the struct, and the strings in `ret_tail`.  Returns 0,
 * -E2BIG when argv and environment do not fit a frame, -ENOMEM, or one of
 * spawn_lookup()'s.
 */
must_check int spawn_build(const struct spawn_ctx *ctx,
    const struct conf_worker *w, struct wire_spawn *ret_spawn,
    struct buf *ret_tail);

/* The same for a command beside it; its output goes to the worker's log. */
must_check int spawn_build_side(const struct spawn_ctx *ctx,
    const struct conf_worker *w, const struct spawn_side *side,
    struct wire_spawn *ret_spawn, struct buf *ret_tail);

/*
 * The command of `on_giveup: {exec: ...}`, run by the keeper outside the
 * tree; it learns SUPD_PATH and SUPD_REASON.  Errors as spawn_build().
 */
must_check int spawn_build_exec(const struct spawn_ctx *ctx,
    const char *const *argv, const char *reason, struct wire_spawn *ret_spawn,
    struct buf *ret_tail);

#endif /* ENGINE_SPAWN_H */
