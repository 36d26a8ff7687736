/* SPDX-License-Identifier: ISC */
/*
 * YAML text to nodes, by libyaml's events.  Only what JSON can say is let
 * through: no anchors, aliases, tags or merge keys, one document, every key a
 * scalar and unique.  libyaml 0.2.5 limits neither nesting nor size, so this
 * does.
 */
#include "conf/bind.h"
#include "conf/expand.h"

#include <assert.h>
#include <string.h>

#define HASH_KEYS_FROM 16 /* a map this large finds duplicates by hashing */

struct level {
	struct node *node;
	struct node *key; /* MAP: read, waiting for its value */
	struct strmap keys;
};

struct scan {
	struct load *ld;
	const struct source *src;
	struct node *root;
	uint32_t depth;
	bool failed;
	struct level level[YAML_DEPTH_MAX];
};

static uint32_t
line_of(const yaml_mark_t *m)
{
	return (uint32_t)m->line + 1;
}

static struct place
event_place(const struct scan *s, const yaml_event_t *ev)
{
	struct place p = { s->src, line_of(&ev->start_mark),
		(uint32_t)ev->start_mark.column + 1, 0 };

	if (ev->end_mark.line == ev->start_mark.line)
		p.end_col = (uint32_t)ev->end_mark.column + 1;
	return p;
}

/* An error after which the rest of the file still makes sense. */
#define COMPLAIN(s, ev, ...)                                                   \
	diag_error_at(&(s)->ld->diag, event_place(s, ev), __VA_ARGS__)

/* An error that ends the scan. */
#define FAIL(s, ev, ...)                                                       \
	do {                                                                   \
		(s)->failed = true;                                            \
		COMPLAIN(s, ev, __VA_ARGS__);                                  \
	} while (0)

static struct node *
new_node(struct scan *s, const yaml_event_t *ev, enum node_kind kind)
{
	struct place p = event_place(s, ev);
	struct node *n;

	if (++s->ld->n_values > YAML_NODES_MAX) {
		FAIL(s, ev, "more than %u values in all files", YAML_NODES_MAX);
		return NULL;
	}
	n = arena_zalloc(s->ld->arena, sizeof(*n));
	n->kind = kind;
	n->src = s->src;
	n->line = p.line;
	n->col = p.col;
	n->end_col = kind == NODE_SCALAR ? p.end_col : p.col + 1;
	return n;
}

/* The key as it was seen before in this map, or NULL. */
static const struct node *
find_duplicate(struct scan *s, struct level *l, struct node *key)
{
	struct node *v;

	if (l->node->n < HASH_KEYS_FROM) {
		v = node_get(l->node, key->text);
		return v == NULL ? NULL : v->key;
	}
	if (l->keys.cap == 0) {
		l->keys.arena = s->ld->arena;
		for (v = l->node->first; v != NULL; v = v->next)
			strmap_put(&l->keys, v->key->text, v->key);
	}
	if (strmap_get(&l->keys, key->text) == NULL) {
		strmap_put(&l->keys, key->text, key);
		return NULL;
	}
	return strmap_get(&l->keys, key->text);
}

static void
take_key(
    struct scan *s, const yaml_event_t *ev, struct level *l, struct node *key)
{
	const struct node *first;

	if (key->kind != NODE_SCALAR) {
		FAIL(s, ev, "a key must be a single word, not %s",
		    node_kind_text(key));
		return;
	}
	l->key = key;
	if (key->plain && strcmp(key->text, "<<") == 0) {
		COMPLAIN(
		    s, ev, "merge keys (<<) are not allowed; use `defaults`");
		key->bad = true;
		return;
	}
	first = find_duplicate(s, l, key);
	if (first != NULL) {
		COMPLAIN(s, ev, "duplicate key %s (first given at %s:%u:%u)",
		    diag_quote(&s->ld->diag, key->text), s->src->path,
		    first->line, first->col);
		key->bad = true;
	}
}

/* A node is complete so far: hang it where it belongs. */
static void
place_node(struct scan *s, const yaml_event_t *ev, struct node *n)
{
	struct level *l;

	if (s->depth == 0) {
		s->root = n;
		return;
	}
	l = &s->level[s->depth - 1];
	if (l->node->kind == NODE_LIST) {
		node_append(l->node, n);
		return;
	}
	if (l->key == NULL) {
		take_key(s, ev, l, n);
		return;
	}
	n->key = l->key;
	l->key = NULL;
	node_append(l->node, n);
}

static void
refuse_anchor_tag(struct scan *s, const yaml_event_t *ev,
    const yaml_char_t *anchor, const yaml_char_t *tag)
{
	if (anchor != NULL)
		COMPLAIN(s, ev, "anchors (&%s) are not allowed; use `defaults`",
		    (const char *)anchor);
	if (tag != NULL)
		COMPLAIN(s, ev,
		    "tags (%s) are not allowed: the key decides "
		    "the type",
		    (const char *)tag);
}

static void
scan_scalar(struct scan *s, const yaml_event_t *ev)
{
	const char *text = (const char *)ev->data.scalar.value;
	size_t len = ev->data.scalar.length;
	struct node *n;

	refuse_anchor_tag(s, ev, ev->data.scalar.anchor, ev->data.scalar.tag);
	if (memchr(text, '\0', len) != NULL) {
		FAIL(s, ev, "a NUL character is not allowed");
		return;
	}
	n = new_node(s, ev, NODE_SCALAR);
	if (n == NULL)
		return;
	n->plain = ev->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	n->text = arena_strndup(s->ld->arena, text, len);
	place_node(s, ev, n);
}

/* Stands for the alias, so that the rest can be checked. */
static void
scan_alias(struct scan *s, const yaml_event_t *ev)
{
	struct node *n;

	COMPLAIN(s, ev, "aliases (*%s) are not allowed; use `defaults`",
	    (const char *)ev->data.alias.anchor);
	n = new_node(s, ev, NODE_SCALAR);
	if (n == NULL)
		return;
	n->text = "";
	n->bad = true;
	place_node(s, ev, n);
}

static void
open_level(struct scan *s, const yaml_event_t *ev, enum node_kind kind)
{
	struct node *n;

	if (s->depth == YAML_DEPTH_MAX) {
		FAIL(s, ev, "nested deeper than %d levels", YAML_DEPTH_MAX);
		return;
	}
	n = new_node(s, ev, kind);
	if (n == NULL)
		return;
	place_node(s, ev, n);
	s->level[s->depth++] = (struct level){ .node = n };
}

static void
scan_event(struct scan *s, const yaml_event_t *ev)
{
	switch (ev->type) {
	case YAML_ALIAS_EVENT:
		scan_alias(s, ev);
		break;
	case YAML_SCALAR_EVENT:
		scan_scalar(s, ev);
		break;
	case YAML_SEQUENCE_START_EVENT:
		refuse_anchor_tag(s, ev, ev->data.sequence_start.anchor,
		    ev->data.sequence_start.tag);
		open_level(s, ev, NODE_LIST);
		break;
	case YAML_MAPPING_START_EVENT:
		refuse_anchor_tag(s, ev, ev->data.mapping_start.anchor,
		    ev->data.mapping_start.tag);
		open_level(s, ev, NODE_MAP);
		break;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		assert(s->depth > 0);
		s->depth--;
		break;
	case YAML_DOCUMENT_START_EVENT:
		if (s->root != NULL)
			FAIL(s, ev, "a second document is not allowed");
		break;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		break;
	}
}

/* libyaml's own complaint: a reader's error has an offset, others a mark. */
static void
parser_error(struct scan *s)
{
	const yaml_parser_t *p = &s->ld->parser;
	const char *problem = p->problem == NULL ? "not YAML" : p->problem;
	struct place at = { s->src, line_of(&p->problem_mark),
		(uint32_t)p->problem_mark.column + 1, 0 };
	size_t i;

	s->failed = true;
	if (p->error == YAML_MEMORY_ERROR)
		arena_oom(s->ld->arena);
	if (p->error == YAML_READER_ERROR) {
		at.line = at.col = 1;
		for (i = 0; i < p->problem_offset && i < s->src->len; i++) {
			at.line += s->src->text[i] == '\n';
			at.col = s->src->text[i] == '\n' ? 1 : at.col + 1;
		}
	}
	at.end_col = at.col + 1;
	if (p->context != NULL)
		diag_error_at(&s->ld->diag, at, "%s, %s (from line %u)",
		    problem, p->context, line_of(&p->context_mark));
	else
		diag_error_at(&s->ld->diag, at, "%s", problem);
}

static void
run(struct scan *s)
{
	struct load *ld = s->ld;
	yaml_event_type_t type;

	do {
		if (!yaml_parser_parse(&ld->parser, &ld->event)) {
			parser_error(s);
			return;
		}
		ld->has_event = true;
		type = ld->event.type;
		scan_event(s, &ld->event);
		yaml_event_delete(&ld->event);
		ld->has_event = false;
	} while (type != YAML_STREAM_END_EVENT && !s->failed);
}

struct node *
scan_source(struct load *ld, const struct source *src)
{
	struct scan *s = arena_zalloc(ld->arena, sizeof(*s));

	s->ld = ld;
	s->src = src;
	if (!yaml_parser_initialize(&ld->parser))
		arena_oom(ld->arena);
	ld->has_parser = true;
	yaml_parser_set_encoding(&ld->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(
	    &ld->parser, (const unsigned char *)src->text, src->len);
	run(s);
	yaml_parser_delete(&ld->parser);
	ld->has_parser = false;
	if (s->failed || s->root == NULL)
		return NULL;
	expand_tree(ld, s->root);
	return s->root;
}
