/* SPDX-License-Identifier: ISC */
#ifndef CONF_WISHES_H
#define CONF_WISHES_H

#include "base/buf.h"
#include "conf/conf.h"

/*
 * What a worker's keys register, link, monitor and allow say, one a line, as
 * the bus reads it: "register db\nallow jobs\n"; nothing without them.
 */
void wishes_put(const struct conf_worker *w, struct buf *out);

#endif /* CONF_WISHES_H */
