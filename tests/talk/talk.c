/* SPDX-License-Identifier: ISC */
#include "talk.h"

#include <err.h>
#include <msg/msg.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long case_number; /* 0: a role */

/* Write what became of the case, all at once: its reader waits for the file. */
static void
tell(const char *text)
{
	const char *dir = getenv("TALK_DIR");
	char path[512], temporary[520];
	FILE *f;

	snprintf(
	    path, sizeof(path), "%s/%ld", dir != NULL ? dir : ".", case_number);
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	f = fopen(temporary, "we");
	if (f == NULL || fputs(text, f) == EOF || fclose(f) != 0 ||
	    rename(temporary, path) != 0)
		err(1, "%s", path);
}

void
talk_fail(const char *file, int line, const char *fmt, ...)
{
	const char *base = strrchr(file, '/');
	char what[512], text[768];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%s:%d: %s does not hold\n",
	    base != NULL ? base + 1 : file, line, what);
	fputs(text, stderr);
	if (case_number != 0)
		tell(text);
	_exit(99);
}

void
talk_check_int(const char *file, int line, const char *what, long long is,
    long long wanted)
{
	if (is != wanted)
		talk_fail(file, line, "%s == %lld, but it is %lld: it", what,
		    wanted, is);
}

void
talk_check_text(const char *file, int line, const char *what, const char *is,
    const char *wanted)
{
	if (strcmp(is, wanted) != 0)
		talk_fail(file, line, "%s is \"%s\", but it is \"%s\": it",
		    what, wanted, is);
}

void
talk_check_ok(const char *file, int line, const char *what, int r)
{
	if (r != 0)
		talk_fail(file, line, "%s == 0, but it is %d, \"%s\": it", what,
		    r, msg_strerror(r));
}

static int
run_role(const struct talk_role *roles, char **args)
{
	for (; args[0] != NULL && roles->name != NULL; roles++) {
		if (strcmp(roles->name, args[0]) == 0)
			return roles->run(args + 1);
	}
	errx(64, "no such role: %s", args[0] != NULL ? args[0] : "(none)");
}

static int
run_case(const struct talk_case *cases, const char *number)
{
	long n = strtol(number, NULL, 10);
	long i;

	for (i = 1; i < n && cases->name != NULL; i++)
		cases++;
	if (n < 1 || cases->name == NULL)
		errx(64, "no such case: %s", number);
	case_number = n;
	check_ok(msg_open());
	check_ok(msg_ready());
	cases->run();
	tell("ok\n");
	return 0;
}

int
talk_main(int argc, char **argv, const struct talk_case *cases,
    const struct talk_role *roles)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc == 2 && strcmp(argv[1], "--list") == 0) {
		for (; cases->name != NULL; cases++)
			puts(cases->name);
		return 0;
	}
	if (argc == 3 && strcmp(argv[1], "case") == 0)
		return run_case(cases, argv[2]);
	if (argc >= 3 && strcmp(argv[1], "role") == 0)
		return run_role(roles, argv + 2);
	errx(64, "usage: %s --list | case N | role NAME [ARG ...]", argv[0]);
}
