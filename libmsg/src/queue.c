/* SPDX-License-Identifier: ISC */
#include "queue.h"

#include <stdlib.h>
#include <string.h>

void
queue_init(struct queue *q, uint64_t first_ref)
{
	*q = (struct queue){ .first_ref = first_ref, .last_ref = first_ref };
	TAILQ_INIT(&q->items);
	hash_init(&q->by_ref);
}

void
queue_fini(struct queue *q)
{
	struct item *it;

	while ((it = queue_take_first(q)) != NULL)
		free(it);
	hash_fini(&q->by_ref);
}

uint64_t
queue_ref(struct queue *q)
{
	return ++q->last_ref;
}

struct item *
item_new(enum msg_kind kind, const struct proto_frame *h, const void *body,
    size_t len)
{
	struct item *it = malloc(sizeof(*it) + len + 1);

	if (it == NULL)
		return NULL;
	it->kind = (uint8_t)kind;
	it->indexed = it->response = it->relayed = false;
	it->h = *h;
	it->len = len;
	if (len > 0)
		memcpy(it->body, body, len);
	it->body[len] = '\0';
	return it;
}

void
queue_put(struct queue *q, struct item *it, bool indexed)
{
	it->number = ++q->arrivals;
	it->indexed = indexed;
	if (indexed)
		hash_put(&q->by_ref, &it->by_ref, it->h.ref);
	TAILQ_INSERT_TAIL(&q->items, it, entry);
	q->n++;
	q->bytes += PROTO_HEADER_SIZE + it->len;
	if (it->relayed)
		q->relayed_bytes += PROTO_HEADER_SIZE + it->len;
}

static struct item *
take(struct queue *q, struct item *it)
{
	if (it == NULL)
		return NULL;
	if (it->indexed)
		(void)hash_take(&q->by_ref, it->h.ref);
	TAILQ_REMOVE(&q->items, it, entry);
	q->n--;
	q->bytes -= PROTO_HEADER_SIZE + it->len;
	if (it->relayed)
		q->relayed_bytes -= PROTO_HEADER_SIZE + it->len;
	return it;
}

struct item *
queue_take_first(struct queue *q)
{
	return take(q, TAILQ_FIRST(&q->items));
}

struct item *
queue_find_ref(const struct queue *q, uint64_t ref)
{
	return hash_entry(hash_find(&q->by_ref, ref), struct item, by_ref);
}

struct item *
queue_take_ref(struct queue *q, uint64_t ref)
{
	return take(q, queue_find_ref(q, ref));
}

/* The length in big endian at p of `size` bytes, if they are there. */
static bool
length(const unsigned char *p, const unsigned char *end, unsigned size,
    size_t *ret_len)
{
	size_t n = 0;

	if ((size_t)(end - p) < size)
		return false;
	while (size-- > 0)
		n = n << 8 | *p++;
	*ret_len = n;
	return true;
}

/*
 * Does a body begin like [tag, ...]?  Reads the head of an array and of its
 * first string (msgpack's fixarray, array 16 and 32; fixstr, str 8, 16, 32) and
 * no further: whoever reads the message checks it all.
 */
static bool
tagged(const struct item *it, const char *tag)
{
	const unsigned char *p = (const unsigned char *)it->body;
	const unsigned char *end = p + it->len;
	size_t n = 0, len = strlen(tag);
	unsigned size;

	if ((it->h.flags & PROTO_CONTENT_MASK) != PROTO_MSGPACK || p == end)
		return false;
	if ((*p & 0xf0) == 0x90)
		n = *p++ & 0x0f;
	else if ((*p & 0xfe) == 0xdc) {
		size = *p++ == 0xdc ? 2 : 4;
		if (!length(p, end, size, &n))
			return false;
		p += size;
	}
	if (n == 0 || p == end)
		return false;
	if ((*p & 0xe0) == 0xa0)
		n = *p++ & 0x1f;
	else if (*p >= 0xd9 && *p <= 0xdb) {
		size = 1u << (*p++ - 0xd9);
		if (!length(p, end, size, &n))
			return false;
		p += size;
	} else
		return false;
	return n == len && (size_t)(end - p) >= n && memcmp(p, tag, n) == 0;
}

static bool
fits(const struct msg_pattern *p, const struct item *it)
{
	return ((p->kinds == 0 ? KINDS_USER : p->kinds) & MSG_IS(it->kind)) !=
	           0 &&
	       (p->from == 0 || p->from == it->h.from) &&
	       (p->ref == 0 || p->ref == it->h.ref) &&
	       (p->tag == NULL || tagged(it, p->tag));
}

/* Is this the pattern of one message, which the index finds? */
static bool
by_index(const struct queue *q, const struct msg_pattern *p)
{
	return p->ref > q->first_ref && p->ref <= q->last_ref;
}

static struct item *
oldest_indexed(struct queue *q, const struct msg_pattern *patterns, size_t n)
{
	struct item *it, *best = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!by_index(q, &patterns[i]))
			continue;
		it = queue_find_ref(q, patterns[i].ref);
		q->steps++;
		if (it != NULL && fits(&patterns[i], it) &&
		    (best == NULL || it->number < best->number))
			best = it;
	}
	return best;
}

/* Does a pattern that has to look at all messages fit this one? */
static bool
fits_any(const struct queue *q, const struct item *it,
    const struct msg_pattern *patterns, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!by_index(q, &patterns[i]) && fits(&patterns[i], it))
			return true;
	}
	return false;
}

/* The oldest that came after number `scanned`. */
static struct item *
first_after(const struct queue *q, uint64_t scanned)
{
	struct item *it = NULL, *before;

	if (scanned == 0)
		return TAILQ_FIRST(&q->items);
	for (before = TAILQ_LAST(&q->items, items);
	     before != NULL && before->number > scanned;
	     before = TAILQ_PREV(before, items, entry))
		it = before;
	return it;
}

struct item *
queue_match(struct queue *q, const struct msg_pattern *patterns, size_t n,
    uint64_t *scanned, size_t *ret_which)
{
	struct item *best = oldest_indexed(q, patterns, n), *it;
	bool scan = false;
	size_t i;

	for (i = 0; i < n; i++)
		scan = scan || !by_index(q, &patterns[i]);
	it = scan ? first_after(q, *scanned) : NULL;
	for (; it != NULL; it = TAILQ_NEXT(it, entry)) {
		if (best != NULL && it->number >= best->number)
			break;
		q->steps++;
		if (fits_any(q, it, patterns, n)) {
			best = it;
			break;
		}
	}
	*scanned = q->arrivals;
	if (best == NULL)
		return NULL;
	for (i = 0; !fits(&patterns[i], best); i++)
		;
	*ret_which = i;
	return take(q, best);
}
