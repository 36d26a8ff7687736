/* SPDX-License-Identifier: ISC */
/*
 * A permanent worker whose command ends at once is restarted until its
 * supervisor gives up.  Only commands that cannot do anything but end are
 * known here; `sleep` is not among them, because restarting it is a way to do
 * something now and then.
 */
#include "conf/lint.h"

#include <string.h>

/* Commands of POSIX and Linux that do their work and end. */
static const char *const programs[] = { "[", "basename", "chgrp", "chmod",
	"chown", "cp", "date", "dirname", "echo", "expr", "false", "hostname",
	"id", "install", "kill", "ln", "ls", "mkdir", "mknod", "mktemp",
	"modprobe", "mount", "mv", "printf", "pwd", "rm", "rmdir", "sync",
	"sysctl", "test", "touch", "true", "umount", "uname", "unlink",
	"whoami" };

/* What a shell does itself and goes on. */
static const char *const builtins[] = { ":", "cd", "exit", "export", "set",
	"umask", "unset" };

static bool
is_one_of(const char *const *list, size_t n, const char *s, size_t len)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strlen(list[i]) == len && strncmp(list[i], s, len) == 0)
			return true;
	}
	return false;
}

/* A program of the system, not one of that name from somewhere else. */
static bool
ends_at_once(const char *s, size_t len)
{
	static const char *const dirs[] = { "/usr/bin/", "/bin/", "/usr/sbin/",
		"/sbin/" };
	size_t i, n;

	for (i = 0; i < ARRAY_LEN(dirs); i++) {
		n = strlen(dirs[i]);
		if (len > n && strncmp(s, dirs[i], n) == 0) {
			s += n;
			len -= n;
			break;
		}
	}
	return is_one_of(programs, ARRAY_LEN(programs), s, len);
}

/*
 * A script of nothing but such commands, one after another.  What is more than
 * that (loops, pipes, jobs, substitutions) is not judged, nor is a quoted ;
 * understood: what follows it is hardly a command that we know.
 */
static bool
script_ends_at_once(const char *s)
{
	size_t len;

	if (strpbrk(s, "`(){}<") != NULL)
		return false;
	for (;;) {
		s += strspn(s, " \t\n;");
		if (*s == '\0')
			return true;
		len = strcspn(s, " \t\n;&|");
		if (!ends_at_once(s, len) &&
		    !is_one_of(builtins, ARRAY_LEN(builtins), s, len))
			return false;
		s += len;
		s += strcspn(s, "\n;&|");
		if (*s == '&' || *s == '|') {
			if (s[1] != s[0])
				return false; /* a job, or a pipe */
			s += 2;
			if (s[strspn(s, " \t\n;")] == '\0')
				return false;
		}
	}
}

void
lint_once(
    struct lint *l, const struct conf_child *sup, const struct conf_child *c)
{
	static const char *const shells[] = { "sh", "bash", "dash", "/bin/sh",
		"/bin/bash", "/bin/dash", "/usr/bin/sh", "/usr/bin/bash" };
	const char *const *argv = c->worker.argv;
	bool shell =
	    is_one_of(shells, ARRAY_LEN(shells), argv[0], strlen(argv[0]));

	if (c->worker.spec.restart != PERMANENT)
		return;
	if (shell ? argv[1] == NULL || strcmp(argv[1], "-c") != 0 ||
			argv[2] == NULL || !script_ends_at_once(argv[2])
		  : !ends_at_once(argv[0], strlen(argv[0])))
		return;
	lint_warn(l, "once", lint_given(c, W_COMMAND),
	    "%s ends by itself, and a permanent worker is restarted each "
	    "time, until supervisor \"%s\" gives up; write restart: transient "
	    "(again only if it fails) or temporary (never again)",
	    shell ? "this script" : diag_quote(&l->ld->diag, argv[0]),
	    sup->name);
}
