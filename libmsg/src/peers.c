/* SPDX-License-Identifier: ISC */
/*
 * The workers that we send to or hear from, by pid and by the key of the
 * connection they came by.  A peer lives until supd says that it has ended,
 * which supd does for every worker that has resolved us or that we have
 * resolved; and nobody else can be here, for want of a proof.
 */
#include "pipe.h"

#include <stdlib.h>
#include <string.h>

struct peer_list peers = TAILQ_HEAD_INITIALIZER(peers);

static struct hash by_pid, by_key;

void
peers_init(void)
{
	hash_init(&by_pid);
	hash_init(&by_key);
}

void
peers_fini(void)
{
	hash_fini(&by_pid);
	hash_fini(&by_key);
}

struct peer *
peer_find(msg_pid pid)
{
	return hash_entry(hash_find(&by_pid, pid), struct peer, by_pid);
}

struct peer *
peer_by_key(uint32_t key)
{
	return hash_entry(hash_find(&by_key, key), struct peer, by_key);
}

struct peer *
peer_get(msg_pid pid)
{
	struct peer *p = peer_find(pid);

	if (p != NULL)
		return p;
	p = calloc(1, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->pid = pid;
	p->sock = p->snd_fd = p->rcv_fd = -1;
	hash_put(&by_pid, &p->by_pid, pid);
	TAILQ_INSERT_TAIL(&peers, p, entry);
	return p;
}

void
peer_bind(struct peer *p, uint32_t key, const char control[CONTROL_SIZE])
{
	peer_unbind(p);
	p->bound = true;
	p->key = key;
	memcpy(p->control, control, CONTROL_SIZE);
	hash_put(&by_key, &p->by_key, key);
}

void
peer_unbind(struct peer *p)
{
	if (p->bound)
		(void)hash_take(&by_key, p->key);
	p->bound = false;
}

void
peer_free(struct peer *p)
{
	peer_unbind(p);
	(void)hash_take(&by_pid, p->pid);
	TAILQ_REMOVE(&peers, p, entry);
	free(p);
}
