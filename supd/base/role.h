/* SPDX-License-Identifier: ISC */
#ifndef BASE_ROLE_H
#define BASE_ROLE_H

#include <stdbool.h>

/* What main() gives to a role; strings live as long as the process. */
struct role_args {
	const char *conf_path;  /* -c: absolute */
	const char *run_dir;    /* -R: absolute */
	const char *log_dir;    /* -L: absolute */
	const char *socket;     /* -s: absolute path of control.sock */
	const char *trace_path; /* --trace: absolute, or NULL */
	bool verbose;           /* -v */
};

#endif /* BASE_ROLE_H */
