/* SPDX-License-Identifier: ISC */
#ifndef TALK_TALK_H
#define TALK_TALK_H

#include <stddef.h>

/*
 * A test program whose cases run as workers of a real supd; see tests/talk/run.
 *
 *	PROGRAM --list             the names of its cases, one a line
 *	PROGRAM case N             run case N (from 1): this is the worker
 *	PROGRAM role NAME [ARG]..  another process that a case talks to
 *
 * A case is its worker's whole life.  It begins with the mailbox open; when it
 * returns it has passed.  What it says about itself goes to TALK_DIR/N, which
 * tests/talk/run waits for.  A case that needs others spawns them in the pool
 * "peers", as msg_spawn("peers", {"NAME", "ARG", ...}): a peer's role begins
 * with nothing open and ends the process with what it returns.
 */

struct talk_case {
	const char *name; /* upstream's, or "P-5 ...": the rule and a claim */
	void (*run)(void);
};

struct talk_role {
	const char *name;
	int (*run)(char **args); /* NULL-terminated */
};

/* Both lists end with a NULL name. */
int talk_main(int argc, char **argv, const struct talk_case *cases,
    const struct talk_role *roles);

/* The case (or the role's process) ends here, failed, if it does not hold. */
#define check(cond)                                                            \
	do {                                                                   \
		if (!(cond))                                                   \
			talk_fail(__FILE__, __LINE__, "%s", #cond);            \
	} while (0)
/* The same for two integers, which it shows, and for two texts. */
#define check_int(is, wanted)                                                  \
	talk_check_int(__FILE__, __LINE__, #is, (is), (wanted))
#define check_text(is, wanted)                                                 \
	talk_check_text(__FILE__, __LINE__, #is, (is), (wanted))
/* A call of libmsg has returned 0. */
#define check_ok(call) talk_check_ok(__FILE__, __LINE__, #call, (call))

void talk_fail(const char *file, int line, const char *fmt, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
void talk_check_int(const char *file, int line, const char *what, long long is,
    long long wanted);
void talk_check_text(const char *file, int line, const char *what,
    const char *is, const char *wanted);
void talk_check_ok(const char *file, int line, const char *what, int r);

/* How long to wait for what should come soon: longer under sanitizers. */
#define TALK_PATIENCE_MS 20000

#endif /* TALK_TALK_H */
