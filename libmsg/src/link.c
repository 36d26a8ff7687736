/* SPDX-License-Identifier: ISC */
/*
 * Links (P-6).  supd keeps them and tells both workers of each (LINKED,
 * UNLINKED); mailbox.links is what we have been told, less what we have
 * undone since.  So an exit signal by a link that we have undone does nothing,
 * whenever it was sent.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

static int
link_to(msg_pid pid)
{
	struct proto_frame h = { .type = PROTO_LINK, .to = pid };
	struct proto_frame nobody = {
		.type = PROTO_EXIT, .to = mailbox.self, .from = pid
	};
	int r;

	if (pid == mailbox.self)
		return 0;
	r = mailbox_ask_result(&h, NULL, 0);
	if (r != -ESRCH)
		return r;
	if (!mailbox.trap)
		return fail(r, PID_FMT " has ended", PID_ARG(pid));
	mailbox_store(MSG_EXIT, &nobody, "noproc", strlen("noproc"), false);
	return 0;
}

MSG_API int
msg_link(msg_pid pid)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(link_to(pid));
}

static int
unlink_from(msg_pid pid)
{
	struct proto_frame h = {
		.type = PROTO_UNLINK, .to = pid, .from = mailbox.self
	};

	(void)hash_drop_key(&mailbox.links, pid);
	return lifeline_send(&h, NULL, 0);
}

MSG_API int
msg_unlink(msg_pid pid)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(unlink_from(pid));
}

void
link_told(const struct proto_frame *h)
{
	if (h->type == PROTO_UNLINKED)
		(void)hash_drop_key(&mailbox.links, h->from);
	else if (!hash_add_key(&mailbox.links, h->from))
		mailbox.stats.bad++;
}
