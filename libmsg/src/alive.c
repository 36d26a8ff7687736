/* SPDX-License-Identifier: ISC */
/*
 * Signs of life.  Nothing here happens by itself: a helper thread, or the
 * receive loop of a library, would go on telling that all is well while the
 * program's own work has stopped, and that is what a heartbeat is to find out.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

#define NS_PER_US INT64_C(1000)

/* Sent at most so many times in one heartbeat, however often it is called. */
#define ALIVE_PER_HEARTBEAT 8

void
alive_open(void)
{
	const char *text = getenv("WATCHDOG_USEC");
	char *end;
	long long us;

	mailbox.heartbeat_ns = mailbox.alive_ns = 0;
	if (text == NULL || *text == '\0')
		return;
	errno = 0;
	us = strtoll(text, &end, 10);
	if (*end == '\0' && errno == 0 && us > 0 && us <= INT64_MAX / NS_PER_US)
		mailbox.heartbeat_ns = us * NS_PER_US;
}

MSG_API int
msg_heartbeat_ms(void)
{
	int64_t ms = mailbox.open ? mailbox.heartbeat_ns / NS_PER_MS : 0;

	return ms <= INT32_MAX ? (int)ms : INT32_MAX;
}

static int
alive(void)
{
	struct proto_frame h = { .type = PROTO_ALIVE, .from = mailbox.self };
	int64_t now;
	int r;

	if (mailbox.heartbeat_ns == 0)
		return 0;
	now = clock_now();
	if (now < mailbox.alive_ns)
		return 0;
	r = lifeline_send(&h, NULL, 0);
	if (r == 0)
		mailbox.alive_ns =
		    now + mailbox.heartbeat_ns / ALIVE_PER_HEARTBEAT;
	return r;
}

MSG_API int
msg_alive(void)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(alive());
}

static int
unwell(void)
{
	struct proto_frame h = { .type = PROTO_UNWELL, .from = mailbox.self };

	return mailbox.heartbeat_ns == 0 ? 0 : lifeline_send(&h, NULL, 0);
}

MSG_API int
msg_unwell(void)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(unwell());
}
