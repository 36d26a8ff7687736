/* SPDX-License-Identifier: ISC */
#ifndef WORKERS_MOLE_H
#define WORKERS_MOLE_H

/* What a worker can see of itself, one fact a line; and its sd_notify. */
int mole_list_fds(char **args);
int mole_print_env(char **args);
int mole_print_ids(char **args);
void mole_notify(const char *text);

/* A child as the upstream test suites have them: told how to start and end. */
int mole_serve(char **args);

/* The worker that somebody else moves: mole_told.c. */
int mole_told(char **args);

#endif /* WORKERS_MOLE_H */
