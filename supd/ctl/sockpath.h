/* SPDX-License-Identifier: ISC */
#ifndef CTL_SOCKPATH_H
#define CTL_SOCKPATH_H

#include <stddef.h>
#include <sys/types.h>

/* What decides where control.sock is; any string may be NULL or "". */
struct sockpath {
	const char *option;  /* -s */
	const char *env;     /* SUPD_SOCKET */
	const char *runtime; /* XDG_RUNTIME_DIR */
	uid_t uid;           /* effective */
};

/*
 * Where supd's control socket is, by the rule that supd itself follows: the
 * option, the environment, /run/supd for root, the user's runtime directory,
 * or a private directory under /tmp.  Writes to `buf`; returns 0, or
 * -ENAMETOOLONG if it is longer than an AF_UNIX address can be.
 */
int sockpath_choose(const struct sockpath *from, char *buf, size_t len);

#endif /* CTL_SOCKPATH_H */
