/* SPDX-License-Identifier: ISC */
#include "conf/arena.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_MIN_BYTES ((size_t)16 << 10)
#define CHUNK_MAX_BYTES ((size_t)1 << 20)
#define ALIGN_BYTES     ((size_t)16)

struct arena_chunk {
	struct arena_chunk *next;
	_Alignas(ALIGN_BYTES) char mem[];
};

struct arena *
arena_new(void)
{
	struct arena *a = calloc(1, sizeof(*a));

	if (a != NULL)
		a->chunk_bytes = CHUNK_MIN_BYTES;
	return a;
}

void
arena_free(struct arena *a)
{
	struct arena_chunk *c, *next;

	if (a == NULL)
		return;
	for (c = a->chunks; c != NULL; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

void
arena_oom(struct arena *a)
{
	assert(a->oom != NULL);
	longjmp(*a->oom, 1);
}

static struct arena_chunk *
add_chunk(struct arena *a, size_t len)
{
	struct arena_chunk *c;

	if (len > SIZE_MAX - sizeof(*c))
		arena_oom(a);
	c = calloc(1, sizeof(*c) + len);
	if (c == NULL)
		arena_oom(a);
	c->next = a->chunks;
	a->chunks = c;
	return c;
}

void *
arena_zalloc(struct arena *a, size_t len_bytes)
{
	void *p;

	if (len_bytes > SIZE_MAX - ALIGN_BYTES)
		arena_oom(a);
	len_bytes = (len_bytes + ALIGN_BYTES - 1) & ~(ALIGN_BYTES - 1);
	/* A big piece gets a chunk of its own; the current one goes on. */
	if (len_bytes > a->left_bytes && len_bytes >= a->chunk_bytes / 4)
		return add_chunk(a, len_bytes)->mem;
	if (len_bytes > a->left_bytes) {
		a->at = add_chunk(a, a->chunk_bytes)->mem;
		a->left_bytes = a->chunk_bytes;
		if (a->chunk_bytes < CHUNK_MAX_BYTES)
			a->chunk_bytes *= 2;
	}
	p = a->at;
	a->at += len_bytes;
	a->left_bytes -= len_bytes;
	return p;
}

void *
arena_array(struct arena *a, size_t n, size_t size_bytes)
{
	size_t len;

	if (__builtin_mul_overflow(n, size_bytes, &len))
		arena_oom(a);
	return arena_zalloc(a, len);
}

char *
arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *p = arena_zalloc(a, len + 1);

	if (len > 0)
		memcpy(p, s, len);
	return p;
}

char *
arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *
arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char *p;
	int len;

	va_copy(again, ap);
	len = vsnprintf(NULL, 0, fmt, ap);
	if (len < 0)
		len = 0;
	p = arena_zalloc(a, (size_t)len + 1);
	vsnprintf(p, (size_t)len + 1, fmt, again);
	va_end(again);
	return p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;

	va_start(ap, fmt);
	p = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return p;
}
