/* SPDX-License-Identifier: ISC */
/*
 * Calls to a supervisor: methods of the control protocol, asked by the
 * lifeline.  supd answers with {"result", "reason", "children", "counts"}.
 */
#include "internal.h"

#include <errno.h>
#include <msg/format.h>
#include <msg/pack.h>
#include <msg/supervisor.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An answer: the places of its parts, in the body of the item. */
struct answer {
	struct item *item;
	char result[32];
	char reason[256]; /* "": none */
	struct msg_unpack children, counts;
};

/* Copy a text, or as much of it as there is room for. */
static int
take_text(struct msg_unpack *u, char *buf, size_t size)
{
	const char *text;
	size_t len;

	if (msg_unpack_str(u, &text, &len) != 0)
		return msg_unpack_skip(u); /* nil: stays "" */
	if (len >= size)
		len = size - 1;
	memcpy(buf, text, len);
	buf[len] = '\0';
	return 0;
}

/* Take the next key of a map. */
static int
take_key(struct msg_unpack *u, char key[MSG_TAG_MAX + 1])
{
	key[0] = '\0';
	return msg_unpack_type(u) == MSG_TYPE_STR
	           ? take_text(u, key, MSG_TAG_MAX + 1)
	           : -EBADMSG;
}

static int
parse(struct answer *a)
{
	struct msg_unpack u;
	char key[MSG_TAG_MAX + 1];
	uint32_t n;
	int r;

	r = msg_unpack_init(&u, a->item->body, a->item->len);
	if (r == 0)
		r = msg_unpack_map(&u, &n);
	for (; r == 0 && n > 0; n--) {
		r = take_key(&u, key);
		if (r != 0)
			break;
		if (strcmp(key, "children") == 0)
			a->children = u;
		if (strcmp(key, "counts") == 0)
			a->counts = u;
		if (strcmp(key, "result") == 0)
			r = take_text(&u, a->result, sizeof(a->result));
		else if (strcmp(key, "reason") == 0)
			r = take_text(&u, a->reason, sizeof(a->reason));
		else
			r = msg_unpack_skip(&u);
	}
	return r == 0 && a->result[0] != '\0' && a->children.at != NULL
	           ? 0
	           : -EPROTO;
}

/* What the supervisor's word for it is to us: a result, or an error. */
static int
meaning(const struct answer *a, const char *sup)
{
	static const struct {
		const char *word;
		int result;
		const char *text;
	} t[] = {
		{ "ok", MSG_SUP_OK, "ok" },
		{ "ignored", MSG_SUP_IGNORED,
		    "it is not to run: `enabled: false`, or it says so "
		    "itself" },
		{ "not_found", MSG_SUP_NOT_FOUND, "no child of that name" },
		{ "running", MSG_SUP_RUNNING, "the child runs" },
		{ "restarting", MSG_SUP_RESTARTING,
		    "the child is being restarted" },
		{ "already_started", MSG_SUP_ALREADY_STARTED,
		    "a child of that name runs already" },
		{ "already_present", MSG_SUP_ALREADY_PRESENT,
		    "a child of that name is there already, stopped" },
		{ "start_failed", MSG_SUP_START_FAILED,
		    "the child did not start" },
		{ "max_children", MSG_SUP_MAX_CHILDREN,
		    "it has max_children already" },
		{ "simple_one_for_one", MSG_SUP_SIMPLE,
		    "not to a simple_one_for_one supervisor" },
		{ "noproc", MSG_SUP_NOPROC,
		    "there is no such supervisor, or it is down" },
		{ "busy", MSG_SUP_BUSY, "too many calls wait" },
		{ "invalid", MSG_SUP_INVALID,
		    "the child's specification is not valid" },
		{ "deadlock", -EDEADLK,
		    "it waits for this worker, which starts or stops" },
	};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		if (strcmp(a->result, t[i].word) != 0)
			continue;
		return t[i].result == 0
		           ? 0
		           : fail(t[i].result, "%s: %s", sup,
				 a->reason[0] != '\0' ? a->reason : t[i].text);
	}
	return fail(-EPROTO, "%s: supd answered \"%s\"", sup, a->result);
}

/*
 * Call a method with its params, which are released.  A result, and an answer
 * to be released by free(ret->item); or a negative errno and none.
 */
static int
ask(const char *sup, struct msg_pack *request, struct answer *ret)
{
	struct proto_frame h = { .type = PROTO_CONTROL,
		.flags = PROTO_MSGPACK };
	int r = mailbox_enter();

	*ret = (struct answer){ 0 };
	if (r == 0 && request->failed)
		r = mailbox_leave(fail(-ENOMEM, "no memory for a request"));
	else if (r == 0)
		r = mailbox_leave(mailbox_ask(
		    &h, request->data, request->len, -1, &ret->item));
	msg_pack_fini(request);
	if (r != 0)
		return r;
	if (ret->item->h.flags & PROTO_ERROR)
		r = fail(
		    ret->item->h.tag != 0 ? -(int)ret->item->h.tag : -EREMOTEIO,
		    "%s: %s", sup, ret->item->body);
	else if (parse(ret) != 0)
		r = fail(-EPROTO, "supd sent a malformed answer");
	else
		return meaning(ret, sup);
	free(ret->item);
	ret->item = NULL;
	return r;
}

/* ---- children --------------------------------------------------------------
 */

static msg_pid
pid_of(const char *text)
{
	unsigned slot;
	unsigned long long inc;

	return sscanf(text, "<%u.%llu>", &slot, &inc) == 2
	           ? PROTO_PID(slot, inc)
	           : 0;
}

/* Take one child: {"name", "path", "type", "state", "pid", "os_pid"}. */
static int
take_child(struct msg_unpack *u, struct msg_child *ret)
{
	char key[MSG_TAG_MAX + 1], text[64];
	int64_t os_pid;
	uint32_t n;
	int r = msg_unpack_map(u, &n);

	*ret = (struct msg_child){ 0 };
	for (; r == 0 && n > 0; n--) {
		text[0] = '\0';
		r = take_key(u, key);
		if (r != 0)
			break;
		if (strcmp(key, "name") == 0) {
			r = take_text(u, ret->name, sizeof(ret->name));
		} else if (strcmp(key, "os_pid") == 0 &&
			   msg_unpack_int(u, &os_pid) == 0) {
			ret->os_pid = (int)os_pid;
		} else {
			r = take_text(u, text, sizeof(text));
		}
		if (strcmp(key, "pid") == 0)
			ret->pid = pid_of(text);
		else if (strcmp(key, "type") == 0)
			ret->is_supervisor = strcmp(text, "supervisor") == 0;
		else if (strcmp(key, "state") == 0)
			ret->restarting = strcmp(text, "waiting") == 0;
	}
	return r;
}

/* All children of an answer.  An array to be freed. */
static int
take_children(struct answer *a, struct msg_child **ret_children, size_t *ret_n)
{
	struct msg_unpack u = a->children;
	struct msg_child *list;
	uint32_t n;

	if (msg_unpack_array(&u, &n) != 0)
		return fail(-EPROTO, "supd sent a malformed list of children");
	list = calloc((size_t)n + 1, sizeof(*list));
	if (list == NULL)
		return fail(-ENOMEM, "no memory for a list of children");
	for (uint32_t i = 0; i < n; i++) {
		if (take_child(&u, &list[i]) != 0) {
			free(list);
			return fail(-EPROTO, "supd sent a malformed child");
		}
	}
	*ret_children = list;
	*ret_n = n;
	return 0;
}

/* The one child that an answer is about, if there is one and it is wanted. */
static int
end_with_child(int result, struct answer *a, struct msg_child *ret_child)
{
	struct msg_unpack u = a->children;
	uint32_t n = 0;

	if (result >= 0 && ret_child != NULL) {
		*ret_child = (struct msg_child){ 0 };
		if (msg_unpack_array(&u, &n) == 0 && n > 0)
			(void)take_child(&u, ret_child);
	}
	free(a->item);
	return result;
}

/* ---- calls -----------------------------------------------------------------
 */

/* [method, {"path": sup, ...}], with n more pairs to come. */
static void
request(struct msg_pack *p, const char *method, const char *sup, uint32_t n)
{
	msg_pack_init(p);
	msg_pack_array(p, 2);
	msg_pack_str(p, method);
	msg_pack_map(p, n + 1);
	msg_pack_str(p, "path");
	msg_pack_str(p, sup);
}

MSG_API int
msg_start_child(const char *sup, const char *spec, const char *const *args,
    struct msg_child *ret_child)
{
	struct answer a;
	struct msg_pack p;
	uint32_t n = 0;
	int r;

	request(&p, "start_child", sup, 1);
	if (spec != NULL) {
		msg_pack_str(&p, "spec");
		msg_pack_str(&p, spec);
	} else {
		while (args != NULL && args[n] != NULL)
			n++;
		msg_pack_str(&p, "args");
		msg_pack_array(&p, n);
		for (uint32_t i = 0; i < n; i++)
			msg_pack_str(&p, args[i]);
	}
	r = ask(sup, &p, &a);
	return end_with_child(r, &a, ret_child);
}

static int
about_one(const char *method, const char *sup, const char *name,
    struct msg_child *ret_child)
{
	struct answer a;
	struct msg_pack p;
	int r;

	request(&p, method, sup, 1);
	msg_pack_str(&p, "name");
	msg_pack_str(&p, name);
	r = ask(sup, &p, &a);
	return end_with_child(r, &a, ret_child);
}

MSG_API int
msg_terminate_child(const char *sup, const char *name)
{
	return about_one("terminate_child", sup, name, NULL);
}

MSG_API int
msg_restart_child(
    const char *sup, const char *name, struct msg_child *ret_child)
{
	return about_one("restart_child", sup, name, ret_child);
}

MSG_API int
msg_delete_child(const char *sup, const char *name)
{
	return about_one("delete_child", sup, name, NULL);
}

MSG_API int
msg_which_children(
    const char *sup, struct msg_child **ret_children, size_t *ret_n)
{
	struct answer a;
	struct msg_pack p;
	int r;

	request(&p, "which_children", sup, 0);
	r = ask(sup, &p, &a);
	if (r == 0)
		r = take_children(&a, ret_children, ret_n);
	free(a.item);
	return r;
}

/* {"specs", "active", "supervisors", "workers"} */
static int
take_counts(struct msg_unpack u, struct msg_child_counts *ret)
{
	char key[MSG_TAG_MAX + 1];
	int64_t v;
	uint32_t n;
	int r = msg_unpack_map(&u, &n);

	*ret = (struct msg_child_counts){ 0 };
	for (; r == 0 && n > 0; n--) {
		r = take_key(&u, key);
		if (r == 0)
			r = msg_unpack_int(&u, &v);
		if (r != 0)
			break;
		if (strcmp(key, "specs") == 0)
			ret->specs = (unsigned)v;
		else if (strcmp(key, "active") == 0)
			ret->active = (unsigned)v;
		else if (strcmp(key, "supervisors") == 0)
			ret->supervisors = (unsigned)v;
		else if (strcmp(key, "workers") == 0)
			ret->workers = (unsigned)v;
	}
	return r == 0 ? 0 : fail(-EPROTO, "supd sent malformed counts");
}

MSG_API int
msg_count_children(const char *sup, struct msg_child_counts *ret_counts)
{
	struct answer a;
	struct msg_pack p;
	int r;

	request(&p, "count_children", sup, 0);
	r = ask(sup, &p, &a);
	if (r == 0)
		r = take_counts(a.counts, ret_counts);
	free(a.item);
	return r;
}
