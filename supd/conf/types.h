/* SPDX-License-Identifier: ISC */
#ifndef CONF_TYPES_H
#define CONF_TYPES_H

#include "conf/bind.h"

/* What the binders of types.c and probe.c have in common. */

struct target {
	struct load *ld;
	const struct key *k;
	const struct node *n;
	void *at; /* base + k->at */
	void *base;
};

/* An error at n: `shutdown: "5" needs a unit: ms, s, m or h` */
void type_say_why(const struct target *t, const struct node *n,
    const char *text, const char *why);

/* The only entry of a map such as {tcp: A}, or NULL and an error. */
const struct node *type_only_entry(const struct target *t, const char *forms);

/* wishes.c: names or paths of others */
void wishes_bind(const struct target *t);

/* Whether the value is the word that takes back what `defaults` say. */
bool type_is_off(const struct target *t);

/*
 * Bind the keys inside a map, such as those of `log`.  False and an error if
 * it is not a map; `like` is then shown as an example.
 */
bool type_bind_inside(const struct target *t, const char *like);

/* probe.c: the keys `ready` and `health`, and what is inside `health` */
void probe_bind_ready(const struct target *t);
void probe_bind_health(const struct target *t);
void probe_bind_address(const struct target *t);
void probe_bind_url(const struct target *t);

#endif /* CONF_TYPES_H */
