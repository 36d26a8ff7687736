/* SPDX-License-Identifier: ISC */
#ifndef ENGINE_CHANGES_H
#define ENGINE_CHANGES_H

#include "engine/predict.h"

/* What a new configuration changes, told to the bus as WIRE_CHANGE frames. */

/* How many of each there are; a child counts once. */
struct change_count {
	uint32_t added, removed, changed, moved;
};

void changes_count(const struct conf_diff *d, struct change_count *ret);

/* "2 changed, 1 added", or "no changes". */
void changes_text(const struct change_count *n, struct buf *out);

/* To whom; tag 0: to nobody.  What is beyond CHANGES_MAX is only counted. */
struct change_out {
	struct shell *sh;
	uint64_t tag;
	uint32_t n, left_out;
};

#define CHANGES_MAX 10000

/* What is different in the file. */
void changes_send_diff(struct change_out *out, const struct conf_diff *d);

/*
 * What applying it does to one child.  result: "" before, else "ok" or
 * "failed" with words about that.
 */
void changes_send_deed(struct change_out *out, const struct deed *d,
    const char *result, const char *text);

/* After all others: how many there were besides. */
void changes_send_more(struct change_out *out);

#endif /* ENGINE_CHANGES_H */
