/* SPDX-License-Identifier: ISC */
#include "bus/wishes.h"

#include <stdlib.h>
#include <string.h>

static struct wish *
wish_new(const char *line, size_t len)
{
	static const char *const names[WISH_N] = {
		[WISH_REGISTER] = "register ",
		[WISH_LINK] = "link ",
		[WISH_MONITOR] = "monitor ",
		[WISH_ALLOW] = "allow ",
	};

	for (int k = 0; k < WISH_N; k++) {
		size_t n = strlen(names[k]);
		struct wish *w;

		if (len <= n || strncmp(line, names[k], n) != 0)
			continue;
		w = calloc(1, sizeof(*w) + len - n + 1);
		if (w == NULL)
			return NULL;
		w->kind = (enum wish_kind)k;
		memcpy(w->text, line + n, len - n);
		return w;
	}
	return NULL;
}

struct wish *
wishes_parse(const char *text, size_t len)
{
	struct wish *head = NULL, **end = &head;

	len = strnlen(text, len);
	for (size_t at = 0; at < len;) {
		const char *nl = memchr(text + at, '\n', len - at);
		size_t n = nl != NULL ? (size_t)(nl - text) - at : len - at;
		struct wish *w = wish_new(text + at, n);

		if (w != NULL) {
			*end = w;
			end = &w->next;
		}
		at += n + 1;
	}
	return head;
}

void
wishes_free(struct wish *w)
{
	while (w != NULL) {
		struct wish *next = w->next;

		free(w);
		w = next;
	}
}
