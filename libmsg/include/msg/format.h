/* SPDX-License-Identifier: ISC */
#ifndef MSG_FORMAT_H
#define MSG_FORMAT_H

#include <msg/msg.h>
#include <msg/pack.h>

#include <stdbool.h>

/*
 * Bodies in the words of printf(3) and scanf(3), whose arguments the compiler
 * checks.  A request is [word, argument ...]:
 *
 *	r = msg_callf_name("shop", -1, &reply, "sell %s %d", "tea", 3);
 *
 * and the shop understands it by
 *
 *	if (msg_match(call, "sell %63s %d", what, &n))
 *
 * In a format, blanks separate values; "[" and "]" enclose an array, "{" and
 * "}" the pairs of a map; digits are a number, and what else has no "%" is a
 * text, as it stands.
 *
 * To write:  %d %i %u, with hh h l ll j z t, an integer, but %hhd a truth
 *            value; %f a double; %s a text, NULL is nil; %.*s a text of that
 *            length; %p a struct msg_pack *: the value in it.
 * To read:   %d %i %u, with the same lengths, an integer that fits, or a truth
 *            value; %f %lf any number; %15s a text of at most 15 bytes, for 16
 *            with the NUL (a longer one does not fit); %*s anything, not
 *            stored; "..." at the end of an array whatever else is in it.
 */

#ifdef __cplusplus
extern "C" {
#endif

#define MSG_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define MSG_SCANF(fmt, args)  __attribute__((format(scanf, fmt, args)))

/* Add these values.  A format that cannot be understood: `failed`. */
void msg_packf(struct msg_pack *p, const char *fmt, ...) MSG_PRINTF(2, 3);

/*
 * Send, cast, call with the array of these values: as the functions of
 * <msg/msg.h>, or -ENOMEM.
 */
int msg_sendf(msg_pid to, const char *fmt, ...) MSG_PRINTF(2, 3);
int msg_sendf_name(const char *name, const char *fmt, ...) MSG_PRINTF(2, 3);
int msg_castf(msg_pid to, const char *fmt, ...) MSG_PRINTF(2, 3);
int msg_castf_name(const char *name, const char *fmt, ...) MSG_PRINTF(2, 3);
int msg_callf(msg_pid to, int timeout_ms, struct msg *ret_reply,
    const char *fmt, ...) MSG_PRINTF(4, 5);
int msg_callf_name(const char *name, int timeout_ms, struct msg *ret_reply,
    const char *fmt, ...) MSG_PRINTF(4, 5);

/* Reply with one value ("[%d %d]" is one), or nil if there is none. */
int msg_replyf(const struct msg *call, const char *fmt, ...) MSG_PRINTF(2, 3);

/*
 * Is the body an array of just these values?  True, and they are stored.  When
 * it is false, some may have been stored.
 */
bool msg_match(const struct msg *m, const char *fmt, ...) MSG_SCANF(2, 3);

/* Is the body just this value? */
bool msg_value(const struct msg *m, const char *fmt, ...) MSG_SCANF(2, 3);

#ifdef __cplusplus
}
#endif

#endif /* MSG_FORMAT_H */
