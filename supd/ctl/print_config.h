/* SPDX-License-Identifier: ISC */
#ifndef CTL_PRINT_CONFIG_H
#define CTL_PRINT_CONFIG_H

#include "base/attr.h"

#include <jansson.h>
#include <stdio.h>

/* For people; both return 0, or -ENOMEM with nothing or not all printed. */

/* What would happen (simulate). */
must_check int print_steps(FILE *out, const json_t *result);

/* In which tense the deeds of a change are told. */
enum print_changes {
	PRINT_WOULD, /* diff, apply --dry-run */
	PRINT_BEGUN, /* apply --no-wait */
	PRINT_DONE,  /* apply */
	PRINT_TAKEN  /* reload: what an apply would do */
};

/* What is different in a file, and what follows from it. */
must_check int print_changes(
    FILE *out, const json_t *result, enum print_changes how);

#endif /* CTL_PRINT_CONFIG_H */
