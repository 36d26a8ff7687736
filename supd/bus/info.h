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

#endif /* BUS_INFO_H */
