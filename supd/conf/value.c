/* SPDX-License-Identifier: ISC */
#include "conf/value.h"

#include "base/edit.h"
#include "base/mono.h"
#include "core/reason.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define URL_MAX_LEN  2000
#define HOST_MAX_LEN 255 /* RFC 1035, 2.3.4 */
#define YEARS_MAX_NS (INT64_C(100) * 365 * 24 * 3600 * NS_PER_S)

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits at *s, moved behind them; false when there are none or too many. */
static bool
take_number(const char **s, int64_t *ret)
{
	int64_t v = 0;
	const char *p = *s;

	if (!is_digit(*p))
		return false;
	for (; is_digit(*p); p++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, *p - '0', &v))
			return false;
	}
	*s = p;
	*ret = v;
	return true;
}

const char *
value_duration(const char *s, int64_t *ret_ns)
{
	static const struct {
		const char *unit;
		int64_t ns;
	} units[] = {
		{ "ms", NS_PER_MS },
		{ "s", NS_PER_S },
		{ "m", 60 * NS_PER_S },
		{ "h", 3600 * NS_PER_S },
	};
	int64_t v;
	size_t i;

	if (!take_number(&s, &v))
		return "is not a duration like 500ms, 5s, 2m or 1h";
	if (*s == '\0')
		return "needs a unit: ms, s, m or h";
	for (i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(s, units[i].unit) != 0)
			continue;
		if (v > YEARS_MAX_NS / units[i].ns)
			return "is longer than 100 years";
		*ret_ns = v * units[i].ns;
		return NULL;
	}
	return "is not a duration: the units are ms, s, m and h";
}

const char *
value_timeout(const char *s, int64_t *ret_ns)
{
	if (strcmp(s, "infinity") == 0) {
		*ret_ns = -1;
		return NULL;
	}
	return value_duration(s, ret_ns);
}

const char *
value_size(const char *s, int64_t *ret_bytes)
{
	int64_t v;
	int shift;

	if (!take_number(&s, &v))
		return "is not a size like 64K, 10M or 1G";
	if (*s == '\0')
		return "needs a unit: K, M or G";
	shift = *s == 'K' ? 10 : *s == 'M' ? 20 : *s == 'G' ? 30 : 0;
	if (shift == 0 || s[1] != '\0')
		return "is not a size: the units are K, M and G";
	if (v > INT64_MAX >> shift)
		return "is too large";
	*ret_bytes = v << shift;
	return NULL;
}

const char *
value_bool(const char *s, bool *ret)
{
	if (strcmp(s, "true") == 0)
		*ret = true;
	else if (strcmp(s, "false") == 0)
		*ret = false;
	else
		return "is neither true nor false";
	return NULL;
}

const char *
value_int(const char *s, int64_t *ret)
{
	bool minus = *s == '-';
	int64_t v;

	s += minus || *s == '+';
	if (!take_number(&s, &v) || *s != '\0')
		return "is not a number";
	*ret = minus ? -v : v;
	return NULL;
}

const char *
value_umask(const char *s, mode_t *ret)
{
	mode_t v = 0;
	size_t i;

	for (i = 0; s[i] >= '0' && s[i] <= '7' && i < 5; i++)
		v = v << 3 | (mode_t)(s[i] - '0');
	if (i == 0 || s[i] != '\0' || v > 0777)
		return "is not an octal mask between 000 and 777";
	*ret = v;
	return NULL;
}

const char *
value_signal(const char *s, int *ret)
{
	int sig = signal_number(s);

	if (sig < 1)
		return "is not a signal";
	*ret = sig;
	return NULL;
}

const char *
value_exits(const char *s, struct exit_set *set)
{
	const char *p = s;
	int64_t lo, hi;
	int sig;

	if (!is_digit(*s)) {
		sig = signal_number(s);
		if (sig < 1 || sig > 63)
			return "is neither an exit code, a range like 1-3 nor "
			       "a signal's name";
		set->signal |= UINT64_C(1) << sig;
		return NULL;
	}
	if (!take_number(&p, &lo))
		return "is not an exit code between 0 and 255";
	hi = lo;
	if (*p == '-') {
		p++;
		if (!take_number(&p, &hi) || *p != '\0')
			return "is not a range like 1-3";
	}
	if (*p != '\0' || lo > 255 || hi > 255)
		return "is not an exit code between 0 and 255";
	if (lo > hi)
		return "is a range that ends before it begins";
	for (; lo <= hi; lo++)
		set->code[lo / 64] |= UINT64_C(1) << (lo % 64);
	return NULL;
}

static const struct {
	const char *name;
	int resource;
	bool bytes; /* K, M, G allowed */
} rlimits[] = {
	{ "as", RLIMIT_AS, true },
	{ "core", RLIMIT_CORE, true },
	{ "cpu", RLIMIT_CPU, false },
	{ "data", RLIMIT_DATA, true },
	{ "fsize", RLIMIT_FSIZE, true },
	{ "locks", RLIMIT_LOCKS, false },
	{ "memlock", RLIMIT_MEMLOCK, true },
	{ "msgqueue", RLIMIT_MSGQUEUE, true },
	{ "nice", RLIMIT_NICE, false },
	{ "nofile", RLIMIT_NOFILE, false },
	{ "nproc", RLIMIT_NPROC, false },
	{ "rss", RLIMIT_RSS, true },
	{ "rtprio", RLIMIT_RTPRIO, false },
	{ "rttime", RLIMIT_RTTIME, false },
	{ "sigpending", RLIMIT_SIGPENDING, false },
	{ "stack", RLIMIT_STACK, true },
};

static const char *
one_limit(const char *s, size_t len, bool bytes, rlim_t *ret)
{
	char text[32];
	const char *p = text, *why;
	int64_t v;

	if (len >= sizeof(text))
		return "is not a limit";
	memcpy(text, s, len);
	text[len] = '\0';
	if (strcmp(text, "unlimited") == 0 || strcmp(text, "infinity") == 0) {
		*ret = RLIM_INFINITY;
		return NULL;
	}
	if (take_number(&p, &v) && *p == '\0') {
		*ret = (rlim_t)v;
		return NULL;
	}
	if (!bytes)
		return "is not a limit: a number, or SOFT:HARD, or unlimited";
	why = value_size(text, &v);
	if (why != NULL)
		return "is not a limit: a size, or SOFT:HARD, or unlimited";
	*ret = (rlim_t)v;
	return NULL;
}

const char *
value_rlimit(
    const char *name, const char *s, int *ret_resource, struct rlimit *ret)
{
	const char *colon = strchr(s, ':'), *why;
	size_t i, len = colon == NULL ? strlen(s) : (size_t)(colon - s);
	struct rlimit lim;

	for (i = 0; i < ARRAY_LEN(rlimits); i++) {
		if (strcmp(name, rlimits[i].name) == 0)
			break;
	}
	if (i == ARRAY_LEN(rlimits))
		return "limits nothing: the names are those of setrlimit(2) in "
		       "small letters, such as nofile";
	why = one_limit(s, len, rlimits[i].bytes, &lim.rlim_cur);
	lim.rlim_max = lim.rlim_cur;
	if (why == NULL && colon != NULL)
		why = one_limit(colon + 1, strlen(colon + 1), rlimits[i].bytes,
		    &lim.rlim_max);
	if (why != NULL)
		return why;
	if (lim.rlim_cur > lim.rlim_max)
		return "has a soft limit above its hard one";
	*ret_resource = rlimits[i].resource;
	*ret = lim;
	return NULL;
}

const char *
value_stage(const char *s, struct stop_stage *ret)
{
	const char *space = strchr(s, ' '), *why;
	struct stop_stage st = { 0, 0 };
	char name[32];
	size_t len = space == NULL ? strlen(s) : (size_t)(space - s);

	if (len == 0 || len >= sizeof(name))
		return "is not a step like TERM 5s";
	memcpy(name, s, len);
	name[len] = '\0';
	why = value_signal(name, &st.sig);
	if (why != NULL)
		return "does not begin with a signal, as in TERM 5s";
	if (space == NULL && st.sig != 9)
		return "does not say how long to wait, as in TERM 5s";
	if (space != NULL && st.sig == 9)
		return "needs no time: nothing comes after KILL";
	if (space != NULL) {
		while (*space == ' ')
			space++;
		why = value_timeout(space, &st.wait_ns);
		if (why != NULL)
			return "does not end in a duration, as in TERM 5s";
	}
	*ret = st;
	return NULL;
}

bool
value_is_name(const char *s)
{
	size_t i;

	for (i = 0; s[i] != '\0'; i++) {
		if ((s[i] >= 'a' && s[i] <= 'z') || is_digit(s[i]))
			continue;
		if (i == 0 || strchr("._-", s[i]) == NULL)
			return false;
	}
	return i >= 1 && i <= NAME_MAX_LEN;
}

const char *
value_tcp(const char *s)
{
	const char *colon = strrchr(s, ':'), *p;
	size_t host = colon == NULL ? 0 : (size_t)(colon - s);
	int64_t port;

	if (host == 0 || colon[1] == '\0')
		return "is not HOST:PORT";
	if (host > HOST_MAX_LEN)
		return "has a host name longer than 255 bytes";
	if (s[0] == '[') {
		if (host < 3 || s[host - 1] != ']')
			return "is not [IPV6]:PORT";
	} else if (memchr(s, ':', host) != NULL) {
		return "is not HOST:PORT; an IPv6 address needs [ ]";
	}
	if (strpbrk(s, " \t\n/") != NULL)
		return "is not HOST:PORT";
	p = colon + 1;
	if (!take_number(&p, &port) || *p != '\0' || port < 1 || port > 65535)
		return "has no port between 1 and 65535";
	return NULL;
}

const char *
value_unix(const char *s)
{
	if (s[0] != '/')
		return "is not an absolute path";
	/* sun_path, without its NUL: unix(7) */
	if (strlen(s) > 107)
		return "is longer than 107 bytes";
	return NULL;
}

const char *
value_url(const char *s, const char **ret_path, size_t *ret_len)
{
	static const char scheme[] = "http://";
	char addr[300];
	const char *p;
	size_t len;

	if (strncasecmp(s, "https:", 6) == 0)
		return "needs TLS, which supd does not speak: probe plain "
		       "http://HOST:PORT/PATH, or run a client, as in "
		       "probe: [curl, -f, URL]";
	if (strncmp(s, scheme, sizeof(scheme) - 1) != 0)
		return "is not a URL like http://127.0.0.1:8080/health";
	if (strlen(s) > URL_MAX_LEN)
		return "is longer than 2000 bytes";
	for (p = s; *p != '\0'; p++) {
		/* RFC 3986: anything else stands in a URL as %XX. */
		if (*p <= ' ' || *p >= 0x7f ||
		    strchr("\"<>\\^`{|}#", *p) != NULL)
			return "has a character that cannot be sent; write it "
			       "as %XX, and leave # away";
	}
	s += sizeof(scheme) - 1;
	len = strcspn(s, "/?");
	if (memchr(s, '@', len) != NULL)
		return "has a user in it, which supd does not send";
	if (len >= sizeof(addr) || s[len] == '?')
		return "is not a URL like http://127.0.0.1:8080/health";
	memcpy(addr, s, len);
	addr[len] = '\0';
	if (value_tcp(addr) != NULL)
		return "has no HOST:PORT, as in http://127.0.0.1:8080/health";
	*ret_path = s + len;
	*ret_len = len;
	return NULL;
}

/* Decimal digits with up to three behind a point: thousandths. */
static bool
take_milli(const char **s, int64_t *ret)
{
	const char *p = *s;
	int64_t v, unit = 1000;

	if (!take_number(&p, &v) || v > 1000000)
		return false;
	v *= 1000;
	if (*p == '.') {
		if (!is_digit(p[1]))
			return false;
		for (p++; is_digit(*p) && unit > 1; p++) {
			unit /= 10;
			v += (*p - '0') * unit;
		}
	}
	*s = p;
	*ret = v;
	return true;
}

const char *
value_factor(const char *s, uint32_t *ret_milli)
{
	int64_t v;

	if (!take_milli(&s, &v) || *s != '\0')
		return "is not a number like 2 or 1.5";
	if (v < 1000 || v > 1000 * 1000)
		return "is not between 1 and 1000";
	*ret_milli = (uint32_t)v;
	return NULL;
}

const char *
value_percent(const char *s, uint32_t *ret_milli)
{
	int64_t v;

	if (!take_milli(&s, &v))
		return "is not a percentage like 10%";
	if (*s == '\0')
		return "needs a percent sign, as in 10%";
	if (strcmp(s, "%") != 0 || v % 100 != 0)
		return "is not a percentage like 10% or 2.5%";
	if (v > 100 * 1000)
		return "is more than 100%";
	*ret_milli = (uint32_t)(v / 100);
	return NULL;
}

/* The part of a word within quotes; *s is behind the opening one. */
static int
split_quoted(const char **s, char quote, struct buf *word)
{
	const char *p = *s;

	for (; *p != quote; p++) {
		if (*p == '\0')
			return -EINVAL;
		/* POSIX 2.2.3: within "", a backslash escapes only these. */
		if (quote == '"' && *p == '\\' && p[1] != '\0' &&
		    strchr("$`\"\\\n", p[1]) != NULL) {
			p++;
			if (*p == '\n')
				continue;
		}
		buf_add(word, p, 1);
	}
	*s = p + 1;
	return 0;
}

int
value_split(const char **s, struct buf *word)
{
	const char *p = *s;
	int rc;

	buf_drain(word, word->len);
	while (*p != '\0' && strchr(" \t\r\n", *p) != NULL)
		p++;
	if (*p == '\0') {
		*s = p;
		return 0;
	}
	while (*p != '\0' && strchr(" \t\r\n", *p) == NULL) {
		if (*p == '\'' || *p == '"') {
			char quote = *p++;

			rc = split_quoted(&p, quote, word);
			if (rc < 0)
				return rc;
			continue;
		}
		if (*p == '\\') {
			if (*++p == '\0')
				return -EINVAL;
			if (*p == '\n') {
				p++;
				continue;
			}
		}
		buf_add(word, p++, 1);
	}
	*s = p;
	return 1;
}

const char *
value_suggest(const char *s, const char *const *candidates, size_t n)
{
	size_t len = strlen(s), i;
	unsigned max = len <= 3 ? 1 : (unsigned)len / 3, best = max + 1, d;
	const char *found = NULL;

	for (i = 0; i < n; i++) {
		d = edit_distance(s, candidates[i], max);
		if (d < best && d < len) {
			best = d;
			found = candidates[i];
		}
	}
	return found;
}
