/* SPDX-License-Identifier: ISC */
#ifndef BUS_NAMES_H
#define BUS_NAMES_H

#include "base/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/tree.h>

/*
 * Registered names, rule P-10: a name stands for one incarnation, an
 * incarnation has at most one, and it is free again before anybody hears of
 * the death.  Only a worker itself registers and gives up its name; those that
 * its configuration gives it come on top and stay to its end.  A client
 * of the control socket is like an incarnation.
 */

struct bus;
struct client;
struct peer;

struct name {
	RB_ENTRY(name) entry;
	struct peer *peer; /* whose it is: one of the two */
	struct client *client;
	struct name *next; /* of those that a configuration gives it */
	const char *text;  /* data; a search key's own */
	char data[];
};

RB_HEAD(name_tree, name);

struct names {
	struct name_tree tree;
};

/*
 * Returns 0; -EEXIST: taken; -EALREADY: it has another name; -EINVAL: empty,
 * not UTF-8, or with control characters or '/' (that is a path);
 * -ENAMETOOLONG: beyond PROTO_NAME_MAX; -ENOMEM.
 */
must_check int names_register(
    struct bus *b, struct peer *p, const char *text, size_t len);

/* Returns 0, -ENOENT: no such name, or -EPERM: another's. */
must_check int names_unregister(
    struct bus *b, struct peer *p, const char *text);

/* The key `register`: one more name; as names_register(). */
must_check int names_stand(struct bus *b, struct peer *p, const char *text);

/* Forget what p has registered. */
void names_purge(struct bus *b, struct peer *p);

/* The same for clients. */
must_check int names_register_guest(
    struct bus *b, struct client *c, const char *text, size_t len);
must_check int names_unregister_guest(
    struct bus *b, struct client *c, const char *text);
void names_purge_guest(struct bus *b, struct client *c);

/* The worker, or the client, of that name; NULL if there is none. */
struct peer *names_find(struct bus *b, const char *text);
struct client *names_find_guest(struct bus *b, const char *text);

/* Up to `max` names and paths like `text`, joined by ", "; "" if none. */
void names_like(struct bus *b, const char *text, char *out, size_t len);

RB_PROTOTYPE(name_tree, name, entry, name_cmp);

#endif /* BUS_NAMES_H */
