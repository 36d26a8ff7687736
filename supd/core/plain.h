/* SPDX-License-Identifier: ISC */
#ifndef CORE_PLAIN_H
#define CORE_PLAIN_H

/*
 * Plain data as bytes.  The bytes between the fields of *p hold what was there
 * before; set them to zero, so that equal values are equal bytes.  Where the
 * compiler cannot, images and records are as good, but not comparable.
 */
#if defined(__has_builtin)
#if __has_builtin(__builtin_clear_padding)
#define CLEAR_PADDING(p) __builtin_clear_padding(p)
#define PLAIN_IS_EXACT   1 /* equal values are equal bytes */
#endif
#endif
#ifndef CLEAR_PADDING
#define CLEAR_PADDING(p) ((void)(p))
#define PLAIN_IS_EXACT   0
#endif

#endif /* CORE_PLAIN_H */
