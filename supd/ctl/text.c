/* SPDX-License-Identifier: ISC */
#include "ctl/text.h"

#include "base/mono.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <vis.h>
#include <wchar.h>
#include <wctype.h>

#define NS_PER_MIN  (60 * NS_PER_S)
#define NS_PER_HOUR (60 * NS_PER_MIN)
#define NS_PER_DAY  (24 * NS_PER_HOUR)

/* Two units, the smaller padded so that columns of them line up. */
static const char *
two_units(int64_t ns, char *buf, size_t len)
{
	if (ns >= 100 * NS_PER_DAY)
		snprintf(buf, len, "%" PRId64 "d", ns / NS_PER_DAY);
	else if (ns >= NS_PER_DAY)
		snprintf(buf, len, "%" PRId64 "d%02" PRId64 "h",
		    ns / NS_PER_DAY, ns % NS_PER_DAY / NS_PER_HOUR);
	else if (ns >= NS_PER_HOUR)
		snprintf(buf, len, "%" PRId64 "h%02" PRId64 "m",
		    ns / NS_PER_HOUR, ns % NS_PER_HOUR / NS_PER_MIN);
	else
		snprintf(buf, len, "%" PRId64 "m%02" PRId64 "s",
		    ns / NS_PER_MIN, ns % NS_PER_MIN / NS_PER_S);
	return buf;
}

const char *
text_duration(int64_t ns, char *buf, size_t len)
{
	if (ns < 0)
		ns = 0;
	if (ns >= NS_PER_MIN)
		return two_units(ns, buf, len);
	if (ns < NS_PER_S)
		snprintf(buf, len, "0.%" PRId64 "s", ns / (NS_PER_S / 10));
	else
		snprintf(buf, len, "%" PRId64 "s", ns / NS_PER_S);
	return buf;
}

const char *
text_age(int64_t ns, char *buf, size_t len)
{
	if (ns < 0)
		ns = 0;
	if (ns >= NS_PER_MIN)
		return two_units(ns, buf, len);
	snprintf(buf, len, "%" PRId64 ".%" PRId64 "s", ns / NS_PER_S,
	    ns % NS_PER_S / (NS_PER_S / 10));
	return buf;
}

const char *
text_period(int64_t ns, char *buf, size_t len)
{
	if (ns < 0)
		snprintf(buf, len, "infinity");
	else if (ns % NS_PER_S != 0)
		snprintf(buf, len, "%" PRId64 "ms", ns / NS_PER_MS);
	else if (ns % NS_PER_HOUR == 0 && ns != 0)
		snprintf(buf, len, "%" PRId64 "h", ns / NS_PER_HOUR);
	else if (ns % NS_PER_MIN == 0 && ns >= 5 * NS_PER_MIN)
		snprintf(buf, len, "%" PRId64 "m", ns / NS_PER_MIN);
	else
		snprintf(buf, len, "%" PRId64 "s", ns / NS_PER_S);
	return buf;
}

static int64_t
unit_ns(const char *s, size_t len)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{ "ms", NS_PER_MS },
		{ "s", NS_PER_S },
		{ "m", NS_PER_MIN },
		{ "h", NS_PER_HOUR },
		{ "d", NS_PER_DAY },
	};

	for (size_t i = 0; i < ARRAY_LEN(units); i++)
		if (strlen(units[i].name) == len &&
		    memcmp(units[i].name, s, len) == 0)
			return units[i].ns;
	return 0;
}

/* One "12.5s" at *sp, moving it on; -1 if it is none or far too long. */
static int64_t
parse_part(const char **sp)
{
	const char *s = *sp, *unit;
	int64_t whole = 0, frac = 0, scale = 1, ns;

	if (!isdigit((unsigned char)*s))
		return -1;
	for (; isdigit((unsigned char)*s); s++) {
		whole = whole * 10 + (*s - '0');
		if (whole > 1000000000)
			return -1;
	}
	if (*s == '.') {
		if (!isdigit((unsigned char)*++s))
			return -1;
		for (; isdigit((unsigned char)*s); s++)
			if (scale < 1000) {
				frac = frac * 10 + (*s - '0');
				scale *= 10;
			}
	}
	unit = s;
	while (isalpha((unsigned char)*s))
		s++;
	ns = unit_ns(unit, (size_t)(s - unit));
	if (ns == 0 || whole > INT64_MAX / 8 / ns)
		return -1;
	*sp = s;
	return whole * ns + frac * (ns / scale);
}

bool
text_parse_duration(const char *s, int64_t *ret_ns)
{
	int64_t sum = 0, part;

	if (strcmp(s, "infinity") == 0) {
		*ret_ns = -1;
		return true;
	}
	do {
		part = parse_part(&s);
		if (part < 0 || part > INT64_MAX / 4 - sum)
			return false;
		sum += part;
	} while (*s != '\0');
	*ret_ns = sum;
	return true;
}

const char *
text_time(int64_t wall_ns, int64_t now_ns, char *buf, size_t len)
{
	time_t t = (time_t)(wall_ns / NS_PER_S);
	time_t now = (time_t)(now_ns / NS_PER_S);
	struct tm tm, today;
	char day[32] = "", clock[16];

	if (localtime_r(&t, &tm) == NULL || localtime_r(&now, &today) == NULL) {
		snprintf(buf, len, "-");
		return buf;
	}
	if (tm.tm_yday != today.tm_yday || tm.tm_year != today.tm_year)
		strftime(day, sizeof(day), "%Y-%m-%d ", &tm);
	strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	snprintf(buf, len, "%s%s.%03d", day, clock,
	    (int)(wall_ns % NS_PER_S / NS_PER_MS));
	return buf;
}

bool
text_parse_time(const char *s, int64_t *ret_ns)
{
	struct tm tm = { 0 };
	const char *rest = strptime(s, "%Y-%m-%dT%H:%M:%S", &tm);
	int64_t frac = 0, scale = NS_PER_S;

	if (rest == NULL)
		return false;
	if (*rest == '.')
		for (rest++; isdigit((unsigned char)*rest); rest++)
			if (scale > 1) {
				scale /= 10;
				frac += (*rest - '0') * scale;
			}
	if (strcmp(rest, "Z") != 0)
		return false;
	*ret_ns = timegm(&tm) * NS_PER_S + frac;
	return true;
}

/*
 * One character of `s` at most MB_CUR_MAX bytes long.  Returns its length in
 * bytes, and in *ret_width its columns, or -1 if it must not be printed.
 */
static size_t
next_char(const char *s, size_t left, int *ret_width)
{
	mbstate_t st = { 0 };
	wchar_t wc;
	size_t n = mbrtowc(&wc, s, left, &st);

	if (n == 0 || n > left) {
		*ret_width = -1;
		return 1;
	}
	/* Unicode's bidirectional controls reorder what is already there. */
	if (!iswprint((wint_t)wc) || (wc >= 0x202a && wc <= 0x202e) ||
	    (wc >= 0x2066 && wc <= 0x2069))
		*ret_width = -1;
	else
		*ret_width = wcwidth(wc);
	return n;
}

/*
 * vis(3) one byte.  Octal rather than the default form: without doubled
 * backslashes (NOSLASH, which keeps other people's paths and JSON readable)
 * "\^C" would be "^C", the same as the two characters.
 *
 * Character by character, because libbsd's strvis(3) falls back to writing
 * raw bytes for a whole string in which one character is invalid.
 */
static char *
escape_byte(char *dst, unsigned char c)
{
	if (c >= 0x80)
		return dst + sprintf(dst, "\\%03o", c);
	return vis(dst, c, VIS_OCTAL | VIS_NL | VIS_NOSLASH, 0);
}

char *
text_escape(const char *s)
{
	size_t left = strlen(s), n;
	char *out = malloc(left * 4 + 1), *p = out;
	int width;

	if (out == NULL)
		return NULL;
	for (; left > 0; s += n, left -= n) {
		n = next_char(s, left, &width);
		if (width >= 0) {
			memcpy(p, s, n);
			p += n;
		} else {
			for (size_t i = 0; i < n; i++)
				p = escape_byte(p, (unsigned char)s[i]);
		}
	}
	*p = '\0';
	return out;
}

const char *
text_short_path(const char *path)
{
	const char *slash = strchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

size_t
text_width(const char *s)
{
	size_t width = 0, left = strlen(s), n;
	int w;

	for (; left > 0; s += n, left -= n) {
		n = next_char(s, left, &w);
		width += w >= 0 ? (size_t)w : 1;
	}
	return width;
}
