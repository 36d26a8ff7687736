/* SPDX-License-Identifier: ISC */
#ifndef PROTO_PROTO_H
#define PROTO_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What libmsg, the bus and the workers say to each other: one frame format on
 * two carriers.  A nanomsg message is a batch of frames, each 8-byte aligned;
 * a lifeline packet (SOCK_SEQPACKET) is one frame.  Little endian.  Nothing
 * here trusts its input: proto_next() checks every length before use.
 */

#define PROTO_VERSION 1

/* A libmsg pid: 24 bits of slot, 40 of incarnation.  0 is nobody. */
#define PROTO_PID(slot, inc) ((uint64_t)(slot) << 40 | ((inc)&0xffffffffffu))
#define PROTO_PID_SLOT(pid)  ((uint32_t)((pid) >> 40))
#define PROTO_PID_INC(pid)   ((pid)&UINT64_C(0xffffffffff))
/* Guests of the control socket: slot 0xffffff, inc counts guests. */
#define PROTO_GUEST_SLOT 0xffffffu

enum proto_type {
	/*
	 * Between workers (and, relayed, guests).  HELLO and BARRIER go ahead
	 * of what they are about; CREDIT and the answer to a BARRIER come back
	 * on the connection that brought the data, by its key.
	 */
	PROTO_DATA = 1,
	PROTO_CALL,  /* ref: to be returned in the REPLY */
	PROTO_REPLY, /* ref; PROTO_ERROR: the body is a text */
	PROTO_CAST,
	PROTO_HELLO,   /* first frame of a connection; ref: proto_proof() */
	PROTO_CREDIT,  /* struct proto_credit: what the mailbox has taken */
	PROTO_BARRIER, /* ref; returned with PROTO_ACK when all before it on
	                  this connection was taken, after a CREDIT if one is
	                  due */
	PROTO_BYE,     /* last frame of a connection; seq: of the last frame */
	PROTO_SHM,     /* reserved */

	/* Lifeline, worker -> bus.  ref returns in the answer. */
	PROTO_JOIN = 32,  /* struct proto_join -> PROTO_WELCOME */
	PROTO_READY,      /* no body */
	PROTO_REGISTER,   /* body: name -> PROTO_RESULT */
	PROTO_UNREGISTER, /* body: name -> PROTO_RESULT */
	PROTO_RESOLVE,    /* to: pid, or body: name or path -> PROTO_RESOLVED */
	PROTO_MONITOR,    /* to: pid, or body: name; ref -> PROTO_DOWN, once */
	PROTO_DEMONITOR,  /* ref of the monitor */
	PROTO_REASON,     /* body: the declared exit reason, before exit();
	                     ref != 0 -> PROTO_RESULT when supd has it */
	PROTO_ALIVE,      /* no body: a sign of life, for `heartbeat` */
	PROTO_UNWELL,     /* no body: it cannot go on as it should */
	PROTO_LINK,       /* to: pid -> PROTO_RESULT; ESRCH: it has ended */
	PROTO_UNLINK,     /* to: pid; no answer */
	PROTO_TRAP,       /* ref: 1 it traps exits, 0 it does not */
	PROTO_SPAWN,      /* body: msgpack [pool, [argument ...]]; flags
	                     PROTO_WITH_LINK, PROTO_WITH_MONITOR (ref becomes the
	                     monitor's) -> PROTO_ANSWER with the pid */
	PROTO_CONTROL,    /* body: msgpack [method, params]: the control
	                     protocol, within `allow` -> PROTO_ANSWER */
	PROTO_STATS,      /* struct proto_stats: once a second at most */
	PROTO_TRACE,      /* body: msgpack map: a traced message */
	PROTO_REPORT,     /* to: who sent malformed frames; ref: how many */
	PROTO_OPENED,     /* no body: its mailbox is bound, others may be told
	                     the way (any frame after JOIN says so) */

	/* Lifeline, bus -> worker. */
	PROTO_WELCOME = 64, /* struct proto_welcome */
	PROTO_RESULT,       /* ref; struct proto_result */
	PROTO_RESOLVED,     /* ref; struct proto_resolved */
	PROTO_DOWN,         /* ref, from: who ended; body: reason text */
	PROTO_GONE,         /* from: an incarnation once resolved, or that has
	                       resolved us, has ended */
	PROTO_LINKED,       /* from: there is now a link with it */
	PROTO_UNLINKED,     /* from: and now there is not */

	/* Lifeline, both ways; the bus passes them on. */
	PROTO_EXIT = 96, /* from, to; body: reason text.  An exit signal: by
	                    msg_exit_to(), with seq the last that the sender
	                    sent to this receiver on the data plane; by a link
	                    with PROTO_VIA_LINK; or supd's order to stop, from
	                    PROTO_SUPERVISOR */
	PROTO_SYS,       /* from, to, ref; body: msgpack [op, argument ...];
	                    of a worker with seq, as EXIT has: it keeps its
	                    place behind what was sent -> PROTO_ANSWER */
	PROTO_ANSWER,    /* to, ref; msgpack, or with PROTO_ERROR a text and in
	                    tag the errno; PROTO_MORE: another follows */
};

/* flags: low 4 bits say what the body is. */
#define PROTO_CONTENT_MASK 0x000fu
enum proto_content {
	PROTO_BYTES,   /* opaque */
	PROTO_MSGPACK, /* one msgpack value */
};
#define PROTO_ERROR        0x0100u /* REPLY, ANSWER: the body is an error text */
#define PROTO_VIA_LINK     0x0200u /* EXIT: because of a link */
#define PROTO_WITH_LINK    0x0200u /* SPAWN */
#define PROTO_WITH_MONITOR 0x0400u /* SPAWN */
#define PROTO_MORE         0x0800u /* ANSWER: to be continued */
#define PROTO_ACK          0x1000u /* BARRIER: the answer, not the question */
#define PROTO_BEHIND       0x2000u /* DATA ...: an EXIT was sent before it */

struct proto_frame {
	uint8_t version;
	uint8_t type; /* enum proto_type */
	uint16_t flags;
	uint32_t length; /* of header and body, without the padding */
	uint64_t to;
	uint64_t from;
	uint64_t ref;
	uint32_t seq; /* DATA, CALL, REPLY, CAST on the data plane: counts them
	                 for this sender and receiver, from 1, on whichever
	                 path; else 0 */
	uint32_t tag; /* free for the user */
};

#define PROTO_HEADER_SIZE 40
_Static_assert(sizeof(struct proto_frame) == PROTO_HEADER_SIZE, "wire format");

#define PROTO_LIFELINE_MAX (64 * 1024)        /* largest lifeline frame */
#define PROTO_MESSAGE_MAX  (16 * 1024 * 1024) /* largest nanomsg frame */
/* Largest batch: beyond it nanomsg drops the connection. */
#define PROTO_BATCH_MAX    (PROTO_MESSAGE_MAX + 1024 * 1024)
#define PROTO_NAME_MAX     63
#define PROTO_REASON_MAX   63 /* longest exit reason */
#define PROTO_PATH_MAX     1024
#define PROTO_ENDPOINT_MAX 104 /* "ipc://..." that fits sun_path */
#define PROTO_SECRET_SIZE  16

/* Marks the ref of a monitor that libmsg has set, not the program. */
#define PROTO_REF_OWN (UINT64_C(1) << 63)

/* supd itself, on behalf of a worker's supervisor. */
#define PROTO_SUPERVISOR PROTO_PID(PROTO_GUEST_SLOT, 0)

struct proto_join {
	int32_t os_pid;
	uint32_t zero;
};

/* What a mailbox does with a message that is one too many. */
enum proto_on_full { PROTO_BLOCK, PROTO_DROP, PROTO_KILL };

struct proto_welcome {
	uint64_t self;                     /* the worker's pid */
	char endpoint[PROTO_ENDPOINT_MAX]; /* where to bind the mailbox */
	char path[PROTO_PATH_MAX];
	uint8_t secret[PROTO_SECRET_SIZE]; /* who connects proves himself */
	uint64_t max_bytes;                /* of the mailbox; 0: unbounded */
	uint32_t on_full;                  /* enum proto_on_full */
	uint32_t zero;
};

/*
 * How much may be under way, not covered by a CREDIT: on a route, and back by
 * the key of a connection, where nanomsg drops in silence what finds no room.
 * The receiver gives a CREDIT when half of it was taken since the last, so
 * while half of it or less is under way, one more frame of any length may go.
 */
#define PROTO_WINDOW     (256 * 1024) /* bytes */
#define PROTO_KEY_WINDOW (64 * 1024)  /* bytes, */
#define PROTO_KEY_FRAMES 64           /* and frames */

/* What a mailbox has taken from one sender, on either path, since ever. */
struct proto_credit {
	uint64_t bytes; /* frames with a seq, each with its padding */
	uint32_t seq;   /* the last */
	uint32_t zero;
};

/* Counted since the worker joined; queued_: in the mailbox now. */
struct proto_stats {
	uint64_t sent, received;
	uint64_t queued, queued_bytes;
	uint64_t dropped; /* by on_full */
	uint64_t bad;     /* malformed, or not for us */
};

struct proto_result {
	int32_t error; /* errno; 0 done */
	uint32_t zero;
};

struct proto_resolved {
	uint64_t pid;  /* 0: nobody (noproc) */
	int32_t error; /* it lives, but has no endpoint for us: EACCES, send by
	                  the lifeline; ENOTCONN, it takes no messages */
	uint32_t zero;
	uint64_t proof; /* for the HELLO */
	char endpoint[PROTO_ENDPOINT_MAX];
};

/*
 * Take the next frame of a batch of `len` bytes at `p`, beginning at *pos.
 * Returns true and the frame (aligned copy of the header in *ret_h, body
 * borrowed) and moves *pos; false at the end, with *pos == len, or when what
 * follows is malformed, with *pos < len.  max: longest frame accepted.
 */
bool proto_next(const void *p, size_t len, size_t *pos, size_t max,
    struct proto_frame *ret_h, const void **ret_body, size_t *ret_body_len);

/*
 * Write one frame with its padding to `out` of `cap` bytes.  Returns its
 * padded size, or 0 if it does not fit.  h->version and h->length are set
 * here.  With out == NULL, only the size.
 */
size_t proto_put(void *out, size_t cap, const struct proto_frame *h,
    const void *body, size_t body_len);

/*
 * What `from` shows to prove to `to` that supd has told it the way: the first 8
 * bytes, little endian, of SHA-256 over the secret of `to`, then `from` and
 * `to` as they stand in a frame.  Never 0.
 */
uint64_t proto_proof(
    const uint8_t secret[PROTO_SECRET_SIZE], uint64_t from, uint64_t to);

#endif /* PROTO_PROTO_H */
