/* SPDX-License-Identifier: ISC */
#ifndef BUS_CHILDCALL_H
#define BUS_CHILDCALL_H

#include "bus/requests.h"

/*
 * A supervisor's calls as OTP has them: start_child, terminate_child,
 * restart_child, delete_child, which_children, count_children.  What the
 * supervisor answers, an error of OTP's too, is a value:
 * {"result", "reason", "children", "counts"}.
 */

/* Methods. */
void childcall_start(struct request *r, const json_t *params);
void childcall_terminate(struct request *r, const json_t *params);
void childcall_restart(struct request *r, const json_t *params);
void childcall_delete(struct request *r, const json_t *params);
void childcall_which(struct request *r, const json_t *params);
void childcall_count(struct request *r, const json_t *params);

/* A child, as these methods show it. */
json_t *childcall_json(const struct wire_row *row);

/* The engine's answer has come: the result's name, and more. */
void childcall_done(struct request *r, const char *text);
/* The new child's specification is not valid: why. */
void childcall_invalid(struct request *r, const char *why);

#endif /* BUS_CHILDCALL_H */
