/* SPDX-License-Identifier: ISC */
/*
 * Values to canonical text: what conf_print() and conf_show() write.  Every
 * text here is read back by the scanner and value.c to the same value.
 */
#include "base/mono.h"
#include "conf/value.h"
#include "core/reason.h"

#include <inttypes.h>
#include <string.h>

/* 60s stays 60s; from two of a unit on, the larger unit reads better. */
void
value_put_duration(struct buf *out, int64_t ns)
{
	const int64_t m = 60 * NS_PER_S, h = 60 * m;

	if (ns < 0)
		buf_puts(out, "infinity");
	else if (ns % h == 0 && ns >= 2 * h)
		buf_printf(out, "%" PRId64 "h", ns / h);
	else if (ns % m == 0 && ns >= 2 * m)
		buf_printf(out, "%" PRId64 "m", ns / m);
	else if (ns % NS_PER_S == 0)
		buf_printf(out, "%" PRId64 "s", ns / NS_PER_S);
	else
		buf_printf(out, "%" PRId64 "ms", ns / NS_PER_MS);
}

static void
put_decimal(struct buf *out, uint32_t whole, uint32_t part, int digits)
{
	buf_printf(out, "%" PRIu32, whole);
	if (part == 0)
		return;
	for (; part % 10 == 0; digits--)
		part /= 10;
	buf_printf(out, ".%0*" PRIu32, digits, part);
}

void
value_put_factor(struct buf *out, uint32_t milli)
{
	put_decimal(out, milli / 1000, milli % 1000, 3);
}

void
value_put_percent(struct buf *out, uint32_t milli)
{
	put_decimal(out, milli / 10, milli % 10, 1);
	buf_puts(out, "%");
}

void
value_put_size(struct buf *out, int64_t bytes)
{
	if (bytes != 0 && bytes % (INT64_C(1) << 30) == 0)
		buf_printf(out, "%" PRId64 "G", bytes >> 30);
	else if (bytes != 0 && bytes % (INT64_C(1) << 20) == 0)
		buf_printf(out, "%" PRId64 "M", bytes >> 20);
	else
		buf_printf(out, "%" PRId64 "K", bytes >> 10);
}

void
value_put_signal(struct buf *out, int sig)
{
	char text[32];
	const char *name = signal_name(sig, text, sizeof(text));

	if (strncmp(name, "SIG", 3) == 0 && signal_number(name) == sig)
		buf_puts(out, name + 3);
	else
		buf_printf(out, "%d", sig);
}

void
value_put_exits(struct buf *out, const struct exit_set *set)
{
	const char *sep = "";
	int c, end;

	buf_puts(out, "[");
	for (c = 0; c <= 255; c = end + 1) {
		end = c;
		if (!exit_set_has_code(set, c))
			continue;
		while (exit_set_has_code(set, end + 1))
			end++;
		buf_printf(out, "%s%d", sep, c);
		if (end > c)
			buf_printf(out, "-%d", end);
		sep = ", ";
	}
	for (c = 1; c <= 63; c++) {
		if (!exit_set_has_signal(set, c))
			continue;
		buf_puts(out, sep);
		value_put_signal(out, c);
		sep = ", ";
	}
	buf_puts(out, "]");
}

static void
put_limit(struct buf *out, rlim_t v)
{
	if (v == RLIM_INFINITY)
		buf_puts(out, "unlimited");
	else
		buf_printf(out, "%ju", (uintmax_t)v);
}

void
value_put_rlimit(struct buf *out, const struct rlimit *lim)
{
	if (lim->rlim_cur == lim->rlim_max) {
		put_limit(out, lim->rlim_cur);
		return;
	}
	buf_puts(out, "\"");
	put_limit(out, lim->rlim_cur);
	buf_puts(out, ":");
	put_limit(out, lim->rlim_max);
	buf_puts(out, "\"");
}

void
value_put_stage(struct buf *out, const struct stop_stage *st)
{
	value_put_signal(out, st->sig);
	if (st->sig == 9)
		return;
	buf_puts(out, " ");
	value_put_duration(out, st->wait_ns);
}

/*
 * One character of UTF-8 at s: its length, with the code point; 0 if it is
 * malformed (RFC 3629: no surrogates, shortest form).
 */
static size_t
utf8_next(const unsigned char *s, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len, i;
	uint32_t c;

	if (s[0] < 0x80) {
		*ret = s[0];
		return 1;
	}
	len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	c = s[0] & (0xffu >> (len + 1));
	for (i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3fu);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return len;
}

bool
value_is_utf8(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c;
	size_t len;

	while (*p != '\0') {
		len = utf8_next(p, &c);
		if (len == 0)
			return false;
		p += len;
	}
	return true;
}

/*
 * Plain only where no YAML reader sees anything but a string: not a number,
 * not a truth value, nothing that begins or holds an indicator.
 */
static bool
is_plain(const char *s)
{
	static const char *const taken[] = { "true", "false", "yes", "no", "on",
		"off", "null", "y", "n", ".inf", ".nan", "-.inf" };
	bool word = false;
	size_t i;

	for (i = 0; i < ARRAY_LEN(taken); i++) {
		if (strcasecmp(s, taken[i]) == 0)
			return false;
	}
	for (i = 0; s[i] != '\0'; i++) {
		char c = s[i];
		bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (i == 0 && !alpha && strchr("/._-", c) == NULL)
			return false;
		if (i == 1 && s[0] == '-' && !alpha && c != '-')
			return false;
		if (!alpha && !(c >= '0' && c <= '9') &&
		    strchr("/._-+=@", c) == NULL)
			return false;
		word = word || alpha || c == '/';
	}
	return word; /* not "---", "...", "-", "" */
}

static void
put_escaped(struct buf *out, uint32_t c)
{
	switch (c) {
	case '\n':
		buf_puts(out, "\\n");
		return;
	case '\t':
		buf_puts(out, "\\t");
		return;
	case '"':
		buf_puts(out, "\\\"");
		return;
	case '\\':
		buf_puts(out, "\\\\");
		return;
	default:
		break;
	}
	if (c <= 0xff)
		buf_printf(out, "\\x%02X", c);
	else
		buf_printf(out, "\\u%04X", c);
}

/* YAML 1.1, 5.1: printable, and not a line break of any kind. */
static bool
needs_escape(uint32_t c)
{
	return c < 0x20 || c == '"' || c == '\\' || (c >= 0x7f && c <= 0xa0) ||
	       c == 0x2028 || c == 0x2029 || c == 0xfeff || c == 0xfffe ||
	       c == 0xffff;
}

void
value_put_string(struct buf *out, const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t c;
	size_t len;

	if (is_plain(s)) {
		buf_puts(out, s);
		return;
	}
	buf_puts(out, "\"");
	for (; *p != '\0'; p += len) {
		len = utf8_next(p, &c);
		if (len == 0) { /* the scanner lets none through */
			len = 1;
			c = 0xfffd;
		}
		if (needs_escape(c))
			put_escaped(out, c);
		else
			buf_add(out, p, len);
	}
	buf_puts(out, "\"");
}
