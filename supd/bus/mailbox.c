/* SPDX-License-Identifier: ISC */
#include "bus/mailbox.h"

#include "bus/bus.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static struct mailbox_dir *
dir_find(struct bus *b, uint32_t uid)
{
	struct mailbox_dir *d;

	TAILQ_FOREACH (d, &b->mailboxes.dirs, entry)
		if (d->uid == uid)
			return d;
	return NULL;
}

/* A path that does not fit is no path of ours. */
static int
dir_path(struct bus *b, uint32_t uid, char *out, size_t len)
{
	int n = snprintf(out, len, "%s/m/%u", b->args->run_dir, uid);

	return n < 0 || (size_t)n >= len ? -ENAMETOOLONG : 0;
}

/*
 * RUNDIR/m is ours and not writable by others, so nobody can put a symlink in
 * this place; what is there already is from an earlier supd.
 */
static int
dir_make(const char *path, uint32_t uid, uint32_t gid)
{
	struct stat st;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (lstat(path, &st) < 0)
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_uid != uid && lchown(path, uid, gid) < 0)
		return -errno;
	if ((st.st_mode & 07777) != 0700 && chmod(path, 0700) < 0)
		return -errno;
	return 0;
}

int
mailbox_prepare(struct bus *b, const struct peer *p, char *ret_text, size_t len)
{
	struct mailbox_dir *d = dir_find(b, p->uid);
	char path[PATH_MAX];
	int e;

	if (d != NULL) {
		d->users++;
		return 0;
	}
	e = dir_path(b, p->uid, path, sizeof(path));
	if (e == 0)
		e = dir_make(path, p->uid, p->gid);
	if (e == 0) {
		d = calloc(1, sizeof(*d));
		e = d == NULL ? -ENOMEM : 0;
	}
	if (d == NULL) {
		snprintf(ret_text, len, "mailbox directory %s/m/%u: %s",
		    b->args->run_dir, p->uid, strerror(-e));
		return e;
	}
	d->uid = p->uid;
	d->users = 1;
	TAILQ_INSERT_TAIL(&b->mailboxes.dirs, d, entry);
	return 0;
}

void
mailbox_release(struct bus *b, const struct peer *p)
{
	struct mailbox_dir *d = dir_find(b, p->uid);
	char path[PATH_MAX];

	if (d == NULL || --d->users != 0)
		return;
	if (dir_path(b, d->uid, path, sizeof(path)) == 0)
		rmdir(path);
	TAILQ_REMOVE(&b->mailboxes.dirs, d, entry);
	free(d);
}

void
mailbox_unlink(struct bus *b, const struct peer *p)
{
	char path[PATH_MAX];
	int n = snprintf(path, sizeof(path), "%s/m/%u/%u.%ju", b->args->run_dir,
	    p->uid, p->slot, (uintmax_t)p->inc);

	if (n > 0 && (size_t)n < sizeof(path))
		unlink(path);
}

int
mailbox_endpoint(
    struct bus *b, const struct peer *p, char *ret_text, size_t len)
{
	char text[PATH_MAX];
	int n = snprintf(text, sizeof(text), "ipc://%s/m/%u/%u.%ju",
	    b->args->run_dir, p->uid, p->slot, (uintmax_t)p->inc);

	if (n < 0 || (size_t)n >= sizeof(text) || (size_t)n >= len)
		return -ENAMETOOLONG;
	memcpy(ret_text, text, (size_t)n + 1);
	return 0;
}
