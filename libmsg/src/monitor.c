/* SPDX-License-Identifier: ISC */
/* Monitors (P-8): one MSG_DOWN each, when somebody has ended. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int
monitor(msg_pid pid, const char *name, uint64_t *ret_ref)
{
	struct proto_frame h = {
		.type = PROTO_MONITOR, .to = pid, .from = mailbox.self
	};
	size_t len = name != NULL ? strlen(name) : 0;
	int r;

	if (name != NULL && (len == 0 || len >= PROTO_PATH_MAX))
		return fail(-EINVAL, "a name or path has 1 to %d bytes",
		    PROTO_PATH_MAX - 1);
	h.ref = mailbox_ref();
	/* Known before it is asked for: the answer may be there at once. */
	if (!hash_add_key(&mailbox.monitors, h.ref))
		return fail(-ENOMEM, "no memory for a monitor");
	r = lifeline_send(&h, name, len);
	if (r == 0)
		*ret_ref = h.ref;
	else
		(void)hash_drop_key(&mailbox.monitors, h.ref);
	return r;
}

MSG_API int
msg_monitor(msg_pid pid, uint64_t *ret_ref)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(monitor(pid, NULL, ret_ref));
}

MSG_API int
msg_monitor_name(const char *name, uint64_t *ret_ref)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(monitor(0, name, ret_ref));
}

static int
demonitor(uint64_t ref, bool flush)
{
	struct proto_frame h = {
		.type = PROTO_DEMONITOR, .ref = ref, .from = mailbox.self
	};
	struct item *it;
	int r;

	if (hash_drop_key(&mailbox.monitors, ref)) {
		r = lifeline_send(&h, NULL, 0);
		return r != 0 ? r : 1;
	}
	it = flush ? queue_find_ref(&mailbox.queue, ref) : NULL;
	if (it != NULL && it->kind == MSG_DOWN && !it->response)
		free(mailbox_take(it));
	return 0;
}

MSG_API int
msg_demonitor(uint64_t ref, bool flush)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(demonitor(ref, flush));
}

/* What the dead left behind goes into the mailbox before the news. */
void
monitor_down(const struct proto_frame *h, const void *body, size_t len)
{
	if (h->from != 0) {
		transport_gone(h->from);
		exits_run(h->from);
	}
	if (h->ref & PROTO_REF_OWN)
		callee_down(h->from, body, len);
	else if (h->ref == 0 || hash_drop_key(&mailbox.monitors, h->ref))
		mailbox_store(MSG_DOWN, h, body, len, true);
}
