/* SPDX-License-Identifier: ISC */
/* Reading files: the main one and what it includes. */
#include "conf/bind.h"

#include <assert.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

struct reading {
	struct load *ld;
	struct source *src;
	const struct node *at; /* what names the file, or NULL */
};

printf_(3, 4) static int fail(
    const struct reading *r, int error, const char *fmt, ...)
{
	va_list ap;
	const char *text;

	va_start(ap, fmt);
	text = arena_vprintf(r->ld->arena, fmt, ap);
	va_end(ap);
	if (r->at != NULL)
		diag_error(&r->ld->diag, r->at, "%s: %s", r->src->path, text);
	else
		diag_error_at(
		    &r->ld->diag, (struct place){ .src = r->src }, "%s", text);
	return -error;
}

static int
check_file(const struct reading *r, const struct stat *st)
{
	const struct source *up;

	if (!S_ISREG(st->st_mode))
		return fail(r, EINVAL, "is not a regular file");
	if (st->st_size > FILE_MAX_BYTES)
		return fail(r, EFBIG, "is larger than %lld MiB",
		    (long long)(FILE_MAX_BYTES >> 20));
	if (r->ld->as_root && (st->st_mode & S_IWOTH) != 0)
		return fail(r, EPERM,
		    "refused, because everybody may write "
		    "to it and supd runs as root; chmod o-w");
	if (r->ld->as_root && (st->st_mode & S_IWGRP) != 0 && st->st_gid != 0)
		return fail(r, EPERM,
		    "refused, because its group may write "
		    "to it and supd runs as root; chmod g-w");
	for (up = r->src->up; up != NULL; up = up->up) {
		if (up->dev == st->st_dev && up->ino == st->st_ino)
			return fail(r, ELOOP, "includes itself");
	}
	r->src->dev = st->st_dev;
	r->src->ino = st->st_ino;
	return 0;
}

/* The size may be a lie (a file being written): read up to it, no further. */
static int
read_all(const struct reading *r, int fd, size_t size)
{
	char *text = arena_zalloc(r->ld->arena, size + 1);
	size_t len = 0;
	ssize_t n;

	while (len < size) {
		n = read(fd, text + len, size - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(
			    r, errno, "cannot read: %s", strerror(errno));
		if (n == 0)
			break;
		len += (size_t)n;
	}
	r->src->text = text;
	r->src->len = len;
	return 0;
}

static const char *
dir_of(struct load *ld, const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL
	           ? ""
	           : arena_strndup(ld->arena, path, (size_t)(slash - path) + 1);
}

static const char *
absolute(struct load *ld, const char *dir)
{
	char cwd[PATH_MAX];

	if (dir[0] == '/')
		return dir;
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		return NULL;
	return arena_printf(
	    ld->arena, "%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, dir);
}

int
include_read(struct load *ld, const char *path, const struct source *up,
    const struct node *at, const struct source **ret_src)
{
	struct source *src = arena_zalloc(ld->arena, sizeof(*src));
	struct reading r = { ld, src, at };
	struct stat st;
	int rc;

	src->path = arena_strdup(ld->arena, path);
	src->dir = dir_of(ld, path);
	src->abs_dir = absolute(ld, src->dir);
	src->text = "";
	src->seq = ld->n_files;
	src->up = up;
	src->depth = up == NULL ? 0 : up->depth + 1;
	if (ld->n_files++ >= FILES_MAX)
		return fail(&r, EMFILE, "more than %u files", FILES_MAX);
	/* NONBLOCK: a FIFO is refused below, not waited for. */
	ld->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (ld->fd < 0)
		return fail(&r, errno, "cannot open: %s", strerror(errno));
	if (fstat(ld->fd, &st) < 0)
		rc = fail(&r, errno, "cannot read: %s", strerror(errno));
	else
		rc = check_file(&r, &st);
	if (rc == 0)
		rc = read_all(&r, ld->fd, (size_t)st.st_size);
	close(take_fd(&ld->fd));
	if (rc == 0)
		*ret_src = src;
	return rc;
}

struct each {
	void (*fn)(struct load *ld, const struct node *list, void *ctx);
	void *ctx;
};

static void
include_file(struct load *ld, const char *path, const struct node *at,
    const struct each *each)
{
	const struct source *src;
	struct node *list;

	if (include_read(ld, path, at->src, at, &src) < 0)
		return;
	list = scan_source(ld, src);
	if (list == NULL)
		return;
	if (list->kind != NODE_LIST)
		diag_error(&ld->diag, list,
		    "an included file holds a list of children "
		    "(- worker: NAME), not %s",
		    node_kind_text(list));
	else
		each->fn(ld, list, each->ctx);
}

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A directory that is not there matches nothing; one we cannot read might. */
static _Thread_local int glob_errno;

static int
glob_failed(const char *path, int error)
{
	(void)path;
	glob_errno = error;
	return error != ENOENT && error != ENOTDIR;
}

/* glob(3) sorts by locale; the order of a tree must not depend on that. */
static void
include_glob(struct load *ld, const char *pattern, const struct node *at,
    const struct each *each)
{
	char **paths;
	size_t i, n;
	int rc;

	ld->has_glob = true;
	rc = glob(pattern, GLOB_NOSORT, glob_failed, &ld->glob);
	if (rc == GLOB_NOSPACE)
		arena_oom(ld->arena);
	if (rc == GLOB_ABORTED)
		diag_error(&ld->diag, at, "%s: cannot read the directory: %s",
		    pattern, strerror(glob_errno));
	n = rc == 0 ? ld->glob.gl_pathc : 0;
	paths = arena_array(ld->arena, n + 1, sizeof(*paths));
	for (i = 0; i < n; i++)
		paths[i] = arena_strdup(ld->arena, ld->glob.gl_pathv[i]);
	globfree(&ld->glob);
	ld->has_glob = false;
	qsort(paths, n, sizeof(*paths), by_name);
	for (i = 0; i < n; i++)
		include_file(ld, paths[i], at, each);
}

static void
include_one(struct load *ld, const struct node *at, const struct each *each)
{
	const char *text = load_text(ld, at, "include"), *path;

	if (text == NULL)
		return;
	if (text[0] == '\0') {
		diag_error(&ld->diag, at, "include needs a path");
		return;
	}
	if (text[0] != '/' && at->src->abs_dir == NULL) {
		diag_error(&ld->diag, at,
		    "%s is relative, but there is no file it could be "
		    "relative to; give an absolute path",
		    diag_quote(&ld->diag, text));
		return;
	}
	if (at->src->depth >= INCLUDE_DEPTH_MAX) {
		diag_error(&ld->diag, at, "includes are nested deeper than %d",
		    INCLUDE_DEPTH_MAX);
		return;
	}
	path = text[0] == '/'
	           ? text
	           : arena_printf(ld->arena, "%s%s", at->src->dir, text);
	if (strpbrk(text, "*?[") != NULL)
		include_glob(ld, path, at, each);
	else
		include_file(ld, path, at, each);
}

void
include_each(struct load *ld, const struct node *value,
    void (*fn)(struct load *ld, const struct node *list, void *ctx), void *ctx)
{
	const struct each each = { fn, ctx };
	const struct node *n;

	if (value->kind == NODE_SCALAR) {
		include_one(ld, value, &each);
		return;
	}
	if (value->kind == NODE_MAP) {
		diag_error(&ld->diag, value,
		    "include takes a path or a list of paths, not a map");
		return;
	}
	for (n = value->first; n != NULL; n = n->next)
		include_one(ld, n, &each);
}
