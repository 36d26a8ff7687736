/* SPDX-License-Identifier: ISC */
#include "bus/target.h"

#include "bus/bus.h"
#include "bus/inbox.h"
#include "bus/keep.h"
#include "bus/lifeline.h"
#include "bus/methods.h"

#include <stdio.h>

void
pid_text(uint64_t pid, char out[PID_TEXT_MAX])
{
	snprintf(out, PID_TEXT_MAX, "<%u.%ju>", PROTO_PID_SLOT(pid),
	    (uintmax_t)PROTO_PID_INC(pid));
}

json_t *
pid_json(uint64_t pid)
{
	char text[PID_TEXT_MAX];

	pid_text(pid, text);
	return json_string(text);
}

uint64_t
pid_parse(const char *text)
{
	uint32_t slot;
	uintmax_t inc;
	int end = 0;

	if (sscanf(text, "<%8u.%13ju>%n", &slot, &inc, &end) != 2 || end == 0 ||
	    text[end] != '\0' || slot > PROTO_GUEST_SLOT ||
	    inc > PROTO_PID_INC(UINT64_MAX))
		return 0;
	return PROTO_PID(slot, inc);
}

bool
target_of(struct bus *b, uint64_t pid, struct target *ret)
{
	*ret = (struct target){ .pid = pid };
	ret->peer = peers_by_pid(b, pid);
	if (ret->peer == NULL)
		ret->guest = control_guest(b, pid);
	return ret->peer != NULL || ret->guest != NULL;
}

bool
target_find(struct bus *b, const char *text, struct target *ret)
{
	uint64_t pid = pid_parse(text);

	if (pid != 0)
		return target_of(b, pid, ret);
	*ret = (struct target){ 0 };
	ret->guest = names_find_guest(b, text);
	if (ret->guest != NULL) {
		ret->pid = ret->guest->guest;
		return true;
	}
	ret->peer = peers_find(b, text, false);
	if (ret->peer != NULL)
		ret->pid = peer_pid(ret->peer);
	return ret->peer != NULL;
}

bool
target_param(struct request *r, const json_t *params, struct target *ret)
{
	const char *name;

	if (!param_path(r, params, "name", true, &name))
		return false;
	if (target_find(r->client->bus, name, ret))
		return true;
	if (pid_parse(name) != 0)
		request_fail(
		    r, CTL_NO_NAME, "%s does not live (any more)", name);
	else
		fail_no_name(r, "name", name);
	return false;
}

bool
target_message(struct request *r, const json_t *params, struct target *ret)
{
	const char *name;

	if (!param_path(r, params, "name", true, &name))
		return false;
	*ret = (struct target){ .kept = true };
	ret->peer = keep_find(r->client->bus, name);
	if (ret->peer == NULL)
		return target_param(r, params, ret);
	ret->pid = keep_pid(ret->peer);
	return true;
}

bool
target_talks(const struct target *t)
{
	if (t->kept)
		return true;
	return t->peer != NULL ? peer_joined(t->peer)
	                       : t->guest != NULL && t->guest->inbox != NULL;
}

const char *
target_name(const struct target *t)
{
	static char text[64];

	if (t->peer != NULL)
		return t->peer->path;
	if (t->guest != NULL && t->guest->name != NULL)
		return t->guest->name->text;
	snprintf(
	    text, sizeof(text), "client %ju", (uintmax_t)PROTO_PID_INC(t->pid));
	return text;
}

bool
target_put(const struct target *t, const struct proto_frame *h,
    const void *body, size_t len)
{
	if (t->kept)
		return keep_put(t->peer, h, body, len);
	if (t->peer != NULL)
		return lifeline_relay(t->peer->line, h, body, len);
	return t->guest == NULL || inbox_put(t->guest, h, body, len);
}
