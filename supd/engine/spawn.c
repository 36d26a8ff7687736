/* SPDX-License-Identifier: ISC */
#include "engine/spawn.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_DEFAULT                                                           \
	"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* An environment under construction: env[] is NULL-terminated. */
struct envlist {
	char **env;
	size_t n, cap;
	bool failed;
};

static void
env_freep(struct envlist *l)
{
	spawn_env_free(l->env);
}

void
spawn_env_free(char **env)
{
	for (size_t i = 0; env != NULL && env[i] != NULL; i++)
		free(env[i]);
	free(env);
}

static bool
env_room(struct envlist *l)
{
	size_t cap = l->cap != 0 ? l->cap * 2 : 64;
	char **p;

	if (l->n + 1 < l->cap)
		return true;
	p = reallocarray(l->env, cap, sizeof(*p));
	if (p == NULL)
		return false;
	l->env = p;
	l->cap = cap;
	return true;
}

/* Add "K=V" in place of an earlier K.  Takes the string over. */
static void
env_take(struct envlist *l, char *entry)
{
	size_t key = entry != NULL ? strcspn(entry, "=") + 1 : 0;

	for (size_t i = 0; entry != NULL && i < l->n; i++) {
		if (strncmp(l->env[i], entry, key) == 0) {
			free(l->env[i]);
			l->env[i] = entry;
			return;
		}
	}
	if (entry == NULL || !env_room(l)) {
		free(entry);
		l->failed = true;
		return;
	}
	l->env[l->n++] = entry;
	l->env[l->n] = NULL;
}

static void
env_set(struct envlist *l, const char *key, const char *value)
{
	char *entry;

	if (value == NULL)
		return;
	if (asprintf(&entry, "%s=%s", key, value) < 0)
		entry = NULL;
	env_take(l, entry);
}

/* What concerns supd itself and would mislead a worker. */
static bool
is_private(const char *entry)
{
	static const char *const prefixes[] = { "NOTIFY_SOCKET=", "LISTEN_",
		"WATCHDOG_", "SUPD_" };

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (strncmp(entry, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return strchr(entry, '=') == NULL;
}

static void
env_inherit(struct envlist *l, const char *const *own)
{
	for (; own != NULL && *own != NULL; own++)
		if (!is_private(*own))
			env_take(l, strdup(*own));
}

bool
spawn_needs_notify(const struct conf_worker *w)
{
	return w->ready == READY_MODE_NOTIFY || w->spec.heartbeat_ns > 0;
}

/*
 * What it can tell supd by.  WATCHDOG_PID comes last and with room: the child
 * itself writes its pid there (SPAWN_PID_ENV).
 */
static void
env_talk(
    struct envlist *l, const struct spawn_ctx *ctx, const struct conf_worker *w)
{
	char text[PATH_MAX];

	snprintf(text, sizeof(text), "%d", SPAWN_LIFELINE_FD);
	env_set(l, "SUPD_FD", text);
	if (spawn_needs_notify(w)) {
		snprintf(text, sizeof(text), "%s/notify/%u", ctx->run_dir,
		    ctx->slot);
		env_set(l, "NOTIFY_SOCKET", text);
	}
	if (w->spec.heartbeat_ns <= 0)
		return;
	snprintf(text, sizeof(text), "%" PRId64, w->spec.heartbeat_ns / 1000);
	env_set(l, "WATCHDOG_USEC", text);
	snprintf(text, sizeof(text), "%*s", SPAWN_PID_ROOM, "");
	env_set(l, "WATCHDOG_PID", text);
}

static void
env_worker(
    struct envlist *l, const struct spawn_ctx *ctx, const struct conf_worker *w)
{
	char text[PATH_MAX];

	if (w->has_user) {
		env_set(l, "HOME", w->home);
		env_set(l, "USER", w->user_name);
		env_set(l, "LOGNAME", w->user_name);
		env_set(l, "SHELL", w->shell);
	}
	for (const char *const *e = w->env; e != NULL && *e != NULL; e++)
		if (strncmp(*e, "WATCHDOG_PID=", 13) != 0 ||
		    w->spec.heartbeat_ns <= 0)
			env_take(l, strdup(*e));
	env_set(l, "SUPD_SOCKET", ctx->socket);
	env_set(l, "SUPD_PATH", ctx->path);
	env_set(l, "SUPD_NAME", ctx->name);
	if (w->instance != 0) {
		snprintf(text, sizeof(text), "%u", w->instance);
		env_set(l, "SUPD_INSTANCE", text);
	}
}

static int
env_finish(struct envlist *l, char ***ret_env)
{
	if (l->failed || !env_room(l))
		return -ENOMEM;
	l->env[l->n] = NULL;
	*ret_env = take_ptr(l->env);
	return 0;
}

int
spawn_env(
    const struct spawn_ctx *ctx, const struct conf_worker *w, char ***ret_env)
{
	cleanup_(env_freep) struct envlist l = { 0 };

	if (!w->env_clear)
		env_inherit(&l, ctx->environ);
	env_worker(&l, ctx, w);
	env_talk(&l, ctx, w);
	return env_finish(&l, ret_env);
}

static int
side_env(const struct spawn_ctx *ctx, const struct conf_worker *w,
    const struct spawn_side *side, char ***ret_env)
{
	cleanup_(env_freep) struct envlist l = { 0 };

	if (!w->env_clear)
		env_inherit(&l, ctx->environ);
	env_worker(&l, ctx, w);
	for (const char *const *e = side->env; e != NULL && *e != NULL; e++)
		env_take(&l, strdup(*e));
	return env_finish(&l, ret_env);
}

static const char *
env_get(char *const *env, const char *key)
{
	size_t len = strlen(key);

	for (; *env != NULL; env++)
		if (strncmp(*env, key, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* By the mode bits; whoever has no user of its own is supd's. */
static bool
may_exec(const struct stat *st, const struct conf_worker *w)
{
	if (w == NULL || !w->has_user || w->uid == 0)
		return (st->st_mode & 0111) != 0;
	if (st->st_uid == w->uid)
		return (st->st_mode & 0100) != 0;
	for (uint32_t i = 0; i < w->n_groups; i++)
		if (st->st_gid == w->groups[i])
			return (st->st_mode & 0010) != 0;
	if (st->st_gid == w->gid)
		return (st->st_mode & 0010) != 0;
	return (st->st_mode & 0001) != 0;
}

/*
 * 0, -ENOENT, -EACCES: nobody may execute it, or -EPERM: by the modes of the
 * file and the directories above it the worker's user may not.
 */
static int
check_file(const char *path, const struct conf_worker *w)
{
	char part[PATH_MAX];
	struct stat st;

	if (stat(path, &st) < 0 || S_ISDIR(st.st_mode) ||
	    strlcpy(part, path, sizeof(part)) >= sizeof(part))
		return -ENOENT;
	if ((st.st_mode & 0111) == 0)
		return -EACCES;
	if (!may_exec(&st, w))
		return -EPERM;
	for (char *p = part; (p = strchr(p + 1, '/')) != NULL; *p = '/') {
		*p = '\0';
		if (stat(part, &st) < 0 || !may_exec(&st, w))
			return -EPERM;
	}
	return 0;
}

int
spawn_lookup(const char *command, char *const *env, const struct conf_worker *w,
    const char *cwd, char *ret_path, size_t len)
{
	const char *path = env_get(env, "PATH");
	cleanup_(freep) char *maybe = NULL;
	int result = -ENOENT;

	if (strchr(command, '/') != NULL)
		return strlcpy(ret_path, command, len) < len ? 0
		                                             : -ENAMETOOLONG;
	if (path == NULL || *path == '\0')
		path = PATH_DEFAULT;
	for (;;) {
		size_t dir = strcspn(path, ":");
		bool rooted = *path == '/';
		int n, r;

		/* As execvp(3): an empty or relative place is below cwd. */
		n = snprintf(ret_path, len, "%s%s%.*s%s%s",
		    rooted        ? ""
		    : cwd != NULL ? cwd
				  : ".",
		    rooted ? "" : "/", (int)dir, path, dir > 0 ? "/" : "",
		    command);
		r = n > 0 && (size_t)n < len ? check_file(ret_path, w)
		                             : -ENOENT;
		if (r == 0)
			return 0;
		if (r == -EACCES)
			result = r;
		if (r == -EPERM && maybe == NULL)
			maybe = strdup(ret_path);
		if (path[dir] == '\0')
			break;
		path += dir + 1;
	}
	/* There is more than modes: the kernel decides, as that user. */
	if (maybe == NULL)
		return result;
	strlcpy(ret_path, maybe, len);
	return 0;
}

static void
add_text(struct buf *b, const char *s)
{
	buf_add(b, s != NULL ? s : "", s != NULL ? strlen(s) + 1 : 1);
}

static int
add_strings(struct wire_spawn *s, const char *const *argv, char *const *env,
    struct buf *tail)
{
	for (; *argv != NULL; argv++, s->argc++)
		add_text(tail, *argv);
	for (; *env != NULL; env++, s->envc++)
		add_text(tail, *env);
	if (tail->failed)
		return -ENOMEM;
	return tail->len <= WIRE_TAIL_MAX ? 0 : -E2BIG;
}

static enum spawn_io
io_of(const struct conf_io *io)
{
	switch (io->mode) {
	case IO_LOG:
		return SPAWN_IO_LOG;
	case IO_INHERIT:
		return SPAWN_IO_INHERIT;
	case IO_FILE:
		return SPAWN_IO_FILE;
	case IO_JOIN:
		return SPAWN_IO_JOIN;
	case IO_NULL:
	case IO_MODE_N:
		break;
	}
	return SPAWN_IO_NULL;
}

static uint64_t
limit_of(rlim_t v)
{
	return v == RLIM_INFINITY ? UINT64_MAX : (uint64_t)v;
}

static void
fill_user(struct wire_spawn *s, const struct conf_worker *w)
{
	if (!w->has_user)
		return;
	s->flags |= SPAWN_HAS_USER;
	s->uid = w->uid;
	s->gid = w->gid;
	s->n_groups = w->n_groups;
	for (uint32_t i = 0; i < w->n_groups; i++)
		s->groups[i] = w->groups[i];
}

/* What a worker's program and the commands beside it have in common. */
static void
fill(struct wire_spawn *s, const struct conf_worker *w)
{
	*s = (struct wire_spawn){
		.umask = w->umask,
		.nice = w->nice,
		.oom_score_adj = w->oom_score_adj,
		.n_rlimits = w->n_rlimit,
	};
	if (w->has_nice)
		s->flags |= SPAWN_HAS_NICE;
	if (w->has_oom)
		s->flags |= SPAWN_HAS_OOM;
	fill_user(s, w);
	for (uint32_t i = 0; i < w->n_rlimit; i++) {
		s->rlimit[i].resource = w->rlimit[i].resource;
		s->rlimit[i].soft = limit_of(w->rlimit[i].lim.rlim_cur);
		s->rlimit[i].hard = limit_of(w->rlimit[i].lim.rlim_max);
	}
}

static void
fill_main(struct wire_spawn *s, const struct spawn_ctx *ctx,
    const struct conf_worker *w)
{
	fill(s, w);
	s->slot = ctx->slot;
	s->inc = ctx->inc;
	s->io[0] = io_of(&w->in);
	s->io[1] = io_of(&w->out);
	s->io[2] = io_of(&w->err);
	s->flags |= SPAWN_LIFELINE;
	if (w->spec.kill_group)
		s->flags |= SPAWN_KILL_GROUP;
	if (w->spec.heartbeat_ns > 0)
		s->flags |= SPAWN_PID_ENV;
	if (w->ready == READY_MODE_NOTIFY_FD) {
		s->flags |= SPAWN_NOTIFY_FD;
		s->notify_fd = w->ready_fd;
	}
}

static void
fill_side(struct wire_spawn *s, const struct spawn_ctx *ctx,
    const struct conf_worker *w, const struct spawn_side *side)
{
	bool joined = w->err.mode == IO_JOIN;

	fill(s, w);
	s->slot = side->slot;
	s->inc = side->inc;
	s->log_slot = ctx->slot;
	s->io[0] = SPAWN_IO_NULL;
	s->io[1] = side->quiet ? SPAWN_IO_NULL : io_of(&w->out);
	/* Where stdout would go, also when that is not kept. */
	s->io[2] = io_of(joined && side->quiet ? &w->out : &w->err);
	s->flags |= SPAWN_KILL_GROUP;
}

static void
env_freepp(char ***env)
{
	spawn_env_free(*env);
}

int
spawn_build(const struct spawn_ctx *ctx, const struct conf_worker *w,
    struct wire_spawn *ret_spawn, struct buf *ret_tail)
{
	cleanup_(env_freepp) char **env = NULL;
	char exe[PATH_MAX];
	int r = spawn_env(ctx, w, &env);

	if (r == 0)
		r = spawn_lookup(w->argv[0], env, w, w->cwd, exe, sizeof(exe));
	if (r < 0)
		return r;
	fill_main(ret_spawn, ctx, w);
	add_text(ret_tail, exe);
	add_text(ret_tail, w->cwd);
	add_text(ret_tail, w->in.file);
	add_text(ret_tail, w->out.file);
	add_text(ret_tail, w->err.file);
	return add_strings(ret_spawn, w->argv, env, ret_tail);
}

int
spawn_build_side(const struct spawn_ctx *ctx, const struct conf_worker *w,
    const struct spawn_side *side, struct wire_spawn *ret_spawn,
    struct buf *ret_tail)
{
	cleanup_(env_freepp) char **env = NULL;
	bool joined = w->err.mode == IO_JOIN;
	char exe[PATH_MAX];
	int r = side_env(ctx, w, side, &env);

	if (r == 0)
		r = spawn_lookup(
		    side->argv[0], env, w, w->cwd, exe, sizeof(exe));
	if (r < 0)
		return r;
	fill_side(ret_spawn, ctx, w, side);
	add_text(ret_tail, exe);
	add_text(ret_tail, w->cwd);
	add_text(ret_tail, NULL);
	add_text(ret_tail, w->out.file);
	add_text(ret_tail, joined ? w->out.file : w->err.file);
	return add_strings(ret_spawn, side->argv, env, ret_tail);
}

int
spawn_build_exec(const struct spawn_ctx *ctx, const char *const *argv,
    const char *reason, struct wire_spawn *ret_spawn, struct buf *ret_tail)
{
	cleanup_(env_freep) struct envlist l = { 0 };
	cleanup_(env_freepp) char **env = NULL;
	char exe[PATH_MAX];
	int r;

	env_inherit(&l, ctx->environ);
	env_set(&l, "SUPD_SOCKET", ctx->socket);
	env_set(&l, "SUPD_PATH", ctx->path);
	env_set(&l, "SUPD_NAME", ctx->name);
	env_set(&l, "SUPD_REASON", reason);
	r = env_finish(&l, &env);
	if (r == 0)
		r = spawn_lookup(argv[0], env, NULL, "/", exe, sizeof(exe));
	if (r < 0)
		return r;
	*ret_spawn = (struct wire_spawn){
		.io = { SPAWN_IO_NULL, SPAWN_IO_INHERIT, SPAWN_IO_INHERIT },
		.umask = 022,
	};
	add_text(ret_tail, exe);
	add_text(ret_tail, "/");
	for (int i = 0; i < 3; i++)
		add_text(ret_tail, "");
	return add_strings(ret_spawn, argv, env, ret_tail);
}
