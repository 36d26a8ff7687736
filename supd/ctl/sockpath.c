/* SPDX-License-Identifier: ISC */
#include "ctl/sockpath.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/un.h>

static bool
given(const char *s)
{
	return s != NULL && s[0] != '\0';
}

int
sockpath_choose(const struct sockpath *from, char *buf, size_t len)
{
	size_t max = sizeof(((struct sockaddr_un *)NULL)->sun_path);
	int n;

	if (given(from->option))
		n = snprintf(buf, len, "%s", from->option);
	else if (given(from->env))
		n = snprintf(buf, len, "%s", from->env);
	else if (from->uid == 0)
		n = snprintf(buf, len, "/run/supd/control.sock");
	else if (given(from->runtime) && from->runtime[0] == '/')
		n = snprintf(buf, len, "%s/supd/control.sock", from->runtime);
	else
		n = snprintf(buf, len, "/tmp/supd-%u/control.sock", from->uid);
	if (n < 0 || (size_t)n >= len || (size_t)n >= max)
		return -ENAMETOOLONG;
	return 0;
}
