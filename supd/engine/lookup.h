/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_LOOKUP_H
#define ENGINE_LOOKUP_H

#include "base/attr.h"

#include <netdb.h>
#include <stdbool.h>
#include <sys/queue.h>

/*
 * Names that others have to be asked for (DNS), without waiting: a thread of
 * libc does, getaddrinfo_a(3).  It cannot always be stopped, so a lookup that
 * nobody wants any more stays in the list until libc has let go of it.
 */

struct lookup {
	TAILQ_ENTRY(lookup) entry;
	struct gaicb request;
	struct addrinfo hint;
	char host[NI_MAXHOST], port[NI_MAXSERV];
	bool dropped;
};

TAILQ_HEAD(lookups, lookup);

/* Ask for host and port; NULL without memory. */
struct lookup *lookup_begin(
    struct lookups *all, const char *host, const char *port);

/*
 * Returns 0 and the addresses, which stay the lookup's, or an EAI_* error:
 * EAI_INPROGRESS while nothing has come.
 */
must_check int lookup_result(
    const struct lookup *l, const struct addrinfo **ret_first);

/* No longer wanted; NULL is none. */
void lookup_drop(struct lookups *all, struct lookup *l);

/* At the end of the process: what libc still holds is left to it. */
void lookups_fini(struct lookups *all);

#endif /* ENGINE_LOOKUP_H */
