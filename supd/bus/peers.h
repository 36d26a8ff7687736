/* SPDX-License-Identifier: ISC */
#ifndef BUS_PEERS_H
#define BUS_PEERS_H

#include "base/attr.h"
#include "bus/keep.h"
#include "bus/resolve.h"
#include "bus/sys.h"
#include "proto/proto.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>

/*
 * The workers, by slot.  A peer lives from its PREPARE to its FORGET; its
 * incarnations come and go in it:
 *
 *   PROC      announces one: live
 *   LIFELINE  brings its fd, perhaps before the PROC: two links, no order
 *             between them.  Nothing is read from it before the PROC, and so
 *             not before the DEAD of the incarnation that went before (D7)
 *   DEAD      ends it: read the rest, purge its names, then tell the others
 */

#define PEERS_MAX (UINT32_C(1) << 20)

struct beat;
struct bus;
struct client;
struct exiting;
struct lifeline;
struct name;
struct notify;
struct wish;

struct peer {
	struct bus *bus;
	uint32_t slot;
	uint32_t uid, gid; /* whom it runs as */
	uint32_t prepared; /* PREPARE_* that are done */
	uint64_t inc;      /* of the last PROC */
	bool live;         /* between PROC and DEAD */
	bool ready_told;   /* WIRE_READY was sent for inc */
	bool in_tree;
	bool dirty;         /* a new status text waits */
	bool traps;         /* it traps exits */
	bool traps_told;    /* the engine asks us how to stop it */
	uint8_t n_declared; /* REASONs of this incarnation */
	int32_t os_pid;
	uint32_t n_watches; /* monitors it has made */
	uint32_t n_links;
	uint32_t n_spawns;                 /* under way */
	uint8_t secret[PROTO_SECRET_SIZE]; /* its mailbox's, of inc */
	uint64_t max_bytes;                /* of its mailbox */
	uint32_t on_full;                  /* enum proto_on_full */
	struct kept_list kept;             /* for the next incarnation: */
	size_t kept_bytes;
	uint32_t n_kept;
	bool keep_asked; /* has it read what was passed on? */
	bool keep_again; /* more was passed on since */
	bool keep_full;  /* that was told */
	char *kept_name; /* of the incarnation before, or NULL */
	TAILQ_ENTRY(peer) of_keepers;
	bool keeps;                /* on_restart: keep */
	struct proto_stats *stats; /* what it last told, or NULL */
	uint32_t n_held;
	struct held_list held;   /* who waits for its mailbox */
	struct event *expecting; /* it may come, or NULL */
	struct exiting *exiting; /* it is to end by an exit signal, or NULL */
	struct wish *wishes;     /* what its configuration says, or NULL */
	int64_t beat_ns;    /* least time between two signs of life, or 0 */
	struct beat *beat;  /* or NULL */
	char *path;         /* "" before the first PREPARE or PROC */
	char *declared;     /* its exit reason in its own words, or NULL */
	char *status;       /* sd_notify's STATUS=, or NULL */
	struct name *name;  /* what it registered, or NULL */
	struct name *names; /* that its configuration gives it */
	struct lifeline *line;
	struct lifeline *early; /* of an incarnation not yet announced */
	struct notify *notify;
	struct client *client;     /* who its CONTROLs are, or NULL */
	struct sys_list sys_asked; /* by it, n_sys of them */
	struct sys_list sys_owed;  /* of it */
	uint32_t n_sys;
	RB_ENTRY(peer) by_path;
	bool wishing; /* it is among the wishers */
	TAILQ_ENTRY(peer) of_wishers;
	TAILQ_ENTRY(peer) of_dirty;
};

RB_HEAD(peer_tree, peer);

struct peers {
	struct peer **slot;
	uint32_t n;
	uint32_t n_fds; /* that they hold or may: lifelines, notify sockets */
	struct peer_tree by_path;
	TAILQ_HEAD(, peer) wishers; /* who wants links or monitors */
};

void peers_fini(struct bus *b);

/* The worker of a slot, of a pid (only while that incarnation lives), of a
 * path with or without "root/".  NULL if there is none. */
struct peer *peers_get(struct bus *b, uint32_t slot);
struct peer *peers_by_pid(struct bus *b, uint64_t pid);
struct peer *peers_by_path(struct bus *b, const char *path);

/* The libmsg pid of a peer's present incarnation. */
uint64_t peer_pid(const struct peer *p);

/* It can be reached by messages: it lives, has joined and is still there. */
bool peer_joined(const struct peer *p);

/*
 * By name or, if nobody has registered it, by path: the live worker, or NULL.
 * With `joined`, only one that can receive messages.
 */
struct peer *peers_find(struct bus *b, const char *text, bool joined);

/* Say once for its incarnation that it is ready, with its STATUS text. */
void peer_ready(struct peer *p);

/* Frames of the engine and the keeper. */
void peers_prepare(struct bus *b, const struct wire_hdr *h);
void peers_proc(struct bus *b, const struct wire_proc *w);
void peers_dead(struct bus *b, const struct wire_dead *w);
void peers_forget(struct bus *b, const struct wire_id *w);
void peers_heard(struct bus *b, const struct wire_hdr *h);
void peers_lifeline(
    struct bus *b, const struct wire_lifeline *w, int *fds, unsigned n_fds);

RB_PROTOTYPE(peer_tree, peer, by_path, peer_path_cmp);

#endif /* BUS_PEERS_H */
