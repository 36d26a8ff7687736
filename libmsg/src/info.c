/* SPDX-License-Identifier: ISC */
/* What a worker says of itself (P-12): supd adds what it knows. */
#include "internal.h"

#include <msg/format.h>

static unsigned long long
ull(uint64_t n)
{
	return n;
}

void
info_pack(struct msg_pack *p)
{
	const struct msg_stats *s = &mailbox.stats;

	msg_packf(p,
	    "{sent %llu received %llu queued %llu queued_bytes %llu "
	    "dropped %llu bad %llu late %llu routes %u lossless %hhd "
	    "max_bytes %llu requests %llu timers %llu}",
	    ull(s->sent), ull(s->received), ull(mailbox.queue.n),
	    ull(mailbox.queue.bytes), ull(s->dropped), ull(s->bad),
	    ull(s->late), transport_count(), s->lossless,
	    ull(mailbox.max_bytes), ull(mailbox.requests.n),
	    ull(timers_count()));
}
