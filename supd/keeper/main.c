/* SPDX-License-Identifier: ISC */
#include "keeper/main.h"

#include "base/log.h"
#include "keeper/keeper.h"
#include "keeper/role.h"
#include "keeper/rundir.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

/*
 * Descriptors 0, 1 and 2 are something, so that no other file gets their
 * number; and nothing that supd inherited goes on to workers.
 */
static int
tidy_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	closefrom(STDERR_FILENO + 1);
	return 0;
}

/* Each worker costs fds: all that the system grants. */
static int
raise_nofile(struct rlimit *ret_before)
{
	struct rlimit lim;

	if (getrlimit(RLIMIT_NOFILE, &lim) < 0)
		return -errno;
	*ret_before = lim;
	if (lim.rlim_max <= KEEPER_FDS_SPARE) {
		log_warnx("RLIMIT_NOFILE is %ju, of which supd itself needs "
			  "%d; raise it (ulimit -Hn)",
		    (uintmax_t)lim.rlim_max, KEEPER_FDS_SPARE);
		return -ERANGE;
	}
	lim.rlim_cur = lim.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &lim) < 0 ? -errno : 0;
}

static int
keeper_serve(struct keeper *k, const struct role_args *args)
{
	cleanup_(closep) int control = -EBADF;
	int r, code;

	rundir_clean(args);
	r = rundir_bind(args, &control);
	if (r < 0)
		return EX_CANTCREAT;
	log_debug("up to %u workers, started by %s", k->n,
	    spawn_method_name(k->spawner.method));
	r = roles_start(k, args, control);
	closep(&control); /* the bus's now */
	control = -EBADF;
	code = r < 0 ? EX_OSERR : keeper_run(k);
	roles_end(k);
	unlink(args->socket);
	rundir_clean(args);
	return code;
}

int
keeper_main(const struct role_args *args)
{
	static struct keeper k;
	struct keeper_options opt = { .run_dir = args->run_dir };
	struct pidfh *pidfile = NULL;
	int r, code;

	umask(022);
	r = tidy_fds();
	if (r == 0)
		r = raise_nofile(&opt.nofile);
	if (r == -ERANGE)
		return EX_OSERR; /* which has said why */
	if (r < 0) {
		log_warnx("cannot prepare: %s", strerror(-r));
		return EX_OSERR;
	}
	r = rundir_make(args);
	if (r < 0)
		return EX_CANTCREAT;
	r = keeper_init(&k, &opt);
	if (r < 0) {
		log_warnx("cannot start: %s",
		    r == -ENOSYS
			? "pidfd_open and waitid(P_PIDFD) are needed, Linux 5.4"
			: strerror(-r));
		return EX_OSERR;
	}
	r = rundir_lock(args, &pidfile);
	if (r < 0) {
		keeper_fini(&k);
		return r == -EEXIST ? EX_TEMPFAIL : EX_CANTCREAT;
	}
	code = keeper_serve(&k, args);
	pidfile_remove(pidfile);
	keeper_fini(&k);
	return code;
}
