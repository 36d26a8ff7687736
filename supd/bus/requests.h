/* SPDX-License-Identifier: ISC */
#ifndef BUS_REQUESTS_H
#define BUS_REQUESTS_H

#include "base/attr.h"
#include "bus/control.h"
#include "wire/wire.h"

/*
 * What clients wait for.  A request belongs to its client and ends once, by
 * request_done() or request_fail() (an answer) or request_drop() (silently).
 */

/* The shape of the result of a method that the engine answers. */
enum result_shape {
	RESULT_ROWS,
	RESULT_WHY,
	RESULT_STEPS,
	RESULT_CHANGES,
	RESULT_NOTHING,
	RESULT_EMPTY,
	RESULT_CHILD, /* what a supervisor answers */
};

/* May workers use a method by CONTROL? */
enum method_worker {
	METHOD_NO,    /* only clients of the socket */
	METHOD_ALLOW, /* as far as `allow:` goes */
	METHOD_FREE,
};

struct method {
	const char *name;
	void (*run)(struct request *r, const json_t *params);
	uint32_t op; /* enum request_op */
	enum result_shape shape;
	enum method_worker worker;
};

/* NULL without memory.  id NULL: nobody wants an answer. */
struct request *request_new(
    struct client *c, const json_t *id, const struct method *m);

/* `result`: JSON text. */
void request_done(struct request *r, const char *result);
printf_(3, 4) void request_fail(
    struct request *r, int code, const char *fmt, ...);
/* With `data`: JSON text. */
void request_fail_data(
    struct request *r, int code, const char *text, const char *data);
void request_drop(struct request *r);

/* Give it a number by which answers find it: the next one, or this one. */
void request_tag(struct request *r);
bool request_tag_as(struct request *r, uint64_t tag);
struct request *request_find(struct bus *b, uint64_t tag);

/* Append a JSON value to a list; takes it. */
void rows_add(struct buf *rows, json_t *take);

/* Frames of the engine that answer a request. */
void requests_frame(struct bus *b, const struct wire_hdr *h);

#endif /* BUS_REQUESTS_H */
