/* SPDX-License-Identifier: ISC */
#ifndef CONF_DIFFER_H
#define CONF_DIFFER_H

#include "conf/bind.h"
#include "conf/diff.h"

/* Inside conf_diff_make(): diff.c matches children, diffkey.c compares one. */

struct differ {
	struct conf_diff *d;
	struct arena *arena;
	jmp_buf oom;
	struct buf *text; /* scratch */
	uint32_t cap;     /* of d->child */
	/* Of the child that is being compared: */
	struct diff_key *key;
	uint32_t n_keys, cap_keys;
};

static inline const struct origin *
diff_origin(const struct conf_child *c)
{
	return c->priv;
}

/* Move what is in the scratch buffer to the arena. */
const char *diff_take(struct differ *f);

/*
 * Compare all keys of two workers or of two supervisors; differences go to
 * f->key.
 */
void diff_keys(struct differ *f, const struct conf_child *old,
    const struct conf_child *now);

#endif /* CONF_DIFFER_H */
