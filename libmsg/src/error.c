/* SPDX-License-Identifier: ISC */
/*
 * The text of the last failure.  A bare errno cannot say which name or whose
 * end it was about, so the place that knows leaves a text with it.  Each thread
 * has its own.
 */
#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static _Thread_local struct {
	int error;
	char text[512];
} last;

int
fail(int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(last.text, sizeof(last.text), fmt, ap);
	va_end(ap);
	last.error = error;
	return error;
}

void
fail_clear(void)
{
	last.error = 0;
}

MSG_API const char *
msg_strerror(int error)
{
	if (error == last.error && error != 0)
		return last.text;
	return strerror(error < 0 ? -error : error);
}
