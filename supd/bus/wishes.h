/* SPDX-License-Identifier: ISC */
#ifndef BUS_WISHES_H
#define BUS_WISHES_H

#include "base/attr.h"

#include <stddef.h>

/*
 * What the configuration wants of a worker among the others: its keys
 * `register`, `link`, `monitor` and `allow`, as they come with its PREPARE: one
 * a line, "register db", "link web/api".
 */

enum wish_kind { WISH_REGISTER, WISH_LINK, WISH_MONITOR, WISH_ALLOW, WISH_N };

struct wish {
	struct wish *next;
	enum wish_kind kind;
	char text[]; /* a name or path */
};

/* NULL: none, or no memory.  Lines of other kinds are left out. */
struct wish *wishes_parse(const char *text, size_t len);
void wishes_free(struct wish *w);

#endif /* BUS_WISHES_H */
