/* SPDX-License-Identifier: ISC */
#include "engine/lookup.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void
lookup_free(struct lookups *all, struct lookup *l)
{
	TAILQ_REMOVE(all, l, entry);
	if (l->request.ar_result != NULL)
		freeaddrinfo(l->request.ar_result);
	free(l);
}

/* Those dropped while libc was at them. */
static void
sweep(struct lookups *all)
{
	struct lookup *l, *next;

	for (l = TAILQ_FIRST(all); l != NULL; l = next) {
		next = TAILQ_NEXT(l, entry);
		if (l->dropped && gai_error(&l->request) != EAI_INPROGRESS)
			lookup_free(all, l);
	}
}

struct lookup *
lookup_begin(struct lookups *all, const char *host, const char *port)
{
	struct lookup *l = calloc(1, sizeof(*l));
	struct gaicb *list;

	sweep(all);
	if (l == NULL)
		return NULL;
	strlcpy(l->host, host, sizeof(l->host));
	strlcpy(l->port, port, sizeof(l->port));
	l->hint.ai_socktype = SOCK_STREAM;
	l->request = (struct gaicb){
		.ar_name = l->host,
		.ar_service = l->port,
		.ar_request = &l->hint,
	};
	list = &l->request;
	if (getaddrinfo_a(GAI_NOWAIT, &list, 1, NULL) != 0) {
		free(l);
		return NULL;
	}
	TAILQ_INSERT_TAIL(all, l, entry);
	return l;
}

int
lookup_result(const struct lookup *l, const struct addrinfo **ret_first)
{
	int r = gai_error((struct gaicb *)(uintptr_t)&l->request);

	if (r == 0)
		*ret_first = l->request.ar_result;
	return r;
}

void
lookup_drop(struct lookups *all, struct lookup *l)
{
	if (l == NULL)
		return;
	(void)gai_cancel(&l->request);
	l->dropped = true;
	sweep(all);
}

void
lookups_fini(struct lookups *all)
{
	struct lookup *l;

	TAILQ_FOREACH (l, all, entry)
		l->dropped = true;
	sweep(all);
}
