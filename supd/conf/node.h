/* SPDX-License-Identifier: ISC */
#ifndef CONF_NODE_H
#define CONF_NODE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What the scanner makes of a file: scalars, lists and maps, each with the
 * place it came from, so that every later message can point at it.  Lines and
 * columns count from 1; columns count characters, not bytes.
 */

struct source {
	const char *path; /* as in messages */
	const char *dir;  /* prefix for what it names relatively: "" or "a/" */
	const char *abs_dir; /* the same, absolute; NULL: text without a file */
	const char *text;
	size_t len;
	uint32_t seq;   /* order of reading: messages are sorted by it */
	uint32_t depth; /* 0: the main file; +1 an include */
	const struct source *up; /* the file that includes it */
	dev_t dev;
	ino_t ino;
};

enum node_kind { NODE_SCALAR, NODE_LIST, NODE_MAP };

struct node {
	enum node_kind kind;
	bool plain;       /* scalar without quotes */
	bool dollar;      /* text holds $$ or ${instance}: see expand.h */
	bool in_defaults; /* it reached a worker through `defaults` */
	bool bad;         /* reported already: say it once */
	uint32_t line, col;
	uint32_t end_col; /* one behind; 0: it ends on another line */
	uint32_t n;       /* LIST, MAP: elements */
	const struct source *src;
	const char *text; /* SCALAR; never NULL */
	struct node *key; /* of an element of a map */
	struct node *first, *last, *next;
};

/* Append to a list, or to a map an element whose key is set. */
void node_append(struct node *parent, struct node *child);

/* The value under `key` in a map, or NULL. */
struct node *node_get(const struct node *map, const char *key);

/* "a list", "a map", "a value". */
const char *node_kind_text(const struct node *n);

struct arena;

/* An independent copy, with its sources' names, in another arena. */
struct node *node_dup(struct arena *a, const struct node *n);

#endif /* CONF_NODE_H */
