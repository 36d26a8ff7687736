/* SPDX-License-Identifier: ISC */
#ifndef CONF_DIFF_H
#define CONF_DIFF_H

#include "conf/conf.h"

/*
 * What changes from one configuration to another, for `supctl diff` and for a
 * reload (U-1).
 *
 * Children are matched by path.  Worker and supervisor cannot become each
 * other, nor can simple_one_for_one and another strategy: such a child is
 * removed, and one of the same name added.  The root is always the root, so
 * there both that and another name are refused.
 *
 * What is compared is what takes effect: the order of env does not count, and
 * an env_file whose content has changed, or a user whose groups have, is a
 * change although the text is as it was.  The schema tells whether a process
 * that runs can take a change: see `at_next_start` there.  `defaults` as such
 * are not compared, but what they make of each child.
 *
 * Time and memory are linear in the size of the trees, but for sorting the
 * children that have moved.
 */

struct diff_key {
	/* As conf_show() has it, in env and rlimit with the entry: env.PORT;
	   of a template's key: template.command. */
	const char *name;
	const char *old, *now; /* canonical; NULL: there is none */
	const char *origin;    /* of now; "" when there is none */
	bool restarts;         /* takes effect at the next start */
};

enum diff_kind { DIFF_SAME, DIFF_CHANGED, DIFF_ADDED, DIFF_REMOVED };

struct diff_child {
	enum diff_kind kind;
	const char *path;             /* names from the root on */
	const struct conf_child *old; /* NULL: ADDED */
	const struct conf_child *now; /* NULL: REMOVED */
	/* SAME, CHANGED: its place among its siblings is another; as few as
	   explain the new order are marked. */
	bool moved;
	/* ADDED, REMOVED: it takes the place of one of that name, which comes
	   just before: it could not become it. */
	bool replaced;
	/* CHANGED, worker: what runs must be restarted.  Supervisor: so must
	   the children that were made of its template. */
	bool restarts;
	const struct diff_key *key; /* CHANGED */
	uint32_t n_keys;
	uint32_t n_workers; /* ADDED, REMOVED: in it, itself included */
};

/*
 * Every child of the new tree, parents first and in order, SAME ones too; and
 * at the end of each supervisor's children those that are removed from it.
 * What lies below an ADDED or REMOVED one is not told.
 */
struct conf_diff {
	struct diff_child *child;
	uint32_t n;
	uint32_t n_changes; /* children that are not SAME, or have moved */
	void *priv;
};

/*
 * Compare.  Returns 0; or -EINVAL, with the reason in ret_errors, when a tree
 * that runs as `old` cannot become `now`; or -ENOMEM.  Both must outlive the
 * result, which conf_diff_free() releases.
 */
must_check int conf_diff_make(const struct conf *old, const struct conf *now,
    struct conf_diff **ret_diff, struct buf *ret_errors);
void conf_diff_free(struct conf_diff *d);

/* One child, as a line and one for each of its keys; nothing if it is SAME. */
void conf_diff_print_child(const struct diff_child *c, struct buf *out);

/* All of them. */
void conf_diff_print(const struct conf_diff *d, struct buf *out);

#endif /* CONF_DIFF_H */
