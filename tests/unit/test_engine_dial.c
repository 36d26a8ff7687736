/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/un.h>

#include "engine/dial.h"
#include "engine/text.h"

static void
split(const char *addr, int want, const char *want_host, const char *want_port)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	assert_int_equal(dial_split(addr, host, port), want);
	if (want < 0)
		return;
	assert_string_equal(host, want_host);
	assert_string_equal(port, want_port);
}

static void
host_and_port_are_taken_apart(void **state)
{
	(void)state;
	split("127.0.0.1:80", 0, "127.0.0.1", "80");
	split("[::1]:8080", 0, "::1", "8080");
	split("db.example:postgresql", 0, "db.example", "postgresql");
	split(":80", 0, "", "80");
}

static void
what_is_no_address_is_refused(void **state)
{
	(void)state;
	split("80", -EINVAL, NULL, NULL);
	split("host:", -EINVAL, NULL, NULL);
	split("::1:80", -EINVAL, NULL, NULL);
	split("[::1:80", -EINVAL, NULL, NULL);
	split("", -EINVAL, NULL, NULL);
}

static void
numeric_addresses_need_nobody(void **state)
{
	struct dial_addr a[DIAL_ADDRS_MAX];
	const struct sockaddr_in *in = (void *)&a[0].sa;
	char why[128];

	(void)state;
	assert_int_equal(
	    dial_lookup_tcp("127.0.0.2:8080", a, why, sizeof(why)), 1);
	assert_int_equal(in->sin_family, AF_INET);
	assert_int_equal(ntohs(in->sin_port), 8080);
	assert_int_equal(ntohl(in->sin_addr.s_addr), 0x7f000002);
	assert_int_equal(dial_lookup_tcp("[::1]:8080", a, why, sizeof(why)), 1);
	assert_int_equal(a[0].sa.ss_family, AF_INET6);
}

static void
localhost_is_both_loopbacks(void **state)
{
	struct dial_addr a[DIAL_ADDRS_MAX];
	char why[128];

	(void)state;
	assert_int_equal(
	    dial_lookup_tcp("localhost:1", a, why, sizeof(why)), 2);
	assert_int_equal(a[0].sa.ss_family, AF_INET);
	assert_int_equal(a[1].sa.ss_family, AF_INET6);
	assert_int_equal(dial_lookup_tcp(":1", a, why, sizeof(why)), 2);
}

static void
another_name_is_not_looked_up_here(void **state)
{
	struct dial_addr a[DIAL_ADDRS_MAX];
	char why[128];

	(void)state;
	assert_int_equal(
	    dial_lookup_tcp("db.example:5432", a, why, sizeof(why)), 0);
}

static void
a_refusal_says_why(void **state)
{
	struct dial_addr a[DIAL_ADDRS_MAX];
	char why[128] = "";

	(void)state;
	assert_int_equal(
	    dial_lookup_tcp("nonsense", a, why, sizeof(why)), -EINVAL);
	assert_string_equal(why, "not host:port");
	assert_int_equal(
	    dial_lookup_tcp("127.0.0.1:no-such-port-name", a, why, sizeof(why)),
	    -EINVAL);
	assert_true(strlen(why) > 0);
}

static void
a_relative_socket_is_below_cwd(void **state)
{
	struct dial_addr a;
	const struct sockaddr_un *un = (void *)&a.sa;
	char longest[200];

	(void)state;
	assert_int_equal(dial_lookup_unix("s.sock", "/srv", &a), 0);
	assert_string_equal(un->sun_path, "/srv/s.sock");
	assert_int_equal(dial_lookup_unix("/run/s", "/srv", &a), 0);
	assert_string_equal(un->sun_path, "/run/s");
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(dial_lookup_unix(longest, "/", &a), -ENAMETOOLONG);
}

static void
durations_are_short(void **state)
{
	static const struct {
		int64_t ns;
		const char *want;
	} t[] = {
		{ -5, "0ms" },
		{ 20 * NS_PER_MS, "20ms" },
		{ 400 * NS_PER_MS, "0.4s" },
		{ 5 * NS_PER_S, "5s" },
		{ 5 * NS_PER_S + 250 * NS_PER_MS, "5.2s" },
		{ 41 * NS_PER_S, "41s" },
		{ 60 * NS_PER_S, "60s" },
		{ 300 * NS_PER_S, "5m" },
		{ 11520 * NS_PER_S, "3h12m" },
		{ (3 * 24 + 4) * 3600 * NS_PER_S, "3d04h" },
	};
	char buf[TEXT_DURATION_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		assert_string_equal(
		    text_duration(t[i].ns, buf, sizeof(buf)), t[i].want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_and_port_are_taken_apart),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(numeric_addresses_need_nobody),
		cmocka_unit_test(localhost_is_both_loopbacks),
		cmocka_unit_test(another_name_is_not_looked_up_here),
		cmocka_unit_test(a_refusal_says_why),
		cmocka_unit_test(a_relative_socket_is_below_cwd),
		cmocka_unit_test(durations_are_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
