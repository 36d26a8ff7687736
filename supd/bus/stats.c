/* SPDX-License-Identifier: ISC */
#include "bus/stats.h"

#include "bus/bus.h"
#include "bus/jsonrpc.h"

#include <string.h>

bool
stats_frame(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len)
{
	(void)h;
	if (len != sizeof(*p->stats))
		return false;
	if (p->stats == NULL)
		p->stats = malloc(sizeof(*p->stats));
	if (p->stats != NULL)
		memcpy(p->stats, body, sizeof(*p->stats));
	return true;
}

/* JSON's integers end at 2^63. */
static json_int_t
number(uint64_t n)
{
	return n > INT64_MAX ? INT64_MAX : (json_int_t)n;
}

json_t *
stats_json(const struct peer *p)
{
	const struct proto_stats *s = p != NULL ? p->stats : NULL;

	if (s == NULL)
		return json_null();
	return json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "queued",
	    number(s->queued), "queued_bytes", number(s->queued_bytes), "sent",
	    number(s->sent), "received", number(s->received), "dropped",
	    number(s->dropped), "bad", number(s->bad));
}

json_t *
stats_node(struct bus *b, const struct wire_row *row)
{
	const struct peer *p = peers_get(b, row->slot);
	json_t *node = node_json(row);

	if (p != NULL && (!p->live || p->inc != row->inc))
		p = NULL;
	json_object_set_new(node, "mailbox", stats_json(p));
	json_object_set_new(
	    node, "trap_exit", json_boolean(p != NULL && p->traps));
	return node;
}
