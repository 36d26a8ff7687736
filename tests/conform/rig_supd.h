/* SPDX-License-Identifier: ISC */
#ifndef CONFORM_RIG_SUPD_H
#define CONFORM_RIG_SUPD_H

#include <sys/types.h>

/* For cases that are about supctl or supd as programs. */

/* Run supctl --json VERB [A [B]] on the case's supd; its exit code. */
int supctl(const char *verb, const char *a, const char *b);
/* Run a program, argv[0] its path; its exit code, or -1 if killed. */
int run_program(const char *const *argv);
/* What the last of them printed on both streams. */
const char *said(void);
/* The kernel's pid of a worker. */
pid_t os_pid(const char *path);
/* A directory for files of the case. */
const char *rig_dir(void);

#endif /* CONFORM_RIG_SUPD_H */
