/* SPDX-License-Identifier: ISC */
/* Reading bodies by a format: <msg/format.h>. */
#include "format.h"
#include "internal.h"

#include <limits.h>
#include <msg/format.h>
#include <msg/pack.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

struct args {
	va_list ap;
};

/* An integer, or a truth value, as a sign and a size. */
static bool
take_int(struct msg_unpack *u, bool *ret_negative, uint64_t *ret_v)
{
	int64_t i;
	uint64_t n;
	bool b;

	if (msg_unpack_int(u, &i) == 0) {
		*ret_negative = i < 0;
		*ret_v = (uint64_t)i;
		return true;
	}
	*ret_negative = false;
	if (msg_unpack_uint(u, &n) == 0) {
		*ret_v = n;
		return true;
	}
	if (msg_unpack_bool(u, &b) == 0) {
		*ret_v = b;
		return true;
	}
	return false;
}

#define STORE(type, min, max)                                                  \
	do {                                                                   \
		type *out = va_arg(a->ap, type *);                             \
		if (negative ? (int64_t)v < (int64_t)(min)                     \
			     : v > (uint64_t)(max))                            \
			return false;                                          \
		*out = (type)v;                                                \
		return true;                                                   \
	} while (0)

static bool
store_int(struct msg_unpack *u, enum word_size size, struct args *a)
{
	bool negative;
	uint64_t v;

	if (!take_int(u, &negative, &v))
		return false;
	switch (size) {
	case SIZE_CHAR:
		STORE(signed char, INT8_MIN, INT8_MAX);
	case SIZE_SHORT:
		STORE(short, INT16_MIN, INT16_MAX);
	case SIZE_INT:
		STORE(int, INT32_MIN, INT32_MAX);
	case SIZE_LONG:
		STORE(long, LONG_MIN, LONG_MAX);
	case SIZE_LLONG:
		STORE(long long, INT64_MIN, INT64_MAX);
	case SIZE_MAX_T:
		STORE(intmax_t, INT64_MIN, INT64_MAX);
	case SIZE_SIZE:
		STORE(ssize_t, PTRDIFF_MIN, PTRDIFF_MAX);
	case SIZE_PTRDIFF:
		STORE(ptrdiff_t, PTRDIFF_MIN, PTRDIFF_MAX);
	}
	return false;
}

static bool
store_uint(struct msg_unpack *u, enum word_size size, struct args *a)
{
	bool negative;
	uint64_t v;

	if (!take_int(u, &negative, &v))
		return false;
	switch (size) {
	case SIZE_CHAR:
		STORE(unsigned char, 0, UINT8_MAX);
	case SIZE_SHORT:
		STORE(unsigned short, 0, UINT16_MAX);
	case SIZE_INT:
		STORE(unsigned, 0, UINT32_MAX);
	case SIZE_LONG:
		STORE(unsigned long, 0, ULONG_MAX);
	case SIZE_LLONG:
		STORE(unsigned long long, 0, UINT64_MAX);
	case SIZE_MAX_T:
		STORE(uintmax_t, 0, UINT64_MAX);
	case SIZE_SIZE:
		STORE(size_t, 0, SIZE_MAX);
	case SIZE_PTRDIFF:
		STORE(size_t, 0, PTRDIFF_MAX);
	}
	return false;
}

static bool
store_double(struct msg_unpack *u, enum word_size size, struct args *a)
{
	double d;
	bool negative;
	uint64_t v;

	if (msg_unpack_double(u, &d) != 0) {
		if (!take_int(u, &negative, &v))
			return false;
		d = negative ? (double)(int64_t)v : (double)v;
	}
	if (size == SIZE_LONG)
		*va_arg(a->ap, double *) = d;
	else
		*va_arg(a->ap, float *) = (float)d;
	return true;
}

static bool
store_text(struct msg_unpack *u, int width, struct args *a)
{
	const char *text;
	char *out;
	size_t len;

	if (width < 0 || msg_unpack_str(u, &text, &len) != 0)
		return false;
	out = va_arg(a->ap, char *);
	if (len > (size_t)width || memchr(text, '\0', len) != NULL)
		return false;
	memcpy(out, text, len);
	out[len] = '\0';
	return true;
}

static bool
take_conversion(struct msg_unpack *u, const struct word *w, struct args *a)
{
	if (msg_unpack_type(u) == MSG_TYPE_END)
		return false;
	if (w->star)
		return msg_unpack_skip(u) == 0;
	switch (w->conversion) {
	case 'd':
		return store_int(u, w->size, a);
	case 'u':
		return store_uint(u, w->size, a);
	case 'f':
		return store_double(u, w->size, a);
	case 's':
		return store_text(u, w->width, a);
	default:
		return false;
	}
}

static bool
take_text(struct msg_unpack *u, const struct word *w)
{
	const char *text;
	size_t len;

	return msg_unpack_str(u, &text, &len) == 0 && len == w->len &&
	       memcmp(text, w->text, len) == 0;
}

static bool
take_number(struct msg_unpack *u, int64_t number)
{
	int64_t n;

	return msg_unpack_int(u, &n) == 0 && n == number;
}

/*
 * An array begins: does it hold what the format wants?  *ret_more: how many
 * values the "..." at its end stands for, -1 if there is none.
 */
static bool
take_array(struct msg_unpack *u, const char *fmt, int64_t *ret_more)
{
	uint32_t n, want = word_count(fmt);
	bool more = false;
	int depth = 0;

	for (struct word w = word_next(&fmt);
	     w.kind != WORD_END && w.kind != WORD_BAD && depth >= 0;
	     w = word_next(&fmt)) {
		if (w.kind == WORD_OPEN)
			depth++;
		else if (w.kind == WORD_CLOSE)
			depth--;
		else if (w.kind == WORD_MORE && depth == 0)
			more = true;
	}
	if (msg_unpack_array(u, &n) != 0 || n < want || (n > want && !more))
		return false;
	*ret_more = more ? (int64_t)n - want : -1;
	return true;
}

/*
 * Take the values of the format until both end.  more[0] is set, and `base` 1,
 * when the body is an array that has been entered.
 */
static bool
take_values(struct msg_unpack *u, const char *fmt, int base,
    int64_t more[MSG_PACK_DEPTH_MAX], struct args *a)
{
	int depth = base;

	for (;;) {
		struct word w = word_next(&fmt);
		bool ok = true;

		switch (w.kind) {
		case WORD_END:
			return depth == base &&
			       msg_unpack_type(u) == MSG_TYPE_END;
		case WORD_OPEN:
			ok = depth < MSG_PACK_DEPTH_MAX &&
			     take_array(u, fmt, &more[depth]);
			depth++;
			break;
		case WORD_CLOSE:
			ok = depth-- > base;
			break;
		case WORD_MORE:
			for (; depth > 0 && more[depth - 1] > 0 && ok;
			     more[depth - 1]--)
				ok = msg_unpack_skip(u) == 0;
			break;
		case WORD_TEXT:
			ok = take_text(u, &w);
			break;
		case WORD_NUMBER:
			ok = take_number(u, w.number);
			break;
		case WORD_CONVERSION:
			ok = take_conversion(u, &w, a);
			break;
		case WORD_BAD:
		case WORD_OPEN_MAP:
		case WORD_CLOSE_MAP:
			ok = false;
			break;
		}
		if (!ok)
			return false;
	}
}

static bool
open_body(const struct msg *m, struct msg_unpack *u)
{
	return m->content == MSG_PACKED &&
	       msg_unpack_init(u, m->body, m->len) == 0;
}

MSG_API bool
msg_match(const struct msg *m, const char *fmt, ...)
{
	int64_t more[MSG_PACK_DEPTH_MAX];
	struct msg_unpack u;
	struct args a;
	bool ok;

	if (!open_body(m, &u) || !take_array(&u, fmt, &more[0]))
		return false;
	va_start(a.ap, fmt);
	ok = take_values(&u, fmt, 1, more, &a);
	va_end(a.ap);
	return ok;
}

MSG_API bool
msg_value(const struct msg *m, const char *fmt, ...)
{
	int64_t more[MSG_PACK_DEPTH_MAX];
	struct msg_unpack u;
	struct args a;
	bool ok;

	if (!open_body(m, &u))
		return false;
	va_start(a.ap, fmt);
	ok = take_values(&u, fmt, 0, more, &a);
	va_end(a.ap);
	return ok;
}
