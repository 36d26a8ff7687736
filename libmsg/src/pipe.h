/* SPDX-License-Identifier: ISC */
#ifndef SRC_PIPE_H
#define SRC_PIPE_H

/*
 * The data plane's own: what it knows of each other worker, and what its files
 * share.  Each calls those above it:
 *
 *   sock.c       nanomsg, and nothing else knows it
 *   peers.c      the workers that we know, by pid and by connection
 *   credit.c     how much may be under way, and what has arrived
 *   batch.c      what waits to be sent, and the sending
 *   flusher.c    the thread that sends it when nobody else does
 *   route.c      connections that we have made
 *   backlog.c    replies for those who take none
 *   transport.c  what comes in, the end of others and ours
 */

#include "internal.h"

/* The SP header of a message to our mailbox, which leads back by its key. */
#define CONTROL_SIZE 32

/*
 * A path to another worker is our own route, a raw REQ socket connected to its
 * mailbox, or the connection by which it has come to ours.
 */
enum path { NO_PATH, BY_ROUTE, BY_KEY };

struct peer {
	struct hash_node by_pid, by_key;
	TAILQ_ENTRY(peer) entry;
	msg_pid pid;

	/* Its connection to our mailbox. */
	bool bound;
	uint32_t key;
	char control[CONTROL_SIZE];

	/* Our route. */
	TAILQ_ENTRY(peer) used; /* most recently used first */
	int sock;               /* -1: none */
	int snd_fd, rcv_fd;
	bool greeted; /* HELLO has left */
	bool watched; /* snd_fd is waited for */
	uint64_t proof;
	char endpoint[PROTO_ENDPOINT_MAX];

	/*
	 * What we send: all of it, what it has given credit for, and what is
	 * known to be in its memory.
	 */
	enum path path; /* the last frame's */
	uint32_t seq, acked_seq, settled_seq;
	uint64_t sent, acked;
	uint64_t lost; /* of `sent`, by a connection that was closed */
	/* An EXIT that supd has not answered for, and for the next frame. */
	uint64_t fence;
	bool fence_asked, behind;
	uint32_t lost_seq; /* up to this, it has arrived or never will */
	uint64_t barrier;  /* ref of the BARRIER under way, 0 none */
	int64_t barrier_at_ns;

	/* What waits to be sent together. */
	TAILQ_ENTRY(peer) unsent;
	char *batch; /* SOCK_ROOM and frames; NULL: nothing */
	size_t batch_len;
	enum path batch_path;
	int64_t flushed_ns;

	/* What we have taken, and how much of that we have told. */
	uint32_t taken_seq, told_seq;
	uint64_t taken, told;
	bool gap;          /* what is missing now is not lost on the way */
	bool unpaid;       /* a CREDIT is due when there is room */
	bool signals_wait; /* some of its signals, maybe, for what comes */
	uint32_t n_bad, n_reported;

	/* Replies that it has not taken, and signals behind them. */
	struct late_reply *backlog_first, *backlog_last;
	size_t backlog_bytes;
	int64_t backlog_ns; /* when one left last, or the first came */
};
TAILQ_HEAD(peer_list, peer);

/* --- sock.c --- */

/* 0 or -errno, and the failure is told. */
must_check int sock_bind(const char *endpoint, int *ret_sock, int *ret_fd);
must_check int sock_connect(
    const char *endpoint, int *ret_sock, int *ret_snd_fd, int *ret_rcv_fd);
void sock_close(int sock);

/* Can this be given to nanomsg?  The path in it, or NULL. */
const char *sock_path(const char *endpoint);

/*
 * Has the mailbox at the other end gone?  nanomsg would go on trying to
 * connect; but an endpoint belongs to one incarnation and never comes back.
 */
bool sock_lost(int sock, const char *endpoint);

/*
 * A message to send: ROOM bytes that sock_send() fills, then the frames.
 * sock_send() takes `m` on success only: 0, -EAGAIN, -errno.
 */
#define SOCK_ROOM 4
must_check char *sock_alloc(size_t len);
void sock_free(void *m);
must_check int sock_send(int sock, char *m);
must_check int sock_send_copy(int sock, char *m, size_t len);

/* By key: silently dropped when that connection is busy or has gone. */
void sock_send_key(
    int rep, const char control[CONTROL_SIZE], const char *frames, size_t len);

/*
 * Take a message in: its length and *ret_p, released by sock_free(); -EAGAIN.
 * From a mailbox also its control; *ret_key is 0 when that is not as it should
 * be.
 */
must_check int sock_recv(int sock, char **ret_p);
must_check int sock_recv_key(
    int rep, char **ret_p, char ret_control[CONTROL_SIZE], uint32_t *ret_key);

/* --- peers.c --- */

/* All of them. */
extern struct peer_list peers;

void peers_init(void);
void peers_fini(void);

struct peer *peer_find(msg_pid pid);
struct peer *peer_by_key(uint32_t key);

/* Find it or make it.  NULL without memory. */
must_check struct peer *peer_get(msg_pid pid);

/* The peer has come by this connection; or it has left it. */
void peer_bind(struct peer *p, uint32_t key, const char control[CONTROL_SIZE]);
void peer_unbind(struct peer *p);

/* Forget a peer that has no route. */
void peer_free(struct peer *p);

/* --- credit.c --- */

/* What is under way to it, or waits to be sent, and was not acknowledged. */
uint64_t credit_used(const struct peer *p);

/* Is all that we have sent in its memory? */
bool credit_settled(const struct peer *p);

/* May a frame of `size` bytes be sent on this path now? */
bool credit_allows(const struct peer *p, enum path path, size_t size);

/* Count it.  Returns its seq. */
uint32_t credit_spend(struct peer *p, enum path path, size_t size);

/* A CREDIT has come.  False if it cannot be true. */
bool credit_take(struct peer *p, const void *body, size_t len);

/* Nothing is under way any more: it has arrived, or never will. */
void credit_reset(struct peer *p);

/* The same, when the connection has gone that it was under way on. */
void credit_lost(struct peer *p);

/*
 * A frame of `size` bytes has been taken, which came by this path.  False if
 * one that was sent later has been taken before.  Gives credit when half a
 * window was taken.
 */
bool credit_taken(struct peer *p, enum path path, uint32_t seq, size_t size);

/* Give what is due, if the mailbox has room. */
void credit_give(struct peer *p);

/* The frame that gives it now. */
void credit_frame(
    struct peer *p, struct proto_frame *ret_h, struct proto_credit *ret_body);

/* --- batch.c --- */

#define BATCH_MAX (48 * 1024)
/* Longer ones go alone: copying them twice costs more than is shared. */
#define ALONE_MIN (8 * 1024)

/* Is there room for a frame of `size` bytes, on this path? */
bool batch_room(const struct peer *p, enum path path, size_t size);

/* Add a frame, after what the connection or the peer is still owed. */
must_check bool batch_put(struct peer *p, enum path path,
    const struct proto_frame *h, const void *body, size_t len);

/*
 * Send what waits, if it can be sent.  True if nothing waits any more.
 * batch_flush_all(): that of all.
 */
bool batch_flush(struct peer *p);
void batch_flush_all(void);

/* Send a frame alone, when nothing waits.  0, -EAGAIN, -errno. */
must_check int batch_alone(struct peer *p, enum path path,
    struct proto_frame *h, const void *body, size_t len);

/* Forget what waits; and, when nothing does, release what was kept. */
void batch_drop(struct peer *p);
void batch_fini(void);

/*
 * Say something about the connection, without a seq, as soon as it can be; by
 * key now or never.  False: not sent.
 */
bool batch_tell(struct peer *p, enum path path, const struct proto_frame *h,
    const void *body, size_t len);

/* Ask whether all that was sent has arrived, unless it was just asked. */
void batch_barrier(struct peer *p);

/* Does nothing wait? */
bool batch_none(void);

/*
 * A frame was added: does it leave now?  It does when nothing has left for a
 * moment; else those that follow closely leave with it.
 */
void batch_settle(struct peer *p);

/* --- flusher.c --- */

void flusher_open(void);
void flusher_stop(void);

/* Have what waits sent in 100 us.  False if that is not possible. */
bool flusher_kick(void);

/* --- route.c --- */

extern struct routes {
	struct peer_list used; /* most recently used first */
	unsigned n, budget;
} routes;

void route_init(void);
void route_close(struct peer *p);

/* Has the other end gone?  Then it is closed. */
bool route_lost(struct peer *p);

/* Say good-bye before it is closed.  False when that cannot be said now. */
bool route_bye(struct peer *p);

/* Have waits end, and what waits leave, when there is room in its pipe. */
void route_watch(struct peer *p);

/* --- backlog.c --- */

/* Has it no reply to wait for?  Has none left for a while? */
bool backlog_none(const struct peer *p);
bool backlog_stuck(const struct peer *p);

/*
 * Keep a reply or signal, after those that are there.  False: there is no room,
 * of which a signal needs none but memory.
 */
bool backlog_add(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len);

/* Send what can be sent now; of all. */
void backlog_flush(struct peer *p);
void backlog_flush_all(void);

void backlog_drop(struct peer *p);

/* --- transport.c --- */

/* Send a frame now, before any backlog.  0; -EAGAIN; -ESRCH, no way; -errno. */
must_check int transport_now(
    struct peer *p, const struct proto_frame *h, const void *body, size_t len);

/* Send an EXIT or SYS, behind all that has been sent.  0, -EAGAIN, -errno. */
must_check int transport_signal_now(struct peer *p,
    const struct proto_frame *frame, const void *body, size_t len);

extern struct carrier {
	int rep, rep_fd; /* our mailbox, -1: none */
	uint8_t secret[PROTO_SECRET_SIZE];
} carrier;

/* Take in what has come back on the route to `pid`.  How many messages. */
unsigned transport_take_route(msg_pid pid);

#endif /* SRC_PIPE_H */
