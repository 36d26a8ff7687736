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
	/* Between workers (and, relayed, guests). */
	PROTO_DATA = 1,
	PROTO_CALL, /* ref: to be returned in the REPLY */
	PROTO_REPLY,
	PROTO_CAST,
	PROTO_HELLO, /* first frame of a nanomsg connection */
	PROTO_CREDIT,
	PROTO_BARRIER,
	PROTO_BYE,
	PROTO_SHM,

	/* Lifeline, worker -> bus.  ref returns in the answer. */
	PROTO_JOIN = 32,  /* struct proto_join -> PROTO_WELCOME */
	PROTO_READY,      /* no body */
	PROTO_REGISTER,   /* body: name -> PROTO_RESULT */
	PROTO_UNREGISTER, /* body: name -> PROTO_RESULT */
	PROTO_RESOLVE,    /* to: pid, or body: name or path -> PROTO_RESOLVED */
	PROTO_MONITOR,    /* to: pid, or body: name; ref -> PROTO_DOWN, once */
	PROTO_DEMONITOR,  /* ref of the monitor */
	PROTO_REASON,     /* body: the declared exit reason, before exit() */
	PROTO_ALIVE,      /* no body: a sign of life, for `heartbeat` */
	PROTO_UNWELL,     /* no body: it cannot go on as it should */

	/* Lifeline, bus -> worker. */
	PROTO_WELCOME = 64, /* struct proto_welcome */
	PROTO_RESULT,       /* ref; struct proto_result */
	PROTO_RESOLVED,     /* ref; struct proto_resolved */
	PROTO_DOWN,         /* ref, from: who ended; body: reason text */
	PROTO_GONE,         /* from: an incarnation once resolved has ended */
	PROTO_EXIT,         /* from, body: an exit signal (reason text) */
};

/* flags: low 4 bits say what the body is. */
#define PROTO_CONTENT_MASK 0x000fu
enum proto_content {
	PROTO_BYTES,   /* opaque */
	PROTO_MSGPACK, /* one msgpack value */
};
#define PROTO_ERROR 0x0100u /* REPLY: the body is an error text */

struct proto_frame {
	uint8_t version;
	uint8_t type; /* enum proto_type */
	uint16_t flags;
	uint32_t length; /* of header and body, without the padding */
	uint64_t to;
	uint64_t from;
	uint64_t ref;
	uint32_t seq; /* per sender and receiver, for the order check */
	uint32_t tag; /* free for the user */
};

#define PROTO_HEADER_SIZE 40
_Static_assert(sizeof(struct proto_frame) == PROTO_HEADER_SIZE, "wire format");

#define PROTO_LIFELINE_MAX (64 * 1024)   /* largest lifeline frame */
#define PROTO_MESSAGE_MAX  (1024 * 1024) /* largest nanomsg frame */
#define PROTO_NAME_MAX     64
#define PROTO_PATH_MAX     1024
#define PROTO_ENDPOINT_MAX 104 /* "ipc://..." that fits sun_path */

struct proto_join {
	int32_t os_pid;
	uint32_t zero;
};

struct proto_welcome {
	uint64_t self;                     /* the worker's pid */
	char endpoint[PROTO_ENDPOINT_MAX]; /* where to bind the mailbox */
	char path[PROTO_PATH_MAX];
};

struct proto_result {
	int32_t error; /* errno; 0 done */
	uint32_t zero;
};

struct proto_resolved {
	uint64_t pid;  /* 0: nobody (noproc) */
	int32_t error; /* errno when it exists but cannot be reached directly */
	uint32_t zero;
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

#endif /* PROTO_PROTO_H */
