/* SPDX-License-Identifier: ISC */
#include "keeper/rundir.h"

#include "base/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static mode_t
private_mode(mode_t as_root)
{
	return geteuid() == 0 ? as_root : 0700;
}

/*
 * Make one directory, or accept one that is ours and that others cannot write
 * to: they could put a link where we are about to make a file.  fix_mode: it
 * is supd's alone, so its mode is set, too.
 */
static int
make_dir(const char *path, mode_t mode, bool fix_mode)
{
	cleanup_(closep) int fd = -EBADF;
	struct stat st;

	if (mkdir(path, mode) < 0 && errno != EEXIST) {
		log_warn("cannot make directory %s", path);
		return -errno;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		log_warn("cannot use directory %s", path);
		return -errno;
	}
	if (st.st_uid != geteuid() || (st.st_mode & 022) != 0) {
		log_warnx("directory %s must belong to uid %u and be writable "
			  "by nobody else; use another one (-s)",
		    path, geteuid());
		return -EPERM;
	}
	if (fix_mode && (st.st_mode & 07777) != mode && fchmod(fd, mode) < 0) {
		log_warn("cannot set the mode of %s", path);
		return -errno;
	}
	return 0;
}

/* The directories above; what exists is taken as it is. */
static int
make_parents(const char *path, mode_t mode)
{
	char part[PATH_MAX];

	if (strlcpy(part, path, sizeof(part)) >= sizeof(part)) {
		log_warnx("path too long: %s", path);
		return -ENAMETOOLONG;
	}
	for (char *p = part + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		if (mkdir(part, mode) < 0 && errno != EEXIST) {
			log_warn("cannot make directory %s", part);
			return -errno;
		}
		*p = '/';
	}
	return 0;
}

static int
make_sub(const char *dir, const char *name, mode_t mode)
{
	char path[PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    sizeof(path))
		return -ENAMETOOLONG;
	return make_dir(path, mode, true);
}

int
rundir_make(const struct role_args *args)
{
	mode_t parents = private_mode(0755);
	int r;

	r = make_parents(args->run_dir, parents);
	if (r == 0)
		r = make_dir(args->run_dir, private_mode(0755), false);
	if (r == 0)
		r = make_sub(args->run_dir, "log", 0700);
	if (r == 0)
		r = make_sub(args->run_dir, "notify", 0711);
	if (r == 0)
		r = make_sub(args->run_dir, "m", 0711);
	if (r == 0)
		r = make_parents(args->log_dir, parents);
	if (r == 0)
		r = make_dir(args->log_dir, private_mode(0750), false);
	return r;
}

int
rundir_lock(const struct role_args *args, struct pidfh **ret_pidfile)
{
	char path[PATH_MAX];
	struct pidfh *pf;
	pid_t other = 0;

	snprintf(path, sizeof(path), "%s/supd.pid", args->run_dir);
	pf = pidfile_open(path, 0644, &other);
	if (pf == NULL) {
		int e = errno;

		if (e == EEXIST)
			log_warnx("already running, pid %d (%s is locked)",
			    (int)other, path);
		else
			log_warn("cannot lock %s", path);
		return e == EAGAIN ? -EEXIST : -e;
	}
	/* libbsd forgets this; a worker with the fd would hold the lock. */
	if (fcntl(pidfile_fileno(pf), F_SETFD, FD_CLOEXEC) < 0 ||
	    pidfile_write(pf) < 0) {
		int e = errno;

		log_warn("cannot write %s", path);
		pidfile_remove(pf);
		return -e;
	}
	*ret_pidfile = pf;
	return 0;
}

int
rundir_bind(const struct role_args *args, int *ret_fd)
{
	cleanup_(closep) int fd = -EBADF;
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	struct stat st;
	mode_t old;
	int r;

	if (strlcpy(sa.sun_path, args->socket, sizeof(sa.sun_path)) >=
	    sizeof(sa.sun_path)) {
		log_warnx("socket path %s is longer than %zu bytes; "
			  "use a shorter one (-s)",
		    args->socket, sizeof(sa.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	/* A supd that was killed left it: nobody else has the lock now. */
	if (lstat(args->socket, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(args->socket);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	/* By umask, so that there is no moment with a wider mode. */
	old = umask(geteuid() == 0 ? 0117 : 0177);
	r = bind(fd, (const struct sockaddr *)&sa, sizeof(sa));
	umask(old);
	if (r < 0 || listen(fd, SOMAXCONN) < 0) {
		r = -errno;
		log_warn("cannot listen on %s", args->socket);
		return r;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

static void
close_dir(DIR **d)
{
	if (*d != NULL)
		closedir(*d);
}

/* <slot>, <slot>.<incarnation>, <uid>: no name of supd's is of another kind. */
static bool
is_our_name(const char *name)
{
	return name[0] >= '0' && name[0] <= '9' &&
	       name[strspn(name, "0123456789.")] == '\0';
}

/* FIFOs and sockets that are called so; what else is there is not supd's. */
static bool
is_our_file(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
}

/*
 * Empty `at`/`name` of supd's FIFOs and sockets, and with `deeper` of its
 * directories (m/<uid>) that are empty then.  The run directory may be one
 * that the user has for other things, too.  No link is followed: some of this
 * belongs to workers.
 */
static void
empty_dir(int at, const char *name, bool deeper)
{
	cleanup_(close_dir) DIR *d = NULL;
	const struct dirent *e;
	int fd;

	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return;
	d = fdopendir(fd);
	if (d == NULL) {
		close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (!is_our_name(e->d_name))
			continue;
		if (is_our_file(fd, e->d_name)) {
			unlinkat(fd, e->d_name, 0);
		} else if (deeper) {
			empty_dir(fd, e->d_name, false);
			unlinkat(fd, e->d_name, AT_REMOVEDIR);
		}
	}
}

void
rundir_clean(const struct role_args *args)
{
	cleanup_(closep) int fd = -EBADF;

	fd = open(args->run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	empty_dir(fd, "log", false);
	empty_dir(fd, "notify", false);
	empty_dir(fd, "m", true);
}
