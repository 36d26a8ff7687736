/* SPDX-License-Identifier: ISC */
#include "lend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *
lend(struct lent *l, const void *p, size_t len)
{
	void *copy = calloc(1, len > 0 ? len : 1);

	if (l->n == l->cap) {
		l->cap = l->cap * 2 + 64;
		l->mem = reallocarray(l->mem, l->cap, sizeof(*l->mem));
	}
	if (copy == NULL || l->mem == NULL) {
		fprintf(stderr, "out of memory\n");
		exit(2);
	}
	l->mem[l->n++] = copy;
	if (p != NULL)
		memcpy(copy, p, len);
	return copy;
}

void
lend_release(struct lent *l)
{
	while (l->n > 0)
		free(l->mem[--l->n]);
	free(l->mem);
	*l = (struct lent){ 0 };
}

const struct worker_spec *
lend_worker(void *ctx, node_t n, const struct worker_spec *saved)
{
	(void)n;
	return lend(ctx, saved, sizeof(*saved));
}

const struct sup_spec *
lend_sup(void *ctx, node_t n, const struct sup_spec *saved)
{
	(void)n;
	return lend(ctx, saved, sizeof(*saved));
}

mono_t *
lend_window(void *ctx, node_t n, uint32_t max)
{
	(void)n;
	return lend(ctx, NULL, sizeof(mono_t) * max);
}

struct plan *
lend_plan(void *ctx, node_t n, uint32_t n_children)
{
	struct plan *p = lend(ctx, NULL, sizeof(*p));

	(void)n;
	p->child = lend(ctx, NULL, sizeof(*p->child) * n_children);
	return p;
}
