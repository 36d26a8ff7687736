/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_ARGS_H
#define ENGINE_ARGS_H

#include "base/attr.h"

/*
 * The extra arguments of a child added to a simple_one_for_one supervisor: a
 * JSON array of strings, as the bus hands on what the client has sent.
 */

#define ARGS_MAX 1024

/*
 * Returns 0 and a NULL-terminated array (released by args_free()), -EINVAL
 * when `text` is something else, -E2BIG beyond ARGS_MAX, or -ENOMEM.  An empty
 * text is an empty array.
 */
must_check int args_parse(const char *text, char ***ret_args);
void args_free(char **args);

#endif /* ENGINE_ARGS_H */
