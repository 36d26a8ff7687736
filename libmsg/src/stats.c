/* SPDX-License-Identifier: ISC */
/*
 * Counts: for the program, and for supd, which shows them (`supctl status`) and
 * is told of a change once a second at most.
 */
#include "internal.h"

#include <string.h>

#define TELL_NS (1000 * NS_PER_MS)

static struct proto_stats told;
static int64_t told_ns;

static void
count(struct proto_stats *s)
{
	*s = (struct proto_stats){
		.sent = mailbox.stats.sent,
		.received = mailbox.stats.received,
		.queued = mailbox.queue.n,
		.queued_bytes = mailbox.queue.bytes,
		.dropped = mailbox.stats.dropped,
		.bad = mailbox.stats.bad,
	};
}

/* When supd is to be told next; DEADLINE_NEVER: nothing has changed. */
int64_t
stats_due(void)
{
	struct proto_stats now;

	count(&now);
	if (memcmp(&now, &told, sizeof(now)) == 0)
		return DEADLINE_NEVER;
	return told_ns + TELL_NS;
}

void
stats_run(void)
{
	struct proto_frame h = { .type = PROTO_STATS, .from = mailbox.self };
	int64_t now;

	if (stats_due() == DEADLINE_NEVER)
		return;
	now = clock_now();
	if (now < told_ns + TELL_NS)
		return;
	count(&told);
	told_ns = now;
	if (lifeline_send(&h, &told, sizeof(told)) != 0)
		return; /* supd has gone */
}

void
stats_init(void)
{
	memset(&told, 0, sizeof(told));
	told_ns = 0;
}

MSG_API void
msg_stats(struct msg_stats *ret_stats)
{
	mailbox_lock();
	*ret_stats = mailbox.stats;
	ret_stats->queued = mailbox.queue.n;
	ret_stats->queued_bytes = mailbox.queue.bytes;
	ret_stats->routes = transport_count();
	mailbox_unlock();
}
