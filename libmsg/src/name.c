/* SPDX-License-Identifier: ISC */
/* Names (P-10), and where those who have them can be reached. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(MSG_NAME_MAX == PROTO_NAME_MAX, "the bus's own limit");

/* REGISTER, UNREGISTER: ask and take the errno of the answer. */
static int
ask_name(enum proto_type type, const char *what, const char *name)
{
	struct proto_frame h = { .type = (uint8_t)type };
	int r;

	if (name[0] == '\0' || strlen(name) > MSG_NAME_MAX)
		return fail(-EINVAL, "%s \"%s\": a name has 1 to %d bytes",
		    what, name, MSG_NAME_MAX);
	r = mailbox_ask_result(&h, name, strlen(name));
	if (r < 0)
		return fail(r, "%s \"%s\": %s", what, name,
		    r == -EEXIST ? "another worker has that name"
				 : strerror(-r));
	return 0;
}

MSG_API int
msg_register(const char *name)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(ask_name(PROTO_REGISTER, "register", name));
}

MSG_API int
msg_unregister(const char *name)
{
	int r = mailbox_enter();

	if (r != 0)
		return r;
	return mailbox_leave(ask_name(PROTO_UNREGISTER, "unregister", name));
}

int
resolve(msg_pid pid, const char *name, struct proto_resolved *ret_where)
{
	struct proto_frame h = { .type = PROTO_RESOLVE, .to = pid };
	struct item *it = NULL;
	size_t len = name != NULL ? strlen(name) : 0;
	int r;

	if (name != NULL && (len == 0 || len >= PROTO_PATH_MAX))
		return fail(-EINVAL, "a name or path has 1 to %d bytes",
		    PROTO_PATH_MAX - 1);
	r = mailbox_ask(&h, name, len, ASK_TIMEOUT_MS, &it);
	if (r != 0)
		return r;
	if (it->h.type != PROTO_RESOLVED || it->len != sizeof(*ret_where)) {
		free(it);
		return fail(-EPROTO, "supd sent a malformed answer");
	}
	memcpy(ret_where, it->body, sizeof(*ret_where));
	free(it);
	ret_where->endpoint[sizeof(ret_where->endpoint) - 1] = '\0';
	return 0;
}

int
resolve_name(const char *name, struct proto_resolved *ret_where)
{
	int r = resolve(0, name, ret_where);

	if (r == 0 && ret_where->pid == 0)
		r = fail(-ENOENT,
		    "no worker is registered as \"%s\" or has that path", name);
	return r;
}

MSG_API int
msg_whereis(const char *name, msg_pid *ret_pid)
{
	struct proto_resolved where;
	int r = mailbox_enter();

	if (r != 0)
		return r;
	r = resolve_name(name, &where);
	if (r == 0)
		*ret_pid = where.pid;
	return mailbox_leave(r);
}

static int
is_alive(msg_pid pid)
{
	struct proto_resolved where;
	int r;

	if (pid == 0 || pid == mailbox.self)
		return pid != 0;
	r = resolve(pid, NULL, &where);
	return r != 0 ? r : where.pid == pid;
}

MSG_API int
msg_is_alive(msg_pid pid)
{
	int r = mailbox_enter();

	return r != 0 ? r : mailbox_leave(is_alive(pid));
}
