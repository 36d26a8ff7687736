/* SPDX-License-Identifier: ISC */
/* Writing bodies by a format: <msg/format.h>. */
#include "format.h"
#include "internal.h"

#include <errno.h>
#include <msg/format.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* --- the words of a format --- */

static enum word_size
size_of(const char **at)
{
	static const struct {
		const char *text;
		enum word_size size;
	} sizes[] = {
		{ "hh", SIZE_CHAR },
		{ "h", SIZE_SHORT },
		{ "ll", SIZE_LLONG },
		{ "l", SIZE_LONG },
		{ "j", SIZE_MAX_T },
		{ "z", SIZE_SIZE },
		{ "t", SIZE_PTRDIFF },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		size_t n = strlen(sizes[i].text);

		if (strncmp(*at, sizes[i].text, n) == 0) {
			*at += n;
			return sizes[i].size;
		}
	}
	return SIZE_INT;
}

/* *at is behind the "%". */
static void
conversion(const char **at, struct word *w)
{
	const char *p = *at;

	w->kind = WORD_CONVERSION;
	if (*p == '*') {
		w->star = true;
		p++;
	}
	if (strncmp(p, ".*", 2) == 0) {
		w->dot_star = true;
		p += 2;
	}
	if (*p >= '1' && *p <= '9') {
		w->width = 0;
		for (; *p >= '0' && *p <= '9' && w->width < 100000000; p++)
			w->width = w->width * 10 + (*p - '0');
	}
	w->size = size_of(&p);
	w->conversion = *p == 'i' ? 'd' : *p;
	if (*p == '\0' || strchr("dufsp", w->conversion) == NULL) {
		w->kind = WORD_BAD;
		return;
	}
	*at = p + 1;
}

/* Digits, with a sign or without, as many as fit in any case. */
static bool
is_number(const char *p, size_t len, int64_t *ret)
{
	size_t digits = len - (*p == '-');
	char text[20];

	if (digits == 0 || digits > 18 ||
	    strspn(p + (*p == '-'), "0123456789") < digits)
		return false;
	memcpy(text, p, len);
	text[len] = '\0';
	*ret = strtoll(text, NULL, 10);
	return true;
}

struct word
word_next(const char **fmt)
{
	static const char marks[] = "[]{}";
	static const enum word_kind kinds[] = { WORD_OPEN, WORD_CLOSE,
		WORD_OPEN_MAP, WORD_CLOSE_MAP };
	struct word w = { .width = -1 };
	const char *at = *fmt + strspn(*fmt, " ");
	const char *mark = *at != '\0' ? strchr(marks, *at) : NULL;

	if (*at == '\0') {
		w.kind = WORD_END;
	} else if (mark != NULL) {
		w.kind = kinds[mark - marks];
		at++;
	} else if (*at == '%') {
		at++;
		conversion(&at, &w);
	} else {
		w.kind = WORD_TEXT;
		w.text = at;
		w.len = strcspn(at, " []{}%");
		if (w.len == 3 && strncmp(at, "...", 3) == 0)
			w.kind = WORD_MORE;
		else if (is_number(at, w.len, &w.number))
			w.kind = WORD_NUMBER;
		at += w.len;
	}
	*fmt = at;
	return w;
}

uint32_t
word_count(const char *fmt)
{
	uint32_t n = 0;
	int depth = 0;

	for (;;) {
		struct word w = word_next(&fmt);

		switch (w.kind) {
		case WORD_END:
		case WORD_BAD:
			return n;
		case WORD_OPEN:
		case WORD_OPEN_MAP:
			n += depth++ == 0;
			break;
		case WORD_CLOSE:
		case WORD_CLOSE_MAP:
			if (depth-- == 0)
				return n;
			break;
		case WORD_MORE:
			break;
		case WORD_TEXT:
		case WORD_NUMBER:
		case WORD_CONVERSION:
			n += depth == 0;
			break;
		}
	}
}

/* --- writing --- */

struct args {
	va_list ap;
};

static int64_t
arg_int(struct args *a, enum word_size size)
{
	switch (size) {
	case SIZE_LONG:
		return va_arg(a->ap, long);
	case SIZE_LLONG:
		return va_arg(a->ap, long long);
	case SIZE_MAX_T:
		return va_arg(a->ap, intmax_t);
	case SIZE_SIZE:
		return va_arg(a->ap, ssize_t);
	case SIZE_PTRDIFF:
		return va_arg(a->ap, ptrdiff_t);
	case SIZE_INT:
	case SIZE_CHAR:
	case SIZE_SHORT:
		break;
	}
	return va_arg(a->ap, int);
}

static uint64_t
arg_uint(struct args *a, enum word_size size)
{
	switch (size) {
	case SIZE_LONG:
		return va_arg(a->ap, unsigned long);
	case SIZE_LLONG:
		return va_arg(a->ap, unsigned long long);
	case SIZE_MAX_T:
		return va_arg(a->ap, uintmax_t);
	case SIZE_SIZE:
		return va_arg(a->ap, size_t);
	case SIZE_PTRDIFF:
		return (uint64_t)va_arg(a->ap, ptrdiff_t);
	case SIZE_INT:
	case SIZE_CHAR:
	case SIZE_SHORT:
		break;
	}
	return va_arg(a->ap, unsigned);
}

static void
put_text(struct msg_pack *p, const struct word *w, struct args *a)
{
	int len = w->dot_star ? va_arg(a->ap, int) : -1;
	const char *text = va_arg(a->ap, const char *);

	if (text == NULL)
		msg_pack_nil(p);
	else if (len >= 0)
		msg_pack_str_len(p, text, (size_t)len);
	else
		msg_pack_str(p, text);
}

/* A value built before, as it is. */
static void
put_pack(struct msg_pack *p, const struct msg_pack *from)
{
	if (from->failed || from->len == 0)
		p->failed = true;
	else
		msg_pack_raw(p, from->data, from->len);
}

static void
put_conversion(struct msg_pack *p, const struct word *w, struct args *a)
{
	switch (w->conversion) {
	case 'd':
		if (w->size == SIZE_CHAR)
			msg_pack_bool(p, va_arg(a->ap, int) != 0);
		else
			msg_pack_int(p, arg_int(a, w->size));
		break;
	case 'u':
		msg_pack_uint(p, arg_uint(a, w->size));
		break;
	case 'f':
		msg_pack_double(p, va_arg(a->ap, double));
		break;
	case 's':
		put_text(p, w, a);
		break;
	default:
		put_pack(p, va_arg(a->ap, const struct msg_pack *));
	}
}

/* Without recursion: a bracket only needs to know how much is in it. */
static void
put_values(struct msg_pack *p, const char *fmt, struct args *a)
{
	int depth = 0;

	for (;;) {
		struct word w = word_next(&fmt);
		uint32_t n;

		switch (w.kind) {
		case WORD_END:
			p->failed = p->failed || depth != 0;
			return;
		case WORD_BAD:
		case WORD_MORE:
			p->failed = true;
			return;
		case WORD_OPEN:
			msg_pack_array(p, word_count(fmt));
			depth++;
			break;
		case WORD_OPEN_MAP:
			n = word_count(fmt);
			p->failed = p->failed || n % 2 != 0;
			msg_pack_map(p, n / 2);
			depth++;
			break;
		case WORD_CLOSE:
		case WORD_CLOSE_MAP:
			depth--;
			break;
		case WORD_TEXT:
			msg_pack_str_len(p, w.text, w.len);
			break;
		case WORD_NUMBER:
			msg_pack_int(p, w.number);
			break;
		case WORD_CONVERSION:
			put_conversion(p, &w, a);
			break;
		}
	}
}

void
format_array(struct msg_pack *p, const char *head, const char *fmt, va_list ap)
{
	struct args a;

	msg_pack_array(p, word_count(fmt) + (head != NULL));
	if (head != NULL)
		msg_pack_str(p, head);
	va_copy(a.ap, ap);
	put_values(p, fmt, &a);
	va_end(a.ap);
}

MSG_API void
msg_packf(struct msg_pack *p, const char *fmt, ...)
{
	struct args a;

	va_start(a.ap, fmt);
	put_values(p, fmt, &a);
	va_end(a.ap);
}

/* --- sending --- */

enum verb { SEND, CAST, CALL };

static int
transmit(enum verb verb, msg_pid to, const char *name, int timeout_ms,
    struct msg *ret_reply, const char *fmt, va_list ap)
{
	struct msg_pack p;
	int r;

	msg_pack_init(&p);
	format_array(&p, NULL, fmt, ap);
	if (p.failed)
		r = fail(
		    -ENOMEM, "no memory for a body, or no format: \"%s\"", fmt);
	else if (verb == SEND)
		r = name == NULL
		        ? msg_send(to, MSG_PACKED, p.data, p.len)
		        : msg_send_name(name, MSG_PACKED, p.data, p.len);
	else if (verb == CAST)
		r = name == NULL
		        ? msg_cast(to, MSG_PACKED, p.data, p.len)
		        : msg_cast_name(name, MSG_PACKED, p.data, p.len);
	else
		r = name == NULL ? msg_call(to, MSG_PACKED, p.data, p.len,
				       timeout_ms, ret_reply)
		                 : msg_call_name(name, MSG_PACKED, p.data,
				       p.len, timeout_ms, ret_reply);
	msg_pack_fini(&p);
	return r;
}

#define TRANSMIT(verb, to, name, timeout_ms, ret_reply)                        \
	do {                                                                   \
		va_list ap;                                                    \
		int r;                                                         \
                                                                               \
		va_start(ap, fmt);                                             \
		r = transmit(verb, to, name, timeout_ms, ret_reply, fmt, ap);  \
		va_end(ap);                                                    \
		return r;                                                      \
	} while (0)

MSG_API int
msg_sendf(msg_pid to, const char *fmt, ...)
{
	TRANSMIT(SEND, to, NULL, 0, NULL);
}

MSG_API int
msg_sendf_name(const char *name, const char *fmt, ...)
{
	TRANSMIT(SEND, 0, name, 0, NULL);
}

MSG_API int
msg_castf(msg_pid to, const char *fmt, ...)
{
	TRANSMIT(CAST, to, NULL, 0, NULL);
}

MSG_API int
msg_castf_name(const char *name, const char *fmt, ...)
{
	TRANSMIT(CAST, 0, name, 0, NULL);
}

MSG_API int
msg_callf(
    msg_pid to, int timeout_ms, struct msg *ret_reply, const char *fmt, ...)
{
	TRANSMIT(CALL, to, NULL, timeout_ms, ret_reply);
}

MSG_API int
msg_callf_name(const char *name, int timeout_ms, struct msg *ret_reply,
    const char *fmt, ...)
{
	TRANSMIT(CALL, 0, name, timeout_ms, ret_reply);
}

MSG_API int
msg_replyf(const struct msg *call, const char *fmt, ...)
{
	struct msg_pack p;
	struct args a;
	int r;

	msg_pack_init(&p);
	va_start(a.ap, fmt);
	put_values(&p, fmt, &a);
	va_end(a.ap);
	if (p.len == 0 && !p.failed)
		msg_pack_nil(&p);
	if (p.failed)
		r = fail(
		    -ENOMEM, "no memory for a body, or no format: \"%s\"", fmt);
	else
		r = msg_reply(call, MSG_PACKED, p.data, p.len);
	msg_pack_fini(&p);
	return r;
}
