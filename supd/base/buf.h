/* SPDX-License-Identifier: ISC */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/attr.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * A growable string.  `data` is NUL-terminated whenever it is not NULL.  An
 * allocation that fails sets `failed` and drops what came after; callers check
 * once, at the end.  A zeroed struct is an empty buffer; release it with
 * buf_fini().
 */
struct buf {
	char *data;
	size_t len;
	size_t cap;
	bool failed;
};

void buf_fini(struct buf *b);
void buf_add(struct buf *b, const void *p, size_t len);
void buf_puts(struct buf *b, const char *s);
printf_(2, 3) void buf_printf(struct buf *b, const char *fmt, ...);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap);

/* Remove the first `len` bytes. */
void buf_drain(struct buf *b, size_t len);

/* The string, never NULL: "" while empty.  Borrowed. */
const char *buf_str(const struct buf *b);

#endif /* BASE_BUF_H */
