/* SPDX-License-Identifier: ISC */
#include "core/snapshot.h"

#include "core/tree.h"

#include <assert.h>
#include <string.h>

/*
 * The structs are copied whole, so that a new field of plain data is carried
 * without a line here.  Pointers are set one by one; the lint test `pointers`
 * fails when the core gets one that this file does not know.
 */

uint32_t
engine_cap(const struct engine *e)
{
	return e->cap;
}

size_t
engine_windows_len(const struct engine *e)
{
	size_t len = 0;

	for (node_t n = 1; n <= e->high; n++)
		if (node_of(e, n)->used && node_of(e, n)->is_sup)
			len += node_of(e, n)->s.window.max;
	return len;
}

/* The scalars of an engine, between the pointers of the one it now is. */
static void
copy_scalars(struct engine *to, const struct engine *from)
{
	struct node *nodes = to->nodes;
	struct msg *msgs = to->msgs;
	node_t *heap = to->heap;

	*to = *from;
	to->todo = NULL;
	to->nodes = nodes;
	to->msgs = msgs;
	to->heap = heap;
}

struct engine *
engine_copy(const struct engine *src, void *mem, mono_t *windows)
{
	struct engine *e = engine_init(mem, src->cap);

	assert(src->todo == NULL);
	copy_scalars(e, src);
	memcpy(
	    e->nodes, src->nodes, sizeof(*e->nodes) * ((size_t)src->high + 1));
	memcpy(
	    e->msgs, src->msgs, sizeof(*e->msgs) * ((size_t)src->msg_high + 1));
	memcpy(
	    e->heap, src->heap, sizeof(*e->heap) * ((size_t)src->n_heap + 1));
	for (node_t n = 1; n <= e->high; n++) {
		struct window *w = &node_of(e, n)->s.window;

		if (!node_of(e, n)->used || !node_of(e, n)->is_sup)
			continue;
		if (w->len > 0)
			memcpy(windows, w->at, sizeof(*windows) * w->len);
		w->at = windows;
		if (w->max > 0)
			windows += w->max;
	}
	return e;
}
