/* SPDX-License-Identifier: ISC */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/http.h"

/* What a worker answers to a GET: the status, and nothing else. */

static int
status(const char *text)
{
	return http_status(text, strlen(text));
}

static void
a_status_line_gives_its_status(void **state)
{
	(void)state;
	assert_int_equal(status("HTTP/1.1 200 OK\r\nServer: x\r\n"), 200);
	assert_int_equal(status("HTTP/1.0 404 Not Found\r\n"), 404);
	assert_int_equal(status("HTTP/1.1 503\r\n"), 503);
	assert_int_equal(status("HTTP/1.1 302 Found\n"), 302);
}

static void
a_line_that_has_not_come_whole_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(status(""), 0);
	assert_int_equal(status("HT"), 0);
	assert_int_equal(status("HTTP/1.1 200 O"), 0);
}

static void
what_is_not_HTTP_is_refused_at_its_first_byte(void **state)
{
	(void)state;
	assert_int_equal(status("S"), -EPROTO);
	assert_int_equal(status("SSH-2.0-OpenSSH\r\n"), -EPROTO);
	assert_int_equal(status("HTTP/2.0 200 OK\r\n"), -EPROTO);
	assert_int_equal(status("http/1.1 200 OK\r\n"), -EPROTO);
	assert_int_equal(status("\n"), -EPROTO);
}

static void
a_status_must_be_three_digits_from_100_to_599(void **state)
{
	(void)state;
	assert_int_equal(status("HTTP/1.1 2000 OK\r\n"), -EPROTO);
	assert_int_equal(status("HTTP/1.1 20 OK\r\n"), -EPROTO);
	assert_int_equal(status("HTTP/1.1 099 OK\r\n"), -EPROTO);
	assert_int_equal(status("HTTP/1.1 600 OK\r\n"), -EPROTO);
	assert_int_equal(status("HTTP/1.1  200 OK\r\n"), -EPROTO);
	assert_int_equal(status("HTTP/1.x 200 OK\r\n"), -EPROTO);
	assert_int_equal(status("HTTP/1.1 -20 OK\r\n"), -EPROTO);
	assert_int_equal(status("HTTP/1.1\r\n"), -EPROTO);
}

static void
a_line_without_end_is_given_up(void **state)
{
	char line[HTTP_LINE_MAX];

	(void)state;
	memset(line, 'x', sizeof(line));
	memcpy(line, "HTTP/1.1 200 ", 13);
	assert_int_equal(http_status(line, sizeof(line) - 1), 0);
	assert_int_equal(http_status(line, sizeof(line)), -EPROTO);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_status_line_gives_its_status),
		cmocka_unit_test(a_line_that_has_not_come_whole_is_waited_for),
		cmocka_unit_test(what_is_not_HTTP_is_refused_at_its_first_byte),
		cmocka_unit_test(a_status_must_be_three_digits_from_100_to_599),
		cmocka_unit_test(a_line_without_end_is_given_up),
	};

	return cmocka_run_group_tests_name("engine_http", tests, NULL, NULL);
}
