/* SPDX-License-Identifier: ISC */
#ifndef BUS_INFO_H
#define BUS_INFO_H

#include "bus/requests.h"

/*
 * Questions about one worker, and to the libmsg in it.
 */

/* Methods. */
void info_whereis(struct request *r, const json_t *params);
void info_info(struct request *r, const json_t *params);
void info_sys(struct request *r, const json_t *params);

/* "<slot.inc>" */
#define PID_TEXT_MAX 48
void pid_text(uint64_t pid, char out[PID_TEXT_MAX]);
/* The pid that a text stands for, or 0. */
uint64_t pid_parse(const char *text);

#endif /* BUS_INFO_H */
