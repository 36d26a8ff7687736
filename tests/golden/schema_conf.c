/* SPDX-License-Identifier: ISC */
/*
 * Print the schema as the manual must have it: SECTION KEY [DEFAULT], and
 * CHANGING KEY for those that take effect at the next start.
 */
#include "conf/schema.h"

#include <stdio.h>

int
main(void)
{
	static const char *const sections[] = {
		[IN_SUPERVISOR] = "SUPERVISOR",
		[IN_WORKER] = "WORKER",
		[IN_LOG] = "LOG",
		[IN_BACKOFF] = "BACKOFF",
		[IN_HEALTH] = "HEALTH",
		[IN_MAILBOX] = "MAILBOX",
	};
	size_t i;

	for (i = 0; i < schema_n_keys; i++) {
		const struct key *k = &schema_keys[i];

		printf("%s %s%s%s\n",
		    k->type == T_LATER ? "NOT" : sections[k->where], k->name,
		    k->def == NULL ? "" : " ", k->def == NULL ? "" : k->def);
		if (k->at_next_start)
			printf("CHANGING %s\n", k->name);
	}
	return 0;
}
