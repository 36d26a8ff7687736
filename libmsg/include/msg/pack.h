/* SPDX-License-Identifier: ISC */
#ifndef MSG_PACK_H
#define MSG_PACK_H

#include <msg/msg.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Bodies as msgpack: a builder and a reader, enough for the convention that a
 * request is [tag, argument ...], as in ["increment"] or ["add", 3].
 *
 *	struct msg_pack p;
 *
 *	msg_pack_init(&p);
 *	msg_pack_array(&p, 2);
 *	msg_pack_str(&p, "add");
 *	msg_pack_int(&p, 3);
 *	r = msg_pack_call_name("counter", &p, -1, &reply);
 *	msg_pack_fini(&p);
 */

#ifdef __cplusplus
extern "C" {
#endif

/*
 * A value being built.  An allocation that fails sets `failed`, and what is
 * added later is dropped; sending it then gives -ENOMEM.  Strings are UTF-8.
 */
struct msg_pack {
	char *data;
	size_t len;
	size_t cap;
	bool failed;
};

void msg_pack_init(struct msg_pack *p);
void msg_pack_fini(struct msg_pack *p);

/* An array is followed by n values, a map by n pairs of them. */
void msg_pack_array(struct msg_pack *p, uint32_t n);
void msg_pack_map(struct msg_pack *p, uint32_t n);
void msg_pack_nil(struct msg_pack *p);
void msg_pack_bool(struct msg_pack *p, bool v);
void msg_pack_int(struct msg_pack *p, int64_t v);
void msg_pack_uint(struct msg_pack *p, uint64_t v);
void msg_pack_double(struct msg_pack *p, double v);
void msg_pack_str(struct msg_pack *p, const char *text);
void msg_pack_str_len(struct msg_pack *p, const char *text, size_t len);
void msg_pack_bin(struct msg_pack *p, const void *data, size_t len);

/*
 * Add a value that is msgpack already: what another msg_pack built, or
 * msg_unpack_raw() gave.  If it is not one whole value, sets `failed`.
 */
void msg_pack_raw(struct msg_pack *p, const void *data, size_t len);

/* Send, call, reply with it: as the functions of <msg/msg.h>, or -ENOMEM. */
int msg_pack_send(msg_pid to, const struct msg_pack *p);
int msg_pack_send_name(const char *name, const struct msg_pack *p);
int msg_pack_call(
    msg_pid to, const struct msg_pack *p, int timeout_ms, struct msg *ret);
int msg_pack_call_name(const char *name, const struct msg_pack *p,
    int timeout_ms, struct msg *ret_reply);
int msg_pack_reply(const struct msg *call, const struct msg_pack *p);

/* Deepest nesting that is read. */
#define MSG_PACK_DEPTH_MAX 32

enum msg_type {
	MSG_TYPE_END, /* nothing is left */
	MSG_TYPE_NIL,
	MSG_TYPE_BOOL,
	MSG_TYPE_INT,  /* fits int64_t */
	MSG_TYPE_UINT, /* larger than INT64_MAX */
	MSG_TYPE_DOUBLE,
	MSG_TYPE_STR,
	MSG_TYPE_BIN,
	MSG_TYPE_EXT,
	MSG_TYPE_ARRAY,
	MSG_TYPE_MAP,
};

/* A place in a body, which must outlive it.  Values are taken in order. */
struct msg_unpack {
	const unsigned char *at;
	const unsigned char *end;
};

/*
 * Is this exactly one msgpack value, no deeper than MSG_PACK_DEPTH_MAX, whose
 * lengths and counts are all covered by bytes that are there?  O(len), no
 * memory.  (Five bytes may claim four thousand million elements.)
 * Returns 0 or -EBADMSG.
 */
int msg_unpack_check(const void *body, size_t len);

/*
 * Begin to read a body; checks it first, so everything after is safe.
 * -EBADMSG: it is no msgpack.
 */
int msg_unpack_init(struct msg_unpack *u, const void *body, size_t len);

enum msg_type msg_unpack_type(const struct msg_unpack *u);

/*
 * Take the next value: 0, or -EBADMSG when it is of another type, and then it
 * is not taken.  Strings are borrowed from the body and end without NUL.
 * msg_unpack_array() and _map() enter; msg_unpack_skip() takes a whole value.
 */
int msg_unpack_array(struct msg_unpack *u, uint32_t *ret_n);
int msg_unpack_map(struct msg_unpack *u, uint32_t *ret_n);
int msg_unpack_nil(struct msg_unpack *u);
int msg_unpack_bool(struct msg_unpack *u, bool *ret_v);
int msg_unpack_int(struct msg_unpack *u, int64_t *ret_v);
int msg_unpack_uint(struct msg_unpack *u, uint64_t *ret_v);
int msg_unpack_double(struct msg_unpack *u, double *ret_v);
int msg_unpack_str(
    struct msg_unpack *u, const char **ret_text, size_t *ret_len);
int msg_unpack_bin(
    struct msg_unpack *u, const void **ret_data, size_t *ret_len);
int msg_unpack_skip(struct msg_unpack *u);
/* A whole value of any type as it stands, borrowed. */
int msg_unpack_raw(
    struct msg_unpack *u, const void **ret_data, size_t *ret_len);

/* Longest tag that msg_unpack_tag() gives. */
#define MSG_TAG_MAX 63

/*
 * Read a message's [tag, argument ...]: the tag as a C string, and in `u` the
 * arguments.  Returns how many they are, or -EBADMSG when the body is nothing
 * of that kind.
 */
int msg_unpack_tag(
    const struct msg *m, struct msg_unpack *u, char ret_tag[MSG_TAG_MAX + 1]);

#ifdef __cplusplus
}
#endif

#endif /* MSG_PACK_H */
