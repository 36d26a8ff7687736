/* SPDX-License-Identifier: ISC */
#ifndef CTL_PRINT_CONFIG_H
#define CTL_PRINT_CONFIG_H

#include "base/attr.h"

#include <jansson.h>
#include <stdio.h>

/*
 * For people: what would happen (simulate).  Returns 0 or -ENOMEM, and then
 * nothing has been printed.
 */
must_check int print_steps(FILE *out, const json_t *result);

#endif /* CTL_PRINT_CONFIG_H */
