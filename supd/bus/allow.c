/* SPDX-License-Identifier: ISC */
#include "bus/allow.h"

#include "bus/peers.h"
#include "bus/wishes.h"

#include <string.h>

static bool
is_free(const char *method)
{
	static const char *const t[] = {
		"ping",
		"status",
		"names",
		"whereis",
		"info",
	};

	for (size_t i = 0; i < ARRAY_LEN(t); i++)
		if (strcmp(method, t[i]) == 0)
			return true;
	return false;
}

/* "/root//jobs/1" is "jobs/1"; the root itself is "". */
static const char *
from_root(const char *path)
{
	path += strspn(path, "/");
	if (strncmp(path, "root", 4) == 0 &&
	    (path[4] == '/' || path[4] == '\0'))
		path += 4;
	return path + strspn(path, "/");
}

/* Is `path` this supervisor, or below it?  Component by component. */
static bool
is_within(const char *path, const char *sup)
{
	path = from_root(path);
	sup = from_root(sup);
	while (*sup != '\0') {
		size_t n = strcspn(sup, "/");

		if (strcspn(path, "/") != n || strncmp(path, sup, n) != 0)
			return false;
		path += n + strspn(path + n, "/");
		sup += n + strspn(sup + n, "/");
	}
	return true;
}

bool
allow_may(const struct peer *p, const char *method, const char *path)
{
	if (is_free(method))
		return true;
	for (const struct wish *w = p->wishes; w != NULL; w = w->next) {
		if (w->kind != WISH_ALLOW)
			continue;
		if (strcmp(w->text, "control") == 0)
			return true;
		if (path != NULL && *path != '\0' && is_within(path, w->text))
			return true;
	}
	return false;
}
