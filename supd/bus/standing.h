/* SPDX-License-Identifier: ISC */
#ifndef BUS_STANDING_H
#define BUS_STANDING_H

struct peer;

/*
 * What the keys `register`, `link` and `monitor` make of a worker among the
 * others.  They say what is to be whenever both run: a link or monitor is made
 * anew with each incarnation of either.
 */

/* p's wishes are others now. */
void standing_changed(struct peer *p);

/* p's incarnation is live: its names are its own, its links are made. */
void standing_begin(struct peer *p);

/* p has joined: it can be told of the ends that it wants to hear of. */
void standing_joined(struct peer *p);

/* p can be found under one more name. */
void standing_named(struct peer *p);

/* p is freed. */
void standing_free(struct peer *p);

#endif /* BUS_STANDING_H */
