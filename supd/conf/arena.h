/* SPDX-License-Identifier: ISC */
#ifndef CONF_ARENA_H
#define CONF_ARENA_H

#include "base/attr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Memory that is released all at once.
 *
 * A configuration is built from a hundred thousand small pieces that live and
 * die together.  Running out of memory has one way out: an allocation that
 * fails jumps to *oom, which whoever fills the arena has set, so no caller
 * checks for NULL.  Everything else that a load holds (parser, fd, glob) hangs
 * on its struct load for the same reason.
 */

struct arena_chunk;

struct arena {
	struct arena_chunk *chunks;
	char *at;
	size_t left_bytes;
	size_t chunk_bytes; /* of the next chunk */
	jmp_buf *oom;       /* set while the arena is being filled */
};

/* An empty arena, or NULL; released by arena_free(), which accepts NULL. */
must_check struct arena *arena_new(void);
void arena_free(struct arena *a);

/* Zeroed memory, aligned for anything. */
__attribute__((returns_nonnull)) void *arena_zalloc(
    struct arena *a, size_t len_bytes);
/* n * size_bytes, checked. */
__attribute__((returns_nonnull)) void *arena_array(
    struct arena *a, size_t n, size_t size_bytes);
__attribute__((returns_nonnull)) char *arena_strdup(
    struct arena *a, const char *s);
__attribute__((returns_nonnull)) char *arena_strndup(
    struct arena *a, const char *s, size_t len);
printf_(2, 3) __attribute__((returns_nonnull)) char *arena_printf(
    struct arena *a, const char *fmt, ...);
__attribute__((returns_nonnull)) char *arena_vprintf(
    struct arena *a, const char *fmt, va_list ap);

/* Memory ran out somewhere else: leave the same way. */
__attribute__((noreturn)) void arena_oom(struct arena *a);

#endif /* CONF_ARENA_H */
