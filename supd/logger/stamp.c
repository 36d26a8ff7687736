/* SPDX-License-Identifier: ISC */
#include "logger/stamp.h"

#include "base/mono.h"

#include <time.h>

static const char shape[] = "dddd-dd-ddTdd:dd:dd.dddZ";

static char *
put_digits(char *p, int v, int n)
{
	for (int i = n - 1; i >= 0; i--) {
		p[i] = (char)('0' + v % 10);
		v /= 10;
	}
	return p + n;
}

void
stamp_format(int64_t wall_ns, char ret_text[STAMP_LEN + 1])
{
	time_t t = (time_t)(wall_ns / NS_PER_S);
	struct tm tm = { 0 };
	char *p = ret_text;

	gmtime_r(&t, &tm);
	p = put_digits(p, tm.tm_year + 1900, 4);
	*p++ = '-';
	p = put_digits(p, tm.tm_mon + 1, 2);
	*p++ = '-';
	p = put_digits(p, tm.tm_mday, 2);
	*p++ = 'T';
	p = put_digits(p, tm.tm_hour, 2);
	*p++ = ':';
	p = put_digits(p, tm.tm_min, 2);
	*p++ = ':';
	p = put_digits(p, tm.tm_sec, 2);
	*p++ = '.';
	p = put_digits(p, (int)(wall_ns % NS_PER_S / NS_PER_MS), 3);
	*p++ = 'Z';
	*p = '\0';
}

static int
get_digits(const char *s, int n)
{
	int v = 0;

	for (int i = 0; i < n; i++)
		v = v * 10 + (s[i] - '0');
	return v;
}

bool
stamp_parse(const char *s, int64_t *ret_wall_ns)
{
	struct tm tm = { 0 };

	for (int i = 0; i < STAMP_LEN; i++) {
		bool digit = s[i] >= '0' && s[i] <= '9';

		if (shape[i] == 'd' ? !digit : s[i] != shape[i])
			return false;
	}
	tm.tm_year = get_digits(s, 4) - 1900;
	tm.tm_mon = get_digits(s + 5, 2) - 1;
	tm.tm_mday = get_digits(s + 8, 2);
	tm.tm_hour = get_digits(s + 11, 2);
	tm.tm_min = get_digits(s + 14, 2);
	tm.tm_sec = get_digits(s + 17, 2);
	*ret_wall_ns =
	    (int64_t)timegm(&tm) * NS_PER_S + get_digits(s + 20, 3) * NS_PER_MS;
	return true;
}
