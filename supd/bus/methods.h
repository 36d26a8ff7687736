/* SPDX-License-Identifier: ISC */
#ifndef BUS_METHODS_H
#define BUS_METHODS_H

#include "bus/requests.h"

#include <jansson.h>

/*
 * The methods of the control protocol, and what they have in common.  A param_
 * function returns false when it has failed the request: then it is freed.
 */

/* An integer from min to max; without it *val stays as it is. */
must_check bool param_int(struct request *r, const json_t *params,
    const char *key, int64_t min, int64_t max, int64_t *val);
must_check bool param_bool(
    struct request *r, const json_t *params, const char *key, bool *val);
/* Borrowed; NULL when it is not there. */
must_check bool param_text(struct request *r, const json_t *params,
    const char *key, bool needed, size_t max, const char **ret);
/* A text that fits WIRE_PATH_MAX; "" when it is not there. */
must_check bool param_path(struct request *r, const json_t *params,
    const char *key, bool needed, const char **ret);

/* The method of that name, or NULL. */
const struct method *method_find(const char *name);
/* Check the names of the params, and begin. */
void method_run(struct request *r, const json_t *params);

/*
 * Have the engine do `w` with a new child: "spec", or "args" for a copy of a
 * simple_one_for_one's template.
 */
void method_add(
    struct request *r, const json_t *params, struct wire_request *w);

/* It ends with this value; takes it. */
void done_json(struct request *r, json_t *take);

/* "no such X: NAME", with the names that are like it. */
void fail_no_name(struct request *r, const char *what, const char *name);

/* Ask the engine; `tail`: text, or NULL. */
void request_to_engine(
    struct request *r, struct wire_request *w, const char *tail);

#endif /* BUS_METHODS_H */
