/* SPDX-License-Identifier: ISC */
#ifndef CTL_PRINT_TALK_H
#define CTL_PRINT_TALK_H

#include "base/attr.h"

#include <jansson.h>
#include <stdio.h>

/* What is known of workers that talk, for people.  Pure, as print_status.h. */

/* The result of `info`, a key a line.  Returns 0 or -ENOMEM. */
must_check int print_info(FILE *out, const json_t *info);

/* "in   call  <1.1> -> <2.1>  ["get"]", from a record of `trace`. */
void print_traced(FILE *out, const json_t *record);

#endif /* CTL_PRINT_TALK_H */
