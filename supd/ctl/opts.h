/* SPDX-License-Identifier: ISC */
#ifndef CTL_OPTS_H
#define CTL_OPTS_H

#include "ctl/ctl.h"

/*
 * Take the command line apart into `c`: the general options, the verb, and
 * the verb's own options, which may stand anywhere after it.  `c` has been
 * zeroed but for out and err.  The general options may follow the verb, too,
 * but for -s, which there belongs to kill.
 *
 * Returns true and the arguments of the verb (*ret_argc of them at *ret_argv,
 * within argv, whose order may have changed), or false and *ret_code, what to
 * exit with; then everything has been told.
 */
must_check bool opts_parse(struct ctl *c, int argc, char **argv, int *ret_argc,
    char ***ret_argv, int *ret_code);

/*
 * "TERM" for "TERM", "sigterm" or "15".  Borrowed; NULL if there is none such.
 */
const char *opts_signal(const char *name);

#endif /* CTL_OPTS_H */
