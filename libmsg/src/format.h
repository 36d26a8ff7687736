/* SPDX-License-Identifier: ISC */
#ifndef SRC_FORMAT_H
#define SRC_FORMAT_H

/*
 * The formats of <msg/format.h>, cut into words.  Both who write by them and
 * who read by them use this.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum word_kind {
	WORD_END,
	WORD_BAD,
	WORD_OPEN,  /* [ */
	WORD_CLOSE, /* ] */
	WORD_OPEN_MAP,
	WORD_CLOSE_MAP,
	WORD_MORE, /* ... */
	WORD_TEXT,
	WORD_NUMBER,
	WORD_CONVERSION,
};

enum word_size {
	SIZE_INT,
	SIZE_CHAR,
	SIZE_SHORT,
	SIZE_LONG,
	SIZE_LLONG,
	SIZE_MAX_T,
	SIZE_SIZE,
	SIZE_PTRDIFF,
};

struct word {
	enum word_kind kind;
	const char *text; /* WORD_TEXT */
	size_t len;
	int64_t number;  /* WORD_NUMBER */
	char conversion; /* d (also for i), u, f, s, p */
	bool star;       /* %*s */
	bool dot_star;   /* %.*s */
	int width;       /* -1: none */
	enum word_size size;
};

/* The next word; *fmt moves behind it. */
struct word word_next(const char **fmt);

/* How many values follow until the end or the bracket that closes. */
uint32_t word_count(const char *fmt);

struct msg_pack;

/* Add the array of `head` (NULL: without) and the values of a format. */
void format_array(
    struct msg_pack *p, const char *head, const char *fmt, va_list ap);

#endif /* SRC_FORMAT_H */
