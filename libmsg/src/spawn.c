/* SPDX-License-Identifier: ISC */
/* Starting children of a pool (P-1), and asking supd what it knows (P-12). */
#include "internal.h"

#include <errno.h>
#include <msg/pack.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* supd answers when the child has a pid: its pre_start comes before that. */
#define SPAWN_TIMEOUT_MS 60000

static int
ask_pack(struct proto_frame *h, struct msg_pack *p, int timeout_ms,
    struct item **ret_answer)
{
	int r =
	    p->failed ? fail(-ENOMEM, "no memory for a question to supd") : 0;

	h->flags |= PROTO_MSGPACK;
	if (r == 0)
		r = mailbox_ask_answer(
		    h, p->data, p->len, timeout_ms, ret_answer);
	msg_pack_fini(p);
	return r;
}

static int
spawn(const char *pool, const char *const *args, unsigned flags, uint64_t ref,
    msg_pid *ret_pid)
{
	struct proto_frame h = {
		.type = PROTO_SPAWN, .flags = (uint16_t)flags, .ref = ref
	};
	struct msg_unpack u;
	struct item *it = NULL;
	struct msg_pack p;
	uint32_t n = 0;
	uint64_t pid;
	int r;

	while (args != NULL && args[n] != NULL)
		n++;
	msg_pack_init(&p);
	msg_pack_array(&p, 2);
	msg_pack_str(&p, pool);
	msg_pack_array(&p, n);
	for (uint32_t i = 0; i < n; i++)
		msg_pack_str(&p, args[i]);
	r = ask_pack(&h, &p, SPAWN_TIMEOUT_MS, &it);
	if (r != 0)
		return r;
	r = msg_unpack_init(&u, it->body, it->len);
	if (r == 0)
		r = msg_unpack_uint(&u, &pid);
	free(it);
	if (r != 0)
		return fail(-EPROTO, "supd sent a malformed pid");
	*ret_pid = pid;
	return 0;
}

MSG_API int
msg_spawn(const char *pool, const char *const *args, msg_pid *ret_pid)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(spawn(pool, args, 0, 0, ret_pid));
}

MSG_API int
msg_spawn_link(const char *pool, const char *const *args, msg_pid *ret_pid)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(spawn(pool, args, PROTO_WITH_LINK, 0, ret_pid));
}

static int
spawn_monitor(const char *pool, const char *const *args, unsigned flags,
    msg_pid *ret_pid, uint64_t *ret_ref)
{
	uint64_t ref = mailbox_ref();
	int r;

	if (!hash_add_key(&mailbox.monitors, ref))
		return fail(-ENOMEM, "no memory for a monitor");
	r = spawn(pool, args, PROTO_WITH_MONITOR | flags, ref, ret_pid);
	if (r == 0)
		*ret_ref = ref;
	else
		(void)hash_drop_key(&mailbox.monitors, ref);
	return r;
}

MSG_API int
msg_spawn_monitor(const char *pool, const char *const *args, msg_pid *ret_pid,
    uint64_t *ret_ref)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(spawn_monitor(pool, args, 0, ret_pid, ret_ref));
}

int
spawn_watched(const char *pool, bool link, msg_pid *ret_pid, uint64_t *ret_ref)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(spawn_monitor(
	    pool, NULL, link ? PROTO_WITH_LINK : 0, ret_pid, ret_ref));
}

static int
info(const char *who, struct msg *ret_info)
{
	struct proto_frame h = { .type = PROTO_CONTROL };
	struct item *it = NULL;
	struct msg_pack p;
	char self[40];
	int r;

	snprintf(self, sizeof(self), PID_FMT, PID_ARG(mailbox.self));
	msg_pack_init(&p);
	msg_pack_array(&p, 2);
	msg_pack_str(&p, "info");
	msg_pack_map(&p, 1);
	msg_pack_str(&p, "name");
	msg_pack_str(&p, who != NULL ? who : self);
	r = ask_pack(&h, &p, ASK_TIMEOUT_MS, &it);
	if (r == 0)
		item_give(it, ret_info);
	return r;
}

MSG_API int
msg_info(const char *who, struct msg *ret_info)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(info(who, ret_info));
}
