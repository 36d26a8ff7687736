/* SPDX-License-Identifier: ISC */
#include "engine/args.h"

#include "base/buf.h"

#include <stdint.h>
#include <string.h>

void
args_free(char **args)
{
	for (size_t i = 0; args != NULL && args[i] != NULL; i++)
		free(args[i]);
	free(args);
}

static void
args_freep(char ***args)
{
	args_free(*args);
}

static const char *
skip_blanks(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

/* Four hexadecimal digits, or -1. */
static int32_t
parse_hex4(const char *s)
{
	int32_t v = 0;

	for (int i = 0; i < 4; i++) {
		static const char digits[] = "0123456789abcdef";
		char c =
		    s[i] >= 'A' && s[i] <= 'F' ? (char)(s[i] | 0x20) : s[i];
		const char *at = c != '\0' ? strchr(digits, c) : NULL;

		if (at == NULL)
			return -1;
		v = v << 4 | (int32_t)(at - digits);
	}
	return v;
}

static void
add_utf8(struct buf *b, uint32_t c)
{
	char u[4];
	size_t n = 0;

	if (c < 0x80) {
		u[n++] = (char)c;
	} else if (c < 0x800) {
		u[n++] = (char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		u[n++] = (char)(0xe0 | c >> 12);
		u[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	} else {
		u[n++] = (char)(0xf0 | c >> 18);
		u[n++] = (char)(0x80 | (c >> 12 & 0x3f));
		u[n++] = (char)(0x80 | (c >> 6 & 0x3f));
	}
	if (c >= 0x80)
		u[n++] = (char)(0x80 | (c & 0x3f));
	buf_add(b, u, n);
}

/* \uXXXX, perhaps a surrogate pair; the first character after it, or NULL. */
static const char *
parse_unicode(const char *s, struct buf *out)
{
	int32_t c = parse_hex4(s), low;

	if (c <= 0 || (c >= 0xdc00 && c <= 0xdfff))
		return NULL; /* \u0000 cannot be in an argument */
	s += 4;
	if (c >= 0xd800 && c <= 0xdbff) {
		if (s[0] != '\\' || s[1] != 'u')
			return NULL;
		low = parse_hex4(s + 2);
		if (low < 0xdc00 || low > 0xdfff)
			return NULL;
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		s += 6;
	}
	add_utf8(out, (uint32_t)c);
	return s;
}

static const char *
parse_escape(const char *s, struct buf *out)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = *s != '\0' ? strchr(from, *s) : NULL;

	if (*s == 'u')
		return parse_unicode(s + 1, out);
	if (at == NULL)
		return NULL;
	buf_add(out, &to[at - from], 1);
	return s + 1;
}

/* After the opening quote; the first character after the closing one. */
static const char *
parse_string(const char *s, struct buf *out)
{
	while (s != NULL && *s != '"') {
		if ((unsigned char)*s < 0x20)
			return NULL;
		if (*s == '\\') {
			s = parse_escape(s + 1, out);
		} else {
			buf_add(out, s, 1);
			s++;
		}
	}
	return s != NULL ? s + 1 : NULL;
}

static int
parse_items(const char *s, char **args)
{
	size_t n = 0;

	if (*s == ']')
		return *skip_blanks(s + 1) == '\0' ? 0 : -EINVAL;
	for (;;) {
		cleanup_(buf_fini) struct buf b = { 0 };

		if (*s != '"')
			return -EINVAL;
		if (n == ARGS_MAX)
			return -E2BIG;
		s = parse_string(s + 1, &b);
		if (s == NULL)
			return -EINVAL;
		args[n] = strdup(buf_str(&b));
		if (b.failed || args[n++] == NULL)
			return -ENOMEM;
		s = skip_blanks(s);
		if (*s == ']')
			return *skip_blanks(s + 1) == '\0' ? 0 : -EINVAL;
		if (*s != ',')
			return -EINVAL;
		s = skip_blanks(s + 1);
	}
}

int
args_parse(const char *text, char ***ret_args)
{
	cleanup_(args_freep) char **args = calloc(ARGS_MAX + 1, sizeof(*args));
	const char *s = skip_blanks(text);
	int r;

	if (args == NULL)
		return -ENOMEM;
	if (*s != '\0') {
		if (*s != '[')
			return -EINVAL;
		r = parse_items(skip_blanks(s + 1), args);
		if (r < 0)
			return r;
	}
	*ret_args = take_ptr(args);
	return 0;
}
